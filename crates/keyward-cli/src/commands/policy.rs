//! `keyward policy`: decision vectors, checking a document; what asks the service is in `ask.rs`, policy tests are
//! in `policy_test.rs`, proofs in `prove.rs`.

use super::{ask, generate, lint, observe, policy_diff, policy_test, prove, replay, unused};
use crate::{
    args::{Common, Policy},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_policy::{PolicyEngine, vectors};
use keyward_server::guardrails::{GuardrailFolder, GuardrailsRefused};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) fn policy(common: &Common, command: &Policy) -> Result<Exit, CliError> {
    match command {
        Policy::Vectors { file } => run_vectors(common.output, file),
        Policy::Lint(options) => lint::run(common.form, options),
        Policy::Test(test) => policy_test::run(common, test),
        Policy::Check { file, identity } => check(common.output, file, *identity),
        Policy::Guardrails { places } => guardrails(common.output, places),
        Policy::CanI { action, key, facts } => ask::can_i(common, action, key.as_deref(), facts),
        Policy::WhoCan { action, key, facts } => ask::who_can(common, action, key, facts),
        Policy::Simulate(simulate) => ask::simulate(common, simulate),
        Policy::Replay(asked) => replay::replay(common, asked),
        Policy::Unused(asked) => unused::unused(common, asked),
        Policy::Generate(asked) => generate::generate(common, asked),
        Policy::Observe(command) => observe::observe(common, command),
        Policy::Prove(prove) => prove::run(common.output, &prove.claim),
        Policy::Diff(diff) => policy_diff::run(common.output, diff),
    }
}

pub(super) fn read(file: &Path) -> Result<String, CliError> {
    fs::read_to_string(file)
        .map_err(|error| CliError::new(Exit::Usage, format!("{}: {error}", file.display())))
}

/// One result a vector, and a count on stderr. A vector that cannot be asked is a problem, never a pass.
fn run_vectors(format: Format, file: &Path) -> Result<Exit, CliError> {
    let usage = |error: &dyn core::fmt::Display| {
        CliError::new(Exit::Usage, format!("{}: {error}", file.display()))
    };
    let text = read(file)?;
    let whole: Result<Value, _> = serde_json::from_str(&text);
    let vectors: Vec<Value> = match whole {
        Ok(Value::Array(vectors)) => vectors,
        Ok(one) => vec![one],
        // One object a line.
        Err(_) => serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| usage(&error))?,
    };
    let engine = PolicyEngine::new();
    let mut failed = 0;
    for vector in &vectors {
        let result = vectors::judge(&engine, vector);
        failed += usize::from(!result.pass);
        match format {
            Format::Json => output::json_line(&result.to_json()),
            Format::Text => output::line(&result.to_text()),
        }
    }
    output::note(&format!("{} passed, {failed} failed", vectors.len() - failed));
    Ok(if failed == 0 { Exit::Ok } else { Exit::Problems })
}

/// Compiles guardrails as the service does at its start.
fn guardrails(format: Format, places: &[PathBuf]) -> Result<Exit, CliError> {
    let (mut policies, mut files, mut problems) = (0, 0, Vec::new());
    for place in places {
        match GuardrailFolder::open(place) {
            Ok((_, guardrails, read)) => {
                policies += guardrails.len();
                files += read.len();
            }
            Err(GuardrailsRefused::Wrong(errors)) => problems.extend(errors),
            Err(error) => return Err(CliError::new(Exit::Usage, error.to_string())),
        }
    }
    match format {
        Format::Json => output::json(&json!({
            "Valid": problems.is_empty(),
            "Files": files,
            "Policies": policies,
            "Problems": problems.iter().map(|problem| json!({
                "File": problem.file,
                "Line": problem.line,
                "Column": problem.column,
                "Message": problem.message,
            })).collect::<Vec<_>>(),
        })),
        Format::Text => {
            for problem in &problems {
                output::lines(&problem.to_string());
            }
            if problems.is_empty() {
                output::line(&format!("{policies} guardrails of {files} files are valid"));
            }
        }
    }
    Ok(if problems.is_empty() { Exit::Ok } else { Exit::Problems })
}

fn check(format: Format, file: &Path, identity: bool) -> Result<Exit, CliError> {
    let engine = PolicyEngine::new();
    let text = read(file)?;
    let checked = if identity {
        engine.validate_identity_policy(&text)
    } else {
        engine.validate_key_policy(&text).map(drop)
    };
    let problem = checked.err().map(|error| error.to_string());
    match format {
        Format::Json => output::json(&json!({"Valid": problem.is_none(), "Problem": problem})),
        Format::Text => output::lines(problem.as_deref().unwrap_or("the policy is valid")),
    }
    Ok(if problem.is_none() { Exit::Ok } else { Exit::Problems })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_engine::OPERATIONS;
    use std::collections::BTreeSet;

    /// Vectors are decided without the table of operations, so their list is compared with it.
    #[test]
    fn vectors_know_which_operations_cross_accounts() {
        let re_encrypt = |name: &'static str| match name {
            "ReEncrypt" => vec!["ReEncryptFrom", "ReEncryptTo"],
            other => vec![other],
        };
        let offered: BTreeSet<&str> = OPERATIONS
            .iter()
            .filter(|row| row.spec().cross_account && row.spec().service.name() == "kms")
            .flat_map(|row| re_encrypt(row.spec().name))
            .collect();
        let listed: BTreeSet<&str> = vectors::cross_account_operations().collect();
        let known: BTreeSet<&str> =
            OPERATIONS.iter().flat_map(|row| re_encrypt(row.spec().name)).collect();
        assert!(offered.is_subset(&listed), "{:?}", offered.difference(&listed));
        let wrong: Vec<_> = listed
            .iter()
            .filter(|name| known.contains(*name) && !offered.contains(*name))
            .collect();
        assert!(wrong.is_empty() && !offered.is_empty(), "{wrong:?}");
    }
}
