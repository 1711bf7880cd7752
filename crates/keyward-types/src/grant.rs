//! Grants: permissions given to one principal on one key, without touching a policy.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use crate::{AccountId, GrantId, KeyName, Timestamp, aws_enum};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

aws_enum!(
    /// What a grant may allow. <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html#KMS-CreateGrant-request-Operations>
    GrantOperation {
        Decrypt = "Decrypt",
        Encrypt = "Encrypt",
        GenerateDataKey = "GenerateDataKey",
        GenerateDataKeyWithoutPlaintext = "GenerateDataKeyWithoutPlaintext",
        ReEncryptFrom = "ReEncryptFrom",
        ReEncryptTo = "ReEncryptTo",
        Sign = "Sign",
        Verify = "Verify",
        GetPublicKey = "GetPublicKey",
        CreateGrant = "CreateGrant",
        RetireGrant = "RetireGrant",
        DescribeKey = "DescribeKey",
        GenerateDataKeyPair = "GenerateDataKeyPair",
        GenerateDataKeyPairWithoutPlaintext = "GenerateDataKeyPairWithoutPlaintext",
        GenerateMac = "GenerateMac",
        VerifyMac = "VerifyMac",
        DeriveSharedSecret = "DeriveSharedSecret",
        Encapsulate = "Encapsulate",
        Decapsulate = "Decapsulate",
    }
);

/// Who receives a grant, or may retire it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grantee {
    /// An account's, user's, role's or session's ARN.
    Principal(String),
    /// A service, such as `s3.amazonaws.com`.
    Service(String),
}

/// What must hold of a request for a grant to count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GrantConstraints {
    /// The request's context is exactly this; names compare without case, values with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_context_equals: Option<BTreeMap<String, String>>,
    /// The request's context contains all of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_context_subset: Option<BTreeMap<String, String>>,
    /// The request is made for this AWS resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
}

impl GrantConstraints {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecord {
    pub grant_id: GrantId,
    pub key: KeyName,
    pub name: Option<String>,
    pub created: Timestamp,
    pub grantee: Grantee,
    /// The grantee's unique id when it was known: a principal deleted and made again is another one.
    pub grantee_id: Option<String>,
    pub retiring: Option<Grantee>,
    pub issuing_account: AccountId,
    pub operations: BTreeSet<GrantOperation>,
    #[serde(default)]
    pub constraints: GrantConstraints,
}
