//! `ListRoleTags` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoleTags.html>

use super::identity_prelude::*;

pub(crate) struct ListRoleTags;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    tags: Vec<IamTag>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListRoleTags {
    const SPEC: Spec = iam_read(
        "ListRoleTags",
        "GET",
        "/v1/roles/{RoleName}/tags",
        &[ROLE_NAME, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let role = known::<RoleRecord>(call, &input.role_name)?;
        let (tags, page) =
            input.page.cut(call, "role-tags", iam_tags(&role.tags), |tag| tag.key.clone())?;
        Ok(Output { tags, page })
    }
}
