//! The log asked by a responder with the real binary, where somebody else made what is asked about: principals of other
//! accounts, and text that is meant for the responder's terminal.

use super::{
    audit::{keyward, text, work},
    crash::Service,
    incident::Client,
};
use keyward_testkit::{
    Login, TestService,
    clients::{self, Dev},
    golden::tests_folder,
};
use serde_json::{Value, json};
use std::{
    io::{self, BufRead, BufReader},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

const SHARED: &str = "alias/shared";
const SHARED_ARN: &str =
    "arn:aws:kms:us-east-1:000000000000:key/11111111-1111-4111-8111-111111111111";
const PARTNER: &str = "111122223333";

/// Two accounts, one of which owns a key that both use.
struct Scene {
    dev: Dev,
    owner: Client,
}

impl Scene {
    fn new() -> Self {
        let seed = tests_folder().join("seeds/two-accounts.yaml");
        let dev = Dev::start(&["--seed", seed.to_str().unwrap()]);
        let owner = Client::of(&dev, Login::new("test", "test"));
        Self { dev, owner }
    }

    fn client(&self, id: &str, secret: &str) -> Client {
        Client::of(&self.dev, Login::new(id, secret))
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(clients::binary());
        clients::point_at(&mut command, &self.dev.endpoint());
        command.args(args).output().unwrap()
    }

    /// Standard output of what ends well.
    fn said(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// One value a line.
    fn listed(&self, args: &[&str]) -> Vec<Value> {
        let text = self.said(&[args, &["-o", "json"]].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Exit code, standard output, standard error.
    fn ended(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.run(args);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }
}

/// An encryption, with this context.
fn sealing(context: &Value) -> Value {
    json!({"KeyId": SHARED_ARN, "Plaintext": "AAAA", "EncryptionContext": context})
}

fn project() -> Value {
    sealing(&json!({"Project": "SnowyPII"}))
}

#[test]
fn principals_of_other_accounts_have_a_name_wherever_the_owner_looks() {
    let scene = Scene::new();
    let partner = scene.client("AKIAPARTNERUSER00001", "partner-user-secret-of-the-stories");
    let root = scene.client("AKIAPARTNERROOT00001", "partner-root-secret-of-the-stories");
    (0..3).for_each(|_| drop(partner.ok("Encrypt", &project())));
    (0..2).for_each(|_| drop(root.ok("Encrypt", &project())));
    scene.owner.ok("Encrypt", &project());

    let root_arn = format!("arn:aws:iam::{PARTNER}:root");
    let used = scene.listed(&["key", "used-by", SHARED_ARN, "op:Encrypt"]);
    let counts: Vec<(&str, u64)> = used
        .iter()
        .map(|row| (row["Principal"].as_str().unwrap(), row["Count"].as_u64().unwrap()))
        .collect();
    assert_eq!(counts.len(), 3, "{counts:?}");
    let (user, count) = counts[0];
    assert!(user.starts_with(&format!("{PARTNER}:AIDA")) && count == 3, "{counts:?}");
    assert!(counts.contains(&(root_arn.as_str(), 2)), "{counts:?}");

    // Listed, counted, and asked for by that name.
    let list = scene.said(&["events", "list", "op:Encrypt"]);
    assert_eq!(list.lines().filter(|line| line.contains(user)).count(), 3, "{list}");
    for query in [user, &format!("{PARTNER}:*")] {
        let query = format!("principal:{query}");
        assert_eq!(scene.listed(&["events", "list", &query]).len(), 3, "{query}");
    }
    for (principal, count) in [(user, 3), (root_arn.as_str(), 2)] {
        let did = scene.listed(&["principal", "did", principal]);
        assert_eq!(did[0]["Count"], json!(count), "{principal}");
    }
    let stats = scene.listed(&["events", "stats", "op:Encrypt", "--by", "principal,ctx.none"]);
    let values = stats[0]["Facets"][0]["Values"].as_array().unwrap();
    let sum: u64 = values.iter().map(|value| value["Count"].as_u64().unwrap()).sum();
    assert_eq!((values.len(), sum), (3, 6), "{stats:?}");
    let stats = scene.said(&["events", "stats", "op:Encrypt", "--by", "ctx.none"]);
    assert!(stats.contains("ctx.none\t(none)\t6"), "{stats}");
    let rare = scene.listed(&["events", "rare", "--least", "1", "--share", "100", "--by", "op"]);
    let rare = rare[0]["Rare"].as_array().unwrap();
    assert!(rare.iter().any(|habit| habit["Principal"] == *user), "{rare:?}");

    // In SQL, and in what is exported.
    let sql =
        "SELECT principal, count(*) AS n FROM events WHERE name = 'Encrypt' GROUP BY principal";
    let rows = scene.listed(&["events", "sql", sql]);
    assert!(rows.contains(&json!({"principal": user, "n": 3})), "{rows:?}");
    let sql = format!("SELECT count(*) AS n FROM events WHERE principal = '{user}'");
    assert_eq!(scene.listed(&["events", "sql", &sql]), [json!({"n": 3})]);
    let keys = scene.listed(&["events", "sql", "--name", "principals-per-key"]);
    assert_eq!(keys[0]["principals"], json!(4), "they, and the seed: {keys:?}");
    let csv = scene.said(&["events", "export", "--format", "csv"]);
    let id = user.split_once(':').unwrap().1;
    assert_eq!(csv.matches(&format!(",{PARTNER},{id},")).count(), 3, "{csv}");
}

#[test]
fn what_an_attacker_writes_does_not_reach_the_terminal_raw() {
    let scene = Scene::new();
    let forged = "\u{1b}[31mRED\u{1b}[0m\nFAKE\trow\r\u{9b}2J\u{202e}";
    scene.owner.ok("Encrypt", &sealing(&json!({"esc": forged})));
    let sql = "SELECT value FROM contexts WHERE name = 'esc'";
    let rare = ["events", "rare", "--by", "ctx.esc", "--least", "1", "--share", "100"];
    for args in [
        &["events", "stats", "--by", "ctx.esc"][..],
        &rare,
        &["events", "sql", sql],
        &["key", "used-by", SHARED_ARN],
        &[
            "explain",
            scene.listed(&["events", "list", "op:Encrypt"])[0]["eventID"].as_str().unwrap(),
        ],
    ] {
        let said = scene.said(args);
        assert!(said.contains("RED") && said.contains("FAKE"), "{args:?}: {said}");
        let steers = |c: char| c != '\n' && c != '\t' && c.is_control() || c == '\u{202e}';
        assert!(!said.contains(steers), "{args:?}: {said:?}");
        let forged = said.lines().any(|line| line.starts_with("FAKE"));
        assert!(!forged && !said.contains("FAKE\t"), "{args:?}: {said:?}");
    }
    // What programs read has the very value.
    let rows = scene.listed(&["events", "sql", sql]);
    assert_eq!(rows, [json!({"value": forged})]);
    let json = scene.said(&["events", "list", "op:Encrypt", "-o", "json"]);
    assert!(!json.contains(['\u{9b}', '\u{202e}']), "{json:?}");
}

#[test]
fn a_query_may_begin_with_not_and_options_stand_where_they_like() {
    let scene = Scene::new();
    for tenant in ["acme", "globex", "globex"] {
        scene.owner.ok("Encrypt", &sealing(&json!({"tenant": tenant})));
    }
    scene.owner.ok("DescribeKey", &json!({"KeyId": SHARED}));
    for (args, count) in [
        (&["events", "list", "-op:DescribeKey", "key:alias/shared"][..], 1),
        (&["events", "list", "-op:DescribeKey", "key:alias/shared", "-op:CreateAlias"], 0),
        (&["events", "list", "-ctx.tenant:acme op:Encrypt"], 2),
        (&["events", "list", "op:Encrypt", "-ctx.tenant:acme", "--limit", "5"], 2),
        (&["-o", "json", "events", "list", "--limit", "1", "-ctx.tenant:acme", "op:Encrypt"], 1),
        (&["events", "list", "op:Encrypt", "-ctx.tenant:acme", "--", "-ctx.tenant:globex"], 0),
        (&["events", "list", "op:Encrypt", "-acme"], 2),
    ] {
        let mut args = args.to_vec();
        if !args.contains(&"-o") {
            args.splice(0..0, ["-o", "json"]);
        }
        assert_eq!(scene.said(&args).lines().count(), count, "{args:?}");
    }
    assert_eq!(scene.ended(&["events", "list", "--nothing"]).0, Some(2));
}

#[test]
fn a_list_goes_on_up_to_its_limit_and_says_that_there_is_more() {
    let scene = Scene::new();
    // More than one answer of the service gives.
    const EVENTS: usize = 1_030;
    for place in 0..EVENTS {
        let tenant = if place % 500 == 0 { "acme" } else { "globex" };
        scene.owner.ok("Encrypt", &sealing(&json!({"tenant": tenant})));
    }
    let list = |more: &[&str]| {
        let (code, said, noted) = scene.ended(&[&["events", "list", "op:Encrypt"], more].concat());
        assert_eq!(code, Some(0), "{noted}");
        (said.lines().count(), noted)
    };
    let (count, noted) = list(&["--limit", "7"]);
    assert_eq!(count, 7);
    let place =
        noted.split("--after ").nth(1).expect("a place to go on").split(' ').next().unwrap();
    assert!(noted.contains("there are more than these 7"), "{noted}");
    assert_eq!(list(&["--after", place, "--limit", "5000"]), (EVENTS - 7, String::new()));
    assert_eq!(list(&["--limit", "1030"]), (EVENTS, String::new()), "all, and no more");
    assert!(list(&["--limit", "1029"]).1.contains("there are more"));
    // What no index knows is read page by page too.
    assert_eq!(list(&["-globex", "--limit", "5000"]), (3, String::new()));
    assert_eq!(scene.ended(&["events", "list", "--limit", "0"]).0, Some(2));

    // A query for an export.
    let export = ["events", "export", "ctx.tenant:acme", "op:Encrypt"];
    assert_eq!(scene.said(&export).lines().count(), 3);
    let (code, said, noted) =
        scene.ended(&[&export[..], &["--data", "x", "--hashes", "y"]].concat());
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert!(noted.contains("--hashes") && noted.contains("query"), "{noted}");
}

/// Reads a stream up to the next line that begins so; `None` at its end.
fn next_of(stream: &mut impl BufRead, start: &str) -> Option<String> {
    let mut line = String::new();
    while 0 < stream.read_line(&mut line).unwrap() {
        if let Some(rest) = line.strip_prefix(start) {
            return Some(rest.trim().to_owned());
        }
        line.clear();
    }
    None
}

#[test]
fn a_followed_log_ends_with_its_session() {
    let service = TestService::start();
    let may = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "keyward:ListEvents", "Resource": "*"},
    ]});
    let session = service.role("watcher", &may);
    let (status, mut stream) = service.stream("/v1/events/tail?operation=ListKeys", &[], &session);
    assert_eq!(status, 200);
    assert!(next_of(&mut stream, ":").unwrap().contains("from now on"));
    service.kms(&service.root(), "ListKeys", &json!({}));
    let seen = next_of(&mut stream, "data:").expect("an event");
    assert!(seen.contains("ListKeys"), "{seen}");
    service.clock.advance_seconds(3_601);
    service.kms(&service.root(), "ListKeys", &json!({}));
    assert_eq!(next_of(&mut stream, "data:"), None, "the session has ended");
    let (status, said) = service.http("GET", "/v1/events", &[], b"", &session);
    assert!(status == 403 && said.contains("ExpiredToken"), "{status} {said}");
}

