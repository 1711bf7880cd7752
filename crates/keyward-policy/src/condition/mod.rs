//! Conditions: a test of one key by one operator, parsed and typed.
//!
//! `operators.rs` is the table, `emit.rs` turns a test into Cedar, `native.rs` evaluates the few that
//! Cedar cannot say (atoms).
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

pub(crate) mod emit;
pub(crate) mod native;
pub(crate) mod operators;
pub(crate) mod value;

use crate::{
    keys::{ConditionKey, Family, Place},
    pattern::{Pattern, Syntax},
};
use ipnet::IpNet;
use operators::{Comparison, Operator, Shape};
use value::Decimal;

/// `ForAllValues:` or `ForAnyValue:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantifier {
    All,
    Any,
}

/// The values a policy compares with, typed by the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operands {
    Texts(Vec<Pattern>),
    Numbers(Vec<Decimal>),
    /// Milliseconds since 1970.
    Times(Vec<i64>),
    Networks(Vec<IpNet>),
    Bytes(Vec<Vec<u8>>),
    /// Whether the key is to be absent.
    Absent(bool),
}

/// One key under one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) operator: &'static Operator,
    pub(crate) quantifier: Option<Quantifier>,
    pub(crate) if_exists: bool,
    pub(crate) key: ConditionKey,
    pub(crate) operands: Operands,
    /// As the document spells them, for explanations.
    pub(crate) operator_text: String,
    pub(crate) key_text: String,
    pub(crate) value_texts: Vec<String>,
}

impl Test {
    /// `variables`: whether the document's version has policy variables.
    pub(crate) fn parse(
        operator_text: &str,
        key_text: &str,
        values: &[ConditionValue],
        variables: bool,
    ) -> Result<Self, String> {
        let (operator, quantifier, if_exists) = operators::parse(operator_text)?;
        let key = ConditionKey::parse(key_text)
            .ok_or_else(|| format!("unknown condition key {key_text}"))?;
        if values.iter().any(|value| value.inexact) && !matches!(operator.shape, Shape::Number(_)) {
            return Err(format!("{operator_text} of {key_text} needs its values in quotes"));
        }
        let texts: Vec<String> = values.iter().map(|value| value.text.clone()).collect();
        let operands = operands(operator, &texts, variables)?;
        Ok(Self {
            operator,
            quantifier,
            if_exists,
            key,
            operands,
            operator_text: operator_text.to_owned(),
            key_text: key_text.to_owned(),
            value_texts: texts,
        })
    }

    /// Every key that the outcome depends on.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &ConditionKey> {
        let patterns =
            if let Operands::Texts(patterns) = &self.operands { patterns.as_slice() } else { &[] };
        std::iter::once(&self.key).chain(patterns.iter().flat_map(Pattern::variables))
    }

    /// `ForAllValues` of a pair of the encryption context or a tag of the request, which holds without it.
    /// KMS takes no key policy with such a test; other documents may have it.
    pub(crate) fn is_overly_permissive(&self) -> bool {
        self.quantifier == Some(Quantifier::All)
            && matches!(self.key.place, Place::Tag(Family::EncryptionContext | Family::RequestTag))
    }

    /// Whether the test holds when the key is absent.
    pub(crate) fn holds_absent(&self) -> bool {
        match (&self.operands, self.quantifier) {
            (Operands::Absent(absent), _) => *absent,
            _ if self.if_exists => true,
            (_, Some(Quantifier::All)) => true,
            (_, Some(Quantifier::Any)) => false,
            (_, None) => self.operator.negated,
        }
    }
}

/// A value as JSON had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConditionValue {
    pub(crate) text: String,
    /// A JSON number that is no integer: its text is ours, not the document's.
    pub(crate) inexact: bool,
}

fn operands(operator: &Operator, texts: &[String], variables: bool) -> Result<Operands, String> {
    let each = |syntax: Syntax| -> Result<Vec<Pattern>, String> {
        texts.iter().map(|text| Pattern::parse(text, syntax)).collect()
    };
    let bad = |text: &String, what: &str| format!("{text} is not {what}");
    Ok(match operator.shape {
        Shape::Text(Comparison::Equal | Comparison::EqualFolded) => {
            Operands::Texts(each(Syntax { variables, wildcards: false })?)
        }
        Shape::Text(Comparison::Like) => {
            Operands::Texts(each(Syntax { variables, wildcards: true })?)
        }
        Shape::Bool => {
            let patterns = each(Syntax { variables, wildcards: false })?;
            for (pattern, text) in patterns.iter().zip(texts) {
                let known = pattern
                    .literal()
                    .is_none_or(|text| matches!(text.to_lowercase().as_str(), "true" | "false"));
                if !known {
                    return Err(bad(text, "true or false"));
                }
            }
            Operands::Texts(patterns)
        }
        Shape::Arn => {
            let patterns = each(Syntax { variables, wildcards: true })?;
            for (pattern, text) in patterns.iter().zip(texts) {
                check_arn(pattern).map_err(|why| format!("{text} {why}"))?;
            }
            Operands::Texts(patterns)
        }
        Shape::Number(_) => Operands::Numbers(
            texts
                .iter()
                .map(|t| Decimal::parse(t).ok_or_else(|| bad(t, "a number")))
                .collect::<Result<_, _>>()?,
        ),
        Shape::Time(_) => Operands::Times(
            texts
                .iter()
                .map(|t| value::time_ms(t).ok_or_else(|| bad(t, "a time")))
                .collect::<Result<_, _>>()?,
        ),
        Shape::Ip => Operands::Networks(
            texts
                .iter()
                .map(|t| value::network(t).ok_or_else(|| bad(t, "an IP address or range")))
                .collect::<Result<_, _>>()?,
        ),
        Shape::Binary => Operands::Bytes(
            texts
                .iter()
                .map(|t| value::bytes(t).ok_or_else(|| bad(t, "base64")))
                .collect::<Result<_, _>>()?,
        ),
        Shape::Null => match texts {
            [text] if text.eq_ignore_ascii_case("true") => Operands::Absent(true),
            [text] if text.eq_ignore_ascii_case("false") => Operands::Absent(false),
            _ => return Err("Null takes one value, true or false".to_owned()),
        },
    })
}

/// An ARN operand has six parts; `*` alone is any ARN, and a lone variable brings its parts with it.
fn check_arn(pattern: &Pattern) -> Result<(), &'static str> {
    if pattern.lone_variable().is_some()
        || pattern.literal().is_none() && pattern.0 == [crate::pattern::Piece::Star]
    {
        return Ok(());
    }
    pattern.arn_parts().map(|_| ()).ok_or("is not an ARN")
}
