//! What a document's statements are about, and which condition keys a question's answer depends on: what it takes
//! to decide a log once for each question instead of once for each event, and to tell what of a document is used.
//!
//! It decides nothing; documents are read by the parser that evaluation reads them by.
//!
//! INVARIANT: two questions of one caller, action and resource that agree in every key of [`PolicyEngine::keys_read`]
//! are decided alike.

use crate::{
    actions::KMS_ACTIONS,
    document::{DocumentKind, Listed, Parsed, ResourcePattern},
    engine::PolicyEngine,
    error::PolicyError,
    layers::Chorus,
    question::Question,
};
use std::collections::BTreeSet;

/// The encryption context as a whole, among the keys that are read.
pub const WHOLE_ENCRYPTION_CONTEXT: &str = "kms:encryptioncontext";

/// One statement of a document, as far as what it covers goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    pub sid: Option<String>,
    pub allow: bool,
    /// Actions of KMS that it covers.
    pub actions: Vec<&'static str>,
    /// Whether it lists what it does not cover, or names actions by patterns.
    pub broad: bool,
    /// Whom it names, as the document spells it; empty where the document names nobody.
    pub principals: Vec<String>,
    /// Whether it lists principals that it does not mean.
    pub not_principals: bool,
    /// Whether it speaks of every resource.
    pub any_resource: bool,
    /// Whether it lacks an element without which it has no effect.
    pub without_effect: bool,
}

/// The statements of a document in their order.
///
/// # Errors
/// When the text is no document of that kind.
pub fn outline(text: &str, of_key: bool) -> Result<Vec<Outline>, PolicyError> {
    let kind = if of_key { DocumentKind::Resource } else { DocumentKind::Identity };
    let parsed = Parsed::parse(text, kind)?;
    let texts = |listed: &Listed<_>| listed.texts.clone();
    let outlined = parsed.statements.iter().map(|statement| {
        let covers = |action: &&'static str| statement.covers_action(action);
        let pattern = |text: &String| text.contains(['*', '?']);
        let actions = statement.actions.as_ref();
        let resources = statement.resources.as_ref();
        Outline {
            sid: statement.sid.clone(),
            allow: statement.allow,
            actions: KMS_ACTIONS.iter().copied().filter(covers).collect(),
            broad: actions.is_some_and(|listed| listed.not || listed.texts.iter().any(pattern)),
            principals: statement.principals.as_ref().map(texts).unwrap_or_default(),
            not_principals: statement.principals.as_ref().is_some_and(|listed| listed.not),
            any_resource: resources
                .is_some_and(|listed| listed.not || listed.items.contains(&ResourcePattern::All)),
            without_effect: resources.is_none()
                || actions.is_none()
                || (of_key && statement.principals.is_none()),
        }
    });
    Ok(outlined.collect())
}

impl PolicyEngine {
    /// The condition keys, in lower case, that the answer to a question may depend on: those that statements about
    /// the action read, and those of the grants' constraints. `None` where any fact may matter: an operator's
    /// guardrails read what they like, and a grant that asks for another is compared as a whole.
    pub fn keys_read(&self, question: &Question<'_>) -> Option<BTreeSet<String>> {
        let guarded = !self.guardrails_about(question.action).is_empty();
        if guarded || (question.child_grant.is_some() && !question.grants.is_empty()) {
            return None;
        }
        let chorus = Chorus::gather(self, question, false).ok()?;
        let mut read = BTreeSet::new();
        for voice in &chorus.voices {
            let parsed = self.parsed(voice.document, voice.kind).ok()?;
            let about = parsed.statements.iter().filter(|one| one.covers_action(question.action));
            for statement in about {
                let of_tests = statement.tests.iter().flat_map(|test| test.keys());
                read.extend(of_tests.map(|key| key.name.clone()));
                let resources = statement.resources.iter().flat_map(|listed| &listed.items);
                for resource in resources {
                    if let ResourcePattern::Arn(pattern) = resource {
                        read.extend(pattern.variables().map(|key| key.name.clone()));
                    }
                }
            }
        }
        if question.grants.iter().any(|grant| !grant.constraints.is_empty()) {
            read.insert(WHOLE_ENCRYPTION_CONTEXT.to_owned());
            read.insert("aws:sourcearn".to_owned());
        }
        Some(read)
    }
}
