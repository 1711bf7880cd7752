//! Notices: the log's own events that an alert began or ended, in the log's order.
//!
//! The log is the queue of what is to be told, so that nothing is lost with the process, and a target that is away for
//! long fills no memory.

use super::told;
use keyward_engine::{
    Engine,
    alerts::{FIRED, RESOLVED},
};
use keyward_store::EventQuery;
use keyward_trail::query::{Query, filed_as};
use keyward_types::{KmsError, Timestamp};
use keyward_watch::Alert;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// One of them, ready to be told.
pub(super) struct Notice {
    /// Its number in the log.
    pub(super) seq: u64,
    /// The id of its event.
    pub(super) id: String,
    pub(super) body: Vec<u8>,
}

/// Notices beyond an event number, at most so many.
pub(super) fn read(
    engine: &Engine,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<Notice>, KmsError> {
    let words = format!("op:{FIRED},{RESOLVED}");
    let query = Query::parse(&words).map_err(KmsError::internal)?;
    let clauses = query.narrowing(engine.now()).clauses;
    let clauses = clauses.iter().map(|clause| filed_as(clause)).collect();
    let asked = EventQuery { after, limit, clauses, ..EventQuery::default() };
    let events = engine.store().events(&asked).map_err(KmsError::internal)?;
    Ok(events.iter().filter_map(|event| of(event.seq, event.time, &event.record)).collect())
}

fn of(seq: u64, time: Timestamp, record: &[u8]) -> Option<Notice> {
    let record: Value = serde_json::from_slice(record).ok()?;
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let name = text("eventName").filter(|name| [FIRED, RESOLVED].contains(name))?;
    // A digest may be shared by another event.
    text("eventSource").filter(|source| *source == "keyward.amazonaws.com")?;
    let details = record.get("serviceEventDetails")?;
    let alert = Alert::deserialize(details.get("alert")?).ok()?;
    let mut told = told::facts(&alert);
    told.as_object_mut()?.insert("AlertId".to_owned(), details.get("alertId")?.clone());
    let id = text("eventID")?.to_owned();
    let body = json!({"Type": name, "NoticeId": id, "Time": time.wire(), "Alert": told});
    Some(Notice { seq, id, body: body.to_string().into_bytes() })
}
