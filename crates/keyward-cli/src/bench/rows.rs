//! THE TABLE of what `keyward bench` can measure, and for each row the request that asks the service for it.
//!
//! What a row costs without a service is in [`super::raw`].
//!
//! INVARIANT: names are part of what scripts rely on; a row may be added, none is renamed.

use super::Bench;
use crate::{client::Client, exit::CliError};
use keyward_crypto::{MacAlgorithm, SigningAlgorithm};
use keyward_types::{KeySpec, KeyUsage};
use serde_json::{Value, json};

/// One line of the result.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    /// Measured when nothing is chosen, and then beside the echo.
    pub(super) by_default: bool,
    pub(super) job: Job,
}

/// What is asked for, again and again.
#[derive(Clone, Copy)]
pub(super) enum Job {
    Encrypt,
    Decrypt,
    Sign(KeySpec, SigningAlgorithm),
    /// OAEP with SHA-256.
    OpenRsa(KeySpec),
    Mac(KeySpec, MacAlgorithm),
    Pair(KeySpec),
}

/// Stands for every row.
pub(super) const ALL: &str = "all";

pub(super) const ROWS: &[Row] = &[
    usual("encrypt", "symmetric", Job::Encrypt),
    usual("decrypt", "symmetric", Job::Decrypt),
    usual("sign-p256", "ecdsa", Job::Sign(KeySpec::EccNistP256, SigningAlgorithm::EcdsaSha256)),
    usual("sign-rsa-2048", "rsa", pss(KeySpec::Rsa2048)),
    row("sign-rsa-3072", "rsa", pss(KeySpec::Rsa3072)),
    row("sign-rsa-4096", "rsa", pss(KeySpec::Rsa4096)),
    row("sign-rsa-2048-pkcs1", "rsa", pkcs1(KeySpec::Rsa2048)),
    row("sign-rsa-3072-pkcs1", "rsa", pkcs1(KeySpec::Rsa3072)),
    row("sign-rsa-4096-pkcs1", "rsa", pkcs1(KeySpec::Rsa4096)),
    row("decrypt-rsa-2048", "rsa", Job::OpenRsa(KeySpec::Rsa2048)),
    row("decrypt-rsa-3072", "rsa", Job::OpenRsa(KeySpec::Rsa3072)),
    row("decrypt-rsa-4096", "rsa", Job::OpenRsa(KeySpec::Rsa4096)),
    row("sign-p384", "ecdsa", Job::Sign(KeySpec::EccNistP384, SigningAlgorithm::EcdsaSha384)),
    row("sign-p521", "ecdsa", Job::Sign(KeySpec::EccNistP521, SigningAlgorithm::EcdsaSha512)),
    row(
        "sign-secp256k1",
        "ecdsa",
        Job::Sign(KeySpec::EccSecgP256k1, SigningAlgorithm::EcdsaSha256),
    ),
    row(
        "sign-ed25519",
        "ed25519",
        Job::Sign(KeySpec::EccNistEdwards25519, SigningAlgorithm::Ed25519Sha512),
    ),
    row("sign-ml-dsa-44", "ml-dsa", ml_dsa(KeySpec::MlDsa44)),
    row("sign-ml-dsa-65", "ml-dsa", ml_dsa(KeySpec::MlDsa65)),
    row("sign-ml-dsa-87", "ml-dsa", ml_dsa(KeySpec::MlDsa87)),
    row("mac-256", "hmac", Job::Mac(KeySpec::Hmac256, MacAlgorithm::HmacSha256)),
    row("mac-512", "hmac", Job::Mac(KeySpec::Hmac512, MacAlgorithm::HmacSha512)),
    row("pair-rsa-2048", "pairs", Job::Pair(KeySpec::Rsa2048)),
    row("pair-p256", "pairs", Job::Pair(KeySpec::EccNistP256)),
    row("pair-ed25519", "pairs", Job::Pair(KeySpec::EccNistEdwards25519)),
];

const fn row(name: &'static str, group: &'static str, job: Job) -> Row {
    Row { name, group, by_default: false, job }
}

const fn usual(name: &'static str, group: &'static str, job: Job) -> Row {
    Row { name, group, by_default: true, job }
}

const fn pss(spec: KeySpec) -> Job {
    Job::Sign(spec, SigningAlgorithm::RsassaPssSha256)
}

const fn pkcs1(spec: KeySpec) -> Job {
    Job::Sign(spec, SigningAlgorithm::RsassaPkcs1V15Sha256)
}

const fn ml_dsa(spec: KeySpec) -> Job {
    Job::Sign(spec, SigningAlgorithm::MlDsaShake256)
}

/// The rows that the options choose, in the table's order.
pub(super) fn chosen(options: &Bench) -> Vec<&'static Row> {
    let named = |row: &Row| {
        options.only.iter().any(|choice| [ALL, row.name, row.group].contains(&choice.as_str()))
    };
    let wanted = |row: &&Row| if options.only.is_empty() { row.by_default } else { named(row) };
    ROWS.iter().filter(wanted).collect()
}

/// Reads one choice of `--only`.
pub(crate) fn parse_choice(text: &str) -> Result<String, String> {
    if text == ALL || ROWS.iter().any(|row| [row.name, row.group].contains(&text)) {
        return Ok(text.to_owned());
    }
    let mut groups = vec![ALL];
    let mut names = Vec::new();
    for row in ROWS {
        names.push(row.name);
        if !groups.contains(&row.group) {
            groups.push(row.group);
        }
    }
    Err(format!("groups are {}; rows are {}", groups.join(", "), names.join(", ")))
}

