//! The second net: members that never reach the log, whoever hands them over.
//!
//! The first net is the engine's list of members that may be logged. This one needs no list per
//! operation, and so still holds when that list has a mistake in it.
//!
//! INVARIANT: an encryption context is the client's own map and is logged whole, as CloudTrail does it;
//! its names are not looked at.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// Names that are left out at any depth, compared without case.
pub const WITHHELD: &[&str] = &[
    "attestationDocument",
    "ciphertext",
    "ciphertextBlob",
    "ciphertextForRecipient",
    "digest",
    "encryptedKeyMaterial",
    "grantToken",
    "grantTokens",
    "importToken",
    "keyMaterial",
    "mac",
    "message",
    "password",
    "plaintext",
    "privateKey",
    "privateKeyCiphertextBlob",
    "privateKeyPlaintext",
    "publicKey",
    "secret",
    "secretAccessKey",
    "serializedKeyMaterial",
    "sessionToken",
    "sharedSecret",
    "signature",
    "tokenCode",
    "webIdentityToken",
    "xksProxyAuthenticationCredential",
];

/// Serializes a value without its withheld members.
pub(crate) struct Clean<'a>(pub(crate) &'a Value);

/// Serializes an object without its withheld members; an empty one is null.
pub(crate) struct CleanMap<'a>(pub(crate) &'a Map<String, Value>);

impl Serialize for Clean<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Clean)),
            Value::Object(map) => members(map, serializer),
            other => other.serialize(serializer),
        }
    }
}

impl Serialize for CleanMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() { serializer.serialize_none() } else { members(self.0, serializer) }
    }
}

pub(crate) fn is_withheld(name: &str) -> bool {
    WITHHELD.iter().any(|withheld| withheld.eq_ignore_ascii_case(name))
}

fn members<S: Serializer>(map: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut members = serializer.serialize_map(None)?;
    for (name, value) in map.iter().filter(|(name, _)| !is_withheld(name)) {
        if is_context(name) {
            members.serialize_entry(name, value)?;
        } else {
            members.serialize_entry(name, &Clean(value))?;
        }
    }
    members.end()
}

/// `encryptionContext`, `sourceEncryptionContext`, `encryptionContextEquals` and their like.
fn is_context(name: &str) -> bool {
    name.to_ascii_lowercase().contains("encryptioncontext")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn withheld_at_any_depth_but_not_in_a_context() {
        let value = json!({
            "keyId": "k", "Plaintext": "cw==", "list": [{"signature": "cw==", "keep": 1}],
            "nested": {"SecretAccessKey": "s", "accessKeyId": "AKIA"},
            "encryptionContext": {"message": "not secret", "plaintext": "neither"},
            "constraints": {"encryptionContextSubset": {"digest": "d"}},
        });
        let text = serde_json::to_value(Clean(&value)).unwrap();
        assert_eq!(
            text,
            json!({
                "keyId": "k", "list": [{"keep": 1}], "nested": {"accessKeyId": "AKIA"},
                "encryptionContext": {"message": "not secret", "plaintext": "neither"},
                "constraints": {"encryptionContextSubset": {"digest": "d"}},
            })
        );
        assert_eq!(serde_json::to_string(&CleanMap(&Map::new())).unwrap(), "null");
    }
}
