//! An object's members, each taken once, so that what is left over is known.

use serde_json::Value;
use std::collections::BTreeMap;

pub(super) struct Members<'v> {
    what: &'static str,
    left: BTreeMap<&'v str, &'v Value>,
}

impl<'v> Members<'v> {
    pub(super) fn of(what: &'static str, value: &'v Value) -> Result<Self, String> {
        let members = value.as_object().ok_or_else(|| format!("{what} is no object"))?;
        Ok(Self {
            what,
            left: members.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        })
    }

    /// The member, unless it is absent or `null`.
    pub(super) fn take(&mut self, name: &str) -> Option<&'v Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<&'v str>, String> {
        self.take(name)
            .map(|value| value.as_str().ok_or_else(|| format!("{name} is no text")))
            .transpose()
    }

    pub(super) fn needed(&mut self, name: &str) -> Result<&'v str, String> {
        self.text(name)?.ok_or_else(|| format!("{} has no {name}", self.what))
    }

    pub(super) fn truth(&mut self, name: &str) -> Result<Option<bool>, String> {
        self.take(name)
            .map(|value| value.as_bool().ok_or_else(|| format!("{name} is not true or false")))
            .transpose()
    }

    /// A list; one value stands for a list of one.
    pub(super) fn list(&mut self, name: &str) -> Vec<&'v Value> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(values)) => values.iter().collect(),
            Some(one) => vec![one],
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>, String> {
        self.list(name).into_iter().map(|value| scalar(name, value)).collect()
    }

    /// Names and values; `None` when the member is absent.
    pub(super) fn pairs(&mut self, name: &str) -> Result<Option<BTreeMap<String, String>>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let members = value.as_object().ok_or_else(|| format!("{name} is no object"))?;
        let pair = |(key, value): (&String, &Value)| Ok((key.clone(), scalar(name, value)?));
        members.iter().map(pair).collect::<Result<_, String>>().map(Some)
    }

    /// Complains about members that nobody took.
    pub(super) fn end(self) -> Result<(), String> {
        match self.left.keys().next() {
            Some(name) => Err(format!("{} has an unknown member {name}", self.what)),
            None => Ok(()),
        }
    }
}

/// A text, or a number or truth value as its text.
pub(super) fn scalar(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(format!("{name} has a value that is no text, number or truth value")),
    }
}
