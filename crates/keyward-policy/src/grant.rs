//! Grants: one generic Cedar policy, the grant as an entity.
//!
//! A grant only allows; it loses to any deny elsewhere. Names in an encryption-context constraint compare
//! without case and values with it; a context that holds one name in two spellings meets no such constraint.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use crate::{
    entities,
    error::Unevaluable,
    keys::{ConditionKey, Seen, look_up},
    principal,
    question::Question,
    request::World,
};
use cedar_policy::{Authorizer, Context, Decision, Entities, Entity, EntityUid, Policy, PolicySet, Request, RestrictedExpression, pst};
use keyward_types::{Caller, CallerKind, Clause, GrantConstraints, GrantOperation, GrantRecord, Grantee, MatchKind};
use std::collections::BTreeMap;

/// The text that is evaluated.
pub const GRANT_POLICY: &str = include_str!("../../../policies/base/grant.cedar");

/// What each `when` of the grant policy is about, in its order.
const CLAUSES: &[&str] = &[
    "Key",
    "GranteePrincipal",
    "GranteePrincipal unique id",
    "Operations",
    "Constraint EncryptionContextEquals",
    "Constraint EncryptionContextSubset",
    "Constraint SourceArn",
    "Operations of the new grant",
    "Constraint EncryptionContextEquals of the new grant",
    "Constraint EncryptionContextSubset of the new grant",
    "Constraint SourceArn of the new grant",
];

/// Operations whose requests carry an encryption context.
/// CreateGrant is not one: the new grant's constraints are compared instead.
const CARRY_CONTEXT: &[&str] = &[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
];

/// Grants put before Cedar at once.
const CHUNK: usize = 32;

/// The compiled grant policy, whole and clause by clause.
#[derive(Debug)]
pub(crate) struct GrantPolicy {
    whole: PolicySet,
    clauses: PolicySet,
}

/// A grant that applies.
pub(crate) struct Applying<'q> {
    pub(crate) grant: &'q GrantRecord,
    pub(crate) kind: MatchKind,
}

impl GrantPolicy {
    pub(crate) fn compile() -> Result<Self, Unevaluable> {
        let failed = |error: &dyn core::fmt::Display| Unevaluable(format!("the grant policy does not compile: {error}"));
        let whole: PolicySet = GRANT_POLICY.parse().map_err(|error| failed(&error))?;
        let policy = whole.policies().next().ok_or_else(|| Unevaluable("the grant policy is empty".to_owned()))?;
        let pst::Policy::Static(body) = policy.to_pst().map_err(|error| failed(&error))? else {
            return Err(Unevaluable("the grant policy is a template".to_owned()));
        };
        let mut clauses = PolicySet::new();
        for (index, clause) in body.body().clauses().iter().enumerate() {
            let template = body.body().clone().with_id(index.to_string().as_str().into());
            let template = template.try_with_clauses([clause.clone()]).map_err(|error| failed(&error))?;
            let alone = pst::StaticPolicy::try_from(template).map_err(|error| failed(&error))?;
            let alone = Policy::from_pst(pst::Policy::Static(alone)).map_err(|error| failed(&error))?;
            clauses.add(alone).map_err(|error| failed(&error))?;
        }
        if clauses.num_of_policies() != CLAUSES.len() {
            return Err(Unevaluable("the grant policy has clauses without names".to_owned()));
        }
        Ok(Self { whole, clauses })
    }

