//! The log as CloudTrail's files: where they go, who signs them, and the doors by which `aws cloudtrail
//! validate-logs` reads them: DescribeTrails and ListPublicKeys of CloudTrail, three read-only calls of S3.
//!
//! The files are made by `keyward-export`, here while the service runs and by the command line of a store that
//! is stopped.

mod key;
mod s3;
mod trails;

pub use key::{TrailKey, TrailKeys};
pub(crate) use s3::{SIGNATURE_HEADER, serve as serve_s3};
pub(crate) use trails::{Call, call, serve};

use crate::config::CloudTrailFiles;
use keyward_engine::{Engine, lived::Lived};
use keyward_export::{Destination, ExportError, Exported, Exporter, Folder, SigningKey, To, Until};
use keyward_trail::files::{Place, Schedule};
use keyward_types::{Region, Timestamp};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What a folder is called as a bucket.
pub const BUCKET: &str = "keyward-trail";

/// Between two looks whether something is over.
const LOOK_MAX: Duration = Duration::from_secs(15);

/// Where a service's files go, and how far they are.
pub struct TrailFiles {
    place: Place,
    schedule: Schedule,
    destination: Arc<dyn Destination>,
    /// What the S3 door shows; `None` when the files are in a bucket of somebody else's.
    folder: Option<Folder>,
    key: Arc<TrailKey>,
    exporter: Mutex<Option<Exporter>>,
    lived: Lived,
}

/// How long a clock that is far ahead has to stand before digests of its time are signed.
const STAND: Duration = Duration::from_hours(1);

impl core::fmt::Debug for TrailFiles {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TrailFiles").field("place", &self.place).finish_non_exhaustive()
    }
}

impl TrailFiles {
    /// # Errors
    /// When the destination cannot be one.
    pub fn new(
        settings: &CloudTrailFiles,
        home_region: &Region,
        key: Arc<TrailKey>,
    ) -> Result<Self, ExportError> {
        let To { destination, folder, bucket, prefix } =
            keyward_export::to(&settings.to, &settings.s3)?;
        let place = Place {
            bucket: bucket.unwrap_or_else(|| BUCKET.to_owned()),
            prefix,
            trail: settings.trail.clone(),
            home_region: home_region.as_str().to_owned(),
        };
        let schedule = settings.period_seconds.map_or_else(Schedule::default, |seconds| Schedule {
            log_seconds: seconds,
            digest_seconds: seconds,
            slack_seconds: 0,
        });
        let exporter = Mutex::new(None);
        let lived = Lived::new(STAND);
        Ok(Self { place, schedule, destination, folder, key, exporter, lived })
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Goes on with the destination as far as it can. After a failure it is looked at anew.
    ///
    /// # Errors
    /// When something cannot be read or written; what was written stays.
    pub fn export(
        &self,
        engine: &Engine,
        since: Option<Timestamp>,
        until: Until,
    ) -> Result<Exported, ExportError> {
        Ok(self.advance(engine, since, until, usize::MAX)?.0)
    }

    /// By so many files and digests at most; what was written so far, and whether there is more to do.
    pub(crate) fn advance(
        &self,
        engine: &Engine,
        since: Option<Timestamp>,
        until: Until,
        steps: usize,
    ) -> Result<(Exported, bool), ExportError> {
        let mut kept = self.exporter.lock().unwrap_or_else(PoisonError::into_inner);
        let exporter = match kept.take() {
            Some(exporter) => exporter,
            None => Exporter::open(
                engine.store(),
                Arc::clone(&self.destination),
                Arc::clone(&self.key) as Arc<dyn SigningKey>,
                self.place.clone(),
                self.schedule,
                since,
            )?,
        };
        let (exporter, more) = exporter.advance(engine.store(), until, steps)?;
        let done = exporter.exported();
        *kept = Some(exporter);
        Ok((done, more))
    }

    /// The first event that is in no file yet, as far as this process knows.
    pub(crate) fn reached(&self) -> Option<u64> {
        let kept = self.exporter.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map(Exporter::next_event)
    }

    /// Up to when files and digests are written now.
    ///
    /// # Errors
    /// While the clock is far ahead of what was lived through: a digest of its time would say that nothing happened
    /// until then.
    fn until_now(&self, engine: &Engine) -> Result<Until, ExportError> {
        let now = engine.now();
        let believed = engine.believe(&self.lived, now);
        believed.map(|()| Until::Clock(now)).map_err(|leapt| ExportError::Clock(leapt.to_string()))
    }

    /// How long to rest between two looks.
    fn rest(&self) -> Duration {
        LOOK_MAX.min(Duration::from_secs(self.schedule.log_seconds.max(1).into()))
    }
}

/// Files and digests at once, so that a service that has much to catch up with still stops soon.
const STEPS: usize = 32;

/// Writes what is over, again and again, off the threads that serve.
pub(crate) async fn follow(engine: Arc<Engine>, files: Arc<TrailFiles>) {
    let mut interval = tokio::time::interval(files.rest());
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        while catch_up(&engine, &files).await {}
    }
}

/// Whether there is more to do at once.
async fn catch_up(engine: &Arc<Engine>, files: &Arc<TrailFiles>) -> bool {
    let (engine, files) = (Arc::clone(engine), Arc::clone(files));
    let exported = tokio::task::spawn_blocking(move || {
        files.advance(&engine, None, files.until_now(&engine)?, STEPS)
    });
    match exported.await {
        Ok(Ok((_, more))) => return more,
        Ok(Err(error)) => {
            tracing::error!(%error, "CloudTrail files are not written; the log is whole, and they will be");
        }
        Err(error) => tracing::error!(%error, "writing CloudTrail files panicked"),
    }
    false
}
