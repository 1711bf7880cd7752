//! The encryption context: the client's own name/value pairs, bound to a ciphertext.
//!
//! It is not secret: it stands in clear in the event log, as it does in CloudTrail.
//! An omitted and an empty context are the same thing.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EncryptionContext(pub BTreeMap<String, String>);

impl EncryptionContext {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The canonical bytes that are authenticated with a ciphertext: pairs in byte order of their
    /// names, every text preceded by its length, so that no two contexts share a form.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_contexts_share_a_canonical_form() {
        let of = |pairs: &[(&str, &str)]| {
            EncryptionContext(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
                .canonical()
        };
        assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
        let all =
            [of(&[]), of(&[("a", "")]), of(&[("", "a")]), of(&[("a", "b")]), of(&[("ab", "")])];
        for (i, one) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| one != other));
        }
    }
}
