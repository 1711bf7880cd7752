//! What the event log proves of itself: signed checkpoints, that an event is in it, and that it only ever grew.
//!
//! A leaf of the tree is an event's record, byte by byte as it was committed. The log's name is `keyward/` and the
//! store's id; its key is derived from the root key and is no customer's.
//!
//! INVARIANT: a checkpoint is signed only when its events are durable and the log still is what the last checkpoint
//! says; a log that is not signs no more.
//! INVARIANT: checkpoints are kept before they are told.
//! INVARIANT: a cosignature is added only to the words that were signed, and only when it verifies.
//! Sources: <https://c2sp.org/tlog-checkpoint>, <https://www.rfc-editor.org/rfc/rfc6962#section-2.1>

use crate::Engine;
use keyward_crypto::{LogKey, verify_log_signature};
use keyward_store::{KeptCheckpoint, Store, StoreError, StoredEvent};
use keyward_trail::{
    checkpoint::{Checkpoint, SignedCheckpoint, Trust},
    hashes::EventHashes,
    merkle::{self, Hash, NodeSource, ProveError},
    note::{KeyKind, NoteSignature, Signer, VerifierKey},
    proof::Proof,
};
use keyward_types::{ErrorCode, KmsError};

/// The log's tree as the store keeps it.
struct Nodes<'s>(&'s Store);

impl NodeSource for Nodes<'_> {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, StoreError> {
        self.0.tree_node(level, index)
    }
}

pub(crate) struct Signing(pub(crate) LogKey);

impl Signer for Signing {
    fn public(&self) -> [u8; 32] {
        self.0.public()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        // A signature that could not be made verifies nowhere; who signs looks at once.
        self.0.sign(message).unwrap_or([0; 64])
    }
}

/// What a log is called.
pub fn log_origin(store_id: &[u8; 16]) -> String {
    format!("keyward/{}", hex::encode(store_id))
}

/// Checkpoints among which a cosigned one is looked for.
const COSIGNED_WITHIN: usize = 1_000;

/// Checkpoints behind an event among which a cosigned one is looked for, to prove it under.
const COSIGNED_BEHIND: usize = 100;

/// Whether so many others than the log itself have signed.
fn is_cosigned(kept: &KeptCheckpoint, witnesses: usize) -> bool {
    let parsed = SignedCheckpoint::parse(kept.note.as_bytes());
    parsed.is_ok_and(|signed| witnesses < signed.note().signatures().len())
}

/// How the log's signatures are checked.
pub fn log_verifier(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    verify_log_signature(public, message, signature)
}

impl Engine {
    /// The name and public key by which the log's checkpoints are checked.
    pub fn log_key(&self) -> Result<VerifierKey, KmsError> {
        let key = self.world.keyring.log_key().map_err(KmsError::internal)?;
        let origin = log_origin(&self.world.store.header().store_id);
        VerifierKey::new(&origin, KeyKind::Ed25519, key.public()).map_err(KmsError::internal)
    }

    /// The newest checkpoint: a new one where the log has grown since the last.
    ///
    /// # Errors
    /// `KMSInternalException` when the log is not what the last checkpoint says, and what the disk says.
    pub fn checkpoint(&self) -> Result<SignedCheckpoint, KmsError> {
        let _one_at_a_time =
            self.checkpointing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let store = &self.world.store;
        let last = self.last_checkpoint()?;
        let size = store.events_total();
        if let Some(last) = &last {
            self.check_against(last)?;
        }
        match last {
            Some(last) if last.unverified().size == size => Ok(last),
            _ => self.sign_checkpoint(size, self.root_at(size)?),
        }
    }

    /// Whether the log still is what its newest checkpoint says, before it is served.
    ///
    /// # Errors
    /// `KMSInternalException` when it is not, or the checkpoint is not this log's.
    pub fn check_log(&self) -> Result<(), KmsError> {
        self.last_checkpoint()?.map_or(Ok(()), |last| self.check_against(&last))
    }

