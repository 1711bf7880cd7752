//! `keyward policy prove`: claims about every request, proved by an SMT solver or refuted by a request.
//!
//! The solver is a program of its own. Without it nothing is claimed, and it is said what to install.
//! A request that refutes is shown with the arguments by which `simulate` decides it again, without a service.

use super::{
    input,
    simulate::{self, Given},
};
use crate::{
    exit::{CliError, Exit},
    output::{self, Format},
    policy_args::{Claim, ProofArgs, SolverArgs},
};
use keyward_policy::{KMS_ACTIONS, PolicyError};
use keyward_policytest::{Claim as Claimed, ClaimHolder, Says, Shown};
use keyward_prove::{
    Counterexample, Holder, Prover, Repair, Solver, StatementUse, Surroundings, Use, Verdict,
};
use keyward_types::KeyRef;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub(super) fn run(format: Format, claim: &Claim) -> Result<Exit, CliError> {
    match claim {
        Claim::NoNewAccess { old, new, identity: true, args, .. } => {
            let (before, after) = (input::text(old)?, input::text(new)?);
            let solver = solver(&args.solver)?;
            let proved = prover(&solver, args)?.no_new_access_of_identity(&before, &after);
            let proved = proved.map_err(|error| wrong(new, &error))?;
            let before = Policy::of_identity(old, &before);
            let under = Under { policy: Policy::of_identity(new, &after), before: Some(before) };
            Ok(told(format, "no new access", &proved, &under))
        }
        Claim::NoNewAccess { old, new, action, willing, args, .. } => {
            let surroundings = if *willing { Surroundings::Willing } else { Surroundings::Any };
            let actions = if action.is_empty() { None } else { Some(known(action)?) };
            let (before, after) = (input::text(old)?, input::text(new)?);
            let solver = solver(&args.solver)?;
            let prover = prover(&solver, args)?;
            let proved = prover.no_new_access(&before, &after, actions.as_deref(), surroundings);
            let proved = proved.map_err(|error| wrong(new, &error))?;
            let before = Some(Policy::of_key(old, &before));
            let under = Under { policy: Policy::of_key(new, &after), before };
            Ok(told(format, "no new access", &proved, &under))
        }
        Claim::Only { policy, principal, action, args } => {
            let (actions, text) = (known(action)?, input::text(policy)?);
            let solver = solver(&args.solver)?;
            let proved = prover(&solver, args)?.only(&text, principal, &actions);
            let proved = proved.map_err(|error| wrong(policy, &error))?;
            let claim = format!("only {}", principal.join(", "));
            Ok(told(format, &claim, &proved, &Under::one(policy, &text)))
        }
        Claim::NeverWithout { policy, condition, action, args } => {
            let (actions, text) = (known(action)?, input::text(policy)?);
            let condition = serde_json::from_str(condition)
                .map_err(|error| CliError::new(Exit::Usage, format!("--condition: {error}")))?;
            let solver = solver(&args.solver)?;
            let proved = prover(&solver, args)?.never_without(&text, &condition, &actions);
            let proved = proved.map_err(|error| wrong(policy, &error))?;
            let claim = format!("never without {condition}");
            Ok(told(format, &claim, &proved, &Under::one(policy, &text)))
        }
        Claim::Repairable { policy, args } => {
            let text = input::text(policy)?;
            let solver = solver(&args.solver)?;
            let repair = prover(&solver, args)?.repairable(&text);
            let repair = repair.map_err(|error| wrong(policy, &error))?;
            Ok(repairable(format, repair, &Under::one(policy, &text)))
        }
        Claim::Statements { policy, args } => {
            let text = input::text(policy)?;
            let solver = solver(&args.solver)?;
            let used = prover(&solver, args)?.statements(&text);
            Ok(statements(format, &used.map_err(|error| wrong(policy, &error))?))
        }
    }
}

/// A policy that a request is decided under, as the command was given it.
pub(super) struct Policy<'p> {
    member: &'static str,
    option: &'static str,
    file: &'p PathBuf,
    text: &'p str,
}

impl<'p> Policy<'p> {
    pub(super) fn of_key(file: &'p PathBuf, text: &'p str) -> Self {
        Self { member: "keyPolicy", option: "--key-policy", file, text }
    }

    pub(super) fn of_identity(file: &'p PathBuf, text: &'p str) -> Self {
        Self { member: "identity", option: "--identity-policy", file, text }
    }

    fn arguments(&self, found: &Counterexample) -> Vec<String> {
        let given = Given {
            member: self.member,
            option: self.option,
            files: std::slice::from_ref(self.file),
            text: Some(self.text),
        };
        simulate::arguments(&found.vector, &[given])
    }
}

