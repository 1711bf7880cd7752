//! What the service does by itself: keys whose day of deletion has come, automatic rotations, and imported
//! material that has expired.
//!
//! A timer calls [`Engine::tick`]; tests call it by hand. There is no other actor, and no thread here.
//!
//! INVARIANT: what is done for a key is one commit with one `AwsServiceEvent`: DeleteKey, RotateKey or
//! DeleteExpiredKeyMaterial; and a SynchronizeMultiRegionKey where related keys rotate with it.
//! INVARIANT: nothing is done by a clock that is far ahead of what was lived through, before it has stood for a day.
//! INVARIANT: a deleted key leaves no alias, grant, material or data-encryption key.
//! Sources: <https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>

use crate::{
    Engine, beside,
    call::{Call, Proposed},
    ops::{WINDOW_DAYS_DEFAULT, imported, rotation},
    trace::Trace,
};
use keyward_store::{Commit, Ticket};
use keyward_trail::{Extra, INTERNAL, Record, ResourceRef, query::is_filed_as_written};
use keyward_types::{
    AccountId, Caller, CallerKind, Event, EventSummary, KeyRecord, KeyState, KmsError, Name,
    Origin, Outcome, Region, RotationType, Timestamp, key::MaterialInfo,
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Commits under way at once.
const BATCH: usize = 64;
/// Keys are looked through at least this often, even when none was due soon at the last look.
const LOOK_SECONDS: i64 = 900;

/// How long a clock that is far ahead has to stand before anything is done by it: a key that was deleted is gone.
pub(crate) const STAND: Duration = Duration::from_hours(24);

/// What a key is due for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chore {
    Delete,
    Rotate,
    /// Imported material has expired.
    Expire,
}

impl Chore {
    /// CloudTrail's `eventName`.
    const fn event_name(self) -> &'static str {
        match self {
            Self::Delete => "DeleteKey",
            Self::Rotate => "RotateKey",
            Self::Expire => "DeleteExpiredKeyMaterial",
        }
    }
}

impl Engine {
    /// Does what is due, and answers for how many keys something was done.
    ///
    /// All keys are looked through, but only when one that was seen at the last look has become due, or
    /// that look is [`LOOK_SECONDS`] old; so a timer may call it often. Deletions are scheduled 7 days
    /// ahead and rotations 90, so that nothing is missed in between.
    pub fn tick(self: &Arc<Self>) -> usize {
        let now = self.now();
        if now.0 < self.next_look.load(Ordering::Relaxed) {
            return 0;
        }
        // The next look is left as it was: a clock that is set right again finds it.
        if let Err(leapt) = self.believe(&self.lived, now) {
            tracing::error!(%leapt, "nothing is deleted or rotated by its date");
            return 0;
        }
        let mut next_look = now.plus_seconds(LOOK_SECONDS);
        let mut batch = Vec::with_capacity(BATCH);
        let mut done = 0;
        for key in self.world.store.keys_everywhere() {
            let key = match key {
                Ok(key) => key,
                Err(error) => {
                    tracing::error!(%error, "a key could not be read");
                    continue;
                }
            };
            match due(&key) {
                Some((time, chore)) if time <= now => batch.push((key, chore)),
                Some((time, _)) => next_look = next_look.min(time),
                None => {}
            }
            if batch.len() == BATCH {
                done += self.do_batch(&mut batch, &mut next_look);
            }
        }
        done += self.do_batch(&mut batch, &mut next_look);
        self.next_look.store(next_look.0, Ordering::Relaxed);
        done
    }

    /// Makes the next tick look through the keys: something may be due that was not before.
    pub(crate) fn look_again(&self) {
        self.next_look.store(i64::MIN, Ordering::Relaxed);
    }

