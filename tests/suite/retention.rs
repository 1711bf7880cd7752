//! The journal over years: segments are sealed, copied to an archive and leave; what remains is proven as before, what
//! left can be read from the archive, and each way to lie about it is found.

use super::{
    audit::{answered, copy, kept, keyward, text, verified, work},
    crash::Service,
};
use keyward_server::retention::{JournalSettings, Keeper, Kept};
use keyward_store::Silent;
use keyward_testkit::TestService;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

const DAY: i64 = 86_400;

fn keeper(archive: Option<&Path>, keep_days: Option<u32>) -> Keeper {
    let archive = archive.map(|path| path.to_str().unwrap().to_owned());
    Keeper::new(&JournalSettings { archive, keep_days, ..JournalSettings::default() }, None)
        .unwrap()
}

fn sealed_files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sealed"))
        .collect();
    found.sort();
    found
}

/// A clock that is wrong for a moment must not end every retention at once.
#[test]
fn nothing_leaves_by_a_clock_that_leapt_before_it_has_stood_for_a_day() {
    let service = TestService::start();
    let keeper = keeper(None, Some(30));
    let root = service.root();
    for _ in 0..5 {
        service.kms(&root, "CreateKey", &json!({}));
    }
    service.clock.advance_seconds(2 * DAY);
    assert_eq!(keeper.look(&service.engine).unwrap().sealed, 1);
    let total = service.engine.store().events_total();
    service.clock.jump_seconds(3_650 * DAY);
    for hours in [0, 12, 11] {
        service.clock.advance_seconds(hours * 3_600);
        let said = keeper.look(&service.engine).unwrap_err();
        assert!(said.contains("3650 days ahead of what was lived through"), "{said}");
    }
    assert_eq!(service.engine.store().first_event(), 0);
    // It was right after all.
    service.clock.advance_seconds(2 * 3_600);
    assert_eq!(keeper.look(&service.engine).unwrap().first_event, Some(total));
}

#[test]
fn events_leave_when_their_time_is_over_and_the_log_says_so() {
    let service = TestService::start();
    let archive = tempfile::tempdir().unwrap();
    let keeper = keeper(Some(archive.path()), Some(30));
    let root = service.root();
    let make = |_| service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/KeyId");
    let keys: Vec<String> = (0..20).map(make).collect();
    let first = service.events().last().unwrap()["eventID"].as_str().unwrap().to_owned();
    let early = service.engine.checkpoint().unwrap();
    assert_eq!(
        keeper.look(&service.engine).unwrap(),
        Kept::default(),
        "a young segment stays open"
    );

    service.clock.advance_seconds(DAY + 1);
    let one = Kept { sealed: 1, archived: 1, first_event: None };
    assert_eq!(keeper.look(&service.engine).unwrap(), one);
    assert_eq!(keeper.look(&service.engine).unwrap(), Kept::default(), "there is nothing new");
    let total = service.engine.store().events_total();
    service.kms(&root, "ScheduleKeyDeletion", &json!({"KeyId": keys[0]}));
    service.clock.advance_seconds(28 * DAY);
    let kept = keeper.look(&service.engine).unwrap();
    assert_eq!(kept, Kept { sealed: 1, archived: 1, first_event: None }, "30 days are not over");
    service.clock.advance_seconds(DAY + DAY / 2);
    let kept = keeper.look(&service.engine).unwrap();
    assert_eq!(kept.first_event, Some(total));

    // The log says what left, and where it is.
    let events = service.events();
    let names: Vec<&Value> = events.iter().map(|event| &event["eventName"]).collect();
    assert!(!names.contains(&&json!("CreateKey")), "{names:?}");
    let said = events.iter().find(|event| event["eventName"] == "RetireEvents").unwrap();
    let details = &said["serviceEventDetails"];
    assert_eq!((&details["firstEvent"], &details["nextEvent"]), (&json!(0), &json!(total)));
    assert_eq!(details["archive"], json!(archive.path().to_str().unwrap()));
    let first = uuid::Uuid::parse_str(&first).unwrap();
    assert_eq!(service.engine.store().event_by_id(first).unwrap(), None);
    // Everything but the events is as it was.
    let described = service.kms(&root, "DescribeKey", &json!({"KeyId": keys[7]}));
    assert_eq!(described.text("/KeyMetadata/KeyState"), "Enabled");
    // What remains is proven, and it continues what was signed of what left.
    let now = service.engine.checkpoint().unwrap();
    let (old, new) = (early.unverified(), now.unverified());
    let path = service.engine.prove_consistency(old.size, new.size).unwrap().unwrap();
    keyward_trail::merkle::verify_consistency(old.size, &old.root, new.size, &new.root, &path)
        .unwrap();
    let id = uuid::Uuid::parse_str(said["eventID"].as_str().unwrap()).unwrap();
    let event = service.engine.store().event_by_id(id).unwrap().unwrap();
    let proof = service.engine.prove(&event).unwrap();
    let leaf = keyward_trail::merkle::leaf_hash(&event.record);
    let key = service.engine.log_key().unwrap();
    let log = core::slice::from_ref(&key);
    let trust =
        keyward_trail::checkpoint::Trust { origin: key.name(), log, witnesses: &[], quorum: 0 };
    proof.verify(&leaf, &trust, &keyward_engine::log::log_verifier).unwrap();
}

