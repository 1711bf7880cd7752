//! Checks of Principal and NotPrincipal, and of who can administer the key.

use super::{
    COMPARED_MAX, Findings, LintKind, Subject, actions,
    checks::*,
    read::{Element, Statement},
    read_condition::Condition,
};
use crate::{
    carries::Asked,
    condition::{Operands, Quantifier, operators::Shape},
    keys::{Family, Place},
    principal::Named,
};
use keyward_types::Arn;

const PUT: &str = "kms:PutKeyPolicy";

/// Keys that say who calls, or where from.
const FENCES: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "kms:calleraccount",
];

/// Keys that say on whose behalf a service calls.
const SOURCES: &[&str] =
    &["aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let owner = owner(subject);
    for statement in &subject.document.statements {
        let Some(principals) = &statement.principals else { continue };
        by_name(principals, findings);
        complement(statement, principals, findings);
        if statement.allows() && subject.kind.grants() {
            anyone(subject, statement, findings);
        }
        if statement.allows() && subject.is_key_policy() {
            services(statement, findings);
            source_pairs(statement, findings);
            across(statement, owner.as_deref(), findings);
        }
        if subject.kind == LintKind::ResourceControlPolicy {
            everybody(principals, findings);
        }
    }
    if subject.is_key_policy() && !subject.document.statements.is_empty() {
        administrators(subject, owner.as_deref(), findings);
    }
}

fn owner(subject: &Subject<'_>) -> Option<String> {
    let of_key = || Some(Arn::parse(subject.about.key_arn.as_deref()?)?.account.to_owned());
    subject.about.account.as_ref().map(ToString::to_string).or_else(of_key)
}

fn by_name(principals: &Element<Named>, findings: &mut Findings<'_>) {
    for (place, item) in principals.items.iter().enumerate().take(COMPARED_MAX) {
        if let Named::UserId(_) | Named::RoleId(_) = item.what {
            let message = format!("{} is the id of a user or role that was deleted", item.text);
            let advice = "drop it, or name by ARN who has its place now";
            findings.add(&UNIQUE_ID_PRINCIPAL, &item.at, message, advice);
        }
        if principals.items.iter().take(place).any(|before| before.what == item.what) {
            let message = format!("{} is named before", item.text);
            findings.add(&REDUNDANT_PRINCIPAL, &item.at, message, "drop one");
        }
    }
}

fn complement(statement: &Statement, principals: &Element<Named>, findings: &mut Findings<'_>) {
    if !principals.not {
        return;
    }
    if statement.allows() {
        let message = "Allow with NotPrincipal names everybody else, strangers included";
        let advice = "list who is allowed in Principal";
        findings.add(&ALLOW_WITH_NOT_PRINCIPAL, &principals.at, message, advice);
    } else if statement.allow == Some(false) {
        let message = "who has a permissions boundary is denied even when it is listed here";
        let advice = "write \"Principal\": \"*\" with a condition ArnNotEquals on aws:PrincipalArn";
        findings.add(&DENY_WITH_NOT_PRINCIPAL, &principals.at, message, advice);
    }
}

fn anyone(subject: &Subject<'_>, statement: &Statement, findings: &mut Findings<'_>) {
    let Some(principals) = statement.principals.as_ref().filter(|_| statement.names_anyone())
    else {
        return;
    };
    if !statement.tests.iter().any(is_fence) {
        let message = "everybody is allowed, in every account of AWS";
        let advice = "name who is meant, or add a condition such as StringEquals on kms:CallerAccount or aws:PrincipalOrgID";
        findings.add(&PUBLIC_ACCESS, &principals.at, message, advice);
    }
    if subject.is_key_policy()
        && statement.covers(PUT)
        && statement.covers("kms:ScheduleKeyDeletion")
    {
        let message = "everybody may do everything with the key, also replace this policy";
        let advice = "name the administrators, and allow everybody else the use alone";
        findings.add(&ADMINISTRATION_FOR_ANYONE, &principals.at, message, advice);
    }
}

/// Whether the condition holds for callers of known accounts or networks alone.
fn is_fence(condition: &Condition) -> bool {
    let test = &condition.test;
    let positive = !test.operator.negated
        && !test.if_exists
        && test.quantifier != Some(Quantifier::All)
        && test.operator.shape != Shape::Null;
    let narrow = match &test.operands {
        Operands::Networks(nets) => nets.iter().all(|net| net.prefix_len() > 0),
        _ => condition.values.iter().all(|value| !is_wide(&value.text)),
    };
    positive && narrow && !condition.values.is_empty() && FENCES.contains(&test.key.name.as_str())
}

/// A pattern that strangers fit: nothing but wildcards, or an ARN of any account.
fn is_wide(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let wild = |text: &str| text.chars().all(|c| matches!(c, '*' | '?'));
    wild(text) || parts.nth(4).is_some_and(|account| account.contains(['*', '?']))
}

