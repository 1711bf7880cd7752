//! Decisions as a caller of the crate sees them.

mod vectors;
mod world;
