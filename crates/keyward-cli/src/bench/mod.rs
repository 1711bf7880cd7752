//! `keyward bench`: requests per second and latency of a running service, beside what bounds it, measured in
//! the same run.
//!
//! | beside | is | for |
//! |---|---|---|
//! | the echo | a bare actix-web service with the same request and answer sizes, asked by the same client | the rows that are measured by default |
//! | another service | the one that `--beside` names, asked in turns ([`beside`]) | every row |
//! | raw | the same cryptography called in this process ([`raw`]), on as many threads as there are cores | every row |
//!
//! Machines differ and are noisy: read the ratios. Nothing here is a test.
//! Requests are signed once and sent again and again, so that the client costs as little as it can;
//! the service verifies each of them.

mod beside;
mod echo;
mod load;
pub(crate) mod log;
mod raw;
mod rows;
pub(crate) mod watch;
mod watch_load;

use crate::{
    args::{Bench, BenchEcho, Common, Crypto},
    client::{Client, now_seconds},
    exit::{CliError, Exit},
    output::{self, Format},
};
use beside::Side;
use echo::Echo;
use indicatif::{ProgressBar, ProgressStyle};
use keyward_crypto::Provider;
use keyward_sigv4::{Credentials, Request, Scope, sign};
use load::Measured;
pub(crate) use rows::parse_choice;
use rows::{Asked, Keys, Row, chosen};
use serde_json::json;
use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    time::{Duration, Instant},
};

const HEADINGS: &[&str] =
    &["WORKLOAD", "REQUESTS/S", "P50 MS", "P99 MS", "ECHO/S", "RATIO", "RAW/S", "OF RAW"];
const BESIDE: &[&str] = &["BESIDE/S", "OF BESIDE"];

/// How long one measurement goes on.
#[derive(Clone, Copy)]
struct Span {
    seconds: u64,
    requests: Option<u64>,
}

impl Span {
    /// When counting begins, after a warm-up of a tenth, and when it ends. A counted run has no warm-up.
    fn from(self, start: Instant) -> (Instant, Instant) {
        let warm_up_ms = if self.requests.is_some() { 0 } else { self.seconds * 100 };
        let warm = start + Duration::from_millis(warm_up_ms);
        (warm, warm + Duration::from_secs(self.seconds))
    }

    /// Requests of one connection, or calls of one thread.
    fn requests_max(self) -> u64 {
        self.requests.unwrap_or(u64::MAX)
    }
}

/// A row's result.
struct Line {
    name: &'static str,
    ours: Measured,
    echo: Option<Measured>,
    beside: Option<Measured>,
    raw: f64,
}

/// A service that is asked: with its own keys, and its own signature.
struct Asking<'c> {
    common: &'c Common,
    client: &'c Client<'c>,
    address: SocketAddr,
    keys: Keys<'c>,
}

impl<'c> Asking<'c> {
    fn of(common: &'c Common, client: &'c Client<'c>) -> Result<Self, CliError> {
        let address = address(&common.endpoint)?;
        Ok(Self { common, client, address, keys: Keys::of(client) })
    }

    /// The request of a row as it goes over the wire.
    fn request(&mut self, row: &Row) -> Result<Vec<u8>, CliError> {
        let asked = self.keys.asked(row.job)?;
        Ok(signed(self.common, self.client, self.address, &asked))
    }
}

