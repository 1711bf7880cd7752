//! The threads that detect and that tell, from the start of the service to its end.
//!
//! What the detectors learned is kept beside the store, sealed, and replaced whole. It is read at the start; a file that is
//! lost, damaged or of another store is as good as none: they learn again from the log.
//!
//! Requests come first: while the log is read that grew meanwhile, and all the more while lost state is learned again, the
//! detecting thread rests between parts of it.
//!
//! INVARIANT: all threads have ended when [`Watching::stop`] returns, so that nothing holds the store open.

use super::{deliveries::Deliveries, settings::AlertSettings};
use crate::{replace::replace_private, wiring::StartError};
use keyward_engine::{Engine, alerts::Restored};
use keyward_types::{Clock, KmsError, Sealer};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What the file is sealed as.
const IDENTITY: &[u8] = b"keyward alerts";
/// Without events the clock is looked at this often.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at a log that grows: events are read many at once.
const REST: Duration = Duration::from_millis(200);
/// Events between two looks at whether it is to stop, and between two rests.
const READ_MAX: usize = 2_000;
/// So many times as long as a part of the log took to read, it rests before the next: an eighth of a core is for what was
/// lost and is learned again, half of one for what came while others were served.
const RELEARN_RESTS: u32 = 7;
const CATCH_UP_RESTS: u32 = 1;
/// It rests no longer at once, so that it can be stopped.
const REST_MAX: Duration = Duration::from_millis(500);

/// Everything that detection needs beside the engine.
pub struct AlertSetup {
    settings: AlertSettings,
    file: PathBuf,
    sealer: Arc<dyn Sealer>,
    clock: Arc<dyn Clock>,
    deliveries: Arc<Deliveries>,
}

/// Detection at work.
pub struct Watching {
    stopping: Arc<AtomicBool>,
    deliveries: Arc<Deliveries>,
    threads: Vec<JoinHandle<()>>,
}

impl AlertSetup {
    /// # Errors
    /// For what the configuration names and cannot be used.
    pub(crate) fn new(
        settings: &AlertSettings,
        store: &Path,
        sealer: Arc<dyn Sealer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let deliveries = Deliveries::new(settings, store, Arc::clone(&clock))?;
        Ok(Self {
            settings: settings.clone(),
            file: store.join("alerts"),
            sealer,
            clock,
            deliveries: Arc::new(deliveries),
        })
    }

    /// Puts back what was kept.
    pub(crate) fn restore(&self, engine: &Engine) -> Result<Restored, KmsError> {
        let saved = match fs::read(&self.file) {
            Ok(sealed) => {
                let opened = self.sealer.open(IDENTITY, &sealed);
                if opened.is_none() {
                    tracing::error!(file = %self.file.display(), "what detectors learned is damaged; they learn again from the log");
                }
                opened
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!(%error, "what detectors learned cannot be read; they learn again from the log");
                }
                None
            }
        };
        let AlertSettings { settings, rebuild_days, .. } = &self.settings;
        engine.restore_alerts(settings.clone(), saved.as_deref(), *rebuild_days)
    }

    fn save(&self, engine: &Engine) {
        let saved = engine.saved_alerts().map_err(|error| error.to_string());
        let kept = saved.and_then(|bytes| {
            let sealed = self.sealer.seal(IDENTITY, &bytes);
            replace_private(&self.file, &sealed).map_err(|error| error.to_string())
        });
        if let Err(error) = kept {
            tracing::error!(error, "what detectors learned cannot be kept");
        }
    }

    /// Begins to detect and to tell.
    ///
    /// # Errors
    /// When the log cannot be read, or no thread can be had.
    pub(crate) fn start(self: &Arc<Self>, engine: &Arc<Engine>) -> io::Result<Watching> {
        match self.restore(engine).map_err(|error| io::Error::other(error.to_string()))? {
            Restored::Saved(position) => tracing::debug!(position, "detectors go on"),
            Restored::Rebuilt(position) => {
                tracing::debug!(position, "detectors learn from the log")
            }
        }
        let stopping = Arc::new(AtomicBool::new(false));
        let mut watching = Watching {
            stopping: Arc::clone(&stopping),
            deliveries: Arc::clone(&self.deliveries),
            threads: Vec::new(),
        };
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let (setup, held) = (Arc::clone(self), Arc::clone(engine));
        let detect = move || setup.detect(&held, &stopping);
        watching.threads.push(named("keyward-detect").spawn(detect)?);
        self.deliveries.begin(engine);
        for place in 0..self.deliveries.targets() {
            let (deliveries, held) = (Arc::clone(&self.deliveries), Arc::clone(engine));
            let tell = move || deliveries.run(&held, place);
            watching.threads.push(named("keyward-alerts").spawn(tell)?);
        }
        Ok(watching)
    }

    fn detect(&self, engine: &Engine, stopping: &AtomicBool) {
        let seconds = || self.clock.monotonic_nanos() / 1_000_000_000;
        let mut saved = seconds();
        let mut told = engine.alerts_written();
        while !stopping.load(Ordering::Relaxed) {
            let begun = self.clock.monotonic_nanos();
            let done = engine.detect(READ_MAX);
            let took = Duration::from_nanos(self.clock.monotonic_nanos().saturating_sub(begun));
            let written = engine.alerts_written();
            if told != written {
                told = written;
                self.deliveries.wake();
            }
            if self.settings.save_seconds <= seconds().saturating_sub(saved) {
                self.save(engine);
                saved = seconds();
            }
            match done {
                Ok(false) => {
                    thread::park_timeout(rest_after(took, engine.alerts_are_relearned()));
                    continue;
                }
                Ok(true) => {}
                Err(error) => tracing::error!(%error, "the log cannot be looked at for alerts"),
            }
            thread::park_timeout(REST);
            if !stopping.load(Ordering::Relaxed)
                && engine.alerts_position() == engine.store().events_total()
            {
                thread::park_timeout(LOOK);
            }
        }
        // What was committed last is not forgotten, and is seen by the next run if it cannot be now.
        if let Err(error) = engine.detect(READ_MAX) {
            tracing::error!(%error, "the log cannot be looked at for alerts");
        }
        self.save(engine);
    }
}

/// How long to rest after reading for so long.
fn rest_after(took: Duration, is_relearning: bool) -> Duration {
    let rests = if is_relearning { RELEARN_RESTS } else { CATCH_UP_RESTS };
    took.saturating_mul(rests).min(REST_MAX)
}

impl Watching {
    /// Ends all, and waits until they have.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.deliveries.stop();
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a thread of alerts panicked");
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_again_leaves_the_core_to_others() {
        let part = Duration::from_millis(20);
        let share = |is_relearning| {
            let rest = rest_after(part, is_relearning);
            part.as_secs_f64() / (part + rest).as_secs_f64()
        };
        assert!((share(true) - 0.125).abs() < 1e-9 && (share(false) - 0.5).abs() < 1e-9);
        // A part that took very long is no reason not to hear that it is to stop.
        assert_eq!(rest_after(Duration::from_secs(9), true), REST_MAX);
    }
}
