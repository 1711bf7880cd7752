//! The client side of a measurement: one thread, many keep-alive connections, one request over and over.
//!
//! It reads just enough of HTTP/1.1 to find where an answer ends.

use super::{Span, now};
use crate::exit::{CliError, Exit};
use std::{
    net::{SocketAddr, TcpStream as Blocking},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What one answer looked like.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body_bytes: usize,
}

/// What a run of many requests showed.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) seconds: f64,
    pub(super) errors: u64,
    /// Sorted microseconds.
    latencies_us: Vec<u32>,
}

impl Measured {
    pub(super) fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of a short run fit 53 bits")]
        let answers = self.latencies_us.len() as f64;
        answers / self.seconds
    }

    /// Takes another run of the same requests in.
    pub(super) fn add(&mut self, more: Self) {
        self.seconds += more.seconds;
        self.errors += more.errors;
        self.latencies_us.extend(more.latencies_us);
        self.latencies_us.sort_unstable();
    }

    pub(super) fn latency_ms(&self, quantile: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a quantile between 0 and 1 of a count of samples"
        )]
        let index = (self.latencies_us.len().saturating_sub(1) as f64 * quantile) as usize;
        self.latencies_us.get(index).map_or(0.0, |us| f64::from(*us) / 1_000.0)
    }
}

/// Waits until something listens, for ten seconds at most.
pub(super) fn await_listener(address: SocketAddr) -> Result<(), CliError> {
    let started = now();
    loop {
        if Blocking::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
            return Ok(());
        }
        if Duration::from_secs(10) < started.elapsed() {
            return Err(CliError::new(Exit::Unreachable, format!("{address} does not listen")));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Sends one request and expects success.
pub(super) fn once(address: SocketAddr, request: &[u8]) -> Result<Answer, CliError> {
    let answer = runtime()?.block_on(async {
        let mut connection = Connection::open(address).await?;
        connection.exchange(request).await
    });
    match answer {
        Ok(answer) if answer.status == 200 => Ok(answer),
        Ok(answer) => Err(CliError::failure(format!("the service answered {}", answer.status))),
        Err(error) => Err(CliError::new(Exit::Unreachable, error.to_string())),
    }
}

/// Sends `request` over `connections` for the span.
pub(super) fn run(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    span: Span,
) -> Result<Measured, CliError> {
    let request: std::sync::Arc<[u8]> = request.into();
    let (tasks, seconds) = runtime()?.block_on(async {
        let (warm, end) = span.from(now());
        let requests_max = span.requests_max();
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let request = std::sync::Arc::clone(&request);
                tokio::spawn(drive(address, request, (warm, end), requests_max))
            })
            .collect();
        let mut done = Vec::with_capacity(tasks.len());
        for task in tasks {
            done.push(task.await);
        }
        // What is still under way at the end is waited for, and counted as if it had come in time.
        (done, now().min(end).duration_since(warm).as_secs_f64())
    });
    let mut measured = Measured { seconds, ..Measured::default() };
    for task in tasks {
        let (latencies, errors) = task.map_err(CliError::failure)?.map_err(CliError::failure)?;
        measured.latencies_us.extend(latencies);
        measured.errors += errors;
    }
    measured.latencies_us.sort_unstable();
    Ok(measured)
}

async fn drive(
    address: SocketAddr,
    request: std::sync::Arc<[u8]>,
    (warm, end): (Instant, Instant),
    requests_max: u64,
) -> std::io::Result<(Vec<u32>, u64)> {
    let mut connection = Connection::open(address).await?;
    let (mut latencies, mut errors) = (Vec::new(), 0);
    let (mut sent, mut left) = (now(), requests_max);
    while sent < end && 0 < left {
        let answer = connection.exchange(&request).await?;
        let received = now();
        if warm <= sent {
            latencies
                .push(u32::try_from(received.duration_since(sent).as_micros()).unwrap_or(u32::MAX));
            errors += u64::from(answer.status != 200);
        }
        (sent, left) = (received, left - 1);
    }
    Ok((latencies, errors))
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8_192) })
    }

    async fn exchange(&mut self, request: &[u8]) -> std::io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = whole_answer(&self.buffer) {
                return Ok(answer);
            }
        }
    }
}

/// The answer, once all of it is in the buffer.
fn whole_answer(buffer: &[u8]) -> Option<Answer> {
    let head_len = buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = core::str::from_utf8(buffer.get(..head_len)?).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let content_length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())
            .flatten()
    };
    let body_bytes = head.lines().find_map(content_length).unwrap_or(0);
    (head_len + 4 + body_bytes <= buffer.len()).then_some(Answer { status, body_bytes })
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failure)
}
