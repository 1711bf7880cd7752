//! Asks Cedar about every target, before anything else happens to it.
//!
//! INVARIANT: there is no path around this stage: the pipeline builds a `Call` only from its answer.
//! INVARIANT (P6): about a key of another account a refusal sounds the same whether or not the key exists,
//! in the answer and in the caller's own log; and neither tells what the key's policy or grants say.
//! What would help is told as far as the caller's own side goes (`OwnSide::seen_from_outside`).

use crate::{
    Engine,
    call::Call,
    directory::principal_name,
    key_policy,
    layers::Layers,
    resolve::{Found, FoundKey},
    wording,
};
use keyward_policy::{Facts, Question, Resource, Tally};
use keyward_store::Store;
use keyward_types::{
    Blast, Caller, CallerKind, ChangeKind, Clause, Decision, EncryptionContext, Extent,
    GrantConstraints, GrantId, GrantOperation, GrantRecord, KeyManager, KeyName, KeyRecord,
    KmsError, Layer, LayerEffect, LayerOutcome, Name, NearMiss, PolicyChange, Reach, Reason,
    Remedy, Timestamp,
};
use std::{collections::BTreeMap, sync::Arc};

/// What one target's decision needs beside the target.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) caller: &'a Caller,
    /// Whether AWS offers the operation to principals of other accounts.
    pub(crate) cross_account: bool,
    pub(crate) layers: &'a Layers,
    /// The grant that a CreateGrant request asks for.
    pub(crate) child: Option<&'a GrantRecord>,
    /// Grants that the request's tokens name.
    pub(crate) vouched: &'a [(KeyName, GrantId)],
    /// Grants to suppose in the place of the key's own; live requests suppose none.
    pub(crate) supposed: Option<&'a [Arc<GrantRecord>]>,
    /// Whether observe mode can let a refusal through; it never does where somebody only asks.
    pub(crate) observable: bool,
}

/// A decision as the caller may know it, and the refusal that it makes.
pub(crate) struct Ruling {
    pub(crate) decision: Decision,
    pub(crate) refusal: Option<KmsError>,
}

