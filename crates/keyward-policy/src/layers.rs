//! The layers of one question: each evaluated by itself, permits and forbids apart.
//!
//! INVARIANT: one error of Cedar's in any layer makes the question impossible to decide, which denies.
//! Cedar itself skips a policy that fails, and a forbid that is skipped is a hole.

use crate::{
    document::DocumentKind,
    engine::PolicyEngine,
    error::Unevaluable,
    question::{Question, Resource},
    remedy::Forbid,
    request::{Needed, World},
    translate::Slice,
};
use cedar_policy::{Authorizer, Decision, Entities, PolicySet, Request};
use keyward_types::{
    CallerKind, IdentityDocument, Layer, LayerEffect, MatchKind, Matched, caller::Document,
};
use std::{collections::BTreeSet, sync::Arc};

/// One document of a layer, and what it says.
pub(crate) struct Voice<'q> {
    pub(crate) layer: Layer,
    /// For policies of an organization, the place of the level; every level must allow.
    pub(crate) level: usize,
    pub(crate) source: &'q str,
    pub(crate) document: &'q Document,
    pub(crate) kind: DocumentKind,
    pub(crate) slice: Arc<Slice>,
    /// Places in the slice's entries.
    pub(crate) permits: Vec<usize>,
    pub(crate) forbids: Vec<usize>,
}

/// Every document that a question is under.
pub(crate) struct Chorus<'q> {
    pub(crate) voices: Vec<Voice<'q>>,
    /// Layers that exist, even when they have no documents.
    present: BTreeSet<Layer>,
}

impl<'q> Chorus<'q> {
    /// Compiles, or finds compiled, what each document says about the action.
    pub(crate) fn gather(
        engine: &PolicyEngine,
        question: &Question<'q>,
        guard: bool,
    ) -> Result<Self, Unevaluable> {
        Self::gather_by(question, |document, kind| {
            engine.slice(document, kind, question, guard, question.trial)
        })
    }

    /// The same with slices from elsewhere: what is asked with open facts reads documents in another form.
    pub(crate) fn gather_by(
        question: &Question<'q>,
        mut slice_of: impl FnMut(&'q Document, DocumentKind) -> Result<Arc<Slice>, Unevaluable>,
    ) -> Result<Self, Unevaluable> {
        let mut chorus = Self { voices: Vec::new(), present: BTreeSet::new() };
        let mut add = |layer, level, source, document, kind| -> Result<(), Unevaluable> {
            let slice = slice_of(document, kind)?;
            chorus.voices.push(Voice {
                layer,
                level,
                source,
                document,
                kind,
                slice,
                permits: Vec::new(),
                forbids: Vec::new(),
            });
            Ok(())
        };
        if rcps_apply(question) {
            for (level, document) in levels(question.rcps) {
                add(
                    Layer::ResourceControlPolicy,
                    level,
                    &document.source,
                    &document.document,
                    DocumentKind::Resource,
                )?;
            }
        }
        if scps_apply(question) {
            for (level, document) in levels(question.scps) {
                add(
                    Layer::ServiceControlPolicy,
                    level,
                    &document.source,
                    &document.document,
                    DocumentKind::Identity,
                )?;
            }
        }
        if let Some(endpoint) = question.vpc_endpoint {
            add(
                Layer::VpcEndpointPolicy,
                0,
                &endpoint.source,
                &endpoint.document,
                DocumentKind::Resource,
            )?;
        }
        if let Some(policy) = question.key_policy.filter(|_| question.resource.is_key()) {
            add(Layer::KeyPolicy, 0, question.policy_name(), policy, DocumentKind::Resource)?;
        }
        if let Some(policy) = question.ram_policy.filter(|_| question.resource.is_key()) {
            add(Layer::KeyPolicy, 0, "AWS_RAM key policy", policy, DocumentKind::Resource)?;
        }
        if let Resource::Role { trust, .. } = question.resource {
            add(Layer::KeyPolicy, 0, question.policy_name(), trust, DocumentKind::Trust)?;
        }
        if !question.is_service() {
            let boundary = question
                .boundary
                .into_iter()
                .map(|document| (Layer::PermissionsBoundary, document));
            let identity =
                question.identity.iter().map(|document| (Layer::IdentityPolicy, document));
            let session = question
                .caller
                .session_policies
                .iter()
                .map(|document| (Layer::SessionPolicy, document));
            for (layer, document) in identity.chain(boundary).chain(session) {
                add(layer, 0, &document.source, &document.document, DocumentKind::Identity)?;
            }
        }
        chorus.present = chorus.voices.iter().map(|voice| voice.layer).collect();
        if scps_apply(question) && !question.scps.is_empty() {
            chorus.present.insert(Layer::ServiceControlPolicy);
        }
        if !question.is_service() && !question.caller.is_root() {
            // A user or role without any policies is silent, not absent.
            chorus.present.insert(Layer::IdentityPolicy);
        }
        if matches!(question.caller.kind, CallerKind::Federated { .. }) {
            // A federated session has what its session policies allow; without any, nothing.
            chorus.present.insert(Layer::SessionPolicy);
        }
        Ok(chorus)
    }

    pub(crate) fn needed(&self) -> Needed<'_> {
        Needed::of(self.voices.iter().map(|voice| &voice.slice.needs))
    }

