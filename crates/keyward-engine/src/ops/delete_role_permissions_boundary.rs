//! `DeleteRolePermissionsBoundary` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePermissionsBoundary.html>

use super::identity_prelude::*;

pub(crate) struct DeleteRolePermissionsBoundary;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
}

impl Operation for DeleteRolePermissionsBoundary {
    const SPEC: Spec = iam(
        "DeleteRolePermissionsBoundary",
        "DELETE",
        "/v1/roles/{RoleName}/permissions-boundary",
        &[ROLE_NAME],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        delete_boundary::<RoleRecord>(call, &input.role_name)
    }
}
