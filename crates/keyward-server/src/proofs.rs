//! Policy checks by an SMT solver, which is looked for when the service starts and is a program of its own.
//!
//! INVARIANT: no more than one solver runs at once; checks wait for each other, on the lane of what is remote.

use keyward_engine::{Checked, PolicyClaim, Proof, Proofs};
use keyward_policy::PolicyError;
use keyward_prove::{Counterexample, Prover, Solver, Surroundings, Verdict};
use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

pub(crate) struct SolverProofs {
    solver: Solver,
    running: Mutex<()>,
}

impl SolverProofs {
    /// `None` where there is no solver: then nothing is proved, and everything else is as it is.
    pub(crate) fn found(program: &Path, seconds: u64) -> Option<Self> {
        let solver = Solver::new(program, Duration::from_secs(seconds.max(1)));
        match solver.check() {
            Ok(()) => Some(Self { solver, running: Mutex::new(()) }),
            Err(why) => {
                tracing::info!(why, "policy checks are not offered: there is no solver");
                None
            }
        }
    }
}

impl Proofs for SolverProofs {
    fn prove(
        &self,
        policy: &str,
        kind: Checked,
        claim: PolicyClaim<'_>,
    ) -> Result<Proof, PolicyError> {
        let _one = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let prover = Prover::new(&self.solver, None);
        let verdict = match (kind, claim) {
            (Checked::KeyPolicy, PolicyClaim::NothingBeyond(earlier)) => {
                prover.no_new_access(earlier, policy, None, Surroundings::Willing)
            }
            (Checked::IdentityPolicy, PolicyClaim::NothingBeyond(earlier)) => {
                prover.no_new_access_of_identity(earlier, policy)
            }
            (Checked::KeyPolicy, PolicyClaim::NotGranted { actions, resources }) => {
                prover.not_granted(policy, actions, resources)
            }
            (Checked::IdentityPolicy, PolicyClaim::NotGranted { actions, resources }) => {
                prover.not_granted_to_identity(policy, actions, resources)
            }
            (_, PolicyClaim::NotPublic) => prover.no_public_access(policy),
        };
        Ok(match verdict? {
            Verdict::Proved => Proof::Holds,
            Verdict::Refuted(found) => fails(&found),
            Verdict::Unknown(why) => Proof::Unknown(why.join("; ")),
        })
    }
}

fn fails(found: &Counterexample) -> Proof {
    let statement = found.allowing.first();
    let resource = found.vector.get("resource").and_then(serde_json::Value::as_str);
    Proof::Fails {
        because: format!(
            "For one, {} may {} on {}.",
            found.caller,
            found.action,
            resource.unwrap_or("*")
        ),
        statement: statement.cloned(),
    }
}
