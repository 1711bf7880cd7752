//! The README's commands, executed as they stand.
//!
//! | fenced block | is |
//! |---|---|
//! | `sh` | run: all of them in order, in one bash, so that variables live on; every command must exit 0 |
//! | `console`, `text` | what a reader sees; not run |
//! | anything else | a failure of this test |
//!
//! A command that shall fail says how: `keyward explain none  # exits 3`.
//! `cargo run --release -- dev …` starts the service. Here it starts this build's binary on a free port, and
//! what names the default port means that one. `cargo run --release -- …` is `keyward …`, which is on the
//! path, as are the clients that the stories use. `cargo test …` is not run: it is what runs this.
//! The commands see the repository's files, and what they make lands in a temporary folder.
//!
//! The tables of what is answered are written from the table of operations and the table of algorithms.

use keyward_crypto::algorithm;
use keyward_engine::{OPERATIONS, Plane, Service, Spec};
use keyward_testkit::{
    clients::{self, Dev, Skipped},
    golden::{self, tests_folder},
};
use keyward_types::{KeySpec, KeyUsage};
use std::{env, fmt::Write as _, fs, os::unix::fs::symlink, path::Path, process::Command};

/// Where the README says that the service listens.
const DEFAULT_PORT: &str = ":8480";
const RUN: &str = "cargo run --release -- ";

/// A command of a block: where it starts, what it is, and how it must end.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    text: String,
    exits: i32,
}

