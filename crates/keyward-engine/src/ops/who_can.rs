//! `WhoCan`: everybody who could perform an action on a key: for certain, or under which conditions. Keyward's own.
//!
//! It answers from the store as it is: the key's policy and grants, identity policies, boundaries and the
//! organization. Facts that the request states are known; the rest is open, but for what follows from the key, the
//! principal and the time of asking. Of principals of other accounts it tells what the key allows them, and
//! never for certain. A page may hold fewer than was asked; the list ends where there is no marker.

use super::prelude::*;
use crate::{
    ask::{
        self, About, Action, Ask, Entry, Stated,
        candidates::{Candidate, Candidates, Place},
    },
    resolve::{Found, FoundKey},
};
use keyward_policy::{Certainty, Survey, Surveyor};

pub(crate) struct WhoCan;

/// Principals looked at for one page.
const EXAMINED_MAX: usize = 2_000;
/// The name of the list in its markers.
const LIST: &str = "who-can";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    action: String,
    encryption_context: Option<EncryptionContext>,
    #[serde(default)]
    context: Vec<Entry>,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    action: String,
    key_id: String,
    principals: Vec<Who>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Who {
    /// An ARN, a service's name, or `*`.
    principal: String,
    /// `Root`, `User`, `Role` (any session of it), `Session`, `Service`, `Account` (any principal of it) or
    /// `Anyone`.
    r#type: &'static str,
    #[serde(flatten)]
    found: Told,
}

/// A survey as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Told {
    certainty: Certainty,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    through: Vec<keyward_policy::Way>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blockers: Vec<keyward_policy::Way>,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<keyward_policy::Example>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<String>,
}

impl Told {
    /// `None` for a plain no. Statements and their conditions are told to who may read explanations.
    pub(crate) fn of(survey: Survey, explain: bool) -> Option<Self> {
        let Survey { certainty, ways, blockers, example, unknown } = survey;
        let told = Self { certainty, through: ways, blockers, example, unknown };
        let bare = Self {
            certainty,
            through: Vec::new(),
            blockers: Vec::new(),
            example: None,
            unknown: Vec::new(),
        };
        (certainty != Certainty::No).then_some(if explain { told } else { bare })
    }
}

impl Operation for WhoCan {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        aliases: true,
        read_only: true,
        logged: &["KeyId", "Action", "EncryptionContext"],
        ..control(
            "WhoCan",
            "GET",
            "/v1/keys/{KeyId}/who-can",
            &[
                KEY_ID,
                required("Action", ask::ACTION_KIND),
                ENCRYPTION_CONTEXT,
                ask::CONTEXT,
                LIMIT,
                MARKER,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        true
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (engine, asker) = (call.engine(), call.caller());
        let action = Action::parse(&input.action)?;
        let stated = Stated::of(input.encryption_context.as_ref(), &input.context)?;
        if !action.on_key {
            return Err(KmsError::validation(format!("{} is not on a key", action.name)));
        }
        let explain = ask::may_explain(engine, asker)?;
        let key = own_key(call, &input.key_id)?;
        let Found::Key(found) = &key else { return Err(ask::not_yours("The key")) };
        let after = match &input.marker {
            Some(marker) => {
                let text = call.open_marker(LIST, marker)?;
                Some(Place::parse(&text).ok_or_else(wording::bad_marker)?)
            }
            None => None,
        };
        let limit = page_limit(input.limit, 100, 1_000);
        let mut candidates = Candidates::after(engine, asker, &found.record, after);
        let mut surveyor = call.policies().surveyor();
        let mut principals = Vec::new();
        let mut last = None;
        for _ in 0..EXAMINED_MAX {
            let Some(candidate) = candidates.next()? else {
                last = None;
                break;
            };
            last = Some(candidate.place.to_string());
            principals.extend(ask_about(
                call,
                stated,
                &action,
                &key,
                candidate,
                &mut surveyor,
                explain,
            )?);
            if limit <= principals.len() {
                break;
            }
        }
        let next_marker = last.map(|last| call.marker(LIST, &last)).transpose()?;
        Ok(Output {
            action: action.name,
            key_id: found.record.name.to_string(),
            principals,
            page: Page { truncated: next_marker.is_some(), next_marker },
        })
    }
}

/// A key of the caller's own account; of another one no more is told than that it is not.
pub(crate) fn own_key(call: &Call<'_>, reference: &KeyRef) -> Result<Found, KmsError> {
    let about = About { key: Some(reference), resource: None };
    let action = Action::parse("kms:DescribeKey")?;
    let found = about.find(call.engine(), call.caller(), &WhoCan::SPEC, &action)?;
    // How the asker names the key says nothing of how requests do.
    let found = match found {
        Found::Key(key) => Found::Key(FoundKey { alias: None, ..key }),
        other => other,
    };
    let own = |account: &keyward_types::AccountId| *account == call.caller().account;
    if found.owner(call.caller()).is_some_and(own) {
        Ok(found)
    } else {
        Err(ask::not_yours("The key"))
    }
}

fn ask_about(
    call: &Call<'_>,
    stated: Stated<'_>,
    action: &Action,
    key: &Found,
    candidate: Candidate,
    surveyor: &mut Surveyor<'_>,
    explain: bool,
) -> Result<Option<Who>, KmsError> {
    let (engine, asker) = (call.engine(), call.caller());
    let Candidate { principal, kind, standpoint, mut caller, .. } = candidate;
    stated.fill_origin(engine, asker, &mut caller)?;
    let layers = if standpoint == keyward_policy::Standpoint::Here {
        engine.layers(&caller)?
    } else {
        // Another account's policies are not looked at.
        crate::layers::Layers::default().of_owner(&engine.layers(asker)?)
    };
    let asked = Ask { engine, caller: &caller, layers: &layers, stated, grants: None };
    let survey = asked.put(action, key, |question| surveyor.survey(question, standpoint))?;
    Ok(survey.and_then(|survey| Told::of(survey, explain)).map(|found| Who {
        principal,
        r#type: kind,
        found,
    }))
}
