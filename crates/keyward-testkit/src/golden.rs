//! Golden files: what a test prints, compared with what was blessed.
//!
//! `BLESS=1` rewrites a file instead of comparing. CI never sets it.

use std::{
    fs,
    path::{Path, PathBuf},
};

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

/// Compares `actual` with what stands between the lines `<!-- name … -->` and `<!-- /name -->` of a
/// document; `BLESS=1` writes it there.
///
/// # Panics
/// When they differ, or the document has no such lines.
#[track_caller]
pub fn check_block(document: &Path, name: &str, actual: &str) {
    let text = fs::read_to_string(document).expect("the document can be read");
    let (head, rest) = text.split_once(&format!("<!-- {name} ")).expect("the block begins");
    let (mark, rest) = rest.split_once("-->\n").expect("its first line ends");
    let end = format!("<!-- /{name} -->");
    let (block, tail) = rest.split_once(&end).expect("the block ends");
    if option_env_at_run_time("BLESS") {
        let whole = format!("{head}<!-- {name} {mark}-->\n{actual}{end}{tail}");
        fs::write(document, whole).expect("the document can be written");
        return;
    }
    assert_eq!(block, actual, "{}: {name}; read the difference, then BLESS=1", document.display());
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test suite, read by tests alone")]
fn option_env_at_run_time(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == "1")
}
