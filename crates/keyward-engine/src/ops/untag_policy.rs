//! `UntagPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagPolicy.html>

use super::identity_prelude::*;

pub(crate) struct UntagPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagPolicy {
    const SPEC: Spec =
        iam("UntagPolicy", "DELETE", "/v1/policies/{PolicyArn}/tags", &[POLICY_ARN, TAG_KEYS]);
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add_many("aws:TagKeys", input.tag_keys.iter().map(String::as_str));
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let policy = own_policy(call, &input.policy_arn)?;
        remove_tags(call, &*policy, &input.tag_keys)
    }
}
