//! The condition keys of a recorded request: which parameter of which action fills which key.
//!
//! Operations state the same of a live request (`Operation::facts`); `tests/suite/usage.rs` holds the two together
//! by replaying what live requests left.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>

use super::record::Record;
use crate::ask::{self, Entry};
use serde_json::Value;

/// A parameter, the condition key that it fills, and what stands for it where the request leaves it out.
type Row = (&'static str, &'static str, Option<&'static str>);

const ENCRYPTION: &[Row] =
    &[("encryptionAlgorithm", "kms:EncryptionAlgorithm", Some("SYMMETRIC_DEFAULT"))];
const DATA_KEY: &[Row] = &[("", "kms:EncryptionAlgorithm", Some("SYMMETRIC_DEFAULT"))];
const KEY_PAIR: &[Row] = &[
    ("", "kms:EncryptionAlgorithm", Some("SYMMETRIC_DEFAULT")),
    ("keyPairSpec", "kms:DataKeyPairSpec", None),
];
const SIGN: &[Row] = &[
    ("signingAlgorithm", "kms:SigningAlgorithm", None),
    ("messageType", "kms:MessageType", Some("RAW")),
];
const MAC: &[Row] = &[("macAlgorithm", "kms:MacAlgorithm", None)];
const BYPASS: Row = ("bypassPolicyLockoutSafetyCheck", "kms:BypassPolicyLockoutSafetyCheck", None);
const POLICY: &[Row] = &[("policyName", "kms:PolicyName", Some("default")), BYPASS];

fn rows(action: &str) -> &'static [Row] {
    match action.strip_prefix("kms:").unwrap_or_default() {
        "Encrypt" | "Decrypt" => ENCRYPTION,
        "ReEncryptFrom" => {
            &[("sourceEncryptionAlgorithm", "kms:EncryptionAlgorithm", Some("SYMMETRIC_DEFAULT"))]
        }
        "ReEncryptTo" => &[(
            "destinationEncryptionAlgorithm",
            "kms:EncryptionAlgorithm",
            Some("SYMMETRIC_DEFAULT"),
        )],
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => DATA_KEY,
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => KEY_PAIR,
        "Sign" | "Verify" => SIGN,
        "GenerateMac" | "VerifyMac" => MAC,
        "DeriveSharedSecret" => {
            &[("keyAgreementAlgorithm", "kms:KeyAgreementAlgorithm", Some("ECDH"))]
        }
        "PutKeyPolicy" | "GetKeyPolicy" => POLICY,
        "EnableKeyRotation" => &[("rotationPeriodInDays", "kms:RotationPeriodInDays", Some("365"))],
        "ScheduleKeyDeletion" => {
            &[("pendingWindowInDays", "kms:ScheduleKeyDeletionPendingWindowInDays", Some("30"))]
        }
        "UpdatePrimaryRegion" => &[("primaryRegion", "kms:PrimaryRegion", None)],
        "ReplicateKey" => &[("replicaRegion", "kms:ReplicaRegion", None), BYPASS],
        "GetParametersForImport" => &[
            ("wrappingAlgorithm", "kms:WrappingAlgorithm", None),
            ("wrappingKeySpec", "kms:WrappingKeySpec", None),
        ],
        "ImportKeyMaterial" => &[("expirationModel", "kms:ExpirationModel", None)],
        "CreateGrant" => &[
            ("operations", "kms:GrantOperations", None),
            ("granteePrincipal", "kms:GranteePrincipal", None),
            ("retiringPrincipal", "kms:RetiringPrincipal", None),
            ("granteeServicePrincipal", "kms:GranteeServicePrincipal", None),
            ("retiringServicePrincipal", "kms:RetiringServicePrincipal", None),
        ],
        "CreateKey" => &[
            ("keySpec", "kms:KeySpec", Some("SYMMETRIC_DEFAULT")),
            ("keyUsage", "kms:KeyUsage", Some("ENCRYPT_DECRYPT")),
            ("origin", "kms:KeyOrigin", Some("AWS_KMS")),
            ("multiRegion", "kms:MultiRegion", Some("false")),
            BYPASS,
        ],
        _ => &[],
    }
}

pub(crate) fn is_on_no_key(action: &str) -> bool {
    ask::ON_NO_KEY.contains(&action)
}

