//! Connections that the service opens by itself: TLS to whom the operator trusts, and one bounded POST.
//!
//! It does not know what is told, to whom, or how often; and it does not try again.
//! It blocks, and belongs on a thread that may.
//!
//! INVARIANT: no certificate is accepted that is not under a trusted root, of now by the `Clock`, and for the name
//! that was asked for. What is not encrypted goes to this machine alone, or to a target of which an operator said that
//! it may ([`Plaintext`]).
//! INVARIANT: a POST connects to no address of a local link or of a cloud's metadata unless it was allowed, whatever
//! a name leads to; it follows no redirect, and its time and its answer are bounded.

mod address;
mod post;
mod tls;

pub use address::is_guarded;
pub use post::{Answer, Outbound, Plaintext, PostError, check_url};
pub use tls::{Connector, ResolveLater, Routes, Trust, TrustError, is_tls};
