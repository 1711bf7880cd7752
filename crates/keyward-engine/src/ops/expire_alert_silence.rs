//! `ExpireAlertSilence`: ends a silence before its time. Keyward's own.

use super::alert_prelude::*;

pub(crate) struct ExpireAlertSilence;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    silence_id: String,
}

impl Operation for ExpireAlertSilence {
    const SPEC: Spec = Spec {
        logged: &["SilenceId"],
        ..alerts("ExpireAlertSilence", "DELETE", "/v1/alerts/silences/{SilenceId}", &[SILENCE_ID])
    };
    type Input = Input;
    type Output = Empty;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let account = call.caller().account.as_str();
        let known = call.engine().alert_book(|book| {
            let entry = book.silence(&input.silence_id);
            entry.is_some_and(|entry| entry.silence.account.as_deref() == Some(account))
        });
        if known { Ok(Empty) } else { Err(unknown("silence", &input.silence_id)) }
    }
}