#[test]
fn an_archive_that_cannot_be_reached_holds_the_events_back() {
    let service = TestService::start();
    let folder = tempfile::tempdir().unwrap();
    // A file stands where the folder should be.
    let archive = folder.path().join("archive");
    fs::write(&archive, "in the way").unwrap();
    let keeper = keeper(Some(&archive), Some(1));
    service.kms(&service.root(), "CreateKey", &json!({}));
    let total = service.engine.store().events_total();
    service.clock.advance_seconds(3 * DAY);
    keeper.look(&service.engine).unwrap_err();
    assert_eq!(service.engine.store().first_event(), 0);
    fs::remove_file(&archive).unwrap();
    let kept = keeper.look(&service.engine).unwrap();
    assert_eq!((kept.archived, kept.first_event), (1, Some(total)));
}

#[test]
fn a_damaged_segment_is_not_archived_and_a_damaged_copy_is_replaced() {
    let service = TestService::start();
    let folder = tempfile::tempdir().unwrap();
    let root = service.root();
    // Two segments that are closed and sealed.
    for _ in 0..2 {
        service.kms(&root, "CreateKey", &json!({}));
        service.clock.advance_seconds(2 * DAY);
        assert_eq!(keeper(None, None).look(&service.engine).unwrap().sealed, 1);
    }
    let segments = service.engine.sealed_segments().unwrap();
    let [first, second] = segments.as_slice() else { panic!("{segments:?}") };
    let whole = fs::read(&second.path).unwrap();
    let mut bytes = whole.clone();
    bytes[300] ^= 1;
    fs::write(&second.path, &bytes).unwrap();
    let with = || keeper(Some(folder.path()), Some(1));
    let said = with().look(&service.engine).unwrap_err();
    let path = second.path.display();
    assert!(said.starts_with(&format!("segment 2 ({path}) is damaged")), "{said}");
    // What came before it is archived and has left: the damage holds back nothing else.
    let archived = || {
        let logs = folder.path().join("keyward");
        let log = fs::read_dir(logs).unwrap().next().unwrap().unwrap().path();
        sealed_files(&log)
    };
    assert_eq!(archived().len(), 1, "the damaged one is not");
    assert_eq!(service.engine.store().first_event(), first.facts.events.1);
    // Put back, it is archived as it was.
    fs::write(&second.path, &whole).unwrap();
    let unhurried = || keeper(Some(folder.path()), Some(1_000));
    assert_eq!(unhurried().look(&service.engine).unwrap().archived, 1);
    let copy = archived()[1].clone();
    assert_eq!(fs::read(&copy).unwrap(), whole);
    // A copy that is damaged, or was cut off, is replaced; another segment is not.
    for (is_copy, there) in [
        (true, bytes),
        (true, whole[..whole.len() - 9].to_vec()),
        (false, fs::read(&archived()[0]).unwrap()),
    ] {
        fs::write(&copy, &there).unwrap();
        let looked = unhurried().look(&service.engine);
        if is_copy {
            assert_eq!(looked.unwrap().archived, 1);
            assert_eq!(fs::read(&copy).unwrap(), whole);
        } else {
            let said = looked.unwrap_err();
            assert!(said.contains("is another segment than this store's segment 2"), "{said}");
            assert_eq!(fs::read(&copy).unwrap(), there);
        }
    }
}

