//! What an operator chooses of alerts: the section `[alerts]`.
//!
//! INVARIANT: what passed `check` can be used; no secret stands in it, but in files that it names.

use crate::config::ConfigError;
use keyward_watch::Settings;
use serde::Deserialize;
use std::path::PathBuf;

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
    pub url: String,
    /// A file that holds the secret under which notices are signed: `whsec_` and base64, or any text. Without it they
    /// are not signed.
    pub secret_file: Option<PathBuf>,
}

/// A Prometheus Alertmanager, version 0.16 or later.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerSettings {
    /// What stands before `/api/v2/alerts`.
    pub url: String,
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
        let urls = self.webhooks.iter().map(|one| &one.url);
        for url in urls.chain(self.alertmanagers.iter().map(|one| &one.url)) {
            if let Err(error) = keyward_outbound::check_url(url) {
                return Err(ConfigError::Unsafe(format!("alerts: {url}: {error}")));
            }
        }
        Ok(())
    }
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
        ] {
            assert!(Config::from_toml(&format!("[alerts]\n{bad}")).is_err(), "{bad}");
        }
    }
}
