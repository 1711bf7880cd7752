//! Being a witness: cosigning checkpoints of other logs that continue what was seen of them before.
//!
//! The judgement is `keyward-trail`'s; which logs are known is the caller's to say.
//!
//! INVARIANT: what a cosignature vouches for is durable before the cosignature exists, and one request at a time is
//! judged: no two can lead a log back or apart.
//! INVARIANT: a log that was cosigned once is never taken for a new one: the witness's own log tells of the first time,
//! and outlives the file that what was seen last stands in.
//! Source: <https://c2sp.org/tlog-witness>

use crate::{
    Engine,
    log::{Signing, log_origin, log_verifier},
    own_event::OwnDeed,
};
use keyward_store::EventQuery;
use keyward_trail::{
    checkpoint::SignedCheckpoint,
    note::{KeyKind, VerifierKey, cosign},
    query::{Query, filed_as},
    witness::{AddCheckpoint, KnownLog, Refusal},
};
use keyward_types::KmsError;
use serde_json::{Value, json};

/// The event of the first time that a log is cosigned.
const BEGUN: &str = "BeginWitness";

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
        if latest.is_none() && self.has_begun(origin)? {
            return Err(KmsError::internal("what was witnessed of the log is missing").into());
        }
        asked.judge(|_| Some(KnownLog { keys, latest }), &log_verifier)?;
        if latest.is_none() {
            self.begin_witness(origin)?;
        }
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

    fn begin_witness(&self, origin: &str) -> Result<(), KmsError> {
        let details = json!({"origin": origin});
        self.tell(OwnDeed { operation: BEGUN, account: None, read_only: false, details: &details })
    }

    /// Whether the log says that this other log was cosigned before.
    fn has_begun(&self, origin: &str) -> Result<bool, KmsError> {
        let query = Query::parse(&format!("op:{BEGUN}")).map_err(KmsError::internal)?;
        let clauses = query.narrowing(self.now()).clauses;
        let clauses = clauses.iter().map(|clause| filed_as(clause)).collect();
        let mut query = EventQuery { limit: 100, clauses, ..EventQuery::default() };
        loop {
            let page = self.world.store.events(&query).map_err(KmsError::internal)?;
            let Some(last) = page.last() else { return Ok(false) };
            query.after = Some(last.seq);
            let is_it = page.iter().any(|event| {
                let record: Value = serde_json::from_slice(&event.record).unwrap_or_default();
                record.pointer("/serviceEventDetails/origin").and_then(Value::as_str)
                    == Some(origin)
            });
            if is_it {
                return Ok(true);
            }
        }
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
