//! `ListPolicyTags` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyTags.html>

use super::identity_prelude::*;

pub(crate) struct ListPolicyTags;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    tags: Vec<IamTag>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListPolicyTags {
    const SPEC: Spec = iam_read(
        "ListPolicyTags",
        "GET",
        "/v1/policies/{PolicyArn}/tags",
        &[POLICY_ARN, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let tags = match managed(call, &input.policy_arn)? {
            Managed::Own(policy) => iam_tags(&policy.tags),
            Managed::Aws(_) => Vec::new(),
        };
        let (tags, page) = input.page.cut(call, "policy-tags", tags, |tag| tag.key.clone())?;
        Ok(Output { tags, page })
    }
}
