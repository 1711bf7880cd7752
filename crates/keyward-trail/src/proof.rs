//! The proof that one event is in the log, as text that needs nothing beside it but the keys one trusts.
//!
//! It holds the event's place, the hashes up to the root, and a checkpoint; not the event itself.
//! Proofs are stored with the extension `.tlog-proof`.
//! Source: <https://c2sp.org/tlog-proof>

use crate::{
    checkpoint::{CheckpointError, Opened, SignedCheckpoint, Trust},
    merkle::{Hash, INCLUSION_HASHES_MAX, InclusionError, verify_inclusion},
    note::{NOTE_BYTES_MAX, Verifier, form},
};
use std::fmt;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Bytes of the extra data at most.
pub const EXTRA_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a proof's text at most: the checkpoint, the extra data in base64, and the rest.
const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + EXTRA_BYTES_MAX * 2;

/// Why something is not a proof, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("a proof has at most {PROOF_BYTES_MAX} bytes")]
    TooLarge,
    #[error("a proof is UTF-8")]
    NotUtf8,
    #[error("a proof starts with the line {FIRST_LINE}")]
    FirstLine,
    #[error("the extra data is not empty, base64, and at most {EXTRA_BYTES_MAX} bytes")]
    Extra,
    #[error("the index is a line of its own, a decimal number without leading zeroes")]
    Index,
    /// Counted from 1.
    #[error("hash {0} of the proof is not the base64 of 32 bytes")]
    Hash(usize),
    #[error("a proof has at most {INCLUSION_HASHES_MAX} hashes")]
    TooManyHashes,
    #[error("an empty line stands between the hashes and the checkpoint")]
    Form,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Inclusion(#[from] InclusionError),
}

/// An event's place, the way to the root, and the checkpoint with that root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    extra: Vec<u8>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

impl Proof {
    /// Fails when the parts cannot belong together.
    pub fn new(
        index: u64,
        path: Vec<Hash>,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self, ProofError> {
        if path.len() > INCLUSION_HASHES_MAX {
            return Err(ProofError::TooManyHashes);
        }
        Ok(Self { extra: Vec::new(), index, path, checkpoint })
    }

    /// Takes data along. Nobody vouches for it.
    pub fn with_extra(mut self, extra: Vec<u8>) -> Result<Self, ProofError> {
        if extra.len() > EXTRA_BYTES_MAX {
            return Err(ProofError::Extra);
        }
        self.extra = extra;
        Ok(self)
    }

    /// The same proof alone.
    pub fn without_extra(self) -> Self {
        Self { extra: Vec::new(), ..self }
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(ProofError::TooLarge);
        }
        let text = str::from_utf8(bytes).map_err(|_| ProofError::NotUtf8)?;
        let (first, rest) = text.split_once('\n').ok_or(ProofError::FirstLine)?;
        if first != FIRST_LINE {
            return Err(ProofError::FirstLine);
        }
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(ProofError::Form)?;
        let mut lines = head.split('\n').peekable();
        let extra = lines.next_if(|line| line.starts_with("extra"));
        let extra = extra.map(extra_data).transpose()?.unwrap_or_default();
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(form::decimal).ok_or(ProofError::Index)?;
        let path = hashes(lines)?;
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())?;
        Self::new(index, path, checkpoint)?.with_extra(extra)
    }

    pub fn index(&self) -> u64 {
        self.index
    }

    /// Data that came along; nobody vouches for it.
    pub fn extra(&self) -> &[u8] {
        &self.extra
    }

    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The checkpoint as it came, to be trusted only after [`Proof::verify`].
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Holds when the leaf with this hash stands at [`Proof::index`] of a log that is trusted.
    pub fn verify(
        &self,
        leaf: &Hash,
        trust: &Trust<'_>,
        verifier: &impl Verifier,
    ) -> Result<Opened, ProofError> {
        let opened = self.checkpoint.verify(trust, verifier)?;
        let (size, root) = (opened.checkpoint.size, &opened.checkpoint.root);
        verify_inclusion(leaf, self.index, size, &self.path, root)?;
        Ok(opened)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", form::to_base64(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", form::to_base64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

fn extra_data(line: &str) -> Result<Vec<u8>, ProofError> {
    let data = line.strip_prefix("extra ").and_then(form::base64);
    data.filter(|data| !data.is_empty()).ok_or(ProofError::Extra)
}

/// Lines of one hash each.
fn hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>, ProofError> {
    lines
        .zip(1..)
        .map(|(line, number)| match form::hash(line) {
            _ if number > INCLUSION_HASHES_MAX => Err(ProofError::TooManyHashes),
            Some(hash) => Ok(hash),
            None => Err(ProofError::Hash(number)),
        })
        .collect()
}