#[test]
fn who_comes_back_to_a_followed_log_misses_nothing() {
    let service = TestService::start();
    let root = service.root();
    let (_, mut stream) = service.stream("/v1/events/tail?q=op:ListKeys", &[], &root);
    next_of(&mut stream, ":").unwrap();
    service.kms(&root, "ListKeys", &json!({}));
    let id = next_of(&mut stream, "id:").expect("an id");
    assert!(next_of(&mut stream, "data:").is_some());
    drop(stream);
    for operation in ["ListKeys", "ListAliases", "ListKeys"] {
        service.kms(&root, operation, &json!({}));
    }
    let (status, mut stream) =
        service.stream("/v1/events/tail?q=op:ListKeys", &[("last-event-id", &id)], &root);
    assert_eq!(status, 200);
    let id: u64 = id.parse().unwrap();
    for later in [1, 3] {
        let next = next_of(&mut stream, "id:").unwrap();
        // The greeting says how far was looked.
        let next = if next == id.to_string() { next_of(&mut stream, "id:").unwrap() } else { next };
        assert_eq!(next, (id + later).to_string());
        assert!(next_of(&mut stream, "data:").unwrap().contains("ListKeys"));
    }
    let (status, _) = service.stream("/v1/events/tail", &[("last-event-id", "soon")], &root);
    assert_eq!(status, 400);
}

