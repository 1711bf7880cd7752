//! What a principal could do when not every fact of the request is known: yes, no, or under which conditions.
//!
//! Each document is read twice: as if every open condition turned out in the caller's favour, and as if none
//! did (`open.rs`). Both readings are compiled, evaluated and composed as any request is. The decision table only
//! gains from another Allow and only loses from another Deny, so that what is refused in the first reading is
//! refused always, and what is allowed in the second is allowed always. Between them stands what depends: its
//! conditions are told in words, and an example of facts is sought and put to the engine (`example.rs`).
//!
//! It knows nothing of session policies that a session may be given, nor of endpoints a request may come through.
//!
//! INVARIANT: `Certain` is never said when an open Deny may match, nor `No` when an open Allow may help.

mod example;
mod open;

use crate::{
    document::DocumentKind,
    engine::{PolicyEngine, tally},
    error::Unevaluable,
    facts::Values,
    grant::{self, Applying},
    keys,
    layers::{Chorus, Voice},
    question::Question,
    request::World,
};
use keyward_types::{
    Caller, Effect, GrantConstraints, GrantId, GrantRecord, Layer, MatchKind, Matched,
    caller::Document,
};
use open::Doctored;
use serde::{Serialize, ser::SerializeStruct as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How much is known of the caller beside what the question says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standpoint {
    /// A principal whose own policies are in the question.
    Here,
    /// A principal of another account, which keeps its policies to itself.
    Elsewhere,
    /// Any principal of another account.
    Account,
    /// Any principal of any other account.
    Anyone,
}

/// Whether a principal may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Certainty {
    /// Whatever the request brings.
    No,
    /// When the request brings what the conditions ask for.
    Conditional,
    /// Whatever the request brings.
    Certain,
}

/// A statement or grant by which a principal may, or which may keep it from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Way {
    pub layer: Layer,
    /// The document: `key policy`, an identity policy's name, or `grant`.
    pub source: String,
    /// The Sid, or the grant id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    pub index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<MatchKind>,
    /// What must hold of the request for it to count, such as `StringEquals aws:SourceVpce = vpce-1`.
    pub conditions: Vec<String>,
}

/// Facts of a request that the engine would allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    pub encryption_context: BTreeMap<String, String>,
    /// By condition key.
    pub context: BTreeMap<String, Values>,
}

impl Serialize for Example {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values: BTreeMap<&String, Vec<&String>> = self
            .context
            .iter()
            .map(|(name, values)| match values {
                Values::One(value) => (name, vec![value]),
                Values::Many(values) => (name, values.iter().collect()),
            })
            .collect();
        let mut fields = serializer.serialize_struct("Example", 2)?;
        fields.serialize_field("EncryptionContext", &self.encryption_context)?;
        fields.serialize_field("Context", &values)?;
        fields.end()
    }
}

/// The answer about one principal and one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    pub certainty: Certainty,
    /// What allows: the key's side and the caller's.
    pub ways: Vec<Way>,
    /// Statements that deny when their conditions hold.
    pub blockers: Vec<Way>,
    /// Facts with which the engine was asked again, and allowed.
    pub example: Option<Example>,
    /// What could not be found out, in words.
    pub unknown: Vec<String>,
}

impl Survey {
    const fn no() -> Self {
        Self {
            certainty: Certainty::No,
            ways: Vec::new(),
            blockers: Vec::new(),
            example: None,
            unknown: Vec::new(),
        }
    }
}

/// The name of a role's session that stands for any of them; no real one is called so.
pub const ANY_SESSION: &str = "*";

/// Grants reported for one principal, of each kind.
const GRANTS_MAX: usize = 16;

/// Whose facts are open in the same way, so that a document is read once for all of them.
/// The last is the role, where the document names sessions and the caller is any session of it.
type Reading = ([u8; 32], DocumentKind, bool, Standpoint, bool, Option<String>);

/// Answers for many principals about one action, under the same stated facts.
///
/// INVARIANT: every question put to one surveyor has the same action, and states the same condition keys apart
/// from those that `open.rs` knows anyway.
#[derive(Debug)]
pub struct Surveyor<'e> {
    engine: &'e PolicyEngine,
    read: BTreeMap<Reading, Arc<Doctored>>,
}

impl PolicyEngine {
    /// Begins to ask about an action.
    pub fn surveyor(&self) -> Surveyor<'_> {
        Surveyor { engine: self, read: BTreeMap::new() }
    }
}

