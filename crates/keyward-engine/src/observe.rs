//! Observe mode: what policies in observe refuse is let through, marked, counted and told.
//!
//! | in observe | what counts as if it allowed everything and denied nothing |
//! |---|---|
//! | a key | its key policy |
//! | a user or role | its identity policies and its permissions boundary |
//! | a customer managed policy | that policy, wherever it is attached or a boundary |
//! | the whole service, by its configuration | all of these, and session, endpoint and organization policies |
//!
//! A request that is refused is decided once more with such policies in the place of those in observe. When that
//! allows, the request goes on: its decision keeps the verdict and the reasons of the policies in force, and says what
//! let it through. What refuses all the same refuses.
//!
//! INVARIANT: a freeze, a guardrail and a policy that cannot be evaluated refuse, whatever is in observe.
//! INVARIANT: only the use and the reading of keys is let through. What changes a key, its policy, grants, aliases or
//! tags would outlast the observation; so it is enforced, and so is every action of other services, those that switch
//! observe mode among them.
//! INVARIANT: nobody is let through to another account's key. What is in observe is the account's own.
//! INVARIANT: a request that is let through rests on what is in observe (P5).

use crate::{
    Engine,
    authorize::Asking,
    directory::principal_name,
    freeze::Named,
    identity::managed_policy_name,
    operation::{Plane, Service, Spec},
    own_event::OwnDeed,
    resolve::{Found, FoundKey},
};
use keyward_policy::Facts;
use keyward_types::{
    AccountId, Arn, Caller, CallerKind, Change, Decision, ErrorCode, FreezeTarget,
    IdentityDocument, KeyRecord, KmsError, Layer, Name, ObserveEntry, ObserveTarget, Reason,
    Record, Timestamp, caller::Document,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

/// The operations of which a refusal can be let through.
pub(crate) fn is_observable(spec: &Spec) -> bool {
    spec.service == Service::Kms && (spec.plane == Plane::Data || spec.read_only)
}

/// The name under which the whole service is in observe.
pub(crate) const SERVICE: &str = "service";
/// The service's own event, when it starts with everything in observe.
const OPERATION: &str = "ObserveService";

const ALL_IDENTITY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Observe","Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const ALL_KEY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Observe","Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}]}"#;

/// Whose documents count as if they allowed everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opened {
    /// Ids of what is in observe, for the decision.
    ids: Vec<String>,
    all: bool,
    key: bool,
    identity: bool,
    policies: BTreeSet<String>,
}

impl Opened {
    pub(crate) fn is_all(&self) -> bool {
        self.all
    }

    /// Every document of the caller's own layers that counts so.
    pub(crate) fn identity(&self, documents: &mut Vec<IdentityDocument>) {
        if self.all || self.identity {
            *documents = vec![everything("observe")];
        } else {
            documents.iter_mut().for_each(|one| self.narrowing(one));
        }
    }

    /// A document that only narrows: a boundary.
    pub(crate) fn narrowing(&self, document: &mut IdentityDocument) {
        if self.all || self.identity || self.policies.contains(&document.source) {
            *document = everything(&document.source);
        }
    }
}

/// A document that allows everything.
pub(crate) fn everything(source: &str) -> IdentityDocument {
    IdentityDocument { source: source.to_owned(), document: Document::new(ALL_IDENTITY) }
}

