//! Real, unmodified clients against the real binary: where they are, and how they get there.
//!
//! | thing | where |
//! |---|---|
//! | the binary of this build | beside the running test, brought up to date by cargo |
//! | boto3, the AWS CLI, cryptography, PyJWT | `target/clients/venv`, from `tests/clients/requirements.txt` |
//! | a library on top of them, such as Tink | `target/clients/LIBRARY`, from `tests/clients/LIBRARY.txt` |
//! | Debian's Prometheus and Alertmanager | `target/clients/debian`, the packages of `tests/clients/debian.txt`, unpacked |
//! | the SMT solver cvc5 | on PATH, or Debian's in `target/clients/solver`: the package of `tests/clients/solver.txt` with its libraries, unpacked |
//! | AWS's managed policies | `target/clients/managed-policies`, from `tests/clients/managed-policies.txt` |
//! | the JavaScript SDK, and libraries on top of it | `target/clients/node`, from `tests/clients/package-lock.json` |
//! | the Rust SDK | `target/clients/rust-sdk`, from `tests/clients/rust-sdk` and its own lock file |
//!
//! What cannot be had is [`Skipped`] with the whole reason, printed past the test runner's capture; the last
//! such print lists all. It knows no story; those are in `tests/clients`.
//!
//! INVARIANT: one installation at a time, also across processes; an installation is used only when its
//! marker says that it was made from the files as they are now.

use crate::golden::tests_folder;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// A client that cannot be had here, and why: the whole output of what was tried.
#[derive(Clone, Debug)]
pub struct Skipped(pub String);

/// Says past the test runner's capture that `test` did not run, and what did not run so far.
pub fn skip(test: &str, Skipped(reason): &Skipped) {
    static SKIPPED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    skipped.insert(test.to_owned(), reason.clone());
    let list: String =
        skipped.iter().map(|(test, reason)| format!("SKIPPED: {test}: {reason}\n")).collect();
    // A whole write: `print!` would be kept back when the test passes.
    io::stderr().lock().write_all(list.as_bytes()).expect("stderr can be written");
}

/// Where cargo puts what it builds.
fn target_folder() -> PathBuf {
    profile_folder().parent().expect("a profile's folder lies in the target folder").to_owned()
}

/// Such as `target/debug`: two levels above the running test.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the running test has a path");
    test.ancestors().nth(2).expect("a test lies in deps").to_owned()
}

fn clients_folder() -> PathBuf {
    let folder = target_folder().join("clients");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// The `keyward` binary of this build and profile.
///
/// # Panics
/// With cargo's output, when it does not build.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let folder = profile_folder();
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let mut cargo = Command::new(env!("CARGO"));
        // By way of the package's own test, and with the workspace: so it stands on the very
        // dependencies that the tests were built on, instead of on all of them once more.
        cargo.args(["test", "--no-run", "--quiet", "--workspace", "--test", "command"]);
        cargo.args(["--profile", profile, "--target-dir"]).arg(target_folder());
        cargo.current_dir(tests_folder());
        run(&mut cargo)
            .unwrap_or_else(|Skipped(output)| panic!("the binary does not build: {output}"));
        folder.join("keyward")
    })
}

/// A running `keyward dev` on a free loopback port, with a store of its own. Dropping it kills it.
pub struct Dev {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

/// How often the service is asked whether it is ready, and how long a try rests: half a minute at least.
const TRIES: u32 = 6_000;
const REST: Duration = Duration::from_millis(5);
/// Another process may take the free port first.
const PORTS: u32 = 3;

impl Dev {
    /// Starts the service with more arguments and waits until it is ready.
    ///
    /// # Panics
    /// With the service's own output, when it does not become ready.
    pub fn start(args: &[&str]) -> Self {
        let mut why = String::new();
        for _ in 0..PORTS {
            let mut dev = Self::launch(args);
            match dev.wait_until_ready() {
                Ok(()) => return dev,
                Err(what) => why = format!("{what}\n{}", dev.log()),
            }
        }
        panic!("keyward dev does not start: {why}");
    }

