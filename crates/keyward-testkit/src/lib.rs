//! A whole service with its own time, luck and disk, for tests: in-process ([`TestService`]), by transcript
//! ([`scenario`]), and through the real binary with real clients ([`clients`]).
//!
//! Only tests name this crate. It may panic: a panic here is a failed test.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test kit fails by panicking"
)]

pub mod clients;
pub mod doors;
pub mod golden;
pub mod knobs;
mod proxy;
pub mod scenario;
mod world;

pub use proxy::StubProxy;
pub use world::{ACCOUNT, Login, REGION, TestClock, TestService};