#[test]
fn a_shared_request_is_found_in_the_log_of_everybody_who_has_it() {
    let scene = Scene::new();
    let partner = scene.client("AKIAPARTNERROOT00001", "partner-root-secret-of-the-stories");
    partner.ok("Encrypt", &project());
    let copy = scene.listed(&["events", "list", "op:Encrypt"]).remove(0);
    let text = |member: &str| copy[member].as_str().unwrap().to_owned();
    assert_eq!(copy["userIdentity"]["type"], "AWSAccount");
    for id in [text("requestID"), text("eventID")] {
        assert_eq!(scene.listed(&["events", "show", &id]), vec![copy.clone()], "{id}");
        assert_eq!(
            scene.listed(&["events", "list", &format!("id:{id}")]),
            vec![copy.clone()],
            "{id}"
        );
        assert!(scene.said(&["explain", &id]).contains(PARTNER), "{id}");
        assert!(scene.said(&["audit", "prove", &id]).contains("tlog-proof"), "{id}");
        for column in ["event_id", "request_id"] {
            let sql = format!("SELECT event_id FROM events WHERE {column} = '{id}'");
            let is_its = (column == "event_id") == (id == text("eventID"));
            assert_eq!(scene.listed(&["events", "sql", &sql]).len(), usize::from(is_its), "{sql}");
        }
    }
    // The caller's account has its own event of it, with everything.
    let mut own = Command::new(clients::binary());
    clients::point_at(&mut own, &scene.dev.endpoint());
    own.env("AWS_ACCESS_KEY_ID", "AKIAPARTNERROOT00001");
    own.env("AWS_SECRET_ACCESS_KEY", "partner-root-secret-of-the-stories");
    let shown = own.args(["events", "show", &text("requestID")]).output().unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(
        (&shown["userIdentity"]["type"], &shown["requestID"]),
        (&json!("Root"), &copy["requestID"])
    );
}

