//! `cargo fuzz run --features doors query_form`
#![no_main]

#[path = "../targets/doors.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::query_form(data));
