//! `GetUser` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html>

use super::identity_prelude::*;

pub(crate) struct GetUser;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    user: User,
}

impl Operation for GetUser {
    const SPEC: Spec = iam_read("GetUser", "GET", "/v1/users/{UserName}", &[OWN_USER_NAME]);
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(input.user_name.as_deref()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let caller = call.caller();
        match directory::named_or_own(caller, input.user_name.as_deref())? {
            Some(name) => Ok(Output { user: User::of(&*known(call, name)?) }),
            // When an account came to be is not kept; its root user is as old as anything.
            None => Ok(Output { user: User::root(&caller.account, Timestamp::default()) }),
        }
    }
}
