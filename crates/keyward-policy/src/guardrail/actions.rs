//! TABLE: the actions that a guardrail can name, and the groups that they are in.
//!
//! Groups are parents in Cedar: `action in Action::"kms:Grants"`. An action that is not listed cannot be named,
//! but it is in its service's group, so `action in Action::"iam"` covers what is added later.
//! Sources: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html>
//! and the lists of AWS Identity and Access Management, of AWS Security Token Service and of IAM Access Analyzer
//! beside it.

use crate::actions::KMS_ACTIONS;

/// The groups without a parent: one for each service whose actions are decided here.
pub(super) const SERVICES: &[&str] =
    &["kms", "iam", "sts", "keyward", "cloudtrail", "access-analyzer"];

/// The groups of KMS's actions; each action of KMS is in one of them, and they are in `kms`.
pub(super) const KMS_GROUPS: &[&str] =
    &["kms:Administration", "kms:Cryptographic", "kms:Grants", "kms:Reading"];

const CRYPTOGRAPHIC: &[&str] = &[
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "VerifyMac",
];

const GRANTS: &[&str] = &["CreateGrant", "RetireGrant", "RevokeGrant"];

/// Actions outside of KMS. GetCallerIdentity and GetSessionToken need no permission, so that nothing is decided
/// which a guardrail could forbid: one that names them is refused.
const OTHERS: &[&str] = &[
    "access-analyzer:CheckAccessNotGranted",
    "access-analyzer:CheckNoNewAccess",
    "access-analyzer:CheckNoPublicAccess",
    "access-analyzer:ValidatePolicy",
    "cloudtrail:LookupEvents",
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:ChangePassword",
    "iam:CreateAccessKey",
    "iam:CreateAccountAlias",
    "iam:CreateGroup",
    "iam:CreateInstanceProfile",
    "iam:CreateLoginProfile",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:CreateRole",
    "iam:CreateServiceLinkedRole",
    "iam:CreateUser",
    "iam:CreateVirtualMFADevice",
    "iam:DeactivateMFADevice",
    "iam:DeleteAccessKey",
    "iam:DeleteAccountAlias",
    "iam:DeleteGroup",
    "iam:DeleteGroupPolicy",
    "iam:DeleteInstanceProfile",
    "iam:DeleteLoginProfile",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DeleteUser",
    "iam:DeleteUserPermissionsBoundary",
    "iam:DeleteUserPolicy",
    "iam:DeleteVirtualMFADevice",
    "iam:DetachGroupPolicy",
    "iam:DetachRolePolicy",
    "iam:DetachUserPolicy",
    "iam:EnableMFADevice",
    "iam:GetAccessKeyLastUsed",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetAccountSummary",
    "iam:GetContextKeysForCustomPolicy",
    "iam:GetContextKeysForPrincipalPolicy",
    "iam:GetGroup",
    "iam:GetGroupPolicy",
    "iam:GetInstanceProfile",
    "iam:GetLoginProfile",
    "iam:GetMFADevice",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:GetUser",
    "iam:GetUserPolicy",
    "iam:ListAccessKeys",
    "iam:ListAccountAliases",
    "iam:ListAttachedGroupPolicies",
    "iam:ListAttachedRolePolicies",
    "iam:ListAttachedUserPolicies",
    "iam:ListEntitiesForPolicy",
    "iam:ListGroupPolicies",
    "iam:ListGroups",
    "iam:ListGroupsForUser",
    "iam:ListInstanceProfiles",
    "iam:ListInstanceProfilesForRole",
    "iam:ListMFADeviceTags",
    "iam:ListMFADevices",
    "iam:ListPolicies",
    "iam:ListPolicyTags",
    "iam:ListPolicyVersions",
    "iam:ListRolePolicies",
    "iam:ListRoleTags",
    "iam:ListRoles",
    "iam:ListUserPolicies",
    "iam:ListUserTags",
    "iam:ListUsers",
    "iam:ListVirtualMFADevices",
    "iam:PassRole",
    "iam:PutGroupPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:RemoveUserFromGroup",
    "iam:ResyncMFADevice",
    "iam:SetDefaultPolicyVersion",
    "iam:SimulateCustomPolicy",
    "iam:SimulatePrincipalPolicy",
    "iam:TagPolicy",
    "iam:TagRole",
    "iam:TagUser",
    "iam:UntagPolicy",
    "iam:UntagRole",
    "iam:UntagUser",
    "iam:UpdateAccessKey",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateGroup",
    "iam:UpdateLoginProfile",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
    "iam:UpdateUser",
    "keyward:AckAlert",
    "keyward:CreateAlertSilence",
    "keyward:DeleteOrganization",
    "keyward:DeleteVpcEndpoint",
    "keyward:DescribeOrganization",
    "keyward:DescribeVpcEndpoint",
    "keyward:EndObserveMode",
    "keyward:ExpireAlertSilence",
    "keyward:ExplainDecision",
    "keyward:FindUnused",
    "keyward:Freeze",
    "keyward:GeneratePolicies",
    "keyward:GetAlertSettings",
    "keyward:GetObserveReport",
    "keyward:ListAlertSilences",
    "keyward:ListAlerts",
    "keyward:ListEvents",
    "keyward:ListFrozen",
    "keyward:ListVpcEndpoints",
    "keyward:PrincipalCan",
    "keyward:PutAlertSettings",
    "keyward:PutObserveMode",
    "keyward:PutOrganization",
    "keyward:PutVpcEndpoint",
    "keyward:ReplayPolicies",
    "keyward:Simulate",
    "keyward:Thaw",
    "keyward:WhoCan",
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:AssumeRoot",
    "sts:DecodeAuthorizationMessage",
    "sts:GetAccessKeyInfo",
    "sts:GetFederationToken",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

/// Every action that a guardrail can name.
pub fn guardrail_actions() -> impl Iterator<Item = &'static str> {
    KMS_ACTIONS.iter().chain(OTHERS).copied()
}

