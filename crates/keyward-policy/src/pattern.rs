//! Texts with wildcards and policy variables: parsed once, matched natively where Cedar's `like` cannot.
//!
//! INVARIANT: what a variable is replaced by is literal text; a `*` in a tag's value is never a wildcard.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use crate::keys::ConditionKey;

/// One element of a text in a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    Char(char),
    /// `*`: any run of characters.
    Star,
    /// `?`: exactly one character.
    One,
    /// `${key}` or `${key, 'default'}`.
    Variable {
        key: ConditionKey,
        default: Option<String>,
    },
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
            [Piece::Variable { key, default }] => Some((key, default.as_deref())),
            _ => None,
        }
    }

    /// Whether Cedar's `like` says the same: characters and `*` alone.
    pub(crate) fn is_like(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Char(_) | Piece::Star))
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = &ConditionKey> {
        self.0.iter().filter_map(|piece| {
            if let Piece::Variable { key, .. } = piece { Some(key) } else { None }
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

    /// Replaces variables; `None` when one has neither value nor default.
    pub(crate) fn resolve(
        &self,
        value_of: &mut dyn FnMut(&ConditionKey) -> Option<String>,
    ) -> Option<Self> {
        let mut pieces = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            match piece {
                Piece::Variable { key, default } => {
                    pieces.extend(
                        value_of(key).or_else(|| default.clone())?.chars().map(Piece::Char),
                    );
                }
                other => pieces.push(other.clone()),
            }
        }
        Some(Self(pieces))
    }

    /// Whether the whole of `text` fits. An unresolved variable fits nothing.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut piece) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
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
    Ok(Piece::Variable { key, default: default.map(str::to_owned) })
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
        let resolved = pattern.resolve(&mut |_| Some("*".to_owned())).unwrap();
        assert!(resolved.fits("team-*-1") && !resolved.fits("team-red-1"));
        assert!(pattern.resolve(&mut |_| None).is_none());
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
