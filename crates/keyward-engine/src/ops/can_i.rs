//! `CanI`: whether the caller itself may, without doing it. Keyward's own.
//!
//! It needs no permission: the answer is what a request would have told. Layer by layer it is told to who may
//! explain decisions (`keyward:ExplainDecision`).

use super::prelude::*;
use crate::ask::{self, About, Action, Answer, Ask, Entry, Stated};
use keyward_types::Caller;

pub(crate) struct CanI;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    action: String,
    key_id: Option<KeyRef>,
    encryption_context: Option<EncryptionContext>,
    #[serde(default)]
    context: Vec<Entry>,
}

impl Operation for CanI {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        aliases: true,
        read_only: true,
        logged: &["Action", "KeyId", "EncryptionContext"],
        ..control(
            "CanI",
            "POST",
            "/v1/can-i",
            &[
                required("Action", ask::ACTION_KIND),
                optional("KeyId", KEY_ID_KIND),
                ENCRYPTION_CONTEXT,
                ask::CONTEXT,
            ],
        )
    };
    type Input = Input;
    type Output = Answer;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Unchecked)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Answer, KmsError> {
        let (engine, asker) = (call.engine(), call.caller());
        let action = Action::parse(&input.action)?;
        let stated = Stated::of(input.encryption_context.as_ref(), &input.context)?;
        stated.check_elsewhere(asker, input.key_id.as_ref())?;
        stated.check_own()?;
        // The caller as it is, with its session's tags and policies, and with what it supposes of its way here.
        let mut caller = Caller::clone(asker);
        stated.fill_origin(engine, asker, &mut caller)?;
        let about = About { key: input.key_id.as_ref(), resource: None };
        let found = about.find(engine, &caller, &Self::SPEC, &action)?;
        let layers = engine.layers(&caller)?;
        let asked = Ask { engine, caller: &caller, layers: &layers, stated, grants: None };
        Answer::of(&asked, &action, &found, ask::may_explain(engine, asker)?)
    }
}
