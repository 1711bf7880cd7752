//! Seed files: accounts, policies, groups, users, roles, keys, aliases and grants that shall exist, stated at once.
//!
//! Everything is made by the operations' own code, with their own checks, and committed as one: a seed that is
//! refused anywhere has done nothing. What exists already and is the same stays; what exists and differs is an
//! error, unless the file says `existing: keep`. A seed never removes or changes anything.
//! Each thing made leaves an event named as the operation that would have made it, as an internal event of the
//! service (`AwsServiceEvent`).
//!
//! It does not read files and knows no YAML: whoever does hands in a [`Seed`].
//!
//! | list | members, `*` required |
//! |---|---|
//! | `accounts` | `id`*, `rootAccessKeys` of `id`*, `secret`* |
//! | `managedPolicies` | `name`*, `document`*, `account`, `path`, `description`, `tags` |
//! | `groups` | `name`*, `account`, `path`, `policies` by name, `attached` (ARNs of managed policies) |
//! | `users` | `name`*, `account`, `path`, `tags`, `policies` by name, `attached`, `groups` by name, `boundary` (an ARN), `accessKeys` of `id`*, `secret`*, `active` |
//! | `roles` | `name`*, `trust`*, `account`, `path`, `description`, `maxSessionSeconds`, `tags`, `policies` by name, `attached`, `boundary` |
//! | `keys` | `id`*, `account`, `region`, `spec`, `usage`, `description`, `policy`, `tags`, `enabled`, `rotationDays`, `material` (base64, symmetric keys), `aliases` |
//! | `aliases` | `name`*, `key`*, `account`, `region` |
//! | `organization` (one) | `id`*, `managementAccount`, `rootId`, `units` of `id`*, `name`*, `parent`; `accounts` of `id`*, `parent`; `policies` of `name`*, `type`*, `document`*, `description`; `attachments` of `target`*, `policies`*; `withoutFullAWSAccess` (targets) |
//! | `vpcEndpoints` | `id`*, `vpc`, `policy` |
//! | `services` | `name`* (such as `backup.amazonaws.com`), `accessKeys` of `id`*, `secret`*, `active` |
//! | `grants` | `key`* (an id, ARN or alias), `grantee`*, `operations`*, `name`, `retiring`, `constraints`, `account`, `region` |
//!
//! Account and Region are the service's own where they are left out. A policy is an object, or its JSON as text.
//! Two things differ from requests. Access keys have the ids and secrets that the file says. The lockout check of
//! key policies is left out, because the file is the operator's, who can change it.
//! `tests/seeds/demo.yaml` is a whole example.
//!
//! INVARIANT: an error names a place in the file, and never a secret.

mod organization;
mod policies;
mod sow;

use organization::{Organization, Service, VpcEndpoint};

