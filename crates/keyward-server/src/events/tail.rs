//! Events as they are written, as server-sent events: one `data:` line for each record, under its number as `id:`.
//!
//! It begins with the next event, or behind the one that `Last-Event-ID` names, so that who comes back misses nothing;
//! what came before is listed. Going back is bounded: what is left out for that is said, as an event `left-out`.
//! A comment has an id too where more was looked at than was asked for.
//! A client that reads too slowly is not waited for by anybody else: the log is read when the client takes more.
//!
//! INVARIANT: nothing is sent to whom the same request, made now, would be refused: an access key or a session that
//! ended, or a permission that was taken away, ends the stream.
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
use zeroize::Zeroizing;

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

/// Events back to which `Last-Event-ID` goes.
const BACK_MAX: u64 = 100_000;

type Wait = Pin<Box<dyn Future<Output = watch::Receiver<u64>>>>;

pub(super) struct Tail {
    doors: Data<Doors>,
    caller: Caller,
    query: Query,
    /// Whether the reader may see policy text.
    explains: bool,
    /// Of temporary credentials.
    token: Option<Zeroizing<String>>,
    /// The number of the next event to read.
    next: u64,
    /// What a client that comes back is not sent: numbers from, and up to but without.
    left_out: Option<(u64, u64)>,
    /// The number of the last event that the client knows to have been looked at.
    told: Option<u64>,
    /// `None` while there may be something to read.
    wait: Option<Wait>,
    growth: Option<watch::Receiver<u64>>,
    started: bool,
    /// Whether it was woken, and has said nothing since.
    woken: bool,
}

impl Tail {
    /// `seen` is the number of the last event that the client had, `token` the one of its temporary credentials.
    pub(super) fn new(
        doors: Data<Doors>,
        caller: &Caller,
        query: Query,
        seen: Option<u64>,
        token: Option<Zeroizing<String>>,
    ) -> Self {
        let growth = doors.growth.0.subscribe();
        let total = doors.engine.store().events_total();
        let wanted = seen.map_or(total, |seen| seen.saturating_add(1).min(total));
        let next = wanted.max(total.saturating_sub(BACK_MAX));
        Self {
            caller: caller.clone(),
            query,
            explains: false,
            token,
            next,
            left_out: (wanted < next).then_some((wanted, next)),
            told: None,
            wait: None,
            growth: Some(growth),
            started: false,
            woken: false,
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
        let token = self.token.as_ref().map(|token| token.as_str());
        let known = engine.credential(&self.caller.access_key_id, token).is_ok();
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
                self.told = Some(event.seq);
                chunk.extend_from_slice(format!("id: {}\ndata: ", event.seq).as_bytes());
                chunk.extend_from_slice(&event.record);
                chunk.extend_from_slice(b"\n\n");
            }
        }
        Some(chunk.into())
    }

    /// A comment, with how far was looked where the client does not know.
    fn comment(&mut self, words: &str) -> Bytes {
        let last = self.next.checked_sub(1).filter(|last| self.told != Some(*last));
        self.told = last.or(self.told);
        let id = last.map_or(String::new(), |last| format!("id: {last}\n"));
        format!("{id}: {words}\n\n").into()
    }

    /// What a client hears first.
    fn greeting(&mut self) -> Bytes {
        let mut greeting = self.comment("events from now on").to_vec();
        if let Some((from, to)) = self.left_out {
            let told = format!("event: left-out\ndata: {{\"From\":{from},\"To\":{to}}}\n\n");
            greeting.extend_from_slice(told.as_bytes());
        }
        greeting.into()
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
        let this = self.get_mut();
        if !this.started {
            this.started = true;
            return Poll::Ready(Some(Ok(this.greeting())));
        }
        loop {
            if let Some(wait) = &mut this.wait {
                let Poll::Ready(growth) = wait.as_mut().poll(context) else { return Poll::Pending };
                this.growth = Some(growth);
                this.wait = None;
                this.woken = true;
            }
            if this.doors.is_draining() || !this.is_still_allowed() {
                return Poll::Ready(None);
            }
            match this.read() {
                Some(chunk) if chunk.is_empty() => {
                    // Others have their turn while much is looked at that nobody asked for.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(chunk) => {
                    this.woken = false;
                    return Poll::Ready(Some(Ok(chunk)));
                }
                None => {
                    let Some(growth) = this.growth.take() else { return Poll::Ready(None) };
                    this.wait = Some(wait(growth));
                    if core::mem::take(&mut this.woken) {
                        return Poll::Ready(Some(Ok(this.comment("still here"))));
                    }
                }
            }
        }
    }
}
