//! `keyward policy diff`: what a change of a policy changes.
//!
//! Statements are compared as they are written, by their Sid where they have one. Which requests are decided
//! otherwise is a question to the solver, in both directions; without one, the statements are compared all the same.

use super::{
    input,
    prove::{Policy, Under, object, prover, request, solver, wrong},
};
use crate::{
    exit::{CliError, Exit},
    output::{self, Format},
    policy_args::PolicyDiff,
};
use keyward_policy::{PolicyError, PolicyKind, cedar_text};
use keyward_prove::{Prover, Surroundings, Verdict};
use serde_json::{Value, json};

pub(super) fn run(format: Format, diff: &PolicyDiff) -> Result<Exit, CliError> {
    let (old, new) = (input::text(&diff.old)?, input::text(&diff.new)?);
    let kind = if diff.identity { PolicyKind::Identity } else { PolicyKind::Resource };
    for (file, text) in [(&diff.old, &old), (&diff.new, &new)] {
        cedar_text(text, kind).map_err(|error| wrong(file, &error))?;
    }
    let changes = compared(&statements(&old), &statements(&new));
    let proofs = match solver(&diff.args.solver) {
        Ok(solver) => {
            let prover = prover(&solver, &diff.args)?;
            let both = both(&prover, &old, &new, diff.identity);
            Some(both.map_err(|error| wrong(&diff.new, &error))?)
        }
        Err(why) => {
            output::warn(&format!("requests are not compared: {}", why.message));
            why.hint.iter().for_each(|hint| output::note(&format!("hint: {hint}")));
            None
        }
    };
    let policy = |file, text| {
        if diff.identity { Policy::of_identity(file, text) } else { Policy::of_key(file, text) }
    };
    let more_under = Under {
        policy: policy(&diff.new, &new),
        before: Some(policy(&diff.old, &old)),
        args: &diff.args,
    };
    let less_under = Under {
        policy: policy(&diff.old, &old),
        before: Some(policy(&diff.new, &new)),
        args: &diff.args,
    };
    match format {
        Format::Json => output::json(&json!({
            "Statements": changes.iter().map(Change::object).collect::<Vec<_>>(),
            "NewlyAllowed": proofs.as_ref().map(|(more, _)| object("nothing is newly allowed", more, &more_under)),
            "NewlyRefused": proofs.as_ref().map(|(_, less)| object("nothing is newly refused", less, &less_under)),
        })),
        Format::Text => {
            for change in &changes {
                output::lines(&change.text());
            }
            if let Some((more, less)) = &proofs {
                tell("newly allowed", more, &more_under);
                tell("newly refused", less, &less_under);
            }
        }
    }
    let same = match &proofs {
        Some((more, less)) => more.is_proved() && less.is_proved(),
        None => changes.is_empty(),
    };
    Ok(if same { Exit::Ok } else { Exit::Problems })
}

/// What the new policy allows more, and what less.
fn both(
    prover: &Prover<'_>,
    old: &str,
    new: &str,
    identity: bool,
) -> Result<(Verdict, Verdict), PolicyError> {
    let ask = |old, new| {
        if identity {
            prover.no_new_access_of_identity(old, new)
        } else {
            prover.no_new_access(old, new, None, Surroundings::Any)
        }
    };
    Ok((ask(old, new)?, ask(new, old)?))
}

fn tell(what: &str, verdict: &Verdict, under: &Under<'_>) {
    match verdict {
        Verdict::Proved => output::line(&format!("{what}: nothing, proved")),
        Verdict::Refuted(found) => {
            output::line(&format!("{what}: for one"));
            request(found, under);
        }
        Verdict::Unknown(reasons) => {
            output::line(&format!("{what}: unknown"));
            reasons.iter().for_each(|why| output::line(&format!("  {why}")));
        }
    }
}

/// A statement that is not the same in both.
enum Change {
    Removed(String, Value),
    Added(String, Value),
    Changed(String, Value, Value),
}

impl Change {
    fn object(&self) -> Value {
        match self {
            Self::Removed(name, was) => json!({"Change": "Removed", "Statement": name, "Old": was}),
            Self::Added(name, is) => json!({"Change": "Added", "Statement": name, "New": is}),
            Self::Changed(name, was, is) => {
                json!({"Change": "Changed", "Statement": name, "Old": was, "New": is})
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Removed(name, was) => format!("- {name} {was}"),
            Self::Added(name, is) => format!("+ {name} {is}"),
            Self::Changed(name, was, is) => format!("- {name} {was}\n+ {name} {is}"),
        }
    }
}

/// Statements with the names by which they are called.
fn statements(text: &str) -> Vec<(String, Value)> {
    let root: Value = serde_json::from_str(text).unwrap_or_default();
    let listed = match root.get("Statement") {
        Some(Value::Array(several)) => several.clone(),
        one => one.into_iter().cloned().collect(),
    };
    let named = |(place, statement): (usize, Value)| {
        let sid = statement.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty());
        (sid.map_or_else(|| format!("Statement[{place}]"), str::to_owned), statement)
    };
    listed.into_iter().enumerate().map(named).collect()
}

fn compared(old: &[(String, Value)], new: &[(String, Value)]) -> Vec<Change> {
    let mut left: Vec<&(String, Value)> = Vec::new();
    let mut right: Vec<&(String, Value)> = new.iter().collect();
    // Those that are the same wherever they stand are no change.
    for one in old {
        match right.iter().position(|other| other.1 == one.1) {
            Some(place) => drop(right.remove(place)),
            None => left.push(one),
        }
    }
    let mut changes = Vec::new();
    for (name, was) in left {
        match right.iter().position(|(other, _)| other == name) {
            Some(place) => {
                let (name, is) = right.remove(place);
                changes.push(Change::Changed(name.clone(), was.clone(), is.clone()));
            }
            None => changes.push(Change::Removed(name.clone(), was.clone())),
        }
    }
    changes.extend(right.into_iter().map(|(name, is)| Change::Added(name.clone(), is.clone())));
    changes
}
