//! The three tables: `events`, `event_keys` with a row for each key of an event, `contexts` with a row for
//! each pair of its encryption context.
//!
//! A cursor reads pages, oldest first unless newest first was asked for. Events looked up one by one, as the
//! inner side of a join does it, come from a window that reads ahead while the numbers rise.
//!
//! INVARIANT: a question sees the log as it was when it was asked: what is appended meanwhile is not read.

use crate::{
    plan::{self, Reading},
    row::{COLUMNS, Row},
    source::{EventSource, Page, Scan, SourceError},
};
use rusqlite::{
    Connection, Error, Result,
    vtab::{
        Context, Filters, IndexInfo, Module, VTab, VTabConnection, VTabCursor, sqlite3_vtab,
        sqlite3_vtab_cursor,
    },
};
use std::{
    borrow::Cow,
    collections::VecDeque,
    ffi::{CStr, CString, c_int},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Events,
    Keys,
    Contexts,
}

/// The names of the tables.
pub(crate) const TABLES: &[(Shape, &CStr)] =
    &[(Shape::Events, c"events"), (Shape::Keys, c"event_keys"), (Shape::Contexts, c"contexts")];

/// What all cursors of a question share.
pub(crate) struct Shared {
    source: Arc<dyn EventSource>,
    total: u64,
    expired: Arc<dyn Fn() -> bool + Send + Sync>,
    stopped: AtomicBool,
    failure: Mutex<Option<SourceError>>,
    /// The event to which a reading came last. In a join by number it is the one that is looked up.
    here: Mutex<Option<Arc<Row>>>,
    window: Mutex<Window>,
}

/// Some events in a row, for those that are looked up by number.
#[derive(Default)]
struct Window {
    rows: VecDeque<Arc<Row>>,
    /// All events with these numbers are in `rows`: from, and up to but without.
    covers: (u64, u64),
    /// The number that was asked for last.
    last: Option<u64>,
}

/// Events read at first, at most, and ahead.
const PAGE_MIN: usize = 64;
const PAGE_MAX: usize = 1_024;
const AHEAD: usize = 256;

