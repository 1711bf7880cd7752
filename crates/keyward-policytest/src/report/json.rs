//! One JSON value for programs; decisions in the form in which events hold them.

use crate::{FileReport, Outcome, Report, Status, Totals};
use serde_json::{Value, json};

pub fn json(report: &Report) -> Value {
    let Totals { passed, failed, skipped, unreadable, uncovered } = report.totals();
    json!({
        "Passed": passed,
        "Failed": failed,
        "Skipped": skipped,
        "Unreadable": unreadable,
        "UnderCoverage": uncovered,
        "Files": report.files.iter().map(file).collect::<Vec<_>>(),
    })
}

fn file(file: &FileReport) -> Value {
    match &file.ran {
        Err(fault) => json!({
            "File": file.file,
            "Error": {"Line": fault.at.line, "Column": fault.at.column, "Message": fault.message},
        }),
        Ok(ran) => json!({
            "File": file.file,
            "Tests": ran.outcomes.iter().map(test).collect::<Vec<_>>(),
            "Coverage": {
                "Covered": ran.coverage.covered(),
                "All": ran.coverage.units.len(),
                "Percent": ran.coverage.percent(),
                "Untested": ran.coverage.missing().iter().map(|unit| unit.name.as_str()).collect::<Vec<_>>(),
                "Problem": ran.coverage.problem(),
            },
        }),
    }
}

fn test(outcome: &Outcome) -> Value {
    let (status, why) = match &outcome.status {
        Status::Passed => ("passed", None),
        Status::Failed => ("failed", None),
        Status::Skipped(why) => ("skipped", Some(why)),
    };
    json!({
        "Name": outcome.title,
        "Line": outcome.at.line,
        "Column": outcome.at.column,
        "Status": status,
        "Skipped": why,
        "Expected": outcome.expected,
        "Got": outcome.got,
        "Because": outcome.because,
        "By": outcome.by,
        "Problems": outcome.problems,
        "Unstated": outcome.unstated,
        "Decision": outcome.decision,
    })
}
