//! Policy tests: the examples hold, the editors' schema refuses what the parser refuses, and the command prints
//! and exits as scripts rely on.

use keyward_policy::PolicyEngine;
use keyward_policytest::{FileReport, SUFFIX, Status, run_file};
use keyward_testkit::clients::{self, Dev};
use regex_lite::Regex;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

fn folder() -> PathBuf {
    policies().join("examples/tests")
}

/// Every example by name, with its text.
fn examples() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(SUFFIX))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    assert_eq!(found.len(), 7);
    found
}

fn run(name: &str, text: &str) -> FileReport {
    let read =
        |path: &str| fs::read_to_string(folder().join(path)).map_err(|error| error.to_string());
    // One for all: it keeps what it compiled.
    static ENGINE: OnceLock<PolicyEngine> = OnceLock::new();
    run_file(ENGINE.get_or_init(PolicyEngine::new), name, text, &read, None, None)
}

#[test]
fn examples_hold() {
    for (name, text) in examples() {
        let ran = run(&name, &text).ran.unwrap_or_else(|fault| panic!("{fault}"));
        for outcome in &ran.outcomes {
            let failed = outcome.status == Status::Failed;
            assert!(!failed, "{name}: {}: {:#?}", outcome.title, outcome.problems);
        }
        assert_eq!(ran.coverage.problem(), None, "{name}");
        assert_eq!(ran.updated, None, "{name}");
        let passed = ran.outcomes.iter().filter(|outcome| outcome.status == Status::Passed);
        assert!(3 < passed.count(), "{name}");
    }
}

/// A test that cannot fail proves nothing: of every example, each expectation turned round fails.
#[test]
fn examples_can_fail() {
    let turned = Regex::new("expect: (allow|implicit_deny|explicit_deny|deny)").unwrap();
    let mut count = 0;
    for (name, text) in examples() {
        for found in turned.captures_iter(&text) {
            let whole = found.get(0).unwrap();
            let other = if &found[1] == "allow" { "expect: deny" } else { "expect: allow" };
            let changed = format!("{}{other}{}", &text[..whole.start()], &text[whole.end()..]);
            let fails = match run(&name, &changed).ran {
                // What goes with a refusal cannot go with an allow, and PutKeyPolicy is not denied but fails.
                Err(fault) => fault.message.contains("expect"),
                Ok(ran) => ran.outcomes.iter().any(|outcome| outcome.status == Status::Failed),
            };
            assert!(fails, "{name}: {} turned to {other} still passes", whole.as_str());
            count += 1;
        }
    }
    assert!(40 < count, "{count}");
}