/// Everything that the record tells of its request, for questions about one action.
pub(super) fn of(record: &Record<'_>, action: &str) -> Vec<Entry> {
    let mut found = way(record);
    for (parameter, key, default) in rows(action) {
        match record.parameter(parameter) {
            Some(value) => found.extend(values(value).map(|values| entry(key, values))),
            None => found.extend(default.map(|value| one(key, value))),
        }
    }
    let alias = match action {
        "kms:ReEncryptFrom" => "sourceKeyId",
        "kms:ReEncryptTo" => "destinationKeyId",
        _ => "keyId",
    };
    if let Some(alias) = record.text(alias).and_then(alias_name) {
        found.push(one("kms:RequestAlias", alias));
    }
    match action {
        "kms:CreateGrant" => found.extend(constraints(record)),
        "kms:ReEncryptFrom" | "kms:ReEncryptTo" => {
            let mut keys = record.keys();
            let first = keys.next();
            let same = keys.all(|key| Some(key) == first);
            found.push(one("kms:ReEncryptOnSameKey", if same { "true" } else { "false" }));
        }
        _ => {}
    }
    found.extend(tags(record));
    found
}

/// How the request came.
fn way(record: &Record<'_>) -> Vec<Entry> {
    let mut found = vec![
        one("aws:CurrentTime", &record.time),
        one("aws:RequestedRegion", &record.aws_region),
        one("aws:SecureTransport", if record.is_over_tls() { "true" } else { "false" }),
    ];
    if record.source_ip.parse::<std::net::IpAddr>().is_ok() {
        found.push(one("aws:SourceIp", &record.source_ip));
    }
    let (begun, mfa) = record.session();
    let is_service = record.user_identity.kind.as_deref() == Some("AWSService");
    let via = record.user_identity.invoked_by.as_deref().filter(|_| !is_service);
    let stated = [
        ("aws:UserAgent", record.user_agent.as_deref()),
        ("aws:SourceVpce", record.vpc_endpoint_id.as_deref()),
        ("kms:ViaService", via),
        ("aws:TokenIssueTime", begun),
        ("aws:MultiFactorAuthPresent", mfa),
    ];
    found.extend(stated.iter().filter_map(|(name, value)| Some(one(name, (*value)?))));
    found
}

fn constraints(record: &Record<'_>) -> Vec<Entry> {
    let Some(constraints) = record.parameter("constraints") else { return Vec::new() };
    let types = [
        ("encryptionContextEquals", "EncryptionContextEquals"),
        ("encryptionContextSubset", "EncryptionContextSubset"),
        ("sourceArn", "SourceArn"),
    ];
    let present: Vec<String> = types
        .iter()
        .filter(|(member, _)| constraints.get(*member).is_some_and(|value| !value.is_null()))
        .map(|(_, name)| (*name).to_owned())
        .collect();
    let mut found = Vec::new();
    if !present.is_empty() {
        found.push(entry("kms:GrantConstraintType", present));
    }
    if let Some(arn) = constraints.get("sourceArn").and_then(Value::as_str) {
        found.push(one("kms:GrantConstraintSourceArn", arn));
    }
    found
}

/// Tags that the request sets or takes away.
fn tags(record: &Record<'_>) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut names = Vec::new();
    let set = record.parameter("tags").and_then(Value::as_array);
    for tag in set.into_iter().flatten() {
        let text = |name: &str| tag.get(name).and_then(Value::as_str);
        if let (Some(name), Some(value)) = (text("tagKey"), text("tagValue")) {
            found.push(one(&format!("aws:RequestTag/{name}"), value));
            names.push(name.to_owned());
        }
    }
    if let Some(taken) = record.parameter("tagKeys").and_then(values) {
        names.extend(taken);
    }
    if !names.is_empty() {
        found.push(entry("aws:TagKeys", names));
    }
    found
}

/// `alias/app` of `alias/app` or of its ARN.
fn alias_name(key: &str) -> Option<&str> {
    if key.starts_with("alias/") {
        return Some(key);
    }
    key.split(':').nth(5).filter(|rest| key.starts_with("arn:") && rest.starts_with("alias/"))
}

/// A value or a list of them as text.
fn values(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Bool(_) | Value::Number(_) => Some(vec![value.to_string()]),
        Value::Array(items) => Some(items.iter().filter_map(values).flatten().collect()),
        Value::Null | Value::Object(_) => None,
    }
}

fn one(name: &str, value: &str) -> Entry {
    entry(name, vec![value.to_owned()])
}

fn entry(name: &str, values: Vec<String>) -> Entry {
    Entry { name: name.to_owned(), values }
}
