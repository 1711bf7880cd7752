//! The manual: what the service defends against, how known failures of key services are answered, and why
//! the defaults are what they are.
//!
//! It holds no code. What it says is held by the tests and types that it names.

pub mod defaults;
pub mod failures;
pub mod threats;
