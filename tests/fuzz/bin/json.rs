//! `cargo fuzz run json`
#![no_main]
#![allow(dead_code, reason = "a target is one of several in its file")]

#[path = "../targets/policy.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::json(data));
