//! `keyward demo`: everyday traffic and incidents, by real signed requests, so that boards and alerts can be seen
//! at work.
//!
//! Either a running service is asked, in real time; or, with `--serve`, one is started here whose clock plays some
//! days in a minute first, so that its log and its detectors have a past.
//! A seed gives the same traffic again. It makes users, roles and keys of its own and harms no others.
//!
//! | file | what is in it |
//! |---|---|
//! | `cast.rs` | who takes part: principals, keys, and how they come to be |
//! | `actor.rs` | one principal with its credentials, address and client |
//! | `stage.rs` | time, chance, and what was counted |
//! | `background.rs` | what everybody does every day |
//! | `incidents.rs` | what goes wrong |

mod actor;
mod background;
mod cast;
mod incidents;
mod stage;

use crate::{
    args::Common,
    exit::{CliError, Exit},
    output,
};
use cast::Cast;
use clap::Args;
use incidents::Incident;
use keyward_crypto::SeededEntropy;
use keyward_server::{
    Config, Running,
    clock::{PlayedClock, SystemClock},
    config::{RootCredentials, Secret, TrustedFront},
};
use keyward_types::{AccountId, Clock, Timestamp};
use stage::Stage;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

#[derive(Args)]
pub(crate) struct Demo {
    /// Which incidents, in this order; all of them unless said
    #[arg(long, value_enum, value_delimiter = ',')]
    incidents: Option<Vec<Incident>>,
    /// No incident: everyday traffic alone
    #[arg(long, conflicts_with = "incidents")]
    quiet: bool,
    /// How long it goes on; incidents are spread over this time
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// How busy: 60 is an hour's work of a small company in a minute, and in an hour of days that are played
    #[arg(long, default_value_t = stage::LIVE_PACE)]
    pace: f64,
    /// The same number gives the same traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start a service here instead of asking a running one
    #[arg(long)]
    serve: bool,
    /// Where that service listens
    #[arg(long, default_value = "127.0.0.1:8480", requires = "serve")]
    listen: SocketAddr,
    /// Where it keeps its store; without it everything is lost at exit
    #[arg(long, requires = "serve")]
    data: Option<PathBuf>,
    /// Days of everyday traffic to play first, ending now
    #[arg(long, default_value_t = 0, requires = "serve")]
    days: u32,
    /// Play the incidents too, in the last hours of these days, each as long as it takes
    #[arg(long, requires = "days")]
    play_incidents: bool,
    /// Leave keys disabled and scheduled for deletion as the incidents left them
    #[arg(long)]
    keep: bool,
}

const DAY_SECONDS: i64 = 86_400;
/// Of the played days, what is left for incidents.
const INCIDENT_SECONDS: f64 = 5_400.0;

pub(crate) fn run(common: &Common, demo: &Demo) -> Result<Exit, CliError> {
    let service = demo.serve.then(|| Service::start(common, demo)).transpose()?;
    let common = service.as_ref().map_or(common, |service| &service.common);
    let clock: Arc<dyn Clock> = match &service {
        Some(service) => Arc::clone(&service.clock) as Arc<dyn Clock>,
        None => Arc::new(SystemClock::new()),
    };
    output::line(&format!("asking {}, seed {}", common.endpoint, demo.seed));
    let mut stage = Stage::new(clock, &SeededEntropy::from_number(demo.seed), demo.pace);
    let mut cast = Cast::gather(common, &mut stage)?;
    output::line(&cast.introduction());
    background::begin(&mut stage, &mut cast)?;
    let all = || Incident::ALL.to_vec();
    let incidents = if demo.quiet { vec![] } else { demo.incidents.clone().unwrap_or_else(all) };
    if let Some(service) = &service
        && 0 < demo.days
    {
        play(demo, service, &mut stage, &mut cast, &incidents)?;
    }
    if !demo.play_incidents {
        live(demo, &mut stage, &mut cast, &incidents)?;
    } else {
        stage.live();
        stage.pass(&mut cast, demo.minutes * 60.0)?;
    }
    if !demo.keep {
        incidents::put_right(&mut stage, &mut cast)?;
    }
    output::line(&stage.tally());
    output::lines(
        "look at it:\n  keyward events stats 'since:1h' --by principal,op,result\n  keyward events list 'result:denied since:1h'\n  the boards of dashboards/grafana, and /alerts of Prometheus",
    );
    Ok(Exit::Ok)
}

