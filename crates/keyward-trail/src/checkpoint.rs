//! Checkpoints: what a log says of itself at one size, signed.
//!
//! A reader who keeps one can later prove that nothing before it was changed.
//! A log signs no checkpoint that is inconsistent with one it signed before; that is the store's business.
//! Source: <https://c2sp.org/tlog-checkpoint>

use crate::{
    merkle::Hash,
    note::{NoteError, Signed, SignedNote, Signer, Verifier, VerifierKey, form, sign},
};
use std::fmt;

/// Why something is not a checkpoint, or not one to trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("a checkpoint is an origin, a size, a root and no empty line")]
    Form,
    #[error("the size of a checkpoint is a decimal number without leading zeroes")]
    Size,
    #[error("the root of a checkpoint is the base64 of 32 bytes")]
    Root,
    #[error("the checkpoint is of the log {found}, not of {expected}")]
    OriginDiffers { expected: String, found: String },
    #[error("the log has not signed the checkpoint")]
    LogNotSigned,
    #[error("{needed} witnesses are needed, and {found} have signed")]
    QuorumMissed { needed: usize, found: usize },
}

/// A log's size and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a name for good.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    pub root: Hash,
    /// Further lines; Keyward writes none.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// Reads a note's text. It proves nothing: see [`SignedCheckpoint::verify`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = form::lines(text).ok_or(CheckpointError::Form)?.collect();
        let control = |line: &&str| line.is_empty() || line.bytes().any(|byte| byte < b' ');
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return Err(CheckpointError::Form);
        };
        if lines.iter().any(control) {
            return Err(CheckpointError::Form);
        }
        Ok(Self {
            origin: (*origin).to_owned(),
            size: form::decimal(size).ok_or(CheckpointError::Size)?,
            root: form::hash(root).ok_or(CheckpointError::Root)?,
            extensions: extensions.iter().map(|line| (*line).to_owned()).collect(),
        })
    }

    /// Signs as the log whose name is the origin.
    pub fn sign(&self, signer: &impl Signer) -> Result<SignedCheckpoint, CheckpointError> {
        let text = self.to_string();
        let signature = sign(&text, &self.origin, signer)?;
        SignedCheckpoint::of(SignedNote::new(text, vec![signature])?)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = form::to_base64(&self.root);
        writeln!(f, "{}\n{}\n{root}", self.origin, self.size)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Whom a reader trusts.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    pub origin: &'a str,
    /// The log's own keys; one of them must have signed.
    pub log: &'a [VerifierKey],
    pub witnesses: &'a [VerifierKey],
    /// How many of the witnesses must have signed.
    pub quorum: usize,
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

/// A checkpoint that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub checkpoint: Checkpoint,
    /// The witnesses that count, in the note's order.
    pub witnesses: Vec<Signed>,
}

impl SignedCheckpoint {
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        Self::of(SignedNote::parse(bytes)?)
    }

    fn of(note: SignedNote) -> Result<Self, CheckpointError> {
        Ok(Self { checkpoint: Checkpoint::parse(note.unverified_text())?, note })
    }

    /// What it claims: read it only to learn which keys to ask for.
    pub fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// To add a witness's signature to.
    pub fn note_mut(&mut self) -> &mut SignedNote {
        &mut self.note
    }

    /// Holds when the log itself and enough witnesses have signed, and no trusted signature is wrong.
    ///
    /// A key counts as one witness under however many names, the log's own key as none, and a signature
    /// without a time is no witness's.
    pub fn verify(
        &self,
        trust: &Trust<'_>,
        verifier: &impl Verifier,
    ) -> Result<Opened, CheckpointError> {
        if self.checkpoint.origin != trust.origin {
            return Err(CheckpointError::OriginDiffers {
                expected: trust.origin.to_owned(),
                found: self.checkpoint.origin.clone(),
            });
        }
        let trusted = [trust.log, trust.witnesses].concat();
        let signed = self.note.verify(&trusted, verifier).map_err(|error| match error {
            NoteError::NotSigned => CheckpointError::LogNotSigned,
            other => other.into(),
        })?;
        let of_log = |key: &VerifierKey| trust.log.iter().any(|log| log.public() == key.public());
        if !signed.iter().any(|one| trust.log.contains(&one.key)) {
            return Err(CheckpointError::LogNotSigned);
        }
        let mut witnesses: Vec<Signed> = Vec::new();
        for one in signed.into_iter().filter(|one| one.seconds.is_some() && !of_log(&one.key)) {
            if !witnesses.iter().any(|other| other.key.public() == one.key.public()) {
                witnesses.push(one);
            }
        }
        if witnesses.len() < trust.quorum {
            let (needed, found) = (trust.quorum, witnesses.len());
            return Err(CheckpointError::QuorumMissed { needed, found });
        }
        Ok(Opened { checkpoint: self.checkpoint.clone(), witnesses })
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}
