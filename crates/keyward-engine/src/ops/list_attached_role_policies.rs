//! `ListAttachedRolePolicies` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html>

use super::identity_prelude::*;

pub(crate) struct ListAttachedRolePolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    #[serde(flatten)]
    page: AttachedInput,
}

impl Operation for ListAttachedRolePolicies {
    const SPEC: Spec = iam_read(
        "ListAttachedRolePolicies",
        "GET",
        "/v1/roles/{RoleName}/attached-policies",
        &[ROLE_NAME, POLICY_PATH_PREFIX, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = AttachedOutput;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<AttachedOutput, KmsError> {
        attached_policies::<RoleRecord>(call, &input.role_name, &input.page)
    }
}
