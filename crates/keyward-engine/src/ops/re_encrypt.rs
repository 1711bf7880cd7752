//! `ReEncrypt` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html>
//!
//! Two permissions: `kms:ReEncryptFrom` on the key that made the ciphertext, with the source's context,
//! and `kms:ReEncryptTo` on the destination key, with the destination's. The plaintext never leaves.

use super::{
    decrypt::{ERRORS, Source, ignores_ciphertext},
    prelude::*,
};
use keyward_crypto::EncryptionAlgorithm;

pub(crate) struct ReEncrypt;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    #[serde(default)]
    ciphertext_blob: Blob,
    #[serde(default)]
    source_encryption_context: EncryptionContext,
    source_key_id: Option<KeyRef>,
    destination_key_id: KeyRef,
    #[serde(default)]
    destination_encryption_context: EncryptionContext,
    source_encryption_algorithm: Option<EncryptionAlgorithm>,
    destination_encryption_algorithm: Option<EncryptionAlgorithm>,
    #[serde(default)]
    dry_run_modifiers: Vec<String>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    ciphertext_blob: Blob,
    source_key_id: String,
    key_id: String,
    source_encryption_algorithm: EncryptionAlgorithm,
    destination_encryption_algorithm: EncryptionAlgorithm,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_key_material_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_key_material_id: Option<String>,
}

/// Places of the two keys among the targets.
const SOURCE: usize = 0;
const DESTINATION: usize = 1;

impl Operation for ReEncrypt {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::EncryptDecrypt],
        logged: &[
            "SourceEncryptionContext",
            "SourceKeyId",
            "DestinationKeyId",
            "DestinationEncryptionContext",
            "SourceEncryptionAlgorithm",
            "DestinationEncryptionAlgorithm",
        ],
        errors: ERRORS,
        ..data(
            "ReEncrypt",
            "POST",
            "/v1/re-encrypt",
            &[
                optional("CiphertextBlob", CIPHERTEXT_KIND),
                optional("SourceEncryptionContext", Kind::Map),
                optional("SourceKeyId", KEY_ID_KIND),
                required("DestinationKeyId", KEY_ID_KIND),
                optional("DestinationEncryptionContext", Kind::Map),
                optional("SourceEncryptionAlgorithm", ENCRYPTION_ALGORITHM_KIND),
                optional("DestinationEncryptionAlgorithm", ENCRYPTION_ALGORITHM_KIND),
                GRANT_TOKENS,
                DRY_RUN,
                DRY_RUN_MODIFIERS,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let source = Source {
            blob: &input.ciphertext_blob,
            key_id: input.source_key_id.as_ref(),
            algorithm: input.algorithm(SOURCE),
            ignored: ignores_ciphertext(&input.dry_run_modifiers, input.dry_run)?,
            names: ("ciphertextBlob", "sourceKeyId"),
        };
        Ok(vec![
            Target {
                subject: source.subject()?,
                action: Some("ReEncryptFrom"),
                context: Some(&input.source_encryption_context),
                region: None,
            },
            Target {
                action: Some("ReEncryptTo"),
                ..Target::key_in_context(
                    &input.destination_key_id,
                    &input.destination_encryption_context,
                )
            },
        ])
    }

    fn facts<'i>(input: &'i Input, index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:EncryptionAlgorithm", input.algorithm(index).as_str());
    }

    fn found_facts(
        _engine: &crate::Engine,
        keys: &[&KeyRecord],
        facts: &mut Facts<'_>,
    ) -> Result<(), KmsError> {
        if let [source, destination] = keys {
            facts.add("kms:ReEncryptOnSameKey", (source.name == destination.name).to_string());
        }
        Ok(())
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (from, to) = (input.algorithm(SOURCE), input.algorithm(DESTINATION));
        let opened =
            call.decrypt(SOURCE, from, &input.ciphertext_blob, &input.source_encryption_context)?;
        let sealed = call.encrypt(
            DESTINATION,
            to,
            &opened.plaintext,
            &input.destination_encryption_context,
        )?;
        let (source, destination) = (call.key_at(SOURCE)?, call.key_at(DESTINATION)?);
        let sealed_by =
            destination.current_material.as_ref().filter(|_| destination.spec.is_symmetric());
        let output = Output {
            ciphertext_blob: sealed,
            source_key_id: source.name.to_string(),
            key_id: destination.name.to_string(),
            source_encryption_algorithm: from,
            destination_encryption_algorithm: to,
            source_key_material_id: opened.material,
            destination_key_material_id: sealed_by.map(|id| id.0.clone()),
        };
        let noted = [
            ("sourceKeyMaterialId", &output.source_key_material_id),
            ("destinationKeyMaterialId", &output.destination_key_material_id),
        ];
        for (name, id) in noted {
            if let Some(id) = id {
                call.note(name, id.as_str());
            }
        }
        Ok(output)
    }
}

impl Input {
    fn algorithm(&self, place: usize) -> EncryptionAlgorithm {
        let named = if place == SOURCE {
            self.source_encryption_algorithm
        } else {
            self.destination_encryption_algorithm
        };
        named.unwrap_or(EncryptionAlgorithm::SymmetricDefault)
    }
}
