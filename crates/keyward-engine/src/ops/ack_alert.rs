//! `AckAlert`: says that somebody looks after an alert. Keyward's own.
//!
//! The first who says so stands; to say it again answers with that one. It changes nothing of the alert.

use super::alert_prelude::*;
use crate::alerts::Acknowledgement;

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
        let account = call.caller().account.as_str();
        let standing = call.engine().alert_book(|book| {
            let entry = book.alert(&input.alert_id);
            let entry = entry.filter(|entry| *entry.alert.subject.account == *account);
            entry.map(|entry| entry.acknowledged.clone())
        });
        let standing = standing.ok_or_else(|| unknown("alert", &input.alert_id))?;
        let Acknowledgement { by, at, comment } = standing.unwrap_or_else(|| Acknowledgement {
            by: call.caller().arn.clone(),
            at: Timestamp::from_seconds(call.now().seconds()),
            comment: input.comment.clone(),
        });
        Ok(Output { alert_id: input.alert_id.clone(), by, at: at.wire(), comment })
    }
}
