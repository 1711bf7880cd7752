//! Key policies on their way in: the default one, and the checks that CreateKey and PutKeyPolicy share.
//!
//! | check, in this order | answer |
//! |---|---|
//! | size | `LimitExceededException` |
//! | syntax | `MalformedPolicyDocumentException` |
//! | principals exist | `MalformedPolicyDocumentException` |
//! | the caller keeps the power to change it | `MalformedPolicyDocumentException` |
//!
//! Sources: <https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html>,
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>

use crate::{authorize, call::Call, principal};
use keyward_policy::{INVALID_PRINCIPALS, PolicyEngine, PolicyError};
use keyward_types::{AccountId, ErrorCode, KeyRecord, KmsError, caller::Document, limits};
use std::collections::BTreeMap;

/// The name of the one policy that a key has.
pub(crate) const DEFAULT_NAME: &str = "default";
/// The name of a policy that resource sharing would make.
pub(crate) const RAM_NAME: &str = "AWS_RAM";

/// The policy of a key that is created without one, in AWS's own layout.
const DEFAULT: &str = include_str!("../../../policies/default-key-policy.json");

/// The key delegates everything to its account.
pub(crate) fn default_text(account: &AccountId) -> String {
    DEFAULT.trim_end().replace("${ACCOUNT}", account.as_str())
}

/// A policy that may be saved.
pub(crate) struct Admitted {
    pub(crate) document: Document,
    /// The unique ids of the users and roles that it names, by ARN.
    pub(crate) principals: BTreeMap<String, String>,
}

/// Checks `text` as the policy of `key`, which need not exist yet. `bypass` leaves the last check out.
pub(crate) fn admit(
    call: &mut Call<'_>,
    key: &KeyRecord,
    text: &str,
    bypass: bool,
) -> Result<Admitted, KmsError> {
    if limits::KEY_POLICY_BYTES_MAX < text.len() {
        return Err(KmsError::new(
            ErrorCode::LimitExceeded,
            format!("A key policy may have at most {} bytes", limits::KEY_POLICY_BYTES_MAX),
        ));
    }
    let named = call.policies().validate_key_policy(text).map_err(|error| refused(&error))?;
    let mut principals = BTreeMap::new();
    for arn in named.arns {
        let known = principal::look_up(call, &arn)?
            .ok_or_else(|| malformed(format!("{INVALID_PRINCIPALS} {arn} does not exist")))?;
        principals.extend(known.unique_id.map(|id| (arn, id)));
    }
    let candidate =
        KeyRecord { policy: Document::new(text), policy_principals: principals, ..key.clone() };
    if !bypass && !authorize::keeps_caller_able(call, &candidate)? {
        return Err(refused(&PolicyEngine::lockout_error()));
    }
    Ok(Admitted { document: candidate.policy, principals: candidate.policy_principals })
}

fn malformed(text: impl Into<String>) -> KmsError {
    KmsError::new(ErrorCode::MalformedPolicyDocument, text)
}

fn refused(error: &PolicyError) -> KmsError {
    match error {
        PolicyError::InvalidArn { .. } => KmsError::new(ErrorCode::InvalidArn, error.to_string()),
        PolicyError::Malformed { .. }
        | PolicyError::InvalidPrincipal { .. }
        | PolicyError::OverlyPermissive { .. } => malformed(error.to_string()),
    }
}
