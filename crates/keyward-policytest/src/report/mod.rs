//! What was run, as people, TAP, JUnit and programs read it.

mod human;
mod json;
mod junit;
mod tap;

use crate::{FileReport, Outcome};
pub use human::human;
pub use json::json;
pub use junit::junit;
use keyward_trail::explain_decision;
pub use tap::tap;

/// Where an outcome stands: `file:line:column`.
fn place(file: &FileReport, outcome: &Outcome) -> String {
    format!("{}:{}:{}", file.file, outcome.at.line, outcome.at.column)
}

/// Everything that is told of a failure: what is wrong, what was not said, and the explanation.
fn details(outcome: &Outcome, color: bool) -> String {
    let mut text = String::new();
    for problem in &outcome.problems {
        text.push_str(problem);
        text.push('\n');
    }
    if !outcome.unstated.is_empty() {
        let keys = outcome.unstated.join(", ");
        text.push_str(&format!("policies look at what the case does not say: {keys}\n"));
    }
    if let Some(decision) = &outcome.decision {
        text.push_str(&explain_decision(decision, color));
    }
    text
}

fn indented(text: &str, by: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{by}{line}\n") };
    text.lines().map(line).collect()
}
