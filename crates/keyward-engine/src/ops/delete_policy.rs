//! `DeletePolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html>

use super::identity_prelude::*;

pub(crate) struct DeletePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
}

impl Operation for DeletePolicy {
    const SPEC: Spec = iam("DeletePolicy", "DELETE", "/v1/policies/{PolicyArn}", &[POLICY_ARN]);
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let policy = own_policy(call, &input.policy_arn)?;
        call.rest_on(Name::Attachments(input.policy_arn.clone()));
        let usage = usage_of_policy(call, &input.policy_arn)?;
        if 0 < usage.attached + usage.boundary {
            return Err(conflict("Cannot delete a policy attached to entities."));
        }
        if 1 < policy.versions.len() {
            return Err(conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
            ));
        }
        call.delete(Name::ManagedPolicy(policy.account.clone(), policy.name.clone()));
        Ok(Empty)
    }
}

fn conflict(words: &str) -> KmsError {
    KmsError::new(ErrorCode::IamDeleteConflict, words)
}
