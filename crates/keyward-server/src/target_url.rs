//! The URL of a target that an operator named: where something is told. Its path and query may hold a token.
//!
//! INVARIANT: neither `Debug` nor an error shows more of it than scheme, host and port.

use core::fmt;
use keyward_outbound::{Plaintext, check_url};
use serde::Deserialize;

/// See the module.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct TargetUrl(String);

impl TargetUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Such as `https://hooks.example.com/…`; of what is no URL, nothing.
    pub(crate) fn place(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return "a URL".to_owned() };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // What stands before an @ is a name and a password.
        let host = authority.rsplit('@').next().unwrap_or_default();
        let more = if authority.len() < rest.len() { "/…" } else { "" };
        format!("{scheme}://{host}{more}")
    }

    /// Whether it can be told anything; in words that hold no secret.
    pub(crate) fn check(&self, plaintext: Plaintext) -> Result<(), String> {
        check_url(&self.0, plaintext).map_err(|error| format!("{}: {error}", self.place()))
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        for (url, shown) in [
            ("https://hooks.example.com/services/T0KEN", "https://hooks.example.com/…"),
            ("https://hooks.example.com?key=T0KEN", "https://hooks.example.com/…"),
            ("https://user:T0KEN@example.com:8443", "https://example.com:8443"),
            ("http://127.0.0.1:9093", "http://127.0.0.1:9093"),
            ("T0KEN", "a URL"),
        ] {
            let url = TargetUrl::new(url);
            assert_eq!((url.place().as_str(), format!("{url:?}").as_str()), (shown, shown));
        }
        let refused = TargetUrl::new("ftp://example.com/T0KEN").check(Plaintext::Anywhere);
        assert!(refused.unwrap_err().starts_with("ftp://example.com/…: "));
    }
}
