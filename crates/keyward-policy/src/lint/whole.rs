//! Checks of the document as a whole: characters, size, Sids, statements beside each other.

use super::{
    COMPARED_MAX, Findings, LintKind, Subject, checks::*, read::Statement,
    read_condition::Condition, resources,
};
use crate::{document::DocumentKind, principal::Named, validate};
use keyward_types::limits::KEY_POLICY_BYTES_MAX;

/// How long a document may be, in characters or bytes, and whether white space counts.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
fn quota(kind: LintKind) -> (usize, bool) {
    match kind {
        LintKind::KeyPolicy => (KEY_POLICY_BYTES_MAX, true),
        LintKind::VpcEndpointPolicy => (20_480, true),
        LintKind::IdentityPolicy | LintKind::PermissionsBoundary => (6_144, false),
        LintKind::TrustPolicy | LintKind::SessionPolicy => (2_048, false),
        LintKind::ServiceControlPolicy | LintKind::ResourceControlPolicy => (5_120, false),
    }
}

/// What is to be said of the text, JSON or not.
pub(super) fn text(text: &str, kind: LintKind, findings: &mut Findings<'_>) {
    let foreign = |(_, c): &(usize, char)| !validate::key_policy_holds(*c);
    if kind == LintKind::KeyPolicy
        && let Some((offset, c)) = text.char_indices().find(foreign)
    {
        let place = findings.places.at_offset(offset);
        let message = format!("a key policy cannot hold the character {c:?}");
        let advice = "write characters of Latin-1, without control characters";
        findings.add_at(&INVALID_CHARACTER, place, "", message, advice);
    }
    let (most, spaces) = quota(kind);
    let size = match spaces {
        true => text.len(),
        false => text.chars().filter(|c| !c.is_whitespace()).count(),
    };
    let advice = "join statements, use wildcards, or move a part to another policy";
    if size > most {
        let message = format!("{size} characters, and AWS allows {most}");
        findings.add(&POLICY_SIZE_EXCEEDS_QUOTA, "", message, advice);
    } else if size > most / 10 * 9 {
        let message = format!("{size} of the {most} characters that AWS allows");
        findings.add(&POLICY_SIZE_NEAR_QUOTA, "", message, advice);
    }
}

pub(super) fn document(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    sids(subject, findings);
    // A statement within the quota is not shorter than ten actions.
    let most = COMPARED_MAX / 10;
    let statements = &subject.document.statements;
    for (place, statement) in statements.iter().enumerate().take(most) {
        let by = statements.iter().enumerate().take(most).find(|(other, by)| {
            *other != place
                && contains(by, statement)
                && (*other < place || !contains(statement, by))
        });
        if let Some((_, by)) = by {
            let message = format!("{} says the same and more", by.at);
            findings.add(&REDUNDANT_STATEMENT, &statement.at, message, "drop one");
        }
    }
}

fn sids(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    // IAM's own documents; KMS and endpoints take any text.
    let identity = subject.kind.document() != DocumentKind::Resource;
    let mut seen = std::collections::BTreeSet::new();
    for statement in &subject.document.statements {
        let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) else { continue };
        let at = format!("{}.Sid", statement.at);
        if identity && !validate::is_identity_sid(sid) {
            let message = format!("{sid}: IAM takes letters and digits alone");
            let advice: String = sid.chars().filter(char::is_ascii_alphanumeric).collect();
            findings.add(&INVALID_SID, &at, message, format!("write {advice}"));
        }
        if !seen.insert(sid) {
            let check = if identity { &DUPLICATE_SID } else { &REPEATED_SID };
            let message = format!("{sid} is the Sid of another statement");
            findings.add(check, &at, message, "give each statement a Sid of its own");
        }
    }
}

/// Whether a pattern covers another text, which may have wildcards itself.
pub(super) fn covers(by: &str, text: &str, fits: impl Fn(&str) -> bool) -> bool {
    let wild = |text: &str| text.contains(['*', '?']);
    // A `?` of the one could stand for a `*` of the other, which it does not cover.
    by == text || fits(text) && !(by.contains('?') && wild(text))
}

/// Whether everything that `inner` says is said by `outer` too.
fn contains(outer: &Statement, inner: &Statement) -> bool {
    let complement = |statement: &Statement| {
        let not = |not: Option<bool>| not == Some(true);
        not(statement.principals.as_ref().map(|listed| listed.not))
            || not(statement.actions.as_ref().map(|listed| listed.not))
            || not(statement.resources.as_ref().map(|listed| listed.not))
    };
    outer.allow.is_some()
        && outer.allow == inner.allow
        && !complement(outer)
        && !complement(inner)
        && outer.resources.is_some() == inner.resources.is_some()
        && outer.principals.is_some() == inner.principals.is_some()
        && !inner.listed_actions().is_empty()
        && names_all(outer, inner)
        && covers_actions(outer, inner)
        && covers_resources(outer, inner)
        && outer.tests.iter().all(|test| inner.tests.iter().any(|other| same(test, other)))
}

fn names_all(outer: &Statement, inner: &Statement) -> bool {
    let has = |named: &Named| outer.listed_principals().iter().any(|item| item.what == *named);
    has(&Named::Anyone) || inner.listed_principals().iter().all(|item| has(&item.what))
}

fn covers_actions(outer: &Statement, inner: &Statement) -> bool {
    inner.listed_actions().iter().all(|item| {
        let text = item.text.to_lowercase();
        outer
            .listed_actions()
            .iter()
            .any(|by| covers(&by.text.to_lowercase(), &text, |text| by.what.fits(text)))
    })
}

fn covers_resources(outer: &Statement, inner: &Statement) -> bool {
    let (outer, inner) = (outer.listed_resources(), inner.listed_resources());
    inner.iter().all(|item| outer.iter().any(|by| resources::wider(by, item)))
}

fn same(one: &Condition, other: &Condition) -> bool {
    let (one, other) = (&one.test, &other.test);
    one.operator == other.operator
        && one.quantifier == other.quantifier
        && one.if_exists == other.if_exists
        && one.key == other.key
        && one.operands == other.operands
}
