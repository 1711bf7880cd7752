//! `CreateAlertSilence`: alerts of the account that fit are not told for so many minutes. Keyward's own.
//!
//! What is told already stays told, and what still stands when the silence ends is told then.

use super::alert_prelude::*;
use crate::alerts::SILENCES_MAX;
use keyward_types::SilenceRecord;

pub(crate) struct CreateAlertSilence;

/// A year and a day.
const MINUTES_MAX: i64 = 366 * 1_440;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    minutes: i64,
    reason: String,
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
        let Input { minutes, reason, detector, principal, key } = input;
        if detector.is_none() && principal.is_none() && key.is_none() {
            return Err(KmsError::validation(
                "A silence names a Detector, a Principal or a Key; * stands for any text.",
            ));
        }
        let now = Timestamp::from_seconds(call.now().seconds());
        let account = call.caller().account.clone();
        call.rest_on(Name::Silences(account.clone()));
        let known = call.store().silences(&account).map_err(KmsError::internal)?;
        let has_ended = |record: &AlertRecord| match record {
            AlertRecord::Silence(silence) => silence.until <= now,
            AlertRecord::Settings(_) | AlertRecord::Acknowledgement(_) => false,
        };
        let (ended, holding): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|record| has_ended(record));
        if SILENCES_MAX <= holding.len() {
            return Err(KmsError::new(
                ErrorCode::LimitExceeded,
                format!("{SILENCES_MAX} silences of account {account} hold already."),
            ));
        }
        ended.iter().for_each(|record| call.delete(Name::Alert(record.name())));
        let silence_id = format!("silence-{}", hex::encode(call.random::<8>()));
        let silence = SilenceRecord {
            account,
            id: silence_id.clone(),
            detector: detector.clone(),
            principal: principal.clone(),
            key: key.clone(),
            reason: reason.clone(),
            by: call.caller().arn.clone(),
            since: now,
            until: now.plus_seconds(minutes * 60),
        };
        call.note("silenceId", silence_id.clone());
        let until = silence.until.wire();
        call.put(Record::Alert(AlertRecord::Silence(silence)));
        Ok(Output { silence_id, until })
    }
}
