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
            Self::Resource(pattern) => Ok(resolve(pattern, question)?
                .is_some_and(|pattern| pattern.fits_arn(question.resource.arn()))),
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
    let matcher = Matcher::new(test, question)?;
    let hits = values.iter().filter(|value| matcher.fits(value)).count();
    Ok(match (test.quantifier, test.operator.negated) {
        (None | Some(Quantifier::Any), false) => hits > 0,
        (None | Some(Quantifier::All), true) => hits == 0,
        (Some(Quantifier::All), false) => hits == values.len(),
        (Some(Quantifier::Any), true) => hits < values.len(),
    })
}

/// A test's values with their variables replaced; what cannot be replaced fits nothing.
struct Matcher<'t> {
    test: &'t Test,
    patterns: Vec<Pattern>,
}

impl<'t> Matcher<'t> {
    fn new(test: &'t Test, question: &Question<'_>) -> Result<Self, String> {
        let mut patterns = Vec::new();
        if let Operands::Texts(texts) = &test.operands {
            for text in texts {
                patterns.extend(resolve(text, question)?);
            }
        }
        Ok(Self { test, patterns })
    }

    /// Whether the positive form of the operator holds of one value.
    fn fits(&self, have: &str) -> bool {
        let any = |fits: &dyn Fn(&Pattern) -> bool| self.patterns.iter().any(fits);
        match (self.test.operator.shape, &self.test.operands) {
            (Shape::Text(Comparison::Equal | Comparison::Like), _) => {
                any(&|pattern| pattern.fits(have))
            }
            (Shape::Text(Comparison::EqualFolded) | Shape::Bool, _) => {
                let have = have.to_lowercase();
                any(&|pattern| pattern.literal().is_some_and(|want| want.to_lowercase() == have))
            }
            (Shape::Arn, _) => any(&|pattern| fits_arn(pattern, have)),
            (Shape::Number(order), Operands::Numbers(wanted)) => value::Decimal::parse(have)
                .is_some_and(|have| wanted.iter().any(|want| value::ordered(&have, order, want))),
            (Shape::Time(order), Operands::Times(wanted)) => value::time_ms(have)
                .is_some_and(|have| wanted.iter().any(|want| value::ordered(&have, order, want))),
            (Shape::Ip, Operands::Networks(wanted)) => value::address(have)
                .is_some_and(|have| wanted.iter().any(|want| want.contains(&have))),
            (Shape::Binary, Operands::Bytes(wanted)) => {
                value::bytes(have).is_some_and(|have| wanted.contains(&have))
            }
            _ => false,
        }
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

pub(crate) fn resolve(
    pattern: &Pattern,
    question: &Question<'_>,
) -> Result<Option<Pattern>, String> {
    let mut failed = None;
    let resolved = pattern.resolve(&mut |key: &ConditionKey| match look_up(question, key) {
        Ok(Some(Seen::One(value))) => Some(value.into_owned()),
        Ok(_) => None,
        Err(why) => {
            failed = Some(why);
            None
        }
    });
    failed.map_or(Ok(resolved), Err)
}
