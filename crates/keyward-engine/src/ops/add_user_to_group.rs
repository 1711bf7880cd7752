//! `AddUserToGroup` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddUserToGroup.html>

use super::identity_prelude::*;

pub(crate) struct AddUserToGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    user_name: String,
}

impl Operation for AddUserToGroup {
    const SPEC: Spec = iam(
        "AddUserToGroup",
        "PUT",
        "/v1/groups/{GroupName}/users/{UserName}",
        &[GROUP_NAME, USER_NAME],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        // Rests on the group's record: a group that is deleted meanwhile takes nobody in.
        let group = known::<GroupRecord>(call, &input.group_name)?;
        let mut user = UserRecord::clone(&*known(call, &input.user_name)?);
        if user.groups.insert(group.name.clone()) {
            if limits::GROUPS_PER_USER_MAX < user.groups.len() {
                return Err(over_quota("GroupsPerUser", limits::GROUPS_PER_USER_MAX));
            }
            call.put(Record::User(user));
        }
        Ok(Empty)
    }
}
