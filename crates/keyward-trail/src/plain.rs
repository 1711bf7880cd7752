//! Text that somebody else chose, made fit to be shown: nothing in it steers a terminal or turns text around.
//!
//! It is for people's eyes. What a program reads back is quoted by its own form's rules.

use std::borrow::Cow;

/// The text, with control characters, line ends among them, and those that change the direction or the line of what
/// follows, spelled as `\u{1b}`.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return text.into();
    }
    let spelled = |c: char| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(spelled).collect::<String>().into()
}

/// Whether a terminal or a reader's eye obeys it: C0, C1, and what is bidirectional or ends a line.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_spelled_out_and_nothing_else() {
        for (text, shown) in [
            ("\u{1b}[31mRED\u{1b}[0m", "\\u{1b}[31mRED\\u{1b}[0m"),
            ("a\nFAKE\trow\r", "a\\u{a}FAKE\\u{9}row\\u{d}"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("user\u{202e}nimda\u{2066}", "user\\u{202e}nimda\\u{2066}"),
            ("\u{61c}\u{200e}\u{2028}", "\\u{61c}\\u{200e}\\u{2028}"),
        ] {
            assert_eq!(plain(text), shown);
        }
        for text in ["", "plain", "Ünïcödé 鍵 \u{1f511}", "a\u{200d}b"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text));
        }
    }
}
