//! KMS's actions, as policies name them.
//!
//! The engine does not need the list: a statement matches an action by its text. It is here for
//! documents that name an action of KMS which does not exist, and for the Cedar form that people read.
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html>

use crate::pattern::Pattern;

/// Every action of KMS.
pub const KMS_ACTIONS: &[&str] = &[
    "kms:CancelKeyDeletion",
    "kms:ConnectCustomKeyStore",
    "kms:CreateAlias",
    "kms:CreateCustomKeyStore",
    "kms:CreateGrant",
    "kms:CreateKey",
    "kms:Decapsulate",
    "kms:Decrypt",
    "kms:DeleteAlias",
    "kms:DeleteCustomKeyStore",
    "kms:DeleteImportedKeyMaterial",
    "kms:DeriveSharedSecret",
    "kms:DescribeCustomKeyStores",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:DisconnectCustomKeyStore",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encapsulate",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:GenerateRandom",
    "kms:GetKeyLastUsage",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetParametersForImport",
    "kms:GetPublicKey",
    "kms:ImportKeyMaterial",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListKeys",
    "kms:ListResourceTags",
    "kms:ListRetirableGrants",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:ReplicateKey",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:Sign",
    "kms:SynchronizeMultiRegionKey",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateCustomKeyStore",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
    "kms:Verify",
    "kms:VerifyMac",
];

/// An action, or a pattern of actions. Names and patterns compare without case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionPattern {
    pub(crate) text: String,
    folded: Pattern,
}

impl ActionPattern {
    /// `*`, or `vendor:Name` with wildcards in the name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let syntax = crate::pattern::Syntax { variables: false, wildcards: true };
        let name_ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '?' | '_' | '-');
        if text != "*" && !is_idle(text) {
            let Some((vendor, name)) = text.split_once(':') else {
                return Err(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
                        .to_owned(),
                );
            };
            if name.contains(':') {
                return Err("Actions/Condition can contain only one colon.".to_owned());
            }
            if vendor.is_empty() || !vendor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                return Err(format!("Vendor {vendor} is not valid"));
            }
            if name.is_empty() || !name.chars().all(name_ok) {
                return Err(format!("{text} is not the name of an action"));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            folded: Pattern::parse(&text.to_ascii_lowercase(), syntax)?,
        })
    }

    pub(crate) fn fits(&self, action: &str) -> bool {
        !is_idle(&self.text) && self.folded.fits(&action.to_ascii_lowercase())
    }

    /// In lower case, what an action in lower case must fit; `None` for what matches nothing.
    pub(crate) fn pattern(&self) -> Option<&Pattern> {
        (!is_idle(&self.text)).then_some(&self.folded)
    }

    /// Whether the pattern can match nothing: it is idle, or for KMS and names nothing that KMS has.
    pub(crate) fn is_unknown_to_kms(&self) -> bool {
        if is_idle(&self.text) {
            return true;
        }
        self.text.get(..4).is_some_and(|vendor| vendor.eq_ignore_ascii_case("kms:"))
            && !KMS_ACTIONS.iter().any(|action| self.fits(action))
    }
}

/// AWS neither trims an action nor cuts it at commas: such a text matches nothing.
fn is_idle(text: &str) -> bool {
    text.trim() != text || text.contains(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_compare_without_case_and_with_wildcards() {
        let fits =
            |pattern: &str, action: &str| ActionPattern::parse(pattern).unwrap().fits(action);
        assert!(fits("KMS:decrypt", "kms:Decrypt"));
        assert!(fits("kms:Re*", "kms:ReEncryptFrom"));
        assert!(fits("kms:Generate?ac", "kms:GenerateMac"));
        assert!(fits("*", "iam:CreateUser"));
        assert!(!fits("kms:*", "iam:CreateUser"));
        for bad in ["Decrypt", "kms:", "kms:a:b", "k*:Decrypt", "kms:De crypt"] {
            assert!(ActionPattern::parse(bad).is_err(), "{bad}");
        }
        for idle in [" kms:Decrypt", "kms:Decrypt ", "kms:Decrypt,kms:Encrypt", " *", "*,*"] {
            assert!(!fits(idle, "kms:Decrypt"), "{idle}");
            assert!(ActionPattern::parse(idle).unwrap().is_unknown_to_kms(), "{idle}");
        }
        assert!(ActionPattern::parse("kms:Decrpyt").unwrap().is_unknown_to_kms());
        assert!(!ActionPattern::parse("kms:List*").unwrap().is_unknown_to_kms());
        assert!(!ActionPattern::parse("s3:GetObject").unwrap().is_unknown_to_kms());
    }
}