    fn launch(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = free.local_addr().expect("a bound socket has an address");
        drop(free);
        let log = File::create(folder.path().join("log")).expect("a log can be made");
        let mut command = Command::new(binary());
        clean(&mut command);
        command
            .args(["dev", "--listen", &address.to_string(), "--data"])
            .arg(folder.path().join("data"))
            .args(args);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle can be cloned"))
            .stderr(log);
        let child = command.spawn().expect("the binary can be started");
        Self { child, address, folder }
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        for _ in 0..TRIES {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("it ended: {status}"));
            }
            if is_ready(self.address) {
                return Ok(());
            }
            thread::park_timeout(REST);
        }
        Err("it is not ready".to_owned())
    }

    /// Such as `http://127.0.0.1:49152`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The store's directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the service printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Asks the service to read again what it reads from files.
    pub fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP)
            .expect("the child can be signalled");
    }

    /// Asks the service to end, as an init system does, and waits until it has.
    pub fn stop(mut self) -> (ExitStatus, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .expect("the child can be signalled");
        let status = self.child.wait().expect("the child can be waited for");
        (status, self.log())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let answer = || -> io::Result<[u8; 12]> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok(start)
    };
    answer().is_ok_and(|start| start == *b"HTTP/1.1 200")
}

/// Variables by which a developer's own shell would reach into a test.
const FOREIGN: &[&str] = &[
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_MAX_ATTEMPTS",
    "AWS_PROFILE",
    "AWS_RETRY_MODE",
    "AWS_ROLE_ARN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "KEYWARD_ROOT_KEY",
    "KEYWARD_ROOT_PASSPHRASE",
];

fn clean(command: &mut Command) {
    for name in FOREIGN {
        command.env_remove(name);
    }
}

/// Points a command at an endpoint, as its root user, and away from everything else.
pub fn point_at(command: &mut Command, endpoint: &str) {
    clean(command);
    for name in
        ["AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM", "KEYWARD_ENDPOINT"]
    {
        command.env(name, endpoint);
    }
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_PAGER", ""),
        ("NO_PROXY", "*"),
        // Nothing is written beside the stories.
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ] {
        command.env(name, value);
    }
    command.stdin(Stdio::null());
}

/// Runs a story to its end. A line `SKIPPED: STORY: WHY` of it is said as [`skip`] does.
///
/// # Panics
/// With everything that the story and the service printed, when it fails.
#[expect(clippy::print_stdout, reason = "the test runner keeps it back unless it is asked for")]
pub fn tell(command: &mut Command, dev: &Dev) {
    point_at(command, &dev.endpoint());
    command
        .env("KEYWARD_BINARY", binary())
        .env("KEYWARD_DATA", dev.data())
        .env("KEYWARD_SERVICE_LOG", dev.log_path());
    match run(command) {
        Ok(output) => {
            print!("{output}");
            let told =
                output.lines().filter_map(|line| line.strip_prefix("SKIPPED: ")?.split_once(": "));
            told.for_each(|(story, why)| skip(story, &Skipped(why.to_owned())));
        }
        Err(Skipped(output)) => panic!("{output}\n== the service said\n{}", dev.log()),
    }
}

/// The folder of programs that the Python requirements bring: `python`, `aws`.
///
/// # Errors
/// [`Skipped`] when there is no Python or no way to the packages.
pub fn python() -> Result<&'static Path, Skipped> {
    static PROGRAMS: OnceLock<Result<PathBuf, Skipped>> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| {
        let version = run(Command::new("python3").arg("--version"))?;
        let requirements = tests_folder().join("clients/requirements.txt");
        let venv = clients_folder().join("venv");
        install(&venv, &version, &[&requirements], |venv| {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
            let mut pip = Command::new(venv.join("bin/python"));
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(&requirements);
            run(&mut pip).map(drop)
        })?;
        Ok(venv.join("bin"))
    });
    programs.as_deref().map_err(Clone::clone)
}

/// The folder of a library that `LIBRARY.txt` pins, for `PYTHONPATH` beside what [`python`] brings: its other
/// stories do without it where it cannot be had.
///
/// # Errors
/// [`Skipped`] when there is no Python or no way to the packages.
pub fn python_library(library: &str) -> Result<PathBuf, Skipped> {
    packages(&python()?.join("python"), library)
}

/// The folder of Debian's `prometheus`, `promtool`, `amtool` and `alertmanager`: its packages, fetched by `apt-get` and
/// unpacked without being installed.
///
/// # Errors
/// [`Skipped`] where there is no `apt-get`, or no way to the packages.
pub fn debian() -> Result<PathBuf, Skipped> {
    let version = run(Command::new("apt-get").arg("--version"))?;
    let list = tests_folder().join("clients/debian.txt");
    let folder = clients_folder().join("debian");
    install(&folder, &version, &[&list], |folder| {
        fs::create_dir_all(folder).expect("the target folder can be written");
        let names = fs::read_to_string(&list).expect("the list can be read");
        run(Command::new("apt-get").arg("download").args(names.lines()).current_dir(folder))?;
        unpack(folder)?;
        relocate_alertmanager(folder);
        Ok(())
    })?;
    Ok(folder.join("usr/bin"))
}

