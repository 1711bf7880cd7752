//! Real, unmodified clients against the real binary, one test a story, each with a service of its own.
//!
//! The stories are in `tests/clients`; here is only which there are and what each is started with. A
//! client that cannot be had is a skip, said aloud (`SKIPPED: …`).

use keyward_testkit::{
    clients::{self, Dev, Skipped},
    golden::tests_folder,
};
use std::process::Command;

macro_rules! tell {
    ($program:expr; $($name:ident $(with $($option:literal)+)?,)*) => {
        $(#[test]
        fn $name() {
            super::tell(concat!(module_path!(), "::", stringify!($name)), $program, stringify!($name), &[$($($option),+)?]);
        })*
    };
}

macro_rules! stories {
    ($program:expr; $($name:ident $(with $($option:literal)+)?,)*) => {
        tell! { $program; $($name $(with $($option)+)?,)* }

        #[test]
        fn none_is_forgotten() {
            super::none_is_forgotten(concat!(module_path!(), "::none_is_forgotten"), $program, &[$(stringify!($name)),*]);
        }
    };
}

/// The `aws` CLI, boto3, OpenSSL, PyJWT and signatures by botocore.
mod python {
    stories! { super::stories_py;
        messages, file_under_a_data_key, data_keys, rsa_offline, release_archive, web_token, signatures, macs, rotation,
        alias_moves, dry_run, tags, pages, regions,
        key_agreement, encapsulation, edwards_and_lattice, imported, imported_pairs, multi_region,
        external_key_store,
        sizes, wrong_keys, names, broken_ciphertexts, malformed_bodies, bad_policies,
        encryption_context, grants, explicit_deny, silent_key_policy, account_statement,
        two_accounts with "--seed" "seeds/two-accounts.yaml", sessions, credentials_end, asking,
        managed_policies, user_groups, boundaries, second_factor, federated_users,
        organization with "--seed" "seeds/organization.yaml" "--front-header" "x-keyward-vpce=aws:SourceVpce",
        records, log_commands, lookups, habits, rest, retired_while_used,
        trail_files,
        forged, presigned, senseless,
    }
}

/// The other provider of cryptography, and the durability of a service that lasts.
mod other_options {
    tell! { super::stories_py;
        data_keys with "--crypto" "rustcrypto",
        signatures with "--crypto" "rustcrypto",
        sizes with "--crypto" "rustcrypto",
        edwards_and_lattice with "--crypto" "rustcrypto",
        imported_pairs with "--crypto" "rustcrypto",
        rotation with "--durability" "commit",
        retired_while_used with "--durability" "commit",
    }
}

/// A shell that took what `keyward env` prints.
#[test]
fn a_shell_is_pointed_at_the_service() {
    let dev = Dev::start(&[]);
    let mut shell = Command::new("sh");
    clients::point_at(&mut shell, "http://127.0.0.1:9");
    let keyward = clients::binary();
    let lines = format!(
        "eval \"$('{0}' env --endpoint {1})\"; '{0}' whoami && env",
        keyward.display(),
        dev.endpoint()
    );
    let output = shell.arg("-c").arg(lines).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for service in ["KMS", "STS", "IAM", "CLOUDTRAIL", "ACCESSANALYZER"] {
        let line = format!("AWS_ENDPOINT_URL_{service}={}", dev.endpoint());
        assert!(said.lines().any(|one| one == line), "{line} is not in {said}");
    }
}

/// The AWS Encryption SDK for Python and its keyrings.
mod encryption_sdk {
    stories! { super::encryption_sdk_py; master_keys, several_keys, files, keyrings, agreement, }
}

/// Tink for Python.
mod tink {
    stories! { super::tink_py; envelopes, keysets, }
}

/// The signers of The Update Framework and in-toto.
mod update_framework {
    stories! { super::update_framework_py; signers, release, }
}

