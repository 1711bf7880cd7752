//! TABLE: the condition operators.
//!
//! Names compare without case. A negated operator is the exact complement of its positive one, and
//! therefore holds when the key is absent.

use super::Quantifier;

/// How texts compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    EqualFolded,
    Like,
}

/// How numbers and times compare: request's value, then the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Text(Comparison),
    Number(Order),
    Time(Order),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// One operator.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// As AWS spells it.
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) negated: bool,
}

const fn yes(name: &'static str, shape: Shape) -> Operator {
    Operator { name, shape, negated: false }
}

const fn no(name: &'static str, shape: Shape) -> Operator {
    Operator { name, shape, negated: true }
}

pub(crate) const OPERATORS: &[Operator] = &[
    yes("StringEquals", Shape::Text(Comparison::Equal)),
    no("StringNotEquals", Shape::Text(Comparison::Equal)),
    yes("StringEqualsIgnoreCase", Shape::Text(Comparison::EqualFolded)),
    no("StringNotEqualsIgnoreCase", Shape::Text(Comparison::EqualFolded)),
    yes("StringLike", Shape::Text(Comparison::Like)),
    no("StringNotLike", Shape::Text(Comparison::Like)),
    yes("NumericEquals", Shape::Number(Order::Equal)),
    no("NumericNotEquals", Shape::Number(Order::Equal)),
    yes("NumericLessThan", Shape::Number(Order::Less)),
    yes("NumericLessThanEquals", Shape::Number(Order::LessOrEqual)),
    yes("NumericGreaterThan", Shape::Number(Order::Greater)),
    yes("NumericGreaterThanEquals", Shape::Number(Order::GreaterOrEqual)),
    yes("DateEquals", Shape::Time(Order::Equal)),
    no("DateNotEquals", Shape::Time(Order::Equal)),
    yes("DateLessThan", Shape::Time(Order::Less)),
    yes("DateLessThanEquals", Shape::Time(Order::LessOrEqual)),
    yes("DateGreaterThan", Shape::Time(Order::Greater)),
    yes("DateGreaterThanEquals", Shape::Time(Order::GreaterOrEqual)),
    yes("Bool", Shape::Bool),
    yes("BinaryEquals", Shape::Binary),
    yes("IpAddress", Shape::Ip),
    no("NotIpAddress", Shape::Ip),
    yes("ArnEquals", Shape::Arn),
    no("ArnNotEquals", Shape::Arn),
    yes("ArnLike", Shape::Arn),
    no("ArnNotLike", Shape::Arn),
    yes("Null", Shape::Null),
];

/// The operator that a document names, with its prefix and suffix.
pub(crate) fn parse(text: &str) -> Result<(&'static Operator, Option<Quantifier>, bool), String> {
    let unknown = || format!("unknown condition operator {text}");
    let (quantifier, rest) = match text.split_once(':') {
        None => (None, text),
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("ForAllValues") => {
            (Some(Quantifier::All), rest)
        }
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("ForAnyValue") => {
            (Some(Quantifier::Any), rest)
        }
        Some(_) => return Err(unknown()),
    };
    let folded = rest.to_ascii_lowercase();
    let (name, if_exists) = match folded.strip_suffix("ifexists") {
        Some(name) => (name.to_owned(), true),
        None => (folded, false),
    };
    let operator =
        OPERATORS.iter().find(|row| row.name.eq_ignore_ascii_case(&name)).ok_or_else(unknown)?;
    if operator.shape == Shape::Null && (if_exists || quantifier.is_some()) {
        return Err("Null takes neither IfExists nor a set prefix".to_owned());
    }
    Ok((operator, quantifier, if_exists))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_read_with_prefix_and_suffix() {
        let (operator, quantifier, if_exists) =
            parse("forallvalues:STRINGNOTLIKEIfExists").unwrap();
        assert_eq!(
            (operator.name, quantifier, if_exists),
            ("StringNotLike", Some(Quantifier::All), true)
        );
        for bad in [
            "",
            "StringEqual",
            "ForSomeValues:StringEquals",
            "NullIfExists",
            "ForAnyValue:Null",
            "IfExists",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
