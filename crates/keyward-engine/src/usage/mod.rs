//! What was used: the log, or an imported CloudTrail export, put to the policies again.
//!
//! `record.rs` and `facts.rs` read a record as the questions that it put, `past.rs` keeps each distinct one once,
//! `supposed.rs` holds what is tried in the place of what is in force, `replay.rs` tells what would change, and
//! `unused.rs` what of that in force is not used. `propose.rs` makes smaller documents of what is (`narrow.rs`,
//! `infer.rs`) or grants (`grants.rs`), and tries them; `observed.rs` tells what observe mode let through.
//!
//! It decides nothing by itself: every decision is the one that `ask/` makes, which is the one of requests. What it
//! cannot decide (callers of other accounts, what was deleted since) is counted and told, never guessed.

mod facts;
mod grants;
mod infer;
mod narrow;
mod observed;
mod past;
mod propose;
mod record;
mod replay;
mod supposed;
mod unused;

pub(crate) use observed::observed as observed_for;
pub use observed::{ObserveReport, ObservedUse, WouldDeny};
pub(crate) use propose::propose as propose_for;
pub use propose::{Evidence, InForce, Proposal, ProposalKind, ProposalReport, Wanted};
pub(crate) use replay::replay as replay_for;
pub use replay::{Change, ChangeKind, LeftOut, ReplayReport};
pub use supposed::{With, WithGrant, WithGrants, WithIdentity, WithKeyPolicy};
pub(crate) use unused::unused as unused_for;
pub use unused::{UsageReport, Use, UseFinding, UseLevel};

use crate::{Engine, credential, wording};
use keyward_store::EventQuery;
use keyward_trail::query::{Query, log_term};
use keyward_types::{AccountId, Caller, KmsError, Origin, Timestamp};
use past::Past;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Events that are read at once.
const CHUNK: usize = 4_096;

/// Which events of the log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// No more than so many.
    most: Option<u64>,
}

impl Span {
    /// Reads times as the query language of events does: RFC 3339, a date, `14d`.
    pub(crate) fn of(
        engine: &Engine,
        since: Option<&str>,
        until: Option<&str>,
        most: Option<u64>,
    ) -> Result<Self, KmsError> {
        let term = |(name, text): (&str, Option<&str>)| {
            text.map(|text| format!("{name}:\"{}\"", text.replace('"', "")))
        };
        let terms = [("since", since), ("until", until)].into_iter().filter_map(term);
        let query = Query::parse(&terms.collect::<Vec<_>>().join(" "))
            .map_err(|error| KmsError::validation(error.to_string()))?;
        let window = query.window(engine.now());
        Ok(Self { since: window.since, until: window.until, most })
    }
}

/// Where the records come from.
pub(crate) enum Source<'s> {
    Log(Span),
    Records(&'s mut dyn Iterator<Item = Result<Vec<u8>, KmsError>>),
}

impl Past<'_> {
    /// Takes everything in.
    pub(crate) fn read(
        &mut self,
        engine: &Engine,
        account: &AccountId,
        source: Source<'_>,
    ) -> Result<(), KmsError> {
        match source {
            Source::Log(span) => self.read_log(engine, account, span),
            Source::Records(records) => {
                for (number, record) in records.enumerate() {
                    let not = |error: serde_json::Error| {
                        KmsError::validation(format!(
                            "Record {} is no CloudTrail record: {error}",
                            number + 1
                        ))
                    };
                    self.add(&record?).map_err(not)?;
                }
                Ok(())
            }
        }
    }

    fn read_log(
        &mut self,
        engine: &Engine,
        account: &AccountId,
        span: Span,
    ) -> Result<(), KmsError> {
        let mut query = EventQuery {
            limit: CHUNK,
            from: span.since,
            to: span.until,
            clauses: vec![vec![log_term(account.as_str())]],
            ..EventQuery::default()
        };
        loop {
            let events = engine.store().events(&query).map_err(KmsError::internal)?;
            for event in &events {
                self.add_of(&event.record, account)?;
            }
            if let Some(most) = span.most.filter(|most| *most < self.events) {
                return Err(KmsError::validation(format!(
                    "There are more than {most} events: say Since, or read the stopped store with --data"
                )));
            }
            match events.last().filter(|_| events.len() == CHUNK) {
                Some(last) => query.after = Some(last.seq),
                None => return Ok(()),
            }
        }
    }
}

impl Engine {
    /// The root user of an account, as who holds the store itself asks.
    fn holder(&self, account: &AccountId) -> Caller {
        let origin = Origin {
            request_id: uuid::Uuid::nil(),
            source_ip: String::new(),
            user_agent: String::new(),
            region: self.settings().region.clone(),
            secure_transport: false,
            host: String::new(),
            trusted_facts: BTreeMap::new(),
        };
        credential::root(account.clone(), "", Zeroizing::default()).into_caller(origin)
    }
}

impl Engine {
    /// What is not used, for who holds the store itself: nothing is asked of policies, and no event is left.
    ///
    /// # Errors
    /// When a record that is brought is none.
    pub fn unused(
        &self,
        account: &AccountId,
        since: Option<&str>,
        records: Option<&mut dyn Iterator<Item = Result<Vec<u8>, KmsError>>>,
    ) -> Result<UsageReport, KmsError> {
        let source = match records {
            Some(records) => Source::Records(records),
            None => Source::Log(Span::of(self, since, None, None)?),
        };
        unused_for(self, &self.holder(account), source)
    }
}

/// As it is told.
fn iso(time: Timestamp) -> String {
    wording::iso(time)
}
