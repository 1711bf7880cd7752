//! A service in a temporary directory, with a clock that tests move.

use keyward_crypto::{Keyring, Provider, RootKey, SeededEntropy};
use keyward_engine::{Engine, InFlight, Service, Settings, World, find};
use keyward_policy::PolicyEngine;
use keyward_store::{Durability, EventQuery, Store};
use keyward_telemetry::Metrics;
use keyward_types::{AccountId, Clock, Entropy, ErrorCode, KmsError, Origin, Region, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";

pub(crate) struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn monotonic_nanos(&self) -> u64 {
        0
    }
}

pub(crate) struct Scene {
    pub(crate) engine: Arc<Engine>,
    clock: Arc<HandClock>,
}

/// Who asks.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) id: String,
    pub(crate) token: Option<String>,
}

pub(crate) fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

impl Scene {
    pub(crate) fn new() -> Self {
        let entropy = Arc::new(SeededEntropy::from_number(7));
        let root = RootKey::generate(&mut *entropy.generator());
        let keyring = Keyring::new(&root, [7; 16], 0, 1, &mut *entropy.generator());
        let clock = Arc::new(HandClock(AtomicI64::new(1_767_225_600_000)));
        let engine = Engine::new(World {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy,
            store: Store::temporary(keyring.sealer(), Durability::Relaxed).unwrap(),
            keyring,
            provider: Provider::RustCrypto,
            policies: PolicyEngine::new(),
            proxies: std::sync::Arc::new(keyward_engine::NoProxies),
            metrics: Arc::new(Metrics::new(&Engine::operation_names())),
            settings: Settings::new(account(ACCOUNT), Region::parse("us-east-1").unwrap()),
        });
        for id in [ACCOUNT, OTHER] {
            assert!(engine.ensure_root(&account(id), &format!("ROOT{id}"), "a-secret").unwrap());
        }
        Self { engine, clock }
    }

    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub(crate) fn root(&self) -> Login {
        Login { id: format!("ROOT{ACCOUNT}"), token: None }
    }

    pub(crate) fn other_root(&self) -> Login {
        Login { id: format!("ROOT{OTHER}"), token: None }
    }

    pub(crate) fn call(
        &self,
        login: &Login,
        service: Service,
        name: &str,
        body: &Value,
    ) -> Result<Value, KmsError> {
        // Who is nobody hears so before anything is prepared.
        self.engine.credential(&login.id, login.token.as_deref())?;
        let reply = self.start(login, service, name, body).wait()?;
        let nothing = reply.body.is_empty();
        Ok(if nothing { Value::Null } else { serde_json::from_slice(&reply.body).unwrap() })
    }

    /// A call whose event is on its way to the disk.
    pub(crate) fn start(
        &self,
        login: &Login,
        service: Service,
        name: &str,
        body: &Value,
    ) -> InFlight {
        let credential = self.engine.credential(&login.id, login.token.as_deref()).unwrap();
        let caller = Arc::new(credential.into_caller(Origin {
            request_id: self.engine.fresh_id(),
            source_ip: "192.0.2.1".to_owned(),
            user_agent: "test".to_owned(),
            region: Region::parse("us-east-1").unwrap(),
            secure_transport: true,
            host: "localhost".to_owned(),
            trusted_facts: BTreeMap::new(),
        }));
        let operation = find(service, name).unwrap_or_else(|| panic!("{name} is not served"));
        self.engine.prepare(operation, &caller, body.to_string().as_bytes()).run()
    }

    pub(crate) fn iam(&self, login: &Login, name: &str, body: Value) -> Value {
        self.call(login, Service::Iam, name, &body)
            .unwrap_or_else(|error| panic!("{name} {body}: {error}"))
    }

    pub(crate) fn sts(&self, login: &Login, name: &str, body: Value) -> Value {
        self.call(login, Service::Sts, name, &body)
            .unwrap_or_else(|error| panic!("{name} {body}: {error}"))
    }