    fn check_against(&self, last: &SignedCheckpoint) -> Result<(), KmsError> {
        let (said, size) = (last.unverified(), self.world.store.events_total());
        if size < said.size || self.root_at(said.size)? != said.root {
            tracing::error!(size, said = said.size, "the log is not what its checkpoint says");
            return Err(KmsError::internal("the log is not what its last checkpoint says"));
        }
        Ok(())
    }

    /// The root of the tree over the first so many events.
    pub(crate) fn root_at(&self, size: u64) -> Result<Hash, KmsError> {
        merkle::root_at(&Nodes(&self.world.store), size).map_err(KmsError::internal)
    }

    fn sign_checkpoint(&self, size: u64, root: Hash) -> Result<SignedCheckpoint, KmsError> {
        let store = &self.world.store;
        let key = Signing(self.world.keyring.log_key().map_err(KmsError::internal)?);
        let checkpoint = Checkpoint::new(&log_origin(&store.header().store_id), size, root);
        let signed = checkpoint.sign(&key).map_err(KmsError::internal)?;
        self.verify_checkpoint(&signed)?;
        store.sync_events().map_err(KmsError::internal)?;
        let kept = KeptCheckpoint { size, note: signed.to_string() };
        store.keep_checkpoint(&kept).map_err(KmsError::internal)?;
        Ok(signed)
    }

    fn verify_checkpoint(&self, signed: &SignedCheckpoint) -> Result<(), KmsError> {
        let key = self.log_key()?;
        let trust = Trust {
            origin: key.name(),
            log: core::slice::from_ref(&key),
            witnesses: &[],
            quorum: 0,
        };
        let verified = signed.verify(&trust, &log_verifier);
        verified.map(drop).map_err(KmsError::internal)
    }

    /// The newest checkpoint that was signed.
    pub fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>, KmsError> {
        let kept = self.world.store.last_checkpoint().map_err(KmsError::internal)?;
        kept.map(|kept| self.own(&kept)).transpose()
    }

    /// The newest checkpoint that so many others than the log itself have signed, of the last thousand.
    pub fn last_cosigned(&self, witnesses: usize) -> Result<Option<SignedCheckpoint>, KmsError> {
        let enough = |kept: &KeptCheckpoint| is_cosigned(kept, witnesses);
        let kept = self.world.store.last_checkpoint_that(COSIGNED_WITHIN, enough);
        kept.map_err(KmsError::internal)?.map(|kept| self.own(&kept)).transpose()
    }

    /// Adds cosignatures to the newest checkpoint, and keeps it with them. Each must be of a witness in `trusted`.
    /// `None` when the log has signed a newer one meanwhile.
    ///
    /// # Errors
    /// `KMSInternalException` for a cosignature that does not verify, and what the disk says.
    pub fn keep_cosigned(
        &self,
        of: &SignedCheckpoint,
        cosignatures: Vec<NoteSignature>,
        trusted: &[VerifierKey],
    ) -> Result<Option<SignedCheckpoint>, KmsError> {
        let _one_at_a_time =
            self.checkpointing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(mut last) = self.last_checkpoint()? else { return Ok(None) };
        if last.unverified() != of.unverified() {
            return Ok(None);
        }
        for cosignature in cosignatures {
            if !last.note().signatures().contains(&cosignature) {
                last.note_mut().push(cosignature).map_err(KmsError::internal)?;
            }
        }
        let key = self.log_key()?;
        let log = core::slice::from_ref(&key);
        let trust = Trust { origin: key.name(), log, witnesses: trusted, quorum: 0 };
        last.verify(&trust, &log_verifier).map_err(KmsError::internal)?;
        let kept = KeptCheckpoint { size: of.unverified().size, note: last.to_string() };
        self.world.store.keep_checkpoint(&kept).map_err(KmsError::internal)?;
        Ok(Some(last))
    }

