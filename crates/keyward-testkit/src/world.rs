//! A whole service in a temporary directory, with a clock that is moved by hand and seeded randomness.
//!
//! The store, the policies and the cryptography are the real ones: there is no second implementation to
//! keep honest. Each test has its own.

use crate::{
    doors::{Answer, Door, call, through_engine},
    scenario::{Action, Bindings, Step, Who},
};
use keyward_crypto::{Keyring, Provider, RootKey, SeededEntropy};
use keyward_engine::{Engine, NoProxies, Service, Settings, World};
use keyward_policy::PolicyEngine;
use keyward_sigv4::{Credentials, Request, Scope, sign};
use keyward_store::{Durability, NewStore, Options, Silent, Store};
use keyward_telemetry::Metrics;
use keyward_types::{
    AccountId, Caller, Clock, Entropy as _, KeyStoreProxy, KmsError, Origin, Region, Timestamp,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_767_225_600_000);
pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "us-east-1";

/// A clock that moves when it is told to, and one millisecond with every reading, so that no two
/// readings are equal.
pub struct TestClock {
    now_ms: AtomicI64,
    readings: AtomicU64,
}

impl TestClock {
    pub fn new() -> Self {
        Self { now_ms: AtomicI64::new(START.0), readings: AtomicU64::new(0) }
    }

    /// So much time passes.
    pub fn advance_seconds(&self, seconds: i64) {
        self.jump_seconds(seconds);
        let nanos = u64::try_from(seconds).unwrap_or_default() * 1_000_000_000;
        self.readings.fetch_add(nanos, Ordering::SeqCst);
    }

    /// The clock is set to another time, and none passes.
    pub fn jump_seconds(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.fetch_add(1, Ordering::SeqCst))
    }

    fn monotonic_nanos(&self) -> u64 {
        self.readings.fetch_add(1_000, Ordering::SeqCst)
    }
}

/// Credentials of a principal.
#[derive(Clone)]
pub struct Login {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl Login {
    pub fn new(access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            session_token: None,
        }
    }
}

/// A running service and what a test needs of it.
pub struct TestService {
    pub engine: Arc<Engine>,
    pub clock: Arc<TestClock>,
    pub directory: Arc<tempfile::TempDir>,
    http: OnceLock<keyward_server::Running>,
    /// Keeps its connections: a test may make thousands of requests.
    agent: ureq::Agent,
}

impl TestService {
    /// A new service, seeded with 1.
    pub fn start() -> Self {
        Self::seeded(1)
    }

    /// A new service whose randomness follows from `seed`, all in pure Rust, so that it can be replayed.
    ///
    /// # Panics
    /// When it does not start; that is a failed test.
    pub fn seeded(seed: u64) -> Self {
        Self::seeded_with(seed, Arc::new(NoProxies))
    }

    /// The same, with a way to external key store proxies.
    ///
    /// # Panics
    /// As [`TestService::seeded`].
    pub fn seeded_with(seed: u64, proxies: Arc<dyn KeyStoreProxy>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let entropy = Arc::new(SeededEntropy::from_number(seed));
        let root = RootKey::generate(&mut *entropy.generator());
        let store_id = [7; 16];
        let keyring = Keyring::new(&root, store_id, 0, 1, &mut *entropy.generator());
        let options = Options {
            durability: Durability::Relaxed,
            ..Options::at(directory.path().join("store"))
        };
        let new = NewStore { store_id, root_check: keyring.check_value(), root: Value::Null };
        let opened =
            Store::create(options, new, keyring.sealer(), &Silent).expect("a new store opens");
        let clock = Arc::new(TestClock::new());
        let engine = Engine::new(World {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy,
            store: opened.store,
            keyring,
            provider: Provider::RustCrypto,
            policies: PolicyEngine::new(),
            proxies,
            metrics: Arc::new(Metrics::new(&Engine::operation_names())),
            settings: Settings::new(
                AccountId::parse(ACCOUNT).expect("twelve digits"),
                Region::parse(REGION).expect("a Region"),
            ),
        });
        let agent =
            ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let service =
            Self { engine, clock, directory: Arc::new(directory), http: OnceLock::new(), agent };
        service.root_of(ACCOUNT);
        service
    }

    /// The root user of an account, made when it is not there yet.
    ///
    /// # Panics
    /// When the account's id is none.
    pub fn root_of(&self, account: &str) -> Login {
        let account = AccountId::parse(account).expect("twelve digits");
        let login = Login::new(&format!("root-{account}"), &format!("secret-of-{account}"));
        self.engine
            .ensure_root(&account, &login.access_key_id, &login.secret_access_key)
            .expect("root credentials can be made");
        login
    }

    pub fn root(&self) -> Login {
        self.root_of(ACCOUNT)
    }

