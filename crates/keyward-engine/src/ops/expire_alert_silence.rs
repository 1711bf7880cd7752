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
        let account = call.caller().account.clone();
        let name = AlertName::Silence(account, input.silence_id.clone());
        call.rest_on(Name::Alert(name.clone()));
        if call.store().alert(&name).map_err(KmsError::internal)?.is_none() {
            return Err(unknown("silence", &input.silence_id));
        }
        call.delete(Name::Alert(name));
        Ok(Empty)
    }
}
