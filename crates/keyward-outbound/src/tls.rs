//! TLS connections: a name is looked up, a socket opened, and TLS spoken on it.
//!
//! ureq could do all of it, but would look a name up also for a connection that is open already, and
//! would tell less of what failed. Its parts for this are `unversioned`: a new ureq may ask for changes here.
//!
//! INVARIANT: no certificate is accepted that is not under a trusted root, of now by the `Clock`, and for
//! the name that was asked for.

use crate::post::free;
use core::fmt;
use keyward_types::Clock;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    time_provider::TimeProvider,
};
use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{
            Buffers, ConnectionDetails, Connector as Connects, LazyBuffers, NextTimeout,
            TcpConnector, Transport, TransportAdapter,
            time::{Duration as Span, Instant},
        },
    },
};

/// Whose word is taken for who somebody is.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The public certificate authorities that Mozilla lists.
    Public,
    /// Those, and the operator's own: the bytes of a PEM file with one or more root certificates.
    /// Other things in the file are passed over.
    PublicAnd(Vec<u8>),
}

/// Why additional root certificates were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("there is no certificate in the PEM file")]
    Empty,
    /// Counted from 1.
    #[error("certificate {0} in the PEM file cannot be read")]
    Certificate(usize),
    /// The library of TLS refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Opens TLS connections.
pub struct Connector {
    config: Arc<ClientConfig>,
    routes: Routes,
    guarded: bool,
}

/// Where to connect for a host instead of to what its name leads to. The name is still the one that is asked
/// for and that the certificate must bear.
pub type Routes = BTreeMap<String, SocketAddr>;

impl Connector {
    /// `clock` judges certificates.
    ///
    /// # Errors
    /// [`TrustError`] when the additional roots are none.
    pub fn new(clock: Arc<dyn Clock>, trust: Trust, routes: Routes) -> Result<Self, TrustError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_details(provider, Arc::new(Time(clock)))
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Setup(error.to_string()))?
            .with_root_certificates(roots(trust)?)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), routes, guarded: false })
    }

    /// Connects to no address of [`crate::is_guarded`].
    #[must_use]
    pub fn guarded(self) -> Self {
        Self { guarded: true, ..self }
    }

    fn handshake(
        &self,
        details: &ConnectionDetails<'_>,
        name: ServerName<'static>,
        socket: Box<dyn Transport>,
    ) -> Result<Tls, Error> {
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|_| Error::Tls("not begun"))?;
        let mut socket = TransportAdapter::new(socket, Arc::clone(&details.current_time));
        socket.set_timeout(left(details));
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|error| match Error::from(error) {
                error @ Error::Timeout(_) => error,
                _ => Error::Tls("handshake failed"),
            })?;
        }
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Tls { buffers, stream: StreamOwned::new(connection, socket) })
    }
}

impl Connects for Connector {
    type Out = Tls;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Tls>, Error> {
        let unreachable = |error| match error {
            error @ Error::Timeout(_) => error,
            _ => Error::ConnectionFailed,
        };
        let host = details.uri.host().unwrap_or_default();
        // An IPv6 address stands in brackets in a URL, and without them everywhere else.
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| Error::HostNotFound)?;
        let addrs = match self.routes.get(host) {
            Some(route) => {
                let mut addrs = DefaultResolver::default().empty();
                addrs.push(*route);
                addrs
            }
            None => DefaultResolver::default()
                .resolve(details.uri, details.config, left(details))
                .map_err(unreachable)?,
        };
        let addrs = if self.guarded { free(&addrs)? } else { addrs };
        let resolved = ConnectionDetails {
            uri: details.uri,
            addrs,
            resolver: details.resolver,
            config: details.config,
            request_level: details.request_level,
            now: (details.current_time)(),
            timeout: left(details),
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        let socket: Option<_> =
            TcpConnector::default().connect(&resolved, None::<()>).map_err(unreachable)?;
        let socket = socket.ok_or(Error::ConnectionFailed)?;
        self.handshake(&resolved, name, Box::new(socket)).map(Some)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// Finds nothing: a name is looked up by the [`Connector`], when there is something to connect.
#[derive(Debug)]
pub struct ResolveLater;

impl Resolver for ResolveLater {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

/// A TLS connection whose handshake is done.
pub struct Tls {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for Tls {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(0 < amount)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// The service's time, for the dates of certificates.
struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}

/// Whether TLS is what failed. Who wants a client certificate says so only after its own part of the handshake.
pub fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// What is left of the time to connect.
fn left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let end = details.now + details.timeout.after;
    let after = match (end, (details.current_time)()) {
        (Instant::Exact(end), Instant::Exact(now)) => {
            Span::Exact(end.saturating_duration_since(now))
        }
        _ => details.timeout.after,
    };
    NextTimeout { after, ..details.timeout }
}

fn roots(trust: Trust) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Trust::PublicAnd(pem) = trust else { return Ok(roots) };
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        count += 1;
        let unreadable = TrustError::Certificate(count);
        let certificate = certificate.map_err(|_| unreadable.clone())?;
        roots.add(certificate).map_err(|_| unreadable)?;
    }
    if count == 0 { Err(TrustError::Empty) } else { Ok(roots) }
}
