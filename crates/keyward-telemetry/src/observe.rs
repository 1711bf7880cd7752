//! The values, and what changes them.
//!
//! INVARIANT: [`Metrics::observe`] is the only place that counts authenticated requests, and it reads
//! the event that was committed, so the board and the log cannot disagree.
//! INVARIANT: every series exists from the start at zero, so that a rate sees the first one.

use crate::{
    DECISIONS, Observed, PriceClass, SOURCES, STEPS,
    alerts::AlertSeries,
    exemplars::Exemplars,
    make::Maker,
    metrics::{
        self, OTHER, OUTCOMES, SPEC_CLASSES, UNAUTHENTICATED_REASONS, UNCOMMITTED_CAUSES,
        spec_class,
    },
    observed,
    top::TopSeries,
};
use keyward_types::{ErrorCode, KeySpec, KeyState, KeyUsage, MaterialOrigin, Outcome};
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Registry,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// What the store counted since it was opened, and how it stands now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    pub commit_groups: u64,
    pub commits: u64,
    pub stale_commits: u64,
    pub fsyncs: u64,
    pub journal_bytes: u64,
    pub log_appends: u64,
    /// Commits that wait for the writer now.
    pub queue_depth: u64,
    /// Events in the log now.
    pub log_events: u64,
    /// Bytes of its files, and bytes that are left beside them.
    pub size_bytes: u64,
    pub free_bytes: u64,
}

/// What there is of keys, counted at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    pub by_state: BTreeMap<(KeyState, KeySpec), u64>,
    pub by_use: BTreeMap<(KeyUsage, MaterialOrigin), u64>,
    pub grants: u64,
    /// Seconds since 1970 of what comes first.
    pub next_material_expiry: Option<i64>,
    pub next_deletion: Option<i64>,
    pub rotations_overdue: u64,
}

/// What the operating system says of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    pub resident_bytes: u64,
    pub cpu_seconds: f64,
    pub open_fds: u64,
    pub max_fds: u64,
    /// Since 1970.
    pub start_time_seconds: f64,
}