impl Asking<'_> {
    /// The decision on one target, noted in `decisions`; the records it rested on are noted in `rested_on`.
    pub(crate) fn authorize(
        &self,
        action: &str,
        found: &Found,
        facts: &Facts<'_>,
        rested_on: &mut Vec<Name>,
        decisions: &mut Vec<Decision>,
    ) -> Result<(), KmsError> {
        let Some(Ruling { mut decision, refusal }) = self.rule(action, found, facts, rested_on)?
        else {
            return Ok(());
        };
        if refusal.is_some() {
            decision.observed = self.observed(action, found, facts, &decision, rested_on)?;
        }
        let refusal = refusal.filter(|_| decision.observed.is_empty());
        decisions.push(decision);
        refusal.map_or(Ok(()), Err)
    }

    /// The decision on one target; `None` where there is nothing to decide. Requests and questions about requests
    /// come by this one way.
    pub(crate) fn rule(
        &self,
        action: &str,
        found: &Found,
        facts: &Facts<'_>,
        rested_on: &mut Vec<Name>,
    ) -> Result<Option<Ruling>, KmsError> {
        let policies = &self.engine.world.policies;
        let own = found.owner(self.caller).is_none_or(|owner| *owner == self.caller.account);
        let asked = self.ask(action, found, facts, rested_on, |question| {
            // Another account is told nothing of why, and need not wait for it either.
            if own { policies.decide(question) } else { policies.decide_tersely(question) }
        });
        let mut decision = match (asked?, found) {
            (Some(decision), _) => decision,
            (None, Found::AbsentElsewhere { arn, by_ciphertext, .. }) => {
                let decision = self.seen_from_outside(arn, action, facts);
                let refusal = wording::denied_elsewhere(action, self.caller, *by_ciphertext);
                return Ok(Some(Ruling { decision, refusal: Some(refusal) }));
            }
            (None, _) => return Ok(None),
        };
        Ok(Some(match found {
            _ if decision.allowed() => Ruling { decision, refusal: None },
            Found::Key(key) if key.record.name.account != self.caller.account => {
                let refusal = wording::denied_elsewhere(action, self.caller, key.by_ciphertext);
                let decision = self.seen_from_outside(&key.arn_for(self.caller), action, facts);
                Ruling { decision, refusal: Some(refusal) }
            }
            _ => {
                if let Found::Key(key) = found {
                    self.explain_uncounted(key, action, &mut decision)?;
                }
                let refusal = wording::denied(&decision, self.caller);
                Ruling { decision, refusal: Some(refusal) }
            }
        }))
    }

    /// Puts the question that a target makes to `ask`; `None` where there is nothing to ask about.
    pub(crate) fn ask<T>(
        &self,
        action: &str,
        found: &Found,
        facts: &Facts<'_>,
        rested_on: &mut Vec<Name>,
        ask: impl FnOnce(&Question<'_>) -> T,
    ) -> Result<Option<T>, KmsError> {
        let resource = match found {
            Found::Unchecked | Found::AbsentElsewhere { .. } => return Ok(None),
            Found::Key(key) => {
                let answer = self.about_key(key, action, facts, rested_on, ask)?;
                rested_on.extend(self.layers.rested_on.iter().cloned());
                return Ok(Some(answer));
            }
            Found::Alias { arn } => Resource::Alias { arn },
            Found::Other { arn, .. } => Resource::Other { arn },
            Found::Account => Resource::Any,
        };
        // RCPs are over keys and roles, and this is neither.
        let answer = ask(&self.layers.question(self.caller, action, resource, &[], facts));
        rested_on.extend(self.layers.rested_on.iter().cloned());
        Ok(Some(answer))
    }

    fn own_side(&self) -> OwnSide<'_> {
        OwnSide { engine: self.engine, caller: self.caller, layers: self.layers }
    }

    fn seen_from_outside(&self, arn: &str, action: &str, facts: &Facts<'_>) -> Decision {
        self.own_side().seen_from_outside(arn, action, facts, self.cross_account)
    }

    fn about_key<T>(
        &self,
        key: &FoundKey,
        action: &str,
        facts: &Facts<'_>,
        rested_on: &mut Vec<Name>,
        ask: impl FnOnce(&Question<'_>) -> T,
    ) -> Result<T, KmsError> {
        let record = &key.record;
        let store = &self.engine.world.store;
        // `kms:ResourceAliases` is a condition key.
        rested_on.push(Name::Aliases(record.name.clone()));
        let aliases = aliases_of(store, &record.name)?;
        let grants = self.grants(key, action, rested_on)?;
        let mut counting: Vec<&GrantRecord> = Vec::with_capacity(grants.len());
        for grant in &grants {
            if self.is_settled(grant) && self.engine.frozen_grant(grant, rested_on)?.is_none() {
                counting.push(grant);
            }
        }
        let mut frozen = self.layers.frozen().to_vec();
        frozen.extend(self.engine.frozen_key(record, action, rested_on)?);
        let arn = record.name.to_string();
        // RCPs are over keys that customers manage.
        let rcps = match record.manager {
            KeyManager::Aws => Vec::new(),
            KeyManager::Customer => self.layers.rcps(&record.name.account),
        };
        Ok(ask(&Question {
            cross_account_allowed: self.cross_account,
            key_policy: Some(&record.policy),
            key_policy_ignores_arns: was_made_again(
                self.engine,
                self.caller,
                &record.policy_principals,
            )?,
            grants: &counting,
            frozen: &frozen,
            child_grant: self.child,
            ..self.layers.question(
                self.caller,
                action,
                key_resource(record, &arn, &aliases),
                &rcps,
                facts,
            )
        }))
    }

    /// Grants that may speak for the caller. They are looked up by key and grantee, so their number on
    /// the key does not matter.
    fn grants(
        &self,
        key: &FoundKey,
        action: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<Vec<Arc<GrantRecord>>, KmsError> {
        let named =
            action.split_once(':').and_then(|(_, operation)| GrantOperation::parse(operation));
        if named.is_none() {
            return Ok(Vec::new());
        }
        let root = self.caller.account.root_arn();
        let mut grantees = self.caller.arns();
        grantees.push(&root);
        if let CallerKind::Service { name } = &self.caller.kind {
            grantees.push(name);
        }
        let mut grants = match self.supposed {
            // The policy engine leaves out those that name somebody else.
            Some(supposed) => return Ok(supposed.to_vec()),
            None => self.engine.world.store.grant_candidates(&key.record.name, &grantees),
        }
        .map_err(KmsError::internal)?;
        grants.retain(|grant| {
            grant.grantee_id.as_deref().is_none_or(|id| id == self.caller.unique_id())
        });
        // A grant only allows: one that is added meanwhile takes nothing from the answer, one that goes may.
        rested_on.extend(
            grants.iter().map(|grant| Name::Grant(grant.key.clone(), grant.grant_id.clone())),
        );
        Ok(grants)
    }

    /// Whether a grant counts for this request: it is old enough, or the request carries its token.
    fn is_settled(&self, grant: &GrantRecord) -> bool {
        let age = self.engine.now().0.saturating_sub(grant.created.0);
        self.engine.settings().grant_delay_millis <= age
            || self.vouched.iter().any(|(key, id)| *key == grant.key && *id == grant.grant_id)
    }

    /// Says of grants that did not count, young or frozen, that this is why.
    fn explain_uncounted(
        &self,
        key: &FoundKey,
        action: &str,
        decision: &mut Decision,
    ) -> Result<(), KmsError> {
        let grants = self.grants(key, action, &mut Vec::new())?;
        let young = grants.iter().filter(|grant| !self.is_settled(grant));
        let seconds = self.engine.settings().grant_delay_millis / 1_000;
        let mut near: Vec<NearMiss> = young
            .map(|grant| {
                not_counted(
                    grant,
                    Clause {
                        clause: "GrantTokens".to_owned(),
                        expected: format!(
                            "the grant's token, or a grant of {seconds} seconds or more"
                        ),
                        actual: "a new grant, and no token".to_owned(),
                    },
                )
            })
            .collect();
        for grant in &grants {
            if let Some(freeze) = self.engine.frozen_grant(grant, &mut Vec::new())? {
                near.push(not_counted(
                    grant,
                    Clause {
                        clause: "Freeze".to_owned(),
                        expected: "a grant that is not frozen".to_owned(),
                        actual: format!("freeze {}: {}", freeze.id, freeze.reason),
                    },
                ));
            }
        }
        match decision.layers.iter_mut().find(|outcome| outcome.layer == Layer::Grant) {
            Some(outcome) => outcome.near.extend(near),
            None if near.is_empty() => {}
            None => {
                let effect = LayerEffect::ImplicitDeny;
                let matched = Vec::new();
                decision.layers.push(LayerOutcome { layer: Layer::Grant, effect, matched, near });
                decision.layers.sort_by_key(|outcome| outcome.layer);
            }
        }
        Ok(())
    }
}

/// A grant that was left out, and why.
fn not_counted(grant: &GrantRecord, why: Clause) -> NearMiss {
    NearMiss {
        source: "grant".to_owned(),
        sid: Some(grant.grant_id.as_str().to_owned()),
        index: 0,
        allow: true,
        failed: vec![why],
    }
}

/// A caller and its own policies.
pub(crate) struct OwnSide<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) caller: &'a Caller,
    pub(crate) layers: &'a Layers,
}

