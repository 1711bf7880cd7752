//! `keyward policy lint`: what is wrong with documents, where, and what to write instead.
//!
//! Text is for people and editors (`file:line:column:`), JSON one finding a line, SARIF one log for code
//! review. <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use super::input;
use crate::{
    args::{Form, Lint, PolicyFor},
    exit::{CliError, Exit},
    output,
};
use keyward_policy::{CHECKS, Check, Finding, LintContext, LintKind, Severity, lint};
use keyward_types::{AccountId, KeyRef};
use serde_json::{Value, json};

impl From<PolicyFor> for LintKind {
    fn from(kind: PolicyFor) -> Self {
        match kind {
            PolicyFor::KeyPolicy => Self::KeyPolicy,
            PolicyFor::Identity => Self::IdentityPolicy,
            PolicyFor::Trust => Self::TrustPolicy,
            PolicyFor::Scp => Self::ServiceControlPolicy,
            PolicyFor::Rcp => Self::ResourceControlPolicy,
            PolicyFor::VpcEndpoint => Self::VpcEndpointPolicy,
            PolicyFor::Session => Self::SessionPolicy,
            PolicyFor::Boundary => Self::PermissionsBoundary,
        }
    }
}

/// A finding and the file it is in.
type Found = (String, Finding);

pub(super) fn run(form: Form, options: &Lint) -> Result<Exit, CliError> {
    let about = about(options)?;
    let mut found: Vec<Found> = Vec::new();
    for file in &options.files {
        let name = input::name(file);
        let findings = lint(&input::text(file)?, options.kind.into(), &about);
        found.extend(findings.into_iter().map(|finding| (name.clone(), finding)));
    }
    match form {
        Form::Text => found.iter().for_each(|found| output::lines(&text(found))),
        Form::Json => found.iter().for_each(|found| output::json_line(&object(found))),
        Form::Sarif => output::json(&sarif(&found)),
    }
    output::note(&summary(&found));
    Ok(exit(&found, options.strict))
}

fn about(options: &Lint) -> Result<LintContext, CliError> {
    let usage = |what: String| CliError::new(Exit::Usage, what);
    let account = match &options.account {
        None => None,
        Some(text) => Some(
            AccountId::parse(text)
                .ok_or_else(|| usage(format!("--account {text}: an account id is of 12 digits")))?,
        ),
    };
    let key_arn = match options.key_arn.as_deref() {
        None => None,
        Some(text) if matches!(KeyRef::parse(text), KeyRef::Arn(_)) => Some(text.to_owned()),
        Some(text) => return Err(usage(format!("--key-arn {text} is not the ARN of a key"))),
    };
    Ok(LintContext { account, key_arn })
}

fn text((file, finding): &Found) -> String {
    let Finding { severity, code, message, line, column, advice, .. } = finding;
    let severity = severity.as_str();
    format!("{file}:{line}:{column}: {severity} {code} {message}\n    {advice}")
}

fn object((file, finding): &Found) -> Value {
    json!({
        "File": file,
        "Line": finding.line,
        "Column": finding.column,
        "Severity": finding.severity.as_str(),
        "Code": finding.code,
        "Message": finding.message,
        "Path": finding.path,
        "Advice": finding.advice,
    })
}

fn sarif(found: &[Found]) -> Value {
    let rule = |check: &Check| {
        json!({
            "id": check.code,
            "shortDescription": {"text": check.title},
            "defaultConfiguration": {"level": level(check.severity)},
        })
    };
    let result = |(file, finding): &Found| {
        json!({
            "ruleId": finding.code,
            "level": level(finding.severity),
            "message": {"text": format!("{}: {}", finding.message, finding.advice)},
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": {"uri": file},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.path}],
            }],
        })
    };
    let driver = json!({
        "name": "keyward",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": CHECKS.iter().map(rule).collect::<Vec<_>>(),
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "results": found.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

/// SARIF has no name for a security warning; it is an error there, as it is in the exit code.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error | Severity::SecurityWarning => "error",
        Severity::Warning => "warning",
        Severity::Suggestion => "note",
    }
}

fn summary(found: &[Found]) -> String {
    let count = |severity| found.iter().filter(|(_, one)| one.severity == severity).count();
    format!(
        "{} errors, {} security warnings, {} warnings, {} suggestions",
        count(Severity::Error),
        count(Severity::SecurityWarning),
        count(Severity::Warning),
        count(Severity::Suggestion)
    )
}

fn exit(found: &[Found], strict: bool) -> Exit {
    let grave = |(_, one): &Found| {
        strict || matches!(one.severity, Severity::Error | Severity::SecurityWarning)
    };
    if found.iter().any(grave) { Exit::Problems } else { Exit::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Found> {
        let findings = lint(text, LintKind::IdentityPolicy, &LintContext::default());
        findings.into_iter().map(|finding| ("a.json".to_owned(), finding)).collect()
    }

    const SUGGESTED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Sign","kms:Sign"],"Resource":"*"}]}"#;

    #[test]
    fn only_errors_and_security_warnings_fail_unless_strict() {
        let suggested = found(SUGGESTED);
        assert_eq!(suggested.len(), 1);
        assert_eq!((exit(&suggested, false), exit(&suggested, true)), (Exit::Ok, Exit::Problems));
        assert_eq!(exit(&[], true), Exit::Ok);
        for grave in [SUGGESTED.replace("Allow", "Alow"), SUGGESTED.replace("Sign", "Decrypt")] {
            assert_eq!(exit(&found(&grave), false), Exit::Problems, "{grave}");
        }
    }

    #[test]
    fn a_finding_is_told_with_its_place_in_every_form() {
        let suggested = found(SUGGESTED);
        let line = text(&suggested[0]);
        assert_eq!(
            line,
            "a.json:1:77: SUGGESTION REDUNDANT_ACTION kms:Sign is covered by Statement[0].Action[0]\n    drop kms:Sign"
        );
        assert_eq!(object(&suggested[0])["Path"], "Statement[0].Action[1]");
        let log = sarif(&suggested);
        let run = &log["runs"][0];
        let result = &run["results"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]));
        assert_eq!(result["level"], "note");
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!((&region["startLine"], &region["startColumn"]), (&json!(1), &json!(77)));
    }
}
