//! What Cedar cannot say and the engine evaluates beside it (`condition/native.rs`), as formulas.
//!
//! Exact: numbers, times and addresses whatever form the request's value has, texts with `?`, ARNs with wildcards
//! in their head. Texts with variables beside other text, bytes, and patterns over several values stay unsaid.

use super::{Cell, Fact, Form, Formula, Order, globs};
use crate::{
    condition::{
        Operands, Test,
        native::Atom,
        operators::{self, Comparison, Shape},
        value::Decimal,
    },
    pattern::{Pattern, Piece},
};

/// `Err`: the words of what has no exact form.
pub(super) fn formula(atom: &Atom) -> Result<Formula, String> {
    match atom {
        Atom::Resource(pattern) => arn_parts(pattern)
            .map(|parts| Formula::Fact(Fact::ResourceLikeArn(parts)))
            .ok_or_else(|| "a Resource with a policy variable".to_owned()),
        Atom::Condition(test) => condition(test).ok_or_else(|| {
            format!("{} {} = {}", test.operator_text, test.key_text, test.value_texts.join(", "))
        }),
    }
}

fn condition(test: &Test) -> Option<Formula> {
    if test.key.is_multivalued() {
        return None;
    }
    let cell = |form| Cell { key: test.key.name.clone(), form };
    let hit = Formula::any(hits(test, &cell)?);
    let holds = if test.operator.negated { hit.negated() } else { hit };
    let present = Formula::Fact(Fact::Carries(cell(Form::Text)));
    Some(Formula::If(Box::new([present, holds, Formula::Known(test.holds_absent())])))
}

/// For each value of the policy, whether the request's value, which is there, fits.
fn hits(test: &Test, cell: &dyn Fn(Form) -> Cell) -> Option<Vec<Formula>> {
    // A value that has not the form fits nothing.
    let formed =
        |form, fact| Formula::all([Formula::Fact(Fact::Carries(cell(form))), Formula::Fact(fact)]);
    match (test.operator.shape, &test.operands) {
        (Shape::Text(Comparison::Equal | Comparison::Like), Operands::Texts(patterns)) => {
            let fact = |pattern| Some(Formula::Fact(Fact::Like(cell(Form::Text), globs(pattern)?)));
            patterns.iter().map(fact).collect()
        }
        (Shape::Arn, Operands::Texts(patterns)) => {
            let fact =
                |pattern| Some(Formula::Fact(Fact::LikeArn(cell(Form::Text), arn_parts(pattern)?)));
            patterns.iter().map(fact).collect()
        }
        (Shape::Number(order), Operands::Numbers(wanted)) => {
            let order = order_of(order);
            let fact = |want: &Decimal| {
                let (whole, fraction) = want.parts()?;
                Some(Formula::Fact(Fact::Decimal(test.key.name.clone(), order, whole, fraction)))
            };
            wanted.iter().map(fact).collect()
        }
        (Shape::Time(order), Operands::Times(wanted)) => {
            let order = order_of(order);
            let fact =
                |want: &i64| formed(Form::Time, Fact::Compares(cell(Form::Time), order, *want));
            Some(wanted.iter().map(fact).collect())
        }
        (Shape::Ip, Operands::Networks(wanted)) => {
            let fact =
                |net: &ipnet::IpNet| formed(Form::Address, Fact::Within(cell(Form::Address), *net));
            Some(wanted.iter().map(fact).collect())
        }
        _ => None,
    }
}

pub(super) const fn order_of(order: operators::Order) -> Order {
    match order {
        operators::Order::Equal => Order::Equal,
        operators::Order::Less => Order::Less,
        operators::Order::LessOrEqual => Order::LessOrEqual,
        operators::Order::Greater => Order::Greater,
        operators::Order::GreaterOrEqual => Order::GreaterOrEqual,
    }
}

/// `*` alone is any ARN.
fn arn_parts(pattern: &Pattern) -> Option<Vec<Vec<super::Glob>>> {
    if pattern.0 == [Piece::Star] {
        return Some(vec![vec![super::Glob::Star]; 6]);
    }
    pattern.arn_parts()?.iter().map(globs).collect()
}
