//! One bounded POST.

use crate::{
    address::is_guarded,
    tls::{Connector, ResolveLater, Routes, Trust, TrustError},
};
use keyward_types::Clock;
use std::{io::Read as _, net::IpAddr, sync::Arc, time::Duration};
use ureq::{
    Agent, Error,
    config::{Config, ConfigBuilder},
    http::Uri,
    typestate::AgentScope,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{NextTimeout, TcpConnector},
    },
};

/// From the look-up of a name to the last byte of an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What came back, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    #[error(
        "a URL begins with https://, or with http:// for this machine, and holds no credentials"
    )]
    Url,
    #[error(
        "it begins with http:// and is not known to be this machine (localhost, 127.0.0.1, [::1]): what is sent there is not encrypted"
    )]
    NotEncrypted,
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    TimedOut,
    #[error("the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    /// What the library says: of the way, and of nothing that was sent.
    #[error("{0}")]
    Way(String),
}

/// Where something may be sent without encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plaintext {
    #[default]
    ThisMachine,
    /// An operator said so of this target; guarded addresses stay guarded.
    Anywhere,
}

impl From<Error> for PostError {
    fn from(error: Error) -> Self {
        match error {
            Error::Timeout(_) => Self::TimedOut,
            // Their words hold the URL, which may be a secret of its own.
            Error::BadUri(_) | Error::RequireHttpsOnly(_) => Self::Url,
            other => Self::Way(other.to_string()),
        }
    }
}

/// Posts. Connections are not kept: what is told is rare.
#[derive(Debug)]
pub struct Outbound {
    secure: Agent,
    plain: Agent,
    plain_anywhere: Agent,
}

impl Outbound {
    /// `clock` judges certificates. `link_local` allows the addresses of [`is_guarded`].
    ///
    /// # Errors
    /// [`TrustError`] when the additional roots are none.
    pub fn new(clock: Arc<dyn Clock>, trust: Trust, link_local: bool) -> Result<Self, TrustError> {
        let connector = Connector::new(clock, trust, Routes::new())?;
        let connector = if link_local { connector } else { connector.guarded() };
        let secure = bounded(Agent::config_builder().https_only(true)).build();
        let plain = || bounded(Agent::config_builder()).build();
        let anywhere = Unencrypted { link_local };
        Ok(Self {
            secure: Agent::with_parts(secure, connector, ResolveLater),
            plain: Agent::with_parts(plain(), TcpConnector::default(), ThisMachine),
            plain_anywhere: Agent::with_parts(plain(), TcpConnector::default(), anywhere),
        })
    }

    /// Posts a body. Any status is an answer, also one that names another place.
    ///
    /// # Errors
    /// [`PostError`] when there was no whole answer.
    pub fn post(&self, url: &str, content_type: &str, body: &[u8]) -> Result<Answer, PostError> {
        let headers = [("content-type", content_type)];
        self.post_with(url, &headers, body, Plaintext::ThisMachine)
    }

    /// The same with any headers, and unencrypted where `plaintext` says so.
    ///
    /// # Errors
    /// [`PostError`] when there was no whole answer.
    pub fn post_with(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        plaintext: Plaintext,
    ) -> Result<Answer, PostError> {
        let agent = match (parsed(url)?, plaintext) {
            (Scheme::Https, _) => &self.secure,
            (Scheme::Http { .. }, Plaintext::ThisMachine) => &self.plain,
            (Scheme::Http { .. }, Plaintext::Anywhere) => &self.plain_anywhere,
        };
        let request = headers
            .iter()
            .fold(agent.post(url), |request, (name, value)| request.header(*name, *value));
        let mut answer = request.send(body)?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        let mut reader = answer.body_mut().as_reader().take(ANSWER_BYTES_MAX as u64 + 1);
        reader.read_to_end(&mut body).map_err(|error| PostError::from(Error::from(error)))?;
        if ANSWER_BYTES_MAX < body.len() {
            return Err(PostError::TooLarge);
        }
        Ok(Answer { status, body })
    }
}

