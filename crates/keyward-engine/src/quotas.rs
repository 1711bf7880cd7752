//! AWS's request quotas: how often an account may ask in a Region, by operation or by kind of key. Off unless an
//! operator turns them on; they show how a client bears `ThrottlingException`.
//!
//! A quota of n a second is a bucket of n that refills evenly. Requests count for the caller's account, whatever
//! comes of them after their keys were found. A refused one takes nothing from any quota.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html>

use crate::operation::Spec;
use keyward_types::{AccountId, ErrorCode, KeyRecord, KmsError, Region};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// What an operator chooses.
#[derive(Clone, Debug)]
pub struct Quotas {
    /// Customer managed keys in one account and Region. More answer `LimitExceededException`.
    pub keys_per_region: u64,
    /// `None` lets everybody ask as often as they like. Else requests a second by quota, where they shall differ
    /// from AWS's own.
    pub requests: Option<BTreeMap<String, u32>>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { keys_per_region: keyward_types::limits::KEYS_PER_REGION_MAX, requests: None }
    }
}

const SYMMETRIC: &str = "Symmetric";
const RSA: &str = "RSA";
const ECC: &str = "ECC";
const ML_DSA: &str = "ML_DSA";
const CUSTOM_KEY_STORE: &str = "CustomKeyStore";

/// Quotas that operations or kinds of keys share, or that have kinds, with AWS's figures. The first is that of most
/// Regions.
const SHARED: &[(&str, u32)] = &[
    (SYMMETRIC, 10_000),
    (RSA, 1_000),
    (ECC, 1_000),
    (ML_DSA, 1_000),
    (CUSTOM_KEY_STORE, 1_800),
    ("GenerateDataKeyPair.RSA_2048", 20),
    ("GenerateDataKeyPair.RSA_3072", 4),
    ("GenerateDataKeyPair.RSA_4096", 1),
    ("GenerateDataKeyPair.ECC_NIST_P256", 100),
    ("GenerateDataKeyPair.ECC_NIST_P384", 100),
    ("GenerateDataKeyPair.ECC_NIST_P521", 100),
    ("GenerateDataKeyPair.ECC_SECG_P256K1", 100),
    ("GenerateDataKeyPair.ECC_NIST_EDWARDS25519", 100),
];

/// Operations with a quota of their own.
const OWN: &[(u32, &[&str])] = &[
    (2_000, &["DescribeKey", "GetPublicKey", "ListResourceTags"]),
    (1_000, &["GetKeyPolicy", "GetKeyRotationStatus"]),
    (500, &["ListAliases", "ListKeys"]),
    (100, &["ListGrants", "ListKeyPolicies", "ListKeyRotations", "ListRetirableGrants"]),
    (50, &["CreateGrant", "RetireGrant", "RevokeGrant"]),
    (
        15,
        &[
            "DeleteAlias",
            "DeleteImportedKeyMaterial",
            "EnableKeyRotation",
            "ImportKeyMaterial",
            "PutKeyPolicy",
            "ScheduleKeyDeletion",
        ],
    ),
    (10, &["TagResource"]),
    (
        5,
        &[
            "CancelKeyDeletion",
            "ConnectCustomKeyStore",
            "CreateAlias",
            "CreateCustomKeyStore",
            "CreateKey",
            "DeleteCustomKeyStore",
            "DescribeCustomKeyStores",
            "DisableKey",
            "DisableKeyRotation",
            "DisconnectCustomKeyStore",
            "EnableKey",
            "GetKeyLastUsage",
            "ReplicateKey",
            "RotateKeyOnDemand",
            "UntagResource",
            "UpdateAlias",
            "UpdateCustomKeyStore",
            "UpdateKeyDescription",
            "UpdatePrimaryRegion",
        ],
    ),
    (1, &["GetParametersForImport"]),
];

/// The names of all quotas.
pub fn request_quotas() -> BTreeSet<&'static str> {
    let own = OWN.iter().flat_map(|(_, operations)| operations.iter().copied());
    SHARED.iter().map(|(name, _)| *name).chain(own).collect()
}

/// AWS's figure for a quota.
fn at_aws(quota: &str, region: &Region) -> u32 {
    if quota == SYMMETRIC {
        return match region.as_str() {
            "us-east-1" | "us-west-2" | "eu-west-1" => 100_000,
            "us-east-2" | "ap-southeast-1" | "ap-southeast-2" | "ap-northeast-1"
            | "eu-central-1" | "eu-west-2" => 20_000,
            _ => 10_000,
        };
    }
    let shared = SHARED.iter().find(|(name, _)| *name == quota).map(|(_, figure)| *figure);
    let own = || OWN.iter().find(|(_, operations)| operations.contains(&quota)).map(|(n, _)| *n);
    shared.or_else(own).unwrap_or(u32::MAX)
}

/// One quota that a request takes from, and how many units.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Charge {
    quota: Cow<'static, str>,
    /// The custom key store that the quota is of.
    store: Option<String>,
    units: u64,
}

impl Charge {
    const fn of(quota: &'static str) -> Self {
        Self { quota: Cow::Borrowed(quota), store: None, units: 1 }
    }
}

