//! The journal: what was acknowledged, in the order in which it was.
//!
//! Segment files of bounded size in one directory, each a head and frames (`frame.rs`). The last is written; those
//! before it are closed. A closed one is sealed in time (`sealed.rs`): made small (`chunks.rs`), and signed. Segments
//! leave from the front, when a base has taken in what they did (`base.rs`).
//! It does not know what a payload means, and it does not repair: it says what it found.
//!
//! INVARIANT: bytes are only ever appended. A frame that was not written whole is taken back at once,
//! or cut off at the next start when it was never acknowledged.
//! INVARIANT: segments are numbered on, and each begins where the one before it ends.

pub(crate) mod chunks;
pub(crate) mod frame;
pub(crate) mod sealed;

use crate::{
    StoreError,
    base::BaseHead,
    codec::Vaulting,
    disk::Disk,
    payload::{self, Plain},
};
use frame::{FRAME_HEAD, FRAME_MAGIC, FrameHead, PAYLOAD_MAX, SEGMENT_HEAD, SegmentHead};
use sealed::Trailer;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{FileExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

/// A frame as it was read and found whole, in order and chained.
pub(crate) struct Frame {
    pub(crate) head: FrameHead,
    pub(crate) body: Body,
    pub(crate) segment: PathBuf,
    pub(crate) offset: u64,
}

/// What a frame carries.
pub(crate) enum Body {
    Sealed(Vec<u8>),
    /// Out of a chunk that was opened.
    Plain(Box<Plain>),
}

impl Frame {
    /// Bytes of its payload where it stands.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.body {
            Body::Sealed(payload) => payload.len() as u64,
            Body::Plain(plain) => (plain.changes.len() + plain.events().len()) as u64,
        }
    }

    /// Opens the payload; an error says where the frame stands.
    pub(crate) fn open(self, vaulting: &Vaulting) -> Result<Plain, StoreError> {
        let Self { head, body, segment, offset } = self;
        let opened = match body {
            Body::Plain(plain) => return Ok(*plain),
            Body::Sealed(payload) => payload::unseal(vaulting, head.first, head.count, &payload),
        };
        opened.map_err(|error| match error {
            StoreError::Corrupt { what, .. } => StoreError::corrupt(&segment, offset, what),
            other => other,
        })
    }
}

/// A segment file and its head.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) head: SegmentHead,
    pub(crate) bytes: u64,
    /// Of a sealed one.
    pub(crate) trailer: Option<Trailer>,
}

/// How far the journal goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) segment: PathBuf,
    pub(crate) number: u32,
    /// Where the next frame goes.
    pub(crate) offset: u64,
    /// The sequence number of the last commit; 0 before the first.
    pub(crate) sequence: u64,
    pub(crate) chain: [u8; 32],
    /// Bytes after the last whole frame that no frame follows.
    pub(crate) torn_bytes: u64,
}

/// What a directory holds of a journal.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// In order.
    pub(crate) segments: Vec<Segment>,
    /// A last segment whose head was never written whole: nothing in it was acknowledged.
    pub(crate) half: Option<PathBuf>,
    /// What an interrupted sealing or leaving did not yet remove.
    pub(crate) leftovers: Vec<PathBuf>,
}

fn segment_path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("{}.seg", segment_name(number)))
}

/// What the files of a segment are called, before what says their form.
fn segment_name(number: u32) -> String {
    format!("{number:08}")
}

/// Where a segment stands when it is sealed.
fn sealed_path(open: &Path) -> PathBuf {
    open.with_extension("sealed")
}

/// The numbers of the segments in a directory, and which forms each is there in: open, sealed. And what is left of
/// an interrupted sealing.
type Listed = (BTreeMap<u32, (bool, bool)>, Vec<PathBuf>);

fn list(directory: &Path) -> Result<Listed, StoreError> {
    let (mut numbers, mut unfinished) = (BTreeMap::<u32, (bool, bool)>::new(), Vec::new());
    for entry in fs::read_dir(directory).map_err(|e| StoreError::io(directory, &e))? {
        let entry = entry.map_err(|e| StoreError::io(directory, &e))?;
        let name = entry.file_name();
        if name == "base.new" {
            unfinished.push(entry.path());
        }
        let Some((stem, extension)) = name.to_str().and_then(|name| name.split_once('.')) else {
            continue;
        };
        // A segment has one name. Another spelling of its number is another file, and none of the store's.
        let Some(number) = stem.parse().ok().filter(|number| stem == segment_name(*number)) else {
            continue;
        };
        match extension {
            "seg" => numbers.entry(number).or_default().0 = true,
            "sealed" => numbers.entry(number).or_default().1 = true,
            "sealed.new" => unfinished.push(entry.path()),
            _ => {}
        }
    }
    Ok((numbers, unfinished))
}

