//! Cedar expressions, of the shapes that `build.rs` makes, as formulas.
//!
//! A shape that is not known is an error: it is new in `build.rs`, and has to be read here.

use super::{Cell, Fact, Form, Formula, Glob, Order, Part, atoms};
use crate::condition::native::Atom;
use cedar_policy::pst::{BinaryOp, Expr, Literal, PatternElem, UnaryOp, Var};
use ipnet::IpNet;
use std::collections::BTreeMap;

pub(super) struct Reading<'r> {
    pub(super) atoms: &'r BTreeMap<String, Atom>,
    pub(super) unsaid: &'r mut Vec<(String, String)>,
}

/// What a formula is made of and is none itself.
enum Value<'e> {
    Principal,
    Resource,
    Part(Part),
    Cell(Cell),
    Text(&'e str),
    Texts(Vec<&'e str>),
    Long(i64),
    Entity(String, &'e str),
    Network(IpNet),
    Ambiguous,
    Atoms,
    /// The cell where the request carries it, else the text.
    Or(Cell, &'e str),
}

impl Reading<'_> {
    pub(super) fn truth(&mut self, expr: &Expr) -> Result<Formula, String> {
        let unknown = || format!("an expression of an unknown shape: {expr}");
        Ok(match expr {
            Expr::Literal(Literal::Bool(truth)) => Formula::Known(*truth),
            Expr::GetAttr { expr, attr } if is_context(expr) && attr == "hasBoundary" => {
                Formula::Fact(Fact::HasBoundary)
            }
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.truth(expr)?.negated(),
            Expr::UnaryOp { op: UnaryOp::IsEmpty, expr } => match value(expr) {
                Some(Value::Cell(cell)) => Formula::Fact(Fact::Empty(cell)),
                _ => return Err(unknown()),
            },
            Expr::BinaryOp { op: BinaryOp::And, left, right } => {
                Formula::all([self.truth(left)?, self.truth(right)?])
            }
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => {
                Formula::any([self.truth(left)?, self.truth(right)?])
            }
            Expr::BinaryOp { op, left, right } => {
                self.binary(op, left, right)?.ok_or_else(unknown)?
            }
            Expr::HasAttr { expr, attrs } if is_context(expr) && attrs.tail.is_empty() => {
                Formula::Fact(Fact::Carries(fixed(&attrs.head)))
            }
            Expr::Like { expr, pattern } => {
                let glob = pattern.iter().map(|element| match element {
                    PatternElem::Char(c) => Glob::Char(*c),
                    PatternElem::Wildcard => Glob::Star,
                });
                let glob: Vec<Glob> = glob.collect();
                Formula::Fact(match value(expr) {
                    Some(Value::Cell(cell)) => Fact::Like(cell, glob),
                    Some(Value::Part(part)) => Fact::ResourceLike(part, glob),
                    _ => return Err(unknown()),
                })
            }
            Expr::Is { expr, entity_type, in_expr: None } if is_var(expr, Var::Principal) => {
                Formula::Fact(Fact::CallerIs(entity_type.to_string()))
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => Formula::If(Box::new([
                self.truth(cond)?,
                self.truth(then_expr)?,
                self.truth(else_expr)?,
            ])),
            _ => return Err(unknown()),
        })
    }

    fn binary(
        &mut self,
        op: &BinaryOp,
        left: &Expr,
        right: &Expr,
    ) -> Result<Option<Formula>, String> {
        if *op == BinaryOp::HasTag {
            let cell = family(left).zip(text(right)).map(|(place, tag)| tagged(place, tag));
            return Ok(cell.map(|cell| Formula::Fact(Fact::Carries(cell))));
        }
        let Some((left, right)) = value(left).zip(value(right)) else { return Ok(None) };
        let fact = match (op, left, right) {
            (BinaryOp::Contains, Value::Ambiguous, Value::Text(key)) => {
                Fact::Doubtful(key.to_owned())
            }
            (BinaryOp::Contains, Value::Atoms, Value::Text(id)) => return self.atom(id).map(Some),
            (BinaryOp::Eq, Value::Principal, Value::Entity(ty, id)) => {
                Fact::Caller(ty, id.to_owned())
            }
            (BinaryOp::In, Value::Principal, Value::Entity(ty, id)) => {
                Fact::CallerIn(ty, id.to_owned())
            }
            (BinaryOp::Eq, Value::Resource, Value::Entity(_, id)) => {
                // An entity's type follows from its id: `entities::resource_type`.
                Fact::ResourceIs(id.to_owned())
            }
            (BinaryOp::Eq, Value::Part(part), Value::Text(text)) => {
                Fact::ResourcePart(part, text.to_owned())
            }
            (BinaryOp::Eq, Value::Cell(cell), Value::Text(text)) => Fact::Is(cell, text.to_owned()),
            (BinaryOp::Eq, Value::Cell(one), Value::Cell(other)) => Fact::Same(one, other),
            (BinaryOp::Eq, Value::Cell(cell), Value::Or(variable, default)) => {
                return Ok(Some(Formula::If(Box::new([
                    Formula::Fact(Fact::Carries(variable.clone())),
                    Formula::Fact(Fact::Same(cell.clone(), variable)),
                    Formula::Fact(Fact::Is(cell, default.to_owned())),
                ]))));
            }
            (op, Value::Cell(cell), Value::Long(bound)) => {
                let Some(order) = order(op) else { return Ok(None) };
                Fact::Compares(cell, order, bound)
            }
            (BinaryOp::IsInRange, Value::Cell(cell), Value::Network(net)) => {
                Fact::Within(cell, net)
            }
            (BinaryOp::ContainsAny, Value::Cell(cell), Value::Texts(texts)) => {
                let holds = |text: &str| Formula::Fact(Fact::Holds(cell.clone(), text.to_owned()));
                return Ok(Some(Formula::any(texts.into_iter().map(holds))));
            }
            (BinaryOp::ContainsAll, Value::Texts(texts), Value::Cell(cell)) => {
                Fact::Only(cell, texts.into_iter().map(str::to_owned).collect())
            }
            _ => return Ok(None),
        };
        Ok(Some(Formula::Fact(fact)))
    }

    fn atom(&mut self, id: &str) -> Result<Formula, String> {
        let atom = self.atoms.get(id).ok_or_else(|| format!("{id} is no atom"))?;
        Ok(atoms::formula(atom).unwrap_or_else(|words| {
            self.unsaid.push((id.to_owned(), words));
            Formula::Fact(Fact::Unsaid(id.to_owned()))
        }))
    }
}

fn order(op: &BinaryOp) -> Option<Order> {
    Some(match op {
        BinaryOp::Eq => Order::Equal,
        BinaryOp::Less => Order::Less,
        BinaryOp::LessEq => Order::LessOrEqual,
        BinaryOp::Greater => Order::Greater,
        BinaryOp::GreaterEq => Order::GreaterOrEqual,
        _ => return None,
    })
}

fn is_var(expr: &Expr, var: Var) -> bool {
    matches!(expr, Expr::Var(found) if *found == var)
}

fn is_context(expr: &Expr) -> bool {
    is_var(expr, Var::Context)
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(Literal::String(text)) => Some(text),
        _ => None,
    }
}

fn value(expr: &Expr) -> Option<Value<'_>> {
    Some(match expr {
        Expr::Var(Var::Principal) => Value::Principal,
        Expr::Var(Var::Resource) => Value::Resource,
        Expr::Literal(Literal::String(text)) => Value::Text(text),
        Expr::Literal(Literal::Long(number)) => Value::Long(*number),
        Expr::Literal(Literal::EntityUID(uid)) => Value::Entity(uid.ty.to_string(), &uid.eid),
        Expr::Set(items) => {
            Value::Texts(items.iter().map(|item| text(item)).collect::<Option<_>>()?)
        }
        Expr::GetAttr { expr, attr } if is_var(expr, Var::Resource) => Value::Part(part(attr)?),
        Expr::GetAttr { expr, attr } if is_context(expr) => match attr.as_str() {
            "ambiguous" => Value::Ambiguous,
            "atoms" => Value::Atoms,
            name => Value::Cell(fixed(name)),
        },
        Expr::BinaryOp { op: BinaryOp::GetTag, left, right } => {
            Value::Cell(tagged(family(left)?, text(right)?))
        }
        Expr::UnaryOp { op: UnaryOp::Ip, expr } => Value::Network(text(expr)?.parse().ok()?),
        Expr::IfThenElse { cond: _, then_expr, else_expr } => {
            // Of this shape is a variable with its default alone, whose condition is that it is there.
            match (value(then_expr)?, value(else_expr)?) {
                (Value::Cell(cell), Value::Text(default)) => Value::Or(cell, default),
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn part(name: &str) -> Option<Part> {
    Some(match name {
        "arn" => Part::Whole,
        "partition" => Part::Partition,
        "service" => Part::Service,
        "region" => Part::Region,
        "account" => Part::Account,
        "name" => Part::Name,
        _ => return None,
    })
}

/// A context attribute: the key's name and, behind `#`, its form.
fn fixed(attribute: &str) -> Cell {
    let (key, form) = match attribute.split_once('#') {
        None => (attribute, Form::Text),
        Some((key, "lower")) => (key, Form::Lower),
        Some((key, "number")) => (key, Form::Number),
        Some((key, "time")) => (key, Form::Time),
        Some((key, _)) => (key, Form::Address),
    };
    Cell { key: key.to_owned(), form }
}

/// What stands before a tag in its condition key, and the form.
fn family(expr: &Expr) -> Option<(&'static str, Form)> {
    let Expr::GetAttr { expr, attr } = expr else { return None };
    if !is_context(expr) {
        return None;
    }
    let (name, form) = match attr.strip_suffix("Lower") {
        Some(name) => (name, Form::Lower),
        None => (attr.as_str(), Form::Text),
    };
    let prefix = match name {
        "encryptionContext" => "kms:encryptioncontext:",
        "principalTags" => "aws:principaltag/",
        "resourceTags" => "aws:resourcetag/",
        "requestTags" => "aws:requesttag/",
        "otherFacts" => "",
        _ => return None,
    };
    Some((prefix, form))
}

fn tagged((prefix, form): (&str, Form), tag: &str) -> Cell {
    Cell { key: format!("{prefix}{tag}"), form }
}