impl OwnSide<'_> {
    /// The decision about what has no policy of its own.
    fn about(&self, resource: Resource<'_>, action: &str, facts: &Facts<'_>) -> Decision {
        self.engine.world.policies.decide(&self.question(resource, action, facts))
    }

    fn question<'q>(
        &'q self,
        resource: Resource<'q>,
        action: &'q str,
        facts: &'q Facts<'q>,
    ) -> Question<'q> {
        // No RCPs: they are over keys and roles, and are the side of the owner.
        self.layers.question(self.caller, action, resource, &[], facts)
    }

    /// A refusal about another account's key or role as the caller's account may know it: what its own
    /// policies say and what could be changed in them, and of the owner's side only that it did not speak
    /// for the caller. `facts` hold nothing that the owner keeps.
    pub(crate) fn seen_from_outside(
        &self,
        arn: &str,
        action: &str,
        facts: &Facts<'_>,
        cross_account: bool,
    ) -> Decision {
        let own = self.engine.world.policies.decide(&Question {
            owner_allows: true,
            ..self.question(Resource::Other { arn }, action, facts)
        });
        let denied = match own.reason {
            Reason::Denied(layer) => Some(layer),
            Reason::EvaluationFailed => return own,
            _ => None,
        };
        let remedies = if cross_account { self.half_remedies(&own) } else { Vec::new() };
        let (effect, reason, rule) = Tally {
            denied,
            rcp_ok: true,
            scp_ok: own.reason != Reason::NotAllowed(Layer::ServiceControlPolicy),
            endpoint_ok: own.reason != Reason::NotAllowed(Layer::VpcEndpointPolicy),
            service: false,
            key_operation: true,
            same_account: false,
            cross_account_allowed: cross_account,
            names_caller: false,
            names_entity: false,
            names_account: false,
            identity_allows: false,
            root: false,
            boundary_ok: true,
            session_ok: true,
            own_grant: false,
        }
        .verdict();
        let key_side = LayerOutcome {
            layer: Layer::KeyPolicy,
            effect: LayerEffect::ImplicitDeny,
            matched: Vec::new(),
            near: Vec::new(),
        };
        let mut layers = own.layers;
        layers.push(key_side);
        layers.sort_by_key(|outcome| outcome.layer);
        Decision { effect, reason, rule, layers, remedies, ..own }
    }

    /// The remedies of the caller's own side, and with each that the owner must allow too.
    fn half_remedies(&self, own: &Decision) -> Vec<Remedy> {
        let ask_owner = || PolicyChange {
            kind: ChangeKind::AskOwner,
            layer: Some(Layer::KeyPolicy),
            source: None,
            level: None,
            sid: None,
            index: None,
            body: None,
            text: format!(
                "If {} exists, its owner must allow {} for {} too: in the policy of the resource or, for a key, by a grant.",
                own.resource, own.action, self.caller.principal_arn
            ),
            blast: Blast {
                principals: Reach::Nobody,
                actions: Vec::new(),
                resources: Extent::Nothing,
                conditions: Vec::new(),
                words: "what the owner decides to open".to_owned(),
            },
        };
        if own.allowed() {
            return vec![Remedy { changes: vec![ask_owner()], verified: false }];
        }
        let halves = own.remedies.iter().map(|remedy| {
            let changes = remedy.changes.iter().cloned().chain([ask_owner()]).collect();
            Remedy { changes, verified: false }
        });
        halves.collect()
    }
}

