//! The smallest identity policies, key policies or grants that cover the log, with the evidence for each statement
//! and a replay that shows that nothing used is lost.
//!
//! A proposal is tried before it is told: what it would lose or newly allow of the log takes the step back that did
//! it (principals, then conditions, then the whole proposal). Then each statement is left out once, and stays out when
//! nothing is lost without it.
//!
//! INVARIANT: a document that is proposed loses no recorded request that is allowed now, and allows none that is
//! refused now. For documents that holds of every request, since they only narrow (`narrow.rs`).

use super::{
    LeftOut, Source, grants,
    infer::MIN_EVENTS,
    iso,
    narrow::{Backing, Extent, Original, Proposed, Used, document, narrow},
    past::{Grain, Past, Posed},
    replay::{ReplayReport, report},
    supposed::{Supposed, entity, own_key},
};
use crate::{Engine, operation::Spec};
use keyward_policy::outline;
use keyward_types::{
    AccountId, Caller, Decision, IdentityDocument, KmsError, Layer, caller::Document,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is to be proposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProposalKind {
    #[default]
    Identity,
    KeyPolicy,
    Grants,
}

impl ProposalKind {
    pub const NAMES: &[&str] = &["Identity", "KeyPolicy", "Grants"];
}

/// For whom, and how boldly.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Wanted {
    #[serde(default)]
    pub r#as: ProposalKind,
    /// Users and roles; all without any.
    #[serde(default)]
    pub principals: Vec<String>,
    /// All keys without one.
    pub key_id: Option<String>,
    /// Events over which a fact must have been constant to become a condition.
    pub min_events: Option<u64>,
}

/// What speaks for a statement or grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Evidence {
    /// The statement's Sid, or the grant's place from 1.
    pub name: String,
    /// The document and statement in force that it comes from; a proposed grant comes from none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    pub count: u64,
    pub first: String,
    pub last: String,
    pub samples: Vec<String>,
    /// What varied, or was seen too seldom to become a condition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InForce {
    pub source: String,
    pub policy: Value,
}

/// One document, or the grants on one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Proposal {
    pub kind: ProposalKind,
    /// The user, role or key that it is for.
    pub on: String,
    /// `None` where nothing of the documents in force was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// As CreateGrant takes them; an empty list where no grant on the key was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Value>>,
    /// What it takes the place of.
    pub replaces: Vec<InForce>,
    pub evidence: Vec<Evidence>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProposalReport {
    pub events: u64,
    pub first: String,
    pub last: String,
    pub min_events: u64,
    pub proposals: Vec<Proposal>,
    /// The whole log under all proposals at once.
    pub replay: ReplayReport,
    pub not_replayed: Vec<LeftOut>,
}

/// A question with the decision on it that is in force.
pub(super) struct Judged<'p> {
    pub(super) posed: &'p Posed,
    pub(super) now: Decision,
}

impl Judged<'_> {
    pub(super) fn is_used(&self) -> bool {
        self.now.allowed() && 0 < self.posed.allowed().count
    }
}

pub(crate) fn propose(
    engine: &Engine,
    asker: &Caller,
    spec: &Spec,
    wanted: &Wanted,
    source: Source<'_>,
) -> Result<ProposalReport, KmsError> {
    let only: BTreeSet<String> = wanted
        .principals
        .iter()
        .map(|name| entity(engine, asker, name))
        .collect::<Result<_, _>>()?;
    let key = wanted.key_id.as_ref().map(|key| own_key(engine, asker, spec, key)).transpose()?;
    let key = key.map(|key| key.record.name.to_string());
    let nothing = Supposed::default();
    let mut past = Past::new(engine, asker, Grain::Conditions, &nothing);
    past.read(engine, &asker.account, source)?;
    let judged: Vec<Judged<'_>> = past
        .posed
        .iter()
        .map(|posed| Ok(Judged { posed, now: past.decide(posed, &nothing)? }))
        .collect::<Result<_, KmsError>>()?;
    let min_events = wanted.min_events.unwrap_or(MIN_EVENTS);
    let mut maker = Maker {
        engine,
        asker,
        past: &past,
        judged: &judged,
        min_events,
        all: Supposed::default(),
        proposals: Vec::new(),
    };
    let entity_fits = |posed: &Posed| only.is_empty() || only.contains(posed.matter.entity());
    let key_fits = |posed: &Posed| key.as_ref().is_none_or(|key| *key == posed.matter.resource);
    let fitting = judged.iter().filter(|one| one.is_used() && entity_fits(one.posed));
    match wanted.r#as {
        ProposalKind::Identity => {
            let entities: BTreeSet<&str> = fitting
                .filter(|one| key_fits(one.posed))
                .map(|one| one.posed.matter.entity())
                .chain(only.iter().map(String::as_str))
                .collect();
            for entity in entities {
                maker.identity(entity)?;
            }
        }
        ProposalKind::KeyPolicy => {
            let keys: BTreeSet<&str> = fitting
                .filter(|one| one.posed.matter.key().is_some() && key_fits(one.posed))
                .map(|one| one.posed.matter.resource.as_str())
                .chain(key.as_deref())
                .collect();
            for key in keys {
                maker.key_policy(spec, key)?;
            }
        }
        ProposalKind::Grants => {
            let pairs: BTreeSet<(&str, &str)> = fitting
                .filter(|one| one.posed.matter.key().is_some() && key_fits(one.posed))
                .map(|one| (one.posed.matter.resource.as_str(), one.posed.matter.entity()))
                .collect();
            grants::propose(&mut maker, spec, &pairs)?;
        }
    }
    let Maker { all, proposals, .. } = maker;
    let replay = report(&past, &all)?;
    let (mut first, mut last) = (None, None);
    for (_, tally) in past.posed.iter().flat_map(|posed| &posed.outcomes) {
        first = Some(
            first.map_or(tally.first, |known: keyward_types::Timestamp| known.min(tally.first)),
        );
        last = last.max(Some(tally.last));
    }
    let time = |time: Option<_>| time.map(iso).unwrap_or_default();
    Ok(ProposalReport {
        events: past.events,
        first: time(first),
        last: time(last),
        min_events,
        proposals,
        replay,
        not_replayed: past.told_left_out(),
    })
}

