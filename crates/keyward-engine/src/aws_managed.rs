//! AWS's own managed policies, as far as users of a key service attach them.
//!
//! Each has AWS's ARN and says what AWS's document says; where that excludes `organizations:*`, what Keyward
//! has instead is excluded too. They cannot be changed, and belong to no account.
//! Source: <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>

use keyward_types::Timestamp;

/// What their ARNs begin with: they belong to no account.
const PREFIX: &str = "arn:aws:iam::aws:policy/";

/// The day on which AWS published the first of them, which stands for when any was made or changed.
pub(crate) const CREATED: Timestamp = Timestamp(1_423_247_986_000);

/// One of them. Every one has the path `/`.
pub(crate) struct AwsManaged {
    pub(crate) name: &'static str,
    /// `ANPA…`
    pub(crate) policy_id: &'static str,
    pub(crate) description: &'static str,
    pub(crate) document: &'static str,
}

impl AwsManaged {
    pub(crate) fn arn(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }
}

/// By name.
pub(crate) const ALL: &[AwsManaged] = &[
    AwsManaged {
        name: "AWSKeyManagementServicePowerUser",
        policy_id: "ANPAJNPP7PPPPMJRV2SA4",
        description: "Provides access to AWS Key Management Service (KMS).",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:CreateAlias","kms:CreateKey","kms:DeleteAlias","kms:Describe*","kms:GenerateRandom","kms:Get*","kms:List*","kms:TagResource","kms:UntagResource","iam:ListGroups","iam:ListRoles","iam:ListUsers"],"Resource":"*"}]}"#,
    },
    AwsManaged {
        name: "AdministratorAccess",
        policy_id: "ANPAIWMBCKSKIEE64ZLYK",
        description: "Provides full access to AWS services and resources.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    },
    AwsManaged {
        name: "IAMFullAccess",
        policy_id: "ANPAI7XKCFMBPM3QQRRVQ",
        description: "Provides full access to IAM via the AWS Management Console.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount","organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy","organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget","organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}]}"#,
    },
    AwsManaged {
        name: "PowerUserAccess",
        policy_id: "ANPAJYRXTHIB4FOVS3ZXS",
        description: "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*","keyward:PutOrganization","keyward:DeleteOrganization"],"Resource":"*"},{"Effect":"Allow","Action":["iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles","organizations:DescribeOrganization","account:ListRegions","account:GetAccountInformation"],"Resource":"*"}]}"#,
    },
];

/// Whether an ARN is one of AWS's policies, also of those that are not here.
pub(crate) fn is_arn(arn: &str) -> bool {
    arn.strip_prefix(PREFIX).is_some_and(|name| !name.is_empty())
}

/// The policy of an ARN.
pub(crate) fn find(arn: &str) -> Option<&'static AwsManaged> {
    let name = arn.strip_prefix(PREFIX)?;
    ALL.iter().find(|policy| policy.name == name)
}

pub(crate) fn document(arn: &str) -> Option<&'static str> {
    find(arn).map(|policy| policy.document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_valid_policy_under_its_own_arn() {
        let engine = keyward_policy::PolicyEngine::new();
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        for policy in ALL {
            engine.validate_identity_policy(policy.document).unwrap();
            assert_eq!(document(&policy.arn()), Some(policy.document));
        }
        assert!(find("arn:aws:iam::111122223333:policy/AdministratorAccess").is_none());
    }
}
