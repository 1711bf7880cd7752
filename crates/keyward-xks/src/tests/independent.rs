//! The client against `tests/clients/xks_proxy.py`, which checks signatures with botocore and encrypts with
//! OpenSSL. Where Python or its libraries cannot be had, that is a skip, said aloud.

use super::{region, request};
use crate::{Routes, Trust, XksClient};
use core::time::Duration;
use keyward_types::{
    Clock, KeyStoreProxy, ProxyFailure, ProxyKey, ProxyRequest, ProxySealed, Timestamp, XksProxy,
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

const KEY: &str = "external-key-1";

/// The system's clock: the proxy has no other.
struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "the proxy judges signatures by the real time")]
    fn now(&self) -> Timestamp {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Timestamp::from_seconds(seconds.try_into().unwrap())
    }

    fn monotonic_nanos(&self) -> u64 {
        0
    }
}

struct Running {
    folder: tempfile::TempDir,
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    port: u16,
}

impl Running {
    /// `None`, and a line on stderr, without a Python that has the libraries.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/xks_proxy.py");
        let python = python()?;
        let mut process = Command::new(python)
            .arg(program)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("READY ").expect("the proxy starts").parse().unwrap();
        Some(Self { folder, process, stdin, stdout, port })
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut told = String::new();
        self.stdout.read_line(&mut told).unwrap();
        assert_eq!(told, "OK\n", "{line}");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    fn client(&self) -> XksClient {
        XksClient::new(Arc::new(Now), Trust::PublicAnd(self.read("ca.pem")), Routes::new())
            .unwrap()
            .with_timeout(Duration::from_secs(60))
    }

    fn proxy(&self) -> XksProxy {
        let configuration: serde_json::Value =
            serde_json::from_slice(&self.read("configuration.json")).unwrap();
        let credential = &configuration["XksProxyAuthenticationCredential"];
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        XksProxy {
            access_key_id: text(&credential["AccessKeyId"]),
            secret_access_key: Zeroizing::new(text(&credential["RawSecretAccessKey"])),
            ..super::proxy(
                &format!("https://localhost:{}", self.port),
                configuration["XksProxyUriPath"].as_str().unwrap(),
            )
        }
    }

