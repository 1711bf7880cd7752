//! `GenerateMac` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html>

use super::prelude::*;
use keyward_crypto::{MacAlgorithm, algorithm};

pub(crate) struct GenerateMac;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    message: Blob,
    key_id: KeyRef,
    mac_algorithm: MacAlgorithm,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    mac: Blob,
    mac_algorithm: MacAlgorithm,
    key_id: String,
}

pub(crate) const MAC_ALGORITHM: Member = required("MacAlgorithm", Kind::Enum(MacAlgorithm::NAMES));

impl Operation for GenerateMac {
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
            ErrorCode::InvalidState,
            ErrorCode::DryRunOperation,
        ],
        ..data(
            "GenerateMac",
            "POST",
            "/v1/keys/{KeyId}/mac",
            &[MESSAGE, KEY_ID, MAC_ALGORITHM, GRANT_TOKENS, DRY_RUN],
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
        check_mac(call.key()?, input.mac_algorithm)?;
        let mac = call
            .material()?
            .mac(input.mac_algorithm, &input.message.0)
            .map_err(KmsError::internal)?;
        Ok(Output {
            mac: Blob(mac),
            mac_algorithm: input.mac_algorithm,
            key_id: call.key()?.name.to_string(),
        })
    }
}

/// Whether the key makes codes with this algorithm.
pub(crate) fn check_mac(key: &KeyRecord, algorithm: MacAlgorithm) -> Result<(), KmsError> {
    if algorithm::mac_algorithms(key.spec).contains(&algorithm) {
        Ok(())
    } else {
        Err(wording::wrong_algorithm(algorithm.as_str(), key.spec))
    }
}
