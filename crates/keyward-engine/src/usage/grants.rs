//! Grants in the place of identity policies: what users and roles use of keys through IAM, as grants on those keys.
//!
//! Grants that are there already keep the operations that were used. What no grant can carry stays in the identity
//! policy, narrowed. A grant knows no condition but the encryption context, so that what a policy asked for besides is
//! not kept; where the log shows that this would allow what was refused, each encryption context gets a grant of its
//! own, and where that is not enough there is no grant.

use super::{
    infer::{Inferred, infer},
    iso,
    past::{Posed, Tally},
    propose::{Evidence, Judged, Maker, Proposal, ProposalKind},
    supposed::own_key,
    unused::grants_of,
};
use crate::operation::Spec;
use keyward_types::{
    EncryptionContext, GrantConstraints, GrantId, GrantOperation, GrantRecord, Grantee, KeyName,
    KmsError, Layer, Reason, Timestamp,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A grant and what speaks for it.
#[derive(Clone)]
struct Made {
    record: Arc<GrantRecord>,
    tally: Tally,
    /// The id of the grant that it narrows.
    of: Option<String>,
    remarks: BTreeSet<String>,
}

/// `pairs` are keys and the users and roles that used them.
pub(super) fn propose(
    maker: &mut Maker<'_, '_>,
    spec: &Spec,
    pairs: &BTreeSet<(&str, &str)>,
) -> Result<(), KmsError> {
    let mut keys: BTreeMap<&str, (KeyName, Vec<Made>)> = BTreeMap::new();
    for (key, _) in pairs {
        if keys.contains_key(key) {
            continue;
        }
        let found = own_key(maker.engine, maker.asker, spec, key)?;
        let kept = kept(maker, &found.record)?;
        keys.insert(key, (found.record.name.clone(), kept));
    }
    for (name, made) in keys.values() {
        maker.all.suppose_grants(name, records(made));
    }
    let entities: BTreeSet<&str> = pairs.iter().map(|(_, entity)| *entity).collect();
    for entity in entities {
        let before = (maker.all.clone(), keys.clone());
        let mut is_found = false;
        for tight in [false, true] {
            for (key, (name, made)) in &mut keys {
                made.extend(new(maker, entity, key, name, tight));
                maker.all.suppose_grants(name, records(made));
            }
            is_found = maker.identity_beside(entity, &|one| is_carried(one, entity))?;
            if is_found {
                break;
            }
            (maker.all, keys) = before.clone();
        }
        if !is_found {
            maker.identity(entity)?;
        }
    }
    for (key, (_, made)) in &keys {
        tell(maker, key, made);
    }
    Ok(())
}

/// The grants on a key that were used, with the operations that were.
fn kept(maker: &Maker<'_, '_>, key: &keyward_types::KeyRecord) -> Result<Vec<Made>, KmsError> {
    let mut kept = Vec::new();
    for grant in grants_of(maker.engine, key)? {
        let id = grant.grant_id.as_str();
        let mut tally = Tally::default();
        let mut operations = BTreeSet::new();
        for one in maker.judged.iter().filter(|one| one.is_used()) {
            let by = |outcome: &keyward_types::LayerOutcome| {
                outcome.layer == Layer::Grant
                    && outcome.matched.iter().any(|matched| matched.sid.as_deref() == Some(id))
            };
            if one.now.layers.iter().any(by) {
                tally.join(&one.posed.allowed());
                operations.extend(operation(one.posed));
            }
        }
        if !operations.is_empty() {
            let record = GrantRecord { operations, ..GrantRecord::clone(&grant) };
            let of = Some(id.to_owned());
            let remarks = BTreeSet::new();
            kept.push(Made { record: Arc::new(record), tally, of, remarks });
        }
    }
    Ok(kept)
}

fn operation(posed: &Posed) -> Option<GrantOperation> {
    let name = posed.matter.action.name.strip_prefix("kms:")?;
    GrantOperation::parse(name)
        // To hand a key on, and to give a grant back, are more than the use of a key.
        .filter(|one| !matches!(one, GrantOperation::CreateGrant | GrantOperation::RetireGrant))
}

/// Whether a request was allowed through IAM and a grant could carry it.
fn is_carried(one: &Judged<'_>, entity: &str) -> bool {
    one.posed.matter.entity() == entity
        && one.posed.matter.key().is_some()
        && one.now.reason == Reason::DelegatedToIam
        && operation(one.posed).is_some()
}

/// Grants for what one user or role uses of one key through IAM.
fn new(maker: &Maker<'_, '_>, entity: &str, key: &str, name: &KeyName, tight: bool) -> Vec<Made> {
    let mut by_operation: BTreeMap<GrantOperation, Vec<&Posed>> = BTreeMap::new();
    let carried = maker.judged.iter().filter(|one| one.is_used() && is_carried(one, entity));
    for one in carried.filter(|one| one.posed.matter.resource == key) {
        if let Some(operation) = operation(one.posed) {
            by_operation.entry(operation).or_default().push(one.posed);
        }
    }
    let mut made: Vec<Made> = Vec::new();
    for (operation, posed) in by_operation {
        for (constraints, posed, remarks) in constrained(&posed, maker.min_events, tight) {
            let mut tally = Tally::default();
            posed.iter().for_each(|one| tally.join(&one.allowed()));
            if let Some(known) =
                made.iter_mut().find(|known| known.record.constraints == constraints)
            {
                Arc::make_mut(&mut known.record).operations.insert(operation);
                known.tally.join(&tally);
                known.remarks.extend(remarks);
                continue;
            }
            let number = made.len() + 1;
            let record = Arc::new(GrantRecord {
                grant_id: GrantId::new(&format!("proposed grant {number} to {entity}")),
                key: name.clone(),
                name: None,
                created: Timestamp::default(),
                grantee: Grantee::Principal(entity.to_owned()),
                grantee_id: None,
                retiring: None,
                issuing_account: maker.asker.account.clone(),
                operations: [operation].into(),
                constraints,
            });
            made.push(Made { record, tally, of: None, remarks });
        }
    }
    made
}

type Constrained<'p> = (GrantConstraints, Vec<&'p Posed>, BTreeSet<String>);

