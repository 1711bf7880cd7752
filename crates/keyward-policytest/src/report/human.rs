//! For people: failures with place and explanation, then the counts. What passed is only counted.

use super::{details, indented, place};
use crate::{Report, Status, Totals};

/// `coverage`: list what decided no case.
pub fn human(report: &Report, coverage: bool, color: bool) -> String {
    let paint = |code: &str, text: &str| {
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let mut text = String::new();
    for file in &report.files {
        let ran = match &file.ran {
            Ok(ran) => ran,
            Err(fault) => {
                text.push_str(&format!("{} {fault}\n", paint("31", "error")));
                continue;
            }
        };
        for outcome in &ran.outcomes {
            let place = place(file, outcome);
            match &outcome.status {
                Status::Passed => {}
                Status::Failed => {
                    text.push_str(&format!("{} {place}: {}\n", paint("31", "FAIL"), outcome.title));
                    text.push_str(&indented(&details(outcome, color), "  "));
                    text.push('\n');
                }
                Status::Skipped(why) => text.push_str(&format!(
                    "{} {place}: {}: {why}\n",
                    paint("33", "skip"),
                    outcome.title
                )),
            }
        }
        if let Some(problem) = ran.coverage.problem() {
            text.push_str(&format!("{} {}: {problem}\n", paint("31", "FAIL"), file.file));
        }
        if coverage || ran.coverage.problem().is_some() {
            text.push_str(&format!("{}: {} decided a case\n", file.file, ran.coverage.words()));
            for unit in ran.coverage.missing() {
                let kind = if unit.denies { "deny " } else { "" };
                text.push_str(&format!("  untested: {kind}{}\n", unit.name));
            }
        }
    }
    text.push_str(&counts(report.totals()));
    text
}

fn counts(totals: Totals) -> String {
    let Totals { passed, failed, skipped, unreadable, uncovered } = totals;
    let mut parts = vec![format!("{passed} passed"), format!("{failed} failed")];
    let some = [
        (skipped, "skipped"),
        (unreadable, "files could not be run"),
        (uncovered, "files under their coverage"),
    ];
    let some = some.iter().filter(|(count, _)| 0 < *count);
    parts.extend(some.map(|(count, words)| format!("{count} {words}")));
    format!("{}\n", parts.join(", "))
}
