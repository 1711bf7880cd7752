//! Grants: one generic Cedar policy, the grant as an entity.
//!
//! A grant only allows; it loses to any deny elsewhere. Names in an encryption-context constraint compare
//! without case and values with it; a context that holds one name in two spellings meets no such constraint.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use crate::{
    entities,
    error::Unevaluable,
    keys::{ConditionKey, Seen, look_up},
    principal::{self, Named, Standing},
    question::Question,
    request::{Base, World},
};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, Policy, PolicySet, Request,
    RestrictedExpression, pst,
};
use keyward_types::{
    Caller, CallerKind, Clause, GrantConstraints, GrantId, GrantOperation, GrantRecord, Grantee,
    MatchKind,
};
use quick_cache::sync::Cache;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The text that is evaluated.
pub const GRANT_POLICY: &str = include_str!("../../../policies/base/grant.cedar");

/// What a grant and an operation make of the grant policy: which of its clauses say anything.
///
/// A clause of the form `if <the grant has this> then … else true` says nothing about a grant without it.
/// As with documents and actions, what says nothing is left out before it is evaluated; a test compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape(usize);

const ALWAYS: usize = 0;
const HAS_ID: usize = 1;
const HAS_EQUALS: usize = 2;
const HAS_SUBSET: usize = 4;
const HAS_SOURCE: usize = 8;
const CREATES: usize = 16;
const SHAPES: usize = 32;

impl Shape {
    fn of(operation: GrantOperation, grant: &GrantRecord) -> Self {
        let GrantConstraints {
            encryption_context_equals: equals,
            encryption_context_subset: subset,
            source_arn,
        } = &grant.constraints;
        let bits = [
            (grant.grantee_id.is_some(), HAS_ID),
            (equals.is_some(), HAS_EQUALS),
            (subset.is_some(), HAS_SUBSET),
            (source_arn.is_some(), HAS_SOURCE),
            (operation == GrantOperation::CreateGrant, CREATES),
        ];
        Self(bits.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum())
    }
}

/// What each `when` of the grant policy is about, in its order, and the shapes for which it says something.
const CLAUSES: &[(&str, usize)] = &[
    ("Key", ALWAYS),
    ("GranteePrincipal", ALWAYS),
    ("GranteePrincipal unique id", HAS_ID),
    ("Operations", ALWAYS),
    ("Constraint EncryptionContextEquals", HAS_EQUALS),
    ("Constraint EncryptionContextSubset", HAS_SUBSET),
    ("Constraint SourceArn", HAS_SOURCE),
    ("Operations of the new grant", CREATES),
    ("Constraint EncryptionContextEquals of the new grant", CREATES | HAS_EQUALS),
    ("Constraint EncryptionContextSubset of the new grant", CREATES | HAS_SUBSET),
    ("Constraint SourceArn of the new grant", CREATES | HAS_SOURCE),
];

/// Operations whose requests carry an encryption context.
/// CreateGrant is not one: the new grant's constraints are compared instead.
pub(crate) const CARRY_CONTEXT: &[&str] = &[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
];

/// Grants kept as entities; one is about 2 KB.
const PREPARED_MAX: usize = 4_096;

/// The compiled grant policy, by shape and clause by clause, and grants as entities.
pub(crate) struct GrantPolicy {
    shapes: Vec<PolicySet>,
    clauses: PolicySet,
    prepared: Cache<GrantId, Arc<Prepared>>,
}

/// A grant as an entity, and the record it was made from.
struct Prepared {
    record: GrantRecord,
    uid: EntityUid,
    entities: Entities,
}

/// A grant that applies.
pub(crate) struct Applying<'q> {
    pub(crate) grant: &'q GrantRecord,
    pub(crate) kind: MatchKind,
}