/// What a counterexample is decided under, and what it was compared with where that is a file's.
pub(super) struct Under<'p> {
    pub(super) policy: Policy<'p>,
    pub(super) before: Option<Policy<'p>>,
}

impl<'p> Under<'p> {
    fn one(file: &'p PathBuf, text: &'p str) -> Self {
        Self { policy: Policy::of_key(file, text), before: None }
    }
}

/// The solver that is meant, when there is one.
pub(super) fn solver(args: &SolverArgs) -> Result<Solver, CliError> {
    let solver = Solver::new(&args.solver, Duration::from_secs(args.timeout));
    solver.check().map_err(|why| {
        CliError::failure(format!("nothing can be proved: {why}"))
            .hint("install cvc5 (Debian's package has this name), or name a solver with --solver")
    })?;
    Ok(solver)
}

pub(super) fn prover<'s>(solver: &'s Solver, args: &ProofArgs) -> Result<Prover<'s>, CliError> {
    if let Some(arn) = args.key_arn.as_deref()
        && !matches!(KeyRef::parse(arn), KeyRef::Arn(_))
    {
        return Err(CliError::new(Exit::Usage, format!("--key-arn {arn} is not the ARN of a key")));
    }
    Ok(Prover::new(solver, args.key_arn.as_deref()))
}

/// A claim of a policy test.
pub(super) fn shown(solver: Option<&Solver>, claim: &Claimed) -> Shown {
    let Some(solver) = solver else { return Shown::Unknown("there is no solver".to_owned()) };
    let prover = Prover::new(solver, Some(&claim.key));
    let verdict = match &claim.says {
        Says::NoNewAccess { from, to } => prover.no_new_access(from, to, None, Surroundings::Any),
        Says::Never { policy, action, except, holders } => {
            let holder = |one: &ClaimHolder| Holder {
                arn: one.arn.clone(),
                identity: one.identity.clone(),
                boundary: one.boundary.clone(),
            };
            let holders: Vec<Holder> = holders.iter().map(holder).collect();
            prover.never(policy, action, except, &holders)
        }
    };
    match verdict {
        Ok(Verdict::Proved) => Shown::Holds,
        Ok(Verdict::Refuted(found)) => Shown::Fails(format!(
            "{} may {}, for one: {}",
            found.caller,
            found.action,
            simulate::line(&simulate::arguments(&found.vector, &[]))
        )),
        Ok(Verdict::Unknown(reasons)) => Shown::Unknown(reasons.join("; ")),
        Err(error) => Shown::Unknown(error.to_string()),
    }
}

/// Actions as KMS spells them.
fn known(actions: &[String]) -> Result<Vec<String>, CliError> {
    let spelled = |action: &String| {
        let known = KMS_ACTIONS.iter().find(|known| {
            known.eq_ignore_ascii_case(action)
                && keyward_policy::is_asked_of_key(known) == Some(true)
        });
        known.map(|known| (*known).to_owned()).ok_or_else(|| {
            CliError::new(Exit::Usage, format!("{action} is no action of KMS on a key"))
        })
    };
    actions.iter().map(spelled).collect()
}

pub(super) fn wrong(file: &Path, error: &PolicyError) -> CliError {
    CliError::new(Exit::Usage, format!("{}: {error}", input::name(file)))
}

fn told(format: Format, claim: &str, verdict: &Verdict, under: &Under<'_>) -> Exit {
    match format {
        Format::Json => output::json(&object(claim, verdict, under)),
        Format::Text => text(claim, verdict, under),
    }
    match verdict {
        Verdict::Proved => Exit::Ok,
        Verdict::Refuted(_) => Exit::Problems,
        Verdict::Unknown(_) => Exit::Failure,
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Proved => "Proved",
        Verdict::Refuted(_) => "Refuted",
        Verdict::Unknown(_) => "Unknown",
    }
}

pub(super) fn object(claim: &str, verdict: &Verdict, under: &Under<'_>) -> Value {
    let (found, reasons) = match verdict {
        Verdict::Proved => (Value::Null, &[] as &[String]),
        Verdict::Refuted(found) => (example(found, under), &[] as &[String]),
        Verdict::Unknown(reasons) => (Value::Null, reasons.as_slice()),
    };
    json!({
        "Claim": claim, "Verdict": word(verdict), "Reasons": reasons, "Counterexample": found,
    })
}

