//! Decides the cases of a file, and compares each decision with what is expected.

use crate::{
    Chosen,
    grounds::{self, Ground},
    read::{
        TestFile,
        cases::{Asked, Case, Expected, Put, words},
        documents::TestedDocument,
    },
};
use keyward_policy::{LOCKOUT, Place, PolicyEngine, PolicyError};
use keyward_types::{CheckEffect, CheckKind, Decision, Effect, ErrorCode, Layer, limits};
use std::collections::BTreeMap;

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub title: String,
    pub at: Place,
    pub status: Status,
    pub expected: String,
    /// As a test file spells it; empty for what was not run.
    pub got: String,
    /// The words of the decision or the error.
    pub because: String,
    /// What decided, as `by` names it, and where that stands.
    pub by: Vec<String>,
    /// What is not as expected, one sentence each.
    pub problems: Vec<String>,
    /// Condition keys that policies look at and the case says nothing of; told of failures alone.
    pub unstated: Vec<String>,
    pub decision: Option<Decision>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Passed,
    Failed,
    /// Why it was not run.
    Skipped(String),
}

impl Outcome {
    pub(crate) fn new(title: &str, at: Place, expected: &str) -> Self {
        Self {
            title: title.to_owned(),
            at,
            status: Status::Passed,
            expected: expected.to_owned(),
            got: String::new(),
            because: String::new(),
            by: Vec::new(),
            problems: Vec::new(),
            unstated: Vec::new(),
            decision: None,
        }
    }
}

/// A case with its outcome and what decided it.
pub(crate) struct Decided {
    /// The case's place in the file's list.
    pub(crate) case: usize,
    pub(crate) outcome: Outcome,
    pub(crate) grounds: Vec<Ground>,
    /// Whether the effect is the expected one, whatever decided it.
    pub(crate) as_expected: bool,
}

pub(crate) fn all(
    engine: &PolicyEngine,
    file: &TestFile,
    chosen: Option<&Chosen<'_>>,
) -> Vec<Decided> {
    let cases = file.cases.iter().enumerate();
    let wanted = cases.filter(|(_, case)| chosen.is_none_or(|chosen| chosen(&case.title)));
    wanted.map(|(place, case)| one(engine, file, place, case)).collect()
}

fn one(engine: &PolicyEngine, file: &TestFile, place: usize, case: &Case) -> Decided {
    let mut outcome = Outcome::new(&case.title, case.at, case.expected.words());
    if let Some(why) = &case.skipped {
        outcome.status = Status::Skipped(why.clone());
        return Decided { case: place, outcome, grounds: Vec::new(), as_expected: false };
    }
    let policy = key_policy(file, &case.asked);
    let policy_name = policy.map_or("key policy", |document| document.label.as_str());
    let (decision, as_expected) = match &case.asked.put {
        Some(put) => put_policy(engine, case, put, &mut outcome),
        None => {
            let decision = case.asked.vector.decide(engine);
            words(decision.effect).clone_into(&mut outcome.got);
            outcome.because = decision.because();
            let as_expected = case.expected.is(decision.effect);
            (decision, as_expected)
        }
    };
    let grounds = grounds::of(&decision, policy_name);
    let by = |ground: &Ground| format!("{} ({})", ground.short(), place_of(file, policy, ground));
    outcome.by = grounds.iter().map(by).collect();
    if !as_expected {
        let Outcome { expected, got, because, .. } = &outcome;
        outcome.problems.push(format!("expected {expected}, got {got} {because}"));
    }
    if case.asked.put.is_none() {
        let more = problems(case, &decision, &grounds, &outcome.by);
        outcome.problems.extend(more);
    }
    if !outcome.problems.is_empty() {
        outcome.status = Status::Failed;
        let unstated = case.asked.vector.put(|question| engine.missing_keys(question));
        outcome.unstated = unstated.into_iter().collect();
    }
    outcome.decision = Some(decision);
    Decided { case: place, outcome, grounds, as_expected }
}

