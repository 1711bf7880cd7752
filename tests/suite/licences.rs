//! The licences of everything that is linked in, against a list.
//!
//! It reads what `cargo metadata` says of the locked dependencies; `.cargo/deny.toml` holds the same list for
//! `cargo deny`, which also looks into the files.

use serde_json::Value;
use std::{path::Path, process::Command};

/// Permissive licences, and MPL, whose duty ends at its own files.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be fulfilled with allowed licences. <https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>
fn is_allowed(expression: &str) -> bool {
    // The old way to write a choice.
    let expression = expression.replace('/', " OR ");
    let mut tokens: Vec<String> = Vec::new();
    for word in expression.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
        let is_name = |text: &str| !["(", ")", "AND", "OR"].contains(&text);
        match tokens.last_mut() {
            Some(last) if is_name(last) && is_name(word) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => tokens.push(word.to_owned()),
        }
    }
    let mut rest = tokens.as_slice();
    choice(&mut rest) && rest.is_empty()
}

fn choice(rest: &mut &[String]) -> bool {
    let mut fulfilled = all(rest);
    while rest.first().is_some_and(|token| token == "OR") {
        *rest = &rest[1..];
        fulfilled |= all(rest);
    }
    fulfilled
}

fn all(rest: &mut &[String]) -> bool {
    let mut fulfilled = one(rest);
    while rest.first().is_some_and(|token| token == "AND") {
        *rest = &rest[1..];
        fulfilled &= one(rest);
    }
    fulfilled
}

fn one(rest: &mut &[String]) -> bool {
    let Some((token, after)) = rest.split_first() else { return false };
    *rest = after;
    if token != "(" {
        return ALLOWED.contains(&token.as_str());
    }
    let fulfilled = choice(rest);
    *rest = rest.get(1..).unwrap_or_default();
    fulfilled
}

#[test]
fn every_dependency_may_be_shipped() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(200 < packages.len(), "only {} packages", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_allowed))
        .map(|package| {
            format!("{} {}: {}", package["name"], package["version"], package["license"])
        })
        .collect();
    assert!(refused.is_empty(), "not on the list:\n{}", refused.join("\n"));
}

#[test]
fn expressions_are_understood() {
    for allowed in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0) AND ISC",
        "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in
        ["GPL-3.0", "MIT AND GPL-3.0", "", "(MIT OR ISC) AND AGPL-3.0", "Apache-2.0 WITH Something"]
    {
        assert!(!is_allowed(refused), "{refused}");
    }
}
