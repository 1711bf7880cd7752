//! `DeleteGroup` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html>

use super::identity_prelude::*;

pub(crate) struct DeleteGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
}

impl Operation for DeleteGroup {
    const SPEC: Spec = iam("DeleteGroup", "DELETE", "/v1/groups/{GroupName}", &[GROUP_NAME]);
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Group(&input.group_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let group = known::<GroupRecord>(call, &input.group_name)?;
        call.rest_on(Name::Members(group.account.clone(), group.name.clone()));
        let members = call.store().members_of(&group.account, &group.name, None, 1);
        if !members.map_err(KmsError::internal)?.is_empty() {
            return Err(delete_conflict("remove users from group"));
        }
        refuse_while_it_has_policies(&*group)?;
        call.delete(Name::Group(group.account.clone(), group.name.clone()));
        Ok(Empty)
    }
}
