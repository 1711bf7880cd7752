//! Properties of the repository itself. Each list of exceptions may only shrink.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files below a folder, without build output and what package managers fetch.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "node_modules", ".git"].contains(&name.as_str()) {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

fn all_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&root(), &mut found);
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    all_files()
        .into_iter()
        .filter(rust)
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn every_source_file_says_what_it_is() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{} must open with a module doc", path.display());
    }
}

#[test]
fn nothing_is_left_to_be_fixed_before_merge() {
    let mark = ["FIX", "ME"].concat();
    for (path, text) in sources() {
        assert!(!text.contains(&mark), "{} says {mark}", path.display());
    }
}

#[test]
fn files_are_small_outside_vectors() {
    for path in all_files() {
        let relative = path.strip_prefix(root()).unwrap().to_owned();
        let exempt = relative.starts_with("tests/vectors") || relative.ends_with("Cargo.lock");
        let len = fs::metadata(&path).unwrap().len();
        assert!(exempt || len <= 256 * 1024, "{} has {len} bytes", relative.display());
    }
}

#[test]
fn top_level_is_as_designed() {
    const ALLOWED: &[&str] = &[
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "crates",
        "dashboards",
        "policies",
        "tests",
        "target",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(
            name.starts_with('.') || ALLOWED.contains(&name.as_str()),
            "{name} does not belong at the top level"
        );
    }
    for folder in ["crates", "dashboards", "policies", "tests"] {
        assert!(root().join(folder).join("README.md").exists(), "{folder}/ opens with a README");
    }
}

#[test]
fn every_operation_file_cites_its_own_page() {
    let ops = root().join("crates/keyward-engine/src/ops");
    for operation in keyward_engine::OPERATIONS {
        let name = operation.spec().name;
        let file = ops.join(format!("{}.rs", snake(name)));
        let text = fs::read_to_string(&file)
            .unwrap_or_else(|_| panic!("{name} has no file {}", file.display()));
        let first = text.lines().next().unwrap();
        // Of Keyward's own operations AWS has no page, and the first line says whose they are.
        let cited = match operation.spec().service {
            keyward_engine::Service::Keyward => format!("`{name}`"),
            _ => format!("API_{name}.html"),
        };
        assert!(first.contains(&cited), "{}: the first line cites {cited}", file.display());
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let suite = fs::read_to_string(root().join("tests/suite.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests/suite")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(suite.contains(&format!("mod {stem};")), "tests/suite.rs does not name {stem}");
    }
}

/// `ListMFADevices` is `list_mfa_devices`: a run of capitals is one word.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (i, c) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| letters[i]);
        let after = letters.get(i + 1);
        let starts = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if starts {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}
