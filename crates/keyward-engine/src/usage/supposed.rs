//! Documents and grants that are supposed in the place of those in force.
//!
//! INVARIANT: what is supposed would be taken if it were saved: documents are checked as saving checks them, and
//! keys and principals are there.

use crate::{
    Engine,
    ask::{self, About, Action, Stated},
    key_policy,
    operation::Spec,
    resolve::{Found, FoundKey},
};
use keyward_types::{
    Caller, ErrorCode, GrantConstraints, GrantId, GrantOperation, GrantRecord, Grantee,
    IdentityDocument, KeyName, KeyRecord, KeyRef, KmsError, Timestamp, caller::Document,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a request supposes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct With {
    #[serde(default)]
    pub key_policies: Vec<WithKeyPolicy>,
    #[serde(default)]
    pub identity_policies: Vec<WithIdentity>,
    #[serde(default)]
    pub grants: Vec<WithGrants>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WithKeyPolicy {
    pub key_id: String,
    pub policy: String,
}

/// All identity policies of a user or role.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WithIdentity {
    /// An ARN, `user/NAME` or `role/NAME`.
    pub principal: String,
    pub policies: Vec<String>,
}

/// All grants on a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WithGrants {
    pub key_id: String,
    pub grants: Vec<WithGrant>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WithGrant {
    pub grantee_principal: Option<String>,
    pub grantee_service_principal: Option<String>,
    pub operations: BTreeSet<GrantOperation>,
    #[serde(default)]
    pub constraints: GrantConstraints,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Supposed {
    keys: BTreeMap<String, Document>,
    identities: BTreeMap<String, Vec<IdentityDocument>>,
    grants: BTreeMap<String, Vec<Arc<GrantRecord>>>,
}

impl Supposed {
    pub(crate) fn of(
        engine: &Engine,
        asker: &Caller,
        spec: &Spec,
        with: &With,
    ) -> Result<Self, KmsError> {
        let mut supposed = Self::default();
        for WithKeyPolicy { key_id, policy } in &with.key_policies {
            let key = own_key(engine, asker, spec, key_id)?;
            let checked = engine.world.policies.validate_key_policy(policy);
            checked.map_err(|error| malformed(key_policy::DEFAULT_NAME, &error))?;
            if supposed.keys.contains_key(&key.record.name.to_string()) {
                return Err(twice("the policy of", &key.record.name));
            }
            supposed.suppose_key(&key.record.name, Document::new(policy.as_str()));
        }
        for WithIdentity { principal, policies } in &with.identity_policies {
            let entity = entity(engine, asker, principal)?;
            let documents = policies.iter().enumerate().map(|(number, text)| {
                let source = format!("supposed identity policy {}", number + 1);
                let checked = engine.world.policies.validate_identity_policy(text);
                checked.map_err(|error| malformed(&source, &error))?;
                Ok(IdentityDocument { source, document: Document::new(text.as_str()) })
            });
            if supposed.identities.contains_key(&entity) {
                return Err(twice("the policies of", &entity));
            }
            supposed.suppose_identity(&entity, documents.collect::<Result<_, KmsError>>()?);
        }
        for WithGrants { key_id, grants } in &with.grants {
            let key = own_key(engine, asker, spec, key_id)?.record.name.clone();
            if supposed.grants.contains_key(&key.to_string()) {
                return Err(twice("the grants on", &key));
            }
            let records = grants.iter().enumerate();
            let records = records.map(|(number, grant)| grant.record(asker, &key, number));
            supposed.suppose_grants(&key, records.collect::<Result<_, _>>()?);
        }
        Ok(supposed)
    }

    pub(crate) fn suppose_key(&mut self, key: &KeyName, document: Document) {
        self.keys.insert(key.to_string(), document);
    }

    pub(crate) fn suppose_identity(&mut self, entity: &str, documents: Vec<IdentityDocument>) {
        self.identities.insert(entity.to_owned(), documents);
    }

    pub(crate) fn suppose_grants(&mut self, key: &KeyName, grants: Vec<Arc<GrantRecord>>) {
        self.grants.insert(key.to_string(), grants);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.identities.is_empty() && self.grants.is_empty()
    }

    pub(crate) fn identity(&self, entity: &str) -> Option<&[IdentityDocument]> {
        self.identities.get(entity).map(Vec::as_slice)
    }

    pub(crate) fn grants(&self, key: &KeyName) -> Option<&[Arc<GrantRecord>]> {
        if self.grants.is_empty() {
            return None;
        }
        self.grants.get(&key.to_string()).map(Vec::as_slice)
    }

    /// The key with its supposed policy.
    pub(crate) fn key(&self, key: &FoundKey) -> Option<FoundKey> {
        if self.keys.is_empty() {
            return None;
        }
        let document = self.keys.get(&key.record.name.to_string())?;
        let mut record = KeyRecord::clone(&key.record);
        record.policy = document.clone();
        // Saved now, it means the principals of now.
        record.policy_principals.clear();
        Some(FoundKey { record: Arc::new(record), ..key.clone() })
    }
}

impl WithGrant {
    /// As a grant on a key, the `number`th from 0 of those that are supposed.
    pub(crate) fn record(
        &self,
        asker: &Caller,
        key: &KeyName,
        number: usize,
    ) -> Result<Arc<GrantRecord>, KmsError> {
        let grantee = match (&self.grantee_principal, &self.grantee_service_principal) {
            (Some(arn), None) => Grantee::Principal(arn.clone()),
            (None, Some(name)) => Grantee::Service(name.clone()),
            _ => {
                return Err(KmsError::validation(
                    "A grant has one grantee, a principal or a service",
                ));
            }
        };
        Ok(Arc::new(GrantRecord {
            grant_id: GrantId::new(&format!("supposed grant {}", number + 1)),
            key: key.clone(),
            name: None,
            created: Timestamp::default(),
            grantee,
            grantee_id: None,
            retiring: None,
            issuing_account: asker.account.clone(),
            operations: self.operations.clone(),
            constraints: self.constraints.clone(),
        }))
    }
}

pub(crate) fn malformed(source: &str, error: &keyward_policy::PolicyError) -> KmsError {
    KmsError::new(ErrorCode::MalformedPolicyDocument, format!("{source}: {error}"))
}

/// A key of the asker's own account.
pub(crate) fn own_key(
    engine: &Engine,
    asker: &Caller,
    spec: &Spec,
    text: &str,
) -> Result<FoundKey, KmsError> {
    let reference = KeyRef::parse(text);
    let about = About { key: Some(&reference), resource: None };
    match about.find(engine, asker, spec, &Action::parse("kms:DescribeKey")?)? {
        Found::Key(key) if key.record.name.account == asker.account => Ok(key),
        _ => Err(ask::not_yours("The key")),
    }
}

/// The ARN of a user or role of the asker's account.
pub(crate) fn entity(engine: &Engine, asker: &Caller, text: &str) -> Result<String, KmsError> {
    let arn = match text.split_once('/') {
        Some(("user" | "role", _)) => format!("arn:aws:iam::{}:{text}", asker.account),
        _ => text.to_owned(),
    };
    let stated = Stated { encryption_context: None, context: &[] };
    Ok(engine.suppose(asker, &arn, stated)?.principal_arn)
}
/// The same thing may have several names: two answers for it would be one of them in silence.
fn twice(what: &str, whose: &dyn core::fmt::Display) -> KmsError {
    KmsError::validation(format!("Supposed twice: {what} {whose}"))
}
