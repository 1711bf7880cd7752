//! What the service does not decide for itself: time, randomness, and how stored bytes are sealed.
//!
//! INVARIANT: nothing below `main` and the test kit reads the operating system's clock or generator.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000)
    }

    /// Whole seconds, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0 + days * 86_400_000)
    }

    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0 + seconds * 1_000)
    }

    /// From the form AWS JSON 1.1 uses, rounded down to milliseconds. What no time fits becomes the nearest.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a conversion from a float saturates, which is what is wanted"
    )]
    pub fn from_wire(seconds: f64) -> Self {
        Self((seconds * 1_000.0).floor() as i64)
    }

    /// The form AWS JSON 1.1 uses: seconds with milliseconds as a fraction.
    pub fn wire(self) -> serde_json::Number {
        if self.0.rem_euclid(1_000) == 0 {
            return serde_json::Number::from(self.seconds());
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "millisecond times fit 53 bits until the year 287396"
        )]
        serde_json::Number::from_f64(self.0 as f64 / 1_000.0)
            .unwrap_or_else(|| self.seconds().into())
    }
}

/// Calendar time, and a monotonic reading for durations.
///
/// INVARIANT: `now` never goes backwards inside one process, so event times order the log.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Nanoseconds since an arbitrary start; only differences mean anything.
    fn monotonic_nanos(&self) -> u64;
}

/// A cryptographic generator for one request.
pub trait Generator: rand_core::TryCryptoRng<Error = core::convert::Infallible> + Send {}
impl<T: rand_core::TryCryptoRng<Error = core::convert::Infallible> + Send> Generator for T {}

/// Hands out generators, so that no lock is held while one is used and each request's randomness
/// can be replayed on its own.
pub trait Entropy: Send + Sync {
    fn generator(&self) -> Box<dyn Generator>;
}

/// Seals what is stored. `identity` says what and where the value is and is authenticated with it:
/// a value that was changed, or moved to another place, does not open.
pub trait Sealer: Send + Sync {
    fn seal(&self, identity: &[u8], plain: &[u8]) -> Vec<u8>;

    /// `None` when the value is not authentic for this identity under this root key.
    fn open(&self, identity: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;
}