    fn requests(&self) -> Vec<serde_json::Value> {
        let lines = String::from_utf8(self.read("requests.jsonl")).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Running {
    /// The proxy ends with its input.
    fn drop(&mut self) {
        self.stdin = None;
        self.process.wait().ok();
    }
}

/// The Python of the client stories when they have run, else the system's.
fn python() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let stories = test.ancestors().nth(3).unwrap().join("clients/venv/bin/python");
    let has_libraries = |python: &PathBuf| {
        Command::new(python)
            .args(["-c", "import botocore, cryptography, sys; assert (3, 11) <= sys.version_info"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let found = [stories, PathBuf::from("python3")].into_iter().find(has_libraries);
    if found.is_none() {
        let line = b"SKIPPED: keyward-xks against xks_proxy.py: no Python 3.11 with botocore and cryptography\n";
        std::io::stderr().write_all(line).unwrap();
    }
    found
}

#[test]
fn an_independent_proxy_understands_and_is_understood() {
    use ProxyFailure::{
        AccessDenied, AuthenticationFailed, InvalidCiphertext, InvalidKeyUsage, InvalidState,
        InvalidUriPath, KeyNotFound, Malformed, Throttling, Unreachable,
    };
    let Some(mut running) = Running::start() else { return };
    let (client, proxy, region) = (running.client(), running.proxy(), region());
    let request = ProxyRequest { key_arn: Some("arn:key"), ..request(&region, "Encrypt") };
    let health = |proxy: &XksProxy| client.health(proxy, &request);
    let metadata = |key: &str| client.metadata(&proxy, key, &request);
    let encrypt = |associated: &[u8], plaintext: &[u8]| {
        client.encrypt(&proxy, KEY, &request, associated, plaintext)
    };
    let decrypt = |associated: &[u8], sealed: &ProxySealed| {
        client.decrypt(&proxy, KEY, &request, associated, sealed).map(|opened| opened.to_vec())
    };

    assert_eq!(health(&proxy), Ok(()));
    let key = ProxyKey { is_aes_256: true, encrypts: true, decrypts: true, enabled: true };
    assert_eq!(metadata(KEY), Ok(key.clone()));
    for (associated, plaintext) in
        [(&b""[..], &b"x"[..]), (b"project=nile", b"Hello World!"), (&[7; 8192], &[9; 4300])]
    {
        let sealed = encrypt(associated, plaintext).unwrap();
        assert_eq!(decrypt(associated, &sealed).unwrap(), plaintext);
        assert_eq!(decrypt(b"other", &sealed), Err(InvalidCiphertext));
        let metadata = [&sealed.metadata[..], b"0"].concat();
        assert_eq!(
            decrypt(associated, &ProxySealed { metadata, ..sealed }),
            Err(InvalidCiphertext)
        );
    }
    let old = encrypt(b"a", b"old").unwrap();
    running.tell("rotate external-key-1");
    assert_ne!(encrypt(b"a", b"new").unwrap().metadata, old.metadata);
    assert_eq!(decrypt(b"a", &old).unwrap(), b"old");

    let secret_access_key = Zeroizing::new("0".repeat(43));
    let impostor = XksProxy { secret_access_key, ..proxy.clone() };
    assert_eq!(health(&impostor), Err(AuthenticationFailed));
    let elsewhere = XksProxy { path: "/other/kms/xks/v1".to_owned(), ..proxy.clone() };
    assert_eq!(health(&elsewhere), Err(InvalidUriPath));
    assert_eq!(metadata("unknown"), Err(KeyNotFound));
    running.tell("disable external-key-1");
    assert_eq!(metadata(KEY), Ok(ProxyKey { enabled: false, ..key }));
    assert_eq!(encrypt(b"", b"x"), Err(InvalidState));
    running.tell("enable external-key-1");
    running.tell("usage external-key-1 DECRYPT");
    assert_eq!(encrypt(b"", b"x"), Err(InvalidKeyUsage));
    running.tell("usage external-key-1 ENCRYPT DECRYPT");
    running.tell("deny");
    assert_eq!(encrypt(b"", b"x"), Err(AccessDenied));
    assert_eq!(health(&proxy), Ok(()));
    running.tell("normal");
    running.tell("fail ThrottlingException");
    assert_eq!(health(&proxy), Err(Throttling));
    running.tell("normal");
    running.tell("managers UNAVAILABLE UNAVAILABLE");
    assert_eq!(health(&proxy), Err(Unreachable));
    running.tell("normal");

    for kind in [
        "html",
        "long",
        "status",
        "redirect",
        "integrity",
        "no-integrity",
        "iv",
        "tag",
        "metadata",
        "ciphertext",
    ] {
        running.tell(&format!("garbage {kind}"));
        assert_eq!(encrypt(b"a", b"x"), Err(Malformed), "{kind}");
    }
    running.tell("garbage plaintext");
    assert_eq!(decrypt(b"a", &old), Err(Malformed));
    running.tell("garbage usages");
    assert_eq!(metadata(KEY), Err(Malformed));
    running.tell("garbage fleet");
    assert_eq!(health(&proxy), Err(Malformed));
    running.tell("normal");

    running.tell("down");
    assert_eq!(health(&proxy), Err(Unreachable));
    running.tell("up");
    assert_eq!(health(&proxy), Ok(()));
    running.tell("slow 60000");
    let hurried = running.client().with_timeout(Duration::from_millis(50));
    assert_eq!(hurried.health(&proxy, &request), Err(ProxyFailure::TimedOut));

    for line in running.requests() {
        let asked = &line["requestMetadata"];
        let expected = if asked.is_null() { "" } else { "4112f4d6-db54-4af4-ae30-c55a22a8dfae" };
        assert_eq!(asked["kmsRequestId"].as_str().unwrap_or_default(), expected, "{line}");
    }
}
