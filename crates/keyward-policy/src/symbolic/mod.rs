//! What a document says of every request at once: each statement as a formula over what a request may carry; and
//! the same of grants (`grant.rs`).
//!
//! A formula is read off the Cedar policy that the engine would evaluate (`read.rs`), so that there is one
//! translation of IAM and not two. What Cedar cannot say, and the engine evaluates beside it, is read here where
//! it can be said exactly, and is otherwise an unknown of its own (`atoms.rs`): the same unknown wherever the same
//! is asked. Nothing is solved here and nothing is assumed of a request; both are `keyward-prove`'s.
//!
//! INVARIANT: for every request there is an assignment of the facts under which a statement's formula has the
//! truth that the engine gives the statement. What has no such formula is refused, never approximated.

mod atoms;
mod grant;
mod read;

use crate::{
    actions::ActionPattern,
    carries,
    condition::emit::Needs,
    document::{DocumentKind, Listed, Parsed, Statement},
    error::PolicyError,
    keys::{ConditionKey, Family, Place},
    pattern::{Pattern, Piece},
    schema::PolicyKind,
    translate,
};
pub use grant::SymbolicGrant;
use ipnet::IpNet;
use keyward_types::MatchKind;

/// The form in which a condition key's value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Text,
    /// In lower case.
    Lower,
    /// A whole number.
    Number,
    /// Milliseconds since 1970.
    Time,
    Address,
}

/// A condition key, in lower case, in one of its forms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub key: String,
    pub form: Form,
}

/// How a request's value stands to a policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Glob {
    Char(char),
    /// Any run of characters.
    Star,
    /// Exactly one character.
    One,
}

/// A part of the resource's ARN; `Whole` is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Whole,
    Partition,
    Service,
    Region,
    Account,
    Name,
}

/// Something that holds of a request or does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// The request carries the key, in this form.
    Carries(Cell),
    Is(Cell, String),
    Same(Cell, Cell),
    Like(Cell, Vec<Glob>),
    /// The text has six parts as an ARN has, and each fits its pattern.
    LikeArn(Cell, Vec<Vec<Glob>>),
    Compares(Cell, Order, i64),
    Within(Cell, IpNet),
    /// The key's text is a decimal that stands so to `whole + fraction / 10^18`.
    Decimal(String, Order, i64, u64),
    /// The key has no values, or none.
    Empty(Cell),
    /// One of the key's values is this.
    Holds(Cell, String),
    /// Every one of the key's values is one of these.
    Only(Cell, Vec<String>),
    /// The caller is an entity of this type,
    CallerIs(String),
    /// this very entity,
    Caller(String, String),
    /// or stands in this one.
    CallerIn(String, String),
    ResourceIs(String),
    ResourcePart(Part, String),
    ResourceLike(Part, Vec<Glob>),
    ResourceLikeArn(Vec<Vec<Glob>>),
    /// The action, in lower case, fits.
    ActionLike(Vec<Glob>),
    HasBoundary,
    /// The request carries the key in two spellings.
    Doubtful(String),
    /// The encryption context holds a name in two spellings, whichever.
    ContextDoubtful,
    /// What has no exact form; the same name is the same question.
    Unsaid(String),
}

/// A truth of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    Known(bool),
    Fact(Fact),
    Not(Box<Formula>),
    All(Vec<Formula>),
    Any(Vec<Formula>),
    /// The second where the first holds, else the third.
    If(Box<[Formula; 3]>),
}

impl Formula {
    pub fn negated(self) -> Self {
        match self {
            Self::Known(truth) => Self::Known(!truth),
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::All(inner) => inner,
            other => vec![other],
        });
        let kept: Vec<Self> = flat.filter(|part| *part != Self::Known(true)).collect();
        match kept.len() {
            0 => Self::Known(true),
            _ if kept.contains(&Self::Known(false)) => Self::Known(false),
            _ => Self::All(kept),
        }
    }

    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Any(inner) => inner,
            other => vec![other],
        });
        let kept: Vec<Self> = flat.filter(|part| *part != Self::Known(false)).collect();
        match kept.len() {
            0 => Self::Known(false),
            _ if kept.contains(&Self::Known(true)) => Self::Known(true),
            _ => Self::Any(kept),
        }
    }

    /// Calls `visit` with every fact.
    pub fn each_fact<'f>(&'f self, visit: &mut dyn FnMut(&'f Fact)) {
        match self {
            Self::Known(_) => {}
            Self::Fact(fact) => visit(fact),
            Self::Not(inner) => inner.each_fact(visit),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.each_fact(visit));
            }
            Self::If(three) => three.iter().for_each(|part| part.each_fact(visit)),
        }
    }
}

