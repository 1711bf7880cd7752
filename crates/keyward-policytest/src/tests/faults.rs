//! Files with a mistake: each is refused before anything is decided, at its place, in these words.

use super::{HEAD, KEY, run};

fn fault(text: &str) -> String {
    run(text).ran.expect_err("a fault").to_string()
}

/// The fault of the usual policies with these tests, which begin in line 13.
fn of_tests(tests: &str) -> String {
    assert_eq!(HEAD.lines().count(), 12);
    fault(&format!("{HEAD}{tests}"))
}

#[test]
fn files_without_tests() {
    let start = "t.policytest.yaml:1:1: ";
    assert_eq!(fault(""), format!("{start}the file is empty"));
    assert_eq!(fault("# only words\n"), format!("{start}the file is empty"));
    assert_eq!(fault("[1]"), format!("{start}a policy test is a mapping, not a list"));
    assert_eq!(fault("tests: []"), format!("{start}a policy test has no version"));
    assert_eq!(fault("version: 2\ntests: []"), "t.policytest.yaml:1:10: version is 1");
    assert_eq!(fault("version: 1"), format!("{start}a policy test has no tests"));
    assert_eq!(fault("version: 1\ntests: []"), "t.policytest.yaml:2:8: the file has no tests");
    assert_eq!(
        fault("version: 1\ntest: []\ntests: []"),
        "t.policytest.yaml:2:1: a policy test has no member test"
    );
}

#[test]
fn what_is_not_yaml_is_refused_where_it_stops_being_it() {
    let said = fault("version: 1\ntests:\n  - name: x\n   caller: y\n");
    assert!(said.starts_with("t.policytest.yaml:4:"), "{said}");
    assert!(said.contains("this is not YAML: "), "{said}");
    assert_eq!(
        fault("version: 1\nversion: 1\n"),
        "t.policytest.yaml:2:1: version stands twice; first in line 1"
    );
}

#[test]
fn names_that_nobody_has() {
    assert_eq!(
        of_tests(
            "tests:\n  - { name: x, caller: bob, action: kms:Decrypt, key: data, expect: deny }\n"
        ),
        "t.policytest.yaml:14:24: no principal is called bob; there are: ann, app"
    );
    assert_eq!(
        of_tests(
            "tests:\n  - { name: x, caller: app, action: kms:Decrypt, key: dat, expect: deny }\n"
        ),
        "t.policytest.yaml:14:55: no key is called dat; there are: data"
    );
    assert_eq!(
        of_tests(
            "tests:\n  - { name: x, caller: app, action: kms:Fly, key: data, expect: deny }\n"
        ),
        "t.policytest.yaml:14:37: kms:Fly is no action of KMS"
    );
    assert_eq!(
        of_tests(
            "tests:\n  - { name: x, caller: app, action: kms:Decrypt, key: data, expect: deny, context: { SourceIp: 1.2.3.4 } }\n"
        ),
        "t.policytest.yaml:14:96: SourceIp is no condition key"
    );
    assert_eq!(
        of_tests(
            "tests:\n  - { name: x, caller: app, action: kms:Decrypt, key: data, expect: deny, by: AllowUse }\n"
        ),
        "t.policytest.yaml:14:79: by names LAYER/SID, not AllowUse; layers are rcp, scp, vpc-endpoint, key-policy, grant, identity, boundary, session"
    );
}

#[test]
fn cases_that_say_too_little() {
    assert_eq!(
        of_tests("tests:\n  - { name: x, caller: app, action: kms:Decrypt, key: data }\n"),
        "t.policytest.yaml:14:5: a case has no expect"
    );
    assert_eq!(
        of_tests("tests:\n  - { name: x, caller: app, action: kms:Decrypt, expect: deny }\n"),
        "t.policytest.yaml:14:5: kms:Decrypt is on a key; name it with key"
    );
    assert_eq!(
        of_tests(
            "tests:\n  - { name: x, caller: app, action: kms:CreateKey, key: data, expect: deny }\n"
        ),
        "t.policytest.yaml:14:5: kms:CreateKey is on no key; leave key out"
    );
    assert_eq!(
        of_tests(
            "tests:\n  - { name: x, caller: app, action: kms:Decrypt, key: data, expect: maybe }\n"
        ),
        "t.policytest.yaml:14:69: expect is allow, deny, implicit_deny or explicit_deny, not maybe"
    );
    assert_eq!(
        of_tests(
            "tests:\n  - name: x\n    put_key_policy: { key: data, caller: app, policy: key.json }\n"
        ),
        "t.policytest.yaml:14:5: put_key_policy has expect_error with an error's code, or expect: allow"
    );
}

