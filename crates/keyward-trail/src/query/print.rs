//! Writes a query down in its one canonical form.

use super::{Condition, Field, Pattern, Query, Term, field::CONTEXT_PREFIXES};
use std::fmt::{self, Write};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms = self.terms.iter().map(Term::to_string);
        let since = self.since.map(|since| format!("since:{since}"));
        let until = self.until.map(|until| format!("until:{until}"));
        let all: Vec<String> = terms.chain(since).chain(until).collect();
        f.write_str(&all.join(" "))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_char('-')?;
        }
        match &self.condition {
            Condition::Says(Field::Text, words) => {
                join(f, words.iter().map(|word| value(word, is_plain)))
            }
            Condition::Says(Field::Context(name), patterns) => {
                write!(f, "ctx.{}:", value(&Pattern::literal(name), is_plain))?;
                join(f, patterns.iter().map(|pattern| value(pattern, is_bare)))
            }
            Condition::Says(field, patterns) => {
                write!(f, "{}:", field.name())?;
                join(f, patterns.iter().map(|pattern| value(pattern, is_bare)))
            }
            Condition::From(networks) => {
                f.write_str("ip:")?;
                join(
                    f,
                    networks.iter().map(|network| {
                        let whole = network.prefix_len() == network.max_prefix_len();
                        if whole { network.addr().to_string() } else { network.to_string() }
                    }),
                )
            }
            Condition::ReadOnly(flag) => write!(f, "readonly:{flag}"),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, values: impl Iterator<Item = String>) -> fmt::Result {
    f.write_str(&values.collect::<Vec<_>>().join(","))
}

/// Bare when all of its literal text may stand so.
fn value(pattern: &Pattern, may: fn(&str) -> bool) -> String {
    let bare = pattern.pieces().join("*");
    let stars = pattern.pieces().iter().any(|piece| piece.contains('*'));
    if !stars && may(&bare) {
        return bare;
    }
    let escaped = pattern.pieces().iter().map(|piece| {
        let mut text = String::new();
        for c in piece.chars() {
            if matches!(c, '"' | '\\' | '*') {
                text.push('\\');
            }
            text.push(c);
        }
        text
    });
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("*"))
}

/// A value after a colon.
fn is_bare(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '"' | '\\');
    !text.is_empty() && !text.contains(odd)
}

/// A word, or a name in the encryption context: nothing that could be read as something else.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '@' | '*' | '-');
    let looks_like_context = CONTEXT_PREFIXES.iter().any(|prefix| {
        text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    !text.is_empty()
        && !text.starts_with('-')
        && !looks_like_context
        && !super::parse::RESERVED.contains(&text)
        && text.chars().all(plain)
}
