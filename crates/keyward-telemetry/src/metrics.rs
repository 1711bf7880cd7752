//! Every metric: name, kind, help and labels, and the closed set of each label's values.
//!
//! Names are `kms_<noun>_<unit>`, counters end in `_total`; those that begin with `process_` are
//! Prometheus's own. Units are seconds and bytes.

use keyward_types::{ErrorCode, KeySpec, KeyState, KeyUsage, MaterialOrigin};

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

impl Metric {
    /// The unit that the name ends in, if it ends in one.
    pub fn unit(&self) -> Option<&'static str> {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        let (_, last) = name.rsplit_once('_')?;
        UNITS.iter().copied().find(|unit| *unit == last)
    }
}

/// Units that names end in.
const UNITS: &[&str] = &["seconds", "bytes", "dollars"];

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
    CRYPTO_SECONDS     = "kms_cryptography_duration_seconds", Histogram, ["spec_class", "step"],
        "Time that an allowed operation took by itself, with material of a key.";
    COMMIT_SECONDS     = "kms_commit_duration_seconds", Histogram, [],
        "Time from the event that was handed to the writer to the durable one.";
    REQUEST_BYTES      = "kms_request_bytes_total", Counter, ["direction"],
        "Bytes of bodies of requests and answers; streams, health and metrics apart.";
    DECISIONS          = "kms_decisions_total", Counter, ["decision", "source"],
        "Decisions on one action and one resource, by the layer that decided.";
    LET_THROUGH        = "kms_let_through_total", Counter, ["source"],
        "Decisions that refused and that observe mode let through, by the layer that decided.";
    OBSERVED           = "kms_observe_targets", Gauge, ["scope"],
        "What is in observe mode: its refusals are let through.";
    COST               = "kms_estimated_aws_cost_dollars_total", Counter, ["class"],
        "What the requests would have cost at AWS, by the list price of us-east-1.";
    TOP_KEYS           = "kms_top_key_requests", Gauge, ["rank"],
        "Requests of this hour that the most used keys had, by rank.";
    TOP_PRINCIPALS     = "kms_top_principal_requests", Gauge, ["rank"],
        "Requests of this hour that the busiest principals sent, by rank.";
    TOP_KEY_INFO       = "kms_top_key_info", Gauge, ["rank", "key"],
        "Always 1; says which key has the rank. Served only where the operator lets metrics name keys and principals.";
    TOP_PRINCIPAL_INFO = "kms_top_principal_info", Gauge, ["rank", "principal"],
        "Always 1; says which principal has the rank. Served only where the operator lets metrics name keys and principals.";
    DECISION_SECONDS   = "kms_decision_duration_seconds", Histogram, [],
        "Time from the decoded request to its last decision.";
    IN_FLIGHT          = "kms_requests_in_flight", Gauge, [],
        "Requests that were accepted and not yet answered.";
    UNAUTHENTICATED    = "kms_unauthenticated_requests_total", Counter, ["reason"],
        "Requests that did not prove who sent them; they leave no event.";
    UNCOMMITTED        = "kms_uncommitted_requests_total", Counter, ["cause"],
        "Requests that were refused an answer because their event could not be written.";
    PANICS             = "kms_panics_total", Counter, [],
        "Requests whose execution broke an invariant.";
    KEYS               = "kms_keys", Gauge, ["state", "spec_class"],
        "KMS keys, by key state and class of key spec.";
    KEYS_BY_USE        = "kms_keys_by_use", Gauge, ["usage", "origin"],
        "KMS keys, by key usage and origin of their material.";
    GRANTS             = "kms_grants", Gauge, [],
        "Grants on all keys.";
    MATERIAL_EXPIRY    = "kms_key_material_expiry_timestamp_seconds", Gauge, [],
        "When the next imported key material expires, in seconds since 1970; 0 where none does.";
    NEXT_DELETION      = "kms_next_key_deletion_timestamp_seconds", Gauge, [],
        "When the next key is deleted, in seconds since 1970; 0 where none is.";
    ROTATIONS_OVERDUE  = "kms_key_rotations_overdue", Gauge, [],
        "Keys whose automatic rotation was due over an hour ago.";
    ROTATIONS          = "kms_rotations_total", Counter, ["type", "result"],
        "Rotations of keys that were tried, on a schedule or on demand.";
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
    CHECKPOINT_TIME    = "kms_last_checkpoint_timestamp_seconds", Gauge, [],
        "When a checkpoint last spoke of the whole event log, in seconds since 1970; 0 before the first of this run.";
    CHECKPOINT_EVENTS  = "kms_checkpoint_events", Gauge, [],
        "Events of which the newest checkpoint speaks.";
    SINK_LAG           = "kms_log_sink_lag_events", Gauge, ["sink"],
        "Events that a sink of the event log does not have yet.";
    STORE_BYTES        = "kms_store_size_bytes", Gauge, [],
        "Bytes of all files in the store's directory.";
    FREE_BYTES         = "kms_store_free_bytes", Gauge, [],
        "Bytes that the store's file system has left.";
    PUBLICATIONS       = "kms_checkpoint_publications_total", Counter, ["target", "result"],
        "Times that a checkpoint of the event log was told to a file, a webhook or a witness.";
    ALERTS_FIRING      = "kms_alerts_firing", Gauge, ["detector", "severity"],
        "Alerts that fire now.";
    ALERTS             = "kms_alerts_total", Counter, ["detector", "severity"],
        "Alerts that began to fire since the start.";
    ALERT_DELIVERIES   = "kms_alert_deliveries_total", Counter, ["target", "result"],
        "Times that alerts were told to a file, a webhook or an Alertmanager.";
    ALERT_TARGETS_FAILING = "kms_alert_targets_failing", Gauge, ["target"],
        "Targets of alerts that could not be told the last time.";
    ALERT_SILENCES     = "kms_alert_silences", Gauge, [],
        "Silences of alerts that hold now.";
    ALERTS_SILENCED    = "kms_alerts_silenced_total", Counter, [],
        "Alerts that a silence held back when they began.";
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
    MAX_FDS            = "process_max_fds", Gauge, [],
        "Open file descriptors at most.";
    START_TIME         = "process_start_time_seconds", Gauge, [],
        "Start of the process, in seconds since 1970.";
}

