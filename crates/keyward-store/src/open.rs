//! Making and opening a store: what is checked, in which order, and what is put right.
//!
//! Before anything is changed: the lock, the header, the root key, the anchor, the end of the journal.
//! Then, and each durably: the new generation, the unfinished end of the journal, sled (opened, or built again
//! from the journal), the changes it misses, the vault's orphans.
//!
//! INVARIANT: the journal decides. sled is believed only as far as it agrees with the journal.
//! INVARIANT: a store that misses acknowledged commits is refused, never served.
//! Source: what sled does under power cuts and damage is told in <https://github.com/spacejam/sled/issues/1452>,
//! <https://github.com/spacejam/sled/issues/1387>.

use crate::{
    Durability, Options, Progress, Stage, Store, StoreError, StoreHeader,
    anchor::{self, Anchor, Anchored},
    base::{Base, BaseHead},
    checkpoints::Checkpoints,
    codec::{Vaulting, encode},
    disk::{Disk, copy_directory, directory_bytes},
    harden,
    header::FORMAT,
    journal::{self, Appender, End, Segment, frame::SEGMENT_HEAD},
    leaving::{self, Leaving},
    newest::Newest,
    replay::{apply_base, chain_at, check_end, missing, replay_frame, since},
    shared::{ByWeight, Counters, LAYOUT, Meta, Shared, lock, read_meta, survey},
    tree::{self, Kind},
    vault::Vault,
    watch::Watch,
    writer::{Alarm, Background, Queue, Recent, Writer},
};
use keyward_types::Sealer;
use std::{
    fmt,
    fs::{self, File, TryLockError},
    panic::{self, AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// Above this many entries, and after a clean stop, sled is believed without being read through.
const SURVEY_ENTRIES_MAX: u64 = 200_000;

/// What the caller decides of a new store.
#[derive(Clone, Debug)]
pub struct NewStore {
    pub store_id: [u8; 16],
    pub root_check: [u8; 32],
    /// The caller's own; see [`StoreHeader::root`].
    pub root: serde_json::Value,
}

/// An open store, and what was found and done on the way.
pub struct Opened {
    pub store: Store,
    pub report: Vec<Finding>,
}

/// Something that an operator should hear of after a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The last run did not close the store.
    UncleanStop,
    /// sled was copied before it was opened.
    CopiedAside { bytes: u64 },
    /// There was not enough room to copy sled; it can still be built again.
    NotCopiedAside { bytes: u64 },
    /// The journal ended in a frame that was never acknowledged. It was cut off.
    TornEnd { segment: String, offset: u64, bytes: u64 },
    /// sled missed commits that the journal has.
    Replayed { commits: u64 },
    /// sled was built again from the journal.
    Rebuilt { reason: String, commits: u64, kept_as: Option<String> },
    /// The vault held data-encryption keys of commits that never were, or of keys that are gone.
    OrphansDestroyed { count: u64 },
    /// One of the anchor's two slots was damaged; the other one was used.
    AnchorSlotDamaged,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UncleanStop => f.write_str("the store was not closed by the last run"),
            Self::CopiedAside { bytes } => {
                write!(f, "copied sled aside before opening it ({bytes} bytes)")
            }
            Self::NotCopiedAside { bytes } => {
                write!(f, "no room to copy sled aside ({bytes} bytes)")
            }
            Self::TornEnd { segment, offset, bytes } => {
                write!(
                    f,
                    "cut {bytes} bytes that were never acknowledged off {segment} at byte {offset}"
                )
            }
            Self::Replayed { commits } => write!(f, "replayed {commits} commits from the journal"),
            Self::Rebuilt { reason, commits, kept_as } => {
                write!(
                    f,
                    "built sled again from {commits} commits of the journal, because {reason}"
                )?;
                kept_as.as_ref().map_or(Ok(()), |name| write!(f, "; the old one is kept as {name}"))
            }
            Self::OrphansDestroyed { count } => {
                write!(f, "destroyed {count} orphaned data-encryption keys")
            }
            Self::AnchorSlotDamaged => f.write_str("one slot of the anchor was damaged"),
        }
    }
}

