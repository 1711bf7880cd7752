//! Proofs against the policy engine: what was proved holds of every request that is tried.
//!
//! They need `cvc5`: the one on PATH, or that which the tests' own installation left in the target folder
//! (`cargo test -p keyward-tests proofs` makes it). Where there is none they are skipped, and say so.

#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it did"
)]

mod around;
mod claims;
mod failures;
mod random;
mod samples;

use keyward_prove::{DEFAULT_LIMIT, DEFAULT_PROGRAM, Solver};
use std::io::Write as _;

/// The solver; `None` where there is none, which is said past the test runner's capture.
fn solver() -> Option<Solver> {
    let here = std::env::current_exe().expect("the running test has a path");
    let target = here.ancestors().nth(3).expect("a test lies in the target folder");
    let unpacked = target.join("clients/solver/cvc5").into_os_string();
    let found = [DEFAULT_PROGRAM.into(), unpacked]
        .into_iter()
        .map(|program| Solver::new(program, DEFAULT_LIMIT))
        .find(|solver| solver.check().is_ok());
    if found.is_none() {
        let text = b"SKIPPED: a test of keyward-prove: there is no cvc5\n";
        std::io::stderr().lock().write_all(text).expect("stderr can be written");
    }
    found
}