impl Asking<'_> {
    /// What lets a refused request through all the same; nothing, in most cases.
    pub(crate) fn observed(
        &self,
        action: &str,
        found: &Found,
        facts: &Facts<'_>,
        decision: &Decision,
        rested_on: &mut Vec<Name>,
    ) -> Result<Vec<String>, KmsError> {
        let by_policy = match decision.reason {
            Reason::Denied(layer) | Reason::NotAllowed(layer) => {
                !matches!(layer, Layer::Guardrail | Layer::Freeze)
            }
            _ => false,
        };
        let own = found.owner(self.caller).is_none_or(|owner| *owner == self.caller.account);
        if !self.observable || !by_policy || !own {
            return Ok(Vec::new());
        }
        let opened = self.opened(found, rested_on)?;
        if opened.ids.is_empty() {
            return Ok(Vec::new());
        }
        let allows = self.decided_with(&opened, action, found, facts)?;
        Ok(if allows { opened.ids } else { Vec::new() })
    }

    /// What of this request is in observe.
    fn opened(&self, found: &Found, rested_on: &mut Vec<Name>) -> Result<Opened, KmsError> {
        if self.engine.settings().observe {
            let ids = vec![SERVICE.to_owned()];
            return Ok(Opened { ids, all: true, key: true, ..Opened::default() });
        }
        let account = &self.caller.account;
        rested_on.push(Name::Observe(account.clone()));
        let record = self.engine.world.store.observe(account).map_err(KmsError::internal)?;
        let mut opened = Opened::default();
        for entry in record.iter().flat_map(|record| record.in_force(self.engine.now())) {
            let concerns = match &entry.target {
                ObserveTarget::Key(name) => {
                    let is_it = matches!(found, Found::Key(key) if key.record.name == *name);
                    opened.key |= is_it;
                    is_it
                }
                target @ (ObserveTarget::User(..) | ObserveTarget::Role(..)) => {
                    let is_it = entity(self.caller).as_ref() == Some(target);
                    opened.identity |= is_it;
                    is_it
                }
                ObserveTarget::Policy(arn) => {
                    let is_it = self.layers.has_policy(arn);
                    opened.policies.extend(is_it.then(|| arn.clone()));
                    is_it
                }
            };
            opened.ids.extend(concerns.then(|| entry.id.clone()));
        }
        Ok(opened)
    }

    fn decided_with(
        &self,
        opened: &Opened,
        action: &str,
        found: &Found,
        facts: &Facts<'_>,
    ) -> Result<bool, KmsError> {
        let layers = self.layers.opened(opened);
        let caller = opened.all.then(|| {
            let mut caller = self.caller.clone();
            caller.session_policies.iter_mut().for_each(|one| *one = everything(&one.source));
            caller
        });
        let key = match found {
            Found::Key(key) if opened.key => Some(Found::Key(with_open_policy(key))),
            _ => None,
        };
        let asking =
            Asking { layers: &layers, caller: caller.as_ref().unwrap_or(self.caller), ..*self };
        let policies = &self.engine.world.policies;
        let found = key.as_ref().unwrap_or(found);
        // What it rests on stands there already, from the first time.
        let asked = asking.ask(action, found, facts, &mut Vec::new(), |question| {
            policies.decide_tersely(question).allowed()
        });
        Ok(asked?.unwrap_or(false))
    }
}

fn with_open_policy(key: &FoundKey) -> FoundKey {
    let record = KeyRecord { policy: Document::new(ALL_KEY), ..KeyRecord::clone(&key.record) };
    FoundKey { record: Arc::new(record), ..key.clone() }
}

/// The user or role behind a caller.
fn entity(caller: &Caller) -> Option<ObserveTarget> {
    let account = || caller.account.clone();
    match &caller.kind {
        CallerKind::User { name } => Some(ObserveTarget::User(account(), name.clone())),
        CallerKind::RoleSession { role_name, .. } => {
            Some(ObserveTarget::Role(account(), role_name.clone()))
        }
        CallerKind::Federated { user_arn: Some(arn), .. } => of_arn(arn),
        CallerKind::Root
        | CallerKind::Federated { user_arn: None, .. }
        | CallerKind::Service { .. } => None,
    }
}

/// The user or role of an ARN.
pub(crate) fn of_arn(arn: &str) -> Option<ObserveTarget> {
    match principal_name(arn)? {
        Name::User(account, name) => Some(ObserveTarget::User(account, name)),
        Name::Role(account, name) => Some(ObserveTarget::Role(account, name)),
        _ => None,
    }
}

/// What a request to observe, or to end that, names: a key's id, ARN or alias, or the ARN of a user, role or customer
/// managed policy.
#[derive(Clone, Copy, Debug)]
pub struct Observable<'i> {
    pub(crate) target: &'i str,
    /// Whether it must exist; of what is no more observe mode can still be ended.
    pub(crate) must_exist: bool,
}

