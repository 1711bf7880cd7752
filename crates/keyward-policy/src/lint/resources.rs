//! Checks of Resource and NotResource.

use super::{
    COMPARED_MAX, Findings, LintKind, Subject, actions,
    checks::*,
    read::{Element, Item, Statement},
    whole::covers,
};
use crate::{
    actions::ActionPattern,
    carries::Asked,
    document::ResourcePattern,
    pattern::{Pattern, Piece},
};

const PARTITIONS: &[&str] =
    &["aws", "aws-cn", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-us-gov"];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for statement in &subject.document.statements {
        let Some(resources) = &statement.resources else { continue };
        resources.items.iter().for_each(|item| arn(item, findings));
        redundant(resources, findings);
        if subject.is_key_policy() {
            this_key(subject, resources, findings);
        }
        if statement.allows() && resources.not && subject.kind.grants() {
            let message = "it allows every resource but these, also those that come later";
            let advice = "list the resources that are meant";
            findings.add(&ALLOW_WITH_NOT_RESOURCE, &resources.at, message, advice);
        }
        if !subject.is_key_policy() && actions::has_resources(subject.kind) {
            reachable(statement, findings);
        }
        if subject.kind == LintKind::IdentityPolicy {
            any_key(statement, findings);
        }
    }
}

/// An ARN's parts, when it is one; `*` alone has none.
fn parts(item: &Item<ResourcePattern>) -> Option<Vec<Pattern>> {
    match &item.what {
        ResourcePattern::Arn(pattern) => pattern.arn_parts(),
        ResourcePattern::All => None,
    }
}

/// What a pattern begins with before its first wildcard or variable.
fn begin(pattern: &Pattern) -> String {
    let literal = |piece: &Piece| if let Piece::Char(c) = piece { Some(*c) } else { None };
    pattern.0.iter().map_while(literal).collect()
}

fn arn(item: &Item<ResourcePattern>, findings: &mut Findings<'_>) {
    let Some(parts) = parts(item) else { return };
    let [_, partition, service, region, account, name] = parts.as_slice() else { return };
    if partition.literal().is_some_and(|text| !PARTITIONS.contains(&text.as_str())) {
        let message = format!("AWS has no partition {}", begin(partition));
        findings.add(&INVALID_ARN_PARTITION, &item.at, message, "write aws");
    }
    if service.literal().as_deref() != Some("kms") {
        return;
    }
    let start = begin(name);
    let open = start.len() < name.0.len();
    let of = |kind: &str| {
        start.strip_prefix(kind).is_some_and(|id| open || !id.is_empty())
            || open && kind.starts_with(&start)
    };
    let placed = !region.0.is_empty() && !account.0.is_empty();
    if !placed || !of("key/") && !of("alias/") {
        let message = format!("{} is of no key and no alias", item.text);
        let advice = "write arn:aws:kms:REGION:ACCOUNT:key/ID, with Region and account";
        findings.add(&INVALID_ARN_RESOURCE, &item.at, message, advice);
    }
}

fn redundant(resources: &Element<ResourcePattern>, findings: &mut Findings<'_>) {
    for (place, item) in resources.items.iter().enumerate().take(COMPARED_MAX) {
        let by = resources.items.iter().enumerate().take(COMPARED_MAX).find(|(other, by)| {
            let same = by.text == item.text;
            *other != place && (!same || *other < place) && wider(by, item)
        });
        if let Some((_, by)) = by {
            let message = format!("{} is covered by {}", item.text, by.at);
            findings.add(&REDUNDANT_RESOURCE, &item.at, message, format!("drop {}", item.text));
        }
    }
}

/// Whether every resource of `item` is one of `by`.
pub(super) fn wider(by: &Item<ResourcePattern>, item: &Item<ResourcePattern>) -> bool {
    match (&by.what, &item.what) {
        (ResourcePattern::All, _) => true,
        (ResourcePattern::Arn(_), ResourcePattern::All) => false,
        (ResourcePattern::Arn(pattern), ResourcePattern::Arn(other)) => {
            pattern == other
                || pattern.variables().next().is_none()
                    && other.variables().next().is_none()
                    && covers(&by.text, &item.text, |text| pattern.fits_arn(text))
        }
    }
}

