//! `Call`: the only handle an operation gets.
//!
//! INVARIANT (P1): a `Call` exists only after authorization and the state check, and key material is
//! reachable only through it.
//! It reads, and it collects what the operation proposes; it does not write.

use crate::{
    Engine,
    beside::Beside,
    resolve::FoundKey,
    wording,
    world::{fill, timed_id},
};
use keyward_crypto::KeyMaterial;
use keyward_policy::PolicyEngine;
use keyward_store::Store;
use keyward_types::{
    Caller, Change, Decision, Generator, KeyId, KeyRecord, KmsError, MaterialId, Name, Record,
    Timestamp,
};
use serde_json::{Map, Value};
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

pub struct Call<'e> {
    engine: &'e Engine,
    caller: &'e Arc<Caller>,
    now: Timestamp,
    operation: &'static str,
    keys: &'e [FoundKey],
    generator: Box<dyn Generator>,
    /// What only a seed may choose.
    pub(crate) preset: Preset,
    /// What the pipeline takes when the operation is done.
    pub(crate) proposed: Proposed,
}

/// What a seed chooses for a key instead of chance.
#[derive(Default)]
pub(crate) struct Preset {
    pub(crate) key_id: Option<KeyId>,
    pub(crate) material: Option<Zeroizing<Vec<u8>>>,
}

/// What an operation leaves behind.
#[derive(Default)]
pub(crate) struct Proposed {
    pub(crate) changes: Vec<Change>,
    pub(crate) rested_on: Vec<Name>,
    pub(crate) additional: Map<String, Value>,
    pub(crate) resources: Vec<String>,
    pub(crate) decisions: Vec<Decision>,
    /// What stands in the log beside the attempt's own event.
    pub(crate) beside: Vec<Beside>,
}

impl Proposed {
    /// The record of this name as the proposals would leave it: `Some(None)` is one that they delete,
    /// `None` one that they do not touch.
    pub(crate) fn record(&self, name: &Name) -> Option<Option<&Record>> {
        self.changes.iter().rev().find_map(|change| match change {
            Change::Put(record) if record.name() == *name => Some(Some(&**record)),
            Change::Delete(gone) if gone == name => Some(None),
            Change::Put(_) | Change::Delete(_) | Change::Touch(..) => None,
        })
    }
}

impl<'e> Call<'e> {
    pub(crate) fn new(
        engine: &'e Engine,
        caller: &'e Arc<Caller>,
        operation: &'static str,
        keys: &'e [FoundKey],
        now: Timestamp,
    ) -> Self {
        let generator = engine.world.entropy.generator();
        Self {
            engine,
            caller,
            now,
            operation,
            keys,
            generator,
            preset: Preset::default(),
            proposed: Proposed::default(),
        }
    }

    pub(crate) fn caller(&self) -> &'e Arc<Caller> {
        self.caller
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The name of the operation.
    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    /// The request's generator.
    pub(crate) fn generator(&mut self) -> &mut dyn Generator {
        &mut *self.generator
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        fill(&mut *self.generator, &mut bytes);
        bytes
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        fill(&mut *self.generator, bytes);
    }

    /// The id of a new key: a random UUID, or for a multi-Region key `mrk-` and as many digits, unless a
    /// seed chose one.
    pub(crate) fn new_key_id(&mut self, multi_region: bool) -> KeyId {
        match self.preset.key_id.take() {
            Some(key_id) => key_id,
            None if multi_region => KeyId::multi_region(self.random()),
            None => KeyId::from_uuid(uuid::Builder::from_random_bytes(self.random()).into_uuid()),
        }
    }

    pub(crate) fn fresh_id(&mut self) -> Uuid {
        timed_id(self.now, &mut *self.generator)
    }

