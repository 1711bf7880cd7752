//! `GetKeyRotationStatus` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html>
//!
//! A key that does not rotate answers false. On-demand rotations are done when RotateKeyOnDemand
//! answers, so that none is ever under way.

use super::{prelude::*, rotation::SCHEDULED};

pub(crate) struct GetKeyRotationStatus;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_rotation_enabled: bool,
    key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_period_in_days: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_rotation_date: Option<serde_json::Number>,
}

impl Operation for GetKeyRotationStatus {
    const SPEC: Spec = Spec {
        cross_account: true,
        read_only: true,
        origins: SCHEDULED,
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::DependencyTimeout,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
            ErrorCode::UnsupportedOperation,
        ],
        ..control("GetKeyRotationStatus", "GET", "/v1/keys/{KeyId}/rotation", &[KEY_ID])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        let key = call.key()?;
        let enabled = key.rotation.enabled && !key.state.is_pending_deletion();
        Ok(Output {
            key_rotation_enabled: enabled,
            key_id: key.name.to_string(),
            rotation_period_in_days: enabled.then_some(key.rotation.period_days),
            next_rotation_date: key.rotation.next.filter(|_| enabled).map(Timestamp::wire),
        })
    }
}
