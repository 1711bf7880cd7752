//! Another name or path for a user or group. What belongs to it goes with it.
//!
//! Policies name users by their ARN, and grants do. AWS rewrites those; here a user that one of them names keeps its
//! name, so that no Deny is left behind by renaming. A policy that comes to name it at the very same moment is not
//! noticed; it then names nobody.

use super::*;
use keyward_types::{AccessKeyOwner, Arn};

/// The targets of a request that renames: permission is needed for what it is and for what it becomes.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_users_rename.html>
pub(crate) fn renaming_targets<'i, E: Renamable>(
    subject: Subject<'i>,
    name: &'i str,
    new_path: Option<&'i str>,
    new_name: Option<&'i str>,
) -> Vec<Target<'i>> {
    let becomes = Subject::Renamed { kind: E::KIND, name, new_path, new_name };
    vec![Target::of(subject), Target::of(becomes)]
}

pub(crate) fn rename_user(
    call: &mut Call<'_>,
    name: &str,
    new_path: Option<&str>,
    new_name: Option<&str>,
) -> Result<Empty, KmsError> {
    let user = known::<UserRecord>(call, name)?;
    let Some(renamed) = renamed(call, &*user, new_path, new_name)? else { return Ok(Empty) };
    refuse_while_named(call, &user)?;
    if renamed.name != user.name {
        move_belongings(call, &user, &renamed.name)?;
    }
    call.put(Record::User(renamed));
    Ok(Empty)
}

pub(crate) fn rename_group(
    call: &mut Call<'_>,
    name: &str,
    new_path: Option<&str>,
    new_name: Option<&str>,
) -> Result<Empty, KmsError> {
    let group = known::<GroupRecord>(call, name)?;
    let Some(renamed) = renamed(call, &*group, new_path, new_name)? else { return Ok(Empty) };
    if renamed.name != group.name {
        call.rest_on(Name::Members(group.account.clone(), group.name.clone()));
        let members = call
            .store()
            .members_of(&group.account, &group.name, None, usize::MAX)
            .map_err(KmsError::internal)?;
        for member in members {
            call.rest_on(Name::User(member.account.clone(), member.name.clone()));
            let mut member = UserRecord::clone(&member);
            member.groups.remove(&group.name);
            member.groups.insert(renamed.name.clone());
            call.put(Record::User(member));
        }
    }
    call.put(Record::Group(renamed));
    Ok(Empty)
}

/// It under its new name and path, the name claimed and the old one given up; `None` when nothing changes.
fn renamed<E: Renamable>(
    call: &mut Call<'_>,
    entity: &E,
    new_path: Option<&str>,
    new_name: Option<&str>,
) -> Result<Option<E>, KmsError> {
    let (path, name) = (new_path.unwrap_or(entity.path()), new_name.unwrap_or(entity.name()));
    if path == entity.path() && name == entity.name() {
        return Ok(None);
    }
    if name != entity.name() {
        if name.eq_ignore_ascii_case(entity.name()) {
            call.rest_on(E::record_name(entity.account(), name));
        } else {
            claim_name::<E>(call, name)?;
        }
        call.delete(E::record_name(entity.account(), entity.name()));
    }
    Ok(Some(entity.clone().moved_to(path, name)))
}

/// Access keys and MFA devices name their user.
fn move_belongings(call: &mut Call<'_>, user: &UserRecord, name: &str) -> Result<(), KmsError> {
    let UserRecord { account, name: old, .. } = user;
    call.rest_on(Name::AccessKeys(account.clone(), Some(old.clone())));
    call.rest_on(Name::MfaDevices(account.clone(), old.clone()));
    let store = call.store();
    for key in store.access_keys_of(account, Some(old)).map_err(KmsError::internal)? {
        let mut key = keyward_types::AccessKeyRecord::clone(&key);
        key.owner = AccessKeyOwner::User(name.to_owned());
        call.put(Record::AccessKey(key));
    }
    for device in store.mfa_devices_of(account, old).map_err(KmsError::internal)? {
        let mut device = keyward_types::MfaDeviceRecord::clone(&device);
        device.user = Some(name.to_owned());
        call.put(Record::MfaDevice(device));
    }
    Ok(())
}

fn refuse_while_named(call: &Call<'_>, user: &UserRecord) -> Result<(), KmsError> {
    let Some(place) = named_by(call, &user.arn())? else { return Ok(()) };
    // What another account has written is not for this one to hear.
    let own = Arn::parse(&place).is_some_and(|arn| arn.account == user.account.as_str());
    let place = if own { place.as_str() } else { "another account" };
    Err(invalid_input(format!(
        "A policy or grant of {place} names the user {} by its ARN. Change that first.",
        user.arn()
    )))
}

/// The key or role whose policy or grants name a user.
fn named_by(call: &Call<'_>, arn: &str) -> Result<Option<String>, KmsError> {
    let store = call.store();
    for key in store.keys_everywhere() {
        let key = key.map_err(KmsError::internal)?;
        let granted = || store.grant_candidates(&key.name, &[arn]).map(|grants| !grants.is_empty());
        if key.policy_principals.contains_key(arn) || granted().map_err(KmsError::internal)? {
            return Ok(Some(key.name.to_string()));
        }
    }
    if let Some(grant) =
        store.grants_retirable_by(arn, None, 1).map_err(KmsError::internal)?.first()
    {
        return Ok(Some(grant.key.to_string()));
    }
    for role in store.roles_everywhere() {
        let role = role.map_err(KmsError::internal)?;
        if role.trust_principals.contains_key(arn) {
            return Ok(Some(role.arn()));
        }
    }
    Ok(None)
}
