//! What keeps a file from being a test: a message with its file, line and column.

use core::fmt;
use keyward_policy::Place;

/// A file that can't be run, and where it says what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub file: String,
    pub at: Place,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.at.line, self.at.column, self.message)
    }
}

/// A fault before its file's name is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) at: Place,
    pub(crate) message: String,
}

impl Wrong {
    pub(crate) fn new(at: Place, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    pub(crate) fn of(self, file: &str) -> Fault {
        Fault { file: file.to_owned(), at: self.at, message: self.message }
    }
}
