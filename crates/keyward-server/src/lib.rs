//! The doors: AWS JSON, AWS query, REST, metrics and health, on one port.
//!
//! A door decodes the envelope, proves who sent it, and says the answer in the caller's dialect; what the
//! answer is, the engine decides. It prints nothing, reads no environment and handles no signal: the
//! command line does, and passes values and a future that says when to stop.
//!
//! INVARIANT: `actix-web` is named in this crate alone, and every `async fn` of the service is here.

pub mod alerts;
mod answer;
mod app;
mod authn;
mod aws_json;
mod aws_query;
mod census;
pub mod clock;
pub mod config;
mod doors;
pub mod echo;
pub mod event_log;
mod events;
pub mod files;
pub mod guardrails;
mod lanes;
pub mod manual;
mod openapi;
mod operator;
mod patience;
mod process;
mod proofs;
mod publish;
pub mod query;
mod replace;
mod rest;
pub mod retention;
mod serve;
mod strangers;
pub mod target_url;
#[cfg(test)]
mod tests;
pub mod verify;
mod volume;
mod wiring;
mod witness;

pub use app::create_app;
pub use config::{Config, ConfigError};
pub use doors::Doors;
pub use events::sql::LogSource;
pub use openapi::document;
pub use publish::Publisher;
pub use serve::{DoorSettings, Running, Started, run, serve_engine, serve_with, start};
pub use verify::{Brought, VerifiedLog, read_segments, verify};
pub use wiring::{Opened, StartError, initialise, open};
