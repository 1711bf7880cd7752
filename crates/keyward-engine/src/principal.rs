//! Whether a principal that a document or a grant names exists.
//!
//! Only accounts that live here can be looked into: those with a root access key. Principals of other
//! accounts are taken as they are written.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use crate::call::Call;
use keyward_types::{
    AccessKeyOwner, AccountId, Arn, Change, KmsError, Name, Record, RoleRecord, UserRecord,
};
use std::sync::Arc;

/// A principal that exists, as far as can be told.
pub(crate) struct Known {
    /// Of a user or role of an account that lives here, or of the role behind a session.
    pub(crate) unique_id: Option<String>,
}

/// `None` when the ARN is not one of a principal, or its account lives here and has no such principal.
/// Notes the record, so that a principal that is deleted meanwhile is noticed.
pub(crate) fn look_up(call: &mut Call<'_>, arn: &str) -> Result<Option<Known>, KmsError> {
    let Some((account, kind, name)) = parts(arn) else { return Ok(None) };
    let unique_id = match kind {
        Kind::Account | Kind::Federated => return Ok(Some(Known { unique_id: None })),
        Kind::User => user(call, &account, name)?
            .filter(|user| user.arn() == arn)
            .map(|user| user.user_id.clone()),
        Kind::Role | Kind::Session => {
            let role = role(call, &account, name)?
                .filter(|role| kind == Kind::Session || role.arn() == arn);
            role.map(|role| role.role_id.clone())
        }
    };
    let known = unique_id.is_some() || !is_hosted(call, &account)?;
    Ok(known.then_some(Known { unique_id }))
}

/// A user as the request would leave it.
fn user(
    call: &mut Call<'_>,
    account: &AccountId,
    name: &str,
) -> Result<Option<Arc<UserRecord>>, KmsError> {
    let record = Name::User(account.clone(), name.to_owned());
    call.rest_on(record.clone());
    match call.proposed.record(&record) {
        Some(Some(Record::User(user))) => Ok(Some(Arc::new(user.clone()))),
        Some(_) => Ok(None),
        None => call.store().user(account, name).map_err(KmsError::internal),
    }
}

/// A role as the request would leave it.
fn role(
    call: &mut Call<'_>,
    account: &AccountId,
    name: &str,
) -> Result<Option<Arc<RoleRecord>>, KmsError> {
    let record = Name::Role(account.clone(), name.to_owned());
    call.rest_on(record.clone());
    match call.proposed.record(&record) {
        Some(Some(Record::Role(role))) => Ok(Some(Arc::new(role.clone()))),
        Some(_) => Ok(None),
        None => call.store().role(account, name).map_err(KmsError::internal),
    }
}

fn is_hosted(call: &Call<'_>, account: &AccountId) -> Result<bool, KmsError> {
    let proposed = call.proposed.changes.iter().any(|change| {
        matches!(change, Change::Put(record) if matches!(&**record,
            Record::AccessKey(key) if key.account == *account && key.owner == AccessKeyOwner::Root))
    });
    Ok(proposed
        || !call.store().access_keys_of(account, None).map_err(KmsError::internal)?.is_empty())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Account,
    User,
    Role,
    Session,
    Federated,
}

/// Account, kind and name; the name is without its path.
fn parts(text: &str) -> Option<(AccountId, Kind, &str)> {
    let arn =
        Arn::parse(text).filter(|arn| arn.region.is_empty() && arn.partition.starts_with("aws"))?;
    let account = AccountId::parse(arn.account)?;
    if arn.service == "iam" && arn.resource == "root" {
        return Some((account, Kind::Account, ""));
    }
    let (kind, rest) = arn.resource.split_once('/')?;
    let mut words = rest.split('/');
    let (kind, name) = match (arn.service, kind) {
        ("iam", "user") => (Kind::User, words.next_back()?),
        ("iam", "role") => (Kind::Role, words.next_back()?),
        ("sts", "federated-user") => (Kind::Federated, rest),
        ("sts", "assumed-role") => {
            let (role, session) = (words.next()?, words.next()?);
            if session.is_empty() || words.next().is_some() {
                return None;
            }
            (Kind::Session, role)
        }
        _ => return None,
    };
    (!name.is_empty() && !name.contains(['*', '?'])).then_some((account, kind, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_told_from_other_arns() {
        let kind = |text: &str| parts(text).map(|(_, kind, name)| (kind, name.to_owned()));
        assert_eq!(kind("arn:aws:iam::111122223333:root"), Some((Kind::Account, String::new())));
        assert_eq!(
            kind("arn:aws:iam::111122223333:user/a/b/Ann"),
            Some((Kind::User, "Ann".into()))
        );
        assert_eq!(kind("arn:aws:iam::111122223333:role/App"), Some((Kind::Role, "App".into())));
        assert_eq!(
            kind("arn:aws:sts::111122223333:assumed-role/App/s1"),
            Some((Kind::Session, "App".into()))
        );
        for bad in [
            "111122223333",
            "arn:aws:iam::111122223333:group/Admins",
            "arn:aws:iam::111122223333:user/*",
            "arn:aws:iam::1111:user/Ann",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:sts::111122223333:assumed-role/App",
            "arn:aws:sts::111122223333:assumed-role/App/s1/x",
            "arn:aws:s3:::bucket",
        ] {
            assert_eq!(kind(bad), None, "{bad}");
        }
    }
}
