//! What is in force and was not used: statements, actions, principals, keys and grants.
//!
//! Every question of the log is decided again under what is in force now, and the statements and grants that
//! decide it are counted; so an imported export, which names no statements, counts too. A statement is shadowed
//! when no request of the log would be refused without it; it is dead when no survey of any principal, action and
//! key finds it among the ways. Neither is guessed: both are asked of the engine.
//!
//! A statement of a key policy that names but the key's own account is what keeps the key manageable and hands its
//! permissions to IAM; it is listed, and nothing is found wrong with it. Nor is anything with a Deny.

use super::{
    Source, iso,
    past::{Grain, Past, Tally},
    supposed::Supposed,
};
use crate::{
    Engine,
    ask::{Action, Ask, Stated, candidates::Candidates},
    layers::Layers,
    resolve::{Found, FoundKey},
};
use keyward_policy::{Outline, Standpoint, outline};
use keyward_types::{
    AccountId, Caller, GrantRecord, Grantee, IdentityDocument, KeyRecord, KeyState, KmsError,
    Layer, caller::Document,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Surveys that are made to find out whether a statement is dead; where more were needed, nothing is claimed.
const SURVEYS_MAX: usize = 20_000;
/// Records read at once.
const CHUNK: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum UseLevel {
    Statement,
    Action,
    Principal,
    Key,
    Grant,
}

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum UseFinding {
    NeverUsed,
    /// Everything that it allowed would have been allowed without it.
    Shadowed,
    /// It can allow nothing, whatever a request brings.
    Dead,
    /// It allows more actions, by a pattern, than were used.
    OverBroad,
}

impl UseFinding {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverUsed => "never used",
            Self::Shadowed => "shadowed",
            Self::Dead => "dead",
            Self::OverBroad => "over-broad",
        }
    }
}

/// One statement, action, principal, key or grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Use {
    pub level: UseLevel,
    /// The key or the principal that it is attached to, or is.
    pub on: String,
    /// The document, or `grant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The Sid or the grant's id; of a statement without Sid its place, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    pub uses: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_used: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    pub findings: Vec<UseFinding>,
    /// Actions that it allows, and how many of them were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<(usize, usize)>,
    /// Actions that it allows and nobody used through it, the most dangerous first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused_actions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UsageReport {
    pub events: u64,
    /// How many of `uses` have a finding.
    pub found: usize,
    pub uses: Vec<Use>,
    pub not_replayed: Vec<super::LeftOut>,
}

/// Where a statement stands: the key or principal (empty for a document that several principals share), the
/// document, its place.
type Place = (String, String, usize);

/// What was used, by what.
#[derive(Default)]
struct Counted {
    statements: BTreeMap<Place, Tally>,
    actions: BTreeMap<(Place, String), Tally>,
    /// Places of questions that a statement was part of allowing.
    posed_by: BTreeMap<Place, Vec<usize>>,
    principals: BTreeMap<String, Tally>,
    keys: BTreeMap<String, Tally>,
    grants: BTreeMap<String, Tally>,
}

impl Counted {
    fn of(past: &Past<'_>) -> Result<Self, KmsError> {
        let mut counted = Self::default();
        for (number, posed) in past.posed.iter().enumerate() {
            let decision = past.decide(posed, &Supposed::default())?;
            let tally = posed.allowed();
            let matter = &posed.matter;
            if 0 < tally.count {
                counted.principals.entry(matter.entity().to_owned()).or_default().join(&tally);
                if matter.key().is_some() {
                    counted.keys.entry(matter.resource.clone()).or_default().join(&tally);
                }
            }
            let tally = if decision.allowed() { tally } else { posed.refused() };
            for outcome in &decision.layers {
                for matched in outcome.matched.iter().filter(|one| one.allow == decision.allowed())
                {
                    if outcome.layer == Layer::Grant {
                        let id = matched.sid.clone().unwrap_or_default();
                        counted.grants.entry(id).or_default().join(&tally);
                        continue;
                    }
                    let on = match outcome.layer {
                        Layer::KeyPolicy => matter.resource.as_str(),
                        Layer::IdentityPolicy => holder(matter.entity(), &matched.source),
                        _ => continue,
                    };
                    let place = (on.to_owned(), matched.source.clone(), matched.index);
                    counted.statements.entry(place.clone()).or_default().join(&tally);
                    let action = matter.action.name.clone();
                    counted.actions.entry((place.clone(), action)).or_default().join(&tally);
                    if decision.allowed() && 0 < tally.count {
                        counted.posed_by.entry(place).or_default().push(number);
                    }
                }
            }
        }
        Ok(counted)
    }
}

