//! `DeleteUser` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html>

use super::identity_prelude::*;

pub(crate) struct DeleteUser;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
}

impl Operation for DeleteUser {
    const SPEC: Spec = iam("DeleteUser", "DELETE", "/v1/users/{UserName}", &[USER_NAME]);
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let user = known::<UserRecord>(call, &input.user_name)?;
        call.rest_on(Name::AccessKeys(user.account.clone(), Some(user.name.clone())));
        if !call
            .store()
            .access_keys_of(&user.account, Some(&user.name))
            .map_err(KmsError::internal)?
            .is_empty()
        {
            return Err(delete_conflict("delete access keys"));
        }
        call.rest_on(Name::MfaDevices(user.account.clone(), user.name.clone()));
        let devices = call.store().mfa_devices_of(&user.account, &user.name);
        if !devices.map_err(KmsError::internal)?.is_empty() {
            return Err(delete_conflict("deactivate MFA devices"));
        }
        if !user.groups.is_empty() {
            return Err(delete_conflict("remove users from group"));
        }
        refuse_while_it_has_policies(&*user)?;
        call.delete(Name::User(user.account.clone(), user.name.clone()));
        Ok(Empty)
    }
}
