//! Checks of Action and NotAction.

use super::{
    COMPARED_MAX, Findings, LintKind, Subject,
    checks::*,
    nearest::nearest,
    read::{Element, Statement},
    whole::covers,
};
use crate::{
    actions::{ActionPattern, KMS_ACTIONS},
    carries::{ACTIONS, ActionRow, Asked},
    document::DocumentKind,
};

/// The rows of AWS's actions that a pattern stands for.
pub(super) fn rows(pattern: &ActionPattern) -> impl Iterator<Item = &'static ActionRow> {
    ACTIONS.iter().filter(|row| pattern.fits(row.name))
}

/// The row of an action that is named without wildcards.
pub(super) fn named(text: &str) -> Option<&'static ActionRow> {
    ACTIONS.iter().find(|row| row.name.eq_ignore_ascii_case(text))
}

pub(super) fn is_of_kms(text: &str) -> bool {
    text.get(..4).is_some_and(|vendor| vendor.eq_ignore_ascii_case("kms:"))
}

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for statement in &subject.document.statements {
        let Some(actions) = &statement.actions else { continue };
        unknown(actions, findings);
        redundant(actions, findings);
        match subject.kind {
            LintKind::KeyPolicy => in_key_policy(statement, actions, findings),
            LintKind::TrustPolicy => in_trust_policy(actions, findings),
            _ => {}
        }
        if statement.allows() && actions.not && subject.kind.grants() {
            let message = "it allows every action but these, also those that come later";
            findings.add(
                &ALLOW_WITH_NOT_ACTION,
                &actions.at,
                message,
                "list what is to be allowed",
            );
        }
        if subject.kind.grants() {
            create_grant(statement, findings);
        }
    }
}

fn unknown(actions: &Element<ActionPattern>, findings: &mut Findings<'_>) {
    for item in actions.items.iter().filter(|item| item.what.is_unknown_to_kms()) {
        let advice = match nearest(&item.text, KMS_ACTIONS.iter().copied()) {
            Some(meant) => format!("write {meant}"),
            None => "see the list of KMS's actions".to_owned(),
        };
        findings.add(&UNKNOWN_ACTION, &item.at, format!("KMS has no action {}", item.text), advice);
    }
}

fn redundant(actions: &Element<ActionPattern>, findings: &mut Findings<'_>) {
    for (place, item) in actions.items.iter().enumerate().take(COMPARED_MAX) {
        let text = item.text.to_lowercase();
        let by = actions.items.iter().enumerate().take(COMPARED_MAX).find(|(other, by)| {
            let same = by.text.eq_ignore_ascii_case(&text);
            *other != place
                && (!same || *other < place)
                && covers(&by.text.to_lowercase(), &text, |text| by.what.fits(text))
        });
        if let Some((_, by)) = by {
            let message = format!("{} is covered by {}", item.text, by.at);
            findings.add(&REDUNDANT_ACTION, &item.at, message, format!("drop {}", item.text));
        }
    }
}

fn in_key_policy(
    statement: &Statement,
    actions: &Element<ActionPattern>,
    findings: &mut Findings<'_>,
) {
    for item in &actions.items {
        if item.text == "*" {
            let message = "a key policy is about actions of KMS alone";
            findings.add(&STAR_ACTION_IN_KEY_POLICY, &item.at, message, "write \"kms:*\"");
        } else if !is_of_kms(&item.text) {
            let message = format!("{} is no action on a key: it has no effect here", item.text);
            findings.add(&FOREIGN_ACTION_IN_KEY_POLICY, &item.at, message, "drop it");
        }
        let Some(row) = named(&item.text) else { continue };
        let retires = row.name == "kms:RetireGrant" && statement.allows();
        if row.asked == Asked::Nothing || retires {
            let message = format!("{} has no effect in a key policy", row.name);
            let advice = if retires {
                "name a retiring principal in the grant, or allow it in an IAM policy"
            } else {
                "it is on no key: allow it in an IAM policy, with Resource \"*\""
            };
            findings.add(&ACTION_NOT_FOR_KEY_POLICY, &item.at, message, advice);
        }
    }
}

fn in_trust_policy(actions: &Element<ActionPattern>, findings: &mut Findings<'_>) {
    let assumes = |text: &str| text == "*" || text.to_lowercase().starts_with("sts:");
    for item in actions.items.iter().filter(|item| !assumes(&item.text)) {
        let message = format!("{} has no effect in a trust policy", item.text);
        let advice = "write \"sts:AssumeRole\"; what the role may do stands in its own policies";
        findings.add(&ACTION_NOT_FOR_TRUST_POLICY, &item.at, message, advice);
    }
}

/// A grant can give all that its maker has; what it may be for is said in conditions.
fn create_grant(statement: &Statement, findings: &mut Findings<'_>) {
    let fences = |name: &str| {
        name.starts_with("kms:grant")
            || name.starts_with("kms:encryptioncontext")
            || name == "kms:viaservice"
    };
    let administers = statement.covers("kms:PutKeyPolicy");
    let fenced = statement.tests.iter().any(|condition| fences(&condition.test.key.name));
    if !statement.allows() || administers || fenced {
        return;
    }
    let items = statement.listed_actions().iter();
    for item in items.filter(|item| item.text.eq_ignore_ascii_case("kms:CreateGrant")) {
        let message = "grants can be made for anybody and any operation";
        let advice = "add a condition on kms:GrantOperations, kms:GranteePrincipal or \
                      kms:GrantIsForAWSResource";
        findings.add(&CREATE_GRANT_UNFENCED, &item.at, message, advice);
    }
}

/// Whether statements of this kind of document say on which resources they are.
pub(super) fn has_resources(kind: LintKind) -> bool {
    kind.document() != DocumentKind::Trust
}