impl GrantPolicy {
    /// `whole`: leave no clause out, as the tests do to compare.
    pub(crate) fn compile(whole: bool) -> Result<Self, Unevaluable> {
        let failed = |error: &dyn core::fmt::Display| {
            Unevaluable(format!("the grant policy does not compile: {error}"))
        };
        let text: PolicySet = GRANT_POLICY.parse().map_err(|error| failed(&error))?;
        let policy = text.policies().next().ok_or_else(|| failed(&"it is empty"))?;
        let pst::Policy::Static(body) = policy.to_pst().map_err(|error| failed(&error))? else {
            return Err(failed(&"it is a template"));
        };
        let body = body.body();
        if body.clauses().len() != CLAUSES.len() {
            return Err(failed(&"it has clauses without names"));
        }
        let with = |id: &str, clauses: Vec<pst::Clause>| -> Result<Policy, Unevaluable> {
            let template = body
                .clone()
                .with_id(id.into())
                .try_with_clauses(clauses)
                .map_err(|error| failed(&error))?;
            let policy = pst::StaticPolicy::try_from(template).map_err(|error| failed(&error))?;
            Policy::from_pst(pst::Policy::Static(policy)).map_err(|error| failed(&error))
        };
        let mut clauses = PolicySet::new();
        for (index, clause) in body.clauses().iter().enumerate() {
            clauses
                .add(with(&index.to_string(), vec![clause.clone()])?)
                .map_err(|error| failed(&error))?;
        }
        let mut shapes = Vec::new();
        for shape in 0..SHAPES {
            let speaks = CLAUSES.iter().map(|(_, of)| whole || of & shape == *of);
            let kept = body
                .clauses()
                .iter()
                .zip(speaks)
                .filter(|(_, speaks)| *speaks)
                .map(|(clause, _)| clause.clone());
            shapes.push(
                PolicySet::from_policies([with("grant", kept.collect())?])
                    .map_err(|error| failed(&error))?,
            );
        }
        Ok(Self { shapes, clauses, prepared: Cache::new(PREPARED_MAX) })
    }

    /// The grants that apply, one of each kind and issuer: more of the same change nothing.
    pub(crate) fn applying<'q>(
        &self,
        question: &Question<'q>,
        world: &World,
    ) -> Result<Vec<Applying<'q>>, Unevaluable> {
        let mut found: Vec<Applying<'q>> = Vec::new();
        let Some(operation) = operation(question) else { return Ok(found) };
        let own = |grant: &GrantRecord| grant.issuing_account == question.caller.account;
        for grant in
            question.grants.iter().copied().filter(|grant| grant.operations.contains(&operation))
        {
            let Some(kind) = kind(question.caller, grant) else { continue };
            if found.iter().any(|one| one.kind == kind && own(one.grant) == own(grant)) {
                continue;
            }
            let shape = Shape::of(operation, grant);
            let policies = self
                .shapes
                .get(shape.0)
                .ok_or_else(|| Unevaluable("a grant has no shape".to_owned()))?;
            if self.ask(policies, question, world, (operation, Some(kind)), grant)?.0 {
                found.push(Applying { grant, kind });
            }
        }
        Ok(found)
    }

    /// The clauses that keep a grant from applying.
    pub(crate) fn failing(
        &self,
        question: &Question<'_>,
        world: &World,
        grant: &GrantRecord,
    ) -> Result<Vec<Clause>, Unevaluable> {
        let Some(operation) = operation(question) else {
            return Ok(vec![clause("Operations", expected(3, grant), question.action.to_owned())]);
        };
        let (_, holding) = self.ask(&self.clauses, question, world, (operation, None), grant)?;
        let failed = CLAUSES.iter().enumerate().filter(|(index, _)| !holding.contains(index));
        Ok(failed
            .map(|(index, (name, _))| clause(name, expected(index, grant), actual(index, question)))
            .collect())
    }

    /// Whether any policy permits for the grant, and the ids of those that do.
    ///
    /// `kind`: how the grant names the caller, where that is known; the request then carries that name alone.
    fn ask(
        &self,
        policies: &PolicySet,
        question: &Question<'_>,
        world: &World,
        (operation, kind): (GrantOperation, Option<MatchKind>),
        grant: &GrantRecord,
    ) -> Result<(bool, Vec<usize>), Unevaluable> {
        let failed = |error: &dyn core::fmt::Display| Unevaluable(error.to_string());
        let prepared = self.prepare(grant)?;
        let mut pairs = context(question, (operation, kind), grant)?;
        pairs
            .push(("grant".to_owned(), RestrictedExpression::new_entity_uid(prepared.uid.clone())));
        let mut with_child = None;
        if let Some(child) = question.child_grant {
            let child = entity("child", child)?;
            pairs.push(("child".to_owned(), RestrictedExpression::new_entity_uid(child.uid())));
            with_child = Some(
                prepared
                    .entities
                    .clone()
                    .add_entities([child], None)
                    .map_err(|error| failed(&error))?,
            );
        }
        let context = Context::from_pairs(pairs).map_err(|error| failed(&error))?;
        let Base { principal, resource, .. } = world.base.as_ref();
        let request =
            Request::new(principal.clone(), world.action.clone(), resource.clone(), context, None)
                .map_err(|error| failed(&error))?;
        let entities = with_child.as_ref().unwrap_or(&prepared.entities);
        let response = Authorizer::new().is_authorized(&request, policies, entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(failed(error));
        }
        let holding = response
            .diagnostics()
            .reason()
            .filter_map(|id| AsRef::<str>::as_ref(id).parse().ok())
            .collect();
        Ok((response.decision() == Decision::Allow, holding))
    }

    fn prepare(&self, grant: &GrantRecord) -> Result<Arc<Prepared>, Unevaluable> {
        // Ids are the store's to make unique; the record is compared so that this does not rest on it.
        if let Some(prepared) =
            self.prepared.get(&grant.grant_id).filter(|prepared| prepared.record == *grant)
        {
            return Ok(prepared);
        }
        let entity = entity("grant", grant)?;
        let uid = entity.uid();
        let entities = Entities::from_entities([entity], None)
            .map_err(|error| Unevaluable(error.to_string()))?;
        let prepared = Arc::new(Prepared { record: grant.clone(), uid, entities });
        self.prepared.insert(grant.grant_id.clone(), Arc::clone(&prepared));
        Ok(prepared)
    }
}

