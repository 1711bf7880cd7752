//! RetireGrant, which the grant itself decides, and trust policies, which decide who assumes a role.
//!
//! Sources: <https://docs.aws.amazon.com/kms/latest/APIReference/API_RetireGrant.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>

use crate::{
    document::DocumentKind,
    engine::{self, PolicyEngine},
    error::Unevaluable,
    explain,
    grant::{self, Applying},
    keys,
    layers::satisfied,
    question::{Question, Resource},
    request::{Needed, World},
    table::Tally,
    Facts,
};
use keyward_types::{Caller, CallerKind, Decision, GrantOperation, GrantRecord, MatchKind, caller::Document};
use std::collections::BTreeSet;

/// How a trust policy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustOutcome {
    /// It names the caller itself, its role, or everybody. In the role's own account nothing else is needed.
    Direct,
    /// It names the caller's account: the caller's identity policies must allow too.
    Account,
    /// It does not name the caller, or a condition does not hold.
    Silent,
    /// It denies, or could not be evaluated.
    Denied,
}

impl PolicyEngine {
    /// Decides RetireGrant on `grant`.
    ///
    /// The retiring principal may, the grantee may if the grant lists RetireGrant, and the account that issued
    /// the grant may; an account hands it out through identity policies. An identity policy alone gives nothing,
    /// a Deny in one works, and key policies and resource control policies have no say.
    pub fn decide_retire(&self, question: &Question<'_>, grant: &GrantRecord) -> Decision {
        let question = Question {
            action: "kms:RetireGrant",
            key_policy: None,
            key_policy_ignores_arns: false,
            grants: &[grant],
            child_grant: None,
            rcps: &[],
            cross_account_allowed: true,
            ..*question
        };
        self.weigh_retire(&question, grant).unwrap_or_else(|_| engine::failed(&question))
    }

    fn weigh_retire(&self, question: &Question<'_>, grant: &GrantRecord) -> Result<Decision, Unevaluable> {
        let (chorus, world) = self.listen(question)?;
        let on_this_key = question.resource.arn() == grant.key.to_string();
        let kinds = if on_this_key { retiring_kinds(question.caller, grant) } else { BTreeSet::new() };
        let applying: Vec<Applying<'_>> = kinds.into_iter().map(|kind| Applying { grant, kind }).collect();
        // The grant is the authority, so its key's account is not another one.
        let tally = Tally { same_account: true, ..engine::tally(question, &chorus, &applying) };
        let mut decision = engine::outcome(question, &chorus, &applying, tally.verdict());
        if !decision.allowed() {
            explain::explain(self, question, &chorus, &world, &applying, &mut decision)?;
        }
        Ok(decision)
    }

    /// What a role's trust policy says to a caller who wants to assume it.
    pub fn trust_allows(&self, trust: &Document, caller: &Caller, action: &str, role_arn: &str, facts: &Facts<'_>) -> TrustOutcome {
        let question = Question::new(caller, action, Resource::Other { arn: role_arn }, facts);
        self.weigh_trust(trust, &question).unwrap_or(TrustOutcome::Denied)
    }

    fn weigh_trust(&self, trust: &Document, question: &Question<'_>) -> Result<TrustOutcome, Unevaluable> {
        let ambiguous = keys::ambiguous_names(question);
        let slice = self.slice(trust, DocumentKind::Trust, question.action, !ambiguous.is_empty())?;
        let mut needed = Needed::default();
        needed.add(&slice.needs);
        let world = World::build(question, &needed, &ambiguous)?;
        let (request, entities) = (world.request(&world.principal)?, world.entities(Vec::new())?);
        if !satisfied(&slice.forbids, &request, &entities)?.is_empty() {
            return Ok(TrustOutcome::Denied);
        }
        let permits = satisfied(&slice.permits, &request, &entities)?;
        let kinds = permits.iter().filter_map(|place| slice.entries.get(*place)?.kind);
        Ok(match kinds.min() {
            None => TrustOutcome::Silent,
            Some(MatchKind::Session | MatchKind::Entity) => TrustOutcome::Direct,
            Some(MatchKind::Account) => TrustOutcome::Account,
        })
    }
}

fn retiring_kinds(caller: &Caller, grant: &GrantRecord) -> BTreeSet<MatchKind> {
    let mut kinds = BTreeSet::new();
    kinds.extend(grant.retiring.as_ref().and_then(|retiring| grant::names(caller, retiring)));
    let same_principal = grant.grantee_id.as_deref().is_none_or(|id| {
        let known = !matches!(caller.kind, CallerKind::Federated { .. });
        id == caller.user_id || known && (id == caller.unique_id() || id == caller.account.as_str())
    });
    if grant.operations.contains(&GrantOperation::RetireGrant) && same_principal {
        kinds.extend(grant::kind(caller, grant));
    }
    if caller.account == grant.issuing_account && !matches!(caller.kind, CallerKind::Service { .. }) {
        kinds.insert(MatchKind::Account);
    }
    kinds
}
