//! How an attempt is run: light ones in place, heavy and remote ones on bounded pools, and panics caught.
//!
//! RSA and key generation take a thousand times as long as AES; on their own lane they cannot starve it.
//! What asks another machine waits without computing, and has a lane of its own too: a proxy that does not
//! answer keeps nobody else waiting.
//! It does not decide what is heavy: the operation's row does.
//!
//! Questions in SQL have a lane too, since one may run for seconds: it would hold up every signature.
//!
//! INVARIANT: no more heavy calls run at once than there are cores, no more remote ones than `REMOTE_MAX`,
//! and no more wait for either than `QUEUE_MAX`.
//! INVARIANT: a call that finds the queue full leaves an event like any other refusal.
//! The engine catches what panics inside an attempt, and records it; what is caught here is the rest.

use keyward_engine::{AnyOperation, Engine, InFlight, Lane, Prepared, Reply};
use keyward_types::{Caller, ErrorCode, KmsError};
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};
use tokio::sync::Semaphore;

/// Heavy calls that may wait. At 0.25 ms for an RSA-2048 signature the last one waits about 0.1 s on two cores.
const QUEUE_MAX: usize = 1_024;

/// Calls that may wait for other machines at once. With a proxy that takes its whole quarter of a second that
/// is 256 calls a second.
const REMOTE_MAX: usize = 64;

/// Questions that may wait. Each may run for seconds, so that more would wait in vain.
const QUESTIONS_WAITING_MAX: usize = 16;

pub(crate) struct Lanes {
    heavy: Pool,
    remote: Pool,
    questions: Pool,
}

/// So many at once, on threads that may block.
struct Pool {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

impl Lanes {
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            heavy: Pool::new(cores.max(1)),
            remote: Pool::new(REMOTE_MAX),
            // Half of the cores stay with the requests.
            questions: Pool { waiting_max: QUESTIONS_WAITING_MAX, ..Pool::new((cores / 2).max(1)) },
        }
    }

    /// Answers a question on a thread that may block. Nothing but reading is done so: it leaves no event.
    pub(crate) async fn question<T: Send + 'static>(
        &self,
        engine: &Engine,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, KmsError> {
        let place = self.questions.place().ok_or_else(throttled)?;
        let answered = self.questions.blocking(place, work).await?;
        answered.map_err(|_panic| {
            engine.metrics().panicked();
            tracing::error!("a question panicked; this is a defect");
            KmsError::internal("a question panicked")
        })
    }

    /// One attempt of a caller, from the row to the answer that may leave.
    pub(crate) async fn attempt(
        &self,
        engine: &Arc<Engine>,
        operation: &'static dyn AnyOperation,
        caller: &Arc<Caller>,
        body: &[u8],
    ) -> Result<Reply, KmsError> {
        let panicked = |panic| internal(engine, operation, panic);
        let prepared = guard(|| engine.prepare(operation, caller, body)).map_err(panicked)?;
        let in_flight = match prepared.lane() {
            Lane::Light => guard(|| prepared.run()),
            Lane::Heavy => self.heavy.run(prepared).await?,
            Lane::Remote => self.remote.run(prepared).await?,
        };
        caught(in_flight.map_err(panicked)?).await.map_err(panicked)?
    }
}

impl Pool {
    fn new(most: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(most)),
            waiting: AtomicUsize::new(0),
            waiting_max: QUEUE_MAX,
        }
    }

    async fn run(&self, prepared: Prepared) -> Result<Result<InFlight, Panicked>, KmsError> {
        let Some(place) = self.place() else {
            return Ok(guard(|| prepared.refuse(throttled())));
        };
        self.blocking(place, || prepared.run()).await
    }

    fn place(&self) -> Option<Place<'_>> {
        Place::take(&self.waiting, self.waiting_max)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        place: Place<'_>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Panicked>, KmsError> {
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(KmsError::internal)?;
        drop(place);
        let ran = tokio::task::spawn_blocking(move || {
            let ran = guard(work);
            drop(permit);
            ran
        });
        ran.await.map_err(KmsError::internal)
    }
}

/// A place in the queue, given back when it is dropped.
struct Place<'q>(&'q AtomicUsize);

impl<'q> Place<'q> {
    fn take(waiting: &'q AtomicUsize, most: usize) -> Option<Self> {
        let place = Self(waiting);
        // Dropping the place takes the addition back.
        (waiting.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn throttled() -> KmsError {
    KmsError::new(
        ErrorCode::Throttling,
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
    )
}

/// That something panicked; the panic hook has told the operator what.
pub(crate) struct Panicked;

fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// Polls a future and catches its panics. The future is dropped after one.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|context| match guard(|| future.as_mut().poll(context)) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

fn internal(engine: &Engine, operation: &'static dyn AnyOperation, _panic: Panicked) -> KmsError {
    let operation = operation.spec().name;
    engine.metrics().panicked();
    tracing::error!(operation, "a request panicked; this is a defect");
    KmsError::internal("a request panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_and_given_back() {
        let waiting = AtomicUsize::new(0);
        let places: Vec<_> =
            (0..QUEUE_MAX).map(|_| Place::take(&waiting, QUEUE_MAX).unwrap()).collect();
        assert!(Place::take(&waiting, QUEUE_MAX).is_none());
        assert_eq!(waiting.load(Ordering::Relaxed), QUEUE_MAX);
        drop(places);
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_panic_is_caught() {
        assert!(guard(|| panic!("on purpose")).is_err());
    }
}
