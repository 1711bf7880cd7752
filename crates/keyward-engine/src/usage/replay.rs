//! What would have been decided: newly denied, newly allowed, and the same for another reason.
//!
//! What is compared is what the log says became of a request with what would become of it under the documents that
//! are supposed. A change that those in force make by themselves already is marked as such.

use super::{
    Source, Span, iso,
    past::{Grain, Past, Posed, SAMPLES, Tally, told},
    record::Recorded,
    supposed::{Supposed, With},
};
use crate::Engine;
use keyward_types::{AccountId, Caller, KmsError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a decision would differ from the recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangeKind {
    NewlyDenied,
    NewlyAllowed,
    OtherReason,
}

impl ChangeKind {
    pub const ALL: &[Self] = &[Self::NewlyDenied, Self::NewlyAllowed, Self::OtherReason];

    /// As command lines spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly-denied",
            Self::NewlyAllowed => "newly-allowed",
            Self::OtherReason => "other-reason",
        }
    }
}

/// Events of one principal, action and key whose decision would change in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Change {
    pub change: ChangeKind,
    /// The user or role; of a service its name.
    pub principal: String,
    pub action: String,
    /// A key's ARN, or `*`.
    pub resource: String,
    pub was: String,
    pub now: String,
    /// The documents in force decide so too: what is supposed changes nothing more.
    pub already_in_force: bool,
    pub count: u64,
    pub first: String,
    pub last: String,
    /// Ids of some of the events.
    pub samples: Vec<String>,
}

/// Events that could not be decided again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LeftOut {
    pub why: String,
    pub count: u64,
    pub samples: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReplayReport {
    pub events: u64,
    /// Decisions that the events asked for: one of ReEncrypt asks for two.
    pub questions: u64,
    /// Questions that differ from each other, and were decided.
    pub distinct: u64,
    pub unchanged: u64,
    pub newly_denied: u64,
    pub newly_allowed: u64,
    pub other_reason: u64,
    pub changes: Vec<Change>,
    pub not_replayed: Vec<LeftOut>,
}

impl ReplayReport {
    /// Adds what another part of the same events came to.
    pub fn join(&mut self, other: Self) {
        self.events += other.events;
        self.questions += other.questions;
        self.distinct += other.distinct;
        self.unchanged += other.unchanged;
        for change in other.changes {
            self.add(change);
        }
        for left in other.not_replayed {
            match self.not_replayed.iter_mut().find(|known| known.why == left.why) {
                Some(known) => {
                    known.count += left.count;
                    known.samples.extend(left.samples);
                    known.samples.truncate(SAMPLES);
                }
                None => self.not_replayed.push(left),
            }
        }
    }

    fn add(&mut self, change: Change) {
        *match change.change {
            ChangeKind::NewlyDenied => &mut self.newly_denied,
            ChangeKind::NewlyAllowed => &mut self.newly_allowed,
            ChangeKind::OtherReason => &mut self.other_reason,
        } += change.count;
        match self.changes.iter_mut().find(|known| known.name() == change.name()) {
            Some(known) => {
                known.count += change.count;
                known.first = change.first.min(core::mem::take(&mut known.first));
                known.last = change.last.max(core::mem::take(&mut known.last));
                known.samples.extend(change.samples);
                known.samples.truncate(SAMPLES);
            }
            None => self.changes.push(change),
        }
    }

    /// How many events changed in this way.
    pub const fn count(&self, kind: ChangeKind) -> u64 {
        match kind {
            ChangeKind::NewlyDenied => self.newly_denied,
            ChangeKind::NewlyAllowed => self.newly_allowed,
            ChangeKind::OtherReason => self.other_reason,
        }
    }
}

type Name<'c> = (ChangeKind, &'c str, &'c str, &'c str, &'c str, &'c str, bool);

impl Change {
    fn name(&self) -> Name<'_> {
        (
            self.change,
            &self.principal,
            &self.action,
            &self.resource,
            &self.was,
            &self.now,
            self.already_in_force,
        )
    }
}

/// Changes by what they have in common.
type Groups = BTreeMap<(ChangeKind, String, String, String, String, String, bool), Tally>;

