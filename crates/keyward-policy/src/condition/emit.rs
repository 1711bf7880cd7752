//! A test as a Cedar expression.
//!
//! Positive operators are `present && (one || other …)`; negated ones are the complement of that.
//! What Cedar cannot say becomes an atom (`native.rs`).
//!
//! INVARIANT: every expression passes strict validation against `policies/schema`, so that Cedar can raise
//! no type error or missing attribute while it evaluates.

use super::{
    Operands, Quantifier, Test,
    native::Atom,
    operators::{Comparison, Order, Shape},
    value::Decimal,
};
use crate::{
    build::{self, Node},
    keys::{ConditionKey, Family, Kind, Place},
    pattern::{Pattern, Piece},
};
use std::collections::{BTreeMap, BTreeSet};

/// The form in which a key's value is put before Cedar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum View {
    Text,
    /// In lower case.
    Lower,
    /// A Cedar Long.
    Number,
    /// A Cedar Long: milliseconds since 1970.
    Time,
    /// Cedar's ipaddr.
    Ip,
}

impl View {
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::Lower => "#lower",
            Self::Number => "#number",
            Self::Time => "#time",
            Self::Ip => "#ip",
        }
    }
}

/// What a set of Cedar policies reads, and therefore what a request must carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Rows of `KEYS`.
    pub(crate) fixed: BTreeSet<(usize, View)>,
    /// Tags that are read, by family and view.
    pub(crate) tags: BTreeMap<(Family, View), BTreeSet<ConditionKey>>,
    pub(crate) atoms: BTreeMap<String, Atom>,
    pub(crate) boundary: bool,
    /// Names of keys whose certainty is asked for.
    pub(crate) ambiguous: bool,
}

impl Needs {
    /// Adds what another reads.
    fn take(&mut self, other: Self) {
        self.fixed.extend(other.fixed);
        for (place, keys) in other.tags {
            self.tags.entry(place).or_default().extend(keys);
        }
        self.atoms.extend(other.atoms);
        self.boundary |= other.boundary;
        self.ambiguous |= other.ambiguous;
    }
}

/// The context attribute that holds a family's entity.
pub(crate) const fn family_attribute(family: Family, view: View) -> &'static str {
    match (family, view) {
        (Family::EncryptionContext, View::Lower) => "encryptionContextLower",
        (Family::EncryptionContext, _) => "encryptionContext",
        (Family::PrincipalTag, View::Lower) => "principalTagsLower",
        (Family::PrincipalTag, _) => "principalTags",
        (Family::ResourceTag, View::Lower) => "resourceTagsLower",
        (Family::ResourceTag, _) => "resourceTags",
        (Family::RequestTag, View::Lower) => "requestTagsLower",
        (Family::RequestTag, _) => "requestTags",
        (Family::Other, View::Lower) => "otherFactsLower",
        (Family::Other, _) => "otherFacts",
    }
}

/// The whole test. `guard`: compile the rule for keys that the request carries in two spellings.
pub(crate) fn test(test: &Test, allow: bool, guard: bool, needs: &mut Needs) -> Node {
    let plain =
        native_form(test, needs).unwrap_or_else(|| atom(Atom::Condition(test.clone()), needs));
    if guard { guarded(plain, test.keys(), allow, needs) } else { plain }
}

/// A statement that looks at an ambiguous key never allows and always denies.
pub(crate) fn guarded<'k>(
    plain: Node,
    keys: impl Iterator<Item = &'k ConditionKey>,
    allow: bool,
    needs: &mut Needs,
) -> Node {
    let doubtful: Vec<Node> = keys
        .map(|key| build::contains(build::context("ambiguous"), build::text(&key.name)))
        .collect();
    if doubtful.is_empty() {
        return plain;
    }
    needs.ambiguous = true;
    let doubt = build::any(doubtful);
    if allow { build::and(build::not(doubt), plain) } else { build::or(doubt, plain) }
}

pub(crate) fn atom(atom: Atom, needs: &mut Needs) -> Node {
    let id = atom.id();
    let node = build::contains(build::context("atoms"), build::text(&id));
    needs.atoms.insert(id, atom);
    node
}

