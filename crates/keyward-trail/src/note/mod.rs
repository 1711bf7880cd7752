//! Signed notes: text, and who vouches for it.
//!
//! Ed25519 itself comes in through [`Verifier`] and [`Signer`]; no private key is ever seen here.
//! A note that is read proves nothing until [`SignedNote::verify`] holds.
//!
//! INVARIANT: a note has one spelling: what [`SignedNote::parse`] takes is what printing gives back.
//! Source: <https://c2sp.org/signed-note>, cosignatures by <https://c2sp.org/tlog-cosignature>

pub(crate) mod form;
mod key;

pub use key::{KeyError, KeyKind, VerifierKey};

use std::fmt;

/// Bytes of a note at most. Sixteen signatures of the largest kind must fit.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;

/// Signatures of a note at most.
pub const SIGNATURES_MAX: usize = 64;

const SIGNATURE_BYTES: usize = 64;
const TIME_BYTES: usize = 8;
/// The largest time of a cosignature.
const SECONDS_MAX: u64 = i64::MAX.unsigned_abs();
const DASH: &str = "\u{2014} ";

/// Checks an Ed25519 signature.
pub trait Verifier {
    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool;
}

impl<F: Fn(&[u8; 32], &[u8], &[u8; SIGNATURE_BYTES]) -> bool> Verifier for F {
    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self(public, message, signature)
    }
}

/// Signs with one Ed25519 key.
pub trait Signer {
    fn public(&self) -> [u8; 32];
    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES];
}

/// Why something is not a note, or not one to trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("a note has at most {NOTE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("a note is UTF-8")]
    NotUtf8,
    #[error("a note holds no control characters but newlines")]
    ControlCharacter,
    #[error("a note is text that ends in a newline, an empty line, and signature lines")]
    Form,
    /// Counted from 1.
    #[error("signature line {0} is malformed")]
    SignatureLine(usize),
    #[error("a note has at most {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the time of a cosignature is at most {SECONDS_MAX}")]
    Time,
    #[error("two trusted keys share the name {0} and an id")]
    AmbiguousKey(String),
    #[error("the signature of {0} does not verify")]
    BadSignature(String),
    #[error("no trusted key has signed")]
    NotSigned,
}

/// One signature of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: u32,
    /// What comes after the id; of keys that are not known here it can be anything.
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// The name of the key that it claims to be of.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    /// Signature lines alone, each ending in a newline: what a witness answers.
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, NoteError> {
        let lines = form::lines(text).ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (line, number) in lines.zip(1..) {
            if number > SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(Self::parse(line).ok_or(NoteError::SignatureLine(number))?);
        }
        Ok(signatures)
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = form::base64(bytes)?;
        let (id, bytes) = bytes.split_first_chunk()?;
        let whole = key::is_name(name) && !bytes.is_empty();
        whole.then(|| Self {
            name: name.to_owned(),
            id: u32::from_be_bytes(*id),
            bytes: bytes.to_vec(),
        })
    }

    fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    /// The time of a cosignature, when it verifies.
    fn verify(&self, key: &VerifierKey, text: &str, verifier: &impl Verifier) -> Option<Signed> {
        let (seconds, signature) = match key.kind() {
            KeyKind::Ed25519 => (None, self.bytes.as_slice()),
            KeyKind::CosignatureV1 => {
                let (seconds, signature) = self.bytes.split_first_chunk::<TIME_BYTES>()?;
                (Some(u64::from_be_bytes(*seconds)), signature)
            }
        };
        let signature = signature.try_into().ok()?;
        let holds = match seconds {
            None => verifier.verify(key.public(), text.as_bytes(), signature),
            Some(seconds) if seconds > SECONDS_MAX => false,
            Some(seconds) => {
                verifier.verify(key.public(), cosigned(text, seconds).as_bytes(), signature)
            }
        };
        holds.then(|| Signed { key: key.clone(), seconds })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        writeln!(f, "{DASH}{} {}", self.name, form::to_base64(&bytes))
    }
}

/// A trusted key's signature that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub key: VerifierKey,
    /// When, in seconds since 1970; only a cosignature says it.
    pub seconds: Option<u64>,
}

/// Text and its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A note of its parts; text ends in a newline.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        let note = Self { text, signatures };
        // One set of rules, and it is the reader's. Text without a last newline could read as another note.
        let read = Self::parse(note.to_string().as_bytes())?;
        if read == note { Ok(note) } else { Err(NoteError::Form) }
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::ControlCharacter);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let signatures = NoteSignature::parse_lines(signatures)?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// What was signed, if it was: read it only to learn which keys to ask for.
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature, such as a witness's.
    pub fn push(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        if self.to_string().len() + signature.to_string().len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The trusted keys that signed, each once, in the note's order.
    ///
    /// Signatures of other keys are passed over. One of a trusted key that does not verify makes the
    /// whole note suspect, and refuses it, whatever else stands there.
    pub fn verify(
        &self,
        trusted: &[VerifierKey],
        verifier: &impl Verifier,
    ) -> Result<Vec<Signed>, NoteError> {
        let mut signed: Vec<Signed> = Vec::new();
        for signature in &self.signatures {
            let mut keys = trusted.iter().filter(|key| signature.is_of(key));
            let Some(key) = keys.next() else { continue };
            if keys.any(|other| other != key) {
                return Err(NoteError::AmbiguousKey(key.name().to_owned()));
            }
            let one = signature.verify(key, &self.text, verifier);
            let one = one.ok_or_else(|| NoteError::BadSignature(key.name().to_owned()))?;
            if !signed.iter().any(|other| other.key == one.key) {
                signed.push(one);
            }
        }
        if signed.is_empty() { Err(NoteError::NotSigned) } else { Ok(signed) }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

/// A log's signature under a text.
pub fn sign(text: &str, name: &str, signer: &impl Signer) -> Result<NoteSignature, NoteError> {
    let key = VerifierKey::new(name, KeyKind::Ed25519, signer.public())?;
    let bytes = signer.sign(text.as_bytes()).to_vec();
    Ok(NoteSignature { name: name.to_owned(), id: key.id(), bytes })
}

/// A witness's signature under a text: that it was consistent with all that the witness had seen of this
/// log by that time, in seconds since 1970.
pub fn cosign(
    text: &str,
    name: &str,
    signer: &impl Signer,
    seconds: u64,
) -> Result<NoteSignature, NoteError> {
    if seconds > SECONDS_MAX {
        return Err(NoteError::Time);
    }
    let key = VerifierKey::new(name, KeyKind::CosignatureV1, signer.public())?;
    let mut bytes = seconds.to_be_bytes().to_vec();
    bytes.extend_from_slice(&signer.sign(cosigned(text, seconds).as_bytes()));
    Ok(NoteSignature { name: name.to_owned(), id: key.id(), bytes })
}

/// What a cosignature is made over.
fn cosigned(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}
