//! The Test Anything Protocol, version 14: a line a case, a YAML block under what failed.
//! <https://testanything.org/tap-version-14-specification.html>

use super::{details, indented, place};
use crate::{Report, Status};
use serde_json::Value;

pub fn tap(report: &Report) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut number = 0;
    let mut test = |good: bool, title: &str, rest: &str| {
        number += 1;
        let mark = if good { "ok" } else { "not ok" };
        // A title may not begin a directive.
        lines.push(format!("{mark} {number} - {}{rest}\n", title.replace('#', "\\#")));
    };
    for file in &report.files {
        let ran = match &file.ran {
            Ok(ran) => ran,
            Err(fault) => {
                test(false, &file.file, &block(&fault.message, &fault.to_string(), ""));
                continue;
            }
        };
        for outcome in &ran.outcomes {
            match &outcome.status {
                Status::Passed => test(true, &outcome.title, ""),
                Status::Skipped(why) => test(true, &outcome.title, &format!(" # SKIP {why}")),
                Status::Failed => {
                    let message = outcome.problems.join("; ");
                    let rest = block(&message, &place(file, outcome), &details(outcome, false));
                    test(false, &outcome.title, &rest);
                }
            }
        }
        if let Some(problem) = ran.coverage.problem() {
            test(false, &format!("coverage of {}", file.file), &block(&problem, &file.file, ""));
        }
    }
    format!("TAP version 14\n1..{number}\n{}", lines.concat())
}

fn block(message: &str, at: &str, details: &str) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut text = format!("\n  ---\n  message: {}\n  at: {}\n", quoted(message), quoted(at));
    if !details.is_empty() {
        text.push_str("  explanation: |\n");
        text.push_str(&indented(details, "    "));
    }
    text.push_str("  ...");
    text
}
