//! Decisions as a caller of the crate sees them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that meets what it does not expect fails"
)]

mod attack;
mod behaviour;
mod cases;
mod found;
mod guardrails;
mod monsters;
mod narrowing;
mod oracle;
mod random;
mod remedies;
mod schema;
mod table;
mod vectors;
mod world;
