//! The store seen from outside, in one test binary.

mod house;

mod basics;