impl Store {
    /// Makes a store in a directory that holds none, and opens it.
    ///
    /// # Errors
    /// `Occupied` when there is one already; whatever the disk says.
    pub fn create(
        options: Options,
        new: NewStore,
        sealer: Arc<dyn Sealer>,
        progress: &dyn Progress,
    ) -> Result<Opened, StoreError> {
        let directory = options.directory.clone();
        fs::create_dir_all(&directory).map_err(|e| StoreError::io(&directory, &e))?;
        let lock = take_lock(&options)?;
        if StoreHeader::read(&directory)?.is_some() {
            return Err(StoreError::Occupied(directory.display().to_string()));
        }
        clear_unfinished(&options)?;
        let disk = Disk::new(options.disk_hook.clone());
        let vaulting = Vaulting::new(Arc::clone(&sealer), new.store_id);
        disk.sync_parent(&directory)?;
        journal::create(&disk, &directory.join("journal"), new.store_id)?;
        Vault::create(disk.clone(), vaulting.clone(), &directory.join("deks.log"), &new.store_id)?;
        Anchor::create(disk.clone(), vaulting.clone(), &options.anchor_path())?;
        disk.replace(&directory.join("clean"), b"")?;
        let mut header = StoreHeader {
            format: FORMAT,
            store_id: new.store_id,
            root_check: new.root_check,
            root: new.root,
            generation: 0,
            durability: options.durability,
            proof: String::new(),
        };
        header.prove(&vaulting);
        header.write(&disk, &directory)?;
        open_locked(options, lock, |_| Ok(sealer), progress)
    }

    /// Opens a store.
    ///
    /// `sealer_for` hears the header with the generation of this run, compares the root key's check value and
    /// hands out the sealer. Nothing on disk is changed before that.
    ///
    /// # Errors
    /// `Absent`, `Locked`, `RootKey`, `Lost`, `Corrupt`, `Format`, `SyncNotReal`, or what the disk says.
    pub fn open(
        options: Options,
        sealer_for: impl FnOnce(&StoreHeader) -> Result<Arc<dyn Sealer>, String>,
        progress: &dyn Progress,
    ) -> Result<Opened, StoreError> {
        if StoreHeader::read(&options.directory)?.is_none() {
            return Err(absent(&options));
        }
        let lock = take_lock(&options)?;
        open_locked(options, lock, sealer_for, progress)
    }

    /// A store in a temporary directory that goes when the store is dropped. For tests and trials.
    ///
    /// # Errors
    /// As for [`Store::create`].
    pub fn temporary(sealer: Arc<dyn Sealer>, durability: Durability) -> Result<Self, StoreError> {
        Self::temporary_on(sealer, durability, None)
    }

    /// The same on a disk that a hook judges.
    ///
    /// # Errors
    /// As [`Store::temporary`].
    #[doc(hidden)]
    pub fn temporary_on(
        sealer: Arc<dyn Sealer>,
        durability: Durability,
        disk_hook: Option<crate::DiskHook>,
    ) -> Result<Self, StoreError> {
        let home = tempfile::tempdir()
            .map_err(|e| StoreError::io(Path::new("temporary directory"), &e))?;
        let options = Options { durability, disk_hook, ..Options::at(home.path()) };
        let new =
            NewStore { store_id: [0; 16], root_check: [0; 32], root: serde_json::Value::Null };
        let mut opened = Self::create(options, new, sealer, &crate::Silent)?;
        opened.store.home = Some(home);
        Ok(opened.store)
    }
}

/// Without a header there is no store, unless there is more than an unfinished beginning of one.
pub(crate) fn absent(options: &Options) -> StoreError {
    if holds_commits(options) {
        return StoreError::Lost("store.json is missing, and a journal is there".to_owned());
    }
    StoreError::Absent(options.directory.display().to_string())
}

