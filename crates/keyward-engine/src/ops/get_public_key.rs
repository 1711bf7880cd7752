//! `GetPublicKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html>

use super::{
    describe_key::{encapsulation_names, encryption_names, key_agreement_names, signing_names},
    prelude::*,
};

pub(crate) struct GetPublicKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    public_key: Blob,
    customer_master_key_spec: KeySpec,
    key_spec: KeySpec,
    key_usage: KeyUsage,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_agreement_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encapsulation_algorithms: Option<Vec<&'static str>>,
}

impl Operation for GetPublicKey {
    const SPEC: Spec = Spec {
        tracked: false,
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::Disabled,
            ErrorCode::KeyUnavailable,
            ErrorCode::DependencyTimeout,
            ErrorCode::UnsupportedOperation,
            ErrorCode::InvalidArn,
            ErrorCode::InvalidGrantToken,
            ErrorCode::InvalidKeyUsage,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
        ],
        ..data("GetPublicKey", "GET", "/v1/keys/{KeyId}/public-key", &[KEY_ID, GRANT_TOKENS])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        let key = call.key()?;
        let Some(der) = &key.public_key else {
            return Err(KmsError::bare(ErrorCode::UnsupportedOperation));
        };
        let used_for = |usage: KeyUsage| key.usage == usage;
        Ok(Output {
            key_id: key.name.to_string(),
            public_key: Blob(der.clone()),
            customer_master_key_spec: key.spec,
            key_spec: key.spec,
            key_usage: key.usage,
            encryption_algorithms: used_for(KeyUsage::EncryptDecrypt)
                .then(|| encryption_names(key.spec)),
            signing_algorithms: used_for(KeyUsage::SignVerify).then(|| signing_names(key.spec)),
            key_agreement_algorithms: used_for(KeyUsage::KeyAgreement)
                .then(|| key_agreement_names(key.spec)),
            encapsulation_algorithms: used_for(KeyUsage::EncapsulateDecapsulate)
                .then(|| encapsulation_names(key.spec)),
        })
    }

    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        false
    }
}
