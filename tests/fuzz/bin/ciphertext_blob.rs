//! `cargo fuzz run ciphertext_blob`
#![no_main]
#![allow(dead_code, reason = "a target is one of several in its file")]

#[path = "../targets/wire.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ciphertext_blob(data));
