//! `GetGroup` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetGroup.html>

use super::identity_prelude::*;

pub(crate) struct GetGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    group: Group,
    /// Its members.
    users: Vec<User>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for GetGroup {
    const SPEC: Spec =
        iam_read("GetGroup", "GET", "/v1/groups/{GroupName}", &[GROUP_NAME, IAM_MARKER, MAX_ITEMS]);
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let group = known::<GroupRecord>(call, &input.group_name)?;
        let (after, limit) = (input.page.after(call, "group-users")?, input.page.limit());
        let users = call
            .store()
            .members_of(&group.account, &group.name, after.as_deref(), limit + 1)
            .map_err(KmsError::internal)?;
        let (users, page) = iam_page(call, "group-users", users, limit, |user| user.name.clone())?;
        let users = users.iter().map(|user| User::listed(user)).collect();
        Ok(Output { group: Group::of(&group), users, page })
    }
}
