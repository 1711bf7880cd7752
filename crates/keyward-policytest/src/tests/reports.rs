//! What is decided, what a failure tells, and how each form says it.

use super::{HEAD, only, ran, report};
use crate::{Status, report};

fn test(rest: &str) -> String {
    format!("tests:\n  - {{ name: x, caller: app, action: kms:Decrypt, key: data, {rest} }}\n")
}

#[test]
fn a_case_is_decided_by_what_it_names() {
    let outcome = only(&test("encryption_context: { App: a }, expect: allow, by: key-policy/Use"));
    assert_eq!(outcome.status, Status::Passed, "{outcome:?}");
    assert_eq!(outcome.by, ["key-policy/Use (key.json:4)"]);
    let outcome = only(&test(
        "context: { aws:SourceVpce: vpce-1 }, expect: explicit_deny, by: 'key-policy/[2]'",
    ));
    assert_eq!((outcome.status, outcome.got.as_str()), (Status::Passed, "explicit_deny"));
    let outcome = only(&test("expect: implicit_deny, missing: PRINCIPAL"));
    assert_eq!(outcome.status, Status::Passed, "{outcome:?}");
    // `null` takes away what a default says.
    let tests =
        test("context: { aws:SourceVpce: null }, encryption_context: { App: a }, expect: allow");
    let defaults = "defaults: { context: { AWS:sourcevpce: vpce-1 } }\n";
    assert_eq!(only(&format!("{defaults}{tests}")).status, Status::Passed);
    let asked = tests.replace("context: { aws:SourceVpce: null }, ", "");
    assert_eq!(only(&format!("{defaults}{asked}")).got, "explicit_deny");
}

#[test]
fn a_failure_says_what_decided_and_what_was_not_said() {
    let outcome = only(&test("expect: allow, by: key-policy/Use"));
    assert_eq!(
        outcome.problems,
        [
            "expected allow, got implicit_deny because no identity-based policy allows the kms:Decrypt action",
            "key-policy/Use did not decide; no statement did",
        ]
    );
    assert_eq!(outcome.unstated, ["aws:SourceVpce", "kms:EncryptionContext:App"]);
    let outcome = only(&test(
        "encryption_context: { App: a }, expect: allow, by: [key-policy/Use, grant/g1]",
    ));
    assert_eq!(outcome.problems, ["grant/g1 did not decide; key-policy/Use (key.json:4) did"]);
    let outcome = only(&test("expect: deny, missing: RESOURCE"));
    assert_eq!(outcome.problems, ["RESOURCE was not missing an allow; PRINCIPAL"]);
    let outcome = only(&test("expect: deny, reason: no session policy"));
    assert_eq!(
        outcome.problems,
        [
            "the reason is not \"no session policy\" but \"because no identity-based policy allows the kms:Decrypt action\""
        ]
    );
}

#[test]
fn a_matrix_is_every_combination() {
    let tests = "tests:\n  - name: m\n    for_each: { caller: [app, ann], action: [kms:Decrypt, kms:Encrypt], encryption_context: [{ App: a }, { App: b }] }\n    key: data\n    cases:\n      - { name: plain, expect: allow }\n      - { name: here, context: { aws:SourceVpce: vpce-1 }, expect: explicit_deny }\n";
    let ran = ran(tests);
    let titles: Vec<&str> = ran.outcomes.iter().map(|outcome| outcome.title.as_str()).collect();
    assert_eq!(titles.len(), 16);
    assert_eq!(titles[0], "m [caller=app action=kms:Decrypt encryption_context=#1]: plain");
    assert_eq!(titles[15], "m [caller=ann action=kms:Encrypt encryption_context=#2]: here");
    let failed: Vec<&str> = ran
        .outcomes
        .iter()
        .filter(|outcome| outcome.status == Status::Failed)
        .map(|outcome| outcome.title.as_str())
        .collect();
    // The role's own policy is silent, and the key names it for one context and one operation.
    assert_eq!(failed, ["m [caller=app action=kms:Decrypt encryption_context=#2]: plain"]);
}

#[test]
fn coverage_counts_what_decided_and_names_untested_denies_first() {
    let tests = test("encryption_context: { App: a }, expect: allow");
    let coverage = ran(&tests).coverage;
    assert_eq!(coverage.words(), "1 of 5 statements and grants (20.0%)");
    let missing: Vec<&str> = coverage.missing().iter().map(|unit| unit.name.as_str()).collect();
    assert_eq!(
        missing,
        ["key.json:8 [2]", "key.json:7 Account", "principals.ann.policies[0]:10 Own", "grant g1"]
    );
    assert_eq!(coverage.problem(), None);
    let wanted =
        ran(&format!("{tests}coverage: {{ statements: 40%, fail_under: true }}\n")).coverage;
    assert_eq!(
        wanted.problem().as_deref(),
        Some("coverage is 1 of 5 statements and grants (20.0%), and the file asks for 40%")
    );
    let enough =
        ran(&format!("{tests}coverage: {{ statements: 20%, fail_under: true }}\n")).coverage;
    assert_eq!(enough.problem(), None);
}

#[test]
fn a_case_with_the_wrong_effect_covers_nothing() {
    let coverage = ran(&test("encryption_context: { App: a }, expect: deny")).coverage;
    assert_eq!(coverage.covered(), 0);
}

