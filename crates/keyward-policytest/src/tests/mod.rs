//! Whole files, from text to report: what is refused and in which words, what is reported, what is updated.

mod faults;
mod record;
mod reports;

use crate::{FileReport, Outcome, Ran, Report, run_file};
use keyward_policy::PolicyEngine;

const KEY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"},
     "Action": ["kms:Decrypt", "kms:PutKeyPolicy"], "Resource": "*",
     "Condition": {"StringEquals": {"kms:EncryptionContext:App": "a"}}},
    {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"},
    {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
     "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}
  ]
}"#;

const HEAD: &str = r#"# The usual policies.
version: 1
policies:
  keys:
    data: { account: "111122223333", policy: key.json }
  principals:
    app: { role: "arn:aws:iam::111122223333:role/app" }
    ann:
      user: arn:aws:iam::111122223333:user/ann
      policies: [{ Version: "2012-10-17", Statement: [{ Sid: Own, Effect: Allow, Action: "kms:*", Resource: "*" }] }]
  grants:
    - { id: g1, key: data, grantee: app, operations: [Encrypt] }
"#;

fn read(path: &str) -> Result<String, String> {
    match path {
        "key.json" => Ok(KEY.to_owned()),
        "broken.json" => Ok(KEY.replace("\"kms:*\"", "\"kms:Fly\"")),
        _ => Err("No such file or directory (os error 2)".to_owned()),
    }
}

fn run(text: &str) -> FileReport {
    run_file(&PolicyEngine::new(), "t.policytest.yaml", text, &read, None, None)
}

/// A file that can be run, of the usual policies and these tests.
fn ran(tests: &str) -> Ran {
    run(&format!("{HEAD}{tests}")).ran.unwrap_or_else(|fault| panic!("{fault}"))
}

fn only(tests: &str) -> Outcome {
    let mut outcomes = ran(tests).outcomes;
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.remove(0)
}

fn report(text: &str) -> Report {
    Report { files: vec![run(text)] }
}
