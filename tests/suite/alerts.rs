//! Alerts, from the event that shows something to whoever is told: with injected time through the doors of a service in
//! this process, and with the real binary where something is told, kept, killed or damaged.

use super::crash::{Client, Service};
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyward_engine::alerts::Restored;
use keyward_testkit::{
    ACCOUNT, Login, TestService,
    clients::{self},
};
use keyward_watch::Settings;
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const DECRYPTS: usize = 700;
/// Tries of 50 ms until something that was asked for must have happened.
const TRIES: usize = 600;

fn get(service: &TestService, login: &Login, path: &str) -> (u16, Value) {
    let (status, text) = service.http("GET", path, &[], b"", login);
    (status, serde_json::from_str(&text).unwrap_or_default())
}

fn alerts(service: &TestService, query: &str) -> Vec<Value> {
    let (status, body) = get(service, &service.root(), &format!("/v1/alerts?limit=1000&{query}"));
    assert_eq!((status, &body["Behind"]), (200, &json!(false)), "{body}");
    body["Alerts"].as_array().unwrap().clone()
}

fn send(
    service: &TestService,
    login: &Login,
    verb: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let (status, text) = service.http(verb, path, &[], body.to_string().as_bytes(), login);
    (status, serde_json::from_str(&text).unwrap_or_default())
}

fn events_named(service: &TestService, name: &str) -> Vec<Value> {
    service.events().into_iter().filter(|event| event["eventName"] == name).collect()
}

/// A key, and a role that may decrypt with it, with something to decrypt.
struct Scene {
    service: TestService,
    key: String,
    role: Login,
    sealed: Value,
}

