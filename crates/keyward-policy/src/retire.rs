//! RetireGrant, which the grant itself decides.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_RetireGrant.html>

use crate::{
    engine::{self, Hearing, PolicyEngine},
    error::Unevaluable,
    freeze,
    grant::{self, Applying},
    guardrail,
    question::Question,
    table::Tally,
};
use keyward_types::{Caller, CallerKind, Decision, GrantOperation, GrantRecord, MatchKind};
use std::collections::BTreeSet;

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
            ram_policy: None,
            key_policy_ignores_arns: false,
            grants: &[grant],
            child_grant: None,
            rcps: &[],
            cross_account_allowed: true,
            ..*question
        };
        self.weigh_retire(&question, grant).unwrap_or_else(|_| engine::failed(&question))
    }

    fn weigh_retire(
        &self,
        question: &Question<'_>,
        grant: &GrantRecord,
    ) -> Result<Decision, Unevaluable> {
        let hearing = self.hear_retire(question, grant)?;
        let trial = |tried: &Question<'_>| Ok(self.hear_retire(tried, grant)?.finding(tried));
        self.conclude(question, &hearing, &trial)
    }

    fn hear_retire<'q>(
        &self,
        question: &Question<'q>,
        grant: &'q GrantRecord,
    ) -> Result<Hearing<'q>, Unevaluable> {
        let (chorus, world) = self.listen(question)?;
        let on_this_key = question.resource.arn() == grant.key.to_string();
        let kinds =
            if on_this_key { retiring_kinds(question.caller, grant) } else { BTreeSet::new() };
        let grants: Vec<Applying<'_>> =
            kinds.into_iter().map(|kind| Applying { grant, kind }).collect();
        // The grant is the authority, so its key's account is not another one.
        let tally = Tally { same_account: true, ..engine::tally(question, &chorus, &grants) };
        let guarded = self.guarded(question)?;
        let tally = guardrail::weigh(tally, guarded.as_deref());
        let tally = freeze::weigh(tally, question.frozen);
        Ok(Hearing { chorus, world, grants, guarded, tally })
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
    if caller.account == grant.issuing_account && !matches!(caller.kind, CallerKind::Service { .. })
    {
        kinds.insert(MatchKind::Account);
    }
    kinds
}
