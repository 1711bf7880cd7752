//! All tests that cross crates, in one binary: it links once, and a newcomer sees at a glance where a test
//! belongs. `README.md` says which.

mod suite {
    // Repository properties: dependency arrows, module docs, listed files.
    mod arrows;
    mod tidy;
    // The operation table against AWS's service model and its own golden print.
    mod table;
    // Transcripts through every door.
    mod scenarios;
    // Who may do what, printed as a matrix.
    mod authz_matrix;
    // The invariants P1 to P8.
    mod invariants;
    // Real clients against the real binary, and the README run as written.
    mod clients;
    mod readme;
    // Kills, power cuts and damaged files.
    mod crash;
}
