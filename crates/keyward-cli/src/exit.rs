//! Exit codes, and the error that carries one. Scripts rely on the numbers; they never change.

use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Failure = 1,
    Usage = 2,
    NotFound = 3,
    NotAuthenticated = 4,
    /// Denied, or the answer is "no".
    Denied = 5,
    /// It ran, and found problems.
    Problems = 6,
    Conflict = 7,
    Unreachable = 8,
    Integrity = 9,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed, and what to do about it.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl CliError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    pub(crate) fn failure(message: impl core::fmt::Display) -> Self {
        Self::new(Exit::Failure, message.to_string())
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code that says the same as an answer of the service.
    pub(crate) fn of_answer(status: u16, code: &str, message: &str) -> Self {
        let exit = match (status, code) {
            (_, "NotFoundException" | "NoSuchEntity") => Exit::NotFound,
            (_, "AccessDeniedException" | "AccessDenied" | "NotAuthorizedException") => {
                Exit::Denied
            }
            (
                _,
                "UnrecognizedClientException"
                | "InvalidSignatureException"
                | "MissingAuthenticationTokenException"
                | "IncompleteSignatureException"
                | "ExpiredTokenException",
            ) => Exit::NotAuthenticated,
            (409, _) => Exit::Conflict,
            _ => Exit::Failure,
        };
        Self::new(exit, format!("{code}: {message}"))
    }
}
