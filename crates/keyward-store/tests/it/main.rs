//! The store seen from outside, in one test binary.

#[cfg(test)]
mod house;

#[cfg(test)]
mod basics;
#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod model;
#[cfg(test)]
mod segments;
#[cfg(test)]
mod terms;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod vault;
