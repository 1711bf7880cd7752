//! `DeleteRolePolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html>

use super::identity_prelude::*;

pub(crate) struct DeleteRolePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    policy_name: String,
}

impl Operation for DeleteRolePolicy {
    const SPEC: Spec = iam(
        "DeleteRolePolicy",
        "DELETE",
        "/v1/roles/{RoleName}/policies/{PolicyName}",
        &[ROLE_NAME, POLICY_NAME],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        delete_policy::<RoleRecord>(call, &input.role_name, &input.policy_name)
    }
}
