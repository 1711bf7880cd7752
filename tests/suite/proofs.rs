//! Proofs as they are asked for: on the command line, and of the service by unmodified clients of Access Analyzer.

use super::{
    ask::{self, Luck},
    usage::path,
};
use keyward_testkit::{
    clients::{self, Dev, Skipped, binary, point_at},
    knobs::{rounds, seed},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
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

/// What a shell makes of a line, where nothing listens.
fn shell(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let output = Command::new("sh")
        .args(["-c", line])
        .env("PATH", path())
        .env("KEYWARD_ENDPOINT", "http://127.0.0.1:1")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The lines for a shell that a text shows, and whether what they ask for is allowed, as they say themselves.
fn decided_again(folder: &Path, text: &str) -> Vec<bool> {
    let lines =
        text.lines().filter_map(|line| line.find("keyward policy simulate ").map(|at| &line[at..]));
    lines
        .map(|line| {
            let (exit, out, err) = shell(folder, line);
            let allowed = exit == Some(0);
            assert!(allowed || exit == Some(5), "{line}\n{exit:?} {out}{err}");
            assert!(out.contains(if allowed { "\tyes: " } else { "\tno: " }), "{line}\n{out}");
            allowed
        })
        .collect()
}

/// A counterexample is a line that a shell runs, without a service, and the decision is what was said.
#[test]
fn a_counterexample_is_a_request_that_simulate_decides_so() {
    let test = "proofs::a_counterexample_is_a_request_that_simulate_decides_so";
    let Some(solver) = solver(test) else { return };
    let (folder, solver) = (folder(), solver.display().to_string());
    let write = |name: &str, policy: &Value| {
        fs::write(folder.path().join(name), policy.to_string()).unwrap();
    };
    let copy = |from: &str, to: &str| {
        fs::copy(folder.path().join(from), folder.path().join(to)).unwrap();
    };
    copy("new.json", "it's $(new).json");
    copy("new.json", "-new.json");
    // Whom it takes to tell the two apart: a session of a role with a path, a tag, a second factor, an address.
    let hard = |values: Value| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:role/team/o'brien"},
            "Action": "kms:Decrypt", "Resource": "*", "Condition": {
                "StringEquals": {"aws:PrincipalTag/té'am": values, "aws:ResourceTag/x": "\n$HOME"},
                "IpAddress": {"aws:SourceIp": "2001:db8::/32"},
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
                "NumericLessThan": {"kms:RotationPeriodInDays": "99.5"},
                "DateGreaterThan": {"aws:CurrentTime": "2026-08-01T00:00:00.5Z"},
                "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["a", "b"]},
                "ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "b"},
            },
        }]})
    };
    write("hard-old.json", &hard(json!("red")));
    write("hard-new.json", &hard(json!(["red", "bl\"ue"])));
    let identity = |action: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "arn:aws:kms:*:111122223333:key/*"}]});
    write("narrow.json", &identity("kms:Encrypt"));
    write("wide.json", &identity("kms:*"));
    write(
        "whole.json",
        &json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}]}),
    );
    let condition = r#"{"StringEquals":{"kms:EncryptionContext:App":"billing"}}"#;
    let both = [true, false].as_slice();
    for (args, input, expected) in [
        (&["prove", "no-new-access", "old.json", "new.json"][..], "", both),
        (&["prove", "no-new-access", "old.json", "it's $(new).json"], "", both),
        (&["prove", "no-new-access", "old.json", "--", "-new.json"], "", both),
        (&["prove", "no-new-access", "-", "new.json"], "old.json", both),
        (&["prove", "no-new-access", "old.json", "-"], "new.json", both),
        (&["prove", "no-new-access", "hard-old.json", "hard-new.json"], "", both),
        (&["prove", "no-new-access", "narrow.json", "wide.json", "--identity"], "", both),
        (&["prove", "no-new-access", "-", "wide.json", "--identity"], "narrow.json", both),
        (
            &[
                "prove",
                "only",
                "new.json",
                "--principal",
                "444455556666",
                "--action",
                "kms:Decrypt",
            ],
            "",
            &[true],
        ),
        (
            &["prove", "only", "-", "--principal", "444455556666", "--action", "kms:Decrypt"],
            "new.json",
            &[true],
        ),
        (
            &[
                "prove",
                "never-without",
                "new.json",
                "--condition",
                condition,
                "--action",
                "kms:Decrypt",
            ],
            "",
            &[true],
        ),
        (&["prove", "repairable", "whole.json"], "", &[true]),
        (&["diff", "old.json", "new.json"], "", both),
        (&["diff", "new.json", "old.json"], "", both),
        (&["diff", "new.json", "whole.json"], "", &[true, false, true, false]),
        (&["diff", "wide.json", "narrow.json", "--identity"], "", both),
    ] {
        let stdin = if input.is_empty() {
            Stdio::null()
        } else {
            fs::File::open(folder.path().join(input)).unwrap().into()
        };
        let place = args.iter().position(|arg| *arg == "--").unwrap_or(args.len());
        let (options, rest) = args.split_at(place);
        let output = Command::new(binary())
            .arg("policy")
            .args(options)
            .args(["--solver", &solver])
            .args(rest)
            .current_dir(folder.path())
            .stdin(stdin)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(decided_again(folder.path(), &text), expected, "{args:?}\n{text}");
    }
    // A policy test that fails shows one too.
    let tests = "version: 1\npolicies: { keys: { data: { account: \"111122223333\", policy: old.json } }, principals: { root: { root: \"111122223333\" } } }\ntests: [ { name: none, caller: root, action: kms:Decrypt, key: data, expect: deny } ]\nprove: [ { name: nothing new, no_new_access: { key: data, from: old.json, to: new.json } } ]\n";
    fs::write(folder.path().join("a.policytest.yaml"), tests).unwrap();
    let (exit, text, err) =
        keyward(folder.path(), &["policy", "test", "a.policytest.yaml", "--solver", &solver]);
    assert_eq!(exit, Some(6), "{text}{err}");
    assert_eq!(decided_again(folder.path(), &text), [true], "{text}");
}

