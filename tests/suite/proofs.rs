//! Proofs as they are asked for: on the command line, and of the service by unmodified clients of Access Analyzer.

use keyward_testkit::clients::{self, Dev, Skipped, binary, point_at};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

const APP: &str = "arn:aws:iam::111122223333:role/app";

/// A folder with two key policies: the second lets the application in under one more encryption context.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in
        [("old.json", json!("billing")), ("new.json", json!(["billing", "invoices"]))]
    {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "Use", "Effect": "Allow", "Principal": {"AWS": APP}, "Action": "kms:Decrypt",
            "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:App": value}},
        }]});
        fs::write(folder.path().join(name), policy.to_string()).unwrap();
    }
    folder
}

fn keyward(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(binary()).args(args).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// `None` where there is no solver, which is said.
fn solver(test: &str) -> Option<PathBuf> {
    clients::solver().map_err(|why| clients::skip(test, &why)).ok()
}

#[test]
fn a_claim_is_proved_or_shown_by_a_request_that_vectors_decide() {
    let Some(solver) =
        solver("proofs::a_claim_is_proved_or_shown_by_a_request_that_vectors_decide")
    else {
        return;
    };
    let (folder, solver) = (folder(), solver.display().to_string());
    let prove = |args: &[&str]| {
        let all: Vec<&str> = ["policy", "prove"]
            .iter()
            .chain(args)
            .chain(&["--solver", &solver, "-o", "json"])
            .copied()
            .collect();
        let (exit, out, err) = keyward(folder.path(), &all);
        (exit, serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("{out}{err}")))
    };
    let (exit, proved) = prove(&["no-new-access", "new.json", "old.json"]);
    assert_eq!((exit, &proved["Verdict"]), (Some(0), &json!("Proved")), "{proved}");
    let (exit, refuted) = prove(&["no-new-access", "old.json", "new.json"]);
    assert_eq!((exit, &refuted["Verdict"]), (Some(6), &json!("Refuted")), "{refuted}");
    let mut vector = refuted["Counterexample"]["Vector"].clone();
    for (policy, expect) in [("new.json", "Allow"), ("old.json", "ImplicitDeny")] {
        vector["keyPolicy"] = fs::read_to_string(folder.path().join(policy)).unwrap().into();
        vector["expect"] = expect.into();
        fs::write(folder.path().join("vector.json"), vector.to_string()).unwrap();
        let (exit, out, err) = keyward(folder.path(), &["policy", "vectors", "vector.json"]);
        assert_eq!(exit, Some(0), "{out}{err}");
    }
    assert_eq!(
        prove(&["only", "old.json", "--principal", APP, "--action", "kms:Decrypt"]).0,
        Some(0)
    );
    let condition = r#"{"Null":{"kms:EncryptionContext:App":"false"}}"#;
    let never = ["never-without", "old.json", "--condition", condition, "--action", "kms:decrypt"];
    assert_eq!(prove(&never).0, Some(0));
    let (exit, repair) = prove(&["repairable", "old.json"]);
    assert_eq!((exit, &repair["Verdict"]), (Some(6), &json!("Impossible")));
    let (exit, used) = prove(&["statements", "old.json"]);
    assert_eq!((exit, &used["Statements"][0]["Use"]), (Some(0), &json!("needed")));
    let (exit, out, _) =
        keyward(folder.path(), &["policy", "diff", "old.json", "new.json", "--solver", &solver]);
    assert_eq!(exit, Some(6));
    assert!(out.contains("newly refused: nothing, proved") && out.contains("invoices"), "{out}");
}

