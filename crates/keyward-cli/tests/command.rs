//! The command by itself, where there is no service: what it exits with is a contract.
//!
//! What it does with a service is in `tests/suite/`. That suite has cargo build this test, too:
//! a package's integration test is what makes `cargo test` build the package's binary, with the
//! dependencies that the tests have built already.

#![expect(clippy::expect_used, reason = "a test fails by it")]

use std::{net::TcpListener, process::Command};

/// Runs the command with nothing of the caller's environment: exit code, standard output, standard error.
fn keyward(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("the binary can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command writes UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_it_is_asked_about_itself_goes_to_standard_output_and_exits_0() {
    for asked in ["--help", "--version"] {
        let (exit, output, error) = keyward(&[asked]);
        assert_eq!((exit, error.as_str()), (Some(0), ""), "{asked}");
        assert!(output.contains("keyward"), "{asked}: {output}");
    }
}

#[test]
fn what_it_does_not_know_exits_2_and_leaves_standard_output_empty() {
    for arguments in [&["decript"][..], &["events", "list", "--nothing"], &["policy", "can-i"]] {
        let (exit, output, error) = keyward(arguments);
        assert_eq!((exit, output.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(error.contains("Usage:"), "{arguments:?}: {error}");
    }
}

#[test]
fn a_service_that_is_not_there_exits_8_and_says_where_it_was_looked_for() {
    // Nothing listens on a port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let endpoint = format!("http://{}", free.local_addr().expect("a bound socket has an address"));
    drop(free);
    let (exit, output, error) = keyward(&["events", "list", "--endpoint", &endpoint]);
    assert_eq!((exit, output.as_str()), (Some(8), ""), "{error}");
    assert!(error.contains(&endpoint), "{error}");
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking_at_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path().join("nothing");
    let (exit, output, error) = keyward(&["audit", "verify", "--data", &data.to_string_lossy()]);
    assert_eq!((exit, output.as_str()), (Some(3), ""), "{error}");
    assert!(error.contains("there is no store in"), "{error}");
    assert!(!data.exists(), "a look made {data:?}");
}
