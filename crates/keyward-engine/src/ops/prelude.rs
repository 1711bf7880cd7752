//! What every operation file starts from: row templates, shared answers, pages.

pub(crate) use super::shapes::*;
pub(crate) use crate::{
    call::Call,
    operation::{Empty, Operation, Plane, Service, Spec, Subject, Target},
    shape::{Kind, Member, optional, required, text},
    wording,
};
pub(crate) use keyward_policy::Facts;
pub(crate) use keyward_types::{
    Blob, EncryptionContext, ErrorCode, KeyRecord, KeyRef, KeySpec, KeyState, KeyUsage, KmsError,
    Name, Record, Timestamp,
};
pub(crate) use serde::{Deserialize, Serialize};
pub(crate) use serde_json::{Value, json};

/// States of a key that can be used.
pub(crate) const USABLE: &[KeyState] = &[KeyState::Enabled, KeyState::Updating];
/// Any state.
pub(crate) const ANY_STATE: &[KeyState] = KeyState::ALL;
/// Any state but pending deletion.
pub(crate) const NOT_PENDING_DELETION: &[KeyState] = &[
    KeyState::Creating,
    KeyState::Enabled,
    KeyState::Disabled,
    KeyState::PendingImport,
    KeyState::Unavailable,
    KeyState::Updating,
];
/// States between which EnableKey and DisableKey move a key.
pub(crate) const SWITCHABLE: &[KeyState] =
    &[KeyState::Enabled, KeyState::Disabled, KeyState::Unavailable];

/// Errors that every operation on a key may answer.
pub(crate) const KEY_ERRORS: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::InvalidArn,
    ErrorCode::DependencyTimeout,
    ErrorCode::Internal,
    ErrorCode::InvalidState,
];
/// Errors that every cryptographic operation may answer.
pub(crate) const CRYPTO_ERRORS: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::Disabled,
    ErrorCode::KeyUnavailable,
    ErrorCode::DependencyTimeout,
    ErrorCode::InvalidKeyUsage,
    ErrorCode::InvalidGrantToken,
    ErrorCode::Internal,
    ErrorCode::InvalidState,
    ErrorCode::DryRunOperation,
];

/// A row of the control plane, on one key of the caller's own account.
pub(crate) const fn control(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec {
        service: Service::Kms,
        name,
        plane: Plane::Control,
        route: (verb, path),
        members,
        states: ANY_STATE,
        usages: &[],
        origins: &[],
        aliases: false,
        cross_account: false,
        tracked: false,
        read_only: false,
        logged: &["KeyId"],
        errors: KEY_ERRORS,
    }
}

/// A row of the data plane: cryptography with a key that may be another account's.
pub(crate) const fn data(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec {
        plane: Plane::Data,
        states: USABLE,
        aliases: true,
        cross_account: true,
        tracked: true,
        read_only: true,
        errors: CRYPTO_ERRORS,
        ..control(name, verb, path, members)
    }
}

/// Attested environments are not supported; to ignore a `Recipient` would hand out plaintext.
pub(crate) fn refuse_recipient<T>(recipient: Option<&T>) -> Result<(), KmsError> {
    match recipient {
        None => Ok(()),
        Some(_) => Err(KmsError::new(
            ErrorCode::UnsupportedOperation,
            "Recipient is not supported: this service does not check attestation documents",
        )),
    }
}

/// `kms:TrailingDaysWithoutKeyUsage`: whole days since the key's last use; absent for a key never used.
pub(crate) fn trailing_days_fact(
    engine: &crate::Engine,
    keys: &[&KeyRecord],
    facts: &mut Facts<'_>,
) -> Result<(), KmsError> {
    for key in keys {
        if let Some(usage) = engine.store().last_usage(&key.name).map_err(KmsError::internal)? {
            let days = (engine.now().0 - usage.time.0).max(0) / 86_400_000;
            facts.add("kms:TrailingDaysWithoutKeyUsage", days.to_string());
        }
    }
    Ok(())
}

/// A date as CloudTrail writes it inside `responseElements`: `Aug 10, 2022, 10:38:27 PM`.
pub(crate) fn trail_date(time: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(time.0)
        .map(|date| date.format("%b %-d, %Y, %-I:%M:%S %p").to_string())
        .unwrap_or_default()
}

/// The same of a time as AWS JSON has it. Anything else stays.
pub(crate) fn trail_time(value: &Value) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time beyond all calendars has no date and is written as nothing"
    )]
    let date = |seconds: f64| trail_date(Timestamp((seconds * 1_000.0) as i64));
    value.as_f64().map_or_else(|| value.clone(), |seconds| date(seconds).into())
}

/// What operations answer that say which key they used.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyIdOnly {
    pub(crate) key_id: String,
}

/// CloudTrail's `responseElements` of operations that change a key and answer nothing: the key's ARN.
pub(crate) fn key_arn_element(call: &Call<'_>) -> Option<Value> {
    call.key().ok().map(|key| json!({"keyId": key.name.to_string()}))
}

/// An answer's members as CloudTrail spells them, at every depth.
pub(crate) fn lower_camel(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (keyward_trail::lower_camel(&name), lower_camel(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(lower_camel).collect(),
        other => other,
    }
}

/// A tag as it travels.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub(crate) tag_key: String,
    pub(crate) tag_value: String,
}

/// The part of an answer that says whether there is more.
///
/// A marker is the sealed name of the last item of a page, so that a page is not shifted by what is
/// added or removed meanwhile, and a marker of another list is refused.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Page {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
    pub(crate) truncated: bool,
}

/// Items of one page. More than the operation's most is cut to it: a page may hold fewer than was asked.
pub(crate) fn page_limit(wanted: Option<usize>, default: usize, most: usize) -> usize {
    wanted.unwrap_or(default).min(most)
}

/// Cuts `items`, of which one more than `limit` was read, and makes the marker of the next page.
pub(crate) fn page<T>(
    call: &mut Call<'_>,
    list: &str,
    mut items: Vec<T>,
    limit: usize,
    name: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Page), KmsError> {
    if items.len() <= limit {
        return Ok((items, Page::default()));
    }
    items.truncate(limit);
    let marker = items.last().map(|last| call.marker(list, &name(last))).transpose()?;
    Ok((items, Page { truncated: true, next_marker: marker }))
}