    /// Calls an operation of KMS through the engine.
    pub fn kms(&self, login: &Login, operation: &str, body: &Value) -> Answer {
        through_engine(self, login, Service::Kms, operation, &body.to_string())
    }

    pub fn iam(&self, login: &Login, operation: &str, body: &Value) -> Answer {
        through_engine(self, login, Service::Iam, operation, &body.to_string())
    }

    pub fn sts(&self, login: &Login, operation: &str, body: &Value) -> Answer {
        through_engine(self, login, Service::Sts, operation, &body.to_string())
    }

    /// A user of the first account with an inline policy (`{}` for none), and its access key.
    pub fn user(&self, name: &str, policy: &Value) -> Login {
        let root = self.root();
        self.iam(&root, "CreateUser", &json!({"UserName": name})).text("/User/Arn");
        if policy.get("Statement").is_some() {
            let answer = self.iam(&root, "PutUserPolicy", &json!({"UserName": name, "PolicyName": "inline", "PolicyDocument": policy.to_string()}));
            assert_eq!(answer.code(), "200", "{answer:?}");
        }
        let key = self.iam(&root, "CreateAccessKey", &json!({"UserName": name}));
        Login::new(&key.text("/AccessKey/AccessKeyId"), &key.text("/AccessKey/SecretAccessKey"))
    }

    /// A session of a new role of the first account, assumed by a user that may do nothing else.
    pub fn role(&self, name: &str, policy: &Value) -> Login {
        let root = self.root();
        let assumer = self.user(&format!("assumer-of-{name}"), &json!({}));
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/assumer-of-{name}")},
            "Action": "sts:AssumeRole",
        }]});
        let role = self.iam(
            &root,
            "CreateRole",
            &json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()}),
        );
        if policy.get("Statement").is_some() {
            let answer = self.iam(&root, "PutRolePolicy", &json!({"RoleName": name, "PolicyName": "inline", "PolicyDocument": policy.to_string()}));
            assert_eq!(answer.code(), "200", "{answer:?}");
        }
        let session = self.sts(
            &assumer,
            "AssumeRole",
            &json!({"RoleArn": role.text("/Role/Arn"), "RoleSessionName": "test"}),
        );
        Login {
            access_key_id: session.text("/Credentials/AccessKeyId"),
            secret_access_key: session.text("/Credentials/SecretAccessKey"),
            session_token: Some(session.text("/Credentials/SessionToken")),
        }
    }

    /// The caller that a good signature would prove.
    ///
    /// # Errors
    /// As the door would answer.
    pub fn caller(&self, login: &Login) -> Result<Caller, KmsError> {
        let credential =
            self.engine.credential(&login.access_key_id, login.session_token.as_deref())?;
        Ok(credential.into_caller(Origin {
            request_id: self.engine.fresh_id(),
            source_ip: "127.0.0.1".to_owned(),
            user_agent: "keyward-testkit".to_owned(),
            region: Region::parse(REGION).expect("a Region"),
            secure_transport: false,
            host: "localhost".to_owned(),
            trusted_facts: BTreeMap::new(),
        }))
    }

    /// The server's address; it starts with the first request.
    pub fn address(&self) -> std::net::SocketAddr {
        let start =
            || keyward_server::serve_engine(Arc::clone(&self.engine)).expect("the server starts");
        self.http.get_or_init(start).address()
    }

    /// A signed request; gives status and body.
    ///
    /// # Panics
    /// When nothing answers.
    pub fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        login: &Login,
    ) -> (u16, String) {
        let (status, _, body) = self.http_with_headers(method, path, headers, body, login);
        (status, body)
    }

    /// The same, with the answer's headers.
    ///
    /// # Panics
    /// When nothing answers.
    pub fn http_with_headers(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        login: &Login,
    ) -> (u16, ureq::http::HeaderMap, String) {
        let mut response = self.exchange(method, path, headers, body, login);
        let text = response.body_mut().read_to_string().expect("a body");
        (response.status().as_u16(), response.headers().clone(), text)
    }

    /// A signed request whose answer is read as it comes; gives status and body.
    ///
    /// # Panics
    /// When nothing answers.
    pub fn stream(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        login: &Login,
    ) -> (u16, impl BufRead + use<>) {
        let response = self.exchange("GET", path, headers, b"", login);
        (response.status().as_u16(), BufReader::new(response.into_body().into_reader()))
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        login: &Login,
    ) -> ureq::http::Response<ureq::Body> {
        let address = self.address();
        let host = address.to_string();
        let (bare, query) = path.split_once('?').unwrap_or((path, ""));
        let mut signed: Vec<(&str, &str)> = vec![("host", &host)];
        signed.extend_from_slice(headers);
        let request = Request { method, path: bare, query, headers: &signed, body };
        let credentials = Credentials {
            access_key_id: &login.access_key_id,
            secret_access_key: &login.secret_access_key,
            session_token: login.session_token.as_deref(),
        };
        let scope = Scope { region: REGION, service: "kms" };
        let added = sign(&request, &credentials, &scope, self.engine.now().seconds());
        let mut builder =
            ureq::http::Request::builder().method(method).uri(format!("http://{host}{path}"));
        for (name, value) in
            headers.iter().copied().chain(added.iter().map(|(name, value)| (*name, value.as_str())))
        {
            builder = builder.header(name, value);
        }
        let request = builder.body(body.to_vec()).expect("a request");
        self.agent.run(request).expect("the server answers")
    }

    /// Plays a transcript through a door.
    ///
    /// # Errors
    /// Names the first line whose answer is not what it expects.
    pub fn play(&self, door: Door, steps: &[Step]) -> Result<(), String> {
        let mut stage = Stage {
            service: self,
            door,
            login: self.root(),
            logins: BTreeMap::new(),
            bindings: Bindings::default(),
            answer: None,
        };
        steps.iter().try_for_each(|step| {
            stage.act(&step.action).map_err(|error| format!("line {}: {error}", step.line))
        })
    }

    /// Every event of the log, oldest first.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn events(&self) -> Vec<Value> {
        let query =
            keyward_store::EventQuery { limit: usize::MAX, ..keyward_store::EventQuery::default() };
        let events = self.engine.store().events(&query).expect("the log can be read");
        let mut events: Vec<_> =
            events.into_iter().map(|event| (event.seq, event.record)).collect();
        events.sort_by_key(|(seq, _)| *seq);
        events
            .into_iter()
            .map(|(_, record)| serde_json::from_slice(&record).expect("a record is JSON"))
            .collect()
    }
}

