//! One bounded POST.

use crate::{
    address::is_guarded,
    tls::{Connector, ResolveLater, Routes, Trust, TrustError},
};
use keyward_types::Clock;
use std::{io::Read as _, sync::Arc, time::Duration};
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
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    TimedOut,
    #[error("the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    /// What the library says: of the way, and of nothing that was sent.
    #[error("{0}")]
    Way(String),
}

impl From<Error> for PostError {
    fn from(error: Error) -> Self {
        match error {
            Error::Timeout(_) => Self::TimedOut,
            other => Self::Way(other.to_string()),
        }
    }
}

/// Posts. Connections are not kept: what is told is rare.
#[derive(Debug)]
pub struct Outbound {
    secure: Agent,
    plain: Agent,
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
        let plain = bounded(Agent::config_builder()).build();
        Ok(Self {
            secure: Agent::with_parts(secure, connector, ResolveLater),
            plain: Agent::with_parts(plain, TcpConnector::default(), ThisMachine),
        })
    }

    /// Posts a body. Any status is an answer, also one that names another place.
    ///
    /// # Errors
    /// [`PostError`] when there was no whole answer.
    pub fn post(&self, url: &str, content_type: &str, body: &[u8]) -> Result<Answer, PostError> {
        self.post_with(url, &[("content-type", content_type)], body)
    }

    /// The same with any headers.
    ///
    /// # Errors
    /// [`PostError`] when there was no whole answer.
    pub fn post_with(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, PostError> {
        let agent = if is_secure(url)? { &self.secure } else { &self.plain };
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

/// Whether a URL can be posted to at all; where its name leads is seen when it is.
///
/// # Errors
/// [`PostError::Url`].
pub fn check_url(url: &str) -> Result<(), PostError> {
    is_secure(url).map(drop)
}

fn is_secure(url: &str) -> Result<bool, PostError> {
    let uri: Uri = url.parse().map_err(|_| PostError::Url)?;
    let authority = uri.authority().ok_or(PostError::Url)?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(PostError::Url);
    }
    match uri.scheme_str() {
        Some("https") => Ok(true),
        Some("http") => Ok(false),
        _ => Err(PostError::Url),
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
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
            assert_eq!(check_url(url), Err(PostError::Url));
        }
        for url in ["http://169.254.169.254/latest", "http://203.0.113.1/", "http://[fe80::1]/"] {
            assert!(post(url, true).contains("this machine alone"), "{url}");
        }
        for url in ["https://169.254.169.254/latest", "https://[fd00:ec2::254]/"] {
            assert!(post(url, false).contains("not allowed"), "{url}");
        }
    }
}