    /// A checkpoint that was kept; one that this log did not sign is an error.
    fn own(&self, kept: &KeptCheckpoint) -> Result<SignedCheckpoint, KmsError> {
        let signed = SignedCheckpoint::parse(kept.note.as_bytes()).map_err(KmsError::internal)?;
        self.verify_checkpoint(&signed)?;
        Ok(signed)
    }

    /// The proof that an event is in the log, with the event itself beside it where that is not too large: under
    /// the first checkpoint that speaks of it and that a witness has cosigned, or else the first that speaks of it,
    /// which is signed now if there is none.
    pub fn prove(&self, event: &StoredEvent) -> Result<Proof, KmsError> {
        let (store, size) = (&self.world.store, event.seq + 1);
        let cosigned = |kept: &KeptCheckpoint| is_cosigned(kept, 1);
        let cosigned = store.checkpoint_reaching_that(size, COSIGNED_BEHIND, cosigned);
        let kept = match cosigned.map_err(KmsError::internal)? {
            Some(kept) => Some(kept),
            None => store.checkpoint_reaching(size).map_err(KmsError::internal)?,
        };
        let signed = match kept {
            Some(kept) => self.own(&kept)?,
            None => self.checkpoint()?,
        };
        self.prove_under(event, signed)
    }

    /// The checkpoint that was kept when the log had this size.
    pub fn checkpoint_at(&self, size: u64) -> Result<Option<SignedCheckpoint>, KmsError> {
        let kept = self.world.store.checkpoint_reaching(size).map_err(KmsError::internal)?;
        kept.filter(|kept| kept.size == size).map(|kept| self.own(&kept)).transpose()
    }

    /// The same proof under a checkpoint of this log that speaks of the event.
    pub fn prove_under(
        &self,
        event: &StoredEvent,
        signed: SignedCheckpoint,
    ) -> Result<Proof, KmsError> {
        let store = &self.world.store;
        let size = signed.unverified().size;
        let path = merkle::inclusion_proof(&Nodes(store), event.seq, size);
        let proof = Proof::new(event.seq, path.map_err(KmsError::internal)?, signed);
        let proof = proof.map_err(KmsError::internal)?;
        let alone = proof.clone();
        Ok(proof.with_extra(event.record.clone()).unwrap_or(alone))
    }

    /// The hashes of the events from one number to before another, under a checkpoint of this log that speaks of
    /// them. Events that left have none.
    pub fn event_hashes(
        &self,
        (from, to): (u64, u64),
        signed: SignedCheckpoint,
    ) -> Result<EventHashes, KmsError> {
        let nodes = Nodes(&self.world.store);
        let leaf = |index| {
            let node = nodes.node(0, index).map_err(KmsError::internal)?;
            node.ok_or_else(|| KmsError::internal("the log does not hold that event"))
        };
        let leaves = (from..to).map(leaf).collect::<Result<Vec<Hash>, _>>()?;
        EventHashes::new(&nodes, (from, to), leaves, signed).map_err(KmsError::internal)
    }

    /// The hashes that show that the log of size `new` begins with the log of size `old`. `None` where the log has
    /// not come so far, or `old` is larger.
    ///
    /// # Errors
    /// `NotFoundException` for a size that was never signed and that only events which left the log would show.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, KmsError> {
        let store = &self.world.store;
        if new < old || store.events_total() < new {
            return Ok(None);
        }
        merkle::consistency_proof(&Nodes(store), old, new).map(Some).map_err(|error| match error {
            ProveError::Source(StoreError::Gone { .. }) => {
                let first = store.first_event();
                let words = format!(
                    "The log cannot show that it grew from {old} to {new} events: those before event {first} left it by its retention, and of their time it keeps what leads from the sizes that were signed"
                );
                KmsError::new(ErrorCode::NotFound, words)
            }
            error => KmsError::internal(error),
        })
    }
}