/// A guardrail as what may keep a principal from it. Guardrails are not read twice: an example of facts is
/// tried against them, and nothing is certain where one speaks of the action.
fn guardrail(said: Matched) -> Way {
    Way {
        layer: Layer::Guardrail,
        source: said.source,
        sid: said.sid,
        index: said.index,
        kind: None,
        conditions: vec!["what the guardrail itself says".to_owned()],
    }
}

/// One reading of a question, evaluated.
struct Heard<'q> {
    chorus: Chorus<'q>,
    allowed: bool,
    grants: Vec<Way>,
    /// The grants behind them.
    records: Vec<&'q GrantRecord>,
}

/// A grant that applies in a reading, and what is open of it.
struct Granted<'q> {
    grant: &'q GrantRecord,
    kind: MatchKind,
    conditions: Vec<String>,
}

impl Surveyor<'_> {
    /// Whether the question's caller may, whatever facts are not stated.
    pub fn survey(&mut self, question: &Question<'_>, standpoint: Standpoint) -> Survey {
        if !question.frozen.is_empty() {
            return Survey::no();
        }
        // What cannot be evaluated is refused, as it is when it is asked in earnest.
        self.answer(question, standpoint).unwrap_or_else(|_| Survey::no())
    }

    fn answer(
        &mut self,
        question: &Question<'_>,
        standpoint: Standpoint,
    ) -> Result<Survey, Unevaluable> {
        let hopeful = self.hear(question, standpoint, true)?;
        if !hopeful.allowed {
            return Ok(Survey::no());
        }
        let fearful = self.hear(question, standpoint, false);
        // Only of a principal whose policies are known anything is certain.
        let guardrails = self.engine.guardrails_about(question.action);
        let certain = standpoint == Standpoint::Here
            && guardrails.is_empty()
            && fearful.as_ref().is_ok_and(|heard| heard.allowed);
        let blockers = match &fearful {
            Ok(heard) => self.blockers(&heard.chorus, question, standpoint)?,
            Err(_) => Vec::new(),
        };
        let mut survey = Survey {
            certainty: if certain { Certainty::Certain } else { Certainty::Conditional },
            ways: self.ways(&hopeful, question, standpoint)?,
            blockers: blockers
                .iter()
                .map(|(way, _)| way.clone())
                .chain(guardrails.into_iter().map(guardrail))
                .collect(),
            ..Survey::no()
        };
        if certain {
            return Ok(survey);
        }
        if standpoint == Standpoint::Here {
            let doctored = self.lefts(&hopeful, question, standpoint)?;
            let denies: Vec<&open::Left> = blockers.iter().map(|(_, left)| left).collect();
            let sought = example::seek(self.engine, question, &doctored, &hopeful.records, &denies);
            survey.example = sought.example;
            survey.unknown = sought.unknown;
        } else {
            survey.unknown.push(elsewhere(question.caller, standpoint));
        }
        Ok(survey)
    }

    /// Evaluates one of the two readings.
    fn hear<'q>(
        &mut self,
        question: &Question<'q>,
        standpoint: Standpoint,
        hopeful: bool,
    ) -> Result<Heard<'q>, Unevaluable> {
        let ambiguous = keys::ambiguous_names(question);
        let guard = !ambiguous.is_empty();
        let mut chorus = Chorus::gather_by(question, |document, kind| {
            let doctored = self.doctored(question, standpoint, document, kind, guard)?;
            Ok(Arc::clone(if hopeful { &doctored.hopeful } else { &doctored.fearful }))
        })?;
        let base = self.engine.base(question)?;
        let world = World::build(base, question, &chorus.needed(), &ambiguous)?;
        chorus.evaluate(&world)?;
        let granted = self.grants(question, &world, hopeful)?;
        let applying: Vec<Applying<'_>> =
            granted.iter().map(|one| Applying { grant: one.grant, kind: one.kind }).collect();
        let mut tally = tally(question, &chorus, &applying);
        if standpoint != Standpoint::Here {
            // The other account's policies are its own business: they may allow, and they may not.
            tally.identity_allows = hopeful;
        }
        let allowed = tally.verdict().0 == Effect::Allow;
        let records = granted.iter().map(|one| one.grant).collect();
        let ways = granted.iter().map(|Granted { grant, kind, conditions }| Way {
            layer: Layer::Grant,
            source: "grant".to_owned(),
            sid: Some(grant.grant_id.as_str().to_owned()),
            index: 0,
            kind: Some(*kind),
            conditions: conditions.clone(),
        });
        Ok(Heard { allowed, grants: ways.collect(), records, chorus })
    }

    fn doctored(
        &mut self,
        question: &Question<'_>,
        standpoint: Standpoint,
        document: &Document,
        kind: DocumentKind,
        guard: bool,
    ) -> Result<Arc<Doctored>, Unevaluable> {
        // As `open.rs` tells whose tags and id a session may change.
        let session = matches!(
            question.caller.kind,
            keyward_types::CallerKind::RoleSession { .. }
                | keyward_types::CallerKind::Federated { .. }
        );
        let role = match &question.caller.kind {
            keyward_types::CallerKind::RoleSession { role_arn, session_name, .. }
                if session_name == ANY_SESSION && document.text().contains(":assumed-role/") =>
            {
                Some(role_arn.clone())
            }
            _ => None,
        };
        let reading = (*document.digest(), kind, session, standpoint, guard, role);
        if let Some(doctored) = self.read.get(&reading) {
            return Ok(Arc::clone(doctored));
        }
        let parsed = self.engine.parsed(document, kind)?;
        let doctored = Arc::new(Doctored::of(&parsed, kind, question, standpoint, guard)?);
        self.read.insert(reading, Arc::clone(&doctored));
        Ok(doctored)
    }

    /// Grants that apply in this reading, with what is open of each.
    fn grants<'q>(
        &self,
        question: &Question<'q>,
        world: &World,
        hopeful: bool,
    ) -> Result<Vec<Granted<'q>>, Unevaluable> {
        let mut found: Vec<Granted<'_>> = Vec::new();
        if !question.resource.is_key() {
            return Ok(found);
        }
        let policy = self.engine.grant_policy.as_ref().map_err(Clone::clone)?;
        let own = |grant: &GrantRecord| grant.issuing_account == question.caller.account;
        let operation = grant::operation(question);
        let able = question.grants.iter().copied().filter(|grant| {
            operation.is_some_and(|operation| grant.operations.contains(&operation))
        });
        for grant in able {
            let Some(kind) = grant::kind(question.caller, grant) else { continue };
            // More of the same change nothing.
            let same = found.iter().filter(|one| one.kind == kind && own(one.grant) == own(grant));
            if GRANTS_MAX <= same.count() {
                continue;
            }
            let (bare, conditions) = without_open(question, grant);
            if !hopeful && !conditions.is_empty() {
                continue;
            }
            let child = question.child_grant.unwrap_or(&bare);
            let alone = [&bare];
            let asked = Question { grants: &alone, child_grant: Some(child), ..*question };
            let applies = policy.applying(&asked, world)?.first().map(|applying| applying.kind);
            found.extend(applies.map(|kind| Granted { grant, kind, conditions }));
        }
        Ok(found)
    }

    fn left(
        &mut self,
        question: &Question<'_>,
        standpoint: Standpoint,
        voice: &Voice<'_>,
        place: usize,
    ) -> Result<Option<(Way, open::Left)>, Unevaluable> {
        let guard = !keys::ambiguous_names(question).is_empty();
        let doctored = self.doctored(question, standpoint, voice.document, voice.kind, guard)?;
        let Some(entry) = voice.slice.entries.get(place) else { return Ok(None) };
        let left = doctored.left.get(entry.statement).cloned().unwrap_or_default();
        let way = Way {
            layer: voice.layer,
            source: voice.source.to_owned(),
            sid: entry.sid.clone(),
            index: entry.statement,
            kind: entry.kind,
            conditions: left.words(),
        };
        Ok(Some((way, left)))
    }

    /// What allows. Of a layer that only narrows, what is open is told and nothing else; where a statement
    /// allows without conditions, those of its kind that have some are left out.
    fn ways(
        &mut self,
        hopeful: &Heard<'_>,
        question: &Question<'_>,
        standpoint: Standpoint,
    ) -> Result<Vec<Way>, Unevaluable> {
        let mut ways = BTreeSet::new();
        for voice in &hopeful.chorus.voices {
            for place in &voice.permits {
                ways.extend(self.left(question, standpoint, voice, *place)?.map(|(way, _)| way));
            }
        }
        ways.extend(hopeful.grants.iter().cloned());
        // What names the account lets its identity policies allow, and says nothing where none does.
        let handed_on = standpoint != Standpoint::Here
            || question.caller.is_root()
            || ways.iter().any(|way| way.layer == Layer::IdentityPolicy);
        if !handed_on {
            ways.retain(|way| way.kind != Some(MatchKind::Account));
        }
        let free: BTreeSet<(Layer, Option<MatchKind>)> = ways
            .iter()
            .filter(|way| way.conditions.is_empty())
            .map(|way| (way.layer, way.kind))
            .collect();
        let speaks = |way: &Way| match way.layer {
            Layer::KeyPolicy | Layer::Grant | Layer::IdentityPolicy => {
                way.conditions.is_empty() || !free.contains(&(way.layer, way.kind))
            }
            _ => !way.conditions.is_empty(),
        };
        Ok(ways.into_iter().filter(speaks).collect())
    }

    /// Statements that deny when what is open of them holds.
    fn blockers(
        &mut self,
        fearful: &Chorus<'_>,
        question: &Question<'_>,
        standpoint: Standpoint,
    ) -> Result<Vec<(Way, open::Left)>, Unevaluable> {
        let mut blockers = Vec::new();
        for voice in &fearful.voices {
            for place in &voice.forbids {
                let found = self.left(question, standpoint, voice, *place)?;
                blockers.extend(found.filter(|(_, left)| !left.is_empty()));
            }
        }
        Ok(blockers)
    }

    /// What is open of the statements that allow, by layer and level.
    fn lefts(
        &mut self,
        hopeful: &Heard<'_>,
        question: &Question<'_>,
        standpoint: Standpoint,
    ) -> Result<BTreeMap<(Layer, usize), Vec<open::Left>>, Unevaluable> {
        let mut lefts: BTreeMap<(Layer, usize), Vec<open::Left>> = BTreeMap::new();
        for voice in &hopeful.chorus.voices {
            for place in &voice.permits {
                let found = self.left(question, standpoint, voice, *place)?;
                let of_layer = lefts.entry((voice.layer, voice.level)).or_default();
                of_layer.extend(found.map(|(_, left)| left));
            }
        }
        // The easiest first.
        lefts.values_mut().for_each(|lefts| lefts.sort_by_key(|left| left.tests.len()));
        Ok(lefts)
    }
}

