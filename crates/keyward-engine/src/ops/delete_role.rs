//! `DeleteRole` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>

use super::identity_prelude::*;

pub(crate) struct DeleteRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
}

impl Operation for DeleteRole {
    const SPEC: Spec = iam("DeleteRole", "DELETE", "/v1/roles/{RoleName}", &[ROLE_NAME]);
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let role = known::<RoleRecord>(call, &input.role_name)?;
        refuse_while_it_has_policies(&*role)?;
        call.delete(Name::Role(role.account.clone(), role.name.clone()));
        Ok(Empty)
    }
}