/// The SMT solver that proofs are asked of: the one on PATH, or else Debian's, unpacked without being installed and
/// started by a script that shows it its libraries.
///
/// # Errors
/// [`Skipped`] where there is neither.
pub fn solver() -> Result<PathBuf, Skipped> {
    if run(Command::new("cvc5").arg("--version")).is_ok() {
        return Ok(PathBuf::from("cvc5"));
    }
    let version = run(Command::new("apt-get").arg("--version"))?;
    let list = tests_folder().join("clients/solver.txt");
    let folder = clients_folder().join("solver");
    install(&folder, &version, &[&list], |folder| {
        fs::create_dir_all(folder).expect("the target folder can be written");
        let names = fs::read_to_string(&list).expect("the list can be read");
        let mut packages: Vec<String> = names.lines().map(str::to_owned).collect();
        packages.extend(libraries_of(&packages)?);
        run(Command::new("apt-get").arg("download").args(&packages).current_dir(folder))?;
        unpack(folder)?;
        let of = |place: &str| folder.join(place).display().to_string();
        let triple = run(Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH"))
            .unwrap_or_else(|_| format!("{}-linux-gnu", std::env::consts::ARCH));
        let libraries = of(&format!("usr/lib/{}", triple.trim()));
        let script = format!(
            "#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' exec '{}' \"$@\"\n",
            of("usr/bin/cvc5")
        );
        let starter = folder.join("cvc5");
        fs::write(&starter, script).expect("a script can be written");
        run(Command::new("chmod").arg("+x").arg(&starter))?;
        run(Command::new(&starter).arg("--version")).map(drop)
    })?;
    Ok(folder.join("cvc5"))
}

/// The packages of libraries that packages need, but those that every system has.
fn libraries_of(packages: &[String]) -> Result<Vec<String>, Skipped> {
    let mut depends = Command::new("apt-cache");
    depends.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts"]);
    depends.args(["--no-breaks", "--no-replaces", "--no-enhances"]).args(packages);
    let everywhere = |name: &str| {
        ["libc6", "libgcc-s1", "libstdc++6", "libcrypt1"].contains(&name)
            || !name.starts_with("lib")
    };
    let listed = run(&mut depends)?;
    let names = listed.lines().filter(|line| !line.starts_with(' ') && !everywhere(line));
    Ok(names.map(str::to_owned).collect())
}

/// Unpacks every package of a folder there.
fn unpack(folder: &Path) -> Result<(), Skipped> {
    let entries = fs::read_dir(folder).expect("the target folder can be read");
    for entry in entries.map(|entry| entry.expect("it can be read").path()) {
        if entry.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("-x").arg(&entry).arg(folder))?;
            fs::remove_file(&entry).expect("what was fetched can be removed");
        }
    }
    Ok(())
}

/// Debian's Alertmanager reads its templates from where its package is installed. In this copy that place is its
/// working directory, and a script starts it there.
fn relocate_alertmanager(folder: &Path) {
    const PLACE: &[u8] = b"/usr/share/prometheus/alertmanager";
    let program = folder.join("usr/bin/prometheus-alertmanager");
    let mut bytes = fs::read(&program).expect("the program can be read");
    // A path of the same length: `.////…/.`
    let mut here = vec![b'/'; PLACE.len()];
    here[0] = b'.';
    here[PLACE.len() - 1] = b'.';
    let places: Vec<usize> =
        (0..bytes.len() - PLACE.len()).filter(|at| bytes[*at..].starts_with(PLACE)).collect();
    assert!(!places.is_empty(), "the program names where it is installed");
    for at in places {
        bytes[at..at + PLACE.len()].copy_from_slice(&here);
    }
    fs::write(&program, bytes).expect("the program can be written");
    let templates = folder.join("usr/share/prometheus/alertmanager");
    let script =
        format!("#!/bin/sh\ncd '{}' && exec '{}' \"$@\"\n", templates.display(), program.display());
    let starter = folder.join("usr/bin/alertmanager");
    fs::write(&starter, script).expect("a script can be written");
    run(Command::new("chmod").arg("+x").arg(&starter)).expect("a script can be made one");
}

