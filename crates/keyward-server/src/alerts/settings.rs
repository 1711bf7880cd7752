//! What an operator chooses of alerts: the section `[alerts]`.
//!
//! INVARIANT: what passed `check` can be used; no secret stands in it, but in files that it names.

use crate::{config::ConfigError, target_url::TargetUrl};
use keyward_outbound::Plaintext;
use keyward_watch::Settings;
use serde::Deserialize;
use std::{collections::BTreeSet, path::PathBuf};

/// Webhooks, and Alertmanagers, at most: each is told on a thread of its own.
const TARGETS_MAX: usize = 16;

/// The section `[alerts]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertSettings {
    /// Whether detectors look at the log at all.
    pub enabled: bool,
    /// Thresholds, settings of single keys, canary keys, approval rules, silences: what
    /// `keyward_watch::Settings` has. A request can put in others (PutAlertSettings).
    pub settings: Settings,
    /// Where what the detectors learned is lost, they learn again from so many days of the log.
    pub rebuild_days: u32,
    /// Seconds between two times that it is saved.
    pub save_seconds: u64,
    /// Notices are appended to this file, one JSON object a line.
    pub file: Option<PathBuf>,
    pub webhooks: Vec<WebhookSettings>,
    pub alertmanagers: Vec<AlertmanagerSettings>,
    /// Where people reach this service, for links in notices to an Alertmanager.
    pub external_url: Option<String>,
    /// A PEM file of root certificates that are trusted beside the public ones.
    pub ca: Option<PathBuf>,
    /// Whether targets may be at link-local and metadata addresses.
    pub allow_link_local: bool,
}

/// A receiver of notices, one POST each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// `https://`, or `http://` on this machine.
    pub url: TargetUrl,
    /// A file that holds the secret under which notices are signed: `whsec_` and base64, or any text. Without it they
    /// are not signed.
    pub secret_file: Option<PathBuf>,
}

/// A Prometheus Alertmanager, version 0.16 or later.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerSettings {
    /// What stands before `/api/v2/alerts`.
    pub url: TargetUrl,
    /// Whether it may be told by `http://` on another machine: what is told can be read and changed on the way.
    #[serde(default)]
    pub allow_remote_plaintext: bool,
    /// Seconds between two times that it is told what fires. It takes what it is no longer told of for resolved.
    #[serde(default = "resend_seconds")]
    pub resend_seconds: u64,
}

fn resend_seconds() -> u64 {
    60
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            settings: Settings::default(),
            rebuild_days: 30,
            save_seconds: 300,
            file: None,
            webhooks: Vec::new(),
            alertmanagers: Vec::new(),
            external_url: None,
            ca: None,
            allow_link_local: false,
        }
    }
}

impl AlertSettings {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |name, wanted| Err(ConfigError::Value { name, wanted });
        if self.save_seconds == 0 {
            return wrong("alerts.save_seconds", "1 or more");
        }
        if self.alertmanagers.iter().any(|one| one.resend_seconds == 0) {
            return wrong("alerts.alertmanagers.resend_seconds", "1 or more");
        }
        self.settings
            .check()
            .map_err(|error| ConfigError::Unsafe(format!("alerts.settings: {error}")))?;
        if TARGETS_MAX < self.webhooks.len() || TARGETS_MAX < self.alertmanagers.len() {
            return wrong("alerts.webhooks and alerts.alertmanagers", "at most 16 each");
        }
        let webhooks = self.webhooks.iter().map(|one| (&one.url, Plaintext::ThisMachine));
        let managers = self.alertmanagers.iter().map(|one| (&one.url, one.plaintext()));
        for (url, plaintext) in webhooks.chain(managers) {
            url.check(plaintext)
                .map_err(|error| ConfigError::Unsafe(format!("alerts: {error}")))?;
        }
        let hooks = self.webhooks.iter().map(|one| &one.url);
        let managers = self.alertmanagers.iter().map(|one| &one.url);
        if let Some(url) = repeated(hooks).or_else(|| repeated(managers)) {
            let words = format!("alerts: {} is named twice", url.place());
            return Err(ConfigError::Unsafe(words));
        }
        Ok(())
    }
}

impl AlertmanagerSettings {
    pub(super) fn plaintext(&self) -> Plaintext {
        if self.allow_remote_plaintext { Plaintext::Anywhere } else { Plaintext::ThisMachine }
    }
}

