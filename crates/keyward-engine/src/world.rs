//! Everything the engine does not decide for itself, and the engine that holds it.
//!
//! A struct of parts: `main` fills it with real ones, the test kit with a clock that is moved by hand,
//! a seeded generator and a temporary directory. There are no globals.

use crate::{
    OPERATIONS,
    alerts::Alerts,
    guardrails::GuardrailStatus,
    housekeeping,
    lived::{Leapt, Lived},
    operation::AnyOperation,
    pipeline::Prepared,
    proofs::Proofs,
    quotas::{Meters, Quotas},
};
use keyward_crypto::{KeyMaterial, Keyring, Provider};
use keyward_policy::PolicyEngine;
use keyward_store::{EventQuery, Store};
use keyward_telemetry::Metrics;
use keyward_types::{
    AccountId, Caller, Clock, Entropy, Generator, KeyName, KeyStoreProxy, KmsError, MaterialId,
    Region, Timestamp,
};
use quick_cache::sync::Cache;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicI64},
};
use uuid::Uuid;

/// The parts.
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub store: Store,
    pub keyring: Keyring,
    pub provider: Provider,
    pub policies: PolicyEngine,
    pub metrics: Arc<Metrics>,
    /// The way to external key stores.
    pub proxies: Arc<dyn KeyStoreProxy>,
    pub settings: Settings,
}

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account of the first root user, and of requests that name none.
    pub account: AccountId,
    /// The Region of requests that name none.
    pub region: Region,
    /// How long a new grant counts only for requests that carry its token, in milliseconds. Here grants count
    /// at once; at AWS they may take minutes, and a client that forgets tokens fails there only.
    pub grant_delay_millis: i64,
    pub quotas: Quotas,
    /// Whether the whole service is in observe: what policies refuse of the use of keys is let through.
    pub observe: bool,
}

impl Settings {
    /// Everything optional is off.
    pub fn new(account: AccountId, region: Region) -> Self {
        Self { account, region, grant_delay_millis: 0, quotas: Quotas::default(), observe: false }
    }
}

/// Parsed key material kept ready. An RSA key takes longer to parse than to use.
const MATERIALS_CACHED: usize = 10_000;

/// The service.
pub struct Engine {
    pub(crate) world: World,
    materials: Cache<(KeyName, MaterialId), Arc<KeyMaterial>>,
    /// Wrong one-time passwords by device: the step in which they came, and how many.
    pub(crate) mfa_failures: Mutex<BTreeMap<String, (u64, u32)>>,
    /// What housekeeping believes of the clock.
    pub(crate) lived: Lived,
    /// When housekeeping looks through the keys again, in milliseconds since 1970.
    pub(crate) next_look: AtomicI64,
    pub(crate) meters: Meters,
    /// The time of the newest event from before this run.
    begun_after: Option<Timestamp>,
    /// Held while a checkpoint is made.
    pub(crate) checkpointing: Mutex<()>,
    /// Held while another log's checkpoint is judged and kept.
    pub(crate) witnessing: Mutex<()>,
    /// `None` where no guardrails are configured.
    pub(crate) guardrails: Mutex<Option<GuardrailStatus>>,
    pub(crate) alerts: Alerts,
    /// Up to when anything is in observe by a record, in milliseconds since 1970.
    pub(crate) observed_until: AtomicI64,
    /// Who proves what holds of every request; empty where there is no solver.
    pub(crate) proofs: OnceLock<Arc<dyn Proofs>>,
}

impl Engine {
    pub fn new(world: World) -> Arc<Self> {
        let newest = EventQuery { newest_first: true, limit: 1, ..EventQuery::default() };
        let newest = world.store.events(&newest);
        let begun_after = newest.ok().and_then(|events| Some(events.first()?.time));
        let engine = Arc::new(Self {
            world,
            begun_after,
            materials: Cache::new(MATERIALS_CACHED),
            mfa_failures: Mutex::default(),
            lived: Lived::new(housekeeping::STAND),
            next_look: AtomicI64::new(i64::MIN),
            meters: Meters::default(),
            checkpointing: Mutex::default(),
            witnessing: Mutex::default(),
            guardrails: Mutex::new(None),
            alerts: Alerts::default(),
            observed_until: AtomicI64::new(i64::MIN),
            proofs: OnceLock::new(),
        });
        engine.look_at_observed();
        engine
    }