/// MongoDB's libmongocrypt, which has its own signer and its own reader of HTTP.
mod mongodb {
    stories! { super::mongodb_py; fields, }
}

/// The JavaScript SDK v3.
mod javascript {
    stories! { super::stories_mjs; messages, offline, errors, wrong_clock, roles, }
}

/// Node's own cryptography, both ways, for every algorithm that it knows.
mod node_crypto {
    stories! { super::node_crypto_mjs;
        signatures, own_signers, envelopes, agreements, codes, data_key_pairs, lattices,
    }
}

/// On top of the JavaScript SDK the AWS Encryption SDK for JavaScript, and a signer for Ethereum.
mod javascript_libraries {
    stories! { super::libraries_mjs; encryption_sdk, encryption_sdk_streams, ethereum, }
}

/// The Rust SDK.
mod rust_sdk {
    stories! { super::rust_stories; messages, data_keys, signatures, errors, pages, }
}

fn stories_py() -> Result<Command, Skipped> {
    python("stories.py")
}

/// A program of stories with a library of its own.
macro_rules! libraries {
    ($($name:ident: $library:literal $program:literal,)*) => {
        $(fn $name() -> Result<Command, Skipped> {
            let mut command = python($program)?;
            command.env("PYTHONPATH", clients::python_library($library)?);
            Ok(command)
        })*
    };
}

libraries! {
    encryption_sdk_py: "encryption-sdk" "encryption_sdk.py",
    tink_py: "tink" "tink_envelopes.py",
    update_framework_py: "securesystemslib" "update_framework.py",
    mongodb_py: "pymongocrypt" "mongodb_fields.py",
}

fn python(program: &str) -> Result<Command, Skipped> {
    let mut command = Command::new(clients::python()?.join("python"));
    command.arg(tests_folder().join("clients").join(program));
    Ok(command)
}

fn stories_mjs() -> Result<Command, Skipped> {
    node("stories.mjs")
}

fn node_crypto_mjs() -> Result<Command, Skipped> {
    node("node_crypto.mjs")
}

fn libraries_mjs() -> Result<Command, Skipped> {
    node("libraries.mjs")
}

fn node(program: &str) -> Result<Command, Skipped> {
    let mut command = Command::new("node");
    // The SDK announces which Node.js it will need next year.
    command
        .env("NODE_NO_WARNINGS", "1")
        .env("KEYWARD_NODE", clients::node()?)
        .arg(tests_folder().join("clients").join(program));
    Ok(command)
}

fn rust_stories() -> Result<Command, Skipped> {
    clients::rust_sdk().map(Command::new)
}

fn tell(test: &str, program: fn() -> Result<Command, Skipped>, story: &str, options: &[&str]) {
    let mut command = match program() {
        Ok(command) => command,
        Err(why) => return clients::skip(test, &why),
    };
    // Files are named from the folder of the tests.
    let path = |option: &&str| match option.contains('/') {
        true => tests_folder().join(option).display().to_string(),
        false => (*option).to_owned(),
    };
    let options: Vec<String> = options.iter().map(path).collect();
    let args: Vec<&str> = options.iter().map(String::as_str).collect();
    clients::tell(command.arg(story), &Dev::start(&args));
}

/// The programs print the names of their stories: each is a test here.
fn none_is_forgotten(test: &str, program: fn() -> Result<Command, Skipped>, told: &[&str]) {
    let mut command = match program() {
        Ok(command) => command,
        Err(why) => return clients::skip(test, &why),
    };
    clients::point_at(&mut command, "http://127.0.0.1:1");
    let names = clients::run(&mut command).unwrap_or_else(|Skipped(output)| panic!("{output}"));
    assert_eq!(names.lines().collect::<Vec<_>>(), told);
}

#[test]
fn the_service_ends_cleanly_when_asked_to() {
    let (status, log) = Dev::start(&[]).stop();
    assert!(status.success(), "{status}\n{log}");
}
