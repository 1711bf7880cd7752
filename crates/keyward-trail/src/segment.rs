//! What a log says of a part of itself that it has put away: the footer of a sealed journal segment, signed by the
//! log's key.
//!
//! Its words are Keyward's own: [`FIRST_LINE`], and lines of a name and values. They cannot be taken for a checkpoint's:
//! that begins with the name of the log.
//! The digest is of the sealed file before the footer; the root is of the tree over all events up to the segment's last,
//! so that the footer is worth a checkpoint of that size. It proves nothing of what is inside: who has the root key opens
//! it and holds the events against the root.
//!
//! INVARIANT: a footer has one spelling.
//! Source of the signature's form: <https://c2sp.org/signed-note>

use crate::{
    merkle::Hash,
    note::{KeyKind, NoteError, SignedNote, Signer, Verifier, VerifierKey, form, sign},
};
use std::fmt;

/// What the text opens with.
pub const FIRST_LINE: &str = "keyward-journal-segment/v1";

/// Why something is not a footer, or not one to trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FooterError {
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("a footer opens with {FIRST_LINE}, and says what a segment holds line by line")]
    Form,
    #[error("the footer is of the log {found}, not of {expected}")]
    LogDiffers { expected: String, found: String },
    #[error("segment {found} stands where segment {expected} belongs")]
    OutOfOrder { expected: u32, found: u32 },
    #[error("segment {0} does not begin where the one before it ends")]
    DoesNotFollow(u32),
}

/// What a segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// The log's name.
    pub log: String,
    /// The first of a log is 1.
    pub segment: u32,
    /// The first and the last commit.
    pub commits: (u64, u64),
    /// The journal's chain before the first commit and after the last.
    pub chain: (Hash, Hash),
    /// The number of the first event, and of the first after the last.
    pub events: (u64, u64),
    /// The earliest and the latest time of its events, in milliseconds since 1970.
    pub times: (i64, i64),
    /// Of the log's tree over the events up to the segment's end.
    pub root: Hash,
    /// SHA-256 of the sealed file up to the footer.
    pub digest: Hash,
}

impl Footer {
    /// Reads a note's text. It proves nothing: see [`SignedFooter::verify`].
    pub fn parse(text: &str) -> Result<Self, FooterError> {
        Self::of_lines(text).ok_or(FooterError::Form)
    }

    fn of_lines(text: &str) -> Option<Self> {
        let mut lines = form::lines(text)?;
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut values = |name: &str| {
            let line = lines.next()?;
            line.strip_prefix(name)?.strip_prefix(' ')
        };
        let pair = |text: &str| -> Option<(u64, u64)> {
            let (one, other) = text.split_once(' ')?;
            Some((form::decimal(one)?, form::decimal(other)?))
        };
        let log = values("log")?.to_owned();
        let segment = u32::try_from(form::decimal(values("segment")?)?).ok()?;
        let commits = pair(values("commits")?)?;
        let (before, after) = values("chain")?.split_once(' ')?;
        let chain = (form::hash(before)?, form::hash(after)?);
        let events = pair(values("events")?)?;
        let (earliest, latest) = values("times")?.split_once(' ')?;
        let times = (milliseconds(earliest)?, milliseconds(latest)?);
        let root = form::hash(values("root")?)?;
        let digest = form::hash(values("digest")?)?;
        let footer = Self { log, segment, commits, chain, events, times, root, digest };
        (lines.next().is_none() && footer.to_string() == text).then_some(footer)
    }

    /// Signs as the log.
    pub fn sign(&self, signer: &impl Signer) -> Result<SignedFooter, FooterError> {
        let text = self.to_string();
        let signature = sign(&text, &self.log, signer)?;
        SignedFooter::of(SignedNote::new(text, vec![signature])?)
    }

    /// Holds when this segment comes after the other.
    pub fn follows(&self, before: &Self) -> Result<(), FooterError> {
        let expected = before.segment.saturating_add(1);
        if self.segment != expected {
            return Err(FooterError::OutOfOrder { expected, found: self.segment });
        }
        let is_next = before.commits.1.checked_add(1) == Some(self.commits.0)
            && before.chain.1 == self.chain.0
            && before.events.1 == self.events.0;
        if is_next { Ok(()) } else { Err(FooterError::DoesNotFollow(self.segment)) }
    }
}

fn milliseconds(text: &str) -> Option<i64> {
    text.parse::<i64>().ok()
}