/// Whether a resource's policy names a principal of the caller's ARN that was deleted since: the caller is
/// another one of the same name. `named`: unique ids, at the time of saving, by ARN.
pub(crate) fn was_made_again(
    engine: &Engine,
    caller: &Caller,
    named: &BTreeMap<String, String>,
) -> Result<bool, KmsError> {
    if named.get(&caller.principal_arn).is_some_and(|id| id != caller.unique_id()) {
        return Ok(true);
    }
    // A federated session is also named by its user, whose id it does not carry; it lives only as long as that
    // very user does.
    let CallerKind::Federated { user_arn: Some(arn), .. } = &caller.kind else { return Ok(false) };
    let (Some(id), Some(Name::User(account, name))) = (named.get(arn), principal_name(arn)) else {
        return Ok(false);
    };
    let user = engine.world.store.user(&account, &name).map_err(KmsError::internal)?;
    Ok(user.is_none_or(|user| user.user_id != *id))
}

/// Whether the caller could still replace the policy of a key that is as `candidate` says. Grants do not count.
pub(crate) fn keeps_caller_able(
    call: &mut Call<'_>,
    candidate: &KeyRecord,
) -> Result<bool, KmsError> {
    let (caller, arn) = (call.caller(), candidate.name.to_string());
    let layers = layers_of(call)?;
    let aliases = aliases_of(call.store(), &candidate.name)?;
    let rcps = layers.rcps(&candidate.name.account);
    let mut facts = request_facts(call.now());
    layers.facts(caller, &mut facts);
    layers.owner_facts(&candidate.name.account, &mut facts);
    facts.add("kms:PolicyName", key_policy::DEFAULT_NAME);
    let question = Question {
        key_policy: Some(&candidate.policy),
        key_policy_ignores_arns: was_made_again(
            call.engine(),
            caller,
            &candidate.policy_principals,
        )?,
        ..layers.question(
            caller,
            "kms:PutKeyPolicy",
            key_resource(candidate, &arn, &aliases),
            &rcps,
            &facts,
        )
    };
    Ok(call.policies().keeps_caller_able(&question))
}