    pub(crate) fn kms(&self, login: &Login, name: &str, body: Value) -> Value {
        self.call(login, Service::Kms, name, &body)
            .unwrap_or_else(|error| panic!("{name} {body}: {error}"))
    }

    /// The code and message of a refusal.
    pub(crate) fn refused(
        &self,
        login: &Login,
        service: Service,
        name: &str,
        body: Value,
    ) -> (ErrorCode, String) {
        match self.call(login, service, name, &body) {
            Ok(answer) => panic!("{name} {body} was answered: {answer}"),
            Err(error) => (error.code, error.message.unwrap_or_default()),
        }
    }

    pub(crate) fn refused_iam(
        &self,
        login: &Login,
        name: &str,
        body: Value,
    ) -> (ErrorCode, String) {
        self.refused(login, Service::Iam, name, body)
    }

    pub(crate) fn refused_sts(
        &self,
        login: &Login,
        name: &str,
        body: Value,
    ) -> (ErrorCode, String) {
        self.refused(login, Service::Sts, name, body)
    }

    /// A user with an access key, and an inline policy that allows these actions on everything.
    pub(crate) fn user(&self, root: &Login, name: &str, actions: &[&str]) -> Login {
        self.iam(root, "CreateUser", json!({"UserName": name}));
        if !actions.is_empty() {
            self.iam(
                root,
                "PutUserPolicy",
                json!({"UserName": name, "PolicyName": "p", "PolicyDocument": allow(actions)}),
            );
        }
        self.login(root, name)
    }

    pub(crate) fn login(&self, root: &Login, name: &str) -> Login {
        let key = self.iam(root, "CreateAccessKey", json!({"UserName": name}));
        Login { id: text(&key, "/AccessKey/AccessKeyId"), token: None }
    }

    /// A managed policy that allows these actions on everything; its ARN.
    pub(crate) fn policy(&self, root: &Login, name: &str, actions: &[&str]) -> String {
        let body = json!({"PolicyName": name, "PolicyDocument": allow(actions)});
        text(&self.iam(root, "CreatePolicy", body), "/Policy/Arn")
    }

    /// A new key of the account, that says of identities only that the account decides; its ARN.
    pub(crate) fn key(&self, root: &Login) -> String {
        text(&self.kms(root, "CreateKey", json!({})), "/KeyMetadata/Arn")
    }

    /// Whether a login may encrypt under a key. A refusal's layer and reason stand in the event.
    pub(crate) fn may_encrypt(&self, login: &Login, key: &str) -> bool {
        match self.call(login, Service::Kms, "Encrypt", &json!({"KeyId": key, "Plaintext": "aGk="}))
        {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.code, ErrorCode::AccessDenied, "{error}");
                false
            }
        }
    }

    /// Sources of the statements that one layer of the last event's only decision matched.
    pub(crate) fn sources(&self, layer: &str) -> Vec<String> {
        let event = self.last_event();
        let layers = event["additionalEventData"]["policyDecision"][0]["layers"].clone();
        let layer = layers.as_array().unwrap().iter().find(|one| one["layer"] == json!(layer));
        let matched = layer.and_then(|layer| layer["matched"].as_array().cloned());
        matched.unwrap_or_default().iter().map(|one| text(one, "/source")).collect()
    }

    /// Every event, newest last.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut events = self
            .engine
            .store()
            .events(&EventQuery { limit: 1_000, ..EventQuery::default() })
            .unwrap();
        events.sort_by_key(|event| event.seq);
        events.iter().map(|event| serde_json::from_slice(&event.record).unwrap()).collect()
    }

    pub(crate) fn last_event(&self) -> Value {
        self.events().pop().unwrap()
    }
}

pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

/// An identity policy.
pub(crate) fn allow(actions: &[&str]) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}).to_string()
}

/// A trust policy that lets these principals assume.
pub(crate) fn trust(principals: &[&str]) -> String {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]},
    ]})
    .to_string()
}

pub(crate) fn session(answer: &Value) -> Login {
    Login {
        id: text(answer, "/Credentials/AccessKeyId"),
        token: Some(text(answer, "/Credentials/SessionToken")),
    }
}
