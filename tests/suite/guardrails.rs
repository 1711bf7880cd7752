//! Guardrails of a running service: changed, broken and taken away while requests come.

use super::crash::Client;
use keyward_testkit::clients::{self, Dev};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

const STREAMS: usize = 4;
/// Tries of 50 ms until something that was asked for must have happened.
const TRIES: usize = 400;

const OTHER: &str =
    "@id(\"NoSigning\") forbid (principal, action == Action::\"kms:Sign\", resource);\n";
const NO_ENCRYPT: &str =
    "@id(\"NoEncrypt\")\nforbid (principal, action in Action::\"kms:Cryptographic\", resource);\n";

/// What the clients of one key saw.
#[derive(Default)]
struct Seen {
    allowed: AtomicUsize,
    denied: AtomicUsize,
    stop: AtomicBool,
}

fn start(folder: &Path) -> Dev {
    Dev::start(&["--guardrails", folder.to_str().unwrap()])
}

fn client(dev: &Dev) -> Client {
    Client::at(format!("127.0.0.1:{}", dev.port()))
}

fn encrypt(client: &Client, key: &str) -> (u16, Value) {
    let input = json!({"KeyId": key, "Plaintext": "AAAA"});
    let (status, body, _) = client.call("Encrypt", &input).expect("a request was dropped");
    (status, body)
}

fn until(what: &str, dev: &Dev, mut holds: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if holds() {
            return;
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    panic!("never {what}:\n{}", dev.log());
}

/// Requests one after another: each is allowed, or denied by a guardrail, and none is lost.
fn stream(client: &Client, key: &str, seen: &Seen) {
    while !seen.stop.load(Ordering::Relaxed) {
        match encrypt(client, key) {
            (200, _) => seen.allowed.fetch_add(1, Ordering::Relaxed),
            (400, body) => {
                let message = body["Message"].as_str().unwrap_or_default();
                assert!(message.contains("with an explicit deny in a guardrail policy"), "{body}");
                seen.denied.fetch_add(1, Ordering::Relaxed)
            }
            other => panic!("{other:?}"),
        };
    }
}

fn get(dev: &Dev, path: &str) -> String {
    let mut answer = ureq::get(format!("{}{path}", dev.endpoint())).call().expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    answer.body_mut().read_to_string().unwrap()
}

fn keyward(dev: &Dev, args: &[&str]) -> String {
    let mut command = Command::new(clients::binary());
    let output = command.args(args).args(["--endpoint", &dev.endpoint()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn they_change_without_a_dropped_request_and_a_broken_file_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("guardrails");
    let file = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    fs::create_dir(&folder).unwrap();
    file("10-other.cedar", OTHER);
    let dev = start(&folder);
    let asker = client(&dev);
    let key =
        asker.expect("CreateKey", &json!({}))["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let seen = Seen::default();
    thread::scope(|scope| {
        let streams: Vec<_> =
            (0..STREAMS).map(|_| scope.spawn(|| stream(&client(&dev), &key, &seen))).collect();
        let story = scope.spawn(|| {
            file("20-broken.cedar", "forbid (principal, action, resource) when { context.nope };");
            dev.hang_up();
            until("refused", &dev, || dev.log().contains("20-broken.cedar:1:45"));
            assert_eq!(encrypt(&asker, &key).0, 200);
            assert!(get(&dev, "/readyz?verbose").contains("[!]guardrails"));
            assert!(!get(&dev, "/metrics").contains("kms_guardrails_reload_failures_total 0\n"));
            assert_eq!(seen.denied.load(Ordering::Relaxed), 0);

            fs::remove_file(folder.join("20-broken.cedar")).unwrap();
            file("20-encrypt.cedar", NO_ENCRYPT);
            dev.hang_up();
            until("denied", &dev, || encrypt(&asker, &key).0 == 400);
            assert!(keyward(&dev, &["explain", "last"]).contains("NoEncrypt of 20-encrypt.cedar"));
            assert!(
                get(&dev, "/readyz?verbose").contains("[+]guardrails ok: 2 policies of 2 files")
            );
            // From then on nothing that is asked is allowed.
            for _ in 0..20 {
                assert_eq!(encrypt(&asker, &key).0, 400);
            }

            // Nobody says so; the folder is looked at.
            fs::remove_file(folder.join("20-encrypt.cedar")).unwrap();
            until("allowed again", &dev, || encrypt(&asker, &key).0 == 200);
        });
        let told = story.join();
        seen.stop.store(true, Ordering::Relaxed);
        for one in streams {
            one.join().expect("a stream of requests");
        }
        told.expect("the story");
    });
    let (allowed, denied) = (seen.allowed.into_inner(), seen.denied.into_inner());
    assert!(allowed > STREAMS && denied > STREAMS, "{allowed} {denied}");

    let events =
        keyward(&dev, &["events", "list", "--operation", "ReloadGuardrails", "-o", "json"]);
    let digest = |text: &str| {
        use keyward_types::caller::Document;
        hex::encode(Document::new(text).digest())
    };
    assert!(events.contains(&digest(OTHER)) && events.contains(&digest(NO_ENCRYPT)), "{events}");
    assert!(events.contains("AwsServiceEvent") && events.contains("10-other.cedar"), "{events}");
    let (status, log) = dev.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn a_wrong_file_stops_the_start_with_every_error() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.cedar"), "permit (principal, action, resource);").unwrap();
    fs::write(home.path().join("b.cedar"), "\nforbid (principal, action").unwrap();
    fs::write(home.path().join("notes.txt"), "not read").unwrap();
    let folder = home.path().to_str().unwrap();
    let run = |args: &[&str]| Command::new(clients::binary()).args(args).output().unwrap();
    let data = home.path().join("data");
    let started = run(&[
        "dev",
        "--guardrails",
        folder,
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
    ]);
    let checked = run(&["policy", "guardrails", folder]);
    assert_eq!((started.status.code(), checked.status.code()), (Some(6), Some(6)));
    for text in [started.stderr, checked.stdout] {
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("a.cedar:1:1: ") && text.contains("b.cedar:2:"), "{text}");
    }
    assert!(!data.exists(), "a store was touched");
    fs::remove_file(home.path().join("b.cedar")).unwrap();
    fs::write(home.path().join("a.cedar"), NO_ENCRYPT).unwrap();
    assert_eq!(run(&["policy", "guardrails", folder, "-o", "json"]).status.code(), Some(0));
}