#[test]
fn a_key_that_is_not_there_is_said_to_be_so_and_nothing_is_said_of_the_asking() {
    let scene = Scene::new();
    let (code, said, noted) = scene.ended(&["key", "used-by", "alias/shred"]);
    assert_eq!((code, said.as_str()), (Some(3), ""));
    assert!(noted.contains("there is no key alias/shred"), "{noted}");
    scene.owner.ok("Encrypt", &sealing(&json!({})));
    let used = scene.listed(&["key", "used-by", SHARED]);
    let root = used.iter().find(|row| row["Principal"] == "arn:aws:iam::000000000000:root");
    assert_eq!(root.unwrap()["Operations"], json!([{"Name": "Encrypt", "Count": 1}]));
}

#[test]
fn a_principal_is_asked_about_by_its_whole_name() {
    let scene = Scene::new();
    for name in ["app", "apple"] {
        scene.owner.rest("/v1/users", &json!({"UserName": name}));
        let made = scene.owner.rest(&format!("/v1/users/{name}/access-keys"), &json!({}));
        let text = |member: &str| made["AccessKey"][member].as_str().unwrap().to_owned();
        let user = scene.client(&text("AccessKeyId"), &text("SecretAccessKey"));
        assert_eq!(user.kms("ListKeys", &json!({})).0, 400);
    }
    for part in ["app", "role", "test"] {
        let (code, said, noted) = scene.ended(&["principal", "did", part]);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{part}");
        assert!(noted.contains("role/NAME"), "{noted}");
    }
    for whole in ["user/app", "arn:aws:iam::000000000000:user/app"] {
        assert_eq!(scene.listed(&["principal", "did", whole])[0]["Count"], json!(1), "{whole}");
    }
    // The code that the client saw finds what the record calls otherwise.
    for code in ["AccessDeniedException", "AccessDenied"] {
        let query = format!("result:{code}");
        assert_eq!(scene.listed(&["events", "list", &query, "op:ListKeys"]).len(), 2, "{code}");
        let outcome = ["events", "list", "--outcome", code, "op:ListKeys"];
        assert_eq!(scene.listed(&outcome).len(), 2, "{code}");
    }
}

