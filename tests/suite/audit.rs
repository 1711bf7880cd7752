//! What the log proves of itself with the real binary, and each way to lie about it: what is told apart from the log
//! that was, by a checkpoint or a proof that somebody kept.

use super::crash::{Client, Service};
use keyward_testkit::clients;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A command without a service, or against one.
fn keyward(service: Option<&Service>, args: &[&str]) -> Output {
    let mut command = Command::new(clients::binary());
    if let Some(service) = service {
        clients::point_at(&mut command, &format!("http://{}", service.address));
        command.env("KEYWARD_ENDPOINT", format!("http://{}", service.address));
    }
    command.args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A file with what a command prints.
fn kept(folder: &Path, name: &str, output: &Output) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text(output)).unwrap();
    path
}

/// What verifying a stopped store against a kept checkpoint says is wrong.
fn problem(data: &Path, checkpoint: &Path) -> Option<String> {
    let (data, checkpoint) = (data.to_str().unwrap(), checkpoint.to_str().unwrap());
    let args = ["audit", "verify", "-o", "json", "--data", data, "--checkpoint", checkpoint];
    let output = keyward(None, &args);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let intact = said["Intact"] == json!(true);
    assert_eq!(output.status.code(), Some(if intact { 0 } else { 9 }), "{said}");
    (!intact).then(|| said["Problem"].as_str().unwrap().to_owned())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn work(service: &Service, times: usize) {
    let client = Client::of(service);
    for _ in 0..times {
        client.expect("GenerateRandom", &json!({"NumberOfBytes": 8}));
    }
}

#[test]
fn a_kept_checkpoint_tells_the_log_that_was_from_every_other() {
    let home = tempfile::tempdir().unwrap();
    let (data, early) = (home.path().join("data"), home.path().join("early"));
    let service = Service::start(&data);
    let key = text(&keyward(Some(&service), &["audit", "key"]));
    work(&service, 30);
    let old = kept(home.path(), "old", &keyward(Some(&service), &["audit", "checkpoint"]));
    service.stop();
    copy(&data, &early);
    assert_eq!(problem(&data, &old), None);

    // The log goes on, and is the same log.
    let service = Service::start(&data);
    work(&service, 1_100);
    let new = kept(home.path(), "new", &keyward(Some(&service), &["audit", "checkpoint"]));
    let consistent = |service: &Service| {
        let args = ["audit", "consistent", old.to_str().unwrap(), "--key", key.trim()];
        keyward(Some(service), &args).status.code()
    };
    assert_eq!(consistent(&service), Some(0));
    service.stop();
    assert_eq!(problem(&data, &old), None);
    assert_eq!(problem(&data, &new), None);

    // A copy that ends before it: events are missing at the end.
    let said = problem(&early, &new).unwrap();
    assert!(said.contains("events are missing from 3"), "{said}");
    // The copy goes its own way, as far and further: another history.
    let service = Service::start(&early);
    let client = Client::of(&service);
    for _ in 0..1_200 {
        client.expect("ListKeys", &json!({}));
    }
    let forked = kept(home.path(), "forked", &keyward(Some(&service), &["audit", "checkpoint"]));
    assert_eq!(consistent(&service), Some(0), "both histories begin alike");
    let args = ["audit", "consistent", new.to_str().unwrap(), "--key", key.trim()];
    assert_eq!(keyward(Some(&service), &args).status.code(), Some(9));
    service.stop();
    let said = problem(&early, &new).unwrap();
    assert!(said.contains("changed, removed or added"), "{said}");
    assert!(problem(&data, &forked).unwrap().contains("events are missing"), "it is shorter");
    // What the store itself kept was exchanged for what would fit.
    fs::copy(early.join("checkpoints"), data.join("checkpoints")).unwrap();
    assert!(problem(&data, &old).is_some());
    // Words that nobody signed.
    let forged = home.path().join("forged");
    fs::write(&forged, fs::read_to_string(&old).unwrap().replacen("\n3", "\n2", 1)).unwrap();
    let said = problem(&early, &forged).unwrap();
    assert!(said.contains("is not this log's"), "{said}");

    // Another log, also one with the same requests.
    let other = home.path().join("other");
    let service = Service::start(&other);
    work(&service, 30);
    assert_eq!(consistent(&service), Some(9));
    service.kill();
    let said = problem(&other, &old).unwrap();
    assert!(said.contains("is not this log's"), "{said}");
}

#[test]
fn a_proof_holds_for_its_event_and_key_alone() {
    let home = tempfile::tempdir().unwrap();
    let service = Service::start(&home.path().join("data"));
    let client = Client::of(&service);
    let (_, _, request) = client.call("CreateKey", &json!({})).unwrap();
    work(&service, 5);
    let key = text(&keyward(Some(&service), &["audit", "key"]));
    let proof = kept(home.path(), "proof", &keyward(Some(&service), &["audit", "prove", &request]));
    let check = |proof: &Path, key: &str| {
        let args = ["audit", "check-proof", "-o", "json", proof.to_str().unwrap(), "--key", key];
        let output = keyward(None, &args);
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default())
    };
    let (code, said) = check(&proof, key.trim());
    assert_eq!((code, &said["Event"]["eventName"]), (Some(0), &json!("CreateKey")), "{said}");
    assert_eq!(said["Event"]["requestID"], json!(request));

    let written = fs::read_to_string(&proof).unwrap();
    let altered = |name: &str, from: &str, to: &str| {
        assert!(written.contains(from), "{from}");
        let path = home.path().join(name);
        fs::write(&path, written.replacen(from, to, 1)).unwrap();
        path
    };
    let number = said["Number"].as_u64().unwrap();
    let elsewhere = altered("index", &format!("index {number}"), &format!("index {}", number + 1));
    assert_eq!(check(&elsewhere, key.trim()).0, Some(9));
    // One byte of the event: its base64 begins with the brace and the quote of a JSON object.
    let event = altered(
        "event",
        "extra eyJldmVudFZlcnNpb24iOiIxLjEx",
        "extra eyJldmVudFZlcnNpb24iOiIxLjEy",
    );
    assert_eq!(check(&event, key.trim()).0, Some(9));
    let other = Service::start(&home.path().join("other"));
    let stranger = text(&keyward(Some(&other), &["audit", "key"]));
    assert_eq!(check(&proof, stranger.trim()).0, Some(9));
    assert_eq!(check(&proof, "no key").0, Some(2));
}
