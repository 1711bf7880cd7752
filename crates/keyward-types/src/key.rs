//! Keys, their material (sealed), aliases and last use, as they are stored.
//!
//! INVARIANT: a [`MaterialRecord`] holds wrapped bytes only; nothing here can unwrap them.

use crate::{AccountId, AliasName, KeyName, Region, Timestamp, caller::Document};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An enumeration that AWS names in capitals: one table for the wire, the store and messages.
/// A crate that uses it depends on `serde`.
#[macro_export]
macro_rules! aws_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $wire:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $(#[serde(rename = $wire)] $variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// AWS's names, in the model's order.
            pub const NAMES: &'static [&'static str] = &[$($wire,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($wire => Some(Self::$variant),)* _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html#KMS-Type-KeyMetadata-KeySpec>
    KeySpec {
        Rsa2048 = "RSA_2048",
        Rsa3072 = "RSA_3072",
        Rsa4096 = "RSA_4096",
        EccNistP256 = "ECC_NIST_P256",
        EccNistP384 = "ECC_NIST_P384",
        EccNistP521 = "ECC_NIST_P521",
        EccSecgP256k1 = "ECC_SECG_P256K1",
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        Hmac224 = "HMAC_224",
        Hmac256 = "HMAC_256",
        Hmac384 = "HMAC_384",
        Hmac512 = "HMAC_512",
        Sm2 = "SM2",
        MlDsa44 = "ML_DSA_44",
        MlDsa65 = "ML_DSA_65",
        MlDsa87 = "ML_DSA_87",
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
        MlKem512 = "ML_KEM_512",
        MlKem768 = "ML_KEM_768",
        MlKem1024 = "ML_KEM_1024",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html#KMS-Type-KeyMetadata-KeyUsage>
    KeyUsage {
        SignVerify = "SIGN_VERIFY",
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        KeyAgreement = "KEY_AGREEMENT",
        EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
    KeyState {
        Creating = "Creating",
        Enabled = "Enabled",
        Disabled = "Disabled",
        PendingDeletion = "PendingDeletion",
        PendingImport = "PendingImport",
        PendingReplicaDeletion = "PendingReplicaDeletion",
        Unavailable = "Unavailable",
        Updating = "Updating",
    }
);

aws_enum!(
    /// Where key material comes from. <https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html#KMS-Type-KeyMetadata-Origin>
    MaterialOrigin {
        AwsKms = "AWS_KMS",
        External = "EXTERNAL",
        AwsCloudHsm = "AWS_CLOUDHSM",
        ExternalKeyStore = "EXTERNAL_KEY_STORE",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotationsListEntry.html>
    RotationType { Automatic = "AUTOMATIC", OnDemand = "ON_DEMAND", }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotationsListEntry.html>
    MaterialState {
        NonCurrent = "NON_CURRENT",
        Current = "CURRENT",
        PendingRotation = "PENDING_ROTATION",
        PendingMultiRegionImportAndRotation = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html#KMS-Type-KeyMetadata-ExpirationModel>
    ExpirationModel {
        KeyMaterialExpires = "KEY_MATERIAL_EXPIRES",
        KeyMaterialDoesNotExpire = "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_MultiRegionConfiguration.html>
    MultiRegionKeyType { Primary = "PRIMARY", Replica = "REPLICA", }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-mgmt>
    KeyManager { Aws = "AWS", Customer = "CUSTOMER", }
);

// The macro derives no default, and most keys are their customers'.
#[expect(clippy::derivable_impls, reason = "the macro's variants take no attribute")]
impl Default for KeyManager {
    fn default() -> Self {
        Self::Customer
    }
}

impl KeyState {
    /// Whether a deletion is scheduled that can be cancelled.
    pub const fn is_pending_deletion(self) -> bool {
        matches!(self, Self::PendingDeletion | Self::PendingReplicaDeletion)
    }
}

impl KeySpec {
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::SymmetricDefault)
    }

    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    pub const fn is_ml_dsa(self) -> bool {
        matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    pub const fn is_hmac(self) -> bool {
        matches!(self, Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512)
    }

    pub const fn is_asymmetric(self) -> bool {
        !self.is_symmetric() && !self.is_hmac()
    }
}

/// 64 hexadecimal digits that name one key material.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaterialId(pub String);

/// A KMS key: everything about it except its material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    pub name: KeyName,
    pub spec: KeySpec,
    pub usage: KeyUsage,
    pub origin: MaterialOrigin,
    pub state: KeyState,
    pub description: String,
    pub created: Timestamp,
    pub deletion_date: Option<Timestamp>,
    /// The key policy named `default`, as it was sent.
    pub policy: Document,
    /// Unique ids, at the time of saving, of the users and roles that the policy names, by ARN:
    /// a principal deleted and made again is another one.
    #[serde(default)]
    pub policy_principals: BTreeMap<String, String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub rotation: Rotation,
    /// The material that encrypts and signs now.
    pub current_material: Option<MaterialId>,
    /// Every material that may decrypt, oldest first, without its bytes.
    #[serde(default)]
    pub materials: Vec<MaterialInfo>,
    /// SubjectPublicKeyInfo of an asymmetric key.
    #[serde(default)]
    pub public_key: Option<Vec<u8>>,
    /// The keys to which a multi-Region key is related, the same in the record of each.
    #[serde(default)]
    pub multi_region: Option<MultiRegion>,
    /// Days to wait once the last replica of a primary key is gone; present while the primary key is
    /// pending replica deletion.
    #[serde(default)]
    pub pending_window_days: Option<u16>,
    /// The custom key store that the key is in.
    #[serde(default)]
    pub key_store: Option<KeyInStore>,
    /// Who made the key and looks after it.
    #[serde(default)]
    pub manager: KeyManager,
}

/// A key's place in an external key store: the ids of the store and of the external key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInStore {
    pub store: String,
    pub external_key: String,
}

/// Which Regions hold a multi-Region key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiRegion {
    pub primary: Region,
    /// Never holds the primary's own Region.
    pub replicas: BTreeSet<Region>,
}

impl MultiRegion {
    /// What the key of this Region is.
    pub fn type_in(&self, region: &Region) -> MultiRegionKeyType {
        if *region == self.primary {
            MultiRegionKeyType::Primary
        } else {
            MultiRegionKeyType::Replica
        }
    }

    /// Every Region, the primary first.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        core::iter::once(&self.primary).chain(&self.replicas)
    }
}

impl KeyRecord {
    /// Whether the key is a multi-Region replica.
    pub fn is_replica(&self) -> bool {
        self.multi_region.as_ref().is_some_and(|related| related.primary != self.name.region)
    }

    /// The names of the related keys in other Regions.
    pub fn related(&self) -> Vec<KeyName> {
        let regions = self.multi_region.iter().flat_map(MultiRegion::regions);
        regions
            .filter(|region| **region != self.name.region)
            .map(|region| KeyName { region: region.clone(), ..self.name.clone() })
            .collect()
    }

    /// Whether every imported material that the key ever used is there. True of other keys.
    pub fn has_all_material(&self) -> bool {
        let used = self.current_place().map_or(0, |place| place + 1);
        self.origin != MaterialOrigin::External
            || (0 < used && self.materials.iter().take(used).all(MaterialInfo::is_present))
    }

    /// Where the current material stands among [`KeyRecord::materials`]; those after it wait for a rotation.
    pub fn current_place(&self) -> Option<usize> {
        let current = self.current_material.as_ref()?;
        self.materials.iter().position(|material| material.id == *current)
    }

    /// Writes down imported material that is new to the key, present or not. The first is current at once.
    pub fn take_in(&mut self, material: &MaterialInfo, public_key: Option<Vec<u8>>) {
        if self.materials.is_empty() {
            self.current_material = Some(material.id.clone());
            self.public_key = public_key;
        }
        self.materials.push(material.clone());
    }

    /// The imported material that a rotation would make current.
    pub fn pending_material(&self) -> Option<&MaterialInfo> {
        self.current_place().and_then(|place| self.materials.get(place + 1))
    }
}

/// Rotation settings and history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub enabled: bool,
    /// 90 to 2560.
    pub period_days: u16,
    /// When the next automatic rotation is due.
    pub next: Option<Timestamp>,
    pub on_demand_count: u16,
}

