//! Signs checkpoints, on a timer and when it is woken, and tells them: to witnesses, who cosign, and then to a file and
//! to a webhook.
//!
//! It blocks, and runs on a thread that serves no request. Only the newest checkpoint matters: what could not be told
//! is tried again with the newest of that time, later and later.
//!
//! INVARIANT: a checkpoint is told to the file and the webhook when as many witnesses as `quorum` says have cosigned it,
//! and not before.
//! INVARIANT: no request waits for it, and none fails because of it.
//! Source: <https://c2sp.org/tlog-witness> (add-checkpoint)

use crate::{
    event_log::{EventLogSettings, WitnessSettings},
    patience::Patience,
    replace::replace,
    wiring::StartError,
};
use keyward_engine::{Engine, log::log_verifier};
use keyward_outbound::{Answer, Outbound, Trust};
use keyward_trail::{
    checkpoint::SignedCheckpoint,
    note::{NoteSignature, SignedNote, VerifierKey},
    witness::AddCheckpoint,
};
use keyward_types::Clock;
use std::{
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

const TEXT: &str = "text/plain; charset=utf-8";

/// How often a witness is asked again from the size that it names.
const ATTEMPTS: usize = 3;

/// Whom the log tells, and how far that has come.
pub struct Publisher {
    settings: EventLogSettings,
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    woken: Notify,
    wanted: AtomicBool,
    stopping: AtomicBool,
    state: Mutex<State>,
}

struct State {
    next_checkpoint: u64,
    witnesses: Vec<Witness>,
    /// The note that each has, and when it may be told again.
    file: Told,
    webhook: Told,
}

struct Witness {
    url: String,
    key: VerifierKey,
    /// The size that it has seen last, as far as is known.
    seen: u64,
    patience: Patience,
}

#[derive(Default)]
struct Told {
    note: String,
    patience: Patience,
}

impl Publisher {
    /// # Errors
    /// For what the configuration names and cannot be used.
    pub fn new(settings: &EventLogSettings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let trust = match &settings.ca {
            None => Trust::Public,
            Some(path) => Trust::PublicAnd(
                fs::read(path)
                    .map_err(|cause| StartError::Io { place: path.display().to_string(), cause })?,
            ),
        };
        let outbound = Outbound::new(Arc::clone(&clock), trust, settings.allow_link_local)
            .map_err(StartError::PublisherTrust)?;
        let witness = |(one, key): (&WitnessSettings, VerifierKey)| Witness {
            url: format!("{}/add-checkpoint", one.url.expose().trim_end_matches('/')),
            key,
            seen: 0,
            patience: Patience::default(),
        };
        let keys = settings.keys()?;
        let state = State {
            next_checkpoint: 0,
            witnesses: settings.witnesses.iter().zip(keys).map(witness).collect(),
            file: Told::default(),
            webhook: Told::default(),
        };
        Ok(Self {
            settings: settings.clone(),
            outbound,
            clock,
            woken: Notify::new(),
            wanted: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    /// A checkpoint was signed because somebody asked: it is told now.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Nothing more is begun, and a conversation that is under way is the last.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Signs and tells, for as long as the service runs.
    pub(crate) async fn run(self: Arc<Self>, engine: Arc<Engine>) {
        let mut wait = Duration::ZERO;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.woken.notified() => {}
            }
            let (publisher, engine) = (Arc::clone(&self), Arc::clone(&engine));
            let passed = tokio::task::spawn_blocking(move || publisher.pass(&engine)).await;
            wait = passed.unwrap_or_else(|error| {
                tracing::error!(%error, "publishing checkpoints panicked");
                Duration::from_secs(self.settings.checkpoint_seconds)
            });
        }
    }

    /// The last checkpoint of a run, told once to whom it can be.
    pub(crate) fn finish(&self, engine: &Engine) {
        self.stopping.store(false, Ordering::Relaxed);
        self.wanted.store(true, Ordering::Relaxed);
        self.pass(engine);
    }

    /// One look at what is due. Answers when to look again.
    fn pass(&self, engine: &Engine) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        if state.next_checkpoint <= now || self.wanted.swap(false, Ordering::Relaxed) {
            match engine.checkpoint() {
                Ok(signed) => {
                    let events = signed.unverified().size;
                    engine.metrics().checkpoint(events, engine.now().seconds());
                }
                Err(error) => tracing::error!(%error, "no checkpoint was signed"),
            }
            state.next_checkpoint =
                now.saturating_add(self.settings.checkpoint_seconds.saturating_mul(1_000));
        }
        match engine.last_checkpoint() {
            Ok(Some(newest)) => self.tell(engine, &mut state, newest, now),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the newest checkpoint cannot be read"),
        }
        let again = state.retries(now).chain([state.next_checkpoint]).min().unwrap_or(now);
        Duration::from_millis(again.saturating_sub(self.now()).max(50))
    }

    fn now(&self) -> u64 {
        self.clock.monotonic_nanos() / 1_000_000
    }

    fn tell(&self, engine: &Engine, state: &mut State, newest: SignedCheckpoint, now: u64) {
        let newest = self.gather(engine, &mut state.witnesses, newest, now);
        // The log's own signature is one of them.
        if newest.note().signatures().len() <= self.settings.quorum {
            return;
        }
        let note = newest.to_string();
        if let Some(path) = &self.settings.checkpoint_file {
            let write = || replace(path, note.as_bytes()).map_err(|error| error.to_string());
            self.once(engine, "file", &mut state.file, &note, now, write);
        }
        if let Some(url) = &self.settings.webhook {
            let post = || match self.outbound.post(url.expose(), TEXT, note.as_bytes()) {
                Ok(Answer { status: 200..300, .. }) => Ok(()),
                Ok(Answer { status, .. }) => Err(format!("it answered {status}")),
                Err(error) => Err(error.to_string()),
            };
            self.once(engine, "webhook", &mut state.webhook, &note, now, post);
        }
    }

    /// Tells a note, unless it was told or is to wait.
    fn once(
        &self,
        engine: &Engine,
        target: &'static str,
        told: &mut Told,
        note: &str,
        now: u64,
        tell: impl FnOnce() -> Result<(), String>,
    ) {
        let busy = self.stopping.load(Ordering::Relaxed) || !told.patience.allows(now);
        if busy || told.note == note {
            return;
        }
        let said = tell();
        engine.metrics().published(target, said.is_ok());
        match said {
            Ok(()) => {
                note.clone_into(&mut told.note);
                told.patience = Patience::default();
            }
            Err(error) => {
                tracing::warn!(target, error, "a checkpoint could not be published");
                told.patience.failed(now);
            }
        }
    }

    /// Asks the witnesses that have not cosigned, and keeps what they answer.
    fn gather(
        &self,
        engine: &Engine,
        witnesses: &mut [Witness],
        newest: SignedCheckpoint,
        now: u64,
    ) -> SignedCheckpoint {
        let mut cosignatures = Vec::new();
        for witness in witnesses.iter_mut() {
            let stop = self.stopping.load(Ordering::Relaxed) || !witness.patience.allows(now);
            if stop
                || newest.note().verify(core::slice::from_ref(&witness.key), &log_verifier).is_ok()
            {
                continue;
            }
            let asked = self.ask(engine, witness, &newest);
            engine.metrics().published("witness", asked.is_ok());
            match asked {
                Ok(cosignature) => {
                    witness.patience = Patience::default();
                    cosignatures.push(cosignature);
                }
                Err(error) => {
                    let name = witness.key.name();
                    tracing::warn!(witness = name, error, "a witness did not cosign a checkpoint");
                    witness.patience.failed(now);
                    // What it said of itself may have been wrong; it is heard again.
                    witness.seen = 0;
                }
            }
        }
        if cosignatures.is_empty() {
            return newest;
        }
        let keys: Vec<VerifierKey> = witnesses.iter().map(|witness| witness.key.clone()).collect();
        match engine.keep_cosigned(&newest, cosignatures, &keys) {
            Ok(Some(cosigned)) => cosigned,
            // The log has signed a newer one, which is told next.
            Ok(None) => {
                self.wake();
                newest
            }
            Err(error) => {
                tracing::error!(%error, "a cosigned checkpoint could not be kept");
                newest
            }
        }
    }

    /// `add-checkpoint`; a witness that has seen another size than was thought is asked again from there.
    fn ask(
        &self,
        engine: &Engine,
        witness: &mut Witness,
        newest: &SignedCheckpoint,
    ) -> Result<NoteSignature, String> {
        let size = newest.unverified().size;
        for _ in 0..ATTEMPTS {
            let old = witness.seen;
            let path = engine.prove_consistency(old, size).map_err(|error| error.to_string())?;
            let path = path.ok_or_else(|| {
                format!(
                    "it has seen {old} events of this log, which has {size}: was the log set back?"
                )
            })?;
            let request = AddCheckpoint { old, path, checkpoint: newest.clone() };
            let answer = self.outbound.post(&witness.url, TEXT, request.to_string().as_bytes());
            let Answer { status, body } = answer.map_err(|error| error.to_string())?;
            let body = String::from_utf8(body).map_err(|_| "its answer is no text".to_owned())?;
            match status {
                200 => {
                    let cosignature = cosignature(&body, newest, &witness.key)?;
                    witness.seen = size;
                    return Ok(cosignature);
                }
                409 => {
                    let seen = body.trim_end().parse();
                    witness.seen = seen.map_err(|_| "its conflict names no size".to_owned())?;
                    if witness.seen == old {
                        return Err(format!("it has seen another log of {old} events: a fork"));
                    }
                }
                _ => return Err(format!("it answered {status}")),
            }
        }
        Err("it names another size each time".to_owned())
    }
}

impl State {
    /// When those that failed may be tried again.
    fn retries(&self, now: u64) -> impl Iterator<Item = u64> {
        let all = self.witnesses.iter().map(|witness| &witness.patience);
        let all = all.chain([&self.file.patience, &self.webhook.patience]);
        all.map(|patience| patience.not_before).filter(move |at| now < *at)
    }
}

/// The signature of a witness among the lines that it answered.
fn cosignature(
    lines: &str,
    of: &SignedCheckpoint,
    key: &VerifierKey,
) -> Result<NoteSignature, String> {
    let text = of.note().unverified_text();
    let holds = |one: &NoteSignature| {
        let note = SignedNote::new(text.to_owned(), vec![one.clone()]);
        note.and_then(|note| note.verify(core::slice::from_ref(key), &log_verifier)).is_ok()
    };
    let lines = NoteSignature::parse_lines(lines).map_err(|error| error.to_string())?;
    lines.into_iter().find(holds).ok_or_else(|| "its cosignature does not verify".to_owned())
}
