//! `/v1/alerts`: what the detectors found, read. Acknowledging, silences and settings are operations of the table.
//!
//! Who may: the root user, and whoever an identity policy allows `keyward:ListAlerts`, `keyward:ListAlertSilences` or
//! `keyward:GetAlertSettings` on `*`. A caller sees alerts and silences of its own account alone.
//! As with events, an allowed read leaves no event and a refused one does.
//!
//! INVARIANT: an answer speaks of every event that was committed before the question, or says `"Behind": true`. What was
//! stated (silences, settings, who acknowledged what) it speaks of in any case.

mod deliveries;
mod notices;
pub mod settings;
mod targets;
pub mod told;
mod watcher;

pub use watcher::{AlertSetup, Watching};

use crate::{
    answer,
    doors::Doors,
    events::{Route, admitted, permission::Action},
    rest::decoded,
    strangers::shown,
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Data, ServiceConfig},
};
use keyward_engine::{Engine, alerts::AlertEntry};
use keyward_types::{Caller, ErrorCode, KmsError};
use serde_json::{Value, json};
use std::sync::Arc;

const LIST: Action = Action { service: "keyward", operation: "ListAlerts" };
const SILENCES: Action = Action { service: "keyward", operation: "ListAlertSilences" };
const SETTINGS: Action = Action { service: "keyward", operation: "GetAlertSettings" };

/// Events that one question reads on by itself; beyond them it answers with what is known.
const READ_MAX: usize = 50_000;
/// While lost state is learned again, which takes its time beside requests.
const READ_RELEARNING: usize = 1_000;
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1_000;

const FILTERS: &[&str] =
    &["state", "detector", "severity", "principal", "key", "acknowledged", "limit", "after"];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        name: LIST.operation,
        path: "/v1/alerts",
        summary: "Alerts of the account, newest first",
        query: FILTERS,
        content_type: answer::JSON,
    },
    Route {
        name: SILENCES.operation,
        path: "/v1/alerts/silences",
        summary: "Silences that hold now",
        query: &[],
        content_type: answer::JSON,
    },
    Route {
        name: SETTINGS.operation,
        path: "/v1/alerts/settings",
        summary: "The detectors' settings, and whether a request or the configuration stated them",
        query: &[],
        content_type: answer::JSON,
    },
    Route {
        name: "GetAlert",
        path: "/v1/alerts/{id}",
        summary: "One alert",
        query: &[],
        content_type: answer::JSON,
    },
];

pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .route("/v1/alerts", web::get().to(list))
        .route("/v1/alerts/silences", web::get().to(silences))
        .route("/v1/alerts/settings", web::get().to(settings_of))
        .route("/v1/alerts/{id}", web::get().to(show));
}

async fn list(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    let query = request.uri().query().unwrap_or_default().to_owned();
    answered(&request, &doors, LIST, move |engine, caller, behind| {
        let asked = Asked::of(&query)?;
        let (alerts, next) = asked.page(engine.alert_entries(&caller.account)?);
        Ok(json!({"Alerts": alerts, "Next": next, "Behind": behind}))
    })
    .await
}

async fn show(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    let id = request.match_info().get("id").unwrap_or_default().to_owned();
    answered(&request, &doors, LIST, move |engine, caller, _| {
        let own = engine.alert_entries(&caller.account)?;
        own.iter().find(|entry| entry.id == id).map(told::alert).ok_or_else(|| {
            let words = format!("There is no alert with the id '{}'", shown(&id));
            KmsError::new(ErrorCode::NotFound, words)
        })
    })
    .await
}

async fn silences(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, SILENCES, |engine, caller, behind| {
        let silences = engine.alert_silences(&caller.account)?;
        let silences: Vec<Value> = silences.iter().map(told::silence).collect();
        Ok(json!({"Silences": silences, "Behind": behind}))
    })
    .await
}

async fn settings_of(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, SETTINGS, |engine, caller, behind| {
        // They name canaries and keys of all accounts.
        let own = &engine.settings().account;
        if caller.account != *own {
            return Err(KmsError::new(
                ErrorCode::AccessDenied,
                format!(
                    "The detectors' settings are for principals of this service's own account {own}"
                ),
            ));
        }
        let stated = engine.stated_alert_settings()?;
        let source = if stated.is_some() { "request" } else { "configuration" };
        let mut settings = stated.unwrap_or_else(|| engine.configured_alert_settings());
        // Silences of the configuration are the operator's, of any account.
        settings.silences.clear();
        let settings = serde_json::to_value(settings).map_err(KmsError::internal)?;
        Ok(json!({"Settings": settings, "Source": source, "Behind": behind}))
    })
    .await
}

