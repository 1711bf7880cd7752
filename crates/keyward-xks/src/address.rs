//! Where a request goes. What could not be meant is refused before anything is sent: a path that holds
//! `..` would be signed as one path and asked for as another.
//!
//! Source: <https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md#api-operations>

use keyward_types::{ProxyFailure, XksProxy};

/// What of a proxy is asked.
pub(crate) enum Target<'t> {
    Health,
    Key { id: &'t str, verb: &'static str },
}

pub(crate) struct Address {
    /// A name, with a port when the endpoint has one: the `Host` header, which is signed.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Address {
    /// # Errors
    /// [`ProxyFailure::Unreachable`] when the endpoint names no host, `InvalidUriPath` and `KeyNotFound`
    /// when path or key have letters that no proxy's have.
    pub(crate) fn of(proxy: &XksProxy, target: &Target<'_>) -> Result<Self, ProxyFailure> {
        let authority = proxy.endpoint.strip_prefix("https://").ok_or(ProxyFailure::Unreachable)?;
        let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
        if !consists_of(host, b"-.") || port.parse::<u16>().is_err() {
            return Err(ProxyFailure::Unreachable);
        }
        if !proxy.path.starts_with('/') || !consists_of(&proxy.path, b"/-_") {
            return Err(ProxyFailure::InvalidUriPath);
        }
        let path = match target {
            Target::Health => format!("{}/health", proxy.path),
            Target::Key { id, .. } if !consists_of(id, b"-._") || matches!(*id, "." | "..") => {
                return Err(ProxyFailure::KeyNotFound);
            }
            Target::Key { id, verb } => format!("{}/keys/{id}/{verb}", proxy.path),
        };
        Ok(Self { authority: authority.to_owned(), path })
    }
}

/// Letters, digits and `others`, at least one.
fn consists_of(text: &str, others: &[u8]) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::proxy;

    #[test]
    fn an_address_is_endpoint_path_and_target() {
        for (endpoint, path, target, expected) in [
            (
                "https://xks.example",
                "/kms/xks/v1",
                Target::Health,
                "xks.example /kms/xks/v1/health",
            ),
            (
                "https://xks.example:8443",
                "/a_b/C-1/kms/xks/v1",
                Target::Key { id: "k.1_-", verb: "encrypt" },
                "xks.example:8443 /a_b/C-1/kms/xks/v1/keys/k.1_-/encrypt",
            ),
        ] {
            let address = Address::of(&proxy(endpoint, path), &target).unwrap();
            assert_eq!(format!("{} {}", address.authority, address.path), expected);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_not_sent() {
        use ProxyFailure::{InvalidUriPath, KeyNotFound, Unreachable};
        for (endpoint, path, id, expected) in [
            ("http://xks.example", "/kms/xks/v1", "k", Unreachable),
            ("https://", "/kms/xks/v1", "k", Unreachable),
            ("https://xks.example/", "/kms/xks/v1", "k", Unreachable),
            ("https://a@xks.example", "/kms/xks/v1", "k", Unreachable),
            ("https://xks.example:", "/kms/xks/v1", "k", Unreachable),
            ("https://xks.example:70000", "/kms/xks/v1", "k", Unreachable),
            ("https://xks.example", "", "k", InvalidUriPath),
            ("https://xks.example", "kms/xks/v1", "k", InvalidUriPath),
            ("https://xks.example", "/a/../kms/xks/v1", "k", InvalidUriPath),
            ("https://xks.example", "/a%2fb/kms/xks/v1", "k", InvalidUriPath),
            ("https://xks.example", "/kms/xks/v1?", "k", InvalidUriPath),
            ("https://xks.example", "/kms/xks/v1", "", KeyNotFound),
            ("https://xks.example", "/kms/xks/v1", ".", KeyNotFound),
            ("https://xks.example", "/kms/xks/v1", "..", KeyNotFound),
            ("https://xks.example", "/kms/xks/v1", "a/b", KeyNotFound),
            ("https://xks.example", "/kms/xks/v1", "a b", KeyNotFound),
        ] {
            let target = Target::Key { id, verb: "encrypt" };
            let told = Address::of(&proxy(endpoint, path), &target).err();
            assert_eq!(told, Some(expected), "{endpoint}{path} {id}");
        }
    }
}