/// All segments in order, with the head of each checked, from where the base ends.
///
/// # Errors
/// `Corrupt` or `Lost` when a segment is damaged, or one is missing.
pub(crate) fn segments(
    directory: &Path,
    store_id: &[u8; 16],
    base: &BaseHead,
) -> Result<Found, StoreError> {
    let (numbers, leftovers) = list(directory)?;
    let mut found = Found { segments: Vec::new(), half: None, leftovers };
    let last = numbers.last_key_value().map(|(number, _)| *number);
    for (number, (is_open, is_sealed)) in numbers {
        let open = segment_path(directory, number);
        if number <= base.segment {
            let forms = [(is_open, open.clone()), (is_sealed, sealed_path(&open))];
            found.leftovers.extend(forms.into_iter().filter(|form| form.0).map(|form| form.1));
            continue;
        }
        if is_open && is_sealed {
            found.leftovers.push(open.clone());
        }
        let path = if is_sealed { sealed_path(&open) } else { open };
        let bytes = fs::metadata(&path).map_err(|e| StoreError::io(&path, &e))?.len();
        let ends = if is_sealed {
            sealed::read_ends(&path)?.map(|(head, trailer)| (head, Some(trailer)))
        } else {
            read_head(&path)?.map(|head| (head, None))
        };
        let Some((head, trailer)) = ends else {
            let is_half = !is_sealed && Some(number) == last && bytes <= SEGMENT_HEAD as u64;
            if is_half && !found.segments.is_empty() {
                found.half = Some(path);
                break;
            }
            return Err(StoreError::corrupt(&path, 0, "the head or the end of it is damaged"));
        };
        if head.number != number || head.store_id != *store_id || !follows(&found, &head, base) {
            let what = "the segment does not follow the one before it";
            return Err(StoreError::corrupt(&path, 0, what));
        }
        found.segments.push(Segment { path, head, bytes, trailer });
    }
    if found.segments.last().is_none_or(|last| last.trailer.is_some()) {
        return Err(StoreError::Lost("the journal has no segment to write to".to_owned()));
    }
    Ok(found)
}

fn follows(found: &Found, head: &SegmentHead, base: &BaseHead) -> bool {
    match found.segments.last() {
        None => {
            Some(head.number) == base.segment.checked_add(1)
                && Some(head.first) == base.sequence.checked_add(1)
                && head.chain == base.chain
        }
        Some(before) => {
            let ends = before.trailer.as_ref().map(|end| (end.facts.commits.1, end.facts.chain.1));
            let is_next = |(last, chain): (u64, [u8; 32])| {
                Some(head.first) == last.checked_add(1) && head.chain == chain
            };
            Some(head.number) == before.head.number.checked_add(1)
                && head.first >= before.head.first
                && ends.is_none_or(is_next)
        }
    }
}

fn read_head(path: &Path) -> Result<Option<SegmentHead>, StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io(path, &e))?;
    let mut bytes = [0; SEGMENT_HEAD];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(SegmentHead::parse(&bytes, false)),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(StoreError::io(path, &e)),
    }
}

