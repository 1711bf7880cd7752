//! `PutUserPermissionsBoundary` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPermissionsBoundary.html>

use super::identity_prelude::*;

pub(crate) struct PutUserPermissionsBoundary;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    permissions_boundary: String,
}

impl Operation for PutUserPermissionsBoundary {
    const SPEC: Spec = iam(
        "PutUserPermissionsBoundary",
        "PUT",
        "/v1/users/{UserName}/permissions-boundary",
        &[USER_NAME, NEW_BOUNDARY],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_policy_arn(&input.permissions_boundary)?;
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        boundary_fact(Some(&input.permissions_boundary), facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        put_boundary::<UserRecord>(call, &input.user_name, &input.permissions_boundary)
    }
}