    /// The grants that apply, one of each kind and issuer: more of the same change nothing.
    pub(crate) fn applying<'q>(&self, question: &Question<'q>, world: &World) -> Result<Vec<Applying<'q>>, Unevaluable> {
        let mut found: Vec<Applying<'q>> = Vec::new();
        let Some(operation) = operation(question) else { return Ok(found) };
        let candidates: Vec<&'q GrantRecord> =
            question.grants.iter().copied().filter(|grant| grant.operations.contains(&operation)).collect();
        let own = |grant: &GrantRecord| grant.issuing_account == question.caller.account;
        for chunk in candidates.chunks(CHUNK) {
            let mut stage: Option<Stage> = None;
            for (index, grant) in chunk.iter().enumerate() {
                let Some(kind) = kind(question.caller, grant) else { continue };
                if found.iter().any(|f| f.kind == kind && own(f.grant) == own(grant)) {
                    continue;
                }
                if stage.is_none() {
                    stage = Some(Stage::build(question, world, operation, chunk)?);
                }
                if let Some(stage) = &stage
                    && stage.ask(&self.whole, index)?.0
                {
                    found.push(Applying { grant, kind });
                }
            }
        }
        Ok(found)
    }

    /// The clauses that keep a grant from applying.
    pub(crate) fn failing(&self, question: &Question<'_>, world: &World, grant: &GrantRecord) -> Result<Vec<Clause>, Unevaluable> {
        let Some(operation) = operation(question) else {
            return Ok(vec![clause("Operations", expected(3, grant), question.action.to_owned())]);
        };
        let stage = Stage::build(question, world, operation, &[grant])?;
        let (_, holding) = stage.ask(&self.clauses, 0)?;
        let failed = CLAUSES.iter().enumerate().filter(|(index, _)| !holding.contains(index));
        Ok(failed.map(|(index, name)| clause(name, expected(index, grant), actual(index, question))).collect())
    }
}

fn clause(name: &str, expected: String, actual: String) -> Clause {
    Clause { clause: name.to_owned(), expected, actual }
}

fn operation(question: &Question<'_>) -> Option<GrantOperation> {
    question.action.strip_prefix("kms:").and_then(GrantOperation::parse)
}

/// How a grantee names this caller; `None` when it names somebody else.
pub(crate) fn kind(caller: &Caller, grant: &GrantRecord) -> Option<MatchKind> {
    names(caller, &grant.grantee)
}

/// How a grantee or retiring principal names this caller.
pub(crate) fn names(caller: &Caller, grantee: &Grantee) -> Option<MatchKind> {
    let wanted = grantee_text(grantee)?;
    caller_names(caller).into_iter().find(|(_, name)| *name == wanted).map(|(kind, _)| kind)
}

/// The texts by which a grant can name a caller, strongest first.
fn caller_names(caller: &Caller) -> Vec<(MatchKind, String)> {
    let (ty, id, parents) = principal::entity_of(caller, true);
    let own = (ty != "Root").then_some((MatchKind::Session, id));
    let above = parents.into_iter().map(|(ty, id)| (if ty == "Account" { MatchKind::Account } else { MatchKind::Entity }, id));
    own.into_iter().chain(above).collect()
}

/// An account's ARN and its id are one name.
fn grantee_text(grantee: &Grantee) -> Option<String> {
    match grantee {
        Grantee::Service(name) => Some(name.clone()),
        Grantee::Principal(arn) => principal::parse_arn(arn)?.entity().map(|(_, id)| id.to_owned()),
    }
}

/// Ids that a grant may have been bound to. A federated session does not know its user's id.
fn caller_ids(caller: &Caller) -> Vec<&str> {
    match caller.kind {
        CallerKind::Federated { .. } => vec![&caller.user_id],
        _ => vec![&caller.user_id, caller.unique_id(), caller.account.as_str()],
    }
}

/// Grants of one chunk as entities, and the context they are asked in.
struct Stage {
    entities: Entities,
    pairs: Vec<(String, RestrictedExpression)>,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
}

impl Stage {
    fn build(question: &Question<'_>, world: &World, operation: GrantOperation, grants: &[&GrantRecord]) -> Result<Self, Unevaluable> {
        let mut all = Vec::new();
        for (index, grant) in grants.iter().enumerate() {
            all.push(grant_entity(&index.to_string(), grant)?);
        }
        let carries = CARRY_CONTEXT.contains(&operation.as_str());
        let names = caller_names(question.caller);
        let mut pairs = vec![
            ("operation".to_owned(), entities::text(operation.as_str())),
            ("callerNames".to_owned(), entities::texts(names.iter().map(|(_, name)| name.as_str()))),
            ("callerIds".to_owned(), entities::texts(caller_ids(question.caller))),
            ("carriesContext".to_owned(), RestrictedExpression::new_bool(carries)),
        ];
        if carries {
            let context: BTreeMap<&String, &String> = question.facts.context_pairs().collect();
            let folded: std::collections::BTreeSet<String> = context.keys().map(|name| name.to_lowercase()).collect();
            pairs.push(("contextAmbiguous".to_owned(), RestrictedExpression::new_bool(folded.len() != context.len())));
            pairs.push(("contextPairs".to_owned(), folded_pairs(context)));
        }
        if let Some(arn) = source_arn(question)? {
            pairs.push(("sourceArn".to_owned(), entities::text(&arn)));
        }
        if let Some(child) = question.child_grant {
            let child = grant_entity("child", child)?;
            pairs.push(("child".to_owned(), RestrictedExpression::new_entity_uid(child.uid())));
            all.push(child);
        }
        Ok(Self {
            entities: Entities::from_entities(all, None).map_err(|error| Unevaluable(error.to_string()))?,
            pairs,
            principal: world.principal.clone(),
            action: world.action.clone(),
            resource: world.resource.clone(),
        })
    }

