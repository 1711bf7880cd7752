//! What the log proves of itself with the real binary, and each way to lie about it: what is told apart from the log
//! that was, by a checkpoint or a proof that somebody kept.

use super::crash::{Client, Service};
use keyward_testkit::clients;
use keyward_trail::iso_seconds;
use keyward_types::Timestamp;
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A command without a service, or against one.
pub(super) fn keyward(service: Option<&Service>, args: &[&str]) -> Output {
    let mut command = Command::new(clients::binary());
    if let Some(service) = service {
        clients::point_at(&mut command, &format!("http://{}", service.address));
        command.env("KEYWARD_ENDPOINT", format!("http://{}", service.address));
    }
    command.args(args).output().unwrap()
}

pub(super) fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A file with what a command prints.
pub(super) fn kept(folder: &Path, name: &str, output: &Output) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text(output)).unwrap();
    path
}

/// What verifying a stopped store against a kept checkpoint says is wrong.
fn problem(data: &Path, checkpoint: &Path) -> Option<String> {
    let (data, checkpoint) = (data.to_str().unwrap(), checkpoint.to_str().unwrap());
    let args = ["--data", data, "--checkpoint", checkpoint];
    let said = verified(&args);
    assert_eq!(verified(&[&args[..], &["--journal"]].concat()), said, "the journal says it alone");
    said
}

/// What `audit verify` says is wrong; `None` when all holds.
pub(super) fn verified(args: &[&str]) -> Option<String> {
    let output = keyward(None, &[&["audit", "verify", "-o", "json"], args].concat());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let intact = said["Intact"] == json!(true);
    assert_eq!(output.status.code(), Some(if intact { 0 } else { 9 }), "{said}");
    (!intact).then(|| said["Problem"].as_str().unwrap().to_owned())
}

