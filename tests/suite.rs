//! All tests that cross crates, in one binary: it links once, and a newcomer sees at a glance where a test
//! belongs. `README.md` says which.

#![allow(
    clippy::allow_attributes,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it did"
)]

mod suite {
    // Repository properties: dependency arrows, licences, module docs, listed files.
    mod arrows;
    mod licences;
    mod tidy;
    // AWS's service model as the tests read it, and the operation table against it and its own golden print.
    mod aws_model;
    mod table;
    // A request of each operation, and everything that can be wrong with one.
    mod bad_input;
    mod refusals;
    mod requests;
    // Every operation with every kind of key and every algorithm.
    mod key_use;
    // What is answered for a key in each state, against the reference's table.
    mod states;
    // What the log says of each operation, against what CloudTrail says.
    mod facts;
    mod fidelity;
    mod service_events;
    // Transcripts through every door.
    mod scenarios;
    // Mistakes of other implementations, and where each is shown not to be made.
    mod pitfalls;
    // Who may do what, printed as a matrix.
    mod authz_matrix;
    // Questions about what principals may, against what their requests get.
    mod ask;
    // The log put to the policies again: replayed, looked through for what is unused, and covered by less.
    mod usage;
    // What policies in observe refuse, let through and marked.
    mod observe_mode;
    // The invariants P1 to P8.
    mod invariants;
    // Real clients against the real binary, and the README run as written.
    mod clients;
    // Prometheus, Alertmanager and a Sigma engine against a service that the demonstration keeps busy.
    mod observed;
    mod readme;
    // The command that measures: each of its rows, without a word on speed.
    mod bench;
    // An operator's Cedar policies, changed while requests come.
    mod guardrails;
    // What the detectors tell, to whom, and what survives.
    mod alerts;
    // A written investigation, from what was seen to what was handed on.
    mod incident;
    // What the log answers whoever asks it: names, pages, and text that others chose.
    mod investigation;
    // Documents of other people, and the command that says what is wrong with one.
    mod policies;
    // Claims about every request: the command, and clients of Access Analyzer.
    mod proofs;
    // Policy tests as files: the examples, the schema, the command.
    mod policy_tests;
    // Kills, power cuts and damaged files.
    mod crash;
    // What the log proves of itself, and each way to lie about it.
    mod audit;
    // The journal over years, and its archive.
    mod retention;
    // What must never stand anywhere, looked for everywhere.
    mod secrets;
    // Hostile input: fuzz targets over their corpus, and the worst policies through the doors.
    mod fuzz;
    mod hostile;
}