use crate::Engine;
use core::fmt;
use keyward_types::{
    AccessKeyOwner, AccountId, GrantOperation, KeySpec, KeyUsage, KmsError, caller::Document,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use sow::{Sower, Sown, at};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use zeroize::Zeroizing;

/// A seed file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
pub struct Seed {
    pub existing: Existing,
    pub accounts: Vec<Account>,
    pub managed_policies: Vec<ManagedPolicy>,
    pub groups: Vec<Group>,
    pub users: Vec<User>,
    pub roles: Vec<Role>,
    pub keys: Vec<Key>,
    pub aliases: Vec<Alias>,
    pub grants: Vec<Grant>,
    pub organization: Option<Organization>,
    pub vpc_endpoints: Vec<VpcEndpoint>,
    pub services: Vec<Service>,
}

/// What to do about something that exists and is not as the file says.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Existing {
    /// Refuse the seed.
    #[default]
    Refuse,
    /// Leave it as it is.
    Keep,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    #[serde(deserialize_with = "account")]
    pub id: AccountId,
    #[serde(default)]
    pub root_access_keys: Vec<AccessKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessKey {
    pub id: String,
    pub secret: Secret,
    #[serde(default = "yes")]
    pub active: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagedPolicy {
    pub name: String,
    #[serde(default, deserialize_with = "some_account")]
    pub account: Option<AccountId>,
    #[serde(default = "slash")]
    pub path: String,
    #[serde(default)]
    pub description: String,
    pub document: Policy,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    pub name: String,
    #[serde(default, deserialize_with = "some_account")]
    pub account: Option<AccountId>,
    #[serde(default = "slash")]
    pub path: String,
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// ARNs of managed policies.
    #[serde(default)]
    pub attached: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    pub name: String,
    #[serde(default, deserialize_with = "some_account")]
    pub account: Option<AccountId>,
    #[serde(default = "slash")]
    pub path: String,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// ARNs of managed policies.
    #[serde(default)]
    pub attached: BTreeSet<String>,
    /// Names of groups.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// The ARN of the managed policy that is the permissions boundary.
    pub boundary: Option<String>,
    #[serde(default)]
    pub access_keys: Vec<AccessKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    pub name: String,
    #[serde(default, deserialize_with = "some_account")]
    pub account: Option<AccountId>,
    #[serde(default = "slash")]
    pub path: String,
    #[serde(default)]
    pub description: String,
    pub trust: Policy,
    pub max_session_seconds: Option<u32>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// ARNs of managed policies.
    #[serde(default)]
    pub attached: BTreeSet<String>,
    /// The ARN of the managed policy that is the permissions boundary.
    pub boundary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    pub id: String,
    #[serde(default, deserialize_with = "some_account")]
    pub account: Option<AccountId>,
    pub region: Option<String>,
    pub spec: Option<KeySpec>,
    pub usage: Option<KeyUsage>,
    #[serde(default)]
    pub description: String,
    pub policy: Option<Policy>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Days between automatic rotations, 90 to 2560; none when left out.
    pub rotation_days: Option<u16>,
    /// Base64 of the material of a symmetric or HMAC key, so that its ciphertexts survive a new store.
    pub material: Option<Secret>,
    #[serde(default)]
    pub aliases: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alias {
    pub name: String,
    pub key: String,
    #[serde(default, deserialize_with = "some_account")]
    pub account: Option<AccountId>,
    pub region: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grant {
    pub key: String,
    #[serde(default, deserialize_with = "some_account")]
    pub account: Option<AccountId>,
    pub region: Option<String>,
    /// An ARN.
    pub grantee: String,
    pub retiring: Option<String>,
    pub operations: BTreeSet<GrantOperation>,
    #[serde(default)]
    pub constraints: Constraints,
    pub name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Constraints {
    pub encryption_context_equals: Option<BTreeMap<String, String>>,
    pub encryption_context_subset: Option<BTreeMap<String, String>>,
    pub source_arn: Option<String>,
}

/// Text that is wiped on drop and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new).map(Self)
    }
}

/// A policy as an object, or as the JSON text of one.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Policy(Value);

impl Policy {
    pub(super) fn text(&self) -> String {
        match &self.0 {
            Value::String(text) => text.clone(),
            object => object.to_string(),
        }
    }

    /// Whether a stored document says the same, whatever its layout.
    pub(super) fn is(&self, document: &Document) -> bool {
        let stored = serde_json::from_str::<Value>(document.text());
        serde_json::from_str::<Value>(&self.text())
            .is_ok_and(|wanted| stored.is_ok_and(|stored| stored == wanted))
    }
}

fn yes() -> bool {
    true
}

fn slash() -> String {
    "/".to_owned()
}

/// Twelve digits. YAML reads them as a number where they have no quotes.
fn account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccountId, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Digits {
        Text(String),
        Number(u64),
    }
    let text = match Digits::deserialize(deserializer)? {
        Digits::Text(text) => text,
        Digits::Number(number) => format!("{number:012}"),
    };
    AccountId::parse(&text).ok_or_else(|| D::Error::custom("an account id is twelve digits"))
}

fn some_account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AccountId>, D::Error> {
    account(deserializer).map(Some)
}

/// What a seed made, and what was there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    pub managed_policies: usize,
    pub groups: usize,
    pub users: usize,
    pub roles: usize,
    pub access_keys: usize,
    pub keys: usize,
    pub aliases: usize,
    pub grants: usize,
    pub organizations: usize,
    pub vpc_endpoints: usize,
    /// Things that existed and were left as they are.
    pub kept: usize,
    /// ARNs of what was made, in the file's order; a grant is its key's ARN and its id, an access key its id.
    pub made: Vec<String>,
}

/// Why a seed was refused; nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedError {
    /// The place in the file, such as `users[2].policies.app`; empty for the whole.
    pub at: String,
    pub error: KmsError,
}

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.at.is_empty() { "the seed" } else { &self.at };
        let words = self.error.message.as_deref().unwrap_or(self.error.code.wire());
        write!(f, "{place}: {words}")?;
        self.error.cause.iter().try_for_each(|cause| write!(f, " ({cause})"))
    }
}

impl std::error::Error for SeedError {}

impl Engine {
    /// Makes what the seed says, as one commit, and waits until it stands.
    ///
    /// # Errors
    /// The first thing that is wrong, by its place in the file. Nothing was done then.
    pub fn seed(self: &Arc<Self>, seed: &Seed) -> Result<Seeded, SeedError> {
        let mut sower = Sower::new(self, seed.existing);
        sower.sow(seed)?;
        sower.commit().map_err(|error| SeedError { at: String::new(), error })
    }

    /// Sees to it that the root user of an account has this access key. Answers whether it was made now.
    ///
    /// # Errors
    /// `ConflictException` when the id is another's or has another secret; what the store says.
    pub fn ensure_root(
        self: &Arc<Self>,
        account: &AccountId,
        access_key_id: &str,
        secret: &str,
    ) -> Result<bool, KmsError> {
        let mut sower = Sower::new(self, Existing::Refuse);
        let key =
            AccessKey { id: access_key_id.to_owned(), secret: Secret::new(secret), active: true };
        sower.access_key(account, &AccessKeyOwner::Root, &key)?;
        Ok(sower.commit()?.access_keys == 1)
    }
}
