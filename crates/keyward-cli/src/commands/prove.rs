//! `keyward policy prove`: claims about every request, proved by an SMT solver or refuted by a request.
//!
//! The solver is a program of its own. Without it nothing is claimed, and it is said what to install.
//! A request that refutes is shown with the arguments by which `simulate` decides it again, without a service.

use super::{
    ask, input,
    simulate::{self, Given},
};
use crate::{
    exit::{CliError, Exit},
    output::{self, Format},
    policy_args::{Claim, ProofArgs, SolverArgs},
};
use keyward_policy::{KMS_ACTIONS, PolicyEngine, PolicyError};
use keyward_policytest::{Claim as Claimed, ClaimHolder, Says, Shown};
use keyward_prove::{
    Counterexample, Holder, Organization, Prover, Repair, Solver, StatementUse, Surroundings, Use,
    Verdict,
};
use keyward_types::{AccountId, KeyRef};
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
            let before = Some(before);
            let under = Under { policy: Policy::of_identity(new, &after), before, args };
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
            let under = Under { policy: Policy::of_key(new, &after), before, args };
            Ok(told(format, "no new access", &proved, &under))
        }
        Claim::Only { policy, principal, action, args } => {
            let (actions, text) = (known(action)?, input::text(policy)?);
            let solver = solver(&args.solver)?;
            let proved = prover(&solver, args)?.only(&text, principal, &actions);
            let proved = proved.map_err(|error| wrong(policy, &error))?;
            let claim = format!("only {}", principal.join(", "));
            Ok(told(format, &claim, &proved, &Under::one(policy, &text, args)))
        }
        Claim::NeverWithout { policy, condition, action, args } => {
            let (actions, text) = (known(action)?, input::text(policy)?);
            let condition = serde_json::from_str(condition)
                .map_err(|error| CliError::new(Exit::Usage, format!("--condition: {error}")))?;
            let solver = solver(&args.solver)?;
            let proved = prover(&solver, args)?.never_without(&text, &condition, &actions);
            let proved = proved.map_err(|error| wrong(policy, &error))?;
            let claim = format!("never without {condition}");
            Ok(told(format, &claim, &proved, &Under::one(policy, &text, args)))
        }
        Claim::Repairable { policy, args } => {
            let text = input::text(policy)?;
            let solver = solver(&args.solver)?;
            let repair = prover(&solver, args)?.repairable(&text);
            let repair = repair.map_err(|error| wrong(policy, &error))?;
            Ok(repairable(format, repair, &Under::one(policy, &text, args)))
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

    fn arguments(&self, found: &Counterexample, around: &ProofArgs) -> Vec<String> {
        let policy = Given {
            member: self.member,
            option: self.option,
            files: std::slice::from_ref(self.file),
            text: Some(self.text),
        };
        let given: Vec<Given<'_>> = std::iter::once(policy).chain(self::around(around)).collect();
        simulate::arguments(&found.vector, &given)
    }
}

/// What a counterexample is decided under, and what it was compared with where that is a file's.
pub(super) struct Under<'p> {
    pub(super) policy: Policy<'p>,
    pub(super) before: Option<Policy<'p>>,
    pub(super) args: &'p ProofArgs,
}