/// Authentication, permission, what was committed meanwhile, and the answer; the last two off the threads that serve.
async fn answered(
    request: &HttpRequest,
    doors: &Data<Doors>,
    action: Action,
    work: impl FnOnce(&Engine, &Caller, bool) -> Result<Value, KmsError> + Send + 'static,
) -> HttpResponse {
    let answer = async {
        let request_id = doors.engine.fresh_id();
        let answer = async {
            let caller = admitted(request, doors, action, request_id).await?;
            if !doors.detects {
                return Err(KmsError::new(
                    ErrorCode::UnsupportedOperation,
                    "Detection is off: alerts.enabled is false in this service's configuration.",
                ));
            }
            let engine = Arc::clone(&doors.engine);
            let asked = web::block(move || {
                let relearning = engine.alerts_are_relearned();
                let behind = !engine.detect(if relearning { READ_RELEARNING } else { READ_MAX })?;
                work(&engine, &caller, behind)
            });
            asked.await.map_err(KmsError::internal)?
        };
        match answer.await {
            Ok(body) => {
                answer::begin(StatusCode::OK, answer::JSON, request_id).body(body.to_string())
            }
            Err(error) => answer::rest_error(&error, request_id),
        }
    };
    doors.guarded(answer, answer::rest_error).await
}

/// Which alerts.
#[derive(Debug, Default)]
struct Asked {
    state: Option<String>,
    detector: Option<String>,
    severity: Option<String>,
    /// Parts of ARNs.
    principal: Option<String>,
    key: Option<String>,
    acknowledged: Option<bool>,
    limit: usize,
    after: Option<String>,
}

impl Asked {
    /// Fails for a name or value that is not known: a filter that is ignored would show more than was asked for.
    fn of(text: &str) -> Result<Self, KmsError> {
        let mut asked = Self { limit: LIMIT_DEFAULT, ..Self::default() };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).into_owned();
            let one_of = |known: &[&str]| {
                let known = known.contains(&value.as_str());
                if known { Ok(Some(value.clone())) } else { Err(bad(name)) }
            };
            match name {
                "state" => asked.state = one_of(&["firing", "resolved"])?,
                "detector" => asked.detector = one_of(keyward_telemetry::DETECTORS)?,
                "severity" => asked.severity = one_of(keyward_telemetry::SEVERITIES)?,
                "principal" => asked.principal = Some(value),
                "key" => asked.key = Some(value),
                "acknowledged" => {
                    asked.acknowledged = Some(value.parse().map_err(|_| bad(name))?);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    asked.limit = limit.ok_or_else(|| bad(name))?;
                }
                "after" => asked.after = Some(value),
                _ if name.starts_with("X-Amz-") => {}
                _ => return Err(bad(name)),
            }
        }
        Ok(asked)
    }

    fn wants(&self, entry: &AlertEntry) -> bool {
        let is = |wanted: &Option<String>, said: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == said)
        };
        let holds = |wanted: &Option<String>, said: Option<&str>| {
            wanted.as_ref().is_none_or(|part| said.is_some_and(|said| said.contains(part.as_str())))
        };
        let alert = &entry.alert;
        is(&self.state, if entry.is_firing() { "firing" } else { "resolved" })
            && is(&self.detector, alert.detector.as_str())
            && is(&self.severity, alert.severity.as_str())
            && holds(&self.principal, alert.subject.principal.as_deref())
            && holds(&self.key, alert.subject.key.as_deref())
            && self.acknowledged.is_none_or(|wanted| wanted == entry.acknowledged.is_some())
    }

    /// Newest first, and after which alert to go on.
    fn page(&self, mut found: Vec<AlertEntry>) -> (Vec<Value>, Option<String>) {
        found.sort_by_key(|entry| (core::cmp::Reverse(entry.fired), entry.id.clone()));
        // One that is gone meanwhile is the end of the list.
        let skipped = self.after.as_ref().map_or(0, |after| {
            found.iter().position(|entry| entry.id == *after).map_or(found.len(), |place| place + 1)
        });
        let wanted: Vec<_> =
            found.into_iter().skip(skipped).filter(|entry| self.wants(entry)).collect();
        let more = self.limit < wanted.len();
        let page: Vec<_> = wanted.into_iter().take(self.limit).collect();
        let next = page.last().filter(|_| more).map(|entry| entry.id.clone());
        (page.iter().map(told::alert).collect(), next)
    }
}

fn bad(name: &str) -> KmsError {
    KmsError::validation(format!(
        "The query parameter '{}' is none of those that /openapi.json names, or has another value than they have.",
        shown(name)
    ))
}
