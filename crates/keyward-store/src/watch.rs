//! Tells whoever follows the log that it grew.
//!
//! It says only how far the log goes; the follower reads.

use crate::shared::lock;
use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

type Listener = Box<dyn Fn(u64) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Watch {
    next: Mutex<u64>,
    grew: Condvar,
    listeners: Mutex<Vec<Listener>>,
}

impl Watch {
    pub(crate) fn listen(&self, listener: Listener) {
        lock(&self.listeners).push(listener);
    }

    pub(crate) fn publish(&self, next: u64) {
        {
            let mut known = lock(&self.next);
            if *known == next {
                return;
            }
            *known = next;
        }
        self.grew.notify_all();
        for listener in lock(&self.listeners).iter() {
            listener(next);
        }
    }

    pub(crate) fn wait(&self, beyond: u64, at_most: Duration) -> u64 {
        let known = lock(&self.next);
        let waited = self.grew.wait_timeout_while(known, at_most, |next| *next <= beyond);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
