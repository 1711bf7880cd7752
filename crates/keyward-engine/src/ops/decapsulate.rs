//! `Decapsulate` <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decapsulate.html>
//!
//! A ciphertext of the right length always yields a secret: one that was not made for this key yields
//! another one (FIPS 203 section 6.3, implicit rejection).

use super::{encapsulate::ENCAPSULATION_ALGORITHM, prelude::*};
use keyward_crypto::EncapsulationAlgorithm;

pub(crate) struct Decapsulate;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    shared_secret_ciphertext_blob: Blob,
    encapsulation_algorithm: EncapsulationAlgorithm,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    shared_secret: Blob,
    encapsulation_algorithm: EncapsulationAlgorithm,
}

impl Operation for Decapsulate {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::EncapsulateDecapsulate],
        logged: &["KeyId", "EncapsulationAlgorithm"],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::Disabled,
            ErrorCode::KeyUnavailable,
            ErrorCode::DependencyTimeout,
            ErrorCode::InvalidGrantToken,
            ErrorCode::InvalidKeyUsage,
            ErrorCode::InvalidCiphertext,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
            ErrorCode::DryRunOperation,
        ],
        ..data(
            "Decapsulate",
            "POST",
            "/v1/keys/{KeyId}/decapsulate",
            &[
                KEY_ID,
                required("SharedSecretCiphertextBlob", CIPHERTEXT_KIND),
                ENCAPSULATION_ALGORITHM,
                GRANT_TOKENS,
                DRY_RUN,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let ciphertext = &input.shared_secret_ciphertext_blob;
        let shared_secret = call.decapsulate(input.encapsulation_algorithm, ciphertext)?;
        Ok(Output {
            key_id: call.key()?.name.to_string(),
            shared_secret,
            encapsulation_algorithm: input.encapsulation_algorithm,
        })
    }
}