/// What would change, of everything that was taken in.
pub(crate) fn report(past: &Past<'_>, supposed: &Supposed) -> Result<ReplayReport, KmsError> {
    let mut groups = Groups::new();
    let mut report = ReplayReport {
        events: past.events,
        questions: past.questions,
        distinct: past.posed.len() as u64,
        ..ReplayReport::default()
    };
    let mut left: BTreeMap<&str, Tally> = BTreeMap::new();
    for (why, tally) in &past.left_out {
        left.entry(why).or_default().join(tally);
    }
    for posed in &past.posed {
        let now = past.decide(posed, supposed)?;
        let in_force = match supposed.is_empty() {
            true => None,
            false => Some(past.decide(posed, &Supposed::default())?),
        };
        let now_told = told(&now);
        for (recorded, tally) in &posed.outcomes {
            if !recorded.allowed && recorded.session_policies && now.allowed() {
                left.entry(
                    "policies passed to its session refused it, and the log does not keep them",
                )
                .or_default()
                .join(tally);
                continue;
            }
            let unknown = || in_force.as_ref().map(told).unwrap_or_else(|| now_told.clone());
            let was = match &recorded.why {
                Some(why) => why.clone(),
                // An imported event tells no reason: that of the documents in force stands for it.
                None => match in_force.as_ref().unwrap_or(&now).allowed() == recorded.allowed {
                    true => unknown(),
                    false => if recorded.allowed { "allowed" } else { "refused" }.to_owned(),
                },
            };
            match kind(recorded, now.allowed(), was == now_told) {
                None => report.unchanged += tally.count,
                Some(kind) => {
                    let already = in_force.as_ref().is_none_or(|before| {
                        before.allowed() == now.allowed() && told(before) == now_told
                    });
                    let name = group(kind, posed, was, now_told.clone(), already);
                    groups.entry(name).or_default().join(tally);
                }
            }
        }
    }
    for ((change, principal, action, resource, was, now, already_in_force), tally) in groups {
        let Tally { count, first, last, samples } = tally;
        let (first, last) = (iso(first), iso(last));
        report.add(Change {
            change,
            principal,
            action,
            resource,
            was,
            now,
            already_in_force,
            count,
            first,
            last,
            samples,
        });
    }
    report.changes.sort_by(|one, other| {
        (one.change, core::cmp::Reverse(one.count))
            .cmp(&(other.change, core::cmp::Reverse(other.count)))
    });
    let told = |(why, Tally { count, samples, .. }): (&str, Tally)| LeftOut {
        why: why.to_owned(),
        count,
        samples,
    };
    report.not_replayed = left.into_iter().map(told).collect();
    Ok(report)
}

fn kind(recorded: &Recorded, allowed: bool, same_reason: bool) -> Option<ChangeKind> {
    match (recorded.allowed, allowed) {
        (true, false) => Some(ChangeKind::NewlyDenied),
        (false, true) => Some(ChangeKind::NewlyAllowed),
        // Sessions with policies of their own are decided without them, and so for another reason.
        _ if same_reason || recorded.session_policies => None,
        _ => Some(ChangeKind::OtherReason),
    }
}

fn group(
    kind: ChangeKind,
    posed: &Posed,
    was: String,
    now: String,
    already: bool,
) -> (ChangeKind, String, String, String, String, String, bool) {
    let matter = &posed.matter;
    let principal = matter.entity().to_owned();
    (kind, principal, matter.action.name.clone(), matter.resource.clone(), was, now, already)
}

/// The whole of it, for whoever asks.
pub(crate) fn replay(
    engine: &Engine,
    asker: &Caller,
    spec: &crate::operation::Spec,
    with: &With,
    source: Source<'_>,
) -> Result<ReplayReport, KmsError> {
    let supposed = Supposed::of(engine, asker, spec, with)?;
    let mut past = Past::new(engine, asker, Grain::Decision, &supposed);
    past.read(engine, &asker.account, source)?;
    report(&past, &supposed)
}

impl Engine {
    /// Replays for who holds the store itself: nothing is asked of policies, and no event is left. Records that are
    /// brought are taken in the place of the log.
    ///
    /// # Errors
    /// When what is supposed could not be saved, names what is not there, or a record is none.
    pub fn replay(
        &self,
        account: &AccountId,
        with: &With,
        since: Option<&str>,
        records: Option<&mut dyn Iterator<Item = Result<Vec<u8>, KmsError>>>,
    ) -> Result<ReplayReport, KmsError> {
        let source = match records {
            Some(records) => Source::Records(records),
            None => Source::Log(Span::of(self, since, None, None)?),
        };
        replay(self, &self.holder(account), &super::past::SPEC, with, source)
    }
}
