//! `UpdateAccessKey` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>

use super::create_access_key::owned_key;
use super::identity_prelude::*;
use keyward_types::AccessKeyRecord;

pub(crate) struct UpdateAccessKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: Option<String>,
    access_key_id: String,
    status: String,
}

impl Operation for UpdateAccessKey {
    const SPEC: Spec = iam(
        "UpdateAccessKey",
        "PATCH",
        "/v1/users/{UserName}/access-keys/{AccessKeyId}",
        &[
            OWN_USER_NAME,
            ACCESS_KEY_ID,
            required("Status", Kind::Enum(&["Active", "Inactive", "Expired"])),
        ],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        if input.status == "Expired" {
            return Err(invalid_input(
                "Status is Active or Inactive; Expired is not set by a request",
            ));
        }
        Ok(vec![Target::of(Subject::User(input.user_name.as_deref()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let key = owned_key(call, input.user_name.as_deref(), &input.access_key_id)?;
        let mut key = AccessKeyRecord::clone(&key);
        key.active = input.status == "Active";
        call.put(Record::AccessKey(key));
        Ok(Empty)
    }
}
