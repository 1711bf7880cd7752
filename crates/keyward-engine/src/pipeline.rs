//! The one pipeline. Every operation of every door passes these steps, in this order:
//!
//! | step | where | can answer |
//! |---|---|---|
//! | decode | [`Prepared::new`], `shape.rs` | Serialization, Validation |
//! | resolve | `resolve.rs` | NotFound, InvalidCiphertext |
//! | count, where request quotas are on | `quotas.rs` | Throttling |
//! | authorize | `authorize.rs` | AccessDenied |
//! | check state | `fitness.rs` | Disabled, KMSInvalidState, InvalidKeyUsage |
//! | run | `ops/<operation>.rs` | what the operation says |
//! | commit | `keyward-store` | KMSInternal, ServiceUnavailable; then no output leaves |
//! | observe | `keyward-telemetry` | never fails |
//!
//! The door decodes the envelope and authenticates before, and responds after.
//!
//! INVARIANT (P2): an authenticated attempt leaves exactly one event, however it ends.
//! INVARIANT (P4): an answer leaves only after its event is durable: [`InFlight`] yields it then.
//! INVARIANT: without room for its event nothing runs: no cryptography, no change.
//! INVARIANT (P5): a commit names what it rested on; if one of those moved, the attempt is made again.

use crate::{
    Engine,
    authorize::{Asking, target_facts},
    beside,
    call::{Call, Proposed},
    fitness, observe,
    operation::{AnyOperation, Operation, Plane, Row, Service, Spec, Target},
    quotas,
    resolve::{Found, FoundKey, resolve},
    shape,
    trace::Trace,
    wording,
};
use keyward_store::{Commit, StoreError, Ticket};
use keyward_telemetry::{Observed, PriceClass, Verdict};
use keyward_types::{
    AliasName, Caller, Change, ErrorCode, EventSummary, Fault, GrantId, KeyName, KeyRecord,
    KeySpec, KmsError, LastUsage, Name, Region,
};
use serde_json::{Map, Value};
use std::{
    future::Future,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use zeroize::Zeroizing;

/// How often an attempt is made when what it rested on keeps moving.
const ATTEMPTS_MAX: u32 = 64;

/// What running an attempt does to others on the same thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Nothing worth speaking of.
    Light,
    /// It computes long enough to starve them: RSA, key generation.
    Heavy,
    /// It waits for another machine: an external key store proxy.
    Remote,
}

/// A successful answer.
#[derive(Debug, Default)]
pub struct Reply {
    /// JSON; empty for operations that answer with nothing.
    pub body: Zeroizing<Vec<u8>>,
    /// Whether policies refused, and observe mode let the request through.
    pub would_deny: bool,
}

/// An attempt after the state check: refused already, or ready to run.
pub struct Prepared {
    engine: Arc<Engine>,
    caller: Arc<Caller>,
    operation: &'static dyn AnyOperation,
    body: Zeroizing<Vec<u8>>,
    attempt: u32,
    started_nanos: u64,
    /// When the last decision fell; `None` until one did.
    decided_nanos: Option<u64>,
    price: Option<PriceClass>,
    snapshot: u64,
    rested_on: Vec<Name>,
    keys: Vec<FoundKey>,
    trace: Trace,
    lane: Lane,
    dry_run: bool,
    /// The AWS managed key that must be made before the request can be met.
    unborn: Option<(Arc<KeyRecord>, AliasName)>,
    stage: Result<Runner, KmsError>,
}

