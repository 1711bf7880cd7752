//! `GetPolicyVersion` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html>

use super::identity_prelude::*;

pub(crate) struct GetPolicyVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
    version_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy_version: Version,
}

impl Operation for GetPolicyVersion {
    const SPEC: Spec = iam_read(
        "GetPolicyVersion",
        "GET",
        "/v1/policies/{PolicyArn}/versions/{VersionId}",
        &[POLICY_ARN, VERSION_ID],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let policy = managed(call, &input.policy_arn)?;
        Ok(Output { policy_version: policy.version(&input.version_id)? })
    }
}
