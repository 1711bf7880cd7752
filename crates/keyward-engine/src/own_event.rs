//! Events of what the service does by itself and to no key: one `AwsServiceEvent` of the source `keyward`.
//!
//! What it does to a key has its event in `housekeeping.rs`.

use crate::Engine;
use keyward_store::Commit;
use keyward_trail::{Extra, INTERNAL, Record};
use keyward_types::{AccountId, Event, EventSummary, KmsError, Outcome};
use serde_json::{Map, Value};

/// An own deed.
pub(crate) struct OwnDeed<'d> {
    pub(crate) operation: &'static str,
    /// In whose log it stands; `None` is the service's own account.
    pub(crate) account: Option<AccountId>,
    pub(crate) read_only: bool,
    /// Its `serviceEventDetails`.
    pub(crate) details: &'d Value,
}

impl Engine {
    /// Writes the event of an own deed that changes no record, and waits until it is there.
    pub(crate) fn tell(&self, deed: OwnDeed<'_>) -> Result<(), KmsError> {
        let store = self.store();
        let commit = Commit {
            snapshot: store.snapshot(),
            events: vec![self.own_event(deed)],
            ..Commit::default()
        };
        store.commit(commit).wait().map(drop).map_err(KmsError::internal)
    }

    /// The event of an own deed, now.
    pub(crate) fn own_event(&self, deed: OwnDeed<'_>) -> Event {
        let OwnDeed { operation, account, read_only, details } = deed;
        let settings = self.settings();
        let account = account.unwrap_or_else(|| settings.account.clone());
        let caller = self.internal_caller(&account, &settings.region);
        let (event_id, time) = (self.fresh_id(), self.now());
        let nothing = Map::new();
        let record = Record {
            caller: &caller,
            service: "keyward",
            operation,
            time,
            event_id,
            request_parameters: &nothing,
            response_elements: None,
            additional: &nothing,
            resources: &[],
            error: None,
            decisions: &[],
            read_only,
        };
        let extra = Extra { service_event_details: Some(details), ..Extra::default() };
        let (terms, record) = (record.terms(&extra), record.to_json_with(&extra));
        let summary = EventSummary {
            event_id,
            request_id: caller.origin.request_id,
            time,
            service: "keyward",
            operation,
            outcome: Outcome::Success,
            account: account.to_string(),
            principal_arn: INTERNAL.to_owned(),
            keys: Vec::new(),
        };
        Event { summary, record, terms }
    }
}