/// A stopped store, opened without serving it.
fn opened(data: &Path) -> keyward_server::Opened {
    let config = keyward_server::Config {
        data: Some(data.to_owned()),
        root_credentials: None,
        ..keyward_server::Config::dev()
    };
    keyward_server::open(&config, &Silent).unwrap()
}

/// Seals all that a stopped store holds, and lets the oldest segments go until so many are left.
fn put_away(data: &Path, left: usize) {
    let opened = opened(data);
    let engine = &opened.engine;
    engine.store().close_segment().unwrap();
    engine.seal_segments().unwrap();
    let sealed = engine.sealed_segments().unwrap();
    if let Some(last) = sealed.len().checked_sub(left + 1).and_then(|at| sealed.get(at)) {
        engine.retire_segments(last, "a test", None).unwrap();
    }
}

#[test]
fn a_store_without_its_first_events_is_verified_and_each_lie_is_found() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let data = path("data");
    let service = Service::start(&data);
    let key = text(&keyward(Some(&service), &["audit", "key"])).trim().to_owned();
    let mut checkpoints = Vec::new();
    service.stop();
    // Three segments, and a checkpoint inside each.
    for part in 0..3 {
        let service = Service::start(&data);
        work(&service, 120);
        let name = format!("kept-{part}");
        let output = keyward(Some(&service), &["audit", "checkpoint"]);
        checkpoints.push(kept(home.path(), &name, &output));
        work(&service, 30);
        service.stop();
        put_away(&data, 3);
    }
    let archive = path("archive");
    fs::create_dir(&archive).unwrap();
    for file in sealed_files(&data.join("journal")) {
        fs::copy(&file, archive.join(file.file_name().unwrap())).unwrap();
    }
    let export = ["events", "export", "--data", data.to_str().unwrap()];
    let all: Vec<String> = text(&keyward(None, &export)).lines().map(str::to_owned).collect();
    copy(&data, &path("whole"));
    put_away(&data, 1);

    // Files beside the segments that are called nearly so are nobody's, and in nobody's way.
    let strangers = ["1.seg", "1.sealed", "9.seg", "+0000001.seg"].map(|name| {
        let stranger = path("whole").join("journal").join(name);
        fs::write(&stranger, "not a segment").unwrap();
        stranger
    });
    assert_eq!(verified(&["--data", path("whole").to_str().unwrap()]), None);
    Service::start(&path("whole")).stop();
    strangers.iter().for_each(|stranger| fs::remove_file(stranger).unwrap());

    // What is left holds, against itself and against every checkpoint that was kept.
    let held = |data: &Path, kept: &Path| {
        verified(&["--data", data.to_str().unwrap(), "--checkpoint", kept.to_str().unwrap()])
    };
    for kept in &checkpoints {
        assert_eq!(held(&data, kept), None);
        assert_eq!(held(&path("whole"), kept), None);
    }
    // So does an export of it, with its hashes; and with hashes of the time when nothing had left.
    let (export, hashes) = (path("export"), path("hashes"));
    let of = |data: &Path, hashes: &Path| {
        let args = ["events", "export", "--data", data.to_str().unwrap(), "--hashes"];
        text(&keyward(None, &[&args[..], &[hashes.to_str().unwrap()]].concat()))
    };
    let left = of(&data, &hashes);
    let gone = all.len() - left.lines().count() + 1;
    assert!(300 < gone && left.contains("RetireEvents"), "{gone}");
    of(&path("whole"), &path("old.hashes"));
    fs::write(&export, &left).unwrap();
    let exported = |against: &[(&str, &Path)]| {
        let mut args = vec!["--export", export.to_str().unwrap(), "--key", &key];
        against.iter().for_each(|(flag, file)| args.extend([*flag, file.to_str().unwrap()]));
        answered(&args)
    };
    let old = path("old.hashes");
    for against in [
        &[("--hashes", hashes.as_path())][..],
        &[("--hashes", &hashes), ("--checkpoint", &checkpoints[0])],
        &[("--hashes", &hashes), ("--checkpoint", &checkpoints[2])],
        &[("--hashes", &hashes), ("--hashes", &old)],
    ] {
        let (code, said) = exported(against);
        assert_eq!((code, &said["FirstEvent"]), (Some(0), &json!(gone)), "{said}");
    }
    // A checkpoint alone does not know where it begins, and says so.
    assert_eq!(exported(&[("--checkpoint", &checkpoints[2])]).0, Some(2));
    fs::write(&export, left.split_once('\n').unwrap().1).unwrap();
    let (code, said) = exported(&[("--hashes", &hashes)]);
    assert_eq!((code, &said["Problem"]), (Some(9), &json!(format!("event {gone} was removed"))));
    // The archive alone holds under the public key, and opens with the root key.
    let check = |folder: &Path, key: &str| {
        let folder = folder.to_str().unwrap();
        let args = ["audit", "verify-segments", folder, "--key", key, "-o", "json"];
        let output = keyward(None, &args);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), said["Problem"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(check(&archive, &key).0, Some(0));
    let (folder, store) = (archive.to_str().unwrap(), data.to_str().unwrap());
    let read = text(&keyward(None, &["events", "archived", folder, "--data", store]));
    let read: Vec<&str> = read.lines().collect();
    assert!(450 < read.len() && read.len() <= all.len(), "{}", read.len());
    assert_eq!(read, all[..read.len()]);

    // Where it begins and how far it reaches is said, and can be demanded.
    let demand = |folder: &Path, more: &[&str]| {
        let folder = folder.to_str().unwrap();
        let args = ["audit", "verify-segments", folder, "--key", &key, "-o", "json"];
        let output = keyward(None, &[&args[..], more].concat());
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), said)
    };
    let kept_early = checkpoints[0].to_str().unwrap();
    let (code, said) = demand(&archive, &["--from", "0", "--checkpoint", kept_early]);
    let whole = (&json!(0), &json!(read.len()));
    assert_eq!((code, (&said["FirstEvent"], &said["NextEvent"])), (Some(0), whole), "{said}");
    let (code, said) = demand(&archive, &["--from", "1"]);
    assert_eq!(code, Some(9), "{said}");
    let files = sealed_files(&archive);
    let short = path("short");
    copy(&archive, &short);
    fs::remove_file(short.join(files[0].file_name().unwrap())).unwrap();
    let (code, said) = demand(&short, &[]);
    let from = said["FirstEvent"].as_u64().unwrap();
    assert_eq!(code, Some(0), "what is there holds: {said}");
    assert!(0 < from, "{said}");
    let (code, said) = demand(&short, &["--from", "0"]);
    assert_eq!(code, Some(9), "{said}");
    let words = format!("the first event is {from}, not 0");
    assert!(said["Problem"].as_str().unwrap().starts_with(&words), "{said}");
    let archived = |folder: &Path| {
        keyward(None, &["events", "archived", folder.to_str().unwrap(), "--data", store])
    };
    let output = archived(&short);
    assert_eq!(text(&output).lines().count() as u64 + from, read.len() as u64);
    let begins = format!("it begins with event {from}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(&begins));
    copy(&archive, &short);
    fs::remove_file(short.join(files.last().unwrap().file_name().unwrap())).unwrap();
    let (code, said) = demand(&short, &["--checkpoint", checkpoints[2].to_str().unwrap()]);
    let next = &said["NextEvent"];
    assert_eq!((code, &said["Intact"]), (Some(6), &json!(false)), "{said}");
    assert!(
        said["Problem"].as_str().unwrap().starts_with(&format!("events from {next} to ")),
        "{said}"
    );
    // A segment that is missing between, and one that is there twice: nothing is read of either.
    for (what, alter) in [
        (
            "missing",
            &(|folder: &Path| fs::remove_file(folder.join(files[1].file_name().unwrap())))
                as &dyn Fn(&Path) -> std::io::Result<()>,
        ),
        ("twice", &|folder: &Path| {
            fs::copy(&files[1], folder.join("00000002-again.sealed")).map(drop)
        }),
        ("damaged", &|folder: &Path| {
            let file = folder.join(files[1].file_name().unwrap());
            let mut bytes = fs::read(&file)?;
            bytes[300] ^= 1;
            fs::write(file, bytes)
        }),
    ] {
        let state = tempfile::tempdir().unwrap();
        copy(&archive, state.path());
        alter(state.path()).unwrap();
        let output = archived(state.path());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(9), 0), "{what}");
    }

    // The archive, tampered with.
    let name = |at: usize| files[at].file_name().unwrap().to_str().unwrap().to_owned();
    let middle = files.len() / 2;
    let altered = |what: &str, alter: &dyn Fn(&Path)| {
        let state = tempfile::tempdir().unwrap();
        copy(&archive, state.path());
        alter(state.path());
        let (code, said) = check(state.path(), &key);
        assert_eq!(code, Some(9), "{what}: {said}");
        said
    };
    let said = altered("a byte", &|folder| {
        let mut bytes = fs::read(folder.join(name(middle))).unwrap();
        bytes[300] ^= 1;
        fs::write(folder.join(name(middle)), bytes).unwrap();
    });
    assert_eq!(
        said,
        format!("{}: its bytes are not those that its footer was signed over", name(middle))
    );
    let said =
        altered("a missing segment", &|folder| fs::remove_file(folder.join(name(middle))).unwrap());
    assert!(
        said.ends_with("stands where segment ".to_owned().as_str()) || said.contains("belongs"),
        "{said}"
    );
    let said = altered("segments that changed places", &|folder| {
        fs::rename(folder.join(name(middle)), folder.join("x")).unwrap();
        fs::rename(folder.join(name(middle - 1)), folder.join(name(middle))).unwrap();
        fs::rename(folder.join("x"), folder.join(name(middle - 1))).unwrap();
    });
    assert!(said.contains("belongs"), "{said}");
    let said = altered("a cut end", &|folder| {
        let bytes = fs::read(folder.join(name(middle))).unwrap();
        fs::write(folder.join(name(middle)), &bytes[..bytes.len() - 200]).unwrap();
    });
    assert!(said.contains("no sealed segment"), "{said}");
    let said = altered("words that nobody signed", &|folder| {
        let mut bytes = fs::read(folder.join(name(middle))).unwrap();
        let at = bytes.windows(7).rposition(|window| window == b"events ").unwrap();
        bytes[at + 7] = if bytes[at + 7] == b'9' { b'8' } else { b'9' };
        fs::write(folder.join(name(middle)), bytes).unwrap();
    });
    assert!(said.contains("does not verify"), "{said}");
    let other = Service::start(&path("other"));
    let stranger = text(&keyward(Some(&other), &["audit", "key"])).trim().to_owned();
    other.stop();
    let (code, said) = check(&archive, &stranger);
    assert_eq!(code, Some(9), "{said}");

    // The store, tampered with by somebody who holds the root key: another log's footer, and a forged past.
    put_away(&path("other"), 9);
    let state = path("state");
    copy(&path("whole"), &state);
    let sealed = sealed_files(&state.join("journal"));
    let mut bytes = fs::read(&sealed[0]).unwrap();
    let at = bytes.windows(5).rposition(|window| window == b"root ").unwrap();
    bytes[at + 5] ^= 1;
    fs::write(&sealed[0], bytes).unwrap();
    let said = verified(&["--data", state.to_str().unwrap()]).unwrap();
    assert!(said.contains("the footer of segment"), "{said}");
    let service = Service::start(&path("fork"));
    work(&service, 50);
    service.stop();
    put_away(&path("fork"), 0);
    let said = held(&path("fork"), &checkpoints[0]).unwrap();
    assert!(said.contains("is not this log's"), "{said}");
    // The same root key and log, another history: what was kept of the real one is not in its past.
    let early = path("early");
    Service::start(&early).stop();
    copy(&early, &path("late"));
    let service = Service::start(&early);
    work(&service, 300);
    let real = kept(home.path(), "real", &keyward(Some(&service), &["audit", "checkpoint"]));
    service.stop();
    let service = Service::start(&path("late"));
    work(&service, 1_100);
    service.stop();
    put_away(&path("late"), 0);
    assert_eq!(verified(&["--data", path("late").to_str().unwrap()]), None);
    let said = held(&path("late"), &real).unwrap();
    assert!(said.contains("this log does not know of it"), "{said}");
    // More than a bucket of the tree left: its leaves are gone, and what remains is proven without them.
    fs::write(&export, of(&path("late"), &hashes)).unwrap();
    let args = ["audit", "key"];
    let service = Service::start(&path("late"));
    let late_key = text(&keyward(Some(&service), &args)).trim().to_owned();
    service.stop();
    let (file, hashes) = (export.to_str().unwrap(), hashes.to_str().unwrap());
    let args = ["--export", file, "--key", &late_key, "--hashes", hashes];
    let (code, said) = answered(&args);
    assert_eq!(code, Some(0), "{said}");
    let first = said["FirstEvent"].as_u64().unwrap();
    assert!(1_024 < first, "{said}");
    // A size of which nothing was kept is nobody's mistake but the asker's.
    let refused = opened(&path("late")).engine.prove_consistency(3, first + 1).unwrap_err();
    assert_eq!(refused.code, keyward_types::ErrorCode::NotFound);
    let said = refused.message.unwrap();
    assert!(
        said.contains(&format!("those before event {first} left it by its retention")),
        "{said}"
    );
    // And the service goes on where events left.
    let service = Service::start(&data);
    work(&service, 10);
    // Of what left it proves what it kept, and says so of the rest.
    let first: Value = serde_json::from_str(&all[0]).unwrap();
    let left = keyward(Some(&service), &["audit", "prove", first["eventID"].as_str().unwrap()]);
    let said = String::from_utf8(left.stderr).unwrap();
    assert_eq!(left.status.code(), Some(3), "{said}");
    assert!(said.contains("left the log by its retention"), "{said}");
    let later = "ffffffff-ffff-7fff-bfff-ffffffffffff";
    let never = keyward(Some(&service), &["audit", "prove", later]);
    assert_eq!(never.status.code(), Some(3));
    assert!(!String::from_utf8_lossy(&never.stderr).contains("retention"));
    let args = ["audit", "consistent", checkpoints[0].to_str().unwrap(), "--key", &key];
    assert_eq!(keyward(Some(&service), &args).status.code(), Some(0));
    service.stop();
    assert_eq!(held(&data, &checkpoints[2]), None);
}