/// The nearest group of an action; `None` for an action of a service that nothing here decides.
pub(super) fn group(action: &str) -> Option<&'static str> {
    let (vendor, name) = action.split_once(':')?;
    if vendor == "kms" && KMS_ACTIONS.contains(&action) {
        return Some(kms_group(name));
    }
    SERVICES.iter().find(|service| **service == vendor).copied()
}

/// The group and the group above it.
pub(super) fn ancestors(action: &str) -> impl Iterator<Item = &'static str> {
    let group = group(action);
    let above = group.filter(|group| KMS_GROUPS.contains(group)).map(|_| "kms");
    group.into_iter().chain(above)
}

fn kms_group(name: &str) -> &'static str {
    let reads = ["Describe", "Get", "List"].iter().any(|verb| name.starts_with(verb));
    if CRYPTOGRAPHIC.contains(&name) {
        "kms:Cryptographic"
    } else if GRANTS.contains(&name) {
        "kms:Grants"
    // The parameters for an import are the first half of an import.
    } else if reads && name != "GetParametersForImport" {
        "kms:Reading"
    } else {
        "kms:Administration"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_listed_once_and_grouped_and_no_group_is_an_action() {
        let listed: Vec<&str> = guardrail_actions().collect();
        let distinct: std::collections::BTreeSet<_> = listed.iter().collect();
        assert_eq!(distinct.len(), listed.len());
        assert!(OTHERS.is_sorted());
        for action in &listed {
            assert!(ancestors(action).any(|group| SERVICES.contains(&group)), "{action}");
        }
        for group in KMS_GROUPS {
            assert!(listed.iter().any(|action| self::group(action) == Some(*group)), "{group}");
        }
        assert!(!listed.iter().any(|action| KMS_GROUPS.contains(action)));
        for name in CRYPTOGRAPHIC.iter().chain(GRANTS) {
            assert!(KMS_ACTIONS.contains(&format!("kms:{name}").as_str()), "{name}");
        }
        assert_eq!(ancestors("iam:NotYetThought").collect::<Vec<_>>(), ["iam"]);
        assert_eq!(ancestors("kms:Decrypt").collect::<Vec<_>>(), ["kms:Cryptographic", "kms"]);
        assert_eq!(ancestors("s3:GetObject").count(), 0);
    }
}
