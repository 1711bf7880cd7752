//! What holds of every request, not only of those that were tried: proofs about policies by an SMT solver.
//!
//! A claim becomes questions of the form "is there a request that this policy allows and that one does not?". The
//! documents are read as formulas by `keyward-policy`, off the Cedar that it evaluates; the request is a set of
//! constants with what always holds of it (`request.rs`); the decision table stands over both (`compose.rs`). The
//! solver, `cvc5` unless said, is a program of its own that is spoken to through pipes: it is found at run time,
//! never linked, and may be missing.
//!
//! | file | what it does |
//! |---|---|
//! | `claims.rs` | what can be claimed, as questions |
//! | `written.rs` | policies that stand for a claim, and what policies write |
//! | `around.rs` | an organization's policies, and grants: the same on both sides |
//! | `inquiry.rs` | one question: the script, the answer, the engine's confirmation |
//! | `compose.rs` | what a document says by kind of match, and the decision table |
//! | `request.rs`, `encode.rs` | every request as constants and axioms; formulas over them |
//! | `witness.rs` | an answer as a request |
//! | `solver.rs`, `smt.rs` | the program; the text |
//!
//! Not seen: principals that were deleted and made again since a policy was saved, guardrails, freezes, and a key
//! of one value that a request states with several, which no request of ours does.
//!
//! Cedar's own symbolic compiler was tried and left: it knows nothing of what is evaluated beside Cedar, takes each
//! form of a condition key's value for a value of its own, and its requests name nobody.
//!
//! INVARIANT: `Proved` is said only where the solver excludes every request; what it does not answer is unknown.
//! INVARIANT: no request is shown that the policy engine did not decide so.

mod around;
mod claims;
mod compose;
mod encode;
mod inquiry;
mod request;
mod smt;
mod solver;
mod witness;
mod written;

pub use around::Organization;
pub use claims::{Counterexample, Prover, Repair, StatementUse, Use, Verdict};
pub use inquiry::{Holder, Surroundings};
pub use solver::{DEFAULT_LIMIT, DEFAULT_PROGRAM, Solver};
