//! What OpenSSL makes of our keys, signatures and ciphertexts, and we of its.
//!
//! Skipped, and said so, where there is no `openssl` on the path.

use super::*;
use crate::{
    EncryptionAlgorithm, WrappingAlgorithm,
    algorithm::signing_algorithms,
    import::{unwrap_material, wrap_material},
};
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

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    /// Both halves of a key as `public.pem` and `private.pem`, which OpenSSL agrees are one key.
    fn keys(&self, key: &KeyMaterial) {
        let public = key.public_key_der().unwrap();
        self.file("public.pem", &pem("PUBLIC KEY", &public));
        self.file("private.pem", &pem("PRIVATE KEY", &key.private_key_der().unwrap()));
        let derived = self.run(&["pkey", "-in", "private.pem", "-pubout", "-outform", "DER"]);
        assert_eq!(derived, public, "{}", key.spec());
    }

    /// OpenSSL writes ML-DSA and ML-KEM keys with both the seed and what it expands to.
    fn their_key_is_read(&self, spec: KeySpec) {
        let name = spec.as_str().replace('_', "-");
        let pkcs8 = self.run(&["genpkey", "-algorithm", &name, "-outform", "DER"]);
        self.file("theirs.der", &pkcs8);
        let public = self.run(&["pkey", "-in", "theirs.der", "-pubout", "-outform", "DER"]);
        for key in import_all(spec, &pkcs8).unwrap() {
            assert_eq!(key.public_key_der().unwrap(), public, "{spec}");
        }
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

#[test]
fn ed25519_goes_both_ways() {
    let Some(bench) = Bench::new() else { return };
    let rng = &mut *fresh();
    let algorithm = SigningAlgorithm::Ed25519Sha512;
    for provider in Provider::ALL {
        let key = generated(*provider, KeySpec::EccNistEdwards25519, rng);
        bench.keys(&key);
        let message = random(rng, 1000);
        bench.file("message", &message);
        bench.file("ours", &key.sign(algorithm, MessageType::Raw, &message, rng).unwrap());
        let verify = [
            "pkeyutl",
            "-verify",
            "-rawin",
            "-pubin",
            "-inkey",
            "public.pem",
            "-in",
            "message",
            "-sigfile",
            "ours",
        ];
        bench.run(&verify);
        let theirs =
            bench.run(&["pkeyutl", "-sign", "-rawin", "-inkey", "private.pem", "-in", "message"]);
        assert!(key.verify(algorithm, MessageType::Raw, &message, &theirs).unwrap());
        bench.file("message", b"another");
        assert!(bench.fails(&verify));
        // A key of its making.
        let pkcs8 = bench.run(&["genpkey", "-algorithm", "ed25519", "-outform", "DER"]);
        import_all(KeySpec::EccNistEdwards25519, &pkcs8).unwrap();
    }
}

#[test]
fn ecdh_agrees() {
    let Some(bench) = Bench::new() else { return };
    let rng = &mut *fresh();
    for (spec, curve) in [
        (KeySpec::EccNistP256, "P-256"),
        (KeySpec::EccNistP384, "P-384"),
        (KeySpec::EccNistP521, "P-521"),
    ] {
        let curve = format!("ec_paramgen_curve:{curve}");
        let generate = ["genpkey", "-algorithm", "EC", "-pkeyopt", &curve];
        bench.file("theirs.pem", &bench.run(&generate));
        let peer = bench.run(&["pkey", "-in", "theirs.pem", "-pubout", "-outform", "DER"]);
        for provider in Provider::ALL {
            let key = generated(*provider, spec, rng);
            bench.keys(&key);
            let derive = ["pkeyutl", "-derive", "-inkey", "theirs.pem", "-peerkey", "public.pem"];
            let theirs = bench.run(&derive);
            assert_eq!(*key.derive_shared_secret(&peer).unwrap(), theirs, "{spec}");
        }
    }
}

/// The commands that AWS documents for its users.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-encrypt-key-material.html>
#[test]
fn material_that_openssl_wrapped_arrives_and_the_other_way_about() {
    let Some(bench) = Bench::new() else { return };
    let rng = &mut *fresh();
    let wrapping = generated(Provider::Default, KeySpec::Rsa3072, rng);
    let keys = import_all(KeySpec::Rsa3072, &wrapping.private_key_der().unwrap()).unwrap();
    bench.keys(&wrapping);
    let material =
        generated(Provider::Default, KeySpec::EccNistP521, rng).private_key_der().unwrap();
    let aes_key = random(rng, 32);
    bench.file("aes-key", &aes_key);
    bench.file("material", &material);
    let hex_key = hex::encode(&aes_key);
    let kwp = ["enc", "-id-aes256-wrap-pad", "-K", &hex_key, "-iv", "A65959A6"];
    let second = bench.run(&[&kwp[..], &["-in", "material"]].concat());
    for (algorithm, digest) in [
        (WrappingAlgorithm::RsaAesKeyWrapSha1, "sha1"),
        (WrappingAlgorithm::RsaAesKeyWrapSha256, "sha256"),
    ] {
        let (oaep, mgf1) = (format!("rsa_oaep_md:{digest}"), format!("rsa_mgf1_md:{digest}"));
        let options = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", &oaep, "-pkeyopt", &mgf1];
        let encrypt = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "aes-key"];
        let first = bench.run(&[&encrypt[..], &options].concat());
        for key in &keys {
            let blob = [&first[..], &second].concat();
            assert_eq!(unwrap_material(key, algorithm, &blob, rng).unwrap(), material);
            let blob = wrap_material(key.public_key().unwrap(), algorithm, &material, rng).unwrap();
            let (first, second) = blob.split_at(384);
            bench.file("first", first);
            bench.file("second", second);
            let decrypt = ["pkeyutl", "-decrypt", "-inkey", "private.pem", "-in", "first"];
            let key = hex::encode(bench.run(&[&decrypt[..], &options].concat()));
            let unwrap = [
                "enc",
                "-d",
                "-id-aes256-wrap-pad",
                "-K",
                &key,
                "-iv",
                "A65959A6",
                "-in",
                "second",
            ];
            assert_eq!(bench.run(&unwrap), *material, "{algorithm}");
        }
    }
}

