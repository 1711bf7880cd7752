//! The real binary under load, killed, cut off from power and given damaged files: what was acknowledged
//! in `commit` mode must be there, what was revoked must stay revoked, and the log must verify.
//!
//! The load is seeded and the seed printed; the moment of a kill is the machine's. `KEYWARD_ROUNDS` has more kills or
//! cuts than CI.
//! A power cut is an ext4 file system in a file, shut down without flushing its log; it needs root.

use keyward_sigv4::{Credentials, Request, Scope, sign};
use keyward_testkit::{clients, knobs};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

const KILLS: u32 = 100;
const POWER_CUTS: u32 = 20;
const CLIENTS: usize = 4;

/// What the service acknowledged.
#[derive(Clone, Default)]
struct Ledger {
    keys: Vec<String>,
    aliases: Vec<(String, String)>,
    grants: Vec<(String, String)>,
    revoked: Vec<(String, String)>,
    ciphertexts: Vec<(String, String)>,
    requests: Vec<String>,
}

impl Ledger {
    /// Forgets what was acknowledged after `before`. A grant whose revocation was asked for since is in doubt,
    /// and is in neither list.
    fn go_back_to(&mut self, mut before: Self) {
        before.grants.retain(|grant| self.grants.contains(grant));
        *self = before;
    }
}

/// A pseudo-random sequence that a seed repeats. <https://prng.di.unimi.it/splitmix64.c>
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// The service in a process of its own, over a store that outlives it.
pub(super) struct Service {
    child: Child,
    pub(super) address: String,
}

/// Another process may take the free port first.
const PORTS: u32 = 3;

impl Service {
    pub(super) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// With further arguments of `keyward dev`.
    pub(super) fn start_with(data: &Path, further: &[&str]) -> Self {
        let mut why = String::new();
        for _ in 0..PORTS {
            match Self::try_start_with(data, further) {
                Ok(service) => return service,
                Err(log) => why = log,
            }
            if !why.contains("Address already in use") {
                break;
            }
        }
        panic!("the service does not start:\n{why}")
    }

    pub(super) fn try_start(data: &Path) -> Result<Self, String> {
        Self::try_start_with(data, &[])
    }

    fn try_start_with(data: &Path, further: &[&str]) -> Result<Self, String> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let log = data.with_extension("log");
        let child = Command::new(clients::binary())
            .args(["dev", "--durability", "commit", "--listen", &address, "--data"])
            .arg(data)
            .args(further)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut service = Self { child, address };
        let deadline = now() + Duration::from_secs(60);
        while now() < deadline {
            if let Some(status) = service.child.try_wait().unwrap() {
                return Err(format!("{status}: {}", fs::read_to_string(&log).unwrap()));
            }
            // Another process may have taken the port, and answers there.
            let listens = fs::read_to_string(&log).unwrap().contains(&service.address);
            if listens && ureq::get(format!("http://{}/readyz", service.address)).call().is_ok() {
                return Ok(service);
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        Err(format!("not ready after a minute: {}", fs::read_to_string(&log).unwrap()))
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "a stop is orderly");
    }
}

/// A client with a connection that it keeps.
pub(super) struct Client {
    agent: ureq::Agent,
    address: String,
}

impl Client {
    pub(super) fn of(service: &Service) -> Self {
        Self::at(service.address.clone())
    }

