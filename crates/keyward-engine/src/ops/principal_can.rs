//! `PrincipalCan`: everything that a principal of the account could do with a key, or with each key of the account:
//! for certain, or under which conditions. Keyward's own; it is `WhoCan` from the other side.

use super::{
    prelude::*,
    who_can::{Told, own_key},
};
use crate::{
    ask::{self, Action, Ask, Entry, Stated},
    resolve::{Found, FoundKey},
};
use keyward_policy::{Standpoint, Surveyor};
use keyward_types::{Caller, KeyId};

pub(crate) struct PrincipalCan;

/// The name of the list in its markers.
const LIST: &str = "principal-can";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    principal: String,
    key_id: Option<KeyRef>,
    actions: Option<Vec<String>>,
    encryption_context: Option<EncryptionContext>,
    #[serde(default)]
    context: Vec<Entry>,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    principal: String,
    keys: Vec<OnKey>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OnKey {
    key_id: String,
    /// What the policies say of an action is one thing, what the key can do another.
    key_usage: &'static str,
    key_state: &'static str,
    /// Those that the principal could perform.
    actions: Vec<Able>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Able {
    action: String,
    #[serde(flatten)]
    found: Told,
}

impl Operation for PrincipalCan {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        aliases: true,
        read_only: true,
        logged: &["Principal", "KeyId", "Actions", "EncryptionContext"],
        ..control(
            "PrincipalCan",
            "GET",
            "/v1/principals/{Principal}/can",
            &[
                required("Principal", text(1, 2_048)),
                optional("KeyId", KEY_ID_KIND),
                optional("Actions", Kind::List { of: &ask::ACTION_KIND, min: 0, max: 64 }),
                ENCRYPTION_CONTEXT,
                ask::CONTEXT,
                optional("Limit", Kind::Integer { min: 1, max: 100 }),
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
        let stated = Stated::of(input.encryption_context.as_ref(), &input.context)?;
        let caller = engine.suppose(asker, &input.principal, stated)?;
        let layers = engine.layers(&caller)?;
        let explain = ask::may_explain(engine, asker)?;
        let asked = Ask { engine, caller: &caller, layers: &layers, stated, grants: None };
        let (keys, page) = keys(call, input)?;
        let mut actions: Vec<(Action, Surveyor<'_>)> =
            actions(input)?.into_iter().map(|it| (it, call.policies().surveyor())).collect();
        let mut told = Vec::new();
        for key in &keys {
            let mut able = Vec::new();
            for (action, surveyor) in &mut actions {
                let survey = asked
                    .put(action, key, |question| surveyor.survey(question, Standpoint::Here))?;
                let found = survey.and_then(|survey| Told::of(survey, explain));
                able.extend(found.map(|found| Able { action: action.name.clone(), found }));
            }
            if let (Found::Key(key), false) = (key, able.is_empty()) {
                told.push(OnKey {
                    key_id: key.record.name.to_string(),
                    key_usage: key.record.usage.as_str(),
                    key_state: key.state.as_str(),
                    actions: able,
                });
            }
        }
        Ok(Output { principal: input.principal.clone(), keys: told, page })
    }
}

fn actions(input: &Input) -> Result<Vec<Action>, KmsError> {
    let named = input.actions.as_deref().filter(|named| !named.is_empty());
    let Some(named) = named else { return Ok(Action::on_keys()) };
    let actions: Vec<Action> =
        named.iter().map(|action| Action::parse(action)).collect::<Result<_, _>>()?;
    match actions.iter().find(|action| !action.on_key) {
        Some(action) => Err(KmsError::validation(format!("{} is not on a key", action.name))),
        None => Ok(actions),
    }
}

/// The key that the request names, or a page of the account's keys.
fn keys(call: &mut Call<'_>, input: &Input) -> Result<(Vec<Found>, Page), KmsError> {
    if let Some(key) = &input.key_id {
        return Ok((vec![own_key(call, key)?], Page::default()));
    }
    let after = match &input.marker {
        Some(marker) => {
            let text = call.open_marker(LIST, marker)?;
            Some(KeyId::parse(&text).ok_or_else(wording::bad_marker)?)
        }
        None => None,
    };
    let limit = page_limit(input.limit, 50, 100);
    let Caller { account, origin, .. } = &**call.caller();
    let keys = call.store().keys(account, &origin.region, after.as_ref(), limit + 1);
    let keys = keys.map_err(KmsError::internal)?;
    let (keys, page) = page(call, LIST, keys, limit, |key| key.name.key_id.to_string())?;
    let found = keys.into_iter().map(|record| {
        let state = record.state;
        Found::Key(FoundKey::plain(record, state))
    });
    Ok((found.collect(), page))
}