/// Reads every frame of the given segments, in order, and hands each on.
///
/// # Errors
/// `Corrupt` when anything but an unfinished end of the last segment is wrong, and what `each` says.
pub(crate) fn scan(
    vaulting: &Vaulting,
    segments: &[Segment],
    each: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<End, StoreError> {
    let mut end: Option<End> = None;
    for (index, segment) in segments.iter().enumerate() {
        if let Some(before) = &end {
            let continues = before.torn_bytes == 0
                && before.chain == segment.head.chain
                && before.sequence.checked_add(1) == Some(segment.head.first);
            if !continues {
                return Err(StoreError::corrupt(
                    &before.segment,
                    before.offset,
                    "the segment ends before the next one begins",
                ));
            }
        }
        let found = match &segment.trailer {
            Some(trailer) => scan_sealed(vaulting, segment, trailer, each)?,
            None => scan_segment(segment, each)?,
        };
        if found.torn_bytes > 0 && index + 1 < segments.len() {
            return Err(StoreError::corrupt(
                &segment.path,
                found.offset,
                "a frame in the middle is damaged",
            ));
        }
        end = Some(found);
    }
    end.ok_or_else(|| StoreError::Lost("the journal has no segment".to_owned()))
}

fn scan_sealed(
    vaulting: &Vaulting,
    segment: &Segment,
    trailer: &Trailer,
    each: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<End, StoreError> {
    sealed::scan(vaulting, segment, trailer, each)?;
    Ok(End {
        segment: segment.path.clone(),
        number: segment.head.number,
        offset: segment.bytes,
        sequence: trailer.facts.commits.1,
        chain: trailer.facts.chain.1,
        torn_bytes: 0,
    })
}

fn scan_segment(
    segment: &Segment,
    each: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<End, StoreError> {
    let path = &segment.path;
    let file = File::open(path).map_err(|e| StoreError::io(path, &e))?;
    let mut end = End {
        segment: path.clone(),
        number: segment.head.number,
        offset: SEGMENT_HEAD as u64,
        sequence: segment.head.first.saturating_sub(1),
        chain: segment.head.chain,
        torn_bytes: 0,
    };
    while end.offset < segment.bytes {
        let Some(frame) = read_frame(&file, path, &end, segment.bytes)? else {
            refuse_if_frames_follow(&file, path, &end, segment.bytes)?;
            end.torn_bytes = segment.bytes - end.offset;
            break;
        };
        end.offset += FRAME_HEAD as u64 + frame.bytes();
        end.sequence = frame.head.last();
        end.chain = frame.head.chain;
        each(frame)?;
    }
    Ok(end)
}

/// The frame at `end`, or `None` when there is none that is whole, next in order and chained.
fn read_frame(
    file: &File,
    path: &Path,
    end: &End,
    bytes: u64,
) -> Result<Option<Frame>, StoreError> {
    let room = bytes - end.offset;
    if room < FRAME_HEAD as u64 {
        return Ok(None);
    }
    let mut head = [0; FRAME_HEAD];
    file.read_exact_at(&mut head, end.offset).map_err(|e| StoreError::io(path, &e))?;
    let Some(head) = FrameHead::parse(&head) else { return Ok(None) };
    if u64::from(head.length) > room - FRAME_HEAD as u64 {
        return Ok(None);
    }
    let mut payload = vec![0; usize::try_from(head.length).unwrap_or(PAYLOAD_MAX)];
    file.read_exact_at(&mut payload, end.offset + FRAME_HEAD as u64)
        .map_err(|e| StoreError::io(path, &e))?;
    let holds = head.fits(&payload)
        && Some(head.first) == end.sequence.checked_add(1)
        && head.chain == frame::chain(&end.chain, head.first, head.count, &payload);
    let (segment, offset) = (path.to_owned(), end.offset);
    Ok(holds.then(|| Frame { head, body: Body::Sealed(payload), segment, offset }))
}

/// A damaged place that a later frame follows was acknowledged once, and is not to be cut off.
fn refuse_if_frames_follow(
    file: &File,
    path: &Path,
    end: &End,
    bytes: u64,
) -> Result<(), StoreError> {
    let length = usize::try_from(bytes - end.offset).unwrap_or(usize::MAX);
    let mut rest = vec![0; length];
    file.read_exact_at(&mut rest, end.offset).map_err(|e| StoreError::io(path, &e))?;
    let follows = rest.windows(FRAME_HEAD).enumerate().any(|(at, window)| {
        window.starts_with(FRAME_MAGIC)
            && FrameHead::parse(window).is_some_and(|head| {
                let from = at + FRAME_HEAD;
                let to = from.saturating_add(usize::try_from(head.length).unwrap_or(usize::MAX));
                // At the damaged place itself only the order or the chain can be wrong.
                rest.get(from..to).is_some_and(|payload| head.fits(payload))
            })
    });
    if follows {
        return Err(StoreError::corrupt(path, end.offset, "a frame in the middle is damaged"));
    }
    Ok(())
}

/// Removes an unfinished end and makes its absence durable.
pub(crate) fn cut(disk: &Disk, end: &End) -> Result<(), StoreError> {
    let file = OpenOptions::new()
        .write(true)
        .open(&end.segment)
        .map_err(|e| StoreError::io(&end.segment, &e))?;
    disk.truncate(&file, &end.segment, end.offset)?;
    disk.sync(&file, &end.segment)
}

/// The file that frames go to now, shared with whoever syncs in the background.
#[derive(Clone)]
pub(crate) struct Tail {
    pub(crate) file: Arc<File>,
    pub(crate) path: PathBuf,
    pub(crate) sequence: u64,
    pub(crate) chain: [u8; 32],
}

/// Appends frames.
pub(crate) struct Appender {
    disk: Disk,
    directory: PathBuf,
    store_id: [u8; 16],
    segment_bytes: u64,
    number: u32,
    offset: u64,
    tail: Tail,
}

/// Makes the first segment of a new store.
pub(crate) fn create(disk: &Disk, directory: &Path, store_id: [u8; 16]) -> Result<(), StoreError> {
    fs::create_dir_all(directory).map_err(|e| StoreError::io(directory, &e))?;
    disk.sync_parent(directory)?;
    new_segment(
        disk,
        directory,
        &SegmentHead { store_id, number: 1, first: 1, chain: frame::CHAIN_START },
    )?;
    Ok(())
}

fn new_segment(
    disk: &Disk,
    directory: &Path,
    head: &SegmentHead,
) -> Result<(File, PathBuf), StoreError> {
    let path = segment_path(directory, head.number);
    let file = disk.create(&path).map_err(StoreError::or_no_space)?;
    if let Err(error) = disk.write_at(&file, &path, &head.bytes(false), 0) {
        // Of a head that was not written nothing stays: it would be a segment that nobody writes to.
        fs::remove_file(&path).map_err(|e| StoreError::io(&path, &e))?;
        return Err(error.or_no_space());
    }
    // A full disk shows itself at the write; here it would mean that nothing is known any more.
    let synced = disk.sync(&file, &path).and_then(|()| disk.sync_directory(directory));
    synced.map_err(|e| StoreError::Failed(e.to_string()))?;
    Ok((file, path))
}

impl Appender {
    pub(crate) fn open(
        disk: Disk,
        directory: PathBuf,
        store_id: [u8; 16],
        segment_bytes: u64,
        end: &End,
    ) -> Result<Self, StoreError> {
        let path = end.segment.clone();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| StoreError::io(&path, &e))?;
        let tail = Tail { file: Arc::new(file), path, sequence: end.sequence, chain: end.chain };
        Ok(Self {
            disk,
            directory,
            store_id,
            segment_bytes,
            number: end.number,
            offset: end.offset,
            tail,
        })
    }

    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Writes one frame, and syncs it when asked.
    ///
    /// # Errors
    /// `NoSpace` when the disk is full and the part that was written could be taken back: nothing happened.
    /// Everything else leaves the end of the file unknown, and nothing may be appended any more.
    pub(crate) fn append(
        &mut self,
        count: u32,
        payload: &[u8],
        sync: bool,
    ) -> Result<u64, StoreError> {
        let first = self.tail.sequence + 1;
        let (bytes, chain) = frame::frame(&self.tail.chain, first, count, payload);
        self.roll_if_full(bytes.len() as u64)?;
        if let Err(error) =
            self.disk.write_at(&self.tail.file, &self.tail.path, &bytes, self.offset)
        {
            self.disk.truncate(&self.tail.file, &self.tail.path, self.offset)?;
            return Err(error.or_no_space());
        }
        if sync {
            // A full disk shows itself at the write; here it would mean that nothing is known any more.
            self.disk
                .sync(&self.tail.file, &self.tail.path)
                .map_err(|e| StoreError::Failed(e.to_string()))?;
        }
        self.offset += bytes.len() as u64;
        self.tail.sequence += u64::from(count);
        self.tail.chain = chain;
        Ok(bytes.len() as u64)
    }

    fn roll_if_full(&mut self, more: u64) -> Result<(), StoreError> {
        if self.offset + more <= self.segment_bytes { Ok(()) } else { self.roll() }
    }

    /// Closes the segment, durably, and begins the next. An empty one stays.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub(crate) fn roll(&mut self) -> Result<(), StoreError> {
        if self.offset <= SEGMENT_HEAD as u64 {
            return Ok(());
        }
        self.disk
            .sync(&self.tail.file, &self.tail.path)
            .map_err(|e| StoreError::Failed(e.to_string()))?;
        let head = SegmentHead {
            store_id: self.store_id,
            number: self.number + 1,
            first: self.tail.sequence + 1,
            chain: self.tail.chain,
        };
        let (file, path) = new_segment(&self.disk, &self.directory, &head)?;
        self.number = head.number;
        self.offset = SEGMENT_HEAD as u64;
        self.tail.file = Arc::new(file);
        self.tail.path = path;
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.disk.sync(&self.tail.file, &self.tail.path)
    }

    /// What is appended to must be what the next start finds under the segment's name.
    ///
    /// # Errors
    /// `Failed` when the file was removed or replaced; it says how to save it, while this process still has it open.
    pub(crate) fn check_place(&self) -> Result<(), StoreError> {
        let Tail { file, path, .. } = &self.tail;
        let here = file.metadata().map_err(|e| StoreError::io(path, &e))?;
        let there = fs::metadata(path).ok();
        if there.is_some_and(|there| (there.dev(), there.ino()) == (here.dev(), here.ino())) {
            return Ok(());
        }
        let (process, number) = (std::process::id(), file.as_raw_fd());
        Err(StoreError::Failed(format!(
            "{} was removed or replaced while it was written to. Before this process ends, copy \
             /proc/{process}/fd/{number} to it",
            path.display()
        )))
    }
}
