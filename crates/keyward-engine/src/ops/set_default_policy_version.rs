//! `SetDefaultPolicyVersion` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html>

use super::identity_prelude::*;

pub(crate) struct SetDefaultPolicyVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
    version_id: String,
}

impl Operation for SetDefaultPolicyVersion {
    const SPEC: Spec = iam(
        "SetDefaultPolicyVersion",
        "PUT",
        "/v1/policies/{PolicyArn}/default-version",
        &[POLICY_ARN, VERSION_ID],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let mut policy = ManagedPolicyRecord::clone(&*own_policy(call, &input.policy_arn)?);
        policy.default_version = version_number(&policy, &input.version_id)?;
        call.put(Record::ManagedPolicy(policy));
        Ok(Empty)
    }
}