    pub(super) fn at(address: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(20)));
        Self { agent: config.build().into(), address }
    }

    /// Status, body and request id; `None` when there was no whole answer.
    pub(super) fn call(&self, operation: &str, input: &Value) -> Option<(u16, Value, String)> {
        let (body, target) = (input.to_string(), format!("TrentService.{operation}"));
        let headers = [
            ("host", self.address.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", &target),
        ];
        let request = Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let credentials =
            Credentials { access_key_id: "test", secret_access_key: "test", session_token: None };
        let seconds = wall_seconds();
        let added =
            sign(&request, &credentials, &Scope { region: "us-east-1", service: "kms" }, seconds);
        let mut builder = self.agent.post(format!("http://{}/", self.address));
        for (name, value) in headers
            .iter()
            .skip(1)
            .copied()
            .chain(added.iter().map(|(name, value)| (*name, value.as_str())))
        {
            builder = builder.header(name, value);
        }
        let mut response = builder.send(body.as_bytes()).ok()?;
        let id = response.headers().get("x-amzn-requestid")?.to_str().ok()?.to_owned();
        let text = response.body_mut().read_to_string().ok()?;
        let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).ok()? };
        Some((response.status().as_u16(), value, id))
    }

    pub(super) fn expect(&self, operation: &str, input: &Value) -> Value {
        let (status, value, _) =
            self.call(operation, input).unwrap_or_else(|| panic!("{operation}: no answer"));
        assert_eq!(status, 200, "{operation} {input}: {value}");
        value
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

/// One client's share of the load. Only what was answered enters the ledger.
fn drive(client: &Client, ledger: &Mutex<Ledger>, stop: &AtomicBool, seed: u64) {
    let mut random = Random(seed);
    while !stop.load(Ordering::Relaxed) && step(client, ledger, &mut random).is_some() {}
}

fn step(client: &Client, ledger: &Mutex<Ledger>, random: &mut Random) -> Option<()> {
    let key = {
        let ledger = ledger.lock().unwrap();
        let count = ledger.keys.len() as u64;
        (0 < count).then(|| ledger.keys[random.next(count) as usize].clone())
    };
    let (Some(key), dice) = (key, random.next(20)) else {
        return create(client, ledger);
    };
    match dice {
        0 => create(client, ledger),
        1 => {
            let name = format!("alias/a{}", random.next(u64::MAX));
            let id = acknowledged(
                client.call("CreateAlias", &json!({"AliasName": name, "TargetKeyId": key}))?,
            )?
            .1;
            let mut ledger = ledger.lock().unwrap();
            ledger.aliases.push((name, key));
            ledger.requests.push(id);
            Some(())
        }
        2 => {
            let input = json!({"KeyId": key, "GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": ["Decrypt"]});
            let (value, id) = acknowledged(client.call("CreateGrant", &input)?)?;
            let mut ledger = ledger.lock().unwrap();
            ledger.grants.push((key, text(&value, "/GrantId")));
            ledger.requests.push(id);
            Some(())
        }
        3 => {
            let Some((key, grant)) = ledger.lock().unwrap().grants.pop() else { return Some(()) };
            // From here it may be revoked or not, until the answer says so.
            let id = acknowledged(
                client.call("RevokeGrant", &json!({"KeyId": key, "GrantId": grant}))?,
            )?
            .1;
            let mut ledger = ledger.lock().unwrap();
            ledger.revoked.push((key, grant));
            ledger.requests.push(id);
            Some(())
        }
        _ => {
            let plaintext = format!("{:04}", random.next(10_000));
            let (value, id) = acknowledged(
                client.call("Encrypt", &json!({"KeyId": key, "Plaintext": plaintext}))?,
            )?;
            let mut ledger = ledger.lock().unwrap();
            ledger.ciphertexts.push((text(&value, "/CiphertextBlob"), plaintext));
            ledger.requests.push(id);
            Some(())
        }
    }
}

fn create(client: &Client, ledger: &Mutex<Ledger>) -> Option<()> {
    let (value, id) = acknowledged(client.call("CreateKey", &json!({}))?)?;
    let mut ledger = ledger.lock().unwrap();
    ledger.keys.push(text(&value, "/KeyMetadata/KeyId"));
    ledger.requests.push(id);
    Some(())
}

/// The body and request id of a success. Any refusal is a failed test: nothing here asks for one.
fn acknowledged((status, value, id): (u16, Value, String)) -> Option<(Value, String)> {
    match status {
        200 => Some((value, id)),
        // The disk went away under the service.
        500 | 503 => None,
        _ => panic!("{status}: {value}"),
    }
}

/// Puts the service under load for some milliseconds, then does `end`, which ends it.
fn under_load(service: Service, ledger: &Arc<Mutex<Ledger>>, seed: u64, end: impl FnOnce(Service)) {
    let mut random = Random(seed);
    let stop = Arc::new(AtomicBool::new(false));
    let drivers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, ledger, stop, seed) = (
                Client::of(&service),
                Arc::clone(ledger),
                Arc::clone(&stop),
                random.next(u64::MAX),
            );
            thread::spawn(move || drive(&client, &ledger, &stop, seed))
        })
        .collect();
    thread::park_timeout(Duration::from_millis(20 + random.next(180)));
    end(service);
    stop.store(true, Ordering::Relaxed);
    drivers.into_iter().for_each(|driver| driver.join().unwrap());
}