fn bounded(config: ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> {
    config
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .timeout_global(Some(TIMEOUT))
        .user_agent("keyward")
}

/// Whether a URL can be posted to at all, before anything is. Names are not looked up: where one leads is seen when it
/// is posted to.
///
/// # Errors
/// [`PostError::Url`]; [`PostError::NotEncrypted`].
pub fn check_url(url: &str, plaintext: Plaintext) -> Result<(), PostError> {
    match (parsed(url)?, plaintext) {
        (Scheme::Http { here: false }, Plaintext::ThisMachine) => Err(PostError::NotEncrypted),
        _ => Ok(()),
    }
}

enum Scheme {
    Https,
    /// `here`: the URL itself says that it is this machine.
    Http {
        here: bool,
    },
}

fn parsed(url: &str) -> Result<Scheme, PostError> {
    let uri: Uri = url.parse().map_err(|_| PostError::Url)?;
    let authority = uri.authority().ok_or(PostError::Url)?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(PostError::Url);
    }
    match uri.scheme_str() {
        Some("https") => Ok(Scheme::Https),
        Some("http") => Ok(Scheme::Http { here: is_here(authority.host()) }),
        _ => Err(PostError::Url),
    }
}

/// Source: <https://www.rfc-editor.org/rfc/rfc6761#section-6.3> (names of this machine).
fn is_here(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    address.map_or(host == "localhost" || host.ends_with(".localhost"), |one| one.is_loopback())
}

/// Every address of a name that is not guarded.
#[derive(Debug)]
struct Unencrypted {
    link_local: bool,
}

impl Resolver for Unencrypted {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        if self.link_local { Ok(found) } else { free(&found) }
    }
}

/// Finds the loopback addresses of a name, and no other.
#[derive(Debug)]
struct ThisMachine;

impl Resolver for ThisMachine {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let resolver = DefaultResolver::default();
        let mut here = resolver.empty();
        for address in &*resolver.resolve(uri, config, timeout)? {
            if address.ip().to_canonical().is_loopback() {
                here.push(*address);
            }
        }
        if here.is_empty() {
            return Err(Error::Other("what is not encrypted goes to this machine alone".into()));
        }
        Ok(here)
    }
}

