//! `DetachRolePolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachRolePolicy.html>

use super::identity_prelude::*;

pub(crate) struct DetachRolePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    policy_arn: String,
}

impl Operation for DetachRolePolicy {
    const SPEC: Spec = iam(
        "DetachRolePolicy",
        "DELETE",
        "/v1/roles/{RoleName}/attached-policies/{PolicyArn}",
        &[ROLE_NAME, POLICY_ARN],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_policy_arn(&input.policy_arn)?;
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        policy_arn_fact(&input.policy_arn, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        detach::<RoleRecord>(call, &input.role_name, &input.policy_arn)
    }
}
