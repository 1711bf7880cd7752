//! `PutRolePolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>

use super::identity_prelude::*;

pub(crate) struct PutRolePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    policy_name: String,
    policy_document: String,
}

impl Operation for PutRolePolicy {
    const SPEC: Spec = iam(
        "PutRolePolicy",
        "PUT",
        "/v1/roles/{RoleName}/policies/{PolicyName}",
        &[ROLE_NAME, POLICY_NAME, POLICY_DOCUMENT],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        put_policy::<RoleRecord>(call, &input.role_name, &input.policy_name, &input.policy_document)
    }
}
