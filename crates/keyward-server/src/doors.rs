//! What every door shares, and the way from a proved request to an answer.

use crate::{
    answer,
    authn::{Arrival, Front, Gate},
    census::Census,
    events::Growth,
    files::TrailFiles,
    lanes::{self, Lanes},
    publish::Publisher,
    volume::Volume,
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Bytes, Payload},
};
use keyward_engine::{AnyOperation, Engine, Reply};
use keyward_trail::note::VerifierKey;
use keyward_types::{Caller, KmsError};
use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

/// How long a client may take to send a body.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// Ten seconds: an incident's window is answered in less, and nobody waits longer without a doubt.
const QUESTION_NANOS_MAX: u64 = 10_000_000_000;

/// The state behind the one port.
pub struct Doors {
    pub(crate) engine: Arc<Engine>,
    pub(crate) gate: Gate,
    pub(crate) lanes: Lanes,
    pub(crate) growth: Growth,
    pub(crate) census: Census,
    pub(crate) body_bytes_max: usize,
    /// How long a question in SQL may run.
    pub(crate) question_nanos_max: u64,
    /// When this was made, in seconds since 1970, and how many events the log had then.
    pub(crate) started_seconds: i64,
    pub(crate) events_before: u64,
    /// `None` where no CloudTrail files are written.
    pub(crate) files: Option<Arc<TrailFiles>>,
    /// Where the store is, for its size.
    pub(crate) volume: Volume,
    pub(crate) openapi: OnceLock<Bytes>,
    /// Keys of other logs, whose checkpoints this service cosigns.
    pub(crate) witnessed: Vec<VerifierKey>,
    /// Whether detectors look at the log.
    pub(crate) detects: bool,
    /// Who tells checkpoints to others; `None` in tests that tick by hand.
    pub(crate) publisher: Option<Arc<Publisher>>,
    draining: AtomicBool,
}

impl Doors {
    pub(crate) fn new(engine: Arc<Engine>, front: Front, body_bytes_max: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        engine.metrics().build_info(env!("CARGO_PKG_VERSION"));
        Self {
            gate: Gate::new(front),
            lanes: Lanes::new(cores),
            growth: Growth::of(engine.store()),
            census: Census::default(),
            started_seconds: engine.now().seconds(),
            events_before: engine.store().events_total(),
            engine,
            body_bytes_max,
            question_nanos_max: QUESTION_NANOS_MAX,
            files: None,
            volume: Volume::default(),
            openapi: OnceLock::new(),
            witnessed: Vec::new(),
            detects: true,
            publisher: None,
            draining: AtomicBool::new(false),
        }
    }

    /// With CloudTrail files to show.
    pub(crate) fn with_files(self, files: Option<Arc<TrailFiles>>) -> Self {
        Self { files, ..self }
    }

    /// From now on `/readyz` answers 503.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.growth.wake();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// What a door answers, or that it panicked: outside of an attempt, whose panics are caught nearer.
    pub(crate) async fn guarded(
        &self,
        door: impl Future<Output = HttpResponse>,
        refuse: fn(&KmsError, Uuid) -> HttpResponse,
    ) -> HttpResponse {
        match lanes::caught(door).await {
            Ok(answer) => answer,
            Err(_) => {
                self.engine.metrics().panicked();
                tracing::error!("a door panicked; this is a defect");
                refuse(&KmsError::internal("a door panicked"), self.engine.fresh_id())
            }
        }
    }

    /// The body, read once.
    pub(crate) async fn body(&self, payload: Payload) -> Result<Bytes, BodyError> {
        self.body_within(payload, self.body_bytes_max).await
    }

    /// A body of so many bytes at most, read once.
    pub(crate) async fn body_within(
        &self,
        payload: Payload,
        bytes_max: usize,
    ) -> Result<Bytes, BodyError> {
        match tokio::time::timeout(BODY_TIME_MAX, payload.to_bytes_limited(bytes_max)).await {
            Ok(Ok(Ok(body))) => Ok(body),
            Ok(Ok(Err(_))) => Err(BodyError::Broken),
            Ok(Err(_)) => Err(BodyError::TooLarge(bytes_max)),
            Err(_) => Err(BodyError::Slow),
        }
    }

    /// Who sent it; `service` is the signing name that is accepted.
    pub(crate) fn admit(
        &self,
        request: &HttpRequest,
        body: &[u8],
        service: &str,
        request_id: Uuid,
    ) -> Result<Arc<Caller>, KmsError> {
        self.gate
            .admit(&self.engine, &Arrival::of(request, body), service, request_id)
            .map(Arc::new)
    }

    /// Runs an operation whose input is the body itself.
    pub(crate) async fn call(
        &self,
        operation: &'static dyn AnyOperation,
        request: &HttpRequest,
        body: &[u8],
        request_id: Uuid,
    ) -> Result<Reply, KmsError> {
        let caller =
            self.admit(request, body, operation.spec().service.signing_name(), request_id)?;
        self.lanes.attempt(&self.engine, operation, &caller, body).await
    }
}

/// A body that was not read to its end. The connection is closed after the answer.
pub(crate) enum BodyError {
    TooLarge(usize),
    Slow,
    Broken,
}

impl BodyError {
    /// One shape for every dialect: clients that read neither look at the status.
    pub(crate) fn answer(&self, request_id: Uuid) -> HttpResponse {
        let (status, code, message) = match self {
            Self::TooLarge(max) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                format!("The request body is larger than {max} bytes."),
            ),
            Self::Slow => (
                StatusCode::REQUEST_TIMEOUT,
                "RequestTimeoutException",
                format!(
                    "The request body did not arrive within {} seconds.",
                    BODY_TIME_MAX.as_secs()
                ),
            ),
            Self::Broken => (
                StatusCode::BAD_REQUEST,
                "SerializationException",
                "The request body broke off.".to_owned(),
            ),
        };
        let body = serde_json::json!({
            "__type": code,
            "message": message,
            "error": {"code": code, "message": message, "requestId": request_id.to_string()},
        });
        answer::begin(status, answer::AWS_JSON, request_id)
            .insert_header((header::CONNECTION, "close"))
            .force_close()
            .body(body.to_string())
    }
}
