//! The values, and what changes them.
//!
//! INVARIANT: [`Metrics::observe`] is the only place that counts authenticated requests, and it reads
//! the event that was committed, so the board and the log cannot disagree.
//! INVARIANT: every series exists from the start at zero, so that a rate sees the first one.

use crate::alerts::AlertSeries;
use crate::metrics::{
    self, Kind, Metric, OTHER, OUTCOMES, SPEC_CLASSES, UNAUTHENTICATED_REASONS, spec_class,
};
use keyward_types::{ErrorCode, EventSummary, KeySpec, KeyState, Outcome};
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, core::Collector,
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
}

/// What the operating system says of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    pub resident_bytes: u64,
    pub cpu_seconds: f64,
    pub open_fds: u64,
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
    last_event: Gauge,
    in_flight: IntGauge,
    unauthenticated: BTreeMap<&'static str, IntCounter>,
    uncommitted: IntCounter,
    panics: IntCounter,
    keys: IntGaugeVec,
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
    client_error: IntCounter,
    server_error: IntCounter,
    seconds: Histogram,
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
}

struct ProcessSeries {
    resident_bytes: IntGauge,
    cpu_seconds: Counter,
    open_fds: IntGauge,
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
        let keys = make.int_gauges(&metrics::KEYS);
        for state in metrics::KEY_STATES {
            for class in SPEC_CLASSES {
                keys.with_label_values(&[state, class]).set(0);
            }
        }
        let publications = make.counters(&metrics::PUBLICATIONS);
        for target in metrics::TARGETS {
            for result in metrics::RESULTS {
                publications.with_label_values(&[target, result]).inc_by(0);
            }
        }
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
            last_event: make.gauge(&metrics::LAST_EVENT),
            in_flight: make.int_gauge(&metrics::IN_FLIGHT),
            unauthenticated: UNAUTHENTICATED_REASONS
                .iter()
                .map(|reason| (*reason, unauthenticated.with_label_values(&[reason])))
                .collect(),
            uncommitted: make.counter(&metrics::UNCOMMITTED),
            panics: make.counter(&metrics::PANICS),
            keys,
            publications,
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

