//! A small service: a temporary store, a clock that is moved by hand, randomness from a seed.

use crate::{Engine, Service as Api, Settings, World, find};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_crypto::{Keyring, Provider, RootKey, SeededEntropy};
use keyward_policy::PolicyEngine;
use keyward_store::{Commit, DiskCall, DiskHook, Durability, EventQuery, Store, Verdict};
use keyward_telemetry::Metrics;
use keyward_types::{
    AccessKeyOwner, AccessKeyRecord, AccountId, Caller, Change, Clock, Entropy, ErrorCode, KeyId,
    KeyName, KeyRecord, KmsError, Origin, Record, Region, RoleRecord, Timestamp, UserRecord,
    caller::Document,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const OTHER: &str = "444455556666";
pub(super) const REGION: &str = "us-east-1";
pub(super) const DAY: i64 = 86_400_000;

pub(super) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn monotonic_nanos(&self) -> u64 {
        self.0.load(Ordering::SeqCst).unsigned_abs().saturating_mul(1_000_000)
    }
}

pub(super) struct TestWorld {
    pub(super) engine: Arc<Engine>,
    clock: Arc<TestClock>,
    pub(super) root: Arc<Caller>,
}

pub(super) fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

impl TestWorld {
    pub(super) fn new() -> Self {
        Self::with_grant_delay(0)
    }

    fn settings() -> Settings {
        Settings::new(account(ACCOUNT), Region::parse(REGION).unwrap())
    }

    /// A world in which new grants need their token for so many milliseconds.
    pub(super) fn with_grant_delay(grant_delay_millis: i64) -> Self {
        Self::with(Settings { grant_delay_millis, ..Self::settings() })
    }

    pub(super) fn with_quotas(quotas: crate::Quotas) -> Self {
        Self::with(Settings { quotas, ..Self::settings() })
    }

    fn with(settings: Settings) -> Self {
        Self::with_disk(settings, None)
    }

    /// A world whose disk says how much room it has.
    pub(super) fn with_room(free_bytes: Arc<AtomicU64>) -> Self {
        let disk: DiskHook = Arc::new(move |call, _| match call {
            DiskCall::FreeSpace => Verdict::FreeBytes(free_bytes.load(Ordering::SeqCst)),
            _ => Verdict::Proceed,
        });
        Self::with_disk(Self::settings(), Some(disk))
    }

