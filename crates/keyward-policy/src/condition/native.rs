//! Atoms: tests that Cedar's language cannot say, evaluated here and handed to Cedar as one truth.
//!
//! Cedar has no `?` wildcard, joins no texts, and cannot ask something of each element of a set.
//! Such a test gets a name made of its content; the request carries the names of those that hold, and the
//! policy asks `context.atoms.contains("a:…")`.
//!
//! INVARIANT: only what `emit.rs` cannot express comes here.

use super::{
    Operands, Quantifier, Test,
    operators::{Comparison, Shape},
    value,
};
use crate::{
    keys::{ConditionKey, Seen, look_up},
    pattern::Pattern,
    question::Question,
};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// What an atom asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Atom {
    Condition(Test),
    /// The resource's ARN fits a pattern with `?` or variables.
    Resource(Pattern),
}

impl Atom {
    /// The same question has the same name in every document.
    pub(crate) fn id(&self) -> String {
        let content = match self {
            Self::Condition(test) => {
                format!(
                    "{:?}",
                    (
                        test.operator.name,
                        test.quantifier,
                        test.if_exists,
                        &test.key,
                        &test.operands
                    )
                )
            }
            Self::Resource(pattern) => format!("resource {pattern:?}"),
        };
        let digest = Sha256::digest(content.as_bytes());
        digest.iter().take(16).fold(String::from("a:"), |id, byte| format!("{id}{byte:02x}"))
    }

    pub(crate) fn holds(&self, question: &Question<'_>) -> Result<bool, String> {
        match self {
            Self::Condition(test) => condition_holds(test, question),
            Self::Resource(pattern) => {
                let arn = question.resource.arn();
                let resolved = resolve(pattern, arn.chars().count(), question)?;
                Ok(resolved.is_some_and(|pattern| pattern.fits_arn(arn)))
            }
        }
    }
}

pub(crate) fn condition_holds(test: &Test, question: &Question<'_>) -> Result<bool, String> {
    let values = match look_up(question, &test.key)? {
        None => return Ok(test.holds_absent()),
        Some(Seen::One(value)) => vec![value],
        Some(Seen::Many(values)) => values,
    };
    if values.is_empty() {
        return Ok(test.holds_absent());
    }
    let hits = hits(test, question, &values)?.into_iter().filter(|hit| *hit).count();
    Ok(match (test.quantifier, test.operator.negated) {
        (None | Some(Quantifier::Any), false) => hits > 0,
        (None | Some(Quantifier::All), true) => hits == 0,
        (Some(Quantifier::All), false) => hits == values.len(),
        (Some(Quantifier::Any), true) => hits < values.len(),
    })
}

/// Of each value of the request, whether the positive form of the operator holds of it.
fn hits(
    test: &Test,
    question: &Question<'_>,
    values: &[Cow<'_, str>],
) -> Result<Vec<bool>, String> {
    let Operands::Texts(texts) = &test.operands else {
        return Ok(values.iter().map(|have| typed_fits(test, have)).collect());
    };
    let folded = matches!(test.operator.shape, Shape::Text(Comparison::EqualFolded) | Shape::Bool);
    let values: Vec<Cow<'_, str>> = values
        .iter()
        .map(|have| if folded { Cow::Owned(have.to_lowercase()) } else { Cow::Borrowed(&**have) })
        .collect();
    let longest = values.iter().map(|have| have.chars().count()).max().unwrap_or_default();
    let mut hits = vec![false; values.len()];
    // One after the other: what the variables of all together stand for may be long.
    for text in texts {
        // What cannot be replaced fits nothing.
        let Some(pattern) = resolve(text, longest, question)? else { continue };
        let literal = if folded { pattern.literal() } else { None };
        for (hit, have) in hits.iter_mut().zip(&values) {
            *hit = *hit
                || match test.operator.shape {
                    Shape::Text(Comparison::Equal | Comparison::Like) => pattern.fits(have),
                    Shape::Text(Comparison::EqualFolded) | Shape::Bool => {
                        literal.as_ref().is_some_and(|want| want.to_lowercase() == **have)
                    }
                    Shape::Arn => fits_arn(&pattern, have),
                    _ => false,
                };
        }
    }
    Ok(hits)
}

/// Whether the positive form of an operator that compares no texts holds of one value.
fn typed_fits(test: &Test, have: &str) -> bool {
    match (test.operator.shape, &test.operands) {
        (Shape::Number(order), Operands::Numbers(wanted)) => value::Decimal::parse(have)
            .is_some_and(|have| wanted.iter().any(|want| value::ordered(&have, order, want))),
        (Shape::Time(order), Operands::Times(wanted)) => value::time_ms(have)
            .is_some_and(|have| wanted.iter().any(|want| value::ordered(&have, order, want))),
        (Shape::Ip, Operands::Networks(wanted)) => {
            value::address(have).is_some_and(|have| wanted.iter().any(|want| want.contains(&have)))
        }
        (Shape::Binary, Operands::Bytes(wanted)) => {
            value::bytes(have).is_some_and(|have| wanted.contains(&have))
        }
        _ => false,
    }
}

/// `*` alone is any ARN.
fn fits_arn(pattern: &Pattern, have: &str) -> bool {
    if pattern.0 == [crate::pattern::Piece::Star] {
        have.splitn(6, ':').count() == 6
    } else {
        pattern.fits_arn(have)
    }
}

/// `longest`: characters of the longest text that the pattern is for.
pub(crate) fn resolve(
    pattern: &Pattern,
    longest: usize,
    question: &Question<'_>,
) -> Result<Option<Pattern>, String> {
    let mut failed = None;
    let resolved =
        pattern.resolve(longest, &mut |key: &ConditionKey| match look_up(question, key) {
            Ok(Some(Seen::One(value))) => Some(Cow::Owned(value.into_owned())),
            Ok(_) => None,
            Err(why) => {
                failed = Some(why);
                None
            }
        });
    failed.map_or(Ok(resolved), Err)
}
