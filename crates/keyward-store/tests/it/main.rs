//! The store seen from outside, in one test binary.

mod house;

mod basics;
mod concurrency;
mod damage;
mod faults;
mod kill;
mod model;
mod vault;
