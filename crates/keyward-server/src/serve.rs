//! Sockets, threads, and an orderly end.
//!
//! The end: `/readyz` turns 503, the port closes after a delay, requests in flight finish, the store
//! closes. Idle connections are closed at once.

use crate::{
    alerts::AlertSetup,
    app::create_app,
    authn::Front,
    clock::SystemClock,
    config::{Config, ConfigError, TrustedFront},
    doors::Doors,
    files::{self, TrailFiles},
    guardrails::GuardrailFolder,
    publish::Publisher,
    retention::{self, Keeper},
    volume::Volume,
    wiring::{self, Opened, StartError},
};
use actix_web::{HttpServer, rt::System, web::Data};
use keyward_engine::Engine;
use keyward_store::{Progress, Silent};
use keyward_trail::note::VerifierKey;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::oneshot;

/// How long a client may take to send a request's head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections of one worker at most.
const CONNECTIONS_MAX: usize = 10_000;
/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 4_096;
/// Between two looks at what is due: deletions, rotations, expired imports.
const TICK: Duration = Duration::from_secs(60);

/// What the doors need of a [`Config`].
#[derive(Clone)]
pub struct DoorSettings {
    pub trusted_front: TrustedFront,
    /// 0 is one for each core.
    pub workers: usize,
    pub body_bytes_max: usize,
    pub drain_seconds: u64,
    pub shutdown_delay_seconds: u64,
    /// Whether housekeeping runs by itself. Tests tick by hand.
    pub ticks: bool,
    /// The guardrails' folder, which is looked at once a second.
    pub guardrails: Option<Arc<GuardrailFolder>>,
    /// CloudTrail files, which are written while the service runs.
    pub files: Option<Arc<TrailFiles>>,
    /// Who signs checkpoints and tells them to others.
    pub publisher: Option<Arc<Publisher>>,
    /// Who seals the journal's segments and lets them go.
    pub keeper: Option<Arc<Keeper>>,
    /// Whether detectors look at the log: by themselves where `alerts` is, else when somebody asks for alerts.
    pub detects: bool,
    /// Alerts, which are detected and told while the service runs.
    pub alerts: Option<Arc<AlertSetup>>,
    /// Keys of other logs, whose checkpoints are cosigned.
    pub witnessed: Vec<VerifierKey>,
    /// The store's directory, for its size.
    pub directory: Option<PathBuf>,
    /// Whether metrics may name the keys and principals that are used most.
    pub metrics_names: bool,
}

impl From<&Config> for DoorSettings {
    fn from(config: &Config) -> Self {
        Self {
            trusted_front: config.trusted_front.clone(),
            workers: config.workers,
            body_bytes_max: config.body_bytes_max,
            drain_seconds: config.drain_seconds,
            shutdown_delay_seconds: config.shutdown_delay_seconds,
            ticks: true,
            guardrails: None,
            files: None,
            publisher: None,
            keeper: None,
            detects: config.alerts.enabled,
            alerts: None,
            // A configuration that was checked has no key that is none.
            witnessed: config.witness.keys().unwrap_or_default(),
            directory: None,
            metrics_names: config.metrics_names,
        }
    }
}

impl Default for DoorSettings {
    /// For tests: two workers, no ticking, a short end.
    fn default() -> Self {
        Self { workers: 2, drain_seconds: 5, ticks: false, ..Self::from(&Config::dev()) }
    }
}

/// What is told when the port is open and the service is ready.
pub struct Started<'a> {
    pub address: SocketAddr,
    pub opened: &'a Opened,
}

