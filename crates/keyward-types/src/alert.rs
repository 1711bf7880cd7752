//! What callers state about alerts: the detectors' settings, silences, acknowledgements.
//!
//! Each is a record of its own, written with the event that says so, so that it outlives both the event and what the
//! detectors have saved. What a detector or a setting means is not known here.

use crate::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

/// The name of one such record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AlertName {
    /// The settings are the service's: there is one record, or none.
    Settings,
    Silence(AccountId, String),
    /// By the id of the alert.
    Acknowledgement(AccountId, String),
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertRecord {
    Settings(AlertSettingsRecord),
    Silence(SilenceRecord),
    Acknowledgement(AcknowledgementRecord),
}

/// Settings that hold in place of the configuration's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSettingsRecord {
    /// JSON, as it was stated.
    pub text: String,
    /// An ARN.
    pub by: String,
    pub since: Timestamp,
}

/// Alerts of the account that fit are not told for a while. Every member that is there must fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceRecord {
    pub account: AccountId,
    /// `silence-` and 16 hexadecimal digits.
    pub id: String,
    /// The name of a detector.
    pub detector: Option<String>,
    /// Patterns of ARNs.
    pub principal: Option<String>,
    pub key: Option<String>,
    pub reason: String,
    /// An ARN.
    pub by: String,
    pub since: Timestamp,
    pub until: Timestamp,
}

/// Somebody looks after an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgementRecord {
    pub account: AccountId,
    pub alert_id: String,
    /// An ARN.
    pub by: String,
    pub at: Timestamp,
    pub comment: Option<String>,
}

impl AlertRecord {
    pub fn name(&self) -> AlertName {
        match self {
            Self::Settings(_) => AlertName::Settings,
            Self::Silence(one) => AlertName::Silence(one.account.clone(), one.id.clone()),
            Self::Acknowledgement(one) => {
                AlertName::Acknowledgement(one.account.clone(), one.alert_id.clone())
            }
        }
    }
}