impl Scene {
    fn new() -> Self {
        let service = TestService::start();
        let root = service.root();
        let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
        let allow = json!({"Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}], "Version": "2012-10-17"});
        let role = service.role("reporting", &allow);
        let sealed = service.kms(&root, "Encrypt", &json!({"KeyId": key, "Plaintext": "AAAA"}));
        let sealed = sealed.text("/CiphertextBlob").into();
        Self { service, key, role, sealed }
    }

    fn decrypt(&self, times: usize) {
        for _ in 0..times {
            let answer =
                self.service.kms(&self.role, "Decrypt", &json!({"CiphertextBlob": self.sealed}));
            assert_eq!(answer.code(), "200", "{answer:?}");
        }
    }

    /// To the second second of the next minute.
    fn next_minute(&self) {
        let seconds = self.service.engine.now().seconds();
        self.service.clock.advance_seconds(62 - seconds.rem_euclid(60));
    }
}

#[test]
fn seven_hundred_decrypts_are_one_alert_that_ends_once() {
    let scene = Scene::new();
    let service = &scene.service;
    scene.next_minute();
    scene.decrypt(DECRYPTS);
    assert_eq!(alerts(service, ""), Vec::<Value>::new(), "the minute is not over");
    service.clock.advance_seconds(65);
    let firing = alerts(service, "state=firing");
    let [alert] = firing.as_slice() else { panic!("{firing:?}") };
    assert_eq!(alert["Detector"], "rate");
    assert_eq!(alert["Principal"], format!("arn:aws:iam::{ACCOUNT}:role/reporting"));
    assert_eq!(alert["Contributors"][0]["Name"], scene.key);
    assert!(100.0 <= alert["Observed"].as_f64().unwrap(), "{alert}");
    // The query is the events' own.
    let query = alert["Query"].as_str().unwrap();
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (_, found) = get(service, &service.root(), &format!("/v1/events?limit=1000&q={encoded}"));
    let found = found["Events"].as_array().unwrap();
    assert_eq!(found.len(), alert["Observed"].as_f64().unwrap() as usize);
    assert!(found.iter().all(|event| event["eventName"] == "Decrypt"));
    // It stays one, is in the log, and ends once.
    for minute in 0..180 {
        service.clock.advance_seconds(60);
        let all = alerts(service, "");
        assert_eq!(all.len(), 1, "minute {minute}: {all:?}");
    }
    let ended = alerts(service, "state=resolved");
    assert_eq!(ended[0]["AlertId"], alert["AlertId"]);
    for name in ["AlertFired", "AlertResolved"] {
        let told = events_named(service, name);
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert_eq!(told[0]["serviceEventDetails"]["alertId"], alert["AlertId"]);
        assert_eq!(told[0]["eventType"], "AwsServiceEvent");
    }
    let metrics = service.engine.metrics().exposition(keyward_telemetry::Format::Text);
    assert!(metrics.contains("kms_alerts_total{detector=\"rate\",severity=\"high\"} 1"));
    assert!(metrics.contains("kms_alerts_firing{detector=\"rate\",severity=\"high\"} 0"));
}

/// Whatever was saved last, what the log tells already is not told again, and nothing is missing.
#[test]
fn a_restart_in_the_middle_loses_and_doubles_nothing() {
    let scene = Scene::new();
    let engine = &scene.service.engine;
    let caught_up = || while !engine.detect(100).unwrap() {};
    let mut saved = vec![None, Some(b"no state".to_vec())];
    let mut keep = || saved.push(Some(engine.saved_alerts().unwrap()));
    keep();
    scene.next_minute();
    for _ in 0..4 {
        scene.decrypt(60);
        caught_up();
        keep();
    }
    scene.service.clock.advance_seconds(65);
    caught_up();
    keep();
    // Nothing happens for hours but that time passes, and then somebody comes by.
    scene.service.clock.advance_seconds(7_200);
    caught_up();
    keep();
    let root = scene.service.root();
    let random = scene.service.kms(&root, "GenerateRandom", &json!({"NumberOfBytes": 8}));
    assert_eq!(random.code(), "200", "{random:?}");
    caught_up();
    let told = |name| events_named(&scene.service, name).len();
    assert_eq!((told("AlertFired"), told("AlertResolved")), (1, 1));
    let known = || -> Vec<Value> {
        engine.alert_book(|book| book.alerts().map(keyward_server::alerts::told::alert).collect())
    };
    let before = known();
    for (i, state) in saved.iter().enumerate() {
        let restored = engine.restore_alerts(Settings::default(), state.as_deref(), 30).unwrap();
        assert_eq!(matches!(restored, Restored::Rebuilt(_)), i < 2);
        caught_up();
        assert_eq!((told("AlertFired"), told("AlertResolved")), (1, 1), "state {i}");
        assert_eq!(known(), before, "state {i}");
    }
}

/// What the detectors saw before they died and had not told is told by the next run.
#[test]
fn what_was_not_told_yet_is_told_after_a_restart() {
    let scene = Scene::new();
    let engine = &scene.service.engine;
    scene.next_minute();
    scene.decrypt(DECRYPTS / 4);
    while !engine.detect(1_000).unwrap() {}
    let saved = engine.saved_alerts().unwrap();
    scene.service.clock.advance_seconds(7_200);
    engine.restore_alerts(Settings::default(), Some(&saved), 30).unwrap();
    while !engine.detect(1_000).unwrap() {}
    for name in ["AlertFired", "AlertResolved"] {
        assert_eq!(events_named(&scene.service, name).len(), 1, "{name}");
    }
    // A state of the future is another log's.
    let restored = engine.restore_alerts(Settings::default(), Some(&saved), 30).unwrap();
    assert!(matches!(restored, Restored::Saved(_)));
    let other = TestService::seeded(2);
    let restored = other.engine.restore_alerts(Settings::default(), Some(&saved), 30).unwrap();
    assert!(matches!(restored, Restored::Rebuilt(_)), "{restored:?}");
}

#[test]
fn settings_silences_and_acknowledgements() {
    let scene = Scene::new();
    let (service, root) = (&scene.service, scene.service.root());
    let put = |settings: &Value| {
        send(
            service,
            &root,
            "PUT",
            "/v1/alerts/settings",
            &json!({"Settings": settings.to_string()}),
        )
    };
    assert_eq!(put(&json!({"rate": {}})).0, 400);
    assert_eq!(
        put(&json!({"silences": [{"until": "2027-01-01T00:00:00Z", "reason": "x"}]})).0,
        400
    );
    assert_eq!(put(&json!({"canaries": [scene.key]})), (204, Value::Null));
    let (_, settings) = get(service, &root, "/v1/alerts/settings");
    assert_eq!(settings["Source"], "request");
    assert_eq!(settings["Settings"]["canaries"], json!([scene.key]));

    // A silence holds a canary back, and what stands when it ends is told.
    let silence = json!({"Minutes": 30, "Reason": "a drill", "Key": scene.key});
    let (status, made) = send(service, &root, "POST", "/v1/alerts/silences", &silence);
    assert_eq!(status, 201, "{made}");
    let nothing = json!({"Minutes": 30, "Reason": "everything"});
    assert_eq!(send(service, &root, "POST", "/v1/alerts/silences", &nothing).0, 400);
    let (_, silences) = get(service, &root, "/v1/alerts/silences");
    assert_eq!(silences["Silences"][0]["SilenceId"], made["SilenceId"]);
    scene.decrypt(1);
    assert_eq!(alerts(service, ""), Vec::<Value>::new());
    service.clock.advance_seconds(31 * 60);
    let told = alerts(service, "detector=canary");
    let [canary] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((&canary["Severity"], &canary["Key"]), (&json!("critical"), &json!(scene.key)));

    // Acknowledged once, by whoever came first.
    let path = format!("/v1/alerts/{}/ack", canary["AlertId"].as_str().unwrap());
    let (status, first) = send(service, &root, "POST", &path, &json!({"Comment": "it is ours"}));
    assert_eq!(status, 200, "{first}");
    let may = json!({"Statement": [{"Effect": "Allow", "Action": "keyward:AckAlert", "Resource": "*"}], "Version": "2012-10-17"});
    let other = service.user("other", &may);
    alerts(service, "");
    let (status, again) = send(service, &other, "POST", &path, &json!({}));
    assert_eq!((status, &again["By"]), (200, &first["By"]));
    let told = alerts(service, "acknowledged=true");
    assert_eq!(told[0]["Acknowledged"]["Comment"], "it is ours");
    assert_eq!(told[0]["Acknowledged"]["By"], format!("arn:aws:iam::{ACCOUNT}:root"));
    assert_eq!(alerts(service, "acknowledged=false"), Vec::<Value>::new());
    let unknown = send(service, &root, "POST", "/v1/alerts/alert-x/ack", &json!({}));
    assert_eq!(unknown.0, 404);

    // Who may not is refused, and leaves an event; another account sees nothing and ends nothing.
    assert_eq!(get(service, &other, "/v1/alerts").0, 403);
    let refused = events_named(service, "ListAlerts");
    assert_eq!(refused[0]["errorCode"], "AccessDenied");
    let stranger = service.root_of("444455556666");
    assert_eq!(get(service, &stranger, "/v1/alerts").1["Alerts"], json!([]));
    let id = canary["AlertId"].as_str().unwrap();
    assert_eq!(get(service, &stranger, &format!("/v1/alerts/{id}")).0, 404);
    assert_eq!(send(service, &stranger, "POST", &path, &json!({})).0, 404);
    assert_eq!(send(service, &stranger, "PUT", "/v1/alerts/settings", &json!({})).0, 403);

    // Silences and settings outlive what was saved, and an early end is an end.
    let (_, made) = send(service, &root, "POST", "/v1/alerts/silences", &silence);
    let engine = &service.engine;
    service.clock.advance_seconds(86_400);
    let long = json!({"Minutes": 10_000, "Reason": "a drill", "Principal": "*"});
    let (_, long) = send(service, &root, "POST", "/v1/alerts/silences", &long);
    service.clock.advance_seconds(3 * 86_400);
    engine.restore_alerts(Settings::default(), None, 1).unwrap();
    let (_, silences) = get(service, &root, "/v1/alerts/silences");
    let ids: Vec<&Value> =
        silences["Silences"].as_array().unwrap().iter().map(|s| &s["SilenceId"]).collect();
    assert_eq!(ids, [&long["SilenceId"]], "{made} has ended");
    assert_eq!(get(service, &root, "/v1/alerts/settings").1["Source"], "request");
    let path = format!("/v1/alerts/silences/{}", long["SilenceId"].as_str().unwrap());
    assert_eq!(send(service, &stranger, "DELETE", &path, &json!({})).0, 404);
    assert_eq!(send(service, &root, "DELETE", &path, &json!({})).0, 204);
    assert_eq!(get(service, &root, "/v1/alerts/silences").1["Silences"], json!([]));
    assert_eq!(send(service, &root, "PUT", "/v1/alerts/settings", &json!({})).0, 204);
    assert_eq!(get(service, &root, "/v1/alerts/settings").1["Source"], "configuration");
}

/// Two logs have the event, and it counts once: for who did it.
#[test]
fn what_another_account_does_counts_once() {
    let scene = Scene::new();
    let (service, root) = (&scene.service, scene.service.root());
    let stranger = service.root_of("444455556666");
    let open = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": [format!("arn:aws:iam::{ACCOUNT}:root"), "arn:aws:iam::444455556666:root"]},
    }]});
    let put = json!({"KeyId": scene.key, "PolicyName": "default", "Policy": open.to_string()});
    assert_eq!(service.kms(&root, "PutKeyPolicy", &put).code(), "200");
    scene.next_minute();
    let input = json!({"KeyId": scene.key, "Plaintext": "AAAA"});
    for _ in 0..150 {
        assert_eq!(service.kms(&stranger, "Encrypt", &input).code(), "200");
    }
    let copies = events_named(service, "Encrypt");
    let copied = |account: &str| {
        copies.iter().filter(|event| event["recipientAccountId"] == account).count()
    };
    assert_eq!((copied("444455556666"), copied(ACCOUNT)), (150, 151));
    service.clock.advance_seconds(65);
    // The key's owner hears of it, who alone can silence it; the caller's own account hears of its principal.
    let own = alerts(service, "");
    let of_key = own.iter().filter(|alert| alert["Key"].is_string());
    assert_eq!(of_key.filter(|alert| alert["Account"] == ACCOUNT).count(), 1, "{own:?}");
    let (_, told) = get(service, &stranger, "/v1/alerts");
    let theirs = told["Alerts"].as_array().unwrap();
    assert!(theirs.iter().all(|alert| alert["Account"] == "444455556666"), "{told}");
    assert!(own.iter().chain(theirs).all(|alert| alert["Observed"] == 150.0), "{own:?} {told}");
    assert_eq!(get(service, &stranger, "/v1/alerts/settings").0, 403);
}

