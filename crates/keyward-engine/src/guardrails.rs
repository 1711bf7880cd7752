//! Guardrails in force: how they come into it, and what is remembered of that.
//!
//! The server reads the files; here the compiled set replaces the one before, and the log hears of it as one
//! `AwsServiceEvent`, ReloadGuardrails, with the files' names and digests.
//!
//! INVARIANT: a set is in force before its event is written: a full disk cannot hold back a guardrail.
//! A request that was decided before the swap ends under the set that decided it.

use crate::{Engine, own_event::OwnDeed};
use keyward_policy::Guardrails;
use keyward_store::Commit;
use keyward_types::{Event, KmsError, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, PoisonError};

const OPERATION: &str = "ReloadGuardrails";

/// What is known of the guardrails that an operator configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardrailStatus {
    pub files: usize,
    pub policies: usize,
    /// Since when they are in force.
    pub loaded: Timestamp,
    /// Whether the folder's last state was refused since, so that it is not what is in force.
    pub refused: bool,
}

impl Engine {
    /// Puts guardrails in the place of those before, and waits until the log says so.
    ///
    /// `files` are names and texts of what they were compiled from.
    ///
    /// # Errors
    /// The event could not be written. The guardrails are in force all the same.
    pub fn replace_guardrails(
        &self,
        guardrails: Guardrails,
        files: &[(String, String)],
    ) -> Result<(), KmsError> {
        let (policies, loaded) = (guardrails.len(), self.now());
        self.world.policies.replace_guardrails(Arc::new(guardrails));
        let status = GuardrailStatus { files: files.len(), policies, loaded, refused: false };
        *self.guardrails.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        self.world.metrics.guardrails(policies, loaded.seconds());
        let (snapshot, event) = (self.world.store.snapshot(), self.reload_event(policies, files));
        let commit =
            Commit { snapshot, rested_on: Vec::new(), changes: Vec::new(), events: vec![event] };
        self.world.store.commit(commit).wait().map(drop).map_err(KmsError::internal)
    }

    /// Notes that the folder's state was refused and the set before it stays in force.
    pub fn guardrails_refused(&self) {
        self.world.metrics.guardrails_refused();
        let mut status = self.guardrails.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = status.as_mut() {
            status.refused = true;
        }
    }

    /// `None` where no guardrails are configured.
    pub fn guardrail_status(&self) -> Option<GuardrailStatus> {
        *self.guardrails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload_event(&self, policies: usize, files: &[(String, String)]) -> Event {
        let files: Vec<Value> = files
            .iter()
            .map(|(name, text)| {
                json!({"name": name, "sha256": hex::encode(Sha256::digest(text.as_bytes()))})
            })
            .collect();
        let details = json!({"policies": policies, "files": files});
        self.own_event(OwnDeed {
            operation: OPERATION,
            account: None,
            read_only: false,
            details: &details,
        })
    }
}
