//! `ListGroupsForUser` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupsForUser.html>

use super::identity_prelude::*;

pub(crate) struct ListGroupsForUser;

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
    groups: Vec<Group>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListGroupsForUser {
    const SPEC: Spec = iam_read(
        "ListGroupsForUser",
        "GET",
        "/v1/users/{UserName}/groups",
        &[USER_NAME, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let user = known::<UserRecord>(call, &input.user_name)?;
        let names = user.groups.iter().cloned();
        let (names, page) = input.page.cut(call, "user-groups", names, String::clone)?;
        let groups = names.iter().map(|name| Ok(Group::of(&*known(call, name)?)));
        Ok(Output { groups: groups.collect::<Result<_, KmsError>>()?, page })
    }
}