/// What requests of one operation agree in as a grant's constraints; `tight` tells each encryption context apart.
fn constrained<'p>(all: &[&'p Posed], min_events: u64, tight: bool) -> Vec<Constrained<'p>> {
    if tight {
        let mut by: BTreeMap<Option<&BTreeMap<String, String>>, Vec<&Posed>> = BTreeMap::new();
        for posed in all {
            let context = posed.context.as_ref().map(|EncryptionContext(pairs)| pairs);
            by.entry(context.filter(|pairs| !pairs.is_empty())).or_default().push(posed);
        }
        let one = |(pairs, posed): (Option<&BTreeMap<String, String>>, Vec<&'p Posed>)| {
            let encryption_context_equals = pairs.cloned();
            let constraints =
                GrantConstraints { encryption_context_equals, ..GrantConstraints::default() };
            (constraints, posed, BTreeSet::new())
        };
        return by.into_iter().map(one).collect();
    }
    let Inferred { condition, remarks } = infer(all, min_events, true);
    let pairs: BTreeMap<String, String> = condition
        .get("StringEquals")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| {
            let name = key.strip_prefix("kms:EncryptionContext:")?;
            // As the request had it, not as a policy writes it.
            Some((name.to_owned(), value.as_str()?.replace("${$}{", "${")))
        })
        .collect();
    let whole = all
        .iter()
        .all(|posed| posed.context.as_ref().is_some_and(|EncryptionContext(own)| *own == pairs));
    let constraints = match (pairs.is_empty(), whole) {
        (true, _) => GrantConstraints::default(),
        (false, true) => GrantConstraints {
            encryption_context_equals: Some(pairs),
            ..GrantConstraints::default()
        },
        (false, false) => GrantConstraints {
            encryption_context_subset: Some(pairs),
            ..GrantConstraints::default()
        },
    };
    vec![(constraints, all.to_vec(), remarks)]
}

fn records(made: &[Made]) -> Vec<Arc<GrantRecord>> {
    made.iter().map(|one| Arc::clone(&one.record)).collect()
}

fn tell(maker: &mut Maker<'_, '_>, key: &str, made: &[Made]) {
    let grant = |one: &Made| {
        let GrantRecord { grantee, operations, constraints, .. } = &*one.record;
        let mut grant = json!({"KeyId": key, "Operations": operations});
        let (name, grantee) = match grantee {
            Grantee::Principal(arn) => ("GranteePrincipal", arn),
            Grantee::Service(service) => ("GranteeServicePrincipal", service),
        };
        if let Some(members) = grant.as_object_mut() {
            members.insert(name.to_owned(), json!(grantee));
            if !constraints.is_empty() {
                members.insert("Constraints".to_owned(), json!(constraints));
            }
        }
        grant
    };
    let evidence = |(place, one): (usize, &Made)| Evidence {
        name: (place + 1).to_string(),
        from: one.of.as_ref().map(|id| format!("grant {id}")),
        count: one.tally.count,
        first: iso(one.tally.first),
        last: iso(one.tally.last),
        samples: one.tally.samples.clone(),
        remarks: one.remarks.iter().cloned().collect(),
    };
    maker.proposals.push(Proposal {
        kind: ProposalKind::Grants,
        on: key.to_owned(),
        policy: None,
        grants: Some(made.iter().map(grant).collect()),
        replaces: Vec::new(),
        evidence: made.iter().enumerate().map(evidence).collect(),
        notes: vec!["these take the place of all grants on the key; a grant that stands here with other operations is retired and made anew".to_owned()],
    });
}
