//! `AttachRolePolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html>

use super::identity_prelude::*;

pub(crate) struct AttachRolePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    policy_arn: String,
}

impl Operation for AttachRolePolicy {
    const SPEC: Spec = iam(
        "AttachRolePolicy",
        "PUT",
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
        attach::<RoleRecord>(call, &input.role_name, &input.policy_arn)
    }
}