/// What `audit verify` answers, and its exit code.
pub(super) fn answered(args: &[&str]) -> (Option<i32>, Value) {
    let output = keyward(None, &[&["audit", "verify", "-o", "json"], args].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

pub(super) fn copy(from: &Path, to: &Path) {
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

pub(super) fn work(service: &Service, times: usize) {
    let client = Client::of(service);
    for _ in 0..times {
        client.expect("GenerateRandom", &json!({"NumberOfBytes": 8}));
    }
}

#[test]
fn a_store_can_be_named_by_a_word() {
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        Command::new(clients::binary()).args(args).current_dir(home.path()).output().unwrap()
    };
    text(&run(&["init", "--data", "data"]));
    // No root key is made for a store that has one.
    let refused = run(&["audit", "verify", "--data", "data"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("--root-key-file"), "{said}");
    assert!(!home.path().join("data/root.key").exists());
    let whole = ["audit", "verify", "--data", "data", "--root-key-file", "data.root-key"];
    assert!(text(&run(&whole)).starts_with("intact: "));
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

    // A look at a stopped store does not change what was promised of it.
    let promised = || {
        let header: Value =
            serde_json::from_slice(&fs::read(data.join("store.json")).unwrap()).unwrap();
        header["durability"].clone()
    };
    let (rows, data_text) = (home.path().join("rows"), data.to_str().unwrap());
    text(&keyward(
        None,
        &["events", "export", "--data", data_text, "--to", rows.to_str().unwrap()],
    ));
    assert_eq!(promised(), json!("commit"));

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
    // What the store itself kept was exchanged for what would fit, and neither is served: one log is shorter than was
    // signed, the other has another history.
    let own = fs::read(data.join("checkpoints")).unwrap();
    fs::copy(early.join("checkpoints"), data.join("checkpoints")).unwrap();
    fs::write(early.join("checkpoints"), own).unwrap();
    assert!(problem(&data, &old).is_some());
    let refused = |data: &Path| Service::try_start(data).err().unwrap();
    let said = refused(&data);
    assert!(said.contains("acknowledged data is missing: the log has"), "{said}");
    let said = refused(&early);
    assert!(said.contains("is not what its last checkpoint says"), "{said}");
    assert!(said.contains("`keyward audit verify --data`"), "{said}");
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
    // Whoever wants a witness's word is not content with the log's own.
    let cosigner = text(&keyward(Some(&service), &["audit", "witness-key"]));
    let file = proof.to_str().unwrap();
    let demand = ["--key", key.trim(), "--witness", cosigner.trim(), "-o", "json"];
    let output = keyward(None, &[&["audit", "check-proof", file][..], &demand].concat());
    assert_eq!(output.status.code(), Some(9));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["Problem"], json!("1 witnesses are needed, and 0 have signed"));
    let other = Service::start(&home.path().join("other"));
    let stranger = text(&keyward(Some(&other), &["audit", "key"]));
    assert_eq!(check(&proof, stranger.trim()).0, Some(9));
    assert_eq!(check(&proof, "no key").0, Some(2));
}

/// The events of a stopped store as lines, and the file of their hashes.
fn exported(data: &Path, hashes: &Path) -> Vec<String> {
    let args = ["events", "export", "--data", data.to_str().unwrap(), "--hashes"];
    let output = keyward(None, &[&args[..], &[hashes.to_str().unwrap()]].concat());
    text(&output).lines().map(str::to_owned).collect()
}

fn write_lines(path: &Path, lines: &[String]) {
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// A log of three lives: what was exported of it, and two that somebody with its root key made of its early copies.
struct Lives {
    home: tempfile::TempDir,
    key: String,
    lines: Vec<String>,
    /// When its second life had ended, and its third not begun.
    between: String,
}

/// Now, as `--since` takes it.
#[expect(clippy::disallowed_methods, reason = "a time between two lives of another process")]
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let since = Timestamp(i64::try_from(since).unwrap());
    iso_seconds(since).replace('Z', &format!(".{:03}Z", since.0 % 1_000))
}

impl Lives {
    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `log` has 60 events and a checkpoint `kept` of 40 or more; `forked` parted from it after 30, and `rebuilt`
    /// before the first.
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        Service::start(&path("log")).stop();
        copy(&path("log"), &path("rebuilt"));
        let service = Service::start(&path("log"));
        let key = text(&keyward(Some(&service), &["audit", "key"])).trim().to_owned();
        work(&service, 30);
        service.stop();
        copy(&path("log"), &path("forked"));
        let service = Service::start(&path("log"));
        work(&service, 10);
        kept(home.path(), "kept", &keyward(Some(&service), &["audit", "checkpoint"]));
        work(&service, 10);
        service.stop();
        thread::park_timeout(Duration::from_millis(5));
        let between = now();
        thread::park_timeout(Duration::from_millis(5));
        let service = Service::start(&path("log"));
        work(&service, 10);
        service.stop();
        for (name, times) in [("rebuilt", 70), ("forked", 40)] {
            let service = Service::start(&path(name));
            work(&service, times);
            service.stop();
            write_lines(
                &path(&format!("{name}.jsonl")),
                &exported(&path(name), &path(&format!("{name}.hashes"))),
            );
        }
        let lines = exported(&path("log"), &path("hashes"));
        Self { key, lines, home, between }
    }

    /// What an export of these lines is told, held against files of this folder.
    fn told(&self, lines: &[String], against: &[(&str, &str)]) -> Option<String> {
        write_lines(&self.path("export"), lines);
        self.told_of("export", against)
    }

    fn told_of(&self, export: &str, against: &[(&str, &str)]) -> Option<String> {
        let args = self.arguments(export, against);
        verified(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn answered(
        &self,
        export: &str,
        against: &[(&str, &str)],
        more: &[&str],
    ) -> (Option<i32>, Value) {
        let args = self.arguments(export, against);
        answered(&args.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
    }

    fn arguments(&self, export: &str, against: &[(&str, &str)]) -> Vec<String> {
        let place = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let mut args = vec!["--export".to_owned(), place(export), "--key".to_owned()];
        args.push(self.key.clone());
        args.extend(against.iter().flat_map(|(flag, name)| [(*flag).to_owned(), place(name)]));
        args
    }
}

const HASHES: (&str, &str) = ("--hashes", "hashes");
const KEPT: (&str, &str) = ("--checkpoint", "kept");

#[test]
fn an_export_alone_names_the_first_event_that_is_wrong() {
    let lives = Lives::new();
    let lines = &lives.lines;
    let total = lines.len();
    assert!(60 <= total, "{total}");
    for against in [&[HASHES][..], &[HASHES, KEPT]] {
        assert_eq!(lives.told(lines, against), None);
    }
    // What is newer than the checkpoint, nobody has signed: not even when it is what was written.
    let signed = size(&fs::read_to_string(lives.path("kept")).unwrap());
    let (code, said) = lives.answered("export", &[KEPT], &[]);
    assert_eq!((code, &said["Intact"], &said["Signed"]), (Some(6), &json!(false), &json!(signed)));
    let unsigned = format!("events {signed} to {} are newer than every checkpoint", total - 1);
    assert!(said["Problem"].as_str().unwrap().starts_with(&unsigned), "{said}");
    let (code, said) = lives.answered("export", &[KEPT], &["--allow-unsigned-tail"]);
    assert_eq!((code, &said["Intact"], &said["Signed"]), (Some(0), &json!(true), &json!(signed)));
    // What is done to it, and what is said with the hashes; a checkpoint alone knows the part.
    let mut changed = lines.clone();
    let at = changed[7].find("eventTime").unwrap() + 14;
    let digit = if changed[7].as_bytes()[at] == b'1' { "3" } else { "1" };
    changed[7].replace_range(at..=at, digit);
    let mut removed = lines.clone();
    removed.remove(7);
    let mut swapped = lines.clone();
    swapped.swap(7, 8);
    let mut added = lines.clone();
    added.insert(7, changed[7].clone());
    let part = "an event from 0 to ";
    for (lines, exact) in [
        (&changed, "event 7 is not what was signed: it was changed"),
        (&removed, "event 7 was removed"),
        (&swapped, "event 8 stands where event 7 belongs"),
        (&added, "event 7 was added: nobody signed that"),
    ] {
        assert_eq!(lives.told(lines, &[HASHES]).as_deref(), Some(exact));
        let said = lives.told(lines, &[KEPT]).unwrap();
        assert!(said.starts_with(part) && said.contains("changed, removed or added"), "{said}");
    }
    let said = lives.told(&lines[..total - 3], &[HASHES]).unwrap();
    assert!(said.starts_with(&format!("events are missing from {} on", total - 3)), "{said}");
    let said = lives.told(&lines[..20], &[KEPT]).unwrap();
    assert!(said.starts_with("events are missing from 20 on"), "{said}");
    let longer = [lines.clone(), vec![changed[7].clone()]].concat();
    write_lines(&lives.path("longer"), &longer);
    let (code, said) = lives.answered("longer", &[HASHES], &[]);
    assert_eq!((code, &said["Intact"], &said["Signed"]), (Some(6), &json!(false), &json!(total)));
    let unsigned = format!("event {total} is newer than every checkpoint: nobody has signed it");
    assert_eq!(said["Problem"], json!(unsigned));

    // An export without anything to hold it against proves nothing.
    let export = lives.path("export");
    let args = ["audit", "verify", "--export", export.to_str().unwrap(), "--key", &lives.key];
    assert_eq!(keyward(None, &args).status.code(), Some(2));
    // Hashes that nobody signed.
    let hashes = fs::read_to_string(lives.path("hashes")).unwrap();
    let mut short: Vec<&str> = hashes.split('\n').collect();
    assert_eq!((short[0], short[1]), ("keyward-event-hashes/v2", "first 0"));
    short.remove(3);
    fs::write(lives.path("short"), short.join("\n")).unwrap();
    let said = lives.told(&lines[1..], &[("--hashes", "short")]).unwrap();
    assert!(said.contains("and the checkpoint beside them speaks of"), "{said}");
}

#[test]
fn hashes_of_an_earlier_time_accuse_nobody() {
    let lives = Lives::new();
    let service = Service::start(&lives.path("log"));
    work(&service, 5);
    service.stop();
    let newer = exported(&lives.path("log"), &lives.path("newer"));
    assert!(lives.lines.len() < newer.len());
    assert_eq!(newer[..lives.lines.len()], lives.lines);
    write_lines(&lives.path("export"), &newer);
    let (code, said) = lives.answered("export", &[HASHES], &[]);
    assert_eq!((code, &said["Signed"]), (Some(6), &json!(lives.lines.len())), "{said}");
    // The checkpoint of the newer hashes vouches for the rest.
    let text = fs::read_to_string(lives.path("newer")).unwrap();
    fs::write(lives.path("head"), text.split_once("\n\n").unwrap().1).unwrap();
    for all in [&[HASHES, ("--checkpoint", "head")][..], &[HASHES, ("--hashes", "newer")]] {
        let (code, said) = lives.answered("export", all, &[]);
        assert_eq!((code, &said["Signed"]), (Some(0), &json!(newer.len())), "{said}");
    }
    let mut changed = newer;
    let last = changed.len() - 1;
    changed[last] = changed[last - 1].clone();
    let said = lives.told(&changed, &[HASHES, ("--checkpoint", "head")]).unwrap();
    assert!(said.contains("was changed, removed or added"), "{said}");
}

#[test]
fn a_part_of_a_log_is_proven_as_the_whole_is() {
    let lives = Lives::new();
    let (log, total) = (lives.path("log"), lives.lines.len());
    let part = |name: &str, flag: &str| {
        let hashes = lives.path(&format!("{name}.hashes"));
        let args = ["events", "export", "--data", log.to_str().unwrap(), flag, &lives.between];
        let args = [&args[..], &["--hashes", hashes.to_str().unwrap()]].concat();
        let lines: Vec<String> = text(&keyward(None, &args)).lines().map(str::to_owned).collect();
        write_lines(&lives.path(name), &lines);
        lines
    };
    let (late, early) = (part("late", "--since"), part("early", "--until"));
    assert!(!late.is_empty() && !early.is_empty());
    assert_eq!([early.clone(), late.clone()].concat(), lives.lines);
    let middle = early.len();
    let own = |name: &'static str| ("--hashes", name);
    for (name, hashes, from, to) in
        [("early", "early.hashes", 0, middle), ("late", "late.hashes", middle, total)]
    {
        for against in [&[own(hashes)][..], &[own(hashes), HASHES], &[own(hashes), KEPT]] {
            let (code, said) = lives.answered(name, against, &["--part"]);
            assert_eq!(code, Some(0), "{name}: {said}");
            let found = [&said["FirstEvent"], &said["NextEvent"], &said["LogSize"]];
            assert_eq!(found, [&json!(from), &json!(to), &json!(total)]);
        }
    }
    // Who cut an export could cut its hashes alike: a part is whole only for who says that it is one, and never when a
    // checkpoint that was kept speaks of more.
    let (code, said) = lives.answered("early", &[own("early.hashes")], &[]);
    let absent = format!("events {middle} to {} are not in it: take a part with --part", total - 1);
    assert_eq!((code, &said["Problem"]), (Some(6), &json!(absent)));
    let (code, said) = lives.answered("late", &[own("late.hashes")], &[]);
    let absent = format!("events 0 to {} are not in it: take a part with --part", middle - 1);
    assert_eq!((code, &said["Problem"]), (Some(6), &json!(absent)));
    let text = fs::read_to_string(lives.path("early.hashes")).unwrap();
    fs::write(lives.path("newest"), text.split_once("\n\n").unwrap().1).unwrap();
    let against = [own("early.hashes"), ("--checkpoint", "newest")];
    let (code, said) = lives.answered("early", &against, &[]);
    let missing = format!("events are missing from {middle} on");
    assert_eq!(code, Some(9), "{said}");
    assert!(said["Problem"].as_str().unwrap().starts_with(&missing), "{said}");
    assert_eq!(lives.answered("early", &against, &["--part"]).0, Some(0));
    // The hashes of the whole log place a part, when it is said where it begins.
    let first = middle.to_string();
    assert_eq!(lives.answered("late", &[HASHES], &["--first", &first]).0, Some(0));
    let (code, said) = lives.answered("late", &[HASHES], &[]);
    let missing = format!("events 0 to {} were removed", middle - 1);
    assert_eq!((code, &said["Problem"]), (Some(9), &json!(missing)));
    assert_eq!(lives.answered("late", &[own("late.hashes")], &["--first", "1"]).0, Some(2));
    // What is done to a part.
    let mut removed = late.clone();
    removed.remove(0);
    let said = lives.told(&removed, &[own("late.hashes")]).unwrap();
    assert_eq!(said, format!("event {middle} was removed"));
    let said = lives.told(&early[..middle - 1], &[own("early.hashes")]).unwrap();
    assert!(said.starts_with(&format!("events are missing from {} on", middle - 1)), "{said}");
    // Its hashes hold of the store too.
    for hashes in ["late.hashes", "early.hashes"] {
        let (data, hashes) = (log.to_str().unwrap(), lives.path(hashes));
        assert_eq!(verified(&["--data", data, "--hashes", hashes.to_str().unwrap()]), None);
    }
    // Numbers that are not those of the events.
    let text = fs::read_to_string(lives.path("late.hashes")).unwrap();
    let moved = text.replacen(&format!("first {middle}\n"), &format!("first {}\n", middle - 1), 1);
    fs::write(lives.path("moved"), moved).unwrap();
    assert_eq!(lives.answered("late", &[own("moved")], &[]).0, Some(2));
}

#[test]
fn a_log_that_was_made_anew_is_told_by_what_was_kept_of_the_old_one() {
    let lives = Lives::new();
    let data = |name: &str| lives.path(name).to_str().unwrap().to_owned();
    for name in ["rebuilt", "forked"] {
        let own = format!("{name}.hashes");
        let export = format!("{name}.jsonl");
        let own = ("--hashes", own.as_str());
        // Who has the root key signs anything: by itself it holds.
        assert_eq!(lives.told_of(&export, &[own]), None);
        let said = lives.told_of(&export, &[own, KEPT]).unwrap();
        assert!(said.contains("changed, removed or added"), "{name}: {said}");
        let new = fs::read_to_string(lives.path(&export)).unwrap();
        let same = new.lines().zip(&lives.lines).take_while(|(new, old)| new == old).count();
        assert_eq!(same < 5, name == "rebuilt", "{same}");
        let event = format!("event {same} ");
        let said = lives.told_of(&export, &[own, HASHES]).unwrap();
        assert!(said.starts_with(&event) && said.contains("two stories"), "{name}: {said}");
        // The stores themselves.
        let said = verified(&["--data", &data(name), "--checkpoint", &data("kept")]).unwrap();
        assert!(said.contains("changed, removed or added"), "{name}: {said}");
        let said = verified(&["--data", &data(name), "--hashes", &data("hashes")]).unwrap();
        assert!(said.starts_with(&event) && said.contains("not what was signed"), "{said}");
    }
    // The log that was, and goes on.
    assert_eq!(verified(&["--data", &data("log"), "--hashes", &data("hashes")]), None);
    let service = Service::start(&lives.path("log"));
    work(&service, 5);
    service.stop();
    assert_eq!(verified(&["--data", &data("log"), "--hashes", &data("hashes")]), None);

    // A byte of the journal, and its end, which a checkpoint speaks of.
    let journal = fs::read_dir(lives.path("log").join("journal")).unwrap();
    let segment = journal.map(|entry| entry.unwrap().path()).max().unwrap();
    let whole = fs::read(&segment).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let mut bytes = whole.clone();
    bytes[end / 2] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let said = verified(&["--data", &data("log")]).unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name), "{said}");
    fs::write(&segment, &whole[..end / 2]).unwrap();
    assert!(verified(&["--data", &data("log"), "--checkpoint", &data("kept")]).is_some());
}

/// Asks a witness by hand; status and body.
fn add_checkpoint(witness: &Service, body: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let url = format!("http://{}/add-checkpoint", witness.address);
    let mut answer = agent.post(url).send(body).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// A file's text, when it holds what is waited for.
fn awaited(path: &Path, holds: impl Fn(&str) -> bool) -> String {
    for _ in 0..6_000 {
        if let Ok(text) = fs::read_to_string(path)
            && holds(&text)
        {
            return text;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{} does not come to what is awaited", path.display());
}

/// How many events a checkpoint speaks of.
fn size(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

#[test]
fn what_is_added_to_a_trail_under_any_name_is_seen() {
    let home = tempfile::tempdir().unwrap();
    let (data, files) = (home.path().join("data"), home.path().join("files"));
    let service = Service::start(&data);
    work(&service, 10);
    service.stop();
    let export = ["events", "export", "--format", "cloudtrail", "--data", data.to_str().unwrap()];
    text(&keyward(None, &[&export[..], &["--to", files.to_str().unwrap()]].concat()));
    let check = |folder: &Path| {
        let args = ["audit", "verify-files", folder.to_str().unwrap(), "-o", "json"];
        let output = keyward(None, &args);
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, said) = check(&files);
    assert_eq!((code, &said["LogFiles"]), (Some(0), &json!(1)), "{said}");
    let mut folder = files.join("AWSLogs");
    while fs::read_dir(&folder).unwrap().all(|entry| entry.unwrap().path().is_dir()) {
        let inside = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        folder = inside.min().unwrap();
    }
    let log = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let within = folder.strip_prefix(&files).unwrap().to_str().unwrap();
    for name in ["a b.json.gz", "a+b.json.gz", "linked.json.gz"] {
        let state = tempfile::tempdir().unwrap();
        copy(&files, state.path());
        let object = format!("{within}/{name}");
        if name == "linked.json.gz" {
            std::os::unix::fs::symlink(&log, state.path().join(&object)).unwrap();
        } else {
            fs::copy(&log, state.path().join(&object)).unwrap();
        }
        let (code, said) = check(state.path());
        assert_eq!(code, Some(9), "{said}");
        let finding = &said["Findings"][0];
        assert_eq!(finding["Object"], json!(object), "{said}");
        let words = "it is no plain file with a plain name";
        assert!(finding["Problem"].as_str().unwrap().starts_with(words), "{said}");
    }
}

#[test]
fn a_second_service_cosigns_and_does_not_forget() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let (log, fork, witness) = (path("log"), path("fork"), path("witness"));
    let service = Service::start(&log);
    let key = text(&keyward(Some(&service), &["audit", "key"])).trim().to_owned();
    work(&service, 10);
    let alone = kept(home.path(), "alone", &keyward(Some(&service), &["audit", "checkpoint"]));
    service.stop();
    copy(&log, &fork);
    let idle = Service::start(&witness);
    let cosigner = text(&keyward(Some(&idle), &["audit", "witness-key"])).trim().to_owned();
    let alone_note = fs::read_to_string(&alone).unwrap();
    assert_eq!(add_checkpoint(&idle, &format!("old 0\n\n{alone_note}")).0, 404, "no witness yet");
    idle.stop();

    let asked = Service::start_with(&witness, &["--witness-log", &key]);
    let with = |service: &Service, file: &Path| {
        let url = format!("http://{}={cosigner}", service.address);
        let file = file.to_str().unwrap().to_owned();
        ["--witness", &url, "--witness-quorum", "1", "--checkpoint-seconds", "1"]
            .map(str::to_owned)
            .into_iter()
            .chain(["--checkpoint-file".to_owned(), file])
            .collect::<Vec<String>>()
    };
    let start = |data: &Path, args: &[String]| {
        Service::start_with(data, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let file = path("published");
    let service = start(&log, &with(&asked, &file));
    let first = awaited(&file, |_| true);
    work(&service, 20);
    let cosigned = awaited(&file, |note| size(&first) < size(note));
    let demand = ["--key", &key, "--witness", &cosigner];
    let consistent = |service: &Service, checkpoint: &Path| {
        let args = ["audit", "consistent", checkpoint.to_str().unwrap()];
        keyward(Some(service), &[&args[..], &demand].concat())
    };
    let file_kept = path("cosigned");
    fs::write(&file_kept, &cosigned).unwrap();
    assert_eq!(consistent(&service, &file_kept).status.code(), Some(0));
    // An event is proven under a cosigned checkpoint, though one without cosignatures speaks of it before.
    let plain = kept(home.path(), "plain", &keyward(Some(&service), &["audit", "checkpoint"]));
    let plain = size(&fs::read_to_string(plain).unwrap());
    let newest = text(&keyward(Some(&service), &["events", "list", "--limit", "1", "-o", "json"]));
    let newest: Value = serde_json::from_str(&newest).unwrap();
    let id = newest["eventID"].as_str().unwrap();
    work(&service, 1);
    awaited(&file, |note| plain < size(note));
    let proof = kept(home.path(), "proof", &keyward(Some(&service), &["audit", "prove", id]));
    let args = ["audit", "check-proof", proof.to_str().unwrap()];
    let checked = keyward(None, &[&args[..], &demand].concat());
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    // The same words without the cosignature are not enough.
    let refused = consistent(&service, &alone);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("1 witnesses are needed, and 0 have signed"), "{said}");
    service.stop();
    let (store, other) = (log.to_str().unwrap(), fork.to_str().unwrap());
    assert_eq!(verified(&["--data", store, "--witness", &cosigner]), None);
    let said = verified(&["--data", other, "--witness", &cosigner]).unwrap();
    assert!(said.contains("no checkpoint is cosigned by 1 witnesses"), "{said}");

    // Killed, and started again: it goes on from where it was.
    let seen = size(&awaited(&file, |_| true));
    asked.kill();
    let asked = Service::start_with(&witness, &["--witness-log", &key]);
    let conflict = (409, format!("{seen}\n"));
    assert_eq!(add_checkpoint(&asked, &format!("old 0\n\n{cosigned}")), conflict);
    assert_eq!(add_checkpoint(&asked, "old 0\n").0, 400);
    // The line of the size, whose digits the origin may hold too.
    let forged = cosigned.replacen(&format!("\n{}\n", size(&cosigned)), "\n9\n", 1);
    assert_eq!(add_checkpoint(&asked, &format!("old {seen}\n\n{forged}")).0, 403);

    // Another future of the same log, under the same key.
    let forked = path("forked");
    let service = start(&fork, &with(&asked, &forked));
    work(&service, 60);
    let note = text(&keyward(Some(&service), &["audit", "checkpoint"]));
    assert!(seen < size(&note));
    assert_eq!(add_checkpoint(&asked, &format!("old 0\n\n{note}")), conflict);
    assert_eq!(add_checkpoint(&asked, &format!("old {seen}\n\n{note}")).0, 422);
    let metrics = |service: &Service| {
        let mut answer = ureq::get(format!("http://{}/metrics", service.address)).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    let failed = "kms_checkpoint_publications_total{result=\"failure\",target=\"witness\"} 0";
    for _ in 0..6_000 {
        if !metrics(&service).contains(failed) {
            break;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    assert!(!metrics(&service).contains(failed), "the fork was refused and counted");
    service.stop();
    assert!(!forked.exists(), "what no witness has seen is not published");

    // The log itself is cosigned further.
    let service = start(&log, &with(&asked, &file));
    work(&service, 5);
    awaited(&file, |note| seen < size(note));
    service.stop();
    asked.stop();

    // A witness from which its memory was taken does not begin anew: it could sign the fork.
    fs::remove_dir_all(witness.join("witness")).unwrap();
    let asked = Service::start_with(&witness, &["--witness-log", &key]);
    assert_eq!(add_checkpoint(&asked, &format!("old 0\n\n{note}")).0, 500);
    asked.stop();
}

#[test]
fn a_webhook_gets_the_newest_checkpoint_also_when_it_failed_at_first() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let hook = thread::spawn(move || {
        ["500 No", "204 Yes"].map(|status| {
            let (mut socket, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(head.as_bytes()).unwrap();
            String::from_utf8(body).unwrap()
        })
    });
    let service = Service::start_with(&home.path().join("data"), &["--checkpoint-webhook", &url]);
    let [first, second] = hook.join().unwrap();
    assert_eq!(first.lines().next().unwrap(), second.lines().next().unwrap());
    let key = text(&keyward(Some(&service), &["audit", "key"])).trim().to_owned();
    let note = home.path().join("note");
    fs::write(&note, &second).unwrap();
    let args = ["audit", "consistent", note.to_str().unwrap(), "--key", &key];
    assert_eq!(keyward(Some(&service), &args).status.code(), Some(0));
    service.stop();
}
