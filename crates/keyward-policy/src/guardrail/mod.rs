//! Guardrails: an operator's own Cedar policies, which forbid and never widen.
//!
//! They are the last layer of a decision. Files of `forbid` policies are validated strictly (`compile.rs`) against
//! the schema that ships with them (`schema.rs`), which covers every action that is decided here, KMS's or not. A
//! request is put before those guardrails alone that can speak of its action, and carries what they read
//! (`reads.rs`, `world.rs`). `policies/README.md` tells an operator how to write one.
//!
//! Nothing here reads files or swaps sets by itself: the server does.
//!
//! INVARIANT: a set holds no permit, and what it says can only turn an answer into a denial.
//! INVARIANT: an error of Cedar's refuses the request, and so does a name in two spellings that a guardrail for
//! the action looks at.

mod actions;
mod compile;
mod reads;
mod schema;
mod world;

pub use actions::guardrail_actions;
pub use schema::guardrails_schema;

use crate::{error::Unevaluable, keys, layers::satisfied, question::Question, table::Tally};
use cedar_policy::{ActionConstraint, Entity, Policy, PolicyId, PolicySet};
use keyward_types::{Layer, LayerEffect, LayerOutcome, Matched};
use reads::Reads;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use thiserror::Error;

/// Something wrong in a file of guardrails.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct GuardrailError {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
}

/// One policy.
struct Guardrail {
    /// The file's name.
    source: String,
    /// Its `@id`.
    sid: Option<String>,
    /// Its place in the file, from 0.
    index: usize,
    policy: Policy,
    reads: Reads,
}

/// What the guardrails that can speak of one action share with others of the same guardrails.
struct Body {
    /// Places in [`Guardrails::all`].
    places: Vec<usize>,
    set: PolicySet,
    reads: Reads,
}

/// A set of guardrails, compiled.
#[derive(Default)]
pub struct Guardrails {
    all: Vec<Guardrail>,
    slices: BTreeMap<&'static str, (Entity, Arc<Body>)>,
}

impl core::fmt::Debug for Guardrails {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guardrails").field("policies", &self.all.len()).finish_non_exhaustive()
    }
}

impl Guardrails {
    /// Compiles files, each with the name by which errors and explanations call it.
    ///
    /// # Errors
    /// Everything that is wrong in any of them.
    pub fn compile<N: AsRef<str>, T: AsRef<str>>(
        files: &[(N, T)],
    ) -> Result<Self, Vec<GuardrailError>> {
        let (mut all, mut errors) = (Vec::new(), Vec::new());
        for (name, text) in files {
            match compile::file(name.as_ref(), text.as_ref()) {
                Ok(guardrails) => all.extend(guardrails),
                Err(wrong) => errors.extend(wrong),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let set = Self { all, slices: BTreeMap::new() };
        set.sliced().map_err(|error| {
            let (line, column) = (1, 1);
            vec![GuardrailError { file: String::new(), line, column, message: error.0 }]
        })
    }

    /// How many policies.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn sliced(mut self) -> Result<Self, Unevaluable> {
        let mut bodies: BTreeMap<Vec<usize>, Arc<Body>> = BTreeMap::new();
        for action in guardrail_actions() {
            let places = self.places(action);
            if places.is_empty() {
                continue;
            }
            let body = match bodies.get(&places) {
                Some(body) => Arc::clone(body),
                None => Arc::new(self.body(places.clone())?),
            };
            bodies.insert(places, Arc::clone(&body));
            self.slices.insert(action, (world::action(action)?, body));
        }
        Ok(self)
    }

    /// The guardrails that can speak of an action.
    fn places(&self, action: &str) -> Vec<usize> {
        let fits = |uid: &cedar_policy::EntityUid| {
            let id = uid.id().unescaped();
            id == action || actions::ancestors(action).any(|group| id == group)
        };
        let speaks = |guardrail: &Guardrail| match guardrail.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => fits(&uid),
            ActionConstraint::In(uids) => uids.iter().any(fits),
        };
        let places = self.all.iter().enumerate().filter(|(_, guardrail)| speaks(guardrail));
        places.map(|(place, _)| place).collect()
    }

