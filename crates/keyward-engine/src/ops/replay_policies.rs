//! `ReplayPolicies`: what would have been decided of the log's requests, were other policies or grants in force.
//! Keyward's own.
//!
//! Records may be brought instead, as CloudTrail writes them. Whoever may ask learns what a reader of events and of
//! explanations does: principals, actions, keys, ids of events, and the names of statements.

use super::prelude::*;
use crate::{
    Engine,
    usage::{self, ReplayReport, Source, Span, With},
};

pub(crate) struct ReplayPolicies;

/// Events that one request reads at most.
pub(crate) const EVENTS_MAX: u64 = 2_000_000;

pub(crate) const SINCE: Member = optional("Since", text(1, 64));
pub(crate) const UNTIL: Member = optional("Until", text(1, 64));
pub(crate) const RECORDS: Member =
    optional("Records", Kind::List { of: &text(2, 262_144), min: 0, max: 4_096 });
const GRANT: Kind = Kind::Structure(&[
    optional("GranteePrincipal", PRINCIPAL_KIND),
    optional("GranteeServicePrincipal", SERVICE_PRINCIPAL_KIND),
    required("Operations", GRANT_OPERATIONS_KIND),
    optional("Constraints", GRANT_CONSTRAINTS_KIND),
]);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    #[serde(flatten)]
    with: With,
    since: Option<String>,
    until: Option<String>,
    /// Each one record, as JSON text.
    records: Option<Vec<String>>,
}

/// Hands on what a request of this family is about: the records that it brings, or else the log between two times.
pub(super) fn over<T>(
    engine: &Engine,
    times: (Option<&str>, Option<&str>),
    brought: Option<&[String]>,
    ask: impl FnOnce(Source<'_>) -> Result<T, KmsError>,
) -> Result<T, KmsError> {
    let Some(brought) = brought else {
        return ask(Source::Log(Span::of(engine, times.0, times.1, Some(EVENTS_MAX))?));
    };
    let mut records = brought.iter().map(|record| Ok(record.clone().into_bytes()));
    ask(Source::Records(&mut records))
}

impl Operation for ReplayPolicies {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        aliases: true,
        read_only: true,
        logged: &["Since", "Until"],
        ..control(
            "ReplayPolicies",
            "POST",
            "/v1/policies/replay",
            &[
                optional(
                    "KeyPolicies",
                    Kind::List {
                        of: &Kind::Structure(&[KEY_ID, required("Policy", POLICY_KIND)]),
                        min: 0,
                        max: 64,
                    },
                ),
                optional(
                    "IdentityPolicies",
                    Kind::List {
                        of: &Kind::Structure(&[
                            required("Principal", text(1, 2_048)),
                            required("Policies", Kind::List { of: &POLICY_KIND, min: 0, max: 64 }),
                        ]),
                        min: 0,
                        max: 64,
                    },
                ),
                optional(
                    "Grants",
                    Kind::List {
                        of: &Kind::Structure(&[
                            KEY_ID,
                            required("Grants", Kind::List { of: &GRANT, min: 0, max: 256 }),
                        ]),
                        min: 0,
                        max: 64,
                    },
                ),
                SINCE,
                UNTIL,
                RECORDS,
            ],
        )
    };
    type Input = Input;
    type Output = ReplayReport;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        true
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<ReplayReport, KmsError> {
        let (engine, asker) = (call.engine(), call.caller());
        let times = (input.since.as_deref(), input.until.as_deref());
        over(engine, times, input.records.as_deref(), |source| {
            usage::replay_for(engine, asker, &Self::SPEC, &input.with, source)
        })
    }
}
