//! Tells alerts to others: files, webhooks, Alertmanagers.
//!
//! Each target has a thread of its own, so that one which is slow or away delays no other. Each file and webhook has a
//! place in the log up to which it was told, kept in a file beside the store. It is told in order; what fails is tried
//! again, later and later. A notice that a webhook refuses as bad (400, 413, 422) three times is left out, so that one
//! notice cannot hold up the others. A target that is new begins with what happens from now on. A crash between telling
//! and noting it tells once more: receivers know a notice by its id.
//!
//! INVARIANT: it blocks, on threads of its own; detection and requests do not wait for it.

use super::{
    notices::{self, Notice},
    settings::{AlertSettings, AlertmanagerSettings, WebhookSettings},
    targets::{self, Told, WebhookSecret},
};
use crate::{
    patience::Patience, replace::replace_private, target_url::TargetUrl, wiring::StartError,
};
use keyward_engine::Engine;
use keyward_outbound::{Outbound, Trust};
use keyward_types::{Clock, event::term};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Notices that are read at once.
const READ_MAX: usize = 50;
/// How often a webhook is asked that refuses a notice.
const REFUSALS_MAX: u32 = 3;
/// Without anything to do it looks around this often.
const IDLE_MILLIS: u64 = 60_000;

/// Who is told, and how far that has come.
pub(super) struct Deliveries {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    external_url: Option<String>,
    places: Places,
    /// Each is held by its own thread for as long as that runs.
    targets: Vec<Mutex<Target>>,
    woken: Mutex<Woken>,
    wake: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Woken {
    /// How often there was something new.
    news: u64,
    stopping: bool,
}

struct Target {
    kind: Kind,
    patience: Patience,
    /// Whether it could not be told the last time.
    failing: bool,
}

enum Kind {
    Queued(Queued),
    Manager {
        settings: AlertmanagerSettings,
        /// When it is told again, in milliseconds of the monotonic clock.
        next: u64,
    },
}

/// A target that is told every notice in order.
struct Queued {
    /// Its name in the file of places.
    name: String,
    to: To,
    /// The number of the last event that it was told of or that is not for it.
    after: Option<u64>,
    /// How often it refused the one that is its turn.
    refusals: u32,
}

enum To {
    File(PathBuf),
    Webhook { url: TargetUrl, secret: Option<WebhookSecret> },
}

impl Target {
    fn new(kind: Kind) -> Mutex<Self> {
        Mutex::new(Self { kind, patience: Patience::default(), failing: false })
    }

    /// The metric's label.
    const fn label(&self) -> &'static str {
        match &self.kind {
            Kind::Queued(Queued { to: To::File(_), .. }) => "file",
            Kind::Queued(Queued { to: To::Webhook { .. }, .. }) => "webhook",
            Kind::Manager { .. } => "alertmanager",
        }
    }

    /// What it is called where it is complained of.
    fn place(&self) -> String {
        match &self.kind {
            Kind::Queued(Queued { to: To::File(path), .. }) => path.display().to_string(),
            Kind::Queued(Queued { to: To::Webhook { url, .. }, .. }) => url.place(),
            Kind::Manager { settings, .. } => settings.url.place(),
        }
    }
}

impl Queued {
    fn new(to: To) -> Kind {
        let (kind, place) = match &to {
            To::File(path) => ("file", path.display().to_string()),
            To::Webhook { url, .. } => ("webhook", url.expose().to_owned()),
        };
        let name = format!("{kind}-{:016x}", term("alert target", &place));
        Kind::Queued(Self { name, to, after: None, refusals: 0 })
    }
}

/// How far each target was told: the file beside the store, and what stands in it.
struct Places {
    path: PathBuf,
    known: Mutex<BTreeMap<String, u64>>,
}

impl Places {
    fn read(&self) -> BTreeMap<String, u64> {
        let failed = |error: &dyn core::fmt::Display| {
            tracing::error!(%error, "how far alerts were told cannot be read; they are told from now on");
            BTreeMap::new()
        };
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| failed(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => failed(&error),
        }
    }