/// The same of random policies, with what is told of the decision and not only whether it allows.
#[test]
fn what_is_said_of_a_counterexample_is_what_simulate_says() {
    let test = "proofs::what_is_said_of_a_counterexample_is_what_simulate_says";
    let Some(solver) = solver(test) else { return };
    let (folder, solver) = (folder(), solver.display().to_string());
    let mut luck = Luck(seed(0x5a1));
    let account = "111122223333";
    let principals = [
        json!({"AWS": account}),
        json!({"AWS": format!("arn:aws:iam::{account}:user/ann")}),
        json!({"AWS": APP}),
        json!({"AWS": format!("arn:aws:sts::{account}:assumed-role/job/test")}),
        json!("*"),
    ];
    let mut shown = 0;
    for _ in 0..rounds(8) {
        let mut policies = Vec::new();
        for name in ["old.json", "new.json"] {
            let policy = ask::policy(&mut luck, Some(&principals), Vec::new()).to_string();
            fs::write(folder.path().join(name), &policy).unwrap();
            policies.push(policy);
        }
        let diff = ["policy", "diff", "old.json", "new.json", "--solver", &solver, "-o", "json"];
        let (_, out, err) = keyward(folder.path(), &diff);
        let told: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        for found in ["NewlyAllowed", "NewlyRefused"].map(|name| &told[name]["Counterexample"]) {
            if found.is_null() {
                continue;
            }
            let again = |words: &Value| -> Value {
                let words: Vec<&str> =
                    words.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
                let (_, out, err) = keyward(folder.path(), &[&words[..], &["-o", "json"]].concat());
                serde_json::from_str(&out).unwrap_or_else(|_| panic!("{words:?}\n{out}{err}"))
            };
            let (now, before) = (again(&found["Simulate"]), again(&found["Before"]["Simulate"]));
            let place = || format!("{found:#}\n{now:#}\n{before:#}\n{}", policies.join("\n"));
            let (now, before) = (&now["Results"][0], &before["Results"][0]);
            assert_eq!(
                (&now["Allowed"], &before["Allowed"]),
                (&json!(true), &json!(false)),
                "{}",
                place()
            );
            assert_eq!(
                (&now["Action"], &now["Effect"]),
                (&found["Action"], &found["Decision"]),
                "{}",
                place()
            );
            assert_eq!(
                (&before["Effect"], &before["Because"]),
                (&found["Before"]["Decision"], &found["Before"]["Reason"]),
                "{}",
                place()
            );
            shown += 1;
        }
    }
    assert!(4 <= shown, "{shown}");
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

/// An organization's policies and grants are a part of what is claimed, and of the requests that are shown.
#[test]
fn what_stands_around_a_key_counts() {
    let Some(solver) = solver("proofs::what_stands_around_a_key_counts") else { return };
    let (folder, solver) = (folder(), solver.display().to_string());
    let write = |name: &str, value: &Value| {
        fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    let document = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]});
    write("full.json", &document(json!({"Effect": "Allow", "Action": "*", "Resource": "*"})));
    write(
        "scp.json",
        &document(json!({"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"})),
    );
    write(
        "rcp.json",
        &document(
            json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}),
        ),
    );
    write(
        "wrong.json",
        &document(json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"})),
    );
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    // As ListGrants answers.
    write(
        "grants.json",
        &json!({"Grants": [{
            "KeyId": key, "GrantId": "abc", "GranteePrincipal": "arn:aws:iam::444455556666:role/partner",
            "IssuingAccount": "arn:aws:iam::111122223333:root", "Operations": ["Decrypt"],
            "Constraints": {"EncryptionContextSubset": {"Team": "red"}}, "CreationDate": 1.5,
        }]}),
    );
    write("grant.json", &json!({"GranteePrincipal": APP, "Operations": ["Decrypt"]}));
    let run = |args: &[&str]| {
        keyward(folder.path(), &[&["policy"], args, &["--solver", &solver]].concat())
    };
    let scps = ["--service-control-policy", "full.json", "--service-control-policy", "scp.json"];
    let only = ["prove", "only", "old.json", "--principal", APP, "--action", "kms:Decrypt"];
    let no_new = ["prove", "no-new-access", "old.json", "new.json"];
    let diff = ["diff", "old.json", "new.json"];
    let both: &[bool] = &[true, false];
    for (args, expected, says) in [
        ([&no_new[..], &scps].concat(), None, "proved"),
        (
            [&no_new[..], &scps, &["--member-account", "444455556666"]].concat(),
            Some(both),
            "invoices",
        ),
        (
            [&no_new[..], &["--resource-control-policy", "rcp.json"]].concat(),
            Some(both),
            "--resource-control-policy rcp.json",
        ),
        ([&diff[..], &["--resource-control-policy", "rcp.json"]].concat(), Some(both), "vpce-1"),
        ([&only[..], &["--grant", "grant.json", "--key-arn", key]].concat(), None, "proved"),
        (
            [&only[..], &["--grant", "grants.json"]].concat(),
            Some(&[true][..]),
            "--grant grants.json",
        ),
        (
            [&only[..], &scps, &["--grant", "grants.json", "--member-account", "111122223333"]]
                .concat(),
            Some(&[true]),
            "Team",
        ),
        ([&only[..], &scps, &["--grant", "grants.json"]].concat(), None, "proved"),
        (
            [&diff[..], &["--grant", "grant.json", "--key-arn", key]].concat(),
            None,
            "newly allowed: nothing, proved",
        ),
    ] {
        let (exit, out, err) = run(&args);
        assert!(out.contains(says), "{args:?}\n{out}{err}");
        let shown = decided_again(folder.path(), &out);
        match expected {
            Some(expected) => {
                assert_eq!((exit, shown.as_slice()), (Some(6), expected), "{args:?}\n{out}{err}")
            }
            None => assert_eq!((exit, shown.len()), (Some(0), 0), "{args:?}\n{out}{err}"),
        }
    }
    for (args, says) in [
        ([&only[..], &["--grant", "grant.json"]].concat(), "--key-arn"),
        ([&only[..], &["--member-account", "111122223333"]].concat(), "--service-control-policy"),
        ([&only[..], &scps, &["--member-account", "x"]].concat(), "12 digits"),
        ([&only[..], &["--resource-control-policy", "wrong.json"]].concat(), "only denies"),
        ([&only[..], &["--service-control-policy", "none.json"]].concat(), "none.json"),
        ([&only[..], &["--grant", "scp.json", "--key-arn", key]].concat(), "Statement"),
    ] {
        let (exit, out, err) = run(&args);
        assert!(exit == Some(2) && err.contains(says), "{args:?}\n{exit:?} {out}{err}");
    }
    // The same in a policy test.
    let tests = r#"version: 1
policies:
  keys: { data: { account: "111122223333", policy: old.json } }
  principals:
    app: { role: "arn:aws:iam::111122223333:role/app" }
    partner: { role: "arn:aws:iam::444455556666:role/partner" }
  grants: [ { id: g, key: data, grantee: partner, operations: [Decrypt], issuer: "444455556666" } ]
ORG
tests: [ { name: x, caller: app, action: kms:Encrypt, key: data, expect: deny } ]
prove: [ { name: nobody else, never: { key: data, action: kms:Decrypt, except: { caller: [app] } } } ]
"#;
    for (org, exit) in [
        ("", 6),
        ("  org: { scps: [[full.json, scp.json]], accounts: [\"444455556666\"] }", 0),
        ("  org: { scps: [[full.json, scp.json]], accounts: [\"111122223333\"] }", 6),
    ] {
        fs::write(folder.path().join("a.policytest.yaml"), tests.replace("ORG", org)).unwrap();
        let (code, out, err) = run(&["test", "a.policytest.yaml"]);
        assert_eq!(code, Some(exit), "{org}\n{out}{err}");
        assert_eq!(decided_again(folder.path(), &out).len(), usize::from(exit == 6), "{out}");
    }
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
    let unknown_action = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Fly","Resource":"*"}]}"#;
    let validated = ask(&[
        "validate-policy",
        "--policy-type",
        "IDENTITY_POLICY",
        "--policy-document",
        unknown_action,
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
        &[
            "validate-policy",
            "--policy-type",
            "IDENTITY_POLICY",
            "--policy-document",
            unknown_action,
        ],
    );
    assert_eq!(
        still.unwrap_or_else(|Skipped(why)| panic!("{why}"))["findings"]
            .as_array()
            .map(Vec::is_empty),
        Some(false)
    );
}
