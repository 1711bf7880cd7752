//! A question whose documents can be changed: what is tried stands here, the rest is borrowed.

use super::{Finding, Trial, edit};
use crate::{
    error::Unevaluable,
    question::{Question, Resource},
};
use keyward_types::{EncryptionContext, GrantRecord, IdentityDocument, Layer, caller::Document};
use serde_json::Value;

/// A question and the changes made to it.
#[derive(Clone)]
pub(super) struct Scene<'q> {
    pub(super) question: Question<'q>,
    /// The key policy, or the trust policy of a role.
    policy: Option<Document>,
    identity: Option<Vec<IdentityDocument>>,
    boundary: Option<IdentityDocument>,
    session: Option<Vec<IdentityDocument>>,
    scps: Option<Vec<Vec<IdentityDocument>>>,
    rcps: Option<Vec<Vec<IdentityDocument>>>,
    endpoint: Option<IdentityDocument>,
    grant: Option<GrantRecord>,
    context: Option<EncryptionContext>,
}

/// The name of a document that does not exist yet. No document that exists is looked for by it.
const NEW: &str = "";

impl<'q> Scene<'q> {
    pub(super) fn new(question: &Question<'q>) -> Self {
        Self {
            question: Question { trial: true, ..*question },
            policy: None,
            identity: None,
            boundary: None,
            session: None,
            scps: None,
            rcps: None,
            endpoint: None,
            grant: None,
            context: None,
        }
    }

    /// Decides the changed question.
    pub(super) fn ask(&self, trial: Trial<'_>) -> Result<Finding, Unevaluable> {
        let question = self.question;
        let mut caller = question.caller.clone();
        if let Some(session) = &self.session {
            caller.session_policies.clone_from(session);
        }
        let mut facts = question.facts.clone();
        if let Some(context) = &self.context {
            facts.set_encryption_context(context);
        }
        let mut grants = question.grants.to_vec();
        grants.extend(&self.grant);
        let resource = match (question.resource, &self.policy) {
            (Resource::Role { arn, .. }, Some(trust)) => Resource::Role { arn, trust },
            (resource, _) => resource,
        };
        trial(&Question {
            caller: &caller,
            facts: &facts,
            resource,
            grants: &grants,
            key_policy: self.policy.as_ref().filter(|_| resource.is_key()).or(question.key_policy),
            // A policy that is saved now means the principals of now.
            key_policy_ignores_arns: question.key_policy_ignores_arns && self.policy.is_none(),
            identity: self.identity.as_deref().unwrap_or(question.identity),
            boundary: self.boundary.as_ref().or(question.boundary),
            scps: self.scps.as_deref().unwrap_or(question.scps),
            rcps: self.rcps.as_deref().unwrap_or(question.rcps),
            vpc_endpoint: self.endpoint.as_ref().or(question.vpc_endpoint),
            ..question
        })
    }

    pub(super) fn with_grant(&self, grant: GrantRecord) -> Self {
        Self { grant: Some(grant), ..self.clone() }
    }

    pub(super) fn with_context(&self, context: EncryptionContext) -> Self {
        Self { context: Some(context), ..self.clone() }
    }

    /// The document of the key or role itself.
    fn policy(&self) -> Option<&Document> {
        self.policy.as_ref().or(match &self.question.resource {
            Resource::Role { trust, .. } => Some(trust),
            Resource::Key { .. } => self.question.key_policy,
            _ => None,
        })
    }

    /// A layer's documents, with their level where it has levels.
    fn documents(&self, layer: Layer) -> Vec<(Option<usize>, &str, &Document)> {
        fn each(documents: &[IdentityDocument]) -> Vec<(Option<usize>, &str, &Document)> {
            documents.iter().map(|one| (None, one.source.as_str(), &one.document)).collect()
        }
        fn levels(levels: &[Vec<IdentityDocument>]) -> Vec<(Option<usize>, &str, &Document)> {
            let numbered = levels.iter().enumerate();
            numbered
                .flat_map(|(level, documents)| {
                    each(documents)
                        .into_iter()
                        .map(move |(_, name, text)| (Some(level), name, text))
                })
                .collect()
        }
        let question = &self.question;
        match layer {
            Layer::KeyPolicy => {
                self.policy().into_iter().map(|one| (None, question.policy_name(), one)).collect()
            }
            Layer::IdentityPolicy => each(self.identity.as_deref().unwrap_or(question.identity)),
            Layer::SessionPolicy => {
                each(self.session.as_ref().unwrap_or(&question.caller.session_policies))
            }
            Layer::PermissionsBoundary => each(
                self.boundary.as_ref().or(question.boundary).map_or(&[], core::slice::from_ref),
            ),
            Layer::VpcEndpointPolicy => each(
                self.endpoint.as_ref().or(question.vpc_endpoint).map_or(&[], core::slice::from_ref),
            ),
            Layer::ServiceControlPolicy => levels(self.scps.as_deref().unwrap_or(question.scps)),
            Layer::ResourceControlPolicy => levels(self.rcps.as_deref().unwrap_or(question.rcps)),
            Layer::Grant | Layer::Guardrail | Layer::Freeze => Vec::new(),
        }
    }

