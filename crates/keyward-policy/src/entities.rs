//! Cedar entities: the caller, the resource, and the tag entities that carry names chosen by clients.

use crate::{
    error::Unevaluable,
    principal::{self, Standing},
    question::{Question, Resource},
};
use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use keyward_types::Caller;
use std::sync::LazyLock;

/// Every entity type of `policies/schema/entities.cedarschema`.
pub(crate) const TYPES: &[&str] = &[
    "Account",
    "Action",
    "Alias",
    "Any",
    "Federated",
    "Grant",
    "Key",
    "Other",
    "Role",
    "Root",
    "Service",
    "Session",
    "Tags",
    "User",
];

/// The attributes of a resource after its `arn`, in the order of an ARN's parts.
pub(crate) const ARN_PARTS: &[&str] = &["partition", "service", "region", "account", "name"];

static TYPE_NAMES: LazyLock<Vec<Option<EntityTypeName>>> =
    LazyLock::new(|| TYPES.iter().map(|ty| ty.parse().ok()).collect());

pub(crate) fn uid(ty: &str, id: &str) -> Result<EntityUid, Unevaluable> {
    let name =
        TYPES.binary_search(&ty).ok().and_then(|place| TYPE_NAMES.get(place).cloned().flatten());
    let name = name.ok_or_else(|| Unevaluable(format!("{ty} is no entity type")))?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

/// The type of the entity that stands for an ARN.
pub(crate) fn resource_type(arn: &str) -> &'static str {
    let mut parts = arn.splitn(6, ':').skip(2);
    match (parts.next(), parts.nth(2)) {
        (Some("kms"), Some(name)) if name.starts_with("key/") => "Key",
        (Some("kms"), Some(name)) if name.starts_with("alias/") => "Alias",
        (None, _) => "Any",
        _ => "Other",
    }
}

pub(crate) fn resource_uid(resource: &Resource<'_>) -> Result<EntityUid, Unevaluable> {
    uid(resource_type(resource.arn()), resource.arn())
}

/// The resource with its ARN and the parts of it. `*` has no parts, and no pattern fits it.
pub(crate) fn resource(question: &Question<'_>) -> Result<Entity, Unevaluable> {
    let arn = question.resource.arn();
    let mut parts = arn.splitn(6, ':').skip(1);
    let mut attributes = vec![("arn".to_owned(), text(arn))];
    attributes.extend(
        ARN_PARTS.iter().map(|name| ((*name).to_owned(), text(parts.next().unwrap_or_default()))),
    );
    entity(resource_uid(&question.resource)?, attributes, Vec::new(), Vec::new())
}

/// The caller, and what it is in. `known`: whether policies that name it by ARN mean this caller.
pub(crate) fn principal(caller: &Caller, known: bool) -> Result<Entity, Unevaluable> {
    let Standing { ty, id, behind, account } = principal::standing(caller);
    // An id that no ARN in a policy equals.
    let unnamed = !known && !matches!(ty, "Service" | "Root");
    let own =
        |id: &str| if unnamed { format!("unnamed {}", caller.user_id) } else { id.to_owned() };
    let mut parents = Vec::new();
    if let Some((ty, id)) = behind {
        parents.push(uid(ty, &own(id))?);
    }
    if let Some(account) = account {
        parents.push(uid("Account", account)?);
    }
    entity(uid(ty, &own(id))?, Vec::new(), parents, Vec::new())
}

type Pairs = Vec<(String, RestrictedExpression)>;

pub(crate) fn entity(
    uid: EntityUid,
    attributes: Pairs,
    parents: Vec<EntityUid>,
    tags: Pairs,
) -> Result<Entity, Unevaluable> {
    Entity::new_with_tags(uid, attributes, parents, tags)
        .map_err(|error| Unevaluable(error.to_string()))
}

pub(crate) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

pub(crate) fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.into_iter().map(text))
}