/// What a request takes from. Operations that AWS's page leaves out (key encapsulation) take from none.
fn charges(operation: &'static str, keys: &[&KeyRecord], pair_spec: Option<&str>) -> Vec<Charge> {
    if let ("GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext", Some(spec)) =
        (operation, pair_spec)
    {
        let quota = Cow::Owned(format!("GenerateDataKeyPair.{spec}"));
        return vec![Charge { quota, store: None, units: 1 }];
    }
    if operation == "ReplicateKey" {
        // One of the two is a rehearsal.
        return vec![Charge::of(operation), Charge { units: 2, ..Charge::of("CreateKey") }];
    }
    if operation == "GenerateRandom" {
        return vec![Charge::of(SYMMETRIC)];
    }
    if OWN.iter().any(|(_, operations)| operations.contains(&operation)) {
        return vec![Charge::of(operation)];
    }
    let taken: BTreeSet<Charge> = keys.iter().filter_map(|key| by_key(operation, key)).collect();
    taken.into_iter().collect()
}

/// What cryptography with a key takes from.
fn by_key(operation: &'static str, key: &KeyRecord) -> Option<Charge> {
    if matches!(operation, "Encapsulate" | "Decapsulate") {
        return None;
    }
    if let Some(place) = &key.key_store {
        return Some(Charge { store: Some(place.store.clone()), ..Charge::of(CUSTOM_KEY_STORE) });
    }
    Some(Charge::of(match key.spec {
        spec if spec.is_rsa() => RSA,
        spec if spec.is_ml_dsa() => ML_DSA,
        spec if spec.is_asymmetric() => ECC,
        _ => SYMMETRIC,
    }))
}

/// What is left of a quota.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousand millionths of a request.
    left: u64,
    at_nanos: u64,
}

const UNIT: u64 = 1_000_000_000;

impl Bucket {
    fn refilled(self, per_second: u32, now_nanos: u64) -> Self {
        let full = u64::from(per_second).saturating_mul(UNIT);
        let elapsed = now_nanos.saturating_sub(self.at_nanos);
        let more = elapsed.saturating_mul(per_second.into());
        Self { left: self.left.saturating_add(more).min(full), at_nanos: now_nanos }
    }
}

type Place = (AccountId, Region, Charge);

/// What was taken lately.
#[derive(Debug, Default)]
pub(crate) struct Meters(Mutex<BTreeMap<Place, Bucket>>);

/// Buckets kept at once. Beyond that the full ones, which nobody took from in the last second, are dropped.
const BUCKETS_MAX: usize = 10_000;

/// A request as quotas see it.
pub(crate) struct Asked<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    pub(crate) spec: &'a Spec,
    pub(crate) keys: &'a [&'a KeyRecord],
    /// `KeyPairSpec` of the request.
    pub(crate) pair_spec: Option<&'a str>,
    pub(crate) now_nanos: u64,
}

impl Meters {
    /// Takes the request from its quotas, or from none of them if one is used up.
    pub(crate) fn take(
        &self,
        asked: &Asked<'_>,
        overrides: &BTreeMap<String, u32>,
    ) -> Result<(), KmsError> {
        let Asked { account, region, spec, keys, pair_spec, now_nanos } = asked;
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        for charge in charges(spec.name, keys, *pair_spec) {
            let per_second = overrides.get(&*charge.quota).copied();
            let per_second = per_second.unwrap_or_else(|| at_aws(&charge.quota, region));
            let cost = charge.units.saturating_mul(UNIT);
            let place = ((*account).clone(), (*region).clone(), charge);
            let full = Bucket { left: u64::MAX, at_nanos: *now_nanos };
            let bucket = buckets.get(&place).copied().unwrap_or(full);
            let mut bucket = bucket.refilled(per_second, *now_nanos);
            bucket.left = bucket.left.checked_sub(cost).ok_or_else(exceeded)?;
            taken.push((place, bucket));
        }
        buckets.extend(taken);
        if BUCKETS_MAX < buckets.len() {
            buckets.retain(|_, bucket| now_nanos.saturating_sub(bucket.at_nanos) < UNIT);
        }
        Ok(())
    }
}

fn exceeded() -> KmsError {
    KmsError::new(
        ErrorCode::Throttling,
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OPERATIONS, Service};

    #[test]
    fn every_operation_of_kms_takes_from_a_known_quota() {
        let names = request_quotas();
        let kms = OPERATIONS.iter().map(|row| row.spec()).filter(|one| one.service == Service::Kms);
        for spec in kms {
            let own = charges(spec.name, &[], Some("RSA_2048"));
            assert!(own.iter().all(|charge| names.contains(&*charge.quota)), "{own:?}");
            let by_key = spec.plane == crate::Plane::Data && spec.name != "GetPublicKey";
            let paired = spec.name.starts_with("GenerateDataKeyPair");
            assert_eq!(
                own.is_empty(),
                by_key && !paired && spec.name != "GenerateRandom",
                "{}: {own:?}",
                spec.name
            );
        }
        for (_, operations) in OWN {
            assert!(
                operations.iter().all(|name| crate::find(Service::Kms, name).is_some()),
                "{operations:?}"
            );
        }
    }

    #[test]
    fn a_bucket_refills_evenly_and_never_beyond_its_quota() {
        let bucket = Bucket { left: 0, at_nanos: 0 };
        assert_eq!(bucket.refilled(4, UNIT / 2).left, 2 * UNIT);
        assert_eq!(bucket.refilled(4, 60 * UNIT).left, 4 * UNIT);
        assert_eq!(bucket.refilled(u32::MAX, u64::MAX).left, u64::from(u32::MAX) * UNIT);
    }
}
