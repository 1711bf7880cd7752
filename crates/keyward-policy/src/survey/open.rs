//! Which facts of a request are open, and documents without the conditions that read them.
//!
//! A fact is known when it was stated, or when it follows from the caller and the key for as long as neither
//! changes. Everything else the next request may bring in any form.
//!
//! INVARIANT: what is not known for certain to be known counts as open.

use super::{ANY_SESSION, Standpoint};
use crate::{
    condition::Test,
    document::{DocumentKind, Listed, Parsed, ResourcePattern, Statement},
    error::Unevaluable,
    keys::{ConditionKey, Family, Place},
    pattern::Pattern,
    principal::Named,
    question::Question,
    translate::Slice,
};
use keyward_types::CallerKind;
use std::sync::Arc;

/// Follow from the key, its owner and the time of asking.
const OF_THE_KEY: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "kms:customermasterkeyspec",
    "kms:customermasterkeyusage",
    "kms:keyorigin",
    "kms:keyspec",
    "kms:keyusage",
    "kms:multiregion",
    "kms:resourcealiases",
];
/// Follow from the caller's account.
const OF_THE_ACCOUNT: &[&str] = &[
    "aws:principalaccount",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "kms:calleraccount",
];
/// Follow from which principal of its account the caller is.
const OF_THE_PRINCIPAL: &[&str] = &["aws:principalarn", "aws:principaltype", "aws:username"];

/// Whether a request may still bring this key in another form than the question has it.
pub(super) fn is_open(question: &Question<'_>, standpoint: Standpoint, key: &ConditionKey) -> bool {
    let name = key.name.as_str();
    if question.facts.stated(name).is_some() || name.starts_with("unseen ") {
        return false;
    }
    let context_open = question.facts.context().is_none();
    let origin = &question.caller.origin;
    // A session brings tags and a name of its own.
    let session = matches!(
        question.caller.kind,
        CallerKind::RoleSession { .. } | CallerKind::Federated { .. }
    );
    match key.place {
        Place::Tag(Family::EncryptionContext) => context_open,
        Place::Tag(Family::ResourceTag) => !question.resource.is_key(),
        Place::Tag(Family::PrincipalTag) => session || standpoint != Standpoint::Here,
        Place::Tag(Family::RequestTag | Family::Other) => true,
        Place::Fixed(_) if name == "kms:encryptioncontextkeys" => context_open,
        Place::Fixed(_) if name == "aws:sourceip" => origin.source_ip.is_empty(),
        Place::Fixed(_) if name == "aws:useragent" => origin.user_agent.is_empty(),
        Place::Fixed(_) if name == "aws:userid" => session || standpoint != Standpoint::Here,
        Place::Fixed(_) => {
            let known = OF_THE_KEY.contains(&name)
                || OF_THE_ACCOUNT.contains(&name) && standpoint != Standpoint::Anyone
                || OF_THE_PRINCIPAL.contains(&name)
                    && matches!(standpoint, Standpoint::Here | Standpoint::Elsewhere);
            !known
        }
    }
}

/// What of one statement is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Left {
    pub(super) tests: Vec<Test>,
    /// A resource with a variable that is open.
    pub(super) resource: Option<String>,
    /// Sessions of the caller's role that a Deny names, where the caller is any session of it.
    pub(super) sessions: Vec<String>,
}

impl Left {
    pub(super) fn is_empty(&self) -> bool {
        self.tests.is_empty() && self.resource.is_none() && self.sessions.is_empty()
    }

    /// The conditions as a person writes them: `StringEquals kms:EncryptionContext:App = billing`.
    pub(super) fn words(&self) -> Vec<String> {
        let tests = self.tests.iter().map(words);
        let sessions = (!self.sessions.is_empty()).then(|| self.sessions.join(" or "));
        tests
            .chain(self.resource.iter().map(|text| format!("Resource = {text}")))
            .chain(sessions.map(|text| format!("Principal = {text}")))
            .collect()
    }
}

