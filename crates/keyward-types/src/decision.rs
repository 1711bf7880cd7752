//! The one decision type: enforcement, the error text, the event and the explanation all read it.
//!
//! It is made by `keyward-policy` alone. Layers stand in AWS's order, and a refusal says which clause
//! of which statement failed, what it expected and what it saw.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use crate::remedy::Remedy;
use serde::{Deserialize, Serialize};

/// What the whole evaluation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effect {
    Allow,
    ExplicitDeny,
    ImplicitDeny,
}

/// A layer of policies, in the order in which AWS reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Layer {
    ResourceControlPolicy,
    ServiceControlPolicy,
    VpcEndpointPolicy,
    KeyPolicy,
    Grant,
    IdentityPolicy,
    PermissionsBoundary,
    SessionPolicy,
    /// An operator's own Cedar policies: they forbid and never widen.
    Guardrail,
    /// What a responder froze: a key, or the caller itself.
    Freeze,
}

impl Layer {
    /// The words of AWS's message for this layer.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ResourceControlPolicy => "resource control policy",
            Self::ServiceControlPolicy => "service control policy",
            Self::VpcEndpointPolicy => "VPC endpoint policy",
            Self::KeyPolicy | Self::Grant => "resource-based policy",
            Self::IdentityPolicy => "identity-based policy",
            Self::PermissionsBoundary => "permissions boundary",
            Self::SessionPolicy => "session policy",
            Self::Guardrail => "guardrail policy",
            Self::Freeze => "freeze",
        }
    }
}

/// What one layer says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerEffect {
    Allow,
    ExplicitDeny,
    ImplicitDeny,
    /// Nothing matched, and nothing had to: another path allowed.
    NoImpact,
    /// The layer does not exist for this request.
    Absent,
}

/// How a resource-side statement or grant names the caller, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MatchKind {
    /// The caller's own ARN, `*`, or the calling service.
    Session,
    /// The role behind a role session, or the user behind a federated one.
    Entity,
    /// The caller's account: what IAM may then hand out.
    Account,
}

/// A statement or grant that matched the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// The document: `key policy`, an identity policy's name, or `grant`.
    pub source: String,
    /// The Sid, or the grant id; `None` for a statement without Sid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Zero-based place of the statement in its document.
    pub index: usize,
    pub allow: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<MatchKind>,
}

/// A clause that kept a statement or grant from matching.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// Such as `Action`, `Principal`, or `Condition StringEquals kms:EncryptionContext:Project`.
    pub clause: String,
    pub expected: String,
    /// What the request carried; `(absent)` when it carried nothing.
    pub actual: String,
}

/// A statement or grant that did not match, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearMiss {
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    pub index: usize,
    pub allow: bool,
    pub failed: Vec<Clause>,
}

/// What one layer contributed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerOutcome {
    pub layer: Layer,
    pub effect: LayerEffect,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matched: Vec<Matched>,
    /// Filled when the request was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<NearMiss>,
}

/// Why the decision is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The key policy or a grant names the caller itself.
    NamesCaller,
    /// The key policy or a grant names the role or user behind the session.
    NamesEntity,
    /// The key policy or a grant names the account, and the caller's identity policies allow.
    DelegatedToIam,
    /// Both accounts allow.
    CrossAccount,
    /// The key policy or a grant names the calling service.
    NamesService,
    /// An operation on no key, allowed by identity policies or to the root user.
    AccountOperation,
    /// A deny in this layer.
    Denied(Layer),
    /// No allow in this layer, and one was needed.
    NotAllowed(Layer),
    /// AWS offers this operation only inside the key's account.
    NotCrossAccount,
    /// Names under `alias/aws/` are not for customers.
    ReservedAlias,
    /// Evaluation failed, and what cannot be evaluated is refused.
    EvaluationFailed,
}

/// What was decided about one action on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub effect: Effect,
    pub reason: Reason,
    /// The row of the decision table (`policies/README.md`) that decided.
    pub rule: u8,
    /// Such as `kms:Decrypt`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    pub layers: Vec<LayerOutcome>,
    /// What would have made a refusal an allow, smallest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
    /// What let a refused request through all the same: ids of what is in observe, or `service`. Empty where the
    /// verdict was enforced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<String>,
}

impl Decision {
    /// The verdict of the policies, whatever observe mode made of it.
    pub fn allowed(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// The end of AWS's message: `because no identity-based policy allows the kms:Decrypt action`.
    pub fn because(&self) -> String {
        match self.reason {
            Reason::Denied(layer) => {
                format!("with an explicit deny in a{} {}", n(layer.words()), layer.words())
            }
            Reason::NotAllowed(layer) => {
                format!("because no {} allows the {} action", layer.words(), self.action)
            }
            Reason::NotCrossAccount => {
                "because the operation is not available to principals of other accounts".to_owned()
            }
            Reason::ReservedAlias => "because alias names under alias/aws/ are reserved".to_owned(),
            Reason::EvaluationFailed => "because a policy could not be evaluated".to_owned(),
            Reason::NamesCaller => "because the key's policies name the caller".to_owned(),
            Reason::NamesEntity => {
                "because the key's policies name the role or user of the session".to_owned()
            }
            Reason::DelegatedToIam => {
                "because the key delegates to IAM and identity policies allow".to_owned()
            }
            Reason::CrossAccount => "because both accounts allow".to_owned(),
            Reason::NamesService => "because the key's policies name the service".to_owned(),
            Reason::AccountOperation => "because identity policies allow".to_owned(),
        }
    }

    /// AWS's message for a refusal, for a caller that may know the resource.
    pub fn message(&self, caller_arn: &str) -> String {
        format!(
            "User: {caller_arn} is not authorized to perform: {} on resource: {} {}",
            self.action,
            self.resource,
            self.because()
        )
    }
}

/// The letter that "a" lacks before a vowel.
fn n(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "n" } else { "" }
}
