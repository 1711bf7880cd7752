//! `ScheduleKeyDeletion` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
//!
//! What happens on the day is in `housekeeping.rs`.

use super::prelude::*;
use keyward_types::limits;

pub(crate) struct ScheduleKeyDeletion;

/// Days when the request names none.
pub(crate) const WINDOW_DAYS_DEFAULT: u16 = 30;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    pending_window_in_days: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    /// Absent while replicas are waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_date: Option<serde_json::Number>,
    key_state: KeyState,
    pending_window_in_days: u16,
    /// The same date, as CloudTrail writes it.
    #[serde(skip)]
    date: Option<Timestamp>,
}

impl Operation for ScheduleKeyDeletion {
    const SPEC: Spec = Spec {
        states: &[
            KeyState::Creating,
            KeyState::Enabled,
            KeyState::Disabled,
            KeyState::PendingImport,
            KeyState::Unavailable,
        ],
        logged: &["KeyId", "PendingWindowInDays"],
        ..control(
            "ScheduleKeyDeletion",
            "POST",
            "/v1/keys/{KeyId}/deletion",
            &[KEY_ID, optional("PendingWindowInDays", Kind::Integer { min: 1, max: 365 })],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        input.check()?;
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:ScheduleKeyDeletionPendingWindowInDays", input.days().to_string());
    }

    fn found_facts(
        engine: &crate::Engine,
        keys: &[&KeyRecord],
        facts: &mut Facts<'_>,
    ) -> Result<(), KmsError> {
        trailing_days_fact(engine, keys, facts)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let key = KeyRecord::clone(call.key()?);
        let days = input.days();
        // A primary key outlives its replicas: its own days are counted when the last one is gone.
        let waits = !key.is_replica()
            && key.multi_region.as_ref().is_some_and(|related| !related.replicas.is_empty());
        let state =
            if waits { KeyState::PendingReplicaDeletion } else { KeyState::PendingDeletion };
        let date = (!waits).then(|| call.now().plus_days(days.into()));
        let output = Output {
            key_id: key.name.to_string(),
            deletion_date: date.map(Timestamp::wire),
            key_state: state,
            pending_window_in_days: days,
            date,
        };
        call.put(Record::Key(KeyRecord {
            state,
            deletion_date: date,
            pending_window_days: waits.then_some(days),
            ..key
        }));
        Ok(output)
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        let mut elements = json!({
            "keyId": output.key_id,
            "keyState": output.key_state,
            "pendingWindowInDays": output.pending_window_in_days,
        });
        if let (Some(date), Some(members)) = (output.date, elements.as_object_mut()) {
            members.insert("deletionDate".to_owned(), trail_date(date).into());
        }
        Some(elements)
    }
}

impl Input {
    fn days(&self) -> u16 {
        self.pending_window_in_days.unwrap_or(WINDOW_DAYS_DEFAULT)
    }

    /// The service is stricter than its model.
    fn check(&self) -> Result<(), KmsError> {
        let days = self.days();
        let constraint = if days < *limits::PENDING_WINDOW_DAYS.start() {
            format!("greater than or equal to {}", limits::PENDING_WINDOW_DAYS.start())
        } else if *limits::PENDING_WINDOW_DAYS.end() < days {
            format!("less than or equal to {}", limits::PENDING_WINDOW_DAYS.end())
        } else {
            return Ok(());
        };
        Err(KmsError::validation(format!(
            "1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: \
             Member must have value {constraint}"
        )))
    }
}
