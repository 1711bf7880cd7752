//! Events as they are written, as server-sent events: one `data:` line for each record.
//!
//! It begins with the next event; what came before is listed. A client that reads too slowly is not
//! waited for by anybody else: the log is read when the client takes more.
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use super::{EXPLAIN, LIST, is_of, permission::Action, shown};
use crate::doors::Doors;
use actix_web::{
    body::{BodySize, MessageBody},
    web::{Bytes, Data},
};
use keyward_store::{EventQuery, Store};
use keyward_trail::query::Query;
use keyward_types::Caller;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::watch;

/// How far the log goes, for everybody who follows it.
pub(crate) struct Growth(Arc<watch::Sender<u64>>);

impl Growth {
    pub(crate) fn of(store: &Store) -> Self {
        let sender = Arc::new(watch::Sender::new(store.events_total()));
        let told = Arc::clone(&sender);
        // Only a notice: the writer's thread does no work for followers.
        store.on_events(move |next| {
            told.send_replace(next);
        });
        Self(sender)
    }

    /// Wakes every follower, so that it notices that the service is stopping.
    pub(crate) fn wake(&self) {
        self.0.send_modify(|_| {});
    }
}

/// Without news a comment is sent this often, so that a client that went away is noticed.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Events read at once.
const READ_MAX: usize = 256;

type Wait = Pin<Box<dyn Future<Output = watch::Receiver<u64>>>>;

pub(super) struct Tail {
    doors: Data<Doors>,
    caller: Caller,
    query: Query,
    /// Whether the reader may see policy text.
    explains: bool,
    /// The number of the next event to read.
    next: u64,
    /// `None` while there may be something to read.
    wait: Option<Wait>,
    growth: Option<watch::Receiver<u64>>,
    started: bool,
}

impl Tail {
    pub(super) fn new(doors: Data<Doors>, caller: &Caller, query: Query, explains: bool) -> Self {
        let growth = doors.growth.0.subscribe();
        let next = doors.engine.store().events_total();
        Self {
            caller: caller.clone(),
            query,
            explains,
            next,
            wait: None,
            growth: Some(growth),
            started: false,
            doors,
        }
    }

    /// Whether the reader may still read, and how much: permissions and access keys end while a stream goes on.
    fn is_still_allowed(&mut self) -> bool {
        let engine = &self.doors.engine;
        let may = |action: Action| {
            let action = format!("{}:{}", action.service, action.operation);
            engine.decide(&self.caller, &action).is_ok_and(|decision| decision.allowed())
        };
        let key = &self.caller.access_key_id;
        let known = self.caller.issued.is_some() || engine.credential(key, None).is_ok();
        let (lists, explains) = (may(LIST), may(EXPLAIN));
        self.explains = explains;
        known && lists
    }

    /// What was written since, as one chunk; empty when nothing of it is asked for, `None` when there is nothing.
    fn read(&mut self) -> Option<Bytes> {
        let after = self.next.checked_sub(1);
        let query = EventQuery { after, limit: READ_MAX, ..EventQuery::default() };
        let events = self.doors.engine.store().events(&query).unwrap_or_default();
        self.next = events.last()?.seq + 1;
        let (now, mut chunk) = (self.doors.engine.now(), Vec::new());
        for mut event in events {
            let Some(record) = shown(&mut event, self.explains) else { continue };
            if is_of(&record, self.caller.account.as_str()) && self.query.matches(&record, now) {
                chunk.extend_from_slice(b"data: ");
                chunk.extend_from_slice(&event.record);
                chunk.extend_from_slice(b"\n\n");
            }
        }
        Some(chunk.into())
    }
}

/// Until the log grows, or silence has lasted long enough.
fn wait(mut growth: watch::Receiver<u64>) -> Wait {
    Box::pin(async move {
        drop(tokio::time::timeout(SILENCE_MAX, growth.changed()).await);
        growth
    })
}

impl MessageBody for Tail {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        const COMMENT: &[u8] = b": still here\n\n";
        let this = self.get_mut();
        if !this.started {
            this.started = true;
            return Poll::Ready(Some(Ok(Bytes::from_static(b": events from now on\n\n"))));
        }
        loop {
            let mut woken = false;
            if let Some(wait) = &mut this.wait {
                let Poll::Ready(growth) = wait.as_mut().poll(context) else { return Poll::Pending };
                this.growth = Some(growth);
                this.wait = None;
                woken = true;
            }
            if this.doors.is_draining() || !this.is_still_allowed() {
                return Poll::Ready(None);
            }
            match this.read() {
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => return Poll::Ready(Some(Ok(chunk))),
                None => {
                    let Some(growth) = this.growth.take() else { return Poll::Ready(None) };
                    this.wait = Some(wait(growth));
                    if woken {
                        return Poll::Ready(Some(Ok(Bytes::from_static(COMMENT))));
                    }
                }
            }
        }
    }
}
