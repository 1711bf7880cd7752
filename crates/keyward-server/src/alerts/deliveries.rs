//! Tells alerts to others: files, webhooks, Alertmanagers.
//!
//! Each file and webhook has a place in the log up to which it was told, kept in a file beside the store. It is told in
//! order; what fails is tried again, later and later. What a webhook refuses as bad (a status of 4xx but for 408, 425 and
//! 429) three times is left out, so that one notice cannot hold up the others. A target that is new begins with what
//! happens from now on. A crash between telling and noting it tells once more: receivers know a notice by its id.
//!
//! INVARIANT: it blocks, on a thread of its own; detection and requests do not wait for it.

use super::{
    notices::{self, Notice},
    settings::{AlertSettings, AlertmanagerSettings, WebhookSettings},
    targets::{self, Told},
};
use crate::{config::Secret, patience::Patience, replace::replace_private, wiring::StartError};
use keyward_engine::Engine;
use keyward_outbound::{Outbound, Trust};
use keyward_types::{Clock, event::term};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// Notices that are read at once.
const READ_MAX: usize = 50;
/// How often a webhook is asked that refuses a notice.
const REFUSALS_MAX: u32 = 3;
/// Without anything to do it looks around this often.
const IDLE: Duration = Duration::from_secs(60);

/// Who is told, and how far that has come.
pub(super) struct Deliveries {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    external_url: Option<String>,
    /// Beside the store.
    places: PathBuf,
    state: Mutex<State>,
    woken: Mutex<Woken>,
    wake: Condvar,
}

#[derive(Default)]
struct Woken {
    news: bool,
    stopping: bool,
}

struct State {
    queued: Vec<Queued>,
    managers: Vec<Manager>,
}

/// A target that is told every notice in order.
struct Queued {
    /// Its name in the file of places.
    name: String,
    kind: QueuedKind,
    /// The number of the last event that it was told of or that is not for it.
    after: Option<u64>,
    patience: Patience,
    /// How often it refused the one that is its turn.
    refusals: u32,
}

enum QueuedKind {
    File(PathBuf),
    Webhook { url: String, secret: Option<Secret> },
}

impl QueuedKind {
    /// The metric's label.
    const fn label(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Webhook { .. } => "webhook",
        }
    }
}

struct Manager {
    settings: AlertmanagerSettings,
    /// When it is told again, in milliseconds of the monotonic clock.
    next: u64,
    patience: Patience,
}

impl Deliveries {
    /// # Errors
    /// For a file that the configuration names and that cannot be read.
    pub(super) fn new(
        settings: &AlertSettings,
        store: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let read = |path: &Path| {
            fs::read(path)
                .map_err(|cause| StartError::Io { place: path.display().to_string(), cause })
        };
        let trust = match &settings.ca {
            None => Trust::Public,
            Some(path) => Trust::PublicAnd(read(path)?),
        };
        let outbound = Outbound::new(Arc::clone(&clock), trust, settings.allow_link_local)
            .map_err(StartError::PublisherTrust)?;
        let mut queued = Vec::new();
        if let Some(path) = &settings.file {
            queued.push(Queued::new(QueuedKind::File(path.clone()), &path.display().to_string()));
        }
        for WebhookSettings { url, secret_file } in &settings.webhooks {
            let secret = secret_file.as_deref().map(secret).transpose()?;
            queued.push(Queued::new(QueuedKind::Webhook { url: url.clone(), secret }, url));
        }
        let manager = |settings: &AlertmanagerSettings| Manager {
            settings: settings.clone(),
            next: 0,
            patience: Patience::default(),
        };
        let managers = settings.alertmanagers.iter().map(manager).collect();
        Ok(Self {
            outbound,
            clock,
            external_url: settings.external_url.clone(),
            places: store.join("alert-deliveries"),
            state: Mutex::new(State { queued, managers }),
            woken: Mutex::default(),
            wake: Condvar::new(),
        })
    }

