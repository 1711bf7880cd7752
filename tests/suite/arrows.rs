//! The arrows between crates, and the fences around heavy libraries, compared with the manifests.
//!
//! A new arrow is an edit to this table, which is where a reviewer looks.

use std::{collections::BTreeMap, fs, path::Path};

/// Which of our crates each may name, outside its tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("keyward-types", &[]),
    ("keyward-crypto", &["keyward-types"]),
    ("keyward-policy", &["keyward-types"]),
    ("keyward-store", &["keyward-types"]),
    ("keyward-trail", &["keyward-types"]),
    ("keyward-export", &["keyward-types", "keyward-store", "keyward-trail"]),
    ("keyward-watch", &["keyward-types"]),
    ("keyward-telemetry", &["keyward-types"]),
    ("keyward-sigv4", &["keyward-types"]),
    ("keyward-policytest", &["keyward-types", "keyward-policy", "keyward-trail"]),
    ("keyward-prove", &["keyward-types", "keyward-policy"]),
    ("keyward-sql", &["keyward-types", "keyward-trail"]),
    ("keyward-outbound", &["keyward-types"]),
    ("keyward-xks", &["keyward-types", "keyward-sigv4", "keyward-outbound"]),
    (
        "keyward-engine",
        &[
            "keyward-types",
            "keyward-crypto",
            "keyward-policy",
            "keyward-store",
            "keyward-telemetry",
            "keyward-trail",
            "keyward-watch",
        ],
    ),
    (
        "keyward-server",
        &[
            "keyward-types",
            "keyward-crypto",
            "keyward-policy",
            "keyward-store",
            "keyward-telemetry",
            "keyward-trail",
            "keyward-engine",
            "keyward-export",
            "keyward-outbound",
            "keyward-prove",
            "keyward-sigv4",
            "keyward-sql",
            "keyward-watch",
            "keyward-xks",
        ],
    ),
    (
        "keyward-cli",
        &[
            "keyward-types",
            "keyward-crypto",
            "keyward-engine",
            "keyward-export",
            "keyward-policy",
            "keyward-policytest",
            "keyward-prove",
            "keyward-server",
            "keyward-sigv4",
            "keyward-sql",
            "keyward-store",
            "keyward-trail",
            "keyward-watch",
        ],
    ),
    (
        "keyward-testkit",
        &[
            "keyward-types",
            "keyward-crypto",
            "keyward-engine",
            "keyward-policy",
            "keyward-server",
            "keyward-sigv4",
            "keyward-store",
            "keyward-telemetry",
        ],
    ),
    ("xtask", &["keyward-engine"]),
    ("keyward-tests", &[]),
];

/// Which crate alone may name a library.
const FENCES: &[(&str, &[&str])] = &[
    ("actix-web", &["keyward-server"]),
    ("sled", &["keyward-store"]),
    ("zstd", &["keyward-store"]),
    ("cedar-policy", &["keyward-policy"]),
    ("prometheus", &["keyward-telemetry"]),
    ("aes-gcm", &["keyward-crypto"]),
    ("aws-lc-rs", &["keyward-crypto"]),
    ("rsa", &["keyward-crypto"]),
    ("p256", &["keyward-crypto"]),
    ("p384", &["keyward-crypto"]),
    ("getrandom", &["keyward-crypto"]),
    ("rusqlite", &["keyward-sql"]),
    ("saphyr-parser", &["keyward-policytest"]),
    ("rustls", &["keyward-outbound"]),
    ("object_store", &["keyward-export"]),
    ("parquet", &["keyward-export"]),
];

type Manifests = BTreeMap<String, toml::Table>;

fn manifests() -> Manifests {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates = fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    crates
        .chain([root.join("tests")])
        .map(|folder| folder.join("Cargo.toml"))
        .filter(|path| path.exists())
        .map(|path| {
            let manifest: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
            (manifest["package"]["name"].as_str().unwrap().to_owned(), manifest)
        })
        .collect()
}

fn dependencies(manifest: &toml::Table, kinds: &[&str]) -> Vec<String> {
    kinds
        .iter()
        .filter_map(|kind| manifest.get(*kind)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

#[test]
fn crates_name_only_what_the_table_allows() {
    let manifests = manifests();
    let known: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, manifest) in &manifests {
        let (_, allowed) = ARROWS
            .iter()
            .find(|(known, _)| known == name)
            .unwrap_or_else(|| panic!("{name} is not in the table"));
        for dependency in dependencies(manifest, &["dependencies", "build-dependencies"]) {
            let ours = known.contains(&dependency.as_str());
            assert!(
                !ours || allowed.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}"
            );
        }
    }
    assert_eq!(manifests.len(), ARROWS.len(), "the table names a crate that is not there");
}

#[test]
fn heavy_libraries_stay_behind_their_fences() {
    for (name, manifest) in manifests() {
        for dependency in dependencies(&manifest, &["dependencies", "build-dependencies"]) {
            let fence = FENCES.iter().find(|(library, _)| *library == dependency);
            assert!(
                fence.is_none_or(|(_, owners)| owners.contains(&name.as_str())),
                "{dependency} does not belong in {name}"
            );
        }
    }
}

#[test]
fn every_dependency_is_declared_with_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let table = text.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in table.lines().filter(|line| {
        line.contains('=') && !line.starts_with('#') && !line.starts_with("keyward-")
    }) {
        assert!(line.contains(" # "), "say in one line why: {line}");
    }
    for (name, manifest) in manifests() {
        for (dependency, value) in
            manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flatten()
        {
            let inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
            assert!(inherited, "{name}: declare {dependency} in the workspace, with its reason");
        }
    }
}
