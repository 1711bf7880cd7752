//! The log as the distinct questions that it put, each to be decided once.
//!
//! Events that agree in principal, action, key and every fact that a policy involved reads pose one question; what
//! the log says became of them is counted with it. The deciding itself is `ask/`'s, and so the one of requests.
//!
//! INVARIANT: two events are one question only where [`PolicyEngine::keys_read`] says that nothing else matters.

use super::{
    LeftOut,
    record::{Record, Recorded, Why, why},
    supposed::Supposed,
};
use crate::{
    Engine,
    ask::{About, Action, Ask, Entry, Stated},
    layers::Layers,
    operation::{Service, Spec},
    resolve::{Found, FoundKey},
};
use keyward_policy::WHOLE_ENCRYPTION_CONTEXT;
use keyward_types::{
    AccountId, Caller, CallerKind, Decision, EncryptionContext, ErrorCode, KeyRef, KmsError,
    Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    rc::Rc,
};

/// Ids of events that are told of a group.
pub(crate) const SAMPLES: usize = 3;

/// How often, first and last, and some of the events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) samples: Vec<String>,
}

impl Tally {
    fn add(&mut self, time: Timestamp, id: &str) {
        self.first = if self.count == 0 { time } else { self.first.min(time) };
        self.last = self.last.max(time);
        self.count += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(id.to_owned());
        }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.first = if self.count == 0 { other.first } else { self.first.min(other.first) };
        self.last = self.last.max(other.last);
        self.count += other.count;
        let room = SAMPLES.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.iter().take(room).cloned());
    }
}

/// A caller of the past as it stands now.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) caller: Caller,
    layers: Layers,
}

impl Who {
    /// Whether a managed policy is attached to it, or its boundary.
    pub(crate) fn has_policy(&self, arn: &str) -> bool {
        self.layers.has_policy(arn)
    }
}

/// A caller, an action and what it is on.
pub(crate) struct Matter {
    pub(crate) who: Rc<Who>,
    pub(crate) action: Action,
    found: Found,
    /// The resource's ARN, or `*`.
    pub(crate) resource: String,
    /// Keys that the answer depends on; `None` for all.
    reads: Option<BTreeSet<String>>,
}

impl Matter {
    pub(crate) fn key(&self) -> Option<&FoundKey> {
        match &self.found {
            Found::Key(key) => Some(key),
            _ => None,
        }
    }

    /// As a key policy names the caller.
    pub(crate) fn principal(&self) -> String {
        match &self.who.caller.kind {
            CallerKind::Service { name } => name.clone(),
            _ => self.entity().to_owned(),
        }
    }

    /// The user or role by whose policies the caller acts.
    pub(crate) fn entity(&self) -> &str {
        &self.who.caller.principal_arn
    }
}

/// A question and what became of the events that put it.
pub(crate) struct Posed {
    pub(crate) matter: Rc<Matter>,
    pub(crate) context: Option<EncryptionContext>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) outcomes: Vec<(Recorded, Tally)>,
}

impl Posed {
    /// The value of a condition key that the request brought.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        entry.values.first().map(String::as_str)
    }

    /// Events that were allowed.
    pub(crate) fn allowed(&self) -> Tally {
        self.tally(true)
    }

    /// Events that were refused.
    pub(crate) fn refused(&self) -> Tally {
        self.tally(false)
    }

    fn tally(&self, allowed: bool) -> Tally {
        let mut tally = Tally::default();
        for (_, some) in self.outcomes.iter().filter(|(said, _)| said.allowed == allowed) {
            tally.join(some);
        }
        tally
    }
}

/// What makes two events two questions even where no policy reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// Nothing more.
    Decision,
    /// What conditions are inferred from: the encryption context, and the service that asked.
    Conditions,
}

