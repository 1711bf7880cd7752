//! `TagPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagPolicy.html>

use super::identity_prelude::*;

pub(crate) struct TagPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
    tags: Vec<IamTag>,
}

impl Operation for TagPolicy {
    const SPEC: Spec = iam(
        "TagPolicy",
        "POST",
        "/v1/policies/{PolicyArn}/tags",
        &[POLICY_ARN, required("Tags", IAM_TAGS_KIND)],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_iam_tags(&input.tags)?;
        policy_target(&input.policy_arn)
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        iam_tag_facts(&input.tags, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let policy = own_policy(call, &input.policy_arn)?;
        put_tags(call, &*policy, &input.tags)
    }
}
