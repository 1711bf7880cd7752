//! What keeps a question from doing anything but reading, and from taking more than its share.
//!
//! The connection is in memory and empty; a list says which tables may be read and which functions called, and
//! everything else that a statement may do is refused. Functions whose time grows with the product of two
//! texts (`instr`, `replace`, `trim`) are our own, because SQLite looks at the clock between instructions only.
//! Source: <https://www.sqlite.org/security.html>

use rusqlite::{
    Connection, Error, Result,
    functions::{Context, FunctionFlags},
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
};
use std::{collections::BTreeSet, sync::Arc};

/// Bytes of a statement.
pub const SQL_BYTES_MAX: usize = 64 * 1_024;

/// Bytes of a text: a record fits twice.
const TEXT_BYTES_MAX: i32 = 512 * 1_024;

/// Bytes that SQLite may use in this process, for all questions at once.
const HEAP_BYTES_MAX: i64 = 128 * 1_024 * 1_024;

/// Instructions between two looks at the clock; one takes a millisecond at worst.
const INSTRUCTIONS: i32 = 100;

const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 * 1_024),
    (Limit::SQLITE_LIMIT_COLUMN, 256),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 64),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 64),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Tables beside our own: JSON's two, and what a table's columns are.
const TABLES: &[&str] = &[
    "events",
    "event_keys",
    "contexts",
    "json_each",
    "json_tree",
    "pragma_table_info",
    "pragma_table_xinfo",
    "sqlite_master",
];

const PRAGMAS: &[&str] = &["table_info", "table_xinfo"];

/// Functions that end in a time that grows with their texts' length, and read nothing but their arguments.
/// Those of dates know the time of day by the word `now`; `:now` is the same for the whole question.
const FUNCTIONS: &[&str] = &[
    "->",
    "->>",
    "abs",
    "avg",
    "ceil",
    "ceiling",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "floor",
    "format",
    "glob",
    "group_concat",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_quote",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "pow",
    "power",
    "printf",
    "quote",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "sqrt",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "time",
    "timediff",
    "total",
    "trim",
    "trunc",
    "typeof",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
];

/// A connection that can only read what its tables show.
pub(crate) fn open(is_over: Arc<dyn Fn() -> bool + Send + Sync>) -> Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "hard_heap_limit", HEAP_BYTES_MAX)?;
    // Nothing is ever written to a file, sorting included.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    functions(&connection)?;
    for (limit, value) in LIMITS {
        connection.set_limit(*limit, *value)?;
    }
    connection.pragma_update(None, "query_only", true)?;
    connection.progress_handler(INSTRUCTIONS, Some(move || is_over()))?;
    Ok(connection)
}

/// From now on nothing but reading.
pub(crate) fn close_in(connection: &mut Connection) -> Result<()> {
    connection.authorizer(Some(|asked: AuthContext<'_>| may(&asked.action)))
}

fn may(action: &AuthAction<'_>) -> Authorization {
    let known = |list: &[&str], name: &str| list.iter().any(|one| one.eq_ignore_ascii_case(name));
    let allowed = match action {
        AuthAction::Select | AuthAction::Recursive => true,
        // Of a table that is only counted no column is read; a name of the statement's own comes so too.
        AuthAction::Read { table_name, column_name } => {
            column_name.is_empty() || known(TABLES, table_name)
        }
        AuthAction::Function { function_name } => known(FUNCTIONS, function_name),
        AuthAction::Pragma { pragma_name, .. } => known(PRAGMAS, pragma_name),
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

fn functions(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("instr", 2, flags, |of| {
        let Some([text, part]) = texts(of)? else { return Ok(None) };
        let place = text.find(&part).and_then(|bytes| text.get(..bytes));
        let place = place.map_or(0, |before| before.chars().count().saturating_add(1));
        Ok(Some(i64::try_from(place).unwrap_or(i64::MAX)))
    })?;
    connection.create_scalar_function("replace", 3, flags, |of| {
        let Some([text, from, to]) = texts(of)? else { return Ok(None) };
        if from.is_empty() {
            return Ok(Some(text));
        }
        let longer = text.matches(&from).count().saturating_mul(to.len());
        let most = usize::try_from(TEXT_BYTES_MAX).unwrap_or(usize::MAX);
        if most < longer {
            return Err(too_long());
        }
        Ok(Some(text.replace(&from, &to)))
    })?;
    for (name, start, end) in [("trim", true, true), ("ltrim", true, false), ("rtrim", false, true)]
    {
        connection.create_scalar_function(name, 2, flags, move |of| {
            let Some([text, set]) = texts(of)? else { return Ok(None) };
            let set: BTreeSet<char> = set.chars().collect();
            let is_in = |c: char| set.contains(&c);
            let text = if start { text.trim_start_matches(is_in) } else { text.as_str() };
            let text = if end { text.trim_end_matches(is_in) } else { text };
            Ok(Some(text.to_owned()))
        })?;
    }
    Ok(())
}

/// The arguments as texts; `None` when one of them is NULL.
fn texts<const N: usize>(of: &Context<'_>) -> Result<Option<[String; N]>> {
    use rusqlite::types::ValueRef;
    let mut texts: [String; N] = core::array::from_fn(|_| String::new());
    for (i, text) in texts.iter_mut().enumerate() {
        *text = match of.get_raw(i) {
            ValueRef::Null => return Ok(None),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
        };
    }
    Ok(Some(texts))
}

/// Without a text of its own, or the code would be lost.
fn too_long() -> Error {
    Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_TOOBIG), None)
}
