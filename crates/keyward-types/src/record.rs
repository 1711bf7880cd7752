//! What the store holds, and what a request proposes to change.
//!
//! Every kind of record has one [`Name`]; a commit names the records it rested on, and is refused as
//! stale when one of them moved.

use crate::{
    AccessKeyRecord, AccountId, AlertName, AlertRecord, AliasName, AliasRecord, EndpointRecord,
    FreezeRecord, FreezeTarget, GrantId, GrantRecord, GroupRecord, KeyName, KeyRecord,
    KeyStoreRecord, LastUsage, ManagedPolicyRecord, MaterialId, MaterialRecord, MfaDeviceRecord,
    ObserveRecord, OrganizationRecord, Region, RoleRecord, UserRecord, key::DekRecord,
};
use serde::{Deserialize, Serialize};

/// The name of one record, or of a set of records that a decision rested on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Name {
    Key(KeyName),
    Material(KeyName, MaterialId),
    Dek(KeyName),
    Alias(AccountId, Region, AliasName),
    Grant(KeyName, GrantId),
    User(AccountId, String),
    Role(AccountId, String),
    AccessKey(String),
    /// All grants of a key: moved by every grant that is added or removed.
    Grants(KeyName),
    /// All aliases of a key.
    Aliases(KeyName),
    /// All access keys of a user; `None` for the root user.
    AccessKeys(AccountId, Option<String>),
    Group(AccountId, String),
    /// A customer managed policy, by its name without path.
    ManagedPolicy(AccountId, String),
    /// The one organization.
    Organization,
    /// A VPC endpoint by its id.
    Endpoint(String),
    MfaDevice(AccountId, String),
    /// A custom key store by its id.
    KeyStore(AccountId, Region, String),
    /// All users of a group.
    Members(AccountId, String),
    /// All identities that attach a managed policy, or have it as boundary, by its ARN.
    Attachments(String),
    /// All MFA devices of a user; an empty name is the root user.
    MfaDevices(AccountId, String),
    /// All custom key stores of an account and Region, and every key in one: moved by each that is added or removed.
    KeyStores(AccountId, Region),
    /// The freeze of one thing; most have none.
    Freeze(FreezeTarget),
    /// What of an account is in observe; most have nothing.
    Observe(AccountId),
    /// What was stated about alerts.
    Alert(AlertName),
    /// All silences of an account: moved by each that is made or ended.
    Silences(AccountId),
}

/// A record of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    Key(KeyRecord),
    Material(MaterialRecord),
    Dek(DekRecord),
    Alias(AliasRecord),
    Grant(GrantRecord),
    User(UserRecord),
    Role(RoleRecord),
    AccessKey(AccessKeyRecord),
    Group(GroupRecord),
    ManagedPolicy(ManagedPolicyRecord),
    Organization(OrganizationRecord),
    Endpoint(EndpointRecord),
    MfaDevice(MfaDeviceRecord),
    KeyStore(KeyStoreRecord),
    Freeze(FreezeRecord),
    Observe(ObserveRecord),
    Alert(AlertRecord),
}

impl Record {
    pub fn name(&self) -> Name {
        match self {
            Self::Key(key) => Name::Key(key.name.clone()),
            Self::Material(material) => Name::Material(material.key.clone(), material.id.clone()),
            Self::Dek(dek) => Name::Dek(dek.key.clone()),
            Self::Alias(alias) => {
                Name::Alias(alias.account.clone(), alias.region.clone(), alias.name.clone())
            }
            Self::Grant(grant) => Name::Grant(grant.key.clone(), grant.grant_id.clone()),
            Self::User(user) => Name::User(user.account.clone(), user.name.clone()),
            Self::Role(role) => Name::Role(role.account.clone(), role.name.clone()),
            Self::AccessKey(key) => Name::AccessKey(key.access_key_id.clone()),
            Self::Group(group) => Name::Group(group.account.clone(), group.name.clone()),
            Self::ManagedPolicy(policy) => {
                Name::ManagedPolicy(policy.account.clone(), policy.name.clone())
            }
            Self::Organization(_) => Name::Organization,
            Self::Endpoint(endpoint) => Name::Endpoint(endpoint.id.clone()),
            Self::MfaDevice(device) => Name::MfaDevice(device.account.clone(), device.name.clone()),
            Self::Freeze(freeze) => Name::Freeze(freeze.target.clone()),
            Self::Observe(observe) => Name::Observe(observe.account.clone()),
            Self::Alert(alert) => Name::Alert(alert.name()),
            Self::KeyStore(store) => {
                Name::KeyStore(store.account.clone(), store.region.clone(), store.id.clone())
            }
        }
    }
}

/// One thing that a request proposes to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    Put(Box<Record>),
    Delete(Name),
    /// The last use of a key; the newest wins, and nothing becomes stale by it.
    Touch(KeyName, LastUsage),
}
