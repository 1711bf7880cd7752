//! Why a signature was not accepted, in AWS's words, and the code that a client is told.
//!
//! Texts repeat what the client sent only where it is no secret: dates, regions and header names.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>

use keyward_types::{ErrorCode, KmsError};

/// The closed set that [`SignatureError::reason`] draws from, fit for a metric's label.
pub const REASONS: &[&str] = &[
    "missing",
    "incomplete",
    "malformed",
    "window",
    "scope",
    "unsigned_header",
    "payload",
    "mismatch",
];

/// A request that did not prove who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Neither an `Authorization` header nor a signed query.
    #[error("Missing Authentication Token")]
    Missing,
    /// Parts are missing; the text lists every one.
    #[error("{0}")]
    Incomplete(String),
    /// A part cannot be read, or stands there twice.
    #[error("{0}")]
    Malformed(String),
    /// Too old, or not yet.
    #[error("{0}")]
    Window(String),
    /// The credential scope contradicts the request, or is not for here.
    #[error("{0}")]
    Scope(String),
    /// A header that must be signed is not.
    #[error("{0}")]
    UnsignedHeader(String),
    /// `X-Amz-Content-SHA256` is not the digest of the body that arrived.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    Payload,
    /// The signature is another one.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

impl SignatureError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Missing => ErrorCode::MissingAuthenticationToken,
            Self::Incomplete(_) | Self::Malformed(_) => ErrorCode::IncompleteSignature,
            Self::Window(_)
            | Self::Scope(_)
            | Self::UnsignedHeader(_)
            | Self::Payload
            | Self::Mismatch => ErrorCode::InvalidSignature,
        }
    }

    /// One of [`REASONS`].
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Incomplete(_) => "incomplete",
            Self::Malformed(_) => "malformed",
            Self::Window(_) => "window",
            Self::Scope(_) => "scope",
            Self::UnsignedHeader(_) => "unsigned_header",
            Self::Payload => "payload",
            Self::Mismatch => "mismatch",
        }
    }
}

impl From<SignatureError> for KmsError {
    fn from(error: SignatureError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