#[test]
fn every_form_says_the_same() {
    let tests = "tests:\n  - name: \"good & <fine> #1\"\n    caller: app\n    action: kms:Encrypt\n    key: data\n    expect: allow\n    by: grant/g1\n  - { name: bad, caller: app, action: kms:Decrypt, key: data, expect: allow }\n  - { name: later, skip: not yet, caller: app, action: kms:Sign, key: data, expect: allow }\nprove:\n  - { name: always, never: { key: data, action: kms:Decrypt } }\n";
    let report = report(&format!("{HEAD}{tests}"));
    let human = report::human(&report, false, false);
    assert!(
        human.starts_with(
            "FAIL t.policytest.yaml:20:5: bad\n  expected allow, got implicit_deny because"
        ),
        "{human}"
    );
    for part in [
        "  policies look at what the case does not say: aws:SourceVpce, kms:EncryptionContext:App\n",
        "PRINCIPAL             IMPLICIT_DENY",
        "allow in Use of key policy did not match:",
        "skip t.policytest.yaml:21:5: later: not yet\n",
        "always: a proof needs a solver, and there is none\n",
        "\n1 passed, 1 failed, 2 skipped\n",
    ] {
        assert!(human.contains(part), "no {part:?} in {human}");
    }
    let tap = report::tap(&report);
    for part in [
        "TAP version 14\n1..4\nok 1 - good & <fine> \\#1\nnot ok 2 - bad\n  ---\n  message: \"expected allow, got",
        "\n  at: \"t.policytest.yaml:20:5\"\n",
        "\n  ...\nok 3 - later # SKIP not yet\n",
    ] {
        assert!(tap.contains(part), "no {part:?} in {tap}");
    }
    let junit = report::junit(&report);
    for part in [
        "tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"2\"",
        "name=\"good &amp; &lt;fine&gt; #1\" file=\"t.policytest.yaml\" line=\"14\"",
        "<failure message=\"expected allow, got implicit_deny because no identity-based policy allows the kms:Decrypt action\">t.policytest.yaml:20:5\n",
        "<skipped message=\"not yet\"/>",
    ] {
        assert!(junit.contains(part), "no {part:?} in {junit}");
    }
    let json = report::json(&report);
    let at = |pointer: &str| json.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!((at("/Passed"), at("/Failed"), at("/Skipped")), (1.into(), 1.into(), 2.into()));
    assert_eq!(at("/Files/0/Tests/1/Line"), 20);
    assert_eq!(at("/Files/0/Tests/1/Decision/effect"), "ImplicitDeny");
    assert_eq!(at("/Files/0/Tests/0/By/0"), "grant/g1 (line 12)");
}

#[test]
fn a_file_that_cannot_be_run_is_an_error_in_every_form() {
    let report = report("version: 1\ntests: []\n");
    assert_eq!(report.totals().unreadable, 1);
    let human = report::human(&report, true, false);
    assert!(human.starts_with("error t.policytest.yaml:2:8: the file has no tests\n"), "{human}");
    assert!(report::tap(&report).contains("not ok 1 - t.policytest.yaml\n"));
    assert!(
        report::junit(&report)
            .contains("<error message=\"t.policytest.yaml:2:8: the file has no tests\"/>")
    );
    let json = report::json(&report);
    assert_eq!(json.pointer("/Files/0/Error/Line"), Some(&2.into()));
}

#[test]
fn lockout_is_told_from_a_missing_permission() {
    let put = |caller: &str, rest: &str| {
        only(&format!(
            "tests:\n  - name: x\n    put_key_policy: {{ key: data, caller: {caller}, policy: {{ Version: \"2012-10-17\", Statement: [{{ Effect: Allow, Principal: {{ AWS: \"arn:aws:iam::111122223333:role/app\" }}, Action: \"kms:*\", Resource: \"*\" }}] }} }}\n    {rest}\n"
        ))
    };
    let outcome = put("ann", "expect_error: MalformedPolicyDocumentException");
    assert_eq!(outcome.status, Status::Passed, "{outcome:?}");
    assert_eq!(outcome.because, keyward_policy::LOCKOUT);
    let outcome = put("app", "expect_error: AccessDeniedException");
    assert_eq!(outcome.status, Status::Passed, "{outcome:?}");
    let outcome = put("ann", "expect: allow");
    assert_eq!(outcome.status, Status::Failed);
    assert!(
        outcome.problems[0].starts_with("expected allow, got MalformedPolicyDocumentException ")
    );
}

#[test]
fn update_writes_what_decided_and_touches_nothing_else() {
    let tests = "tests:\n  - name: x # stays\n    caller: app\n    action: kms:Decrypt\n    key: data\n    cases:\n      - { encryption_context: { App: a }, expect: allow, by: key-policy/Old } # ü\n      - { expect: deny, by: key-policy/Gone }\n      - expect: explicit_deny\n        context: { aws:SourceVpce: vpce-1 }\n        by:\n          - key-policy/A\n          - key-policy/B\n        # stays too\n  - { name: y, caller: ann, action: kms:Decrypt, key: data, expect: allow, by: [] }\n";
    let updated = ran(tests).updated.unwrap();
    let wanted = format!("{HEAD}{tests}")
        .replace("by: key-policy/Old", "by: key-policy/Use")
        .replace(
            "          - key-policy/A\n          - key-policy/B\n",
            "          \"key-policy/[2]\"\n",
        )
        .replace("by: []", "by: [key-policy/Account, identity/Own]");
    assert_eq!(updated, wanted);
    // What it wrote holds, but for the refusal that no statement made.
    let again = super::run(&updated).ran.unwrap();
    assert_eq!(again.updated, None);
    let failed = again.outcomes.iter().filter(|outcome| outcome.status == Status::Failed);
    assert_eq!(failed.map(|outcome| outcome.at.line).collect::<Vec<_>>(), [20]);
}