/// Whether the caller may retire a grant. The decision stands in the event; a refusal is the answer.
pub(crate) fn retirement(
    call: &mut Call<'_>,
    key: &KeyRecord,
    grant: &GrantRecord,
) -> Result<(), KmsError> {
    let (caller, arn) = (call.caller(), key.name.to_string());
    let layers = layers_of(call)?;
    let aliases = aliases_of(call.store(), &key.name)?;
    let constraints = &grant.constraints;
    let pairs = constraints
        .encryption_context_equals
        .as_ref()
        .or(constraints.encryption_context_subset.as_ref());
    let context = pairs.map(|pairs| EncryptionContext(pairs.clone()));
    let mut facts = request_facts(call.now());
    layers.facts(caller, &mut facts);
    layers.owner_facts(&key.name.account, &mut facts);
    if let Some(context) = &context {
        facts.set_encryption_context(context);
    }
    constraint_facts(constraints, &mut facts);
    // RCPs have no say over RetireGrant.
    let resource = key_resource(key, &arn, &aliases);
    let question = layers.question(caller, "kms:RetireGrant", resource, &[], &facts);
    let decision = call.policies().decide_retire(&question, grant);
    if !decision.allowed() && key.name.account != caller.account {
        return Err(retirement_elsewhere(call, &key.name));
    }
    let refusal = (!decision.allowed()).then(|| wording::denied(&decision, caller));
    call.decided(decision);
    refusal.map_or(Ok(()), Err)
}

/// The refusal to retire a grant on another account's key, whether or not key and grant exist.
pub(crate) fn retirement_elsewhere(call: &mut Call<'_>, key: &KeyName) -> KmsError {
    const ACTION: &str = "kms:RetireGrant";
    let facts = request_facts(call.now());
    match note_refusal_elsewhere(call, &key.to_string(), ACTION, &facts) {
        Ok(()) => wording::denied_elsewhere(ACTION, call.caller(), false),
        Err(error) => error,
    }
}

/// Whether a layer belongs to the key's owner.
pub(crate) const fn is_owners(layer: Layer) -> bool {
    matches!(layer, Layer::KeyPolicy | Layer::Grant | Layer::ResourceControlPolicy)
}

