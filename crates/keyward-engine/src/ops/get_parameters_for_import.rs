//! `GetParametersForImport` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html>
//!
//! Each call makes a wrapping key of its own.

use super::{
    imported::{ERRORS, IMPORTING, Parameters, TOKEN_HOURS, check_wrapping},
    prelude::*,
};
use keyward_crypto::{KeyMaterial, WrappingAlgorithm};

pub(crate) struct GetParametersForImport;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    wrapping_algorithm: WrappingAlgorithm,
    wrapping_key_spec: KeySpec,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    import_token: Blob,
    public_key: Blob,
    parameters_valid_to: serde_json::Number,
}

impl Operation for GetParametersForImport {
    const SPEC: Spec = Spec {
        states: &[KeyState::Enabled, KeyState::Disabled, KeyState::PendingImport],
        origins: IMPORTING,
        read_only: true,
        logged: &["KeyId", "WrappingAlgorithm", "WrappingKeySpec"],
        errors: ERRORS,
        ..control(
            "GetParametersForImport",
            "POST",
            "/v1/keys/{KeyId}/import-parameters",
            &[
                KEY_ID,
                required("WrappingAlgorithm", Kind::Enum(WrappingAlgorithm::NAMES)),
                required(
                    "WrappingKeySpec",
                    Kind::Enum(&["RSA_2048", "RSA_3072", "RSA_4096", "SM2"]),
                ),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts
            .add("kms:WrappingAlgorithm", input.wrapping_algorithm.as_str())
            .add("kms:WrappingKeySpec", input.wrapping_key_spec.as_str());
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let key = call.key()?;
        check_wrapping(key, input.wrapping_algorithm, input.wrapping_key_spec)?;
        let provider = call.engine().world.provider;
        let pair = KeyMaterial::generate(provider, input.wrapping_key_spec, call.generator())
            .map_err(KmsError::internal)?;
        let (Some(private), Some(public)) = (pair.private_key_der(), pair.public_key_der()) else {
            return Err(KmsError::internal("a wrapping key is a key pair"));
        };
        let parameters = Parameters {
            key: key.name.clone(),
            algorithm: input.wrapping_algorithm,
            spec: input.wrapping_key_spec,
            valid_to: call.now().plus_seconds(TOKEN_HOURS * 3_600),
            private,
        };
        Ok(Output {
            key_id: key.name.to_string(),
            import_token: parameters.seal(call)?,
            public_key: Blob(public),
            parameters_valid_to: parameters.valid_to.wire(),
        })
    }

    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        true
    }
}