fn holds_commits(options: &Options) -> bool {
    let journal = options.directory.join("journal");
    options.directory.join("sled").exists() || directory_bytes(&journal) > SEGMENT_HEAD as u64
}

/// Removes what an interrupted [`Store::create`] left; the header is written last.
fn clear_unfinished(options: &Options) -> Result<(), StoreError> {
    if holds_commits(options) {
        return Err(absent(options));
    }
    let journal = options.directory.join("journal");
    if journal.exists() {
        fs::remove_dir_all(&journal).map_err(|e| StoreError::io(&journal, &e))?;
    }
    Ok(())
}

pub(crate) fn take_lock(options: &Options) -> Result<File, StoreError> {
    let path = options.directory.join("lock");
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| StoreError::io(&path, &e))?;
    let mut attempts = 0;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(StoreError::io(&path, &e)),
            Err(TryLockError::WouldBlock) => {
                attempts += 1;
                if !(options.patience)(attempts) {
                    return Err(StoreError::Locked);
                }
            }
        }
    }
}

fn open_locked(
    options: Options,
    lock: File,
    sealer_for: impl FnOnce(&StoreHeader) -> Result<Arc<dyn Sealer>, String>,
    progress: &dyn Progress,
) -> Result<Opened, StoreError> {
    check_sync(options.durability)?;
    let directory = options.directory.clone();
    let mut header = StoreHeader::read(&directory)?.ok_or_else(|| absent(&options))?;
    header.generation += 1;
    let sealer = sealer_for(&header).map_err(StoreError::RootKey)?;
    let vaulting = Vaulting::new(sealer, header.store_id);
    header.check(&vaulting)?;
    let disk = Disk::new(options.disk_hook.clone());
    let mut opening = Opening { options, disk, vaulting, header, progress, report: Vec::new() };
    let evidence = opening.examine()?;
    opening.begin(&evidence)?;
    let (shared, end) = opening.restore(evidence)?;
    opening.start(shared, end, lock)
}

fn check_sync(durability: Durability) -> Result<(), StoreError> {
    if harden::sync_is_real() {
        return Ok(());
    }
    match durability {
        Durability::Commit => Err(StoreError::SyncNotReal),
        Durability::Relaxed => {
            tracing::warn!(
                "sync_file_range answers, so that sled's flushes are not syncs; the journal is safe"
            );
            Ok(())
        }
    }
}

struct Opening<'a> {
    options: Options,
    disk: Disk,
    vaulting: Vaulting,
    header: StoreHeader,
    progress: &'a dyn Progress,
    report: Vec<Finding>,
}

/// What was found before anything was changed.
struct Evidence {
    base: Base,
    segments: Vec<Segment>,
    /// A last segment that was never begun, and files whose content stands elsewhere.
    leftovers: Vec<PathBuf>,
    end: End,
    was_clean: bool,
}