/// Notes the decision that stands in the log of a caller whom another account's resource refuses.
pub(crate) fn note_refusal_elsewhere(
    call: &mut Call<'_>,
    arn: &str,
    action: &str,
    facts: &Facts<'_>,
) -> Result<(), KmsError> {
    let (layers, engine, caller) = (layers_of(call)?, call.engine(), call.caller());
    let mut facts = facts.clone();
    layers.facts(caller, &mut facts);
    let own = OwnSide { engine, caller, layers: &layers };
    call.decided(own.seen_from_outside(arn, action, &facts, true));
    Ok(())
}

/// `kms:GrantConstraintType`: each type that a grant has, absent where it has none.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-constraint-type>
pub(crate) fn constraint_facts(constraints: &GrantConstraints, facts: &mut Facts<'_>) {
    let GrantConstraints { encryption_context_equals, encryption_context_subset, source_arn } =
        constraints;
    let types = [
        ("EncryptionContextEquals", encryption_context_equals.is_some()),
        ("EncryptionContextSubset", encryption_context_subset.is_some()),
        ("SourceArn", source_arn.is_some()),
    ];
    let present = types.iter().filter(|(_, present)| *present).map(|(name, _)| *name);
    facts.add_many("kms:GrantConstraintType", present);
}

/// The caller's layers, and a note that the request rests on them.
pub(crate) fn layers_of(call: &mut Call<'_>) -> Result<Layers, KmsError> {
    let layers = call.engine().layers(call.caller())?;
    layers.rested_on.iter().for_each(|name| call.rest_on(name.clone()));
    Ok(layers)
}

fn aliases_of(store: &Store, key: &KeyName) -> Result<Vec<String>, KmsError> {
    let aliases = store.aliases_of_key(key).map_err(KmsError::internal)?;
    Ok(aliases.iter().map(|alias| alias.name.to_string()).collect())
}

/// The condition key that every request has beside those that `keyward-policy` derives from the caller, the
/// resource and what a trusted front stated: its time.
pub(crate) fn request_facts<'f>(now: Timestamp) -> Facts<'f> {
    let mut facts = Facts::new();
    facts.add("aws:CurrentTime", wording::iso(now)).add("aws:EpochTime", now.seconds().to_string());
    facts
}

/// The condition keys of a request about one target that no operation need state.
pub(crate) fn target_facts<'f>(
    layers: &Layers,
    caller: &Caller,
    found: &Found,
    context: Option<&'f EncryptionContext>,
    now: Timestamp,
) -> Facts<'f> {
    let mut facts = request_facts(now);
    layers.facts(caller, &mut facts);
    if let Some(owner) = found.owner(caller) {
        layers.owner_facts(owner, &mut facts);
    }
    if let Some(context) = context {
        facts.set_encryption_context(context);
    }
    if let Found::Key(FoundKey { alias, record, .. }) = found {
        if let Some(alias) = alias {
            facts.add("kms:RequestAlias", alias.as_str());
        }
        if let Some(related) = &record.multi_region {
            facts.add("kms:MultiRegionKeyType", related.type_in(&record.name.region).as_str());
        }
    }
    if let Found::Other { tags, .. } = found {
        crate::directory::tag_facts(tags, &mut facts);
    }
    facts
}

/// A key as policies see it.
pub(crate) fn key_resource<'a>(
    record: &'a KeyRecord,
    arn: &'a str,
    aliases: &'a [String],
) -> Resource<'a> {
    Resource::Key {
        arn,
        owner: &record.name.account,
        tags: &record.tags,
        aliases,
        spec: record.spec,
        usage: record.usage,
        origin: record.origin,
        multi_region: record.name.key_id.is_multi_region(),
    }
}

impl Engine {
    /// The decision about an action on no resource that is no row of the table, such as
    /// `keyward:ListEvents`: a door's own reads go through the same policies as everything else.
    pub fn decide(&self, caller: &Caller, action: &str) -> Result<Decision, KmsError> {
        let layers = self.layers(caller)?;
        let mut facts = request_facts(self.now());
        layers.facts(caller, &mut facts);
        let own = OwnSide { engine: self, caller, layers: &layers };
        Ok(own.about(Resource::Any, action, &facts))
    }
}
