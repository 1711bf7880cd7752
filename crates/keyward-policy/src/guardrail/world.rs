//! The request as guardrails see it: only what the ones that speak of the action read.

use super::{actions, reads::Reads};
use crate::{
    condition::emit::{View, family_attribute},
    entities,
    error::Unevaluable,
    keys::{self, Family, look_up_row},
    principal::{self, Standing},
    question::{Question, Resource},
    request::{fixed, form},
};
use cedar_policy::{Context, Entities, Entity, Request, RestrictedExpression};
use keyward_types::CallerKind;

type Pair = (String, RestrictedExpression);

/// The action with its groups above it.
pub(super) fn action(name: &str) -> Result<Entity, Unevaluable> {
    let groups: Vec<_> = actions::ancestors(name)
        .map(|group| entities::uid("Action", group))
        .collect::<Result<_, _>>()?;
    entities::entity(entities::uid("Action", name)?, Vec::new(), groups, Vec::new())
}

/// What Cedar is asked.
pub(super) fn request(
    question: &Question<'_>,
    reads: &Reads,
    action: &Entity,
) -> Result<(Request, Entities), Unevaluable> {
    let failed = |error: &dyn core::fmt::Display| Unevaluable(error.to_string());
    let Standing { ty, id, .. } = principal::standing(question.caller);
    let principal_uid = entities::uid(ty, id)?;
    let resource_uid = entities::uid(resource_type(&question.resource), question.resource.arn())?;
    // Cedar needs no entity of which only the name is asked.
    let mut all = Vec::new();
    if reads.principal {
        all.push(principal(question, reads)?);
    }
    if reads.resource {
        all.push(resource(question, reads)?);
    }
    if reads.action {
        all.push(action.clone());
    }
    let mut pairs = plain(question, reads);
    for (row, view) in &reads.fixed {
        let pair = fixed(question, *row, *view)?;
        // A value that is there and cannot be read might be what a guardrail looks for.
        if pair.is_none() && look_up_row(question, *row).map_err(Unevaluable)?.is_some() {
            return Err(Unevaluable("a value is not of its kind".to_owned()));
        }
        pairs.extend(pair);
    }
    for (family, view) in &reads.families {
        let name = family_attribute(*family, *view);
        let uid = entities::uid("Tags", name)?;
        pairs.push((name.to_owned(), RestrictedExpression::new_entity_uid(uid.clone())));
        let tags = tags(question, *family, *view)?;
        all.push(entities::entity(uid, Vec::new(), Vec::new(), tags)?);
    }
    let context = Context::from_pairs(pairs).map_err(|error| failed(&error))?;
    let request = Request::new(principal_uid, action.uid(), resource_uid, context, None)
        .map_err(|error| failed(&error))?;
    let entities = Entities::from_entities(all, None).map_err(|error| failed(&error))?;
    Ok((request, entities))
}

fn plain(question: &Question<'_>, reads: &Reads) -> Vec<Pair> {
    let mut pairs = Vec::new();
    if reads.attribute("action") {
        pairs.push(("action".to_owned(), entities::text(question.action)));
    }
    if reads.attribute("hasBoundary") {
        let has = RestrictedExpression::new_bool(question.boundary.is_some());
        pairs.push(("hasBoundary".to_owned(), has));
    }
    pairs
}

/// The attributes of `all` that are read.
fn read(
    reads: &Reads,
    all: impl IntoIterator<Item = (&'static str, RestrictedExpression)>,
) -> Vec<Pair> {
    all.into_iter()
        .filter(|(name, _)| reads.attribute(name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn principal(question: &Question<'_>, reads: &Reads) -> Result<Entity, Unevaluable> {
    let caller = question.caller;
    let Standing { ty, id, behind, account } = principal::standing(caller);
    let (name, role) = match &caller.kind {
        CallerKind::Root => (None, None),
        CallerKind::User { name }
        | CallerKind::Federated { name, .. }
        | CallerKind::Service { name } => (Some(name), None),
        CallerKind::RoleSession { session_name, role_arn, .. } => {
            (Some(session_name), Some(role_arn))
        }
    };
    let texts = [
        ("arn", account.map(|_| caller.arn.as_str())),
        ("account", account),
        ("name", name.map(String::as_str)),
        ("role", role.map(String::as_str)),
    ];
    let texts = texts.into_iter().filter_map(|(name, value)| Some((name, entities::text(value?))));
    let mut parents = Vec::new();
    if let Some((ty, id)) = behind {
        parents.push(entities::uid(ty, id)?);
    }
    if let Some(account) = account {
        parents.push(entities::uid("Account", account)?);
    }
    let tags = if reads.entity_tags && !matches!(ty, "Root" | "Service") {
        tags(question, Family::PrincipalTag, View::Text)?
    } else {
        Vec::new()
    };
    entities::entity(entities::uid(ty, id)?, read(reads, texts), parents, tags)
}

fn resource(question: &Question<'_>, reads: &Reads) -> Result<Entity, Unevaluable> {
    let arn = question.resource.arn();
    let mut parts = arn.splitn(6, ':').skip(1);
    let mut attributes = read(reads, [("arn", entities::text(arn))]);
    for name in entities::ARN_PARTS {
        let part = parts.next().unwrap_or_default();
        attributes.extend(read(reads, [(*name, entities::text(part))]));
    }
    let mut tags = Vec::new();
    if let Resource::Key { spec, usage, origin, multi_region, aliases, .. } = question.resource {
        let own = [
            ("spec", entities::text(spec.as_str())),
            ("usage", entities::text(usage.as_str())),
            ("origin", entities::text(origin.as_str())),
            ("multiRegion", RestrictedExpression::new_bool(multi_region)),
            ("aliases", entities::texts(aliases.iter().map(String::as_str))),
        ];
        attributes.extend(read(reads, own));
        if reads.entity_tags {
            tags = self::tags(question, Family::ResourceTag, View::Text)?;
        }
    }
    let parents =
        question.resource.account().map(|account| entities::uid("Account", account)).transpose()?;
    let uid = entities::uid(resource_type(&question.resource), arn)?;
    entities::entity(uid, attributes, parents.into_iter().collect(), tags)
}

/// A key's ARN alone is no key whose properties are known.
fn resource_type(resource: &Resource<'_>) -> &'static str {
    match resource {
        Resource::Key { .. } => "Key",
        Resource::Alias { .. } => "Alias",
        Resource::Role { .. } | Resource::Other { .. } => "Other",
        Resource::Any => "Any",
    }
}

/// Everything of a family, by name in lower case.
fn tags(question: &Question<'_>, family: Family, view: View) -> Result<Vec<Pair>, Unevaluable> {
    let found = keys::of_family(question, family).map_err(Unevaluable)?;
    found
        .into_iter()
        .map(|(name, value)| {
            let value = form(&value, view).ok_or_else(|| {
                Unevaluable(format!("{name} has a value that is not of its kind"))
            })?;
            Ok((name, value))
        })
        .collect()
}
