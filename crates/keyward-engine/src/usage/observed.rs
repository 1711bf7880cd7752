//! What observe mode let through: how many would-be denials since when, of whom, and whether it is safe to enforce.
//!
//! Would-be denials are read from the log, and put to the policies in force once more: what these allow by now needs
//! nothing more. Events of a caller or key that is gone are counted by that reason, never guessed.

use super::{
    LeftOut, Source, Span, iso,
    past::{Grain, Past, Posed, Tally},
    supposed::Supposed,
};
use crate::{Engine, observe};
use keyward_types::{Caller, KmsError, ObserveEntry, ObserveTarget, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days for which nothing may have been refused before it is safe to enforce, unless the asker says others.
const QUIET_DAYS: u32 = 7;
/// How far back is looked for the whole service, unless the asker says otherwise.
const SERVICE_SINCE: &str = "14d";
const DAY_MILLIS: i64 = 86_400_000;

/// Requests of one principal, action and resource that would have been refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WouldDeny {
    pub principal: String,
    pub action: String,
    pub resource: String,
    pub why: String,
    /// Whether the policies in force would refuse it now.
    pub still_refused: bool,
    pub count: u64,
    pub first: String,
    pub last: String,
    pub samples: Vec<String>,
}

/// One thing in observe and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ObservedUse {
    /// `Service`, `Key`, `User`, `Role` or `Policy`.
    #[serde(rename = "Type")]
    pub kind: String,
    pub target: String,
    pub observe_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// From when on the log was read.
    pub since: String,
    /// When it ends by itself; the service's does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Questions of requests that its policies had a say in.
    pub requests: u64,
    pub would_deny: u64,
    /// Those among them that the policies in force would refuse now.
    pub still_refused: u64,
    pub groups: Vec<WouldDeny>,
    pub safe_to_enforce: bool,
    /// Why it is safe, or not yet.
    pub advice: String,
    pub not_looked_at: Vec<LeftOut>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ObserveReport {
    /// Whether the whole service is in observe, by its configuration.
    pub service: bool,
    pub quiet_days: u32,
    pub observed: Vec<ObservedUse>,
}

pub(crate) fn observed(
    engine: &Engine,
    asker: &Caller,
    since: Option<&str>,
    quiet_days: Option<u32>,
    most: u64,
) -> Result<ObserveReport, KmsError> {
    let quiet_days = quiet_days.unwrap_or(QUIET_DAYS);
    let reading = Reading { engine, asker, quiet_days, most };
    let mut report = ObserveReport { quiet_days, ..ObserveReport::default() };
    if engine.settings().observe {
        report.service = true;
        let span = Span::of(engine, Some(since.unwrap_or(SERVICE_SINCE)), None, Some(most))?;
        report.observed.push(reading.of_service(span)?);
    }
    let said = Span::of(engine, since, None, None)?.since;
    for entry in engine.in_observe(&asker.account)? {
        report.observed.push(reading.of_entry(&entry, said)?);
    }
    Ok(report)
}

struct Reading<'r> {
    engine: &'r Engine,
    asker: &'r Caller,
    quiet_days: u32,
    most: u64,
}

