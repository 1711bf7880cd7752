//! What the event will say about a request, gathered stage by stage, so that a request that fails
//! anywhere leaves the same kind of record as one that succeeds.

use crate::{
    Engine, authorize::is_owners, operation::Spec, ops::prelude::trail_time, resolve::Found,
    shape::Kind, wording,
};
use keyward_trail::{Extra, Record, ResourceRef, query::is_filed_as_written};
use keyward_types::{
    Caller, CallerKind, Decision, ErrorCode, Event, EventSummary, KmsError, Outcome, Timestamp,
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The member of `additionalEventData` that says what let a refused request through.
const OBSERVED: &str = "observed";

#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) request_parameters: Map<String, Value>,
    pub(crate) response_elements: Option<Value>,
    pub(crate) additional: Map<String, Value>,
    /// ARNs, each with the account that owns it, in the order in which the request names them.
    pub(crate) resources: Vec<(String, String)>,
    pub(crate) decisions: Vec<Decision>,
}

impl Trace {
    /// Copies the members that the row allows to be logged, as sent or by default; no other member ever gets in.
    pub(crate) fn parameters(&mut self, spec: &Spec, body: &Map<String, Value>) {
        for member in spec.members.iter().filter(|member| spec.logged.contains(&member.name)) {
            let sent = body
                .get(member.name)
                .filter(|value| !value.is_null())
                .map(|value| lower_camel_members(&member.kind, value));
            if let Some(value) = sent.or_else(|| by_default(member.name)) {
                self.request_parameters.insert(trail_name(member.name), value);
            }
        }
    }

    pub(crate) fn found(&mut self, found: &Found, caller: &Caller) {
        match found {
            Found::Key(key) => self.resource(&key.arn_for(caller)),
            Found::Alias { arn } | Found::AbsentElsewhere { arn, .. } => self.resource(arn),
            Found::Other { .. } | Found::Account | Found::Unchecked => {}
        }
    }

    /// The caller may use the key, and so may know which one another account's alias meant.
    pub(crate) fn allowed(&mut self, found: &Found, caller: &Caller) {
        if let Found::Key(key) = found {
            let (said, meant) = (key.arn_for(caller), key.record.name.to_string());
            if said != meant {
                self.resources.retain(|(arn, _)| *arn != said);
                self.resource(&meant);
            }
        }
    }

    pub(crate) fn resource(&mut self, arn: &str) {
        let account =
            keyward_types::Arn::parse(arn).map(|arn| arn.account.to_owned()).unwrap_or_default();
        if !self.resources.iter().any(|(known, _)| known == arn) {
            self.resources.push((arn.to_owned(), account));
        }
    }

    /// Says what of the refusals observe mode let through, and whether it did any.
    pub(crate) fn note_observed(&mut self) -> bool {
        let ids: BTreeSet<&String> =
            self.decisions.iter().flat_map(|decision| &decision.observed).collect();
        if ids.is_empty() {
            return false;
        }
        self.additional.insert(OBSERVED.to_owned(), serde_json::json!(ids));
        true
    }

    /// Whose log the event stands in: the caller's, and of a service, which has none, the resource owner's.
    fn account<'a>(&'a self, caller: &'a Caller) -> &'a str {
        let owner = match &caller.kind {
            CallerKind::Service { name } if name != keyward_trail::INTERNAL => {
                self.resources.first().map(|(_, account)| account.as_str())
            }
            _ => None,
        };
        owner.filter(|owner| !owner.is_empty()).unwrap_or(caller.account.as_str())
    }

    /// The event, as of now; and behind it a copy for each other account whose key was used or role assumed, which it
    /// shares an id with. Who was refused is the caller's account's business alone.
    pub(crate) fn events(
        &self,
        engine: &Engine,
        spec: &Spec,
        caller: &Caller,
        event_id: Uuid,
        error: Option<&KmsError>,
    ) -> Vec<Event> {
        let recorded = error.map(|error| wording::recorded(error, caller));
        let error = recorded.as_ref();
        let (time, account) = (engine.now(), self.account(caller));
        let refused = error.is_some_and(|error| error.code == ErrorCode::AccessDenied);
        let owners: BTreeSet<&str> = self
            .resources
            .iter()
            .filter(|(arn, owner)| !refused && is_told(arn) && owner != account)
            .map(|(_, owner)| owner.as_str())
            .collect();
        let shared = (!owners.is_empty()).then(|| engine.fresh_id());
        let told = Told { account, outsider: false, shared };
        let mut events = vec![self.event(spec, caller, (event_id, time), error, &told)];
        for account in owners {
            let told = Told { account, outsider: true, shared };
            let id = engine.fresh_id();
            events.push(self.for_owner(account).event(spec, caller, (id, time), error, &told));
        }
        events
    }

    /// The one event of what succeeded, as of now, without copies.
    pub(crate) fn alone(&self, engine: &Engine, spec: &Spec, caller: &Caller) -> Event {
        let told = Told { account: self.account(caller), outsider: false, shared: None };
        self.event(spec, caller, (engine.fresh_id(), engine.now()), None, &told)
    }

