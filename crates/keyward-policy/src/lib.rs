//! IAM documents, grants and conditions through Cedar: question in, decision out.
//!
//! IAM JSON is compiled into Cedar policies (`document.rs`, `condition/`, `translate.rs`), each layer is
//! evaluated by itself (`layers.rs`, `grant.rs`), and the layers are composed by the decision table
//! (`table.rs`). A refusal is explained clause by clause (`explain.rs`). `policies/README.md` has the model on
//! one page. It reads no store, clock or environment, and does not look whether principals exist.
//!
//! INVARIANT: what cannot be evaluated is refused; what cannot be translated exactly is not accepted.

mod actions;
mod build;
mod condition;
mod document;
mod engine;
mod entities;
mod error;
mod explain;
mod facts;
mod grant;
mod json;
mod keys;
mod layers;
mod pattern;
mod principal;
#[doc(hidden)]
pub mod probe;
mod question;
mod request;
mod retire;
mod schema;
mod table;
mod translate;
mod validate;

pub use actions::KMS_ACTIONS;
pub use engine::PolicyEngine;
pub use error::{INVALID_PRINCIPALS, LOCKOUT, OVERLY_PERMISSIVE, PolicyError};
pub use facts::{Facts, Values};
pub use grant::GRANT_POLICY;
pub use question::{Question, Resource};
pub use schema::{PolicyKind, actions_schema, cedar_text, facts_schema};
pub use table::{Tally, Verdict};
pub use validate::KeyPolicyPrincipals;