#[test]
fn names_that_two_have() {
    let test = "  - { name: x, caller: app, action: kms:Decrypt, key: data, expect: deny }\n";
    assert_eq!(
        of_tests(&format!("tests:\n{test}{test}")),
        "t.policytest.yaml:15:13: a test called x stands in line 14 already"
    );
    assert_eq!(
        of_tests(
            "tests:\n  - name: x\n    caller: app\n    action: kms:Decrypt\n    key: data\n    cases:\n      - { name: y, expect: deny }\n      - { name: y, expect: deny }\n"
        ),
        "t.policytest.yaml:20:17: a case called y stands in line 19 already"
    );
    let grant = "    - { id: g1, key: data, grantee: app, operations: [Encrypt] }\n";
    assert_eq!(
        fault(&format!("{HEAD}{grant}tests: []\n")),
        "t.policytest.yaml:13:7: a grant g1 stands in line 12 already"
    );
}

#[test]
fn cases_that_contradict_each_other() {
    let two = |first: &str, second: &str| {
        format!(
            "tests:\n  - name: x\n    caller: app\n    action: kms:Decrypt\n    key: data\n    cases:\n      - {{ expect: {first} }}\n      - {{ expect: {second} }}\n"
        )
    };
    assert_eq!(
        of_tests(&two("allow", "implicit_deny")),
        "t.policytest.yaml:20:9: this asks what line 19 asks, and expects implicit_deny where that expects allow"
    );
    assert_eq!(
        of_tests(&two("explicit_deny", "implicit_deny")),
        "t.policytest.yaml:20:9: this asks what line 19 asks, and expects implicit_deny where that expects explicit_deny"
    );
    // One answer can be both.
    assert!(run(&format!("{HEAD}{}", two("deny", "implicit_deny"))).ran.is_ok());
}

#[test]
fn policies_that_cannot_be_had() {
    let with = |policy: &str| {
        fault(&format!(
            "version: 1\npolicies:\n  keys:\n    data: {{ account: \"111122223333\", policy: {policy} }}\ntests: []\n"
        ))
    };
    assert_eq!(
        with("gone.json"),
        "t.policytest.yaml:4:46: gone.json: No such file or directory (os error 2)"
    );
    // The line is the policy's own: the statement with the action that there is not.
    assert_eq!(KEY.lines().position(|line| line.contains("Account")), Some(6));
    let said = with("broken.json");
    assert!(said.starts_with("t.policytest.yaml:4:46: broken.json:7: Statement[1]"), "{said}");
    assert!(said.contains("kms:Fly"), "{said}");
    let said = with("[a, b]");
    assert_eq!(said, "t.policytest.yaml:4:46: a policy is a file's path or a mapping, not a list");
}

#[test]
fn principals_that_are_none() {
    let with = |principal: &str| {
        fault(&format!("version: 1\npolicies:\n  principals:\n    p: {principal}\ntests: []\n"))
    };
    assert_eq!(
        with("{ policies: [] }"),
        "t.policytest.yaml:4:8: a principal is one of: user, role, root, service, session_of or federated_of"
    );
    assert_eq!(
        with("{ user: \"arn:aws:iam::111122223333:role/x\" }"),
        "t.policytest.yaml:4:16: arn:aws:iam::111122223333:role/x is not an ARN such as arn:aws:iam::111122223333:user/name"
    );
    assert_eq!(
        with("{ session_of: q, name: s }"),
        "t.policytest.yaml:4:22: no principal is called q; the file has no principals"
    );
    assert_eq!(with("{ root: 12 }"), "t.policytest.yaml:4:16: an account is twelve digits, not 12");
    assert_eq!(
        with("{ root: \"111122223333\", color: red }"),
        "t.policytest.yaml:4:32: a principal has no member color"
    );
}

#[test]
fn coverage_that_asks_for_nothing() {
    let test =
        "tests:\n  - { name: x, caller: app, action: kms:Decrypt, key: data, expect: deny }\n";
    assert_eq!(
        of_tests(&format!("{test}coverage: {{ fail_under: true }}\n")),
        "t.policytest.yaml:15:11: fail_under has no percentage to fail under; add statements"
    );
    assert_eq!(
        of_tests(&format!("{test}coverage: {{ statements: lots }}\n")),
        "t.policytest.yaml:15:25: statements is a percentage such as 90%, not lots"
    );
}
