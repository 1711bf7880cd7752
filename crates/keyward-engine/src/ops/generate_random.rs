//! `GenerateRandom` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateRandom.html>
//!
//! CloudTrail records it without parameters, and so does this service.

use super::{data_key::NUMBER_OF_BYTES, prelude::*};

pub(crate) struct GenerateRandom;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    number_of_bytes: Option<usize>,
    custom_key_store_id: Option<String>,
    recipient: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    plaintext: Blob,
}

impl Operation for GenerateRandom {
    const SPEC: Spec = Spec {
        states: &[],
        aliases: false,
        cross_account: false,
        tracked: false,
        logged: &[],
        errors: &[
            ErrorCode::DependencyTimeout,
            ErrorCode::Internal,
            ErrorCode::UnsupportedOperation,
            ErrorCode::CustomKeyStoreNotFound,
            ErrorCode::CustomKeyStoreInvalidState,
        ],
        ..data(
            "GenerateRandom",
            "POST",
            "/v1/random",
            &[NUMBER_OF_BYTES, optional("CustomKeyStoreId", text(1, 64)), RECIPIENT],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        refuse_recipient(input.recipient.as_ref())?;
        if input.number_of_bytes.is_none() {
            return Err(KmsError::validation("NumberOfBytes is required."));
        }
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        if let Some(id) = &input.custom_key_store_id {
            call.key_store(id)?;
            // Only a CloudHSM cluster has a generator of its own.
            return Err(KmsError::new(
                ErrorCode::UnsupportedOperation,
                "External key store IDs are not valid for CustomKeyStoreId.",
            ));
        }
        let mut plaintext = Blob(vec![0; input.number_of_bytes.unwrap_or_default()]);
        call.fill(&mut plaintext.0);
        Ok(Output { plaintext })
    }
}
