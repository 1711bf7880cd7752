//! What a command is given to read: a file, or stdin under the name `-`.

use crate::exit::{CliError, Exit};
use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

/// What a file is called when something is said of it.
pub(super) fn name(file: &Path) -> String {
    if is_stdin(file) { "stdin".to_owned() } else { file.display().to_string() }
}

pub(super) fn bytes(file: &Path) -> Result<Vec<u8>, CliError> {
    let read = if is_stdin(file) {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(file)
    };
    read.map_err(|error| unusable(file, &error))
}

pub(super) fn text(file: &Path) -> Result<String, CliError> {
    String::from_utf8(bytes(file)?).map_err(|_| unusable(file, &"this is no text"))
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn unusable(file: &Path, error: &dyn core::fmt::Display) -> CliError {
    CliError::new(Exit::Usage, format!("{}: {error}", name(file)))
}
