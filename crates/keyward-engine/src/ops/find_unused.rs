//! `FindUnused`: what of policies, principals, keys and grants in force the log does not show in use. Keyward's own.
//!
//! Whoever may ask learns what a reader of events and of explanations does, and the names of statements.

use super::{
    prelude::*,
    replay_policies::{RECORDS, SINCE, UNTIL, over},
};
use crate::usage::{self, UsageReport};

pub(crate) struct FindUnused;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    since: Option<String>,
    until: Option<String>,
    records: Option<Vec<String>>,
}

impl Operation for FindUnused {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        aliases: true,
        read_only: true,
        logged: &["Since", "Until"],
        ..control("FindUnused", "POST", "/v1/policies/unused", &[SINCE, UNTIL, RECORDS])
    };
    type Input = Input;
    type Output = UsageReport;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        true
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<UsageReport, KmsError> {
        let (engine, asker) = (call.engine(), call.caller());
        let times = (input.since.as_deref(), input.until.as_deref());
        over(engine, times, input.records.as_deref(), |source| {
            usage::unused_for(engine, asker, source)
        })
    }
}
