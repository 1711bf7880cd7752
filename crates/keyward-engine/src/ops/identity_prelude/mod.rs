//! What every IAM and STS operation file starts from: row templates and sentences; and by part what the
//! operations on users, groups, roles and managed policies share.
//!
//! Each part is one concern: input members, entities by name, inline policies, managed policies, boundaries, tags,
//! renaming, answers.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>, and IAM's service model
//! (version 2010-05-08) for the constraints.

mod answers;
mod boundary;
mod credentials;
mod entity;
mod inline;
mod managed;
mod members;
mod renaming;
mod tagging;

pub(crate) use super::prelude::*;
pub(crate) use crate::{
    credential, directory, identity, principal,
    session::{Holder, Session},
    shape::patterned,
    wording::iso,
};
pub(crate) use answers::*;
pub(crate) use boundary::*;
pub(crate) use credentials::*;
pub(crate) use entity::*;
pub(crate) use inline::*;
use keyward_policy::PolicyError;
pub(crate) use keyward_types::{
    AccountId, Caller, CallerKind, Change, GroupRecord, ManagedPolicyRecord, PolicyVersion,
    RoleRecord, UserRecord, caller::Document, limits,
};
pub(crate) use managed::*;
pub(crate) use members::*;
pub(crate) use renaming::*;
pub(crate) use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
pub(crate) use tagging::*;

/// Errors that every IAM operation may answer.
pub(crate) const IAM_ERRORS: &[ErrorCode] = &[
    ErrorCode::IamNoSuchEntity,
    ErrorCode::IamEntityAlreadyExists,
    ErrorCode::IamDeleteConflict,
    ErrorCode::IamLimitExceeded,
    ErrorCode::IamInvalidInput,
    ErrorCode::IamMalformedPolicyDocument,
    ErrorCode::Internal,
];

/// A row of IAM.
pub(crate) const fn iam(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec {
        service: Service::Iam,
        states: &[],
        logged: LOGGED,
        errors: IAM_ERRORS,
        ..control(name, verb, path, members)
    }
}

/// A row of IAM that changes nothing.
pub(crate) const fn iam_read(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec { read_only: true, ..iam(name, verb, path, members) }
}

/// A row of STS.
pub(crate) const fn sts(
    name: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec { service: Service::Sts, ..iam_read(name, "POST", path, members) }
}

/// Members that stand in an event. The codes of MFA devices are secrets and are left out.
const LOGGED: &[&str] = &[
    "AccessKeyId",
    "AssumeRolePolicyDocument",
    "Description",
    "DurationSeconds",
    "EntityFilter",
    "ExternalId",
    "Filter",
    "GroupName",
    "MaxItems",
    "MaxSessionDuration",
    "Name",
    "NewGroupName",
    "NewPath",
    "NewUserName",
    "OnlyAttached",
    "Path",
    "PathPrefix",
    "PermissionsBoundary",
    "Policy",
    "PolicyArn",
    "PolicyArns",
    "PolicyDocument",
    "PolicyName",
    "PolicyUsageFilter",
    "RoleArn",
    "RoleName",
    "RoleSessionName",
    "Scope",
    "SerialNumber",
    "SetAsDefault",
    "SourceIdentity",
    "Status",
    "TagKeys",
    "Tags",
    "TransitiveTagKeys",
    "UserName",
    "VersionId",
    "VirtualMFADeviceName",
];

pub(crate) fn invalid_input(message: impl Into<String>) -> KmsError {
    KmsError::new(ErrorCode::IamInvalidInput, message)
}

pub(crate) fn delete_conflict(first: &str) -> KmsError {
    KmsError::new(
        ErrorCode::IamDeleteConflict,
        format!("Cannot delete entity, must {first} first."),
    )
}

pub(crate) fn no_such_entity(what: &str, by: &str, name: &str) -> KmsError {
    KmsError::new(
        ErrorCode::IamNoSuchEntity,
        format!("The {what} with {by} {name} cannot be found."),
    )
}

/// A quota in IAM's words. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub(crate) fn over_quota(quota: &str, most: usize) -> KmsError {
    KmsError::new(ErrorCode::IamLimitExceeded, format!("Cannot exceed quota for {quota}: {most}"))
}

/// A document that IAM refuses to keep.
pub(crate) fn malformed(error: PolicyError) -> KmsError {
    KmsError::new(ErrorCode::IamMalformedPolicyDocument, error.to_string())
}
