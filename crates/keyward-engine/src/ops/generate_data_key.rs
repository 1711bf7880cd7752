//! `GenerateDataKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html>

use super::{
    data_key::{self, DATA_KEY_SPEC, DataKey, NUMBER_OF_BYTES},
    prelude::*,
};

pub(crate) struct GenerateDataKey;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    ciphertext_blob: Blob,
    plaintext: Blob,
    key_id: String,
    key_material_id: String,
}

impl Operation for GenerateDataKey {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::EncryptDecrypt],
        logged: &["KeyId", "EncryptionContext", "NumberOfBytes", "KeySpec"],
        ..data(
            "GenerateDataKey",
            "POST",
            "/v1/keys/{KeyId}/data-key",
            &[
                KEY_ID,
                ENCRYPTION_CONTEXT,
                NUMBER_OF_BYTES,
                DATA_KEY_SPEC,
                GRANT_TOKENS,
                RECIPIENT,
                DRY_RUN,
            ],
        )
    };
    type Input = DataKey;
    type Output = Output;

    fn targets(input: &DataKey) -> Result<Vec<Target<'_>>, KmsError> {
        input.targets()
    }

    fn facts<'i>(_input: &'i DataKey, _index: usize, facts: &mut Facts<'i>) {
        data_key::facts(facts);
    }

    fn run(call: &mut Call<'_>, input: &DataKey) -> Result<Output, KmsError> {
        let made = input.generate(call)?;
        Ok(Output {
            ciphertext_blob: made.ciphertext,
            plaintext: made.plaintext,
            key_id: made.key_id,
            key_material_id: made.material_id,
        })
    }
}
