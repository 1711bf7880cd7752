//! Freezes: how they are read for a decision, and how a request names what to freeze.
//!
//! | frozen | what is refused |
//! |---|---|
//! | a key | every action on it but [`LEFT`], and on the keys of other Regions that have its material, whoever asks, the root user too |
//! | a user or role | every action of it and of all its sessions |
//! | a grant | it allows nothing |
//!
//! A freeze denies in the one decision, as a layer of its own, so that it is explained and simulated like any
//! policy. That there was none is rested on like any record: a freeze stops what is in flight (P5).
//! What needs no permission, such as GetCallerIdentity, is decided by nobody and goes on.
//!
//! INVARIANT: to name another account's key or principal is refused in the same words whether or not it exists (P6).

use crate::{Engine, resolve::Found, wording};
use keyward_types::{
    AccountId, AliasName, Caller, CallerKind, ErrorCode, FreezeRecord, FreezeTarget, GrantId,
    GrantRecord, KeyName, KeyRecord, KeyRef, KmsError, Matched, Name, Region,
};
use std::{collections::BTreeMap, sync::Arc};

/// What stays allowed on a frozen key: looking, and what repairs by taking permission or use away.
const LEFT: &[&str] = &[
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:GetKeyLastUsage",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
];

/// A freeze as what matched.
fn matched(freeze: &FreezeRecord) -> Matched {
    Matched {
        source: format!("freeze {}: {}", freeze.id, freeze.reason),
        sid: Some(freeze.target.to_string()),
        index: 0,
        allow: false,
        kind: None,
    }
}

impl Engine {
    fn freeze_of(
        &self,
        target: FreezeTarget,
        rested_on: &mut Vec<Name>,
    ) -> Result<Option<Arc<FreezeRecord>>, KmsError> {
        let found = self.world.store.freeze(&target).map_err(KmsError::internal)?;
        rested_on.push(Name::Freeze(target));
        Ok(found)
    }

    /// The freeze of the user or role behind a caller. The root user and services cannot be frozen.
    pub(crate) fn frozen_caller(
        &self,
        caller: &Caller,
        rested_on: &mut Vec<Name>,
    ) -> Result<Vec<Matched>, KmsError> {
        let account = || caller.account.clone();
        let target = match &caller.kind {
            CallerKind::User { name } => FreezeTarget::User(account(), name.clone()),
            CallerKind::RoleSession { role_name, .. } => {
                FreezeTarget::Role(account(), role_name.clone())
            }
            CallerKind::Federated { user_arn: Some(arn), .. } => {
                match crate::directory::principal_name(arn) {
                    Some(Name::User(account, name)) => FreezeTarget::User(account, name),
                    _ => return Ok(Vec::new()),
                }
            }
            CallerKind::Root
            | CallerKind::Federated { user_arn: None, .. }
            | CallerKind::Service { .. } => return Ok(Vec::new()),
        };
        let freeze = self.freeze_of(target, rested_on)?;
        Ok(freeze.iter().map(|freeze| matched(freeze)).collect())
    }

    /// The freezes of a key and of those related to it, where they stand in the way of an action: what one of them
    /// encrypted the others open.
    pub(crate) fn frozen_key(
        &self,
        key: &KeyRecord,
        action: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<Vec<Matched>, KmsError> {
        let mut found = Vec::new();
        if LEFT.contains(&action) {
            return Ok(found);
        }
        for name in core::iter::once(key.name.clone()).chain(key.related()) {
            let freeze = self.freeze_of(FreezeTarget::Key(name), rested_on)?;
            found.extend(freeze.map(|freeze| matched(&freeze)));
        }
        Ok(found)
    }

    pub(crate) fn frozen_grant(
        &self,
        grant: &GrantRecord,
        rested_on: &mut Vec<Name>,
    ) -> Result<Option<Arc<FreezeRecord>>, KmsError> {
        let target = FreezeTarget::Grant(grant.key.clone(), grant.grant_id.clone());
        self.freeze_of(target, rested_on)
    }
}

/// What a request to freeze or thaw names.
#[derive(Clone, Copy, Debug)]
pub struct Named<'i> {
    /// A key's id, ARN or alias, or the ARN of a user or role.
    pub(crate) target: &'i str,
    /// A grant on that key.
    pub(crate) grant: Option<&'i GrantId>,
    /// Whether it must exist; what is no more can still be thawed.
    pub(crate) must_exist: bool,
}

/// What was found under it: what to freeze, its ARN, and its tags.
pub(crate) struct Freezable {
    pub(crate) target: FreezeTarget,
    pub(crate) arn: String,
    tags: BTreeMap<String, String>,
}

