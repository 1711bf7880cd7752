//! The bodies of requests and answers. What is sent has the members in the specification's order; of what
//! comes, members that are not known are passed over, and those that are known must be as specified.
//!
//! Source: <https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md#api-operations>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_types::{ProxyFailure, ProxyKey, ProxyRequest, ProxySealed};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

type Bytes = Zeroizing<Vec<u8>>;

/// The one algorithm of version 1.
const ALGORITHM: &str = "AES_GCM";
const INTEGRITY: &str = "SHA_256";

/// Bytes of a ciphertext's metadata.
const METADATA_LEN_MAX: usize = 20;
const TAG_LEN: usize = 16;
const USAGES_MAX: usize = 10;
const MANAGERS_MAX: usize = 10;

/// `GetHealthStatus`.
pub(crate) fn health(request: &ProxyRequest<'_>) -> Result<Bytes, ProxyFailure> {
    let asked = Asked {
        kms_operation: request.operation,
        kms_request_id: request.request_id.to_string(),
        ..Asked::default()
    };
    body(&Body { request_metadata: asked, ..Body::default() })
}

/// `GetKeyMetadata`.
pub(crate) fn metadata(request: &ProxyRequest<'_>) -> Result<Bytes, ProxyFailure> {
    body(&Body { request_metadata: asked(request), ..Body::default() })
}

/// `Encrypt`.
pub(crate) fn encrypt(
    request: &ProxyRequest<'_>,
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Bytes, ProxyFailure> {
    body(&Body {
        request_metadata: asked(request),
        additional_authenticated_data: base64_unless_empty(associated),
        plaintext: Some(Zeroizing::new(STANDARD.encode(plaintext))),
        encryption_algorithm: Some(ALGORITHM),
        ciphertext_data_integrity_value_algorithm: Some(INTEGRITY),
        ..Body::default()
    })
}

/// `Decrypt`.
pub(crate) fn decrypt(
    request: &ProxyRequest<'_>,
    associated: &[u8],
    sealed: &ProxySealed,
) -> Result<Bytes, ProxyFailure> {
    body(&Body {
        request_metadata: asked(request),
        additional_authenticated_data: base64_unless_empty(associated),
        encryption_algorithm: Some(ALGORITHM),
        ciphertext: Some(STANDARD.encode(&sealed.ciphertext)),
        ciphertext_metadata: base64_unless_empty(&sealed.metadata),
        initialization_vector: Some(STANDARD.encode(&sealed.initialization_vector)),
        authentication_tag: Some(STANDARD.encode(&sealed.authentication_tag)),
        ..Body::default()
    })
}

/// # Errors
/// [`ProxyFailure::Unreachable`] when every key manager is unavailable, else `Malformed`.
pub(crate) fn read_health(answer: &[u8]) -> Result<(), ProxyFailure> {
    let health: Health = parse(answer)?;
    let managers = &health.ekm_fleet_details;
    ensure(0 < health.xks_proxy_fleet_size)?;
    ensure((1..=MANAGERS_MAX).contains(&managers.len()))?;
    if managers.iter().all(|manager| manager.health_status == HealthStatus::Unavailable) {
        return Err(ProxyFailure::Unreachable);
    }
    Ok(())
}

/// # Errors
/// [`ProxyFailure::Malformed`].
pub(crate) fn read_metadata(answer: &[u8]) -> Result<ProxyKey, ProxyFailure> {
    let key: Key = parse(answer)?;
    ensure(key.key_usage.len() <= USAGES_MAX)?;
    let can = |usage: &str| key.key_usage.iter().any(|known| known == usage);
    Ok(ProxyKey {
        is_aes_256: key.key_spec == "AES_256",
        encrypts: can("ENCRYPT"),
        decrypts: can("DECRYPT"),
        enabled: key.key_status == KeyStatus::Enabled,
    })
}

/// # Errors
/// [`ProxyFailure::Malformed`], also when a length or the integrity value is not as it must be.
pub(crate) fn read_encrypt(
    answer: &[u8],
    associated: &[u8],
    plaintext_len: usize,
) -> Result<ProxySealed, ProxyFailure> {
    let answer: Encrypted = parse(answer)?;
    let metadata = answer.ciphertext_metadata.as_deref().unwrap_or_default();
    let sealed = ProxySealed {
        initialization_vector: decode(&answer.initialization_vector)?,
        authentication_tag: decode(&answer.authentication_tag)?,
        metadata: decode(metadata)?,
        ciphertext: decode(&answer.ciphertext)?,
    };
    ensure(matches!(sealed.initialization_vector.len(), 12 | 16))?;
    ensure(sealed.authentication_tag.len() == TAG_LEN)?;
    ensure(sealed.metadata.len() <= METADATA_LEN_MAX)?;
    ensure(sealed.ciphertext.len() == plaintext_len)?;
    let integrity = decode(&answer.ciphertext_data_integrity_value)?;
    ensure(integrity == integrity_value(associated, &sealed))?;
    Ok(sealed)
}

/// # Errors
/// [`ProxyFailure::Malformed`].
pub(crate) fn read_decrypt(answer: &[u8], ciphertext_len: usize) -> Result<Bytes, ProxyFailure> {
    let answer: Decrypted = parse(answer)?;
    let plaintext = Zeroizing::new(decode(&answer.plaintext)?);
    ensure(plaintext.len() == ciphertext_len)?;
    Ok(plaintext)
}

/// The `errorName` of a refusal.
pub(crate) fn error_name(answer: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Refused {
        error_name: String,
    }
    parse(answer).ok().map(|refused: Refused| refused.error_name)
}

/// What tells a bit that flipped on the way from one that was encrypted.
/// <https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md#appendix-c-ciphertext-data-integrity-value-cdiv-implementation-guidelines>
pub(crate) fn integrity_value(associated: &[u8], sealed: &ProxySealed) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [
        associated,
        &sealed.metadata,
        &sealed.initialization_vector,
        &sealed.ciphertext,
        &sealed.authentication_tag,
    ] {
        digest.update(part);
    }
    digest.finalize().into()
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'b> {
    request_metadata: Asked<'b>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_authenticated_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext_data_integrity_value_algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext_metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initialization_vector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_tag: Option<String>,
}

