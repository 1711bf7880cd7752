//! Users, roles and access keys, as they are stored.
//!
//! Secret access keys must be readable to verify a signature; like every stored value they are sealed at
//! rest. They are never printed: `Debug` leaves them out.

use crate::{AccountId, Timestamp, caller::Document};
use core::fmt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An IAM user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    pub account: AccountId,
    pub name: String,
    /// `/` or `/division/`.
    pub path: String,
    /// `AIDA…`
    pub user_id: String,
    pub created: Timestamp,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Inline policies by name.
    #[serde(default)]
    pub policies: BTreeMap<String, Document>,
    /// ARNs of attached managed policies.
    #[serde(default)]
    pub attached: BTreeSet<String>,
    #[serde(default)]
    pub groups: BTreeSet<String>,
    #[serde(default)]
    pub boundary: Option<String>,
}

impl UserRecord {
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:user{}{}", self.account, self.path, self.name)
    }
}

/// An IAM role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// `AROA…`
    pub role_id: String,
    pub created: Timestamp,
    pub description: String,
    /// 3600 to 43200.
    pub max_session_seconds: u32,
    /// Who may assume the role.
    pub trust: Document,
    /// Unique ids, at the time of saving, of the users and roles that the trust policy names, by ARN:
    /// a principal deleted and made again is another one.
    #[serde(default)]
    pub trust_principals: BTreeMap<String, String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub policies: BTreeMap<String, Document>,
    #[serde(default)]
    pub attached: BTreeSet<String>,
    #[serde(default)]
    pub boundary: Option<String>,
}

impl RoleRecord {
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:role{}{}", self.account, self.path, self.name)
    }
}

/// Whose access key it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccessKeyOwner {
    Root,
    User(String),
}

/// A long-lived access key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKeyRecord {
    pub access_key_id: String,
    pub secret: String,
    pub account: AccountId,
    pub owner: AccessKeyOwner,
    pub active: bool,
    pub created: Timestamp,
}

impl fmt::Debug for AccessKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeyRecord")
            .field("access_key_id", &self.access_key_id)
            .field("account", &self.account)
            .field("owner", &self.owner)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

impl Drop for AccessKeyRecord {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}