type Runner = Box<dyn FnOnce(&mut Call<'_>) -> Result<Ran, KmsError> + Send>;

/// What `run` produced, encoded.
struct Ran {
    body: Zeroizing<Vec<u8>>,
    response_elements: Option<Value>,
}

impl Prepared {
    pub(crate) fn new<O: Operation>(
        engine: &Arc<Engine>,
        caller: &Arc<Caller>,
        body: &[u8],
        attempt: u32,
    ) -> Self {
        let mut prepared = Self {
            engine: Arc::clone(engine),
            caller: Arc::clone(caller),
            operation: const { &Row::<O>(PhantomData) },
            body: Zeroizing::new(body.to_vec()),
            attempt,
            started_nanos: engine.monotonic_nanos(),
            decided_nanos: None,
            price: None,
            // Read before any record: a change after it is noticed at commit.
            snapshot: engine.world.store.snapshot(),
            rested_on: Vec::new(),
            keys: Vec::new(),
            trace: Trace::default(),
            lane: Lane::Light,
            dry_run: false,
            unborn: None,
            stage: Err(KmsError::internal("not prepared")),
        };
        let staged = caught(engine, O::SPEC.name, || prepared.stages::<O>());
        prepared.stage = staged;
        prepared
    }

    /// Where it may run. A refusal is light.
    pub fn lane(&self) -> Lane {
        if self.stage.is_ok() { self.lane } else { Lane::Light }
    }

    fn stages<O: Operation>(&mut self) -> Result<Runner, KmsError> {
        let mut body = decode(&self.body)?;
        // A member that is null is a member that is not there.
        body.retain(|_, value| !value.is_null());
        self.trace.parameters(&O::SPEC, &body);
        shape::check(O::SPEC.members, &body)?;
        // Members that the operation does not have are ignored, these too.
        let member = |name: &str| body.get(name).filter(|_| O::SPEC.has_member(name));
        self.dry_run = member("DryRun").and_then(Value::as_bool).unwrap_or(false);
        let modified = member("DryRunModifiers")
            .and_then(Value::as_array)
            .is_some_and(|modifiers| !modifiers.is_empty());
        let ignore_ciphertext = modified && self.dry_run;
        let tokens = member("GrantTokens").map(grant_tokens).unwrap_or_default();
        let pair_spec = member("KeyPairSpec").and_then(Value::as_str).map(str::to_owned);
        let input: O::Input = serde_json::from_value(Value::Object(body)).map_err(|error| {
            KmsError::new(ErrorCode::Serialization, "The request body does not fit the operation")
                .because(error)
        })?;
        let targets = O::targets(&input)?;
        let found = self.find(&O::SPEC, &targets)?;
        self.charge(&O::SPEC, pair_spec.as_deref())?;
        self.price = self.price_of(&O::SPEC, pair_spec.as_deref());
        let vouched = self.check_tokens(&tokens)?;
        let asked = self.ask::<O>(&input, &targets, &found, &vouched);
        self.decided_nanos = Some(self.engine.monotonic_nanos());
        self.check_born(asked.is_ok())?;
        asked?;
        self.fit::<O>(found)?;
        self.lane = self.lane_of::<O>(&input);
        if ignore_ciphertext {
            return Err(wording::dry_run());
        }
        drop(targets);
        Ok(Box::new(move |call| {
            let output = O::run(call, &input)?;
            let response_elements = O::response_elements(call, &output);
            encode(&output).map(|body| Ran { body, response_elements })
        }))
    }

    /// A request that is the first to use an AWS managed key begins anew when that is made. Who may not use
    /// it makes none: then the alias is simply not there.
    fn check_born(&mut self, allowed: bool) -> Result<(), KmsError> {
        let Some(found) = self.keys.iter().find(|found| found.unborn) else { return Ok(()) };
        let (record, Some(alias)) = (Arc::clone(&found.record), found.alias.clone()) else {
            return Err(KmsError::internal("an AWS managed key without an alias"));
        };
        if !allowed {
            let KeyName { account, region, .. } = &record.name;
            return Err(wording::no_such_alias(account, region, &alias));
        }
        if self.dry_run {
            return Err(wording::dry_run());
        }
        self.unborn = Some((record, alias));
        Err(KmsError::internal("the key is to be made first"))
    }

    fn lane_of<O: Operation>(&self, input: &O::Input) -> Lane {
        let in_store = |found: &FoundKey| found.record.key_store.is_some();
        if O::remote(input) || O::SPEC.plane == Plane::Data && self.keys.iter().any(in_store) {
            Lane::Remote
        } else if O::heavy(input, self.keys.first().map(|found| &*found.record)) {
            Lane::Heavy
        } else {
            Lane::Light
        }
    }

    fn find(&mut self, spec: &Spec, targets: &[Target<'_>]) -> Result<Vec<Found>, KmsError> {
        let mut all = Vec::with_capacity(targets.len());
        for target in targets {
            let found = resolve(&self.engine, &self.caller, spec, target, &mut self.rested_on)?;
            self.trace.found(&found, &self.caller);
            if let Found::Key(key) = &found {
                self.keys.push(key.clone());
            }
            all.push(found);
        }
        Ok(all)
    }

    /// Takes the request from the caller's request quotas. An attempt that is made again is the same request.
    fn charge(&self, spec: &Spec, pair_spec: Option<&str>) -> Result<(), KmsError> {
        let Some(overrides) = &self.engine.settings().quotas.requests else { return Ok(()) };
        if 1 < self.attempt || spec.service != Service::Kms {
            return Ok(());
        }
        let keys: Vec<&KeyRecord> = self.keys.iter().map(|found| &*found.record).collect();
        let asked = quotas::Asked {
            account: &self.caller.account,
            region: &self.caller.origin.region,
            spec,
            keys: &keys,
            pair_spec,
            now_nanos: self.engine.monotonic_nanos(),
        };
        self.engine.meters.take(&asked, overrides)
    }

    /// What AWS would charge for; GetPublicKey is priced as cryptography with its key is.
    /// <https://aws.amazon.com/kms/pricing/>
    fn price_of(&self, spec: &Spec, pair_spec: Option<&str>) -> Option<PriceClass> {
        let uses_key = spec.plane == Plane::Data || spec.name == "GetPublicKey";
        let key = self.keys.first().map(|found| found.record.spec);
        (spec.service == Service::Kms).then(|| PriceClass::of(uses_key, key, pair_spec))
    }

    /// The grants that the tokens name. Unless a delay is configured grants count at once, and no token is
    /// needed; but a text that is none is refused, so that a client that sends rubbish learns it here
    /// rather than at AWS.
    fn check_tokens(&self, tokens: &[String]) -> Result<Vec<(KeyName, GrantId)>, KmsError> {
        let grant =
            |token: &String| self.engine.grant_of_token(token).ok_or_else(wording::bad_grant_token);
        tokens.iter().map(grant).collect()
    }

    fn ask<O: Operation>(
        &mut self,
        input: &O::Input,
        targets: &[Target<'_>],
        found: &[Found],
        vouched: &[(KeyName, GrantId)],
    ) -> Result<(), KmsError> {
        let engine = Arc::clone(&self.engine);
        let caller = Arc::clone(&self.caller);
        let layers = if found.iter().all(|found| matches!(found, Found::Unchecked)) {
            crate::layers::Layers::default()
        } else {
            engine.layers(&caller)?
        };
        let keys: Vec<&KeyRecord> = self.keys.iter().map(|found| &*found.record).collect();
        let child = keys.first().and_then(|key| O::child_grant(input, &caller, &key.name));
        let now = engine.now();
        for (index, (target, found)) in targets.iter().zip(found).enumerate() {
            let abroad = target.region.map(|region| in_region(&caller, region));
            let caller = abroad.as_ref().unwrap_or(&caller);
            let mut facts = target_facts(&layers, caller, found, target.context, now);
            if let Found::Other { boundary, .. } = found {
                crate::directory::boundary_fact(&O::SPEC, boundary.as_deref(), &mut facts);
            }
            O::facts(input, index, &mut facts);
            O::found_facts(&engine, &keys, &mut facts)?;
            let action = match target.action.unwrap_or(O::SPEC.name) {
                full if full.contains(':') => full.to_owned(),
                name => format!("{}:{name}", O::SPEC.service.name()),
            };
            let asking = Asking {
                engine: &engine,
                caller,
                cross_account: O::SPEC.cross_account,
                layers: &layers,
                child: child.as_ref(),
                vouched,
                supposed: None,
                observable: observe::is_observable(&O::SPEC),
            };
            asking.authorize(
                &action,
                found,
                &facts,
                &mut self.rested_on,
                &mut self.trace.decisions,
            )?;
            self.trace.allowed(found, caller);
        }
        Ok(())
    }

    fn fit<O: Operation>(&mut self, found: Vec<Found>) -> Result<(), KmsError> {
        for found in &found {
            if let Found::Key(key) = found {
                if key.wrongly_claimed {
                    return Err(wording::wrong_key());
                }
                fitness::check(&O::SPEC, key)?;
            }
        }
        Ok(())
    }

    /// Refuses the attempt for a reason outside the pipeline, such as a full queue. It leaves its event.
    pub fn refuse(mut self, error: KmsError) -> InFlight {
        self.stage = Err(error);
        self.unborn = None;
        // A refusal rests on nothing that could move.
        self.rested_on.clear();
        self.run()
    }

    /// Runs the operation and hands its changes and its event to the one writer.
    pub fn run(mut self) -> InFlight {
        if let Some(refused) = self.engine.world.store.without_room() {
            return self.waiting_for(refused);
        }
        if let Some((key, alias)) = self.unborn.take() {
            let making = KeyRecord::clone(&key);
            match self.engine.make_managed_key(making, &alias, self.snapshot) {
                Ok(commit) => return self.after(commit),
                Err(error) => self.stage = Err(error),
            }
        }
        self.attempt()
    }

    /// The same request once more, when this commit of the service's own is durable.
    fn after(self, commit: Commit) -> InFlight {
        let ticket = self.engine.world.store.commit(commit);
        self.waiting_for(ticket)
    }

    /// Nothing was done yet: the ticket is for something that comes first, or is refused.
    fn waiting_for(self, ticket: Ticket) -> InFlight {
        InFlight {
            summary: None,
            deleted: Vec::new(),
            moves_observe: false,
            reply: None,
            told: Told::default(),
            ticket: Some(ticket),
            engine: self.engine,
            caller: self.caller,
            operation: self.operation,
            body: self.body,
            attempt: self.attempt,
            started_nanos: self.started_nanos,
        }
    }

    fn attempt(self) -> InFlight {
        let Self {
            engine,
            caller,
            operation,
            body,
            attempt,
            started_nanos,
            decided_nanos,
            price,
            snapshot,
            mut rested_on,
            keys,
            mut trace,
            dry_run,
            stage,
            ..
        } = self;
        let spec = operation.spec();
        let now = engine.now();
        let mut call = Call::new(&engine, &caller, spec.name, &keys, now);
        let event_id = call.fresh_id();
        let begun_nanos = engine.monotonic_nanos();
        let runs = stage.is_ok();
        let outcome = stage.and_then(|run| caught(&engine, spec.name, || run(&mut call)));
        let ran_nanos = engine.monotonic_nanos().saturating_sub(begun_nanos);
        let Proposed { changes, rested_on: more, additional, resources, decisions, beside } =
            call.proposed;
        rested_on.extend(more);
        trace.additional = additional;
        trace.decisions.extend(decisions);
        resources.iter().for_each(|arn| trace.resource(arn));
        let would_deny = trace.note_observed();
        let (reply, changes) = match outcome {
            Ok(_) if dry_run => (Err(wording::dry_run()), Vec::new()),
            Ok(ran) => {
                trace.response_elements = ran.response_elements;
                (
                    Ok(Reply { body: ran.body, would_deny }),
                    touched(spec, &caller, &keys, now, event_id, changes),
                )
            }
            Err(error) => (Err(error), Vec::new()),
        };
        let beside = if reply.is_ok() { beside } else { Vec::new() };
        beside::leave_out(&beside, &mut trace);
        let mut events = trace.events(&engine, spec, &caller, event_id, reply.as_ref().err());
        events.extend(beside::events(beside, &trace, &engine, &caller));
        let told = Told {
            decided_nanos,
            run: keys.first().filter(|_| runs).map(|key| (key.record.spec, ran_nanos)),
            handed_nanos: engine.monotonic_nanos(),
            verdicts: trace.decisions.iter().map(Verdict::of).collect(),
            price,
        };
        // What stands behind it is no attempt of its own: copies for other accounts, and consequences.
        let summary = events.first().map(|event| event.summary.clone());
        let deleted = deleted_keys(&changes, &keys);
        let moves_observe = observe::is_moved_by(&changes);
        let ticket = engine.world.store.commit(Commit { snapshot, rested_on, changes, events });
        InFlight {
            engine,
            caller,
            operation,
            body,
            attempt,
            started_nanos,
            told,
            ticket: Some(ticket),
            summary,
            deleted,
            moves_observe,
            reply: Some(reply),
        }
    }
}

/// A call whose event is on its way to the disk. It yields the answer when the event is durable.
#[must_use = "an answer exists only once it was awaited"]
pub struct InFlight {
    engine: Arc<Engine>,
    caller: Arc<Caller>,
    operation: &'static dyn AnyOperation,
    body: Zeroizing<Vec<u8>>,
    attempt: u32,
    started_nanos: u64,
    told: Told,
    /// Taken only by `wait`, which has it back before it ends.
    ticket: Option<Ticket>,
    /// What the attempt's own event says; `None` where the ticket is for what had to come first.
    summary: Option<EventSummary>,
    deleted: Vec<Arc<KeyRecord>>,
    /// Whether it changes what is in observe.
    moves_observe: bool,
    reply: Option<Result<Reply, KmsError>>,
}

/// What is counted of an attempt beside its event.
#[derive(Default)]
struct Told {
    decided_nanos: Option<u64>,
    /// The spec of the first key, and how long the operation ran.
    run: Option<(KeySpec, u64)>,
    /// When the event was handed to the writer.
    handed_nanos: u64,
    verdicts: Vec<Verdict>,
    price: Option<PriceClass>,
}

impl InFlight {
    /// Parks the thread until the answer is there.
    pub fn wait(mut self) -> Result<Reply, KmsError> {
        loop {
            let Some(ticket) = self.ticket.take() else {
                return Err(KmsError::internal("nothing is in flight"));
            };
            if let Some(reply) = self.settle(ticket.wait().map(drop)) {
                return reply;
            }
        }
    }

    /// The answer, or `None` when another attempt is in flight now: this one was stale, or something had to
    /// come first.
    fn settle(&mut self, committed: Result<(), StoreError>) -> Option<Result<Reply, KmsError>> {
        match (committed, &self.summary) {
            (Ok(()), Some(summary)) => {
                self.observe(summary);
                self.deleted.iter().for_each(|key| self.engine.forget(key));
                if self.moves_observe {
                    self.engine.look_at_observed();
                }
                self.reply.take()
            }
            (Ok(()), None) | (Err(StoreError::Stale(_)), _) => {
                let attempt = self.attempt + 1;
                let mut again =
                    self.operation.prepare(&self.engine, &self.caller, &self.body, attempt);
                again.started_nanos = self.started_nanos;
                let goes_on = self.attempt < ATTEMPTS_MAX;
                *self = if goes_on { again.run() } else { again.refuse(hot()) };
                None
            }
            (Err(error), _) => {
                self.reply = None;
                self.engine.metrics().uncommitted(match &error {
                    StoreError::Busy => "busy",
                    StoreError::NoSpace => "no_space",
                    _ => "other",
                });
                Some(Err(uncommitted(error)))
            }
        }
    }

    fn observe(&self, summary: &EventSummary) {
        let seconds = |nanos: u64| core::time::Duration::from_nanos(nanos).as_secs_f64();
        let between = |from: u64, to: u64| seconds(to.saturating_sub(from));
        let now = self.engine.monotonic_nanos();
        let Told { decided_nanos, run, handed_nanos, verdicts, price } = &self.told;
        self.engine.metrics().observe(&Observed {
            summary,
            total_seconds: between(self.started_nanos, now),
            decision_seconds: decided_nanos.map(|decided| between(self.started_nanos, decided)),
            run: run.map(|(spec, nanos)| (spec, seconds(nanos))),
            commit_seconds: between(*handed_nanos, now),
            verdicts,
            price: *price,
        });
        if let Some(Err(KmsError { code, cause: Some(cause), .. })) = &self.reply
            && code.fault() == Fault::Server
        {
            tracing::error!(operation = summary.operation, request_id = %summary.request_id, cause, "request failed");
        }
    }
}

impl Future for InFlight {
    type Output = Result<Reply, KmsError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let Some(ticket) = self.ticket.as_mut() else {
                return Poll::Ready(Err(KmsError::internal("nothing is in flight")));
            };
            let Poll::Ready(committed) = Pin::new(ticket).poll(context) else {
                return Poll::Pending;
            };
            if let Some(reply) = self.settle(committed.map(drop)) {
                return Poll::Ready(reply);
            }
        }
    }
}

/// A panic is a defect, and answered as one; the attempt still leaves its event.
fn caught<T>(
    engine: &Engine,
    operation: &'static str,
    work: impl FnOnce() -> Result<T, KmsError>,
) -> Result<T, KmsError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        engine.metrics().panicked();
        tracing::error!(operation, "a request panicked; this is a defect");
        Err(KmsError::internal("a request panicked"))
    })
}

