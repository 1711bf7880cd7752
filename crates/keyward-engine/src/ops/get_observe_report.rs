//! `GetObserveReport`: what is in observe, what it would have refused and of whom, and whether it is safe to enforce it.
//! Keyward's own.
//!
//! Whoever may ask learns what a reader of events and of explanations does.

use super::{
    prelude::*,
    replay_policies::{EVENTS_MAX, SINCE},
};
use crate::usage::{self, ObserveReport};

pub(crate) struct GetObserveReport;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    since: Option<String>,
    quiet_days: Option<u32>,
}

impl Operation for GetObserveReport {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        read_only: true,
        logged: &["Since", "QuietDays"],
        ..control(
            "GetObserveReport",
            "GET",
            "/v1/observe",
            &[SINCE, optional("QuietDays", Kind::Integer { min: 0, max: 90 })],
        )
    };
    type Input = Input;
    type Output = ObserveReport;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        true
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<ObserveReport, KmsError> {
        let since = input.since.as_deref();
        usage::observed_for(call.engine(), call.caller(), since, input.quiet_days, EVENTS_MAX)
    }
}
