//! Who sent a request: Signature Version 4, and nothing else.
//!
//! Attempts that fail here are counted and leave no event: the log is no free write for strangers.
//! It does not remember signatures: a request can be sent again inside its window of five minutes.
//!
//! INVARIANT: a `Caller` leaves here only after its signature was verified over the bytes that arrived.
//! INVARIANT: an unknown access key costs as much work as a wrong signature.

mod front;
mod keys;
mod service;

pub(crate) use front::Front;

use actix_web::HttpRequest;
use keys::SigningKeys;
use keyward_engine::Engine;
use keyward_sigv4::{Presented, Request, SignatureError, present};
use keyward_types::{Caller, ErrorCode, KmsError, Origin, Region};
use std::net::IpAddr;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What is verified against when nobody holds the access key.
const NOBODYS_SECRET: &str = "nobody holds this access key; the work is done all the same";

/// The gate in front of every door but the operator's.
pub(crate) struct Gate {
    keys: SigningKeys,
    front: Front,
}

/// A request as it stood on the wire.
pub(crate) struct Arrival<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
    peer: Option<IpAddr>,
}

impl<'a> Arrival<'a> {
    /// Header values that are not UTF-8 are left out, so that a signature over one does not hold.
    pub(crate) fn of(request: &'a HttpRequest, body: &'a [u8]) -> Self {
        let headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str(), core::str::from_utf8(value.as_bytes()).ok()?))
            })
            .collect();
        Self {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            headers,
            body,
            peer: request.peer_addr().map(|peer| peer.ip().to_canonical()),
        }
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }

    /// The value of the last line of this name: a front writes its own behind what its client wrote.
    fn last_header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().rev().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: &self.headers,
            body: self.body,
        }
    }
}

impl Gate {
    pub(crate) fn new(front: Front) -> Self {
        Self { keys: SigningKeys::new(), front }
    }

    /// The caller, or why not. `service` is the signing name that the scope must carry.
    pub(crate) fn admit(
        &self,
        engine: &Engine,
        arrival: &Arrival<'_>,
        service: &str,
        request_id: Uuid,
    ) -> Result<Caller, KmsError> {
        self.verify(engine, arrival, service, request_id).map_err(|refusal| {
            engine.metrics().unauthenticated(refusal.reason);
            refusal.error
        })
    }

    /// The token of temporary credentials, proved or not.
    pub(crate) fn session_token(arrival: &Arrival<'_>) -> Option<Zeroizing<String>> {
        let request = arrival.request();
        let presented = present(&request).ok()?;
        presented.session_token.map(|token| Zeroizing::new(token.into_owned()))
    }

    fn verify(
        &self,
        engine: &Engine,
        arrival: &Arrival<'_>,
        service: &str,
        request_id: Uuid,
    ) -> Result<Caller, Refusal> {
        let request = arrival.request();
        let presented = present(&request)?;
        let region = scope(&presented, service)?;
        let credential =
            match engine.credential(&presented.access_key_id, presented.session_token.as_deref()) {
                Ok(credential) => credential,
                Err(error) => {
                    // The result does not matter; the time that it takes does.
                    drop(presented.verify(&request, NOBODYS_SECRET, None));
                    return Err(Refusal { reason: unknown_reason(error.code), error });
                }
            };
        presented.check_window(engine.now().seconds())?;
        self.keys.verify(&presented, &request, &credential.secret)?;
        let mut origin = self.origin(arrival, region, request_id);
        if credential.is_service() {
            origin.trusted_facts.extend(service::told(|name| arrival.header(name)));
        }
        Ok(credential.into_caller(origin))
    }

    fn origin(&self, arrival: &Arrival<'_>, region: Region, request_id: Uuid) -> Origin {
        let told = self.front.told(arrival.peer, |name| arrival.last_header(name));
        let peer = || arrival.peer.map(|ip| ip.to_string()).unwrap_or_default();
        Origin {
            request_id,
            source_ip: told.source_ip.unwrap_or_else(peer),
            user_agent: arrival.header("user-agent").unwrap_or_default().to_owned(),
            region,
            secure_transport: told.secure_transport,
            host: arrival.header("host").unwrap_or_default().to_owned(),
            trusted_facts: told.facts,
        }
    }
}

/// An error for the client and a reason for the metric.
struct Refusal {
    reason: &'static str,
    error: KmsError,
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        Self { reason: error.reason(), error: error.into() }
    }
}

/// The Region of a scope that is for here. Any well-formed Region is: keys live where they are asked for.
fn scope(presented: &Presented<'_>, service: &str) -> Result<Region, SignatureError> {
    if presented.service != service {
        return Err(SignatureError::Scope(format!(
            "Credential should be scoped to correct service: '{service}'."
        )));
    }
    Region::parse(&presented.region).ok_or_else(|| {
        SignatureError::Scope(
            "Credential should be scoped to a valid Region, such as 'us-east-1'.".to_owned(),
        )
    })
}

fn unknown_reason(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ExpiredToken => "expired_token",
        ErrorCode::UnrecognizedClient => "unknown_key",
        _ => "unavailable",
    }
}