    fn with_disk(settings: Settings, disk: Option<DiskHook>) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(1_790_000_000_000)));
        let entropy = Arc::new(SeededEntropy::from_number(7));
        let root = RootKey::generate(&mut *entropy.generator());
        let keyring = Keyring::new(&root, [0; 16], 0, 1, &mut *entropy.generator());
        let sealer = keyring.sealer();
        let store = Store::temporary_on(sealer, Durability::Relaxed, disk).unwrap();
        let engine = Engine::new(World {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy,
            store,
            keyring,
            provider: Provider::default(),
            policies: PolicyEngine::new(),
            proxies: std::sync::Arc::new(crate::NoProxies),
            metrics: Arc::new(Metrics::new(&Engine::operation_names())),
            settings,
        });
        put_access_key(&engine, ACCOUNT, "root", AccessKeyOwner::Root);
        let root = caller(&engine, "root");
        Self { engine, clock, root }
    }

    pub(super) fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// The root user of another account that lives here.
    pub(super) fn other_root(&self) -> Arc<Caller> {
        put_access_key(&self.engine, OTHER, "other-root", AccessKeyOwner::Root);
        caller(&self.engine, "other-root")
    }

    /// A user of the first account with an identity policy that allows these actions on everything.
    pub(super) fn user(&self, name: &str, actions: &[&str]) -> Arc<Caller> {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]
        });
        let policies = if actions.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([("use".to_owned(), Document::new(policy.to_string()))])
        };
        put(
            &self.engine,
            Record::User(UserRecord {
                account: account(ACCOUNT),
                name: name.to_owned(),
                path: "/".to_owned(),
                user_id: format!("AIDA{name}"),
                created: Timestamp::default(),
                tags: BTreeMap::new(),
                policies,
                attached: Default::default(),
                groups: Default::default(),
                boundary: None,
            }),
        );
        put_access_key(&self.engine, ACCOUNT, name, AccessKeyOwner::User(name.to_owned()));
        caller(&self.engine, name)
    }

    /// Replaces the identity policy of a user.
    pub(super) fn allow(&self, name: &str, policy: &Value) {
        let found = self.engine.store().user(&account(ACCOUNT), name).unwrap().unwrap();
        let mut user = UserRecord::clone(&found);
        user.policies = [("use".to_owned(), Document::new(policy.to_string()))].into();
        put(&self.engine, Record::User(user));
    }

    /// Replaces a key's policy, past every check.
    pub(super) fn set_key_policy(&self, key_id: &str, policy: &Value) {
        let name = KeyName {
            account: account(ACCOUNT),
            region: Region::parse(REGION).unwrap(),
            key_id: KeyId::parse(key_id).unwrap(),
        };
        let found = self.engine.store().key(&name).unwrap().unwrap();
        let policy = Document::new(policy.to_string());
        put(&self.engine, Record::Key(KeyRecord { policy, ..KeyRecord::clone(&found) }));
    }

    /// A service that calls, with what it says in its signed headers.
    pub(super) fn service(&self, name: &str, stated: &[(&str, &str)]) -> Caller {
        let owner = AccessKeyOwner::Service(name.to_owned());
        put_access_key(&self.engine, ACCOUNT, name, owner);
        let mut made = Caller::clone(&caller(&self.engine, name));
        made.origin.trusted_facts =
            stated.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        made
    }

    pub(super) fn role(&self, name: &str) -> String {
        let role = RoleRecord {
            account: account(ACCOUNT),
            name: name.to_owned(),
            path: "/".to_owned(),
            role_id: format!("AROA{name}"),
            created: Timestamp::default(),
            description: String::new(),
            max_session_seconds: 3_600,
            trust: Document::new("{}"),
            trust_principals: BTreeMap::new(),
            tags: BTreeMap::new(),
            policies: BTreeMap::new(),
            attached: Default::default(),
            boundary: None,
        };
        let arn = role.arn();
        put(&self.engine, Record::Role(role));
        arn
    }

    pub(super) fn call(
        &self,
        caller: &Arc<Caller>,
        operation: &str,
        body: &Value,
    ) -> Result<Value, KmsError> {
        self.call_of(Api::Kms, caller, operation, body)
    }

    /// An operation of any service.
    pub(super) fn call_of(
        &self,
        api: Api,
        caller: &Arc<Caller>,
        operation: &str,
        body: &Value,
    ) -> Result<Value, KmsError> {
        let operation =
            find(api, operation).unwrap_or_else(|| panic!("{operation} is in the table"));
        let reply =
            self.engine.prepare(operation, caller, body.to_string().as_bytes()).run().wait()?;
        Ok(if reply.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&reply.body).unwrap()
        })
    }

    /// As the root user; it must succeed.
    pub(super) fn ok(&self, operation: &str, body: Value) -> Value {
        self.ok_as(&self.root, operation, body)
    }

    pub(super) fn ok_as(&self, caller: &Arc<Caller>, operation: &str, body: Value) -> Value {
        self.call(caller, operation, &body)
            .unwrap_or_else(|error| panic!("{operation} {body}: {error}"))
    }

    /// As the root user; it must fail so.
    pub(super) fn fails(&self, operation: &str, body: Value, code: ErrorCode) -> String {
        self.fails_as(&self.root, operation, body, code)
    }

    /// The message of a failure, which is empty for errors without one.
    pub(super) fn fails_as(
        &self,
        caller: &Arc<Caller>,
        operation: &str,
        body: Value,
        code: ErrorCode,
    ) -> String {
        let error = self.call(caller, operation, &body).expect_err(&format!("{operation} {body}"));
        assert_eq!(error.code, code, "{operation} {body}: {error}");
        error.message.unwrap_or_default()
    }

    /// The id of a new key.
    pub(super) fn key(&self, body: Value) -> String {
        self.ok("CreateKey", body)["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    }

    pub(super) fn symmetric(&self) -> String {
        self.key(json!({}))
    }

    /// Records of the log, newest first.
    pub(super) fn events(&self, limit: usize) -> Vec<Value> {
        let query = EventQuery { newest_first: true, limit, ..EventQuery::default() };
        let events = self.engine.store().events(&query).unwrap();
        events.iter().map(|event| serde_json::from_slice(&event.record).unwrap()).collect()
    }

    pub(super) fn last_event(&self) -> Value {
        self.events(1).remove(0)
    }
}

pub(super) fn arn(key_id: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}")
}

pub(super) fn blob(text: &str) -> String {
    STANDARD.encode(text)
}

/// Any blob member of an answer, as bytes.
pub(super) fn bytes(answer: &Value, member: &str) -> Vec<u8> {
    STANDARD
        .decode(answer[member].as_str().unwrap_or_else(|| panic!("{member} in {answer}")))
        .unwrap()
}

pub(super) fn put(engine: &Arc<Engine>, record: Record) {
    let snapshot = engine.store().snapshot();
    let changes = vec![Change::Put(Box::new(record))];
    engine.store().commit(Commit { snapshot, changes, ..Commit::default() }).wait().unwrap();
}

fn put_access_key(engine: &Arc<Engine>, id: &str, access_key_id: &str, owner: AccessKeyOwner) {
    put(
        engine,
        Record::AccessKey(AccessKeyRecord {
            access_key_id: access_key_id.to_owned(),
            secret: "secret".to_owned(),
            account: account(id),
            owner,
            active: true,
            created: Timestamp::default(),
        }),
    );
}

fn caller(engine: &Arc<Engine>, access_key_id: &str) -> Arc<Caller> {
    let origin = Origin {
        request_id: engine.fresh_id(),
        source_ip: "192.0.2.1".to_owned(),
        user_agent: "tests".to_owned(),
        region: Region::parse(REGION).unwrap(),
        secure_transport: true,
        host: "localhost".to_owned(),
        trusted_facts: BTreeMap::new(),
    };
    Arc::new(
        engine
            .credential(access_key_id, None)
            .unwrap_or_else(|e| panic!("{e}"))
            .into_caller(origin),
    )
}