    fn keep(&self, places: impl IntoIterator<Item = (String, u64)>) {
        let mut known = lock(&self.known);
        known.extend(places);
        let bytes = serde_json::to_vec(&*known).unwrap_or_default();
        if let Err(error) = replace_private(&self.path, &bytes) {
            tracing::error!(%error, "how far alerts were told cannot be kept");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deliveries {
    /// # Errors
    /// For a file that the configuration names and that cannot be read or holds no secret.
    pub(super) fn new(
        settings: &AlertSettings,
        store: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let trust = match &settings.ca {
            None => Trust::Public,
            Some(path) => {
                let failed = |cause| StartError::Io { place: path.display().to_string(), cause };
                Trust::PublicAnd(fs::read(path).map_err(failed)?)
            }
        };
        let outbound = Outbound::new(Arc::clone(&clock), trust, settings.allow_link_local)
            .map_err(StartError::PublisherTrust)?;
        let managers = settings.alertmanagers.iter();
        let mut targets: Vec<_> = managers
            .map(|settings| Target::new(Kind::Manager { settings: settings.clone(), next: 0 }))
            .collect();
        let file = settings.file.clone().map(To::File);
        targets.extend(file.map(|to| Target::new(Queued::new(to))));
        for WebhookSettings { url, secret_file } in &settings.webhooks {
            let secret = secret_file.as_deref().map(WebhookSecret::read).transpose()?;
            targets.push(Target::new(Queued::new(To::Webhook { url: url.clone(), secret })));
        }
        Ok(Self {
            outbound,
            clock,
            external_url: settings.external_url.clone(),
            places: Places { path: store.join("alert-deliveries"), known: Mutex::default() },
            targets,
            woken: Mutex::default(),
            wake: Condvar::new(),
        })
    }

    /// How many threads are to run.
    pub(super) fn targets(&self) -> usize {
        self.targets.len()
    }

    /// There is something new to tell.
    pub(super) fn wake(&self) {
        let mut woken = lock(&self.woken);
        woken.news = woken.news.wrapping_add(1);
        drop(woken);
        self.wake.notify_all();
    }

    pub(super) fn stop(&self) {
        lock(&self.woken).stopping = true;
        self.wake.notify_all();
    }

    fn is_stopping(&self) -> bool {
        lock(&self.woken).stopping
    }

    /// Reads how far each target was told; a new one was told of everything that is. Before the threads run.
    pub(super) fn begin(&self, engine: &Engine) {
        let known = self.places.read();
        let newest = engine.store().events_total().checked_sub(1);
        let mut places = Vec::new();
        for target in &self.targets {
            if let Kind::Queued(queued) = &mut lock(target).kind {
                queued.after = known.get(&queued.name).copied().or(newest);
                places.extend(queued.after.map(|after| (queued.name.clone(), after)));
            }
        }
        if !places.is_empty() {
            self.places.keep(places);
        }
    }

    /// Tells one target, until it is to stop.
    pub(super) fn run(&self, engine: &Engine, place: usize) {
        let Some(target) = self.targets.get(place) else { return };
        let mut target = lock(target);
        let mut seen = None;
        loop {
            let Woken { news, stopping } = *lock(&self.woken);
            if stopping {
                return;
            }
            let is_fresh = seen.replace(news) != Some(news);
            let again = self.pass(engine, &mut target, is_fresh);
            let wait = Duration::from_millis(again.saturating_sub(self.now()).max(20));
            let idle = |woken: &mut Woken| woken.news == news && !woken.stopping;
            drop(self.wake.wait_timeout_while(lock(&self.woken), wait, idle));
        }
    }

    fn now(&self) -> u64 {
        self.clock.monotonic_nanos() / 1_000_000
    }

    /// Tells what is due. Answers when to look again.
    fn pass(&self, engine: &Engine, target: &mut Target, is_fresh: bool) -> u64 {
        let mut again = self.now().saturating_add(IDLE_MILLIS);
        if let Kind::Manager { .. } = target.kind {
            self.tell_manager(engine, target, is_fresh);
        } else {
            self.drain(engine, target);
        }
        if let Kind::Manager { next, .. } = target.kind {
            again = again.min(next.max(target.patience.not_before));
        }
        if 0 < target.patience.not_before { again.min(target.patience.not_before) } else { again }
    }

    /// Tells a target what it was not told of, in order, until it fails.
    fn drain(&self, engine: &Engine, target: &mut Target) {
        loop {
            let Kind::Queued(Queued { after, .. }) = &target.kind else { return };
            if self.is_stopping() || !target.patience.allows(self.now()) {
                return;
            }
            let notices = match notices::read(engine, *after, READ_MAX) {
                Ok(notices) => notices,
                Err(error) => {
                    tracing::error!(%error, "alerts to tell cannot be read");
                    target.patience.failed(self.now());
                    return;
                }
            };
            if notices.is_empty() || !self.tell_all(engine, target, &notices) {
                return;
            }
        }
    }

    /// Tells a target, and keeps its place. False when it is to be tried again.
    fn tell_all(&self, engine: &Engine, target: &mut Target, notices: &[Notice]) -> bool {
        // A webhook gets one at a time, and its place is kept after each.
        let at_once = if target.label() == "file" { notices.len() } else { 1 };
        for part in notices.chunks(at_once.max(1)) {
            if self.is_stopping() || !self.tell(engine, target, part) {
                return false;
            }
            let Kind::Queued(queued) = &mut target.kind else { return false };
            if let Some(last) = part.last() {
                queued.after = Some(last.seq);
                self.places.keep([(queued.name.clone(), last.seq)]);
            }
        }
        true
    }

    /// Whether it was told, or is to be left out.
    fn tell(&self, engine: &Engine, target: &mut Target, notices: &[Notice]) -> bool {
        let Kind::Queued(Queued { to, .. }) = &target.kind else { return false };
        let told = match (to, notices) {
            (To::File(path), notices) => match targets::append(path, notices) {
                Ok(()) => Told::Yes,
                Err(error) => Told::Not(error.to_string()),
            },
            (To::Webhook { url, secret }, [notice, ..]) => {
                targets::post(&self.outbound, url, secret.as_ref(), notice, engine.now())
            }
            (To::Webhook { .. }, []) => Told::Yes,
        };
        let refused = matches!(told, Told::Refused(_));
        let error = match told {
            Told::Yes => None,
            Told::Refused(error) | Told::Not(error) => Some(error),
        };
        self.note(engine, target, notices.len(), error.as_deref());
        let Kind::Queued(queued) = &mut target.kind else { return false };
        if error.is_none() {
            queued.refusals = 0;
            return true;
        }
        queued.refusals += u32::from(refused);
        if queued.refusals < REFUSALS_MAX {
            return false;
        }
        queued.refusals = 0;
        target.patience = Patience::default();
        let place = target.place();
        tracing::error!(place, "an alert was refused three times and is left out");
        true
    }

    /// Counts tries, and puts off the next one where this one failed.
    fn note(&self, engine: &Engine, target: &mut Target, tries: usize, error: Option<&str>) {
        let (label, metrics) = (target.label(), engine.metrics().alerts());
        (0..tries).for_each(|_| metrics.delivered(label, error.is_none()));
        if target.failing != error.is_some() {
            target.failing = error.is_some();
            metrics.target_failing(label, target.failing);
        }
        match error {
            None => target.patience = Patience::default(),
            Some(error) => {
                let place = target.place();
                tracing::warn!(place, error, "alerts could not be told; it is tried again");
                target.patience.failed(self.now());
            }
        }
    }

    fn tell_manager(&self, engine: &Engine, target: &mut Target, is_fresh: bool) {
        let now = self.now();
        let is_failing = target.failing;
        let is_allowed = target.patience.allows(now);
        let Kind::Manager { settings, next } = &mut target.kind else { return };
        let due = is_fresh || *next <= now;
        if !due || self.is_stopping() || !is_allowed {
            return;
        }
        let (time, link) = (engine.now(), self.external_url.as_deref());
        let resend = settings.resend_seconds;
        let alerts: Vec<_> = engine.alert_book(|book| {
            let all = book.alerts();
            all.filter_map(|entry| targets::of_alertmanager(entry, link, time, resend)).collect()
        });
        *next = now.saturating_add(resend.saturating_mul(1_000));
        // Nothing to tell is told to one that was away: whether it is back is worth to know before the next alert.
        if alerts.is_empty() && !is_failing {
            return;
        }
        let told = targets::tell_alertmanager(&self.outbound, settings, &alerts);
        if told.is_err() {
            *next = 0;
        }
        self.note(engine, target, 1, told.err().as_deref());
    }
}
