//! Documents of other people: AWS's own managed policies, all of which the policy language must take, and the
//! command that says what is wrong with a document.

use keyward_policy::{LintContext, LintKind, PolicyEngine, Severity, lint};
use keyward_testkit::clients;
use serde_json::Value;
use std::{collections::BTreeMap, process::Command};

/// Managed policies that are refused, each with the reason. The list may only shrink: every policy that
/// AWS attaches to somebody must be one that a user can bring here.
const REFUSED: &[(&str, &str)] = &[];

fn managed_policies(test: &str) -> Option<BTreeMap<String, Value>> {
    match clients::managed_policies() {
        Ok(text) => Some(serde_json::from_str(&text).expect("an object of documents")),
        Err(why) => {
            clients::skip(test, &why);
            None
        }
    }
}

fn mentions_kms(document: &Value) -> bool {
    document.to_string().to_lowercase().contains("kms")
}

#[test]
fn managed_policies_of_aws_are_accepted() {
    let Some(policies) = managed_policies("policies::managed_policies_of_aws_are_accepted") else {
        return;
    };
    let engine = PolicyEngine::new();
    let refused: BTreeMap<&str, String> = policies
        .iter()
        .filter_map(|(name, document)| {
            let error = engine.validate_identity_policy(&document.to_string()).err()?;
            Some((name.as_str(), error.to_string()))
        })
        .collect();
    for (name, why) in &refused {
        let listed = REFUSED.iter().any(|(listed, reason)| listed == name && reason == why);
        assert!(listed, "{name} is refused: {why}");
    }
    for (name, _) in REFUSED {
        assert!(refused.contains_key(name), "{name} is accepted now: take it off the list");
    }
    let of_kms = policies.values().filter(|document| mentions_kms(document)).count();
    println!("{} managed policies, {of_kms} of them mention KMS", policies.len());
    // The package is pinned: fewer would be a reader that lost some.
    assert_eq!((policies.len(), of_kms), (1_485, 188));
}

#[test]
fn managed_policies_of_aws_can_be_linted() {
    let Some(policies) = managed_policies("policies::managed_policies_of_aws_can_be_linted") else {
        return;
    };
    let mut counts: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    for document in policies.values() {
        let text = serde_json::to_string_pretty(document).expect("JSON");
        for finding in lint(&text, LintKind::IdentityPolicy, &LintContext::default()) {
            *counts.entry((finding.severity, finding.code)).or_default() += 1;
        }
    }
    for ((severity, code), count) in &counts {
        println!("{count:>5} {} {code}", severity.as_str());
    }
    // AWS's own documents may be long and generous; none says what its language does not have.
    for code in [
        "JSON_SYNTAX_ERROR",
        "MALFORMED_POLICY",
        "UNKNOWN_ELEMENT",
        "UNKNOWN_ACTION",
        "INVALID_OPERATOR",
        "INVALID_CONDITION_KEY",
        "TYPE_MISMATCH",
        "UNKNOWN_VALUE",
    ] {
        assert!(!counts.keys().any(|(_, found)| *found == code), "{code}: {counts:?}");
    }
}

/// A run of the command on a file with this text: its exit code and what it printed.
fn run(text: &str, args: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("policy.json");
    std::fs::write(&file, text).expect("a file can be written");
    let output = Command::new(clients::binary())
        .args(["policy", "lint"])
        .args(args)
        .arg(&file)
        .output()
        .expect("the binary can be started");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn policy_lint_prints_and_exits_as_scripts_rely_on() {
    let good = include_str!("../../policies/default-key-policy.json")
        .replace("${ACCOUNT}", "111122223333");
    let account = ["--account", "111122223333"];
    assert_eq!(run(&good, &account), (Some(0), String::new()));
    let warned = good.replace("\"Version\" : \"2012-10-17\",", "");
    assert_ne!(warned, good);
    assert_eq!(run(&warned, &account).0, Some(0));
    assert_eq!(run(&warned, &["--strict"]).0, Some(6));
    let wrong = good.replace("kms:*", "kms:Decrpyt");
    let (exit, text) = run(&wrong, &account);
    assert_eq!(exit, Some(6));
    assert!(text.contains("policy.json:") && text.contains(": ERROR UNKNOWN_ACTION "), "{text}");
    assert!(text.contains("\n    write kms:Decrypt\n"), "{text}");
    let (_, lines) = run(&wrong, &["-o", "json"]);
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert!(first["Line"].is_u64() && first["Severity"].is_string(), "{first}");
    let (exit, log) = run(&wrong, &["-o", "sarif", "--kind", "key-policy"]);
    let log: Value = serde_json::from_str(&log).expect("one JSON value");
    assert_eq!((exit, &log["version"]), (Some(6), &Value::from("2.1.0")));
    for bad in [["--account", "12"], ["--key-arn", "alias/a"], ["--kind", "bucket"]] {
        assert_eq!(run(&good, &bad), (Some(2), String::new()), "{bad:?}");
    }
}
