//! Builds the world: clock, entropy, root key, store, keyring, policies, metrics; then root credentials and seed.
//!
//! Store-level changes made here (the root user's access key) leave no event: no request asked for them.
//!
//! INVARIANT: with a wrong root key nothing is changed, and the error says that this is the reason.
//! INVARIANT: outside development mode a store is made by [`initialise`] alone: a directory that is empty
//! because it was not mounted is never served.

use crate::{
    alerts::AlertSetup,
    clock::SystemClock,
    config::{
        CloudTrailFiles, Config, ConfigError, KeyStoreProxies, RootCredentials, RootKeySource,
        Secret,
    },
    files::{TrailFiles, TrailKey},
    guardrails::{GuardrailFolder, GuardrailsRefused},
    proofs::SolverProofs,
};
use keyward_crypto::{Argon2Params, CryptoError, Keyring, RootKey, SystemEntropy};
use keyward_engine::{Engine, Seed, Settings, World};
use keyward_export::{ExportError, Until};
use keyward_policy::PolicyEngine;
use keyward_store::{
    Durability, Finding, NewStore, Options, Progress, Silent, Store, StoreError, StoreHeader,
    harden,
};
use keyward_telemetry::Metrics;
use keyward_types::{Clock, Entropy, Generator, KeyStoreProxy, Sealer};
use keyward_xks::{Trust, TrustError, XksClient};
use rand_core::Rng as _;
use serde_json::{Value, json};
use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The term of every store: root keys are not re-wrapped yet.
const TERM: u32 = 0;

/// Seconds to wait for another process to let go of the store: after `kill -9` the kernel takes some.
const LOCK_PATIENCE_SECONDS: u32 = 5;

/// Where development mode keeps the root key that it made.
const DEV_ROOT_KEY: &str = "root.key";

/// A service without sockets.
pub struct Opened {
    pub engine: Arc<Engine>,
    /// What was found and put right while the store opened.
    pub report: Vec<Finding>,
    /// How many things the seed file made.
    pub seeded: Option<usize>,
    /// The guardrails' folder, to be looked at while the service runs.
    pub guardrails: Option<Arc<GuardrailFolder>>,
    /// The directory of the store.
    pub directory: PathBuf,
    /// Seals what is kept beside the store.
    sealer: Arc<dyn Sealer>,
    /// A temporary directory, removed when this is dropped.
    pub(crate) home: Option<tempfile::TempDir>,
}