/// Managed policies and those of groups are shared: what one principal uses of them is used.
fn holder<'a>(entity: &'a str, source: &str) -> &'a str {
    if source.starts_with("arn:") || source.starts_with("group ") { "" } else { entity }
}

/// A user or role with its documents.
struct Principal {
    caller: Caller,
    layers: Layers,
}

struct State {
    keys: Vec<Arc<KeyRecord>>,
    principals: Vec<Principal>,
}

impl State {
    fn of(engine: &Engine, asker: &Caller) -> Result<Self, KmsError> {
        let mut state = Self { keys: Vec::new(), principals: Vec::new() };
        for key in engine.store().keys_everywhere() {
            let key = key.map_err(KmsError::internal)?;
            let is_going = matches!(key.state, KeyState::PendingDeletion);
            if key.name.account == asker.account && !is_going {
                state.keys.push(key);
            }
        }
        let mut arns = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let some = engine
                .store()
                .users(&asker.account, "", after.as_deref(), CHUNK)
                .map_err(KmsError::internal)?;
            arns.extend(some.iter().map(|user| user.arn()));
            after = some.last().map(|user| user.name.clone());
            if some.len() < CHUNK {
                break;
            }
        }
        after = None;
        loop {
            let some = engine
                .store()
                .roles(&asker.account, "", after.as_deref(), CHUNK)
                .map_err(KmsError::internal)?;
            arns.extend(some.iter().map(|role| role.arn()));
            after = some.last().map(|role| role.name.clone());
            if some.len() < CHUNK {
                break;
            }
        }
        for arn in arns {
            let stated = Stated { encryption_context: None, context: &[] };
            let caller = engine.suppose(asker, &arn, stated)?;
            let layers = engine.layers(&caller)?;
            state.principals.push(Principal { caller, layers });
        }
        Ok(state)
    }
}

/// The whole of it.
pub(crate) fn unused(
    engine: &Engine,
    asker: &Caller,
    source: Source<'_>,
) -> Result<UsageReport, KmsError> {
    let nothing = Supposed::default();
    let mut past = Past::new(engine, asker, Grain::Decision, &nothing);
    past.read(engine, &asker.account, source)?;
    let counted = Counted::of(&past)?;
    let state = State::of(engine, asker)?;
    let mut finder = Finder {
        engine,
        asker,
        past: &past,
        counted: &counted,
        state: &state,
        surveys: 0,
        uses: Vec::new(),
    };
    finder.statements()?;
    finder.principals();
    finder.keys_and_grants()?;
    let uses = finder.uses;
    let found = uses.iter().filter(|one| !one.findings.is_empty()).count();
    let not_replayed = past.told_left_out();
    Ok(UsageReport { events: past.events, found, uses, not_replayed })
}

struct Finder<'f, 'e> {
    engine: &'e Engine,
    asker: &'f Caller,
    past: &'f Past<'e>,
    counted: &'f Counted,
    state: &'f State,
    surveys: usize,
    uses: Vec<Use>,
}

/// A document that is in force.
struct InForce<'d> {
    on: &'d str,
    source: &'d str,
    document: &'d Document,
    key: Option<&'d Arc<KeyRecord>>,
}

impl Finder<'_, '_> {
    fn statements(&mut self) -> Result<(), KmsError> {
        for key in &self.state.keys {
            let arn = key.name.to_string();
            self.document(&InForce {
                on: &arn,
                source: "key policy",
                document: &key.policy,
                key: Some(key),
            })?;
        }
        let mut seen = BTreeSet::new();
        for principal in &self.state.principals {
            for IdentityDocument { source, document } in &principal.layers.identity.documents {
                let on = holder(&principal.caller.principal_arn, source);
                if seen.insert((on, source)) {
                    self.document(&InForce { on, source, document, key: None })?;
                }
            }
        }
        Ok(())
    }

