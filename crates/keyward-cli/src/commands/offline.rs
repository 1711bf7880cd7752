//! What the offline commands share: opening a stopped store, and a progress bar.
//!
//! A store that `keyward dev --data` made keeps its root key inside; any other needs to be told.

use crate::{
    args::RootKeyArgs,
    exit::{CliError, Exit},
};
use indicatif::{ProgressBar, ProgressStyle};
use keyward_engine::Engine;
use keyward_server::{Config, Opened, StartError};
use keyward_store::{EventQuery, Progress, Stage, Store, StoreError, StoreHeader};
use std::path::Path;

pub(super) fn config(data: &Path, root: &RootKeyArgs) -> Config {
    let mut config =
        Config { data: Some(data.to_owned()), root_credentials: None, ..Config::dev() };
    super::service::apply_root_key(&mut config.root_key, root);
    config
}

/// Opens a stopped store. Where there is none, none is made: a folder that was mistyped would read as an empty log.
///
/// What the service promised of the store stays promised: a start believes a shortened journal by it.
pub(super) fn open(config: &Config, progress: &Bar) -> Result<Opened, CliError> {
    let mut config = config.clone();
    if let Some(data) = &config.data {
        let header = StoreHeader::read(data).map_err(|broken| error(&broken.into()))?;
        let absent = || error(&StoreError::Absent(data.display().to_string()).into());
        config.durability = header.ok_or_else(absent)?.durability;
    }
    keyward_server::open(&config, progress).map_err(|start| error(&start))
}

pub(super) fn error(error: &StartError) -> CliError {
    let exit = match error {
        StartError::Store(StoreError::Absent(_)) => Exit::NotFound,
        StartError::Store(StoreError::Corrupt { .. } | StoreError::Lost { .. }) => Exit::Integrity,
        StartError::Store(StoreError::Locked) => Exit::Conflict,
        _ => Exit::Failure,
    };
    CliError::new(exit, error.to_string())
}

/// The shortest run of events that holds all of a time: the number of the first, and the one after the last. Where
/// there is none it ends, empty, where the log does.
pub(super) fn run(store: &Store, within: &EventQuery) -> Result<(u64, u64), CliError> {
    let number = |newest_first| {
        let found = store.events(&EventQuery { newest_first, limit: 1, ..within.clone() });
        Ok::<_, CliError>(found.map_err(CliError::failure)?.first().map(|event| event.seq))
    };
    let total = store.events_total();
    Ok(match (number(false)?, number(true)?) {
        (Some(first), Some(last)) => (first, last + 1),
        _ => (total, total),
    })
}

/// The hashes of a run of events, under a checkpoint that is signed now unless the newest is of all events.
pub(super) fn export_hashes(engine: &Engine, run: (u64, u64), file: &Path) -> Result<(), CliError> {
    let head = engine.checkpoint().map_err(CliError::failure)?;
    let hashes = engine.event_hashes(run, head).map_err(CliError::failure)?;
    let written = std::fs::write(file, hashes.to_string());
    written.map_err(|error| CliError::failure(format!("{}: {error}", file.display())))
}

/// A bar on a terminal, nothing elsewhere.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}%") {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(super) fn done(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn advance(&self, stage: Stage, done: u64, total: u64) {
        self.0.set_message(stage.as_str());
        self.0.set_length(total);
        self.0.set_position(done);
    }
}
