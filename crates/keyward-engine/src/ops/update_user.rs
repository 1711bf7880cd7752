//! `UpdateUser` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html>

use super::identity_prelude::*;

pub(crate) struct UpdateUser;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    new_path: Option<String>,
    new_user_name: Option<String>,
}

impl Operation for UpdateUser {
    const SPEC: Spec = iam(
        "UpdateUser",
        "PATCH",
        "/v1/users/{UserName}",
        &[USER_NAME, optional("NewPath", PATH_KIND), optional("NewUserName", name_kind(64))],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let (path, name) = (input.new_path.as_deref(), input.new_user_name.as_deref());
        let subject = Subject::User(Some(&input.user_name));
        Ok(renaming_targets::<UserRecord>(subject, &input.user_name, path, name))
    }

    /// It looks through every key and role for policies that name the user.
    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        true
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let (path, name) = (input.new_path.as_deref(), input.new_user_name.as_deref());
        rename_user(call, &input.user_name, path, name)
    }
}
