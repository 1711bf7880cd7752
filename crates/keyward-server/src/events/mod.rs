//! `/v1/events` and `/v1/explain`: the log, read, followed and explained.
//!
//! Who may: the root user, and whoever an identity policy allows `keyward:ListEvents` or
//! `keyward:ExplainDecision` on `*`. A caller sees the events of its own account alone.
//! Statements, near misses and remedies are policy text: who may not explain reads, filters and follows
//! events without them, here and in LookupEvents.
//! A refused read leaves an event of its own; an allowed one leaves none, so that a board that looks
//! every few seconds does not fill the log that it looks at.

mod asked;
pub(crate) mod lookup;
pub(crate) mod permission;
mod proof;
mod rare;
pub(crate) mod sql;
mod stats;
mod tail;

pub(crate) use tail::Growth;

use crate::{
    answer,
    authn::{Arrival, Gate},
    doors::Doors,
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Data, ServiceConfig},
};
use asked::Asked;
use keyward_engine::Engine;
use keyward_store::{EventQuery, Store, StoredEvent};
use keyward_trail::query::log_term;
use keyward_types::{Caller, ErrorCode, KmsError, Timestamp};
use permission::Action;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

const LIST: Action = Action { service: "keyward", operation: "ListEvents" };
pub(crate) const EXPLAIN: Action = Action { service: "keyward", operation: "ExplainDecision" };
const LOOKUP: Action = Action { service: "cloudtrail", operation: "LookupEvents" };

/// What the OpenAPI document says of one of these paths.
pub(crate) struct Route {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [&'static str],
    pub(crate) content_type: &'static str,
}

const FILTERS: &[&str] =
    &["q", "operation", "principal", "key", "outcome", "requestId", "since", "until", "text"];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        name: LIST.operation,
        path: "/v1/events",
        summary: "Events of the account, newest first unless order=oldest",
        query: &[
            "q",
            "operation",
            "principal",
            "key",
            "outcome",
            "requestId",
            "since",
            "until",
            "text",
            "order",
            "limit",
            "after",
        ],
        content_type: answer::JSON,
    },
    Route {
        name: "GetEventStatistics",
        path: "/v1/events/stats",
        summary: "How often each value of some fields occurs in events, when first and last, and a time line",
        query: &[
            "q",
            "by",
            "operation",
            "principal",
            "key",
            "outcome",
            "since",
            "until",
            "text",
            "limit",
        ],
        content_type: answer::JSON,
    },
    Route {
        name: "ListRareEvents",
        path: "/v1/events/rare",
        summary: "What is rare for a principal among what it did, and with new what it never did before that time",
        query: &[
            "q",
            "by",
            "share",
            "least",
            "new",
            "operation",
            "principal",
            "key",
            "outcome",
            "since",
            "until",
            "text",
            "limit",
        ],
        content_type: answer::JSON,
    },
    Route {
        name: "TailEvents",
        path: "/v1/events/tail",
        summary: "Events as they are written (server-sent events); the header Last-Event-ID goes on behind an event",
        query: FILTERS,
        content_type: EVENT_STREAM,
    },
    Route {
        name: "GetEvent",
        path: "/v1/events/{id}",
        summary: "One event, by its id or its request's",
        query: &[],
        content_type: answer::JSON,
    },
    Route {
        name: EXPLAIN.operation,
        path: "/v1/explain/{id}",
        summary: "Why a request was allowed or refused, by its event's id or its own, and what would change it",
        query: &[],
        content_type: answer::JSON,
    },
    Route {
        name: "GetLogKey",
        path: "/v1/log/key",
        summary: "The public key by which the log's checkpoints are checked",
        query: &[],
        content_type: answer::JSON,
    },
    Route {
        name: "GetWitnessKey",
        path: "/v1/log/witness-key",
        summary: "The public key under which this service cosigns checkpoints of other logs",
        query: &[],
        content_type: answer::JSON,
    },
    Route {
        name: "GetLogCheckpoint",
        path: "/v1/log/checkpoint",
        summary: "The log's newest checkpoint, a signed note (c2sp.org/tlog-checkpoint)",
        query: &["new", "cosigned"],
        content_type: answer::TEXT,
    },
    Route {
        name: "GetLogConsistency",
        path: "/v1/log/consistency",
        summary: "The hashes that show that the log only grew from one size to another",
        query: &["from", "to"],
        content_type: answer::JSON,
    },
    Route {
        name: "GetLogProof",
        path: "/v1/log/proof/{id}",
        summary: "The proof that an event is in the log (c2sp.org/tlog-proof), by its id or its request's, under the checkpoint of a size, or the first that speaks of it, a cosigned one before others",
        query: &["checkpoint"],
        content_type: answer::TEXT,
    },
];