fn this_key(
    subject: &Subject<'_>,
    resources: &Element<ResourcePattern>,
    findings: &mut Findings<'_>,
) {
    for item in resources.items.iter().filter(|_| !resources.not) {
        let ResourcePattern::Arn(pattern) = &item.what else { continue };
        let key = subject.about.key_arn.as_deref();
        let misses = key.map_or_else(|| is_alias(item), |key| !pattern.fits_arn(key));
        let varies = pattern.variables().next().is_some();
        if misses && !varies {
            let message = format!("{} is not the key that this policy is attached to", item.text);
            findings.add(&RESOURCE_NOT_THIS_KEY, &item.at, message, "write \"*\": this key");
        } else if key.is_none() {
            let message = "a key policy is about its own key alone";
            findings.add(&RESOURCE_NOT_STAR, &item.at, message, "write \"*\": this key");
        }
    }
}

fn is_alias(item: &Item<ResourcePattern>) -> bool {
    let Some(parts) = parts(item) else { return false };
    let of_kms = parts.get(2).and_then(Pattern::literal).as_deref() == Some("kms");
    of_kms && parts.get(5).is_some_and(|name| begin(name).starts_with("alias/"))
}

/// Listed actions that no listed resource can be asked for.
fn reachable(statement: &Statement, findings: &mut Findings<'_>) {
    let resources = statement.listed_resources();
    if resources.is_empty() || resources.iter().any(|item| item.what == ResourcePattern::All) {
        return;
    }
    let aliases = resources.iter().all(is_alias);
    for item in statement.listed_actions().iter().filter(|item| actions::is_of_kms(&item.text)) {
        let all = |wanted: Asked| {
            let mut rows = actions::rows(&item.what).peekable();
            rows.peek().is_some() && rows.all(|row| row.asked == wanted)
        };
        if all(Asked::Nothing) {
            let message = format!("{} is on no resource, and these are listed", item.text);
            let advice = "give it a statement of its own with \"Resource\": \"*\"";
            findings.add(&ACTION_NEEDS_STAR_RESOURCE, &item.at, message, advice);
        } else if aliases && all(Asked::Key) {
            let message = format!("{} is asked of a key, and only aliases are listed", item.text);
            let advice = "write the key's ARN, or key/* with a condition on kms:ResourceAliases or kms:RequestAlias";
            findings.add(&ALIAS_ARN_FOR_KEY_ACTION, &item.at, message, advice);
        }
    }
}

/// Two keys of no account in particular; whoever may decrypt with both may decrypt with any.
const SAMPLES: [&str; 2] =
    ["key/00000000-0000-0000-0000-000000000000", "key/mrk-ffffffffffffffffffffffffffffffff"];

fn any_key(statement: &Statement, findings: &mut Findings<'_>) {
    let decrypts = |pattern: &ActionPattern| {
        ["kms:Decrypt", "kms:ReEncryptFrom"].iter().any(|action| pattern.fits(action))
    };
    let Some(action) = statement
        .listed_actions()
        .iter()
        .find(|item| decrypts(&item.what))
        .filter(|_| statement.allows() && statement.tests.is_empty())
    else {
        return;
    };
    for item in statement.listed_resources() {
        let any = match (&item.what, parts(item)) {
            (ResourcePattern::All, _) => true,
            (_, Some(parts)) => {
                let of_kms = parts.get(2).and_then(Pattern::literal).as_deref() == Some("kms");
                let any = |name: &Pattern| SAMPLES.iter().all(|sample| name.fits(sample));
                of_kms && parts.get(5).is_some_and(any)
            }
            _ => false,
        };
        if any {
            let message =
                format!("{} lets it decrypt with every key that names the account", action.text);
            let advice =
                "list the keys, or add a condition such as kms:ViaService or aws:ResourceTag/NAME";
            findings.add(&DECRYPT_WITH_ANY_KEY, &item.at, message, advice);
        }
    }
}
