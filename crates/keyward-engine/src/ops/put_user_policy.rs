//! `PutUserPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html>

use super::identity_prelude::*;

pub(crate) struct PutUserPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    policy_name: String,
    policy_document: String,
}

impl Operation for PutUserPolicy {
    const SPEC: Spec = iam(
        "PutUserPolicy",
        "PUT",
        "/v1/users/{UserName}/policies/{PolicyName}",
        &[USER_NAME, POLICY_NAME, POLICY_DOCUMENT],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        put_policy::<UserRecord>(call, &input.user_name, &input.policy_name, &input.policy_document)
    }
}