const EVENT_STREAM: &str = "text/event-stream";

pub(crate) fn configure(config: &mut ServiceConfig) {
    proof::configure(config);
    config
        .route("/v1/events", web::get().to(list))
        .route("/v1/events/stats", web::get().to(stats::serve))
        .route("/v1/events/rare", web::get().to(rare::serve))
        .route("/v1/events/tail", web::get().to(tail))
        .route(sql::ROUTE.path, web::post().to(sql::serve))
        .route("/v1/events/{id}", web::get().to(show))
        .route("/v1/explain/{id}", web::get().to(explain));
}

async fn list(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, LIST, |caller, _| {
        let asked = Asked::of(request.uri().query().unwrap_or_default(), doors.engine.now())?;
        let (events, next) = search(&doors.engine, caller, &asked, |_| true)?;
        Ok((answer::JSON, page(&events, next, &asked)))
    })
    .await
}

async fn show(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, LIST, |caller, id| {
        let (event, mut record) = found(&doors, caller, id)?;
        if permission::may_explain(&doors.engine, caller)? {
            return Ok((answer::JSON, event.record));
        }
        keyward_trail::withhold(&mut record);
        Ok((answer::JSON, record.to_string().into_bytes()))
    })
    .await
}

async fn explain(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    let as_text = accept.starts_with("text/plain");
    answered(&request, &doors, EXPLAIN, |caller, id| {
        let (event, record) = found(&doors, caller, id)?;
        let text = keyward_trail::explain(&record, false);
        if as_text {
            return Ok((answer::TEXT, text.into_bytes()));
        }
        let body = json!({
            "EventId": event.event_id.to_string(),
            "RequestId": event.request_id.to_string(),
            "Event": facts(&record),
            "Text": text,
            "Decisions": keyward_trail::explained_of(&record),
        });
        Ok((answer::JSON, body.to_string().into_bytes()))
    })
    .await
}

/// What an explanation says of the event itself.
fn facts(record: &Value) -> Value {
    const MEMBERS: &[&str] = &[
        "eventTime",
        "eventSource",
        "eventName",
        "userIdentity",
        "sourceIPAddress",
        "requestParameters",
        "resources",
        "errorCode",
        "errorMessage",
    ];
    let known = MEMBERS.iter().filter_map(|name| Some((*name, record.get(name)?.clone())));
    Value::Object(known.map(|(name, value)| (name.to_owned(), value)).collect())
}

async fn tail(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    let request_id = doors.engine.fresh_id();
    let caller = match admitted(&request, &doors, LIST, request_id).await {
        Ok(caller) => caller,
        Err(error) => return answer::rest_error(&error, request_id),
    };
    let asked = Asked::of(request.uri().query().unwrap_or_default(), doors.engine.now());
    let ready = asked.and_then(|asked| {
        let token = Gate::session_token(&Arrival::of(&request, b""));
        Ok(tail::Tail::new(doors, &caller, asked.query, last_event_id(&request)?, token))
    });
    match ready {
        Ok(tail) => answer::begin(StatusCode::OK, EVENT_STREAM, request_id).body(tail),
        Err(error) => answer::rest_error(&error, request_id),
    }
}

/// The number of the last event that a client of server-sent events had before it lost its connection.
fn last_event_id(request: &HttpRequest) -> Result<Option<u64>, KmsError> {
    let Some(given) = request.headers().get("last-event-id") else { return Ok(None) };
    let number = given.to_str().ok().and_then(|text| text.parse().ok());
    let bad = || KmsError::validation("Last-Event-ID must be the id of an event of the stream.");
    number.map(Some).ok_or_else(bad)
}