pub(super) struct Maker<'m, 'e> {
    pub(super) engine: &'e Engine,
    pub(super) asker: &'m Caller,
    pub(super) past: &'m Past<'e>,
    pub(super) judged: &'m [Judged<'m>],
    pub(super) min_events: u64,
    /// Everything that is proposed so far.
    pub(super) all: Supposed,
    pub(super) proposals: Vec<Proposal>,
}

/// How far proposals go, boldest first; the last takes what was used of every statement that matched.
const EXTENTS: &[(bool, bool, bool)] = &[
    // Conditions, principals, one statement for each request.
    (true, true, true),
    (true, false, true),
    (false, false, true),
    (false, false, false),
];

impl Maker<'_, '_> {
    /// A proposal for a user's or role's identity policies.
    pub(super) fn identity(&mut self, entity: &str) -> Result<(), KmsError> {
        self.identity_beside(entity, &|_| false).map(drop)
    }

    /// The same where something else carries some of the requests; whether there is one.
    pub(super) fn identity_beside(
        &mut self,
        entity: &str,
        is_carried: &dyn Fn(&Judged<'_>) -> bool,
    ) -> Result<bool, KmsError> {
        let about = |one: &&Judged<'_>| one.posed.matter.entity() == entity;
        let Some(documents) = self.documents(entity)? else { return Ok(false) };
        let originals = documents
            .iter()
            .map(|document| original(&document.source, &document.document, &[]))
            .collect::<Result<Vec<_>, _>>()?;
        let place = |source: &str| originals.iter().position(|one| one.source == source);
        let suppose = |supposed: &mut Supposed, text: Option<Document>| {
            let source = "proposed identity policy".to_owned();
            let documents = text.map(|document| IdentityDocument { source, document });
            supposed.suppose_identity(entity, documents.into_iter().collect());
        };
        let all: Vec<&Judged<'_>> = self.judged.iter().filter(about).collect();
        let trial = Trial {
            layer: Layer::IdentityPolicy,
            originals: &originals,
            about: &all,
            place: &place,
            suppose: &suppose,
            is_carried,
        };
        let (found, notes) = self.find(&trial)?;
        if found.is_none() && 0 < self.judged.iter().filter(|one| is_carried(one)).count() {
            return Ok(false);
        }
        let notes = notes.into_iter().chain(shared(&documents)).collect();
        self.tell(ProposalKind::Identity, entity, &originals, found.as_deref(), notes);
        if let Some(found) = found {
            suppose(&mut self.all, text(&found));
        }
        Ok(true)
    }

    pub(super) fn documents(
        &self,
        entity: &str,
    ) -> Result<Option<Vec<IdentityDocument>>, KmsError> {
        let stated = crate::ask::Stated { encryption_context: None, context: &[] };
        // Who is no user or role, such as the root user, has no policies.
        if !entity.contains(":user/") && !entity.contains(":role/") {
            return Ok(None);
        }
        let caller = self.engine.suppose(self.asker, entity, stated)?;
        Ok(Some(self.engine.layers(&caller)?.identity.documents))
    }

    /// A proposal for a key's policy.
    fn key_policy(&mut self, spec: &Spec, arn: &str) -> Result<(), KmsError> {
        let key = own_key(self.engine, self.asker, spec, arn)?;
        let document = &key.record.policy;
        let outlines = outline(document.text(), true).map_err(KmsError::internal)?;
        let account = self.asker.account.to_string();
        let root = self.asker.account.root_arn();
        // What hands the key to its account keeps it manageable.
        let kept: Vec<usize> = outlines
            .iter()
            .enumerate()
            .filter(|(_, one)| {
                !one.not_principals
                    && !one.principals.is_empty()
                    && one.principals.iter().all(|name| *name == account || *name == root)
            })
            .map(|(index, _)| index)
            .collect();
        let originals = [original("key policy", document, &kept)?];
        let about = |one: &&Judged<'_>| one.posed.matter.resource == arn;
        let all: Vec<&Judged<'_>> = self.judged.iter().filter(about).collect();
        let name = key.record.name.clone();
        let suppose = |supposed: &mut Supposed, text: Option<Document>| {
            if let Some(document) = text {
                supposed.suppose_key(&name, document);
            }
        };
        let place = |source: &str| (source == "key policy").then_some(0);
        let trial = Trial {
            layer: Layer::KeyPolicy,
            originals: &originals,
            about: &all,
            place: &place,
            suppose: &suppose,
            is_carried: &|_| false,
        };
        let (mut found, mut notes) = self.find(&trial)?;
        let text_of = found.as_deref().and_then(text);
        let checked = match &text_of {
            Some(document) => self
                .engine
                .world
                .policies
                .validate_key_policy(document.text())
                .err()
                .map(|error| error.to_string()),
            None => Some("nothing of it was used, and a key cannot be without a policy".to_owned()),
        };
        if let Some(why) = checked {
            notes.push(format!("the policy in force stays: {why}"));
            found = None;
        }
        self.tell(ProposalKind::KeyPolicy, arn, &originals, found.as_deref(), notes);
        if let Some(found) = found {
            suppose(&mut self.all, text(&found));
        }
        Ok(())
    }

    /// The boldest proposal that loses nothing and allows nothing new; `None` where there is none.
    fn find(
        &self,
        trial: &Trial<'_, '_>,
    ) -> Result<(Option<Vec<Proposed>>, Vec<String>), KmsError> {
        let mut notes = Vec::new();
        if trial.originals.iter().any(has_literal_variables) {
            notes.push("the policy in force stays: its version reads ${…} as text, and the proposal would not".to_owned());
            return Ok((None, notes));
        }
        for (conditions, principals, single) in EXTENTS {
            let extent = Extent {
                min_events: conditions.then_some(self.min_events),
                principals: *principals,
            };
            let used = trial.used(*single);
            let mut found = narrow(trial.originals, &used, trial.layer == Layer::KeyPolicy, extent);
            if self.holds(trial, &found)? {
                self.prune(trial, &mut found)?;
                return Ok((Some(found), notes));
            }
        }
        notes.push(
            "the policy in force stays: every narrower one would have lost something".to_owned(),
        );
        Ok((None, notes))
    }

    /// Whether nothing that the log shows is lost, and nothing that is refused becomes allowed.
    fn holds(&self, trial: &Trial<'_, '_>, found: &[Proposed]) -> Result<bool, KmsError> {
        let mut supposed = self.all.clone();
        (trial.suppose)(&mut supposed, text(found));
        self.keeps(trial.about, &supposed)
    }

    pub(super) fn keeps(
        &self,
        about: &[&Judged<'_>],
        supposed: &Supposed,
    ) -> Result<bool, KmsError> {
        for one in about {
            let then = self.past.decide(one.posed, supposed)?.allowed();
            let lost = one.is_used() && !then;
            let gained = !one.now.allowed() && then;
            if lost || gained {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Leaves out what nothing would be lost without.
    fn prune(&self, trial: &Trial<'_, '_>, found: &mut Vec<Proposed>) -> Result<(), KmsError> {
        let mut place = found.len();
        while 0 < place {
            place -= 1;
            if found.get(place).is_none_or(|one| one.evidence.is_none()) {
                continue;
            }
            let mut fewer = found.clone();
            fewer.remove(place);
            if self.holds(trial, &fewer)? {
                *found = fewer;
            }
        }
        Ok(())
    }

    fn tell(
        &mut self,
        kind: ProposalKind,
        on: &str,
        originals: &[Original],
        found: Option<&[Proposed]>,
        notes: Vec<String>,
    ) {
        let in_force =
            |one: &Original| InForce { source: one.source.clone(), policy: one.json.clone() };
        let evidence = found.into_iter().flatten().filter_map(|one| {
            let sid = one.statement.get("Sid").and_then(Value::as_str).unwrap_or_default();
            Some(evidence(sid, one.evidence.as_ref()?))
        });
        let stays = match originals {
            [one] if found.is_none() => Some(one.json.clone()),
            _ => None,
        };
        let proposal = Proposal {
            kind,
            on: on.to_owned(),
            policy: found.map_or(stays, document),
            grants: None,
            replaces: originals.iter().map(in_force).collect(),
            evidence: evidence.collect(),
            notes,
        };
        self.proposals.push(proposal);
    }
}

/// What a proposal is tried on.
struct Trial<'t, 'p> {
    layer: Layer,
    originals: &'t [Original],
    /// Every question that the documents may matter to.
    about: &'t [&'t Judged<'p>],
    /// Where a document stands among the originals.
    place: &'t dyn Fn(&str) -> Option<usize>,
    suppose: &'t dyn Fn(&mut Supposed, Option<Document>),
    /// What needs no statement.
    is_carried: &'t dyn Fn(&Judged<'_>) -> bool,
}

impl<'p> Trial<'_, 'p> {
    /// The uses of statements: with `single` each request keeps one, the narrowest that matched it.
    fn used(&self, single: bool) -> Vec<Used<'p>> {
        let mut used = Vec::new();
        let breadths = self.breadths();
        let breadth = |(document, index): (usize, usize)| {
            let known = breadths.get(document).and_then(|all| all.get(index));
            known.copied().unwrap_or((true, usize::MAX))
        };
        let needing = self.about.iter().filter(|one| one.is_used() && !(self.is_carried)(one));
        for one in needing {
            let outcomes = one.now.layers.iter().filter(|outcome| outcome.layer == self.layer);
            let mut by: Vec<(usize, usize)> = outcomes
                .flat_map(|outcome| &outcome.matched)
                .filter(|matched| matched.allow)
                .filter_map(|matched| Some(((self.place)(&matched.source)?, matched.index)))
                .collect();
            by.sort_by_key(|by| (breadth(*by), *by));
            by.dedup();
            if single {
                by.truncate(1);
            }
            used.extend(by.into_iter().map(|by| Used { posed: one.posed, by }));
        }
        used
    }

    /// How much each statement covers; what stays in any case comes last, since it names but the account.
    fn breadths(&self) -> Vec<Vec<(bool, usize)>> {
        let of = |one: &Original| {
            let outlines = outline(&one.json.to_string(), self.layer == Layer::KeyPolicy);
            let numbered = outlines.unwrap_or_default().into_iter().enumerate();
            numbered
                .map(|(index, outline)| (one.kept.contains(&index), outline.actions.len()))
                .collect()
        };
        self.originals.iter().map(of).collect()
    }
}

fn original(source: &str, document: &Document, kept: &[usize]) -> Result<Original, KmsError> {
    Ok(Original {
        source: source.to_owned(),
        json: serde_json::from_str(document.text()).map_err(KmsError::internal)?,
        kept: kept.iter().copied().collect(),
    })
}

/// Whether a document's version takes a variable for text, and it has one.
fn has_literal_variables(original: &Original) -> bool {
    let version = original.json.get("Version").and_then(Value::as_str);
    version != Some("2012-10-17") && original.json.to_string().contains("${")
}

fn text(proposed: &[Proposed]) -> Option<Document> {
    document(proposed).map(|json| Document::new(json.to_string()))
}

fn shared(documents: &[IdentityDocument]) -> Option<String> {
    let sources: BTreeMap<&str, ()> = documents
        .iter()
        .map(|one| one.source.as_str())
        .filter(|source| source.starts_with("arn:") || source.starts_with("group "))
        .map(|source| (source, ()))
        .collect();
    let names: Vec<&str> = sources.into_keys().collect();
    (!names.is_empty()).then(|| {
        format!(
            "others may have these too, so detach them rather than change them: {}",
            names.join(", ")
        )
    })
}

pub(super) fn evidence(name: &str, backing: &Backing) -> Evidence {
    let Backing { source, was, tally, remarks } = backing;
    Evidence {
        name: name.to_owned(),
        from: Some(format!("{source} {was}")),
        count: tally.count,
        first: iso(tally.first),
        last: iso(tally.last),
        samples: tally.samples.clone(),
        remarks: remarks.iter().cloned().collect(),
    }
}

impl Engine {
    /// Proposals for who holds the store itself: nothing is asked of policies, and no event is left.
    ///
    /// # Errors
    /// When what is named is not there, or a record that is brought is none.
    pub fn propose(
        &self,
        account: &AccountId,
        wanted: &Wanted,
        since: Option<&str>,
        records: Option<&mut dyn Iterator<Item = Result<Vec<u8>, KmsError>>>,
    ) -> Result<ProposalReport, KmsError> {
        let source = match records {
            Some(records) => Source::Records(records),
            None => Source::Log(super::Span::of(self, since, None, None)?),
        };
        propose(self, &self.holder(account), &super::past::SPEC, wanted, source)
    }
}
