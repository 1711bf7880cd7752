//! What a trusted front may state about a request: the client's address, that TLS was used, and
//! condition keys such as `kms:ViaService`. Several values of one key stand in one header, with commas.
//!
//! INVARIANT: from a peer that is not listed, such headers count for nothing.
//! INVARIANT: no header stands for a condition key that follows from the caller, the resource or the request:
//! such a configuration is refused ([`TrustedFront::check`]).

use crate::config::{ConfigError, TrustedFront};
use ipnet::IpNet;
use std::{collections::BTreeMap, net::IpAddr};

/// The configured front, ready to be asked. The default trusts nobody.
#[derive(Debug, Default)]
pub(crate) struct Front {
    networks: Vec<IpNet>,
    /// Header and condition key, both in lower case.
    headers: Vec<(String, String)>,
    source_ip_header: Option<String>,
    secure_transport: bool,
}

/// What was stated.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) source_ip: Option<String>,
    pub(super) secure_transport: bool,
    /// By condition key in lower case.
    pub(super) facts: BTreeMap<String, String>,
}

impl Front {
    pub(crate) fn new(settings: &TrustedFront) -> Result<Self, ConfigError> {
        let lower =
            |(header, key): (&String, &String)| (header.to_ascii_lowercase(), key.to_lowercase());
        settings.check()?;
        Ok(Self {
            networks: settings.networks()?,
            headers: settings.headers.iter().map(lower).collect(),
            source_ip_header: settings
                .source_ip_header
                .as_ref()
                .map(|name| name.to_ascii_lowercase()),
            secure_transport: settings.secure_transport,
        })
    }

    pub(super) fn told<'h>(
        &self,
        peer: Option<IpAddr>,
        header: impl Fn(&str) -> Option<&'h str>,
    ) -> Told {
        let trusted =
            peer.is_some_and(|peer| self.networks.iter().any(|network| network.contains(&peer)));
        if !trusted {
            return Told::default();
        }
        // Of a list the last is the front's own word. What is no address leaves none, rather than the front's.
        let address = |name: &String| {
            let last = header(name).and_then(|value| value.rsplit(',').next()).unwrap_or_default();
            let address = last.trim().parse::<IpAddr>();
            address.map(|ip| ip.to_canonical().to_string()).unwrap_or_default()
        };
        // A header without a value states nothing.
        let fact = |(name, key): &(String, String)| {
            let value = header(name)?.trim();
            (!value.is_empty()).then(|| (key.clone(), value.to_owned()))
        };
        Told {
            source_ip: self.source_ip_header.as_ref().map(address),
            secure_transport: self.secure_transport,
            facts: self.headers.iter().filter_map(fact).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listed_peer_is_believed() {
        let settings = TrustedFront {
            networks: vec!["10.1.0.0/16".to_owned()],
            headers: BTreeMap::from([(
                "X-Keyward-Via-Service".to_owned(),
                "kms:ViaService".to_owned(),
            )]),
            source_ip_header: Some("X-Real-IP".to_owned()),
            secure_transport: true,
        };
        let front = Front::new(&settings).unwrap();
        let header = |name: &str| match name {
            "x-keyward-via-service" => Some("s3.us-east-1.amazonaws.com"),
            "x-real-ip" => Some("192.0.2.7"),
            _ => None,
        };
        let ip = |text: &str| Some(text.parse().unwrap());
        assert_eq!(front.told(ip("10.2.0.1"), header), Told::default());
        assert_eq!(front.told(None, header), Told::default());
        assert_eq!(Front::default().told(ip("10.1.0.1"), header), Told::default());
        let told = front.told(ip("10.1.0.1"), header);
        assert_eq!(told.source_ip.as_deref(), Some("192.0.2.7"));
        assert!(told.secure_transport);
        assert_eq!(
            told.facts.get("kms:viaservice").map(String::as_str),
            Some("s3.us-east-1.amazonaws.com")
        );
    }
}
