//! `ListUsers` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html>

use super::identity_prelude::*;

pub(crate) struct ListUsers;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    users: Vec<User>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListUsers {
    const SPEC: Spec =
        iam_read("ListUsers", "GET", "/v1/users", &[PATH_PREFIX, IAM_MARKER, MAX_ITEMS]);
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (users, page) =
            entities::<UserRecord>(call, "users", &input.page, input.path_prefix.as_deref())?;
        Ok(Output { users: users.iter().map(|user| User::listed(user)).collect(), page })
    }
}
