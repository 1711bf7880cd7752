//! `CreateAlertSilence`: alerts of the account that fit are not told for so many minutes. Keyward's own.
//!
//! What is told already stays told, and what still stands when the silence ends is told then.

use super::alert_prelude::*;
use crate::alerts::SILENCES_MAX;

pub(crate) struct CreateAlertSilence;

/// A year and a day.
const MINUTES_MAX: i64 = 366 * 1_440;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    minutes: i64,
    detector: Option<String>,
    principal: Option<String>,
    key: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    silence_id: String,
    until: serde_json::Number,
}

impl Operation for CreateAlertSilence {
    const SPEC: Spec = Spec {
        logged: &["Minutes", "Reason", "Detector", "Principal", "Key"],
        ..alerts(
            "CreateAlertSilence",
            "POST",
            "/v1/alerts/silences",
            &[
                required("Minutes", Kind::Integer { min: 1, max: MINUTES_MAX }),
                required("Reason", text(1, 1_024)),
                optional("Detector", Kind::Enum(keyward_telemetry::DETECTORS)),
                optional("Principal", text(1, 2_048)),
                optional("Key", text(1, 2_048)),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let Input { minutes, detector, principal, key } = input;
        if detector.is_none() && principal.is_none() && key.is_none() {
            return Err(KmsError::validation(
                "A silence names a Detector, a Principal or a Key; * stands for any text.",
            ));
        }
        let now = Timestamp::from_seconds(call.now().seconds());
        if SILENCES_MAX <= call.engine().alert_book(|book| book.silences(now).count()) {
            return Err(KmsError::new(
                ErrorCode::LimitExceeded,
                format!("{SILENCES_MAX} silences hold already."),
            ));
        }
        let silence_id = format!("silence-{}", hex::encode(call.random::<8>()));
        call.note("silenceId", silence_id.clone());
        Ok(Output { silence_id, until: now.plus_seconds(minutes * 60).wire() })
    }
}