/// Authentication, permission, the work itself, and the answer. The second argument is the path's id.
async fn answered(
    request: &HttpRequest,
    doors: &Doors,
    action: Action,
    work: impl FnOnce(&Caller, &str) -> Result<(&'static str, Vec<u8>), KmsError>,
) -> HttpResponse {
    let answer = async {
        let request_id = doors.engine.fresh_id();
        let id = request.match_info().get("id").unwrap_or_default();
        let worked =
            admitted(request, doors, action, request_id).await.and_then(|caller| work(&caller, id));
        match worked {
            Ok((kind, body)) => answer::begin(StatusCode::OK, kind, request_id).body(body),
            Err(error) => answer::rest_error(&error, request_id),
        }
    };
    doors.guarded(answer, answer::rest_error).await
}

pub(crate) async fn admitted(
    request: &HttpRequest,
    doors: &Doors,
    action: Action,
    request_id: Uuid,
) -> Result<Arc<Caller>, KmsError> {
    admitted_with(request, doors, action, b"", request_id).await
}

/// The same of a request with a body.
async fn admitted_with(
    request: &HttpRequest,
    doors: &Doors,
    action: Action,
    body: &[u8],
    request_id: Uuid,
) -> Result<Arc<Caller>, KmsError> {
    let caller = doors.admit(request, body, "kms", request_id)?;
    permission::check(&doors.engine, &caller, action).await?;
    Ok(caller)
}

/// Records looked at in one request, when no index answers the question alone.
const SCANNED_MAX: usize = 100_000;
const SCANNED_AT_ONCE: usize = 500;

/// Matching events, newest first unless asked otherwise, and where to go on: beyond the last one that was looked at.
fn search(
    engine: &Engine,
    caller: &Caller,
    asked: &Asked,
    also: impl Fn(&Value) -> bool,
) -> Result<(Vec<StoredEvent>, Option<u64>), KmsError> {
    let mut found = Vec::new();
    let looked = each(engine, caller, asked, SCANNED_MAX, |event, record| {
        if also(record) {
            found.push(event);
        }
        found.len() < asked.limit
    })?;
    Ok((found, looked.next))
}

/// How far a look through the log came.
struct Looked {
    /// Where to go on; `None` at the end.
    next: Option<u64>,
}

/// Hands every matching event to `take`, newest first, until it has enough or so many were looked at.
fn each(
    engine: &Engine,
    caller: &Caller,
    asked: &Asked,
    scanned_max: usize,
    mut take: impl FnMut(StoredEvent, &Value) -> bool,
) -> Result<Looked, KmsError> {
    let now = engine.now();
    let explains = permission::may_explain(engine, caller)?;
    if let Some(ids) = asked.ids(now) {
        return of_ids(engine, caller, asked, explains, &ids, take);
    }
    let (mut clauses, complete) = asked.clauses(explains, now);
    clauses.push(vec![log_term(caller.account.as_str())]);
    let window = asked.query.window(now);
    let (mut scanned, mut after) = (0, asked.after);
    // Where the index may find too much, more and more is read at once.
    let mut limit = asked.limit.max(1);
    loop {
        let query = EventQuery {
            newest_first: !asked.oldest_first,
            after,
            limit,
            from: window.since,
            to: window.until.map(whole_second),
            clauses: clauses.clone(),
        };
        let events = engine.store().events(&query).map_err(KmsError::internal)?;
        let is_last = events.len() < limit;
        scanned += events.len();
        for mut event in events {
            after = Some(event.seq);
            let Some(record) = shown(&mut event, explains) else { continue };
            let matches =
                is_of(&record, caller.account.as_str()) && asked.query.matches(&record, now);
            if matches && !take(event, &record) {
                return Ok(Looked { next: after });
            }
        }
        if is_last {
            // Oldest first, more comes as it is written.
            return Ok(Looked { next: after.filter(|_| asked.oldest_first) });
        }
        if scanned_max <= scanned {
            return Ok(Looked { next: after });
        }
        limit = if complete { limit } else { (limit * 2).min(SCANNED_AT_ONCE) };
    }
}

/// Records have whole seconds, and count as theirs.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp(Timestamp::from_seconds(time.seconds()).0.saturating_add(999))
}

