//! SMT-LIB text: literals, patterns as regular expressions, and answers as values.
//! Source: <https://smt-lib.org/theories-UnicodeStrings.shtml>

use keyward_policy::symbolic::{Glob, Order};

/// The last character that SMT-LIB has.
const LAST_CHAR: u32 = 0x2_FFFF;

/// A text as SMT-LIB writes it; `Err` where it has a character that SMT-LIB has not.
pub(crate) fn text(value: &str) -> Result<String, String> {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\"\""),
            '\\' => out.push_str("\\u{5c}"),
            ' '..='~' => out.push(c),
            _ if u32::from(c) <= LAST_CHAR => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            _ => return Err(format!("the character {}", c.escape_unicode())),
        }
    }
    out.push('"');
    Ok(out)
}

pub(crate) fn number(value: i128) -> String {
    if value < 0 { format!("(- {})", value.unsigned_abs()) } else { value.to_string() }
}

/// `(op a b …)`, `unit` for none, the one itself for one.
pub(crate) fn join(op: &str, parts: &[String], unit: &str) -> String {
    match parts {
        [] => unit.to_owned(),
        [one] => one.clone(),
        several => format!("({op} {})", several.join(" ")),
    }
}

pub(crate) const fn order(order: Order) -> &'static str {
    match order {
        Order::Equal => "=",
        Order::Less => "<",
        Order::LessOrEqual => "<=",
        Order::Greater => ">",
        Order::GreaterOrEqual => ">=",
    }
}

/// Runs of characters and the wildcards between them.
enum Run {
    Text(String),
    Star,
    One,
}

fn runs(glob: &[Glob]) -> Vec<Run> {
    let mut runs = Vec::new();
    for piece in glob {
        match (piece, runs.last_mut()) {
            (Glob::Char(c), Some(Run::Text(text))) => text.push(*c),
            (Glob::Char(c), _) => runs.push(Run::Text(c.to_string())),
            (Glob::Star, Some(Run::Star)) => {}
            (Glob::Star, _) => runs.push(Run::Star),
            (Glob::One, _) => runs.push(Run::One),
        }
    }
    runs
}

/// That the whole of `term` fits the pattern.
pub(crate) fn like(term: &str, glob: &[Glob]) -> Result<String, String> {
    Ok(match runs(glob).as_slice() {
        [] => format!("(= {term} \"\")"),
        [Run::Star] => "true".to_owned(),
        [Run::Text(all)] => format!("(= {term} {})", text(all)?),
        [Run::Text(head), Run::Star] => format!("(str.prefixof {} {term})", text(head)?),
        [Run::Star, Run::Text(tail)] => format!("(str.suffixof {} {term})", text(tail)?),
        [Run::Star, Run::Text(middle), Run::Star] => {
            format!("(str.contains {term} {})", text(middle)?)
        }
        runs => format!("(str.in_re {term} {})", regex(runs, "re.allchar", "re.all")?),
    })
}

fn regex(runs: &[Run], one: &str, star: &str) -> Result<String, String> {
    let part = |run: &Run| match run {
        Run::Text(all) => Ok(format!("(str.to_re {})", text(all)?)),
        Run::Star => Ok(star.to_owned()),
        Run::One => Ok(one.to_owned()),
    };
    let parts = runs.iter().map(part).collect::<Result<Vec<_>, String>>()?;
    Ok(join("re.++", &parts, "(str.to_re \"\")"))
}

/// Any character but a colon, and any run of them.
const NO_COLON: &str = "(re.diff re.allchar (str.to_re \":\"))";
const NO_COLONS: &str = "(re.* (re.diff re.allchar (str.to_re \":\")))";

/// That `term` has six parts as an ARN has, and each fits its pattern.
pub(crate) fn like_arn(term: &str, parts: &[Vec<Glob>]) -> Result<String, String> {
    let last = parts.len().saturating_sub(1);
    let mut all = Vec::new();
    for (place, glob) in parts.iter().enumerate() {
        if 0 < place {
            all.push("(str.to_re \":\")".to_owned());
        }
        let runs = runs(glob);
        all.push(if place == last {
            regex(&runs, "re.allchar", "re.all")?
        } else {
            regex(&runs, NO_COLON, NO_COLONS)?
        });
    }
    Ok(format!("(str.in_re {term} {})", join("re.++", &all, "re.none")))
}

/// What a solver says that a constant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Truth(bool),
    Number(i128),
    /// A number that is larger than that, as addresses may be.
    Large(u128),
    Text(String),
}

/// Reads `((name value) …)`.
pub(crate) fn values(answer: &str) -> Option<Vec<(String, Value)>> {
    let mut reader = Reader { rest: answer.trim() };
    reader.take('(')?;
    let mut found = Vec::new();
    while !reader.is_next(')') {
        reader.take('(')?;
        let name = reader.word()?.to_owned();
        found.push((name, reader.value()?));
        reader.take(')')?;
    }
    reader.take(')')?;
    reader.rest.is_empty().then_some(found)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn is_next(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.starts_with(c)
    }

    fn take(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(c)?;
        Some(())
    }

    fn word(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        let end = self.rest.find([' ', '(', ')', '\n', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn value(&mut self) -> Option<Value> {
        if self.is_next('"') {
            return self.text().map(Value::Text);
        }
        if self.is_next('(') {
            self.take('(')?;
            self.take('-')?;
            let number: i128 = self.word()?.parse().ok()?;
            self.take(')')?;
            return Some(Value::Number(number.checked_neg()?));
        }
        match self.word()? {
            "true" => Some(Value::Truth(true)),
            "false" => Some(Value::Truth(false)),
            number => {
                let small = number.parse().ok().map(Value::Number);
                small.or_else(|| number.parse().ok().map(Value::Large))
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        self.take('"')?;
        let mut out = String::new();
        loop {
            let c = self.rest.chars().next()?;
            self.rest = self.rest.strip_prefix(c)?;
            match c {
                '"' if self.rest.starts_with('"') => {
                    self.rest = self.rest.strip_prefix('"')?;
                    out.push('"');
                }
                '"' => return Some(out),
                '\\' if self.rest.starts_with('u') => out.push(self.escaped()?),
                other => out.push(other),
            }
        }
    }

    /// Behind the backslash of `\u{1f600}` or `\u00e9`.
    fn escaped(&mut self) -> Option<char> {
        self.rest = self.rest.strip_prefix('u')?;
        let (digits, rest) = match self.rest.strip_prefix('{') {
            Some(inside) => inside.split_once('}')?,
            None => self.rest.split_at_checked(4)?,
        };
        self.rest = rest;
        // A lone surrogate is a character to SMT-LIB, and none to us.
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_and_read_back() {
        for value in ["", "plain", "a\"b", "back\\slash", "é", "line\nfeed", "\u{1f600}", "\\u{41}"]
        {
            let answer = format!("((x {}))", text(value).unwrap());
            assert_eq!(
                values(&answer),
                Some(vec![("x".to_owned(), Value::Text(value.to_owned()))])
            );
        }
        assert!(text("\u{e0041}").is_err());
    }

    #[test]
    fn answers_that_are_none_are_refused() {
        let read =
            values("((a true)\n (b (- 7)) (c 340282366920938463463374607431768211455))").unwrap();
        assert_eq!(read[1], ("b".to_owned(), Value::Number(-7)));
        assert_eq!(read[2], ("c".to_owned(), Value::Large(u128::MAX)));
        for rubbish in
            ["", "(", "((a", "((a true)", "((a yes))", "((a \"x))", "((a true)) x", "sat"]
        {
            assert_eq!(values(rubbish), None, "{rubbish}");
        }
    }
}
