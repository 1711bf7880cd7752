//! Scenario transcripts: requests and the answers they must get, in a form that another implementation of
//! the same API could be held to.
//!
//! ```text
//! # A disabled key refuses to decrypt.
//! as root
//! > CreateKey {}
//! < 200 {"KeyMetadata": {"KeyId": "$k", "KeyState": "Enabled"}}
//! > DisableKey {"KeyId": "$k"}
//! < 200 {}
//! > Encrypt {"KeyId": "$k", "Plaintext": "aGk="}
//! < DisabledException is disabled
//! ```
//!
//! | line | means |
//! |---|---|
//! | `as root`, `as user NAME`, `as role NAME` | who asks from here on; `as root of ACCOUNT` is another account's |
//! | `user NAME POLICY`, `role NAME POLICY` | makes a principal with an inline policy (`{}` for none) |
//! | `clock +N days\|hours\|seconds` | moves time |
//! | `tick` | lets housekeeping run |
//! | `> Operation BODY` | a request; JSON may go on over indented lines |
//! | `< 200 PATTERN` | success; the pattern's members must be there |
//! | `< Code WORDS` | refusal; the message must contain the words |
//! | `log Operation outcome…` | the newest event |
//! | `decided PATTERN` | the last decision of the newest event, as `keyward explain -o json` shows it |
//!
//! In a pattern `"$name"` stands for any value at first and for the same value afterwards, `"*"` for any value,
//! and `null` for a member that is not there.
//! In a request and in a policy `$name` is replaced.

use crate::doors::Answer;
use serde_json::Value;
use std::collections::BTreeMap;

/// One line of a transcript, with the number it has in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub line: usize,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    As(Who),
    MakeUser { name: String, policy: String },
    MakeRole { name: String, policy: String },
    Clock { seconds: i64 },
    Tick,
    Request { operation: String, body: String },
    Expect { code: String, rest: String },
    Log { operation: String, outcome: String },
    Decided { pattern: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Root,
    RootOf(String),
    User(String),
    Role(String),
}

/// Reads a transcript.
///
/// # Errors
/// Names the first line that cannot be read.
pub fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for (line, text) in logical_lines(text) {
        let action =
            parse_line(&text).ok_or_else(|| format!("line {line}: cannot read `{text}`"))?;
        steps.push(Step { line, action });
    }
    Ok(steps)
}

/// Lines with their indented continuations joined; comments and blank lines left out.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match lines.last_mut().filter(|_| line.starts_with(' ')) {
            Some((_, whole)) => {
                whole.push(' ');
                whole.push_str(line.trim());
            }
            None => lines.push((index + 1, line.trim_end().to_owned())),
        }
    }
    lines
}

fn parse_line(line: &str) -> Option<Action> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let two = |text: &str| {
        let (first, second) = text.split_once(' ').unwrap_or((text, ""));
        (first.to_owned(), second.trim().to_owned())
    };
    Some(match word {
        "as" => Action::As(parse_who(rest)?),
        "user" => {
            let (name, policy) = two(rest);
            Action::MakeUser { name, policy }
        }
        "role" => {
            let (name, policy) = two(rest);
            Action::MakeRole { name, policy }
        }
        "clock" => Action::Clock { seconds: parse_span(rest)? },
        "tick" => Action::Tick,
        ">" => {
            let (operation, body) = two(rest);
            Action::Request {
                operation,
                body: if body.is_empty() { "{}".to_owned() } else { body },
            }
        }
        "<" => {
            let (code, rest) = two(rest);
            Action::Expect { code, rest }
        }
        "log" => {
            let (operation, outcome) = two(rest);
            Action::Log { operation, outcome }
        }
        "decided" => Action::Decided { pattern: rest.to_owned() },
        _ => return None,
    })
}

fn parse_who(text: &str) -> Option<Who> {
    Some(match text.split(' ').collect::<Vec<_>>().as_slice() {
        ["root"] => Who::Root,
        ["root", "of", account] => Who::RootOf((*account).to_owned()),
        ["user", name] => Who::User((*name).to_owned()),
        ["role", name] => Who::Role((*name).to_owned()),
        _ => return None,
    })
}

fn parse_span(text: &str) -> Option<i64> {
    let (count, unit) = text.strip_prefix('+')?.split_once(' ')?;
    let count: i64 = count.parse().ok()?;
    let unit = match unit.trim_end_matches('s') {
        "day" => 86_400,
        "hour" => 3_600,
        "second" => 1,
        _ => return None,
    };
    Some(count * unit)
}

