//! What is wrong with a query, where, and what would be possible there.

use std::fmt::{self, Write};

/// Characters of a query that an error repeats at most.
const SHOWN_MAX: usize = 60;

/// A query that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct QueryError {
    /// The character at which it goes wrong, counted from 0.
    pub at: usize,
    pub problem: String,
    /// What is possible there.
    pub hint: String,
}

impl QueryError {
    /// The query with a mark below the place, for a terminal. A long query is cut to what is near it.
    pub fn marked(&self, query: &str) -> String {
        let start = self.at.saturating_sub(SHOWN_MAX / 2);
        let near = query.chars().skip(start).take(SHOWN_MAX);
        // One cell a character: what would steer a terminal or takes more room is shown as a dot.
        let line: String = near.map(|c| if c.is_control() { '.' } else { c }).collect();
        let mut text = line;
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', self.at - start));
        text.push('^');
        text
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}; {}", self.at + 1, self.problem, self.hint)
    }
}

/// Text of the query inside a message: short, and without anything that steers a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_MAX) {
        // Writing to a string cannot fail.
        let _ = if c.is_control() {
            write!(shown, "{}", c.escape_default())
        } else {
            shown.write_char(c)
        };
    }
    shown
}
