//! `DescribeKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>

use super::prelude::*;
use keyward_crypto::algorithm;

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
    origin: &'static str,
    key_manager: &'static str,
    customer_master_key_spec: &'static str,
    key_spec: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_algorithms: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_algorithms: Option<Vec<&'static str>>,
    multi_region: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_key_material_id: Option<String>,
}

impl KeyMetadata {
    pub(crate) fn of(key: &KeyRecord) -> Self {
        let usage = |wanted: KeyUsage, names: Vec<&'static str>| (key.usage == wanted).then_some(names);
        Self {
            aws_account_id: key.name.account.to_string(),
            key_id: key.name.key_id.to_string(),
            arn: key.name.to_string(),
            creation_date: key.created.wire(),
            enabled: key.state == KeyState::Enabled,
            description: key.description.clone(),
            key_usage: key.usage.as_str(),
            key_state: key.state.as_str(),
            deletion_date: key.deletion_date.map(Timestamp::wire),
            origin: key.origin.as_str(),
            key_manager: "CUSTOMER",
            customer_master_key_spec: key.spec.as_str(),
            key_spec: key.spec.as_str(),
            encryption_algorithms: usage(KeyUsage::EncryptDecrypt, encryption_names(key.spec)),
            signing_algorithms: usage(KeyUsage::SignVerify, signing_names(key.spec)),
            mac_algorithms: usage(KeyUsage::GenerateVerifyMac, mac_names(key.spec)),
            multi_region: key.name.key_id.is_multi_region(),
            current_key_material_id: key.current_material.as_ref().filter(|_| key.spec.is_symmetric()).map(|id| id.0.clone()),
        }
    }
}

pub(crate) fn encryption_names(spec: KeySpec) -> Vec<&'static str> {
    algorithm::encryption_algorithms(spec).iter().map(|algorithm| algorithm.as_str()).collect()
}

pub(crate) fn signing_names(spec: KeySpec) -> Vec<&'static str> {
    algorithm::signing_algorithms(spec).iter().map(|algorithm| algorithm.as_str()).collect()
}

fn mac_names(spec: KeySpec) -> Vec<&'static str> {
    algorithm::mac_algorithms(spec).iter().map(|algorithm| algorithm.as_str()).collect()
}

impl Operation for DescribeKey {
    const SPEC: Spec = Spec {
        aliases: true,
        cross_account: true,
        read_only: true,
        errors: &[ErrorCode::NotFound, ErrorCode::InvalidArn, ErrorCode::DependencyTimeout, ErrorCode::Internal],
        ..control("DescribeKey", "GET", "/v1/keys/{KeyId}", &[KEY_ID, GRANT_TOKENS])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        Ok(Output { key_metadata: KeyMetadata::of(call.key()?) })
    }
}
