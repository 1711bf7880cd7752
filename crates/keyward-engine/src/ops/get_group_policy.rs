//! `GetGroupPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetGroupPolicy.html>

use super::identity_prelude::*;

pub(crate) struct GetGroupPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    policy_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    group_name: String,
    policy_name: String,
    /// URL-encoded.
    policy_document: String,
}

impl Operation for GetGroupPolicy {
    const SPEC: Spec = iam_read(
        "GetGroupPolicy",
        "GET",
        "/v1/groups/{GroupName}/policies/{PolicyName}",
        &[GROUP_NAME, POLICY_NAME],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let policy_document =
            policy_text::<GroupRecord>(call, &input.group_name, &input.policy_name)?;
        Ok(Output {
            group_name: input.group_name.clone(),
            policy_name: input.policy_name.clone(),
            policy_document,
        })
    }
}
