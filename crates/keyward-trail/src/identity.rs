//! `userIdentity`: who made the request, in the shape CloudTrail gives each kind of principal.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

use crate::{INTERNAL, record::iso_seconds};
use keyward_types::{Arn, Caller, CallerKind};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserIdentity<'a> {
    /// Internal events have none.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<SessionContext<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoked_by: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_issuer: Option<SessionIssuer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionIssuer<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<&'a str>,
    arn: std::borrow::Cow<'a, str>,
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    creation_date: String,
    /// A text, as in CloudTrail, not a boolean.
    mfa_authenticated: &'static str,
}

impl<'a> UserIdentity<'a> {
    pub(crate) fn of(caller: &'a Caller) -> Self {
        let via = caller.origin.trusted_facts.get("kms:viaservice").map(String::as_str);
        let (kind, user_name) = match &caller.kind {
            CallerKind::Service { name } => return Self::service(name, caller.account.as_str()),
            CallerKind::Root => ("Root", None),
            CallerKind::User { name } => ("IAMUser", Some(name.as_str())),
            CallerKind::RoleSession { .. } => ("AssumedRole", None),
            CallerKind::Federated { .. } => ("FederatedUser", None),
        };
        Self {
            kind: Some(kind),
            principal_id: Some(&caller.user_id),
            arn: Some(&caller.arn),
            account_id: Some(caller.account.as_str()),
            access_key_id: Some(&caller.access_key_id)
                .filter(|id| !id.is_empty())
                .map(String::as_str),
            user_name,
            session_context: session_context(caller),
            invoked_by: via,
        }
    }

    /// The caller as the owner of what it used hears of it.
    pub(crate) fn outsider(caller: &'a Caller) -> Self {
        Self {
            kind: Some("AWSAccount"),
            principal_id: Some(&caller.user_id),
            arn: None,
            account_id: Some(caller.account.as_str()),
            access_key_id: None,
            user_name: None,
            session_context: None,
            invoked_by: None,
        }
    }

    fn service(name: &'a str, account: &'a str) -> Self {
        let internal = name == INTERNAL;
        Self {
            kind: (!internal).then_some("AWSService"),
            principal_id: None,
            arn: None,
            account_id: internal.then_some(account),
            access_key_id: None,
            user_name: None,
            session_context: None,
            invoked_by: Some(name),
        }
    }
}

/// Temporary credentials have a session context; long-lived ones do not.
fn session_context(caller: &Caller) -> Option<SessionContext<'_>> {
    let account = caller.account.as_str();
    let session_issuer = match &caller.kind {
        CallerKind::RoleSession { role_name, role_arn, role_id, .. } => Some(SessionIssuer {
            kind: "Role",
            principal_id: Some(role_id),
            arn: role_arn.into(),
            account_id: account,
            user_name: Some(role_name),
        }),
        CallerKind::Federated { user_arn: Some(arn), .. } => Some(SessionIssuer {
            kind: "IAMUser",
            principal_id: None,
            arn: arn.into(),
            account_id: account,
            user_name: Arn::parse(arn).and_then(|arn| arn.resource.rsplit('/').next()),
        }),
        CallerKind::Federated { user_arn: None, .. } => Some(SessionIssuer {
            kind: "Root",
            principal_id: Some(account),
            arn: caller.account.root_arn().into(),
            account_id: account,
            user_name: None,
        }),
        CallerKind::Root | CallerKind::User { .. } | CallerKind::Service { .. } => None,
    };
    let attributes = caller.issued.map(|issued| Attributes {
        creation_date: iso_seconds(issued),
        mfa_authenticated: if caller.mfa == Some(true) { "true" } else { "false" },
    });
    let source_identity = caller.source_identity.as_deref();
    let any = session_issuer.is_some() || attributes.is_some() || source_identity.is_some();
    any.then_some(SessionContext { session_issuer, attributes, source_identity })
}