impl Named<'_> {
    /// As a resource of the caller's account, of which identity policies speak by its ARN.
    pub(crate) fn resolve(
        &self,
        engine: &Engine,
        caller: &Caller,
        rested_on: &mut Vec<Name>,
    ) -> Result<Found, KmsError> {
        if let Some(account) = self.elsewhere(caller) {
            let arn = self.target.to_owned();
            return Ok(Found::AbsentElsewhere { arn, account, by_ciphertext: false });
        }
        let Freezable { arn, tags, .. } = self.find(engine, caller, rested_on)?;
        Ok(Found::Other { arn, tags, boundary: None })
    }

    /// The other account that it names. Nothing is looked up of it.
    fn elsewhere(&self, caller: &Caller) -> Option<AccountId> {
        let arn = keyward_types::Arn::parse(self.target)?;
        AccountId::parse(arn.account).filter(|account| *account != caller.account)
    }

    pub(crate) fn find(
        &self,
        engine: &Engine,
        caller: &Caller,
        rested_on: &mut Vec<Name>,
    ) -> Result<Freezable, KmsError> {
        let principal = crate::directory::principal_name(self.target);
        match (principal, self.grant) {
            (Some(name), None) => self.principal(engine, name, rested_on),
            (None, None) if is_identity(self.target) => Err(KmsError::validation(
                "Only users, roles, keys and grants can be frozen: for a session freeze its role; the root user cannot be frozen.",
            )),
            (None, grant) => {
                let key = self.key(engine, caller, rested_on)?;
                match grant {
                    None => Ok(key),
                    Some(id) => self.grant(engine, key, id, rested_on),
                }
            }
            (Some(_), Some(_)) => Err(KmsError::validation("A grant is on a key.")),
        }
    }

    fn principal(
        &self,
        engine: &Engine,
        name: Name,
        rested_on: &mut Vec<Name>,
    ) -> Result<Freezable, KmsError> {
        rested_on.push(name.clone());
        let store = &engine.world.store;
        let (target, found) = match name {
            Name::User(account, name) => {
                let user = store.user(&account, &name).map_err(KmsError::internal)?;
                let found = user.map(|user| (user.arn(), user.tags.clone()));
                (FreezeTarget::User(account, name), found)
            }
            Name::Role(account, name) => {
                let role = store.role(&account, &name).map_err(KmsError::internal)?;
                let found = role.map(|role| (role.arn(), role.tags.clone()));
                (FreezeTarget::Role(account, name), found)
            }
            _ => return Err(KmsError::internal("a principal is a user or a role")),
        };
        let found = found.filter(|(arn, _)| arn == self.target);
        if found.is_none() && self.must_exist {
            let words = format!("There is no principal {}", self.target);
            return Err(KmsError::new(ErrorCode::NotFound, words));
        }
        let (arn, tags) = found.unwrap_or_else(|| (self.target.to_owned(), BTreeMap::new()));
        Ok(Freezable { target, arn, tags })
    }

    fn key(
        &self,
        engine: &Engine,
        caller: &Caller,
        rested_on: &mut Vec<Name>,
    ) -> Result<Freezable, KmsError> {
        let Caller { account, origin, .. } = caller;
        let name = match KeyRef::parse(self.target) {
            KeyRef::Malformed(text) => return Err(wording::invalid_key_id(&text)),
            KeyRef::Id(key_id) => {
                KeyName { account: account.clone(), region: origin.region.clone(), key_id }
            }
            KeyRef::Arn(name) => name,
            KeyRef::Alias(alias) => {
                alias_target(engine, account, &origin.region, &alias, rested_on)?
            }
            KeyRef::AliasArn { account, region, name } => {
                alias_target(engine, &account, &region, &name, rested_on)?
            }
        };
        if name.region != origin.region {
            return Err(wording::other_region(&name.region));
        }
        rested_on.push(Name::Key(name.clone()));
        let record = engine.world.store.key(&name).map_err(KmsError::internal)?;
        if record.is_none() && self.must_exist {
            return Err(wording::no_such_key(&name));
        }
        let tags = record.map(|record| record.tags.clone()).unwrap_or_default();
        Ok(Freezable { arn: name.to_string(), target: FreezeTarget::Key(name), tags })
    }

    fn grant(
        &self,
        engine: &Engine,
        key: Freezable,
        id: &GrantId,
        rested_on: &mut Vec<Name>,
    ) -> Result<Freezable, KmsError> {
        let FreezeTarget::Key(name) = &key.target else {
            return Err(KmsError::internal("a grant is on a key"));
        };
        rested_on.push(Name::Grant(name.clone(), id.clone()));
        let grant = engine.world.store.grant(name, id).map_err(KmsError::internal)?;
        if grant.is_none() && self.must_exist {
            return Err(wording::no_such_grant(id));
        }
        let target = FreezeTarget::Grant(name.clone(), id.clone());
        Ok(Freezable { target, ..key })
    }
}

/// Whether it is an ARN of IAM's or STS's.
fn is_identity(text: &str) -> bool {
    keyward_types::Arn::parse(text).is_some_and(|arn| matches!(arn.service, "iam" | "sts"))
}

fn alias_target(
    engine: &Engine,
    account: &AccountId,
    region: &Region,
    alias: &AliasName,
    rested_on: &mut Vec<Name>,
) -> Result<KeyName, KmsError> {
    rested_on.push(Name::Alias(account.clone(), region.clone(), alias.clone()));
    let record = engine.world.store.alias(account, region, alias).map_err(KmsError::internal)?;
    let record = record.ok_or_else(|| wording::no_such_alias(account, region, alias))?;
    Ok(record.target.clone())
}