/// The value of a label that stands for everything outside of its set.
pub const OTHER: &str = "other";

/// Values of `outcome`: [`keyward_types::Outcome::class`], and throttled requests apart from other errors of clients.
pub const OUTCOMES: &[&str] = &["success", "denied", "throttled", "client_error", "server_error"];

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

/// Values of `scope`.
pub const OBSERVE_SCOPES: [&str; 4] = ["service", "key", "principal", "policy"];

/// Values of `direction`.
pub const DIRECTIONS: [&str; 2] = ["received", "sent"];

/// Values of `cause`: why an event could not be written.
pub const UNCOMMITTED_CAUSES: &[&str] = &["busy", "no_space", OTHER];

/// Values of `sink`.
pub const SINKS: [&str; 1] = ["checkpoint"];

/// Values of `type`.
pub const ROTATION_TYPES: [&str; 2] = ["automatic", "on_demand"];

/// Ranks that are served, the largest first.
pub const RANKS: [&str; 10] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];

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

/// Values of `usage`.
pub(crate) const USAGES: &[&str] = KeyUsage::NAMES;

/// Values of `origin`.
pub(crate) const ORIGINS: &[&str] = MaterialOrigin::NAMES;

/// Values of `code`.
pub(crate) fn codes() -> impl Iterator<Item = ErrorCode> {
    ErrorCode::ALL.iter().copied()
}

/// Upper bounds in seconds: 100 µs to 2.5 s.
pub(crate) const REQUEST_BUCKETS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// Upper bounds in seconds of cryptography: 2.5 µs to 1 s, for AES takes microseconds and an RSA key pair a second.
pub(crate) const CRYPTO_BUCKETS: &[f64] = &[
    0.000_002_5,
    0.000_005,
    0.000_01,
    0.000_025,
    0.000_05,
    0.000_1,
    0.000_25,
    0.001,
    0.005,
    0.025,
    0.1,
    1.0,
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