#[test]
fn ml_dsa_and_ml_kem_go_both_ways() {
    let Some(bench) = Bench::new() else { return };
    if bench.fails(&["genpkey", "-algorithm", "ML-KEM-768", "-out", "theirs.pem"]) {
        println!("SKIPPED: this openssl knows neither ML-DSA nor ML-KEM");
        return;
    }
    let rng = &mut *fresh();
    for spec in [KeySpec::MlDsa44, KeySpec::MlDsa65, KeySpec::MlDsa87] {
        for provider in Provider::ALL {
            let key = generated(*provider, spec, rng);
            bench.keys(&key);
            let message = random(rng, 1000);
            bench.file("message", &message);
            let algorithm = SigningAlgorithm::MlDsaShake256;
            bench.file("ours", &key.sign(algorithm, MessageType::Raw, &message, rng).unwrap());
            bench.run(&[
                "pkeyutl",
                "-verify",
                "-rawin",
                "-pubin",
                "-inkey",
                "public.pem",
                "-in",
                "message",
                "-sigfile",
                "ours",
            ]);
            let sign = ["pkeyutl", "-sign", "-rawin", "-inkey", "private.pem", "-in", "message"];
            let theirs = bench.run(&sign);
            assert!(key.verify(algorithm, MessageType::Raw, &message, &theirs).unwrap(), "{spec}");
        }
        bench.their_key_is_read(spec);
    }
    for spec in [KeySpec::MlKem512, KeySpec::MlKem768, KeySpec::MlKem1024] {
        for provider in Provider::ALL {
            let key = generated(*provider, spec, rng);
            bench.keys(&key);
            let (secret, ciphertext) = key.public_key().unwrap().encapsulate(rng).unwrap();
            bench.file("ciphertext", &ciphertext);
            bench.run(&[
                "pkeyutl",
                "-decap",
                "-inkey",
                "private.pem",
                "-in",
                "ciphertext",
                "-secret",
                "secret",
            ]);
            assert_eq!(bench.read("secret"), *secret, "{spec}");
            bench.run(&[
                "pkeyutl",
                "-encap",
                "-pubin",
                "-inkey",
                "public.pem",
                "-out",
                "ciphertext",
                "-secret",
                "secret",
            ]);
            let theirs = key.decapsulate(&bench.read("ciphertext")).unwrap();
            assert_eq!(*theirs, bench.read("secret"), "{spec}");
        }
        bench.their_key_is_read(spec);
    }
}

#[test]
fn openssl_reads_the_pkcs1_form_and_we_read_its_own() {
    let Some(bench) = Bench::new() else { return };
    let mut rng = fresh();
    let key = KeyMaterial::generate(Provider::Default, KeySpec::Rsa2048, &mut *rng).unwrap();
    let public = key.public_key().unwrap();
    let pem = bench.0.path().join("pkcs1.pem");
    fs::write(&pem, public.pkcs1_pem().unwrap()).unwrap();
    let out = bench.0.path().join("again");
    for (form, name) in [("PEM", "pem"), ("DER", "der")] {
        let out = out.with_extension(name);
        let converted = Command::new("openssl")
            .args(["rsa", "-RSAPublicKey_in", "-RSAPublicKey_out", "-outform", form, "-in"])
            .arg(&pem)
            .arg("-out")
            .arg(&out)
            .output()
            .unwrap();
        assert!(converted.status.success(), "{}", String::from_utf8_lossy(&converted.stderr));
        let again = PublicKey::from_pkcs1(Provider::Default, &fs::read(out).unwrap()).unwrap();
        assert_eq!(again.der(), public.der());
    }
    assert!(PublicKey::from_pkcs1(Provider::Default, public.der()).is_err());
}
