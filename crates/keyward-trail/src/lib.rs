//! Events in CloudTrail's form, and the questions asked of them.
//!
//! One way in, [`Record::to_json`]; three ways to read what came of it: [`explained_of`], [`explain`]
//! and [`Filter`]. [`withhold`] takes the policy text out for those who may not read it.
//! [`files`] is the log as files, with digests that prove them.
//! It stores nothing, and proves nothing about the log itself: that is the log's business.
//!
//! INVARIANT: no member that could hold plaintext, ciphertext, a message, a signature, a token or key
//! bytes is written, even when it is handed over.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

mod clean;
mod explain;
pub mod files;
mod filter;
mod identity;
mod name;
mod record;
mod trace;

pub use clean::WITHHELD;
pub use explain::explain;
pub use filter::Filter;
pub use name::lower_camel;
pub use record::{EVENT_VERSION, Extra, INTERNAL, Record, ResourceRef, TlsDetails, iso_seconds};
pub use trace::{ADDITIONAL_BYTES_MAX, Explained, decisions_of, explained_of, withhold};