    pub(crate) fn evaluate(&mut self, world: &World) -> Result<(), Unevaluable> {
        let entities = world.entities();
        let request = world.request(&world.base.principal)?;
        let unnamed = world.unnamed.as_ref().map(|uid| world.request(uid)).transpose()?;
        for voice in &mut self.voices {
            let request = match &unnamed {
                Some(unnamed) if voice.layer == Layer::KeyPolicy => unnamed,
                _ => &request,
            };
            (voice.permits, voice.forbids) = voice.slice.answer(request, entities)?;
        }
        Ok(())
    }

    pub(crate) fn of(&self, layer: Layer) -> impl Iterator<Item = &Voice<'q>> {
        self.voices.iter().filter(move |voice| voice.layer == layer)
    }

    /// The first layer, in AWS's order, with a matching Deny.
    pub(crate) fn denied(&self) -> Option<Layer> {
        self.voices.iter().filter(|voice| !voice.forbids.is_empty()).map(|voice| voice.layer).min()
    }

    pub(crate) fn allows(&self, layer: Layer) -> bool {
        self.of(layer).any(|voice| !voice.permits.is_empty())
    }

    /// Whether the layer is absent or allows.
    pub(crate) fn ok(&self, layer: Layer) -> bool {
        !self.present.contains(&layer) || self.allows(layer)
    }

    /// The first level of service control policies that does not allow.
    pub(crate) fn silent_level(&self, count: usize) -> Option<usize> {
        let layer = Layer::ServiceControlPolicy;
        let allows = |level: usize| {
            self.of(layer).any(|voice| voice.level == level && !voice.permits.is_empty())
        };
        (0..count).find(|level| self.present.contains(&layer) && !allows(*level))
    }

    /// The statements that deny, in AWS's order of layers.
    pub(crate) fn forbids(&self) -> Vec<Forbid> {
        let mut forbids: Vec<Forbid> = self.voices.iter().flat_map(Voice::denying).collect();
        forbids.sort_by_key(|forbid| (forbid.layer, forbid.level, forbid.index));
        forbids
    }

    /// The kinds by which the key policy names the caller.
    pub(crate) fn kinds(&self) -> BTreeSet<MatchKind> {
        self.of(Layer::KeyPolicy).flat_map(Voice::kinds).collect()
    }

    pub(crate) fn effect(&self, layer: Layer) -> LayerEffect {
        if !self.present.contains(&layer) {
            LayerEffect::Absent
        } else if self.of(layer).any(|voice| !voice.forbids.is_empty()) {
            LayerEffect::ExplicitDeny
        } else if self.allows(layer) {
            LayerEffect::Allow
        } else {
            LayerEffect::ImplicitDeny
        }
    }
}

