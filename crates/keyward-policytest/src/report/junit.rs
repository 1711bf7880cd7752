//! JUnit's XML, as build servers read it: a suite a file, a test case a case.

use super::{details, place};
use crate::{FileReport, Outcome, Report, Status};

pub fn junit(report: &Report) -> String {
    let totals = report.totals();
    let suites: String = report.files.iter().map(suite).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"keyward policy test\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{suites}</testsuites>\n",
        totals.passed + totals.failed + totals.skipped + totals.unreadable + totals.uncovered,
        totals.failed + totals.uncovered,
        totals.unreadable,
        totals.skipped,
    )
}

fn suite(file: &FileReport) -> String {
    let name = escaped(&file.file);
    let ran = match &file.ran {
        Ok(ran) => ran,
        Err(fault) => {
            return format!(
                "  <testsuite name=\"{name}\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n    <testcase classname=\"{name}\" name=\"(file)\" file=\"{name}\" line=\"{}\">\n      <error message=\"{}\"/>\n    </testcase>\n  </testsuite>\n",
                fault.at.line,
                escaped(&fault.to_string())
            );
        }
    };
    let (mut failed, mut skipped, mut cases) = (0, 0, String::new());
    for outcome in &ran.outcomes {
        failed += usize::from(outcome.status == Status::Failed);
        skipped += usize::from(matches!(outcome.status, Status::Skipped(_)));
        cases.push_str(&case(file, outcome));
    }
    let mut tests = ran.outcomes.len();
    if let Some(problem) = ran.coverage.problem() {
        (tests, failed) = (tests + 1, failed + 1);
        cases.push_str(&format!(
            "    <testcase classname=\"{name}\" name=\"(coverage)\" file=\"{name}\">\n      <failure message=\"{}\"/>\n    </testcase>\n",
            escaped(&problem)
        ));
    }
    format!(
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\">\n{cases}  </testsuite>\n"
    )
}

fn case(file: &FileReport, outcome: &Outcome) -> String {
    let name = escaped(&file.file);
    let inside = match &outcome.status {
        Status::Passed => String::new(),
        Status::Skipped(why) => format!("      <skipped message=\"{}\"/>\n", escaped(why)),
        Status::Failed => format!(
            "      <failure message=\"{}\">{}\n{}</failure>\n",
            escaped(&outcome.problems.join("; ")),
            escaped(&place(file, outcome)),
            escaped(&details(outcome, false))
        ),
    };
    format!(
        "    <testcase classname=\"{name}\" name=\"{}\" file=\"{name}\" line=\"{}\">\n{inside}    </testcase>\n",
        escaped(&outcome.title),
        outcome.at.line
    )
}

/// Text as XML 1.0 holds it; what XML cannot hold is shown by its number.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                safe.extend(c.escape_unicode());
            }
            c => safe.push(c),
        }
    }
    safe
}