    /// The key of the operation's only, or first, key target.
    pub(crate) fn key(&self) -> Result<&'e Arc<KeyRecord>, KmsError> {
        self.key_at(0)
    }

    /// The key of the n-th key target. That there is one is the operation's own `targets`.
    pub(crate) fn key_at(&self, n: usize) -> Result<&'e Arc<KeyRecord>, KmsError> {
        self.found_at(n).map(|found| &found.record)
    }

    pub(crate) fn found_at(&self, n: usize) -> Result<&'e FoundKey, KmsError> {
        self.keys
            .get(n)
            .ok_or_else(|| KmsError::internal("the operation names fewer keys than it asks for"))
    }

    /// The state of the n-th key, as everybody sees it.
    pub(crate) fn state_at(&self, n: usize) -> Result<keyward_types::KeyState, KmsError> {
        self.found_at(n).map(|found| found.state)
    }

    /// The current material of the n-th key.
    pub(crate) fn material_at(&self, n: usize) -> Result<(MaterialId, Arc<KeyMaterial>), KmsError> {
        let key = self.key_at(n)?;
        let id = key
            .current_material
            .clone()
            .ok_or_else(|| KmsError::internal("the key has no material"))?;
        let material = self.engine.material(key, &id)?;
        Ok((id, material))
    }

    pub(crate) fn material(&self) -> Result<Arc<KeyMaterial>, KmsError> {
        self.material_at(0).map(|(_, material)| material)
    }

    /// A named material of the n-th key, current or earlier.
    pub(crate) fn material_named(
        &self,
        n: usize,
        id: &MaterialId,
    ) -> Result<Arc<KeyMaterial>, KmsError> {
        self.engine.material(self.key_at(n)?, id)
    }

    /// Typed reads. A record that a change rests on is named with [`Call::rest_on`].
    pub(crate) fn store(&self) -> &'e Store {
        &self.engine.world.store
    }

    pub(crate) fn engine(&self) -> &'e Engine {
        self.engine
    }

    pub(crate) fn policies(&self) -> &'e PolicyEngine {
        &self.engine.world.policies
    }

    /// Records the answer to a question of the operation's own in the event.
    pub(crate) fn decided(&mut self, decision: Decision) {
        self.proposed.decisions.push(decision);
    }

    pub(crate) fn put(&mut self, record: Record) {
        self.proposed.changes.push(Change::Put(Box::new(record)));
    }

    pub(crate) fn delete(&mut self, name: Name) {
        self.proposed.changes.push(Change::Delete(name));
    }

    /// If this record, or its absence, changes before the commit, the request is decided again.
    pub(crate) fn rest_on(&mut self, name: Name) {
        self.proposed.rested_on.push(name);
    }

    /// A member of the event's `additionalEventData`.
    pub(crate) fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.proposed.additional.insert(name.to_owned(), value.into());
    }

    /// One more ARN for the event's `resources`: an alias, or a key that was just created.
    pub(crate) fn concern(&mut self, arn: impl Into<String>) {
        self.proposed.resources.push(arn.into());
    }

    /// The marker of the page after `last`, sealed for this list and account.
    pub(crate) fn marker(&mut self, list: &str, last: &str) -> Result<String, KmsError> {
        let plain = format!("{list}\n{}\n{last}", self.caller.account);
        let sealed =
            self.engine.world.keyring.seal_token(MARKER, plain.as_bytes(), &mut *self.generator);
        sealed.map(|sealed| wording::token_text(&sealed)).map_err(KmsError::internal)
    }

    /// The name of the last item of the page before.
    pub(crate) fn open_marker(&self, list: &str, marker: &str) -> Result<String, KmsError> {
        let open = || {
            let sealed = wording::token_bytes(marker)?;
            let plain = self.engine.world.keyring.open_token(MARKER, &sealed).ok()?;
            let text = core::str::from_utf8(&plain).ok()?;
            text.strip_prefix(&format!("{list}\n{}\n", self.caller.account)).map(str::to_owned)
        };
        open().ok_or_else(wording::bad_marker)
    }
}

/// The purpose under which page markers are sealed.
const MARKER: &str = "page-marker";