/// Everything from `since` on in the ledger is there, and nothing that was revoked is.
fn check(service: &Service, ledger: &Ledger, since: &Marks) {
    let client = Client::of(service);
    for key in &ledger.keys[since.keys..] {
        client.expect("DescribeKey", &json!({"KeyId": key}));
    }
    for (alias, key) in &ledger.aliases[since.aliases..] {
        assert_eq!(
            text(&client.expect("DescribeKey", &json!({"KeyId": alias})), "/KeyMetadata/KeyId"),
            *key
        );
    }
    for (key, grant) in &ledger.grants {
        let listed = client.expect("ListGrants", &json!({"KeyId": key, "GrantId": grant}));
        assert_eq!(listed["Grants"].as_array().unwrap().len(), 1, "grant {grant} of {key} is lost");
    }
    for (key, grant) in &ledger.revoked[since.revoked..] {
        let (status, value, _) =
            client.call("ListGrants", &json!({"KeyId": key, "GrantId": grant})).unwrap();
        assert!(status != 200 || value["Grants"] == json!([]), "grant {grant} of {key} came back");
    }
    for (blob, plaintext) in &ledger.ciphertexts[since.ciphertexts..] {
        assert_eq!(
            text(&client.expect("Decrypt", &json!({"CiphertextBlob": blob})), "/Plaintext"),
            *plaintext
        );
    }
}

/// How much of the ledger was checked already.
#[derive(Default)]
struct Marks {
    keys: usize,
    aliases: usize,
    revoked: usize,
    ciphertexts: usize,
}

impl Marks {
    fn of(ledger: &Ledger) -> Self {
        Self {
            keys: ledger.keys.len(),
            aliases: ledger.aliases.len(),
            revoked: ledger.revoked.len(),
            ciphertexts: ledger.ciphertexts.len(),
        }
    }
}

fn keyward(args: &[&str], data: &Path) -> std::process::Output {
    Command::new(clients::binary()).args(args).arg("--data").arg(data).output().unwrap()
}

/// The log verifies, and holds an event for every acknowledged request.
fn check_log(data: &Path, ledger: &Ledger) {
    let verified = keyward(&["audit", "verify", "-o", "json"], data);
    assert_eq!(
        verified.status.code(),
        Some(0),
        "{}{}",
        String::from_utf8_lossy(&verified.stdout),
        String::from_utf8_lossy(&verified.stderr)
    );
    let exported = keyward(&["events", "export"], data);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let found: BTreeSet<String> = String::from_utf8(exported.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["requestID"].as_str().map(str::to_owned)
        })
        .collect();
    let lost: Vec<&String> = ledger.requests.iter().filter(|id| !found.contains(*id)).collect();
    assert!(lost.is_empty(), "{} acknowledged requests left no event, {lost:?} first", lost.len());
}

fn seed() -> u64 {
    knobs::seed(wall_seconds().unsigned_abs())
}

/// In each round, of which `rounds` are enough in CI, `end` ends a service under load, for which the seed is given;
/// what it had acknowledged is checked after the next start, and everything once more at last.
fn survive(data: &Path, rounds: u32, what: &str, end: impl Fn(Service, &Arc<Mutex<Ledger>>, u64)) {
    let rounds = knobs::rounds(rounds);
    let (seed, ledger) = (seed(), Arc::new(Mutex::new(Ledger::default())));
    for round in 0..rounds {
        let marks = Marks::of(&ledger.lock().unwrap());
        end(Service::start(data), &ledger, seed.wrapping_add(u64::from(round)));
        let service = Service::start(data);
        check(&service, &ledger.lock().unwrap(), &marks);
        service.kill();
    }
    let service = Service::start(data);
    let ledger = ledger.lock().unwrap();
    check(&service, &ledger, &Marks::default());
    service.stop();
    check_log(data, &ledger);
    println!("{rounds} {what}, {} acknowledged requests, none lost", ledger.requests.len());
}

