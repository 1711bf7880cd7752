//! Freezes: each kind of target, what stays possible, what was in flight, and what others hear.

use super::world::{TestWorld, arn, blob};
use keyward_types::{Caller, CallerKind, ErrorCode, Layer, Reason};
use serde_json::{Value, json};
use std::sync::Arc;

fn encrypt(key: &str) -> Value {
    json!({"KeyId": key, "Plaintext": blob("x")})
}

fn freeze(world: &TestWorld, target: &str) -> Value {
    world.own_ok("Freeze", &json!({"Target": target, "Reason": "stolen laptop"}))
}

fn thaw(world: &TestWorld, target: &str) -> Value {
    world.own_ok("Thaw", &json!({"Target": target, "Reason": "it was found"}))
}

/// The refusal names a freeze.
fn is_frozen(world: &TestWorld, caller: &Arc<Caller>, operation: &str, body: Value) {
    let message = world.fails_as(caller, operation, body, ErrorCode::AccessDenied);
    assert!(message.contains("with an explicit deny in a freeze ("), "{message}");
}

/// A session of a role that the key policies of the tests name.
fn session(world: &TestWorld, role: &str) -> Arc<Caller> {
    let role_arn = world.role(role);
    let arn = format!("arn:aws:sts::{}:assumed-role/{role}/one", world.root.account);
    Arc::new(Caller {
        kind: CallerKind::RoleSession {
            role_name: role.to_owned(),
            role_arn: role_arn.clone(),
            role_id: format!("AROA{role}"),
            session_name: "one".to_owned(),
        },
        arn,
        principal_arn: role_arn,
        user_id: format!("AROA{role}:one"),
        ..Caller::clone(&world.root)
    })
}

#[test]
fn a_frozen_key_serves_nobody_can_be_repaired_and_is_as_before_when_thawed() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &["kms:*"]));
    let sealed = world.ok("Encrypt", encrypt(&key))["CiphertextBlob"].clone();
    let before = world.ok("DescribeKey", json!({"KeyId": key}));
    let made = freeze(&world, &key);
    assert_eq!((&made["Type"], &made["Target"]), (&json!("Key"), &json!(arn(&key))));
    let event = world.last_event();
    assert_eq!(event["eventName"], "Freeze");
    assert_eq!(event["requestParameters"]["reason"], "stolen laptop");
    assert_eq!(event["additionalEventData"]["freezeId"], made["FreezeId"]);
    assert_eq!(event["resources"][0]["ARN"], arn(&key));

    for caller in [&world.root, &app] {
        is_frozen(&world, caller, "Encrypt", encrypt(&key));
        is_frozen(&world, caller, "Decrypt", json!({"CiphertextBlob": sealed}));
        is_frozen(&world, caller, "ScheduleKeyDeletion", json!({"KeyId": key}));
        is_frozen(&world, caller, "EnableKey", json!({"KeyId": key}));
        let grant = json!({"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Decrypt"]});
        is_frozen(&world, caller, "CreateGrant", grant);
        world.ok_as(caller, "DescribeKey", json!({"KeyId": key}));
        world.ok_as(caller, "GetKeyPolicy", json!({"KeyId": key}));
        world.ok_as(caller, "ListGrants", json!({"KeyId": key}));
    }
    assert_eq!(world.ok("DescribeKey", json!({"KeyId": key})), before, "a freeze changes no key");
    let policy = world.ok("GetKeyPolicy", json!({"KeyId": key}))["Policy"].clone();
    world.ok("PutKeyPolicy", json!({"KeyId": key, "Policy": policy}));
    world.ok("RotateKeyOnDemand", json!({"KeyId": key}));

    // Once more is the same freeze; thawed twice is thawed.
    assert_eq!(freeze(&world, &key), made);
    assert_eq!(world.own_ok("ListFrozen", &json!({}))["Frozen"], json!([made]));
    assert_eq!(thaw(&world, &arn(&key))["Thawed"], made);
    assert_eq!(world.last_event()["requestParameters"]["reason"], "it was found");
    assert_eq!(thaw(&world, &key), json!({}));
    assert_eq!(world.own_ok("ListFrozen", &json!({}))["Frozen"], json!([]));
    world.ok_as(&app, "Decrypt", json!({"CiphertextBlob": sealed}));
}