pub(crate) fn run(common: &Common, options: &Bench) -> Result<Exit, CliError> {
    let client = Client::new(common);
    let mut ours = Asking::of(common, &client)?;
    let other = options.beside.clone().map(|endpoint| Common { endpoint, ..common.clone() });
    let other = other.as_ref().map(|common| (common, Client::new(common)));
    let other = other.as_ref().map(|(common, client)| Asking::of(common, client));
    let mut other = other.transpose()?;
    let rows = chosen(options);
    let bar = bar(rows.len());
    let mut table = Vec::new();
    for row in rows {
        bar.set_message(row.name);
        let request = ours.request(row)?;
        let side = Side { address: ours.address, request: &request };
        let request = other.as_mut().map(|other| other.request(row)).transpose()?;
        let beside = other.as_ref().zip(request.as_deref());
        let beside = beside.map(|(other, request)| Side { address: other.address, request });
        let line = measure(row, options, &side, beside.as_ref())?;
        match common.output {
            Format::Json => output::json_line(&line.json()),
            Format::Text => table.push(line.cells()),
        }
        if 0 < line.ours.errors {
            let errors = line.ours.errors;
            bar.suspend(|| {
                output::warn(&format!("{}: {errors} answers were no success", row.name))
            });
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if common.output == Format::Text {
        let more = if options.beside.is_some() { BESIDE } else { &[] };
        output::table(&[HEADINGS, more].concat(), &table);
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        output::note(&format!(
            "{cores} cores, {} connections, {} s each; client, service and echo share the machine",
            options.connections, options.seconds
        ));
        output::note(&format!(
            "raw: keyward-crypto alone on {cores} threads, provider {}",
            match options.crypto {
                Crypto::Default => "default",
                Crypto::Rustcrypto => "rustcrypto",
            }
        ));
    }
    Ok(Exit::Ok)
}

fn measure(
    row: &Row,
    options: &Bench,
    side: &Side<'_>,
    beside: Option<&Side<'_>>,
) -> Result<Line, CliError> {
    let Side { address, request } = *side;
    let span = Span { seconds: options.seconds, requests: options.requests };
    let provider = match options.crypto {
        Crypto::Default => Provider::Default,
        Crypto::Rustcrypto => Provider::RustCrypto,
    };
    let answer = load::once(address, request)?;
    let echo = row.by_default.then(|| {
        let echo = Echo::start(answer.body_bytes)?;
        load::run(echo.address, request, options.connections, span)
    });
    let echo = echo.transpose()?;
    let (ours, beside) = match beside {
        None => (load::run(address, request, options.connections, span)?, None),
        Some(other) => {
            let [ours, beside] = beside::run([side, other], options.connections, span)?;
            (ours, Some(beside))
        }
    };
    let raw = raw::run(row.job, provider, span)?;
    Ok(Line { name: row.name, ours, echo, beside, raw })
}

impl Line {
    fn json(&self) -> serde_json::Value {
        let Self { name, ours, echo, beside, raw } = self;
        let per_second = ours.per_second();
        let ratio = |other: &Measured| per_second / other.per_second();
        json!({
            "Workload": name,
            "RequestsPerSecond": per_second.round(),
            "LatencyMsP50": ours.latency_ms(0.5),
            "LatencyMsP99": ours.latency_ms(0.99),
            "Errors": ours.errors,
            "EchoRequestsPerSecond": echo.as_ref().map(|echo| echo.per_second().round()),
            "Ratio": echo.as_ref().map(ratio),
            "BesideRequestsPerSecond": beside.as_ref().map(|other| other.per_second().round()),
            "RatioOfBeside": beside.as_ref().map(ratio),
            "RawPerSecond": raw.round(),
            "RatioOfRaw": per_second / raw,
        })
    }

    fn cells(&self) -> Vec<String> {
        let Self { name, ours, echo, beside, raw } = self;
        let per_second = ours.per_second();
        let than = |other: &Measured| {
            let other = other.per_second();
            [format!("{other:.0}"), format!("{:.3}", per_second / other)]
        };
        let mut cells = vec![
            (*name).to_owned(),
            format!("{per_second:.0}"),
            format!("{:.2}", ours.latency_ms(0.5)),
            format!("{:.2}", ours.latency_ms(0.99)),
        ];
        cells.extend(echo.as_ref().map_or_else(|| ["-", "-"].map(str::to_owned), than));
        cells.extend([format!("{raw:.0}"), format!("{:.3}", per_second / raw)]);
        cells.extend(beside.as_ref().map(than).into_iter().flatten());
        cells
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar(rows: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(rows).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

/// The whole request as it goes over the wire.
fn signed(common: &Common, client: &Client<'_>, address: SocketAddr, asked: &Asked) -> Vec<u8> {
    let (host, target) = (address.to_string(), format!("TrentService.{}", asked.operation));
    let body = asked.input.to_string();
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

pub(crate) fn echo(options: &BenchEcho) -> Result<Exit, CliError> {
    keyward_server::echo::serve(options.listen, options.answer_bytes).map_err(CliError::failure)?;
    Ok(Exit::Ok)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures with the real clock")]
fn now() -> Instant {
    Instant::now()
}
