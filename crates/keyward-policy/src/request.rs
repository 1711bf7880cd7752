//! The request that Cedar sees: only what the loaded policies read.
//!
//! INVARIANT: a value that a policy reads in a form it does not have (a number that is none) makes the
//! request impossible to decide, which denies.

use crate::{
    condition::{
        emit::{Needs, View, family_attribute},
        value,
    },
    entities,
    error::Unevaluable,
    keys::{ConditionKey, Family, KEYS, Place, Seen, look_up},
    question::Question,
};
use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use std::collections::{BTreeMap, BTreeSet};

/// Context and entities for one question, shared by every layer.
pub(crate) struct World {
    pub(crate) action: EntityUid,
    pub(crate) resource: EntityUid,
    pub(crate) principal: EntityUid,
    /// The caller as a policy sees it that was saved for an earlier principal of the same name.
    pub(crate) unnamed: Option<EntityUid>,
    pub(crate) entities: Vec<Entity>,
    context: Context,
}

impl World {
    pub(crate) fn build(question: &Question<'_>, needs: &Needed<'_>, ambiguous: &BTreeSet<String>) -> Result<Self, Unevaluable> {
        let principal = entities::principal(question.caller, true)?;
        let mut world = Self {
            action: entities::uid("Action", question.action)?,
            resource: entities::resource_uid(&question.resource)?,
            principal: principal.uid(),
            unnamed: None,
            entities: vec![principal],
            context: Context::empty(),
        };
        if question.key_policy_ignores_arns {
            let unnamed = entities::principal(question.caller, false)?;
            if unnamed.uid() != world.principal {
                world.unnamed = Some(unnamed.uid());
                world.entities.push(unnamed);
            }
        }
        if needs.resource {
            world.entities.push(entities::resource(question)?);
        }
        let mut pairs = Vec::new();
        for (row, view) in &needs.fixed {
            pairs.extend(fixed(question, *row, *view)?);
        }
        for ((family, view), keys) in &needs.tags {
            let name = family_attribute(*family, *view);
            let uid = entities::uid("Tags", name)?;
            pairs.push((name.to_owned(), RestrictedExpression::new_entity_uid(uid.clone())));
            let tags = tags(question, *view, keys)?;
            if !tags.is_empty() {
                world.entities.push(entities::entity(uid, Vec::new(), Vec::new(), tags)?);
            }
        }
        pairs.extend(other(question, needs, ambiguous)?);
        world.context = Context::from_pairs(pairs).map_err(|error| Unevaluable(error.to_string()))?;
        Ok(world)
    }

    pub(crate) fn request(&self, principal: &EntityUid) -> Result<Request, Unevaluable> {
        Request::new(principal.clone(), self.action.clone(), self.resource.clone(), self.context.clone(), None)
            .map_err(|error| Unevaluable(error.to_string()))
    }

    pub(crate) fn entities(&self, more: Vec<Entity>) -> Result<Entities, Unevaluable> {
        Entities::from_entities(self.entities.iter().cloned().chain(more), None).map_err(|error| Unevaluable(error.to_string()))
    }
}

/// The union of what several slices read.
#[derive(Default)]
pub(crate) struct Needed<'n> {
    fixed: BTreeSet<(usize, View)>,
    tags: BTreeMap<(Family, View), BTreeSet<&'n ConditionKey>>,
    atoms: BTreeMap<&'n str, &'n crate::condition::native::Atom>,
    resource: bool,
    boundary: bool,
    ambiguous: bool,
}

impl<'n> Needed<'n> {
    pub(crate) fn add(&mut self, needs: &'n Needs) {
        self.fixed.extend(&needs.fixed);
        for (place, keys) in &needs.tags {
            self.tags.entry(*place).or_default().extend(keys);
        }
        self.atoms.extend(needs.atoms.iter().map(|(id, atom)| (id.as_str(), atom)));
        self.resource |= needs.resource;
        self.boundary |= needs.boundary;
        self.ambiguous |= needs.ambiguous;
    }
}

type Pair = (String, RestrictedExpression);

fn fixed(question: &Question<'_>, row: usize, view: View) -> Result<Option<Pair>, Unevaluable> {
    let Some(key) = KEYS.get(row) else { return Err(Unevaluable("a condition key is not in the table".to_owned())) };
    let condition_key = ConditionKey { name: key.name.to_owned(), place: Place::Fixed(row) };
    let value = match look_up(question, &condition_key).map_err(Unevaluable)? {
        None => return Ok(None),
        Some(Seen::One(value)) => form(key.name, &value, view)?,
        Some(Seen::Many(values)) => {
            let forms: Vec<RestrictedExpression> = values.iter().map(|value| form(key.name, value, view)).collect::<Result<_, _>>()?;
            RestrictedExpression::new_set(forms)
        }
    };
    Ok(Some((format!("{}{}", key.name, view.suffix()), value)))
}

fn form(name: &str, value: &str, view: View) -> Result<RestrictedExpression, Unevaluable> {
    let none = || Unevaluable(format!("{name} has a value that is not of its kind"));
    Ok(match view {
        View::Text => entities::text(value),
        View::Lower => entities::text(&value.to_lowercase()),
        View::Number => {
            let number = value::Decimal::parse(value).filter(|number| number.is_whole()).ok_or_else(none)?;
            RestrictedExpression::new_long(number.floor())
        }
        View::Time => RestrictedExpression::new_long(value::time_ms(value).ok_or_else(none)?),
        View::Ip => RestrictedExpression::new_ip(value::address(value).ok_or_else(none)?.to_string()),
    })
}

fn tags(question: &Question<'_>, view: View, keys: &BTreeSet<&ConditionKey>) -> Result<Vec<Pair>, Unevaluable> {
    let mut tags = Vec::new();
    for key in keys {
        if let Some(Seen::One(value)) = look_up(question, key).map_err(Unevaluable)? {
            tags.push((key.tag().to_owned(), form(&key.name, &value, view)?));
        }
    }
    Ok(tags)
}

fn other(question: &Question<'_>, needs: &Needed<'_>, ambiguous: &BTreeSet<String>) -> Result<Vec<Pair>, Unevaluable> {
    let mut pairs = Vec::new();
    if needs.boundary {
        pairs.push(("hasBoundary".to_owned(), RestrictedExpression::new_bool(question.boundary.is_some())));
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
