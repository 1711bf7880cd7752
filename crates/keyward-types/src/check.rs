//! The checks of a decision: AWS's vocabulary for what each side said, derived from the layers.
//!
//! It decides nothing and is stored nowhere but in the event, where it is written beside the layers.
//! Source: AWS's request authorization details, which list the checks of a request in this order.

use crate::decision::{Decision, Layer, LayerEffect};
use serde::{Deserialize, Serialize};

/// What was checked, in the order in which AWS reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckKind {
    Rcp,
    Scp,
    VpcEndpoint,
    /// The key's own policy and its grants.
    Resource,
    /// The caller's identity policies.
    Principal,
    PermissionsBoundary,
    Session,
    /// An operator's own Cedar policies.
    Guardrail,
    /// What a responder froze. Keyward's own.
    Freeze,
}

impl CheckKind {
    /// The check that a layer is part of.
    pub const fn of(layer: Layer) -> Self {
        match layer {
            Layer::ResourceControlPolicy => Self::Rcp,
            Layer::ServiceControlPolicy => Self::Scp,
            Layer::VpcEndpointPolicy => Self::VpcEndpoint,
            Layer::KeyPolicy | Layer::Grant => Self::Resource,
            Layer::IdentityPolicy => Self::Principal,
            Layer::PermissionsBoundary => Self::PermissionsBoundary,
            Layer::SessionPolicy => Self::Session,
            Layer::Guardrail => Self::Guardrail,
            Layer::Freeze => Self::Freeze,
        }
    }

    /// As AWS spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rcp => "RCP",
            Self::Scp => "SCP",
            Self::VpcEndpoint => "VPC_ENDPOINT",
            Self::Resource => "RESOURCE",
            Self::Principal => "PRINCIPAL",
            Self::PermissionsBoundary => "PERMISSIONS_BOUNDARY",
            Self::Session => "SESSION",
            Self::Guardrail => "GUARDRAIL",
            Self::Freeze => "FREEZE",
        }
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckEffect {
    Allow,
    ImplicitDeny,
    ExplicitDeny,
    /// No statement matched, and no allow was needed because another path allowed.
    NoImpact,
}

impl CheckEffect {
    /// As AWS spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "ALLOW",
            Self::ImplicitDeny => "IMPLICIT_DENY",
            Self::ExplicitDeny => "EXPLICIT_DENY",
            Self::NoImpact => "NO_IMPACT",
        }
    }
}

/// One check of a decision. A check that does not exist for a request is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub check_type: CheckKind,
    pub evaluated_effect: CheckEffect,
}

impl Decision {
    /// The checks, in AWS's order.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        for outcome in &self.layers {
            let Some(effect) = effect(outcome.effect) else { continue };
            let kind = CheckKind::of(outcome.layer);
            match checks.iter_mut().find(|check| check.check_type == kind) {
                Some(check) => check.evaluated_effect = joined(check.evaluated_effect, effect),
                None => checks.push(Check { check_type: kind, evaluated_effect: effect }),
            }
        }
        checks.sort_by_key(|check| check.check_type);
        checks
    }
}

const fn effect(said: LayerEffect) -> Option<CheckEffect> {
    match said {
        LayerEffect::Allow => Some(CheckEffect::Allow),
        LayerEffect::ExplicitDeny => Some(CheckEffect::ExplicitDeny),
        LayerEffect::ImplicitDeny => Some(CheckEffect::ImplicitDeny),
        LayerEffect::NoImpact => Some(CheckEffect::NoImpact),
        LayerEffect::Absent => None,
    }
}

/// Two layers of one check: a deny wins, then an allow, then silence that mattered.
const fn joined(one: CheckEffect, other: CheckEffect) -> CheckEffect {
    use CheckEffect::{Allow, ExplicitDeny, ImplicitDeny, NoImpact};
    match (one, other) {
        (ExplicitDeny, _) | (_, ExplicitDeny) => ExplicitDeny,
        (Allow, _) | (_, Allow) => Allow,
        (ImplicitDeny, _) | (_, ImplicitDeny) => ImplicitDeny,
        (NoImpact, NoImpact) => NoImpact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Effect, LayerOutcome, Reason};

    #[test]
    fn checks_stand_in_the_order_of_aws_and_one_speaks_for_key_policy_and_grants() {
        let layer = |layer, effect| LayerOutcome { layer, effect, matched: vec![], near: vec![] };
        let decision = |layers| Decision {
            effect: Effect::Allow,
            reason: Reason::NamesCaller,
            rule: 8,
            action: String::new(),
            resource: String::new(),
            layers,
            remedies: vec![],
            observed: vec![],
        };
        let seen = decision(vec![
            layer(Layer::SessionPolicy, LayerEffect::NoImpact),
            layer(Layer::KeyPolicy, LayerEffect::NoImpact),
            layer(Layer::Grant, LayerEffect::Allow),
            layer(Layer::ServiceControlPolicy, LayerEffect::ImplicitDeny),
            layer(Layer::PermissionsBoundary, LayerEffect::Absent),
        ])
        .checks();
        let words: Vec<String> = seen
            .iter()
            .map(|c| format!("{} {}", c.check_type.as_str(), c.evaluated_effect.as_str()))
            .collect();
        assert_eq!(words, ["SCP IMPLICIT_DENY", "RESOURCE ALLOW", "SESSION NO_IMPACT"]);
        let json = serde_json::to_value(seen).unwrap();
        assert_eq!(
            json[0],
            serde_json::json!({"checkType": "SCP", "evaluatedEffect": "IMPLICIT_DENY"})
        );
        for kind in [CheckKind::VpcEndpoint, CheckKind::PermissionsBoundary, CheckKind::Rcp] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
