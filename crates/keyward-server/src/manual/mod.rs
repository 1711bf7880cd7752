//! The manual: what the service defends against, how known failures of key services are answered, why the defaults are
//! what they are, and how alerts are configured and told.
//!
//! It holds no code. What it says is held by the tests and types that it names.

pub mod alerts;
pub mod defaults;
pub mod failures;
pub mod threats;
