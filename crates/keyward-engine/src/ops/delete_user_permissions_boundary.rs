//! `DeleteUserPermissionsBoundary` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUserPermissionsBoundary.html>

use super::identity_prelude::*;

pub(crate) struct DeleteUserPermissionsBoundary;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
}

impl Operation for DeleteUserPermissionsBoundary {
    const SPEC: Spec = iam(
        "DeleteUserPermissionsBoundary",
        "DELETE",
        "/v1/users/{UserName}/permissions-boundary",
        &[USER_NAME],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        delete_boundary::<UserRecord>(call, &input.user_name)
    }
}