impl Shared {
    pub(crate) fn new(
        source: Arc<dyn EventSource>,
        expired: Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> Self {
        Self {
            total: source.total(),
            source,
            expired,
            stopped: AtomicBool::new(false),
            failure: Mutex::default(),
            here: Mutex::default(),
            window: Mutex::default(),
        }
    }

    /// Whether the question has had its time. Once it has, it stays so.
    pub(crate) fn is_over(&self) -> bool {
        if (self.expired)() {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn failure(&self) -> Option<SourceError> {
        locked(&self.failure).take()
    }

    fn read(&self, scan: &Scan<'_>) -> Result<Page> {
        if self.is_over() {
            return Err(Error::ModuleError("out of time".to_owned()));
        }
        self.source.scan(scan).map_err(|error| {
            *locked(&self.failure) = Some(error);
            Error::ModuleError("the log cannot be read".to_owned())
        })
    }

    /// One event by its number.
    fn event(&self, seq: u64) -> Result<Option<Arc<Row>>> {
        if let Some(row) = locked(&self.here).as_ref().filter(|row| row.seq == seq) {
            return Ok(Some(Arc::clone(row)));
        }
        let mut window = locked(&self.window);
        let last = window.last.replace(seq);
        if !(window.covers.0..window.covers.1).contains(&seq) {
            let near = last.is_some_and(|last| last <= seq && seq - last <= 64);
            let limit = if near { AHEAD } else { 1 };
            let scan = Scan {
                newest_first: false,
                after: seq.checked_sub(1),
                limit,
                from: None,
                to: None,
                terms: &[],
            };
            let page = self.read(&scan)?;
            let end = page.next.map_or(u64::MAX, |next| next.saturating_add(1));
            window.rows = page.events.into_iter().map(|event| Arc::new(Row::new(event))).collect();
            window.covers = (seq, end.max(seq.saturating_add(1)));
        }
        let place = window.rows.binary_search_by_key(&seq, |row| row.seq);
        Ok(place.ok().and_then(|place| window.rows.get(place)).map(Arc::clone))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the tables known to a connection.
pub(crate) fn register(connection: &Connection, shared: &Arc<Shared>) -> Result<()> {
    const MODULE: &Module<'_, Table> = &Module::eponymous_only_module();
    for (shape, name) in TABLES {
        connection.create_module(*name, MODULE, Some((*shape, Arc::clone(shared))))?;
    }
    Ok(())
}

#[repr(C)]
struct Table {
    /// SQLite's part, which must be the first.
    base: sqlite3_vtab,
    shape: Shape,
    shared: Arc<Shared>,
}

#[expect(unsafe_code, reason = "the struct is repr(C) and begins with sqlite3_vtab, as VTab asks")]
unsafe impl VTab<'_> for Table {
    type Aux = (Shape, Arc<Shared>);
    type Cursor = Cursor;

    fn connect(
        _connection: &mut VTabConnection,
        aux: Option<&Self::Aux>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let (shape, shared) =
            aux.ok_or_else(|| Error::ModuleError("a table without its log".to_owned()))?;
        let table =
            Self { base: sqlite3_vtab::default(), shape: *shape, shared: Arc::clone(shared) };
        Ok((Cow::Owned(declaration(*shape)?), table))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        plan::choose(self.shape, self.shared.total, info)
    }

    fn open(&mut self) -> Result<Cursor> {
        Ok(Cursor {
            base: sqlite3_vtab_cursor::default(),
            shape: self.shape,
            shared: Arc::clone(&self.shared),
            reading: Reading::default(),
            after: None,
            limit: PAGE_MIN,
            is_read: true,
            rows: VecDeque::new(),
            here: None,
        })
    }
}

fn declaration(shape: Shape) -> Result<CString> {
    let columns: Vec<String> = match shape {
        Shape::Events => {
            COLUMNS.iter().map(|(_, name, kind, _)| format!("{name} {kind}")).collect()
        }
        Shape::Keys => ["seq INTEGER", "time_ms INTEGER", "key TEXT"].map(str::to_owned).into(),
        Shape::Contexts => {
            ["seq INTEGER", "time_ms INTEGER", "name TEXT", "value TEXT"].map(str::to_owned).into()
        }
    };
    Ok(CString::new(format!("CREATE TABLE t({})", columns.join(", ")))?)
}

#[repr(C)]
struct Cursor {
    /// SQLite's part, which must be the first.
    base: sqlite3_vtab_cursor,
    shape: Shape,
    shared: Arc<Shared>,
    reading: Reading,
    after: Option<u64>,
    limit: usize,
    /// Whether there is nothing more to read from the log.
    is_read: bool,
    rows: VecDeque<Arc<Row>>,
    here: Option<Here>,
}

/// The event at the cursor, and what is left of its keys or pairs, the current one last.
struct Here {
    row: Arc<Row>,
    parts: Vec<(String, String)>,
}

impl Cursor {
    fn begin(&mut self, reading: Reading) -> Result<()> {
        self.rows.clear();
        self.here = None;
        self.limit = PAGE_MIN;
        let Some(to) = reading.seq_to.filter(|to| reading.seq_from <= *to) else {
            self.is_read = true;
            return Ok(());
        };
        self.is_read = reading.seq_from == to;
        if self.is_read {
            self.rows.extend(self.shared.event(to)?);
        }
        self.after =
            if reading.newest_first { to.checked_add(1) } else { reading.seq_from.checked_sub(1) };
        self.reading = reading;
        self.advance()
    }

    /// Goes to the next event that has a row in this table.
    fn advance(&mut self) -> Result<()> {
        loop {
            let Some(row) = self.next_event()? else {
                self.here = None;
                return Ok(());
            };
            let mut parts: Vec<(String, String)> = match self.shape {
                Shape::Events => Vec::new(),
                Shape::Keys => row.keys().map(|key| (key.to_owned(), String::new())).collect(),
                Shape::Contexts => {
                    let pairs = row.context().into_iter();
                    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
                }
            };
            if self.shape == Shape::Events || !parts.is_empty() {
                parts.reverse();
                self.here = Some(Here { row, parts });
                return Ok(());
            }
        }
    }

    fn next_event(&mut self) -> Result<Option<Arc<Row>>> {
        while self.rows.is_empty() && !self.is_read {
            let Reading { newest_first, seq_from, seq_to, from, to, terms } = &self.reading;
            let scan = Scan {
                newest_first: *newest_first,
                after: self.after,
                limit: self.limit,
                from: *from,
                to: *to,
                terms,
            };
            let page = self.shared.read(&scan)?;
            self.limit = (self.limit * 2).min(PAGE_MAX);
            let bounds = *seq_from..=seq_to.unwrap_or(0);
            let is_beyond = |seq: u64| {
                if *newest_first { seq < *bounds.start() } else { *bounds.end() < seq }
            };
            self.is_read = page.next.is_none_or(is_beyond);
            self.after = page.next.or(self.after);
            let inside = page.events.into_iter().filter(|event| bounds.contains(&event.seq));
            self.rows.extend(inside.map(|event| Arc::new(Row::new(event))));
        }
        let row = self.rows.pop_front();
        if let Some(row) = &row {
            *locked(&self.shared.here) = Some(Arc::clone(row));
        }
        Ok(row)
    }
}

#[expect(
    unsafe_code,
    reason = "the struct is repr(C) and begins with sqlite3_vtab_cursor, as VTabCursor asks"
)]
unsafe impl VTabCursor for Cursor {
    fn filter(&mut self, order: c_int, plan: Option<&str>, values: &Filters<'_>) -> Result<()> {
        let reading = Reading::of(order, plan.unwrap_or_default(), values, self.shared.total);
        self.begin(reading)
    }

    fn next(&mut self) -> Result<()> {
        if let Some(here) = &mut self.here {
            here.parts.pop();
            if !here.parts.is_empty() {
                return Ok(());
            }
        }
        self.advance()
    }

    fn eof(&self) -> bool {
        self.here.is_none()
    }

    fn column(&self, context: &mut Context, number: c_int) -> Result<()> {
        let Some(Here { row, parts }) = &self.here else { return Ok(()) };
        let part = parts.last();
        match (self.shape, number) {
            (Shape::Events, number) => {
                let column = usize::try_from(number).ok().and_then(|number| COLUMNS.get(number));
                column.map_or(Ok(()), |(column, ..)| row.put(*column, context))
            }
            (_, 0) => context.set_result(row.seq_value()),
            (_, 1) => context.set_result(row.time_ms()),
            (_, 2) => context.set_result(part.map(|(first, _)| first.as_str())),
            (_, _) => context.set_result(part.map(|(_, second)| second.as_str())),
        }
    }

    fn rowid(&self) -> Result<i64> {
        let Some(Here { row, parts }) = &self.here else { return Ok(0) };
        if self.shape == Shape::Events {
            return Ok(row.seq_value());
        }
        // SQLite tells rows apart by this when it joins the two sides of an OR.
        let part = i64::try_from(parts.len()).unwrap_or(i64::MAX);
        Ok(row.seq_value().saturating_mul(1 << 20).saturating_add(part))
    }
}
