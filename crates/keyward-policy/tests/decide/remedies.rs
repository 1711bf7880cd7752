//! Remedies: every one is made by a hand of the test's own and decided again by the engine and by the slow
//! evaluator, which share nothing with the search that found it.

use crate::{
    random::{Case, Luck, SEED},
    world::{KEY, OWNER, account, key_name},
};
use keyward_policy::PolicyEngine;
use keyward_types::{
    ChangeKind, CheckEffect, Decision, Effect, GrantConstraints, GrantId, GrantOperation,
    GrantRecord, Grantee, Layer, LayerEffect, PolicyChange, Reason, Remedy, Timestamp,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const REQUESTS: usize = 600;

fn list_of(document: &mut Value) -> &mut Vec<Value> {
    let statement = &mut document["Statement"];
    if !statement.is_array() {
        *statement = json!([statement.take()]);
    }
    statement.as_array_mut().expect("a list")
}

/// The place in a name such as `d2`.
fn place(source: &str, prefix: &str) -> usize {
    source.strip_prefix(prefix).expect("a name of the case").parse().expect("a place")
}

/// The document that a change names; a new one where it names none.
fn document<'c>(case: &'c mut Case, change: &PolicyChange) -> &'c mut Value {
    let new = || json!({"Version": "2012-10-17", "Statement": []});
    let source = change.source.as_deref();
    let among = |list: &'c mut Vec<Value>, prefix: &str| -> &'c mut Value {
        let at = source.map_or(list.len(), |source| place(source, prefix));
        if at == list.len() {
            list.push(new());
        }
        &mut list[at]
    };
    match change.layer.expect("a layer") {
        Layer::KeyPolicy => &mut case.key_policy,
        Layer::IdentityPolicy => among(&mut case.identity, "d"),
        Layer::SessionPolicy => among(&mut case.session, "session"),
        Layer::PermissionsBoundary => case.boundary.as_mut().expect("a boundary"),
        Layer::VpcEndpointPolicy => case.endpoint.as_mut().expect("an endpoint"),
        Layer::ServiceControlPolicy => {
            let level = change.level.expect("a level");
            among(&mut case.scps[level], &format!("s{level}."))
        }
        other => panic!("{other:?} has no documents here"),
    }
}

fn grant(body: &Value) -> GrantRecord {
    let texts = body["Operations"].as_array().expect("operations").iter();
    assert_eq!(body["KeyId"], KEY);
    GrantRecord {
        grant_id: GrantId::new("made"),
        key: key_name(KEY),
        name: None,
        created: Timestamp(0),
        grantee: Grantee::Principal(
            body["GranteePrincipal"].as_str().expect("a grantee").to_owned(),
        ),
        grantee_id: None,
        retiring: None,
        issuing_account: account(OWNER),
        operations: texts
            .map(|one| GrantOperation::parse(one.as_str().unwrap_or("")).expect("known"))
            .collect(),
        constraints: body
            .get("Constraints")
            .map_or_else(GrantConstraints::default, |constraints| {
                serde_json::from_value(constraints.clone()).expect("constraints")
            }),
    }
}

/// The case with changes made, as a person would make them.
fn made(case: &Case, changes: &[PolicyChange]) -> Case {
    let mut case = case.clone();
    for change in changes {
        let body = change.body.clone();
        match change.kind {
            ChangeKind::ChangeRequest => {
                case.context = serde_json::from_value(body.expect("a context")).expect("pairs");
            }
            ChangeKind::CreateGrant => case.grants.push(grant(&body.expect("parameters"))),
            ChangeKind::AddStatement => {
                list_of(document(&mut case, change)).push(body.expect("a statement"))
            }
            ChangeKind::ReplaceStatement => {
                list_of(document(&mut case, change))[change.index.expect("a place")] =
                    body.expect("a statement");
            }
            ChangeKind::RemoveStatement => {
                // Places are those of before; what is removed goes at the end.
                list_of(document(&mut case, change))[change.index.expect("a place")] = Value::Null;
            }
            ChangeKind::AskOwner => panic!("the engine sees both sides"),
        }
    }
    // A document that is left without statements stays, and says nothing.
    let swept = |document: &mut Value| {
        let list = list_of(document);
        list.retain(|statement| !statement.is_null());
        if list.is_empty() {
            list.push(json!({"Effect": "Allow", "Action": "none:None", "Resource": "*"}));
        }
    };
    let mut documents = vec![&mut case.key_policy];
    documents.extend(case.boundary.as_mut());
    documents.extend(case.endpoint.as_mut());
    documents.extend(case.identity.iter_mut().chain(&mut case.session));
    documents.extend(case.scps.iter_mut().flatten());
    documents.into_iter().for_each(swept);
    case
}

#[test]
fn every_remedy_makes_the_refused_request_allowed_and_nothing_less_does() {
    println!("seed {SEED:#x}");
    let (mut luck, engine) = (Luck(SEED ^ 2), PolicyEngine::new());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..REQUESTS {
        let case = Case::random(&mut luck);
        let decide = |case: &Case| case.with_question(|question| engine.decide(question));
        let decision = decide(&case);
        check_effects(&decision);
        if decision.allowed() {
            assert_eq!(decision.remedies, [], "request {number}");
            continue;
        }
        assert_eq!(
            decision.remedies.is_empty(),
            case.stays_inside_accounts(),
            "seed {SEED:#x}, request {number}: {} {decision:#?}",
            case.caller.arn
        );
        assert!(decision.remedies.is_sorted_by_key(Remedy::size), "request {number}");
        for remedy in &decision.remedies {
            let after = made(&case, &remedy.changes);
            let told = format!("seed {SEED:#x}, request {number}: {remedy:#?}\n{decision:#?}");
            assert!(remedy.verified);
            assert_eq!(decide(&after).effect, Effect::Allow, "{told}");
            assert_eq!(after.expected(), Effect::Allow, "{told}");
            for left_out in 0..remedy.changes.len() {
                let mut fewer = remedy.changes.clone();
                fewer.remove(left_out);
                let effect = made(&case, &fewer).expected();
                assert_ne!(effect, Effect::Allow, "change {left_out} is not needed: {told}");
            }
            for change in &remedy.changes {
                *seen.entry(format!("{:?} {:?}", change.kind, change.layer)).or_default() += 1;
            }
        }
    }
    println!("{seen:#?}");
    for kind in
        ["ChangeRequest", "AddStatement", "CreateGrant", "ReplaceStatement", "RemoveStatement"]
    {
        assert!(seen.keys().any(|name| name.starts_with(kind)), "no {kind} was ever proposed");
    }
}

/// Silence is told as such only where an allow was needed.
fn check_effects(decision: &Decision) {
    let effects: BTreeSet<&str> =
        decision.checks().iter().map(|c| c.evaluated_effect.as_str()).collect();
    let denied = effects.contains(CheckEffect::ExplicitDeny.as_str());
    assert_eq!(denied, decision.effect == Effect::ExplicitDeny, "{decision:#?}");
    if decision.allowed() {
        assert!(!effects.contains(CheckEffect::ImplicitDeny.as_str()), "{decision:#?}");
    }
    if let Reason::NotAllowed(layer) = decision.reason {
        let outcome = decision.layers.iter().find(|outcome| outcome.layer == layer);
        assert_eq!(outcome.map(|o| o.effect), Some(LayerEffect::ImplicitDeny), "{decision:#?}");
    }
}