impl Opening<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.options.directory.join(name)
    }

    /// Reads the anchor and the end of the journal, and refuses when acknowledged commits are missing.
    fn examine(&mut self) -> Result<Evidence, StoreError> {
        let (_, anchored, whole) = anchor::read(&self.vaulting, &self.options.anchor_path())?;
        if !whole {
            self.report.push(Finding::AnchorSlotDamaged);
        }
        let base = Base::read(&self.path("journal"))?;
        let found = journal::segments(&self.path("journal"), &self.header.store_id, &base.head)?;
        base.authenticate(&self.vaulting)?;
        let journal::Found { segments, half, mut leftovers } = found;
        leftovers.extend(half);
        let end = check_end(&self.vaulting, since(&segments, anchored.sequence), &anchored)?;
        let was_clean = self.path("clean").exists();
        if !was_clean {
            self.report.push(Finding::UncleanStop);
        }
        Ok(Evidence { base, segments, leftovers, end, was_clean })
    }

    /// The first changes: the new generation, and no clean stop any more; then what this run promises.
    fn begin(&mut self, evidence: &Evidence) -> Result<(), StoreError> {
        // What the last run left to the operating system is made durable before a stricter promise is written.
        let segment = &evidence.end.segment;
        let file = File::open(segment).map_err(|e| StoreError::io(segment, &e))?;
        self.disk.sync(&file, segment)?;
        if evidence.was_clean {
            let clean = self.path("clean");
            fs::remove_file(&clean).map_err(|e| StoreError::io(&clean, &e))?;
            self.disk.sync_directory(&self.options.directory)?;
        }
        self.header.write(&self.disk, &self.options.directory)?;
        // Only now may anything be sealed: the generation that it is sealed in is on disk.
        let mut promised =
            StoreHeader { durability: self.options.durability, ..self.header.clone() };
        if promised.durability == self.header.durability
            && self.header.proves_promise(&self.vaulting)
        {
            return Ok(());
        }
        promised.prove(&self.vaulting);
        promised.write(&self.disk, &self.options.directory)
    }

    /// Brings journal and sled to the same state.
    fn restore(&mut self, mut evidence: Evidence) -> Result<(Shared, End), StoreError> {
        let leftovers = std::mem::take(&mut evidence.leftovers);
        let journal = self.path("journal");
        leaving::remove(&self.disk, &journal, leftovers.iter().map(PathBuf::as_path))?;
        let (opened, why) = self.open_sled(&evidence)?;
        let opened = match opened {
            Some((db, meta)) => match self.disagreement(&evidence, &meta)? {
                None => Ok((db, meta)),
                Some(reason) => {
                    drop(db);
                    Err(reason)
                }
            },
            None => Err(why),
        };
        self.cut_torn_end(&mut evidence)?;
        let is_rebuilt = opened.is_err();
        let (shared, from) = match opened {
            Ok((db, meta)) => {
                self.forget_copy();
                let from = meta.sequence;
                (self.share(db, meta)?, from)
            }
            Err(reason) => (self.start_again(reason, &evidence)?, evidence.base.head.sequence),
        };
        self.replay(&shared, &evidence, from, is_rebuilt)?;
        self.finish_leaving(&shared, &evidence.base)?;
        self.reconcile_vault(&shared)?;
        let _ = fs::remove_file(&shared.suspect);
        Ok((shared, evidence.end))
    }

    fn cut_torn_end(&mut self, evidence: &mut Evidence) -> Result<(), StoreError> {
        let end = &mut evidence.end;
        if end.torn_bytes == 0 {
            return Ok(());
        }
        journal::cut(&self.disk, end)?;
        self.report.push(Finding::TornEnd {
            segment: end
                .segment
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default(),
            offset: end.offset,
            bytes: end.torn_bytes,
        });
        end.torn_bytes = 0;
        if let Some(last) = evidence.segments.last_mut() {
            last.bytes = end.offset;
        }
        Ok(())
    }

    /// Opens sled if it can be believed; otherwise says why not.
    fn open_sled(
        &mut self,
        evidence: &Evidence,
    ) -> Result<(Option<(sled::Db, Meta)>, String), StoreError> {
        let path = self.path("sled");
        if !path.exists() {
            return Ok((None, "it was missing".to_owned()));
        }
        if self.path("sled.suspect").exists() {
            return Ok((None, "the last run found it damaged".to_owned()));
        }
        if !evidence.was_clean {
            self.copy_aside(&path)?;
        }
        let db = match open_guarded(&self.options, &path) {
            Ok(db) => db,
            Err(StoreError::Locked) => return Err(StoreError::Locked),
            Err(error) => return Ok((None, format!("it did not open ({error})"))),
        };
        let found = quietly(|| -> Result<Option<Meta>, StoreError> {
            let Some(meta) = read_meta(&db, &self.vaulting)? else { return Ok(None) };
            let is_as_it_was_left = evidence.was_clean && meta.sequence == evidence.end.sequence;
            if is_as_it_was_left && meta.entries > SURVEY_ENTRIES_MAX {
                return Ok(Some(meta));
            }
            let sums = survey(&db)?;
            if sums == (meta.entries, meta.digest) {
                return Ok(Some(meta));
            }
            Err(StoreError::bad_value("entries are missing or old"))
        });
        match found {
            Some(Ok(Some(meta))) => Ok((Some((db, meta)), String::new())),
            Some(Ok(None)) => Ok((None, "it was empty".to_owned())),
            Some(Err(error)) => Ok((None, format!("it is damaged ({error})"))),
            None => Ok((None, "it is damaged".to_owned())),
        }
    }

    /// Recovery by sled truncates in place, so that the state before it is kept until sled has proved sound.
    fn copy_aside(&mut self, path: &Path) -> Result<(), StoreError> {
        let bytes = directory_bytes(path);
        let room = self.disk.free_bytes(&self.options.directory)?;
        if room < bytes.saturating_add(self.options.free_bytes_min) {
            self.report.push(Finding::NotCopiedAside { bytes });
            return Ok(());
        }
        let aside = self.path("sled.before");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(|e| StoreError::io(&aside, &e))?;
        }
        let mut done = 0;
        copy_directory(path, &aside, &mut |more| {
            done += more;
            self.progress.advance(Stage::CopyAside, done, bytes);
        })?;
        self.report.push(Finding::CopiedAside { bytes });
        Ok(())
    }

    fn forget_copy(&self) {
        let _ = fs::remove_dir_all(self.path("sled.before"));
    }

    /// Why sled and the journal do not belong together; `None` when they do.
    ///
    /// # Errors
    /// `Lost` or `Corrupt` when sled proves that the journal misses acknowledged commits.
    fn disagreement(&self, evidence: &Evidence, meta: &Meta) -> Result<Option<String>, StoreError> {
        if meta.sequence > evidence.end.sequence {
            // In `commit` durability sled only ever holds what was synced to the journal before.
            if self.header.durability == Durability::Commit {
                return Err(missing(&evidence.end, meta.sequence));
            }
            return Ok(Some("it is ahead of the journal".to_owned()));
        }
        let BaseHead { sequence, first_event, .. } = evidence.base.head;
        if meta.sequence < sequence || first_event < meta.first_event {
            return Ok(Some("it is older than the journal's base".to_owned()));
        }
        if meta.layout != LAYOUT {
            return Ok(Some(format!("its layout is {}, and {LAYOUT} is wanted", meta.layout)));
        }
        let segments = since(&evidence.segments, meta.sequence);
        let chain = chain_at(&self.vaulting, segments, meta.sequence)?;
        Ok((chain != Some(meta.chain)).then(|| "it does not follow this journal".to_owned()))
    }

    /// Moves sled out of the way and begins with an empty one.
    fn start_again(&mut self, reason: String, evidence: &Evidence) -> Result<Shared, StoreError> {
        let (path, before) = (self.path("sled"), self.path("sled.before"));
        let kept = format!("sled.damaged-{}", self.header.generation);
        let mut kept_as = None;
        if path.exists() {
            let keep = if before.exists() {
                fs::remove_dir_all(&path).map_err(|e| StoreError::io(&path, &e))?;
                before
            } else {
                path.clone()
            };
            self.disk.rename(&keep, &self.path(&kept))?;
            kept_as = Some(kept);
        }
        if evidence.end.sequence > 0 || kept_as.is_some() {
            self.report.push(Finding::Rebuilt { reason, commits: evidence.end.sequence, kept_as });
        }
        let db = open_guarded(&self.options, &path)?;
        let key = tree::meta();
        db.insert(&key, self.vaulting.seal_record(&key, &encode(&Meta::empty())?))?;
        db.flush()?;
        for place in [&path, &self.options.directory] {
            self.disk.sync_directory(place)?;
        }
        let shared = self.share(db, Meta::empty())?;
        if !evidence.base.is_start() {
            apply_base(&shared, &evidence.base)?;
        }
        Ok(shared)
    }

    /// Finishes what the last run began: sled forgets events whose segments left.
    fn finish_leaving(&self, shared: &Shared, base: &Base) -> Result<(), StoreError> {
        if lock(&shared.meta).first_event == base.head.first_event {
            return Ok(());
        }
        let leaving = Leaving::up_to(base, &self.vaulting)?;
        let forget = || {
            leaving.begin(shared)?;
            while leaving.step(shared)? {}
            shared.sled(|tree| tree.flush()).map(drop)
        };
        // A store too large to be surveyed at its start can miss a block: then the next start builds sled again.
        forget().inspect_err(|error| {
            if matches!(error, StoreError::Corrupt { .. }) {
                shared.suspect();
            }
        })
    }

    fn share(&self, db: sled::Db, meta: Meta) -> Result<Shared, StoreError> {
        let store_id = &self.header.store_id;
        let vault = Vault::open(
            self.disk.clone(),
            self.vaulting.clone(),
            &self.path("deks.log"),
            store_id,
        )?;
        let items = usize::try_from(self.options.cache_bytes / 512).unwrap_or(usize::MAX).max(64);
        let shared = Shared {
            tree: (*db).clone(),
            _db: db,
            vaulting: self.vaulting.clone(),
            cache: quick_cache::sync::Cache::with_weighter(
                items,
                self.options.cache_bytes,
                ByWeight,
            ),
            vault: Mutex::new(vault),
            newest: Mutex::new(Newest::default()),
            leaves: crate::merkle::Leaves::new(crate::merkle::LEAVES_CACHED),
            free_bytes: AtomicU64::new(self.disk.free_bytes(&self.options.directory)?),
            published: AtomicU64::new(meta.sequence),
            events: AtomicU64::new(meta.events),
            first_event: AtomicU64::new(meta.first_event),
            meta: Mutex::new(meta),
            leaving: RwLock::new(()),
            counters: Counters::default(),
            failed: OnceLock::new(),
            watch: Watch::default(),
            suspect: self.path("sled.suspect"),
            is_suspect: AtomicBool::new(false),
        };
        Newest::fill(&shared)?;
        Ok(shared)
    }

    /// Applies the commits that sled misses.
    fn replay(
        &mut self,
        shared: &Shared,
        evidence: &Evidence,
        from: u64,
        is_rebuilt: bool,
    ) -> Result<(), StoreError> {
        if from >= evidence.end.sequence {
            return Ok(());
        }
        let stage = if is_rebuilt { Stage::Rebuild } else { Stage::Replay };
        let total = evidence.end.sequence - from;
        journal::scan(&self.vaulting, since(&evidence.segments, from), &mut |frame| {
            let last = frame.head.last();
            if from < last {
                replay_frame(shared, frame)?;
                self.progress.advance(stage, last - from, total);
            }
            Ok(())
        })?;
        shared.sled(|tree| tree.flush())?;
        if !is_rebuilt {
            self.report.push(Finding::Replayed { commits: total });
        }
        let meta = lock(&shared.meta).clone();
        shared.published.store(meta.sequence, Ordering::Release);
        shared.events.store(meta.events, Ordering::Release);
        Ok(())
    }

    fn reconcile_vault(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let prefix = [Kind::DekMark.number()];
        let marks = shared.tree.scan_prefix(prefix).map(|entry| {
            let (mark, sequence) = entry?;
            let sequence = sequence.as_ref().try_into().map(u64::from_be_bytes);
            Ok((mark.to_vec(), sequence.map_err(|_| StoreError::bad_value("a mark is damaged"))?))
        });
        let count = lock(&shared.vault).reconcile(marks)?;
        if count > 0 {
            self.report.push(Finding::OrphansDestroyed { count });
        }
        Ok(())
    }

    fn start(self, shared: Shared, end: End, lock_file: File) -> Result<Opened, StoreError> {
        let Self { options, disk, vaulting, header, report, .. } = self;
        let (anchor, _) = Anchor::open(disk.clone(), vaulting, &options.anchor_path())?;
        let anchor = Arc::new(Mutex::new(anchor));
        let journal = options.directory.join("journal");
        let journal =
            Appender::open(disk.clone(), journal, header.store_id, options.segment_bytes, &end)?;
        lock(&anchor).advance(Anchored { sequence: end.sequence, chain: end.chain })?;
        let checkpoints = Checkpoints::open(disk.clone(), &options.directory)?;
        let events = shared.events.load(Ordering::Acquire);
        if let Some(signed) = checkpoints.sizes().last().filter(|signed| events < **signed) {
            return Err(StoreError::Lost(format!(
                "the log has {events} events, and a checkpoint of {signed} was signed; whoever serves it forks the log"
            )));
        }
        shared.watch.publish(shared.events.load(Ordering::Acquire));
        let (shared, queue) = (Arc::new(shared), Arc::new(Queue::default()));
        let tail = Arc::new(Mutex::new(journal.tail().clone()));
        let alarm = Arc::new(Alarm::default());
        let background = Background {
            shared: Arc::clone(&shared),
            tail: Arc::clone(&tail),
            anchor: Arc::clone(&anchor),
            disk: disk.clone(),
            durability: options.durability,
            alarm: Arc::clone(&alarm),
            is_anchor_due: AtomicBool::new(false),
        };
        let writer = Writer {
            shared: Arc::clone(&shared),
            queue: Arc::clone(&queue),
            journal,
            tail: Arc::clone(&tail),
            recent: Recent::new(options.recent_names_max, end.sequence),
            disk: disk.clone(),
            options: options.clone(),
            crowd: 0,
        };
        let failed_start = |e: std::io::Error| StoreError::io(Path::new("thread"), &e);
        let tick = options.tick;
        let background = (!tick.is_zero())
            .then(|| {
                thread::Builder::new()
                    .name("keyward-sync".to_owned())
                    .spawn(move || background.run(tick))
            })
            .transpose()
            .map_err(failed_start)?;
        let writer = thread::Builder::new()
            .name("keyward-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(failed_start)?;
        let header = StoreHeader { durability: options.durability, ..header };
        let store = Store {
            shared,
            queue,
            options,
            disk,
            anchor,
            tail,
            checkpoints: Mutex::new(checkpoints),
            segments: Mutex::new(()),
            alarm,
            writer: Some(writer),
            background,
            header,
            _lock: lock_file,
            home: None,
        };
        Ok(Opened { store, report })
    }
}