#[test]
fn every_command_works_as_written() {
    let readme = fs::read_to_string(tests_folder().join("../README.md")).unwrap();
    let steps = steps(&readme).unwrap_or_else(|error| panic!("README.md:{error}"));
    assert!(!steps.is_empty(), "README.md shows no command");
    let programs = match clients::python() {
        Ok(programs) => programs,
        Err(why) => return clients::skip("README.md", &why),
    };
    let start = steps
        .iter()
        .find_map(|step| start_of_service(&step.text))
        .unwrap_or_else(|| panic!("README.md does not start the service"));
    let dev = Dev::start(&start.split_whitespace().collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(tests_folder().join("..")).unwrap() {
        let path = entry.unwrap().path();
        symlink(fs::canonicalize(&path).unwrap(), folder.path().join(path.file_name().unwrap()))
            .unwrap();
    }
    let mut bash = Command::new("bash");
    clients::point_at(&mut bash, &dev.endpoint());
    // The README says what to set; only what it cannot know is set here.
    for name in [
        "AWS_ENDPOINT_URL_KMS",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_IAM",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ] {
        bash.env_remove(name);
    }
    let inherited = env::var_os("PATH").unwrap_or_default();
    let path = [clients::binary().parent().unwrap(), programs]
        .map(Path::to_owned)
        .into_iter()
        .chain(env::split_paths(&inherited));
    bash.env("PATH", env::join_paths(path).unwrap())
        .current_dir(folder.path())
        .arg("-c")
        .arg(script(&steps, dev.port()));
    if let Err(Skipped(output)) = clients::run(&mut bash) {
        panic!("{output}\n== the service said\n{}", dev.log());
    }
}

/// One bash program of all steps, which says before each where it is.
fn script(steps: &[Step], port: u16) -> String {
    let mut script = "set -o pipefail\n".to_owned();
    for Step { line, text, exits } in steps.iter().filter(|step| {
        start_of_service(&step.text).is_none() && !step.text.starts_with("cargo test")
    }) {
        let text = text.replace(DEFAULT_PORT, &format!(":{port}")).replace(RUN, "keyward ");
        script.push_str(&format!(
            "echo '== README.md:{line}' >&2\n{text}\nexit_code=$?\nif [ $exit_code -ne {exits} ]; then echo \"README.md:{line}: exits $exit_code, not {exits}\" >&2; exit 1; fi\n"
        ));
    }
    script
}

/// What stands behind `dev` when a command starts the service.
fn start_of_service(text: &str) -> Option<&str> {
    let rest =
        text.strip_prefix(RUN).or_else(|| text.strip_prefix("keyward "))?.strip_prefix("dev")?;
    let rest = rest.trim_end_matches('&').trim_end();
    (rest.is_empty() || rest.starts_with(' ')).then_some(rest)
}

/// The commands of all `sh` blocks.
fn steps(readme: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut block: Option<&str> = None;
    let mut open: Option<Step> = None;
    for (index, line) in readme.lines().enumerate() {
        let number = index + 1;
        match (line.strip_prefix("```"), block) {
            (Some(tag @ ("sh" | "console" | "text")), None) => block = Some(tag),
            (Some(tag), None) => return Err(format!("{number}: a block is marked {tag:?}")),
            (Some(""), Some(_)) => {
                block = None;
                if let Some(step) = open.take() {
                    return Err(format!("{}: the command does not end in its block", step.line));
                }
            }
            (None, Some("sh")) => {
                let mut step =
                    open.take().unwrap_or(Step { line: number, text: String::new(), exits: 0 });
                step.text.push_str(line);
                if is_complete(&step.text) {
                    step.exits = exits(&step.text)?;
                    step.text = step.text.trim().to_owned();
                    steps
                        .extend((!step.text.is_empty() && !is_comment(&step.text)).then_some(step));
                } else {
                    step.text.push('\n');
                    open = Some(step);
                }
            }
            _ => {}
        }
    }
    if block.is_some() { Err("the last block does not end".to_owned()) } else { Ok(steps) }
}

fn is_comment(text: &str) -> bool {
    text.lines().all(|line| line.trim_start().starts_with('#'))
}

/// Whether bash takes the text as whole commands.
fn is_complete(text: &str) -> bool {
    let checked = Command::new("bash").args(["-n", "-c", text]).output().unwrap();
    // An unfinished here-document is a warning only.
    checked.status.success() && checked.stderr.is_empty() && !text.ends_with('\\')
}

fn exits(text: &str) -> Result<i32, String> {
    let comment = text
        .lines()
        .last()
        .and_then(|line| line.rsplit_once("# exits "))
        .map(|(_, number)| number.trim());
    comment
        .map_or(Ok(0), |number| number.parse().map_err(|_| format!("exits {number} is no number")))
}

#[test]
fn blocks_are_read_as_described() {
    let text = "# x\n```sh\ncargo run --release -- dev --account 1 &\n# a comment\n\naws kms \\\n  list-keys  # exits 5\ncat <<X\na\nX\n```\n```text\n$ no\n```\n";
    let found: Vec<_> =
        steps(text).unwrap().into_iter().map(|step| (step.line, step.text, step.exits)).collect();
    let expected = [
        (3, "cargo run --release -- dev --account 1 &", 0),
        (6, "aws kms \\\n  list-keys  # exits 5", 5),
        (8, "cat <<X\na\nX", 0),
    ];
    assert_eq!(found, expected.map(|(line, text, exits)| (line, text.to_owned(), exits)));
    assert_eq!(start_of_service("cargo run --release -- dev --account 1 &"), Some(" --account 1"));
    assert_eq!(start_of_service("cargo run --release -- devour"), None);
    assert!(steps("```rust\n```\n").unwrap_err().starts_with("1: "));
    assert!(steps("```sh\necho 'open\n```\n").unwrap_err().starts_with("2: "));
    assert!(steps("```sh\n").is_err());
}

/// What a family is called, and what the REST path of its operations holds. The first that fits counts.
const FAMILIES: &[(&str, &[&str])] = &[
    ("aliases", &["/aliases"]),
    ("custom key stores", &["/custom-key-stores"]),
    ("grants", &["grant"]),
    ("imported material", &["/material", "/import-parameters"]),
    ("key policies", &["/policy", "/policies"]),
    ("multi-Region", &["/replicas", "/primary-region"]),
    ("rotation", &["/rotat"]),
    ("tags", &["/tags"]),
];

fn family(spec: &Spec) -> &'static str {
    let holds = |parts: &[&str]| parts.iter().any(|part| spec.route.1.contains(part));
    match spec.service {
        Service::Keyward => "Keyward's own, through REST",
        Service::Sts => "STS",
        Service::Iam => "IAM",
        Service::AccessAnalyzer => "Access Analyzer",
        Service::Kms if spec.plane == Plane::Data => "use of keys",
        Service::Kms => {
            FAMILIES.iter().find(|(_, parts)| holds(parts)).map_or("keys", |(family, _)| family)
        }
    }
}

