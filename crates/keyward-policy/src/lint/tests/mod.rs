//! For each check a document that triggers it, and one nearby that does not.

use super::*;
use LintKind::{
    IdentityPolicy as Identity, KeyPolicy as Key, ResourceControlPolicy as Rcp,
    ServiceControlPolicy as Scp, TrustPolicy as Trust,
};

mod cases;
mod cases_of_conditions;

const ACCOUNT: &str = "111122223333";
const KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// What a document has wrong, and a neighbour of it that is right.
struct Case {
    code: &'static str,
    kind: LintKind,
    wrong: String,
    right: String,
}

/// The statement by which the owner administers; without it a key policy has other findings.
const OWNER: &str =
    r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}"#;

/// A key policy of the owner's statement and one with these members.
fn key(members: &str) -> String {
    let defaults = [
        ("Effect", r#""Allow""#),
        ("Principal", r#"{"AWS":"arn:aws:iam::111122223333:role/app"}"#),
        ("Action", r#""kms:Decrypt""#),
        ("Resource", r#""*""#),
    ];
    let one = statement(&defaults, members);
    format!(r#"{{"Version":"2012-10-17","Statement":[{OWNER},{one}]}}"#)
}

/// An identity policy of one statement with these members.
fn identity(members: &str) -> String {
    let defaults = [
        ("Effect", r#""Allow""#),
        ("Action", r#""kms:Encrypt""#),
        ("Resource", r#""arn:aws:kms:us-west-2:111122223333:key/a""#),
    ];
    let one = statement(&defaults, members);
    format!(r#"{{"Version":"2012-10-17","Statement":[{one}]}}"#)
}

fn trust(members: &str) -> String {
    let defaults = [
        ("Effect", r#""Allow""#),
        ("Principal", r#"{"AWS":"111122223333"}"#),
        ("Action", r#""sts:AssumeRole""#),
    ];
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statement(&defaults, members))
}

/// Members that are not given have their default, unless their Not form or `-Name` is given.
fn statement(defaults: &[(&str, &str)], members: &str) -> String {
    let (gone, given): (Vec<&str>, Vec<&str>) =
        members.split(" & ").filter(|one| !one.is_empty()).partition(|one| one.starts_with('-'));
    let has = |name: &str| {
        gone.contains(&format!("-{name}").as_str())
            || given.iter().any(|one| {
                one.starts_with(&format!("\"{name}\""))
                    || one.starts_with(&format!("\"Not{name}\""))
            })
    };
    let kept = defaults.iter().filter(|(name, _)| !has(name));
    let mut all: Vec<String> = kept.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    all.extend(given.iter().map(|one| (*one).to_owned()));
    format!("{{{}}}", all.join(","))
}

fn condition(operator: &str, key: &str, value: &str) -> String {
    format!(r#""Condition":{{"{operator}":{{"{key}":{value}}}}}"#)
}

fn about() -> LintContext {
    LintContext { account: AccountId::parse(ACCOUNT), key_arn: Some(KEY.to_owned()) }
}

fn codes(text: &str, kind: LintKind, about: &LintContext) -> Vec<&'static str> {
    lint(text, kind, about).into_iter().map(|finding| finding.code).collect()
}

#[test]
fn every_check_sees_what_is_wrong_and_not_what_is_right() {
    let cases = cases::all();
    for case in &cases {
        let unknown = case.code == "RESOURCE_NOT_STAR";
        let about = if unknown { LintContext::default() } else { about() };
        let wrong = codes(&case.wrong, case.kind, &about);
        let right = codes(&case.right, case.kind, &about);
        assert!(wrong.contains(&case.code), "{}: {} has {wrong:?}", case.code, case.wrong);
        assert!(!right.contains(&case.code), "{}: {} has it too", case.code, case.right);
    }
    for check in CHECKS {
        // Nothing is known that validation refuses and no other check names.
        let net = check.code == "MALFORMED_POLICY";
        let shown = cases.iter().any(|case| case.code == check.code);
        assert!(net || shown, "no document shows {}", check.code);
    }
}

#[test]
fn the_neighbours_are_right_in_every_other_way_too() {
    for case in cases::all() {
        let errors: Vec<Finding> = lint(&case.right, case.kind, &about())
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{}: {} has {errors:?}", case.code, case.right);
    }
}

#[test]
fn the_default_key_policy_has_no_findings() {
    let text = include_str!("../../../../../policies/default-key-policy.json")
        .replace("${ACCOUNT}", ACCOUNT);
    assert_eq!(lint(&text, Key, &about()), []);
    assert_eq!(lint(&text, Key, &LintContext::default()), []);
}

fn refused(text: &str, kind: LintKind) -> bool {
    match (kind, kind.document()) {
        (Key, _) => validate::key_policy(text).is_err(),
        (_, DocumentKind::Identity) => validate::identity_policy(text).is_err(),
        (_, DocumentKind::Trust) => validate::trust_policy(text).is_err(),
        (_, kind) => validate::check(text, kind).is_err(),
    }
}

const KINDS: [LintKind; 5] = [Key, Identity, Trust, Scp, Rcp];

fn assert_covered(text: &str, kind: LintKind) {
    let found = lint(text, kind, &LintContext::default());
    if refused(text, kind) {
        let error = found.iter().any(|finding| finding.severity == Severity::Error);
        assert!(error, "{text} is refused, and the lint says {found:?}");
    }
    for finding in found {
        assert!(CHECKS.iter().any(|check| check.code == finding.code));
        let lines = text.split('\n').count();
        assert!((1..=lines).contains(&finding.line) && finding.column > 0, "{text}: {finding:?}");
        assert!(!finding.advice.is_empty());
    }
}

#[test]
fn what_validation_refuses_has_an_error() {
    for case in cases::all() {
        for kind in KINDS {
            assert_covered(&case.wrong, kind);
            assert_covered(&case.right, kind);
        }
    }
}

#[test]
fn a_document_beyond_every_quota_is_linted_in_time() {
    let actions = vec!["\"kms:Decrpyt\""; 4_000].join(",");
    let found = codes(&identity(&format!("\"Action\":[{actions}]")), Identity, &about());
    assert!(found.contains(&"POLICY_SIZE_EXCEEDS_QUOTA") && found.contains(&"UNKNOWN_ACTION"));
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(codes(&nested, Identity, &about()).contains(&"JSON_SYNTAX_ERROR"));
}

/// Every document with one stretch cut out, doubled or replaced.
#[test]
fn no_text_makes_the_lint_panic() {
    for case in cases::all() {
        let text = case.wrong.get(..case.wrong.len().min(700)).unwrap_or(&case.wrong);
        let marks: Vec<usize> = text
            .char_indices()
            .filter(|(_, c)| "{}[]:,\"$*".contains(*c))
            .map(|(offset, _)| offset)
            .collect();
        for stretch in marks.windows(4) {
            let [from, .., to] = stretch else { continue };
            let (Some(head), Some(middle), Some(tail)) =
                (text.get(..*from), text.get(*from..*to), text.get(*to..))
            else {
                continue;
            };
            for changed in [
                format!("{head}{tail}"),
                format!("{head}{middle}{middle}{tail}"),
                format!("{head}null{tail}"),
                format!("{head}{{}}{tail}"),
                head.to_owned(),
            ] {
                assert_covered(&changed, case.kind);
            }
        }
    }
}

#[test]
fn findings_stand_where_the_trouble_is() {
    let text = "{\n \"Version\": \"2012-10-17\",\n \"Statement\": {\n  \"Effect\": \"Allow\", \"Action\": [\"kms:Encrypt\",\n   \"kms:Decrpyt\"], \"Resource\": \"*\",\n  \"Condition\": {\"StringLike\": {\"kms:ViaService\": \"s3.amazonaws.com\"}}}}";
    let found = lint(text, Identity, &LintContext::default());
    let at: Vec<(&str, &str, usize, usize)> =
        found.iter().map(|one| (one.code, one.path.as_str(), one.line, one.column)).collect();
    assert_eq!(
        at,
        [
            ("UNKNOWN_ACTION", "Statement[0].Action[1]", 5, 4),
            (
                "VIA_SERVICE_WITHOUT_REGION",
                "Statement[0].Condition.StringLike.kms:ViaService[0]",
                6,
                50
            ),
        ]
    );
    assert_eq!(found[0].advice, "write kms:Decrypt");
}

#[test]
fn errors_of_every_statement_are_told() {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Alow","Action":"kms:Encrypt","Resource":"*"},
        {"Effect":"Allow","Action":"Encrypt","Resource":"key/a"},
        {"Effect":"Allow","Action":"kms:Sign","Resource":"*","Condition":{"StringEqual":{"aws:username":"a"},"StringEquals":{"aws:usernam":"a"}}},
        7]}"#;
    let mut found = codes(text, Identity, &about());
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "DATA_TYPE_MISMATCH",
            "INVALID_ACTION",
            "INVALID_ARN",
            "INVALID_CONDITION_KEY",
            "INVALID_EFFECT",
            "INVALID_OPERATOR",
        ]
    );
}
