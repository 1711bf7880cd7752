//! Remedies: every one is made by a hand of the test's own and decided again by the engine and by the
//! oracle, which share nothing with the search that found it.

use crate::{
    cases::{Case, Luck, SEED},
    world::{KEY, OWNER, account, caller, document as saved, key, key_name},
};
use keyward_policy::{Facts, PolicyEngine, Question, Resource, vectors::Vector};
use keyward_types::{
    ChangeKind, CheckEffect, Decision, Effect, Extent, GrantConstraints, GrantId, GrantOperation,
    GrantRecord, Grantee, Layer, LayerEffect, PolicyChange, Reach, Reason, Remedy, Timestamp,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const REQUESTS: usize = 400;

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

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const APP: &str = "arn:aws:sts::111122223333:assumed-role/app/s1";
const ENG: &str = "arn:aws:sts::444455556666:assumed-role/eng/bob";

fn policy(statement: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn everything() -> Value {
    policy(&json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))
}

fn nothing() -> Value {
    policy(&json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
}

fn no_decrypt() -> Value {
    let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let deny = json!({"Sid": "No", "Effect": "Deny", "Action": ["kms:Decrypt", "kms:Sign"], "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [allow, deny]})
}

fn names(principal: &str) -> Value {
    policy(
        &json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"}),
    )
}

/// A Decrypt of the key, as the shared vectors write it.
fn decrypt(caller: &str, key_policy: &Value, rest: &Value) -> Decision {
    let mut vector = json!({"caller": caller, "action": "kms:Decrypt", "resource": KEY, "owner": OWNER, "keyPolicy": key_policy});
    for (name, value) in rest.as_object().expect("an object") {
        vector[name] = value.clone();
    }
    Vector::read(&vector).expect("a vector").decide(&PolicyEngine::new())
}

/// Row, and the changes of each remedy as `kind layer`.
fn told(decision: &Decision) -> (u8, Vec<String>) {
    let change = |change: &PolicyChange| match change.layer {
        Some(layer) => format!("{:?} {layer:?}", change.kind),
        None => format!("{:?}", change.kind),
    };
    let one = |remedy: &Remedy| remedy.changes.iter().map(change).collect::<Vec<_>>().join(" + ");
    (decision.rule, decision.remedies.iter().map(one).collect())
}

/// Every row of the decision table that refuses.
#[test]
fn each_way_to_be_refused_has_its_smallest_change() {
    let (root, foreign) = (names("arn:aws:iam::111122223333:root"), names("444455556666"));
    let all = || json!([everything()]);
    let service = |vpce: Value| json!({"identity": all(), "vpce": vpce});
    for (what, decision, row, first) in [
        (
            "SCP",
            decrypt(
                ALICE,
                &root,
                &json!({"identity": all(), "scps": [[everything()], [nothing()]]}),
            ),
            3,
            "AddStatement ServiceControlPolicy",
        ),
        (
            "endpoint",
            decrypt(
                ALICE,
                &root,
                &service(json!([policy(
                    &json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"})
                )])),
            ),
            4,
            "AddStatement VpcEndpointPolicy",
        ),
        ("service", decrypt("s3.amazonaws.com", &root, &json!({})), 5, "AddStatement KeyPolicy"),
        (
            "nobody named",
            decrypt(
                ALICE,
                &names("arn:aws:iam::111122223333:user/bob"),
                &json!({"identity": all()}),
            ),
            11,
            "AddStatement KeyPolicy",
        ),
        ("identity silent", decrypt(ALICE, &root, &json!({})), 12, "AddStatement IdentityPolicy"),
        (
            "boundary silent",
            decrypt(APP, &root, &json!({"identity": all(), "boundary": [nothing()]})),
            12,
            "AddStatement PermissionsBoundary",
        ),
        (
            "session silent",
            decrypt(
                APP,
                &names("arn:aws:iam::111122223333:role/app"),
                &json!({"session": [nothing()]}),
            ),
            12,
            "AddStatement SessionPolicy",
        ),
        (
            "two silent",
            decrypt(APP, &root, &json!({"boundary": [nothing()]})),
            12,
            "AddStatement IdentityPolicy + AddStatement PermissionsBoundary",
        ),
        (
            "foreign, unnamed",
            decrypt(ENG, &root, &json!({"identity": all()})),
            13,
            "AddStatement KeyPolicy",
        ),
        (
            "foreign, both",
            decrypt(ENG, &root, &json!({})),
            13,
            "AddStatement KeyPolicy + AddStatement IdentityPolicy",
        ),
        (
            "foreign, identity",
            decrypt(ENG, &foreign, &json!({})),
            14,
            "AddStatement IdentityPolicy",
        ),
        (
            "foreign, session",
            decrypt(ENG, &foreign, &json!({"identity": all(), "session": [nothing()]})),
            15,
            "AddStatement SessionPolicy",
        ),
        (
            "no key",
            decrypt(
                ALICE,
                &root,
                &json!({"action": "kms:ListKeys", "resource": "*", "identity": [nothing()]}),
            ),
            17,
            "AddStatement IdentityPolicy",
        ),
        (
            "identity denies",
            decrypt(ALICE, &root, &json!({"identity": [no_decrypt()]})),
            1,
            "ReplaceStatement IdentityPolicy",
        ),
        (
            "boundary denies",
            decrypt(ALICE, &root, &json!({"identity": all(), "boundary": [no_decrypt()]})),
            1,
            "ReplaceStatement PermissionsBoundary",
        ),
        (
            "session denies",
            decrypt(APP, &root, &json!({"identity": all(), "session": [no_decrypt()]})),
            1,
            "ReplaceStatement SessionPolicy",
        ),
        (
            "SCP denies",
            decrypt(ALICE, &root, &json!({"identity": all(), "scps": [[no_decrypt()]]})),
            1,
            "ReplaceStatement ServiceControlPolicy",
        ),
    ] {
        let (rule, remedies) = told(&decision);
        assert_eq!(
            (rule, remedies.first().map(String::as_str)),
            (row, Some(first)),
            "{what}: {decision:#?}"
        );
    }
    let stays = decrypt(ENG, &foreign, &json!({"action": "kms:PutKeyPolicy", "identity": all()}));
    assert_eq!(told(&stays), (7, Vec::new()), "no policy opens what stays inside accounts");
    let reserved = json!({"action": "kms:CreateAlias", "resource": "arn:aws:kms:us-west-2:111122223333:alias/aws/x", "identity": all()});
    assert_eq!(told(&decrypt(ALICE, &root, &reserved)), (18, Vec::new()));
    let broken = decrypt(ALICE, &json!({"Version": "x"}), &json!({"identity": all()}));
    assert_eq!(told(&broken), (0, Vec::new()), "what cannot be evaluated cannot be tried either");
}

#[test]
fn the_request_itself_is_changed_where_its_context_is_all_that_is_wrong() {
    let condition = json!({"StringEquals": {"kms:EncryptionContext:Project": "Snowy"}});
    let held = policy(
        &json!({"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "kms:Decrypt", "Resource": "*", "Condition": condition}),
    );
    let wrong = json!({"encryptionContext": {"project": "Other", "Team": "red"}});
    let decision = decrypt(ALICE, &held, &wrong);
    assert_eq!(
        told(&decision).1,
        [
            "ChangeRequest",
            "CreateGrant Grant",
            "ReplaceStatement KeyPolicy",
            "AddStatement KeyPolicy"
        ],
    );
    let body = |n: usize| decision.remedies[n].changes[0].body.clone().expect("a body");
    assert_eq!(body(0), json!({"Project": "Snowy", "Team": "red"}));
    assert_eq!(body(1)["Constraints"]["EncryptionContextEquals"], wrong["encryptionContext"]);
    // What a client chose is no pattern: a value with a wildcard is not put into a policy.
    let star = decrypt(ALICE, &held, &json!({"encryptionContext": {"Project": "*"}}));
    assert!(!told(&star).1.iter().any(|one| one.starts_with("ReplaceStatement")), "{star:#?}");

    let demanded = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringNotEquals": {"kms:EncryptionContext:Project": ["Snowy"]}}});
    let both =
        json!({"Version": "2012-10-17", "Statement": [names(ALICE)["Statement"][0], demanded]});
    let decision = decrypt(ALICE, &both, &json!({}));
    assert_eq!(decision.effect, Effect::ExplicitDeny);
    assert_eq!(decision.remedies[0].changes[0].body, Some(json!({"Project": "Snowy"})));
    assert_eq!(
        told(&decision).1,
        ["ChangeRequest", "ReplaceStatement KeyPolicy", "RemoveStatement KeyPolicy"],
    );
    // A grant that is held to another context.
    let grants = json!([{"grantId": "g", "grantee": ALICE, "operations": ["Decrypt"], "constraints": {"EncryptionContextSubset": {"Dept": "IT"}}}]);
    let decision =
        decrypt(ALICE, &names("arn:aws:iam::111122223333:user/bob"), &json!({"grants": grants}));
    assert_eq!(decision.remedies[0].changes[0].body, Some(json!({"Dept": "IT"})), "{decision:#?}");
}

#[test]
fn what_a_change_opens_is_told_as_it_is() {
    let root = names("arn:aws:iam::111122223333:root");
    let decision = decrypt(ALICE, &root, &json!({}));
    let blast = &decision.remedies[0].changes[0].blast;
    assert_eq!(blast.principals, Reach::Principal(ALICE.to_owned()));
    assert_eq!(
        (&blast.actions, &blast.resources),
        (&vec!["kms:Decrypt".to_owned()], &Extent::One(KEY.to_owned()))
    );
    // Widening by an action opens that action to all whom the statement names.
    let many = policy(
        &json!({"Effect": "Allow", "Principal": {"AWS": [ALICE, "arn:aws:iam::111122223333:role/app"]}, "Action": "kms:Encrypt", "Resource": "*"}),
    );
    let decision = decrypt(ALICE, &many, &json!({}));
    let widened =
        decision.remedies.iter().find(|one| one.changes[0].kind == ChangeKind::ReplaceStatement);
    let change = &widened.expect("the statement is near").changes[0];
    assert_eq!(
        change.body.as_ref().expect("a body")["Action"],
        json!(["kms:Encrypt", "kms:Decrypt"])
    );
    assert_eq!(change.blast.actions, ["kms:Decrypt"]);
    assert!(matches!(&change.blast.principals, Reach::Principals(both) if both.len() == 2));
    // Delegation reaches the whole account, and so stands last.
    let identity = json!({"identity": [everything()]});
    let decision = decrypt(ALICE, &names("arn:aws:iam::111122223333:user/bob"), &identity);
    let last = &decision.remedies.last().expect("some").changes[0].blast;
    assert_eq!(last.principals, Reach::Account(OWNER.to_owned()));
    // An exempted principal is one, the removed Deny was everyone's.
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"});
    let both = json!({"Version": "2012-10-17", "Statement": [names(ALICE)["Statement"][0], deny]});
    let decision = decrypt(ALICE, &both, &json!({}));
    let reach: Vec<&Reach> =
        decision.remedies.iter().map(|one| &one.changes[0].blast.principals).collect();
    assert_eq!(reach, [&Reach::Principal(ALICE.to_owned()), &Reach::Everyone]);
}

/// Where something else stands in the place of the key policy.
#[test]
fn roles_and_retired_grants_have_remedies_of_their_own() {
    let (engine, facts) = (PolicyEngine::new(), Facts::new());
    let (alice, role) = (caller(ALICE), "arn:aws:iam::111122223333:role/app");
    let trust = saved(&policy(
        &json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}, "Action": "sts:AssumeRole"}),
    ));
    let resource = Resource::Role { arn: role, trust: &trust };
    let decision = engine.decide(&Question::new(&alice, "sts:AssumeRole", resource, &facts));
    let add = &decision.remedies[0].changes[0];
    assert_eq!((add.kind, add.source.as_deref()), (ChangeKind::AddStatement, Some("trust policy")));
    let expected =
        json!({"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "sts:AssumeRole"});
    assert_eq!(add.body, Some(expected), "a trust policy has no Resource");
    assert_eq!(add.blast.resources, Extent::One(role.to_owned()));

    let (owner, tags) = (account(OWNER), BTreeMap::new());
    let issued = grant(&json!({"KeyId": KEY, "GranteePrincipal": role, "Operations": ["Decrypt"]}));
    let question = Question::new(&alice, "kms:RetireGrant", key(KEY, &owner, &tags), &facts);
    let decision = engine.decide_retire(&question, &issued);
    assert_eq!(told(&decision), (12, vec!["AddStatement IdentityPolicy".to_owned()]));
    let eng = caller(ENG);
    let decision = engine.decide_retire(&Question { caller: &eng, ..question }, &issued);
    assert_eq!(
        told(&decision),
        (11, Vec::new()),
        "a grant that names somebody else does not change"
    );
}

/// The vectors of the shared file: a refusal without remedies is one of those that no policy can lift.
#[test]
fn every_refused_vector_has_a_remedy_or_a_reason_for_none() {
    let vectors = include_str!("../../../../tests/vectors/policy-vectors.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).expect("the vectors");
    let (engine, mut without) = (PolicyEngine::new(), Vec::new());
    for vector in &vectors {
        let decision = Vector::read(vector).expect("a vector").decide(&engine);
        check_effects(&decision);
        assert!(!decision.allowed() || decision.remedies.is_empty());
        let final_reason =
            matches!(decision.reason, Reason::NotCrossAccount | Reason::ReservedAlias);
        if !decision.allowed() && decision.remedies.is_empty() && !final_reason {
            without.push(format!("{} {}: {:#?}", vector["id"], vector["name"], decision));
        }
    }
    assert!(without.is_empty(), "{}", without.join("\n"));
}

/// Silence is no impact where the table of AWS says that it is ignored.
#[test]
fn a_silent_check_is_told_as_the_table_weighs_it() {
    let silent = json!({"identity": [nothing()], "boundary": [nothing()], "session": [nothing()]});
    let with = |caller, key_policy: &Value, more: &Value| {
        let mut rest = silent.clone();
        rest.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        let checks = decrypt(caller, key_policy, &rest).checks();
        checks
            .iter()
            .map(|check| {
                format!("{} {}", check.check_type.as_str(), check.evaluated_effect.as_str())
            })
            .collect::<Vec<_>>()
    };
    let of = |resource: &str, principal: &str, boundary: &str, session: &str| {
        [
            ("RESOURCE", resource),
            ("PRINCIPAL", principal),
            ("PERMISSIONS_BOUNDARY", boundary),
            ("SESSION", session),
        ]
        .map(|(kind, effect)| format!("{kind} {effect}"))
        .to_vec()
    };
    let (role, root) =
        (names("arn:aws:iam::111122223333:role/app"), names("arn:aws:iam::111122223333:root"));
    let (allow, silent, spared) = ("ALLOW", "IMPLICIT_DENY", "NO_IMPACT");
    assert_eq!(with(APP, &names(APP), &json!({})), of(allow, spared, spared, spared));
    assert_eq!(with(APP, &names("*"), &json!({})), of(allow, spared, spared, spared));
    assert_eq!(with(APP, &role, &json!({})), of(allow, spared, silent, silent));
    assert_eq!(with(APP, &root, &json!({})), of(allow, silent, silent, silent));
    assert_eq!(with(ENG, &names(ENG), &json!({})), of(allow, silent, silent, silent));
    // A Deny elsewhere takes nothing from what the others say.
    let denied = with(APP, &names(APP), &json!({"scps": [[no_decrypt()]]}));
    assert_eq!(denied[0], "SCP EXPLICIT_DENY");
    assert_eq!(denied[1..], of(allow, spared, spared, spared));
    // Who has no policies at all is silent too.
    let bare = decrypt(ALICE, &names("arn:aws:iam::111122223333:user/bob"), &json!({}));
    let checks: Vec<&str> = bare.checks().iter().map(|check| check.check_type.as_str()).collect();
    assert_eq!(checks, ["RESOURCE", "PRINCIPAL"]);
}