    /// There is something new to tell.
    pub(super) fn wake(&self) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).news = true;
        self.wake.notify_all();
    }

    pub(super) fn stop(&self) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.wake.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).stopping
    }

    /// Tells, until it is to stop.
    pub(super) fn run(&self, engine: &Engine) {
        self.begin(engine);
        let mut news = true;
        loop {
            let wait = self.pass(engine, news);
            let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = |woken: &mut Woken| !woken.news && !woken.stopping;
            let woken = self.wake.wait_timeout_while(woken, wait, idle);
            let (mut woken, _) = woken.unwrap_or_else(PoisonError::into_inner);
            if woken.stopping {
                return;
            }
            news = core::mem::take(&mut woken.news);
        }
    }

    /// Reads how far each target was told; a new one was told of everything that is.
    fn begin(&self, engine: &Engine) {
        let known = self.read_places();
        let newest = engine.store().events_total().checked_sub(1);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for queued in &mut state.queued {
            queued.after = known.get(&queued.name).copied().or(newest);
        }
        self.keep_places(&state);
    }

    fn read_places(&self) -> BTreeMap<String, u64> {
        match fs::read(&self.places) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::error!(%error, "how far alerts were told cannot be read; they are told from now on");
                BTreeMap::new()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!(%error, "how far alerts were told cannot be read; they are told from now on");
                }
                BTreeMap::new()
            }
        }
    }

    fn keep_places(&self, state: &State) {
        if state.queued.is_empty() {
            return;
        }
        let places = state.queued.iter();
        let places: BTreeMap<&str, u64> =
            places.filter_map(|one| Some((one.name.as_str(), one.after?))).collect();
        let bytes = serde_json::to_vec(&places).unwrap_or_default();
        if let Err(error) = replace_private(&self.places, &bytes) {
            tracing::error!(%error, "how far alerts were told cannot be kept");
        }
    }

    fn now(&self) -> u64 {
        self.clock.monotonic_nanos() / 1_000_000
    }

    /// Tells everybody what is due. Answers when to look again.
    fn pass(&self, engine: &Engine, news: bool) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for place in 0..state.queued.len() {
            self.drain(engine, &mut state, place);
        }
        let mut again = self.now().saturating_add(duration_millis(IDLE));
        for manager in &mut state.managers {
            self.tell_manager(engine, manager, news);
            again = again.min(manager.next.max(manager.patience.not_before));
        }
        let waiting = state.queued.iter().map(|one| one.patience.not_before).filter(|at| 0 < *at);
        let again = waiting.fold(again, u64::min);
        Duration::from_millis(again.saturating_sub(self.now()).max(20))
    }

    /// Tells one target what it was not told of, in order, until it fails.
    fn drain(&self, engine: &Engine, state: &mut State, place: usize) {
        loop {
            let Some(queued) = state.queued.get_mut(place) else { return };
            if self.is_stopping() || !queued.patience.allows(self.now()) {
                return;
            }
            let notices = match notices::read(engine, queued.after, READ_MAX) {
                Ok(notices) => notices,
                Err(error) => {
                    tracing::error!(%error, "alerts to tell cannot be read");
                    queued.patience.failed(self.now());
                    return;
                }
            };
            if notices.is_empty() || !self.tell_all(engine, state, place, &notices) {
                return;
            }
        }
    }

    /// Tells one target, and keeps its place. False when it is to be tried again.
    fn tell_all(
        &self,
        engine: &Engine,
        state: &mut State,
        place: usize,
        notices: &[Notice],
    ) -> bool {
        let is_file =
            state.queued.get(place).is_some_and(|one| matches!(one.kind, QueuedKind::File(_)));
        // A webhook gets one at a time, and its place is kept after each.
        let at_once = if is_file { notices.len() } else { 1 };
        for part in notices.chunks(at_once.max(1)) {
            let Some(queued) = state.queued.get_mut(place) else { return false };
            if self.is_stopping() || !self.tell(engine, queued, part) {
                return false;
            }
            queued.after = part.last().map(|notice| notice.seq).or(queued.after);
            self.keep_places(state);
        }
        true
    }

    /// Whether it was told, or is to be left out.
    fn tell(&self, engine: &Engine, queued: &mut Queued, notices: &[Notice]) -> bool {
        let told = match (&queued.kind, notices) {
            (QueuedKind::File(path), notices) => match targets::append(path, notices) {
                Ok(()) => Told::Yes,
                Err(error) => Told::Not(error.to_string()),
            },
            (QueuedKind::Webhook { url, secret }, [notice, ..]) => {
                targets::post(&self.outbound, url, secret.as_ref(), notice, engine.now())
            }
            (QueuedKind::Webhook { .. }, []) => Told::Yes,
        };
        let label = queued.kind.label();
        for _ in notices {
            engine.metrics().alerts().delivered(label, matches!(told, Told::Yes));
        }
        let (error, refused) = match told {
            Told::Yes => {
                queued.patience = Patience::default();
                queued.refusals = 0;
                return true;
            }
            Told::Refused(error) => (error, true),
            Told::Not(error) => (error, false),
        };
        queued.refusals += u32::from(refused);
        if REFUSALS_MAX <= queued.refusals {
            tracing::error!(target = label, error, "an alert was refused and is left out");
            queued.patience = Patience::default();
            queued.refusals = 0;
            return true;
        }
        tracing::warn!(target = label, error, "an alert could not be told; it is tried again");
        queued.patience.failed(self.now());
        false
    }

    fn tell_manager(&self, engine: &Engine, manager: &mut Manager, news: bool) {
        let now = self.now();
        let due = news || manager.next <= now;
        if !due || self.is_stopping() || !manager.patience.allows(now) {
            return;
        }
        let AlertmanagerSettings { url, resend_seconds } = &manager.settings;
        let (time, link) = (engine.now(), self.external_url.as_deref());
        let alerts: Vec<_> = engine.alert_book(|book| {
            let all = book.alerts();
            all.filter_map(|entry| targets::of_alertmanager(entry, link, time, *resend_seconds))
                .collect()
        });
        manager.next = now.saturating_add(resend_seconds.saturating_mul(1_000));
        if alerts.is_empty() {
            return;
        }
        let told = targets::tell_alertmanager(&self.outbound, url, &alerts);
        engine.metrics().alerts().delivered("alertmanager", told.is_ok());
        match told {
            Ok(()) => manager.patience = Patience::default(),
            Err(error) => {
                tracing::warn!(error, "an Alertmanager could not be told");
                manager.patience.failed(now);
                manager.next = 0;
            }
        }
    }
}

impl Queued {
    fn new(kind: QueuedKind, place: &str) -> Self {
        // A URL may be a secret of its own.
        let name = format!("{}-{:016x}", kind.label(), term("alert target", place));
        Self { name, kind, after: None, patience: Patience::default(), refusals: 0 }
    }
}

fn secret(path: &Path) -> Result<Secret, StartError> {
    let failed = |cause| StartError::Io { place: path.display().to_string(), cause };
    let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    if text.trim().is_empty() {
        return Err(failed(io::Error::other("it holds no secret")));
    }
    Ok(Secret::new(text.trim()))
}

fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
