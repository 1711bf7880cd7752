//! Users, groups, roles, managed policies, access keys and MFA devices, as they are stored.
//!
//! Secret access keys and the seeds of MFA devices must be readable to verify a signature or a code; like
//! every stored value they are sealed at rest. They are never printed: `Debug` leaves them out.

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

/// An IAM group: users that share policies. A group is never a principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// `AGPA…`
    pub group_id: String,
    pub created: Timestamp,
    #[serde(default)]
    pub policies: BTreeMap<String, Document>,
    #[serde(default)]
    pub attached: BTreeSet<String>,
}

impl GroupRecord {
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:group{}{}", self.account, self.path, self.name)
    }
}

/// A customer managed policy: a document with versions that identities attach, or have as boundary.
///
/// INVARIANT: one of `versions` has the number `default_version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedPolicyRecord {
    pub account: AccountId,
    /// Unique in the account, whatever the path.
    pub name: String,
    pub path: String,
    /// `ANPA…`
    pub policy_id: String,
    pub description: String,
    pub created: Timestamp,
    /// When its newest version was made.
    pub updated: Timestamp,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Oldest first; at most 5.
    pub versions: Vec<PolicyVersion>,
    pub default_version: u32,
    /// The number of the version that is made next; numbers are not used twice.
    pub next_version: u32,
}

/// One version of a managed policy: `v3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub number: u32,
    pub document: Document,
    pub created: Timestamp,
}

impl ManagedPolicyRecord {
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:policy{}{}", self.account, self.path, self.name)
    }

    pub fn version(&self, number: u32) -> Option<&PolicyVersion> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The document in force.
    pub fn document(&self) -> Option<&Document> {
        self.version(self.default_version).map(|version| &version.document)
    }
}

/// A virtual MFA device (RFC 6238), assigned to a user or to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaDeviceRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// The shared secret.
    pub seed: Vec<u8>,
    pub created: Timestamp,
    /// The user's name; an empty one is the root user.
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub enabled: Option<Timestamp>,
    /// The time step of the newest code that was taken: a code counts once.
    #[serde(default)]
    pub last_step: u64,
}

impl MfaDeviceRecord {
    /// The device's ARN, by which requests name it.
    pub fn serial_number(&self) -> String {
        format!("arn:aws:iam::{}:mfa{}{}", self.account, self.path, self.name)
    }
}

impl fmt::Debug for MfaDeviceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MfaDeviceRecord")
            .field("serial_number", &self.serial_number())
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Drop for MfaDeviceRecord {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.seed);
    }
}

/// Whose access key it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccessKeyOwner {
    Root,
    User(String),
    /// A service principal, such as `backup.amazonaws.com`. Only a seed makes such a key.
    Service(String),
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