    fn document(&mut self, of: &InForce<'_>) -> Result<(), KmsError> {
        let outlines = outline(of.document.text(), of.key.is_some()).map_err(KmsError::internal)?;
        for (index, statement) in outlines.iter().enumerate() {
            // What says nothing of KMS is nothing that this log could show in use.
            if !statement.actions.is_empty() {
                self.statement(of, index, statement)?;
            }
        }
        Ok(())
    }

    fn statement(
        &mut self,
        of: &InForce<'_>,
        index: usize,
        statement: &Outline,
    ) -> Result<(), KmsError> {
        let place = (of.on.to_owned(), of.source.to_owned(), index);
        let tally = self.counted.statements.get(&place).cloned().unwrap_or_default();
        let name = statement.sid.clone().unwrap_or_else(|| (index + 1).to_string());
        let used = |action: &&&str| {
            let of = (place.clone(), (**action).to_owned());
            self.counted.actions.get(&of).is_some_and(|tally| 0 < tally.count)
        };
        let used_actions = statement.actions.iter().filter(used).count();
        let judged = statement.allow && !names_only_its_account(of, statement, self.asker);
        let mut findings = Vec::new();
        let mut unused_actions = Vec::new();
        if judged {
            if tally.count == 0 {
                findings.push(UseFinding::NeverUsed);
                if self.is_dead(of, index, statement)? {
                    findings.push(UseFinding::Dead);
                }
            } else {
                if statement.broad && used_actions < statement.actions.len() {
                    findings.push(UseFinding::OverBroad);
                }
                if self.is_shadowed(of, &place)? {
                    findings.push(UseFinding::Shadowed);
                }
            }
            unused_actions = statement
                .actions
                .iter()
                .filter(|action| !used(action))
                .map(|action| (*action).to_owned())
                .collect();
            unused_actions.sort_by_key(|action| risk(action));
        }
        let row = Use {
            name: Some(name),
            source: Some(of.source.to_owned()),
            actions: Some((statement.actions.len(), used_actions)),
            findings,
            unused_actions,
            ..row(UseLevel::Statement, of.on, &tally)
        };
        if judged && 0 < tally.count && !statement.broad {
            // Actions that were written down one by one are told one by one.
            for action in &statement.actions {
                let tally = self.counted.actions.get(&(place.clone(), (*action).to_owned()));
                let tally = tally.cloned().unwrap_or_default();
                let never = (tally.count == 0).then_some(UseFinding::NeverUsed);
                self.uses.push(Use {
                    action: Some((*action).to_owned()),
                    name: row.name.clone(),
                    source: row.source.clone(),
                    findings: never.into_iter().collect(),
                    ..self::row(UseLevel::Action, of.on, &tally)
                });
            }
        }
        self.uses.push(row);
        Ok(())
    }

