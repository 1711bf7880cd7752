//! `DeleteUserPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUserPolicy.html>

use super::identity_prelude::*;

pub(crate) struct DeleteUserPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    policy_name: String,
}

impl Operation for DeleteUserPolicy {
    const SPEC: Spec = iam(
        "DeleteUserPolicy",
        "DELETE",
        "/v1/users/{UserName}/policies/{PolicyName}",
        &[USER_NAME, POLICY_NAME],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        delete_policy::<UserRecord>(call, &input.user_name, &input.policy_name)
    }
}