/// What AWS says of a key whose state changes too often. <https://docs.aws.amazon.com/kms/latest/developerguide/throttling.html>
fn hot() -> KmsError {
    KmsError::new(
        ErrorCode::Throttling,
        "The key is changing too quickly to decide about it. Retry the request.",
    )
}

/// Why nothing was written, as the client hears it. No output leaves.
fn uncommitted(error: StoreError) -> KmsError {
    let unavailable = |words: &str| KmsError::new(ErrorCode::ServiceUnavailable, words);
    match error {
        StoreError::Busy => KmsError::new(ErrorCode::Throttling, "Rate exceeded"),
        StoreError::NoSpace => unavailable(
            "The event log has no space left, so the request was refused and nothing was done.",
        ),
        other => KmsError::internal(other),
    }
}

/// The same caller, asking in another Region.
fn in_region(caller: &Caller, region: &Region) -> Arc<Caller> {
    let origin = keyward_types::Origin { region: region.clone(), ..caller.origin.clone() };
    Arc::new(Caller { origin, ..caller.clone() })
}

fn decode(body: &[u8]) -> Result<Map<String, Value>, KmsError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => {
            Err(KmsError::new(ErrorCode::Serialization, "The request body must be a JSON object"))
        }
        Err(error) => Err(KmsError::new(
            ErrorCode::Serialization,
            format!("The request body is not JSON: {}", position(&error)),
        )),
    }
}

