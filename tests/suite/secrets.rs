//! No secret of any request or answer stands in the log, in an export of it, in a bundle, in the metrics, or in what
//! the process itself says at its loudest: not raw, in hexadecimal, in base64 at any offset, or as a list of numbers.
//!
//! What is secret follows from AWS's model. A word that may stand there is looked for too, so that a place where
//! nothing could be found is noticed. `clients/kit.py` does the same after every story.

use super::{
    aws_model,
    crash::wall_seconds,
    requests::{self, ABSENT_KEY, Asks, key_store, merged},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use keyward_sigv4::{Credentials, Request, Scope, sign};
use keyward_testkit::{clients, doors::Answer};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// A user agent, which every record has.
const WORD: &str = "a-word-that-may-stand-there-5f1c9e";
/// What is encrypted and signed in place of the short text of the other tests.
const MESSAGE: &str = "What only the caller may ever read: 7d1f";

/// Shorter ones stand anywhere by chance.
const BYTES_MIN: usize = 8;
/// Of a long secret its end alone is looked for too.
const END_BYTES: usize = 16;

/// Members that no log may show, by AWS's model; and whether they travel in base64.
fn secret_members() -> BTreeMap<&'static str, bool> {
    // Public, and the one blob that is no secret of ours.
    const TOLD: &[&str] = &["PublicKey", "AttestationDocument"];
    let shapes = aws_model::model()["shapes"].as_object().unwrap();
    let members = shapes.values().filter_map(|shape| shape["members"].as_object()).flatten();
    let mut secret = BTreeMap::new();
    for (name, member) in members.filter(|(name, _)| !TOLD.contains(&name.as_str())) {
        let name_of = |member: &'static Value| member["shape"].as_str().unwrap();
        let mut target = name_of(member);
        if aws_model::kind(aws_model::shape(target)) == "list" {
            target = name_of(&aws_model::shape(target)["member"]);
        }
        let shape = aws_model::shape(target);
        let blob = aws_model::kind(shape) == "blob";
        if blob || shape["sensitive"] == true || target == "GrantTokenType" {
            secret.insert(name.as_str(), blob);
        }
    }
    secret
}

/// Secrets, and every text in which one could stand somewhere, by its first bytes.
#[derive(Default)]
struct Secrets {
    known: BTreeSet<Vec<u8>>,
    /// Members in which one was.
    heard: BTreeSet<String>,
    forms: BTreeMap<[u8; BYTES_MIN], Vec<(Vec<u8>, &'static str)>>,
}

impl Secrets {
    /// Notes what is secret in the members of a request or an answer.
    fn hear(&mut self, members: &BTreeMap<&str, bool>, name: &str, value: &Value) {
        match value {
            Value::Object(object) => {
                object.iter().for_each(|(name, value)| self.hear(members, name, value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.hear(members, name, item)),
            Value::String(text) => {
                let Some(blob) = members.get(name) else { return };
                let bytes =
                    if *blob { STANDARD.decode(text).ok() } else { Some(text.clone().into()) };
                self.keep(&bytes.unwrap_or_default());
                self.heard.insert(name.to_owned());
            }
            _ => {}
        }
    }

    fn keep(&mut self, secret: &[u8]) {
        let varied = secret.iter().collect::<BTreeSet<_>>().len();
        if secret.len() < BYTES_MIN || varied <= 4 || !self.known.insert(secret.to_vec()) {
            return;
        }
        self.add(secret);
        if END_BYTES + BYTES_MIN < secret.len() {
            self.add(&secret[secret.len() - END_BYTES..]);
        }
    }

    fn add(&mut self, secret: &[u8]) {
        for (form, how) in forms(secret) {
            if let Some(start) = form.first_chunk::<BYTES_MIN>() {
                self.forms.entry(*start).or_default().push((form, how));
            }
        }
    }

    /// How a secret stands in this, or inside of something that is packed in it.
    fn found(&self, content: &[u8]) -> Option<&'static str> {
        views(content).iter().find_map(|view| self.found_plainly(view))
    }

    fn found_plainly(&self, content: &[u8]) -> Option<&'static str> {
        content.windows(BYTES_MIN).enumerate().find_map(|(at, start)| {
            let forms = self.forms.get(start)?;
            forms.iter().find(|(form, _)| content[at..].starts_with(form)).map(|(_, how)| *how)
        })
    }
}

/// How somebody could write bytes down.
fn forms(secret: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
    let mut forms = vec![
        (secret.to_vec(), "raw"),
        (hex::encode(secret).into_bytes(), "in hexadecimal"),
        (hex::encode_upper(secret).into_bytes(), "in hexadecimal"),
        (numbers.join(", ").into_bytes(), "as numbers"),
        (numbers.join(",").into_bytes(), "as numbers"),
    ];
    for before in 0..3 {
        let shifted = [vec![0; before], secret.to_vec()].concat();
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            // Characters that also depend on what stands before or after.
            let first = if before == 0 { 0 } else { before + 1 };
            let last = if shifted.len() % 3 == 0 { text.len() } else { text.len() - 1 };
            forms.push((text.as_bytes()[first..last].to_vec(), "in base64"));
        }
    }
    forms
}

