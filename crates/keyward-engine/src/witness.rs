//! Being a witness: cosigning checkpoints of other logs that continue what was seen of them before.
//!
//! The judgement is `keyward-trail`'s; which logs are known is the caller's to say.
//!
//! INVARIANT: what a cosignature vouches for is durable before the cosignature exists, and one request at a time is
//! judged: no two can lead a log back or apart.
//! Source: <https://c2sp.org/tlog-witness>

use crate::{
    Engine,
    log::{Signing, log_origin, log_verifier},
};
use keyward_trail::{
    checkpoint::SignedCheckpoint,
    note::{KeyKind, VerifierKey, cosign},
    witness::{AddCheckpoint, KnownLog, Refusal},
};
use keyward_types::KmsError;

/// Why nothing was cosigned.
#[derive(Debug)]
pub enum Uncosigned {
    /// The witness's judgement.
    Refused(Refusal),
    /// The witness itself cannot.
    Failed(KmsError),
}

impl From<Refusal> for Uncosigned {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<KmsError> for Uncosigned {
    fn from(error: KmsError) -> Self {
        Self::Failed(error)
    }
}

impl Engine {
    /// The name and public key under which this service cosigns.
    pub fn witness_key(&self) -> Result<VerifierKey, KmsError> {
        let key = self.world.keyring.witness_key().map_err(KmsError::internal)?;
        VerifierKey::new(&self.witness_name(), KeyKind::CosignatureV1, key.public())
            .map_err(KmsError::internal)
    }

    fn witness_name(&self) -> String {
        format!("{}/witness", log_origin(&self.world.store.header().store_id))
    }

    /// Judges a request of `add-checkpoint`; answers the cosignature, a line, when it is durable that it was given.
    pub fn cosign(&self, request: &[u8], known: &[VerifierKey]) -> Result<String, Uncosigned> {
        let asked = AddCheckpoint::parse(request)?;
        let origin = asked.checkpoint.unverified().origin.as_str();
        let keys: Vec<VerifierKey> =
            known.iter().filter(|key| key.name() == origin).cloned().collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownOrigin.into());
        }
        // Before the lock, which nobody holds who has not the log's key.
        let signed = asked.checkpoint.note().verify(&keys, &log_verifier);
        signed.map_err(|_| Refusal::NotSigned)?;
        let _one_at_a_time =
            self.witnessing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let latest = self.witnessed(origin)?;
        asked.judge(|_| Some(KnownLog { keys, latest }), &log_verifier)?;
        let note = asked.checkpoint.note();
        self.world
            .store
            .keep_witnessed(origin, note.to_string().as_bytes())
            .map_err(KmsError::internal)?;
        let key = Signing(self.world.keyring.witness_key().map_err(KmsError::internal)?);
        let seconds = u64::try_from(self.world.clock.now().seconds()).unwrap_or_default();
        let cosigned = cosign(note.unverified_text(), &self.witness_name(), &key, seconds);
        let cosigned = cosigned.map_err(KmsError::internal)?.to_string();
        // A signature that could not be made does not leave.
        self.check_cosignature(note.unverified_text(), &cosigned)?;
        Ok(cosigned)
    }

    fn check_cosignature(&self, text: &str, line: &str) -> Result<(), KmsError> {
        let note = format!("{text}\n{line}");
        let note = keyward_trail::note::SignedNote::parse(note.as_bytes());
        let key = [self.witness_key()?];
        let verified = note.and_then(|note| note.verify(&key, &log_verifier));
        verified.map(drop).map_err(KmsError::internal)
    }

    /// Size and root of what was cosigned last of a log.
    fn witnessed(&self, origin: &str) -> Result<Option<(u64, [u8; 32])>, KmsError> {
        let kept = self.world.store.witnessed(origin).map_err(KmsError::internal)?;
        let Some(kept) = kept else { return Ok(None) };
        let signed = SignedCheckpoint::parse(&kept).map_err(KmsError::internal)?;
        let said = signed.unverified();
        if said.origin != origin {
            return Err(KmsError::internal("what was witnessed is of another log"));
        }
        Ok(Some((said.size, said.root)))
    }
}
