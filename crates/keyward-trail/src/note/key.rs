//! Public keys that sign notes, and their text form.
//!
//! A key's id says which key a signature claims to be of; it proves nothing.
//! Source: <https://c2sp.org/signed-note> (Signatures, Verifier keys)

use super::form;
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

const PUBLIC_BYTES: usize = 32;

/// What a key's signatures say. Both are Ed25519.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// Over the note's text: a log's own.
    Ed25519,
    /// `cosignature/v1`: over a time and the text, a witness's.
    /// Source: <https://c2sp.org/tlog-cosignature>
    CosignatureV1,
}

impl KeyKind {
    /// The signature type identifier byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// Why text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a verifier key is NAME+ID+BASE64")]
    Form,
    #[error("a key name is not empty and has neither spaces, control characters nor plus signs")]
    Name,
    #[error("a key id is eight lower-case hexadecimal digits")]
    Id,
    #[error("keys of signature type {0:#04x} are not known here")]
    Kind(u8),
    #[error("an Ed25519 public key has 32 bytes")]
    Length,
    #[error("the key id is not that of this name and key")]
    IdDiffers,
}

/// A name and a public key that the reader trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: [u8; PUBLIC_BYTES],
    id: u32,
}

impl VerifierKey {
    pub fn new(name: &str, kind: KeyKind, public: [u8; PUBLIC_BYTES]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let digest = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', kind.byte()])
            .chain_update(public)
            .finalize();
        let [a, b, c, d, ..] = <[u8; 32]>::from(digest);
        Ok(Self { name: name.to_owned(), kind, public, id: u32::from_be_bytes([a, b, c, d]) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    pub fn public(&self) -> &[u8; PUBLIC_BYTES] {
        &self.public
    }

    /// The first bytes of SHA-256 of name, newline, kind and public key.
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.byte()];
        bytes.extend_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, self.id, form::to_base64(&bytes))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // Base64 may hold a plus sign; the name and the id may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if id.len() != 8 || !id.bytes().all(hex) {
            return Err(KeyError::Id);
        }
        let id = u32::from_str_radix(id, 16).map_err(|_| KeyError::Id)?;
        let bytes = form::base64(key).ok_or(KeyError::Form)?;
        let (kind, public) = bytes.split_first().ok_or(KeyError::Form)?;
        let kind = match kind {
            0x01 => KeyKind::Ed25519,
            0x04 => KeyKind::CosignatureV1,
            other => return Err(KeyError::Kind(*other)),
        };
        let public = public.try_into().map_err(|_| KeyError::Length)?;
        let key = Self::new(name, kind, public)?;
        if key.id == id { Ok(key) } else { Err(KeyError::IdDiffers) }
    }
}

/// Not empty, and nothing in it that a signature line or a verifier key could be misread by.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c < ' ' || c == '+')
}