/// Where JSON broke off. The parser's own text could echo the body.
fn position(error: &serde_json::Error) -> String {
    format!("line {} column {}", error.line(), error.column())
}

fn encode<T: serde::Serialize>(output: &T) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let body = serde_json::to_vec(output).map(Zeroizing::new).map_err(KmsError::internal)?;
    Ok(if *body == b"null" { Zeroizing::default() } else { body })
}

fn grant_tokens(tokens: &Value) -> Vec<String> {
    tokens.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A successful cryptographic use moves the key's last use, in the same commit.
fn touched(
    spec: &Spec,
    caller: &Caller,
    keys: &[FoundKey],
    now: keyward_types::Timestamp,
    event_id: uuid::Uuid,
    mut changes: Vec<Change>,
) -> Vec<Change> {
    if spec.tracked && spec.plane == Plane::Data {
        let usage = LastUsage {
            operation: spec.name.to_owned(),
            time: now,
            event_id,
            request_id: caller.origin.request_id,
        };
        changes
            .extend(keys.iter().map(|key| Change::Touch(key.record.name.clone(), usage.clone())));
    }
    changes
}

/// Keys that are no more, or have lost material: what is kept parsed of them goes too.
fn deleted_keys(changes: &[Change], keys: &[FoundKey]) -> Vec<Arc<KeyRecord>> {
    let deleted = |key: &&FoundKey| {
        changes.iter().any(
            |change| matches!(change, Change::Delete(Name::Key(name) | Name::Material(name, _)) if *name == key.record.name),
        )
    };
    keys.iter().filter(deleted).map(|key| Arc::clone(&key.record)).collect()
}