fn elsewhere(caller: &Caller, standpoint: Standpoint) -> String {
    match standpoint {
        Standpoint::Anyone => "the policies of the caller's own account must allow it".to_owned(),
        _ => format!("the policies of account {} must allow it", caller.account),
    }
}

/// A grant without the constraints that the question leaves open, and those in words.
fn without_open(question: &Question<'_>, grant: &GrantRecord) -> (GrantRecord, Vec<String>) {
    let mut bare = grant.clone();
    let mut words = Vec::new();
    if question.action == "kms:CreateGrant" {
        // The new grant is compared with this one; without one in the question, it is taken as its equal.
        if question.child_grant.is_none() {
            words.push("the new grant gives no more than this one".to_owned());
        }
    } else if question.facts.context().is_none() && grant::carries_context(question) {
        let GrantConstraints { encryption_context_equals, encryption_context_subset, .. } =
            &mut bare.constraints;
        let equals =
            encryption_context_equals.take().map(|pairs| ("EncryptionContextEquals", pairs));
        let subset =
            encryption_context_subset.take().map(|pairs| ("EncryptionContextSubset", pairs));
        let constraints = equals.into_iter().chain(subset);
        words.extend(constraints.map(|(name, pairs)| format!("{name} {}", grant::listed(&pairs))));
    }
    if question.facts.stated("aws:sourcearn").is_none() {
        let source = bare.constraints.source_arn.take();
        words.extend(source.map(|arn| format!("SourceArn {arn}")));
    }
    if !words.is_empty() {
        // Another grant than the stored one: compiled forms are kept by id.
        bare.grant_id = GrantId::new(&format!("{} without constraints", grant.grant_id));
    }
    (bare, words)
}

impl core::fmt::Debug for Heard<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Heard").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// Whether a policy may name this condition key.
pub fn is_condition_key(text: &str) -> bool {
    keys::ConditionKey::parse(text).is_some()
}

impl PolicyEngine {
    /// Condition keys that a document's statements about the question's action read, as it spells them, and
    /// that the question has no value for.
    pub fn missing_keys(&self, question: &Question<'_>) -> BTreeSet<String> {
        let Ok(chorus) = Chorus::gather(self, question, false) else { return BTreeSet::new() };
        let mut missing = BTreeMap::new();
        for voice in &chorus.voices {
            let Ok(parsed) = self.parsed(voice.document, voice.kind) else { continue };
            let about = parsed.statements.iter().filter(|one| one.covers_action(question.action));
            for test in about.flat_map(|statement| &statement.tests) {
                let absent =
                    |key: &&keys::ConditionKey| matches!(keys::look_up(question, key), Ok(None));
                for key in test.keys().filter(absent) {
                    let own = *key == test.key;
                    let spelled = if own { test.key_text.clone() } else { key.name.clone() };
                    missing.entry(key.name.clone()).or_insert(spelled);
                }
            }
        }
        missing.into_values().collect()
    }
}
