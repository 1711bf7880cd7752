//! What goes to stdout and stderr, and in which form.

use crate::exit::CliError;
use serde_json::Value;
use std::io::{self, IsTerminal as _, Write as _};

/// The form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON value, or one a line where a result is a stream.
    Json,
}

/// Writes a line of the result. A reader that went away ends the output, not the program.
pub(crate) fn line(text: &str) {
    drop(writeln!(io::stdout().lock(), "{text}"));
}

/// Writes text that has its own line ends.
pub(crate) fn text(text: &str) {
    drop(write!(io::stdout().lock(), "{text}"));
}

pub(crate) fn json(value: &Value) {
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    line(&text.unwrap_or_default());
}

/// A stream's JSON: always one value a line.
pub(crate) fn json_line(value: &Value) {
    line(&value.to_string());
}

/// A word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

pub(crate) fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

pub(crate) fn warn(text: &str) {
    note(&format!("warning: {text}"));
}

pub(crate) fn fail(error: &CliError) {
    note(&format!("error: {}", error.message));
    error.hint.iter().for_each(|hint| note(&format!("hint: {hint}")));
}

/// Rows under headings, padded for people and separated by tabs for programs.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) {
    if !io::stdout().is_terminal() {
        rows.iter().for_each(|row| line(&row.join("\t")));
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(padded.join("  ").trim_end());
    };
    print(&mut headings.iter().copied());
    rows.iter().for_each(|row| print(&mut row.iter().map(String::as_str)));
}