/// What the service is asked: the operation and its input.
pub(super) struct Asked {
    pub(super) operation: &'static str,
    pub(super) input: Value,
}

/// The keys that rows share, made when the first of them needs one.
pub(super) struct Keys<'c> {
    client: &'c Client<'c>,
    made: Vec<(KeySpec, KeyUsage, Value)>,
}

/// 32 bytes in base64: what is encrypted, signed and authenticated.
const MESSAGE: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(super) const MESSAGE_BYTES: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
/// The encryption context of the symmetric rows.
pub(super) const CONTEXT: (&str, &str) = ("tenant", "acme");

impl<'c> Keys<'c> {
    pub(super) const fn of(client: &'c Client<'c>) -> Self {
        Self { client, made: Vec::new() }
    }

    /// The request of a job, with the keys and the ciphertext that it needs.
    pub(super) fn asked(&mut self, job: Job) -> Result<Asked, CliError> {
        let context = json!({CONTEXT.0: CONTEXT.1});
        Ok(match job {
            Job::Encrypt => {
                let key = self.key(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt)?;
                Asked {
                    operation: "Encrypt",
                    input: json!({"KeyId": key, "Plaintext": MESSAGE, "EncryptionContext": context}),
                }
            }
            Job::Decrypt => {
                let Asked { input, .. } = self.asked(Job::Encrypt)?;
                let blob = self.sealed(&input)?;
                Asked {
                    operation: "Decrypt",
                    input: json!({"CiphertextBlob": blob, "EncryptionContext": context}),
                }
            }
            Job::Sign(spec, algorithm) => {
                let key = self.key(spec, KeyUsage::SignVerify)?;
                Asked {
                    operation: "Sign",
                    input: json!({"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": algorithm.as_str()}),
                }
            }
            Job::OpenRsa(spec) => {
                let key = self.key(spec, KeyUsage::EncryptDecrypt)?;
                let algorithm = "RSAES_OAEP_SHA_256";
                let blob = self.sealed(
                    &json!({"KeyId": key, "Plaintext": MESSAGE, "EncryptionAlgorithm": algorithm}),
                )?;
                Asked {
                    operation: "Decrypt",
                    input: json!({"KeyId": key, "CiphertextBlob": blob, "EncryptionAlgorithm": algorithm}),
                }
            }
            Job::Mac(spec, algorithm) => {
                let key = self.key(spec, KeyUsage::GenerateVerifyMac)?;
                Asked {
                    operation: "GenerateMac",
                    input: json!({"KeyId": key, "Message": MESSAGE, "MacAlgorithm": algorithm.as_str()}),
                }
            }
            Job::Pair(spec) => {
                let key = self.key(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt)?;
                Asked {
                    operation: "GenerateDataKeyPair",
                    input: json!({"KeyId": key, "KeyPairSpec": spec.as_str()}),
                }
            }
        })
    }

    fn sealed(&self, input: &Value) -> Result<Value, CliError> {
        let answer = self.client.call("Encrypt", input)?;
        Ok(answer.get("CiphertextBlob").cloned().unwrap_or_default())
    }

    fn key(&mut self, spec: KeySpec, usage: KeyUsage) -> Result<Value, CliError> {
        let made = self.made.iter().find(|(of, used, _)| (*of, *used) == (spec, usage));
        if let Some((_, _, key)) = made {
            return Ok(key.clone());
        }
        let answer = self.client.call(
            "CreateKey",
            &json!({"Description": "keyward bench", "KeySpec": spec.as_str(), "KeyUsage": usage.as_str()}),
        )?;
        let key = answer.pointer("/KeyMetadata/KeyId").cloned().unwrap_or_default();
        self.made.push((spec, usage, key.clone()));
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser as _;

    fn only(choice: &str) -> Vec<&'static str> {
        let line = ["keyward", "bench", "--only", choice];
        let arguments = if choice.is_empty() { &line[..2] } else { &line[..] };
        let args = Args::try_parse_from(arguments).unwrap();
        let crate::args::Command::Bench(options) = args.command else { panic!("not bench") };
        chosen(&options).into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn every_name_chooses_its_row_alone() {
        for row in ROWS {
            assert_eq!(only(row.name), [row.name]);
            assert!(ROWS.iter().all(|other| other.group != row.name && row.name != ALL));
        }
    }

    #[test]
    fn groups_and_lists_choose_in_the_order_of_the_table() {
        assert_eq!(only(""), ["encrypt", "decrypt", "sign-p256", "sign-rsa-2048"]);
        assert_eq!(only("hmac,sign-ed25519"), ["sign-ed25519", "mac-256", "mac-512"]);
        assert_eq!(only("ecdsa"), ["sign-p256", "sign-p384", "sign-p521", "sign-secp256k1"]);
        assert_eq!(only("rsa").len(), 9);
        assert_eq!(only(ALL).len(), ROWS.len());
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_there_are() {
        let error = parse_choice("dsa").unwrap_err();
        assert!(error.contains("ml-dsa") && error.contains("sign-p256"), "{error}");
        let refused = Args::try_parse_from(["keyward", "bench", "--only", "dsa"]);
        assert!(refused.is_err_and(|error| error.use_stderr()));
    }
}
