//! `DeleteGroupPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroupPolicy.html>

use super::identity_prelude::*;

pub(crate) struct DeleteGroupPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    policy_name: String,
}

impl Operation for DeleteGroupPolicy {
    const SPEC: Spec = iam(
        "DeleteGroupPolicy",
        "DELETE",
        "/v1/groups/{GroupName}/policies/{PolicyName}",
        &[GROUP_NAME, POLICY_NAME],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        delete_policy::<GroupRecord>(call, &input.group_name, &input.policy_name)
    }
}
