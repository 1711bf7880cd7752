//! `EndObserveMode`: enforces again what was in observe. Keyward's own.
//!
//! To end what is not in observe changes nothing, and says so. It needs `keyward:EndObserveMode` on the ARN of the
//! key, principal or policy, by identity policies.

use super::{
    prelude::*,
    put_observe_mode::{Observed, TARGET},
};
use crate::observe::Observable;
use keyward_types::ObserveRecord;

pub(crate) struct EndObserveMode;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    target: String,
}

impl Input {
    fn named(&self) -> Observable<'_> {
        Observable { target: &self.target, must_exist: false }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    /// What was in observe; absent when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Observed>,
}

impl Operation for EndObserveMode {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        logged: &["Target"],
        ..control("EndObserveMode", "POST", "/v1/observe/end", &[TARGET])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Observable(input.named()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let account = call.caller().account.clone();
        let mut rested_on = vec![Name::Observe(account.clone())];
        let (target, arn) = input.named().find(call.engine(), call.caller(), &mut rested_on)?;
        rested_on.into_iter().for_each(|name| call.rest_on(name));
        call.concern(arn);
        let mut entries = call.engine().in_observe(&account)?;
        let Some(place) = entries.iter().position(|entry| entry.target == target) else {
            return Ok(Output { ended: None });
        };
        let ended = entries.remove(place);
        call.note("observeId", ended.id.clone());
        if entries.is_empty() {
            call.delete(Name::Observe(account));
        } else {
            call.put(Record::Observe(ObserveRecord { account, entries }));
        }
        Ok(Output { ended: Some(Observed::of(&ended)) })
    }
}
