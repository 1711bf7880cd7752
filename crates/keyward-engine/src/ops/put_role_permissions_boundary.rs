//! `PutRolePermissionsBoundary` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html>

use super::identity_prelude::*;

pub(crate) struct PutRolePermissionsBoundary;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    permissions_boundary: String,
}

impl Operation for PutRolePermissionsBoundary {
    const SPEC: Spec = iam(
        "PutRolePermissionsBoundary",
        "PUT",
        "/v1/roles/{RoleName}/permissions-boundary",
        &[ROLE_NAME, NEW_BOUNDARY],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_policy_arn(&input.permissions_boundary)?;
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        boundary_fact(Some(&input.permissions_boundary), facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        put_boundary::<RoleRecord>(call, &input.role_name, &input.permissions_boundary)
    }
}
