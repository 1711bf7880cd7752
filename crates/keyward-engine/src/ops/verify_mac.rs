//! `VerifyMac` <https://docs.aws.amazon.com/kms/latest/APIReference/API_VerifyMac.html>
//!
//! A wrong code is an error, so that `MacValid` is never false.

use super::{
    generate_mac::{MAC_ALGORITHM, check_mac},
    prelude::*,
};
use keyward_crypto::MacAlgorithm;

pub(crate) struct VerifyMac;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    message: Blob,
    key_id: KeyRef,
    mac_algorithm: MacAlgorithm,
    mac: Blob,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    mac_valid: bool,
    mac_algorithm: MacAlgorithm,
}

impl Operation for VerifyMac {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::GenerateVerifyMac],
        logged: &["KeyId", "MacAlgorithm"],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::Disabled,
            ErrorCode::KeyUnavailable,
            ErrorCode::InvalidKeyUsage,
            ErrorCode::InvalidGrantToken,
            ErrorCode::Internal,
            ErrorCode::KmsInvalidMac,
            ErrorCode::InvalidState,
            ErrorCode::DryRunOperation,
        ],
        ..data(
            "VerifyMac",
            "POST",
            "/v1/keys/{KeyId}/verify-mac",
            &[
                MESSAGE,
                KEY_ID,
                MAC_ALGORITHM,
                required("Mac", CIPHERTEXT_KIND),
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
        facts.add("kms:MacAlgorithm", input.mac_algorithm.as_str());
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let algorithm = input.mac_algorithm;
        check_mac(call.key()?, algorithm)?;
        let valid = call.material()?.verify_mac(algorithm, &input.message.0, &input.mac.0);
        if !valid.map_err(KmsError::internal)? {
            return Err(KmsError::bare(ErrorCode::KmsInvalidMac));
        }
        Ok(Output {
            key_id: call.key()?.name.to_string(),
            mac_valid: true,
            mac_algorithm: algorithm,
        })
    }
}
