//! `Encrypt` <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>

use super::prelude::*;
use keyward_crypto::algorithm::EncryptionAlgorithm;
use std::sync::Arc;

pub(crate) struct Encrypt;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    plaintext: Blob,
    #[serde(default)]
    encryption_context: EncryptionContext,
    encryption_algorithm: Option<EncryptionAlgorithm>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    ciphertext_blob: Blob,
    key_id: String,
    encryption_algorithm: EncryptionAlgorithm,
}

impl Operation for Encrypt {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::EncryptDecrypt],
        logged: &["KeyId", "EncryptionAlgorithm", "EncryptionContext"],
        ..data(
            "Encrypt",
            "POST",
            "/v1/keys/{KeyId}/encrypt",
            &[
                KEY_ID,
                required("Plaintext", PLAINTEXT_KIND),
                ENCRYPTION_CONTEXT,
                GRANT_TOKENS,
                ENCRYPTION_ALGORITHM,
                DRY_RUN,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key_in_context(&input.key_id, &input.encryption_context)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:EncryptionAlgorithm", input.algorithm().as_str());
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let algorithm = input.algorithm();
        let sealed = call.encrypt(0, algorithm, &input.plaintext, &input.encryption_context)?;
        let key = Arc::clone(call.key()?);
        if let Some(id) = key.current_material.as_ref().filter(|_| key.spec.is_symmetric()) {
            call.note("keyMaterialId", id.0.as_str());
        }
        Ok(Output {
            ciphertext_blob: sealed,
            key_id: key.name.to_string(),
            encryption_algorithm: algorithm,
        })
    }
}

impl Input {
    fn algorithm(&self) -> EncryptionAlgorithm {
        self.encryption_algorithm.unwrap_or(EncryptionAlgorithm::SymmetricDefault)
    }
}
