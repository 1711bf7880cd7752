//! `ListAttachedGroupPolicies` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedGroupPolicies.html>

use super::identity_prelude::*;

pub(crate) struct ListAttachedGroupPolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    #[serde(flatten)]
    page: AttachedInput,
}

impl Operation for ListAttachedGroupPolicies {
    const SPEC: Spec = iam_read(
        "ListAttachedGroupPolicies",
        "GET",
        "/v1/groups/{GroupName}/attached-policies",
        &[GROUP_NAME, POLICY_PATH_PREFIX, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = AttachedOutput;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<AttachedOutput, KmsError> {
        attached_policies::<GroupRecord>(call, &input.group_name, &input.page)
    }
}
