//! All tests that cross crates, in one binary.
