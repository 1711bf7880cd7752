//! `keyward bench`: requests per second and latency of a running service, beside a bare actix-web echo
//! of the same request and answer sizes, measured in the same run with the same client.
//!
//! Machines differ and are noisy: read the ratios. Nothing here is a test.
//! Requests are signed once and sent again and again, so that the client costs as little as it can;
//! the service verifies each of them.

mod load;

use crate::{
    args::{Bench, BenchEcho, Common},
    client::{Client, now_seconds},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_sigv4::{Credentials, Request, Scope, sign};
use load::Measured;
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener, ToSocketAddrs as _},
    process::{Child, Command, Stdio},
};

/// One operation with a fixed input.
struct Workload {
    name: &'static str,
    operation: &'static str,
    input: Value,
}

pub(crate) fn run(common: &Common, options: &Bench) -> Result<Exit, CliError> {
    let client = Client::new(common);
    let address = address(&common.endpoint)?;
    let mut rows = Vec::new();
    for workload in workloads(&client)? {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == workload.name) {
            continue;
        }
        let request = signed(common, &client, address, &workload);
        let answer = load::once(address, &request)?;
        let echo = Echo::start(answer.body_bytes)?;
        let bare = load::run(echo.address, &request, options.connections, options.seconds)?;
        let ours = load::run(address, &request, options.connections, options.seconds)?;
        report(common.output, &workload, &ours, &bare, &mut rows);
    }
    if common.output == Format::Text {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        output::table(&["WORKLOAD", "REQUESTS/S", "P50 MS", "P99 MS", "ECHO/S", "RATIO"], &rows);
        output::note(&format!(
            "{cores} cores, {} connections, {} s each; client, service and echo share the machine",
            options.connections, options.seconds
        ));
    }
    Ok(Exit::Ok)
}

fn report(
    format: Format,
    workload: &Workload,
    ours: &Measured,
    bare: &Measured,
    rows: &mut Vec<Vec<String>>,
) {
    let ratio = ours.per_second / bare.per_second;
    match format {
        Format::Json => output::json_line(&json!({
            "Workload": workload.name,
            "RequestsPerSecond": ours.per_second.round(),
            "LatencyMsP50": ours.latency_ms(0.5),
            "LatencyMsP99": ours.latency_ms(0.99),
            "Errors": ours.errors,
            "EchoRequestsPerSecond": bare.per_second.round(),
            "Ratio": ratio,
        })),
        Format::Text => rows.push(vec![
            workload.name.to_owned(),
            format!("{:.0}", ours.per_second),
            format!("{:.2}", ours.latency_ms(0.5)),
            format!("{:.2}", ours.latency_ms(0.99)),
            format!("{:.0}", bare.per_second),
            format!("{ratio:.3}"),
        ]),
    }
    if 0 < ours.errors {
        output::warn(&format!("{}: {} answers were no success", workload.name, ours.errors));
    }
}

/// Makes the keys, and says what is measured.
fn workloads(client: &Client<'_>) -> Result<Vec<Workload>, CliError> {
    let key = |input: Value| {
        let answer = client.call("CreateKey", &input)?;
        Ok(answer.pointer("/KeyMetadata/KeyId").cloned().unwrap_or_default())
    };
    let symmetric = key(json!({"Description": "keyward bench"}))?;
    let rsa = key(
        json!({"Description": "keyward bench", "KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}),
    )?;
    let p256 = key(
        json!({"Description": "keyward bench", "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}),
    )?;
    let plaintext = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let context = json!({"tenant": "acme"});
    let encrypt = json!({"KeyId": symmetric, "Plaintext": plaintext, "EncryptionContext": context});
    let blob = client.call("Encrypt", &encrypt)?.get("CiphertextBlob").cloned().unwrap_or_default();
    let decrypt = json!({"CiphertextBlob": blob, "EncryptionContext": context});
    let sign = |key: &Value, algorithm: &str| json!({"KeyId": key, "Message": plaintext, "SigningAlgorithm": algorithm});
    Ok(vec![
        Workload { name: "encrypt", operation: "Encrypt", input: encrypt },
        Workload { name: "decrypt", operation: "Decrypt", input: decrypt },
        Workload { name: "sign-p256", operation: "Sign", input: sign(&p256, "ECDSA_SHA_256") },
        Workload {
            name: "sign-rsa-2048",
            operation: "Sign",
            input: sign(&rsa, "RSASSA_PSS_SHA_256"),
        },
    ])
}

/// The whole request as it goes over the wire.
fn signed(
    common: &Common,
    client: &Client<'_>,
    address: SocketAddr,
    workload: &Workload,
) -> Vec<u8> {
    let (host, target) = (address.to_string(), format!("TrentService.{}", workload.operation));
    let body = workload.input.to_string();
    let headers = [
        ("host", host.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", &target),
    ];
    let request =
        Request { method: "POST", path: "/", query: "", headers: &headers, body: body.as_bytes() };
    let Common { access_key_id, secret_access_key, session_token, .. } = common;
    let credentials =
        Credentials { access_key_id, secret_access_key, session_token: session_token.as_deref() };
    let added = sign(
        &request,
        &credentials,
        &Scope { region: client.region(), service: "kms" },
        now_seconds(),
    );
    let mut bytes = b"POST / HTTP/1.1\r\n".to_vec();
    let all =
        headers.iter().copied().chain(added.iter().map(|(name, value)| (*name, value.as_str())));
    for (name, value) in all {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
    bytes
}

fn address(endpoint: &str) -> Result<SocketAddr, CliError> {
    let host = endpoint.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let resolved =
        host.and_then(|host| host.to_socket_addrs().ok()).and_then(|mut found| found.next());
    resolved.ok_or_else(|| {
        CliError::new(Exit::Usage, format!("{endpoint} is no http:// address with a port"))
    })
}

/// A bare actix-web echo in a process of its own, as the service is.
struct Echo {
    child: Child,
    address: SocketAddr,
}

impl Echo {
    fn start(answer_bytes: usize) -> Result<Self, CliError> {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(CliError::failure)?;
        let program = std::env::current_exe().map_err(CliError::failure)?;
        let child = Command::new(program)
            .args([
                "bench-echo",
                "--listen",
                &address.to_string(),
                "--answer-bytes",
                &answer_bytes.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(CliError::failure)?;
        let echo = Self { child, address };
        load::await_listener(address)?;
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It ends with us; whether it had ended already does not matter.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn echo(options: &BenchEcho) -> Result<Exit, CliError> {
    keyward_server::echo::serve(options.listen, options.answer_bytes).map_err(CliError::failure)?;
    Ok(Exit::Ok)
}
