//! What goes to stdout and stderr, and in which form.
//!
//! INVARIANT: what people read is plain: text of a client or of the log cannot steer the reader's terminal, nor make a
//! row or a column of its own. What programs read, JSON and CSV, has the same values as before.

use crate::exit::CliError;
use keyward_trail::{plain, steers};
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
    written(&plain(text));
}

/// Writes text of several lines. Only for text whose line ends are this program's own, or the service's.
pub(crate) fn lines(text: &str) {
    text.split('\n').for_each(line);
}

/// Writes a line as it is for a program that reads it, such as CSV; plain on a terminal.
pub(crate) fn exact_line(text: &str) {
    if io::stdout().is_terminal() { line(text) } else { written(text) }
}

fn written(text: &str) {
    drop(writeln!(io::stdout().lock(), "{text}"));
}

/// The same of text of several lines.
pub(crate) fn exact_lines(given: &str) {
    if io::stdout().is_terminal() { lines(given.trim_end_matches('\n')) } else { text(given) }
}

/// Writes text that has its own line ends, as it is: a form that a program reads, or one that has colours.
pub(crate) fn text(text: &str) {
    drop(write!(io::stdout().lock(), "{text}"));
}

pub(crate) fn json(value: &Value) {
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    written(&escaped(&text.unwrap_or_default()));
}

/// A stream's JSON: always one value a line.
pub(crate) fn json_line(value: &Value) {
    written(&escaped(&value.to_string()));
}

/// The same JSON. What steers a terminal stands in strings alone, where it has a second spelling.
fn escaped(json: &str) -> String {
    let spelled = |c: char| match c {
        '\n' => c.to_string(),
        c if steers(c) => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    if json.contains(steers) { json.chars().map(spelled).collect() } else { json.to_owned() }
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
    for line in text.split('\n') {
        drop(writeln!(io::stderr().lock(), "{}", plain(line)));
    }
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
    let plain_row = |row: &Vec<String>| row.iter().map(|cell| plain(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(plain_row).collect();
    if !io::stdout().is_terminal() {
        rows.iter().for_each(|row| written(&row.join("\t")));
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
        written(padded.join("  ").trim_end());
    };
    print(&mut headings.iter().copied());
    rows.iter().for_each(|row| print(&mut row.iter().map(String::as_str)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_value_and_steers_nothing() {
        let value = serde_json::json!({"a\u{9b}": "\u{1b}[31m\u{202e}x\u{7f}\n", "b": [1, "é"]});
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let escaped = escaped(&text);
            assert!(!escaped.contains(|c| c != '\n' && steers(c)), "{escaped}");
            assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
        }
    }
}
