//! What is asked: who, which action, on what, under which documents and facts.
//!
//! Everything is borrowed; a question lives for one decision.

use crate::facts::Facts;
use keyward_types::{
    AccountId, Caller, CallerKind, GrantRecord, IdentityDocument, KeySpec, KeyUsage, Matched,
    MaterialOrigin, caller::Document,
};
use std::collections::BTreeMap;

/// What an action is performed on.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    Key {
        arn: &'a str,
        owner: &'a AccountId,
        tags: &'a BTreeMap<String, String>,
        /// Alias names that point to the key now, such as `alias/app`.
        aliases: &'a [String],
        spec: KeySpec,
        usage: KeyUsage,
        origin: MaterialOrigin,
        multi_region: bool,
    },
    /// An alias; only identity policies speak of it.
    Alias { arn: &'a str },
    /// A role that somebody wants to assume. Its trust policy is to it what a key policy is to a key:
    /// in the place of the key policy, and by the same rows of the decision table.
    Role { arn: &'a str, trust: &'a Document },
    /// Anything else that has an ARN, such as a user, or a role that is changed.
    Other { arn: &'a str },
    /// `*`: the action is on no resource.
    Any,
}

impl<'a> Resource<'a> {
    /// The ARN, or `*`.
    pub fn arn(&self) -> &'a str {
        match self {
            Self::Key { arn, .. }
            | Self::Role { arn, .. }
            | Self::Alias { arn }
            | Self::Other { arn } => arn,
            Self::Any => "*",
        }
    }

    /// The owner's account id; `None` where the ARN names none.
    pub fn account(&self) -> Option<&'a str> {
        match self {
            Self::Key { owner, .. } => Some(owner.as_str()),
            Self::Any => None,
            Self::Role { arn, .. } | Self::Alias { arn } | Self::Other { arn } => {
                // AWS's own managed policies are every account's.
                arn.split(':').nth(4).filter(|account| !account.is_empty() && *account != "aws")
            }
        }
    }

    pub(crate) fn is_key(&self) -> bool {
        matches!(self, Self::Key { .. })
    }

    /// Whether the resource has a policy of its own that must speak for it.
    pub(crate) fn has_policy(&self) -> bool {
        matches!(self, Self::Key { .. } | Self::Role { .. })
    }
}

/// One action of one caller on one resource.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub caller: &'a Caller,
    /// Such as `kms:Decrypt`.
    pub action: &'a str,
    pub resource: Resource<'a>,
    /// Whether AWS offers the operation to principals of other accounts.
    pub cross_account_allowed: bool,
    pub key_policy: Option<&'a Document>,
    /// The key policy named `AWS_RAM`: a second resource-side document of a key that is shared.
    pub ram_policy: Option<&'a Document>,
    /// The caller was deleted and made again since the key policy was saved: statements that name it by
    /// ARN mean another principal, and do not match.
    pub key_policy_ignores_arns: bool,
    /// Grants on this key that may name the caller; grantee, operations and constraints are checked here.
    pub grants: &'a [&'a GrantRecord],
    /// The grant that a CreateGrant request asks for. A grant allows CreateGrant only for a child that it covers.
    pub child_grant: Option<&'a GrantRecord>,
    /// Inline and managed policies of the user or role, and of a user's groups.
    pub identity: &'a [IdentityDocument],
    pub boundary: Option<&'a IdentityDocument>,
    /// Levels from the organization's root to the caller's account; every level must allow.
    pub scps: &'a [Vec<IdentityDocument>],
    /// Levels from the organization's root to the resource's account; they only deny.
    pub rcps: &'a [Vec<IdentityDocument>],
    /// The policy of the endpoint through which the request came.
    pub vpc_endpoint: Option<&'a IdentityDocument>,
    /// Freezes of the key and of the caller that stand in the way: each refuses.
    pub frozen: &'a [Matched],
    /// The caller is a session of a service-linked role, though its ARN does not say so.
    pub service_linked: bool,
    /// Take it that the owner's account allows: what is decided is the caller's own side alone.
    pub owner_allows: bool,
    pub facts: &'a Facts<'a>,
    /// The documents are only tried: what is compiled of them is not kept.
    pub trial: bool,
}

impl<'a> Question<'a> {
    /// A question with no documents, to be filled by struct update.
    pub fn new(
        caller: &'a Caller,
        action: &'a str,
        resource: Resource<'a>,
        facts: &'a Facts<'a>,
    ) -> Self {
        Self {
            caller,
            action,
            resource,
            cross_account_allowed: false,
            key_policy: None,
            ram_policy: None,
            key_policy_ignores_arns: false,
            grants: &[],
            child_grant: None,
            identity: &[],
            boundary: None,
            scps: &[],
            rcps: &[],
            vpc_endpoint: None,
            frozen: &[],
            service_linked: false,
            owner_allows: false,
            facts,
            trial: false,
        }
    }

    /// What explanations call the policy of the resource itself.
    pub(crate) fn policy_name(&self) -> &'static str {
        if matches!(self.resource, Resource::Role { .. }) { "trust policy" } else { "key policy" }
    }

    pub(crate) fn same_account(&self) -> bool {
        self.resource.account().is_none_or(|account| account == self.caller.account.as_str())
    }

    pub(crate) fn is_service(&self) -> bool {
        matches!(self.caller.kind, CallerKind::Service { .. })
    }

    /// Sessions of service-linked roles are outside organization policies.
    pub(crate) fn is_service_linked(&self) -> bool {
        self.service_linked
            || matches!(&self.caller.kind, CallerKind::RoleSession { role_arn, .. } if role_arn.contains(":role/aws-service-role/"))
    }
}
