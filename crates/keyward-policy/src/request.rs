//! The request that Cedar sees: only what the loaded policies read.
//!
//! INVARIANT: a value that does not have the form in which a policy reads it (a number that is none) is left
//! out in that form; the policy then asks an atom instead (`condition/emit.rs`).

use crate::{
    condition::{
        emit::{Needs, View, family_attribute},
        value,
    },
    entities,
    error::Unevaluable,
    keys::{ConditionKey, Family, KEYS, Seen, look_up, look_up_row},
    question::Question,
};
use cedar_policy::{Context, Entities, EntityUid, Request, RestrictedExpression};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The caller and the resource as entities. The same for every request of one caller on one resource.
pub(crate) struct Base {
    pub(crate) principal: EntityUid,
    pub(crate) resource: EntityUid,
    entities: Entities,
}

impl Base {
    pub(crate) fn build(question: &Question<'_>) -> Result<Self, Unevaluable> {
        let (principal, resource) =
            (entities::principal(question.caller, true)?, entities::resource(question)?);
        let (principal_uid, resource_uid) = (principal.uid(), resource.uid());
        let entities = Entities::from_entities([principal, resource], None)
            .map_err(|error| Unevaluable(error.to_string()))?;
        Ok(Self { principal: principal_uid, resource: resource_uid, entities })
    }
}

/// Context and entities for one question, shared by every layer.
pub(crate) struct World {
    pub(crate) base: Arc<Base>,
    pub(crate) action: EntityUid,
    /// The caller as a policy sees it that was saved for an earlier principal of the same name.
    pub(crate) unnamed: Option<EntityUid>,
    /// The base and what this request adds; `None` where it adds nothing.
    entities: Option<Entities>,
    context: Context,
}

impl World {
    pub(crate) fn build(
        base: Arc<Base>,
        question: &Question<'_>,
        needs: &Needed<'_>,
        ambiguous: &BTreeSet<String>,
    ) -> Result<Self, Unevaluable> {
        let mut added = Vec::new();
        let mut unnamed = None;
        if question.key_policy_ignores_arns {
            let entity = entities::principal(question.caller, false)?;
            if entity.uid() != base.principal {
                unnamed = Some(entity.uid());
                added.push(entity);
            }
        }
        let mut pairs = Vec::new();
        for (row, view) in &needs.fixed {
            pairs.extend(fixed(question, *row, *view)?);
        }
        for keys in needs.tags.chunk_by(|(family, view, _), (f, v, _)| family == f && view == v) {
            let Some((family, view, _)) = keys.first() else { continue };
            let name = family_attribute(*family, *view);
            let uid = entities::uid("Tags", name)?;
            pairs.push((name.to_owned(), RestrictedExpression::new_entity_uid(uid.clone())));
            let tags = tags(question, *view, keys)?;
            if !tags.is_empty() {
                added.push(entities::entity(uid, Vec::new(), Vec::new(), tags)?);
            }
        }
        pairs.extend(other(question, needs, ambiguous)?);
        let failed = |error: &dyn core::fmt::Display| Unevaluable(error.to_string());
        let context = Context::from_pairs(pairs).map_err(|error| failed(&error))?;
        let entities = if added.is_empty() {
            None
        } else {
            Some(base.entities.clone().add_entities(added, None).map_err(|error| failed(&error))?)
        };
        Ok(Self {
            action: entities::uid("Action", question.action)?,
            unnamed,
            entities,
            context,
            base,
        })
    }

    pub(crate) fn request(&self, principal: &EntityUid) -> Result<Request, Unevaluable> {
        Request::new(
            principal.clone(),
            self.action.clone(),
            self.base.resource.clone(),
            self.context.clone(),
            None,
        )
        .map_err(|error| Unevaluable(error.to_string()))
    }

    pub(crate) fn entities(&self) -> &Entities {
        self.entities.as_ref().unwrap_or(&self.base.entities)
    }
}