/// The content itself, unpacked, and what longer runs of base64 in it stand for.
fn views(content: &[u8]) -> Vec<Vec<u8>> {
    let mut views = vec![content.to_vec()];
    let mut unpacked = Vec::new();
    if flate2::read::MultiGzDecoder::new(content).read_to_end(&mut unpacked).is_ok() {
        views.push(unpacked);
    }
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    for run in content.split(|byte| !is_base64(byte)).filter(|run| 64 <= run.len()) {
        let decoded = STANDARD_NO_PAD.decode(run).or_else(|_| URL_SAFE_NO_PAD.decode(run));
        views.extend(decoded.ok());
    }
    views
}

/// The service as it is deployed, but for its log, which says everything.
struct Loud {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
    access_key_id: String,
    secret_access_key: String,
}

impl Loud {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let init = Command::new(clients::binary())
            .args(["init", "-o", "json", "--data"])
            .arg(&data)
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&init.stdout).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = PathBuf::from(said["ConfigFile"].as_str().unwrap());
        let written = fs::read_to_string(&config).unwrap();
        let listen = written.lines().find(|line| line.starts_with("listen")).unwrap();
        let loud = written.replacen(listen, &format!("listen = \"{address}\""), 1);
        fs::write(&config, loud + "\n[log]\nformat = \"json\"\nfilter = \"trace\"\n").unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(clients::binary())
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        let service = Self {
            child,
            address,
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
            folder,
        };
        for _ in 0..6_000 {
            if ureq::get(format!("http://{}/readyz", service.address)).call().is_ok() {
                return service;
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        panic!("not ready: {}", String::from_utf8_lossy(&service.log()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.path("log")).unwrap()
    }

    /// Runs a command of ours against it, or on its files when it has stopped.
    fn keyward(&self, args: &[&str]) -> Vec<u8> {
        let mut command = Command::new(clients::binary());
        clients::point_at(&mut command, &format!("http://{}", self.address));
        command
            .env("KEYWARD_ENDPOINT", format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", &self.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_access_key);
        let output = command.args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        output.stdout
    }

    /// What a command writes to a file of this name.
    fn written(&self, name: &str, args: &[&str], flag: &str) -> Vec<u8> {
        let path = self.path(name);
        self.keyward(&[args, &[flag, path.to_str().unwrap()]].concat());
        if path.is_dir() { files(&path).concat() } else { fs::read(path).unwrap() }
    }

    fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "a stop is orderly");
    }
}

impl Drop for Loud {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let each = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![unpacked(fs::read(path).unwrap())],
    };
    paths.flat_map(each).collect()
}

fn unpacked(bytes: Vec<u8>) -> Vec<u8> {
    let mut plain = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain);
    if read.is_ok() { plain } else { bytes }
}

/// Root, who notes everything secret that goes over the wire.
struct Asker<'s> {
    service: &'s Loud,
    agent: ureq::Agent,
    members: BTreeMap<&'static str, bool>,
    secrets: RefCell<Secrets>,
}

impl<'s> Asker<'s> {
    fn of(service: &'s Loud) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let mut secrets = Secrets::default();
        secrets.keep(service.secret_access_key.as_bytes());
        secrets.keep(MESSAGE.as_bytes());
        secrets.keep(&requests::MATERIAL);
        let (agent, members) = (config.build().into(), secret_members());
        Self { service, agent, members, secrets: RefCell::new(secrets) }
    }