fn services(statement: &Statement, findings: &mut Findings<'_>) {
    let says_whose = |condition: &Condition| {
        let key = &condition.test.key;
        SOURCES.contains(&key.name.as_str()) || key.place == Place::Tag(Family::EncryptionContext)
    };
    if statement.tests.iter().any(says_whose) {
        return;
    }
    for item in statement.listed_principals() {
        let Named::Service(name) = &item.what else { continue };
        let message = format!("{name} may use the key on behalf of any account");
        let advice = "add conditions on aws:SourceArn and aws:SourceAccount";
        findings.add(&RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL, &item.at, message, advice);
    }
}

/// An ARN of a source that names no account, such as a bucket's.
fn source_pairs(statement: &Statement, findings: &mut Findings<'_>) {
    let has = |name: &str| statement.tests.iter().any(|condition| condition.test.key.name == name);
    if SOURCES.iter().any(|name| *name != "aws:sourcearn" && has(name)) {
        return;
    }
    for condition in &statement.tests {
        if condition.test.key.name != "aws:sourcearn" || condition.test.operator.negated {
            continue;
        }
        let account = |text: &str| text.split(':').nth(4).unwrap_or_default().to_owned();
        let open = |text: &str| account(text).is_empty() || account(text).contains(['*', '?']);
        for value in condition.values.iter().filter(|value| open(&value.text)) {
            let message = format!("{} may be of any account", value.text);
            let advice = "add StringEquals on aws:SourceAccount";
            findings.add(&MISSING_PAIRED_CONDITION_KEYS, &value.at, message, advice);
        }
    }
}

fn account_of(named: &Named) -> Option<String> {
    match named {
        Named::Account(id) => Some(id.clone()),
        Named::User(arn) | Named::Role(arn) | Named::Session(arn) | Named::Federated(arn) => {
            Some(Arn::parse(arn)?.account.to_owned())
        }
        _ => None,
    }
}

fn across(statement: &Statement, owner: Option<&str>, findings: &mut Findings<'_>) {
    let principals = statement.listed_principals();
    let others = principals.iter().all(|item| {
        account_of(&item.what).zip(owner).is_some_and(|(account, owner)| account != owner)
    });
    if principals.is_empty() || !others {
        return;
    }
    for item in statement.listed_actions() {
        let stays = |row: &crate::carries::ActionRow| !row.across && row.asked != Asked::Nothing;
        let Some(row) = actions::named(&item.text).filter(|row| stays(row)) else { continue };
        let message = format!("{} is refused to other accounts whatever a policy says", row.name);
        findings.add(&CROSS_ACCOUNT_ACTION_WITHOUT_EFFECT, &item.at, message, "drop it");
    }
}

fn everybody(principals: &Element<Named>, findings: &mut Findings<'_>) {
    if !principals.not && principals.items.iter().all(|item| item.what == Named::Anyone) {
        return;
    }
    let message = "a resource control policy is about everybody";
    let advice = "write \"Principal\": \"*\", and conditions on who calls";
    findings.add(&RCP_PRINCIPAL_NOT_ANYONE, &principals.at, message, advice);
}

/// Who could replace the policy; conditions are taken to hold.
fn administrators(subject: &Subject<'_>, owner: Option<&str>, findings: &mut Findings<'_>) {
    let able = subject.document.statements.iter().filter(|statement| {
        statement.allows() && statement.covers(PUT) && statement.resources.is_some()
    });
    let ours = |named: &&Named| match named {
        Named::Service(_) | Named::Provider => false,
        named => account_of(named).zip(owner).is_none_or(|(account, owner)| account == owner),
    };
    let mut named: Vec<&Named> =
        able.flat_map(Statement::listed_principals).map(|item| &item.what).filter(ours).collect();
    named.sort_by_key(|named| format!("{named:?}"));
    named.dedup();
    let advice = "add a statement that allows kms:* on \"*\" to arn:aws:iam::ACCOUNT:root";
    if named.is_empty() {
        let message = "no principal of the key's account may replace this policy: the key would be lost to its owner";
        findings.add(&NO_POLICY_ADMINISTRATOR, "", message, advice);
        return;
    }
    if named.iter().any(|named| matches!(named, Named::Account(_) | Named::Anyone)) {
        return;
    }
    let message = "no statement lets the owner account administer the key: IAM policies give nothing, and a deleted administrator is not replaced";
    findings.add(&NO_OWNER_ACCOUNT_STATEMENT, "", message, advice);
    if let [_] = named.as_slice() {
        let message = "one principal alone may replace this policy; when it is deleted, nobody may";
        let advice = "name the owner account, or a second administrator";
        findings.add(&SINGLE_POLICY_ADMINISTRATOR, "", message, advice);
    }
}
