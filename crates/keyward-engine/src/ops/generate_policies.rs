//! `GeneratePolicies`: the smallest identity policies, key policies or grants that cover the log, with evidence and a
//! replay. Keyward's own.
//!
//! It shows the documents in force that it would replace, so that who may ask reads the policies of the account.

use super::{
    prelude::*,
    replay_policies::{RECORDS, SINCE, UNTIL, over},
};
use crate::usage::{self, ProposalKind, ProposalReport, Wanted};

pub(crate) struct GeneratePolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    #[serde(flatten)]
    wanted: Wanted,
    since: Option<String>,
    until: Option<String>,
    records: Option<Vec<String>>,
}

impl Operation for GeneratePolicies {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        aliases: true,
        read_only: true,
        logged: &["As", "Principals", "KeyId", "Since", "Until"],
        ..control(
            "GeneratePolicies",
            "POST",
            "/v1/policies/generate",
            &[
                optional("As", Kind::Enum(ProposalKind::NAMES)),
                optional("Principals", Kind::List { of: &text(1, 2_048), min: 0, max: 256 }),
                optional("KeyId", KEY_ID_KIND),
                optional("MinEvents", Kind::Integer { min: 1, max: 1_000_000 }),
                SINCE,
                UNTIL,
                RECORDS,
            ],
        )
    };
    type Input = Input;
    type Output = ProposalReport;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        true
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<ProposalReport, KmsError> {
        let (engine, asker) = (call.engine(), call.caller());
        let times = (input.since.as_deref(), input.until.as_deref());
        over(engine, times, input.records.as_deref(), |source| {
            usage::propose_for(engine, asker, &Self::SPEC, &input.wanted, source)
        })
    }
}