/// Some days in little time, ending now.
fn play(
    demo: &Demo,
    service: &Service,
    stage: &mut Stage,
    cast: &mut Cast,
    incidents: &[Incident],
) -> Result<(), CliError> {
    let seconds = f64::from(demo.days) * 86_400.0;
    output::line(&format!("playing {} days of everyday traffic", demo.days));
    stage.play(Arc::clone(&service.clock));
    let played = if demo.play_incidents { incidents } else { &[] };
    #[expect(clippy::cast_precision_loss, reason = "there are five")]
    let after = INCIDENT_SECONDS * played.len() as f64;
    stage.pass(cast, (seconds - after).max(0.0))?;
    for incident in played {
        let begun = stage.seconds();
        incident.happen(stage, cast, INCIDENT_SECONDS / 1.5)?;
        stage.pass(cast, (INCIDENT_SECONDS - (stage.seconds() - begun)).max(0.0))?;
    }
    service.clock.let_go();
    Ok(())
}

/// Traffic as it comes, with incidents spread over the time.
fn live(
    demo: &Demo,
    stage: &mut Stage,
    cast: &mut Cast,
    incidents: &[Incident],
) -> Result<(), CliError> {
    stage.live();
    let seconds = demo.minutes * 60.0;
    #[expect(clippy::cast_precision_loss, reason = "there are five")]
    let share = seconds / (incidents.len() as f64 + 1.0);
    output::line(&format!("everyday traffic for {seconds:.0} seconds"));
    let begun = stage.seconds();
    stage.pass(cast, share)?;
    for incident in incidents {
        incident.happen(stage, cast, share * 0.6)?;
        stage.pass(cast, share * 0.2)?;
    }
    stage.pass(cast, (seconds - (stage.seconds() - begun)).max(0.0))
}

/// A service of the demonstration's own.
struct Service {
    clock: Arc<PlayedClock>,
    common: Common,
    /// It stops when this goes.
    _running: Running,
}

impl Service {
    fn start(common: &Common, demo: &Demo) -> Result<Self, CliError> {
        let now = SystemClock::new().now();
        let begin = now.plus_seconds(-i64::from(demo.days) * DAY_SECONDS);
        let clock = Arc::new(PlayedClock::from(if demo.days == 0 { Timestamp(0) } else { begin }));
        if demo.days == 0 {
            clock.let_go();
        }
        let credentials = |text: &str| Secret::new(text);
        let config = Config {
            listen: demo.listen,
            data: demo.data.clone(),
            root_credentials: Some(RootCredentials {
                access_key_id: common.access_key_id.clone(),
                secret: credentials(&common.secret_access_key),
            }),
            trusted_front: TrustedFront {
                networks: vec!["127.0.0.0/8".to_owned()],
                source_ip_header: Some(actor::ADDRESS_HEADER.to_owned()),
                ..TrustedFront::default()
            },
            metrics_names: true,
            clock: Some(Arc::clone(&clock)),
            ..Config::dev()
        };
        let running = keyward_server::start(&config)
            .map_err(|error| CliError::failure(format!("the service does not start: {error}")))?;
        let (id, secret) = cast::STRANGER_ACCESS_KEY;
        let stranger =
            AccountId::parse(cast::STRANGER).ok_or_else(|| CliError::failure("no account"))?;
        running.engine().ensure_root(&stranger, id, secret).map_err(CliError::failure)?;
        let endpoint = format!("http://{}", running.address());
        let common = Common { endpoint, ..common.clone() };
        Ok(Self { clock, common, _running: running })
    }
}