/// `requestMetadata`.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'b> {
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_principal_arn: Option<&'b str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_source_vpc: Option<&'b str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_source_vpce: Option<&'b str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_arn: Option<&'b str>,
    kms_operation: &'b str,
    kms_request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_via_service: Option<&'b str>,
}

fn asked<'b>(request: &ProxyRequest<'b>) -> Asked<'b> {
    Asked {
        aws_principal_arn: Some(request.principal_arn),
        aws_source_vpc: request.source_vpc,
        aws_source_vpce: request.source_vpce,
        kms_key_arn: request.key_arn,
        kms_operation: request.operation,
        kms_request_id: request.request_id.to_string(),
        kms_via_service: request.via_service,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    xks_proxy_fleet_size: u64,
    #[serde(rename = "xksProxyVendor")]
    _xks_proxy_vendor: String,
    #[serde(rename = "xksProxyModel")]
    _xks_proxy_model: String,
    #[serde(rename = "ekmVendor")]
    _ekm_vendor: String,
    ekm_fleet_details: Vec<Manager>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manager {
    #[serde(rename = "id")]
    _id: String,
    #[serde(rename = "model")]
    _model: String,
    health_status: HealthStatus,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum HealthStatus {
    Active,
    Degraded,
    Unavailable,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    key_spec: String,
    key_usage: Vec<String>,
    key_status: KeyStatus,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum KeyStatus {
    Enabled,
    Disabled,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Encrypted {
    ciphertext: String,
    #[serde(default)]
    ciphertext_metadata: Option<String>,
    initialization_vector: String,
    authentication_tag: String,
    ciphertext_data_integrity_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decrypted {
    plaintext: Zeroizing<String>,
}

/// Written into a buffer that need not grow, so that no copy of a plaintext is left behind.
fn body(body: &Body<'_>) -> Result<Bytes, ProxyFailure> {
    let asked = &body.request_metadata;
    let lens = [
        body.plaintext.as_deref().map_or(0, String::len),
        body.additional_authenticated_data.as_deref().map_or(0, str::len),
        body.ciphertext.as_deref().map_or(0, str::len),
        asked.aws_principal_arn.map_or(0, str::len),
        asked.kms_key_arn.map_or(0, str::len),
    ];
    // The names of all members, and the values that are short, have less than a kibibyte.
    let mut text = Zeroizing::new(Vec::with_capacity(lens.iter().sum::<usize>() + 1024));
    serde_json::to_writer(&mut *text, body).map_err(|_| ProxyFailure::Malformed)?;
    Ok(text)
}

fn base64_unless_empty(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| STANDARD.encode(bytes))
}

fn parse<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, ProxyFailure> {
    serde_json::from_slice(answer).map_err(|_| ProxyFailure::Malformed)
}

fn decode(text: &str) -> Result<Vec<u8>, ProxyFailure> {
    STANDARD.decode(text).map_err(|_| ProxyFailure::Malformed)
}

fn ensure(holds: bool) -> Result<(), ProxyFailure> {
    if holds { Ok(()) } else { Err(ProxyFailure::Malformed) }
}