/// The first that was there before. A slash at the end makes no other target.
fn repeated<'u>(urls: impl Iterator<Item = &'u TargetUrl>) -> Option<&'u TargetUrl> {
    let mut seen = BTreeSet::new();
    let mut urls = urls;
    urls.find(|url| !seen.insert(url.expose().trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn the_section_is_read() {
        let config = Config::from_toml(
            r#"
            [alerts]
            rebuild_days = 7
            save_seconds = 60
            file = "/var/log/keyward-alerts.jsonl"
            external_url = "https://keys.example.com"
            [alerts.settings]
            canaries = ["alias/bait"]
            off = ["new_operation"]
            [alerts.settings.rates.floors]
            operations = 500
            [[alerts.settings.keys]]
            key = "mrk-*"
            floor = 9
            [[alerts.settings.silences]]
            until = "2026-01-31T12:00:00Z"
            reason = "a migration"
            [[alerts.webhooks]]
            url = "https://example.com/hook"
            secret_file = "/etc/keyward/hook.secret"
            [[alerts.alertmanagers]]
            url = "http://127.0.0.1:9093"
            "#,
        )
        .unwrap();
        let alerts = config.alerts;
        assert_eq!(alerts.settings.rates.floors.operations, 500);
        assert_eq!((alerts.settings.keys.len(), alerts.settings.silences.len()), (1, 1));
        assert_eq!(alerts.alertmanagers[0].resend_seconds, 60);
    }

    #[test]
    fn the_manuals_example_is_taken() {
        let page = include_str!("../manual/alerts.rs");
        let example = page.split("```toml").nth(1).unwrap().split("```").next().unwrap();
        let example: String =
            example.lines().map(|line| format!("{}\n", line.trim_start_matches("//!"))).collect();
        let alerts = Config::from_toml(&example).unwrap().alerts;
        assert_eq!((alerts.webhooks.len(), alerts.alertmanagers.len()), (1, 1));
        assert_eq!(alerts.settings.approvals.unwrap().len(), 1);
        // What it shows of defaults is so.
        let lines = keyward_watch::Settings::default().rates;
        assert_eq!(alerts.settings.rates, lines);
        assert_eq!((alerts.rebuild_days, alerts.save_seconds), (30, 300));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for bad in [
            "save_seconds = 0",
            "webhook = \"https://example.com\"",
            "[alerts.settings]\nrate = 1",
            "[[alerts.webhooks]]\nurl = \"ftp://example.com\"",
            "[[alerts.webhooks]]\nurl = \"https://example.com\"\nsecret = \"s\"",
            "[[alerts.alertmanagers]]\nurl = \"127.0.0.1:9093\"",
            "[[alerts.alertmanagers]]\nurl = \"http://127.0.0.1:9093\"\nresend_seconds = 0",
            "[alerts.settings.tables]\nseries = 50001",
            "[alerts.settings.sweeps]\nratio = nan",
            "[[alerts.webhooks]]\nurl = \"http://hooks.example.com\"",
            "[[alerts.webhooks]]\nurl = \"http://localhost\"\nallow_remote_plaintext = true",
        ] {
            assert!(Config::from_toml(&format!("[alerts]\n{bad}")).is_err(), "{bad}");
        }
        let one = "[[alerts.webhooks]]\nurl = \"https://example.com/hook\"\n";
        assert!(Config::from_toml(&one.repeat(16)).is_err());
        let many = |count| -> String {
            (0..count).map(|i| one.replace("hook\"", &format!("{i}\""))).collect()
        };
        assert!(Config::from_toml(&many(16)).is_ok() && Config::from_toml(&many(17)).is_err());
    }

    /// An Alertmanager beside the service speaks HTTP: whether that is meant is decided at the start.
    #[test]
    fn plain_http_to_another_machine_is_said() {
        let manager = "[[alerts.alertmanagers]]\nurl = \"http://alertmanager:9093/T0KEN\"\n";
        let refused = Config::from_toml(manager).unwrap_err().to_string();
        assert!(
            refused.contains("http://alertmanager:9093/…: it begins with http://"),
            "{refused}"
        );
        assert!(!refused.contains("T0KEN"), "{refused}");
        let said = format!("{manager}allow_remote_plaintext = true\n");
        let config = Config::from_toml(&said).unwrap();
        assert!(config.alerts.alertmanagers[0].allow_remote_plaintext);
        assert!(!format!("{config:?}").contains("T0KEN"));
        // And for that target alone.
        let other = format!("{said}[[alerts.alertmanagers]]\nurl = \"http://other:9093\"\n");
        assert!(Config::from_toml(&other).is_err());
        let twice = "[[alerts.alertmanagers]]\nurl = \"http://localhost:9093\"\n\
                     [[alerts.alertmanagers]]\nurl = \"http://localhost:9093/\"\n";
        assert!(Config::from_toml(twice).unwrap_err().to_string().contains("named twice"));
    }
}