    /// What could not be done now is looked at again in the next tick.
    fn do_batch(
        &self,
        batch: &mut Vec<(Arc<KeyRecord>, Chore)>,
        next_look: &mut Timestamp,
    ) -> usize {
        let started: Vec<_> =
            batch.drain(..).map(|(key, chore)| (self.start(&key, chore), key, chore)).collect();
        let mut done = 0;
        for (ticket, key, chore) in started {
            let waited = ticket.and_then(|ticket| ticket.wait().map_err(KmsError::internal));
            if chore == Chore::Rotate {
                self.metrics().rotated("automatic", waited.is_ok());
            }
            match waited {
                Ok(_) => {
                    done += 1;
                    if chore != Chore::Rotate {
                        self.forget(&key);
                    }
                    if chore == Chore::Expire {
                        // Another material of the key may have expired too.
                        *next_look = self.now();
                    }
                }
                Err(error) => {
                    tracing::warn!(key = %key.name, ?chore, %error, "not done; it is tried again");
                    *next_look = self.now();
                }
            }
        }
        done
    }

    fn start(&self, key: &KeyRecord, chore: Chore) -> Result<Ticket, KmsError> {
        let store = &self.world.store;
        let (snapshot, now) = (store.snapshot(), self.now());
        // The list may be older than the snapshot.
        let current = store.key(&key.name).map_err(KmsError::internal)?;
        let current = current.filter(|current| {
            due(current).is_some_and(|(time, same)| time <= now && same == chore)
        });
        let key = current.ok_or_else(|| KmsError::internal("the key was changed meanwhile"))?;
        let caller = Arc::new(self.internal_caller(&key.name.account, &key.name.region));
        let mut call = Call::new(self, &caller, chore.event_name(), &[], now);
        let details = match chore {
            Chore::Delete => {
                delete(&mut call, &key)?;
                None
            }
            Chore::Rotate => Some(rotation::rotate(&mut call, &key, RotationType::Automatic)?),
            Chore::Expire => Some(expire(&mut call, KeyRecord::clone(&key))?),
        };
        let elements = json!({"keyId": key.name.to_string()});
        let deed = Deed {
            event_name: chore.event_name(),
            response_elements: (chore == Chore::Delete).then_some(&elements),
            details: details.as_ref(),
            beside: None,
        };
        let event = event(&mut call, &caller, &key, &deed);
        let Proposed { changes, mut rested_on, beside, .. } = call.proposed;
        rested_on.push(Name::Key(key.name.clone()));
        let nothing = Trace::default();
        let beside = beside::events(beside, &nothing, self, &caller);
        let events = core::iter::once(event).chain(beside).collect();
        Ok(store.commit(Commit { snapshot, rested_on, changes, events }))
    }

    /// The service itself, as what it does in an account is attributed.
    pub(crate) fn internal_caller(&self, account: &AccountId, region: &Region) -> Caller {
        let name = INTERNAL.to_owned();
        Caller {
            kind: CallerKind::Service { name: name.clone() },
            account: account.clone(),
            arn: name.clone(),
            principal_arn: name.clone(),
            user_id: name.clone(),
            access_key_id: String::new(),
            tags: BTreeMap::new(),
            transitive_tags: Default::default(),
            issued: None,
            mfa: None,
            source_identity: None,
            session_policies: Vec::new(),
            origin: Origin {
                request_id: self.fresh_id(),
                source_ip: name.clone(),
                user_agent: name,
                region: region.clone(),
                secure_transport: false,
                host: String::new(),
                trusted_facts: BTreeMap::new(),
            },
        }
    }
}

/// What comes next for a key, and when.
fn due(key: &KeyRecord) -> Option<(Timestamp, Chore)> {
    let state = match key.state {
        KeyState::PendingDeletion => key.deletion_date.map(|date| (date, Chore::Delete)),
        // Related keys rotate with their primary.
        KeyState::Enabled if key.rotation.enabled && !key.is_replica() => {
            key.rotation.next.map(|next| (next, Chore::Rotate))
        }
        _ => None,
    };
    let expiry = key.materials.iter().filter_map(MaterialInfo::valid_to).min();
    let expiry = expiry.map(|time| (time, Chore::Expire));
    state.into_iter().chain(expiry).min_by_key(|(time, _)| *time)
}

