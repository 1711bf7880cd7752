//! The service without sockets: one pipeline, and every operation as one file and one row.
//!
//! It names no HTTP type, reads no environment, file or clock of its own, and has no `async fn`:
//! [`World`] brings in time, luck and disk, and a finished call is a future that a door awaits or a
//! test waits for. `crates/README.md` is the map.

pub mod alerts;
mod ask;
mod authorize;
mod aws_managed;
mod beside;
mod call;
mod cipher;
mod credential;
mod directory;
mod fitness;
mod freeze;
mod grant_token;
mod guardrails;
mod housekeeping;
mod identity;
mod key_policy;
mod key_stores;
mod layers;
pub mod lived;
pub mod log;
mod managed_key;
mod material;
mod mfa;
mod observe;
pub mod operation;
pub mod ops;
mod own_event;
mod pipeline;
mod principal;
mod proofs;
mod quotas;
mod resolve;
mod seed;
pub mod segments;
mod session;
pub mod shape;
#[cfg(test)]
mod tests;
mod trace;
pub mod usage;
pub mod witness;
mod wording;
mod world;

pub use credential::Credential;
pub use guardrails::GuardrailStatus;
pub use key_stores::NoProxies;
pub use keyward_policy::{front_keys, front_may_state};
pub use operation::{AnyOperation, Plane, Service, Spec};
pub use ops::{OPERATIONS, find};
pub use pipeline::{InFlight, Lane, Prepared, Reply};
pub use proofs::{Checked, PolicyClaim, Proof, Proofs};
pub use quotas::{Quotas, request_quotas};
pub use seed::{Seed, SeedError, Seeded};
pub use world::{Engine, Settings, World};
