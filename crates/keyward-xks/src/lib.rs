//! Speaks the external key store proxy API, version 1, to a proxy: JSON over HTTPS, signed by SigV4.
//!
//! It blocks, and belongs on a thread that may. It does not know which KMS key an external key stands
//! for, what a client is told of a failure, or when a store counts as connected; those are the engine's.
//! It presents no client certificate, so a proxy that insists on one is [`ProxyFailure::Tls`].
//!
//! INVARIANT: neither the secret of a credential nor a byte that is sealed or opened is in an error, a
//! message or a `Debug` form; our own copies of a plaintext are wiped. Buffers of HTTP and TLS are not ours.
//! Source: <https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md>

mod address;
mod failure;
mod wire;

#[cfg(test)]
mod tests;

pub use keyward_outbound::{Routes, Trust, TrustError};

use address::{Address, Target};
use core::{fmt, time::Duration};
use keyward_sigv4::{Credentials, Request, Scope, sign};
use keyward_types::{
    Clock, KeyStoreProxy, ProxyFailure, ProxyKey, ProxyRequest, ProxySealed, XksProxy,
};
use std::{io::Read as _, sync::Arc};
use ureq::{
    Agent, Body,
    http::{Response, StatusCode},
};
use zeroize::Zeroizing;

/// How long AWS KMS waits for the whole of an answer.
/// <https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md#getkeymetadata>
pub const TIMEOUT: Duration = Duration::from_millis(250);

/// The service that a signature's scope names.
/// <https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md#appendix-a-using-sigv4-to-sign-xks-proxy-requests>
const SERVICE: &str = "kms-xks-proxy";

/// Bytes of an answer that are read; the longest that the API allows has less than 8 KiB.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Connections to one proxy, and to all, that are kept while nobody uses them.
const IDLE_PER_PROXY_MAX: usize = 16;
const IDLE_MAX: usize = 64;

/// Of each direction of a connection. A request has less than 24 KiB, the head of an answer less than 1 KiB.
const BUFFER_BYTES: usize = 32 * 1024;

/// A connection that ended while it was idle is noticed only when it is used: the request is made anew, once.
const ATTEMPTS_MAX: u32 = 2;

/// A client of all external key store proxies of a service. Connections are kept and shared by threads.
pub struct XksClient {
    agent: Agent,
    clock: Arc<dyn Clock>,
    timeout: Duration,
}

impl XksClient {
    /// A client that waits [`TIMEOUT`] for an answer. `clock` dates signatures and judges certificates.
    ///
    /// # Errors
    /// [`TrustError`] when the additional roots are none.
    pub fn new(clock: Arc<dyn Clock>, trust: Trust, routes: Routes) -> Result<Self, TrustError> {
        let connector = keyward_outbound::Connector::new(Arc::clone(&clock), trust, routes)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(true)
            .proxy(None)
            .max_idle_connections(IDLE_MAX)
            .max_idle_connections_per_host(IDLE_PER_PROXY_MAX)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .max_response_header_size(BUFFER_BYTES / 2)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("keyward")
            .accept("application/json")
            .build();
        let agent = Agent::with_parts(config, connector, keyward_outbound::ResolveLater);
        Ok(Self { agent, clock, timeout: TIMEOUT })
    }

