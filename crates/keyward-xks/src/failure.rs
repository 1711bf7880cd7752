//! What a failure is called: the names a proxy gives, and what HTTP, TLS and sockets say.
//!
//! Source: <https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md#error-codes>

use keyward_outbound::is_tls;
use keyward_types::ProxyFailure;
use std::io;

/// The names of the proxy API, each with the one status that goes with it.
const NAMED: &[(u16, &str, ProxyFailure)] = &[
    (400, "ValidationException", ProxyFailure::Validation),
    (400, "InvalidStateException", ProxyFailure::InvalidState),
    (400, "InvalidCiphertextException", ProxyFailure::InvalidCiphertext),
    (400, "InvalidKeyUsageException", ProxyFailure::InvalidKeyUsage),
    (401, "AuthenticationFailedException", ProxyFailure::AuthenticationFailed),
    (403, "AccessDeniedException", ProxyFailure::AccessDenied),
    (404, "KeyNotFoundException", ProxyFailure::KeyNotFound),
    (404, "InvalidUriPathException", ProxyFailure::InvalidUriPath),
    (429, "ThrottlingException", ProxyFailure::Throttling),
    (500, "InternalException", ProxyFailure::Internal),
    (501, "UnsupportedOperationException", ProxyFailure::UnsupportedOperation),
    (503, "DependencyTimeoutException", ProxyFailure::DependencyTimeout),
];

/// `None` for a name that the API does not have, or not with this status.
pub(crate) fn named(status: u16, name: &str) -> Option<ProxyFailure> {
    NAMED.iter().find(|row| row.0 == status && row.1 == name).map(|row| row.2)
}

/// What went wrong before an answer began.
///
/// A connection that ends here gave no answer, so it is as good as none.
pub(crate) fn before_answer(error: &ureq::Error) -> ProxyFailure {
    match error {
        ureq::Error::Timeout(_) => ProxyFailure::TimedOut,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => ProxyFailure::Unreachable,
        ureq::Error::Tls(_) => ProxyFailure::Tls,
        ureq::Error::Io(error) if is_tls(error) => ProxyFailure::Tls,
        ureq::Error::Io(_) => ProxyFailure::Unreachable,
        _ => ProxyFailure::Malformed,
    }
}

/// What went wrong once an answer had begun.
pub(crate) fn within_answer(error: io::Error) -> ProxyFailure {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => ProxyFailure::TimedOut,
        _ => ProxyFailure::Malformed,
    }
}

/// Whether an established connection ended before an answer began.
pub(crate) fn is_lost(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if !is_tls(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_with_its_own_status_alone() {
        for (status, name, failure) in NAMED {
            assert_eq!(named(*status, name), Some(*failure), "{name}");
            for other in [200, 400, 401, 403, 404, 405, 429, 500, 501, 502, 503] {
                assert_eq!(named(other, name).is_some(), other == *status, "{other} {name}");
            }
        }
        assert_eq!(named(400, "SomethingException"), None);
        assert_eq!(named(400, "validationexception"), None);
    }

    #[test]
    fn what_the_way_says_has_one_name() {
        let io = |kind: io::ErrorKind| ureq::Error::Io(kind.into());
        let tls = || io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        let timeout = || ureq::Error::Timeout(ureq::Timeout::Global);
        for (error, failure) in [
            (timeout(), ProxyFailure::TimedOut),
            (ureq::Error::HostNotFound, ProxyFailure::Unreachable),
            (ureq::Error::ConnectionFailed, ProxyFailure::Unreachable),
            (io(io::ErrorKind::ConnectionReset), ProxyFailure::Unreachable),
            (io(io::ErrorKind::UnexpectedEof), ProxyFailure::Unreachable),
            (ureq::Error::Tls("x"), ProxyFailure::Tls),
            (ureq::Error::Io(tls()), ProxyFailure::Tls),
            (ureq::Error::LargeResponseHeader(2, 1), ProxyFailure::Malformed),
        ] {
            assert_eq!(before_answer(&error), failure, "{error}");
        }
        assert_eq!(within_answer(timeout().into_io()), ProxyFailure::TimedOut);
        assert_eq!(within_answer(io::ErrorKind::ConnectionReset.into()), ProxyFailure::Malformed);
        assert!(is_lost(&io(io::ErrorKind::BrokenPipe)));
        assert!(!is_lost(&ureq::Error::Io(tls())));
        assert!(!is_lost(&timeout()));
    }
}
