//! `ListRoles` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>

use super::identity_prelude::*;

pub(crate) struct ListRoles;

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
    roles: Vec<Role>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListRoles {
    const SPEC: Spec =
        iam_read("ListRoles", "GET", "/v1/roles", &[PATH_PREFIX, IAM_MARKER, MAX_ITEMS]);
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (roles, page) =
            entities::<RoleRecord>(call, "roles", &input.page, input.path_prefix.as_deref())?;
        Ok(Output { roles: roles.iter().map(|role| Role::listed(role)).collect(), page })
    }
}
