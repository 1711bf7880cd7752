//! `ListGroupPolicies` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupPolicies.html>

use super::identity_prelude::*;

pub(crate) struct ListGroupPolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy_names: Vec<String>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListGroupPolicies {
    const SPEC: Spec = iam_read(
        "ListGroupPolicies",
        "GET",
        "/v1/groups/{GroupName}/policies",
        &[GROUP_NAME, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (policy_names, page) =
            policy_names::<GroupRecord>(call, "group-policies", &input.group_name, &input.page)?;
        Ok(Output { policy_names, page })
    }
}