    /// Makes a signed request; status and body.
    fn send(&self, method: &str, path: &str, target: &str, body: &[u8]) -> (u16, Value) {
        let (bare, query) = path.split_once('?').unwrap_or((path, ""));
        let host = &self.service.address;
        let mut headers = vec![("host", host.as_str()), ("user-agent", WORD)];
        if !target.is_empty() {
            headers.push(("content-type", "application/x-amz-json-1.1"));
            headers.push(("x-amz-target", target));
        }
        let request = Request { method, path: bare, query, headers: &headers, body };
        let credentials = Credentials {
            access_key_id: &self.service.access_key_id,
            secret_access_key: &self.service.secret_access_key,
            session_token: None,
        };
        let scope = Scope { region: "us-east-1", service: "kms" };
        let added = sign(&request, &credentials, &scope, wall_seconds());
        let mut builder =
            ureq::http::Request::builder().method(method).uri(format!("http://{host}{path}"));
        let added = added.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in headers.iter().skip(1).copied().chain(added) {
            builder = builder.header(name, value);
        }
        let mut answer = self.agent.run(builder.body(body.to_vec()).unwrap()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let value = if text.is_empty() { json!({}) } else { serde_json::from_str(&text).unwrap() };
        self.secrets.borrow_mut().hear(&self.members, "", &value);
        (answer.status().as_u16(), value)
    }

    fn operation(&self, operation: &str, body: &[u8]) -> (u16, Value) {
        self.send("POST", "/", &format!("TrentService.{operation}"), body)
    }
}

/// The request with a message that is long enough to be found.
fn lengthened(mut body: Value) -> Value {
    for value in body.as_object_mut().unwrap().values_mut().filter(|value| *value == "aGk=") {
        *value = STANDARD.encode(MESSAGE).into();
    }
    body
}

impl Asks for Asker<'_> {
    fn ask(&self, operation: &str, body: &Value) -> Answer {
        let body = lengthened(body.clone());
        self.secrets.borrow_mut().hear(&self.members, "", &body);
        let (status, value) = self.operation(operation, body.to_string().as_bytes());
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        match status {
            200 => Answer::Success(value),
            _ => Answer::Refusal {
                code: text("__type").unwrap_or_default(),
                message: text("message").or_else(|| text("Message")),
            },
        }
    }
}

/// Every operation as it should be, about a key that is not there, and with a body that breaks off.
fn ask_everything(asker: &Asker<'_>) {
    let mut all = requests::requests(asker);
    let store = json!({"CustomKeyStoreId": "cks-0123456789abcdef0"});
    for operation in aws_model::operations().filter(|one| one.contains("CustomKeyStore")) {
        all.insert(operation, store.clone());
    }
    // No proxy answers: the credentials for it are refused with the rest, and are secret all the same.
    all.insert("CreateCustomKeyStore", key_store(0));
    let credential = json!({"XksProxyAuthenticationCredential": key_store(0)["XksProxyAuthenticationCredential"]});
    all.insert("UpdateCustomKeyStore", merged(&store, &credential));
    let missing: Vec<_> = aws_model::operations().filter(|one| !all.contains_key(one)).collect();
    assert!(missing.is_empty(), "no request for {missing:?}");
    for (operation, body) in &all {
        let body = lengthened(body.clone());
        if body.get("KeyId").is_some() {
            asker.ask(operation, &merged(&body, &json!({"KeyId": ABSENT_KEY})));
        }
        let text = body.to_string();
        let (status, _) = asker.operation(operation, &text.as_bytes()[..text.len() - 1]);
        assert_eq!(status, 400, "{operation}");
        let answer = asker.ask(operation, &body);
        let succeeds = !operation.contains("CustomKeyStore");
        assert!(!succeeds || answer.code() == "200", "{operation}: {answer:?}");
    }
    // Tokens in a URL, whole and broken.
    let key = requests::key(asker, &json!({}));
    let root = key.rsplit_once(":key/").unwrap().0.replace(":kms:us-east-1:", ":iam::") + ":root";
    let grant = json!({"KeyId": key, "GranteePrincipal": root, "Operations": ["DescribeKey"]});
    let token = requests::expect(asker, "CreateGrant", &grant).text("/GrantToken");
    let id = key.rsplit('/').next().unwrap();
    let described =
        |token: &str| asker.send("GET", &format!("/v1/keys/{id}?GrantTokens={token}"), "", b"").0;
    assert_eq!(described(&token), 200);
    assert_eq!(described(&token[1..]), 400);
    requests::expect(asker, "DescribeKey", &json!({"KeyId": key, "GrantTokens": [token]}));
    asker.ask("RetireGrant", &json!({"GrantToken": format!("{token}A")}));
}

