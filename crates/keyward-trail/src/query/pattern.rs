//! Values with wildcards.
//!
//! INVARIANT: two patterns are equal when they match the same texts.

use std::borrow::Cow;

/// Text in which any number of places stand for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The literal pieces, with a wildcard between any two; only the first and last may be empty.
    pieces: Vec<String>,
    /// The same in lower case.
    folded: Vec<String>,
}

impl Pattern {
    /// This text and no other; a star in it is a star.
    pub fn literal(text: &str) -> Self {
        Self::of(vec![text.to_owned()])
    }

    /// Any text with this in it.
    pub fn part(text: &str) -> Self {
        Self::of(vec![String::new(), text.to_owned(), String::new()])
    }

    /// Any text at all.
    pub fn any() -> Self {
        Self::of(vec![String::new(), String::new()])
    }

    /// Pieces with a wildcard between any two.
    pub(super) fn of(mut pieces: Vec<String>) -> Self {
        let last = pieces.len().saturating_sub(1);
        let mut place = 0..;
        // Two wildcards side by side are one.
        pieces.retain(|piece| {
            let place = place.next().unwrap_or(last);
            place == 0 || place == last || !piece.is_empty()
        });
        let folded = pieces.iter().map(|piece| piece.to_lowercase()).collect();
        Self { pieces, folded }
    }

    /// The text, when there is no wildcard.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// The literal pieces, with a wildcard between any two.
    pub(super) fn pieces(&self) -> &[String] {
        &self.pieces
    }

    /// Whether the whole text is of this form.
    pub fn is(&self, text: &str, ignore_case: bool) -> bool {
        if ignore_case { whole(&self.folded, &folded(text)) } else { whole(&self.pieces, text) }
    }

    /// Whether something in the text is of this form.
    pub fn is_in(&self, text: &str, ignore_case: bool) -> bool {
        if ignore_case {
            in_order(&self.folded, &folded(text)).is_some()
        } else {
            in_order(&self.pieces, text).is_some()
        }
    }
}

/// In lower case; most texts are already.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    let is_folded = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_folded { text.into() } else { text.to_lowercase().into() }
}

fn whole(pieces: &[String], text: &str) -> bool {
    match pieces {
        [] => text.is_empty(),
        [only] => text == only,
        [first, between @ .., last] => text
            .strip_prefix(first.as_str())
            .and_then(|rest| rest.strip_suffix(last.as_str()))
            .is_some_and(|rest| in_order(between, rest).is_some()),
    }
}

/// What follows the pieces, each found as early as possible: if they are there at all, then so.
fn in_order<'t>(pieces: &[String], text: &'t str) -> Option<&'t str> {
    pieces.iter().try_fold(text, |rest, piece| Some(rest.split_once(piece.as_str())?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Pattern {
        Pattern::of(text.split('*').map(str::to_owned).collect())
    }

    #[test]
    fn wildcards_stand_for_any_text() {
        for (pattern, text, is, is_in) in [
            ("abc", "abc", true, true),
            ("abc", "xabcx", false, true),
            ("a*c", "ac", true, true),
            ("a*c", "abbc", true, true),
            ("a*c", "xacx", false, true),
            ("a*a", "a", false, false),
            ("*b*", "abc", true, true),
            ("*", "", true, true),
            ("**", "x", true, true),
            ("", "", true, true),
            ("", "x", false, true),
            ("a*b*c", "a-b-b-c", true, true),
            ("a*b*c", "a-c-b", false, false),
            ("ab*ba", "aba", false, false),
            ("*ab*ab*", "abab", true, true),
            ("*ab*ab*", "aab", false, false),
            ("Ä*", "ä", false, false),
        ] {
            assert_eq!(glob(pattern).is(text, false), is, "{pattern} is {text}");
            assert_eq!(glob(pattern).is_in(text, false), is_in, "{pattern} in {text}");
        }
        assert!(glob("DE*").is("decrypt", true) && glob("ÄB").is("äb", true));
        assert_eq!(glob("a**b***c"), glob("a*b*c"));
        assert_eq!(glob("***"), Pattern::any());
        assert!(Pattern::literal("a*").is("a*", false) && !Pattern::literal("a*").is("ab", false));
    }
}