    /// Counts a committed event: the request, how it ended and how long it took.
    ///
    /// `latency_seconds` ends when the event was durable, `decision_seconds` when the last decision fell.
    pub fn observe(&self, event: &EventSummary, latency_seconds: f64, decision_seconds: f64) {
        let series = self.operations.get(event.operation).unwrap_or(&self.other);
        series.count(event.outcome).inc();
        series.seconds.observe(latency_seconds);
        self.decision_seconds.observe(decision_seconds);
        if let Outcome::Failure(code) = event.outcome {
            self.errors.get(&code).into_iter().for_each(IntCounter::inc);
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit 53 bits")]
        self.last_event.set(event.time.seconds() as f64);
    }

    /// Counts a request whose sender was not proved; a reason outside of the set counts as `other`.
    pub fn unauthenticated(&self, reason: &str) {
        let series = self.unauthenticated.get(reason).or_else(|| self.unauthenticated.get(OTHER));
        series.into_iter().for_each(IntCounter::inc);
    }

    /// Counts a request that got no answer because its event could not be written.
    pub fn uncommitted(&self) {
        self.uncommitted.inc();
    }

    /// Counts a request that panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Counts a try to tell a checkpoint to others; a target outside of the set is not counted.
    pub fn published(&self, target: &str, success: bool) {
        let [told, failed] = metrics::RESULTS;
        if metrics::TARGETS.contains(&target) {
            let result = if success { told } else { failed };
            self.publications.with_label_values(&[target, result]).inc();
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

    /// Says how many guardrail policies are in force, and since when.
    pub fn guardrails(&self, policies: usize, loaded_seconds: i64) {
        self.guardrails.set(whole(policies as u64));
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit 53 bits")]
        self.guardrails_loaded.set(loaded_seconds as f64);
    }

    /// Counts guardrails that were refused.
    pub fn guardrails_refused(&self) {
        self.guardrails_refused.inc();
    }

    /// Says which version runs; called once.
    pub fn build_info(&self, version: &str) {
        self.build_info.with_label_values(&[version]).set(1.0);
    }

    /// Sets the number of keys; what is not named is zero.
    pub fn keys(&self, counts: impl IntoIterator<Item = (KeyState, KeySpec, u64)>) {
        let mut sums: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (state, spec, count) in counts {
            *sums.entry((state.as_str(), spec_class(spec))).or_default() += count;
        }
        for state in metrics::KEY_STATES {
            for class in SPEC_CLASSES {
                let count = sums.get(&(*state, *class)).copied().unwrap_or_default();
                self.keys.with_label_values(&[state, class]).set(whole(count));
            }
        }
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
    }

    /// Brings the process's metrics up to date; called before a scrape.
    pub fn process(&self, process: &Process) {
        let _one = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.process.resident_bytes.set(whole(process.resident_bytes));
        self.process.open_fds.set(whole(process.open_fds));
        self.process.start_time.set(process.start_time_seconds);
        self.process
            .cpu_seconds
            .inc_by((process.cpu_seconds - self.process.cpu_seconds.get()).max(0.0));
    }
}

impl OperationSeries {
    fn new(requests: &IntCounterVec, seconds: &HistogramVec, operation: &str) -> Self {
        let of = |outcome: &str| requests.with_label_values(&[operation, outcome]);
        let [success, denied, client_error, server_error] =
            [0, 1, 2, 3].map(|i| of(OUTCOMES.get(i).unwrap_or(&OTHER)));
        Self {
            success,
            denied,
            client_error,
            server_error,
            seconds: seconds.with_label_values(&[operation]),
        }
    }

    fn count(&self, outcome: Outcome) -> &IntCounter {
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
        }
    }
}

impl ProcessSeries {
    fn new(make: &Maker<'_>) -> Self {
        Self {
            resident_bytes: make.int_gauge(&metrics::RESIDENT_BYTES),
            cpu_seconds: make
                .made(&metrics::CPU_SECONDS, Kind::Counter, |opts, _| Counter::with_opts(opts)),
            open_fds: make.int_gauge(&metrics::OPEN_FDS),
            start_time: make.gauge(&metrics::START_TIME),
        }
    }
}

/// Makes the collector of a row and registers it.
pub(crate) struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    #[expect(clippy::expect_used, reason = "INVARIANT: a test makes every row of the table")]
    fn made<C: Collector + Clone + 'static>(
        &self,
        metric: &Metric,
        kind: Kind,
        new: impl FnOnce(Opts, &[&str]) -> prometheus::Result<C>,
    ) -> C {
        assert_eq!(metric.kind, kind, "{} is of another kind", metric.name);
        let collector = new(Opts::new(metric.name, metric.help), metric.labels)
            .expect("a row makes a collector");
        self.0.register(Box::new(collector.clone())).expect("a row is registered once");
        collector
    }

    fn counter(&self, metric: &Metric) -> IntCounter {
        self.made(metric, Kind::Counter, |opts, _| IntCounter::with_opts(opts))
    }

    pub(crate) fn counters(&self, metric: &Metric) -> IntCounterVec {
        self.made(metric, Kind::Counter, IntCounterVec::new)
    }

    fn gauge(&self, metric: &Metric) -> Gauge {
        self.made(metric, Kind::Gauge, |opts, _| Gauge::with_opts(opts))
    }

    fn gauges(&self, metric: &Metric) -> GaugeVec {
        self.made(metric, Kind::Gauge, GaugeVec::new)
    }

    pub(crate) fn int_gauge(&self, metric: &Metric) -> IntGauge {
        self.made(metric, Kind::Gauge, |opts, _| IntGauge::with_opts(opts))
    }

    pub(crate) fn int_gauges(&self, metric: &Metric) -> IntGaugeVec {
        self.made(metric, Kind::Gauge, IntGaugeVec::new)
    }

    fn histogram(&self, metric: &Metric, buckets: &[f64]) -> Histogram {
        self.made(metric, Kind::Histogram, |opts, _| {
            Histogram::with_opts(HistogramOpts::from(opts).buckets(buckets.to_vec()))
        })
    }

    fn histograms(&self, metric: &Metric, buckets: &[f64]) -> HistogramVec {
        self.made(metric, Kind::Histogram, |opts, labels| {
            HistogramVec::new(HistogramOpts::from(opts).buckets(buckets.to_vec()), labels)
        })
    }
}

/// A count as a gauge holds it.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
