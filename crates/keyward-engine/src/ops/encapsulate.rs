//! `Encapsulate` <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encapsulate.html>

use super::prelude::*;
use keyward_crypto::EncapsulationAlgorithm;

pub(crate) struct Encapsulate;

pub(crate) const ENCAPSULATION_ALGORITHM: Member =
    required("EncapsulationAlgorithm", Kind::Enum(EncapsulationAlgorithm::NAMES));

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    encapsulation_algorithm: EncapsulationAlgorithm,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    shared_secret: Blob,
    shared_secret_ciphertext_blob: Blob,
    encapsulation_algorithm: EncapsulationAlgorithm,
}

impl Operation for Encapsulate {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::EncapsulateDecapsulate],
        logged: &["KeyId", "EncapsulationAlgorithm"],
        ..data(
            "Encapsulate",
            "POST",
            "/v1/keys/{KeyId}/encapsulate",
            &[KEY_ID, ENCAPSULATION_ALGORITHM, GRANT_TOKENS, DRY_RUN],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (shared_secret, ciphertext) = call.encapsulate(input.encapsulation_algorithm)?;
        Ok(Output {
            key_id: call.key()?.name.to_string(),
            shared_secret,
            shared_secret_ciphertext_blob: ciphertext,
            encapsulation_algorithm: input.encapsulation_algorithm,
        })
    }
}