#[test]
fn nothing_acknowledged_is_lost_by_kills() {
    let folder = tempfile::tempdir().unwrap();
    survive(&folder.path().join("data"), KILLS, "kills", |service, ledger, seed| {
        under_load(service, ledger, seed, Service::kill);
    });
}

#[test]
fn nothing_acknowledged_is_lost_by_power_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match Disk::make(folder.path()) {
        Ok(disk) => disk,
        Err(why) => return clients::skip("power cuts", &clients::Skipped(why)),
    };
    survive(&disk.mount.join("data"), POWER_CUTS, "power cuts", |service, ledger, seed| {
        let switch = disk.arm();
        let mut before = None;
        under_load(service, ledger, seed, |service| {
            before = Some(ledger.lock().unwrap().clone());
            switch.cut();
            service.kill();
        });
        ledger.lock().unwrap().go_back_to(before.unwrap());
        disk.remount();
    });
}

/// A store with some history, closed in order.
fn stopped_store(data: &Path) -> Ledger {
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    under_load(Service::start(data), &ledger, 5, Service::stop);
    Arc::into_inner(ledger).unwrap().into_inner().unwrap()
}

#[test]
fn a_damaged_sled_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ledger = stopped_store(&data);
    let file = data.join("sled/db");
    let len = fs::metadata(&file).unwrap().len();
    let mut random = Random(11);
    for round in 0..6 {
        if round % 2 == 0 {
            flip_bit(&file, random.next(len.min(256 * 1024)));
        } else {
            fs::OpenOptions::new()
                .write(true)
                .open(&file)
                .unwrap()
                .set_len(random.next(len))
                .unwrap();
        }
        let service = Service::start(&data);
        check(&service, &ledger, &Marks::default());
        service.stop();
    }
    check_log(&data, &ledger);
}

#[test]
fn a_changed_journal_is_noticed_and_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    stopped_store(&data);
    let segment = fs::read_dir(data.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .min()
        .unwrap();
    let middle = fs::metadata(&segment).unwrap().len() / 2;
    flip_bit(&segment, middle);
    let verified = keyward(&["audit", "verify", "-o", "json"], &data);
    assert_eq!(verified.status.code(), Some(9), "{}", String::from_utf8_lossy(&verified.stdout));
    if let Ok(service) = Service::try_start(&data) {
        service.kill();
        panic!("a store with a changed journal was served");
    }
    flip_bit(&segment, middle);
    assert_eq!(keyward(&["audit", "verify"], &data).status.code(), Some(0), "whole again");
}

#[test]
fn a_store_without_sled_is_told_and_made_whole() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ledger = stopped_store(&data);
    fs::rename(data.join("sled"), folder.path().join("sled")).unwrap();
    let verified = keyward(&["audit", "verify"], &data);
    let said = String::from_utf8(verified.stdout).unwrap();
    assert_eq!(verified.status.code(), Some(9), "{said}");
    assert!(said.contains("the folder sled is not there") && said.contains("--journal"), "{said}");
    assert_eq!(keyward(&["audit", "verify", "--journal"], &data).status.code(), Some(0));
    let service = Service::start(&data);
    check(&service, &ledger, &Marks::default());
    service.stop();
    assert_eq!(keyward(&["audit", "verify"], &data).status.code(), Some(0));
}

