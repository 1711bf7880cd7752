//! Two services asked the same, in turns: what a setting costs, such as detectors that are off in one of them.
//!
//! What a service puts off while it is asked, it does afterwards: it is waited for, and what its processor takes then,
//! spread over all cores, is part of its time. So neither is measured while the other still works.

use super::{Span, load, load::Measured, now};
use crate::exit::{CliError, Exit};
use std::{net::SocketAddr, thread, time::Duration};

/// Turns of each; the first in a pair changes.
const ROUNDS: u32 = 4;
/// How long a service may be behind with its log.
const BEHIND_MAX: Duration = Duration::from_secs(120);
/// Between two looks at a service that is behind; a look costs it something, too.
const LOOK: Duration = Duration::from_millis(50);
const LAG: &str = "kms_watch_lag_events ";
const PROCESSOR: &str = "process_cpu_seconds_total ";

/// A service and what it is asked.
pub(super) struct Side<'r> {
    pub(super) address: SocketAddr,
    pub(super) request: &'r [u8],
}

/// Measures both, each for the whole span.
pub(super) fn run(
    sides: [&Side<'_>; 2],
    connections: usize,
    span: Span,
) -> Result<[Measured; 2], CliError> {
    let mut both = [Measured::default(), Measured::default()];
    for side in sides {
        settle(side.address)?;
    }
    for round in 0..ROUNDS {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for place in order {
            let (Some(side), Some(sum)) = (sides.get(place), both.get_mut(place)) else { continue };
            let mut measured = load::run(side.address, side.request, connections, span)?;
            measured.seconds += settle(side.address)?;
            sum.add(measured);
        }
    }
    Ok(both)
}

/// Waits until the detectors have seen every event, and gives the seconds that this takes of the whole machine.
fn settle(address: SocketAddr) -> Result<f64, CliError> {
    let begun = now();
    let (first, mut is_behind) = state(address)?;
    let mut last = first;
    while is_behind {
        if BEHIND_MAX < begun.elapsed() {
            return Err(CliError::failure(format!("the detectors of {address} do not keep up")));
        }
        thread::park_timeout(LOOK);
        (last, is_behind) = state(address)?;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Ok((last - first) / f64::from(u32::try_from(cores).unwrap_or(u32::MAX)))
}

/// The processor's seconds that a service has taken, and whether its detectors are behind.
fn state(address: SocketAddr) -> Result<(f64, bool), CliError> {
    let failed = |error: ureq::Error| CliError::new(Exit::Unreachable, error.to_string());
    let mut answer = ureq::get(format!("http://{address}/metrics")).call().map_err(failed)?;
    let metrics = answer.body_mut().read_to_string().map_err(failed)?;
    let value = |name: &str| {
        let mut lines = metrics.lines();
        lines.find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
    };
    Ok((value(PROCESSOR).unwrap_or_default(), value(LAG).is_some_and(|lag| 0.0 < lag)))
}