pub(crate) struct Past<'e> {
    engine: &'e Engine,
    asker: Caller,
    grain: Grain,
    /// Documents that are going to be supposed, beside those in force: what they read matters too.
    supposed: &'e Supposed,
    callers: BTreeMap<String, Result<Rc<Who>, Why>>,
    matters: BTreeMap<String, Result<Rc<Matter>, Why>>,
    places: BTreeMap<String, usize>,
    pub(crate) posed: Vec<Posed>,
    pub(crate) events: u64,
    pub(crate) questions: u64,
    /// Why events could not be put again, how often, and one of each.
    pub(crate) left_out: BTreeMap<Why, Tally>,
    scratch: String,
}

/// Keys may be named in every way.
pub(super) const SPEC: Spec = Spec {
    service: Service::Keyward,
    aliases: true,
    ..crate::ops::prelude::control("ReplayPolicies", "POST", "/v1/policies/replay", &[])
};

impl<'e> Past<'e> {
    pub(crate) fn new(
        engine: &'e Engine,
        asker: &Caller,
        grain: Grain,
        supposed: &'e Supposed,
    ) -> Self {
        Self {
            engine,
            asker: asker.clone(),
            grain,
            supposed,
            callers: BTreeMap::new(),
            matters: BTreeMap::new(),
            places: BTreeMap::new(),
            posed: Vec::new(),
            events: 0,
            questions: 0,
            left_out: BTreeMap::new(),
            scratch: String::new(),
        }
    }

