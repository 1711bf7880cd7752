//! Signing: what our own command line and tests need of a client.
//!
//! It signs every header it is given except those that an intermediary may change.

use crate::{
    ALGORITHM, Form, Request, SigningKey, TERMINATOR, canonical, derive_signing_key, time,
};
use core::fmt;

/// Headers that are never signed: proxies and clients change them under way.
const UNSIGNED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// What a client signs with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub access_key_id: &'a str,
    pub secret_access_key: &'a str,
    pub session_token: Option<&'a str>,
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.access_key_id)
    }
}

/// Whom a signature is for, such as `us-east-1` and `kms`.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
}

/// Signs a request that carries its `Host`, and gives the headers to add: `X-Amz-Date`,
/// `X-Amz-Security-Token` for temporary credentials, and `Authorization`.
///
/// The request must not already carry any of the three.
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: &Scope<'_>,
    now_seconds: i64,
) -> Vec<(&'static str, String)> {
    let timestamp = time::basic(now_seconds);
    let mut headers = request.headers.to_vec();
    headers.push(("x-amz-date", &timestamp));
    headers.extend(credentials.session_token.map(|token| ("x-amz-security-token", token)));
    let signed_headers = signed_headers(&headers);
    let whole = Request { headers: &headers, ..*request };
    let canonical =
        canonical::request(&whole, Form::Header, &signed_headers, &canonical::digest(request.body));
    let signature = signature(credentials, scope, &timestamp, &canonical);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={signed_headers}, Signature={signature}",
        credentials.access_key_id,
        scope_text(scope, &timestamp)
    );
    let mut added = vec![("X-Amz-Date", timestamp)];
    added.extend(credentials.session_token.map(|token| ("X-Amz-Security-Token", token.to_owned())));
    added.push(("Authorization", authorization));
    added
}

/// Presigns a request that carries its `Host`, and gives the whole query of the signed URL, without `?`.
pub fn presign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: &Scope<'_>,
    now_seconds: i64,
    expires_seconds: u32,
) -> String {
    let timestamp = time::basic(now_seconds);
    let signed_headers = signed_headers(request.headers);
    let credential = format!("{}/{}", credentials.access_key_id, scope_text(scope, &timestamp));
    let expires = expires_seconds.to_string();
    let mut parameters = vec![
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &timestamp),
        ("X-Amz-Expires", &expires),
        ("X-Amz-SignedHeaders", &signed_headers),
    ];
    parameters.extend(credentials.session_token.map(|token| ("X-Amz-Security-Token", token)));
    let mut query = request.query.to_owned();
    for (name, value) in parameters {
        let separator = if query.is_empty() { "" } else { "&" };
        query.push_str(&format!("{separator}{name}={}", canonical::encode(value.as_bytes())));
    }
    let whole = Request { query: &query, ..*request };
    let canonical =
        canonical::request(&whole, Form::Query, &signed_headers, &canonical::digest(request.body));
    let signature = signature(credentials, scope, &timestamp, &canonical);
    query.push_str("&X-Amz-Signature=");
    query.push_str(&signature);
    query
}

fn signature(
    credentials: &Credentials<'_>,
    scope: &Scope<'_>,
    timestamp: &str,
    canonical: &str,
) -> String {
    let key: SigningKey = derive_signing_key(
        credentials.secret_access_key,
        day(timestamp),
        scope.region,
        scope.service,
    );
    let digest = canonical::digest(canonical.as_bytes());
    let scope = scope_text(scope, timestamp);
    hex::encode(key.mac(&[ALGORITHM, "\n", timestamp, "\n", &scope, "\n", &digest]).as_slice())
}

fn scope_text(scope: &Scope<'_>, timestamp: &str) -> String {
    format!("{}/{}/{}/{TERMINATOR}", day(timestamp), scope.region, scope.service)
}

fn day(timestamp: &str) -> &str {
    timestamp.get(..8).unwrap_or(timestamp)
}

fn signed_headers(headers: &[(&str, &str)]) -> String {
    let mut names: Vec<String> =
        headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.retain(|name| !UNSIGNED.contains(&name.as_str()));
    names.sort();
    names.dedup();
    names.join(";")
}
