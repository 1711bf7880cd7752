//! Event queries as text, for the query language of the event log.
//!
//! It only writes: what a value holds is quoted so that it means itself. Source: the language's own page,
//! `keyward-trail/src/query/mod.rs`.

use crate::minute_of;
use chrono::{DateTime, Utc};
use keyward_types::Timestamp;

/// Terms that must all hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<String>);

impl Query {
    /// What [`Self::timeless`] gave.
    pub(crate) fn of(text: String) -> Self {
        Self(vec![text])
    }

    pub(crate) fn with(mut self, field: &str, value: &str) -> Self {
        self.0.push(format!("{field}:{}", quoted(value)));
        self
    }

    pub(crate) fn any_of(mut self, field: &str, values: &[&str]) -> Self {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.0.push(format!("{field}:{}", values.join(",")));
        self
    }

    pub(crate) fn none_of(mut self, field: &str, values: &[&str]) -> Self {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.0.push(format!("-{field}:{}", values.join(",")));
        self
    }

    /// A principal; what stands for all sessions of a role finds them.
    pub(crate) fn principal(mut self, arn: &str) -> Self {
        let sessions =
            arn.split_once(":assumed-role/").is_some_and(|(_, role)| !role.contains('/'));
        let term = if sessions {
            format!("principal:\"{}/*\"", escaped(arn))
        } else {
            format!("principal:{}", quoted(arn))
        };
        self.0.push(term);
        self
    }

    /// From the start of one minute to the end of another.
    pub(crate) fn text(&self, since: Timestamp, until: Timestamp) -> String {
        let until = Timestamp((minute_of(until) + 1) * 60_000 - 1_000);
        let span = [format!("since:{}", written(since)), format!("until:{}", written(until))];
        self.0.iter().cloned().chain(span).collect::<Vec<_>>().join(" ")
    }

    /// Without a span of time.
    pub(crate) fn timeless(&self) -> String {
        self.0.join(" ")
    }
}

fn written(time: Timestamp) -> String {
    let time = DateTime::<Utc>::from_timestamp(time.seconds(), 0).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn quoted(value: &str) -> String {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '"' | '\\' | '*');
    if value.is_empty() || value.contains(odd) {
        format!("\"{}\"", escaped(value))
    } else {
        value.to_owned()
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '*') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_mean_themselves() {
        let query = Query::default()
            .principal("arn:aws:sts::111122223333:assumed-role/App")
            .principal("arn:aws:iam::111122223333:user/a*b \"c\"\\")
            .any_of("op", &["Decrypt", "ReEncrypt"])
            .none_of("result", &["denied"])
            .with("key", "");
        let text = query.text(Timestamp(1_769_860_800_000), Timestamp(1_769_860_845_000));
        assert_eq!(
            text,
            "principal:\"arn:aws:sts::111122223333:assumed-role/App/*\" \
             principal:\"arn:aws:iam::111122223333:user/a\\*b \\\"c\\\"\\\\\" \
             op:Decrypt,ReEncrypt -result:denied key:\"\" \
             since:2026-01-31T12:00:00Z until:2026-01-31T12:00:59Z"
        );
    }
}
