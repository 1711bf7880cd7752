//! `GetPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html>

use super::identity_prelude::*;

pub(crate) struct GetPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy: Policy,
}

impl Operation for GetPolicy {
    const SPEC: Spec = iam_read("GetPolicy", "GET", "/v1/policies/{PolicyArn}", &[POLICY_ARN]);
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let usage = usage_of_policy(call, &input.policy_arn)?;
        Ok(Output { policy: managed(call, &input.policy_arn)?.answer(usage) })
    }
}