#[test]
fn what_is_frozen_is_listed_page_by_page() {
    let world = TestWorld::new();
    let (one, other) = (world.symmetric(), world.symmetric());
    let user = world.user("app", &[]);
    let mut made: Vec<Value> =
        [&one, &user.arn, &other].map(|target| freeze(&world, target)).into();
    let page = |input: &Value| {
        let page = world.own_ok("ListFrozen", input);
        let items = page["Frozen"].as_array().unwrap().clone();
        (items, page["NextMarker"].clone(), page["Truncated"].clone())
    };
    let (first, marker, truncated) = page(&json!({"Limit": 2}));
    assert_eq!((first.len(), truncated), (2, json!(true)));
    // What is thawed between pages moves none of the others.
    let gone = first[0]["Target"].as_str().unwrap().to_owned();
    thaw(&world, &gone);
    let (second, none, truncated) = page(&json!({"Limit": 2, "Marker": marker}));
    assert_eq!((second.len(), none, truncated), (1, Value::Null, json!(false)));
    let mut listed = [first, second].concat();
    for all in [&mut made, &mut listed] {
        all.sort_by_key(|freeze| freeze["FreezeId"].to_string());
    }
    assert_eq!(listed, made);
    assert_eq!(page(&json!({})).0.len(), 2);
    for bad in ["beyond", marker.as_str().unwrap().get(1..).unwrap()] {
        let (code, _) = world.own_fails("ListFrozen", &json!({"Marker": bad}));
        assert_eq!(code, ErrorCode::InvalidMarker, "{bad}");
    }
}

#[test]
fn a_frozen_user_and_every_session_of_a_frozen_role_may_nothing() {
    let world = TestWorld::new();
    let (key, app, other) =
        (world.symmetric(), world.user("app", &["*"]), world.user("application", &["*"]));
    let job = session(&world, "job");
    // The key names the role itself, which no identity policy could take back.
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": [job.principal_arn, world.root.arn]}, "Action": "kms:*", "Resource": "*"});
    world.set_key_policy(&key, &json!({"Version": "2012-10-17", "Statement": [statement]}));
    for (target, caller) in [(&app.arn, &app), (&job.principal_arn, &job)] {
        world.ok_as(caller, "Encrypt", encrypt(&key));
        freeze(&world, target);
        is_frozen(&world, caller, "Encrypt", encrypt(&key));
        is_frozen(&world, caller, "DescribeKey", json!({"KeyId": key}));
        is_frozen(&world, caller, "CreateKey", json!({}));
        is_frozen(&world, caller, "ListKeys", json!({}));
        // Not even to thaw itself.
        let error = world.own(caller, "Thaw", &json!({"Target": target})).unwrap_err();
        assert_eq!(error.code, ErrorCode::AccessDenied);
        assert!(!world.engine.decide(caller, "keyward:ListEvents").unwrap().allowed());
        thaw(&world, target);
        world.ok_as(caller, "Encrypt", encrypt(&key));
    }
    // A name that goes on is another user.
    freeze(&world, &app.arn);
    world.ok_as(&other, "Encrypt", encrypt(&key));
    // A session that the user gave to somebody else ends with it.
    let federated = Arc::new(Caller {
        kind: CallerKind::Federated { user_arn: Some(app.arn.clone()), name: "guest".to_owned() },
        ..Caller::clone(&app)
    });
    is_frozen(&world, &federated, "Encrypt", encrypt(&key));
}