fn schema() -> Value {
    let text = fs::read_to_string(policies().join("policytest.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Whether a value is as a schema says: the part of JSON Schema that ours uses, and no other word of it.
fn admits(root: &Value, schema: &Value, value: &Value) -> bool {
    let members = schema.as_object().unwrap();
    members.iter().all(|(word, says)| match word.as_str() {
        "$ref" => {
            let pointer = says.as_str().unwrap().strip_prefix('#').unwrap();
            admits(root, root.pointer(pointer).unwrap(), value)
        }
        "type" => {
            let types = says.as_array().cloned().unwrap_or_else(|| vec![says.clone()]);
            types.iter().any(|kind| is_of(kind.as_str().unwrap(), value))
        }
        "const" => says == value,
        "enum" => says.as_array().unwrap().contains(value),
        "anyOf" => says.as_array().unwrap().iter().any(|one| admits(root, one, value)),
        "required" => value.as_object().is_none_or(|object| {
            says.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        "minItems" => {
            value.as_array().is_none_or(|list| says.as_u64().unwrap() <= list.len() as u64)
        }
        "items" => {
            value.as_array().is_none_or(|list| list.iter().all(|one| admits(root, says, one)))
        }
        "properties" => value.as_object().is_none_or(|object| {
            let known = says.as_object().unwrap();
            object.iter().all(|(name, value)| {
                known.get(name).is_none_or(|schema| admits(root, schema, value))
            })
        }),
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let known = members.get("properties").and_then(Value::as_object);
            let others = object
                .iter()
                .filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
            let mut others = others;
            others.all(|(_, value)| *says != Value::Bool(false) && admits(root, says, value))
        }),
        "propertyNames" => value.as_object().is_none_or(|object| {
            let pattern = Regex::new(says["pattern"].as_str().unwrap()).unwrap();
            object.keys().all(|name| pattern.is_match(name))
        }),
        "$schema" | "$defs" | "title" | "description" => true,
        other => panic!("the schema says {other}, which this test does not understand"),
    })
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

/// An example as a value.
fn value(text: &str) -> Value {
    serde_norway::from_str(text).unwrap()
}

#[test]
fn the_schema_takes_the_examples() {
    let schema = schema();
    for (name, text) in examples() {
        assert!(admits(&schema, &schema, &value(&text)), "{name}");
    }
    assert!(!admits(&schema, &schema, &json!({"version": 1})));
    assert!(!admits(&schema, &schema, &json!({"version": 2, "tests": [{"name": "x"}]})));
}

/// Pointers to every mapping of a value, but not to those inside IAM documents, which have a schema of their own.
fn mappings(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.contains_key("Statement") => {
            found.push(at.to_owned());
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                mappings(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                mappings(value, &format!("{at}/{place}"), found);
            }
        }
        _ => {}
    }
}

/// A file that names everything that a test file can have.
const EVERYTHING: &str = r#"
version: 1
policies:
  keys:
    data: { account: "111122223333", region: us-east-1, policy: data-key.json, tags: { team: red }, aliases: [alias/a], spec: SYMMETRIC_DEFAULT, usage: ENCRYPT_DECRYPT, origin: AWS_KMS }
  principals:
    app: { role: "arn:aws:iam::111122223333:role/app", session: s, policies: [app-role.json], boundary: app-role.json, tags: { team: red }, mfa: false, service_linked: false }
    job: { session_of: app, name: nightly, session_policy: app-role.json }
    carol: { user: "arn:aws:iam::111122223333:user/carol" }
    guest: { federated_of: carol, name: guest }
    top: { root: "111122223333" }
    s3: { service: s3.amazonaws.com }
  grants:
    - { id: g, key: data, grantee: app, retiring: carol, operations: [Decrypt], constraints: { EncryptionContextEquals: { a: b } }, issuer: "111122223333" }
  org: { id: o-1, accounts: ["111122223333"], management: "444455556666", scps: [[]], rcps: [] }
  vpc_endpoints: {}
defaults: { caller: app, action: kms:Decrypt, key: data, encryption_context: { a: b }, context: { aws:SecureTransport: true }, time: "2026-08-01T12:00:00Z" }
tests:
  - name: one
    for_each: { caller: [app], action: [kms:Decrypt], key: [data], encryption_context: [{ a: b }], context: [{ aws:SourceVpce: null }] }
    cases: [{ name: c, caller: app, action: kms:Decrypt, key: data, encryption_context: { a: c }, context: { aws:PrincipalOrgPaths: [a, b] }, time: "2026-08-01T12:00:00Z", expect: deny, by: key-policy/A, missing: SCP, reason: because }]
  - { name: two, skip: not now, resource: "arn:aws:kms:us-east-1:111122223333:alias/a", action: kms:CreateAlias, expect: deny }
  - { name: three, action: kms:CreateGrant, grant: { grantee: app, retiring: carol, operations: [Decrypt], constraints: { EncryptionContextSubset: { a: b }, SourceArn: "arn:aws:s3:::b" } }, expect: deny }
  - { name: four, put_key_policy: { key: data, caller: app, policy: data-key.json, bypass: true, context: { aws:SourceVpce: v }, time: "2026-08-01T12:00:00Z" }, expect_error: X }
prove:
  - { name: p, no_new_access: { key: data, from: data-key.json, to: data-key.json } }
  - { name: q, never: { key: data, action: kms:Decrypt, except: { caller: [app] } } }
coverage: { statements: 1%, fail_under: false }
"#;

#[test]
fn the_schema_and_the_parser_refuse_the_same_members() {
    let schema = schema();
    let (mut refused, mut taken) = (0, 0);
    let mut texts = examples();
    texts.push(("everything".to_owned(), EVERYTHING.to_owned()));
    for (name, text) in texts {
        let whole = value(&text);
        assert!(admits(&schema, &schema, &whole), "{name}");
        let as_json = run(&name, &whole.to_string()).ran;
        assert!(as_json.is_ok(), "{name}: {:?}", as_json.err());
        let mut places = Vec::new();
        mappings(&whole, "", &mut places);
        for place in places {
            let mut changed = whole.clone();
            let mapping = changed.pointer_mut(&place).unwrap().as_object_mut().unwrap();
            mapping.insert("surprise".to_owned(), "x".into());
            let by_schema = !admits(&schema, &schema, &changed);
            let by_parser = run(&name, &changed.to_string()).ran.err();
            // A policy's name is a path, which the schema takes and the parser cannot read.
            if place == "/policies/vpc_endpoints" {
                assert!(by_parser.is_some());
                continue;
            }
            assert_eq!(by_schema, by_parser.is_some(), "{name} {place}: {by_parser:?}");
            if by_schema { refused += 1 } else { taken += 1 }
        }
    }
    // Names of the writer's choice are taken: tags, pairs of an encryption context.
    assert!(100 < refused && 10 < taken, "{refused} refused, {taken} taken");
}

/// Every member that the schema has is in a file that the parser takes.
#[test]
fn the_schema_has_no_member_that_the_parser_lacks() {
    fn named(schema: &Value, found: &mut BTreeSet<String>) {
        if let Some(members) = schema.get("properties").and_then(Value::as_object) {
            found.extend(members.keys().cloned());
        }
        for value in schema.as_object().into_iter().flat_map(|members| members.values()) {
            named(value, found);
        }
        for value in schema.as_array().into_iter().flatten() {
            named(value, found);
        }
    }
    let mut members = BTreeSet::new();
    named(&schema(), &mut members);
    // The one member that stands instead of another.
    members.remove("arn");
    for member in members {
        let stands = EVERYTHING.contains(&format!("{member}:"));
        assert!(stands, "{member} is in the schema, and in no file that is parsed");
    }
}

fn command(args: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(clients::binary())
        .args(["policy", "test"])
        .args(args)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    // A command that reads no input may be gone before it is written.
    drop(child.stdin.take().expect("piped").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn policy_test_prints_and_exits_as_scripts_rely_on() {
    let (exit, text, _) = command(&["."], "");
    assert_eq!(exit, Some(0), "{text}");
    // With a solver on this machine the proof is run; without one it is skipped.
    assert!(text.contains(" passed, 0 failed"), "{text}");
    let (exit, text, _) = command(&[".", "--solver", "/nonexistent"], "");
    assert_eq!(exit, Some(0), "{text}");
    assert!(text.ends_with(" passed, 0 failed, 1 skipped\n"), "{text}");
    let app = fs::read_to_string(folder().join("app-role.policytest.yaml")).unwrap();
    let wrong = app.replacen("expect: allow", "expect: deny", 1).replacen(
        "    by: [key-policy/UseByPolicy, identity/UseTheDataKey]\n",
        "",
        1,
    );
    let line =
        wrong.lines().position(|line| line.contains("the application uses its key")).unwrap() + 1;
    let (exit, text, _) = command(&["-"], &wrong);
    assert_eq!(exit, Some(6), "{text}");
    assert!(
        text.starts_with(&format!(
            "FAIL (stdin):{line}:5: the application uses its key [action=kms:Decrypt]\n"
        )),
        "{text}"
    );
    assert!(text.contains("  kms:Decrypt on arn:aws:kms:us-east-1:111122223333:key/"), "{text}");
    let (exit, text, _) = command(&["-", "-o", "json"], &wrong);
    let json: Value = serde_json::from_str(&text).expect("one JSON value");
    assert_eq!((exit, &json["Failed"]), (Some(6), &Value::from(2)));
    let (exit, text, _) =
        command(&["-", "--format", "tap", "--run", "^nothing without TLS"], &wrong);
    assert_eq!(exit, Some(0), "{text}");
    assert!(text.starts_with("TAP version 14\n1..6\nok 1 - nothing without TLS"), "{text}");
    let (exit, text, _) =
        command(&["app-role.policytest.yaml", "--coverage", "--format", "junit"], "");
    assert_eq!(exit, Some(0), "{text}");
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites"), "{text}");
}

#[test]
fn policy_test_refuses_what_it_cannot_run() {
    for (args, input, said) in [
        (
            &["gone.policytest.yaml"][..],
            "",
            "error gone.policytest.yaml:1:1: No such file or directory (os error 2)\n",
        ),
        (&["-"], "", "error (stdin):1:1: the file is empty\n"),
        (&["-"], "version: 1\ntests: {}\n", "error (stdin):2:8: tests is a list, not a mapping\n"),
        // One that cannot be run does not hide the others.
        (&["-", "lockout.policytest.yaml", "--solver", "/nonexistent"], "a: [", "5 passed"),
    ] {
        let (exit, text, error) = command(args, input);
        assert_eq!(exit, Some(2), "{text}{error}");
        assert!(text.contains(said), "{text}{error}");
    }
    for (args, said) in [
        (&["../guardrails"][..], "error: ../guardrails: there is no *.policytest.yaml in it\n"),
        (&[".", "--run", "("], "error: --run: "),
        (&[".", "--run", "no such name"], "error: no case has a name that fits --run\n"),
        (&[".", "--record", "--events", "-"], "error: .: "),
        (
            &["lockout.policytest.yaml", "--record", "--events", "gone"],
            "error: gone: No such file or directory",
        ),
    ] {
        let (exit, text, error) = command(args, "");
        assert_eq!(exit, Some(2), "{args:?} {text}{error}");
        assert!(error.starts_with(said), "{args:?} {error}");
    }
    let (exit, _, error) =
        command(&["lockout.policytest.yaml", "--record", "--events", "-"], "{}\n");
    assert_eq!((exit, error.as_str()), (Some(3), "error: none of 1 events became a case\n"));
}

/// The demonstration as a test file would say it; its key policy is the default one.
const DEMO: &str = r#"
version: 1
policies:
  keys:
    demo:
      arn: arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
      policy: { Version: "2012-10-17", Statement: [{ Sid: Enable IAM User Permissions, Effect: Allow, Principal: { AWS: "arn:aws:iam::111122223333:root" }, Action: "kms:*", Resource: "*" }] }
  principals:
    alice: { user: "arn:aws:iam::111122223333:user/alice", policies: [{ Version: "2012-10-17", Statement: [{ Effect: Allow, Action: "*", Resource: "*" }] }] }
    app: { user: "arn:aws:iam::111122223333:user/services/app" }
  grants:
    - { id: G, key: demo, grantee: app, operations: [Encrypt, Decrypt, GenerateDataKey], constraints: { EncryptionContextSubset: { app: demo } } }
"#;

#[test]
fn what_a_service_decided_becomes_a_test_that_holds() {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/demo.yaml");
    let dev = Dev::start(&["--seed", seed.to_str().unwrap(), "--account", "111122223333"]);
    let keyward = |id: &str, secret: &str, args: &[&str]| {
        let mut command = Command::new(clients::binary());
        clients::point_at(&mut command, &dev.endpoint());
        command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
        let output = command.args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let app = |args: &[&str]| keyward("AKIAAPP0000000000000", "app-secret-for-trials-only", args);
    let alice =
        |args: &[&str]| keyward("AKIAALICE00000000000", "alice-secret-for-trials-only", args);
    let encrypt =
        |context: &'static str| ["call", "Encrypt", "KeyId=alias/demo", "Plaintext=aGk=", context];
    assert_eq!(app(&encrypt(r#"EncryptionContext:={"app":"demo"}"#)).0, Some(0));
    assert_eq!(app(&encrypt(r#"EncryptionContext:={"app":"other"}"#)).0, Some(5));
    assert_eq!(alice(&["call", "DescribeKey", "KeyId=alias/demo"]).0, Some(0));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.policytest.yaml");
    let place = format!(
        "tests: [{}]",
        "{ name: x, caller: app, action: kms:Sign, key: demo, expect: deny }"
    );
    fs::write(&file, format!("{DEMO}{place}\n")).unwrap();
    let path = file.to_str().unwrap();
    let (exit, tests, said) = alice(&["policy", "test", path, "--record"]);
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("cases of"), "{said}");
    // The service made the grant's id.
    let id = Regex::new("grant/([0-9a-f]{64})").unwrap();
    let id = id.captures(&tests).unwrap_or_else(|| panic!("no grant in {tests}"))[1].to_owned();
    fs::write(&file, format!("{}{tests}", DEMO.replace("id: G,", &format!("id: {id},")))).unwrap();
    let (exit, text, _) = command(&[path, "--coverage"], "");
    assert_eq!(exit, Some(0), "{text}\n{tests}");
    assert!(
        text.starts_with(path) && text.contains("3 of 3 statements and grants"),
        "{text}\n{tests}"
    );
    for part in ["expect\":\"allow\"", "expect\":\"implicit_deny\"", "{\"app\":\"other\"}"] {
        assert!(tests.contains(part), "no {part} in {tests}");
    }

    // Of the same service: a grant that is only supposed.
    let grant = folder.path().join("grant.json");
    let supposed = r#"{"GranteePrincipal": "arn:aws:iam::111122223333:user/services/app", "Operations": ["Sign", "DescribeKey"]}"#;
    fs::write(&grant, supposed).unwrap();
    let ask = |action: &'static str| {
        let principal = "arn:aws:iam::111122223333:user/services/app";
        let args = [
            "policy",
            "simulate",
            action,
            "--principal",
            principal,
            "--key",
            "alias/demo",
            "-o",
            "json",
        ];
        let with = [&args[..], &["--grant", grant.to_str().unwrap()]].concat();
        (alice(&args).0, alice(&with).0)
    };
    assert_eq!(ask("kms:DescribeKey"), (Some(5), Some(0)));
    assert_eq!(ask("kms:GetKeyPolicy"), (Some(5), Some(5)));

    // The same events as they were exported.

    let copy = folder.path().join("copy");
    let events = alice(&["events", "export"]).1;
    fs::write(&copy, events).unwrap();
    let from_file = command(&[path, "--record", "--events", copy.to_str().unwrap()], "");
    assert_eq!(from_file.0, Some(0), "{}", from_file.2);
}