    /// What the owner of a key may know: its own resources, and of decisions its own side.
    fn for_owner(&self, account: &str) -> Self {
        let own = |arn: &str| {
            self.resources.iter().any(|(known, owner)| known == arn && owner == account)
        };
        let decisions = self.decisions.iter().filter(|decision| own(&decision.resource));
        let of_owner = |decision: &Decision| {
            let mut decision = decision.clone();
            decision.layers.retain(|outcome| is_owners(outcome.layer));
            decision.remedies.clear();
            decision
        };
        let (mut parameters, mut additional) =
            (self.request_parameters.clone(), self.additional.clone());
        additional.remove(OBSERVED);
        // Of two keys of two owners, each hears of its own side.
        if let [(_, source), (_, destination)] = self.resources.as_slice() {
            for (owner, side) in [(source, "source"), (destination, "destination")] {
                if owner != account {
                    parameters.retain(|name, _| !name.starts_with(side));
                    additional.retain(|name, _| !name.starts_with(side));
                }
            }
        }
        Self {
            request_parameters: parameters,
            response_elements: self.response_elements.clone(),
            additional,
            resources: self
                .resources
                .iter()
                .filter(|(_, owner)| owner == account)
                .cloned()
                .collect(),
            decisions: decisions.map(of_owner).collect(),
        }
    }

    fn event(
        &self,
        spec: &Spec,
        caller: &Caller,
        (event_id, time): (Uuid, Timestamp),
        error: Option<&KmsError>,
        told: &Told<'_>,
    ) -> Event {
        let mut resources: Vec<ResourceRef<'_>> =
            self.resources.iter().map(|(arn, account)| ResourceRef { account, arn }).collect();
        // CloudTrail names the key first here, and the alias first where one is changed or deleted.
        if spec.name == "CreateAlias" {
            resources.sort_by_key(|resource| !resource.arn.contains(":key/"));
        }
        let record = Record {
            caller,
            service: spec.service.name(),
            operation: spec.name,
            time,
            event_id,
            request_parameters: &self.request_parameters,
            response_elements: self.response_elements.as_ref(),
            additional: &self.additional,
            resources: &resources,
            error,
            decisions: &self.decisions,
            read_only: spec.read_only,
        };
        let Told { account, outsider, shared } = *told;
        let extra = Extra {
            recipient_account: Some(account),
            outsider,
            shared_event_id: shared,
            ..Extra::default()
        };
        let keys = self
            .resources
            .iter()
            .map(|(arn, _)| arn)
            .filter(|arn| arn.contains(":key/"))
            .cloned()
            .collect();
        let (terms, record) = (record.terms(&extra), record.to_json_with(&extra));
        debug_assert!(is_filed_as_written(&record, &terms), "a record is not found as it reads");
        Event {
            summary: summary(spec, (caller, account), event_id, time, error, keys),
            record,
            terms,
        }
    }
}

/// Whether the owner of a resource is told what others did with it.
fn is_told(arn: &str) -> bool {
    arn.contains(":key/") || arn.contains(":role/")
}

/// Who is told, and how.
struct Told<'t> {
    /// Whose log the event stands in.
    account: &'t str,
    /// Whether the caller is of another account.
    outsider: bool,
    /// The id that the copies share.
    shared: Option<Uuid>,
}

fn summary(
    spec: &Spec,
    (caller, account): (&Caller, &str),
    event_id: Uuid,
    time: Timestamp,
    error: Option<&KmsError>,
    keys: Vec<String>,
) -> EventSummary {
    EventSummary {
        event_id,
        request_id: caller.origin.request_id,
        time,
        service: spec.service.name(),
        operation: spec.name,
        outcome: error.map_or(Outcome::Success, |error| Outcome::Failure(error.code)),
        account: account.to_owned(),
        principal_arn: caller.arn.clone(),
        keys,
    }
}

/// What CloudTrail calls a member.
fn trail_name(member: &str) -> String {
    match member {
        "CloudHsmClusterId" => "clusterId".to_owned(),
        other => keyward_trail::lower_camel(other),
    }
}

/// What a member means when it is not sent, where CloudTrail says it all the same.
fn by_default(member: &str) -> Option<Value> {
    match member {
        "EncryptionAlgorithm" | "SourceEncryptionAlgorithm" | "DestinationEncryptionAlgorithm" => {
            Some("SYMMETRIC_DEFAULT".into())
        }
        "MessageType" => Some("RAW".into()),
        _ => None,
    }
}

/// Structures inside a logged member are spelled as CloudTrail spells them; a map of the client's own
/// names (the encryption context) is left alone.
fn lower_camel_members(kind: &Kind, value: &Value) -> Value {
    match (kind, value) {
        (Kind::List { of, .. }, Value::Array(items)) => {
            items.iter().map(|item| lower_camel_members(of, item)).collect()
        }
        (Kind::Structure(members), Value::Object(map)) => members
            .iter()
            .filter_map(|member| map.get(member.name).map(|value| (member, value)))
            .map(|(member, value)| {
                (keyward_trail::lower_camel(member.name), lower_camel_members(&member.kind, value))
            })
            .collect::<Map<_, _>>()
            .into(),
        (Kind::Timestamp, value) => trail_time(value),
        (_, value) => value.clone(),
    }
}
