//! Users, roles, access keys, sessions and seeds, through the engine as a door uses it: credentials in,
//! answers and events out. Store, policies and cryptography are the real ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::allow_attributes,
    reason = "a test fails by panicking"
)]

mod boundaries;
mod groups;
mod iam;
mod managed;
mod mfa;
mod renaming;
mod seeds;
mod sessions;
mod sts;
mod world;
