//! Users, groups, roles and managed policies as the IAM operations name them, and what follows from their names.
//!
//! It looks up and does not judge.

use crate::{
    Engine,
    credential::unrecognized,
    identity::managed_policy_name,
    operation::{Service, Spec, Subject},
    resolve::Found,
};
use keyward_policy::Facts;
use keyward_types::{AccountId, Arn, Caller, CallerKind, ErrorCode, KmsError, Name, RoleRecord};
use std::collections::BTreeMap;

/// Users, roles, groups and policies and whose they are, for the IAM operations.
impl Engine {
    /// What a request of IAM names, with its tags. One that is absent is found by the ARN that it would have, so that
    /// only who may ask hears that it is absent; the operation says so.
    pub(crate) fn find_principal(
        &self,
        caller: &Caller,
        subject: &Subject<'_>,
        rested_on: &mut Vec<Name>,
    ) -> Result<Found, KmsError> {
        let account = &caller.account;
        match subject {
            Subject::User(name) => match named_or_own(caller, *name)? {
                None => Ok(Found::other(account.root_arn())),
                Some(name) => self.find_user(account, name, rested_on),
            },
            Subject::Role(name) => {
                rested_on.push(Name::Role(account.clone(), (*name).to_owned()));
                let role = self.world.store.role(account, name).map_err(KmsError::internal)?;
                Ok(role.map_or_else(
                    || Found::other(principal_arn(account, "role", "/", name)),
                    |role| Found::Other {
                        arn: role.arn(),
                        tags: role.tags.clone(),
                        boundary: role.boundary.clone(),
                    },
                ))
            }
            Subject::Group(name) => {
                let path = self.path_of(account, "group", name, rested_on)?;
                Ok(Found::other(principal_arn(account, "group", &path, name)))
            }
            Subject::ManagedPolicy(arn) => self.find_policy(account, arn, rested_on),
            Subject::Renamed { kind, name, new_path, new_name } => {
                let path = match new_path {
                    Some(path) => (*path).to_owned(),
                    None => self.path_of(account, kind, name, rested_on)?,
                };
                Ok(Found::other(principal_arn(account, kind, &path, new_name.unwrap_or(name))))
            }
            Subject::NewPrincipal { kind, path, name } => {
                Ok(Found::other(principal_arn(account, kind, path, name)))
            }
            _ => Err(KmsError::internal("not of IAM")),
        }
    }

    fn find_user(
        &self,
        account: &AccountId,
        name: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<Found, KmsError> {
        rested_on.push(Name::User(account.clone(), name.to_owned()));
        let user = self.world.store.user(account, name).map_err(KmsError::internal)?;
        Ok(user.map_or_else(
            || Found::other(principal_arn(account, "user", "/", name)),
            |user| Found::Other {
                arn: user.arn(),
                tags: user.tags.clone(),
                boundary: user.boundary.clone(),
            },
        ))
    }

    /// The path of a user or group, `/` for one that is absent.
    fn path_of(
        &self,
        account: &AccountId,
        kind: &str,
        name: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<String, KmsError> {
        let store = &self.world.store;
        let path = if kind == "group" {
            rested_on.push(Name::Group(account.clone(), name.to_owned()));
            let group = store.group(account, name).map_err(KmsError::internal)?;
            group.map(|group| group.path.clone())
        } else {
            rested_on.push(Name::User(account.clone(), name.to_owned()));
            let user = store.user(account, name).map_err(KmsError::internal)?;
            user.map(|user| user.path.clone())
        };
        Ok(path.unwrap_or_else(|| "/".to_owned()))
    }

    /// A managed policy with its tags, if it is the account's own.
    fn find_policy(
        &self,
        account: &AccountId,
        arn: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<Found, KmsError> {
        let mut tags = BTreeMap::new();
        if let Some((owner, name)) = managed_policy_name(arn).filter(|(owner, _)| owner == account)
        {
            rested_on.push(Name::ManagedPolicy(owner.clone(), name.clone()));
            let policy =
                self.world.store.managed_policy(&owner, &name).map_err(KmsError::internal)?;
            if let Some(policy) = policy.filter(|policy| policy.arn() == arn) {
                tags = policy.tags.clone();
            }
        }
        Ok(Found::Other { arn: arn.to_owned(), tags, boundary: None })
    }
}

/// The user's name that a request wrote, or the caller's own; `None` is the account's root user.
pub(crate) fn named_or_own<'n>(
    caller: &'n Caller,
    name: Option<&'n str>,
) -> Result<Option<&'n str>, KmsError> {
    match (name, &caller.kind) {
        (Some(name), _) => Ok(Some(name)),
        (None, CallerKind::Root) => Ok(None),
        (None, CallerKind::User { name }) => Ok(Some(name)),
        (
            None,
            CallerKind::RoleSession { .. }
            | CallerKind::Federated { .. }
            | CallerKind::Service { .. },
        ) => Err(KmsError::new(
            ErrorCode::IamValidationError,
            "Must specify userName when calling with non-User credentials",
        )),
    }
}

/// Credentials of GetSessionToken do not open IAM unless MFA was shown.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
pub(crate) fn refuse_plain_session(caller: &Caller) -> Result<(), KmsError> {
    // Who was lent credentials by a user never does.
    if matches!(caller.kind, CallerKind::Federated { .. }) {
        return Err(unrecognized());
    }
    let own = matches!(caller.kind, CallerKind::Root | CallerKind::User { .. });
    if own && caller.issued.is_some() && caller.mfa != Some(true) {
        Err(unrecognized())
    } else {
        Ok(())
    }
}

/// A role session's own ARN; the role's path is not in it.
pub(crate) fn session_arn(role: &RoleRecord, session_name: &str) -> String {
    format!("arn:aws:sts::{}:assumed-role/{}/{session_name}", role.account, role.name)
}

fn principal_arn(account: &AccountId, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// `aws:ResourceTag/*`, and the same under IAM's own name.
pub(crate) fn tag_facts(tags: &BTreeMap<String, String>, facts: &mut Facts<'_>) {
    for (name, value) in tags {
        facts.add(&format!("aws:ResourceTag/{name}"), value.as_str());
        facts.add(&format!("iam:ResourceTag/{name}"), value.as_str());
    }
}

/// `iam:PermissionsBoundary` of the user or role that a request would change, for the actions that know it.
/// Where a request sets a boundary, the key is that one, which the operation states itself.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>
pub(crate) fn boundary_fact(spec: &Spec, boundary: Option<&str>, facts: &mut Facts<'_>) {
    const KNOWN_TO: &[&str] = &[
        "AttachRolePolicy",
        "AttachUserPolicy",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DeleteUserPermissionsBoundary",
        "DeleteUserPolicy",
        "DetachRolePolicy",
        "DetachUserPolicy",
        "PutRolePolicy",
        "PutUserPolicy",
    ];
    if let Some(boundary) = boundary
        && spec.service == Service::Iam
        && KNOWN_TO.contains(&spec.name)
    {
        facts.add("iam:PermissionsBoundary", boundary);
    }
}

/// The record behind a user's or role's ARN; `None` for other ARNs.
pub(crate) fn principal_name(arn: &str) -> Option<Name> {
    let arn = Arn::parse(arn).filter(|arn| arn.service == "iam" && arn.region.is_empty())?;
    let account = AccountId::parse(arn.account)?;
    let (kind, path) = arn.resource.split_once('/')?;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty())?.to_owned();
    match kind {
        "user" => Some(Name::User(account, name)),
        "role" => Some(Name::Role(account, name)),
        _ => None,
    }
}
