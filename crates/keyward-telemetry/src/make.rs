//! Makes the collector of a row of the metric table.

use crate::metrics::{Kind, Metric};
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector,
};

/// Makes the collector of a row and registers it.
pub(crate) struct Maker<'a>(pub(crate) &'a Registry);

impl Maker<'_> {
    #[expect(clippy::expect_used, reason = "INVARIANT: a test makes every row of the table")]
    pub(crate) fn made<C: Collector + Clone + 'static>(
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

    pub(crate) fn counter(&self, metric: &Metric) -> IntCounter {
        self.made(metric, Kind::Counter, |opts, _| IntCounter::with_opts(opts))
    }

    pub(crate) fn counters(&self, metric: &Metric) -> IntCounterVec {
        self.made(metric, Kind::Counter, IntCounterVec::new)
    }

    pub(crate) fn gauge(&self, metric: &Metric) -> Gauge {
        self.made(metric, Kind::Gauge, |opts, _| Gauge::with_opts(opts))
    }

    pub(crate) fn gauges(&self, metric: &Metric) -> GaugeVec {
        self.made(metric, Kind::Gauge, GaugeVec::new)
    }

    pub(crate) fn int_gauge(&self, metric: &Metric) -> IntGauge {
        self.made(metric, Kind::Gauge, |opts, _| IntGauge::with_opts(opts))
    }

    pub(crate) fn int_gauges(&self, metric: &Metric) -> IntGaugeVec {
        self.made(metric, Kind::Gauge, IntGaugeVec::new)
    }

    pub(crate) fn histogram(&self, metric: &Metric, buckets: &[f64]) -> Histogram {
        self.made(metric, Kind::Histogram, |opts, _| {
            Histogram::with_opts(HistogramOpts::from(opts).buckets(buckets.to_vec()))
        })
    }

    pub(crate) fn histograms(&self, metric: &Metric, buckets: &[f64]) -> HistogramVec {
        self.made(metric, Kind::Histogram, |opts, labels| {
            HistogramVec::new(HistogramOpts::from(opts).buckets(buckets.to_vec()), labels)
        })
    }

    pub(crate) fn float_counter(&self, metric: &Metric) -> Counter {
        self.made(metric, Kind::Counter, |opts, _| Counter::with_opts(opts))
    }

    pub(crate) fn float_counters(&self, metric: &Metric) -> CounterVec {
        self.made(metric, Kind::Counter, CounterVec::new)
    }
}
