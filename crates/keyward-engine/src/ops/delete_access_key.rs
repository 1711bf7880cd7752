//! `DeleteAccessKey` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html>

use super::create_access_key::owned_key;
use super::identity_prelude::*;

pub(crate) struct DeleteAccessKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: Option<String>,
    access_key_id: String,
}

impl Operation for DeleteAccessKey {
    const SPEC: Spec = iam(
        "DeleteAccessKey",
        "DELETE",
        "/v1/users/{UserName}/access-keys/{AccessKeyId}",
        &[OWN_USER_NAME, ACCESS_KEY_ID],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(input.user_name.as_deref()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let key = owned_key(call, input.user_name.as_deref(), &input.access_key_id)?;
        call.delete(Name::AccessKey(key.access_key_id.clone()));
        Ok(Empty)
    }
}
