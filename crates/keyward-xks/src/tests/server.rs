//! A TLS server of a test: it hears requests and answers with the bytes that it was given.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
};

/// A certificate authority, and a certificate of it.
pub(super) struct Identity {
    /// What a client has to trust.
    pub(super) root: CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// Valid from 1975 to 4096.
    pub(super) fn of(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let own = own.signed_by(&key, &issuer).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own], key)
            .unwrap();
        Self { root, config: Arc::new(config) }
    }
}

/// A request as it stood on the wire.
pub(super) struct Heard {
    /// Counted from 0.
    pub(super) connection: usize,
    pub(super) line: String,
    /// In the order of the wire.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What follows a request.
pub(super) enum Answer {
    Bytes(Vec<u8>),
    /// The bytes, and then the connection ends.
    Last(Vec<u8>),
    /// The bytes, and then nothing for as long as the client waits.
    Stall(Vec<u8>),
}

/// An answer with a body of known length.
pub(super) fn answer(status: u16, body: &str) -> Answer {
    let len = body.len();
    Answer::Bytes(
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}")
            .into_bytes(),
    )
}

pub(super) struct Server {
    pub(super) port: u16,
    pub(super) heard: mpsc::Receiver<Heard>,
}

impl Server {
    /// Answers each request by what `answer` says to it and to its number, counted from 0.
    pub(super) fn start(
        identity: &Identity,
        answer: impl Fn(usize, &Heard) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Arc::clone(&identity.config);
        let (sender, heard) = mpsc::channel();
        // One connection after the other: a client that opens a second one has given up the first.
        thread::spawn(move || {
            let mut number = 0;
            for (connection, socket) in listener.incoming().enumerate() {
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(tls, socket.unwrap());
                while let Some(request) = hear(&mut stream, connection) {
                    let answer = answer(number, &request);
                    number += 1;
                    sender.send(request).ok();
                    if !tell(&mut stream, answer) {
                        break;
                    }
                }
            }
        });
        Self { port, heard }
    }
}

/// `None` when the connection ends, also because the client does not like the certificate.
fn hear(stream: &mut StreamOwned<ServerConnection, TcpStream>, connection: usize) -> Option<Heard> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().lines().map(str::to_owned);
    let line = lines.next().unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_owned(), value.trim().to_owned())
    });
    let mut heard = Heard { connection, line, headers: headers.collect(), body: Vec::new() };
    heard.body = vec![0; heard.header("content-length").unwrap().parse().unwrap()];
    stream.read_exact(&mut heard.body).ok()?;
    Some(heard)
}

/// Whether the connection goes on.
fn tell(stream: &mut StreamOwned<ServerConnection, TcpStream>, answer: Answer) -> bool {
    let (bytes, goes_on, stalls) = match answer {
        Answer::Bytes(bytes) => (bytes, true, false),
        Answer::Last(bytes) => (bytes, false, false),
        Answer::Stall(bytes) => (bytes, false, true),
    };
    if stream.write_all(&bytes).is_err() || stream.flush().is_err() {
        return false;
    }
    if stalls {
        // Until the client hangs up.
        stream.read_exact(&mut [0]).ok();
    }
    goes_on
}
