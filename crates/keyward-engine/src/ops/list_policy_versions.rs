//! `ListPolicyVersions` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyVersions.html>

use super::identity_prelude::*;

pub(crate) struct ListPolicyVersions;

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
    versions: Vec<Version>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListPolicyVersions {
    const SPEC: Spec = iam_read(
        "ListPolicyVersions",
        "GET",
        "/v1/policies/{PolicyArn}/versions",
        &[POLICY_ARN, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let versions = managed(call, &input.policy_arn)?.versions();
        // Newest first: a place in the list is its name, as there are never more than a handful.
        let places = versions.into_iter().map(Version::without_document).enumerate();
        let name = |(place, _): &(usize, Version)| format!("{place:04}");
        let (versions, page) = input.page.cut(call, "policy-versions", places, name)?;
        Ok(Output { versions: versions.into_iter().map(|(_, version)| version).collect(), page })
    }
}
