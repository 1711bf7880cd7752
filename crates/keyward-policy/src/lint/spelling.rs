//! Condition keys as AWS spells them, for advice. Evaluation folds their case.

/// Every key with a fixed name, and the families with what they begin with.
const SPELLINGS: &[&str] = &[
    "aws:AssumedRoot",
    "aws:CalledVia",
    "aws:CalledViaAWSMCP",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:ChatbotSourceArn",
    "aws:CurrentTime",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc",
    "aws:EpochTime",
    "aws:FederatedProvider",
    "aws:IsMcpServiceAction",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgMasterAccountId",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalTag/",
    "aws:PrincipalType",
    "aws:Referer",
    "aws:RequestTag/",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:ResourceTag/",
    "aws:SecureTransport",
    "aws:SignInSessionArn",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "aws:TagKeys",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:ViaAWSMCPService",
    "aws:ViaAWSService",
    "aws:VpcSourceIp",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:VpceOrgPaths",
    "aws:userid",
    "aws:username",
    "kms:BypassPolicyLockoutSafetyCheck",
    "kms:CallerAccount",
    "kms:CustomerMasterKeySpec",
    "kms:CustomerMasterKeyUsage",
    "kms:DataKeyPairSpec",
    "kms:EncryptionAlgorithm",
    "kms:EncryptionContext:",
    "kms:EncryptionContextKeys",
    "kms:ExpirationModel",
    "kms:GrantConstraintSourceArn",
    "kms:GrantConstraintType",
    "kms:GrantIsForAWSResource",
    "kms:GrantOperations",
    "kms:GranteePrincipal",
    "kms:GranteeServicePrincipal",
    "kms:KeyAgreementAlgorithm",
    "kms:KeyOrigin",
    "kms:KeySpec",
    "kms:KeyUsage",
    "kms:MacAlgorithm",
    "kms:MessageType",
    "kms:MultiRegion",
    "kms:MultiRegionKeyType",
    "kms:PolicyName",
    "kms:PrimaryRegion",
    "kms:ReEncryptOnSameKey",
    "kms:RecipientAttestation:",
    "kms:ReplicaRegion",
    "kms:RequestAlias",
    "kms:ResourceAliases",
    "kms:RetiringPrincipal",
    "kms:RetiringServicePrincipal",
    "kms:RotationPeriodInDays",
    "kms:ScheduleKeyDeletionPendingWindowInDays",
    "kms:SigningAlgorithm",
    "kms:TrailingDaysWithoutKeyUsage",
    "kms:ValidTo",
    "kms:ViaService",
    "kms:WrappingAlgorithm",
    "kms:WrappingKeySpec",
];

/// The key that was likely meant by one that AWS does not have.
pub(super) fn meant(key: &str) -> Option<String> {
    if let Some(whole) = super::nearest::nearest(key, SPELLINGS.iter().copied()) {
        let lacks_rest = whole.ends_with([':', '/']);
        return Some(if lacks_rest { format!("{whole}NAME") } else { whole.to_owned() });
    }
    // A family that is misspelt before the client's part of the name.
    let begins = key.match_indices([':', '/']).filter_map(|(end, _)| key.split_at_checked(end + 1));
    begins
        .filter_map(|(begin, rest)| {
            let families = SPELLINGS.iter().copied().filter(|name| name.ends_with([':', '/']));
            Some(format!("{}{rest}", super::nearest::nearest(begin, families)?))
        })
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{ConditionKey, KEYS};

    #[test]
    fn every_key_is_spelt() {
        for row in KEYS {
            assert!(SPELLINGS.iter().any(|name| name.to_lowercase() == row.name), "{}", row.name);
        }
        for name in SPELLINGS {
            let whole = format!("{name}{}", if name.ends_with([':', '/']) { "x" } else { "" });
            assert!(ConditionKey::parse(&whole).is_some(), "{name}");
        }
        assert!(SPELLINGS.is_sorted());
    }

    #[test]
    fn what_was_meant_is_found() {
        for (key, expected) in [
            ("kms:ViaServices", Some("kms:ViaService")),
            ("aws:PrincipalOrgld", Some("aws:PrincipalOrgID")),
            ("kms:EncriptionContext:Team", Some("kms:EncryptionContext:Team")),
            ("kms:EncryptionContext:", Some("kms:EncryptionContext:NAME")),
            ("aws:RequestTags/Team", Some("aws:RequestTag/Team")),
            ("kms:Nonsense", None),
        ] {
            assert_eq!(meant(key).as_deref(), expected, "{key}");
        }
    }
}