#[test]
fn evidence_is_verified_where_nothing_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    stopped_store(&data);
    // What is derived is read through a copy, which is made elsewhere.
    let nowhere = folder.path().join("nowhere");
    let scratch = ["audit", "verify", "--scratch", nowhere.to_str().unwrap()];
    let verified = keyward(&scratch, &data);
    let said = String::from_utf8(verified.stderr).unwrap();
    assert_eq!(verified.status.code(), Some(1), "{said}");
    assert!(
        said.contains("a copy of sled cannot be made in") && said.contains("--journal"),
        "{said}"
    );
    fs::create_dir(&nowhere).unwrap();
    assert_eq!(keyward(&scratch, &data).status.code(), Some(0));
    assert_eq!(fs::read_dir(&nowhere).unwrap().count(), 0, "the copy is removed");

    let place = data.to_str().unwrap();
    let read_only = || {
        run("mount", &["--bind", place, place])?;
        run("mount", &["-o", "remount,bind,ro", place])
    };
    let mounted = Mounted(place.to_owned());
    if let Err(why) = read_only() {
        return clients::skip("a mount for reading alone", &clients::Skipped(why));
    }
    assert!(fs::write(data.join("x"), "").is_err(), "nothing can be written");
    for args in [&["audit", "verify"][..], &["audit", "verify", "--journal"]] {
        let verified = keyward(args, &data);
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert_eq!(verified.status.code(), Some(0), "{said}");
    }
    drop(mounted);
}

/// A mount that goes with the test.
struct Mounted(String);

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(run("umount", &["-l", &self.0]));
    }
}

#[test]
fn a_store_is_never_served_empty_or_older() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    stopped_store(&data);
    let segment = fs::read_dir(data.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max()
        .unwrap();
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &whole[..whole.len() / 2]).unwrap();
    assert!(Service::try_start(&data).is_err(), "an older store was served");
    fs::remove_file(&segment).unwrap();
    assert!(Service::try_start(&data).is_err(), "an empty store was served");
}

#[test]
fn a_wrong_root_key_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ledger = stopped_store(&data);
    let key = fs::read(data.join("root.key")).unwrap();
    let state = || fs::read(data.join("store.json")).unwrap();
    let before = state();
    fs::write(data.join("root.key"), "0".repeat(64)).unwrap();
    let refusal = Service::try_start(&data).err().expect("a wrong root key is refused");
    assert!(refusal.contains("root key"), "{refusal}");
    assert_eq!(state(), before, "nothing was changed");
    fs::write(data.join("root.key"), key).unwrap();
    let service = Service::start(&data);
    check(&service, &ledger, &Marks::default());
    service.stop();
}

fn flip_bit(path: &Path, offset: u64) {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
}

/// An ext4 file system in a file, which can lose its power.
struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    fn make(folder: &Path) -> Result<Self, String> {
        let disk = Self { image: folder.join("disk.img"), mount: folder.join("mount") };
        fs::create_dir(&disk.mount).unwrap();
        fs::File::create(&disk.image).unwrap().set_len(400 << 20).unwrap();
        run("mkfs.ext4", &["-q", "-F", disk.image.to_str().unwrap()])?;
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o", "loop", self.image.to_str().unwrap(), self.mount.to_str().unwrap()])
    }

    /// Gets ready to cut, so that the cut itself takes no time.
    fn arm(&self) -> Switch {
        let script = "import fcntl, os, struct, sys; fd = os.open(sys.argv[1], os.O_RDONLY); print(flush=True); sys.stdin.read(); fcntl.ioctl(fd, 0x8004587D, struct.pack('I', 2))";
        let mut armed = Command::new("python3")
            .args(["-c", script, self.mount.to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        armed.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Switch(armed)
    }

    fn remount(&self) {
        run("umount", &[self.mount.to_str().unwrap()]).unwrap();
        self.mount().unwrap();
    }
}

/// Cuts the power of a file system: `EXT4_IOC_SHUTDOWN` without flushing its log. What was not synced is gone.
///
/// Unlike a machine without power the kernel goes on, and a sync that the cut overtakes can still say that all
/// is well. What is answered from that moment on was not answered before the cut.
struct Switch(Child);

impl Switch {
    fn cut(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The test's own result is what counts; a mount left behind is only untidy.
        drop(run("umount", &["-l", self.mount.to_str().unwrap()]));
    }
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(args).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

#[expect(clippy::disallowed_methods, reason = "a deadline for another process")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "signatures for another process's clock, and a seed")]
pub(super) fn wall_seconds() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
}
