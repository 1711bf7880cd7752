//! Golden files: what a test prints, compared with what was blessed.
//!
//! `BLESS=1` rewrites a file instead of comparing. CI never sets it.

use std::{fs, path::PathBuf};

/// The folder of the cross-crate tests.
pub fn tests_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

/// Compares `actual` with `tests/golden/<name>`.
///
/// # Panics
/// When they differ, saying how to accept the new text.
#[track_caller]
pub fn check(name: &str, actual: &str) {
    let path = tests_folder().join("golden").join(name);
    if option_env_at_run_time("BLESS") {
        fs::create_dir_all(path.parent().expect("a golden file lies in a folder"))
            .expect("the folder can be made");
        fs::write(&path, actual).expect("a golden file can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if let Some((line, (old, new))) =
        expected.lines().zip(actual.lines()).enumerate().find(|(_, (old, new))| old != new)
    {
        panic!(
            "{name}, line {}:\n  blessed: {old}\n  now:     {new}\nread the difference, then BLESS=1",
            line + 1
        );
    }
    assert_eq!(
        expected.lines().count(),
        actual.lines().count(),
        "{name} has another number of lines; read the difference, then BLESS=1"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one switch of the test suite, read by tests alone"
)]
fn option_env_at_run_time(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == "1")
}
