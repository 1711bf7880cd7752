//! Every metric: name, kind, help and labels, and the closed set of each label's values.
//!
//! Names are `kms_<noun>_<unit>`, counters end in `_total`; those that begin with `process_` are
//! Prometheus's own. Units are seconds and bytes.

use keyward_types::{ErrorCode, KeySpec, KeyState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    pub labels: &'static [&'static str],
}

macro_rules! metrics {
    ($($row:ident = $name:literal, $kind:ident, [$($label:literal),*], $help:literal;)*) => {
        $(pub(crate) const $row: Metric =
            Metric { name: $name, kind: Kind::$kind, help: $help, labels: &[$($label),*] };)*

        /// Every metric, in the order of `dashboards/metrics.md`.
        pub const METRICS: &[Metric] = &[$($row,)*];
    };
}

metrics! {
    REQUESTS           = "kms_requests_total", Counter, ["operation", "outcome"],
        "Authenticated requests, each with one event in the log.";
    ERRORS             = "kms_errors_total", Counter, ["code"],
        "Authenticated requests that failed, by the code that the client was told.";
    REQUEST_SECONDS    = "kms_request_duration_seconds", Histogram, ["operation"],
        "Time from the decoded request to its durable event.";
    DECISION_SECONDS   = "kms_decision_duration_seconds", Histogram, [],
        "Time from the decoded request to its last decision.";
    IN_FLIGHT          = "kms_requests_in_flight", Gauge, [],
        "Requests that were accepted and not yet answered.";
    UNAUTHENTICATED    = "kms_unauthenticated_requests_total", Counter, ["reason"],
        "Requests that did not prove who sent them; they leave no event.";
    UNCOMMITTED        = "kms_uncommitted_requests_total", Counter, [],
        "Requests that were refused an answer because their event could not be written.";
    PANICS             = "kms_panics_total", Counter, [],
        "Requests whose execution broke an invariant.";
    KEYS               = "kms_keys", Gauge, ["state", "spec_class"],
        "KMS keys, by key state and class of key spec.";
    COMMIT_GROUPS      = "kms_commit_groups_total", Counter, [],
        "Groups of commits that were made durable together.";
    COMMITS            = "kms_commits_total", Counter, [],
        "Commits that were accepted.";
    STALE_COMMITS      = "kms_stale_commits_total", Counter, [],
        "Commits that were sent back because a record they rested on had moved.";
    FSYNCS             = "kms_fsyncs_total", Counter, [],
        "Times the journal was forced to disk.";
    JOURNAL_BYTES      = "kms_journal_bytes_total", Counter, [],
        "Bytes that were appended to the journal.";
    COMMIT_QUEUE       = "kms_commit_queue_depth", Gauge, [],
        "Commits that wait for the writer.";
    LOG_APPENDS        = "kms_log_appends_total", Counter, [],
        "Events that were appended to the event log since the start.";
    LOG_EVENTS         = "kms_log_events", Gauge, [],
        "Events in the event log.";
    LAST_EVENT         = "kms_last_event_timestamp_seconds", Gauge, [],
        "Time of the newest event, in seconds since 1970.";
    PUBLICATIONS       = "kms_checkpoint_publications_total", Counter, ["target", "result"],
        "Times that a checkpoint of the event log was told to a file, a webhook or a witness.";
    ALERTS_FIRING      = "kms_alerts_firing", Gauge, ["detector", "severity"],
        "Alerts that fire now.";
    ALERTS             = "kms_alerts_total", Counter, ["detector", "severity"],
        "Alerts that began to fire since the start.";
    ALERT_DELIVERIES   = "kms_alert_deliveries_total", Counter, ["target", "result"],
        "Times that alerts were told to a file, a webhook or an Alertmanager.";
    WATCH_EVICTIONS    = "kms_watch_evictions_total", Counter, ["table"],
        "Entries that the detectors' tables had no room for any more.";
    WATCH_SERIES       = "kms_watch_series", Gauge, ["table"],
        "Entries of the detectors' tables.";
    WATCH_LAG          = "kms_watch_lag_events", Gauge, [],
        "Events of the log that the detectors have not seen yet.";
    GUARDRAILS         = "kms_guardrail_policies", Gauge, [],
        "Guardrail policies in force.";
    GUARDRAILS_LOADED  = "kms_guardrails_loaded_timestamp_seconds", Gauge, [],
        "When the guardrails in force were loaded, in seconds since 1970; 0 where none are configured.";
    GUARDRAILS_REFUSED = "kms_guardrails_reload_failures_total", Counter, [],
        "Times that changed guardrails were refused and those before stayed in force.";
    BUILD_INFO         = "kms_build_info", Gauge, ["version"],
        "Always 1; its label says which version runs.";
    RESIDENT_BYTES     = "process_resident_memory_bytes", Gauge, [],
        "Resident memory in bytes.";
    CPU_SECONDS        = "process_cpu_seconds_total", Counter, [],
        "User and system processor time in seconds.";
    OPEN_FDS           = "process_open_fds", Gauge, [],
        "Open file descriptors.";
    START_TIME         = "process_start_time_seconds", Gauge, [],
        "Start of the process, in seconds since 1970.";
}