/// The addresses that may be connected to.
///
/// # Errors
/// When every one of them is guarded.
pub(crate) fn free(found: &ResolvedSocketAddrs) -> Result<ResolvedSocketAddrs, Error> {
    let mut free = DefaultResolver::default().empty();
    found.iter().filter(|address| !is_guarded(address.ip())).for_each(|one| free.push(*one));
    if free.is_empty() && !found.is_empty() {
        let words = "the name leads to a link-local or metadata address, which is not allowed";
        return Err(Error::Other(words.into()));
    }
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_types::Timestamp;
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        thread,
    };

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }

        fn monotonic_nanos(&self) -> u64 {
            0
        }
    }

    fn outbound(link_local: bool) -> Outbound {
        Outbound::new(Arc::new(Still), Trust::Public, link_local).unwrap()
    }

    /// Answers one request with these bytes; gives what it heard of the head.
    fn server(answer: Vec<u8>) -> (String, thread::JoinHandle<Vec<String>>) {
        server_at("127.0.0.1", answer)
    }

    fn server_at(host: &str, answer: Vec<u8>) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_lowercase());
            }
            let mut body = [0; 5];
            reader.read_exact(&mut body).unwrap();
            head.push(String::from_utf8(body.to_vec()).unwrap());
            // A reader that has had enough may be gone.
            drop(socket.write_all(&answer));
            head
        });
        (format!("http://{address}/hook"), heard)
    }

    #[test]
    fn a_post_brings_back_what_was_said_and_goes_nowhere_else() {
        let redirect =
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nno";
        let (url, heard) = server(redirect.to_vec());
        let answer = outbound(false).post(&url, "text/plain", b"hello").unwrap();
        assert_eq!(answer, Answer { status: 302, body: b"no".to_vec() });
        let heard = heard.join().unwrap();
        assert_eq!(heard.first().unwrap(), "post /hook http/1.1");
        assert!(heard.contains(&"content-type: text/plain".to_owned()), "{heard:?}");
        assert_eq!(heard.last().unwrap(), "hello");
    }

    #[test]
    fn an_answer_without_end_is_cut_off() {
        let mut endless = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
        endless.resize(1_000_000, b'x');
        let (url, heard) = server(endless);
        let said = outbound(false).post(&url, "text/plain", b"hello");
        assert_eq!(said, Err(PostError::TooLarge));
        heard.join().unwrap();
    }

    #[test]
    fn where_nothing_may_go() {
        let post = |url: &str, link_local| {
            outbound(link_local).post(url, "text/plain", b"").unwrap_err().to_string()
        };
        for url in ["", "ftp://a/", "/x", "https://user:secret@example.com/", "file:///etc/passwd"]
        {
            assert_eq!(post(url, false), PostError::Url.to_string(), "{url}");
            assert_eq!(check_url(url, Plaintext::Anywhere), Err(PostError::Url));
        }
        for url in ["http://169.254.169.254/latest", "http://203.0.113.1/", "http://[fe80::1]/"] {
            assert!(post(url, true).contains("this machine alone"), "{url}");
        }
        for url in ["https://169.254.169.254/latest", "https://[fd00:ec2::254]/"] {
            assert!(post(url, false).contains("not allowed"), "{url}");
        }
    }

    /// What a target may be is known before anything is sent.
    #[test]
    fn plain_http_leaves_this_machine_only_where_it_was_said() {
        for here in [
            "http://127.0.0.1:9093",
            "http://[::1]:9093/x",
            "http://LOCALHOST",
            "http://a.localhost:1",
            "https://alertmanager",
        ] {
            assert_eq!(check_url(here, Plaintext::ThisMachine), Ok(()), "{here}");
        }
        for away in [
            "http://alertmanager:9093",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://[2001:db8::1]",
        ] {
            let said = check_url(away, Plaintext::ThisMachine);
            assert_eq!(said, Err(PostError::NotEncrypted), "{away}");
            assert_eq!(check_url(away, Plaintext::Anywhere), Ok(()), "{away}");
        }
        // Guarded addresses stay so, and what was said of one target is said of no other.
        let post = |url: &str, plaintext| {
            outbound(false).post_with(url, &[], b"", plaintext).unwrap_err().to_string()
        };
        let metadata = post("http://169.254.169.254/latest", Plaintext::Anywhere);
        assert!(metadata.contains("not allowed"), "{metadata}");
        let elsewhere = post("http://203.0.113.1/", Plaintext::ThisMachine);
        assert!(elsewhere.contains("this machine alone"), "{elsewhere}");
    }

    /// An address of this machine that is no loopback address, as another machine would be.
    #[test]
    fn what_was_said_to_be_elsewhere_is_reached_there() {
        let Some(address) = outer_address() else {
            println!("skipped: this machine has no address but its loopback one");
            return;
        };
        let (url, heard) =
            server_at(&address, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec());
        let post = |plaintext| outbound(false).post_with(&url, &[], b"hello", plaintext);
        let refused = post(Plaintext::ThisMachine).unwrap_err().to_string();
        assert!(refused.contains("this machine alone"), "{refused}");
        assert_eq!(post(Plaintext::Anywhere).unwrap().status, 200);
        assert_eq!(heard.join().unwrap().last().unwrap(), "hello");
    }

    /// Nothing is sent by it: the operating system says from where it would be.
    fn outer_address() -> Option<String> {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect("203.0.113.1:9").ok()?;
        let address = socket.local_addr().ok()?.ip();
        (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
    }
}
