//! One event, as far as detectors look at it.

use keyward_types::{ErrorCode, EventSummary, Outcome, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One event. [`Observation::of`] and [`Observation::with_record`] make it from what is committed,
/// [`Observation::read`] from what was written.
///
/// Feed what a caller did once: of an event that stands in two accounts' logs, the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub event_id: Uuid,
    pub time: Timestamp,
    pub operation: String,
    pub outcome: Outcome,
    pub account: String,
    /// An ARN, or a service's name. Sessions come and go: of a role's session it is the role's.
    pub principal: String,
    /// ARNs of the keys concerned.
    pub keys: Vec<String>,
    /// What the request named as its key, which may be none.
    pub named: Option<String>,
    /// Empty when it is not known; so too the source.
    pub region: String,
    /// An address, or a service's name.
    pub source: String,
    /// A grant that was made.
    pub grant: Option<GrantMade>,
    /// A key policy that was put, or came with a new key, allows everyone something without a condition.
    pub opened_to_everyone: bool,
    /// Refused because the key is pending deletion.
    pub key_pending_deletion: bool,
}

/// A grant that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantMade {
    pub grantee: String,
    pub operations: Vec<String>,
}

/// What kind of use an event is, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Opens what was sealed: Decrypt, ReEncrypt, and secrets agreed on or decapsulated.
    Decrypt,
    /// Makes what others trust.
    Sign,
    /// Makes data keys.
    DataKey,
    DataKeyWithoutPlaintext,
    Encrypt,
    /// Anything that a policy refused.
    Refused,
    /// A ciphertext that is none, or is another key's.
    CiphertextError,
    /// Everything else: reading and changing keys, verifying, random bytes, identities.
    Other,
}

pub(crate) const CIPHERTEXT_ERRORS: [ErrorCode; 2] =
    [ErrorCode::InvalidCiphertext, ErrorCode::IncorrectKey];

impl Class {
    pub(crate) const NAMED: [Self; 5] =
        [Self::Decrypt, Self::Sign, Self::DataKey, Self::DataKeyWithoutPlaintext, Self::Encrypt];

    /// The class of an event. A refusal is one whatever was asked.
    pub fn of(event: &Observation) -> Self {
        if event.outcome.class() == "denied" {
            return Self::Refused;
        }
        if CIPHERTEXT_ERRORS.iter().any(|code| event.outcome == Outcome::Failure(*code)) {
            return Self::CiphertextError;
        }
        Self::of_operation(&event.operation)
    }

    /// [`Self::operations`] the other way round.
    fn of_operation(operation: &str) -> Self {
        match operation {
            "Decrypt" | "ReEncrypt" | "DeriveSharedSecret" | "Decapsulate" => Self::Decrypt,
            "Sign" | "GenerateMac" => Self::Sign,
            "GenerateDataKey" | "GenerateDataKeyPair" => Self::DataKey,
            "GenerateDataKeyWithoutPlaintext" | "GenerateDataKeyPairWithoutPlaintext" => {
                Self::DataKeyWithoutPlaintext
            }
            "Encrypt" | "Encapsulate" => Self::Encrypt,
            _ => Self::Other,
        }
    }

    /// What belongs to a class that is made of operations.
    pub const fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Decrypt => &["Decrypt", "ReEncrypt", "DeriveSharedSecret", "Decapsulate"],
            Self::Sign => &["Sign", "GenerateMac"],
            Self::DataKey => &["GenerateDataKey", "GenerateDataKeyPair"],
            Self::DataKeyWithoutPlaintext => {
                &["GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPairWithoutPlaintext"]
            }
            Self::Encrypt => &["Encrypt", "Encapsulate"],
            Self::Refused | Self::CiphertextError | Self::Other => &[],
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decrypt => "decrypt",
            Self::Sign => "sign",
            Self::DataKey => "data_key",
            Self::DataKeyWithoutPlaintext => "data_key_without_plaintext",
            Self::Encrypt => "encrypt",
            Self::Refused => "refused",
            Self::CiphertextError => "ciphertext_error",
            Self::Other => "other",
        }
    }
}

impl Observation {
    /// What the summary says; the rest is empty until [`Self::with_record`].
    pub fn of(summary: &EventSummary) -> Self {
        Self {
            event_id: summary.event_id,
            time: summary.time,
            operation: summary.operation.to_owned(),
            outcome: summary.outcome,
            account: summary.account.clone(),
            principal: acting(&summary.principal_arn).to_owned(),
            keys: summary.keys.clone(),
            named: None,
            region: String::new(),
            source: String::new(),
            grant: None,
            opened_to_everyone: false,
            key_pending_deletion: false,
        }
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.outcome == Outcome::Success
    }
}

/// The ARN without a session's name.
pub(crate) fn acting(arn: &str) -> &str {
    let Some((before, rest)) = arn.split_once(":assumed-role/") else { return arn };
    let role = rest.split('/').next().unwrap_or(rest);
    arn.get(..before.len() + ":assumed-role/".len() + role.len()).unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_its_operations_and_no_other() {
        for class in Class::NAMED {
            assert!(!class.operations().is_empty());
            assert!(class.operations().iter().all(|one| Class::of_operation(one) == class));
        }
        assert_eq!(Class::of_operation("Verify"), Class::Other);
    }
}