#[test]
fn what_cannot_be_proved_is_said_and_the_rest_works() {
    let folder = folder();
    let run = |args: &[&str]| keyward(folder.path(), args);
    let (exit, out, err) =
        run(&["policy", "prove", "repairable", "old.json", "--solver", "/nonexistent"]);
    assert_eq!((exit, out.as_str()), (Some(1), ""));
    assert!(err.contains("/nonexistent") && err.contains("install cvc5"), "{err}");
    let (exit, out, err) =
        run(&["policy", "diff", "old.json", "new.json", "--solver", "/nonexistent"]);
    assert_eq!(exit, Some(6));
    assert!(out.starts_with("- Use ") && err.contains("requests are not compared"), "{out}{err}");
    for (args, says) in [
        (&["policy", "prove", "repairable", "none.json"][..], "none.json"),
        (&["policy", "prove", "repairable", "bad.json"], "bad.json"),
        (
            &["policy", "prove", "only", "old.json", "--principal", APP, "--action", "kms:Fly"],
            "kms:Fly",
        ),
        (&["policy", "prove", "repairable", "old.json", "--key-arn", "alias/a"], "alias/a"),
        (
            &[
                "policy",
                "prove",
                "never-without",
                "old.json",
                "--condition",
                "{",
                "--action",
                "kms:Decrypt",
            ],
            "--condition",
        ),
    ] {
        fs::write(folder.path().join("bad.json"), "{").unwrap();
        let (exit, _, err) = run(args);
        let no_solver = err.contains("nothing can be proved");
        assert!(exit == Some(2) && err.contains(says) || no_solver, "{args:?}: {exit:?} {err}");
    }
}

/// A proof of a policy test passes, fails with a request, or is skipped with a notice.
#[test]
fn policy_tests_prove_what_they_claim() {
    let Some(solver) = solver("proofs::policy_tests_prove_what_they_claim") else { return };
    let (folder, solver) = (folder(), solver.display().to_string());
    let text = r#"version: 1
policies:
  keys: { data: { account: "111122223333", policy: old.json } }
  principals: { app: { role: "arn:aws:iam::111122223333:role/app" } }
tests:
  - { name: allowed, caller: app, action: kms:Decrypt, key: data, encryption_context: { App: billing }, expect: allow }
prove:
  - { name: nobody else, never: { key: data, action: kms:Decrypt, except: { caller: [app] } } }
  - { name: nothing new, no_new_access: { key: data, from: old.json, to: new.json } }
"#;
    fs::write(folder.path().join("a.policytest.yaml"), text).unwrap();
    let run = |solver: &str| keyward(folder.path(), &["policy", "test", ".", "--solver", solver]);
    let (exit, out, _) = run(&solver);
    assert_eq!(exit, Some(6), "{out}");
    assert!(out.contains("2 passed, 1 failed") && out.contains("nothing new"), "{out}");
    assert!(out.contains("invoices") && !out.contains("FAIL ./a.policytest.yaml:8"), "{out}");
    let (exit, out, _) = run("/nonexistent");
    assert_eq!(exit, Some(0), "{out}");
    assert!(
        out.contains("1 passed, 0 failed, 2 skipped") && out.contains("needs a solver"),
        "{out}"
    );
}

