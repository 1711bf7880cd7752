//! `DeletePolicyVersion` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicyVersion.html>

use super::identity_prelude::*;

pub(crate) struct DeletePolicyVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
    version_id: String,
}

impl Operation for DeletePolicyVersion {
    const SPEC: Spec = iam(
        "DeletePolicyVersion",
        "DELETE",
        "/v1/policies/{PolicyArn}/versions/{VersionId}",
        &[POLICY_ARN, VERSION_ID],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let mut policy = ManagedPolicyRecord::clone(&*own_policy(call, &input.policy_arn)?);
        let number = version_number(&policy, &input.version_id)?;
        if number == policy.default_version {
            return Err(KmsError::new(
                ErrorCode::IamDeleteConflict,
                "Cannot delete the default version of a policy.",
            ));
        }
        policy.versions.retain(|version| version.number != number);
        call.put(Record::ManagedPolicy(policy));
        Ok(Empty)
    }
}