fn native_form(test: &Test, needs: &mut Needs) -> Option<Node> {
    // Needs are recorded apart, so that an attempt that ends as an atom leaves nothing behind.
    let mut tried = Needs::default();
    let node =
        if test.key.is_multivalued() { many(test, &mut tried)? } else { single(test, &mut tried)? };
    needs.take(tried);
    Some(node)
}

/// A key with several values: only whole-set questions are native.
fn many(test: &Test, needs: &mut Needs) -> Option<Node> {
    let view = match test.operator.shape {
        Shape::Text(Comparison::Equal) | Shape::Null => View::Text,
        Shape::Text(Comparison::EqualFolded) => View::Lower,
        _ => return None,
    };
    let wanted =
        match &test.operands {
            Operands::Absent(_) => None,
            Operands::Texts(patterns) if !patterns.is_empty() => {
                let texts: Option<Vec<String>> = patterns.iter().map(Pattern::literal).collect();
                Some(build::texts(texts?.iter().map(|text| {
                    if view == View::Lower { text.to_lowercase() } else { text.clone() }
                })))
            }
            _ => return None,
        };
    let has = has(&test.key, view, needs);
    let have = get(&test.key, view, needs);
    let present = build::and(has, build::not(build::is_empty(have.clone())));
    let Some(wanted) = wanted else {
        return Some(if test.holds_absent() { build::not(present) } else { present });
    };
    let some_hit = build::contains_any(have.clone(), wanted.clone());
    let all_hit = build::contains_all(wanted, have);
    let holds = match (test.quantifier, test.operator.negated) {
        (None | Some(Quantifier::Any), false) => some_hit,
        (None | Some(Quantifier::All), true) => build::not(some_hit),
        (Some(Quantifier::All), false) => all_hit,
        (Some(Quantifier::Any), true) => build::not(all_hit),
    };
    Some(build::choose(present, holds, test.holds_absent()))
}

fn single(test: &Test, needs: &mut Needs) -> Option<Node> {
    if let Operands::Absent(absent) = test.operands {
        let has = has(&test.key, View::Text, needs);
        return Some(if absent { build::not(has) } else { has });
    }
    let (view, hits) = hits(test, needs)?;
    let hit = build::any(hits);
    let holds = if test.operator.negated { build::not(hit) } else { hit };
    let readable = has(&test.key, view, needs);
    if matches!(view, View::Text | View::Lower) {
        return Some(build::choose(readable, holds, test.holds_absent()));
    }
    // A value may have no such form: a number with a fraction, a time that is none. Then it is compared here.
    let otherwise = atom(Atom::Condition(test.clone()), needs);
    Some(build::if_then_else(readable, holds, otherwise))
}

/// For each value of the policy, whether the request's value fits; and the view they read.
fn hits(test: &Test, needs: &mut Needs) -> Option<(View, Vec<Node>)> {
    let kind = test.key.row().map_or(Kind::Text, |row| row.kind);
    let key = &test.key;
    match (test.operator.shape, &test.operands) {
        (Shape::Text(Comparison::Equal), Operands::Texts(patterns)) => {
            texts(key, View::Text, patterns, equal, needs)
        }
        (Shape::Text(Comparison::Like), Operands::Texts(patterns)) => {
            texts(key, View::Text, patterns, like, needs)
        }
        (Shape::Text(Comparison::EqualFolded) | Shape::Bool, Operands::Texts(patterns)) => {
            texts(key, View::Lower, patterns, equal, needs)
        }
        (Shape::Arn, Operands::Texts(patterns)) => arns(key, patterns, needs),
        (Shape::Number(order), Operands::Numbers(wanted))
            if matches!(kind, Kind::Number | Kind::Epoch) =>
        {
            let have = get(key, View::Number, needs);
            Some((
                View::Number,
                wanted.iter().map(|want| number(have.clone(), order, *want)).collect(),
            ))
        }
        (Shape::Time(order), Operands::Times(wanted))
            if matches!(kind, Kind::Time | Kind::Epoch) =>
        {
            let have = get(key, View::Time, needs);
            Some((
                View::Time,
                wanted.iter().map(|want| build::ordered(have.clone(), order, *want)).collect(),
            ))
        }
        (Shape::Ip, Operands::Networks(wanted)) if kind == Kind::Ip => {
            let have = get(key, View::Ip, needs);
            Some((
                View::Ip,
                wanted.iter().map(|net| build::in_range(have.clone(), &net.to_string())).collect(),
            ))
        }
        _ => None,
    }
}