/// Why the service did not start. Every text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    RootKey(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the seed file {place}: {cause}")]
    Seed { place: String, cause: String },
    #[error("the key that signs CloudTrail files, {0}")]
    TrailKey(String),
    #[error("CloudTrail files: {0}")]
    TrailFiles(#[from] ExportError),
    #[error("guardrails are refused:\n{0}")]
    Guardrails(#[from] GuardrailsRefused),
    #[error("the event that guardrails are in force could not be written: {0}")]
    GuardrailEvent(String),
    #[error("the event that the service is in observe could not be written: {0}")]
    ObserveEvent(String),
    #[error("{place}: {cause}")]
    Io { place: String, cause: io::Error },
    #[error("the root certificates for external key store proxies: {0}")]
    ProxyTrust(#[from] TrustError),
    #[error("the root certificates for webhooks and witnesses: {0}")]
    PublisherTrust(TrustError),
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: std::net::SocketAddr, cause: io::Error },
    #[error("{0}")]
    Sync(String),
    /// The log is not what one of its checkpoints says.
    #[error("{0}")]
    Log(String),
    #[error("the root user's access key could not be stored: {0}")]
    RootCredentials(String),
}

impl Opened {
    /// Detection and what tells of it; `None` where it is off.
    pub(crate) fn alerts(&self, config: &Config) -> Result<Option<Arc<AlertSetup>>, StartError> {
        if !config.alerts.enabled {
            return Ok(None);
        }
        let clock = Arc::new(SystemClock::new());
        let sealer = Arc::clone(&self.sealer);
        let setup = AlertSetup::new(&config.alerts, &self.directory, sealer, clock)?;
        Ok(Some(Arc::new(setup)))
    }

    /// The key that signs CloudTrail files; it is made when the store has none.
    pub fn trail_key(&self, config: &Config) -> Result<Arc<TrailKey>, StartError> {
        let provider = config.crypto.into();
        TrailKey::load(&self.directory, &*self.sealer, provider, self.engine.now()).map(Arc::new)
    }

    /// CloudTrail files that go where `settings` say.
    pub fn trail_files_at(
        &self,
        config: &Config,
        settings: &CloudTrailFiles,
    ) -> Result<TrailFiles, StartError> {
        let key = self.trail_key(config)?;
        Ok(TrailFiles::new(settings, &config.region_name()?, key)?)
    }

    /// Those of the configuration. A destination that is not this service's stops the start; one that cannot be
    /// reached does not.
    pub(crate) fn trail_files(
        &self,
        config: &Config,
    ) -> Result<Option<Arc<TrailFiles>>, StartError> {
        let Some(settings) = &config.cloudtrail_files else { return Ok(None) };
        let files = self.trail_files_at(config, settings)?;
        // Opened alone: what there is to write comes while the service runs.
        match files.advance(&self.engine, None, Until::Clock(self.engine.now()), 0) {
            Ok(_) => {}
            Err(ExportError::Objects(error)) => {
                tracing::error!(%error, "CloudTrail files are not written yet");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Some(Arc::new(files)))
    }
}

impl StartError {
    fn io(place: &Path, cause: io::Error) -> Self {
        Self::Io { place: place.display().to_string(), cause }
    }
}

/// Opens the store that the configuration names; development mode makes it when there is none.
///
/// A store that has to be built again takes a while; `progress` hears how far it is.
pub fn open(config: &Config, progress: &dyn Progress) -> Result<Opened, StartError> {
    config.check()?;
    check_sync(config.durability)?;
    // Before anything is touched: what is wrong in a file stops the start.
    let guardrails = config.guardrails.as_deref().map(GuardrailFolder::open).transpose()?;
    let (directory, home) = directory(config)?;
    let options = options(config, &directory);
    let exists = StoreHeader::read(&directory)?.is_some();
    if !exists && !config.dev {
        return Err(StoreError::Absent(format!(
            "{}; `keyward init` makes one",
            directory.display()
        ))
        .into());
    }
    let (store, keyring) =
        if exists { reopen(config, options, progress)? } else { create(config, options)? };
    let sealer = keyring.sealer();
    let clock: Arc<dyn Clock> = match &config.clock {
        Some(played) => Arc::clone(played) as Arc<dyn Clock>,
        None => Arc::new(SystemClock::new()),
    };
    let engine = Engine::new(World {
        proxies: proxies(&config.key_store_proxies, &clock)?,
        clock,
        entropy: Arc::new(SystemEntropy),
        store: store.store,
        keyring,
        provider: config.crypto.into(),
        policies: PolicyEngine::new(),
        metrics: Arc::new(Metrics::new(&Engine::operation_names())),
        settings: Settings {
            grant_delay_millis: i64::from(config.grant_delay_seconds) * 1_000,
            quotas: config.quotas.quotas(),
            observe: config.observe,
            ..Settings::new(config.account_id()?, config.region_name()?)
        },
    });
    if let Some(solver) = SolverProofs::found(&config.solver, config.solver_seconds) {
        engine.set_proofs(Arc::new(solver));
    }
    if let Some(root) = &config.root_credentials {
        ensure_root(&engine, root)?;
    }
    let seeded = config.seed.as_deref().map(|path| seed(&engine, path)).transpose()?;
    // After the seed, which is the operator's own as they are.
    let guardrails = guardrails.map(|(folder, set, files)| {
        let put = engine.replace_guardrails(set, &files);
        put.map(|()| Arc::new(folder))
            .map_err(|error| StartError::GuardrailEvent(error.to_string()))
    });
    let guardrails = guardrails.transpose()?;
    engine.tell_observed().map_err(|error| StartError::ObserveEvent(error.to_string()))?;
    Ok(Opened { engine, report: store.report, seeded, guardrails, directory, sealer, home })
}

/// The way to external key store proxies.
fn proxies(
    config: &KeyStoreProxies,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn KeyStoreProxy>, StartError> {
    let trust = match &config.ca {
        None => Trust::Public,
        Some(path) => {
            Trust::PublicAnd(fs::read(path).map_err(|cause| StartError::io(path, cause))?)
        }
    };
    let client = XksClient::new(Arc::clone(clock), trust, config.connect_to.clone())?;
    Ok(Arc::new(client.with_timeout(Duration::from_millis(config.timeout_millis))))
}

/// Makes a store and the first root credentials, which are shown once.
pub fn initialise(config: &Config) -> Result<RootCredentials, StartError> {
    config.check()?;
    check_sync(config.durability)?;
    let (directory, _home) = directory(config)?;
    if StoreHeader::read(&directory)?.is_some() {
        return Err(StoreError::Occupied(directory.display().to_string()).into());
    }
    let credentials = config
        .root_credentials
        .clone()
        .unwrap_or_else(|| new_credentials(&mut *SystemEntropy.generator()));
    let (opened, _keyring) = create(config, options(config, &directory))?;
    opened.store.close()?;
    let config = Config { root_credentials: Some(credentials.clone()), ..config.clone() };
    drop(open(&config, &Silent)?);
    Ok(credentials)
}

const WRONG_ROOT_KEY: &str = "it is not the one that the store was made with; nothing was changed";

fn check_sync(durability: Durability) -> Result<(), StartError> {
    match (harden::make_sync_real(), durability) {
        (Ok(()), _) => Ok(()),
        (Err(cause), Durability::Commit) => Err(StartError::Sync(format!(
            "durability \"commit\" cannot be promised, because sled's flushes are not syncs here: {cause}"
        ))),
        (Err(cause), Durability::Relaxed) => {
            tracing::warn!(cause, "sled's flushes are not syncs here; the journal is safe");
            Ok(())
        }
    }
}

fn directory(config: &Config) -> Result<(PathBuf, Option<tempfile::TempDir>), StartError> {
    if let Some(path) = &config.data {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|cause| StartError::io(path, cause))?;
        return Ok((path.clone(), None));
    }
    if !config.dev {
        return Err(ConfigError::Value { name: "data", wanted: "the directory of a store" }.into());
    }
    let home = tempfile::Builder::new().prefix("keyward-dev-").tempdir();
    let home = home.map_err(|cause| StartError::io(Path::new("temporary directory"), cause))?;
    Ok((home.path().to_owned(), Some(home)))
}

pub(crate) fn options(config: &Config, directory: &Path) -> Options {
    let segment_bytes = u64::from(config.journal.segment_mebibytes) << 20;
    Options { durability: config.durability, segment_bytes, ..Options::at(directory) }
        .patient_seconds(LOCK_PATIENCE_SECONDS)
}

fn create(
    config: &Config,
    options: Options,
) -> Result<(keyward_store::Opened, Keyring), StartError> {
    let mut generator = SystemEntropy.generator();
    let (mut store_id, mut salt) = ([0; 16], [0; 16]);
    generator.fill_bytes(&mut store_id);
    generator.fill_bytes(&mut salt);
    let told = Told::new(&config.root_key, salt);
    let root = root_key(config, &options.directory, &told, &mut *generator)?;
    let keyring = Keyring::new(&root, store_id, TERM, 1, &mut *generator);
    let new = NewStore { store_id, root_check: keyring.check_value(), root: told.to_json() };
    let opened = Store::create(options, new, keyring.sealer(), &Silent)?;
    Ok((opened, keyring))
}

fn reopen(
    config: &Config,
    options: Options,
    progress: &dyn Progress,
) -> Result<(keyward_store::Opened, Keyring), StartError> {
    let mut generator = SystemEntropy.generator();
    let directory = options.directory.clone();
    let header = StoreHeader::read(&directory)?
        .ok_or_else(|| StoreError::Absent(directory.display().to_string()))?;
    let told = Told::from_json(&header.root);
    let root = root_key(config, &directory, &told, &mut *generator)?;
    let mut keyring = None;
    let sealer_for = |header: &StoreHeader| -> Result<Arc<dyn Sealer>, String> {
        let made = keyring_of(header, &root, &mut *generator)?;
        let sealer = made.sealer();
        keyring = Some(made);
        Ok(sealer)
    };
    let opened = Store::open(options, sealer_for, progress)?;
    let keyring =
        keyring.ok_or_else(|| StoreError::RootKey("no sealer was asked for".to_owned()))?;
    Ok((opened, keyring))
}

/// What a root key makes of the store with this header, when it is the store's own.
pub(crate) fn keyring_of(
    header: &StoreHeader,
    root: &RootKey,
    generator: &mut dyn Generator,
) -> Result<Keyring, String> {
    let keyring = Keyring::new(root, header.store_id, TERM, header.generation, generator);
    if bool::from(keyring.check_value().ct_eq(&header.root_check)) {
        Ok(keyring)
    } else {
        Err(WRONG_ROOT_KEY.to_owned())
    }
}

/// What stands beside a store about its root key, in clear: how a passphrase becomes one.
pub(crate) struct Told {
    argon2: Option<Argon2Params>,
}

impl Told {
    fn new(source: &RootKeySource, salt: [u8; 16]) -> Self {
        Self { argon2: source.passphrase.as_ref().map(|_| Argon2Params::new(salt)) }
    }

    fn to_json(&self) -> Value {
        self.argon2.map_or(Value::Null, |Argon2Params { salt, memory_kib, passes, lanes }| {
            json!({"argon2id": {"salt": salt, "memory_kib": memory_kib, "passes": passes, "lanes": lanes}})
        })
    }

    pub(crate) fn from_json(value: &Value) -> Self {
        let params = || {
            let argon2 = value.get("argon2id")?;
            let number = |name: &str| u32::try_from(argon2.get(name)?.as_u64()?).ok();
            Some(Argon2Params {
                salt: serde_json::from_value(argon2.get("salt")?.clone()).ok()?,
                memory_kib: number("memory_kib")?,
                passes: number("passes")?,
                lanes: number("lanes")?,
            })
        };
        Self { argon2: params() }
    }
}

pub(crate) fn root_key(
    config: &Config,
    directory: &Path,
    told: &Told,
    generator: &mut dyn Generator,
) -> Result<RootKey, StartError> {
    let bad = |error: CryptoError| StartError::RootKey(error.to_string());
    match &config.root_key {
        RootKeySource { file: Some(path), text: None, passphrase: None } => root_key_file(path),
        RootKeySource { file: None, text: Some(text), passphrase: None } => RootKey::from_text(text.expose()).map_err(bad),
        RootKeySource { file: None, text: None, passphrase: Some(passphrase) } => {
            let params = told.argon2.ok_or_else(|| StartError::RootKey("this store was not made with a passphrase".to_owned()))?;
            RootKey::from_passphrase(passphrase.expose(), &params).map_err(bad)
        }
        RootKeySource { file: None, text: None, passphrase: None } if config.dev => dev_root_key(directory, generator),
        RootKeySource { file: None, text: None, passphrase: None } => Err(StartError::RootKey(
            "a root key is needed: root_key.file in the configuration, or a root key or passphrase from the environment".to_owned(),
        )),
        _ => Err(StartError::RootKey("more than one source of the root key is given; give one".to_owned())),
    }
}

fn root_key_file(path: &Path) -> Result<RootKey, StartError> {
    let text =
        Zeroizing::new(fs::read_to_string(path).map_err(|cause| StartError::io(path, cause))?);
    RootKey::from_text(&text)
        .map_err(|error| StartError::RootKey(format!("{}: {error}", path.display())))
}

/// Reads the key of development mode, or makes that of a new store, readable by its owner alone.
fn dev_root_key(directory: &Path, generator: &mut dyn Generator) -> Result<RootKey, StartError> {
    let path = &directory.join(DEV_ROOT_KEY);
    if path.exists() {
        return root_key_file(path);
    }
    if StoreHeader::read(directory)?.is_some() {
        return Err(StartError::RootKey(format!(
            "{} is not there, and the store has a root key already: give it with --root-key-file, KEYWARD_ROOT_KEY or KEYWARD_ROOT_PASSPHRASE",
            path.display()
        )));
    }
    let key = RootKey::generate(generator);
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(
            |mut file| {
                file.write_all(key.to_text().as_bytes())?;
                file.sync_all()
            },
        );
    written.map(|()| key).map_err(|cause| StartError::io(path, cause))
}

fn ensure_root(engine: &Arc<Engine>, root: &RootCredentials) -> Result<(), StartError> {
    let account = engine.settings().account.clone();
    engine
        .ensure_root(&account, &root.access_key_id, root.secret.expose())
        .map(drop)
        .map_err(|error| StartError::RootCredentials(error.to_string()))
}

/// `AKIA` and 16 letters and digits; 40 characters of base64, without `=`.
fn new_credentials(generator: &mut dyn Generator) -> RootCredentials {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut id, mut secret) = ([0_u8; 16], Zeroizing::new([0_u8; 30]));
    generator.fill_bytes(&mut id);
    generator.fill_bytes(secret.as_mut_slice());
    let letter =
        |byte: &u8| char::from(LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'A'));
    RootCredentials {
        access_key_id: format!("AKIA{}", id.iter().map(letter).collect::<String>()),
        secret: Secret::new(base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            secret.as_slice(),
        )),
    }
}

