//! A mapping's members, each taken once, so that what is left over is known.
//!
//! A member that is not known is refused, because a test whose half was ignored would prove nothing.

use crate::{
    fault::Wrong,
    yaml::{Kind, Node},
};
use keyward_policy::Place;

pub(crate) struct Members<'n> {
    what: String,
    pub(crate) at: Place,
    left: Vec<(&'n Node, &'n Node)>,
}

impl<'n> Members<'n> {
    /// `what`: as `a key`, for messages.
    pub(crate) fn of(what: &str, node: &'n Node) -> Result<Self, Wrong> {
        let Kind::Map(members) = &node.kind else {
            return Err(Wrong::new(node.at, format!("{what} is a mapping, not {}", node.what())));
        };
        let left = members.iter().map(|(name, value)| (name, value)).collect();
        Ok(Self { what: what.to_owned(), at: node.at, left })
    }

    /// The member, unless it is absent or `null`.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'n Node> {
        self.take_even_null(name).filter(|node| !node.is_null())
    }

    pub(crate) fn take_even_null(&mut self, name: &str) -> Option<&'n Node> {
        let place = self.left.iter().position(|(known, _)| known.text() == Some(name))?;
        Some(self.left.swap_remove(place).1)
    }

    pub(crate) fn needed(&mut self, name: &str) -> Result<&'n Node, Wrong> {
        self.take(name).ok_or_else(|| Wrong::new(self.at, format!("{} has no {name}", self.what)))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<&'n str>, Wrong> {
        self.take(name).map(|node| text(name, node)).transpose()
    }

    pub(crate) fn truth(&mut self, name: &str) -> Result<Option<bool>, Wrong> {
        let read = |node: &Node| {
            let wrong = || Wrong::new(node.at, format!("{name} is true or false"));
            node.truth().ok_or_else(wrong)
        };
        self.take(name).map(read).transpose()
    }

    /// A list; what stands alone is none.
    pub(crate) fn list(&mut self, name: &str) -> Result<&'n [Node], Wrong> {
        self.take(name).map(|node| list(name, node)).transpose().map(Option::unwrap_or_default)
    }

    /// What stands in a list, or alone.
    pub(crate) fn items(&mut self, name: &str) -> &'n [Node] {
        self.take(name).map(Node::items).unwrap_or_default()
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, Wrong> {
        self.items(name).iter().map(|node| text(name, node).map(str::to_owned)).collect()
    }

    /// Names and texts.
    pub(crate) fn pairs(&mut self, name: &str) -> Result<Option<Vec<(String, String)>>, Wrong> {
        self.take(name).map(|node| pairs(name, node)).transpose()
    }

    /// Complains about members that nobody took.
    pub(crate) fn end(self) -> Result<(), Wrong> {
        let first = self.left.iter().map(|(name, _)| *name).min_by_key(|name| name.at);
        match first {
            None => Ok(()),
            Some(name) => Err(Wrong::new(
                name.at,
                format!("{} has no member {}", self.what, name.text().unwrap_or_default()),
            )),
        }
    }
}

/// A mapping with names of the writer's choice.
pub(crate) fn entries<'n>(
    what: &str,
    node: Option<&'n Node>,
) -> Result<Vec<(&'n str, &'n Node)>, Wrong> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let Kind::Map(members) = &node.kind else {
        return Err(Wrong::new(node.at, format!("{what} is a mapping, not {}", node.what())));
    };
    Ok(members.iter().map(|(name, value)| (name.text().unwrap_or_default(), value)).collect())
}

pub(crate) fn list<'n>(name: &str, node: &'n Node) -> Result<&'n [Node], Wrong> {
    match &node.kind {
        Kind::List(items) => Ok(items),
        _ => Err(Wrong::new(node.at, format!("{name} is a list, not {}", node.what()))),
    }
}

pub(crate) fn text<'n>(name: &str, node: &'n Node) -> Result<&'n str, Wrong> {
    node.text().ok_or_else(|| Wrong::new(node.at, format!("{name} is a text, not {}", node.what())))
}

pub(crate) fn pairs(name: &str, node: &Node) -> Result<Vec<(String, String)>, Wrong> {
    let pair = |(key, value): (&str, &Node)| {
        let label = format!("{name} {key}");
        Ok((key.to_owned(), text(&label, value)?.to_owned()))
    };
    entries(name, Some(node))?.into_iter().map(pair).collect()
}
