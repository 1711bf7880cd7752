//! The smallest change that would turn a refusal into an allow.
//!
//! Changes are tried where the refusal says something is in the way, one after the other, and the question
//! is decided again by the same engine after each. Only what ends in an allow is told, with what else it
//! would open (`blast.rs`). Some refusals have none: an operation that stays inside accounts, a reserved
//! alias, a question that cannot be evaluated, an operator's guardrail, a freeze, a grant that names somebody else.
//! It runs after a refusal only, and looks for a bounded time.
//!
//! INVARIANT: what is tried is never kept: no cache holds it, and nothing is changed.

mod blast;
mod edit;
mod options;
mod request;
mod scene;

use crate::{error::Unevaluable, question::Question, table::Verdict};
use keyward_types::{Decision, Effect, Layer, PolicyChange, Reason, Remedy};
use scene::Scene;

/// Remedies that a decision keeps.
const REMEDIES_MAX: usize = 4;
/// Changes of one remedy; more layers than this are not silent at once.
const CHANGES_MAX: usize = 7;
/// Questions decided again for one refusal.
const TRIALS_MAX: usize = 32;
/// Unfinished remedies that are carried on.
const BEAM: usize = 3;

/// What a trial came to, as far as the next step needs it.
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    /// Statements that deny, layer by layer in AWS's order.
    pub(crate) forbids: Vec<Forbid>,
    /// The first level of service control policies without an allow.
    pub(crate) silent_level: Option<usize>,
}

/// A statement that denies.
pub(crate) struct Forbid {
    pub(crate) layer: Layer,
    pub(crate) level: usize,
    pub(crate) source: String,
    pub(crate) sid: Option<String>,
    pub(crate) index: usize,
}

impl Finding {
    fn allowed(&self) -> bool {
        self.verdict.0 == Effect::Allow
    }

    /// A change that leaves all of this as it was did not help.
    fn obstacle(&self) -> (Reason, Option<usize>, usize) {
        (self.verdict.1, self.silent_level, self.forbids.len())
    }
}

/// Decides a question that is only tried.
pub(crate) type Trial<'t> = &'t dyn Fn(&Question<'_>) -> Result<Finding, Unevaluable>;

/// A question after some changes.
struct Node<'q> {
    scene: Scene<'q>,
    finding: Finding,
    changes: Vec<PolicyChange>,
}

/// The remedies of a refusal, smallest first; all have the fewest changes that were found to be enough.
pub(crate) fn find(
    question: &Question<'_>,
    decision: &Decision,
    finding: Finding,
    trial: Trial<'_>,
) -> Vec<Remedy> {
    let mut trials = TRIALS_MAX;
    let mut level = vec![Node { scene: Scene::new(question), finding, changes: Vec::new() }];
    for _ in 0..CHANGES_MAX {
        let (mut found, mut unfinished) = (Vec::new(), Vec::new());
        for node in &level {
            for (change, scene) in options::of(node, decision) {
                if trials == 0 {
                    break;
                }
                trials -= 1;
                let Ok(finding) = scene.ask(trial) else { continue };
                let mut changes = node.changes.clone();
                changes.push(change);
                if finding.allowed() {
                    found.push(Remedy { changes, verified: true });
                } else if finding.obstacle() != node.finding.obstacle() {
                    unfinished.push(Node { scene, finding, changes });
                }
            }
        }
        if !found.is_empty() {
            return smallest(found);
        }
        unfinished.sort_by_cached_key(|node| size(&node.changes));
        unfinished.truncate(BEAM);
        level = unfinished;
    }
    Vec::new()
}

fn smallest(mut found: Vec<Remedy>) -> Vec<Remedy> {
    found.sort_by_cached_key(Remedy::size);
    found.dedup();
    found.truncate(REMEDIES_MAX);
    found
}

fn size(changes: &[PolicyChange]) -> (usize, Vec<[usize; 4]>) {
    let (count, blasts, _) = Remedy { changes: changes.to_vec(), verified: false }.size();
    (count, blasts)
}
