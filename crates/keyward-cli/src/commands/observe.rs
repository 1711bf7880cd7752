//! `keyward policy observe`: what policies would refuse is let through, until it is safe to enforce them.

use super::ask::text;
use crate::{
    args::{Common, Observe, ObserveReportArgs},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::usage::{ObserveReport, ObservedUse};
use serde_json::json;

pub(super) fn observe(common: &Common, command: &Observe) -> Result<Exit, CliError> {
    match command {
        Observe::Start { target, reason, days } => start(common, target, reason, *days),
        Observe::End { target } => end(common, target),
        Observe::Report(asked) => report(common, asked),
    }
}

fn start(common: &Common, target: &str, reason: &str, days: u32) -> Result<Exit, CliError> {
    let input = json!({"Target": target, "Reason": reason, "Days": days});
    let answer = Client::new(common).post("/v1/observe", &input)?;
    match common.output {
        Format::Json => output::json(&answer),
        Format::Text => {
            output::line(&text(&answer, "ObserveId"));
            let (kind, target) = (text(&answer, "Type").to_lowercase(), text(&answer, "Target"));
            output::note(&format!(
                "in observe for {days} days: what the policies of {kind} {target} refuse is let through"
            ));
        }
    }
    Ok(Exit::Ok)
}

fn end(common: &Common, target: &str) -> Result<Exit, CliError> {
    let answer = Client::new(common).post("/v1/observe/end", &json!({"Target": target}))?;
    match (common.output, answer.get("Ended")) {
        (Format::Json, _) => output::json(&answer),
        (Format::Text, Some(ended)) => {
            output::line(&text(ended, "ObserveId"));
            output::note(&format!("enforced again: {}", text(ended, "Target")));
        }
        (Format::Text, None) => output::note("it was not in observe"),
    }
    Ok(Exit::Ok)
}

fn report(common: &Common, asked: &ObserveReportArgs) -> Result<Exit, CliError> {
    let mut query = vec![("QuietDays", asked.quiet_days.to_string())];
    query.extend(asked.since.clone().map(|since| ("Since", since)));
    let answer = Client::new(common).read("/v1/observe", &query)?;
    let report: ObserveReport = serde_json::from_value(answer).map_err(CliError::failure)?;
    match common.output {
        Format::Json => output::json(&serde_json::to_value(&report).map_err(CliError::failure)?),
        Format::Text => report.observed.iter().for_each(print),
    }
    if report.observed.is_empty() {
        output::note("nothing is in observe");
    }
    let is_safe = report.observed.iter().all(|one| one.safe_to_enforce);
    Ok(if asked.fail && !is_safe { Exit::Problems } else { Exit::Ok })
}

fn print(one: &ObservedUse) {
    let kind = one.kind.to_lowercase();
    let until = one.until.as_ref().map_or(String::new(), |until| format!(", ends {until}"));
    output::line(&format!("# {kind} {} since {}{until}", one.target, one.since));
    output::line(&format!(
        "# {} requests, {} would be refused, {} of them still",
        one.requests, one.would_deny, one.still_refused
    ));
    output::line(&format!("# {}", one.advice));
    let rows: Vec<Vec<String>> = one
        .groups
        .iter()
        .map(|group| {
            let still = if group.still_refused { "yes" } else { "no" };
            vec![
                group.principal.clone(),
                group.action.clone(),
                group.resource.clone(),
                group.count.to_string(),
                group.last.clone(),
                still.to_owned(),
                group.why.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        output::table(&["PRINCIPAL", "ACTION", "ON", "TIMES", "LAST", "STILL", "WHY"], &rows);
    }
    for left in &one.not_looked_at {
        output::note(&format!("not looked at: {} events: {}", left.count, left.why));
    }
}