/// The value of a label that stands for everything outside of its set.
pub const OTHER: &str = "other";

/// Values of `outcome`: [`keyward_types::Outcome::class`].
pub const OUTCOMES: &[&str] = &["success", "denied", "client_error", "server_error"];

/// Values of `reason`: those of signatures, then those of the credential that a signature stands for.
pub const UNAUTHENTICATED_REASONS: &[&str] = &[
    "missing",
    "incomplete",
    "malformed",
    "window",
    "scope",
    "unsigned_header",
    "payload",
    "mismatch",
    "unknown_key",
    "expired_token",
    "unavailable",
    OTHER,
];

/// Values of `spec_class`.
pub const SPEC_CLASSES: &[&str] = &["symmetric", "hmac", "rsa", "ecc", "ml", "sm2"];

/// The class of a key spec, one of [`SPEC_CLASSES`].
pub const fn spec_class(spec: KeySpec) -> &'static str {
    use KeySpec as S;
    match spec {
        S::SymmetricDefault => "symmetric",
        S::Hmac224 | S::Hmac256 | S::Hmac384 | S::Hmac512 => "hmac",
        S::Rsa2048 | S::Rsa3072 | S::Rsa4096 => "rsa",
        S::EccNistP256
        | S::EccNistP384
        | S::EccNistP521
        | S::EccSecgP256k1
        | S::EccNistEdwards25519 => "ecc",
        S::MlDsa44 | S::MlDsa65 | S::MlDsa87 | S::MlKem512 | S::MlKem768 | S::MlKem1024 => "ml",
        S::Sm2 => "sm2",
    }
}

/// Values of `target`.
pub const TARGETS: &[&str] = &["file", "webhook", "witness"];

/// Values of `detector`.
pub const DETECTORS: &[&str] = &[
    "rate",
    "refusals",
    "ciphertext_errors",
    "data_keys_without_plaintext",
    "first_use_of_key",
    "new_network",
    "new_region",
    "new_operation",
    "decrypt_after_silence",
    "enumeration",
    "grant_without_approval",
    "pending_deletion",
    "policy_opened",
    "canary",
];

/// Values of `severity`.
pub const SEVERITIES: &[&str] = &["low", "medium", "high", "critical"];

/// Values of `target` where alerts are told.
pub const ALERT_TARGETS: &[&str] = &["file", "webhook", "alertmanager"];

/// Values of `table`.
pub const WATCH_TABLES: &[&str] = &["series", "principals", "pairs", "keys", "alerts"];

/// Values of `result`.
pub const RESULTS: [&str; 2] = ["success", "failure"];

/// Values of `state`.
pub(crate) const KEY_STATES: &[&str] = KeyState::NAMES;

/// Values of `code`.
pub(crate) fn codes() -> impl Iterator<Item = ErrorCode> {
    ErrorCode::ALL.iter().copied()
}

/// Upper bounds in seconds: 100 µs to 2.5 s.
pub(crate) const REQUEST_BUCKETS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// Upper bounds in seconds: 1 µs to 10 ms.
pub(crate) const DECISION_BUCKETS: &[f64] = &[
    0.000_001,
    0.000_002_5,
    0.000_005,
    0.000_01,
    0.000_02,
    0.000_05,
    0.000_1,
    0.000_25,
    0.001,
    0.01,
];
