//! Proofs against the policy engine: what was proved holds of every request that is tried.
//!
//! These tests need `cvc5`, which Debian has as a package of that name.

mod claims;
mod failures;
mod random;
mod samples;
