//! Keeps the journal small: closes segments that are old, seals them, copies them to an archive, and lets those go whose
//! time is over.
//!
//! It runs off the threads that serve, once a minute. What fails is tried again the next time; nothing that a segment
//! holds is lost by it.
//!
//! INVARIANT: a segment goes only when all its events are older than what is kept, and, where there is an archive,
//! after the archive has it; where CloudTrail files are written, after they have its events.
//! INVARIANT: none goes by a clock that is far ahead of what was lived through, before it has stood for a day.
//! INVARIANT: no request waits for the archive, and none fails because of it.

use crate::{config::ConfigError, files::TrailFiles, wiring::StartError};
use keyward_engine::{Engine, lived::Lived, log::log_origin};
use keyward_export::{Destination, S3, To};
use keyward_store::{SEALED_TRAILER, SealedSegment};
use keyward_trail::files::Object;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(60);

/// The section `[journal]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalSettings {
    /// Hours after which a segment is closed though it is not full, so that what is kept is kept by about this measure.
    pub segment_hours: u32,
    /// Mebibytes at which a segment is closed.
    pub segment_mebibytes: u32,
    /// Days for which events are kept. For good, unless it is said here.
    pub keep_days: Option<u32>,
    /// Where sealed segments are copied: a folder, or `s3://BUCKET/PREFIX` where the build has the feature `s3`.
    pub archive: Option<String>,
    /// How an S3-compatible store is reached.
    pub s3: S3,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            segment_hours: 24,
            segment_mebibytes: 64,
            keep_days: None,
            archive: None,
            s3: S3::default(),
        }
    }
}

impl JournalSettings {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |name, wanted| Err(ConfigError::Value { name, wanted });
        if self.segment_hours == 0 {
            return wrong("journal.segment_hours", "1 or more");
        }
        if !(1..=1_024).contains(&self.segment_mebibytes) {
            return wrong("journal.segment_mebibytes", "1 to 1024");
        }
        if self.keep_days == Some(0) {
            return wrong("journal.keep_days", "1 or more; left out, events are kept for good");
        }
        Ok(())
    }
}

/// What one look came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub sealed: usize,
    pub archived: usize,
    /// The first event that is still there, when some left.
    pub first_event: Option<u64>,
}

/// Who looks after the journal.
pub struct Keeper {
    settings: JournalSettings,
    archive: Option<To>,
    /// Files that are written of every event.
    files: Option<Arc<TrailFiles>>,
    /// Segments of which this process knows that the archive has them as they are here.
    archived: Mutex<BTreeSet<u32>>,
    lived: Lived,
}

/// How long a clock that is far ahead has to stand before events leave by it.
const STAND: Duration = Duration::from_hours(24);

impl Keeper {
    /// # Errors
    /// When the archive cannot be one. One that cannot be reached now is tried later.
    pub fn new(
        settings: &JournalSettings,
        files: Option<Arc<TrailFiles>>,
    ) -> Result<Self, StartError> {
        let archive = settings.archive.as_deref();
        let archive = archive.map(|text| keyward_export::to(text, &settings.s3)).transpose()?;
        let archived = Mutex::new(BTreeSet::new());
        Ok(Self { settings: settings.clone(), archive, files, archived, lived: Lived::new(STAND) })
    }

    /// One look: what is due now.
    ///
    /// # Errors
    /// In words, for the diagnostic log.
    pub fn look(&self, engine: &Engine) -> Result<Kept, String> {
        let words = |error: keyward_types::KmsError| error.to_string();
        let now = engine.now();
        let old = now.plus_seconds(-i64::from(self.settings.segment_hours) * 3_600);
        engine.close_segment_from_before(old).map_err(words)?;
        let mut kept = Kept { sealed: engine.seal_segments().map_err(words)?, ..Kept::default() };
        let segments = engine.sealed_segments().map_err(words)?;
        let mut archived = self.archived.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = Vec::new();
        if let Some(to) = &self.archive {
            let prefix = prefix(to, engine);
            let copied = copy(&*to.destination, &prefix, &segments, &mut archived)?;
            kept.archived = copied.segments;
            held = copied.held;
        }
        // What is held back holds back what comes after it, and nothing before.
        self.retire(engine, &segments, &archived, &mut kept)?;
        if held.is_empty() { Ok(kept) } else { Err(held.join("; ")) }
    }

