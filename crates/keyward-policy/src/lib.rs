//! IAM documents, grants and conditions through Cedar: question in, decision out.
//!
//! IAM JSON is compiled into Cedar policies (`document.rs`, `condition/`, `translate.rs`), each layer is
//! evaluated by itself (`layers.rs`, `grant.rs`), and the layers are composed by the decision table
//! (`table.rs`); an operator's guardrails forbid besides (`guardrail/`). A refusal is explained clause by
//! clause (`explain.rs`), with the smallest change that would have made it an allow (`remedy/`).
//! `lint/` says what is wrong with a document and what to write instead. `policies/README.md` has the model
//! on one page. It reads no store, clock or environment, and does not look whether principals exist.
//!
//! INVARIANT: what cannot be evaluated is refused; what cannot be translated exactly is not accepted.

mod actions;
mod build;
mod carries;
mod condition;
mod document;
mod engine;
mod entities;
mod error;
mod explain;
mod facts;
mod freeze;
mod front;
mod grant;
mod guardrail;
mod json;
mod keys;
mod layers;
mod lint;
mod organization;
mod pattern;
mod principal;
#[doc(hidden)]
pub mod probe;
mod question;
mod remedy;
mod request;
mod retire;
mod schema;
mod survey;
pub mod symbolic;
mod table;
mod translate;
mod usage;
mod validate;
pub mod vectors;

pub use actions::KMS_ACTIONS;
pub use carries::is_asked_of_key;
pub use engine::PolicyEngine;
pub use error::{INVALID_PRINCIPALS, LOCKOUT, OVERLY_PERMISSIVE, PolicyError};
pub use facts::{Facts, Values};
pub use front::{front_keys, front_may_state};
pub use grant::GRANT_POLICY;
pub use guardrail::{GuardrailError, Guardrails, guardrail_actions, guardrails_schema};
pub use json::places::{Place, statement_places};
pub use lint::{CHECKS, Check, Finding, LintContext, LintKind, Severity, lint};
pub use question::{Question, Resource};
pub use schema::{PolicyKind, actions_schema, cedar_text, facts_schema};
pub use survey::{
    ANY_SESSION, Certainty, Example, Standpoint, Survey, Surveyor, Way, is_condition_key,
};
pub use table::{Tally, Verdict};
pub use usage::{Outline, WHOLE_ENCRYPTION_CONTEXT, outline};
pub use validate::KeyPolicyPrincipals;
