//! `Freeze`: puts a key, a user, a role or a grant out of use until it is thawed. Keyward's own.
//!
//! What is frozen is not changed; `crate::freeze` says what is refused meanwhile. To freeze what is frozen answers
//! with the freeze that stands. It needs `keyward:Freeze` on the ARN of the key or principal, by identity policies.

use super::{prelude::*, thaw::Frozen};
use crate::freeze::Named;
use keyward_types::{FreezeRecord, GrantId};
use std::sync::Arc;

pub(crate) struct Freeze;

pub(super) const TARGET: Member = required("Target", text(1, 2_048));
pub(super) const GRANT: Member = optional("GrantId", text(1, 128));
pub(super) const REASON_KIND: Kind = text(1, 1_024);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    target: String,
    grant_id: Option<GrantId>,
    reason: String,
}

impl Input {
    fn named(&self) -> Named<'_> {
        Named { target: &self.target, grant: self.grant_id.as_ref(), must_exist: true }
    }
}

impl Operation for Freeze {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        logged: &["Target", "GrantId", "Reason"],
        ..control(
            "Freeze",
            "POST",
            "/v1/incident/freeze",
            &[TARGET, GRANT, required("Reason", REASON_KIND)],
        )
    };
    type Input = Input;
    type Output = Frozen;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Freezable(input.named()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Frozen, KmsError> {
        let mut rested_on = Vec::new();
        let found = input.named().find(call.engine(), call.caller(), &mut rested_on)?;
        rested_on.into_iter().for_each(|name| call.rest_on(name));
        call.rest_on(Name::Freeze(found.target.clone()));
        call.concern(found.arn.clone());
        let standing = call.store().freeze(&found.target).map_err(KmsError::internal)?;
        let freeze = match standing {
            Some(standing) => standing,
            None => {
                let freeze = FreezeRecord {
                    target: found.target,
                    id: format!("frz-{}", hex::encode(call.random::<8>())),
                    reason: input.reason.clone(),
                    by: call.caller().arn.clone(),
                    since: call.now(),
                };
                call.put(Record::Freeze(freeze.clone()));
                Arc::new(freeze)
            }
        };
        call.note("freezeId", freeze.id.clone());
        Ok(Frozen::of(&freeze))
    }
}
