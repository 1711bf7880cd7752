//! The newest event of each bucket of a histogram: the way from a point of a graph to the event behind it.
//!
//! Only OpenMetrics can say them. An event's id names nobody, and opens nothing to who may not read events.
//!
//! INVARIANT: no request waits here: where two come at once, one of them is not kept.
//! Source: <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md#exemplars>

use keyward_types::{EventSummary, Timestamp};
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Of one series.
pub(crate) struct Exemplars {
    bounds: &'static [f64],
    /// By bucket; the last has no bound.
    newest: Vec<Mutex<Option<Exemplar>>>,
}

#[derive(Clone, Copy)]
struct Exemplar {
    event_id: Uuid,
    value: f64,
    time: Timestamp,
}

impl Exemplars {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, newest: (0..=bounds.len()).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn keep(&self, event: &EventSummary, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(Ok(mut newest)) = self.newest.get(bucket).map(Mutex::try_lock) {
            *newest = Some(Exemplar { event_id: event.event_id, value, time: event.time });
        }
    }

    /// What stands behind the sample of a bucket, or nothing.
    pub(crate) fn shown(&self, bucket: usize) -> String {
        let newest = self.newest.get(bucket);
        let newest =
            newest.and_then(|newest| *newest.lock().unwrap_or_else(PoisonError::into_inner));
        newest.map_or_else(String::new, |Exemplar { event_id, value, time }| {
            let Timestamp(ms) = time;
            let (seconds, rest) = (ms.div_euclid(1_000), ms.rem_euclid(1_000));
            format!(" # {{event_id=\"{event_id}\"}} {value} {seconds}.{rest:03}")
        })
    }
}