fn clause(name: &str, expected: String, actual: String) -> Clause {
    Clause { clause: name.to_owned(), expected, actual }
}

/// The question's action, where grants can hand it out.
pub(crate) fn operation(question: &Question<'_>) -> Option<GrantOperation> {
    question.action.strip_prefix("kms:").and_then(GrantOperation::parse)
}

/// Whether constraints on the encryption context bind the question's operation.
pub(crate) fn carries_context(question: &Question<'_>) -> bool {
    operation(question).is_some_and(|operation| CARRY_CONTEXT.contains(&operation.as_str()))
}

/// How a grantee names this caller; `None` when it names somebody else.
pub(crate) fn kind(caller: &Caller, grant: &GrantRecord) -> Option<MatchKind> {
    names(caller, &grant.grantee)
}

/// How a grantee or retiring principal names this caller.
pub(crate) fn names(caller: &Caller, grantee: &Grantee) -> Option<MatchKind> {
    let wanted = grantee_text(grantee)?;
    let Standing { ty, id, behind, account } = principal::standing(caller);
    if ty != "Root" && id == wanted {
        Some(MatchKind::Session)
    } else if behind.is_some_and(|(_, arn)| arn == wanted) {
        Some(MatchKind::Entity)
    } else {
        (account == Some(wanted.as_ref())).then_some(MatchKind::Account)
    }
}

/// An account's ARN and its id are one name; `None` for what names nobody.
fn grantee_text(grantee: &Grantee) -> Option<Cow<'_, str>> {
    match grantee {
        Grantee::Service(name) => Some(Cow::Borrowed(name)),
        Grantee::Principal(arn) => match principal::parse_arn(arn)? {
            Named::Account(id) => Some(Cow::Owned(id)),
            _ => Some(Cow::Borrowed(arn)),
        },
    }
}

/// What the grant policy reads of the request, and no more than this grant makes it read.
fn context(
    question: &Question<'_>,
    (operation, kind): (GrantOperation, Option<MatchKind>),
    grant: &GrantRecord,
) -> Result<Vec<(String, RestrictedExpression)>, Unevaluable> {
    let caller = question.caller;
    let Standing { id, behind, account, .. } = principal::standing(caller);
    let carries = CARRY_CONTEXT.contains(&operation.as_str());
    let mut pairs = vec![
        ("operation".to_owned(), entities::text(operation.as_str())),
        ("caller".to_owned(), entities::text(id)),
    ];
    if kind != Some(MatchKind::Session) {
        pairs.extend(behind.map(|(_, arn)| ("callerBehind".to_owned(), entities::text(arn))));
    }
    if matches!(kind, None | Some(MatchKind::Account)) {
        pairs.extend(account.map(|account| ("callerAccount".to_owned(), entities::text(account))));
    }
    if grant.grantee_id.is_some() {
        // A federated session does not know its user's id.
        let federated = matches!(caller.kind, CallerKind::Federated { .. });
        let unique = if federated { caller.user_id.as_str() } else { caller.unique_id() };
        pairs.push(("callerId".to_owned(), entities::text(&caller.user_id)));
        pairs.push(("callerUniqueId".to_owned(), entities::text(unique)));
    }
    let GrantConstraints {
        encryption_context_equals: equals,
        encryption_context_subset: subset,
        source_arn: source,
    } = &grant.constraints;
    if equals.is_some() || subset.is_some() {
        pairs.push(("carriesContext".to_owned(), RestrictedExpression::new_bool(carries)));
    }
    if carries && (equals.is_some() || subset.is_some()) {
        let context = question.facts.context();
        let names: BTreeSet<String> =
            context.into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect();
        let ambiguous = names.len() != context.map_or(0, BTreeMap::len);
        pairs.push(("contextAmbiguous".to_owned(), RestrictedExpression::new_bool(ambiguous)));
        pairs.push(("contextPairs".to_owned(), folded_pairs(context.into_iter().flatten())));
    }
    if source.is_some()
        && let Some(arn) = self::source_arn(question)?
    {
        pairs.push(("sourceArn".to_owned(), entities::text(&arn)));
    }
    Ok(pairs)
}