    /// Takes a record in.
    ///
    /// # Errors
    /// When it is not a record at all.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), serde_json::Error> {
        Record::parse(bytes).map(|record| self.take(&record))
    }

    /// Takes in a record of the store's log, if it is in this account's.
    pub(super) fn add_of(&mut self, bytes: &[u8], account: &AccountId) -> Result<(), KmsError> {
        let record = Record::parse(bytes).map_err(KmsError::internal)?;
        // An index tells by a digest; whose event it is is told by its record.
        if record.recipient_account_id.as_deref() == Some(account.as_str()) {
            self.take(&record);
        }
        Ok(())
    }

    fn take(&mut self, record: &Record<'_>) {
        self.events += 1;
        let time = record.when();
        let asked = record.principal().and_then(|who| Ok((who, record.asked()?)));
        let (who, asked) = match asked {
            Ok(asked) => asked,
            Err(why) => {
                self.leave(why, time, &record.id);
                return;
            }
        };
        for one in asked {
            self.questions += 1;
            match self.matter(record, who, &one.action, &one.resource) {
                Ok(matter) => self.pose(record, time, matter, one.recorded),
                Err(why) => self.leave(why, time, &record.id),
            }
        }
    }

    /// What could not be put again, as it is told.
    pub(crate) fn told_left_out(&self) -> Vec<LeftOut> {
        let told = |(why, tally): (&Why, &Tally)| LeftOut {
            why: (*why).to_owned(),
            count: tally.count,
            samples: tally.samples.clone(),
        };
        self.left_out.iter().map(told).collect()
    }

    fn leave(&mut self, why: Why, time: Timestamp, id: &str) {
        self.left_out.entry(why).or_default().add(time, id);
    }

    fn pose(
        &mut self,
        record: &Record<'_>,
        time: Timestamp,
        matter: Rc<Matter>,
        recorded: Recorded,
    ) {
        let action = matter.action.name.as_str();
        let entries = record.facts(action);
        let context = record.encryption_context(action);
        let mut print = core::mem::take(&mut self.scratch);
        print.clear();
        // The matter's own address tells matters apart: they are kept as long as this is.
        write!(print, "{:p}", Rc::as_ptr(&matter)).unwrap_or_default();
        self.fingerprint(&matter, &entries, context.as_ref(), &mut print);
        let place = match self.places.get(print.as_str()) {
            Some(place) => *place,
            None => {
                let place = self.posed.len();
                self.places.insert(print.clone(), place);
                self.posed.push(Posed { matter, context, entries, outcomes: Vec::new() });
                place
            }
        };
        self.scratch = print;
        let Some(posed) = self.posed.get_mut(place) else { return };
        match posed.outcomes.iter_mut().find(|(said, _)| *said == recorded) {
            Some((_, tally)) => tally.add(time, &record.id),
            None => {
                let mut tally = Tally::default();
                tally.add(time, &record.id);
                posed.outcomes.push((recorded, tally));
            }
        }
    }

    /// What sets a question apart from others of the same caller, action and key.
    fn fingerprint(
        &self,
        matter: &Matter,
        entries: &[Entry],
        context: Option<&EncryptionContext>,
        print: &mut String,
    ) {
        let whole = self.grain == Grain::Conditions;
        let reads = |name: &str| {
            let Some(reads) = &matter.reads else { return true };
            let is_time = name == "aws:CurrentTime" && reads.contains("aws:epochtime");
            is_time
                || (whole && name == "kms:ViaService")
                || reads.iter().any(|read| read.eq_ignore_ascii_case(name))
        };
        for entry in entries.iter().filter(|entry| reads(&entry.name)) {
            piece(print, '=', &entry.name);
            entry.values.iter().for_each(|value| piece(print, ',', value));
        }
        let Some(context) = context else { return };
        let all = whole
            || matter.reads.as_ref().is_none_or(|reads| reads.contains(WHOLE_ENCRYPTION_CONTEXT));
        let names =
            matter.reads.as_ref().is_some_and(|reads| reads.contains("kms:encryptioncontextkeys"));
        for (name, value) in &context.0 {
            let read = |one: &String| {
                one.strip_prefix("kms:encryptioncontext:")
                    .is_some_and(|one| one == name.to_lowercase())
            };
            let read = all || matter.reads.as_ref().is_some_and(|reads| reads.iter().any(read));
            if read || names {
                piece(print, ':', name);
            }
            if read {
                piece(print, '=', value);
            }
        }
    }

    fn matter(
        &mut self,
        record: &Record<'_>,
        who: &str,
        action: &str,
        resource: &str,
    ) -> Result<Rc<Matter>, Why> {
        let endpoint = record.vpc_endpoint_id.as_deref().unwrap_or_default();
        let mut name = core::mem::take(&mut self.scratch);
        name.clear();
        for part in [who, action, resource, endpoint] {
            piece(&mut name, '|', part);
        }
        let known = self.matters.get(name.as_str()).cloned();
        let matter = match known {
            Some(matter) => matter,
            None => {
                let matter = self.new_matter(record, who, action, resource).map(Rc::new);
                self.matters.insert(name.clone(), matter.clone());
                matter
            }
        };
        self.scratch = name;
        matter
    }

    fn new_matter(
        &mut self,
        record: &Record<'_>,
        who: &str,
        action: &str,
        resource: &str,
    ) -> Result<Matter, Why> {
        if !action.starts_with("kms:") {
            return Err("it is no action of KMS");
        }
        let action = Action::parse(action)
            .map_err(|_| "each grant decides it by itself, or KMS does not have it any more")?;
        let who = self.who(record, who)?;
        let found = self.found(&who.caller, &action, resource)?;
        if found.owner(&self.asker).is_some_and(|owner| *owner != self.asker.account) {
            return Err("the key is of another account");
        }
        let mut matter = Matter { who, action, found, resource: resource.to_owned(), reads: None };
        matter.reads = self.reads(&matter);
        Ok(matter)
    }

    /// The keys that documents in force and supposed ones read.
    fn reads(&self, matter: &Matter) -> Option<BTreeSet<String>> {
        let policies = &self.engine.world.policies;
        let nothing = Supposed::default();
        let mut all = BTreeSet::new();
        let mut views = vec![&nothing];
        views.extend((!self.supposed.is_empty()).then_some(self.supposed));
        for supposed in views {
            let entries = &[];
            let read =
                self.ask(matter, entries, None, supposed, |question| policies.keys_read(question));
            all.extend(read.ok()???);
        }
        Some(all)
    }

    fn who(&mut self, record: &Record<'_>, name: &str) -> Result<Rc<Who>, Why> {
        let endpoint = record.vpc_endpoint_id.as_deref();
        let key = format!("{name} {}", endpoint.unwrap_or_default());
        if let Some(known) = self.callers.get(&key) {
            return known.clone();
        }
        let entry = endpoint
            .map(|id| Entry { name: "aws:SourceVpce".to_owned(), values: vec![id.to_owned()] });
        let context: Vec<Entry> = entry.into_iter().collect();
        let stated = Stated { encryption_context: None, context: &context };
        let found = self.engine.suppose(&self.asker, name, stated).and_then(|caller| {
            let layers = self.engine.layers(&caller)?;
            Ok(Rc::new(Who { caller, layers }))
        });
        let found = found.map_err(|error| match error.code {
            ErrorCode::AccessDenied => "the caller is of another account",
            _ => "the caller is not there any more",
        });
        self.callers.insert(key, found.clone());
        found
    }

    fn found(&self, caller: &Caller, action: &Action, resource: &str) -> Result<Found, Why> {
        if resource == "*" {
            return Ok(Found::Account);
        }
        let key = KeyRef::parse(resource);
        if key.is_alias() && action.name.ends_with("Alias") {
            return Ok(Found::Alias { arn: resource.to_owned() });
        }
        if !action.on_key {
            return Ok(Found::other(resource.to_owned()));
        }
        let about = About { key: Some(&key), resource: None };
        let found = about.find(self.engine, caller, &SPEC, action);
        match found.map_err(|_| "the key is not there any more")? {
            // How the record names it says nothing of how the request did.
            Found::Key(key) => Ok(Found::Key(FoundKey { alias: None, ..key })),
            Found::AbsentElsewhere { .. } => Err("the key is of another account"),
            other => Ok(other),
        }
    }

    fn ask<T>(
        &self,
        matter: &Matter,
        entries: &[Entry],
        context: Option<&EncryptionContext>,
        supposed: &Supposed,
        ask: impl FnOnce(&keyward_policy::Question<'_>) -> T,
    ) -> Result<Option<T>, KmsError> {
        let Who { caller, layers } = &*matter.who;
        let other = supposed
            .identity(matter.entity())
            .map(|documents| layers.clone().supposing(Some(documents.to_vec()), None, None));
        let layers = other.as_ref().unwrap_or(layers);
        let stated = Stated { encryption_context: context, context: entries };
        let grants = match &matter.found {
            Found::Key(key) => supposed.grants(&key.record.name),
            _ => None,
        };
        let asked = Ask { engine: self.engine, caller, layers, stated, grants };
        let key = matter.key().and_then(|key| supposed.key(key)).map(Found::Key);
        asked.put(&matter.action, key.as_ref().unwrap_or(&matter.found), ask)
    }

    /// The decision on a question, were these documents in force.
    pub(crate) fn decide(&self, posed: &Posed, supposed: &Supposed) -> Result<Decision, KmsError> {
        let policies = &self.engine.world.policies;
        let context = posed.context.as_ref();
        let decided = self.ask(&posed.matter, &posed.entries, context, supposed, |question| {
            policies.decide_tersely(question)
        });
        decided?.ok_or_else(|| KmsError::internal("a question was about nothing"))
    }
}

/// A decision's reason and statements, as a record's are told.
pub(crate) fn told(decision: &Decision) -> String {
    let matched = decision
        .layers
        .iter()
        .flat_map(|outcome| outcome.matched.iter().map(|matched| (outcome.layer, matched)));
    why(decision.reason, decision.allowed(), matched)
}

/// A piece of a fingerprint: its length goes before it, so that no two lists of pieces are alike.
fn piece(print: &mut String, mark: char, text: &str) {
    write!(print, "{mark}{}{mark}", text.len()).unwrap_or_default();
    print.push_str(text);
}
