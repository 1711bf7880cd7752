//! `Thaw`: takes a freeze away, so that everything is as it was. Keyward's own.
//!
//! To thaw what is not frozen changes nothing, and says so. It needs `keyward:Thaw` on the ARN of the key or
//! principal, by identity policies; a frozen principal cannot thaw itself.

use super::{
    freeze::{GRANT, REASON_KIND, TARGET},
    prelude::*,
};
use crate::freeze::Named;
use keyward_types::{FreezeRecord, FreezeTarget, GrantId};

pub(crate) struct Thaw;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    target: String,
    grant_id: Option<GrantId>,
    /// Why it may be used again.
    #[expect(dead_code, reason = "it is for the event, which has it from the request")]
    reason: Option<String>,
}

impl Input {
    fn named(&self) -> Named<'_> {
        Named { target: &self.target, grant: self.grant_id.as_ref(), must_exist: false }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    /// The freeze that was taken away; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    thawed: Option<Frozen>,
}

/// A freeze as it is told.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Frozen {
    freeze_id: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    /// The name of a user or role, or a key's ARN.
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<String>,
    reason: String,
    by: String,
    since: serde_json::Number,
}

impl Frozen {
    pub(crate) fn of(freeze: &FreezeRecord) -> Self {
        let (kind, target, grant) = match &freeze.target {
            FreezeTarget::Key(key) => ("Key", key.to_string(), None),
            FreezeTarget::User(_, name) => ("User", name.clone(), None),
            FreezeTarget::Role(_, name) => ("Role", name.clone(), None),
            FreezeTarget::Grant(key, id) => {
                ("Grant", key.to_string(), Some(id.as_str().to_owned()))
            }
        };
        Self {
            freeze_id: freeze.id.clone(),
            kind,
            target,
            grant_id: grant,
            reason: freeze.reason.clone(),
            by: freeze.by.clone(),
            since: freeze.since.wire(),
        }
    }

    /// Its place among all of the account: by kind, then by what is frozen.
    pub(crate) fn place(&self) -> String {
        let grant = self.grant_id.as_deref().unwrap_or_default();
        format!("{} {} {grant}", self.kind, self.target)
    }
}

impl Operation for Thaw {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        logged: &["Target", "GrantId", "Reason"],
        ..control(
            "Thaw",
            "POST",
            "/v1/incident/thaw",
            &[TARGET, GRANT, optional("Reason", REASON_KIND)],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Freezable(input.named()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let mut rested_on = Vec::new();
        let found = input.named().find(call.engine(), call.caller(), &mut rested_on)?;
        rested_on.into_iter().for_each(|name| call.rest_on(name));
        let name = Name::Freeze(found.target.clone());
        call.rest_on(name.clone());
        call.concern(found.arn);
        let standing = call.store().freeze(&found.target).map_err(KmsError::internal)?;
        if let Some(freeze) = &standing {
            call.note("freezeId", freeze.id.clone());
            call.delete(name);
        }
        Ok(Output { thawed: standing.map(|freeze| Frozen::of(&freeze)) })
    }
}
