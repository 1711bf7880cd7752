//! What a guardrail reads, found in Cedar's own JSON form of it.
//!
//! INVARIANT: every attribute that a policy can read is found. Attributes have no computed names in Cedar, so
//! all of them stand in the JSON, and a context that is read as a whole is refused.

use crate::{
    condition::emit::{View, family_attribute},
    entities::ARN_PARTS,
    keys::{ConditionKey, Family, Place},
    schema,
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::LazyLock};

const FAMILIES: [Family; 5] = [
    Family::EncryptionContext,
    Family::PrincipalTag,
    Family::ResourceTag,
    Family::RequestTag,
    Family::Other,
];
const VIEWS: [View; 5] = [View::Text, View::Lower, View::Number, View::Time, View::Ip];

/// Attributes of entities and of the context beside the parts of an ARN, condition keys and families.
const ATTRIBUTES: &[&str] =
    &["action", "aliases", "arn", "hasBoundary", "multiRegion", "origin", "role", "spec", "usage"];

/// What one guardrail, or several, read of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Names of attributes, of whatever entity or record.
    attributes: BTreeSet<String>,
    /// Rows of the table of condition keys.
    pub(super) fixed: BTreeSet<(usize, View)>,
    /// Tag entities of the context.
    pub(super) families: BTreeSet<(Family, View)>,
    /// Tags of the principal or the resource.
    pub(super) entity_tags: bool,
    /// More of the principal than what it is: its attributes, or what it is in.
    pub(super) principal: bool,
    /// The same of the resource.
    pub(super) resource: bool,
    /// Whether a condition asks for the action; the scope was answered when the set was sliced.
    pub(super) action: bool,
    /// Actions that are named.
    pub(super) actions: BTreeSet<String>,
}

impl Reads {
    /// What a policy in Cedar's JSON form reads, or what it may not do.
    pub(super) fn of(policy: &Value) -> Result<Self, String> {
        let mut reads = Self::default();
        reads.walk(policy)?;
        reads.principal |= scope_reads(policy.get("principal"));
        reads.resource |= scope_reads(policy.get("resource"));
        for name in &reads.attributes {
            let (base, view) = split_view(name);
            if let Some(key) = ConditionKey::parse(base)
                && let Place::Fixed(row) = key.place
            {
                reads.fixed.insert((row, view));
            }
            for family in FAMILIES {
                for view in [View::Text, View::Lower] {
                    if name == family_attribute(family, view) {
                        reads.families.insert((family, view));
                    }
                }
            }
        }
        Ok(reads)
    }

    /// An attribute that nothing has. Cedar lets `has` ask for it and answers no, so that a guardrail with a slip
    /// would stand open.
    pub(super) fn unknown(&self) -> Option<&str> {
        self.attributes.iter().map(String::as_str).find(|name| !is_known(name))
    }

    pub(super) fn union<'r>(all: impl Iterator<Item = &'r Self>) -> Self {
        let mut union = Self::default();
        for reads in all {
            union.attributes.extend(reads.attributes.iter().cloned());
            union.fixed.extend(&reads.fixed);
            union.families.extend(&reads.families);
            union.entity_tags |= reads.entity_tags;
            union.principal |= reads.principal;
            union.resource |= reads.resource;
            union.action |= reads.action;
        }
        union
    }

    pub(super) fn attribute(&self, name: &str) -> bool {
        self.attributes.contains(name)
    }

    /// Whether the value of something that is read is not certain: the request has two spellings of its name.
    pub(super) fn doubtful(&self, ambiguous: &BTreeSet<String>) -> bool {
        ambiguous.iter().filter_map(|name| ConditionKey::parse(name)).any(|key| match key.place {
            Place::Fixed(row) => self.fixed.iter().any(|(read, _)| *read == row),
            Place::Tag(family) => self.reads_family(family),
        })
    }

    fn reads_family(&self, family: Family) -> bool {
        let of_entity = matches!(family, Family::PrincipalTag | Family::ResourceTag);
        self.entity_tags && of_entity || self.families.iter().any(|(read, _)| *read == family)
    }

    fn walk(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.walk(item)),
            Value::Object(members) => {
                if let (Some("Action"), Some(id)) = (
                    members.get("type").and_then(Value::as_str),
                    members.get("id").and_then(Value::as_str),
                ) {
                    self.actions.insert(id.to_owned());
                }
                members.iter().try_for_each(|(name, inner)| self.node(name, inner))
            }
            _ => Ok(()),
        }
    }

    fn node(&mut self, name: &str, inner: &Value) -> Result<(), String> {
        match name {
            "." | "has" => {
                let attributes = inner.get("attr").into_iter().flat_map(|attr| match attr {
                    Value::Array(path) => path.iter().filter_map(Value::as_str).collect(),
                    one => one.as_str().into_iter().collect::<Vec<_>>(),
                });
                self.attributes.extend(attributes.map(str::to_owned));
                let left = inner.get("left").unwrap_or(&Value::Null);
                if is_context(left) { Ok(()) } else { self.walk(left) }
            }
            "hasTag" | "getTag" => {
                let (left, right) = (inner.get("left"), inner.get("right"));
                let of_context = left.and_then(|left| left.get(".")).is_some();
                self.entity_tags |= !of_context;
                tag_name(right)?;
                [left, right].into_iter().flatten().try_for_each(|side| self.walk(side))
            }
            "Var" => self.variable(inner.as_str().unwrap_or_default()),
            _ => self.walk(inner),
        }
    }

    fn variable(&mut self, name: &str) -> Result<(), String> {
        match name {
            "principal" => self.principal = true,
            "resource" => self.resource = true,
            "action" => self.action = true,
            _ => {
                return Err(
                    "a guardrail reads attributes of the context by name, not the context as a whole"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}

/// Whether a constraint of the scope asks for more than the type: an entity by name needs no more either, but is
/// rare enough not to be told apart from what it is in.
fn scope_reads(constraint: Option<&Value>) -> bool {
    constraint.is_some_and(|constraint| {
        let op = constraint.get("op").and_then(Value::as_str);
        op != Some("All") && (op != Some("is") || constraint.get("in").is_some())
    })
}

fn is_known(name: &str) -> bool {
    static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let fixed = schema::fixed_attributes().into_iter().map(|(name, _)| name);
        let tags = schema::FAMILIES
            .iter()
            .flat_map(|family| [(*family).to_owned(), format!("{family}Lower")]);
        let named = ARN_PARTS.iter().chain(ATTRIBUTES).map(|name| (*name).to_owned());
        fixed.chain(tags).chain(named).collect()
    });
    KNOWN.contains(name)
}

fn is_context(node: &Value) -> bool {
    node.get("Var").is_some_and(|name| name == "context")
}

/// A name in capitals would never be found, and the guardrail would stand open.
fn tag_name(node: Option<&Value>) -> Result<(), String> {
    let Some(name) = node.and_then(|node| node.get("Value")).and_then(Value::as_str) else {
        return Ok(());
    };
    let folded = name.to_lowercase();
    if folded == name {
        Ok(())
    } else {
        Err(format!("tags are by their name in lower case: write {folded:?} for {name:?}"))
    }
}

/// The condition key and the form of an attribute such as `aws:sourceip#ip`.
fn split_view(attribute: &str) -> (&str, View) {
    VIEWS
        .into_iter()
        .filter(|view| !view.suffix().is_empty())
        .find_map(|view| Some((attribute.strip_suffix(view.suffix())?, view)))
        .unwrap_or((attribute, View::Text))
}