/// The values that `$names` stand for.
#[derive(Default)]
pub struct Bindings(BTreeMap<String, Value>);

impl Bindings {
    pub fn bind(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Replaces `$name` in a text; longer names first, so that `$key2` is not `$key` and a 2.
    pub fn fill(&self, text: &str) -> String {
        let mut names: Vec<&String> = self.0.keys().collect();
        names.sort_by_key(|name| core::cmp::Reverse(name.len()));
        names.into_iter().fold(text.to_owned(), |text, name| {
            let value = self.0.get(name).cloned().unwrap_or_default();
            let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace(&format!("${name}"), &plain)
        })
    }

    /// Whether an answer is what the transcript expects; binds names on success.
    ///
    /// # Errors
    /// Says what differs.
    pub fn expect(&mut self, code: &str, rest: &str, answer: &Answer) -> Result<(), String> {
        match (code, answer) {
            ("200", Answer::Success(body)) => {
                let pattern = if rest.is_empty() { "{}" } else { rest };
                let pattern: Value =
                    serde_json::from_str(pattern).map_err(|error| format!("pattern: {error}"))?;
                self.matches(&pattern, body, "")
            }
            (code, Answer::Refusal { code: given, message }) if code == given => {
                let words = self.fill(rest);
                if message.as_deref().unwrap_or("").contains(&words) {
                    Ok(())
                } else {
                    Err(format!("{given} says {message:?}, expected `{words}`"))
                }
            }
            (code, answer) => Err(format!("expected {code}, got {answer:?}")),
        }
    }

    fn matches(&mut self, pattern: &Value, value: &Value, path: &str) -> Result<(), String> {
        match (pattern, value) {
            (Value::String(text), _) if text == "*" => Ok(()),
            (Value::String(text), _) if text.starts_with('$') => {
                let name = text.trim_start_matches('$').to_owned();
                match self.0.get(&name) {
                    Some(bound) if bound != value => {
                        Err(format!("{path}: ${name} is {bound}, got {value}"))
                    }
                    Some(_) => Ok(()),
                    None => {
                        self.0.insert(name, value.clone());
                        Ok(())
                    }
                }
            }
            (Value::Object(wanted), Value::Object(given)) => {
                wanted.iter().try_for_each(|(name, wanted)| {
                    let path = format!("{path}/{name}");
                    match (wanted, given.get(name)) {
                        (Value::Null, None) => Ok(()),
                        (Value::Null, Some(given)) => Err(format!("{path} is there: {given}")),
                        (wanted, Some(given)) => self.matches(wanted, given, &path),
                        (_, None) => Err(format!("{path} is missing")),
                    }
                })
            }
            (Value::Array(wanted), Value::Array(given)) if wanted.len() == given.len() => wanted
                .iter()
                .zip(given)
                .enumerate()
                .try_for_each(|(i, (w, g))| self.matches(w, g, &format!("{path}/{i}"))),
            (wanted, given) if wanted == given => Ok(()),
            (wanted, given) => Err(format!("{path}: expected {wanted}, got {given}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_transcript_is_read_with_its_continuations() {
        let steps =
            parse("# story\nas user app\n> Encrypt {\"KeyId\":\n  \"$k\"}\n< 200\nclock +2 days\n")
                .unwrap();
        assert_eq!(steps.len(), 4);
        assert_eq!(
            steps[1].action,
            Action::Request { operation: "Encrypt".into(), body: "{\"KeyId\": \"$k\"}".into() }
        );
        assert_eq!(steps[3], Step { line: 6, action: Action::Clock { seconds: 172_800 } });
        assert!(parse("as nobody at all").is_err());
    }

    #[test]
    fn patterns_bind_once_and_then_compare() {
        let mut bindings = Bindings::default();
        let answer = Answer::Success(json!({"A": "x", "B": "x", "C": 1}));
        bindings.expect("200", r#"{"A": "$n", "B": "$n"}"#, &answer).unwrap();
        assert!(bindings.expect("200", r#"{"C": "$n"}"#, &answer).is_err());
        assert!(bindings.expect("200", r#"{"D": "*"}"#, &answer).is_err());
        bindings.expect("200", r#"{"D": null}"#, &answer).unwrap();
        assert!(bindings.expect("200", r#"{"C": null}"#, &answer).is_err());
        assert!(bindings.expect("DisabledException", "", &answer).is_err());
        assert_eq!(bindings.fill("k=$n"), "k=x");
    }
}
