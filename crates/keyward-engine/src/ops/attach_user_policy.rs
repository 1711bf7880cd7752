//! `AttachUserPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachUserPolicy.html>

use super::identity_prelude::*;

pub(crate) struct AttachUserPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    policy_arn: String,
}

impl Operation for AttachUserPolicy {
    const SPEC: Spec = iam(
        "AttachUserPolicy",
        "PUT",
        "/v1/users/{UserName}/attached-policies/{PolicyArn}",
        &[USER_NAME, POLICY_ARN],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_policy_arn(&input.policy_arn)?;
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        policy_arn_fact(&input.policy_arn, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        attach::<UserRecord>(call, &input.user_name, &input.policy_arn)
    }
}
