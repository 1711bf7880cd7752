//! Time, chance, and what was counted.

use super::{background, cast::Cast};
use crate::exit::CliError;
use keyward_server::clock::PlayedClock;
use keyward_types::{Clock, Entropy, Generator, Timestamp};
use rand_core::Rng as _;
use std::{cell::RefCell, rc::Rc, sync::Arc, thread, time::Duration};

/// How requests ended.
#[derive(Debug, Default)]
pub(super) struct Tally {
    succeeded: u64,
    refused: u64,
}

impl Tally {
    pub(super) fn count(&mut self, success: bool) {
        let count = if success { &mut self.succeeded } else { &mut self.refused };
        *count += 1;
    }
}

pub(super) struct Stage {
    clock: Arc<dyn Clock>,
    generator: Box<dyn Generator>,
    /// `None` in real time.
    played: Option<Arc<PlayedClock>>,
    pace: f64,
    tally: Rc<RefCell<Tally>>,
}

/// In real time an hour's work is done in a minute, unless another pace is asked for.
pub(super) const LIVE_PACE: f64 = 60.0;

/// Between two looks at what everybody does.
const STEP_LIVE_SECONDS: f64 = 0.25;
const STEP_PLAYED_SECONDS: f64 = 60.0;

impl Stage {
    pub(super) fn new(clock: Arc<dyn Clock>, entropy: &dyn Entropy, pace: f64) -> Self {
        let generator = entropy.generator();
        Self { clock, generator, played: None, pace, tally: Rc::default() }
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(super) fn counted(&self) -> Rc<RefCell<Tally>> {
        Rc::clone(&self.tally)
    }

    /// From now on time is what is played.
    pub(super) fn play(&mut self, clock: Arc<PlayedClock>) {
        self.played = Some(clock);
    }

    /// From now on time passes by itself.
    pub(super) fn live(&mut self) {
        self.played = None;
    }

    /// The time of the stage, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit 53 bits")]
        let millis = self.clock.now().0 as f64;
        millis / 1_000.0
    }

    /// Lets this time pass, in which everybody does what they always do.
    pub(super) fn pass(&mut self, cast: &mut Cast, seconds: f64) -> Result<(), CliError> {
        let end = self.seconds() + seconds;
        loop {
            let left = end - self.seconds();
            if left <= 0.0 {
                return Ok(());
            }
            let usual = if self.played.is_some() { STEP_PLAYED_SECONDS } else { STEP_LIVE_SECONDS };
            let step = usual.min(left);
            let begun = self.seconds();
            // What is played already goes an hour a minute or quicker.
            let pace = if self.played.is_some() { self.pace / LIVE_PACE } else { self.pace };
            background::step(self, cast, step * pace)?;
            self.wait(step - (self.seconds() - begun));
        }
    }

    /// Waits, or sets the clock forward.
    pub(super) fn wait(&self, seconds: f64) {
        let millis = Duration::from_secs_f64(seconds.max(0.0)).as_millis();
        match &self.played {
            // A step that takes no time would never end.
            Some(clock) => {
                let millis = i64::try_from(millis).unwrap_or(i64::MAX).max(1);
                clock.set(Timestamp(clock.now().0.saturating_add(millis)));
            }
            None => thread::park_timeout(Duration::from_millis(
                u64::try_from(millis).unwrap_or(u64::MAX),
            )),
        }
    }

    /// A number below `below`, which is not 0.
    pub(super) fn below(&mut self, below: usize) -> usize {
        let drawn = self.generator.next_u64() % u64::try_from(below.max(1)).unwrap_or(1);
        usize::try_from(drawn).unwrap_or_default()
    }

    /// How often something happens that is to happen `mean` times.
    pub(super) fn times(&mut self, mean: f64) -> u32 {
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more bits")]
        let chance = (self.generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the mean of a step is small and not negative"
        )]
        let times = (mean + chance).floor() as u32;
        times
    }

    /// Bytes as a client would want to keep them.
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.generator.fill_bytes(&mut bytes);
        bytes
    }

    pub(super) fn generator(&mut self) -> &mut dyn Generator {
        &mut *self.generator
    }

    pub(super) fn tally(&self) -> String {
        let Tally { succeeded, refused } = &*self.tally.borrow();
        format!("{} requests were sent, of which {refused} were refused", succeeded + refused)
    }
}