    /// Lets those go whose time is over.
    fn retire(
        &self,
        engine: &Engine,
        segments: &[SealedSegment],
        archived: &BTreeSet<u32>,
        kept: &mut Kept,
    ) -> Result<(), String> {
        let Some(days) = self.settings.keep_days else { return Ok(()) };
        let now = engine.now();
        let believed = engine.believe(&self.lived, now);
        believed.map_err(|leapt| format!("no events leave by their age: {leapt}"))?;
        let limit = now.plus_days(-i64::from(days));
        let written = self.files.as_ref().map(|files| files.reached().unwrap_or_default());
        let is_over = |segment: &&SealedSegment| {
            let facts = &segment.facts;
            facts.times.1 < limit
                && (self.archive.is_none() || archived.contains(&facts.number))
                && written.is_none_or(|next| facts.events.1 <= next)
        };
        let over = segments.iter().take_while(is_over).count();
        let over = segments.get(..over).unwrap_or_default();
        let (mut last, mut held) = (None, None);
        for segment in over {
            if !segment.is_as_summed().map_err(|error| error.to_string())? {
                held = Some(format!(
                    "{}: put back the file of a backup, or the archive's",
                    damaged(segment)
                ));
                break;
            }
            last = Some(segment);
        }
        if let Some(last) = last {
            let why = format!("kept for {days} days");
            let archive = self.settings.archive.as_deref();
            let retired = engine.retire_segments(last, &why, archive);
            kept.first_event = Some(retired.map_err(|error| error.to_string())?);
        }
        held.map_or(Ok(()), Err)
    }
}

/// What stands before a segment's number in the archive, which may be that of several stores.
fn prefix(to: &To, engine: &Engine) -> String {
    let log = log_origin(&engine.store().header().store_id);
    to.prefix.as_ref().map_or(format!("{log}/"), |prefix| format!("{prefix}/{log}/"))
}

/// What copying to the archive came to.
#[derive(Default)]
struct Copied {
    segments: usize,
    /// Segments that could not be, in words that name each.
    held: Vec<String>,
}

/// Copies what the archive does not have, or not as it was written. A segment that is damaged is not copied, and one
/// that is there and another, as after a backup was put back, is not written over: it stays, with all that come after
/// it, until somebody has looked.
fn copy(
    archive: &dyn Destination,
    prefix: &str,
    segments: &[SealedSegment],
    known: &mut BTreeSet<u32>,
) -> Result<Copied, String> {
    let mut copied = Copied::default();
    for segment in segments {
        let number = segment.facts.number;
        if known.contains(&number) {
            continue;
        }
        let key = format!("{prefix}{number:08}.sealed");
        let there = archive.get(&key).map_err(|error| error.to_string())?;
        let bytes = fs::read(&segment.path).map_err(|error| error.to_string())?;
        match there {
            Some(there) if there.bytes == bytes => {}
            there if !segment.is_as_summed().map_err(|error| error.to_string())? => {
                let archived = if there.is_some() {
                    format!(", or the archive's {key}")
                } else {
                    String::new()
                };
                copied
                    .held
                    .push(format!("{}: put back the file of a backup{archived}", damaged(segment)));
                continue;
            }
            Some(there) if !is_damaged_copy(&there.bytes, &bytes, segment) => {
                copied.held.push(format!("the archive's {key} is another segment than this store's segment {number}: move it away, or name another archive"));
                continue;
            }
            there => {
                if there.is_some() {
                    tracing::warn!(
                        key,
                        "the archive's copy of a segment is damaged, and is replaced"
                    );
                }
                let object = Object { bytes, metadata: BTreeMap::new() };
                archive.put(&key, &object).map_err(|error| error.to_string())?;
                copied.segments += 1;
            }
        }
        known.insert(number);
    }
    Ok(copied)
}

fn damaged(segment: &SealedSegment) -> String {
    let (number, path) = (segment.facts.number, segment.path.display());
    format!(
        "segment {number} ({path}) is damaged: its bytes are not those that its footer was signed over; it stays, and all after it"
    )
}

/// Whether an archive's file, which is not this segment's, is what was once a copy of it: cut off, or the same up to
/// the footer or from there on.
fn is_damaged_copy(there: &[u8], bytes: &[u8], segment: &SealedSegment) -> bool {
    let end = segment.footer.len() + SEALED_TRAILER;
    let ends = |bytes: &[u8]| bytes.len().checked_sub(end);
    bytes.starts_with(there)
        || (there.len() == bytes.len()
            && ends(bytes).is_some_and(|at| {
                there.get(..at) == bytes.get(..at) || there.get(at..) == bytes.get(at..)
            }))
}

/// Looks after the journal for as long as the service runs.
pub(crate) async fn follow(engine: Arc<Engine>, keeper: Arc<Keeper>) {
    let mut interval = tokio::time::interval(LOOK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let (engine, keeper) = (Arc::clone(&engine), Arc::clone(&keeper));
        match tokio::task::spawn_blocking(move || keeper.look(&engine)).await {
            Ok(Ok(Kept { first_event: Some(first_event), .. })) => {
                tracing::info!(first_event, "events left the log by its retention");
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::error!(error, "the journal's segments wait to be sealed or archived");
            }
            Err(error) => tracing::error!(%error, "looking after the journal panicked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn the_section_is_read_and_what_cannot_work_is_refused() {
        let text = "[journal]\nkeep_days = 400\narchive = \"/var/archive\"\nsegment_hours = 1";
        let config = Config::from_toml(text).unwrap();
        assert_eq!(config.journal.keep_days, Some(400));
        assert_eq!(config.journal.segment_mebibytes, 64);
        for bad in ["keep_days = 0", "segment_hours = 0", "segment_mebibytes = 0", "keep = 1"] {
            assert!(Config::from_toml(&format!("[journal]\n{bad}")).is_err(), "{bad}");
        }
    }
}
