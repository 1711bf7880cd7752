//! `PutObserveMode`: puts the policies of a key, a user or a role, or a managed policy, in observe for some days.
//! Keyward's own.
//!
//! What they refuse of the use of keys is let through meanwhile and marked; `crate::observe` says what. To put what is
//! in observe already states its reason and end anew. It needs `keyward:PutObserveMode` on the ARN of the key,
//! principal or policy, by identity policies, and is itself never let through.

use super::prelude::*;
use crate::observe::Observable;
use keyward_types::{ObserveEntry, ObserveRecord, ObserveTarget};

pub(crate) struct PutObserveMode;

pub(super) const TARGET: Member = required("Target", text(1, 2_048));

const DAYS: i64 = 14;
const DAYS_MAX: i64 = 90;
/// Things of an account in observe at once.
const ENTRIES_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    target: String,
    reason: String,
    days: Option<i64>,
}

impl Input {
    fn named(&self) -> Observable<'_> {
        Observable { target: &self.target, must_exist: true }
    }
}

/// What is in observe, as it is told.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Observed {
    observe_id: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    /// The name of a user or role, or the ARN of a key or policy.
    target: String,
    reason: String,
    by: String,
    since: serde_json::Number,
    until: serde_json::Number,
}

impl Observed {
    pub(crate) fn of(entry: &ObserveEntry) -> Self {
        let (kind, target) = match &entry.target {
            ObserveTarget::Key(key) => ("Key", key.to_string()),
            ObserveTarget::User(_, name) => ("User", name.clone()),
            ObserveTarget::Role(_, name) => ("Role", name.clone()),
            ObserveTarget::Policy(arn) => ("Policy", arn.clone()),
        };
        let ObserveEntry { id, reason, by, since, until, .. } = entry;
        Self {
            observe_id: id.clone(),
            kind,
            target,
            reason: reason.clone(),
            by: by.clone(),
            since: since.wire(),
            until: until.wire(),
        }
    }
}

impl Operation for PutObserveMode {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        logged: &["Target", "Reason", "Days"],
        errors: &[ErrorCode::LimitExceeded],
        ..control(
            "PutObserveMode",
            "POST",
            "/v1/observe",
            &[
                TARGET,
                required("Reason", text(1, 1_024)),
                optional("Days", Kind::Integer { min: 1, max: DAYS_MAX }),
            ],
        )
    };
    type Input = Input;
    type Output = Observed;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Observable(input.named()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Observed, KmsError> {
        let (caller, now) = (call.caller(), call.now());
        let mut rested_on = vec![Name::Observe(caller.account.clone())];
        let (target, arn) = input.named().find(call.engine(), caller, &mut rested_on)?;
        rested_on.into_iter().for_each(|name| call.rest_on(name));
        call.concern(arn);
        let mut entries = call.engine().in_observe(&caller.account)?;
        let until = now.plus_seconds(input.days.unwrap_or(DAYS) * 86_400);
        let known = entries.iter().position(|entry| entry.target == target);
        if known.is_none() && ENTRIES_MAX <= entries.len() {
            return Err(KmsError::new(
                ErrorCode::LimitExceeded,
                format!("{ENTRIES_MAX} keys, principals and policies are in observe already."),
            ));
        }
        let (id, since) = match known.map(|place| entries.remove(place)) {
            Some(standing) => (standing.id, standing.since),
            None => (format!("obs-{}", hex::encode(call.random::<8>())), now),
        };
        let (reason, by) = (input.reason.clone(), caller.arn.clone());
        let entry = ObserveEntry { target, id, reason, by, since, until };
        call.note("observeId", entry.id.clone());
        let told = Observed::of(&entry);
        entries.push(entry);
        call.put(Record::Observe(ObserveRecord { account: caller.account.clone(), entries }));
        Ok(told)
    }
}
