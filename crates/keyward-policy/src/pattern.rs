//! Texts with wildcards and policy variables: parsed once, matched natively where Cedar's `like` cannot.
//!
//! INVARIANT: what a variable is replaced by is literal text; a `*` in a tag's value is never a wildcard.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use crate::keys::ConditionKey;
use std::borrow::Cow;

#[cfg(test)]
std::thread_local! {
    /// What this thread's matching cost so far.
    static STEPS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// One element of a text in a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    Char(char),
    /// `*`: any run of characters.
    Star,
    /// `?`: exactly one character.
    One,
    /// `${key}` or `${key, 'default'}`. Boxed, because a text has a piece for each of its characters.
    Variable(Box<Variable>),
}

/// What a text takes from the request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variable {
    pub(crate) key: ConditionKey,
    pub(crate) default: Option<String>,
}

/// What a text may contain besides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) variables: bool,
    pub(crate) wildcards: bool,
}

/// A text of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern(pub(crate) Vec<Piece>);

impl Pattern {
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, String> {
        let mut pieces = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if syntax.variables
                && let Some(body) = rest.strip_prefix("${")
            {
                let (inside, after) =
                    body.split_once('}').ok_or("a policy variable is not closed")?;
                pieces.push(variable(inside)?);
                rest = after;
                continue;
            }
            pieces.push(match c {
                '*' if syntax.wildcards => Piece::Star,
                '?' if syntax.wildcards => Piece::One,
                other => Piece::Char(other),
            });
            rest = rest.strip_prefix(c).unwrap_or_default();
        }
        Ok(Self(pieces))
    }

    /// The text itself, when it is nothing but text.
    pub(crate) fn literal(&self) -> Option<String> {
        self.0
            .iter()
            .map(|piece| if let Piece::Char(c) = piece { Some(*c) } else { None })
            .collect()
    }

    /// The one variable that this text consists of.
    pub(crate) fn lone_variable(&self) -> Option<(&ConditionKey, Option<&str>)> {
        match self.0.as_slice() {
            [Piece::Variable(variable)] => Some((&variable.key, variable.default.as_deref())),
            _ => None,
        }
    }

    /// Whether Cedar's `like` says the same: characters and `*` alone.
    pub(crate) fn is_like(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Char(_) | Piece::Star))
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = &ConditionKey> {
        self.0.iter().filter_map(|piece| {
            if let Piece::Variable(variable) = piece { Some(&variable.key) } else { None }
        })
    }

    /// Cuts at the first five colons, as ARNs are cut; `None` when there are fewer.
    pub(crate) fn arn_parts(&self) -> Option<Vec<Self>> {
        let mut parts = vec![Self::default()];
        for piece in &self.0 {
            if *piece == Piece::Char(':') && parts.len() < 6 {
                parts.push(Self::default());
            } else if let Some(last) = parts.last_mut() {
                last.0.push(piece.clone());
            }
        }
        (parts.len() == 6).then_some(parts)
    }

    /// Replaces variables; `None` when one has neither value nor default, and when the result could fit only
    /// texts of more than `longest` characters: a thousand variables with long values are never written out.
    pub(crate) fn resolve<'v>(
        &'v self,
        longest: usize,
        value_of: &mut dyn FnMut(&ConditionKey) -> Option<Cow<'v, str>>,
    ) -> Option<Self> {
        let (mut pieces, mut least, mut known) = (Vec::new(), 0, true);
        for piece in &self.0 {
            match piece {
                Piece::Variable(variable) => {
                    // Each is looked up, whatever became of the others: a look-up may fail the whole request.
                    let value = value_of(&variable.key);
                    match value.or_else(|| variable.default.as_deref().map(Cow::Borrowed)) {
                        Some(value) if known => {
                            let before = pieces.len();
                            pieces.extend(value.chars().take(longest + 1).map(Piece::Char));
                            least += pieces.len() - before;
                        }
                        Some(_) => {}
                        None => known = false,
                    }
                }
                Piece::Star => pieces.push(Piece::Star),
                other => {
                    least += 1;
                    pieces.push(other.clone());
                }
            }
            known &= least <= longest;
        }
        known.then_some(Self(pieces))
    }

    /// Whether the whole of `text` fits. An unresolved variable fits nothing.
    ///
    /// INVARIANT: a failed run goes back to the last `*` alone, so that the steps are at most pieces times
    /// characters, whatever the number of wildcards.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut piece) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            #[cfg(test)]
            STEPS.with(|steps| steps.set(steps.get() + 1));
            let step = match (self.0.get(piece), text.get(at)) {
                (None, None) => return true,
                (Some(Piece::Star), _) => {
                    retry = Some((piece, at));
                    piece += 1;
                    continue;
                }
                (Some(Piece::One), Some(_)) => true,
                (Some(Piece::Char(want)), Some(have)) => want == have,
                _ => false,
            };
            if step {
                (at, piece) = (at + 1, piece + 1);
            } else if let Some((star, from)) = retry.filter(|(_, from)| *from < text.len()) {
                retry = Some((star, from + 1));
                (at, piece) = (from + 1, star + 1);
            } else {
                return false;
            }
        }
    }

    /// Whether an ARN fits part by part: wildcards do not cross a colon before the resource part.
    pub(crate) fn fits_arn(&self, arn: &str) -> bool {
        let values: Vec<&str> = arn.splitn(6, ':').collect();
        match self.arn_parts() {
            Some(parts) if values.len() == 6 => {
                parts.iter().zip(values).all(|(part, value)| part.fits(value))
            }
            _ => false,
        }
    }
}

