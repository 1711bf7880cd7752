//! What a case says of its request and its answer, laid over what its test and the file's defaults say.
//!
//! A later level replaces an earlier one, member by member; of `context`, key by key. What is expected belongs
//! together: a level that says `expect` drops what an earlier one said of `by`, `missing` and `reason`.

use crate::{
    fault::Wrong,
    members::{Members, entries},
    yaml::Node,
};
use keyward_policy::is_condition_key;
use std::collections::BTreeMap;

/// Members that one level may say, and a later one may say again.
const FIELDS: &[&str] = &[
    "caller",
    "action",
    "key",
    "resource",
    "encryption_context",
    "time",
    "grant",
    "expect",
    "by",
    "missing",
    "reason",
];

/// Of these a default would say what is expected before it is known what is asked.
const OF_ANSWERS: &[&str] = &["expect", "by", "missing", "reason"];

#[derive(Clone, Debug, Default)]
pub(crate) struct Fields<'n> {
    said: BTreeMap<&'static str, &'n Node>,
    /// Condition keys by name in lower case: the name as written, and its value.
    pub(crate) context: BTreeMap<String, (String, &'n Node)>,
}

impl<'n> Fields<'n> {
    pub(crate) fn of_defaults(node: Option<&'n Node>) -> Result<Self, Wrong> {
        let mut fields = Self::default();
        let Some(node) = node else { return Ok(fields) };
        let mut members = Members::of("defaults", node)?;
        for name in FIELDS.iter().filter(|name| !OF_ANSWERS.contains(name)) {
            if let Some(node) = members.take_even_null(name) {
                fields.say(name, node)?;
            }
        }
        fields.say_context(members.take("context"))?;
        members.end()?;
        Ok(fields)
    }

    /// These, with what a level says over them.
    pub(crate) fn with(&self, members: &mut Members<'n>) -> Result<Self, Wrong> {
        let mut fields = self.clone();
        let level: Vec<(&'static str, &'n Node)> = FIELDS
            .iter()
            .filter_map(|name| members.take_even_null(name).map(|node| (*name, node)))
            .collect();
        if level.iter().any(|(name, _)| *name == "expect") {
            fields.said.retain(|name, _| !OF_ANSWERS.contains(name));
        }
        let about = |wanted: &str| level.iter().any(|(name, _)| *name == wanted);
        if about("key") {
            fields.said.remove("resource");
        }
        if about("resource") {
            fields.said.remove("key");
        }
        for (name, node) in level {
            fields.say(name, node)?;
        }
        fields.say_context(members.take("context"))?;
        Ok(fields)
    }

    /// These, with one member of a matrix.
    pub(crate) fn with_one(&self, name: &str, node: &'n Node) -> Result<Self, Wrong> {
        let mut fields = self.clone();
        if name == "context" {
            fields.say_context(Some(node))?;
        } else {
            fields.say(name, node)?;
        }
        Ok(fields)
    }

    fn say(&mut self, name: &str, node: &'n Node) -> Result<(), Wrong> {
        let known = FIELDS.iter().find(|known| **known == name);
        let name = known.ok_or_else(|| {
            Wrong::new(node.at, format!("for_each has no {name}; it has caller, action, key, encryption_context and context"))
        })?;
        self.said.insert(name, node);
        Ok(())
    }

    fn say_context(&mut self, node: Option<&'n Node>) -> Result<(), Wrong> {
        for (name, value) in entries("context", node)? {
            let folded = name.to_ascii_lowercase();
            if folded.starts_with("kms:encryptioncontext") {
                let text = format!("{name} follows from encryption_context: say the pairs there");
                return Err(Wrong::new(value.at, text));
            }
            if !is_condition_key(name) {
                return Err(Wrong::new(value.at, format!("{name} is no condition key")));
            }
            self.context.insert(folded, (name.to_owned(), value));
        }
        Ok(())
    }

    /// What was said, unless it is `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.said.get(name).copied().filter(|node| !node.is_null())
    }
}
