//! AWS's sentences, in one place: `rg wording::` lists every refusal the engine can utter.
//!
//! Source: recorded answers and <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>.

use keyward_types::{
    AccountId, AliasName, Caller, Decision, ErrorCode, GrantId, KeyName, KeyRecord, KeySpec,
    KmsError, Region, Timestamp,
};

pub(crate) fn invalid_key_id(text: &str) -> KmsError {
    let shown = if text.starts_with("arn:") { text.to_owned() } else { format!("'{text}'") };
    KmsError::new(ErrorCode::NotFound, format!("Invalid keyId {shown}"))
}

pub(crate) fn other_region(region: &Region) -> KmsError {
    KmsError::new(ErrorCode::NotFound, format!("Invalid arn {region}"))
}

pub(crate) fn no_such_key(name: &KeyName) -> KmsError {
    KmsError::new(ErrorCode::NotFound, format!("Key '{name}' does not exist"))
}

pub(crate) fn no_such_alias(account: &AccountId, region: &Region, alias: &AliasName) -> KmsError {
    KmsError::new(
        ErrorCode::NotFound,
        format!("Alias {} is not found.", alias.arn(account, region)),
    )
}

/// What stands behind the message of a refusal on the wire: where the explanation is.
fn pointer(caller: &Caller) -> String {
    let id = caller.origin.request_id;
    format!(" (request {id}; see why: keyward explain {id})")
}

/// The same error as its record says it: in AWS's words alone, so that like refusals read alike.
pub(crate) fn recorded(error: &KmsError, caller: &Caller) -> KmsError {
    let message = error.message.as_ref();
    let message =
        message.map(|words| words.strip_suffix(&pointer(caller)).unwrap_or(words).to_owned());
    KmsError { message, ..error.clone() }
}

/// A refusal that tells a caller of the key's own account why.
pub(crate) fn denied(decision: &Decision, caller: &Caller) -> KmsError {
    let message = decision.message(&caller.arn) + &pointer(caller);
    KmsError::new(ErrorCode::AccessDenied, message)
}

/// A refusal for another account's key, which sounds the same whether or not the key exists (P6).
pub(crate) fn denied_elsewhere(action: &str, caller: &Caller, by_ciphertext: bool) -> KmsError {
    let resource = if by_ciphertext {
        "the resource associated with this ciphertext"
    } else {
        "this resource"
    };
    KmsError::new(
        ErrorCode::AccessDenied,
        format!(
            "User: {} is not authorized to perform: {action} on {resource} because the resource does not exist in \
             this Region, no resource-based policies allow access, or a resource-based policy explicitly denies \
             access{}",
            caller.arn,
            pointer(caller)
        ),
    )
}

/// A refusal to assume a role, which sounds the same whether or not the role exists.
pub(crate) fn may_not_assume(caller: &Caller, action: &str, role_arn: &str) -> KmsError {
    KmsError::new(
        ErrorCode::AccessDenied,
        format!(
            "User: {} is not authorized to perform: {action} on resource: {role_arn}{}",
            caller.arn,
            pointer(caller)
        ),
    )
}

pub(crate) fn wrong_key() -> KmsError {
    KmsError::new(
        ErrorCode::IncorrectKey,
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
}

pub(crate) fn wrong_usage(key: &KeyRecord, operation: &str) -> KmsError {
    KmsError::new(
        ErrorCode::InvalidKeyUsage,
        format!("{} key usage is {} which is not valid for {operation}.", key.name, key.usage),
    )
}

/// Of an operation that wants material of another origin.
pub(crate) fn wrong_origin(key: &KeyRecord) -> KmsError {
    KmsError::new(
        ErrorCode::UnsupportedOperation,
        format!("{} origin is {} which is not valid for this operation.", key.name, key.origin),
    )
}

pub(crate) fn no_such_key_store(id: &str) -> KmsError {
    KmsError::new(
        ErrorCode::CustomKeyStoreNotFound,
        format!(
            "Custom key store {id} does not exist. Use the CustomKeyStoreId that CreateCustomKeyStore returned."
        ),
    )
}

pub(crate) fn not_a_primary(key: &KeyRecord) -> KmsError {
    KmsError::new(
        ErrorCode::UnsupportedOperation,
        format!("{} is not a multi-region primary key.", key.name),
    )
}

pub(crate) fn wrong_algorithm(algorithm: &str, spec: KeySpec) -> KmsError {
    KmsError::new(
        ErrorCode::InvalidKeyUsage,
        format!("Algorithm {algorithm} is incompatible with key spec {spec}."),
    )
}

pub(crate) fn dry_run() -> KmsError {
    KmsError::new(
        ErrorCode::DryRunOperation,
        "The request would have succeeded, but the DryRun option is set.",
    )
}

pub(crate) fn unsupported_spec(spec: KeySpec) -> KmsError {
    KmsError::new(
        ErrorCode::UnsupportedOperation,
        format!("KeySpec {spec} is not supported in this Region"),
    )
}

pub(crate) fn no_such_grant(grant_id: &GrantId) -> KmsError {
    KmsError::new(ErrorCode::NotFound, format!("Grant ID {grant_id} not found"))
}

pub(crate) fn bad_grant_token() -> KmsError {
    KmsError::new(
        ErrorCode::InvalidGrantToken,
        "Invalid grant token. Use a token that CreateGrant returned.",
    )
}

pub(crate) fn bad_marker() -> KmsError {
    KmsError::new(
        ErrorCode::InvalidMarker,
        "Invalid marker. Use the NextMarker of the previous answer.",
    )
}

/// Tokens and markers travel as URL-safe base64 without padding.
pub(crate) fn token_text(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes)
}

pub(crate) fn token_bytes(text: &str) -> Option<Vec<u8>> {
    base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text).ok()
}

/// A time as the query protocol writes it.
pub(crate) fn iso(time: Timestamp) -> String {
    chrono::DateTime::from_timestamp(time.seconds(), 0)
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        .unwrap_or_default()
}