#[test]
fn no_secret_stands_in_the_log_in_an_export_in_a_bundle_or_in_what_the_process_says() {
    let mut service = Loud::start();
    let secrets = {
        let asker = Asker::of(&service);
        ask_everything(&asker);
        asker.secrets.into_inner()
    };
    println!("{} secrets in {:?}", secrets.known.len(), secrets.heard);
    // Of machines that attest themselves, and of hardware that is not here.
    const NEVER: &[&str] = &["CiphertextForRecipient", "KeyStorePassword"];
    for member in secret_members().keys().filter(|member| !NEVER.contains(member)) {
        assert!(secrets.heard.contains(*member), "no request or answer had a {member}");
    }
    let export = |form| ["events", "export", "--format", form];
    let list = ["events", "list", "--limit", "1000", "-o", "json"];
    let mut places = vec![
        ("the log", service.keyward(&list)),
        ("lines", service.keyward(&export("jsonl"))),
        ("CSV", service.written("csv", &export("csv"), "--to")),
        ("Parquet", service.written("parquet", &export("parquet"), "--to")),
        ("a bundle", service.written("bundle", &["incident", "bundle", "--since", "1h"], "--out")),
    ];
    let metrics = ureq::get(format!("http://{}/metrics", service.address)).call();
    let metrics = metrics.unwrap().body_mut().read_to_string().unwrap().into_bytes();
    service.stop();
    let (data, root_key) = (service.path("data"), service.path("data.root-key"));
    let stopped = ["--data", data.to_str().unwrap(), "--root-key-file", root_key.to_str().unwrap()];
    let of_stopped = |form| [&export(form)[..], &stopped[..]].concat();
    places.push(("lines of a stopped store", service.keyward(&of_stopped("jsonl"))));
    places
        .push(("CloudTrail's files", service.written("trail", &of_stopped("cloudtrail"), "--to")));
    let mut word = Secrets::default();
    word.keep(WORD.as_bytes());
    for (place, content) in &places {
        assert_eq!(word.found(content), Some("raw"), "{place}: a word that stands there");
    }
    let log = service.log();
    for said in ["\"TRACE\"", "\"DEBUG\"", "keyward"] {
        assert!(String::from_utf8_lossy(&log).contains(said), "the log says no {said}");
    }
    places.extend([("the process", log), ("metrics", metrics)]);
    for (place, content) in &places {
        assert_eq!(secrets.found(content), None, "a secret stands in {place}");
    }
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    let secret: Vec<u8> = (0..40_u8).map(|n| n.wrapping_mul(83) ^ 0x5a).collect();
    let mut secrets = Secrets::default();
    secrets.keep(&secret);
    let around = |text: &str| format!("{{\"said\":\"{text}\"}}").into_bytes();
    let mut written = vec![
        [b"before".to_vec(), secret.clone(), b"after".to_vec()].concat(),
        around(&hex::encode(&secret)),
        around(&hex::encode_upper(&secret)),
        around(&STANDARD.encode(&secret)),
        around(&format!("{secret:?}")),
        // The end alone.
        around(&hex::encode(&secret[24..])),
    ];
    for before in 0..3 {
        let shifted = [vec![0xff; before], secret.clone(), vec![0xff; 5]].concat();
        written.push(around(&STANDARD.encode(&shifted)));
        written.push(around(&URL_SAFE_NO_PAD.encode(&shifted)));
    }
    // Packed, and in what is packed in base64.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, &written[1]).unwrap();
    let inside = around(&STANDARD.encode(&written[1]));
    written.extend([packed.finish().unwrap(), inside]);
    for content in &written {
        assert!(secrets.found(content).is_some(), "{}", String::from_utf8_lossy(content));
    }
    let mut other = secret.clone();
    other[30] ^= 1;
    for content in [around(&hex::encode(&other)), around(&STANDARD.encode(&secret[..30])), vec![]] {
        assert_eq!(secrets.found(&content), None, "{}", String::from_utf8_lossy(&content));
    }
    // What is too short or too plain to be told from chance is no secret here.
    secrets.keep(b"short");
    secrets.keep(&[0; 64]);
    assert_eq!(secrets.known.len(), 1);
}

#[test]
fn what_is_secret_follows_from_the_model() {
    let members = secret_members();
    for (name, blob) in [
        ("CiphertextBlob", true),
        ("EncryptedKeyMaterial", true),
        ("GrantToken", false),
        ("GrantTokens", false),
        ("ImportToken", true),
        ("Mac", true),
        ("Message", true),
        ("Plaintext", true),
        ("PrivateKeyPlaintext", true),
        ("RawSecretAccessKey", false),
        ("SharedSecret", true),
        ("Signature", true),
    ] {
        assert_eq!(members.get(name), Some(&blob), "{name}");
    }
    assert!(!members.contains_key("KeyId") && !members.contains_key("PublicKey"));
}
