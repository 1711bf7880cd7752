//! `GetUserPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html>

use super::identity_prelude::*;

pub(crate) struct GetUserPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    policy_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    user_name: String,
    policy_name: String,
    /// URL-encoded.
    policy_document: String,
}

impl Operation for GetUserPolicy {
    const SPEC: Spec = iam_read(
        "GetUserPolicy",
        "GET",
        "/v1/users/{UserName}/policies/{PolicyName}",
        &[USER_NAME, POLICY_NAME],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let policy_document =
            policy_text::<UserRecord>(call, &input.user_name, &input.policy_name)?;
        Ok(Output {
            user_name: input.user_name.clone(),
            policy_name: input.policy_name.clone(),
            policy_document,
        })
    }
}
