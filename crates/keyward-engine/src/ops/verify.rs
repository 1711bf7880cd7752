//! `Verify` <https://docs.aws.amazon.com/kms/latest/APIReference/API_Verify.html>
//!
//! A wrong signature is an error, so that `SignatureValid` is never false.

use super::{prelude::*, sign::signing_facts};
use keyward_crypto::{MessageType, SigningAlgorithm};

pub(crate) struct Verify;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    message: Blob,
    message_type: Option<MessageType>,
    signature: Blob,
    signing_algorithm: SigningAlgorithm,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    signature_valid: bool,
    signing_algorithm: SigningAlgorithm,
}

impl Operation for Verify {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::SignVerify],
        logged: &["KeyId", "MessageType", "SigningAlgorithm"],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::Disabled,
            ErrorCode::KeyUnavailable,
            ErrorCode::DependencyTimeout,
            ErrorCode::InvalidKeyUsage,
            ErrorCode::InvalidGrantToken,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
            ErrorCode::KmsInvalidSignature,
            ErrorCode::DryRunOperation,
        ],
        ..data(
            "Verify",
            "POST",
            "/v1/keys/{KeyId}/verify",
            &[
                KEY_ID,
                MESSAGE,
                MESSAGE_TYPE,
                required("Signature", CIPHERTEXT_KIND),
                SIGNING_ALGORITHM,
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

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        signing_facts(input.signing_algorithm, input.message_type, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let algorithm = input.signing_algorithm;
        let message_type = input.message_type.unwrap_or(MessageType::Raw);
        if !call.verify(algorithm, message_type, &input.message, &input.signature)? {
            return Err(KmsError::bare(ErrorCode::KmsInvalidSignature));
        }
        Ok(Output {
            key_id: call.key()?.name.to_string(),
            signature_valid: true,
            signing_algorithm: algorithm,
        })
    }

    /// Verifying takes public exponents only, a small part of what signing takes.
    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        false
    }
}