    /// Whether everything that it allowed is allowed without it.
    fn is_shadowed(&self, of: &InForce<'_>, place: &Place) -> Result<bool, KmsError> {
        let Some(numbers) = self.counted.posed_by.get(place) else { return Ok(false) };
        let without = without(of.document, place.2)?;
        let mut supposed = Supposed::default();
        match (of.key, without) {
            (Some(_), None) => return Ok(false),
            (Some(key), Some(document)) => supposed.suppose_key(&key.name, document),
            (None, without) => {
                for principal in &self.state.principals {
                    let documents = &principal.layers.identity.documents;
                    let holds = |one: &&IdentityDocument| {
                        one.source == of.source
                            && (of.on.is_empty() || of.on == principal.caller.principal_arn)
                    };
                    if !documents.iter().any(|one| holds(&one)) {
                        continue;
                    }
                    let others = documents.iter().filter_map(|one| match (holds(&one), &without) {
                        (false, _) => Some(one.clone()),
                        (true, Some(document)) => {
                            Some(IdentityDocument { document: document.clone(), ..one.clone() })
                        }
                        (true, None) => None,
                    });
                    let entity = &principal.caller.principal_arn;
                    supposed.suppose_identity(entity, others.collect());
                }
            }
        }
        for posed in numbers.iter().filter_map(|number| self.past.posed.get(*number)) {
            if !self.past.decide(posed, &supposed)?.allowed() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether it is no way to anything for anybody, whatever a request brings.
    fn is_dead(
        &mut self,
        of: &InForce<'_>,
        index: usize,
        statement: &Outline,
    ) -> Result<bool, KmsError> {
        if statement.without_effect {
            return Ok(true);
        }
        let keys: Vec<&Arc<KeyRecord>> = match of.key {
            Some(key) => vec![key],
            None => self.state.keys.iter().collect(),
        };
        let actions: Vec<Action> = statement
            .actions
            .iter()
            .filter(|action| !matches!(**action, "kms:RetireGrant" | "kms:ExplainDecision"))
            .map(|action| Action::parse(action))
            .collect::<Result<_, _>>()?;
        // What is on no key can be allowed by any identity policy that does not ask for a resource.
        if of.key.is_none() && actions.iter().any(|action| !action.on_key) {
            return Ok(false);
        }
        for key in keys {
            let found = Found::Key(FoundKey::plain(Arc::clone(key), key.state));
            for action in actions.iter().filter(|action| action.on_key) {
                let alive = match of.key {
                    Some(record) => self.named_by(record, action, &found, index)?,
                    None => self.held_by(of, action, &found, index)?,
                };
                if alive {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether the statement of a key policy is a way for anybody; also when it would take too long to know.
    fn named_by(
        &mut self,
        record: &KeyRecord,
        action: &Action,
        found: &Found,
        index: usize,
    ) -> Result<bool, KmsError> {
        let mut candidates = Candidates::after(self.engine, self.asker, record, None);
        while let Some(candidate) = candidates.next()? {
            self.surveys += 1;
            if SURVEYS_MAX < self.surveys {
                return Ok(true);
            }
            let layers = match candidate.standpoint {
                Standpoint::Here => self.engine.layers(&candidate.caller)?,
                _ => Layers::default().of_owner(&self.engine.layers(self.asker)?),
            };
            if self.is_way(
                &candidate.caller,
                &layers,
                candidate.standpoint,
                action,
                found,
                (Layer::KeyPolicy, "key policy", index),
            )? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same of a statement of an identity policy.
    fn held_by(
        &mut self,
        of: &InForce<'_>,
        action: &Action,
        found: &Found,
        index: usize,
    ) -> Result<bool, KmsError> {
        for principal in &self.state.principals {
            let documents = &principal.layers.identity.documents;
            let holds = documents.iter().any(|one| one.source == of.source)
                && (of.on.is_empty() || of.on == principal.caller.principal_arn);
            if !holds {
                continue;
            }
            self.surveys += 1;
            let way = (Layer::IdentityPolicy, of.source, index);
            let Principal { caller, layers } = principal;
            if SURVEYS_MAX < self.surveys
                || self.is_way(caller, layers, Standpoint::Here, action, found, way)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_way(
        &self,
        caller: &Caller,
        layers: &Layers,
        standpoint: Standpoint,
        action: &Action,
        found: &Found,
        (layer, source, index): (Layer, &str, usize),
    ) -> Result<bool, KmsError> {
        let stated = Stated { encryption_context: None, context: &[] };
        let asked = Ask { engine: self.engine, caller, layers, stated, grants: None };
        let mut surveyor = self.engine.world.policies.surveyor();
        let survey = asked.put(action, found, |question| surveyor.survey(question, standpoint))?;
        Ok(survey.is_some_and(|survey| {
            survey
                .ways
                .iter()
                .any(|way| way.layer == layer && way.source == source && way.index == index)
        }))
    }

    fn principals(&mut self) {
        for principal in &self.state.principals {
            let arn = &principal.caller.principal_arn;
            let tally = self.counted.principals.get(arn).cloned().unwrap_or_default();
            // Who has no policies can be unused without harm.
            let has_any = principal.layers.identity.documents.iter().any(|one| {
                outline(one.document.text(), false)
                    .is_ok_and(|all| all.iter().any(|one| one.allow && !one.actions.is_empty()))
            });
            let never = (tally.count == 0 && has_any).then_some(UseFinding::NeverUsed);
            let findings = never.into_iter().collect();
            self.uses.push(Use { findings, ..row(UseLevel::Principal, arn, &tally) });
        }
    }

    fn keys_and_grants(&mut self) -> Result<(), KmsError> {
        for key in &self.state.keys {
            let arn = key.name.to_string();
            let tally = self.counted.keys.get(&arn).cloned().unwrap_or_default();
            let never = (tally.count == 0).then_some(UseFinding::NeverUsed);
            let findings = never.into_iter().collect();
            self.uses.push(Use { findings, ..row(UseLevel::Key, &arn, &tally) });
            for grant in grants_of(self.engine, key)? {
                let id = grant.grant_id.as_str();
                let tally = self.counted.grants.get(id).cloned().unwrap_or_default();
                let never = (tally.count == 0).then_some(UseFinding::NeverUsed);
                let grantee = match &grant.grantee {
                    Grantee::Principal(arn) => arn,
                    Grantee::Service(name) => name,
                };
                self.uses.push(Use {
                    source: Some(format!("grant to {grantee}")),
                    name: Some(id.to_owned()),
                    findings: never.into_iter().collect(),
                    ..row(UseLevel::Grant, &arn, &tally)
                });
            }
        }
        Ok(())
    }
}

pub(super) fn grants_of(
    engine: &Engine,
    key: &KeyRecord,
) -> Result<Vec<Arc<GrantRecord>>, KmsError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|grant: &Arc<GrantRecord>| grant.grant_id.clone());
        let some = engine.store().grants_of_key(&key.name, after.as_ref(), CHUNK);
        let some = some.map_err(KmsError::internal)?;
        let is_last = some.len() < CHUNK;
        all.extend(some);
        if is_last {
            return Ok(all);
        }
    }
}

fn row(level: UseLevel, on: &str, tally: &Tally) -> Use {
    let time = |time| (0 < tally.count).then(|| iso(time));
    Use {
        level,
        on: on.to_owned(),
        source: None,
        name: None,
        action: None,
        uses: tally.count,
        first_used: time(tally.first),
        last_used: time(tally.last),
        findings: Vec::new(),
        actions: None,
        unused_actions: Vec::new(),
    }
}

/// Whether a statement of a key policy hands the key to its own account and names nobody else.
fn names_only_its_account(of: &InForce<'_>, statement: &Outline, asker: &Caller) -> bool {
    let AccountNames { id, arn } = AccountNames::of(&asker.account);
    of.key.is_some()
        && !statement.not_principals
        && !statement.principals.is_empty()
        && statement.principals.iter().all(|name| *name == id || *name == arn)
}

struct AccountNames {
    id: String,
    arn: String,
}

impl AccountNames {
    fn of(account: &AccountId) -> Self {
        Self { id: account.to_string(), arn: account.root_arn() }
    }
}

/// What does most harm in wrong hands comes first.
fn risk(action: &str) -> (usize, String) {
    const FIRST: &[&str] = &[
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:CreateGrant",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:Sign",
        "kms:GenerateDataKey",
    ];
    let place = FIRST.iter().position(|one| *one == action).unwrap_or(FIRST.len());
    (place, action.to_owned())
}

/// The document without one statement; `None` when it has no other.
fn without(document: &Document, index: usize) -> Result<Option<Document>, KmsError> {
    let mut json: serde_json::Value =
        serde_json::from_str(document.text()).map_err(KmsError::internal)?;
    let Some(serde_json::Value::Array(statements)) = json.get_mut("Statement") else {
        return Ok(None);
    };
    if statements.len() < 2 || statements.len() <= index {
        return Ok(None);
    }
    statements.remove(index);
    Ok(Some(Document::new(json.to_string())))
}
