//! The metric table, and the one function that turns a committed event into metrics.