impl fmt::Display for Footer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, segment, commits, chain, events, times, root, digest } = self;
        writeln!(f, "{FIRST_LINE}\nlog {log}\nsegment {segment}")?;
        writeln!(f, "commits {} {}", commits.0, commits.1)?;
        writeln!(f, "chain {} {}", form::to_base64(&chain.0), form::to_base64(&chain.1))?;
        writeln!(f, "events {} {}\ntimes {} {}", events.0, events.1, times.0, times.1)?;
        writeln!(f, "root {}\ndigest {}", form::to_base64(root), form::to_base64(digest))
    }
}

/// A footer with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedFooter {
    footer: Footer,
    note: SignedNote,
}

impl SignedFooter {
    pub fn parse(text: &str) -> Result<Self, FooterError> {
        Self::of(SignedNote::parse(text.as_bytes())?)
    }

    fn of(note: SignedNote) -> Result<Self, FooterError> {
        Ok(Self { footer: Footer::parse(note.unverified_text())?, note })
    }

    /// What it claims: read it only to learn which key to ask for.
    pub fn unverified(&self) -> &Footer {
        &self.footer
    }

    /// What it says, when the log whose key this is has signed it.
    pub fn verify(
        &self,
        key: &VerifierKey,
        verifier: &impl Verifier,
    ) -> Result<&Footer, FooterError> {
        if self.footer.log != key.name() || key.kind() != KeyKind::Ed25519 {
            let (expected, found) = (key.name().to_owned(), self.footer.log.clone());
            return Err(FooterError::LogDiffers { expected, found });
        }
        self.note.verify(core::slice::from_ref(key), verifier)?;
        Ok(&self.footer)
    }
}

impl fmt::Display for SignedFooter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::SignedCheckpoint,
        merkle::leaf_hash,
        toy::{Toy, verifier},
    };

    fn footer(segment: u32) -> Footer {
        let at = u64::from(segment);
        let hash = |n: u64| leaf_hash(&n.to_be_bytes());
        Footer {
            log: "keyward/00".to_owned(),
            segment,
            commits: (at * 10 + 1, at * 10 + 10),
            chain: (hash(at), hash(at + 1)),
            events: (at * 20, at * 20 + 20),
            times: (-5, 1_700_000_000_000),
            root: hash(100 + at),
            digest: hash(200 + at),
        }
    }

    fn key(name: &str) -> VerifierKey {
        VerifierKey::new(name, KeyKind::Ed25519, [7; 32]).unwrap()
    }

    #[test]
    fn a_footer_is_read_as_it_was_written_and_holds_for_its_log_alone() {
        let signed = footer(3).sign(&Toy).unwrap();
        let text = signed.to_string();
        let read = SignedFooter::parse(&text).unwrap();
        assert_eq!((&read, read.to_string()), (&signed, text.clone()));
        assert_eq!(read.verify(&key("keyward/00"), &verifier), Ok(&footer(3)));
        let other = read.verify(&key("keyward/01"), &verifier);
        assert!(matches!(other, Err(FooterError::LogDiffers { .. })), "{other:?}");
        let changed = text.replace("events 60 80", "events 60 81");
        let changed = SignedFooter::parse(&changed).unwrap();
        let found = changed.verify(&key("keyward/00"), &verifier);
        assert!(matches!(found, Err(FooterError::Note(NoteError::BadSignature(_)))), "{found:?}");
        assert!(SignedCheckpoint::parse(text.as_bytes()).is_err(), "it is no checkpoint");
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = footer(3).to_string();
        for (from, to) in [
            (FIRST_LINE, "keyward-journal-segment/v2"),
            ("segment 3", "segment 03"),
            ("segment 3", "segment 4294967296"),
            ("events 60 80", "events 60  80"),
            ("times -5", "times +5"),
            ("times -5", "times -05"),
            ("root ", "root  "),
            ("\ndigest", "\nmore 1\ndigest"),
        ] {
            assert_eq!(Footer::parse(&text.replacen(from, to, 1)), Err(FooterError::Form), "{to}");
        }
        assert_eq!(Footer::parse(&format!("{text}more 1\n")), Err(FooterError::Form));
        assert_eq!(Footer::parse(&text).unwrap(), footer(3));
    }

    #[test]
    fn a_missing_and_a_moved_segment_show() {
        let (one, two, three) = (footer(1), footer(2), footer(3));
        assert_eq!(two.follows(&one), Ok(()));
        let missing = FooterError::OutOfOrder { expected: 2, found: 3 };
        assert_eq!(three.follows(&one), Err(missing));
        assert!(one.follows(&two).is_err());
        let forked = Footer { chain: three.chain, ..footer(2) };
        assert_eq!(forked.follows(&one), Err(FooterError::DoesNotFollow(2)));
    }
}