/// A statement.
#[derive(Clone, Debug)]
pub struct SymbolicStatement {
    pub index: usize,
    pub sid: Option<String>,
    pub allow: bool,
    /// By kind of match, when the statement matches a request about an action that it covers.
    /// Empty for one that lacks an element which it needs.
    pub when: Vec<(Option<MatchKind>, Formula)>,
    actions: Option<Listed<ActionPattern>>,
}

impl SymbolicStatement {
    /// Whether the statement speaks of this action.
    pub fn covers(&self, action: &str) -> bool {
        let fits = |listed: &Listed<ActionPattern>| {
            listed.items.iter().any(|item| item.fits(action)) != listed.not
        };
        self.actions.as_ref().is_some_and(fits)
    }

    /// The same of an action that is not known.
    pub fn covers_unknown(&self) -> Formula {
        let Some(listed) = &self.actions else { return Formula::Known(false) };
        let fits = listed.items.iter().filter_map(ActionPattern::pattern).filter_map(globs);
        let any = Formula::any(fits.map(|glob| Formula::Fact(Fact::ActionLike(glob))));
        if listed.not { any.negated() } else { any }
    }
}

/// A document.
#[derive(Clone, Debug)]
pub struct SymbolicDocument {
    pub statements: Vec<SymbolicStatement>,
    /// By the name of what has no exact form, its words.
    pub unsaid: Vec<(String, String)>,
}

impl SymbolicDocument {
    /// Reads a document as the engine does when it decides.
    ///
    /// # Errors
    /// The document is malformed, or a statement has no form as a formula.
    pub fn read(text: &str, kind: PolicyKind) -> Result<Self, PolicyError> {
        let kind = DocumentKind::from(kind);
        let parsed = Parsed::parse(text, kind)?;
        let mut unsaid = Vec::new();
        let statements = parsed.statements.iter().enumerate().map(|(index, statement)| {
            let when = if translate::is_dead(statement, kind) {
                Vec::new()
            } else {
                bodies(index, statement, kind, &mut unsaid)?
            };
            let (sid, allow) = (statement.sid.clone(), statement.allow);
            let actions = statement.actions.clone();
            Ok(SymbolicStatement { index, sid, allow, when, actions })
        });
        let statements = statements.collect::<Result<_, PolicyError>>()?;
        Ok(Self { statements, unsaid })
    }
}

fn bodies(
    index: usize,
    statement: &Statement,
    kind: DocumentKind,
    unsaid: &mut Vec<(String, String)>,
) -> Result<Vec<(Option<MatchKind>, Formula)>, PolicyError> {
    let failed = |why: String| PolicyError::malformed(format!("Statement[{index}]"), why);
    let mut needs = Needs::default();
    // With the rule for keys in two spellings: it says nothing of a request that has none.
    let bodies = translate::policies(statement, kind, None, true, &mut needs)
        .map_err(|error| failed(error.0))?;
    let mut reader = read::Reading { atoms: &needs.atoms, unsaid };
    let body = |(kind, nodes): (Option<MatchKind>, Vec<crate::build::Node>)| {
        let parts = nodes.iter().map(|node| reader.truth(node)).collect::<Result<Vec<_>, _>>();
        Ok((kind, Formula::all(parts.map_err(failed)?)))
    };
    bodies.into_iter().map(body).collect()
}

/// Whether the key holds several values.
pub fn holds_several(key: &str) -> bool {
    ConditionKey::parse(key).is_some_and(|key| key.is_multivalued())
}

/// Whether a client chooses the key's second half, so that one request may carry it in two spellings.
pub fn is_of_family(key: &str) -> bool {
    ConditionKey::parse(key)
        .is_some_and(|key| matches!(key.place, Place::Tag(family) if family != Family::Other))
}

/// Whether requests of an action of KMS can carry a condition key; yes for actions of other services.
pub fn can_carry(action: &str, key: &str) -> bool {
    let row = carries::ACTIONS.iter().find(|row| row.name == action);
    row.is_none_or(|row| row.carries(key))
}

/// `None` for what has variables.
fn globs(pattern: &Pattern) -> Option<Vec<Glob>> {
    let glob = |piece: &Piece| match piece {
        Piece::Char(c) => Some(Glob::Char(*c)),
        Piece::Star => Some(Glob::Star),
        Piece::One => Some(Glob::One),
        Piece::Variable(_) => None,
    };
    pattern.0.iter().map(glob).collect()
}