/// Opens the store, serves until `shutdown`, and closes the store. It runs on this thread, and hears of
/// no signal by itself.
///
/// `ready` is called once the port accepts connections.
pub fn run(
    config: &Config,
    progress: &dyn Progress,
    ready: impl FnOnce(&Started<'_>),
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    // The port first: when it is taken, nothing was touched.
    let listener = bind(config.listen)?;
    let opened = wiring::open(config, progress)?;
    // A log that is another than was signed would be forked by serving it.
    opened.engine.check_log().map_err(|error| {
        let cause = error.cause.unwrap_or_default();
        StartError::Log(format!("{cause}: `keyward audit verify --data` says where they differ"))
    })?;
    let address = listener
        .local_addr()
        .map_err(|cause| StartError::Listen { address: config.listen, cause })?;
    let publisher = publisher(config)?;
    let files = opened.trail_files(config)?;
    let settings = DoorSettings {
        guardrails: opened.guardrails.clone(),
        publisher: Some(Arc::clone(&publisher)),
        keeper: Some(keeper(config, files.clone())?),
        files,
        alerts: opened.alerts(config)?,
        directory: Some(opened.directory.clone()),
        ..DoorSettings::from(config)
    };
    let engine = Arc::clone(&opened.engine);
    let served = System::new().block_on(async {
        let doors = doors(&engine, &settings)?;
        ready(&Started { address, opened: &opened });
        let served = serve(doors, listener, &settings, shutdown).await;
        served.map_err(|cause| StartError::Listen { address, cause })
    });
    let failure = engine.store().failure();
    if failure.is_none() {
        publisher.finish(&engine);
    }
    drop(engine);
    // The last reference closes the store; then a temporary directory goes.
    let Opened { engine, home, .. } = opened;
    drop(engine);
    drop(home);
    served?;
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

/// A server on a thread of its own. Dropping it stops it in order.
pub struct Running {
    address: SocketAddr,
    engine: Arc<Engine>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
    guardrails: Option<Arc<GuardrailFolder>>,
    _home: Option<tempfile::TempDir>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The guardrails' folder; `None` where none is configured.
    pub fn guardrails(&self) -> Option<&Arc<GuardrailFolder>> {
        self.guardrails.as_ref()
    }

    /// Stops in order, and waits until it has.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| {
            ended.unwrap_or_else(|_| Err(io::Error::other("the server's thread panicked")))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "the server did not stop in order");
        }
    }
}

/// Opens the store and serves on a thread of its own.
pub fn start(config: &Config) -> Result<Running, StartError> {
    let listener = bind(config.listen)?;
    let opened = wiring::open(config, &Silent)?;
    let files = opened.trail_files(config)?;
    let settings = DoorSettings {
        guardrails: opened.guardrails.clone(),
        directory: Some(opened.directory.clone()),
        publisher: Some(publisher(config)?),
        keeper: Some(keeper(config, files.clone())?),
        files,
        alerts: opened.alerts(config)?,
        ..DoorSettings::from(config)
    };
    let mut running = serve_with(opened.engine, listener, settings)?;
    running.guardrails = opened.guardrails;
    running._home = opened.home;
    Ok(running)
}

/// Serves an engine on a free port of the loopback address. For tests.
pub fn serve_engine(engine: Arc<Engine>) -> Result<Running, StartError> {
    serve_with(engine, bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?, DoorSettings::default())
}

/// Serves an engine on a listener, on a thread of its own. Connections are accepted when this returns.
pub fn serve_with(
    engine: Arc<Engine>,
    listener: TcpListener,
    settings: DoorSettings,
) -> Result<Running, StartError> {
    let unbound = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let address =
        listener.local_addr().map_err(|cause| StartError::Listen { address: unbound, cause })?;
    let doors = doors(&engine, &settings)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let spawned = std::thread::Builder::new().name("keyward-server".to_owned()).spawn(move || {
        System::new().block_on(serve(doors, listener, &settings, async {
            // The sender never sends; it is dropped when it is time.
            drop(stopped.await);
        }))
    });
    let thread = spawned.map_err(|cause| StartError::Listen { address, cause })?;
    let (stop, thread) = (Some(stop), Some(thread));
    Ok(Running { address, engine, stop, thread, guardrails: None, _home: None })
}

/// A listener with a backlog that takes many clients at once; the standard library's holds 128.
fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(|cause| StartError::Listen { address, cause })
}

