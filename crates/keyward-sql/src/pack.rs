//! The questions of an investigation, ready to be asked: one file each in `pack/`.
//!
//! A file opens with what it answers, then, as `-- !why`, that it answers only of a whole log, and then its parameters,
//! one a line:
//! `-- :name kind = default: what it is`; without a default one must be given. Kinds are `text`, `number`,
//! `time` (as the query language has it, or `now` or `start`; the statement sees
//! milliseconds since 1970) and `span` (such as `1h`; milliseconds).

use keyward_trail::query::Moment;
use keyward_types::Timestamp;
use serde_json::{Map, Value};

/// A question with a name.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: &'static str,
    /// What it answers.
    pub answers: String,
    pub parameters: Vec<Parameter>,
    /// Why it answers only of a whole log, where it does: one account's events do not tell.
    pub whole_log: Option<&'static str>,
    pub sql: &'static str,
}

/// Something that a named question wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Option<&'static str>,
    pub about: &'static str,
}

/// How a parameter's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Time,
    Span,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Time => "time",
            Self::Span => "span",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::Number, Self::Time, Self::Span]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// The value that the statement sees.
    fn value(self, text: &str, now: Timestamp) -> Option<Value> {
        match self {
            Self::Text => Some(text.into()),
            Self::Number => text.parse::<i64>().ok().map(Value::from),
            Self::Time => time(text, now).map(Value::from),
            Self::Span => span(text).map(Value::from),
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a whole number",
            Self::Time => {
                "a time such as 2026-01-31T12:00:00Z, a date, seconds since 1970, a span back from now such as 7d or 2w, now, or start"
            }
            Self::Span => "a span such as 90s, 10m, 2h, 7d or 2w",
        }
    }
}

macro_rules! pack {
    ($($name:literal,)*) => {
        /// Every name with its file, in the order in which an investigation tends to ask.
        const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../pack/", $name, ".sql"))),)*];
    };
}

pack! {
    "key-timeline",
    "access-key-trail",
    "denied-map",
    "first-pairs",
    "new-source-ip",
    "hourly-baseline",
    "fan-out",
    "ciphertext-probing",
    "deletions-not-cancelled",
    "policy-then-use",
    "blast-radius",
    "principals-per-key",
    "enumeration-sweep",
    "off-hours-sign",
    "last-use",
    "sequence-gaps",
    "root-usage",
    "cross-account",
    "grant-chain",
    "admin-without-mfa",
}

/// Every named question.
pub fn pack() -> impl Iterator<Item = Named> {
    FILES.iter().map(|(name, sql)| read(name, sql))
}

/// The question with this name.
pub fn named(name: &str) -> Option<Named> {
    FILES.iter().find(|(known, _)| *known == name).map(|(name, sql)| read(name, sql))
}

fn read(name: &'static str, sql: &'static str) -> Named {
    let head = || sql.lines().map_while(|line| line.strip_prefix("--")).map(str::trim);
    let answers: Vec<&str> = head().take_while(|line| !line.starts_with([':', '!'])).collect();
    let parameters = head().filter_map(parameter).collect();
    let whole_log = head().find_map(|line| line.strip_prefix('!'));
    Named { name, answers: answers.join(" "), parameters, whole_log, sql }
}

/// `:name kind = default: about`
fn parameter(line: &'static str) -> Option<Parameter> {
    let (said, about) = line.strip_prefix(':')?.split_once(": ")?;
    let (said, default) = match said.split_once(" = ") {
        Some((said, default)) => (said, Some(default)),
        None => (said, None),
    };
    let (name, kind) = said.split_once(' ')?;
    Some(Parameter { name, kind: Kind::parse(kind)?, default, about })
}

impl Named {
    /// The values that the statement sees: those that are given, and defaults for the others.
    ///
    /// # Errors
    /// A sentence for the asker: what is missing, not known, or cannot be read.
    pub fn values(
        &self,
        given: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Map<String, Value>, String> {
        let is_known = |name: &str| self.parameters.iter().any(|known| known.name == name);
        if let Some(name) = given.keys().find(|name| !is_known(name)) {
            let known: Vec<&str> = self.parameters.iter().map(|known| known.name).collect();
            return Err(format!("{} has no parameter {name}, but {}", self.name, known.join(", ")));
        }
        let mut values = Map::new();
        for parameter in &self.parameters {
            let Parameter { name, kind, default, about } = parameter;
            let text = match given.get(*name) {
                Some(Value::String(text)) => text.clone(),
                Some(value @ Value::Number(_)) => value.to_string(),
                Some(_) => return Err(format!("the parameter {name} must be {}", kind.wanted())),
                None => (*default)
                    .ok_or_else(|| format!("{} needs the parameter {name}: {about}", self.name))?
                    .to_owned(),
            };
            let value = kind
                .value(&text, now)
                .ok_or_else(|| format!("the parameter {name} must be {}", kind.wanted()))?;
            values.insert((*name).to_owned(), value);
        }
        Ok(values)
    }
}

fn time(text: &str, now: Timestamp) -> Option<i64> {
    if text == "start" {
        return Some(0);
    }
    if text == "now" {
        return Some(now.0);
    }
    Moment::read(text).map(|moment| moment.resolve(now).0)
}

/// A span is how long before a moment another one is.
fn span(text: &str) -> Option<i64> {
    let now = Timestamp(i64::MAX);
    let is_fixed = |moment: &Moment| moment.resolve(Timestamp(0)) == moment.resolve(now);
    let moment = Moment::read(text).filter(|moment| !is_fixed(moment))?;
    now.0.checked_sub(moment.resolve(now).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_says_what_it_is_and_names_its_parameters() {
        for named in pack() {
            assert!(named.answers.ends_with('.'), "{}: {}", named.name, named.answers);
            let declared = named.sql.lines().filter(|line| line.starts_with("-- :")).count();
            assert_eq!(
                declared,
                named.parameters.len(),
                "{} has a line that is not read",
                named.name
            );
            for Parameter { name, kind, default, .. } in &named.parameters {
                let now = Timestamp(1_767_225_600_000);
                assert!(default.is_none_or(|text| kind.value(text, now).is_some()), "{name}");
            }
        }
    }

    #[test]
    fn values_are_read_by_their_kind() {
        let now = Timestamp(1_767_225_600_000);
        for (kind, text, expected) in [
            (Kind::Time, "2026-01-01T00:00:00Z", Some(1_767_225_600_000_i64)),
            (Kind::Time, "10m", Some(1_767_225_000_000)),
            (Kind::Time, "7", Some(7_000)),
            (Kind::Time, "2026-01-01", Some(1_767_225_600_000)),
            (Kind::Time, "2w", Some(1_766_016_000_000)),
            (Kind::Span, "2w", Some(1_209_600_000)),
            (Kind::Span, "7", None),
            (Kind::Span, "2026-01-01", None),
            (Kind::Time, "start", Some(0)),
            (Kind::Time, "soon", None),
            (Kind::Time, "é", None),
            (Kind::Span, "2h", Some(7_200_000)),
            (Kind::Span, "-2h", None),
            (Kind::Span, "", None),
            (Kind::Number, "12", Some(12)),
            (Kind::Number, "a", None),
        ] {
            assert_eq!(kind.value(text, now), expected.map(Value::from), "{text}");
        }
    }
}