#[test]
fn pages_and_what_cannot_be_asked() {
    let scene = Scene::new();
    let (service, root) = (&scene.service, scene.service.root());
    let settings = json!({"canaries": ["*"], "novelty": {"hold_minutes": 1}}).to_string();
    send(service, &root, "PUT", "/v1/alerts/settings", &json!({"Settings": settings}));
    for _ in 0..3 {
        scene.decrypt(1);
        service.clock.advance_seconds(300);
        alerts(service, "");
    }
    let whole = alerts(service, "");
    assert_eq!(whole.len(), 3);
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = get(service, &root, &format!("/v1/alerts?limit=2&{after}"));
        pages.extend(page["Alerts"].as_array().unwrap().clone());
        let Some(next) = page["Next"].as_str() else { break };
        after = format!("after={next}");
    }
    assert_eq!(pages, whole);
    for bad in ["limit=0", "state=open", "detector=all", "colour=red", "acknowledged=maybe"] {
        assert_eq!(get(service, &root, &format!("/v1/alerts?{bad}")).0, 400, "{bad}");
    }
}

/// The metric's closed sets are the detectors' own.
#[test]
fn labels_are_the_detectors() {
    let detectors = keyward_watch::Detector::ALL.map(keyward_watch::Detector::as_str);
    assert_eq!(keyward_telemetry::DETECTORS, detectors);
    let severities = keyward_watch::Severity::ALL.map(keyward_watch::Severity::as_str);
    assert_eq!(keyward_telemetry::SEVERITIES, severities);
}

