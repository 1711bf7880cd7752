//! `RemoveUserFromGroup` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveUserFromGroup.html>

use super::identity_prelude::*;

pub(crate) struct RemoveUserFromGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    user_name: String,
}

impl Operation for RemoveUserFromGroup {
    const SPEC: Spec = iam(
        "RemoveUserFromGroup",
        "DELETE",
        "/v1/groups/{GroupName}/users/{UserName}",
        &[GROUP_NAME, USER_NAME],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let group = known::<GroupRecord>(call, &input.group_name)?;
        let mut user = UserRecord::clone(&*known(call, &input.user_name)?);
        if !user.groups.remove(&group.name) {
            return Err(KmsError::new(
                ErrorCode::IamNoSuchEntity,
                format!("User {} not in group {}", user.name, group.name),
            ));
        }
        call.put(Record::User(user));
        Ok(Empty)
    }
}