/// The union of what several slices read.
#[derive(Default)]
pub(crate) struct Needed<'n> {
    fixed: Vec<(usize, View)>,
    tags: Vec<(Family, View, &'n ConditionKey)>,
    atoms: BTreeMap<&'n str, &'n crate::condition::native::Atom>,
    boundary: bool,
    ambiguous: bool,
}

impl<'n> Needed<'n> {
    pub(crate) fn of(all: impl IntoIterator<Item = &'n Needs>) -> Self {
        let mut needed = Self::default();
        for needs in all {
            needed.fixed.extend(&needs.fixed);
            for ((family, view), keys) in &needs.tags {
                needed.tags.extend(keys.iter().map(|key| (*family, *view, key)));
            }
            needed.atoms.extend(needs.atoms.iter().map(|(id, atom)| (id.as_str(), atom)));
            needed.boundary |= needs.boundary;
            needed.ambiguous |= needs.ambiguous;
        }
        needed.fixed.sort_unstable();
        needed.fixed.dedup();
        needed.tags.sort_unstable();
        needed.tags.dedup();
        needed
    }
}

type Pair = (String, RestrictedExpression);

/// A condition key in one of its forms; `None` where the request does not carry it.
pub(crate) fn fixed(
    question: &Question<'_>,
    row: usize,
    view: View,
) -> Result<Option<Pair>, Unevaluable> {
    let Some(key) = KEYS.get(row) else {
        return Err(Unevaluable("a condition key is not in the table".to_owned()));
    };
    let value = match look_up_row(question, row).map_err(Unevaluable)? {
        None => None,
        Some(Seen::One(value)) => form(&value, view),
        Some(Seen::Many(values)) => values
            .iter()
            .map(|value| form(value, view))
            .collect::<Option<Vec<_>>>()
            .map(RestrictedExpression::new_set),
    };
    Ok(value.map(|value| (format!("{}{}", key.name, view.suffix()), value)))
}

/// `None` where the value does not have the form.
pub(crate) fn form(value: &str, view: View) -> Option<RestrictedExpression> {
    Some(match view {
        View::Text => entities::text(value),
        View::Lower => entities::text(&value.to_lowercase()),
        View::Number => {
            let number = value::Decimal::parse(value).filter(|number| number.is_whole())?;
            RestrictedExpression::new_long(number.floor())
        }
        View::Time => RestrictedExpression::new_long(value::time_ms(value)?),
        View::Ip => RestrictedExpression::new_ip(value::address(value)?.to_string()),
    })
}

fn tags(
    question: &Question<'_>,
    view: View,
    keys: &[(Family, View, &ConditionKey)],
) -> Result<Vec<Pair>, Unevaluable> {
    let mut tags = Vec::new();
    for (_, _, key) in keys {
        if let Some(Seen::One(value)) = look_up(question, key).map_err(Unevaluable)? {
            tags.extend(form(&value, view).map(|value| (key.tag().to_owned(), value)));
        }
    }
    Ok(tags)
}

fn other(
    question: &Question<'_>,
    needs: &Needed<'_>,
    ambiguous: &BTreeSet<String>,
) -> Result<Vec<Pair>, Unevaluable> {
    let mut pairs = Vec::new();
    if needs.boundary {
        pairs.push((
            "hasBoundary".to_owned(),
            RestrictedExpression::new_bool(question.boundary.is_some()),
        ));
    }
    if needs.ambiguous {
        pairs.push(("ambiguous".to_owned(), entities::texts(ambiguous.iter().map(String::as_str))));
    }
    if !needs.atoms.is_empty() {
        let mut holding = Vec::new();
        for (id, atom) in &needs.atoms {
            if atom.holds(question).map_err(Unevaluable)? {
                holding.push(*id);
            }
        }
        pairs.push(("atoms".to_owned(), entities::texts(holding)));
    }
    Ok(pairs)
}