impl<'p> Under<'p> {
    fn one(file: &'p PathBuf, text: &'p str, args: &'p ProofArgs) -> Self {
        Self { policy: Policy::of_key(file, text), before: None, args }
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
    let usage = |what: String| CliError::new(Exit::Usage, what);
    if let Some(arn) = args.key_arn.as_deref()
        && !matches!(KeyRef::parse(arn), KeyRef::Arn(_))
    {
        return Err(usage(format!("--key-arn {arn} is not the ARN of a key")));
    }
    let grants = ask::grants(&args.grant)?;
    let grants = grants
        .map(|grants| grants.iter().map(simulate::grant).collect::<Result<Vec<_>, _>>())
        .transpose()?;
    let key = match (&args.key_arn, &grants) {
        (None, Some(grants)) => Some(key_of(grants)?),
        (key, _) => key.clone(),
    };
    let prover = Prover::new(solver, key.as_deref());
    // They were read before, one by one.
    let prover = prover.within(&organization(args)?).map_err(|error| usage(error.to_string()))?;
    match grants {
        None => Ok(prover),
        Some(grants) => prover.granting(&grants).map_err(|why| usage(format!("--grant: {why}"))),
    }
}

/// The one key that grants are on.
fn key_of(grants: &[Value]) -> Result<String, CliError> {
    let mut keys: Vec<Option<&str>> =
        grants.iter().map(|grant| grant.get("key").and_then(Value::as_str)).collect();
    keys.dedup();
    match keys.as_slice() {
        [Some(one)] => Ok((*one).to_owned()),
        _ => Err(CliError::new(
            Exit::Usage,
            "--grant needs --key-arn: the key that the grants are on",
        )),
    }
}

fn organization(args: &ProofArgs) -> Result<Organization, CliError> {
    let usage = |what: String| CliError::new(Exit::Usage, what);
    let engine = PolicyEngine::new();
    let levels = |files: &[PathBuf], check: &dyn Fn(&str) -> Result<(), PolicyError>| {
        let level = |file: &PathBuf| {
            let text = input::text(file)?;
            check(&text).map_err(|error| wrong(file, &error))?;
            Ok(vec![text])
        };
        files.iter().map(level).collect::<Result<Vec<_>, CliError>>()
    };
    let scps =
        levels(&args.service_control_policy, &|text| engine.validate_service_control_policy(text))?;
    let rcps = levels(&args.resource_control_policy, &|text| {
        engine.validate_resource_control_policy(text)
    })?;
    let members = &args.member_account;
    if let Some(wrong) = members.iter().find(|account| AccountId::parse(account).is_none()) {
        return Err(usage(format!("--member-account {wrong}: an account id is of 12 digits")));
    }
    if !members.is_empty() && scps.is_empty() && rcps.is_empty() {
        return Err(usage("--member-account says over whom the policies of an organization are: name them with --service-control-policy or --resource-control-policy".to_owned()));
    }
    let accounts = Some(members.clone()).filter(|members| !members.is_empty());
    Ok(Organization { scps, rcps, accounts, ..Organization::default() })
}

/// The files around a policy that a request may be under.
pub(super) fn around(args: &ProofArgs) -> Vec<Given<'_>> {
    [
        ("scps", "--service-control-policy", &args.service_control_policy),
        ("rcps", "--resource-control-policy", &args.resource_control_policy),
        ("grants", "--grant", &args.grant),
    ]
    .map(|(member, option, files)| Given { member, option, files, text: None })
    .into()
}

/// A claim of a policy test.
pub(super) fn shown(solver: Option<&Solver>, claim: &Claimed) -> Shown {
    let Some(solver) = solver else { return Shown::Unknown("there is no solver".to_owned()) };
    let prover = match supposed(solver, claim) {
        Ok(prover) => prover,
        Err(why) => return Shown::Unknown(why),
    };
    let verdict = match &claim.says {
        Says::NoNewAccess { from, to } => prover.no_new_access(from, to, None, Surroundings::Any),
        Says::Never { policy, action, except, holders, grants: _ } => {
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

/// The prover, with what the file of a claim says around its key.
fn supposed<'s>(solver: &'s Solver, claim: &Claimed) -> Result<Prover<'s>, String> {
    let mut prover = Prover::new(solver, Some(&claim.key));
    if let Some(one) = &claim.organization {
        let organization = Organization {
            scps: one.scps.clone(),
            rcps: one.rcps.clone(),
            accounts: one.accounts.clone(),
            management: one.management.clone(),
            service_linked: one.service_linked.clone(),
        };
        prover = prover.within(&organization).map_err(|error| error.to_string())?;
    }
    match &claim.says {
        Says::NoNewAccess { .. } => Ok(prover),
        Says::Never { grants, .. } => prover.granting(grants),
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
            "Simulate": under.before.as_ref().map(|policy| policy.arguments(found, under.args)),
        })),
        "Notes": found.notes,
        "Vector": found.vector,
        "Simulate": under.policy.arguments(found, under.args),
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
        output::line(&format!("    {}", simulate::line(&policy.arguments(found, under.args))));
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