type TextHit = fn(Node, &Pattern) -> Option<Node>;

fn texts(
    key: &ConditionKey,
    view: View,
    patterns: &[Pattern],
    hit: TextHit,
    needs: &mut Needs,
) -> Option<(View, Vec<Node>)> {
    let have = get(key, view, needs);
    let mut hits = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        hits.push(match pattern.lone_variable() {
            Some((variable, default)) => {
                equals_variable(have.clone(), variable, default, view, needs)
            }
            None => hit(have.clone(), &folded(pattern, view))?,
        });
    }
    Some((view, hits))
}

/// An ARN pattern in a variable's value would need its parts cut while evaluating: an atom.
fn arns(key: &ConditionKey, patterns: &[Pattern], needs: &mut Needs) -> Option<(View, Vec<Node>)> {
    if patterns.iter().any(|pattern| pattern.lone_variable().is_some()) {
        return None;
    }
    texts(key, View::Text, patterns, arn, needs)
}

fn folded(pattern: &Pattern, view: View) -> Pattern {
    if view != View::Lower {
        return pattern.clone();
    }
    let fold = |piece: &Piece| match piece {
        Piece::Char(c) => c.to_lowercase().map(Piece::Char).collect::<Vec<_>>(),
        other => vec![other.clone()],
    };
    Pattern(pattern.0.iter().flat_map(fold).collect())
}

fn equals_variable(
    have: Node,
    variable: &ConditionKey,
    default: Option<&str>,
    view: View,
    needs: &mut Needs,
) -> Node {
    let has = has(variable, view, needs);
    let value = get(variable, view, needs);
    match default {
        None => build::and(has, build::equal(have, value)),
        Some(default) => {
            let default =
                if view == View::Lower { default.to_lowercase() } else { default.to_owned() };
            build::equal(have, build::if_then_else(has, value, build::text(&default)))
        }
    }
}

fn equal(have: Node, pattern: &Pattern) -> Option<Node> {
    pattern.literal().map(|want| build::equal(have, build::text(&want)))
}

fn like(have: Node, pattern: &Pattern) -> Option<Node> {
    equal(have.clone(), pattern).or_else(|| pattern.is_like().then(|| build::like(have, pattern)))
}

/// Native when no wildcard stands before the fifth colon: then the parts need not be told apart.
fn arn(have: Node, pattern: &Pattern) -> Option<Node> {
    let parts = pattern.arn_parts()?;
    let literal_head = parts.iter().take(5).all(|part| part.literal().is_some());
    if literal_head { like(have, pattern) } else { None }
}

/// A whole number against a decimal: the bound is moved to the whole number that says the same.
fn number(have: Node, order: Order, want: Decimal) -> Node {
    let floor = want.floor();
    match order {
        _ if want.is_whole() => build::ordered(have, order, floor),
        Order::Equal => build::never(),
        Order::Less | Order::LessOrEqual => build::ordered(have, Order::LessOrEqual, floor),
        Order::Greater | Order::GreaterOrEqual => build::ordered(have, Order::Greater, floor),
    }
}

fn has(key: &ConditionKey, view: View, needs: &mut Needs) -> Node {
    match key.place {
        Place::Fixed(row) => {
            needs.fixed.insert((row, view));
            build::has(&attribute(key, view))
        }
        Place::Tag(family) => {
            needs.tags.entry((family, view)).or_default().insert(key.clone());
            build::has_tag(build::context(family_attribute(family, view)), key.tag())
        }
    }
}

fn get(key: &ConditionKey, view: View, needs: &mut Needs) -> Node {
    match key.place {
        Place::Fixed(row) => {
            needs.fixed.insert((row, view));
            build::context(&attribute(key, view))
        }
        Place::Tag(family) => {
            needs.tags.entry((family, view)).or_default().insert(key.clone());
            build::get_tag(build::context(family_attribute(family, view)), key.tag())
        }
    }
}

fn attribute(key: &ConditionKey, view: View) -> String {
    format!("{}{}", key.name, view.suffix())
}