fn example(found: &Counterexample, under: &Under<'_>) -> Value {
    json!({
        "Action": found.action,
        "Caller": found.caller,
        "Decision": found.decision.effect,
        "Rule": found.decision.rule,
        "Before": found.before.as_ref().map(|before| json!({
            "Decision": before.effect,
            "Reason": before.because(),
            "Simulate": under.before.as_ref().map(|policy| policy.arguments(found)),
        })),
        "Notes": found.notes,
        "Vector": found.vector,
        "Simulate": under.policy.arguments(found),
    })
}

fn text(claim: &str, verdict: &Verdict, under: &Under<'_>) {
    match verdict {
        Verdict::Proved => output::line(&format!("proved: {claim}")),
        Verdict::Refuted(found) => {
            output::line(&format!("refuted: {claim}"));
            request(found, under);
        }
        Verdict::Unknown(reasons) => unknown(claim, reasons),
    }
}

fn unknown(claim: &str, reasons: &[String]) {
    output::line(&format!("unknown: {claim}"));
    reasons.iter().for_each(|why| output::line(&format!("  {why}")));
}

/// The request, as a person reads it, as `keyward policy vectors` decides it, and as a line of a shell that does.
pub(super) fn request(found: &Counterexample, under: &Under<'_>) {
    output::line(&format!("  {} asks for {}", found.caller, found.action));
    let documents = ["caller", "action", "keyPolicy"];
    for (name, value) in found.vector.as_object().into_iter().flatten() {
        if !documents.contains(&name.as_str()) {
            output::line(&format!("  {name} {value}"));
        }
    }
    for (index, sid) in &found.allowing {
        let name = sid.clone().unwrap_or_else(|| format!("Statement[{index}]"));
        output::line(&format!("  allowed by {name}"));
    }
    if let Some(before) = &found.before {
        output::line(&format!("  otherwise refused {}", before.because()));
    }
    found.notes.iter().for_each(|note| output::line(&format!("  note: {note}")));
    output::line(&format!("  vector {}", found.vector));
    for policy in std::iter::once(&under.policy).chain(&under.before) {
        output::line(&format!("  decided again under {}:", input::name(policy.file)));
        output::line(&format!("    {}", simulate::line(&policy.arguments(found))));
    }
}

fn repairable(format: Format, repair: Repair, under: &Under<'_>) -> Exit {
    let (verdict, exit) = match &repair {
        Repair::Possible { .. } => ("Possible", Exit::Ok),
        Repair::Impossible => ("Impossible", Exit::Problems),
        Repair::Unknown(_) => ("Unknown", Exit::Failure),
    };
    match format {
        Format::Json => {
            let (by, always, reasons) = match &repair {
                Repair::Possible { by, always } => (example(by, under), *always, Vec::new()),
                Repair::Impossible => (Value::Null, false, Vec::new()),
                Repair::Unknown(reasons) => (Value::Null, false, reasons.clone()),
            };
            output::json(&json!({
                "Claim": "repairable", "Verdict": verdict, "Always": always, "By": by,
                "Reasons": reasons,
            }));
        }
        Format::Text => match &repair {
            Repair::Possible { by, always } => {
                let when = if *always { "always" } else { "by some requests" };
                output::line(&format!("{} can change the key policy, {when}", by.caller));
                request(by, under);
            }
            Repair::Impossible => output::line("nobody can change the key policy"),
            Repair::Unknown(reasons) => unknown("repairable", reasons),
        },
    }
    exit
}

fn statements(format: Format, used: &[StatementUse]) -> Exit {
    let word = |one: &StatementUse| match &one.used {
        Ok(Use::Dead) => "dead",
        Ok(Use::Redundant) => "redundant",
        Ok(Use::Needed) => "needed",
        Err(_) => "unknown",
    };
    match format {
        Format::Json => output::json(&json!({
            "Statements": used.iter().map(|one| json!({
                "Index": one.index,
                "Sid": one.sid,
                "Effect": if one.allow { "Allow" } else { "Deny" },
                "Use": word(one),
                "Reasons": one.used.as_ref().err(),
            })).collect::<Vec<_>>(),
        })),
        Format::Text => {
            for one in used {
                let name = one.sid.clone().unwrap_or_default();
                output::line(&format!("Statement[{}]\t{name}\t{}", one.index, word(one)));
                let reasons = one.used.as_ref().err().into_iter().flatten();
                reasons.for_each(|why| output::note(&format!("  {why}")));
            }
        }
    }
    if used.iter().any(|one| matches!(one.used, Ok(Use::Dead | Use::Redundant))) {
        Exit::Problems
    } else if used.iter().any(|one| one.used.is_err()) {
        Exit::Failure
    } else {
        Exit::Ok
    }
}
