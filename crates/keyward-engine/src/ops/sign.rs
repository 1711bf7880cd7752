//! `Sign` <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>

use super::prelude::*;
use keyward_crypto::{MessageType, SigningAlgorithm};

pub(crate) struct Sign;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    message: Blob,
    message_type: Option<MessageType>,
    signing_algorithm: SigningAlgorithm,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    signature: Blob,
    signing_algorithm: SigningAlgorithm,
}

impl Operation for Sign {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::SignVerify],
        logged: &["KeyId", "MessageType", "SigningAlgorithm"],
        ..data(
            "Sign",
            "POST",
            "/v1/keys/{KeyId}/sign",
            &[KEY_ID, MESSAGE, MESSAGE_TYPE, GRANT_TOKENS, SIGNING_ALGORITHM, DRY_RUN],
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
        let signature =
            call.sign(algorithm, input.message_type.unwrap_or(MessageType::Raw), &input.message)?;
        Ok(Output { key_id: call.key()?.name.to_string(), signature, signing_algorithm: algorithm })
    }
}

/// The condition keys of Sign and Verify.
pub(crate) fn signing_facts(
    algorithm: SigningAlgorithm,
    message_type: Option<MessageType>,
    facts: &mut Facts<'_>,
) {
    facts
        .add("kms:SigningAlgorithm", algorithm.as_str())
        .add("kms:MessageType", message_type.unwrap_or(MessageType::Raw).as_str());
}
