//! Freezes: what a responder put out of use, until somebody thaws it.
//!
//! A freeze is a record of its own beside what it freezes. Nothing of the frozen thing is changed by it, so that
//! to take the record away is to have everything as it was.

use crate::{AccountId, GrantId, KeyName, Timestamp};
use core::fmt;
use serde::{Deserialize, Serialize};

/// What can be frozen. A principal is frozen by its name, so that one that is made again under it stays frozen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FreezeTarget {
    /// One key; replicas of a multi-Region key are keys of their own.
    Key(KeyName),
    /// A user, with all its sessions.
    User(AccountId, String),
    /// A role, with all its sessions.
    Role(AccountId, String),
    Grant(KeyName, GrantId),
}

impl FreezeTarget {
    /// Whose it is.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Key(key) | Self::Grant(key, _) => &key.account,
            Self::User(account, _) | Self::Role(account, _) => account,
        }
    }
}

/// Such as `user app`, `role job`, the ARN of a key, or `grant ID on ARN`.
impl fmt::Display for FreezeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::User(_, name) => write!(f, "user {name}"),
            Self::Role(_, name) => write!(f, "role {name}"),
            Self::Grant(key, id) => write!(f, "grant {} on {key}", id.as_str()),
        }
    }
}

/// One freeze. Where there is none, nothing is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeRecord {
    pub target: FreezeTarget,
    /// `frz-` and 16 hexadecimal digits.
    pub id: String,
    /// In the responder's words; it is told to who may explain decisions.
    pub reason: String,
    /// The ARN of who froze it.
    pub by: String,
    pub since: Timestamp,
}