    /// A statement as its document has it.
    pub(super) fn statement(&self, place: &Place<'_>) -> Option<Value> {
        let (_, _, document) = self.document(place)?;
        edit::statements(document)?.get(place.index?).cloned()
    }

    fn document(&self, place: &Place<'_>) -> Option<(Option<usize>, &str, &Document)> {
        self.documents(place.layer).into_iter().find(|(level, source, _)| {
            *source == place.source && (place.level.is_none() || *level == place.level)
        })
    }

    /// The scene with the statements of one document changed.
    pub(super) fn edited(
        &self,
        place: &Place<'_>,
        change: impl FnOnce(&mut Vec<Value>) -> Option<()>,
    ) -> Option<Self> {
        let (level, source, document) = self.document(place)?;
        let (source, document) = (source.to_owned(), edit::edited(document, change)?);
        let mut scene = self.clone();
        scene.put(place.layer, level, &source, document);
        Some(scene)
    }

    /// The scene with one statement more in a layer, and the document that holds it now; `None` for a new one.
    pub(super) fn extended(
        &self,
        layer: Layer,
        level: Option<usize>,
        statement: &Value,
    ) -> Option<(Self, Option<String>)> {
        let first =
            self.documents(layer).into_iter().find(|(at, ..)| level.is_none() || *at == level);
        // Identity policies add up, so a new one is easier to read and to take away than a changed one.
        let first = first.filter(|_| layer != Layer::IdentityPolicy);
        let Some((_, source, _)) = first else {
            let mut scene = self.clone();
            scene.put(layer, level, NEW, edit::document(statement));
            return Some((scene, None));
        };
        let place = Place { layer, level, source, index: None };
        let scene = self.edited(&place, |statements| {
            statements.push(statement.clone());
            Some(())
        })?;
        Some((scene, Some(source.to_owned())))
    }

    fn put(&mut self, layer: Layer, level: Option<usize>, source: &str, document: Document) {
        let question = self.question;
        let one = IdentityDocument { source: source.to_owned(), document };
        let among = |documents: &mut Vec<IdentityDocument>, one: IdentityDocument| {
            let old = documents.iter_mut().find(|old| old.source == one.source);
            match old.filter(|_| one.source != NEW) {
                Some(old) => *old = one,
                None => documents.push(one),
            }
        };
        match layer {
            Layer::KeyPolicy => self.policy = Some(one.document),
            Layer::IdentityPolicy => {
                among(self.identity.get_or_insert_with(|| question.identity.to_vec()), one);
            }
            Layer::SessionPolicy => {
                let own = || question.caller.session_policies.clone();
                among(self.session.get_or_insert_with(own), one);
            }
            Layer::PermissionsBoundary => self.boundary = Some(one),
            Layer::VpcEndpointPolicy => self.endpoint = Some(one),
            Layer::ServiceControlPolicy | Layer::ResourceControlPolicy => {
                let levels = if layer == Layer::ServiceControlPolicy {
                    self.scps.get_or_insert_with(|| question.scps.to_vec())
                } else {
                    self.rcps.get_or_insert_with(|| question.rcps.to_vec())
                };
                if let Some(documents) = levels.get_mut(level.unwrap_or_default()) {
                    among(documents, one);
                }
            }
            Layer::Grant | Layer::Guardrail | Layer::Freeze => {}
        }
    }
}

/// Where a statement stands.
pub(super) struct Place<'p> {
    pub(super) layer: Layer,
    pub(super) level: Option<usize>,
    pub(super) source: &'p str,
    pub(super) index: Option<usize>,
}
