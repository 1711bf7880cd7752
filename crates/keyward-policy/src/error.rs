//! Why a document is refused.
//!
//! The texts of KMS and IAM are used where AWS has one; `at` says where in the document.
//! Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html#API_PutKeyPolicy_Errors>

use thiserror::Error;

/// AWS's text for a principal that does not exist or cannot be one.
pub const INVALID_PRINCIPALS: &str =
    "Policy contains a statement with one or more invalid principals.";
/// AWS's text of the lockout safety check.
pub const LOCKOUT: &str =
    "The new key policy will not allow you to update the key policy in the future.";
/// AWS's text for `ForAllValues` on a key that carries one value.
pub const OVERLY_PERMISSIVE: &str = "OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key matches requests without the specified [encryption context or tag] or with an unspecified [encryption context or tag]. To fix, remove ForAllValues.";

/// A document that cannot be translated exactly, and is therefore refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// `MalformedPolicyDocumentException`; `at` is such as `Statement[2].Condition`, empty for the whole.
    #[error("{}{}", place(at), shown(message))]
    Malformed { at: String, message: String },
    /// A principal that is malformed or of a kind that cannot be one.
    #[error("{} {at}: {}", INVALID_PRINCIPALS, shown(principal))]
    InvalidPrincipal { at: String, principal: String },
    /// `InvalidArnException`: a Resource of a key policy that is no ARN.
    #[error("{}{} is not an ARN", place(at), shown(arn))]
    InvalidArn { at: String, arn: String },
    /// `ForAllValues` with an encryption-context pair or a request tag.
    #[error("{} {}", OVERLY_PERMISSIVE, shown(at))]
    OverlyPermissive { at: String },
}

impl PolicyError {
    pub(crate) fn malformed(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Malformed { at: at.into(), message: message.into() }
    }

    /// Where in the document, such as `Statement[2].Condition`; empty for the whole.
    pub fn at(&self) -> &str {
        match self {
            Self::Malformed { at, .. }
            | Self::InvalidPrincipal { at, .. }
            | Self::InvalidArn { at, .. }
            | Self::OverlyPermissive { at } => at,
        }
    }
}

fn place(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("{}: ", shown(at)) }
}

/// Characters of a document's text in a message.
const SHOWN_CHARS_MAX: usize = 512;

/// A text as messages show it. What is not plain ASCII is shown by its number: a refusal that says
/// "Effect is Allow or Deny, not Allow" helps nobody.
fn shown(text: &str) -> String {
    let escaped = |c: char| -> String {
        if c == ' ' || c.is_ascii_graphic() { c.to_string() } else { c.escape_unicode().collect() }
    };
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).map(escaped).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// The request cannot be decided; the answer is no.
///
/// INVARIANT: whoever receives this denies.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct Unevaluable(pub(crate) String);

impl From<PolicyError> for Unevaluable {
    fn from(error: PolicyError) -> Self {
        Self(error.to_string())
    }
}