impl Reading<'_> {
    fn of_service(&self, span: Span) -> Result<ObservedUse, KmsError> {
        let since = span.since.unwrap_or_default();
        let mut told = ObservedUse {
            kind: "Service".to_owned(),
            target: "*".to_owned(),
            observe_id: observe::SERVICE.to_owned(),
            since: iso(since),
            ..ObservedUse::default()
        };
        self.count(&mut told, span, &|_| true)?;
        // When it was switched on is the configuration's to know: the days are those that were read.
        self.judge(&mut told, since);
        Ok(told)
    }

    fn of_entry(
        &self,
        entry: &ObserveEntry,
        said: Option<Timestamp>,
    ) -> Result<ObservedUse, KmsError> {
        let since = said.map_or(entry.since, |said| said.max(entry.since));
        let (kind, target) = match &entry.target {
            ObserveTarget::Key(key) => ("Key", key.to_string()),
            ObserveTarget::User(_, name) => ("User", name.clone()),
            ObserveTarget::Role(_, name) => ("Role", name.clone()),
            ObserveTarget::Policy(arn) => ("Policy", arn.clone()),
        };
        let mut told = ObservedUse {
            kind: kind.to_owned(),
            target,
            observe_id: entry.id.clone(),
            reason: Some(entry.reason.clone()),
            by: Some(entry.by.clone()),
            since: iso(since),
            until: Some(iso(entry.until)),
            ..ObservedUse::default()
        };
        let span = Span { since: Some(since), most: Some(self.most), ..Span::default() };
        self.count(&mut told, span, &|posed| concerns(&entry.target, posed))?;
        self.judge(&mut told, since);
        Ok(told)
    }

    fn count(
        &self,
        told: &mut ObservedUse,
        span: Span,
        concerns: &dyn Fn(&Posed) -> bool,
    ) -> Result<(), KmsError> {
        let nothing = Supposed::default();
        let mut past = Past::new(self.engine, self.asker, Grain::Decision, &nothing);
        past.read(self.engine, &self.asker.account, Source::Log(span))?;
        let mut groups: BTreeMap<(bool, String, String, String, String), Tally> = BTreeMap::new();
        for posed in past.posed.iter().filter(|posed| concerns(posed)) {
            let mut still = None;
            for (recorded, tally) in &posed.outcomes {
                told.requests += tally.count;
                if !recorded.observed.contains(&told.observe_id) {
                    continue;
                }
                let still = match still {
                    Some(still) => still,
                    None => *still.insert(!past.decide(posed, &nothing)?.allowed()),
                };
                told.would_deny += tally.count;
                told.still_refused += if still { tally.count } else { 0 };
                let matter = &posed.matter;
                let why = recorded.why.clone().unwrap_or_default();
                let (action, resource) = (matter.action.name.clone(), matter.resource.clone());
                let group = (still, matter.principal(), action, resource, why);
                groups.entry(group).or_default().join(tally);
            }
        }
        let group = |(name, tally): ((bool, String, String, String, String), Tally)| {
            let ((still_refused, principal, action, resource, why), Tally { count, .. }) =
                (name, &tally);
            WouldDeny {
                principal,
                action,
                resource,
                why,
                still_refused,
                count: *count,
                first: iso(tally.first),
                last: iso(tally.last),
                samples: tally.samples,
            }
        };
        told.groups = groups.into_iter().map(group).collect();
        told.groups.sort_by_key(|one| core::cmp::Reverse((one.still_refused, one.count)));
        told.not_looked_at = past.told_left_out();
        Ok(())
    }

    fn judge(&self, told: &mut ObservedUse, since: Timestamp) {
        let quiet_from = since.0.saturating_add(i64::from(self.quiet_days) * DAY_MILLIS);
        told.advice = if 0 < told.still_refused {
            format!(
                "not yet: the policies in force refuse {} of the requests that were let through",
                told.still_refused
            )
        } else if told.requests == 0 {
            "not yet: no request has shown what would be refused".to_owned()
        } else if self.engine.now().0 < quiet_from {
            format!("not before {}, if nothing is refused until then", iso(Timestamp(quiet_from)))
        } else {
            told.safe_to_enforce = true;
            "safe: the policies in force allow everything that was let through".to_owned()
        };
    }
}

/// Whether what is in observe has a say in a question.
fn concerns(target: &ObserveTarget, posed: &Posed) -> bool {
    let matter = &posed.matter;
    match target {
        ObserveTarget::Key(name) => matter.key().is_some_and(|key| key.record.name == *name),
        ObserveTarget::User(..) | ObserveTarget::Role(..) => {
            observe::of_arn(matter.entity()).as_ref() == Some(target)
        }
        ObserveTarget::Policy(arn) => matter.who.has_policy(arn),
    }
}
