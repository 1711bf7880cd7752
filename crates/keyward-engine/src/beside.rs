//! What stands in the log beside an attempt's own event, in the same commit, because AWS writes it there too: what the
//! service did in consequence, and the attempt's record in another Region.
//!
//! Copies for other accounts are [`Trace::events`]'s; what the service does on no request is `housekeeping.rs`'s.
//!
//! INVARIANT: only an attempt that succeeded leaves any.
//! INVARIANT: a request id names the attempt's own event alone: what stands beside it has another, or none.
//! Sources: <https://docs.aws.amazon.com/kms/latest/developerguide/ct-rotatekeyondemand.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/ct-synchronize-multi-region-key.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/ct-replicate-key.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/ct-update-primary-region.html>

use crate::{
    Engine,
    call::Call,
    housekeeping::{self, Deed},
    operation::Spec,
    trace::Trace,
};
use keyward_trail::INTERNAL;
use keyward_types::{Caller, Event, KeyName, KeyRecord, Origin};
use serde_json::{Map, Value, json};

/// The member of `additionalEventData` that says which request a record in another Region belongs to.
const ORIGINAL: &str = "originalRequestID";

/// One event that stands beside the attempt's own.
pub(crate) enum Beside {
    /// What the service did by itself in consequence.
    Deed(Event),
    Abroad(Abroad),
}

/// The attempt as a record in another Region says it, by the same caller.
pub(crate) struct Abroad {
    /// What was done there, such as `CreateKey`.
    pub(crate) spec: &'static Spec,
    /// The key to which it was done. The attempt's own record does not name it.
    pub(crate) key: KeyName,
    /// Its `requestParameters`, where they are not the request's own.
    pub(crate) parameters: Option<Map<String, Value>>,
    /// Its `responseElements`.
    pub(crate) elements: Value,
}

impl Call<'_> {
    /// The service did something to a key in consequence of the request.
    pub(crate) fn did(&mut self, key: &KeyRecord, deed: &Deed<'_>) {
        let caller = self.engine().internal_caller(&key.name.account, &key.name.region);
        let event = housekeeping::event(self, &caller, key, deed);
        self.proposed.beside.push(Beside::Deed(event));
    }

    /// The request did something in another Region.
    pub(crate) fn did_abroad(&mut self, abroad: Abroad) {
        self.proposed.beside.push(Beside::Abroad(abroad));
    }
}

/// What the attempt itself says no more, because the record of another Region does.
pub(crate) fn leave_out(beside: &[Beside], trace: &mut Trace) {
    for one in beside {
        if let Beside::Abroad(abroad) = one {
            let there = abroad.key.to_string();
            trace.resources.retain(|(arn, _)| *arn != there);
        }
    }
}

/// The events, in the order in which they were told.
pub(crate) fn events<'b>(
    beside: Vec<Beside>,
    trace: &'b Trace,
    engine: &'b Engine,
    caller: &'b Caller,
) -> impl Iterator<Item = Event> + 'b {
    beside.into_iter().map(move |one| match one {
        Beside::Deed(event) => event,
        Beside::Abroad(abroad) => abroad.event(trace, engine, caller),
    })
}

impl Abroad {
    fn event(self, trace: &Trace, engine: &Engine, caller: &Caller) -> Event {
        let Self { spec, key, parameters, elements } = self;
        let (arn, action) = (key.to_string(), format!("{}:{}", spec.service.name(), spec.name));
        let there = |resource: &str| resource == arn || !resource.contains(":key/");
        let decisions = trace.decisions.iter();
        let decisions = decisions.filter(|one| one.action == action && there(&one.resource));
        let original = json!(caller.origin.request_id);
        let told = Trace {
            request_parameters: parameters.unwrap_or_else(|| trace.request_parameters.clone()),
            response_elements: Some(elements),
            additional: Map::from_iter([(ORIGINAL.to_owned(), original)]),
            decisions: decisions.cloned().collect(),
            resources: vec![(arn, key.account.to_string())],
        };
        let origin = Origin {
            request_id: engine.fresh_id(),
            region: key.region,
            user_agent: INTERNAL.to_owned(),
            ..caller.origin.clone()
        };
        told.alone(engine, spec, &Caller { origin, ..caller.clone() })
    }
}