    /// Another limit of the time from the look-up of a name to the last byte of an answer; milliseconds
    /// count, and less than one is one.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: timeout.max(Duration::from_millis(1)), ..self }
    }

    /// The body of an answer with status 200.
    fn ask(
        &self,
        proxy: &XksProxy,
        target: &Target<'_>,
        request: &ProxyRequest<'_>,
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProxyFailure> {
        let address = Address::of(proxy, target)?;
        let start = self.clock.monotonic_nanos();
        let mut attempt = 1;
        let response = loop {
            let spent = Duration::from_nanos(self.clock.monotonic_nanos().saturating_sub(start));
            let left = self.timeout.saturating_sub(spent);
            if left.is_zero() {
                return Err(ProxyFailure::TimedOut);
            }
            match self.send(proxy, &address, request.region.as_str(), body, left) {
                Ok(response) => break response,
                Err(error) if attempt < ATTEMPTS_MAX && failure::is_lost(&error) => attempt += 1,
                Err(error) => return Err(failure::before_answer(&error)),
            }
        };
        let status = response.status();
        let answer = read(response)?;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        Err(wire::error_name(&answer)
            .and_then(|name| failure::named(status.as_u16(), &name))
            .unwrap_or(ProxyFailure::Malformed))
    }

    /// Signs `host` and `x-amz-date`, as AWS KMS does.
    fn send(
        &self,
        proxy: &XksProxy,
        address: &Address,
        region: &str,
        body: &[u8],
        left: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let host = address.authority.as_str();
        let signed = sign(
            &Request {
                method: "POST",
                path: &address.path,
                query: "",
                headers: &[("host", host)],
                body,
            },
            &Credentials {
                access_key_id: &proxy.access_key_id,
                secret_access_key: &proxy.secret_access_key,
                session_token: None,
            },
            &Scope { region, service: SERVICE },
            self.clock.now().seconds(),
        );
        let mut request = self
            .agent
            .post(format!("https://{host}{}", address.path))
            .header("host", host)
            .header("content-type", "application/json");
        for (name, value) in signed {
            request = request.header(name, value);
        }
        request.config().timeout_global(Some(left)).build().send(body)
    }
}

impl fmt::Debug for XksClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XksClient").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl KeyStoreProxy for XksClient {
    fn health(&self, proxy: &XksProxy, request: &ProxyRequest<'_>) -> Result<(), ProxyFailure> {
        let answer = self.ask(proxy, &Target::Health, request, &wire::health(request)?)?;
        wire::read_health(&answer)
    }

    fn metadata(
        &self,
        proxy: &XksProxy,
        external_key: &str,
        request: &ProxyRequest<'_>,
    ) -> Result<ProxyKey, ProxyFailure> {
        let target = Target::Key { id: external_key, verb: "metadata" };
        let answer = self.ask(proxy, &target, request, &wire::metadata(request)?)?;
        wire::read_metadata(&answer)
    }

    fn encrypt(
        &self,
        proxy: &XksProxy,
        external_key: &str,
        request: &ProxyRequest<'_>,
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<ProxySealed, ProxyFailure> {
        let target = Target::Key { id: external_key, verb: "encrypt" };
        let body = wire::encrypt(request, associated, plaintext)?;
        let answer = self.ask(proxy, &target, request, &body)?;
        wire::read_encrypt(&answer, associated, plaintext.len())
    }

    fn decrypt(
        &self,
        proxy: &XksProxy,
        external_key: &str,
        request: &ProxyRequest<'_>,
        associated: &[u8],
        sealed: &ProxySealed,
    ) -> Result<Zeroizing<Vec<u8>>, ProxyFailure> {
        let target = Target::Key { id: external_key, verb: "decrypt" };
        let body = wire::decrypt(request, associated, sealed)?;
        let answer = self.ask(proxy, &target, request, &body)?;
        wire::read_decrypt(&answer, sealed.ciphertext.len())
    }
}

/// The whole body. It grows in a buffer that is large enough from the start, so that no copy is left behind.
fn read(mut response: Response<Body>) -> Result<Zeroizing<Vec<u8>>, ProxyFailure> {
    let limit = BODY_BYTES_MAX + 1;
    let announced = response.body().content_length().and_then(|len| usize::try_from(len).ok());
    let mut body = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(limit).min(limit) + 64));
    let mut reader = response.body_mut().as_reader().take(BODY_BYTES_MAX as u64 + 1);
    reader.read_to_end(&mut body).map_err(failure::within_answer)?;
    if BODY_BYTES_MAX < body.len() {
        return Err(ProxyFailure::Malformed);
    }
    Ok(body)
}
