//! `GetKeyLastUsage` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html>
//!
//! Uses are recorded in the commit of the use itself, so there is no lag, and tracking starts when the
//! key is created.

use super::prelude::*;
use keyward_types::LastUsage;

pub(crate) struct GetKeyLastUsage;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    /// Empty for a key that was never used.
    key_last_usage: KeyLastUsageData,
    tracking_start_date: serde_json::Number,
    key_creation_date: serde_json::Number,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyLastUsageData {
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_trail_event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_request_id: Option<String>,
}

impl From<&LastUsage> for KeyLastUsageData {
    fn from(usage: &LastUsage) -> Self {
        Self {
            operation: Some(usage.operation.clone()),
            timestamp: Some(usage.time.wire()),
            cloud_trail_event_id: Some(usage.event_id.to_string()),
            kms_request_id: Some(usage.request_id.to_string()),
        }
    }
}

impl Operation for GetKeyLastUsage {
    const SPEC: Spec = Spec {
        read_only: true,
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::DependencyTimeout,
            ErrorCode::Internal,
        ],
        ..control("GetKeyLastUsage", "GET", "/v1/keys/{KeyId}/last-usage", &[KEY_ID])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        let key = call.key()?;
        let usage = call.store().last_usage(&key.name).map_err(KmsError::internal)?;
        Ok(Output {
            key_id: key.name.to_string(),
            key_last_usage: usage.as_deref().map(KeyLastUsageData::from).unwrap_or_default(),
            tracking_start_date: key.created.wire(),
            key_creation_date: key.created.wire(),
        })
    }
}
