//! What a caller's identity brings: the policies that reach it inline, attached, and through its groups.
//!
//! INVARIANT: policies are read at decision time, so a policy that was removed stops counting at once.

use crate::{Engine, aws_managed, directory::principal_name};
use keyward_types::{AccountId, Arn, Caller, CallerKind, IdentityDocument, KmsError, Name};
use std::collections::{BTreeMap, BTreeSet};

/// The policies of a caller's own layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) documents: Vec<IdentityDocument>,
    pub(crate) boundary: Option<IdentityDocument>,
    /// The records they came from.
    pub(crate) rested_on: Vec<Name>,
}

impl Engine {
    /// The policies that reach a caller through its identity: inline, attached, and those of a user's groups.
    pub(crate) fn identity(&self, caller: &Caller) -> Result<Identity, KmsError> {
        match &caller.kind {
            CallerKind::User { name } => self.identity_of_user(&caller.account, name),
            CallerKind::RoleSession { role_name, .. } => {
                self.identity_of_role(&caller.account, role_name)
            }
            CallerKind::Federated { user_arn: Some(user_arn), .. } => {
                match principal_name(user_arn) {
                    Some(Name::User(account, name)) => self.identity_of_user(&account, &name),
                    _ => Ok(Identity::default()),
                }
            }
            CallerKind::Root | CallerKind::Federated { .. } | CallerKind::Service { .. } => {
                Ok(Identity::default())
            }
        }
    }

    pub(crate) fn identity_of_user(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Identity, KmsError> {
        let user =
            self.world.store.user(account, name).map_err(KmsError::internal)?.ok_or_else(gone)?;
        let mut gathered = Gathered::new(self, Name::User(account.clone(), name.to_owned()));
        gathered.inline("", &user.policies);
        gathered.attached(&user.attached)?;
        gathered.bounded_by(user.boundary.as_deref())?;
        for name in &user.groups {
            gathered.identity.rested_on.push(Name::Group(account.clone(), name.clone()));
            let group = self.world.store.group(account, name).map_err(KmsError::internal)?;
            let group = group.ok_or_else(gone)?;
            gathered.inline(&format!("group {name}, "), &group.policies);
            gathered.attached(&group.attached)?;
        }
        Ok(gathered.identity)
    }

    pub(crate) fn identity_of_role(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Identity, KmsError> {
        let role =
            self.world.store.role(account, name).map_err(KmsError::internal)?.ok_or_else(gone)?;
        let mut gathered = Gathered::new(self, Name::Role(account.clone(), name.to_owned()));
        gathered.inline("", &role.policies);
        gathered.attached(&role.attached)?;
        gathered.bounded_by(role.boundary.as_deref())?;
        Ok(gathered.identity)
    }

    /// A group's policies alone; `None` when there is no such group.
    pub(crate) fn identity_of_group(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<Identity>, KmsError> {
        let group = self.world.store.group(account, name).map_err(KmsError::internal)?;
        let Some(group) = group else { return Ok(None) };
        let mut gathered = Gathered::new(self, Name::Group(account.clone(), name.to_owned()));
        gathered.inline(&format!("group {name}, "), &group.policies);
        gathered.attached(&group.attached)?;
        Ok(Some(gathered.identity))
    }

    /// The document in force of a managed policy, the customer's or AWS's own; `None` when there is none.
    pub(crate) fn managed_document(
        &self,
        arn: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<Option<IdentityDocument>, KmsError> {
        let document = if let Some(text) = aws_managed::document(arn) {
            Some(keyward_types::caller::Document::new(text))
        } else {
            let Some((account, name)) = managed_policy_name(arn) else { return Ok(None) };
            rested_on.push(Name::ManagedPolicy(account.clone(), name.clone()));
            let policy =
                self.world.store.managed_policy(&account, &name).map_err(KmsError::internal)?;
            policy
                .filter(|policy| policy.arn() == arn)
                .and_then(|policy| policy.document().cloned())
        };
        Ok(document.map(|document| IdentityDocument { source: arn.to_owned(), document }))
    }
}

/// An identity under construction.
struct Gathered<'e> {
    engine: &'e Engine,
    identity: Identity,
}

impl<'e> Gathered<'e> {
    fn new(engine: &'e Engine, name: Name) -> Self {
        let identity = Identity { rested_on: vec![name], ..Identity::default() };
        Self { engine, identity }
    }

    fn inline(
        &mut self,
        whose: &str,
        policies: &BTreeMap<String, keyward_types::caller::Document>,
    ) {
        self.identity.documents.extend(policies.iter().map(|(name, document)| IdentityDocument {
            source: format!("{whose}inline policy {name}"),
            document: document.clone(),
        }));
    }

    fn attached(&mut self, arns: &BTreeSet<String>) -> Result<(), KmsError> {
        for arn in arns {
            let found = self.managed(arn)?;
            // Attached to the user and to its group: one document is enough.
            if self.identity.documents.iter().all(|known| known.source != found.source) {
                self.identity.documents.push(found);
            }
        }
        Ok(())
    }

    fn bounded_by(&mut self, arn: Option<&str>) -> Result<(), KmsError> {
        self.identity.boundary = arn.map(|arn| self.managed(arn)).transpose()?;
        Ok(())
    }

    /// A policy that is used cannot be deleted; were one missing, nothing could be decided without it.
    fn managed(&mut self, arn: &str) -> Result<IdentityDocument, KmsError> {
        self.engine
            .managed_document(arn, &mut self.identity.rested_on)?
            .ok_or_else(|| KmsError::internal(format!("the attached policy {arn} is missing")))
    }
}

fn gone() -> KmsError {
    KmsError::internal("the caller was removed while its request was decided")
}

/// Account and name of a customer managed policy by its ARN.
pub(crate) fn managed_policy_name(arn: &str) -> Option<(AccountId, String)> {
    let arn = Arn::parse(arn).filter(|arn| arn.service == "iam" && arn.region.is_empty())?;
    let account = AccountId::parse(arn.account)?;
    let path = arn.resource.strip_prefix("policy/")?;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty())?.to_owned();
    Some((account, name))
}
