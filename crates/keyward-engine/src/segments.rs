//! Segments of the journal: sealed under the log's signature, and let go when it is time.
//!
//! It does not decide when: that is retention, of whoever runs the service.
//!
//! INVARIANT: a footer is signed only while the log is what its last checkpoint says.
//! INVARIANT: events leave only after the log has an event that says which, why, and where they are kept.

use crate::{
    Engine,
    log::{Signing, log_origin, log_verifier},
    own_event::OwnDeed,
};
use keyward_store::{EventQuery, SealedSegment, SegmentFacts, StoreError};
use keyward_trail::{
    note::VerifierKey,
    segment::{Footer, SignedFooter},
};
use keyward_types::{KmsError, Timestamp};
use serde_json::json;

/// What the log calls that events left it.
const RETIRED: &str = "RetireEvents";

/// What a footer says of these facts of the log `log`, whose tree had this root at the segment's end.
pub fn footer_of(log: &str, facts: &SegmentFacts, root: [u8; 32]) -> Footer {
    Footer {
        log: log.to_owned(),
        segment: facts.number,
        commits: facts.commits,
        chain: facts.chain,
        events: facts.events,
        times: (facts.times.0.0, facts.times.1.0),
        root,
        digest: facts.digest,
    }
}

/// The footer of a sealed segment that is what the log with this key signed, and that follows the one `before`.
///
/// # Errors
/// In words, what is not so.
pub fn checked_footer(
    segment: &SealedSegment,
    key: &VerifierKey,
    before: Option<&Footer>,
) -> Result<Footer, String> {
    let words = |error: &dyn core::fmt::Display| error.to_string();
    let signed = SignedFooter::parse(&segment.footer).map_err(|error| words(&error))?;
    let footer = signed.verify(key, &log_verifier).map_err(|error| words(&error))?;
    if *footer != footer_of(key.name(), &segment.facts, footer.root) {
        return Err("the footer was signed of another segment".to_owned());
    }
    if !segment.is_as_summed().map_err(|error| words(&error))? {
        return Err("its bytes are not those that its footer was signed over".to_owned());
    }
    before.map_or(Ok(()), |before| footer.follows(before)).map_err(|error| words(&error))?;
    Ok(footer.clone())
}

impl Engine {
    /// Seals every segment that is closed; answers how many.
    ///
    /// # Errors
    /// `KMSInternalException` when the log is not what its last checkpoint says, and what the disk says.
    pub fn seal_segments(&self) -> Result<usize, KmsError> {
        let store = &self.world.store;
        let closed = store.closed_segments().map_err(KmsError::internal)?;
        if closed.is_empty() {
            return Ok(0);
        }
        // It holds the log against its last word first.
        self.checkpoint()?;
        let key = Signing(self.world.keyring.log_key().map_err(KmsError::internal)?);
        let origin = log_origin(&store.header().store_id);
        let mut sign = |facts: &SegmentFacts| {
            let failed = |error: &dyn core::fmt::Display| StoreError::Failed(error.to_string());
            let root = self.root_at(facts.events.1).map_err(|error| failed(&error))?;
            let signed = footer_of(&origin, facts, root).sign(&key);
            signed.map(|signed| signed.to_string()).map_err(|error| failed(&error))
        };
        for number in &closed {
            store.seal_segment(*number, &mut sign).map_err(KmsError::internal)?;
        }
        Ok(closed.len())
    }

    /// Closes the segment that is written to when the first of its events is from before `since`; whether it was.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close_segment_from_before(&self, since: Timestamp) -> Result<bool, KmsError> {
        let store = &self.world.store;
        // What is closed and not yet sealed has older events, and is not to be followed by many small ones.
        if !store.closed_segments().map_err(KmsError::internal)?.is_empty() {
            return Ok(false);
        }
        let sealed = self.sealed_segments()?;
        let first = sealed.last().map_or(0, |last| last.facts.events.1).max(store.first_event());
        let query = EventQuery { after: first.checked_sub(1), limit: 1, ..EventQuery::default() };
        let found = store.events(&query).map_err(KmsError::internal)?;
        let is_old = found.first().is_some_and(|event| event.time < since);
        if is_old {
            store.close_segment().map_err(KmsError::internal)?;
        }
        Ok(is_old)
    }

    /// Lets the oldest sealed segments go, up to and with `last`. The log says so first: `why`, and `archive`, where
    /// they are kept. Answers the number of the first event that is still there.
    ///
    /// # Errors
    /// What the disk says. What was begun is finished by the next call, or the next start.
    pub fn retire_segments(
        &self,
        last: &SealedSegment,
        why: &str,
        archive: Option<&str>,
    ) -> Result<u64, KmsError> {
        let store = &self.world.store;
        for segment in self.sealed_segments()? {
            let is_leaving = segment.facts.number <= last.facts.number;
            if is_leaving && !segment.is_as_summed().map_err(KmsError::internal)? {
                let number = segment.facts.number;
                return Err(KmsError::internal(format!("segment {number} is damaged, and stays")));
            }
        }
        let (first, next) = (store.first_event(), last.facts.events.1);
        let details = json!({
            "reason": why,
            "lastSegment": last.facts.number,
            "firstEvent": first,
            "nextEvent": next,
            "archive": archive,
        });
        self.tell(OwnDeed {
            operation: RETIRED,
            account: None,
            read_only: false,
            details: &details,
        })?;
        store.sync_events().map_err(KmsError::internal)?;
        store.drop_segments(last.facts.number).map_err(KmsError::internal)
    }

    /// The sealed segments that are here, oldest first.
    ///
    /// # Errors
    /// `KMSInternalException` when one is damaged.
    pub fn sealed_segments(&self) -> Result<Vec<SealedSegment>, KmsError> {
        self.world.store.sealed_segments().map_err(KmsError::internal)
    }
}
