//! `PutGroupPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutGroupPolicy.html>

use super::identity_prelude::*;

pub(crate) struct PutGroupPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    policy_name: String,
    policy_document: String,
}

impl Operation for PutGroupPolicy {
    const SPEC: Spec = iam(
        "PutGroupPolicy",
        "PUT",
        "/v1/groups/{GroupName}/policies/{PolicyName}",
        &[GROUP_NAME, POLICY_NAME, POLICY_DOCUMENT],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        put_policy::<GroupRecord>(
            call,
            &input.group_name,
            &input.policy_name,
            &input.policy_document,
        )
    }
}
