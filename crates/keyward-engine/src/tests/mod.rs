//! Every KMS operation once through the whole pipeline: success, a denial, a wrong state.
//!
//! What needs a door, another process or time passing in the background is tested elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test fails by panicking"
)]

mod alerts;
mod copies;
mod cryptography;
mod freeze;
mod grants;
mod housekeeping;
mod keys;
mod lists;
mod log;
mod managed_keys;
mod organization;
mod policies;
mod presence;
mod quotas;
mod room;
mod services;
mod usage;
mod versions;
mod world;