    fn body(&self, places: Vec<usize>) -> Result<Body, Unevaluable> {
        let of = || places.iter().filter_map(|place| Some((*place, self.all.get(*place)?)));
        let numbered: Vec<Policy> = of()
            .map(|(place, guardrail)| of_any_action(&guardrail.policy, place))
            .collect::<Result<_, _>>()?;
        let set =
            PolicySet::from_policies(numbered).map_err(|error| Unevaluable(error.to_string()))?;
        let reads = Reads::union(of().map(|(_, guardrail)| &guardrail.reads));
        Ok(Body { set, reads, places })
    }

    /// The guardrails that forbid, in the order of files and policies.
    pub(crate) fn forbidding(&self, question: &Question<'_>) -> Result<Vec<Matched>, Unevaluable> {
        if let Some((action, body)) = self.slices.get(question.action) {
            return self.ask(question, action, body);
        }
        if guardrail_actions().any(|action| action == question.action) {
            return Ok(Vec::new());
        }
        // An action that nobody could name; it may be in a group.
        let body = self.body(self.places(question.action))?;
        self.ask(question, &world::action(question.action)?, &body)
    }

    fn ask(
        &self,
        question: &Question<'_>,
        action: &Entity,
        body: &Body,
    ) -> Result<Vec<Matched>, Unevaluable> {
        let (request, entities) = world::request(question, &body.reads, action)?;
        let mut forbidding = satisfied(&body.set, &request, &entities)?;
        let ambiguous = keys::ambiguous_names(question);
        if !ambiguous.is_empty() {
            forbidding.extend(body.places.iter().filter(|place| {
                self.all.get(**place).is_some_and(|one| one.reads.doubtful(&ambiguous))
            }));
        }
        forbidding.sort_unstable();
        forbidding.dedup();
        Ok(self.named(&forbidding))
    }

    /// The guardrails that can speak of an action, whatever they then say.
    pub(crate) fn speaking(&self, action: &str) -> Vec<Matched> {
        self.named(&self.places(action))
    }

    fn named(&self, places: &[usize]) -> Vec<Matched> {
        let found = places.iter().filter_map(|place| self.all.get(*place));
        found
            .map(|guardrail| Matched {
                source: guardrail.source.clone(),
                sid: guardrail.sid.clone(),
                index: guardrail.index,
                allow: false,
                kind: None,
            })
            .collect()
    }
}

/// The policy without its scope's actions, which hold for all of its slice, under its place as its id.
fn of_any_action(policy: &Policy, place: usize) -> Result<Policy, Unevaluable> {
    let failed = |error: &dyn core::fmt::Display| Unevaluable(error.to_string());
    let mut json = policy.to_json().map_err(|error| failed(&error))?;
    let Some(action) = json.get_mut("action") else {
        return Err(failed(&"a policy has no action in its scope"));
    };
    *action = json!({"op": "All"});
    let id = PolicyId::new(place.to_string());
    Policy::from_json(Some(id), json).map_err(|error| failed(&error))
}

/// Lets what guardrails said into the decision table; `None` where there are none.
pub(crate) fn weigh(tally: Tally, said: Option<&[Matched]>) -> Tally {
    let denied = said.filter(|matched| !matched.is_empty()).map(|_| Layer::Guardrail);
    Tally { denied: tally.denied.or(denied), ..tally }
}

/// What guardrails said, as a layer of the decision.
pub(crate) fn layer(said: &[Matched]) -> LayerOutcome {
    let effect = if said.is_empty() { LayerEffect::NoImpact } else { LayerEffect::ExplicitDeny };
    let layer = Layer::Guardrail;
    LayerOutcome { layer, effect, matched: said.to_vec(), near: Vec::new() }
}
