//! `DescribeKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>

use super::prelude::*;
use keyward_crypto::algorithm;
use keyward_types::{
    ExpirationModel, KeyName, MultiRegion, MultiRegionKeyType, Region, key::MaterialInfo,
};

pub(crate) struct DescribeKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    pub(crate) key_metadata: KeyMetadata,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyMetadata {
    #[serde(rename = "AWSAccountId")]
    aws_account_id: String,
    key_id: String,
    arn: String,
    creation_date: serde_json::Number,
    enabled: bool,
    description: String,
    key_usage: &'static str,
    key_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_date: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<serde_json::Number>,
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_key_store_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_model: Option<ExpirationModel>,
    key_manager: &'static str,
    customer_master_key_spec: &'static str,
    key_spec: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_agreement_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encapsulation_algorithms: Option<Vec<&'static str>>,
    multi_region: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_region_configuration: Option<MultiRegionConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_deletion_window_in_days: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xks_key_configuration: Option<XksKeyConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_key_material_id: Option<String>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_MultiRegionConfiguration.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MultiRegionConfiguration {
    multi_region_key_type: MultiRegionKeyType,
    primary_key: MultiRegionKey,
    replica_keys: Vec<MultiRegionKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MultiRegionKey {
    arn: String,
    region: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct XksKeyConfiguration {
    id: String,
}

impl MultiRegionConfiguration {
    fn of(key: &KeyRecord, related: &MultiRegion) -> Self {
        let one = |region: &Region| MultiRegionKey {
            arn: KeyName { region: region.clone(), ..key.name.clone() }.to_string(),
            region: region.to_string(),
        };
        Self {
            multi_region_key_type: related.type_in(&key.name.region),
            primary_key: one(&related.primary),
            replica_keys: related.replicas.iter().map(one).collect(),
        }
    }
}

impl KeyMetadata {
    /// `state` is the one that everybody sees.
    pub(crate) fn of(key: &KeyRecord, state: KeyState) -> Self {
        let current = key.current_place().and_then(|place| key.materials.get(place));
        let present =
            current.filter(|material| material.imported.is_some() && material.is_present());
        let usage =
            |wanted: KeyUsage, names: Vec<&'static str>| (key.usage == wanted).then_some(names);
        Self {
            aws_account_id: key.name.account.to_string(),
            key_id: key.name.key_id.to_string(),
            arn: key.name.to_string(),
            creation_date: key.created.wire(),
            enabled: state == KeyState::Enabled,
            description: key.description.clone(),
            key_usage: key.usage.as_str(),
            key_state: state.as_str(),
            deletion_date: key.deletion_date.map(Timestamp::wire),
            valid_to: present.and_then(MaterialInfo::valid_to).map(Timestamp::wire),
            origin: key.origin.as_str(),
            custom_key_store_id: key.key_store.as_ref().map(|place| place.store.clone()),
            expiration_model: present.map(expiration_model),
            key_manager: key.manager.as_str(),
            customer_master_key_spec: key.spec.as_str(),
            key_spec: key.spec.as_str(),
            encryption_algorithms: usage(KeyUsage::EncryptDecrypt, encryption_names(key.spec)),
            signing_algorithms: usage(KeyUsage::SignVerify, signing_names(key.spec)),
            mac_algorithms: usage(KeyUsage::GenerateVerifyMac, mac_names(key.spec)),
            key_agreement_algorithms: usage(KeyUsage::KeyAgreement, key_agreement_names(key.spec)),
            encapsulation_algorithms: usage(
                KeyUsage::EncapsulateDecapsulate,
                encapsulation_names(key.spec),
            ),
            multi_region: key.name.key_id.is_multi_region(),
            multi_region_configuration: key
                .multi_region
                .as_ref()
                .map(|related| MultiRegionConfiguration::of(key, related)),
            pending_deletion_window_in_days: key.pending_window_days,
            xks_key_configuration: key
                .key_store
                .as_ref()
                .map(|place| XksKeyConfiguration { id: place.external_key.clone() }),
            current_key_material_id: key
                .current_material
                .as_ref()
                .filter(|_| key.spec.is_symmetric())
                .map(|id| id.0.clone()),
        }
    }
}

impl KeyMetadata {
    /// The same in CloudTrail's form, with dates in words.
    pub(crate) fn trail(&self) -> Value {
        let mut form = serde_json::to_value(self).map_or(Value::Null, lower_camel);
        for name in ["creationDate", "deletionDate", "validTo"] {
            if let Some(date) = form.get_mut(name) {
                *date = trail_time(date);
            }
        }
        form
    }
}

pub(crate) fn encryption_names(spec: KeySpec) -> Vec<&'static str> {
    algorithm::encryption_algorithms(spec).iter().map(|algorithm| algorithm.as_str()).collect()
}

pub(crate) fn signing_names(spec: KeySpec) -> Vec<&'static str> {
    algorithm::signing_algorithms(spec).iter().map(|algorithm| algorithm.as_str()).collect()
}

pub(crate) fn key_agreement_names(spec: KeySpec) -> Vec<&'static str> {
    algorithm::key_agreement_algorithms(spec).iter().map(|algorithm| algorithm.as_str()).collect()
}

pub(crate) fn encapsulation_names(spec: KeySpec) -> Vec<&'static str> {
    algorithm::encapsulation_algorithms(spec).iter().map(|algorithm| algorithm.as_str()).collect()
}

/// Of an imported material that is there.
pub(crate) fn expiration_model(material: &MaterialInfo) -> ExpirationModel {
    match material.valid_to() {
        Some(_) => ExpirationModel::KeyMaterialExpires,
        None => ExpirationModel::KeyMaterialDoesNotExpire,
    }
}

fn mac_names(spec: KeySpec) -> Vec<&'static str> {
    algorithm::mac_algorithms(spec).iter().map(|algorithm| algorithm.as_str()).collect()
}

impl Operation for DescribeKey {
    const SPEC: Spec = Spec {
        aliases: true,
        cross_account: true,
        read_only: true,
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::DependencyTimeout,
            ErrorCode::Internal,
        ],
        ..control("DescribeKey", "GET", "/v1/keys/{KeyId}", &[KEY_ID, GRANT_TOKENS])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        Ok(Output { key_metadata: KeyMetadata::of(call.key()?, call.state_at(0)?) })
    }
}