/// Every metric's value, in a registry of its own.
pub struct Metrics {
    pub(crate) registry: Registry,
    operations: BTreeMap<&'static str, OperationSeries>,
    other: OperationSeries,
    errors: BTreeMap<ErrorCode, IntCounter>,
    decision_seconds: Histogram,
    crypto_seconds: BTreeMap<[&'static str; 2], Histogram>,
    commit_seconds: Histogram,
    request_bytes: [IntCounter; 2],
    decisions: BTreeMap<[&'static str; 2], IntCounter>,
    let_through: BTreeMap<&'static str, IntCounter>,
    observed: IntGaugeVec,
    cost: BTreeMap<PriceClass, Counter>,
    top: TopSeries,
    last_event: Gauge,
    in_flight: IntGauge,
    unauthenticated: BTreeMap<&'static str, IntCounter>,
    uncommitted: IntCounterVec,
    panics: IntCounter,
    keys: KeySeries,
    rotations: IntCounterVec,
    checkpoint_time: Gauge,
    checkpoint_events: IntGauge,
    sink_lag: IntGaugeVec,
    publications: IntCounterVec,
    alerts: AlertSeries,
    guardrails: IntGauge,
    guardrails_loaded: Gauge,
    guardrails_refused: IntCounter,
    build_info: GaugeVec,
    store: StoreSeries,
    process: ProcessSeries,
    /// One scrape at a time brings totals up to date.
    scrape: Mutex<()>,
}

struct OperationSeries {
    success: IntCounter,
    denied: IntCounter,
    throttled: IntCounter,
    client_error: IntCounter,
    server_error: IntCounter,
    seconds: Histogram,
    exemplars: Exemplars,
}

struct StoreSeries {
    commit_groups: IntCounter,
    commits: IntCounter,
    stale_commits: IntCounter,
    fsyncs: IntCounter,
    journal_bytes: IntCounter,
    log_appends: IntCounter,
    queue_depth: IntGauge,
    log_events: IntGauge,
    size_bytes: IntGauge,
    free_bytes: IntGauge,
}

struct KeySeries {
    by_state: IntGaugeVec,
    by_use: IntGaugeVec,
    grants: IntGauge,
    material_expiry: Gauge,
    next_deletion: Gauge,
    rotations_overdue: IntGauge,
}

struct ProcessSeries {
    resident_bytes: IntGauge,
    cpu_seconds: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    start_time: Gauge,
}

/// A request under way; dropping it says that it was answered.
pub struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

impl Metrics {
    /// `operations` is the closed set of the `operation` label; what is not in it counts as `other`.
    pub fn new(operations: &[&'static str]) -> Self {
        let registry = Registry::new();
        let make = Maker(&registry);
        let requests = make.counters(&metrics::REQUESTS);
        let seconds = make.histograms(&metrics::REQUEST_SECONDS, metrics::REQUEST_BUCKETS);
        let series = |operation: &str| OperationSeries::new(&requests, &seconds, operation);
        let (errors, unauthenticated) =
            (make.counters(&metrics::ERRORS), make.counters(&metrics::UNAUTHENTICATED));
        let crypto = make.histograms(&metrics::CRYPTO_SECONDS, metrics::CRYPTO_BUCKETS);
        let steps = STEPS
            .iter()
            .flat_map(|(step, classes)| classes.iter().map(move |class| [*class, *step]));
        Self {
            operations: operations
                .iter()
                .map(|operation| (*operation, series(operation)))
                .collect(),
            other: series(OTHER),
            errors: metrics::codes()
                .map(|code| (code, errors.with_label_values(&[code.wire()])))
                .collect(),
            decision_seconds: make.histogram(&metrics::DECISION_SECONDS, metrics::DECISION_BUCKETS),
            crypto_seconds: steps
                .map(|labels| (labels, crypto.with_label_values(&labels)))
                .collect(),
            commit_seconds: make.histogram(&metrics::COMMIT_SECONDS, metrics::REQUEST_BUCKETS),
            request_bytes: {
                let bytes = make.counters(&metrics::REQUEST_BYTES);
                metrics::DIRECTIONS.map(|direction| bytes.with_label_values(&[direction]))
            },
            decisions: products(&make.counters(&metrics::DECISIONS), DECISIONS, SOURCES),
            let_through: {
                let made = make.counters(&metrics::LET_THROUGH);
                SOURCES.iter().map(|source| (*source, made.with_label_values(&[source]))).collect()
            },
            observed: {
                let made = make.int_gauges(&metrics::OBSERVED);
                metrics::OBSERVE_SCOPES
                    .iter()
                    .for_each(|scope| drop(made.with_label_values(&[scope])));
                made
            },
            cost: costs(&make.float_counters(&metrics::COST)),
            top: TopSeries::new(&make),
            last_event: make.gauge(&metrics::LAST_EVENT),
            in_flight: make.int_gauge(&metrics::IN_FLIGHT),
            unauthenticated: UNAUTHENTICATED_REASONS
                .iter()
                .map(|reason| (*reason, unauthenticated.with_label_values(&[reason])))
                .collect(),
            uncommitted: {
                let made = make.counters(&metrics::UNCOMMITTED);
                let cause = |cause| drop(made.with_label_values(&[cause]));
                UNCOMMITTED_CAUSES.iter().for_each(cause);
                made
            },
            panics: make.counter(&metrics::PANICS),
            keys: KeySeries::new(&make),
            rotations: {
                let made = make.counters(&metrics::ROTATIONS);
                products(&made, &metrics::ROTATION_TYPES, &metrics::RESULTS);
                made
            },
            checkpoint_time: make.gauge(&metrics::CHECKPOINT_TIME),
            checkpoint_events: make.int_gauge(&metrics::CHECKPOINT_EVENTS),
            sink_lag: {
                let made = make.int_gauges(&metrics::SINK_LAG);
                metrics::SINKS.iter().for_each(|sink| drop(made.with_label_values(&[sink])));
                made
            },
            publications: {
                let made = make.counters(&metrics::PUBLICATIONS);
                products(&made, metrics::TARGETS, &metrics::RESULTS);
                made
            },
            alerts: AlertSeries::new(&make),
            guardrails: make.int_gauge(&metrics::GUARDRAILS),
            guardrails_loaded: make.gauge(&metrics::GUARDRAILS_LOADED),
            guardrails_refused: make.counter(&metrics::GUARDRAILS_REFUSED),
            build_info: make.gauges(&metrics::BUILD_INFO),
            store: StoreSeries::new(&make),
            process: ProcessSeries::new(&make),
            scrape: Mutex::new(()),
            registry,
        }
    }

    /// Counts a committed event: the request, how it ended, how long it took and what was decided.
    pub fn observe(&self, observed: &Observed<'_>) {
        let event = observed.summary;
        let series = self.operations.get(event.operation).unwrap_or(&self.other);
        series.count(event.outcome).inc();
        series.seconds.observe(observed.total_seconds);
        series.exemplars.keep(event, observed.total_seconds);
        self.commit_seconds.observe(observed.commit_seconds);
        if let Some(seconds) = observed.decision_seconds {
            self.decision_seconds.observe(seconds);
        }
        if let Some((spec, seconds)) = observed.run
            && let Some(labels) = observed::cryptography(event.operation, spec)
        {
            self.crypto_seconds.get(&labels).into_iter().for_each(|one| one.observe(seconds));
        }
        for verdict in observed.verdicts {
            let labels = [verdict.decision, verdict.source];
            self.decisions.get(&labels).into_iter().for_each(IntCounter::inc);
            if verdict.is_let_through {
                self.let_through.get(verdict.source).into_iter().for_each(IntCounter::inc);
            }
        }
        if let Some(class) = observed.price
            && let Some(cost) = self.cost.get(&class)
        {
            cost.inc_by(class.dollars());
        }
        if let Outcome::Failure(code) = event.outcome {
            self.errors.get(&code).into_iter().for_each(IntCounter::inc);
        }
        if event.operation == "RotateKeyOnDemand" {
            self.rotated("on_demand", event.outcome == Outcome::Success);
        }
        self.top.count(event);
        self.last_event.set(seconds(event.time.seconds()));
    }

    /// Counts a rotation that was tried; a type outside of the set is not counted.
    pub fn rotated(&self, rotation: &str, success: bool) {
        if metrics::ROTATION_TYPES.contains(&rotation) {
            self.rotations.with_label_values(&[rotation, result(success)]).inc();
        }
    }

    /// Counts the bytes of a request's body and of its answer's.
    pub fn bytes(&self, received: u64, sent: u64) {
        let [from_clients, to_clients] = &self.request_bytes;
        from_clients.inc_by(received);
        to_clients.inc_by(sent);
    }

    /// Lets `kms_top_key_info` and `kms_top_principal_info` name keys and principals.
    pub fn name_top(&self) {
        self.top.name();
    }

    /// Brings the ranks up to date; called before a scrape.
    pub fn top(&self, now_seconds: i64) {
        let _one = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.top.refresh(now_seconds);
    }

    /// Says that a checkpoint of so many events spoke of the whole log at this time.
    pub fn checkpoint(&self, events: u64, now_seconds: i64) {
        self.checkpoint_events.set(whole(events));
        self.checkpoint_time.set(seconds(now_seconds));
    }

    /// Counts a request whose sender was not proved; a reason outside of the set counts as `other`.
    pub fn unauthenticated(&self, reason: &str) {
        let series = self.unauthenticated.get(reason).or_else(|| self.unauthenticated.get(OTHER));
        series.into_iter().for_each(IntCounter::inc);
    }

    /// Counts a request that got no answer because its event could not be written; a cause outside of the set counts
    /// as `other`.
    pub fn uncommitted(&self, cause: &str) {
        let cause = if UNCOMMITTED_CAUSES.contains(&cause) { cause } else { OTHER };
        self.uncommitted.with_label_values(&[cause]).inc();
    }

    /// Says how much is in observe mode; a scope that is not named has nothing.
    pub fn observed(&self, counts: &BTreeMap<&str, u64>) {
        for scope in metrics::OBSERVE_SCOPES {
            let count = counts.get(scope).copied().unwrap_or_default();
            self.observed.with_label_values(&[scope]).set(whole(count));
        }
    }

    /// Counts a request that panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Counts a try to tell a checkpoint to others; a target outside of the set is not counted.
    pub fn published(&self, target: &str, success: bool) {
        if metrics::TARGETS.contains(&target) {
            self.publications.with_label_values(&[target, result(success)]).inc();
        }
    }

    /// What is counted of alerts.
    pub fn alerts(&self) -> &AlertSeries {
        &self.alerts
    }

    /// Counts a request as under way until the answer is dropped.
    pub fn in_flight(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(self)
    }

    /// The events behind a series of request durations; none of any other metric.
    pub(crate) fn exemplars(&self, metric: &str, operation: &str) -> Option<&Exemplars> {
        let series = || self.operations.get(operation).unwrap_or(&self.other);
        (metric == metrics::REQUEST_SECONDS.name).then(|| &series().exemplars)
    }

    /// Says how many guardrail policies are in force, and since when.
    pub fn guardrails(&self, policies: usize, loaded_seconds: i64) {
        self.guardrails.set(whole(policies as u64));
        self.guardrails_loaded.set(seconds(loaded_seconds));
    }

    /// Counts guardrails that were refused.
    pub fn guardrails_refused(&self) {
        self.guardrails_refused.inc();
    }

    /// Says which version runs; called once.
    pub fn build_info(&self, version: &str) {
        self.build_info.with_label_values(&[version]).set(1.0);
    }

    /// Sets what there is of keys; what is not named is zero.
    pub fn keys(&self, counts: &KeyCounts) {
        self.keys.set(counts);
    }

    /// Brings the store's metrics up to date; called before a scrape.
    pub fn store(&self, counts: &StoreCounts) {
        let _one = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        let StoreSeries {
            commit_groups,
            commits,
            stale_commits,
            fsyncs,
            journal_bytes,
            log_appends,
            ..
        } = &self.store;
        for (series, total) in [
            (commit_groups, counts.commit_groups),
            (commits, counts.commits),
            (stale_commits, counts.stale_commits),
            (fsyncs, counts.fsyncs),
            (journal_bytes, counts.journal_bytes),
            (log_appends, counts.log_appends),
        ] {
            series.inc_by(total.saturating_sub(series.get()));
        }
        self.store.queue_depth.set(whole(counts.queue_depth));
        self.store.log_events.set(whole(counts.log_events));
        self.store.size_bytes.set(whole(counts.size_bytes));
        self.store.free_bytes.set(whole(counts.free_bytes));
        let signed = u64::try_from(self.checkpoint_events.get()).unwrap_or_default();
        for sink in metrics::SINKS {
            let lag = whole(counts.log_events.saturating_sub(signed));
            self.sink_lag.with_label_values(&[sink]).set(lag);
        }
    }

    /// Brings the process's metrics up to date; called before a scrape.
    pub fn process(&self, process: &Process) {
        let _one = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.process.resident_bytes.set(whole(process.resident_bytes));
        self.process.open_fds.set(whole(process.open_fds));
        self.process.max_fds.set(whole(process.max_fds));
        self.process.start_time.set(process.start_time_seconds);
        self.process
            .cpu_seconds
            .inc_by((process.cpu_seconds - self.process.cpu_seconds.get()).max(0.0));
    }
}

impl OperationSeries {
    fn new(requests: &IntCounterVec, seconds: &HistogramVec, operation: &str) -> Self {
        let of = |outcome: &str| requests.with_label_values(&[operation, outcome]);
        let [success, denied, throttled, client_error, server_error] =
            [0, 1, 2, 3, 4].map(|i| of(OUTCOMES.get(i).unwrap_or(&OTHER)));
        Self {
            success,
            denied,
            throttled,
            client_error,
            server_error,
            seconds: seconds.with_label_values(&[operation]),
            exemplars: Exemplars::new(metrics::REQUEST_BUCKETS),
        }
    }

    fn count(&self, outcome: Outcome) -> &IntCounter {
        // In the log it is one of the client's errors; whoever watches a quota wants it apart.
        if outcome == Outcome::Failure(ErrorCode::Throttling) {
            return &self.throttled;
        }
        match outcome.class() {
            "success" => &self.success,
            "denied" => &self.denied,
            "client_error" => &self.client_error,
            _ => &self.server_error,
        }
    }
}

impl StoreSeries {
    fn new(make: &Maker<'_>) -> Self {
        Self {
            commit_groups: make.counter(&metrics::COMMIT_GROUPS),
            commits: make.counter(&metrics::COMMITS),
            stale_commits: make.counter(&metrics::STALE_COMMITS),
            fsyncs: make.counter(&metrics::FSYNCS),
            journal_bytes: make.counter(&metrics::JOURNAL_BYTES),
            log_appends: make.counter(&metrics::LOG_APPENDS),
            queue_depth: make.int_gauge(&metrics::COMMIT_QUEUE),
            log_events: make.int_gauge(&metrics::LOG_EVENTS),
            size_bytes: make.int_gauge(&metrics::STORE_BYTES),
            free_bytes: make.int_gauge(&metrics::FREE_BYTES),
        }
    }
}

impl ProcessSeries {
    fn new(make: &Maker<'_>) -> Self {
        Self {
            resident_bytes: make.int_gauge(&metrics::RESIDENT_BYTES),
            cpu_seconds: make.float_counter(&metrics::CPU_SECONDS),
            open_fds: make.int_gauge(&metrics::OPEN_FDS),
            max_fds: make.int_gauge(&metrics::MAX_FDS),
            start_time: make.gauge(&metrics::START_TIME),
        }
    }
}

impl KeySeries {
    fn new(make: &Maker<'_>) -> Self {
        let made = Self {
            by_state: make.int_gauges(&metrics::KEYS),
            by_use: make.int_gauges(&metrics::KEYS_BY_USE),
            grants: make.int_gauge(&metrics::GRANTS),
            material_expiry: make.gauge(&metrics::MATERIAL_EXPIRY),
            next_deletion: make.gauge(&metrics::NEXT_DELETION),
            rotations_overdue: make.int_gauge(&metrics::ROTATIONS_OVERDUE),
        };
        made.set(&KeyCounts::default());
        made
    }

    fn set(&self, counts: &KeyCounts) {
        let mut sums: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for ((state, spec), count) in &counts.by_state {
            *sums.entry((state.as_str(), spec_class(*spec))).or_default() += count;
        }
        fill(&self.by_state, metrics::KEY_STATES, SPEC_CLASSES, &sums);
        let uses = counts.by_use.iter();
        let sums = uses.map(|((usage, origin), n)| ((usage.as_str(), origin.as_str()), *n));
        fill(&self.by_use, metrics::USAGES, metrics::ORIGINS, &sums.collect());
        self.grants.set(whole(counts.grants));
        self.material_expiry.set(seconds(counts.next_material_expiry.unwrap_or_default()));
        self.next_deletion.set(seconds(counts.next_deletion.unwrap_or_default()));
        self.rotations_overdue.set(whole(counts.rotations_overdue));
    }
}

/// Sets every pair of labels; what has no sum is zero.
fn fill(series: &IntGaugeVec, a: &[&str], b: &[&str], sums: &BTreeMap<(&str, &str), u64>) {
    for a in a {
        for b in b {
            let count = sums.get(&(*a, *b)).copied().unwrap_or_default();
            series.with_label_values(&[a, b]).set(whole(count));
        }
    }
}

/// The counters of every pair of labels.
fn products(
    series: &IntCounterVec,
    a: &[&'static str],
    b: &[&'static str],
) -> BTreeMap<[&'static str; 2], IntCounter> {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| [*a, *b]));
    pairs.map(|labels| (labels, series.with_label_values(&labels))).collect()
}

fn costs(series: &CounterVec) -> BTreeMap<PriceClass, Counter> {
    let classes = PriceClass::ALL.iter();
    classes.map(|class| (*class, series.with_label_values(&[class.as_str()]))).collect()
}

const fn result(success: bool) -> &'static str {
    let [done, failed] = metrics::RESULTS;
    if success { done } else { failed }
}

/// Seconds since 1970 as a gauge holds them.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit 53 bits")]
const fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

/// A count as a gauge holds it.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
