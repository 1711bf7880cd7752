//! The folder of guardrails: read at the start, and again when it changed or somebody asks.
//!
//! Every file of the folder whose name ends in `.cedar` counts; folders in it do not. The folder is looked at
//! once a second, by names, sizes and times of change, and read when it has looked the same twice: an editor
//! that is still writing is left to finish.
//!
//! INVARIANT: what is in force was compiled as a whole from one reading; a folder that cannot be read, or has
//! one wrong file, changes nothing.
//! INVARIANT: requests do not notice: a set is compiled beside them, and swapped.

use keyward_engine::Engine;
use keyward_policy::{GuardrailError, Guardrails};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// Between two looks at the folder.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// Bytes of one file at most: a slip such as a link to a disk is not read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why guardrails were refused. Each line is `file:line:column: message`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardrailsRefused {
    #[error("{place}: {cause}")]
    Unreadable { place: String, cause: String },
    #[error("{}", lines(.0))]
    Wrong(Vec<GuardrailError>),
}

fn lines(errors: &[GuardrailError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Names and texts.
pub type Files = Vec<(String, String)>;

/// A file as a look sees it. The time is that of any change, also of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sighted {
    path: PathBuf,
    bytes: u64,
    inode: u64,
    changed: (i64, i64),
}

/// What a look at a folder sees; `None` where it cannot be read.
type Sight = Option<Vec<Sighted>>;

/// A folder of guardrails, or one file of them.
#[derive(Debug)]
pub struct GuardrailFolder {
    place: PathBuf,
    asked: Notify,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// What was last read, whether it was taken or refused.
    read: Sight,
    /// What the last look saw, when it was not what was last read.
    moving: Option<Sight>,
}

impl GuardrailFolder {
    /// Reads and compiles, and holds what was seen as read.
    pub fn open(place: &Path) -> Result<(Self, Guardrails, Files), GuardrailsRefused> {
        let folder = Self { place: place.to_owned(), asked: Notify::new(), seen: Mutex::default() };
        let (guardrails, files) = folder.read()?;
        Ok((folder, guardrails, files))
    }

    /// Asks for a reload, now; SIGHUP does.
    pub fn reload_soon(&self) {
        self.asked.notify_one();
    }

    /// Waits until somebody asks for a reload, at most until the next look. Whether somebody did.
    pub(crate) async fn wait(&self) -> bool {
        tokio::time::timeout(LOOK, self.asked.notified()).await.is_ok()
    }

    /// Reloads where the folder changed and has come to rest, or where it was `asked`. Whether it reloaded.
    pub fn look(&self, engine: &Engine, asked: bool) -> bool {
        if !asked && !self.has_changed() {
            return false;
        }
        match self.read() {
            Ok((guardrails, files)) => {
                tracing::info!(
                    policies = guardrails.len(),
                    files = files.len(),
                    "guardrails reloaded"
                );
                if let Err(error) = engine.replace_guardrails(guardrails, &files) {
                    tracing::error!(%error, "guardrails are in force, and the log could not be told");
                }
                true
            }
            Err(refused) => {
                for line in refused.to_string().lines() {
                    tracing::error!(error = line, "guardrails refused; those before stay in force");
                }
                engine.guardrails_refused();
                false
            }
        }
    }

    fn has_changed(&self) -> bool {
        let sight = sight(&self.place).ok();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.read == sight {
            seen.moving = None;
            return false;
        }
        let rests = seen.moving.as_ref() == Some(&sight);
        seen.moving = (!rests).then_some(sight);
        rests
    }

    fn read(&self) -> Result<(Guardrails, Files), GuardrailsRefused> {
        let read = self.read_once();
        if matches!(read, Err(GuardrailsRefused::Unreadable { .. })) {
            // What could not be read may be readable at the next look, though it looks the same.
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).read = None;
        }
        read
    }

    fn read_once(&self) -> Result<(Guardrails, Files), GuardrailsRefused> {
        let before = sight(&self.place);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).read =
            before.as_ref().ok().cloned();
        let unreadable = |place: &Path, cause: String| GuardrailsRefused::Unreadable {
            place: place.display().to_string(),
            cause,
        };
        let before = before.map_err(|cause| unreadable(&self.place, cause.to_string()))?;
        let mut files = Files::new();
        for Sighted { path, bytes, .. } in &before {
            if *bytes > FILE_BYTES_MAX {
                return Err(unreadable(path, "a file of guardrails is at most 1 MiB".to_owned()));
            }
            let text =
                fs::read_to_string(path).map_err(|cause| unreadable(path, cause.to_string()))?;
            files.push((name(path), text));
        }
        let guardrails = Guardrails::compile(&files).map_err(GuardrailsRefused::Wrong)?;
        Ok((guardrails, files))
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of a folder, by name; a file by itself.
fn sight(place: &Path) -> io::Result<Vec<Sighted>> {
    let mut paths = Vec::new();
    if place.is_dir() {
        for entry in fs::read_dir(place)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "cedar") && !path.is_dir() {
                paths.push(path);
            }
        }
        paths.sort();
    } else {
        paths.push(place.to_owned());
    }
    paths
        .into_iter()
        .map(|path| {
            let metadata = fs::metadata(&path)?;
            let changed = (metadata.ctime(), metadata.ctime_nsec());
            Ok(Sighted { path, bytes: metadata.len(), inode: metadata.ino(), changed })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, wiring};
    use keyward_store::Silent;

    const FORBID: &str = "forbid (principal, action == Action::\"kms:Sign\", resource);";

    /// A look at what changed reads nothing; a second that sees the same does.
    fn look_twice(folder: &GuardrailFolder, engine: &Engine) -> (bool, bool) {
        (folder.look(engine, false), folder.look(engine, false))
    }

    #[test]
    fn a_folder_is_read_when_it_rests_and_what_cannot_be_read_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("guardrails");
        fs::create_dir(&place).unwrap();
        fs::create_dir(place.join("folder.cedar")).unwrap();
        fs::write(place.join("a.cedar"), FORBID).unwrap();
        fs::write(place.join("a.cedar~"), "not read").unwrap();
        let config = Config { guardrails: Some(place.clone()), ..Config::dev() };
        let opened = wiring::open(&config, &Silent).unwrap();
        let (engine, folder) = (&opened.engine, opened.guardrails.as_ref().unwrap());
        let now = || {
            let status = engine.guardrail_status().unwrap();
            (status.files, status.policies, status.refused)
        };
        assert_eq!(now(), (1, 1, false));
        let events = engine.store().events_total();
        assert_eq!(look_twice(folder, engine), (false, false));

        fs::write(place.join("b.cedar"), format!("{FORBID}\n{FORBID}")).unwrap();
        assert!(!folder.look(engine, false));
        fs::write(place.join("c.cedar"), FORBID).unwrap();
        assert_eq!(look_twice(folder, engine), (false, true));
        assert_eq!(now(), (3, 4, false));

        fs::write(place.join("c.cedar"), "forbid").unwrap();
        assert_eq!(look_twice(folder, engine), (false, false));
        assert_eq!(now(), (3, 4, true));
        fs::rename(&place, home.path().join("away")).unwrap();
        assert!(!folder.look(engine, true));
        assert_eq!(now(), (3, 4, true));
        fs::rename(home.path().join("away"), &place).unwrap();
        fs::write(place.join("c.cedar"), " ".repeat(1 + (1 << 20))).unwrap();
        assert!(!folder.look(engine, true));
        fs::write(place.join("c.cedar"), [0xff, 0xfe]).unwrap();
        assert!(!folder.look(engine, true));
        assert_eq!(now(), (3, 4, true));

        for name in ["a.cedar", "b.cedar", "c.cedar"] {
            fs::remove_file(place.join(name)).unwrap();
        }
        assert_eq!(look_twice(folder, engine), (false, true));
        assert_eq!(now(), (0, 0, false));
        // One event for each set that came into force, and none for those that were refused.
        assert_eq!(engine.store().events_total(), events + 2);
    }
}
