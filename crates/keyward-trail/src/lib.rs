//! Events in CloudTrail's form, what proves that none was changed, and the questions asked of them.
//!
//! - *Writing:* one way in, [`Record::to_json`].
//! - *Reading:* [`explained_of`], [`explain`], and [`query`], of which [`Filter`] is a small form.
//!   [`caller_name`] is who acted. [`withhold`] takes the policy text out for those who may not read it.
//! - *Proving:* [`merkle`] is the tree over the stored bytes, [`checkpoint`] the log's signed word on its
//!   size and root, [`proof`] the proof of one event as text, [`audit`] the walk that checks a whole log,
//!   [`hashes`] what an export needs beside it so that each event is proven, [`bundle`] a file of proven
//!   events, [`segment`] the log's word on a part that it put away, [`witness`] the judgement of somebody who remembers; [`note`] is the form of what is signed.
//! - *Showing:* [`files`] is the log as CloudTrail's files, with digests that prove them.
//!
//! It stores nothing, signs nothing by itself, and reads no clock: nodes, keys and times come in.
//!
//! INVARIANT: no member that could hold plaintext, ciphertext, a message, a signature, a token or key
//! bytes is written, even when it is handed over.
//! INVARIANT: what is read from outside is read strictly, within limits, and never panics.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

pub mod audit;
pub mod bundle;
pub mod checkpoint;
mod clean;
mod explain;
pub mod files;
mod filter;
mod fit;
pub mod hashes;
mod identity;
pub mod merkle;
mod name;
pub mod note;
mod plain;
pub mod proof;
pub mod query;
mod record;
pub mod segment;
#[cfg(test)]
mod toy;
mod trace;
mod who;
pub mod witness;

pub use clean::WITHHELD;
pub use explain::{explain, explain_decision};
pub use filter::{Filter, outcome_class};
pub use name::lower_camel;
pub use plain::{plain, steers};
pub use record::{EVENT_VERSION, Extra, INTERNAL, Record, ResourceRef, TlsDetails, iso_seconds};
pub use trace::{ADDITIONAL_BYTES_MAX, Explained, decisions_of, explained_of, withhold};
pub use who::{actor_name, caller_name, is_outsider_name, outsider_name, outsider_role};
