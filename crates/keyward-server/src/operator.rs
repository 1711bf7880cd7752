//! What an operator's tools ask, without a signature: `/livez`, `/readyz`, `/metrics`.
//!
//! INVARIANT: nothing here names a key, a principal or an address.

use crate::{answer, doors::Doors, process};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use keyward_engine::GuardrailStatus;
use keyward_telemetry::{Format, StoreCounts};

/// The process answers.
pub(crate) async fn live(doors: Data<Doors>) -> HttpResponse {
    answer::begin(StatusCode::OK, answer::TEXT, doors.engine.fresh_id()).body("ok\n")
}

/// 200 when requests will be served, else 503. `?verbose` says which check says what.
pub(crate) async fn ready(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    let failure = doors.engine.store().failure();
    let checks = [
        ("store", failure.map(|failure| failure.to_string())),
        ("room", doors.engine.store().lacks_room().map(|error| error.to_string())),
        ("accepting", doors.is_draining().then(|| "the service is stopping".to_owned())),
    ];
    let is_ready = checks.iter().all(|(_, failed)| failed.is_none());
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = String::new();
    if request.uri().query().is_some_and(|query| {
        query.split('&').any(|pair| pair == "verbose" || pair.starts_with("verbose="))
    }) {
        for (name, failed) in &checks {
            match failed {
                None => text.push_str(&format!("[+]{name} ok\n")),
                Some(why) => text.push_str(&format!("[-]{name} {why}\n")),
            }
        }
    }
    if !text.is_empty() {
        text.push_str(&guardrails(&doors));
        if doors.engine.is_observing() {
            text.push_str(
                "[!]observe some policies are in observe mode: what they refuse is let through\n",
            );
        }
    }
    text.push_str(if is_ready { "ok\n" } else { "not ready\n" });
    answer::begin(status, answer::TEXT, doors.engine.fresh_id()).body(text)
}

/// What guardrails are in force: to be read, and no condition of readiness.
fn guardrails(doors: &Doors) -> String {
    let Some(status) = doors.engine.guardrail_status() else { return String::new() };
    let GuardrailStatus { files, policies, loaded, refused } = status;
    let since = chrono::DateTime::from_timestamp(loaded.seconds(), 0)
        .map_or_else(String::new, |time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let in_force = format!("{policies} policies of {files} files, since {since}");
    if refused {
        format!("[!]guardrails the last change was refused; in force are {in_force}\n")
    } else {
        format!("[+]guardrails ok: {in_force}\n")
    }
}

/// Every metric, in Prometheus's text format or as OpenMetrics.
pub(crate) async fn metrics(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    let accepted: Vec<&str> =
        request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    let format = Format::accepted(&accepted.join(","));
    let scrape = tokio::task::spawn_blocking(move || {
        refresh(&doors);
        doors.engine.metrics().exposition(format)
    });
    match scrape.await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, format.content_type()))
            .insert_header((header::VARY, "Accept"))
            .body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// Brings up to date what is not counted as it happens.
fn refresh(doors: &Doors) {
    let (metrics, store) = (doors.engine.metrics(), doors.engine.store());
    let statistics = store.statistics();
    let log_events = store.events_total();
    metrics.store(&StoreCounts {
        commit_groups: statistics.groups,
        commits: statistics.commits,
        stale_commits: statistics.stale,
        fsyncs: statistics.syncs,
        journal_bytes: statistics.journal_bytes,
        log_appends: log_events.saturating_sub(doors.events_before),
        queue_depth: statistics.queued,
        log_events,
        size_bytes: doors.volume.size_bytes(),
        free_bytes: doors.volume.free_bytes(),
    });
    doors.engine.look_at_observed();
    metrics.top(doors.engine.now().seconds());
    doors.census.take(&doors.engine);
    if doors.detects {
        metrics.alerts().lag(log_events.saturating_sub(doors.engine.alerts_position()));
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit 53 bits")]
    metrics.process(&process::read(doors.started_seconds as f64));
}
