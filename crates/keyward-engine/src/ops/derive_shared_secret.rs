//! `DeriveSharedSecret` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DeriveSharedSecret.html>
//!
//! The raw x-coordinate: no key derivation function is applied to it.

use super::prelude::*;
use keyward_crypto::KeyAgreementAlgorithm;
use keyward_types::MaterialOrigin;

pub(crate) struct DeriveSharedSecret;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    key_agreement_algorithm: KeyAgreementAlgorithm,
    public_key: Blob,
    recipient: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    shared_secret: Blob,
    key_agreement_algorithm: KeyAgreementAlgorithm,
    key_origin: MaterialOrigin,
}

impl Operation for DeriveSharedSecret {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::KeyAgreement],
        logged: &["KeyId", "KeyAgreementAlgorithm"],
        ..data(
            "DeriveSharedSecret",
            "POST",
            "/v1/keys/{KeyId}/derive-shared-secret",
            &[
                KEY_ID,
                required("KeyAgreementAlgorithm", Kind::Enum(KeyAgreementAlgorithm::NAMES)),
                required("PublicKey", Kind::Blob { min: 1, max: 8_192 }),
                GRANT_TOKENS,
                DRY_RUN,
                RECIPIENT,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        refuse_recipient(input.recipient.as_ref())?;
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:KeyAgreementAlgorithm", input.key_agreement_algorithm.as_str());
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let shared_secret = call.agree(input.key_agreement_algorithm, &input.public_key)?;
        let key = call.key()?;
        Ok(Output {
            key_id: key.name.to_string(),
            shared_secret,
            key_agreement_algorithm: input.key_agreement_algorithm,
            key_origin: key.origin,
        })
    }
}