/// What the README says of the operations. IAM has too many to name: they are counted.
fn operations() -> String {
    let all = || OPERATIONS.iter().map(|operation| operation.spec());
    let mut text = "| family | operations |\n|---|---|\n".to_owned();
    let named = FAMILIES.iter().map(|(family, _)| *family);
    let families = ["keys", "use of keys"].into_iter().chain(named);
    for row in families.chain(["STS", "IAM", "Access Analyzer", "Keyward's own, through REST"]) {
        let names: Vec<&str> =
            all().filter(|spec| family(spec) == row).map(|spec| spec.name).collect();
        assert!(!names.is_empty(), "{row} has no operation");
        let cell = match row {
            "IAM" => {
                format!("{}, in [the list of all](tests/golden/operations.txt)", names.len())
            }
            _ => names.join(", "),
        };
        writeln!(text, "| {row} | {cell} |").unwrap();
    }
    text
}

/// What a spec is used for, and with which algorithms; empty for one that can only be named.
fn uses(spec: KeySpec) -> String {
    macro_rules! names {
        ($algorithms:ident) => {
            algorithm::$algorithms(spec).iter().map(|one| one.as_str()).collect::<Vec<_>>()
        };
    }
    let used = |usage: &KeyUsage| {
        let algorithms = match usage {
            KeyUsage::EncryptDecrypt => names!(encryption_algorithms),
            KeyUsage::SignVerify => names!(signing_algorithms),
            KeyUsage::GenerateVerifyMac => names!(mac_algorithms),
            KeyUsage::KeyAgreement => names!(key_agreement_algorithms),
            KeyUsage::EncapsulateDecapsulate => names!(encapsulation_algorithms),
        };
        (!algorithms.is_empty()).then(|| format!("{usage}: {}", folded(&algorithms)))
    };
    algorithm::usages(spec).iter().filter_map(used).collect::<Vec<_>>().join("; ")
}

/// `A_1, A_2, B_1` is `A_1/2, B_1`.
fn folded(names: &[&str]) -> String {
    let mut text = String::new();
    let mut before = "";
    for name in names {
        let (stem, last) = name.rsplit_once('_').unwrap_or((name, ""));
        match (before == stem, text.is_empty()) {
            (true, _) => text.push_str(&format!("/{last}")),
            (false, true) => text.push_str(name),
            (false, false) => text.push_str(&format!(", {name}")),
        }
        before = stem;
    }
    text
}

/// What the README says of key specs: those with the same uses in one row.
fn key_specs() -> String {
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for spec in KeySpec::ALL {
        let uses = uses(*spec);
        match rows.iter_mut().find(|(_, others)| *others == uses) {
            Some((specs, _)) => specs.push(spec.as_str()),
            None => rows.push((vec![spec.as_str()], uses)),
        }
    }
    let mut text = "| key spec | usage and algorithms |\n|---|---|\n".to_owned();
    for (specs, uses) in rows {
        let uses = if uses.is_empty() { "refused" } else { &uses };
        writeln!(text, "| {} | {uses} |", specs.join(", ")).unwrap();
    }
    text
}

#[test]
fn it_says_what_is_answered() {
    let readme = tests_folder().join("../README.md");
    golden::check_block(&readme, "operations", &operations());
    golden::check_block(&readme, "key-specs", &key_specs());
    let kms = OPERATIONS.iter().filter(|operation| operation.spec().service == Service::Kms);
    let sentence = format!("All {} operations of AWS's model of KMS", kms.count());
    assert!(fs::read_to_string(readme).unwrap().contains(&sentence), "{sentence}");
}
