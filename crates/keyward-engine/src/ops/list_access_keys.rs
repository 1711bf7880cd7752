//! `ListAccessKeys` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html>

use super::create_access_key::{key_owner, owner_name, status};
use super::identity_prelude::*;
use keyward_types::AccessKeyRecord;

pub(crate) struct ListAccessKeys;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    access_key_metadata: Vec<AccessKeyMetadata>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListAccessKeys {
    const SPEC: Spec = iam_read(
        "ListAccessKeys",
        "GET",
        "/v1/users/{UserName}/access-keys",
        &[OWN_USER_NAME, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(input.user_name.as_deref()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let owner = key_owner(call, input.user_name.as_deref())?;
        let mut keys = call
            .store()
            .access_keys_of(&call.caller().account, owner_name(&owner))
            .map_err(KmsError::internal)?;
        keys.sort_by(|a, b| a.access_key_id.cmp(&b.access_key_id));
        let (keys, page) =
            input.page.cut(call, "access-keys", keys, |key| key.access_key_id.clone())?;
        Ok(Output {
            access_key_metadata: keys.iter().map(|key| AccessKeyMetadata::of(key)).collect(),
            page,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKeyMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    access_key_id: String,
    status: &'static str,
    create_date: String,
}

impl AccessKeyMetadata {
    fn of(key: &AccessKeyRecord) -> Self {
        Self {
            user_name: owner_name(&key.owner).map(str::to_owned),
            access_key_id: key.access_key_id.clone(),
            status: status(key.active),
            create_date: iso(key.created),
        }
    }
}
