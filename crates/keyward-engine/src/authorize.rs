//! Asks Cedar about every target, before anything else happens to it.
//!
//! INVARIANT: there is no path around this stage: the pipeline builds a `Call` only from its answer.
//! INVARIANT (P6): about a key of another account a refusal sounds the same whether or not the key exists.

use crate::{
    Engine,
    identity::Identity,
    operation::{Spec, Target},
    resolve::{Found, FoundKey},
    wording,
};
use keyward_policy::{Facts, Question, Resource};
use keyward_types::{Caller, Decision, GrantOperation, GrantRecord, KmsError, Name};
use std::sync::Arc;

/// What one target's decision needs beside the target.
pub(crate) struct Asking<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) caller: &'a Caller,
    pub(crate) spec: &'a Spec,
    pub(crate) identity: &'a Identity,
}

impl Asking<'_> {
    /// The decision on one target, noted in `decisions`; the records it rested on are noted in `rested_on`.
    pub(crate) fn authorize(
        &self,
        target: &Target<'_>,
        found: &Found,
        facts: &Facts<'_>,
        rested_on: &mut Vec<Name>,
        decisions: &mut Vec<Decision>,
    ) -> Result<(), KmsError> {
        let action = format!("{}:{}", self.spec.service.name(), target.action.unwrap_or(self.spec.name));
        let decision = match found {
            Found::Unchecked => return Ok(()),
            Found::AbsentElsewhere { by_ciphertext, .. } => {
                return Err(wording::denied_elsewhere(&action, self.caller, *by_ciphertext));
            }
            Found::Key(key) => self.about_key(key, &action, facts, rested_on)?,
            Found::Alias { arn } => self.about(Resource::Alias { arn }, &action, facts),
            Found::Other { arn } => self.about(Resource::Other { arn }, &action, facts),
            Found::Account => self.about(Resource::Any, &action, facts),
        };
        rested_on.extend(self.identity.name.clone());
        let refusal = (!decision.allowed()).then(|| match found {
            Found::Key(key) if key.record.name.account != self.caller.account => {
                let by_ciphertext = key.material.is_some() && key.alias.is_none();
                wording::denied_elsewhere(&action, self.caller, by_ciphertext)
            }
            _ => wording::denied(&decision, self.caller),
        });
        decisions.push(decision);
        refusal.map_or(Ok(()), Err)
    }

    fn about(&self, resource: Resource<'_>, action: &str, facts: &Facts<'_>) -> Decision {
        self.engine.world.policies.decide(&Question {
            identity: &self.identity.documents,
            boundary: self.identity.boundary.as_ref(),
            ..Question::new(self.caller, action, resource, facts)
        })
    }

    fn about_key(&self, key: &FoundKey, action: &str, facts: &Facts<'_>, rested_on: &mut Vec<Name>) -> Result<Decision, KmsError> {
        let record = &key.record;
        let store = &self.engine.world.store;
        let aliases = store.aliases_of_key(&record.name).map_err(KmsError::internal)?;
        let aliases: Vec<&str> = aliases.iter().map(|alias| alias.name.as_str()).collect();
        let grants = self.grants(key, action, rested_on)?;
        let grants: Vec<&GrantRecord> = grants.iter().map(AsRef::as_ref).collect();
        let arn = record.name.to_string();
        Ok(self.engine.world.policies.decide(&Question {
            cross_account_allowed: self.spec.cross_account,
            key_policy: Some(&record.policy),
            key_policy_ignores_arns: self.was_made_again(key),
            grants: &grants,
            identity: &self.identity.documents,
            boundary: self.identity.boundary.as_ref(),
            ..Question::new(self.caller, action, Resource::Key { arn: &arn, record, aliases: &aliases }, facts)
        }))
    }

    /// Grants that may speak for the caller. They are looked up by key and grantee, so their number on
    /// the key does not matter.
    fn grants(&self, key: &FoundKey, action: &str, rested_on: &mut Vec<Name>) -> Result<Vec<Arc<GrantRecord>>, KmsError> {
        let named = action.split_once(':').and_then(|(_, operation)| GrantOperation::parse(operation));
        if named.is_none() {
            return Ok(Vec::new());
        }
        rested_on.push(Name::Grants(key.record.name.clone()));
        let root = self.caller.account.root_arn();
        let mut grantees = self.caller.arns();
        grantees.push(&root);
        if let keyward_types::CallerKind::Service { name } = &self.caller.kind {
            grantees.push(name);
        }
        let mut grants = self.engine.world.store.grant_candidates(&key.record.name, &grantees).map_err(KmsError::internal)?;
        grants.retain(|grant| grant.grantee_id.as_deref().is_none_or(|id| id == self.caller.unique_id()));
        Ok(grants)
    }

    /// Whether the policy names a principal of the caller's ARN that was deleted since: the caller is
    /// another one of the same name.
    fn was_made_again(&self, key: &FoundKey) -> bool {
        let known = key.record.policy_principals.get(&self.caller.principal_arn);
        known.is_some_and(|id| id != self.caller.unique_id())
    }
}