fn keyward(args: &[&str], address: Option<&str>) -> Output {
    let mut command = Command::new(clients::binary());
    command.args(args).env_remove("KEYWARD_ENDPOINT");
    if let Some(address) = address {
        command.env("KEYWARD_ENDPOINT", format!("http://{address}"));
    }
    command.output().unwrap()
}

/// The lines of JSON that a command printed.
fn lines(args: &[&str], address: Option<&str>) -> Vec<Value> {
    let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
    let output = keyward(&args, address);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What tells one alert from another, whoever tells it.
fn identity(alert: &Value) -> String {
    format!("{} {} {}", alert["Fingerprint"], alert["Since"], alert["Noticed"])
}

/// An export with the spike gives what the running detectors told.
#[test]
fn a_backtest_tells_what_was_told() {
    let scene = Scene::new();
    scene.next_minute();
    scene.decrypt(DECRYPTS);
    scene.service.clock.advance_seconds(65);
    let live: BTreeSet<String> = alerts(&scene.service, "").iter().map(identity).collect();
    assert_eq!(live.len(), 1);
    let home = tempfile::tempdir().unwrap();
    let events = scene.service.events();
    let whole = home.path().join("whole.json");
    fs::write(&whole, json!({"Records": events}).to_string()).unwrap();
    let by_line = home.path().join("lines.jsonl");
    let text: String = events.iter().map(|event| format!("{event}\n")).collect();
    fs::write(&by_line, text).unwrap();
    for file in [&whole, &by_line] {
        let told = lines(&["alert", "backtest", "--from", file.to_str().unwrap()], None);
        assert_eq!(told.iter().map(identity).collect::<BTreeSet<_>>(), live);
    }
    // Other settings tell other things, and what is older only teaches.
    let config = home.path().join("keyward.toml");
    fs::write(&config, "[alerts.settings.rates.floors]\noperations = 5000\n").unwrap();
    let from = whole.to_str().unwrap();
    let quiet = ["alert", "backtest", "--from", from, "--config", config.to_str().unwrap()];
    assert_eq!(lines(&quiet, None), Vec::<Value>::new());
    let later = ["alert", "backtest", "--from", from, "--since", "2026-06-01T00:00:00Z"];
    assert_eq!(lines(&later, None), Vec::<Value>::new());
    // Settings that a request stated are in the log, and are what it is played with.
    let stated = json!({"rates": {"floors": {"operations": 5_000}}}).to_string();
    let put = json!({"Settings": stated});
    let root = scene.service.root();
    assert_eq!(send(&scene.service, &root, "PUT", "/v1/alerts/settings", &put).0, 204);
    let with_settings = home.path().join("with-settings.json");
    fs::write(&with_settings, json!({"Records": scene.service.events()}).to_string()).unwrap();
    let played = ["alert", "backtest", "--from", with_settings.to_str().unwrap()];
    assert_eq!(lines(&played, None), Vec::<Value>::new());
    let nowhere = keyward(&["alert", "backtest", "--from", "/nowhere"], None);
    assert_eq!(nowhere.status.code(), Some(3));
    fs::write(&config, "[alerts.settings]\nfloor = 1\n").unwrap();
    assert_eq!(keyward(&quiet, None).status.code(), Some(2));
}

/// One request as a receiver heard it.
#[derive(Clone, Debug)]
struct Heard {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A receiver that answers with these statuses, one after another, and with the last for ever.
struct Receiver {
    address: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    statuses: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let statuses = Arc::new(Mutex::new(statuses.to_vec()));
        let (hearing, answering) = (Arc::clone(&heard), Arc::clone(&statuses));
        thread::spawn(move || {
            for socket in listener.incoming() {
                receive(socket.unwrap(), &hearing, &answering);
            }
        });
        Self { address, heard, statuses }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn wait_for(&self, count: usize) -> Vec<Heard> {
        for _ in 0..TRIES {
            if count <= self.heard().len() {
                return self.heard();
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        panic!("heard only {:?}", self.heard());
    }

    fn answer_with(&self, status: u16) {
        *self.statuses.lock().unwrap() = vec![status];
    }
}

fn receive(mut socket: TcpStream, heard: &Mutex<Vec<Heard>>, statuses: &Mutex<Vec<u16>>) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    heard.lock().unwrap().push(Heard { path, headers, body: String::from_utf8(body).unwrap() });
    let mut statuses = statuses.lock().unwrap();
    let status = if 1 < statuses.len() { statuses.remove(0) } else { statuses[0] };
    write!(socket, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .unwrap();
}

fn signed(secret: &[u8], heard: &Heard) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    let parts = [heard.header("webhook-id"), heard.header("webhook-timestamp"), &heard.body];
    mac.update(parts.join(".").as_bytes());
    let code = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        mac.finalize().into_bytes(),
    );
    heard.header("webhook-signature") == format!("v1,{code}")
}

fn use_a_new_key(client: &Client) -> String {
    let (status, made, _) = client.call("CreateKey", &json!({})).unwrap();
    assert_eq!(status, 200, "{made}");
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn write_config(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

/// Told to a webhook that fails twice, to a file and to an Alertmanager; killed, damaged and started again.
#[test]
fn what_is_told_survives_failures_kills_and_damage() {
    let home = tempfile::tempdir().unwrap();
    let (hook, manager) = (Receiver::start(&[500, 503, 200]), Receiver::start(&[200]));
    let path = |name: &str| home.path().join(name);
    fs::write(path("secret"), "a secret of this test\n").unwrap();
    let config = path("alerts.toml");
    let text = format!(
        "[alerts]\nfile = {file:?}\n[alerts.settings]\ncanaries = [\"*\"]\n\
         [[alerts.webhooks]]\nurl = \"http://{hook}/hook\"\nsecret_file = {secret:?}\n\
         [[alerts.alertmanagers]]\nurl = \"http://{manager}\"\nresend_seconds = 1\n",
        file = path("alerts.jsonl"),
        hook = hook.address,
        secret = path("secret"),
        manager = manager.address,
    );
    write_config(&config, &text);
    let (data, args) = (path("data"), ["--alerts", config.to_str().unwrap()]);
    let service = Service::start_with(&data, &args);
    let key = use_a_new_key(&Client::of(&service));

    // The third time it is taken: the same notice, signed each time.
    let heard = hook.wait_for(3);
    assert!(heard.iter().all(|one| one.path == "/hook" && signed(b"a secret of this test", one)));
    assert!(!signed(b"another secret", &heard[0]));
    assert!(heard.iter().all(|one| one.header("webhook-id") == heard[0].header("webhook-id")));
    let told = heard[2].json();
    assert_eq!((&told["Type"], &told["Alert"]["Key"]), (&json!("AlertFired"), &json!(key)));
    assert!(!fs::read_to_string(data.with_extension("log")).unwrap().contains("secret of"));

    // The command line knows the same one, and acknowledges it.
    let listed = lines(&["alert", "list", "--state", "firing"], Some(&service.address));
    let [alert] = listed.as_slice() else { panic!("{listed:?}") };
    let id = alert["AlertId"].as_str().unwrap();
    assert_eq!(told["Alert"]["AlertId"], id);
    let shown = lines(&["alert", "show", id], Some(&service.address));
    assert_eq!(shown[0]["Query"], told["Alert"]["Query"]);
    let query = shown[0]["Query"].as_str().unwrap();
    let found = lines(&["events", "list", query], Some(&service.address));
    assert_eq!(found[0]["eventName"], "CreateKey");
    assert!(
        keyward(&["alert", "ack", id, "--comment", "mine"], Some(&service.address))
            .status
            .success()
    );
    assert_eq!(
        keyward(&["alert", "show", "alert-none"], Some(&service.address)).status.code(),
        Some(3)
    );

    // An Alertmanager hears of it again and again.
    let at_manager = manager.wait_for(3);
    let posted = at_manager[1].json();
    assert_eq!(at_manager[1].path, "/api/v2/alerts");
    assert_eq!(posted[0]["labels"]["alertname"], "KeywardCanary");
    assert_eq!(posted[0]["labels"]["key"], key);
    assert!(posted[0]["startsAt"].as_str() < posted[0]["endsAt"].as_str());

    // Told to the file once, and with the process killed before the webhook took the next one, once more to that.
    hook.answer_with(500);
    let second = use_a_new_key(&Client::of(&service));
    let failed = hook.wait_for(4);
    assert_eq!(failed[3].json()["Alert"]["Key"], second);
    service.kill();
    fs::write(data.join("alerts"), "damaged").unwrap();
    hook.answer_with(200);
    let before = hook.heard().len();
    let service = Service::start_with(&data, &args);
    let after = hook.wait_for(before + 1);
    assert_eq!(after[before].header("webhook-id"), failed[3].header("webhook-id"));
    let known = lines(&["alert", "list"], Some(&service.address));
    let keys: Vec<&Value> = known.iter().map(|alert| &alert["Key"]).collect();
    assert_eq!(keys, [&json!(second), &json!(key)]);
    assert_eq!(known[1]["Acknowledged"]["Comment"], "mine");
    let fired = lines(&["events", "list", "op:AlertFired"], Some(&service.address));
    assert_eq!(fired.len(), 2);
    service.stop();
    assert_eq!(hook.heard().len(), before + 1);
    let file = fs::read_to_string(path("alerts.jsonl")).unwrap();
    let ids: Vec<Value> = file
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["NoticeId"].clone())
        .collect();
    assert_eq!(ids, [json!(heard[0].header("webhook-id")), json!(failed[3].header("webhook-id"))]);

    // The stopped store, and what it exports, played again.
    let live: BTreeSet<String> = known.iter().map(identity).collect();
    let (data, config) = (data.to_str().unwrap(), config.to_str().unwrap());
    let folder = path("cloudtrail");
    let export = [
        "events",
        "export",
        "--format",
        "cloudtrail",
        "--data",
        data,
        "--to",
        folder.to_str().unwrap(),
    ];
    assert!(keyward(&export, None).status.success());
    for place in [["--data", data], ["--from", folder.to_str().unwrap()]] {
        let play = [["alert", "backtest"], ["--config", config], place].concat();
        assert_eq!(
            lines(&play, None).iter().map(identity).collect::<BTreeSet<_>>(),
            live,
            "{place:?}"
        );
    }
}

/// What a target may not be is refused at the start, or when it is told.
#[test]
fn nothing_is_told_to_a_local_link() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("alerts.toml");
    let targets = "[alerts]\n[alerts.settings]\ncanaries = [\"*\"]\n\
        [[alerts.webhooks]]\nurl = \"https://169.254.169.254/latest/meta-data\"\n\
        [[alerts.alertmanagers]]\nurl = \"https://[fd00:ec2::254]\"\n";
    write_config(&config, targets);
    let data = home.path().join("data");
    let service = Service::start_with(&data, &["--alerts", config.to_str().unwrap()]);
    use_a_new_key(&Client::of(&service));
    let log = || fs::read_to_string(data.with_extension("log")).unwrap();
    for _ in 0..TRIES {
        if 2 <= log().matches("which is not allowed").count() {
            return service.stop();
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    panic!("{}", log());
}
