//! Short names for Cedar's public syntax tree.

use crate::{
    condition::operators::Order,
    pattern::{Pattern, Piece},
};
use cedar_policy::pst::{
    BinaryOp, EntityType, EntityUID, Expr, Literal, Name, NonEmpty, PatternElem, UnaryOp, Var,
};
use std::sync::{Arc, LazyLock};

/// A shared expression.
pub(crate) type Node = Arc<Expr>;

pub(crate) fn principal() -> Node {
    Arc::new(Expr::Var(Var::Principal))
}

pub(crate) fn resource() -> Node {
    Arc::new(Expr::Var(Var::Resource))
}

/// `context["name"]`
pub(crate) fn context(name: &str) -> Node {
    attribute(Arc::new(Expr::Var(Var::Context)), name)
}

/// `context has "name"`
pub(crate) fn has(name: &str) -> Node {
    Arc::new(Expr::HasAttr {
        expr: Arc::new(Expr::Var(Var::Context)),
        attrs: NonEmpty::new(name.into()),
    })
}

pub(crate) fn attribute(of: Node, name: &str) -> Node {
    Arc::new(Expr::GetAttr { expr: of, attr: name.into() })
}

pub(crate) fn text(value: &str) -> Node {
    Arc::new(Expr::Literal(Literal::String(value.into())))
}

fn boolean(value: bool) -> Node {
    Arc::new(Expr::Literal(Literal::Bool(value)))
}

pub(crate) fn never() -> Node {
    boolean(false)
}

/// The types as names: making one from text runs Cedar's parser.
static TYPES: LazyLock<Vec<Option<EntityType>>> = LazyLock::new(|| {
    crate::entities::TYPES
        .iter()
        .map(|ty| Name::unqualified(ty).ok().map(EntityType::from_name))
        .collect()
});

fn entity_type(ty: &str) -> Option<EntityType> {
    TYPES.get(crate::entities::TYPES.binary_search(&ty).ok()?)?.clone()
}

/// `Type::"id"`. `None` when the type is not in the schema.
pub(crate) fn entity(ty: &str, id: &str) -> Option<EntityUID> {
    Some(EntityUID { ty: entity_type(ty)?, eid: id.into() })
}

pub(crate) fn entity_node(uid: EntityUID) -> Node {
    Arc::new(Expr::Literal(Literal::EntityUID(uid)))
}

pub(crate) fn texts(values: impl Iterator<Item = String>) -> Node {
    Arc::new(Expr::Set(values.map(|value| text(&value)).collect()))
}

pub(crate) fn is_type(of: Node, ty: &str) -> Option<Node> {
    let entity_type = entity_type(ty)?;
    Some(Arc::new(Expr::Is { expr: of, entity_type, in_expr: None }))
}

pub(crate) fn not(expr: Node) -> Node {
    unary(UnaryOp::Not, expr)
}

pub(crate) fn is_empty(expr: Node) -> Node {
    unary(UnaryOp::IsEmpty, expr)
}

pub(crate) fn and(left: Node, right: Node) -> Node {
    binary(BinaryOp::And, left, right)
}

pub(crate) fn or(left: Node, right: Node) -> Node {
    binary(BinaryOp::Or, left, right)
}

pub(crate) fn equal(left: Node, right: Node) -> Node {
    binary(BinaryOp::Eq, left, right)
}

pub(crate) fn within(left: Node, right: Node) -> Node {
    binary(BinaryOp::In, left, right)
}

pub(crate) fn contains(set: Node, element: Node) -> Node {
    binary(BinaryOp::Contains, set, element)
}

pub(crate) fn contains_any(set: Node, other: Node) -> Node {
    binary(BinaryOp::ContainsAny, set, other)
}

pub(crate) fn contains_all(set: Node, other: Node) -> Node {
    binary(BinaryOp::ContainsAll, set, other)
}

pub(crate) fn has_tag(of: Node, name: &str) -> Node {
    binary(BinaryOp::HasTag, of, text(name))
}

pub(crate) fn get_tag(of: Node, name: &str) -> Node {
    binary(BinaryOp::GetTag, of, text(name))
}

pub(crate) fn in_range(address: Node, network: &str) -> Node {
    binary(BinaryOp::IsInRange, address, unary(UnaryOp::Ip, text(network)))
}

pub(crate) fn ordered(left: Node, order: Order, right: i64) -> Node {
    let op = match order {
        Order::Equal => BinaryOp::Eq,
        Order::Less => BinaryOp::Less,
        Order::LessOrEqual => BinaryOp::LessEq,
        Order::Greater => BinaryOp::Greater,
        Order::GreaterOrEqual => BinaryOp::GreaterEq,
    };
    binary(op, left, Arc::new(Expr::Literal(Literal::Long(right))))
}

pub(crate) fn like(of: Node, pattern: &Pattern) -> Node {
    let element = |piece: &Piece| match piece {
        Piece::Char(c) => PatternElem::Char(*c),
        _ => PatternElem::Wildcard,
    };
    Arc::new(Expr::Like { expr: of, pattern: pattern.0.iter().map(element).collect() })
}

pub(crate) fn if_then_else(cond: Node, then_expr: Node, else_expr: Node) -> Node {
    Arc::new(Expr::IfThenElse { cond, then_expr, else_expr })
}

/// `holds` where `present`, else `absent`. The form with `if` passes strict validation where `||` does not.
pub(crate) fn choose(present: Node, holds: Node, absent: bool) -> Node {
    if absent { if_then_else(present, holds, boolean(true)) } else { and(present, holds) }
}

/// False for no nodes.
pub(crate) fn any(nodes: Vec<Node>) -> Node {
    joined(&nodes, or).unwrap_or_else(never)
}

/// True for no nodes.
pub(crate) fn all(nodes: Vec<Node>) -> Node {
    joined(&nodes, and).unwrap_or_else(|| boolean(true))
}

/// Nodes that are joined one after the other; more are joined half by half.
pub(crate) const ROW_MAX: usize = 8;

/// The nodes in their order, joined by `op`.
///
/// INVARIANT: the depth grows with the logarithm of their number. Cedar walks expressions by recursion:
/// ten thousand values one below the other would end its stack, or make it refuse to evaluate.
fn joined(nodes: &[Node], op: fn(Node, Node) -> Node) -> Option<Node> {
    if nodes.len() <= ROW_MAX {
        return nodes.iter().cloned().reduce(op);
    }
    let (left, right) = nodes.split_at(nodes.len().div_ceil(2));
    joined(left, op).into_iter().chain(joined(right, op)).reduce(op)
}

fn unary(op: UnaryOp, expr: Node) -> Node {
    Arc::new(Expr::UnaryOp { op, expr })
}

fn binary(op: BinaryOp, left: Node, right: Node) -> Node {
    Arc::new(Expr::BinaryOp { op, left, right })
}
