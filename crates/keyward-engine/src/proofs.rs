//! What holds of every request under a policy: a port, because a solver is another program.
//!
//! The engine neither starts one nor knows how a claim is proved (`keyward-prove` does); it says what is claimed and
//! tells the answer. There may be nobody who proves.

use crate::Engine;
use keyward_policy::PolicyError;
use std::sync::Arc;

/// What a policy that is checked is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    KeyPolicy,
    IdentityPolicy,
}

/// A claim about every request.
#[derive(Clone, Copy, Debug)]
pub enum PolicyClaim<'c> {
    /// The policy allows nothing that this one does not.
    NothingBeyond(&'c str),
    /// It allows none of the actions on any of the resources; an empty list is everything.
    NotGranted { actions: &'c [String], resources: &'c [String] },
    /// It allows nothing to strangers.
    NotPublic,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Holds,
    /// It does not: the words for a request that shows it, and the statement that allows it.
    Fails {
        because: String,
        statement: Option<(usize, Option<String>)>,
    },
    /// Neither could be shown, and why.
    Unknown(String),
}

/// Proves claims. An answer may take seconds.
pub trait Proofs: Send + Sync {
    /// # Errors
    /// A policy, an action or a resource is malformed.
    fn prove(
        &self,
        policy: &str,
        kind: Checked,
        claim: PolicyClaim<'_>,
    ) -> Result<Proof, PolicyError>;
}

impl Engine {
    /// Names who proves, once; a second name is not taken.
    pub fn set_proofs(&self, proofs: Arc<dyn Proofs>) {
        let _ = self.proofs.set(proofs);
    }
}
