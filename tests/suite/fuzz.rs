//! The fuzz targets of `tests/fuzz` over their committed corpus, and over seeded mutations of it.
//!
//! The fuzzer itself needs a nightly compiler and hours; this needs neither, and keeps what it once found.
//! `KEYWARD_FUZZ_SEED`, set when this is built, gives other mutations than the usual ones.

use std::{fs, path::Path};

#[path = "../fuzz/targets/doors.rs"]
mod doors;
#[path = "../fuzz/targets/policy.rs"]
mod policy;
#[path = "../fuzz/targets/wire.rs"]
mod wire;

type Target = fn(&[u8]);

/// Name, function, and mutations in a run. `tests/fuzz/Cargo.toml` has the same names.
const TARGETS: &[(&str, Target, usize)] = &[
    ("ciphertext_blob", wire::ciphertext_blob, 20_000),
    ("condition", policy::condition, 1_500),
    ("identity_policy", policy::identity_policy, 1_500),
    ("json", policy::json, 20_000),
    ("key_policy", policy::key_policy, 1_500),
    ("pattern", policy::pattern, 20_000),
    ("query_form", doors::query_form, 5_000),
    ("sigv4_presented", wire::sigv4_presented, 20_000),
];

/// What mutations insert beside noise.
const TOKENS: &[&str] = &[
    "*",
    "?",
    "${",
    "}",
    "\"",
    "\\u0000",
    "\\ud800",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "Null",
    "ForAllValues:",
    "IfExists",
    "NotPrincipal",
    "Deny",
    "arn:aws:kms:",
    "111122223333",
    "1e999",
    "-0",
    "\u{410}",
    "\u{feff}",
    "%00",
    "&",
    "=",
    "\n",
    "${aws:username, 'x'}",
    "kms:EncryptionContext:a",
];

/// SplitMix64: small, seedable, good enough to make noise.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides.max(1) as u64) as usize
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut data = corpus[dice.roll(corpus.len())].clone();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(data.len() + 1);
        let end = (at + dice.roll(16)).min(data.len());
        match dice.roll(6) {
            0 if at < data.len() => data[at] ^= 1 << dice.roll(8),
            1 => drop(data.drain(at..end)),
            2 => {
                let token = TOKENS[dice.roll(TOKENS.len())].as_bytes();
                data.splice(at..at, token.iter().copied());
            }
            3 => {
                let piece = data[at..end].to_vec();
                let times = dice.roll(64);
                data.splice(at..at, piece.repeat(times));
            }
            4 => {
                let other = &corpus[dice.roll(corpus.len())];
                let from = dice.roll(other.len() + 1);
                data.splice(at..end, other[from..].iter().copied());
            }
            _ => data.insert(at, dice.roll(256) as u8),
        }
    }
    data
}

fn run(name: &str) {
    let (_, target, mutations) = TARGETS.iter().find(|(known, ..)| *known == name).unwrap();
    let corpus = corpus(name);
    corpus.iter().for_each(|data| target(data));
    let seed = option_env!("KEYWARD_FUZZ_SEED").and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(20_260_801);
    println!("KEYWARD_FUZZ_SEED={seed}");
    let mut dice = Dice(seed);
    for _ in 0..*mutations {
        let data = mutated(&corpus, &mut dice);
        // What fails is in the panic's own words; the input goes into the corpus once it is understood.
        let failed = std::panic::catch_unwind(|| target(&data)).is_err();
        assert!(!failed, "{name} failed on {}", data.escape_ascii());
    }
}

macro_rules! replay {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { run(stringify!($name)); })*
    };
}

replay!(
    ciphertext_blob,
    condition,
    identity_policy,
    json,
    key_policy,
    pattern,
    query_form,
    sigv4_presented,
);

#[test]
fn every_target_is_fuzzed_and_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest: toml::Table =
        fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
    let mut bins: Vec<&str> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bin| bin["name"].as_str().unwrap())
        .collect();
    bins.sort_unstable();
    assert_eq!(bins, TARGETS.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    let folders = fs::read_dir(folder.join("corpus")).unwrap().count();
    assert_eq!(folders, TARGETS.len());
}
