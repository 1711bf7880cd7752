//! Decisions as a caller of the crate sees them.

mod behaviour;
mod random;
mod reference;
mod schema;
mod table;
mod vectors;
mod world;