    /// Names of every operation, for closed label sets.
    pub fn operation_names() -> Vec<&'static str> {
        OPERATIONS.iter().map(|operation| operation.spec().name).collect()
    }

    /// Runs the stages up to the state check; `Prepared::run` does the rest.
    pub fn prepare(
        self: &Arc<Self>,
        operation: &'static dyn AnyOperation,
        caller: &Arc<Caller>,
        body: &[u8],
    ) -> Prepared {
        operation.prepare(self, caller, body, 1)
    }

    pub fn store(&self) -> &Store {
        &self.world.store
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.world.metrics
    }

    pub fn settings(&self) -> &Settings {
        &self.world.settings
    }

    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Believes a reading of the clock for what cannot be undone, or says why not yet.
    ///
    /// # Errors
    /// While the time is far ahead of what was lived through.
    pub fn believe(&self, lived: &Lived, now: Timestamp) -> Result<(), Leapt> {
        lived.believe(self.begun_after, now, self.monotonic_nanos())
    }

    pub fn monotonic_nanos(&self) -> u64 {
        self.world.clock.monotonic_nanos()
    }

    /// A fresh id whose first 48 bits are the time, so that the log finds it without an index.
    pub fn fresh_id(&self) -> Uuid {
        timed_id(self.now(), &mut *self.world.entropy.generator())
    }

    /// The material of a key, unwrapped and parsed.
    pub(crate) fn material(
        &self,
        key: &keyward_types::KeyRecord,
        id: &MaterialId,
    ) -> Result<Arc<KeyMaterial>, KmsError> {
        let cached = (key.name.clone(), id.clone());
        if let Some(material) = self.materials.get(&cached) {
            return Ok(material);
        }
        let World { store, keyring, provider, .. } = &self.world;
        let missing = |what: &str| KmsError::internal(format!("{what} of {} is missing", key.name));
        let dek = store
            .dek(&key.name)
            .map_err(KmsError::internal)?
            .ok_or_else(|| missing("data-encryption key"))?;
        let record = store
            .material(&key.name, id)
            .map_err(KmsError::internal)?
            .ok_or_else(|| missing("material"))?;
        let name = key.name.to_string();
        let dek = keyring.open_dek(&name, &dek.wrapped).map_err(KmsError::internal)?;
        let material =
            KeyMaterial::unwrap(*provider, key.spec, &dek, &name, &id.0, &record.wrapped)
                .map(Arc::new)
                .map_err(KmsError::internal)?;
        self.materials.insert(cached, Arc::clone(&material));
        Ok(material)
    }

    /// Drops a deleted key's parsed material.
    pub(crate) fn forget(&self, key: &keyward_types::KeyRecord) {
        for info in &key.materials {
            self.materials.remove(&(key.name.clone(), info.id.clone()));
        }
        if let Some(id) = &key.current_material {
            self.materials.remove(&(key.name.clone(), id.clone()));
        }
    }
}

/// A UUID of version 7. <https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7>
pub(crate) fn timed_id(time: Timestamp, generator: &mut dyn Generator) -> Uuid {
    let mut random = [0; 10];
    fill(generator, &mut random);
    uuid::Builder::from_unix_timestamp_millis(time.0.try_into().unwrap_or_default(), &random)
        .into_uuid()
}

/// Fills from a generator that cannot fail.
pub(crate) fn fill(generator: &mut dyn Generator, bytes: &mut [u8]) {
    let Ok(()) = generator.try_fill_bytes(bytes);
}
