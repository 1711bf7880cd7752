//! Events of what the service does by itself and to no key: one `AwsServiceEvent` of the source `keyward`, in the log of
//! the service's own account.
//!
//! What it does to a key has its event in `housekeeping.rs`.

use crate::Engine;
use keyward_trail::{Extra, INTERNAL, Record};
use keyward_types::{Event, EventSummary, Outcome};
use serde_json::{Map, Value};

impl Engine {
    /// The event of an own deed, now; `details` are its `serviceEventDetails`.
    pub(crate) fn own_event(&self, operation: &'static str, details: &Value) -> Event {
        let settings = self.settings();
        let caller = self.internal_caller(&settings.account, &settings.region);
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
            read_only: false,
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
            account: settings.account.to_string(),
            principal_arn: INTERNAL.to_owned(),
            keys: Vec::new(),
        };
        Event { summary, record, terms }
    }
}