/// What PutKeyPolicy would answer: the caller's permission under the policy in force, then the checks of the
/// policy itself, in the service's order. Whether its principals exist, a file cannot say.
fn put_policy(
    engine: &PolicyEngine,
    case: &Case,
    put: &Put,
    outcome: &mut Outcome,
) -> (Decision, bool) {
    let now = case.asked.vector.decide(engine);
    let (decision, answer) = if !now.allowed() {
        let because = now.because();
        (now, Err((ErrorCode::AccessDenied, because)))
    } else if limits::KEY_POLICY_BYTES_MAX < put.text.len() {
        let most = limits::KEY_POLICY_BYTES_MAX;
        (now, Err((ErrorCode::LimitExceeded, format!("because it has more than {most} bytes"))))
    } else if let Err(error) = engine.validate_key_policy(&put.text) {
        let code = match error {
            PolicyError::InvalidArn { .. } => ErrorCode::InvalidArn,
            _ => ErrorCode::MalformedPolicyDocument,
        };
        (now, Err((code, error.to_string())))
    } else if put.bypass || put.after.put(|question| engine.keeps_caller_able(question)) {
        (put.after.decide(engine), Ok(()))
    } else {
        let after = put.after.decide(engine);
        (after, Err((ErrorCode::MalformedPolicyDocument, LOCKOUT.to_owned())))
    };
    let as_expected = match (&case.expected, &answer) {
        (Expected::Error(wanted), Err((code, _))) => wanted == code.wire(),
        (Expected::Effect(Effect::Allow), Ok(())) => true,
        _ => false,
    };
    match answer {
        Ok(()) => "allow".clone_into(&mut outcome.got),
        Err((code, why)) => {
            code.wire().clone_into(&mut outcome.got);
            outcome.because = why;
        }
    }
    (decision, as_expected)
}

/// What else is not as expected.
fn problems(case: &Case, decision: &Decision, grounds: &[Ground], by: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    let decided = match by {
        [] => "no statement did".to_owned(),
        by => format!("{} did", by.join(", ")),
    };
    let named = case.by.iter().flat_map(|by| &by.names);
    for name in named.filter(|name| !grounds.iter().any(|ground| ground.is(name))) {
        problems.push(format!("{name} did not decide; {decided}"));
    }
    let silent: Vec<CheckKind> = decision
        .checks()
        .iter()
        .filter(|check| check.evaluated_effect == CheckEffect::ImplicitDeny)
        .map(|check| check.check_type)
        .collect();
    for kind in case.missing.iter().filter(|kind| !silent.contains(kind)) {
        let names: Vec<&str> = silent.iter().map(|kind| kind.as_str()).collect();
        let there = if names.is_empty() { "none was".to_owned() } else { names.join(", ") };
        problems.push(format!("{} was not missing an allow; {there}", kind.as_str()));
    }
    if let Some(reason) =
        case.reason.as_ref().filter(|reason| !decision.because().contains(*reason))
    {
        problems.push(format!("the reason is not \"{reason}\" but \"{}\"", decision.because()));
    }
    problems
}

fn key_policy<'f>(file: &'f TestFile, asked: &Asked) -> Option<&'f TestedDocument> {
    let key = file.world.keys.get(asked.key.as_ref()?)?;
    file.documents.get(key.policy)
}

/// `key.json:4`, or the grant's line in the test file.
fn place_of(file: &TestFile, policy: Option<&TestedDocument>, ground: &Ground) -> String {
    if ground.layer == Layer::Grant {
        let grant = file.world.grants.iter().find(|grant| grant.id == ground.name);
        return grant.map_or_else(String::new, |grant| format!("line {}", grant.at.line));
    }
    let document = match ground.layer {
        Layer::KeyPolicy => policy,
        _ => file.documents.iter().find(|document| document.label == ground.document),
    };
    let statement = document.and_then(|document| document.statements.get(ground.index));
    statement.map_or_else(
        || ground.document.clone(),
        |statement| format!("{}:{}", ground.document, statement.at.line),
    )
}

/// The decided cases that share one `by`, by where it stands.
pub(crate) fn by_place<'d>(
    file: &TestFile,
    decided: &'d [Decided],
) -> BTreeMap<Place, Vec<&'d Decided>> {
    let mut groups: BTreeMap<Place, Vec<&Decided>> = BTreeMap::new();
    for one in decided {
        if let Some(by) = file.cases.get(one.case).and_then(|case| case.by.as_ref()) {
            groups.entry(by.at).or_default().push(one);
        }
    }
    groups
}
