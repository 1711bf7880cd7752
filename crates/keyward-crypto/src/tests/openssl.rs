//! What OpenSSL makes of our keys, signatures and ciphertexts, and we of its.
//!
//! Skipped, and said so, where there is no `openssl` on the path.

use super::*;
use crate::{EncryptionAlgorithm, algorithm::signing_algorithms};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

/// A directory of files to hand to OpenSSL.
struct Bench(TempDir);

impl Bench {
    /// `None` without OpenSSL.
    fn new() -> Option<Self> {
        let found = Command::new("openssl")
            .arg("version")
            .output()
            .is_ok_and(|output| output.status.success());
        if !found {
            println!("SKIPPED: there is no openssl on the path");
            return None;
        }
        Some(Self(tempfile::tempdir().unwrap()))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output =
            Command::new("openssl").args(arguments).current_dir(self.0.path()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {errors}");
        output.stdout
    }

    fn fails(&self, arguments: &[&str]) -> bool {
        let output =
            Command::new("openssl").args(arguments).current_dir(self.0.path()).output().unwrap();
        !output.status.success()
    }
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| core::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

fn digest_flag(algorithm: SigningAlgorithm) -> &'static str {
    match crate::algorithm::digest_len(algorithm) {
        Some(32) => "-sha256",
        Some(48) => "-sha384",
        _ => "-sha512",
    }
}

fn padding(algorithm: SigningAlgorithm) -> &'static [&'static str] {
    if algorithm.as_str().contains("PSS") {
        &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    } else {
        &[]
    }
}

const ASYMMETRIC: [KeySpec; 6] = [
    KeySpec::Rsa2048,
    KeySpec::Rsa3072,
    KeySpec::EccNistP256,
    KeySpec::EccNistP384,
    KeySpec::EccNistP521,
    KeySpec::EccSecgP256k1,
];

#[test]
fn openssl_reads_our_keys_and_signatures_and_we_its_signatures() {
    let Some(bench) = Bench::new() else { return };
    let rng = &mut *fresh();
    for provider in Provider::ALL {
        for spec in ASYMMETRIC {
            let key = generated(*provider, spec, rng);
            bench.file("public.pem", &pem("PUBLIC KEY", &key.public_key_der().unwrap()));
            bench.file("private.pem", &pem("PRIVATE KEY", &key.private_key_der().unwrap()));
            bench.run(&["pkey", "-pubin", "-in", "public.pem", "-pubcheck", "-noout"]);
            bench.run(&["pkey", "-in", "private.pem", "-check", "-noout"]);
            let derived = bench.run(&["pkey", "-in", "private.pem", "-pubout", "-outform", "DER"]);
            assert_eq!(derived, key.public_key_der().unwrap(), "{spec}");
            for algorithm in signing_algorithms(spec) {
                let message = random(rng, 1000);
                bench.file("message", &message);
                let ours = key.sign(*algorithm, MessageType::Raw, &message, rng).unwrap();
                bench.file("ours", &ours);
                let options = [&["dgst", digest_flag(*algorithm)], padding(*algorithm)].concat();
                let verify =
                    [&options[..], &["-verify", "public.pem", "-signature", "ours", "message"]]
                        .concat();
                bench.run(&verify);
                let sign =
                    [&options[..], &["-sign", "private.pem", "-out", "theirs", "message"]].concat();
                bench.run(&sign);
                let theirs = fs::read(bench.0.path().join("theirs")).unwrap();
                assert!(
                    key.verify(*algorithm, MessageType::Raw, &message, &theirs).unwrap(),
                    "{algorithm}"
                );
                bench.file("message", b"another");
                assert!(bench.fails(&verify), "{algorithm}");
            }
        }
    }
}

#[test]
fn oaep_goes_both_ways() {
    let Some(bench) = Bench::new() else { return };
    let rng = &mut *fresh();
    for provider in Provider::ALL {
        let key = generated(*provider, KeySpec::Rsa2048, rng);
        bench.file("public.pem", &pem("PUBLIC KEY", &key.public_key_der().unwrap()));
        bench.file("private.pem", &pem("PRIVATE KEY", &key.private_key_der().unwrap()));
        for (algorithm, digest) in [
            (EncryptionAlgorithm::RsaesOaepSha1, "sha1"),
            (EncryptionAlgorithm::RsaesOaepSha256, "sha256"),
        ] {
            let plain = random(rng, 150);
            bench.file("plain", &plain);
            bench.file("ours", &key.encrypt_rsa(algorithm, &plain, rng).unwrap());
            let (oaep, mgf1) = (format!("rsa_oaep_md:{digest}"), format!("rsa_mgf1_md:{digest}"));
            let options =
                ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", &oaep, "-pkeyopt", &mgf1];
            let decrypt =
                [&["pkeyutl", "-decrypt", "-inkey", "private.pem", "-in", "ours"][..], &options]
                    .concat();
            assert_eq!(bench.run(&decrypt), plain, "{algorithm}");
            let encrypt = [
                &["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "plain"][..],
                &options,
            ]
            .concat();
            let theirs = bench.run(&encrypt);
            assert_eq!(*key.decrypt_rsa(algorithm, &theirs, rng).unwrap(), plain, "{algorithm}");
        }
    }
}