fn seed(engine: &Arc<Engine>, path: &Path) -> Result<usize, StartError> {
    let place = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|cause| StartError::io(path, cause))?;
    let failed = |cause: String| StartError::Seed { place: place.clone(), cause };
    let seed: Seed = serde_norway::from_str(&text).map_err(|error| failed(error.to_string()))?;
    engine.seed(&seed).map(|seeded| seeded.made.len()).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(directory: &Path) -> Config {
        Config { data: Some(directory.to_owned()), ..Config::dev() }
    }

    fn message(result: Result<Opened, StartError>) -> String {
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_dev_store_opens_again_with_its_own_key_and_no_other() {
        let home = tempfile::tempdir().unwrap();
        let config = config(&home.path().join("store"));
        drop(open(&config, &Silent).unwrap());
        drop(open(&config, &Silent).unwrap());
        let key = home.path().join("store").join(DEV_ROOT_KEY);
        let before = fs::read(home.path().join("store/store.json")).unwrap();
        fs::write(&key, "00".repeat(32)).unwrap();
        assert!(
            message(open(&config, &Silent)).contains("not the one"),
            "{}",
            message(open(&config, &Silent))
        );
        assert_eq!(fs::read(home.path().join("store/store.json")).unwrap(), before);
    }

    #[test]
    fn serve_makes_no_store_by_itself_and_init_makes_one_once() {
        let home = tempfile::tempdir().unwrap();
        let passphrase = |text: &str| Config {
            data: Some(home.path().join("store")),
            root_key: RootKeySource {
                passphrase: Some(Secret::new(text)),
                ..RootKeySource::default()
            },
            ..Config::serve()
        };
        let config = passphrase("correct horse battery");
        assert!(message(open(&config, &Silent)).contains("keyward init"));
        let credentials = initialise(&config).unwrap();
        assert_eq!((credentials.access_key_id.len(), credentials.secret.expose().len()), (20, 40));
        assert!(matches!(initialise(&config), Err(StartError::Store(StoreError::Occupied(_)))));
        let opened = open(&config, &Silent).unwrap();
        assert!(opened.engine.credential(&credentials.access_key_id, None).is_ok());
        drop(opened);
        assert!(message(open(&passphrase("wrong horse battery"), &Silent)).contains("not the one"));
        assert!(
            message(open(&Config { root_key: RootKeySource::default(), ..config }, &Silent))
                .contains("root key is needed")
        );
    }
}
