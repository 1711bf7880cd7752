//! `AttachGroupPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachGroupPolicy.html>

use super::identity_prelude::*;

pub(crate) struct AttachGroupPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    policy_arn: String,
}

impl Operation for AttachGroupPolicy {
    const SPEC: Spec = iam(
        "AttachGroupPolicy",
        "PUT",
        "/v1/groups/{GroupName}/attached-policies/{PolicyArn}",
        &[GROUP_NAME, POLICY_ARN],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_policy_arn(&input.policy_arn)?;
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        policy_arn_fact(&input.policy_arn, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        attach::<GroupRecord>(call, &input.group_name, &input.policy_arn)
    }
}