/// AWS's managed policies, as one JSON object of documents by name.
///
/// # Errors
/// [`Skipped`] when there is no Python or no way to the package that carries them.
pub fn managed_policies() -> Result<String, Skipped> {
    let folder = packages(Path::new("python3"), "managed-policies")?;
    let mut script = Command::new("python3");
    script.arg(tests_folder().join("clients/managed_policies.py")).arg(&folder);
    run(script.env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// A folder with the very packages of `NAME.txt` and nothing that they depend on.
fn packages(python: &Path, name: &str) -> Result<PathBuf, Skipped> {
    let version = run(Command::new(python).arg("--version"))?;
    let requirements = tests_folder().join("clients").join(name).with_extension("txt");
    let folder = clients_folder().join(name);
    install(&folder, &version, &[&requirements], |folder| {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--no-compile", "--target"])
            .arg(folder)
            .arg("--requirement")
            .arg(&requirements);
        run(&mut pip).map(drop)
    })?;
    Ok(folder)
}

/// The folder that holds the `node_modules` of the JavaScript stories.
///
/// # Errors
/// [`Skipped`] when there is no Node.js or no way to the packages.
pub fn node() -> Result<&'static Path, Skipped> {
    static FOLDER: OnceLock<Result<PathBuf, Skipped>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let version = run(Command::new("node").arg("--version"))?;
        let manifests = ["package.json", "package-lock.json"]
            .map(|name| tests_folder().join("clients").join(name));
        let folder = clients_folder().join("node");
        install(&folder, &version, &[&manifests[0], &manifests[1]], |folder| {
            fs::create_dir_all(folder).expect("the target folder can be written");
            for manifest in &manifests {
                let name = manifest.file_name().expect("a manifest has a name");
                fs::copy(manifest, folder.join(name)).expect("a manifest can be copied");
            }
            run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))
                .map(drop)
        })?;
        Ok(folder)
    });
    folder.as_deref().map_err(Clone::clone)
}

/// The program with the stories of the Rust SDK, built in the folder of the clients.
///
/// # Errors
/// [`Skipped`] when there is no way to the crates.
///
/// # Panics
/// With cargo's output, when the stories do not build though the crates are there.
pub fn rust_sdk() -> Result<&'static Path, Skipped> {
    static PROGRAM: OnceLock<Result<PathBuf, Skipped>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let manifest = tests_folder().join("clients/rust-sdk/Cargo.toml");
        let folder = clients_folder().join("rust-sdk");
        let cargo = |subcommand: &str| {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args([subcommand, "--quiet", "--locked", "--manifest-path"]).arg(&manifest);
            cargo
        };
        run(&mut cargo("fetch"))?;
        // Cargo itself knows what is up to date, and builds one at a time.
        run(cargo("build").args(["--offline", "--target-dir"]).arg(&folder))
            .unwrap_or_else(|Skipped(output)| panic!("the stories do not build: {output}"));
        Ok(folder.join("debug/keyward-rust-sdk-stories"))
    });
    program.as_deref().map_err(Clone::clone)
}

/// Makes `folder` anew unless it was made from these very files by this very version.
fn install(
    folder: &Path,
    version: &str,
    files: &[&PathBuf],
    make: impl FnOnce(&Path) -> Result<(), Skipped>,
) -> Result<(), Skipped> {
    let read = |path: &&PathBuf| {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let wanted = format!("{version}{}", files.iter().map(read).collect::<String>());
    let lock =
        File::create(folder.with_extension("lock")).expect("the target folder can be written");
    lock.lock().expect("a lock can be taken");
    let marker = folder.with_extension("made-from");
    if fs::read_to_string(&marker).is_ok_and(|made_from| made_from == wanted) {
        return Ok(());
    }
    // What is there was made from other files, or not to its end.
    drop(fs::remove_file(&marker));
    drop(fs::remove_dir_all(folder));
    make(folder)?;
    fs::write(&marker, wanted).expect("the target folder can be written");
    Ok(())
}

/// The output of a command that succeeded, both streams in their order; else all of it with the reason.
pub fn run(command: &mut Command) -> Result<String, Skipped> {
    let shown = format!("{command:?}");
    let output = tempfile::tempfile().expect("a temporary file can be made");
    let handle = || output.try_clone().expect("a handle can be cloned");
    command.stdout(handle()).stderr(handle());
    let status = command
        .status()
        .map_err(|error| Skipped(format!("{}: {error}", command.get_program().display())))?;
    let mut text = Vec::new();
    let mut whole = handle();
    io::Seek::rewind(&mut whole)
        .and_then(|()| whole.read_to_end(&mut text).map(drop))
        .expect("what was written can be read");
    let text = String::from_utf8_lossy(&text).into_owned();
    if status.success() { Ok(text) } else { Err(Skipped(format!("{shown}: {status}\n{text}"))) }
}
