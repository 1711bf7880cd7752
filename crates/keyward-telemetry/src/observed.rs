//! What is told of a request once its event is durable, and the closed sets in which it is counted.

use keyward_types::{
    Decision, Effect, EventSummary, KeySpec, Layer, Reason, decision::LayerEffect,
};

use crate::{PriceClass, metrics::spec_class};

/// A request with its event. What is not said is not counted.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'e> {
    pub summary: &'e EventSummary,
    /// From the decoded request to its durable event.
    pub total_seconds: f64,
    /// From the decoded request to its last decision; absent where it came to none.
    pub decision_seconds: Option<f64>,
    /// The operation itself, with material of a key of this spec.
    pub run: Option<(KeySpec, f64)>,
    /// From the event that was handed to the writer to the durable one.
    pub commit_seconds: f64,
    pub verdicts: &'e [Verdict],
    pub price: Option<PriceClass>,
}

impl<'e> Observed<'e> {
    /// An event of which nothing else is known.
    pub fn of(summary: &'e EventSummary) -> Self {
        Self {
            summary,
            total_seconds: 0.0,
            decision_seconds: None,
            run: None,
            commit_seconds: 0.0,
            verdicts: &[],
            price: None,
        }
    }
}

/// Values of `decision`.
pub const DECISIONS: &[&str] = &["allow", "explicit_deny", "implicit_deny"];

/// Values of `source`: the layer that decided, or what is no layer.
pub const SOURCES: &[&str] = &[
    "resource_control_policy",
    "service_control_policy",
    "vpc_endpoint_policy",
    "key_policy",
    "grant",
    "identity_policy",
    "permissions_boundary",
    "session_policy",
    "guardrail",
    "freeze",
    "service_rule",
    "evaluation_error",
];

/// A decision, reduced to the labels under which it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    pub(crate) decision: &'static str,
    pub(crate) source: &'static str,
    pub(crate) is_let_through: bool,
}

impl Verdict {
    pub fn of(decision: &Decision) -> Self {
        Self {
            decision: match decision.effect {
                Effect::Allow => "allow",
                Effect::ExplicitDeny => "explicit_deny",
                Effect::ImplicitDeny => "implicit_deny",
            },
            source: source(decision),
            is_let_through: !decision.observed.is_empty(),
        }
    }
}

fn source(decision: &Decision) -> &'static str {
    match decision.reason {
        Reason::Denied(layer) | Reason::NotAllowed(layer) => layer_name(layer),
        Reason::DelegatedToIam | Reason::AccountOperation => layer_name(Layer::IdentityPolicy),
        Reason::NamesCaller | Reason::NamesEntity | Reason::NamesService | Reason::CrossAccount => {
            let allows = |layer: Layer| {
                let mut outcomes = decision.layers.iter();
                outcomes.any(|one| one.layer == layer && one.effect == LayerEffect::Allow)
            };
            let by_grant = allows(Layer::Grant) && !allows(Layer::KeyPolicy);
            layer_name(if by_grant { Layer::Grant } else { Layer::KeyPolicy })
        }
        Reason::NotCrossAccount | Reason::ReservedAlias => "service_rule",
        Reason::EvaluationFailed => "evaluation_error",
    }
}

const fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::ResourceControlPolicy => "resource_control_policy",
        Layer::ServiceControlPolicy => "service_control_policy",
        Layer::VpcEndpointPolicy => "vpc_endpoint_policy",
        Layer::KeyPolicy => "key_policy",
        Layer::Grant => "grant",
        Layer::IdentityPolicy => "identity_policy",
        Layer::PermissionsBoundary => "permissions_boundary",
        Layer::SessionPolicy => "session_policy",
        Layer::Guardrail => "guardrail",
        Layer::Freeze => "freeze",
    }
}

/// What is done with key material, and with which classes of key spec: `step` and `spec_class`.
pub const STEPS: &[(&str, &[&str])] = &[
    ("encrypt", &["symmetric", "rsa", "sm2"]),
    ("decrypt", &["symmetric", "rsa", "sm2"]),
    ("re_encrypt", &["symmetric", "rsa", "sm2"]),
    ("data_key", &["symmetric"]),
    ("data_key_pair", &["symmetric"]),
    ("sign", &["hmac", "rsa", "ecc", "ml", "sm2"]),
    ("verify", &["hmac", "rsa", "ecc", "ml", "sm2"]),
    ("agree", &["ecc", "ml", "sm2"]),
];

/// The step that an operation is, where it uses key material.
pub(crate) fn step(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "Encrypt" => "encrypt",
        "Decrypt" => "decrypt",
        "ReEncrypt" => "re_encrypt",
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => "data_key",
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => "data_key_pair",
        "Sign" | "GenerateMac" => "sign",
        "Verify" | "VerifyMac" => "verify",
        "DeriveSharedSecret" | "Encapsulate" | "Decapsulate" => "agree",
        _ => return None,
    })
}

/// The labels of cryptography with a key of this spec.
pub(crate) fn cryptography(operation: &str, spec: KeySpec) -> Option<[&'static str; 2]> {
    Some([spec_class(spec), step(operation)?])
}
