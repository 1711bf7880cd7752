//! One question: a statement, its parameters, and rows as JSON.

use crate::{
    guard::{self, SQL_BYTES_MAX},
    source::{EventSource, SourceError},
    table::{self, Shared},
};
use keyward_types::Timestamp;
use rusqlite::{
    Error, ErrorCode, Row, Statement, ToSql,
    types::{Null, ValueRef},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Bytes of all values of an answer, about.
const ANSWER_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    pub sql: &'q str,
    /// Values of `:name` in the statement: texts, numbers, booleans or null.
    pub parameters: &'q Map<String, Value>,
    /// What `:now` stands for.
    pub now: Timestamp,
    /// Rows to answer at most.
    pub rows_max: usize,
}

/// Rows under their columns' names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    /// Whether there are more rows than these.
    pub truncated: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SqlError {
    /// The statement or its parameters; the text is for the asker.
    #[error("{0}")]
    Invalid(String),
    #[error("the question took longer than it may; narrow it, by time_ms or seq first of all")]
    Expired,
    #[error("the question takes more memory than it may; narrow it, or ask for fewer columns")]
    TooLarge,
    #[error("the log cannot be read: {0}")]
    Source(#[from] SourceError),
}

/// Answers a question. `expired` is looked at often, and ends the question once it says so.
///
/// # Errors
/// `Invalid` for what SQLite does not understand and for everything but reading.
pub fn ask(
    source: Arc<dyn EventSource>,
    question: &Question<'_>,
    expired: Arc<dyn Fn() -> bool + Send + Sync>,
) -> Result<Answer, SqlError> {
    let Question { sql, .. } = question;
    if SQL_BYTES_MAX < sql.len() {
        let text = format!("a statement must not be longer than {SQL_BYTES_MAX} bytes");
        return Err(SqlError::Invalid(text));
    }
    if sql.contains('\0') {
        return Err(SqlError::Invalid("a statement must not hold a NUL".to_owned()));
    }
    let shared = Arc::new(Shared::new(source, expired));
    answer(question, &shared).map_err(|error| match error {
        _ if shared.was_stopped() => SqlError::Expired,
        Failed::Plain(error) => error,
        Failed::Sqlite(error) => shared.failure().map_or_else(|| told(&error), SqlError::Source),
    })
}

enum Failed {
    Plain(SqlError),
    Sqlite(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

fn invalid(text: impl Into<String>) -> Failed {
    Failed::Plain(SqlError::Invalid(text.into()))
}

/// What SQLite says, for the asker: it speaks of the asker's own statement alone.
fn told(error: &Error) -> SqlError {
    match error {
        Error::SqliteFailure(code, text) => match code.code {
            ErrorCode::OutOfMemory | ErrorCode::TooBig => SqlError::TooLarge,
            ErrorCode::AuthorizationForStatementDenied => SqlError::Invalid(
                "a question reads its own tables, by functions of their values alone".to_owned(),
            ),
            _ => SqlError::Invalid(text.clone().unwrap_or_else(|| code.to_string())),
        },
        Error::SqlInputError { msg, .. } => SqlError::Invalid(msg.clone()),
        Error::Empty => SqlError::Invalid("there is no statement".to_owned()),
        Error::MultipleStatement => SqlError::Invalid("there must be one statement".to_owned()),
        other => SqlError::Invalid(other.to_string()),
    }
}

fn answer(question: &Question<'_>, shared: &Arc<Shared>) -> Result<Answer, Failed> {
    let clock = Arc::clone(shared);
    let mut connection = guard::open(Arc::new(move || clock.is_over()))?;
    table::register(&connection, shared)?;
    guard::close_in(&mut connection)?;
    let mut statement = connection.prepare(question.sql)?;
    if !statement.readonly() || statement.column_count() == 0 {
        return Err(invalid("only SELECT is answered"));
    }
    bind(&mut statement, question)?;
    let columns = statement.column_names().map(str::to_owned).collect::<Vec<_>>();
    let mut answer = Answer { columns, ..Answer::default() };
    let mut bytes = 0;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        if question.rows_max <= answer.rows.len() || ANSWER_BYTES_MAX <= bytes {
            answer.truncated = true;
            break;
        }
        let values = values(row, answer.columns.len())?;
        bytes += values.iter().map(size).sum::<usize>();
        answer.rows.push(values);
    }
    Ok(answer)
}

/// Gives every parameter its value. One without a value would be NULL, and find nothing without a word.
fn bind(statement: &mut Statement<'_>, question: &Question<'_>) -> Result<(), Failed> {
    let mut used = Vec::new();
    for number in 1..=statement.parameter_count() {
        let name = statement.parameter_name(number).and_then(|name| name.strip_prefix(':'));
        let name = name.map(str::to_owned).ok_or_else(|| invalid("write parameters as :name"))?;
        let now = Value::from(question.now.0);
        let value = question.parameters.get(&name).or((name == "now").then_some(&now));
        let value = value.ok_or_else(|| invalid(format!("the parameter :{name} has no value")))?;
        let value: &dyn ToSql = match value {
            Value::Null => &Null,
            Value::Bool(yes) => yes,
            Value::Number(number) if number.is_f64() => &number.as_f64(),
            Value::Number(number) => &number.as_i64(),
            Value::String(text) => text,
            Value::Array(_) | Value::Object(_) => {
                return Err(invalid(format!("the parameter :{name} must be a text or a number")));
            }
        };
        statement.raw_bind_parameter(number, value)?;
        used.push(name);
    }
    match question.parameters.keys().find(|name| !used.contains(name)) {
        Some(name) => Err(invalid(format!("the statement has no parameter :{name}"))),
        None => Ok(()),
    }
}

fn values(row: &Row<'_>, count: usize) -> Result<Vec<Value>, Error> {
    let value = |number| {
        Ok(match row.get_ref(number)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => number.into(),
            ValueRef::Real(number) => number.into(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
            ValueRef::Blob(bytes) => {
                bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
            }
        })
    };
    (0..count).map(value).collect()
}

fn size(value: &Value) -> usize {
    value.as_str().map_or(8, str::len).saturating_add(32)
}