#[test]
fn sql_knows_both_contexts_of_a_re_encryption_and_what_needs_a_whole_log() {
    let scene = Scene::new();
    let made = scene.owner.ok("CreateKey", &json!({}));
    let key = made["KeyMetadata"]["KeyId"].clone();
    let sealed = scene.owner.ok("Encrypt", &sealing(&json!({"tenant": "acme"})));
    scene.owner.ok(
        "ReEncrypt",
        &json!({
            "CiphertextBlob": sealed["CiphertextBlob"], "DestinationKeyId": key,
            "SourceEncryptionContext": {"tenant": "acme"},
            "DestinationEncryptionContext": {"tenant": "globex", "by": "batch"},
        }),
    );
    let sql = "SELECT c.name, c.value FROM contexts AS c JOIN events AS e ON e.seq = c.seq WHERE e.name = 'ReEncrypt' ORDER BY c.name, c.value";
    let pairs = scene.listed(&["events", "sql", sql]);
    let pair = |name: &str, value: &str| json!({"name": name, "value": value});
    assert_eq!(pairs, [pair("by", "batch"), pair("tenant", "acme"), pair("tenant", "globex")]);
    let sql = "SELECT json_extract(encryption_context, '$.tenant') AS tenant FROM events WHERE name = 'ReEncrypt'";
    assert_eq!(scene.listed(&["events", "sql", sql]), [json!({"tenant": "acme"})]);
    let root = "who=arn:aws:iam::000000000000:root";
    let radius =
        ["events", "sql", "--name", "blast-radius", "--param", root, "--param", "since=2026-01-01"];
    let radius = scene.said(&radius);
    assert!(
        radius.lines().any(|line| line.contains("ReEncrypt") && line.contains("acme")),
        "{radius}"
    );

    let gaps = ["events", "sql", "--name", "sequence-gaps"];
    let (code, said, noted) = scene.ended(&gaps);
    assert_eq!((code, said.as_str()), (Some(1), ""), "{noted}");
    assert!(noted.contains("audit verify") && noted.contains("--data"), "{noted}");
}

/// A way to the service that can be cut: what is on it is shut, and nothing passes until it is whole again.
struct Line {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Line {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_cut, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (cut, streams) = (Arc::clone(&is_cut), Arc::clone(&open));
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
                streams
                    .lock()
                    .unwrap()
                    .extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                for (mut from, mut to) in
                    [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)]
                {
                    thread::spawn(move || io::copy(&mut from, &mut to));
                }
            }
        });
        Self { address, is_cut, open }
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

#[test]
fn the_command_that_follows_misses_nothing_when_its_connection_breaks() {
    let scene = Scene::new();
    let line = Line::to(scene.dev.port());
    let mut tail = Command::new(clients::binary());
    clients::point_at(&mut tail, &format!("http://{}", line.address));
    tail.args(["events", "tail", "op:Encrypt", "-o", "json"]).stdout(Stdio::piped());
    let mut tail = tail.spawn().unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let (sender, told) = mpsc::channel();
    thread::spawn(move || {
        lines.map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    let ask = |number: u64| {
        let context = json!({"number": number.to_string()});
        scene.owner.ok("Encrypt", &sealing(&context));
    };
    let number = |line: &str| -> u64 {
        let event: Value = serde_json::from_str(line).unwrap();
        let context = &event["requestParameters"]["encryptionContext"];
        context["number"].as_str().unwrap().parse().unwrap()
    };
    // It follows from whenever it has connected.
    let begun = (0..300).any(|_| {
        ask(1);
        told.recv_timeout(Duration::from_millis(100)).is_ok()
    });
    assert!(begun, "nothing is followed");
    line.cut();
    (2..5).for_each(ask);
    line.mend();
    let mut seen = Vec::new();
    while seen.last() != Some(&4) {
        let next = told.recv_timeout(Duration::from_secs(30)).expect("what was missed");
        seen.push(number(&next));
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    seen.retain(|number| *number != 1);
    assert_eq!(seen, [2, 3, 4]);
}

#[test]
fn a_stopped_store_is_exported_by_a_query_too() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let service = Service::start(&data);
    work(&service, 3);
    service.stop();
    let data = data.to_str().unwrap();
    let export = |query: &[&str]| {
        let output = keyward(None, &[&["events", "export", "--data", data], query].concat());
        text(&output).lines().count()
    };
    let all = export(&[]);
    assert_eq!(export(&["op:GenerateRandom", "result:success"]), 3);
    assert_eq!(export(&["-op:GenerateRandom"]), all - 3);
    let gaps = ["events", "sql", "--name", "sequence-gaps", "--data", data];
    assert_eq!(text(&keyward(None, &gaps)), "", "of a whole store it is answered");
}
