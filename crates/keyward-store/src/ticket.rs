//! A commit on its way: a future that any executor can await, or a thread can wait for.
//!
//! INVARIANT: a ticket is always answered, also when the writer panics.

use crate::{StoreError, shared::lock};
use std::{
    pin::Pin,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

/// What a commit became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The commit's sequence number, from 1.
    pub seq: u64,
    /// The number of its first event; events of one commit are numbered on from here. The first of all is 0.
    pub event_first: u64,
}

type Answer = Result<Receipt, StoreError>;

#[derive(Default)]
struct State {
    answer: Option<Answer>,
    waker: Option<Waker>,
    /// Whether a thread waits; a wake that nobody needs is a system call for every commit.
    is_waited_for: bool,
}

#[derive(Default)]
struct Cell {
    state: Mutex<State>,
    answered: Condvar,
}

/// A commit on its way. Dropping it does not take the commit back.
#[must_use = "a commit stands only when its ticket says so"]
pub struct Ticket(Arc<Cell>);

impl Ticket {
    pub(crate) fn pair() -> (Self, Answerer) {
        let cell = Arc::new(Cell::default());
        (Self(Arc::clone(&cell)), Answerer(Some(cell)))
    }

    pub(crate) fn answered(answer: Answer) -> Self {
        let (ticket, answerer) = Self::pair();
        answerer.answer(answer);
        ticket
    }

    /// Parks this thread until the commit is answered.
    ///
    /// # Errors
    /// `Stale`, `Busy`, `NoSpace`, `TooLarge`, `Closed`: nothing was written.
    /// `Failed`: it may or may not stand.
    pub fn wait(self) -> Answer {
        let mut state = lock(&self.0.state);
        loop {
            if let Some(answer) = state.answer.clone() {
                return answer;
            }
            state.is_waited_for = true;
            state = self.0.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Ticket {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let mut state = lock(&self.0.state);
        match state.answer.clone() {
            Some(answer) => Poll::Ready(answer),
            None => {
                if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    state.waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

/// The writer's end of a ticket.
pub(crate) struct Answerer(Option<Arc<Cell>>);

impl Answerer {
    pub(crate) fn answer(mut self, answer: Answer) {
        self.give(answer);
    }

    fn give(&mut self, answer: Answer) {
        if let Some(cell) = self.0.take() {
            let (waker, is_waited_for) = {
                let mut state = lock(&cell.state);
                state.answer = Some(answer);
                (state.waker.take(), state.is_waited_for)
            };
            if is_waited_for {
                cell.answered.notify_all();
            }
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.give(Err(StoreError::Failed("the writer ended before it answered".to_owned())));
    }
}