/// Deletes a key with everything that is its own, and takes it out of the keys related to it. A primary key
/// that waited for its last replica starts to count its own days.
fn delete(call: &mut Call<'_>, key: &KeyRecord) -> Result<(), KmsError> {
    let name = &key.name;
    call.delete(Name::Grants(name.clone()));
    call.delete(Name::Aliases(name.clone()));
    for material in key.materials.iter().filter(|material| material.is_present()) {
        call.delete(Name::Material(name.clone(), material.id.clone()));
    }
    call.delete(Name::Dek(name.clone()));
    call.delete(Name::Key(name.clone()));
    for mut related in call.related(key)? {
        if let Some(regions) = &mut related.multi_region {
            regions.replicas.remove(&name.region);
            let alone = regions.replicas.is_empty();
            if alone && related.state == KeyState::PendingReplicaDeletion {
                let days = related.pending_window_days.take().unwrap_or(WINDOW_DAYS_DEFAULT);
                related.state = KeyState::PendingDeletion;
                related.deletion_date = Some(call.now().plus_days(days.into()));
            }
        }
        call.put(keyward_types::Record::Key(related));
    }
    Ok(())
}

/// Takes away the imported material whose time came first, and says what the event says. Each material has an event
/// of its own.
fn expire(call: &mut Call<'_>, mut key: KeyRecord) -> Result<Value, KmsError> {
    let first =
        key.materials.iter().filter_map(|one| Some((one.valid_to()?, one.id.clone()))).min();
    let (_, id) = first.ok_or_else(|| KmsError::internal("no material of the key expires"))?;
    imported::take_away(call, &mut key, &id);
    let details = json!({"keyId": key.name.key_id.to_string(), "keyMaterialId": id.0});
    call.put(keyward_types::Record::Key(key));
    Ok(details)
}

/// Something that the service did by itself, as its event says it.
pub(crate) struct Deed<'d> {
    /// CloudTrail's `eventName`.
    pub(crate) event_name: &'static str,
    pub(crate) response_elements: Option<&'d Value>,
    /// `serviceEventDetails`.
    pub(crate) details: Option<&'d Value>,
    /// The ARN of another resource that was concerned, such as an alias.
    pub(crate) beside: Option<String>,
}

/// Deeds that AWS records as calls which it made itself, with a request id.
const CALLS: &[&str] = &["SynchronizeMultiRegionKey"];

/// The event of a deed that was done to a key, by the service's own caller.
pub(crate) fn event(
    call: &mut Call<'_>,
    caller: &Caller,
    key: &KeyRecord,
    deed: &Deed<'_>,
) -> Event {
    let (event_id, arn) = (call.fresh_id(), key.name.to_string());
    let operation = deed.event_name;
    let account = key.name.account.as_str();
    let resources: Vec<ResourceRef<'_>> = core::iter::once(&arn)
        .chain(&deed.beside)
        .map(|arn| ResourceRef { account, arn })
        .collect();
    let nothing = Map::new();
    let record = Record {
        caller,
        service: "kms",
        operation,
        time: call.now(),
        event_id,
        request_parameters: &nothing,
        response_elements: deed.response_elements,
        additional: &nothing,
        resources: &resources,
        error: None,
        decisions: &[],
        read_only: false,
    };
    let extra = Extra {
        service_event_details: deed.details,
        is_call: CALLS.contains(&operation),
        ..Extra::default()
    };
    let (terms, record) = (record.terms(&extra), record.to_json_with(&extra));
    debug_assert!(is_filed_as_written(&record, &terms), "a record is not found as it reads");
    let summary = EventSummary {
        event_id,
        request_id: caller.origin.request_id,
        time: call.now(),
        service: "kms",
        operation,
        outcome: Outcome::Success,
        account: key.name.account.to_string(),
        principal_arn: INTERNAL.to_owned(),
        keys: vec![arn],
    };
    Event { summary, record, terms }
}
