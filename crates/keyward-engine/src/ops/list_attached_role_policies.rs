//! `ListAttachedRolePolicies` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html>

use super::identity_prelude::*;

pub(crate) struct ListAttachedRolePolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    /// Managed policies do not exist here; clients ask before they delete.
    attached_policies: [(); 0],
    is_truncated: bool,
}

impl Operation for ListAttachedRolePolicies {
    const SPEC: Spec = iam_read(
        "ListAttachedRolePolicies",
        "GET",
        "/v1/roles/{RoleName}/attached-policies",
        &[ROLE_NAME, PATH_PREFIX, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        known::<RoleRecord>(call, &input.role_name)?;
        Ok(Output::default())
    }
}