struct Stage<'s> {
    service: &'s TestService,
    door: Door,
    login: Login,
    logins: BTreeMap<String, Login>,
    bindings: Bindings,
    answer: Option<(String, Answer)>,
}

impl Stage<'_> {
    fn act(&mut self, action: &Action) -> Result<(), String> {
        let policy = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|error| format!("policy: {error}"))
        };
        match action {
            Action::As(Who::Root) => self.login = self.service.root(),
            Action::As(Who::RootOf(account)) => self.login = self.service.root_of(account),
            Action::As(Who::User(name) | Who::Role(name)) => {
                self.login = self
                    .logins
                    .get(name)
                    .cloned()
                    .ok_or_else(|| format!("nobody is called {name}"))?;
            }
            Action::MakeUser { name, policy: text } => {
                let login = self.service.user(name, &policy(&self.bindings.fill(text))?);
                self.logins.insert(name.clone(), login);
            }
            Action::MakeRole { name, policy: text } => {
                let login = self.service.role(name, &policy(&self.bindings.fill(text))?);
                self.logins.insert(name.clone(), login);
            }
            Action::Clock { seconds } => self.service.clock.advance_seconds(*seconds),
            Action::Tick => while 0 < self.service.engine.tick() {},
            Action::Request { operation, body } => {
                let body = self.body(body);
                self.answer = Some((
                    operation.clone(),
                    call(self.service, self.door, &self.login, operation, &body),
                ));
            }
            Action::Expect { code, rest } => {
                let (operation, answer) = self.answer.take().ok_or("no request was made")?;
                self.bindings
                    .expect(code, rest, &answer)
                    .map_err(|error| format!("{operation}: {error}"))?;
            }
            Action::Log { operation, outcome } => return self.log(operation, outcome),
            Action::Decided { pattern } => return self.decided(pattern),
        }
        Ok(())
    }

    /// Fills names inside JSON text values, so that a policy keeps its quotes.
    fn body(&self, text: &str) -> String {
        match serde_json::from_str::<Value>(text) {
            Ok(mut value) => {
                self.fill(&mut value);
                value.to_string()
            }
            Err(_) => self.bindings.fill(text),
        }
    }

    fn fill(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.bindings.fill(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.fill(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn decided(&mut self, pattern: &str) -> Result<(), String> {
        let events = self.service.events();
        let newest = events.last().ok_or("the log is empty")?;
        let decision = newest["additionalEventData"]["policyDecision"].as_array();
        let decision = decision.and_then(|all| all.last()).ok_or("nothing was decided")?;
        self.bindings.expect("200", pattern, &Answer::Success(decision.clone()))
    }

    fn log(&self, operation: &str, outcome: &str) -> Result<(), String> {
        let events = self.service.events();
        let newest = events.last().ok_or("the log is empty")?;
        let text =
            |name: &str| newest.get(name).and_then(Value::as_str).unwrap_or("success").to_owned();
        let (name, code) = (text("eventName"), text("errorCode"));
        if name == operation && code == outcome {
            Ok(())
        } else {
            Err(format!("the newest event is {name} {code}"))
        }
    }
}
