//! `GenerateDataKeyPair` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyPair.html>

use super::{
    data_key::{self, DataKeyPair, KEY_PAIR_SPEC},
    prelude::*,
    rotation::KEPT_HERE,
};

pub(crate) struct GenerateDataKeyPair;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    private_key_ciphertext_blob: Blob,
    private_key_plaintext: Blob,
    public_key: Blob,
    key_id: String,
    key_pair_spec: KeySpec,
    key_material_id: String,
}

/// What both key pair operations may answer.
pub(crate) const ERRORS: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::Disabled,
    ErrorCode::KeyUnavailable,
    ErrorCode::DependencyTimeout,
    ErrorCode::InvalidKeyUsage,
    ErrorCode::InvalidGrantToken,
    ErrorCode::Internal,
    ErrorCode::InvalidState,
    ErrorCode::UnsupportedOperation,
    ErrorCode::DryRunOperation,
];

impl Operation for GenerateDataKeyPair {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::EncryptDecrypt],
        // A key in a custom key store wraps no key pairs.
        origins: KEPT_HERE,
        logged: &["KeyId", "EncryptionContext", "KeyPairSpec"],
        errors: ERRORS,
        ..data(
            "GenerateDataKeyPair",
            "POST",
            "/v1/keys/{KeyId}/data-key-pair",
            &[ENCRYPTION_CONTEXT, KEY_ID, KEY_PAIR_SPEC, GRANT_TOKENS, RECIPIENT, DRY_RUN],
        )
    };
    type Input = DataKeyPair;
    type Output = Output;

    fn targets(input: &DataKeyPair) -> Result<Vec<Target<'_>>, KmsError> {
        input.targets()
    }

    fn facts<'i>(input: &'i DataKeyPair, _index: usize, facts: &mut Facts<'i>) {
        data_key::facts(facts);
        facts.add("kms:DataKeyPairSpec", input.key_pair_spec.as_str());
    }

    fn run(call: &mut Call<'_>, input: &DataKeyPair) -> Result<Output, KmsError> {
        let (made, public_key) = input.generate(call)?;
        Ok(Output {
            private_key_ciphertext_blob: made.ciphertext,
            private_key_plaintext: made.plaintext,
            public_key,
            key_id: made.key_id,
            key_pair_spec: input.key_pair_spec,
            key_material_id: made.material_id,
        })
    }

    fn heavy(input: &DataKeyPair, _key: Option<&KeyRecord>) -> bool {
        input.key_pair_spec.is_rsa()
    }
}