#[test]
fn a_frozen_grant_allows_nothing_and_says_why() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &[]));
    let body = json!({"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Encrypt"]});
    let grant = world.ok("CreateGrant", body)["GrantId"].clone();
    world.ok_as(&app, "Encrypt", encrypt(&key));
    let target = json!({"Target": key, "GrantId": grant, "Reason": "leaked"});
    let made = world.own_ok("Freeze", &target);
    assert_eq!((&made["Type"], &made["GrantId"]), (&json!("Grant"), &grant));
    world.fails_as(&app, "Encrypt", encrypt(&key), ErrorCode::AccessDenied);
    let event = world.last_event();
    let text = keyward_trail::explain(&event, false);
    assert!(text.contains("Freeze") && text.contains("leaked"), "{text}");
    // The grant is there, and the key serves others.
    assert_eq!(world.ok("ListGrants", json!({"KeyId": key}))["Grants"][0]["GrantId"], grant);
    world.ok("Encrypt", encrypt(&key));
    world.own_ok("Thaw", &target);
    world.ok_as(&app, "Encrypt", encrypt(&key));
}

#[test]
fn a_freeze_stops_what_is_in_flight_and_so_does_a_thaw() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &["kms:*"]));
    let body = json!({"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Encrypt"]});
    let grantee = world.user("grantee", &[]);
    let granted = json!({"GranteePrincipal": grantee.arn});
    let mut of_grantee = body.clone();
    of_grantee.as_object_mut().unwrap().extend(granted.as_object().unwrap().clone());
    let grant = world.ok("CreateGrant", of_grantee)["GrantId"].clone();
    let operation = crate::find(crate::Service::Kms, "Encrypt").unwrap();
    let request = encrypt(&key).to_string();
    for (caller, target) in [
        (&app, json!({"Target": key, "Reason": "r"})),
        (&app, json!({"Target": app.arn, "Reason": "r"})),
        (&grantee, json!({"Target": key, "GrantId": grant, "Reason": "r"})),
    ] {
        let decided = world.engine.prepare(operation, caller, request.as_bytes());
        world.own_ok("Freeze", &target);
        let error = decided.run().wait().expect_err("decided before, committed after");
        assert_eq!(error.code, ErrorCode::AccessDenied, "{target}");
        let refused = world.engine.prepare(operation, caller, request.as_bytes());
        world.own_ok("Thaw", &target);
        refused.run().wait().unwrap_or_else(|error| panic!("{target}: {error}"));
    }
}

#[test]
fn a_freeze_is_explained_to_who_may_and_found_by_questions() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &["kms:Encrypt"]));
    let made = freeze(&world, &key);
    is_frozen(&world, &app, "Encrypt", encrypt(&key));
    let mut event = world.last_event();
    let decision = keyward_trail::decisions_of(&event).remove(0);
    assert_eq!((decision.reason, decision.rule), (Reason::Denied(Layer::Freeze), 1));
    assert!(decision.remedies.is_empty(), "no policy helps");
    let text = keyward_trail::explain(&event, false);
    let id = made["FreezeId"].as_str().unwrap();
    assert!(text.contains(id) && text.contains("stolen laptop"), "{text}");
    assert!(!event["errorMessage"].to_string().contains("stolen"));
    keyward_trail::withhold(&mut event);
    assert!(!event.to_string().contains("stolen"), "{event}");
    let asked = json!({"Principal": app.arn, "Actions": ["kms:Encrypt"], "KeyId": key});
    let simulated = world.own_ok("Simulate", &asked);
    assert_eq!(simulated["Results"][0]["Allowed"], false);
    let who = json!({"Action": "kms:Encrypt", "KeyId": key});
    assert_eq!(world.own_ok("WhoCan", &who)["Principals"], json!([]));
    thaw(&world, &key);
    assert_ne!(world.own_ok("WhoCan", &who)["Principals"], json!([]));
}

