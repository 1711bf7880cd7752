//! `PutAlertSettings`: states the detectors' settings whole: thresholds, settings of single keys, canary keys, approval
//! rules, detectors that are off. Keyward's own.
//!
//! Without settings those of the configuration hold again. Detectors look at every account, so that only principals of
//! the service's own account may say how. The settings are JSON text, as policies are; silences are not among them.

use super::alert_prelude::*;
use keyward_types::AlertSettingsRecord;
use keyward_watch::Settings;

pub(crate) struct PutAlertSettings;

/// Beyond it an event would have to leave some out.
const SETTINGS_CHARS_MAX: usize = 65_536;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    settings: Option<String>,
}

impl Operation for PutAlertSettings {
    const SPEC: Spec = Spec {
        logged: &["Settings"],
        ..alerts(
            "PutAlertSettings",
            "PUT",
            "/v1/alerts/settings",
            &[optional("Settings", text(0, SETTINGS_CHARS_MAX))],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let (own, caller) = (&call.engine().settings().account, call.caller());
        if caller.account != *own {
            return Err(KmsError::new(
                ErrorCode::AccessDenied,
                format!(
                    "The detectors' settings are for principals of this service's own account {own}; {} belongs to {}",
                    caller.arn, caller.account
                ),
            ));
        }
        call.rest_on(Name::Alert(AlertName::Settings));
        let Some(text) = input.settings.as_ref().filter(|text| !text.is_empty()) else {
            let stated = call.store().alert(&AlertName::Settings).map_err(KmsError::internal)?;
            if stated.is_some() {
                call.delete(Name::Alert(AlertName::Settings));
            }
            return Ok(Empty);
        };
        let settings: Settings = serde_json::from_str(text)
            .map_err(|error| KmsError::validation(format!("Settings: {error}")))?;
        if !settings.silences.is_empty() {
            return Err(KmsError::validation(
                "Settings: silences are made and ended one by one, with CreateAlertSilence and ExpireAlertSilence.",
            ));
        }
        settings.check().map_err(|error| KmsError::validation(format!("Settings: {error}")))?;
        let stated = AlertSettingsRecord {
            text: text.clone(),
            by: call.caller().arn.clone(),
            since: call.now(),
        };
        call.put(Record::Alert(AlertRecord::Settings(stated)));
        Ok(Empty)
    }
}