pub(super) fn words(test: &Test) -> String {
    format!("{} {} = {}", test.operator_text, test.key_text, test.value_texts.join(" or "))
}

/// One document about one action, read in two ways.
#[derive(Debug)]
pub(super) struct Doctored {
    /// Every open Allow holds, and no open Deny does.
    pub(super) hopeful: Arc<Slice>,
    /// No open Allow holds, and every open Deny does.
    pub(super) fearful: Arc<Slice>,
    /// By statement.
    pub(super) left: Vec<Left>,
}

impl Doctored {
    pub(super) fn of(
        parsed: &Parsed,
        kind: DocumentKind,
        question: &Question<'_>,
        standpoint: Standpoint,
        guard: bool,
    ) -> Result<Self, Unevaluable> {
        let left: Vec<Left> = parsed
            .statements
            .iter()
            .map(|statement| left_of(statement, question, standpoint))
            .collect();
        let read = |hopeful: bool| {
            let statements = parsed
                .statements
                .iter()
                .zip(&left)
                .map(|(statement, left)| assumed(statement, left, statement.allow == hopeful));
            let parsed = Parsed::of(statements.collect());
            Slice::compile(&parsed, kind, None, question.action, guard, false).map(Arc::new)
        };
        Ok(Self { hopeful: read(true)?, fearful: read(false)?, left })
    }
}

fn left_of(statement: &Statement, question: &Question<'_>, standpoint: Standpoint) -> Left {
    if !statement.covers_action(question.action) {
        return Left::default();
    }
    let open = |key: &ConditionKey| is_open(question, standpoint, key);
    let tests = statement.tests.iter().filter(|test| test.keys().any(open)).cloned().collect();
    let variables = |listed: &Listed<ResourcePattern>| {
        listed.items.iter().any(|item| match item {
            ResourcePattern::All => false,
            ResourcePattern::Arn(pattern) => Pattern::variables(pattern).any(open),
        })
    };
    let resource = statement.resources.as_ref().filter(|listed| variables(listed));
    Left {
        tests,
        resource: resource.map(|listed| listed.texts.join(" or ")),
        sessions: sessions_denied(statement, question),
    }
}

/// An Allow for a session is that session's own matter, which is asked about by itself; a Deny for one keeps what
/// any session may from being certain.
fn sessions_denied(statement: &Statement, question: &Question<'_>) -> Vec<String> {
    let CallerKind::RoleSession { role_name, session_name, .. } = &question.caller.kind else {
        return Vec::new();
    };
    let Some(listed) = statement.principals.as_ref().filter(|listed| !listed.not) else {
        return Vec::new();
    };
    if statement.allow || session_name != ANY_SESSION {
        return Vec::new();
    }
    let start = format!("arn:aws:sts::{}:assumed-role/{role_name}/", question.caller.account);
    let sessions = listed.items.iter().filter_map(|item| match item {
        Named::Session(arn) if arn.starts_with(&start) => Some(arn.clone()),
        _ => None,
    });
    sessions.collect()
}

/// The statement as if what is open held, or as if it did not. It keeps its place.
fn assumed(statement: &Statement, left: &Left, holds: bool) -> Statement {
    let mut statement = statement.clone();
    if left.is_empty() {
        return statement;
    }
    let is_open = |item: &Named| matches!(item, Named::Session(arn) if left.sessions.contains(arn));
    if let Some(listed) = statement.principals.as_mut().filter(|_| !left.sessions.is_empty()) {
        if holds {
            listed.items = vec![Named::Anyone];
        } else {
            listed.items.retain(|item| !is_open(item));
            if left.tests.is_empty() && left.resource.is_none() && !listed.items.is_empty() {
                return statement;
            }
        }
    }
    if !holds {
        // A statement without actions has no effect.
        statement.actions = None;
        return statement;
    }
    statement.tests.retain(|test| !left.tests.contains(test));
    if left.resource.is_some() {
        statement.resources =
            Some(Listed { not: false, items: vec![ResourcePattern::All], texts: Vec::new() });
    }
    statement
}