fn doors(engine: &Arc<Engine>, settings: &DoorSettings) -> Result<Data<Doors>, ConfigError> {
    let front = Front::new(&settings.trusted_front)?;
    let mut doors = Doors::new(Arc::clone(engine), front, settings.body_bytes_max);
    doors.witnessed.clone_from(&settings.witnessed);
    doors.publisher.clone_from(&settings.publisher);
    doors.detects = settings.detects;
    doors.volume = Volume(settings.directory.clone());
    if settings.metrics_names {
        engine.metrics().name_top();
    }
    Ok(Data::new(doors.with_files(settings.files.clone())))
}

fn publisher(config: &Config) -> Result<Arc<Publisher>, StartError> {
    Publisher::new(&config.event_log, Arc::new(SystemClock::new())).map(Arc::new)
}

fn keeper(config: &Config, files: Option<Arc<TrailFiles>>) -> Result<Arc<Keeper>, StartError> {
    Keeper::new(&config.journal, files).map(Arc::new)
}

async fn serve(
    doors: Data<Doors>,
    listener: TcpListener,
    settings: &DoorSettings,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let detecting = settings.alerts.as_ref().map(|setup| setup.start(&doors.engine)).transpose()?;
    let app = {
        let doors = doors.clone();
        move || create_app(doors.clone())
    };
    let workers = if settings.workers == 0 {
        std::thread::available_parallelism().map_or(1, usize::from)
    } else {
        settings.workers
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .max_connections(CONNECTIONS_MAX)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIME_MAX)
        .tcp_nodelay(true)
        .shutdown_timeout(settings.drain_seconds)
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    let ticking = settings.ticks.then(|| actix_web::rt::spawn(tick(doors.clone())));
    let watching = settings
        .guardrails
        .clone()
        .map(|folder| actix_web::rt::spawn(watch(Arc::clone(&doors.engine), folder)));
    let exporting = settings
        .files
        .clone()
        .map(|files| actix_web::rt::spawn(files::follow(Arc::clone(&doors.engine), files)));
    let publishing = settings
        .publisher
        .clone()
        .map(|publisher| actix_web::rt::spawn(publisher.run(Arc::clone(&doors.engine))));
    let keeping = settings
        .keeper
        .clone()
        .map(|keeper| actix_web::rt::spawn(retention::follow(Arc::clone(&doors.engine), keeper)));
    let end = async {
        shutdown.await;
        doors.drain();
        tokio::time::sleep(Duration::from_secs(settings.shutdown_delay_seconds)).await;
        handle.stop(true).await;
    };
    let (served, ()) = tokio::join!(server, end);
    settings.publisher.iter().for_each(|publisher| publisher.stop());
    for task in [ticking, watching, exporting, publishing, keeping].into_iter().flatten() {
        task.abort();
        drop(task.await);
    }
    if let Some(detecting) = detecting
        && let Err(error) = tokio::task::spawn_blocking(move || detecting.stop()).await
    {
        tracing::error!(%error, "detection did not end in order");
    }
    served
}

/// Looks at the guardrails' folder once a second, and when somebody asks, off the threads that serve.
async fn watch(engine: Arc<Engine>, folder: Arc<GuardrailFolder>) {
    loop {
        let asked = folder.wait().await;
        let (engine, folder) = (Arc::clone(&engine), Arc::clone(&folder));
        let looked = tokio::task::spawn_blocking(move || folder.look(&engine, asked)).await;
        if let Err(error) = looked {
            tracing::error!(%error, "looking at the guardrails panicked");
        }
    }
}

/// Housekeeping, once a minute, off the threads that serve.
async fn tick(doors: Data<Doors>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let engine = Arc::clone(&doors.engine);
        let ticked = tokio::task::spawn_blocking(move || engine.tick()).await;
        if let Err(error) = ticked {
            tracing::error!(%error, "housekeeping panicked");
        }
    }
}
