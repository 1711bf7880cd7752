//! What the event log tells of itself to others, as an operator chooses it; and whose logs this service witnesses.
//!
//! INVARIANT: what passed `check` can be used: URLs are URLs, and each key is of the kind that its place needs.

use crate::{config::ConfigError, target_url::TargetUrl};
use keyward_outbound::Plaintext;
use keyward_trail::note::{KeyKind, VerifierKey};
use serde::Deserialize;
use std::path::PathBuf;

/// The section `[event_log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventLogSettings {
    /// Seconds between two checkpoints; none is signed while the log does not grow.
    pub checkpoint_seconds: u64,
    /// A file that holds the newest checkpoint, replaced whole.
    pub checkpoint_file: Option<PathBuf>,
    /// Where the newest checkpoint is posted, as a signed note: `https://`, or `http://` on this machine.
    pub webhook: Option<TargetUrl>,
    /// Who is asked to cosign each checkpoint.
    pub witnesses: Vec<WitnessSettings>,
    /// How many witnesses must have cosigned a checkpoint before the file and the webhook get it.
    pub quorum: usize,
    /// A PEM file of root certificates that are trusted beside the public ones.
    pub ca: Option<PathBuf>,
    /// Whether the webhook and witnesses may be at link-local and metadata addresses.
    pub allow_link_local: bool,
}

/// A witness (C2SP tlog-witness), such as a second Keyward.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessSettings {
    /// What stands before `/add-checkpoint`.
    pub url: TargetUrl,
    /// Its public key: what `keyward audit witness-key` prints.
    pub key: String,
}

/// The section `[witness]`: what this service cosigns for others. Nothing, unless it is named here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessRole {
    /// Public keys of logs: what `keyward audit key` prints there.
    pub logs: Vec<String>,
}

impl Default for EventLogSettings {
    fn default() -> Self {
        Self {
            checkpoint_seconds: 60,
            checkpoint_file: None,
            webhook: None,
            witnesses: Vec::new(),
            quorum: 0,
            ca: None,
            allow_link_local: false,
        }
    }
}

impl EventLogSettings {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |name, wanted| Err(ConfigError::Value { name, wanted });
        if self.checkpoint_seconds == 0 {
            return wrong("event_log.checkpoint_seconds", "1 or more");
        }
        let urls = self.witnesses.iter().map(|witness| &witness.url).chain(&self.webhook);
        for url in urls {
            url.check(Plaintext::ThisMachine)
                .map_err(|error| ConfigError::Unsafe(format!("event_log: {error}")))?;
        }
        self.keys()?;
        if self.witnesses.len() < self.quorum {
            return wrong("event_log.quorum", "at most the number of witnesses");
        }
        Ok(())
    }

    /// The witnesses' keys, in their order.
    pub(crate) fn keys(&self) -> Result<Vec<VerifierKey>, ConfigError> {
        let keys = self.witnesses.iter().map(|witness| witness.key.as_str());
        parse(keys, KeyKind::CosignatureV1).ok_or(ConfigError::Value {
            name: "event_log.witnesses.key",
            wanted: "the key of a witness, as `keyward audit witness-key` prints it",
        })
    }
}

impl WitnessRole {
    /// The keys of the logs.
    pub(crate) fn keys(&self) -> Result<Vec<VerifierKey>, ConfigError> {
        let keys = self.logs.iter().map(String::as_str);
        parse(keys, KeyKind::Ed25519).ok_or(ConfigError::Value {
            name: "witness.logs",
            wanted: "keys of logs, as `keyward audit key` prints them",
        })
    }
}

fn parse<'t>(texts: impl Iterator<Item = &'t str>, kind: KeyKind) -> Option<Vec<VerifierKey>> {
    let key = |text: &str| text.trim().parse::<VerifierKey>().ok().filter(|k| k.kind() == kind);
    texts.map(key).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use keyward_trail::note::{KeyKind, VerifierKey};

    fn key(kind: KeyKind) -> String {
        VerifierKey::new("keyward/00", kind, [9; 32]).unwrap().to_string()
    }

    #[test]
    fn both_sections_are_read() {
        let text = format!(
            r#"
            [event_log]
            checkpoint_seconds = 5
            checkpoint_file = "/var/lib/keyward.checkpoint"
            webhook = "https://example.com/hook"
            quorum = 1
            [[event_log.witnesses]]
            url = "http://127.0.0.1:9000"
            key = "{}"
            [witness]
            logs = ["{}"]
            "#,
            key(KeyKind::CosignatureV1),
            key(KeyKind::Ed25519),
        );
        let config = Config::from_toml(&text).unwrap();
        assert_eq!(config.event_log.keys().unwrap().len(), 1);
        assert_eq!(config.witness.keys().unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let (log, witness) = (key(KeyKind::Ed25519), key(KeyKind::CosignatureV1));
        for bad in [
            "[event_log]\ncheckpoint_seconds = 0".to_owned(),
            "[event_log]\nquorum = 1".to_owned(),
            "[event_log]\nwebhook = \"ftp://example.com\"".to_owned(),
            "[event_log]\nwebhook = \"https://user:word@example.com\"".to_owned(),
            format!("[[event_log.witnesses]]\nurl = \"https://example.com\"\nkey = \"{log}\""),
            format!("[[event_log.witnesses]]\nurl = \"example.com\"\nkey = \"{witness}\""),
            format!("[witness]\nlogs = [\"{witness}\"]"),
            "[witness]\nlogs = [\"no key\"]".to_owned(),
        ] {
            assert!(Config::from_toml(&bad).is_err(), "{bad}");
        }
    }
}
