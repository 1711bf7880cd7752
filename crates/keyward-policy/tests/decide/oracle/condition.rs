//! Conditions: every operator, key by key.

use super::{
    Kind, Oracle,
    grammar::{self, list, scalar},
    text::{self, Number, Token},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use core::cmp::Ordering;
use serde_json::Value;

impl Oracle<'_> {
    /// All operators and all keys must hold.
    pub(super) fn conditions(
        &self,
        statement: &Value,
        kind: Kind,
        allow: bool,
        variables: bool,
    ) -> bool {
        let operators = statement["Condition"].as_object().into_iter().flatten();
        operators
            .flat_map(|(operator, keys)| {
                keys.as_object().into_iter().flatten().map(move |pair| (operator, pair))
            })
            .all(|(operator, (key, values))| {
                let wanted: Vec<String> = list(values).into_iter().filter_map(scalar).collect();
                self.condition(operator, &key.to_lowercase(), &wanted, (kind, allow, variables))
            })
    }

    fn condition(
        &self,
        operator: &str,
        key: &str,
        wanted: &[String],
        (kind, allow, variables): (Kind, bool, bool),
    ) -> bool {
        let (quantifier, base, if_exists) = grammar::operator(operator).expect("a known operator");
        let of_text = base.starts_with("string") || base.starts_with("arn") || base == "bool";
        let variables = variables && of_text;
        let looked_at = wanted.iter().flat_map(|value| text::variables(value, variables));
        if self.is_doubtful(looked_at.chain([key.to_owned()])) {
            return !allow;
        }
        let have = self.values(key, kind);
        if base == "null" {
            return wanted.iter().any(|want| want.eq_ignore_ascii_case("true") == have.is_empty());
        }
        let (positive, negated) = match base.as_str() {
            "stringnotequals" => ("stringequals", true),
            "stringnotequalsignorecase" => ("stringequalsignorecase", true),
            "stringnotlike" => ("stringlike", true),
            "numericnotequals" => ("numericequals", true),
            "datenotequals" => ("dateequals", true),
            "notipaddress" => ("ipaddress", true),
            "arnnotequals" => ("arnequals", true),
            "arnnotlike" => ("arnlike", true),
            other => (other, false),
        };
        if have.is_empty() {
            return match quantifier.as_str() {
                _ if if_exists => true,
                "forallvalues" => true,
                "foranyvalue" => false,
                _ => negated,
            };
        }
        let passes = |have: &String| {
            let hit = wanted.iter().any(|want| self.fits(positive, want, have, variables));
            hit != negated
        };
        match quantifier.as_str() {
            "forallvalues" => have.iter().all(passes),
            "foranyvalue" => have.iter().any(passes),
            _ if negated => have.iter().all(passes),
            _ => have.iter().any(passes),
        }
    }

    /// Whether one value of the request fits one value of the policy.
    fn fits(&self, operator: &str, want: &str, have: &str, variables: bool) -> bool {
        let value = |name: &str| self.single(name);
        let tokens = |wildcards| text::replaced(want, variables, wildcards, &value);
        match operator {
            "stringequals" => tokens(false).is_some_and(|want| text::fits(&want, have)),
            "stringlike" => tokens(true).is_some_and(|want| text::fits(&want, have)),
            "stringequalsignorecase" | "bool" => {
                tokens(false).is_some_and(|want| text::fits(&folded(&want), &have.to_lowercase()))
            }
            "arnequals" | "arnlike" if want == "*" => have.split(':').count() >= 6,
            "arnequals" | "arnlike" => tokens(true).is_some_and(|want| text::fits_arn(&want, have)),
            "ipaddress" => text::in_network(want, have),
            "binaryequals" => match (STANDARD.decode(want), STANDARD.decode(have)) {
                (Ok(want), Ok(have)) => want == have,
                _ => false,
            },
            _ => {
                let (order, wanted) = match operator.strip_prefix("numeric") {
                    Some(wanted) => (numbers(have, want), wanted),
                    None => (times(have, want), operator.trim_start_matches("date")),
                };
                order.is_some_and(|order| stands(order, wanted))
            }
        }
    }
}

fn folded(tokens: &[Token]) -> Vec<Token> {
    let fold = |token: &Token| match token {
        Token::Char(c) => c.to_lowercase().map(Token::Char).collect(),
        other => vec![*other],
    };
    tokens.iter().flat_map(fold).collect()
}

fn numbers(have: &str, want: &str) -> Option<Ordering> {
    Some(Number::parse(have)?.compare(&Number::parse(want)?))
}

fn times(have: &str, want: &str) -> Option<Ordering> {
    Some(text::time(have)?.cmp(&text::time(want)?))
}

fn stands(order: Ordering, wanted: &str) -> bool {
    match wanted {
        "equals" => order == Ordering::Equal,
        "lessthan" => order == Ordering::Less,
        "lessthanequals" => order != Ordering::Greater,
        "greaterthan" => order == Ordering::Greater,
        "greaterthanequals" => order != Ordering::Less,
        other => panic!("{other} is no comparison"),
    }
}
