//! `CreateAccessKey` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html>

use super::identity_prelude::*;
use keyward_types::{AccessKeyOwner, AccessKeyRecord};
use zeroize::Zeroizing;

pub(crate) struct CreateAccessKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    access_key: AccessKey,
}

impl Operation for CreateAccessKey {
    const SPEC: Spec =
        iam("CreateAccessKey", "POST", "/v1/users/{UserName}/access-keys", &[OWN_USER_NAME]);
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(input.user_name.as_deref()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (caller, now) = (call.caller(), call.now());
        let owner = key_owner(call, input.user_name.as_deref())?;
        let others = call
            .store()
            .access_keys_of(&caller.account, owner_name(&owner))
            .map_err(KmsError::internal)?;
        if limits::ACCESS_KEYS_PER_USER_MAX <= others.len() {
            let message = format!(
                "Cannot exceed quota for AccessKeysPerUser: {}",
                limits::ACCESS_KEYS_PER_USER_MAX
            );
            return Err(KmsError::new(ErrorCode::IamLimitExceeded, message));
        }
        let key = credential::new_access_key(caller.account.clone(), owner, now, call.generator());
        call.rest_on(Name::AccessKey(key.access_key_id.clone()));
        if call.store().access_key(&key.access_key_id).map_err(KmsError::internal)?.is_some() {
            return Err(KmsError::internal("an access key id was drawn twice"));
        }
        let output = Output { access_key: AccessKey::of(&key) };
        call.put(Record::AccessKey(key));
        Ok(output)
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        let AccessKey { user_name, access_key_id, status, create_date, .. } = &output.access_key;
        Some(json!({"accessKey": {
            "userName": user_name, "accessKeyId": access_key_id, "status": status, "createDate": create_date,
        }}))
    }
}

/// The one answer in which a secret access key leaves.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AccessKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    access_key_id: String,
    status: &'static str,
    #[serde(serialize_with = "secret")]
    secret_access_key: Zeroizing<String>,
    create_date: String,
}

impl AccessKey {
    fn of(key: &AccessKeyRecord) -> Self {
        Self {
            user_name: owner_name(&key.owner).map(str::to_owned),
            access_key_id: key.access_key_id.clone(),
            status: status(key.active),
            secret_access_key: Zeroizing::new(key.secret.clone()),
            create_date: iso(key.created),
        }
    }
}

pub(crate) const fn status(active: bool) -> &'static str {
    if active { "Active" } else { "Inactive" }
}

pub(crate) fn owner_name(owner: &AccessKeyOwner) -> Option<&str> {
    match owner {
        AccessKeyOwner::Root | AccessKeyOwner::Service(_) => None,
        AccessKeyOwner::User(name) => Some(name),
    }
}

/// Whose keys a request is about: the user it names, or the caller's own. The request rests on the user
/// and on its set of keys.
pub(crate) fn key_owner(
    call: &mut Call<'_>,
    name: Option<&str>,
) -> Result<AccessKeyOwner, KmsError> {
    let caller = call.caller();
    let name = directory::named_or_own(caller, name)?.map(str::to_owned);
    if let Some(name) = &name {
        known::<UserRecord>(call, name)?;
    }
    call.rest_on(Name::AccessKeys(caller.account.clone(), name.clone()));
    Ok(name.map_or(AccessKeyOwner::Root, AccessKeyOwner::User))
}

/// An access key that a request names, if it is the owner's.
pub(crate) fn owned_key(
    call: &mut Call<'_>,
    name: Option<&str>,
    access_key_id: &str,
) -> Result<Arc<AccessKeyRecord>, KmsError> {
    let owner = key_owner(call, name)?;
    call.rest_on(Name::AccessKey(access_key_id.to_owned()));
    let key = call.store().access_key(access_key_id).map_err(KmsError::internal)?;
    key.filter(|key| key.account == call.caller().account && key.owner == owner)
        .ok_or_else(|| no_such_entity("Access Key", "id", access_key_id))
}