/// The event with this id, or those of the request with this id, whosever they are: a request's own event, and the
/// copies that the owners of what it used received.
fn named(store: &Store, id: Uuid) -> Result<Vec<StoredEvent>, KmsError> {
    match store.event_by_id(id).map_err(KmsError::internal)? {
        Some(event) => Ok(vec![event]),
        None => store.events_by_request_id(id).map_err(KmsError::internal),
    }
}

/// The same for events that are named by their ids.
fn of_ids(
    engine: &Engine,
    caller: &Caller,
    asked: &Asked,
    explains: bool,
    ids: &[String],
    mut take: impl FnMut(StoredEvent, &Value) -> bool,
) -> Result<Looked, KmsError> {
    let store = engine.store();
    let mut found: Vec<StoredEvent> = Vec::new();
    for id in ids.iter().filter_map(|id| Uuid::parse_str(id).ok()) {
        found.extend(named(store, id)?.into_iter().filter(|event| asked.is_beyond(event.seq)));
    }
    found.sort_by_key(|event| core::cmp::Reverse(event.seq));
    found.dedup_by_key(|event| event.seq);
    if asked.oldest_first {
        found.reverse();
    }
    for mut event in found {
        let seq = event.seq;
        let Some(record) = shown(&mut event, explains) else { continue };
        let matches =
            is_of(&record, caller.account.as_str()) && asked.query.matches(&record, engine.now());
        if matches && !take(event, &record) {
            return Ok(Looked { next: Some(seq) });
        }
    }
    Ok(Looked { next: None })
}

/// The record as its reader sees it, in `event` too; `None` when it cannot be read.
///
/// INVARIANT: filters look at this, or a search by text would tell what is not shown.
fn shown(event: &mut StoredEvent, explains: bool) -> Option<Value> {
    let mut record: Value = serde_json::from_slice(&event.record).ok()?;
    if !explains {
        keyward_trail::withhold(&mut record);
        event.record = record.to_string().into_bytes();
    }
    Some(record)
}

/// Records keep their own bytes, so that their members stay in CloudTrail's order.
fn page(events: &[StoredEvent], next: Option<u64>, asked: &Asked) -> Vec<u8> {
    let mut body = b"{\"Events\":[".to_vec();
    for (i, event) in events.iter().enumerate() {
        if 0 < i {
            body.push(b',');
        }
        body.extend_from_slice(&event.record);
    }
    body.push(b']');
    if let Some(next) = next {
        body.extend_from_slice(format!(",\"Next\":\"{next}\"").as_bytes());
    }
    // What was asked, with fixed times: to ask for the next page, or to link to.
    let query = Value::from(asked.query.to_string());
    body.extend_from_slice(format!(",\"Query\":{query}").as_bytes());
    body.push(b'}');
    body
}

/// An event of the caller's account, by its own id or its request's.
fn found(doors: &Doors, caller: &Caller, id: &str) -> Result<(StoredEvent, Value), KmsError> {
    let missing = || {
        KmsError::new(
            ErrorCode::NotFound,
            format!(
                "There is no event with this event id or request id: '{}'",
                crate::strangers::shown(id)
            ),
        )
    };
    let uuid = Uuid::parse_str(id).map_err(|_| missing())?;
    let store = doors.engine.store();
    let own = |event: &StoredEvent| is_in_log(&event.record, caller.account.as_str());
    let event = named(store, uuid)?.into_iter().find(own).ok_or_else(missing)?;
    let record = serde_json::from_slice(&event.record).map_err(KmsError::internal)?;
    Ok((event, record))
}

/// The same of a record that was not read yet.
fn is_in_log(record: &[u8], account: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Recipient<'r> {
        #[serde(rename = "recipientAccountId", borrow)]
        account: std::borrow::Cow<'r, str>,
    }
    serde_json::from_slice::<Recipient<'_>>(record).is_ok_and(|found| found.account == account)
}

/// Whether a record is one of an account's own.
fn is_of(record: &Value, account: &str) -> bool {
    record.get("recipientAccountId").and_then(Value::as_str) == Some(account)
}