impl Observable<'_> {
    /// As a resource of the caller's account, of which identity policies speak by its ARN.
    pub(crate) fn resolve(
        &self,
        engine: &Engine,
        caller: &Caller,
        rested_on: &mut Vec<Name>,
    ) -> Result<Found, KmsError> {
        self.check_kind()?;
        match self.policy() {
            None => self.named().resolve(engine, caller, rested_on),
            Some((account, _)) if account != caller.account => Ok(Found::AbsentElsewhere {
                arn: self.target.to_owned(),
                account,
                by_ciphertext: false,
            }),
            Some(_) => {
                self.find(engine, caller, rested_on)?;
                Ok(Found::other(self.target.to_owned()))
            }
        }
    }

    /// The target and its ARN.
    pub(crate) fn find(
        &self,
        engine: &Engine,
        caller: &Caller,
        rested_on: &mut Vec<Name>,
    ) -> Result<(ObserveTarget, String), KmsError> {
        if let Some((account, name)) = self.policy() {
            rested_on.push(Name::ManagedPolicy(account.clone(), name.clone()));
            let policy =
                engine.world.store.managed_policy(&account, &name).map_err(KmsError::internal)?;
            let found = policy.is_some_and(|policy| policy.arn() == self.target);
            if !found && self.must_exist {
                let words = format!("There is no policy {}", self.target);
                return Err(KmsError::new(ErrorCode::NotFound, words));
            }
            return Ok((ObserveTarget::Policy(self.target.to_owned()), self.target.to_owned()));
        }
        let found = self.named().find(engine, caller, rested_on)?;
        let target = match found.target {
            FreezeTarget::Key(name) => ObserveTarget::Key(name),
            FreezeTarget::User(account, name) => ObserveTarget::User(account, name),
            FreezeTarget::Role(account, name) => ObserveTarget::Role(account, name),
            FreezeTarget::Grant(..) => {
                return Err(KmsError::internal("no grant was named"));
            }
        };
        Ok((target, found.arn))
    }

    fn check_kind(&self) -> Result<(), KmsError> {
        let of_iam =
            Arn::parse(self.target).is_some_and(|arn| matches!(arn.service, "iam" | "sts"));
        if of_iam && self.policy().is_none() && of_arn(self.target).is_none() {
            return Err(KmsError::validation(
                "Only keys, users, roles and customer managed policies can be in observe: for a session name its role.",
            ));
        }
        Ok(())
    }

    fn policy(&self) -> Option<(AccountId, String)> {
        managed_policy_name(self.target)
    }

    fn named(&self) -> Named<'_> {
        Named { target: self.target, grant: None, must_exist: self.must_exist }
    }
}

/// Whether a commit changes what is in observe.
pub(crate) fn is_moved_by(changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::Put(record) => matches!(**record, Record::Observe(_)),
        Change::Delete(name) => matches!(name, Name::Observe(_)),
        Change::Touch(..) => false,
    })
}

impl Engine {
    /// Everything of an account that is in observe now.
    pub(crate) fn in_observe(&self, account: &AccountId) -> Result<Vec<ObserveEntry>, KmsError> {
        let record = self.world.store.observe(account).map_err(KmsError::internal)?;
        let now = self.now();
        Ok(record.iter().flat_map(|record| record.in_force(now)).cloned().collect())
    }

    /// Whether anything is in observe, of whichever account: what every answer says.
    pub fn is_observing(&self) -> bool {
        self.settings().observe || self.now().0 < self.observed_until.load(Ordering::Relaxed)
    }

    /// Looks at what is in observe, for the metrics and for [`Self::is_observing`].
    pub fn look_at_observed(&self) {
        let Ok(records) = self.world.store.observes() else { return };
        let now = self.now();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut until = Timestamp(i64::MIN);
        for entry in records.iter().flat_map(|record| record.in_force(now)) {
            *counts.entry(entry.target.kind()).or_default() += 1;
            until = until.max(entry.until);
        }
        if self.settings().observe {
            counts.insert(SERVICE, 1);
        }
        self.observed_until.store(until.0, Ordering::Relaxed);
        self.world.metrics.observed(&counts);
    }

    /// Writes into the log that the whole service starts in observe, and waits for it.
    ///
    /// # Errors
    /// The event could not be written.
    pub fn tell_observed(&self) -> Result<(), KmsError> {
        if !self.settings().observe {
            return Ok(());
        }
        self.tell(OwnDeed {
            operation: OPERATION,
            account: None,
            read_only: false,
            details: &json!({}),
        })
    }
}
