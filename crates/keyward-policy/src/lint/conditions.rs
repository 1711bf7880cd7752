//! Checks of the operators and keys of conditions.

use super::{
    Findings, Subject, actions,
    checks::*,
    read::Statement,
    read_condition::Condition,
    values::{ARNS, FLAGS},
};
use crate::{
    condition::{Operands, Quantifier, Test, operators::Shape},
    document::DocumentKind,
    keys::{Family, Kind, Place, RESOURCE_ALIASES},
};

/// Keys of other services that requests to KMS carry too.
const CROSS_SERVICE: &[&str] = &[
    "ec2:roledelivery",
    "ec2:sourceinstancearn",
    "glue:credentialissuingservice",
    "identitystore:userid",
    "lambda:sourcefunctionarn",
    "ssm:sourceinstancearn",
];

/// What AWS calls it today.
const REPLACED: &[(&str, &str)] =
    &[("kms:customermasterkeyspec", "kms:KeySpec"), ("kms:customermasterkeyusage", "kms:KeyUsage")];

/// Documented with several values or with one; either way of writing works.
const EITHER: &str = "kms:grantconstrainttype";

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for statement in &subject.document.statements {
        for condition in &statement.tests {
            quantifier(statement, condition, findings);
            shape(condition, findings);
            particular(subject, condition, findings);
            carried(statement, condition, findings);
            mfa(statement, condition, findings);
        }
    }
}

fn quantifier(statement: &Statement, condition: &Condition, findings: &mut Findings<'_>) {
    let test = &condition.test;
    let key = &test.key_text;
    let other = matches!(
        test.key.place,
        Place::Tag(Family::Other | Family::EncryptionContext | Family::RequestTag)
    );
    let many = test.key.is_multivalued();
    let at = condition.at.as_str();
    match test.quantifier {
        _ if test.key.name == EITHER => {}
        Some(Quantifier::All) if !many && !other => {
            let message = format!("{key} has one value: ForAllValues lets its absence pass");
            let advice = "leave ForAllValues: out";
            findings.add(&FORALLVALUES_WITH_SINGLE_VALUED_KEY, at, message, advice);
        }
        Some(Quantifier::Any) if !many && !matches!(test.key.place, Place::Tag(Family::Other)) => {
            let message = format!("{key} has one value");
            let advice = "leave ForAnyValue: out";
            findings.add(&FORANYVALUE_WITH_SINGLE_VALUED_KEY, at, message, advice);
        }
        Some(Quantifier::All) if many && statement.allows() && !asks_presence(statement, test) => {
            let message = format!("a request without {key} passes ForAllValues");
            let advice = format!("add \"Null\": {{\"{key}\": \"false\"}}");
            findings.add(&ALLOW_WITH_FORALLVALUES, at, message, advice);
        }
        None if many && test.operator.shape != Shape::Null => {
            let message = format!("{key} has several values");
            let advice = "write ForAnyValue: or ForAllValues: before the operator";
            findings.add(&MISSING_QUALIFIER, at, message, advice);
        }
        _ => {}
    }
}

/// Whether another condition of the statement fails when the key is absent.
fn asks_presence(statement: &Statement, test: &Test) -> bool {
    statement.tests.iter().any(|other| other.test.key == test.key && !other.test.holds_absent())
}

/// Operators and the keys they can compare.
fn shape(condition: &Condition, findings: &mut Findings<'_>) {
    let test = &condition.test;
    let name = test.key.name.as_str();
    let kind = test.key.row().map(|row| row.kind);
    let text = kind == Some(Kind::Text);
    let wanted = match test.operator.shape {
        Shape::Null => return,
        Shape::Text(_) => match kind {
            Some(Kind::Ip) => "IpAddress",
            Some(Kind::Number) => "NumericEquals",
            Some(Kind::Time) => "DateGreaterThan",
            _ => return,
        },
        Shape::Number(_) if matches!(kind, None | Some(Kind::Number | Kind::Epoch)) => return,
        Shape::Time(_) if matches!(kind, None | Some(Kind::Time | Kind::Epoch)) => return,
        Shape::Ip if matches!(kind, None | Some(Kind::Ip)) => return,
        Shape::Bool if kind.is_none() || FLAGS.contains(&name) => return,
        Shape::Arn if kind.is_none() || ARNS.contains(&name) => return,
        Shape::Binary if kind.is_none() => return,
        _ if text && FLAGS.contains(&name) => "Bool",
        _ => match kind {
            Some(Kind::Ip) => "IpAddress",
            Some(Kind::Number) => "NumericEquals",
            Some(Kind::Time | Kind::Epoch) => "DateGreaterThan",
            _ => "StringEquals",
        },
    };
    let message = format!("{} does not compare {}", test.operator.name, test.key_text);
    let advice = format!("write {wanted} or another operator of its type");
    findings.add(&TYPE_MISMATCH, &condition.at, message, advice);
}