fn entity(id: &str, grant: &GrantRecord) -> Result<Entity, Unevaluable> {
    let key = entities::uid("Key", &grant.key.to_string())?;
    let mut attributes = vec![
        ("key".to_owned(), RestrictedExpression::new_entity_uid(key)),
        // A grantee that cannot be read is nobody.
        (
            "grantee".to_owned(),
            entities::text(grantee_text(&grant.grantee).as_deref().unwrap_or_default()),
        ),
        (
            "operations".to_owned(),
            entities::texts(grant.operations.iter().map(|operation| operation.as_str())),
        ),
    ];
    if let Some(id) = &grant.grantee_id {
        attributes.push(("granteeId".to_owned(), entities::text(id)));
    }
    let GrantConstraints { encryption_context_equals, encryption_context_subset, source_arn } =
        &grant.constraints;
    if let Some(pairs) = encryption_context_equals {
        attributes.push(("contextEquals".to_owned(), folded_pairs(pairs)));
    }
    if let Some(pairs) = encryption_context_subset {
        attributes.push(("contextSubset".to_owned(), folded_pairs(pairs)));
    }
    if let Some(arn) = source_arn {
        attributes.push(("sourceArn".to_owned(), entities::text(arn)));
    }
    entities::entity(entities::uid("Grant", id)?, attributes, Vec::new(), Vec::new())
}

/// Each pair as one text: the name's length in bytes, the name in lower case, the value.
fn folded_pairs<'p>(
    pairs: impl IntoIterator<Item = (&'p String, &'p String)>,
) -> RestrictedExpression {
    let texts = pairs.into_iter().map(|(name, value)| {
        let name = name.to_lowercase();
        entities::text(&format!("{} {name}={value}", name.len()))
    });
    RestrictedExpression::new_set(texts)
}

fn source_arn(question: &Question<'_>) -> Result<Option<String>, Unevaluable> {
    let Some(key) = ConditionKey::parse("aws:SourceArn") else { return Ok(None) };
    Ok(match look_up(question, &key).map_err(Unevaluable)? {
        Some(Seen::One(arn)) => Some(arn.into_owned()),
        _ => None,
    })
}

/// What a grant demands, by the place of the clause.
fn expected(index: usize, grant: &GrantRecord) -> String {
    let pairs =
        |pairs: &Option<BTreeMap<String, String>>| pairs.as_ref().map_or_else(String::new, listed);
    match index {
        0 => grant.key.to_string(),
        1 => match &grant.grantee {
            Grantee::Principal(text) | Grantee::Service(text) => text.clone(),
        },
        2 => grant.grantee_id.clone().unwrap_or_default(),
        3 | 7 => grant
            .operations
            .iter()
            .map(|operation| operation.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        4 | 8 => pairs(&grant.constraints.encryption_context_equals),
        5 | 9 => pairs(&grant.constraints.encryption_context_subset),
        _ => grant.constraints.source_arn.clone().unwrap_or_default(),
    }
}

fn actual(index: usize, question: &Question<'_>) -> String {
    let absent = || "(absent)".to_owned();
    let child = question.child_grant;
    match index {
        0 => question.resource.arn().to_owned(),
        1 => question.caller.arn.clone(),
        2 => question.caller.user_id.clone(),
        3 => question.action.trim_start_matches("kms:").to_owned(),
        4 | 5 => {
            question.facts.context().filter(|pairs| !pairs.is_empty()).map_or_else(absent, listed)
        }
        6 => source_arn(question).ok().flatten().unwrap_or_else(absent),
        7 => child.map_or_else(absent, |grant| expected(7, grant)),
        8 | 9 => child.map_or_else(absent, |grant| {
            let GrantConstraints {
                encryption_context_equals: equals,
                encryption_context_subset: subset,
                ..
            } = &grant.constraints;
            equals.as_ref().or(subset.as_ref()).map_or_else(absent, listed)
        }),
        _ => child.and_then(|grant| grant.constraints.source_arn.clone()).unwrap_or_else(absent),
    }
}

pub(crate) fn listed(pairs: &BTreeMap<String, String>) -> String {
    let texts: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if texts.is_empty() { "(no pairs)".to_owned() } else { texts.join(", ") }
}