/// What stands between `${` and `}`.
fn variable(inside: &str) -> Result<Piece, String> {
    if let "*" | "?" | "$" = inside {
        return Ok(Piece::Char(inside.chars().next().unwrap_or('$')));
    }
    let (name, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((name, default)) => {
            let quoted = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            (
                name,
                Some(quoted.ok_or_else(|| {
                    format!("the default in ${{{inside}}} is not in single quotes")
                })?),
            )
        }
    };
    let key = ConditionKey::parse(name.trim())
        .ok_or_else(|| format!("${{{inside}}} is not a policy variable"))?;
    if key.is_multivalued() {
        return Err(format!(
            "{} holds several values and cannot be a policy variable",
            name.trim()
        ));
    }
    Ok(Piece::Variable(Box::new(Variable { key, default: default.map(str::to_owned) })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern, Syntax { variables: true, wildcards: true }).unwrap().fits(text)
    }

    #[test]
    fn wildcards_match_as_iam_says() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("a*", "a", true),
            ("a*b", "a-b-b", true),
            ("a*b", "a-b-c", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*?*", "", false),
            ("*a*b*", "xxaxxbxx", true),
            ("${*}", "x", false),
            ("${*}", "*", true),
            ("a${?}", "a?", true),
            ("${$}{x}", "${x}", true),
            ("é?", "éß", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_star_does_not_cross_a_colon_of_an_arn_before_its_last_part() {
        let arn = |p: &str, t: &str| {
            Pattern::parse(p, Syntax { variables: false, wildcards: true }).unwrap().fits_arn(t)
        };
        assert!(arn(
            "arn:aws:kms:*:111122223333:key/*",
            "arn:aws:kms:us-west-2:111122223333:key/abc"
        ));
        assert!(!arn("arn:aws:s3:*:x:b", "arn:aws:s3:us-east-1:9:x:111122223333:b"));
        assert!(arn("arn:aws:s3:::*", "arn:aws:s3:::a:b/c"));
        assert!(!arn("arn:aws:s3:::*", "s3:::a"));
    }

    #[test]
    fn what_replaces_a_variable_is_not_a_wildcard() {
        let pattern =
            Pattern::parse("team-${aws:username}-*", Syntax { variables: true, wildcards: true })
                .unwrap();
        let resolved = pattern.resolve(100, &mut |_| Some("*".into())).unwrap();
        assert!(resolved.fits("team-*-1") && !resolved.fits("team-red-1"));
        assert!(pattern.resolve(100, &mut |_| None).is_none());
    }

    #[test]
    fn variables_are_not_written_out_beyond_what_could_fit() {
        let pattern =
            |text: &str| Pattern::parse(text, Syntax { variables: true, wildcards: true }).unwrap();
        let long = "x".repeat(8_192);
        let many = pattern(&"${kms:EncryptionContext:a}*".repeat(1_200));
        let mut looked_up = 0;
        let resolved = many.resolve(8_192, &mut |_| {
            looked_up += 1;
            Some(long.as_str().into())
        });
        assert_eq!((resolved, looked_up), (None, 1_200));
        for (text, value, longest, expected) in [
            ("${aws:username}", "abc", 3, true),
            ("${aws:username}", "abcd", 3, false),
            ("*${aws:username}*?", "ab", 3, true),
            ("*${aws:username}*??", "ab", 3, false),
        ] {
            let resolved = pattern(text);
            let resolved = resolved.resolve(longest, &mut |_| Some(value.into()));
            assert_eq!(resolved.is_some(), expected, "{text} {value} {longest}");
        }
    }

    /// Patterns that make a matcher with a stack of choices double its work with every wildcard.
    #[test]
    fn matching_takes_no_more_steps_than_pieces_times_characters() {
        let text = "a".repeat(2_000);
        for pattern in [
            "*".repeat(32_768),
            "?*".repeat(16_384),
            "*?".repeat(1_000) + "b",
            "a*".repeat(1_000) + "b",
            "*a".repeat(1_000) + "b",
            format!("*{}b", "a".repeat(1_000)),
            format!("*{}b*", "a?".repeat(500)),
            "*a?*b".repeat(400),
        ] {
            let parsed =
                Pattern::parse(&pattern, Syntax { variables: false, wildcards: true }).unwrap();
            STEPS.set(0);
            let fits = parsed.fits(&text);
            let bound = (parsed.0.len() + 1) * (text.len() + 1);
            assert!(STEPS.get() <= bound, "{} steps for {pattern:.40}", STEPS.get());
            assert!(!fits || !pattern.contains('b'), "{pattern:.40}");
        }
    }

    #[test]
    fn malformed_variables_are_refused() {
        for bad in
            ["${", "${aws:username", "${}", "${nokey}", "${aws:username, bare}", "${aws:TagKeys}"]
        {
            assert!(
                Pattern::parse(bad, Syntax { variables: true, wildcards: true }).is_err(),
                "{bad}"
            );
        }
    }
}
