//! Small forms that notes, checkpoints, proofs and witnesses share. Each value has one spelling.

use crate::merkle::Hash;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Standard base64 with padding; bits that say nothing must be zero.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn hash(text: &str) -> Option<Hash> {
    base64(text)?.try_into().ok()
}

/// Decimal digits without a sign or leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading = text.len() > 1 && text.starts_with('0');
    if digits && !leading { text.parse().ok() } else { None }
}

/// Lines that all end in a newline; `None` when the last does not.
pub(crate) fn lines(text: &str) -> Option<impl Iterator<Item = &str>> {
    Some(text.strip_suffix('\n')?.split('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_spelling() {
        for (text, number) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("00", None),
            ("01", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("1_0", None),
            ("", None),
            ("٣", None),
        ] {
            assert_eq!(decimal(text), number, "{text:?}");
        }
        for (text, bytes) in [
            ("AQ==", Some(vec![1])),
            ("AR==", None),
            ("AQ", None),
            ("AQ=", None),
            ("AQ==\n", None),
            ("A Q==", None),
            ("_w==", None),
            ("", Some(vec![])),
        ] {
            assert_eq!(base64(text), bytes, "{text:?}");
        }
        assert_eq!(hash("AQ=="), None);
        assert_eq!(hash(&to_base64(&[7; 32])), Some([7; 32]));
    }
}