pub(crate) fn sled_config(options: &Options, path: &Path) -> sled::Config {
    sled::Config::new()
        .path(path)
        .cache_capacity(options.sled_cache_bytes)
        .mode(sled::Mode::LowSpace)
        .flush_every_ms(Some(500))
}

/// Opens sled, which panics on some damage, and waits for a dead process to let go of it.
pub(crate) fn open_guarded(options: &Options, path: &Path) -> Result<sled::Db, StoreError> {
    let mut attempts = 0;
    loop {
        let opened = quietly(|| sled_config(options, path).open());
        let error = match opened {
            Some(Ok(db)) => return Ok(db),
            Some(Err(error)) => StoreError::from(error),
            None => return Err(StoreError::Sled("it panicked while it recovered".to_owned())),
        };
        if !error.to_string().contains("acquire lock") {
            return Err(error);
        }
        attempts += 1;
        if !(options.patience)(attempts) {
            return Err(StoreError::Locked);
        }
    }
}

/// Runs what may panic inside sled, without the message on the terminal. `None` when it panicked.
pub(crate) fn quietly<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: OnceLock<()> = OnceLock::new();
    HOOK.get_or_init(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_sled = info.location().is_some_and(|place| place.file().contains("sled-0.34"));
            if !is_sled {
                before(info);
            }
        }));
    });
    catch_unwind(AssertUnwindSafe(call)).ok()
}
