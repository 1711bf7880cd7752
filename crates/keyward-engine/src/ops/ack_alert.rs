//! `AckAlert`: says that somebody looks after an alert. Keyward's own.
//!
//! The first who says so stands; to say it again answers with that one. It changes nothing of the alert.

use super::alert_prelude::*;
use crate::alerts::{Acknowledgement, acknowledged};
use keyward_types::AcknowledgementRecord;

pub(crate) struct AckAlert;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    alert_id: String,
    comment: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    alert_id: String,
    by: String,
    at: serde_json::Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

impl Operation for AckAlert {
    const SPEC: Spec = Spec {
        logged: &["AlertId", "Comment"],
        ..alerts(
            "AckAlert",
            "POST",
            "/v1/alerts/{AlertId}/ack",
            &[ALERT_ID, optional("Comment", text(1, 1_024))],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let account = call.caller().account.clone();
        let known = call.engine().alert_book(|book| {
            let entry = book.alert(&input.alert_id);
            entry.is_some_and(|entry| *entry.alert.subject.account == *account.as_str())
        });
        if !known {
            return Err(unknown("alert", &input.alert_id));
        }
        let name = AlertName::Acknowledgement(account.clone(), input.alert_id.clone());
        call.rest_on(Name::Alert(name.clone()));
        let standing = call.store().alert(&name).map_err(KmsError::internal)?;
        let first = match standing.as_deref() {
            Some(AlertRecord::Acknowledgement(standing)) => standing.clone(),
            _ => {
                let first = AcknowledgementRecord {
                    account,
                    alert_id: input.alert_id.clone(),
                    by: call.caller().arn.clone(),
                    at: Timestamp::from_seconds(call.now().seconds()),
                    comment: input.comment.clone(),
                };
                forget(call)?;
                call.put(Record::Alert(AlertRecord::Acknowledgement(first.clone())));
                first
            }
        };
        let Acknowledgement { by, at, comment } = acknowledged(&first);
        Ok(Output { alert_id: input.alert_id.clone(), by, at: at.wire(), comment })
    }
}

/// Acknowledgements of alerts that are forgotten go with the next one, so that there are never many.
fn forget(call: &mut Call<'_>) -> Result<(), KmsError> {
    let engine = call.engine();
    if engine.alerts_are_relearned() {
        return Ok(());
    }
    let known = call.store().acknowledgements(&call.caller().account);
    let known = known.map_err(KmsError::internal)?;
    let names = known.iter().map(|record| record.name());
    let gone: Vec<AlertName> = engine.alert_book(|book| {
        let is_forgotten = |name: &AlertName| match name {
            AlertName::Acknowledgement(_, id) => book.alert(id).is_none(),
            AlertName::Settings | AlertName::Silence(..) => false,
        };
        names.filter(is_forgotten).collect()
    });
    gone.into_iter().for_each(|name| call.delete(Name::Alert(name)));
    Ok(())
}
