//! Observe mode: policies whose refusals are let through and marked, while somebody looks at what they would refuse.
//!
//! It is a record of its own beside the policies. Nothing of them is changed by it, so that to end it is to have them
//! enforced as they stand.

use crate::{AccountId, KeyName, Timestamp};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Whose policies are in observe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ObserveTarget {
    /// The key policy of one key.
    Key(KeyName),
    /// The identity policies of a user, and its permissions boundary.
    User(AccountId, String),
    /// The same of a role, for all its sessions.
    Role(AccountId, String),
    /// A customer managed policy by its ARN, wherever it is attached or a boundary.
    Policy(String),
}

impl ObserveTarget {
    /// What kind of thing it is, as it is told and counted.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::User(..) | Self::Role(..) => "principal",
            Self::Policy(_) => "policy",
        }
    }
}

/// Such as `user app`, `role job`, or the ARN of a key or policy.
impl fmt::Display for ObserveTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::User(_, name) => write!(f, "user {name}"),
            Self::Role(_, name) => write!(f, "role {name}"),
            Self::Policy(arn) => f.write_str(arn),
        }
    }
}

/// One thing in observe. It ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveEntry {
    pub target: ObserveTarget,
    /// `obs-` and 16 hexadecimal digits.
    pub id: String,
    pub reason: String,
    /// The ARN of who last said so.
    pub by: String,
    pub since: Timestamp,
    /// From then on it counts no more.
    pub until: Timestamp,
}

/// Everything of an account that is in observe. Where there is none, nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveRecord {
    pub account: AccountId,
    pub entries: Vec<ObserveEntry>,
}

impl ObserveRecord {
    /// What counts at this time.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &ObserveEntry> {
        self.entries.iter().filter(move |entry| now < entry.until)
    }
}