/// `aws accessanalyzer`, as it is.
#[test]
fn access_analyzers_own_client_asks_the_service() {
    let test = "proofs::access_analyzers_own_client_asks_the_service";
    let Some(solver) = solver(test) else { return };
    let programs = match clients::python() {
        Ok(programs) => programs,
        Err(why) => return clients::skip(test, &why),
    };
    let (folder, solver) = (folder(), solver.display().to_string());
    let aws = |dev: &Dev, args: &[&str]| {
        let mut command = Command::new(programs.join("aws"));
        point_at(&mut command, &dev.endpoint());
        command
            .args(["accessanalyzer", "--endpoint-url", &dev.endpoint()])
            .args(args)
            .args(["--output", "json"])
            .current_dir(folder.path());
        clients::run(&mut command).map(|out| serde_json::from_str::<Value>(&out).unwrap())
    };
    let dev = Dev::start(&["--solver", &solver]);
    let ask =
        |args: &[&str]| aws(&dev, args).unwrap_or_else(|Skipped(why)| panic!("{args:?}: {why}"));
    let refuse = |args: &[&str]| aws(&dev, args).unwrap_err().0;
    let no_new = |new: &str, old: &str| {
        let (new, old) = (format!("file://{new}"), format!("file://{old}"));
        ask(&[
            "check-no-new-access",
            "--policy-type",
            "RESOURCE_POLICY",
            "--new-policy-document",
            &new,
            "--existing-policy-document",
            &old,
        ])
    };
    assert_eq!(no_new("old.json", "new.json")["result"], "PASS");
    let failed = no_new("new.json", "old.json");
    assert_eq!(
        (&failed["result"], &failed["reasons"][0]["statementId"]),
        (&json!("FAIL"), &json!("Use")),
        "{failed}"
    );
    let granted = |action: &str| {
        ask(&[
            "check-access-not-granted",
            "--policy-type",
            "RESOURCE_POLICY",
            "--policy-document",
            "file://old.json",
            "--access",
            &format!("actions={action}"),
        ])
    };
    assert_eq!(granted("kms:PutKeyPolicy")["result"], "PASS");
    assert_eq!(granted("kms:Decrypt")["result"], "FAIL");
    let public = |document: &str, kind: &str| {
        vec![
            "check-no-public-access".to_owned(),
            "--resource-type".into(),
            kind.into(),
            "--policy-document".into(),
            document.into(),
        ]
    };
    let texts = |args: &[String]| -> Vec<String> { args.to_vec() };
    let checked = texts(&public("file://old.json", "AWS::KMS::Key"));
    assert_eq!(ask(&checked.iter().map(String::as_str).collect::<Vec<_>>())["result"], "PASS");
    let bucket = texts(&public("file://old.json", "AWS::S3::Bucket"));
    assert!(
        refuse(&bucket.iter().map(String::as_str).collect::<Vec<_>>())
            .contains("InvalidParameterException")
    );
    let validated = ask(&[
        "validate-policy",
        "--policy-type",
        "IDENTITY_POLICY",
        "--policy-document",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Fly","Resource":"*"}]}"#,
    ]);
    let finding = &validated["findings"][0];
    assert_eq!(finding["findingType"], "ERROR", "{validated}");
    assert_eq!(finding["locations"][0]["path"][1], json!({"index": 0}), "{finding}");
    let identity = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    let wider = identity.replace("s3:GetObject", "s3:*");
    let of_identity = [
        "check-no-new-access",
        "--policy-type",
        "IDENTITY_POLICY",
        "--existing-policy-document",
        identity,
        "--new-policy-document",
        &wider,
    ];
    assert_eq!(ask(&of_identity)["result"], "FAIL");
    let foreign = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#;
    let of_bucket = [
        "check-no-new-access",
        "--policy-type",
        "RESOURCE_POLICY",
        "--existing-policy-document",
        foreign,
        "--new-policy-document",
        foreign,
    ];
    assert!(refuse(&of_bucket).contains("InvalidParameterException"));
    let (_, log, _) = keyward(folder.path(), &["events", "export", "--endpoint", &dev.endpoint()]);
    let named = |name: &str| {
        log.lines().filter(|line| line.contains(&format!("\"eventName\":\"{name}\""))).count()
    };
    assert_eq!((named("CheckNoNewAccess"), named("ValidatePolicy")), (4, 1), "{log}");
    assert!(log.contains("access-analyzer.amazonaws.com") && !log.contains("invoices"), "{log}");

    let without = Dev::start(&["--solver", "/nonexistent"]);
    let none = aws(&without, &of_identity).unwrap_err().0;
    assert!(none.contains("UnprocessableEntityException") && none.contains("cvc5"), "{none}");
    let still = aws(
        &without,
        &["validate-policy", "--policy-type", "IDENTITY_POLICY", "--policy-document", identity],
    );
    assert_eq!(
        still.unwrap_or_else(|Skipped(why)| panic!("{why}"))["findings"]
            .as_array()
            .map(Vec::is_empty),
        Some(false)
    );
}
