//! AWS Signature Version 4: canonical form, sign, verify.
//!
//! A door asks three questions in this order: [`present`] (what does the request claim),
//! [`Presented::check_window`] (is it of now), [`Presented::verify`] (does the secret prove it).
//! It does not look up credentials, know tokens, remember signatures it has seen, or read a clock.
//!
//! INVARIANT: no secret, derived key or expected signature is in an error, a message or a `Debug` form.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod canonical;
mod error;
mod key;
mod present;
mod sign;
mod time;
mod verify;

pub use error::{REASONS, SignatureError};
pub use key::{SigningKey, derive_signing_key};
pub use present::{Form, Presented, present};
pub use sign::{Credentials, Scope, presign, sign};

/// The only algorithm that is spoken here; SigV4A is not.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The last part of every credential scope.
pub const TERMINATOR: &str = "aws4_request";

/// An HTTP request as it stood on the wire, before anything was decoded.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// In upper case, such as `POST`.
    pub method: &'a str,
    /// Still percent-encoded, without the query.
    pub path: &'a str,
    /// Still percent-encoded, without the `?`.
    pub query: &'a str,
    /// In the order of the wire; names in any case, a name may repeat. `Host` must be among them,
    /// also where HTTP/2 calls it `:authority`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The exact bytes.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The values of a header, in the order of the wire.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|&(_, value)| value)
    }
}
