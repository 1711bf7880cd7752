//! A witness's side of `add-checkpoint`: whether a checkpoint continues what it saw of a log before.
//!
//! A pure function. What the witness remembers comes in, and what it must write down before it answers
//! goes out; doing both as one step is the store's business, or two requests could roll a log back.
//! Source: <https://c2sp.org/tlog-witness> (add-checkpoint)

use crate::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    merkle::{EMPTY_ROOT, Hash, verify_consistency},
    note::{NOTE_BYTES_MAX, NoteError, Verifier, VerifierKey, form},
};
use std::fmt;

/// Hashes of a request's consistency proof at most.
pub const PROOF_HASHES_MAX: usize = 63;

/// Bytes of a request at most: the checkpoint, the old size and the hashes.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 4 * 1024;

/// Media type of the answer to a conflict.
pub const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

/// What a log asks of a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness is thought to have seen last; 0 when it saw none.
    pub old: u64,
    /// From that size to the checkpoint's.
    pub path: Vec<Hash>,
    pub checkpoint: SignedCheckpoint,
}

/// A log that a witness is set up for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLog {
    pub keys: Vec<VerifierKey>,
    /// Size and root of the checkpoint that it cosigned last.
    pub latest: Option<(u64, Hash)>,
}

/// Why a witness does not cosign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the request is an old size, a proof, an empty line and a checkpoint")]
    Malformed,
    #[error("the log is not known to this witness")]
    UnknownOrigin,
    #[error("no key of the log verifies the checkpoint")]
    NotSigned,
    #[error("the old size is larger than the checkpoint's")]
    OldIsLarger,
    /// The size that this witness cosigned last.
    #[error("this witness has seen size {0} last")]
    Conflict(u64),
    /// The log told two stories; the request is worth keeping.
    #[error("this witness has seen another root of size {0}")]
    Forked(u64),
    /// Perhaps a log that was rewritten; the request is worth keeping.
    #[error("the consistency proof does not verify")]
    BadProof,
}

impl Refusal {
    /// The HTTP status to answer with.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::OldIsLarger => 400,
            Self::UnknownOrigin => 404,
            Self::NotSigned => 403,
            Self::Conflict(_) | Self::Forked(_) => 409,
            Self::BadProof => 422,
        }
    }

    /// The body of a conflict, of [`SIZE_MEDIA_TYPE`].
    pub fn size_body(self) -> Option<String> {
        match self {
            Self::Conflict(size) | Self::Forked(size) => Some(format!("{size}\n")),
            _ => None,
        }
    }
}

impl AddCheckpoint {
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let text = Some(bytes).filter(|bytes| bytes.len() <= REQUEST_BYTES_MAX);
        let text = text.and_then(|bytes| str::from_utf8(bytes).ok()).ok_or(Refusal::Malformed)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(Refusal::Malformed)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.and_then(form::decimal).ok_or(Refusal::Malformed)?;
        // One more than there may be, so that too many are noticed.
        let path: Option<Vec<Hash>> = lines.take(PROOF_HASHES_MAX + 1).map(form::hash).collect();
        let path = path.filter(|path| path.len() <= PROOF_HASHES_MAX).ok_or(Refusal::Malformed)?;
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes());
        Ok(Self { old, path, checkpoint: checkpoint.map_err(|_| Refusal::Malformed)? })
    }

    /// The checkpoint to remember and then to cosign ([`crate::note::cosign`] over its text).
    ///
    /// `known` gives what the witness knows of the log with an origin.
    pub fn judge(
        &self,
        known: impl FnOnce(&str) -> Option<KnownLog>,
        verifier: &impl Verifier,
    ) -> Result<Checkpoint, Refusal> {
        let claimed = self.checkpoint.unverified();
        let log = known(&claimed.origin).ok_or(Refusal::UnknownOrigin)?;
        let signed: Result<_, NoteError> = self.checkpoint.note().verify(&log.keys, verifier);
        signed.map_err(|_| Refusal::NotSigned)?;
        if self.old > claimed.size {
            return Err(Refusal::OldIsLarger);
        }
        let (latest, root) = log.latest.unwrap_or((0, EMPTY_ROOT));
        if self.old != latest {
            return Err(Refusal::Conflict(latest));
        }
        if latest == claimed.size && root != claimed.root {
            return Err(Refusal::Forked(latest));
        }
        verify_consistency(latest, &root, claimed.size, &claimed.root, &self.path)
            .map_err(|_| Refusal::BadProof)?;
        Ok(claimed.clone())
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", form::to_base64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