fn particular(subject: &Subject<'_>, condition: &Condition, findings: &mut Findings<'_>) {
    let test = &condition.test;
    let name = test.key.name.as_str();
    if let Some((_, now)) = REPLACED.iter().find(|(old, _)| *old == name) {
        let message = format!("AWS replaced {}", test.key_text);
        findings.add(&DEPRECATED_CONDITION_KEY, &condition.at, message, format!("write {now}"));
    }
    if name == RESOURCE_ALIASES && subject.kind.document() != DocumentKind::Identity {
        let message = "only identity policies see kms:ResourceAliases";
        let advice = "write kms:RequestAlias, or move the statement to an IAM policy";
        findings.add(&RESOURCE_ALIASES_IN_RESOURCE_POLICY, &condition.at, message, advice);
    }
}

/// What the listed actions carry.
fn carried(statement: &Statement, condition: &Condition, findings: &mut Findings<'_>) {
    let (test, listed) = (&condition.test, statement.listed_actions());
    let of_kms = listed.iter().all(|item| actions::is_of_kms(&item.text));
    if listed.is_empty() || test.key.name == RESOURCE_ALIASES {
        return;
    }
    if test.key.place == Place::Tag(Family::Other) && !test.key.name.starts_with("kms:") {
        if of_kms && !CROSS_SERVICE.contains(&test.key.name.as_str()) {
            let message = format!("requests to KMS do not carry {}", test.key_text);
            let advice = "write a key that begins with kms: or aws:";
            findings.add(&FOREIGN_CONDITION_KEY, &condition.at, message, advice);
        }
        return;
    }
    let mut rows = listed.iter().flat_map(|item| actions::rows(&item.what)).peekable();
    let none = of_kms && rows.peek().is_some() && !rows.any(|row| row.carries(&test.key.name));
    if none {
        never_carried(test, &condition.at, findings);
    } else if !test.holds_absent() {
        shut_out(statement, test, findings);
    }
}

fn never_carried(test: &Test, at: &str, findings: &mut Findings<'_>) {
    let key = &test.key_text;
    if test.holds_absent() {
        let message = format!("no listed action carries {key}, so the condition always holds");
        findings.add(&CONDITION_ALWAYS_MATCHES, at, message, "drop it, or list other actions");
    } else {
        let message = format!("no listed action carries {key}, so the statement never matches");
        findings.add(&CONDITION_NEVER_MATCHES, at, message, "drop it, or list other actions");
    }
}

/// Actions that are named in the list, and that the condition keeps the statement from.
fn shut_out(statement: &Statement, test: &Test, findings: &mut Findings<'_>) {
    for item in statement.listed_actions() {
        let Some(row) = actions::named(&item.text) else { continue };
        if !row.carries(&test.key.name) {
            let message = format!(
                "{} never carries {}: the statement does not match it",
                row.name, test.key_text
            );
            let advice = "give it a statement of its own, without the condition";
            findings.add(&CONDITION_KEY_NOT_CARRIED_BY_ACTION, &item.at, message, advice);
        }
    }
}

/// Long-lived credentials carry no `aws:MultiFactorAuthPresent`.
fn mfa(statement: &Statement, condition: &Condition, findings: &mut Findings<'_>) {
    let test = &condition.test;
    let asks_no = matches!(&test.operands, Operands::Texts(_))
        && condition.values.iter().any(|value| value.text.eq_ignore_ascii_case("false"));
    let denies = statement.allow == Some(false);
    if denies && asks_no && test.key.name == "aws:multifactorauthpresent" && !test.holds_absent() {
        let message =
            "who signs with a long-lived access key passes: its requests do not carry the key";
        let advice = format!("write {}IfExists", test.operator.name);
        findings.add(&MFA_WITHOUT_IF_EXISTS, &condition.at, message, advice);
    }
}