    /// Whether any policy permits for the grant at `index`, and the ids of those that do.
    fn ask(&self, policies: &PolicySet, index: usize) -> Result<(bool, Vec<usize>), Unevaluable> {
        let grant = entities::uid("Grant", &index.to_string())?;
        let grant = ("grant".to_owned(), RestrictedExpression::new_entity_uid(grant));
        let pairs = self.pairs.iter().cloned().chain([grant]);
        let context = Context::from_pairs(pairs).map_err(|error| Unevaluable(error.to_string()))?;
        let request = Request::new(self.principal.clone(), self.action.clone(), self.resource.clone(), context, None)
            .map_err(|error| Unevaluable(error.to_string()))?;
        let response = Authorizer::new().is_authorized(&request, policies, &self.entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(Unevaluable(error.to_string()));
        }
        let holding = response.diagnostics().reason().filter_map(|id| AsRef::<str>::as_ref(id).parse().ok()).collect();
        Ok((response.decision() == Decision::Allow, holding))
    }
}

fn grant_entity(id: &str, grant: &GrantRecord) -> Result<Entity, Unevaluable> {
    let key = entities::uid("Key", &grant.key.to_string())?;
    let mut attributes = vec![
        ("key".to_owned(), RestrictedExpression::new_entity_uid(key)),
        // A grantee that cannot be read is nobody.
        ("grantee".to_owned(), entities::text(&grantee_text(&grant.grantee).unwrap_or_default())),
        ("operations".to_owned(), entities::texts(grant.operations.iter().map(|operation| operation.as_str()))),
    ];
    if let Some(id) = &grant.grantee_id {
        attributes.push(("granteeId".to_owned(), entities::text(id)));
    }
    let GrantConstraints { encryption_context_equals, encryption_context_subset, source_arn } = &grant.constraints;
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
fn folded_pairs<'p>(pairs: impl IntoIterator<Item = (&'p String, &'p String)>) -> RestrictedExpression {
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
    let pairs = |pairs: &Option<BTreeMap<String, String>>| pairs.as_ref().map_or_else(String::new, listed);
    match index {
        0 => grant.key.to_string(),
        1 => match &grant.grantee {
            Grantee::Principal(text) | Grantee::Service(text) => text.clone(),
        },
        2 => grant.grantee_id.clone().unwrap_or_default(),
        3 | 7 => grant.operations.iter().map(|operation| operation.as_str()).collect::<Vec<_>>().join(", "),
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
            let pairs: BTreeMap<String, String> = question.facts.context_pairs().map(|(k, v)| (k.clone(), v.clone())).collect();
            if pairs.is_empty() { absent() } else { listed(&pairs) }
        }
        6 => source_arn(question).ok().flatten().unwrap_or_else(absent),
        7 => child.map_or_else(absent, |grant| expected(7, grant)),
        8 | 9 => child.map_or_else(absent, |grant| {
            let GrantConstraints { encryption_context_equals: equals, encryption_context_subset: subset, .. } = &grant.constraints;
            equals.as_ref().or(subset.as_ref()).map_or_else(absent, listed)
        }),
        _ => child.and_then(|grant| grant.constraints.source_arn.clone()).unwrap_or_else(absent),
    }
}

fn listed(pairs: &BTreeMap<String, String>) -> String {
    let texts: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if texts.is_empty() { "(no pairs)".to_owned() } else { texts.join(", ") }
}
