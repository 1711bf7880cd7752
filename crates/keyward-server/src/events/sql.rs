//! `POST /v1/events/sql`: questions in SQL, an asker's own or one of the pack.
//!
//! Who may is said by `keyward:ListEvents`, and what is seen is what a listing shows: the events of the
//! caller's account, without policy text unless `keyward:ExplainDecision` allows.
//! A question runs on a lane of its own for so many seconds at most.

use super::{LIST, Route, admitted_with, permission};
use crate::{answer, doors::Doors};
use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use keyward_engine::Engine;
use keyward_sql::{
    Answer, EventSource, Page, Question, Scan, SourceError, SourceEvent, SqlError, Term,
};
use keyward_store::{EventQuery, StoredEvent};
use keyward_trail::query::{Field, IndexTerm, Query, Term as QueryTerm, filed_as, log_term};
use keyward_types::{Caller, ErrorCode, KmsError, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

const ROWS_DEFAULT: usize = 1_000;
const ROWS_MAX: usize = 10_000;

pub(crate) const ROUTE: Route = Route {
    name: "QueryEvents",
    path: "/v1/events/sql",
    summary: "A question in SQL over the account's events (Query, or Name for one of the pack; Parameters, Limit)",
    query: &[],
    content_type: answer::JSON,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Input {
    query: Option<String>,
    name: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    limit: Option<usize>,
}

/// A statement that is ready to run.
struct Ready {
    sql: String,
    parameters: Map<String, Value>,
    rows_max: usize,
}

pub(super) async fn serve(
    request: HttpRequest,
    payload: Payload,
    doors: Data<Doors>,
) -> HttpResponse {
    let answer = async {
        let request_id = doors.engine.fresh_id();
        let body = match doors.body(payload).await {
            Ok(body) => body,
            Err(error) => return error.answer(request_id),
        };
        match answered(&request, &body, &doors, request_id).await {
            Ok(body) => answer::begin(StatusCode::OK, answer::JSON, request_id).body(body),
            Err(error) => answer::rest_error(&error, request_id),
        }
    };
    doors.guarded(answer, answer::rest_error).await
}

async fn answered(
    request: &HttpRequest,
    body: &[u8],
    doors: &Data<Doors>,
    request_id: Uuid,
) -> Result<String, KmsError> {
    let caller = admitted_with(request, doors, LIST, body, request_id).await?;
    let ready = ready(body, &doors.engine)?;
    let source = LogSource::of(&doors.engine, &caller)?;
    let expired = expired(doors);
    let now = doors.engine.now();
    let asked = doors.lanes.question(&doors.engine, move || {
        let Ready { sql, parameters, rows_max } = &ready;
        let question = Question { sql, parameters, now, rows_max: *rows_max };
        keyward_sql::ask(Arc::new(source), &question, expired).map(|answer| written(&answer))
    });
    asked.await?.map_err(|error| match error {
        SqlError::Source(error) => KmsError::internal(error),
        error => KmsError::validation(error.to_string()),
    })
}

/// Says when a question has had its time, or the service is stopping. The time begins with the first look:
/// waiting for the lane costs nothing. That an asker went away is not noticed while nothing is sent.
fn expired(doors: &Data<Doors>) -> Arc<dyn Fn() -> bool + Send + Sync> {
    let doors = Data::clone(doors);
    let begun = OnceLock::new();
    Arc::new(move || {
        let now = doors.engine.monotonic_nanos();
        let begun = *begun.get_or_init(|| now);
        doors.is_draining() || doors.question_nanos_max < now.saturating_sub(begun)
    })
}

fn ready(body: &[u8], engine: &Engine) -> Result<Ready, KmsError> {
    let input: Input = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        KmsError::new(
            ErrorCode::Serialization,
            format!("The request body does not fit QueryEvents: {place}"),
        )
    })?;
    let rows_max = input.limit.unwrap_or(ROWS_DEFAULT);
    if !(1..=ROWS_MAX).contains(&rows_max) {
        return Err(KmsError::validation("Limit must be from 1 to 10000."));
    }
    match (input.query, input.name) {
        (Some(sql), None) => Ok(Ready { sql, parameters: input.parameters, rows_max }),
        (None, Some(name)) => {
            let named = keyward_sql::named(&name).ok_or_else(|| {
                let names: Vec<&str> = keyward_sql::pack().map(|named| named.name).collect();
                KmsError::validation(format!("Name must be one of {}.", names.join(", ")))
            })?;
            if let Some(why) = named.whole_log {
                return Err(KmsError::validation(format!(
                    "{name} is asked of a whole store, because {why}: stop the service and ask with --data. `keyward audit verify` proves that nothing is missing from the running log."
                )));
            }
            let parameters =
                named.values(&input.parameters, engine.now()).map_err(KmsError::validation)?;
            Ok(Ready { sql: named.sql.to_owned(), parameters, rows_max })
        }
        _ => Err(KmsError::validation("Give Query or Name, and not both.")),
    }
}