impl Voice<'_> {
    fn kinds(&self) -> impl Iterator<Item = MatchKind> {
        self.permits.iter().filter_map(|place| self.slice.entries.get(*place)?.kind)
    }

    fn denying(&self) -> impl Iterator<Item = Forbid> {
        let entries = self.forbids.iter().filter_map(|place| self.slice.entries.get(*place));
        entries.map(|entry| Forbid {
            layer: self.layer,
            level: self.level,
            source: self.source.to_owned(),
            sid: entry.sid.clone(),
            index: entry.statement,
        })
    }

    /// The statements that matched, in the document's order.
    pub(crate) fn matched(&self) -> Vec<Matched> {
        let places = self
            .permits
            .iter()
            .map(|place| (place, true))
            .chain(self.forbids.iter().map(|place| (place, false)));
        let mut matched: Vec<Matched> = places
            .filter_map(|(place, allow)| {
                let entry = self.slice.entries.get(*place)?;
                let (sid, index, kind) = (entry.sid.clone(), entry.statement, entry.kind);
                Some(Matched { source: self.source.to_owned(), sid, index, allow, kind })
            })
            .collect();
        matched.sort_by_key(|matched| (matched.index, matched.kind));
        matched
    }
}

impl Slice {
    /// The places of the permits and of the forbids that are satisfied.
    pub(crate) fn answer(
        &self,
        request: &Request,
        entities: &Entities,
    ) -> Result<(Vec<usize>, Vec<usize>), Unevaluable> {
        let (decision, places) = ask(&self.all, request, entities)?;
        if decision == Decision::Allow {
            return Ok((places, Vec::new()));
        }
        // Refused with reasons, the reasons are forbids; refused without, nothing is satisfied.
        let permits = if places.is_empty() {
            Vec::new()
        } else {
            satisfied(&self.permits, request, entities)?
        };
        Ok((permits, places))
    }
}

/// The places of the permits that are satisfied. `set` holds no forbids.
pub(crate) fn satisfied(
    set: &PolicySet,
    request: &Request,
    entities: &Entities,
) -> Result<Vec<usize>, Unevaluable> {
    Ok(ask(set, request, entities)?.1)
}

fn ask(
    set: &PolicySet,
    request: &Request,
    entities: &Entities,
) -> Result<(Decision, Vec<usize>), Unevaluable> {
    if set.is_empty() {
        return Ok((Decision::Deny, Vec::new()));
    }
    let response = Authorizer::new().is_authorized(request, set, entities);
    if let Some(error) = response.diagnostics().errors().next() {
        return Err(Unevaluable(error.to_string()));
    }
    let places = response.diagnostics().reason().map(|id| {
        let id: &str = id.as_ref();
        id.parse().map_err(|_| Unevaluable(format!("Cedar named an unknown policy {id}")))
    });
    Ok((response.decision(), places.collect::<Result<_, _>>()?))
}

fn levels(levels: &[Vec<IdentityDocument>]) -> impl Iterator<Item = (usize, &IdentityDocument)> {
    levels
        .iter()
        .enumerate()
        .flat_map(|(level, documents)| documents.iter().map(move |document| (level, document)))
}

/// Not for services and their linked roles.
fn scps_apply(question: &Question<'_>) -> bool {
    !question.is_service() && !question.is_service_linked()
}

/// For keys alone; RetireGrant is outside them, and so are service-linked roles.
fn rcps_apply(question: &Question<'_>) -> bool {
    question.resource.has_policy()
        && !question.is_service_linked()
        && question.action != "kms:RetireGrant"
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::{Context, EntityUid};

    /// Cedar alone would answer Allow here: it skips the forbid that fails.
    #[test]
    fn a_policy_that_fails_denies() {
        let uid = |text: &str| text.parse::<EntityUid>().unwrap();
        let request = Request::new(
            uid("User::\"a\""),
            uid("Action::\"b\""),
            uid("Key::\"c\""),
            Context::empty(),
            None,
        )
        .unwrap();
        let both = "permit (principal, action, resource);
                    forbid (principal, action, resource) when { context.nope == \"x\" };";
        let set: PolicySet = both.parse().unwrap();
        let cedar = Authorizer::new().is_authorized(&request, &set, &Entities::empty());
        assert_eq!(cedar.decision(), cedar_policy::Decision::Allow);
        assert!(satisfied(&set, &request, &Entities::empty()).is_err());
        let forbid: PolicySet =
            "forbid (principal, action, resource) when { context.nope == \"x\" };".parse().unwrap();
        assert!(satisfied(&forbid, &request, &Entities::empty()).is_err());
    }
}