#[test]
fn only_who_may_freezes_and_only_what_is_of_its_account() {
    let world = TestWorld::new();
    let (key, other) = (world.symmetric(), world.other_root());
    let refused = |caller: &Arc<Caller>, target: &str| {
        let body = json!({"Target": target, "Reason": "r"});
        let error = world.own(caller, "Freeze", &body).unwrap_err();
        (error.code, error.message.unwrap_or_default().replace(target, "TARGET"))
    };
    // A key's policy has no say over its freeze.
    let app = world.user("app", &["kms:*"]);
    assert_eq!(refused(&app, &key).0, ErrorCode::AccessDenied);
    let responder = world.user("responder", &["keyward:Freeze"]);
    let frozen = world.own(&responder, "Freeze", &json!({"Target": key, "Reason": "r"}));
    assert!(frozen.is_ok(), "{frozen:?}");
    let thawed = world.own(&responder, "Thaw", &json!({"Target": key}));
    assert_eq!(thawed.unwrap_err().code, ErrorCode::AccessDenied);
    thaw(&world, &key);

    // Another account hears the same of what is there and of what is not.
    let absent = arn("00000000-0000-0000-0000-000000000000");
    let there = refused(&other, &arn(&key));
    assert_eq!(there.0, ErrorCode::AccessDenied);
    assert_eq!(there, refused(&other, &absent));
    let nobody = app.arn.replace("user/app", "user/nobody");
    assert_eq!(refused(&other, &app.arn), refused(&other, &nobody));
    let log: Vec<String> = world
        .events(2)
        .iter()
        .map(|event| event["additionalEventData"]["policyDecision"].to_string())
        .map(|text| text.replace("user/nobody", "user/app"))
        .collect();
    assert_eq!(log[0], log[1]);
    world.ok("Encrypt", encrypt(&key));

    // What cannot be frozen, and what is not there.
    assert_eq!(refused(&world.root, &world.root.arn).0, ErrorCode::Validation);
    let session = format!("arn:aws:sts::{}:assumed-role/job/one", world.root.account);
    assert_eq!(refused(&world.root, &session).0, ErrorCode::Validation);
    assert_eq!(refused(&world.root, &absent).0, ErrorCode::NotFound);
    assert_eq!(refused(&world.root, &nobody).0, ErrorCode::NotFound);
    assert_eq!(refused(&world.root, "alias/none").0, ErrorCode::NotFound);
    assert_eq!(refused(&world.root, "not/a/key").0, ErrorCode::NotFound);
}

#[test]
fn another_accounts_caller_hears_nothing_of_a_keys_freeze() {
    let world = TestWorld::new();
    let (key, other) = (world.symmetric(), world.other_root());
    let body = encrypt(&arn(&key));
    let before = world.fails_as(&other, "Encrypt", body.clone(), ErrorCode::AccessDenied);
    let event = world.last_event()["additionalEventData"]["policyDecision"].clone();
    freeze(&world, &key);
    let after = world.fails_as(&other, "Encrypt", body, ErrorCode::AccessDenied);
    assert_eq!(after, before);
    assert_eq!(world.last_event()["additionalEventData"]["policyDecision"], event);
}

/// A replica opens what its primary encrypted, so that a freeze of either stops both.
#[test]
fn a_freeze_of_one_related_key_stops_all_of_them() {
    let world = TestWorld::new();
    let region = keyward_types::Region::parse("eu-west-1").unwrap();
    let origin = keyward_types::Origin { region, ..world.root.origin.clone() };
    let elsewhere = Arc::new(Caller { origin, ..Caller::clone(&world.root) });
    let primary =
        world.ok("CreateKey", json!({"MultiRegion": true}))["KeyMetadata"]["KeyId"].clone();
    let primary = primary.as_str().unwrap();
    world.ok("ReplicateKey", json!({"KeyId": primary, "ReplicaRegion": "eu-west-1"}));
    let sealed = world.ok("Encrypt", encrypt(primary))["CiphertextBlob"].clone();
    let open = json!({"CiphertextBlob": sealed, "KeyId": primary});
    world.ok_as(&elsewhere, "Decrypt", open.clone());
    freeze(&world, primary);
    is_frozen(&world, &world.root, "Decrypt", open.clone());
    is_frozen(&world, &elsewhere, "Decrypt", open.clone());
    world.ok_as(&elsewhere, "DescribeKey", json!({"KeyId": primary}));
    thaw(&world, primary);
    world.ok_as(&elsewhere, "Decrypt", open.clone());
    // And the other way round.
    let replica = arn(primary).replace("us-east-1", "eu-west-1");
    let asked = json!({"Target": replica, "Reason": "stolen laptop"});
    world.own(&elsewhere, "Freeze", &asked).unwrap();
    is_frozen(&world, &world.root, "Decrypt", open);
}