fn written(answer: &Answer) -> String {
    json!({"Columns": answer.columns, "Rows": answer.rows, "Truncated": answer.truncated})
        .to_string()
}

/// The log as one reader sees it.
pub struct LogSource {
    engine: Arc<Engine>,
    /// Whose events; everybody's without one.
    account: Option<String>,
    explains: bool,
}

impl LogSource {
    /// The whole log with everything in it, for who holds the store itself.
    pub fn whole(engine: &Arc<Engine>) -> Self {
        Self { engine: Arc::clone(engine), account: None, explains: true }
    }

    fn of(engine: &Arc<Engine>, caller: &Caller) -> Result<Self, KmsError> {
        Ok(Self {
            account: Some(caller.account.to_string()),
            explains: permission::may_explain(engine, caller)?,
            engine: Arc::clone(engine),
        })
    }
}

impl EventSource for LogSource {
    fn total(&self) -> u64 {
        self.engine.store().events_total()
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Page, SourceError> {
        // An event's or a request's id says by itself where to look.
        let id = scan.terms.iter().find(|term| matches!(term, Term::Event(_) | Term::Request(_)));
        if let Some(Term::Event(id) | Term::Request(id)) = id {
            return self.named(id, scan);
        }
        let account = self.account.as_deref().map(|account| vec![log_term(account)]);
        let query = EventQuery {
            newest_first: scan.newest_first,
            after: scan.after,
            limit: scan.limit,
            from: scan.from,
            to: scan.to,
            clauses: account.into_iter().chain(scan.terms.iter().filter_map(clause)).collect(),
        };
        let found = self.engine.store().events(&query);
        let events = found.map_err(|error| SourceError(error.to_string()))?;
        let is_more = scan.limit <= events.len();
        let next = events.last().map(|event| event.seq).filter(|_| is_more);
        Ok(self.page(events, next))
    }
}

impl LogSource {
    /// An index tells by a digest; whose event it is is told by its record.
    fn page(&self, events: Vec<StoredEvent>, next: Option<u64>) -> Page {
        let own = |event: &StoredEvent| {
            self.account.as_deref().is_none_or(|account| super::is_in_log(&event.record, account))
        };
        let event = |event: StoredEvent| SourceEvent {
            seq: event.seq,
            time: event.time,
            record: event.record,
            is_withheld: !self.explains,
        };
        Page { events: events.into_iter().filter(own).map(event).collect(), next }
    }

    /// The event, or the request's events, that this id names. What is no id names none.
    fn named(&self, id: &str, scan: &Scan<'_>) -> Result<Page, SourceError> {
        let Ok(id) = Uuid::parse_str(id) else { return Ok(Page::default()) };
        let found = super::named(self.engine.store(), id);
        let mut events = found.map_err(|error| SourceError(error.to_string()))?;
        let is_beyond = |seq: u64| {
            scan.after.is_none_or(|after| if scan.newest_first { seq < after } else { after < seq })
        };
        events.retain(|event| is_beyond(event.seq));
        if scan.newest_first {
            events.reverse();
        }
        Ok(self.page(events, None))
    }
}

/// Digests of which events with this term have one; `None` where the index has nothing to say.
fn clause(term: &Term) -> Option<Vec<u64>> {
    let (field, value) = match term {
        // Under its own text, whatever it looks like.
        Term::AccessKey(value) => {
            let filed = IndexTerm { field: Field::Principal, value: value.clone() };
            return Some(filed_as(&[filed]));
        }
        Term::Event(_) | Term::Request(_) => return None,
        Term::Key(value) => (Field::Key, value),
        Term::Principal(value) => (Field::Principal, value),
        Term::Account(value) => (Field::Account, value),
        Term::Service(value) => (Field::Service, value),
        Term::Operation(value) => (Field::Operation, value),
        Term::Outcome(value) | Term::Error(value) => (Field::Result, value),
    };
    let query = Query::new().with(QueryTerm::counted(&field, value)?);
    let clauses = query.narrowing(Timestamp(0)).clauses;
    clauses.first().map(|clause| filed_as(clause))
}
