//! What is told: one alert, when it begins and when it ends.

use core::fmt;
use keyward_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// What saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    Rate,
    Refusals,
    CiphertextErrors,
    DataKeysWithoutPlaintext,
    FirstUseOfKey,
    NewNetwork,
    NewRegion,
    NewOperation,
    DecryptAfterSilence,
    Enumeration,
    GrantWithoutApproval,
    PendingDeletion,
    PolicyOpened,
    Canary,
}

impl Detector {
    pub const ALL: [Self; 14] = [
        Self::Rate,
        Self::Refusals,
        Self::CiphertextErrors,
        Self::DataKeysWithoutPlaintext,
        Self::FirstUseOfKey,
        Self::NewNetwork,
        Self::NewRegion,
        Self::NewOperation,
        Self::DecryptAfterSilence,
        Self::Enumeration,
        Self::GrantWithoutApproval,
        Self::PendingDeletion,
        Self::PolicyOpened,
        Self::Canary,
    ];

    /// A closed set, fit for a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Refusals => "refusals",
            Self::CiphertextErrors => "ciphertext_errors",
            Self::DataKeysWithoutPlaintext => "data_keys_without_plaintext",
            Self::FirstUseOfKey => "first_use_of_key",
            Self::NewNetwork => "new_network",
            Self::NewRegion => "new_region",
            Self::NewOperation => "new_operation",
            Self::DecryptAfterSilence => "decrypt_after_silence",
            Self::Enumeration => "enumeration",
            Self::GrantWithoutApproval => "grant_without_approval",
            Self::PendingDeletion => "pending_deletion",
            Self::PolicyOpened => "policy_opened",
            Self::Canary => "canary",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// A closed set, fit for a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Firing,
    Resolved,
}

/// Whom or what an alert is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    pub account: Arc<str>,
    /// An ARN; of a role's session that of the role.
    pub principal: Option<Arc<str>>,
    /// A key's ARN.
    pub key: Option<Arc<str>>,
    /// The operation class, operation, network or Region in question.
    pub what: Option<Arc<str>>,
}

/// Who had how large a part in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contributor {
    /// A principal, a key or an operation.
    pub name: Arc<str>,
    pub count: u32,
}

/// One notice. An alert is told twice: when it fires, and when it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// The same for every alert of this detector about this subject.
    pub fingerprint: String,
    pub detector: Detector,
    pub severity: Severity,
    pub state: State,
    pub subject: Subject,
    /// When what is told of began.
    pub since: Timestamp,
    /// When it was noticed or, once resolved, when it ended.
    pub time: Timestamp,
    /// What would have been usual in the window.
    pub expected: f64,
    pub observed: f64,
    /// 0 for what a single event shows.
    pub window_minutes: u32,
    /// −log₁₀ of the probability, where one was computed.
    pub score: f64,
    /// The largest first.
    pub contributors: Vec<Contributor>,
    /// Finds the events, in the query language of the event log.
    pub query: String,
    /// The event that showed it; rates have none.
    pub event_id: Option<Uuid>,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject { account, principal, key, what } = &self.subject;
        f.write_str(self.detector.as_str())?;
        let parts = [(" ", what), (" by ", principal), (" with ", key)];
        for (word, name) in parts.iter().filter_map(|(word, name)| Some((word, name.as_ref()?))) {
            write!(f, "{word}{name}")?;
        }
        write!(
            f,
            " in account {account}: {} observed, {:.1} expected",
            self.observed, self.expected
        )?;
        match self.window_minutes {
            0 => Ok(()),
            1 => f.write_str(" in a minute"),
            minutes => write!(f, " in {minutes} minutes"),
        }
    }
}