/// What ListKeyRotations tells of one material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaterialInfo {
    pub id: MaterialId,
    pub created: Timestamp,
    /// `None` for the first material, and for one that waits for a rotation.
    pub rotation: Option<RotationType>,
    /// When the rotation made it current; absent where that was when it was made.
    #[serde(default)]
    pub rotated: Option<Timestamp>,
    #[serde(default)]
    pub imported: Option<Imported>,
}

/// What is known of an imported material.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// False when it was deleted or has expired: its id and place stay.
    pub present: bool,
    pub valid_to: Option<Timestamp>,
    pub description: Option<String>,
}

impl MaterialInfo {
    /// Made by this service.
    pub const fn made(id: MaterialId, created: Timestamp) -> Self {
        Self { id, created, rotation: None, rotated: None, imported: None }
    }

    pub fn is_present(&self) -> bool {
        self.imported.as_ref().is_none_or(|imported| imported.present)
    }

    pub fn valid_to(&self) -> Option<Timestamp> {
        self.imported.as_ref().filter(|imported| imported.present)?.valid_to
    }
}

/// One key material, wrapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaterialRecord {
    pub key: KeyName,
    pub id: MaterialId,
    /// The material, wrapped under the key's own data-encryption key.
    pub wrapped: Vec<u8>,
}

/// The data-encryption key of one KMS key, wrapped under the root hierarchy.
///
/// It is destroyed when the KMS key is deleted, after which no copy of the journal opens the material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DekRecord {
    pub key: KeyName,
    pub wrapped: Vec<u8>,
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    pub account: AccountId,
    pub region: Region,
    pub name: AliasName,
    pub target: KeyName,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// The last successful cryptographic use of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUsage {
    pub operation: String,
    pub time: Timestamp,
    pub event_id: uuid::Uuid,
    pub request_id: uuid::Uuid,
}
