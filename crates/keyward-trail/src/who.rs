//! Who a record says acted: the one name by which callers are listed, counted and asked for.
//!
//! It is the caller's ARN, or a service's name. A caller of another account has no ARN in the copy that a key's owner
//! receives, as in CloudTrail, but its account and its id. Its name is `ACCOUNT:ID`, such as
//! `999988887777:AROACKCEVSQ6C2EXAMPLE:worker`; another account's root user, whose id is its account's number, has
//! the ARN that every root user has.
//!
//! It does not say what a principal is called in its own account: that a copy does not tell.

use serde_json::Value;
use std::borrow::Cow;

/// Digits of an account's number.
const ACCOUNT_DIGITS: usize = 12;

/// The caller itself: of a session the session.
pub fn caller_name(record: &Value) -> Option<Cow<'_, str>> {
    let of_arn = || at(record, "/userIdentity/arn").map(Cow::Borrowed);
    of_arn()
        .or_else(|| outsider(record).map(|(account, id)| outsider_name(account, id).into()))
        .or_else(|| service(record))
}

/// Who acted: of a session the role or user behind it, since sessions come and go.
pub fn actor_name(record: &Value) -> Option<Cow<'_, str>> {
    let issuer = at(record, "/userIdentity/sessionContext/sessionIssuer/arn");
    let of_arn = issuer.or_else(|| at(record, "/userIdentity/arn")).map(Cow::Borrowed);
    of_arn
        .or_else(|| {
            let (account, id) = outsider(record)?;
            Some(outsider_role(account, id).unwrap_or_else(|| outsider_name(account, id)).into())
        })
        .or_else(|| service(record))
}

/// The name of another account's caller with this `principalId`.
pub fn outsider_name(account: &str, id: &str) -> String {
    if id == account { format!("arn:aws:iam::{account}:root") } else { format!("{account}:{id}") }
}

/// The name of the role of another account that the session with this `principalId` is of: `AROA…:worker` is a session
/// of `AROA…`. `None` of what is no role's session, such as a federated user, `ACCOUNT:NAME`.
pub fn outsider_role(account: &str, id: &str) -> Option<String> {
    let (role, _) = id.split_once(':').filter(|(role, _)| !role.is_empty() && *role != account)?;
    Some(format!("{account}:{role}"))
}

/// Whether text has the form of [`outsider_name`], an ARN aside.
pub fn is_outsider_name(text: &str) -> bool {
    text.split_once(':').is_some_and(|(account, id)| {
        let digits = account.bytes().all(|byte| byte.is_ascii_digit());
        account.len() == ACCOUNT_DIGITS && digits && !id.is_empty()
    })
}

/// Account and id of a caller without an ARN.
pub(crate) fn outsider(record: &Value) -> Option<(&str, &str)> {
    if at(record, "/userIdentity/arn").is_some() {
        return None;
    }
    Some((at(record, "/userIdentity/accountId")?, at(record, "/userIdentity/principalId")?))
}

fn service(record: &Value) -> Option<Cow<'_, str>> {
    at(record, "/userIdentity/invokedBy").map(Cow::Borrowed)
}

fn at<'r>(record: &'r Value, pointer: &str) -> Option<&'r str> {
    record.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everybody_who_acts_has_one_name() {
        let outsider = |id: &str| json!({"type": "AWSAccount", "accountId": "999988887777", "principalId": id});
        let session = json!({
            "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/App/one",
            "accountId": "111122223333", "principalId": "AROA1:one",
            "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/App"}},
        });
        let (of_session, of_role) = (
            "arn:aws:sts::111122223333:assumed-role/App/one",
            "arn:aws:iam::111122223333:role/App",
        );
        let root = "arn:aws:iam::999988887777:root";
        for (identity, caller, actor) in [
            (session, Some(of_session), Some(of_role)),
            (outsider("AROA1:one"), Some("999988887777:AROA1:one"), Some("999988887777:AROA1")),
            (outsider("AIDA1"), Some("999988887777:AIDA1"), Some("999988887777:AIDA1")),
            (
                outsider("999988887777:ann"),
                Some("999988887777:999988887777:ann"),
                Some("999988887777:999988887777:ann"),
            ),
            (outsider("999988887777"), Some(root), Some(root)),
            (
                json!({"accountId": "111122223333", "invokedBy": "AWS Internal"}),
                Some("AWS Internal"),
                Some("AWS Internal"),
            ),
            (json!({"accountId": "111122223333"}), None, None),
        ] {
            let record = json!({"userIdentity": identity});
            assert_eq!(caller_name(&record).as_deref(), caller, "{record}");
            assert_eq!(actor_name(&record).as_deref(), actor, "{record}");
        }
        for (text, is) in [
            ("999988887777:AROA1:one", true),
            ("999988887777:", false),
            ("99998888777:AROA1", false),
            ("arn:aws:iam::999988887777:root", false),
        ] {
            assert_eq!(is_outsider_name(text), is, "{text}");
        }
    }
}
