//! `ListUserTags` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserTags.html>

use super::identity_prelude::*;

pub(crate) struct ListUserTags;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
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

impl Operation for ListUserTags {
    const SPEC: Spec = iam_read(
        "ListUserTags",
        "GET",
        "/v1/users/{UserName}/tags",
        &[USER_NAME, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let user = known::<UserRecord>(call, &input.user_name)?;
        let (tags, page) =
            input.page.cut(call, "user-tags", iam_tags(&user.tags), |tag| tag.key.clone())?;
        Ok(Output { tags, page })
    }
}
