//! `keyward policy generate`: the smallest documents and grants that cover the log, as JSON, Terraform or a diff.

use super::{records, replay, terraform, unused};
use crate::{
    args::{Common, Generate, ProposalForm, ProposeAs},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::usage::{Evidence, Proposal, ProposalKind, ProposalReport, Wanted};
use serde_json::{Value, json};
use std::{fs, path::Path};

pub(super) fn generate(common: &Common, asked: &Generate) -> Result<Exit, CliError> {
    let records = asked.events.events.as_deref().map(records::read).transpose()?;
    let kind = match asked.r#as {
        ProposeAs::Identity => ProposalKind::Identity,
        ProposeAs::KeyPolicy => ProposalKind::KeyPolicy,
        ProposeAs::Grants => ProposalKind::Grants,
    };
    let report: ProposalReport = match &asked.events.data {
        Some(data) => {
            let (engine, account) = replay::stopped(data, &asked.events)?;
            let wanted = Wanted {
                r#as: kind,
                principals: asked.principal.clone(),
                key_id: asked.key.clone(),
                min_events: Some(asked.min_events),
            };
            let mut brought = replay::brought(records);
            let records = brought.as_mut().map(|records| records as &mut replay::Brought<'_>);
            engine
                .propose(&account, &wanted, asked.events.since.as_deref(), records)
                .map_err(|error| replay::refused(&error))?
        }
        None => {
            let input = json!({
                "As": kind,
                "Principals": asked.principal,
                "KeyId": asked.key,
                "MinEvents": asked.min_events,
            });
            unused::of_service(common, "/v1/policies/generate", input, &asked.events, records)?
        }
    };
    if report.events == 0 {
        output::warn("there are no events: nothing can be proposed");
    }
    if let Some(folder) = &asked.to {
        write(folder, &report)?;
    }
    match common.output {
        Format::Json => output::json(&serde_json::to_value(&report).map_err(CliError::failure)?),
        Format::Text => match asked.written {
            ProposalForm::Text => print(&report),
            ProposalForm::Hcl => {
                report.proposals.iter().for_each(|one| output::exact_lines(&terraform::hcl(one)))
            }
            ProposalForm::Diff => {
                report.proposals.iter().for_each(|one| output::exact_lines(&difference(one)))
            }
        },
    }
    let replay = &report.replay;
    let changed: Vec<String> =
        [("newly denied", replay.newly_denied), ("newly allowed", replay.newly_allowed)]
            .iter()
            .filter(|(_, count)| 0 < *count)
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
    let fate =
        if changed.is_empty() { "nothing used is lost".to_owned() } else { changed.join(", ") };
    output::note(&format!("replayed over {} events: {fate}", replay.events));
    Ok(Exit::Ok)
}

/// One file a document: `role-app.json`, `key-….json`; grants as the list that `--with grant:` takes.
fn write(folder: &Path, report: &ProposalReport) -> Result<(), CliError> {
    let failed = |error| CliError::failure(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    for one in &report.proposals {
        let content = match (&one.policy, one.kind) {
            (Some(policy), _) => policy.clone(),
            (None, ProposalKind::Grants) => json!(one.grants),
            (None, _) => continue,
        };
        let kind = if one.kind == ProposalKind::Grants { "grants-" } else { "" };
        let name = format!("{kind}{}.json", terraform::plain(&one.on, '-'));
        fs::write(folder.join(name), pretty(&content) + "\n").map_err(failed)?;
    }
    Ok(())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn print(report: &ProposalReport) {
    let time = if report.first.is_empty() {
        ", none of which shows a key in use".to_owned()
    } else {
        format!(", {} to {}", report.first, report.last)
    };
    let ProposalReport { events, min_events, .. } = report;
    output::note(&format!(
        "from {events} events{time}; conditions from {min_events} events or more"
    ));
    for one in &report.proposals {
        output::line(&format!("# {}", one.on));
        one.notes.iter().for_each(|note| output::line(&format!("# {note}")));
        for Evidence { name, from, count, first, last, samples, remarks } in &one.evidence {
            let from = from.as_ref().map_or(String::new(), |from| format!(", from {from}"));
            let sample = samples.first().map(String::as_str).unwrap_or_default();
            output::line(&format!(
                "# {name}: {count} events, {first} to {last}{from}, such as {sample}"
            ));
            remarks.iter().for_each(|remark| output::line(&format!("#   {remark}")));
        }
        match &one.policy {
            Some(policy) => output::lines(&pretty(policy)),
            None if one.kind == ProposalKind::Grants => output::lines(&pretty(&json!(one.grants))),
            None => output::line("# nothing of its policies was used"),
        }
    }
}

/// The documents in force against the proposed one, line by line.
fn difference(one: &Proposal) -> String {
    let before: Vec<String> = one.replaces.iter().flat_map(|old| lines(&old.policy)).collect();
    let after: Vec<String> = match (&one.policy, one.kind) {
        (Some(policy), _) => lines(policy),
        (None, ProposalKind::Grants) => one.grants.iter().flatten().flat_map(lines).collect(),
        (None, _) => Vec::new(),
    };
    let sources: Vec<&str> = one.replaces.iter().map(|old| old.source.as_str()).collect();
    let mut text = format!("--- {}: {}\n+++ {}: proposed\n", one.on, sources.join(", "), one.on);
    for (mark, line) in compared(&before, &after) {
        text.push_str(&format!("{mark}{line}\n"));
    }
    text
}

fn lines(value: &Value) -> Vec<String> {
    pretty(value).lines().map(str::to_owned).collect()
}

/// The longest common subsequence, with what goes before what comes.
fn compared<'l>(before: &'l [String], after: &'l [String]) -> Vec<(char, &'l str)> {
    let wide = after.len() + 1;
    let mut common = vec![0_usize; (before.len() + 1) * wide];
    let at = |common: &[usize], i: usize, j: usize| common.get(i * wide + j).copied().unwrap_or(0);
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            let best = if old == new {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * wide + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut told) = (0, 0, Vec::new());
    loop {
        match (before.get(i), after.get(j)) {
            (None, None) => return told,
            (Some(old), Some(new)) if old == new => {
                told.push((' ', old.as_str()));
                (i, j) = (i + 1, j + 1);
            }
            (Some(old), new) if new.is_none() || at(&common, i, j + 1) <= at(&common, i + 1, j) => {
                told.push(('-', old.as_str()));
                i += 1;
            }
            (_, Some(new)) => {
                told.push(('+', new.as_str()));
                j += 1;
            }
            (Some(_), None) => i += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_rebuilds_both_sides() {
        let texts = |text: &str| -> Vec<String> { text.chars().map(|c| c.to_string()).collect() };
        for (before, after) in
            [("abcd", "acbde"), ("", "ab"), ("ab", ""), ("same", "same"), ("aab", "b")]
        {
            let (old, new) = (texts(before), texts(after));
            let told = compared(&old, &new);
            let side = |but: char| -> String {
                told.iter().filter(|(mark, _)| *mark != but).map(|(_, line)| *line).collect()
            };
            assert_eq!((side('+').as_str(), side('-').as_str()), (before, after));
        }
        let told = compared(&texts("abcd"), &texts("acbde")).len();
        assert_eq!(told, 6);
    }
}
