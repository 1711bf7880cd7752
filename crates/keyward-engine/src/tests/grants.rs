//! Grants: made, used, handed on, listed, revoked and retired.

use super::world::{TestWorld, arn, blob};
use keyward_types::{Caller, ErrorCode};
use serde_json::{Value, json};
use std::sync::Arc;

fn grant(
    world: &TestWorld,
    key: &str,
    to: &Arc<Caller>,
    operations: &[&str],
    more: &Value,
) -> Value {
    let mut body = json!({"KeyId": key, "GranteePrincipal": to.arn, "Operations": operations});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.ok("CreateGrant", body)
}

#[test]
fn a_grant_allows_what_it_names_in_the_context_it_names() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &[]));
    let body = |context: Value| json!({"KeyId": key, "Plaintext": blob("x"), "EncryptionContext": context});
    world.fails_as(&app, "Encrypt", body(json!({})), ErrorCode::AccessDenied);
    let constraints = json!({"Constraints": {"EncryptionContextSubset": {"app": "a"}}});
    let made = grant(&world, &key, &app, &["Encrypt"], &constraints);
    assert_eq!(made["GrantId"].as_str().unwrap().len(), 64);
    let event = world.last_event();
    assert_eq!(event["responseElements"], json!({"grantId": made["GrantId"], "keyId": arn(&key)}));
    assert_eq!(
        event["requestParameters"]["constraints"],
        json!({"encryptionContextSubset": {"app": "a"}})
    );
    assert!(!event.to_string().contains(made["GrantToken"].as_str().unwrap()));
    world.ok_as(&app, "Encrypt", body(json!({"app": "a", "more": "b"})));
    world.fails_as(&app, "Encrypt", body(json!({"app": "b"})), ErrorCode::AccessDenied);
    world.fails_as(
        &app,
        "GenerateDataKey",
        json!({"KeyId": key, "KeySpec": "AES_256"}),
        ErrorCode::AccessDenied,
    );

    let mut with_token = body(json!({"app": "a"}));
    with_token["GrantTokens"] = json!([made["GrantToken"]]);
    world.ok_as(&app, "Encrypt", with_token.clone());
    with_token["GrantTokens"] = json!(["rubbish"]);
    world.fails_as(&app, "Encrypt", with_token, ErrorCode::InvalidGrantToken);

    world.ok("RevokeGrant", json!({"KeyId": key, "GrantId": made["GrantId"]}));
    world.fails_as(&app, "Encrypt", body(json!({"app": "a"})), ErrorCode::AccessDenied);
    let message = world.fails(
        "RevokeGrant",
        json!({"KeyId": key, "GrantId": made["GrantId"]}),
        ErrorCode::NotFound,
    );
    assert_eq!(message, format!("Grant ID {} not found", made["GrantId"].as_str().unwrap()));
}

#[test]
fn with_a_delay_a_new_grant_counts_only_with_its_token() {
    let world = TestWorld::with_grant_delay(5_000);
    let (key, app) = (world.symmetric(), world.user("app", &[]));
    let made = grant(&world, &key, &app, &["Encrypt"], &json!({}));
    let body = json!({"KeyId": key, "Plaintext": blob("x")});
    world.fails_as(&app, "Encrypt", body.clone(), ErrorCode::AccessDenied);
    let why = world.last_event()["additionalEventData"].to_string();
    assert!(
        why.contains("GrantTokens") && why.contains(made["GrantId"].as_str().unwrap()),
        "{why}"
    );

    let mut with_token = body.clone();
    with_token["GrantTokens"] = json!([made["GrantToken"]]);
    world.ok_as(&app, "Encrypt", with_token.clone());
    let other = grant(&world, &key, &app, &["Decrypt"], &json!({}));
    let mut with_other = body.clone();
    with_other["GrantTokens"] = json!([other["GrantToken"]]);
    world.fails_as(&app, "Encrypt", with_other, ErrorCode::AccessDenied);

    world.pass(3_000);
    world.fails_as(&app, "Encrypt", body.clone(), ErrorCode::AccessDenied);
    world.pass(2_000);
    world.ok_as(&app, "Encrypt", body.clone());
    world.ok("RevokeGrant", json!({"KeyId": key, "GrantId": made["GrantId"]}));
    world.fails_as(&app, "Encrypt", with_token, ErrorCode::AccessDenied);
}

#[test]
fn requests_for_grants_that_cannot_be_are_refused() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &[]));
    let pairs: serde_json::Map<String, Value> =
        (0..9).map(|i| (i.to_string(), json!("v"))).collect();
    let cases = [
        (json!({"GranteePrincipal": null}), ErrorCode::Validation),
        (json!({"GranteeServicePrincipal": "s3.amazonaws.com"}), ErrorCode::Validation),
        (
            json!({"RetiringPrincipal": app.arn, "RetiringServicePrincipal": "s3.amazonaws.com"}),
            ErrorCode::Validation,
        ),
        (
            json!({"GranteePrincipal": null, "GranteeServicePrincipal": "s3.amazonaws.com"}),
            ErrorCode::Validation,
        ),
        (json!({"Operations": []}), ErrorCode::Validation),
        (json!({"Operations": ["Sign"]}), ErrorCode::Validation),
        (json!({"Operations": ["Everything"]}), ErrorCode::Validation),
        (json!({"Constraints": {"EncryptionContextEquals": pairs}}), ErrorCode::Validation),
        (
            json!({"Constraints": {"EncryptionContextEquals": {"a": "v".repeat(385)}}}),
            ErrorCode::Validation,
        ),
        (
            json!({"GranteePrincipal": "arn:aws:iam::111122223333:user/absent"}),
            ErrorCode::InvalidArn,
        ),
        (json!({"GranteePrincipal": "arn:aws:iam::111122223333:group/app"}), ErrorCode::InvalidArn),
        (
            json!({"RetiringPrincipal": "arn:aws:iam::111122223333:role/absent"}),
            ErrorCode::InvalidArn,
        ),
        (json!({"KeyId": "alias/app"}), ErrorCode::NotFound),
        (json!({"DryRun": true}), ErrorCode::DryRunOperation),
    ];
    for (change, code) in cases {
        let mut body =
            json!({"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Encrypt"]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        world.fails("CreateGrant", body, code);
    }
    let message = world.fails(
        "CreateGrant",
        json!({"KeyId": key, "GranteePrincipal": "arn:aws:iam::111122223333:user/absent", "Operations": ["Encrypt"]}),
        ErrorCode::InvalidArn,
    );
    assert_eq!(
        message,
        "ARN does not refer to a valid principal: arn:aws:iam::111122223333:user/absent"
    );
    // An account that does not live here cannot be looked into.
    world.ok("CreateGrant", json!({"KeyId": key, "GranteePrincipal": "arn:aws:iam::999988887777:user/x", "Operations": ["Encrypt"]}));
    let ecc = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    let constrained = json!({
        "KeyId": ecc, "GranteePrincipal": app.arn, "Operations": ["Sign"],
        "Constraints": {"EncryptionContextEquals": {"a": "b"}}
    });
    world.fails("CreateGrant", constrained, ErrorCode::Validation);
    world.fails_as(
        &app,
        "CreateGrant",
        json!({"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Encrypt"]}),
        ErrorCode::AccessDenied,
    );
    world.ok("DisableKey", json!({"KeyId": key}));
    world.fails(
        "CreateGrant",
        json!({"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Encrypt"]}),
        ErrorCode::Disabled,
    );
}

#[test]
fn a_named_request_sent_again_makes_no_second_grant() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &[]));
    let named = json!({"Name": "nightly"});
    let first = grant(&world, &key, &app, &["Encrypt", "Decrypt"], &named);
    let again = grant(&world, &key, &app, &["Decrypt", "Encrypt"], &named);
    assert_eq!(first["GrantId"], again["GrantId"]);
    assert_ne!(first["GrantToken"], again["GrantToken"]);
    let other = grant(&world, &key, &app, &["Encrypt"], &named);
    assert_ne!(first["GrantId"], other["GrantId"]);
    let unnamed = grant(&world, &key, &app, &["Encrypt"], &json!({}));
    assert_ne!(unnamed["GrantId"], other["GrantId"]);
    let elsewhere = grant(&world, &world.symmetric(), &app, &["Encrypt", "Decrypt"], &named);
    assert_ne!(first["GrantId"], elsewhere["GrantId"]);
    assert_eq!(
        world.ok("ListGrants", json!({"KeyId": key}))["Grants"].as_array().unwrap().len(),
        3
    );
}

#[test]
fn grants_made_at_the_same_time_are_all_made() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &[]));
    std::thread::scope(|threads| {
        for _ in 0..48 {
            threads.spawn(|| grant(&world, &key, &app, &["Encrypt"], &json!({})));
        }
    });
    let listed = world.ok("ListGrants", json!({"KeyId": key}));
    assert_eq!(listed["Grants"].as_array().unwrap().len(), 48);
}

#[test]
fn who_may_grant_by_a_grant_hands_on_no_more_than_it_has() {
    let world = TestWorld::new();
    let (key, parent, child) =
        (world.symmetric(), world.user("parent", &[]), world.user("child", &[]));
    let constraints = json!({"Constraints": {"EncryptionContextSubset": {"app": "a"}}});
    grant(&world, &key, &parent, &["CreateGrant", "Decrypt"], &constraints);
    let ask = |operations: &[&str], constraints: Value| json!({"KeyId": key, "GranteePrincipal": child.arn, "Operations": operations, "Constraints": constraints});
    let narrower = json!({"EncryptionContextSubset": {"app": "a", "part": "1"}});
    world.ok_as(&parent, "CreateGrant", ask(&["Decrypt"], narrower.clone()));
    world.ok_as(
        &parent,
        "CreateGrant",
        ask(&["Decrypt"], json!({"EncryptionContextEquals": {"app": "a"}})),
    );
    world.fails_as(&parent, "CreateGrant", ask(&["Decrypt"], json!({})), ErrorCode::AccessDenied);
    world.fails_as(&parent, "CreateGrant", ask(&["Encrypt"], narrower), ErrorCode::AccessDenied);
    world.fails_as(
        &parent,
        "CreateGrant",
        ask(&["Decrypt"], json!({"EncryptionContextSubset": {"app": "b"}})),
        ErrorCode::AccessDenied,
    );
}

#[test]
fn conditions_see_what_a_grant_would_be() {
    let world = TestWorld::new();
    let app = world.user("app", &[]);
    let deny = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "kms:CreateGrant", "Resource": "*", "Condition": condition});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
        deny(json!({"ForAnyValue:StringEquals": {"kms:GrantOperations": "CreateGrant"}})),
        deny(json!({"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}})),
        deny(json!({"StringEquals": {"kms:RetiringPrincipal": app.arn}})),
        deny(json!({"StringEquals": {"kms:EncryptionContext:app": "forbidden"}})),
        deny(json!({"Bool": {"kms:GrantIsForAWSResource": "true"}})),
    ]});
    let key = world.key(json!({"Policy": policy.to_string()}));
    let fine = json!({"KeyId": key, "GranteePrincipal": app.arn, "Operations": ["Encrypt"]});
    world.ok("CreateGrant", fine.clone());
    for change in [
        json!({"Operations": ["Encrypt", "CreateGrant"]}),
        json!({"Constraints": {"EncryptionContextEquals": {"a": "b"}}}),
        json!({"RetiringPrincipal": app.arn}),
        json!({"Constraints": {"EncryptionContextSubset": {"app": "forbidden"}}}),
    ] {
        let mut body = fine.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        world.fails("CreateGrant", body, ErrorCode::AccessDenied);
    }
}

#[test]
fn the_retiring_principal_the_grantee_who_may_and_the_issuer_retire() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let (app, keeper, nobody) = (
        world.user("app", &[]),
        world.user("keeper", &[]),
        world.user("nobody", &["kms:RetireGrant"]),
    );
    let retiring = json!({"RetiringPrincipal": keeper.arn});
    let by_ids = |made: &Value| json!({"KeyId": arn(&key), "GrantId": made["GrantId"]});

    let made = grant(&world, &key, &app, &["Encrypt"], &retiring);
    world.fails_as(&app, "RetireGrant", by_ids(&made), ErrorCode::AccessDenied);
    let event = world.last_event();
    assert_eq!(event["additionalEventData"]["grantId"], made["GrantId"]);
    assert_eq!(event["resources"][0]["ARN"], arn(&key));
    assert!(
        event["additionalEventData"].to_string().contains("kms:RetireGrant"),
        "the decision is in the event: {event}"
    );
    world.ok_as(&keeper, "RetireGrant", by_ids(&made));
    world.fails_as(&keeper, "RetireGrant", by_ids(&made), ErrorCode::NotFound);

    let made = grant(&world, &key, &app, &["Encrypt", "RetireGrant"], &json!({}));
    world.ok_as(&app, "RetireGrant", json!({"GrantToken": made["GrantToken"]}));
    assert_eq!(world.last_event()["requestParameters"], Value::Null);
    world.fails_as(
        &app,
        "Encrypt",
        json!({"KeyId": key, "Plaintext": blob("x")}),
        ErrorCode::AccessDenied,
    );

    // The account that issued it: its root user, and whom it allows by an identity policy.
    let made = grant(&world, &key, &app, &["Encrypt"], &json!({}));
    world.fails_as(&keeper, "RetireGrant", by_ids(&made), ErrorCode::AccessDenied);
    world.fails(
        "RetireGrant",
        json!({"KeyId": arn(&key), "GrantId": made["GrantId"], "DryRun": true}),
        ErrorCode::DryRunOperation,
    );
    world.ok_as(&nobody, "RetireGrant", by_ids(&made));
    let made = grant(&world, &key, &app, &["Encrypt"], &json!({}));
    world.ok("ScheduleKeyDeletion", json!({"KeyId": key}));
    world.ok("RetireGrant", by_ids(&made));
}

#[test]
fn retiring_says_nothing_about_other_accounts_and_names_exactly_one_grant() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &[]));
    let made = grant(&world, &key, &app, &["Encrypt"], &json!({}));
    for body in [
        json!({}),
        json!({"KeyId": arn(&key)}),
        json!({"GrantId": made["GrantId"]}),
        json!({"KeyId": arn(&key), "GrantId": made["GrantId"], "GrantToken": made["GrantToken"]}),
    ] {
        world.fails("RetireGrant", body, ErrorCode::Validation);
    }
    world.fails(
        "RetireGrant",
        json!({"KeyId": key, "GrantId": made["GrantId"]}),
        ErrorCode::InvalidArn,
    );
    world.fails("RetireGrant", json!({"GrantToken": "rubbish"}), ErrorCode::InvalidGrantToken);
    world.fails(
        "RetireGrant",
        json!({"KeyId": arn(&key), "GrantId": "absent"}),
        ErrorCode::NotFound,
    );
    let other = world.other_root();
    let ask = |key: &str, grant: &str| {
        world.fails_as(
            &other,
            "RetireGrant",
            json!({"KeyId": key, "GrantId": grant}),
            ErrorCode::AccessDenied,
        )
    };
    let id = made["GrantId"].as_str().unwrap();
    let refusal = ask(&arn(&key), id);
    assert_eq!(refusal, ask(&arn(&key), "absent"));
    assert_eq!(refusal, ask(&arn("00000000-0000-4000-8000-000000000000"), id));
}

#[test]
fn grants_are_listed_by_key_by_grantee_and_by_who_retires_them() {
    let world = TestWorld::new();
    let (key, one, two) = (world.symmetric(), world.user("one", &[]), world.user("two", &[]));
    let first = grant(
        &world,
        &key,
        &one,
        &["Encrypt"],
        &json!({"Name": "n", "RetiringPrincipal": two.arn}),
    );
    let second = grant(
        &world,
        &key,
        &two,
        &["Decrypt"],
        &json!({"Constraints": {"EncryptionContextSubset": {"a": "b"}}}),
    );
    let all = world.ok("ListGrants", json!({"KeyId": key}));
    assert_eq!(all["Truncated"], false);
    assert_eq!(all["Grants"].as_array().unwrap().len(), 2);
    let of_one = world.ok("ListGrants", json!({"KeyId": key, "GranteePrincipal": one.arn}));
    let entry = &of_one["Grants"][0];
    assert_eq!(of_one["Grants"].as_array().unwrap().len(), 1);
    assert_eq!(entry["GrantId"], first["GrantId"]);
    assert_eq!(entry["KeyId"], arn(&key));
    assert_eq!(entry["Name"], "n");
    assert_eq!(entry["IssuingAccount"], "arn:aws:iam::111122223333:root");
    assert_eq!(entry["Operations"], json!(["Encrypt"]));
    assert!(entry.get("GrantToken").is_none() && entry.get("Constraints").is_none());
    let by_id = world.ok("ListGrants", json!({"KeyId": key, "GrantId": second["GrantId"]}));
    assert_eq!(by_id["Grants"][0]["Constraints"], json!({"EncryptionContextSubset": {"a": "b"}}));
    assert_eq!(
        world.ok("ListGrants", json!({"KeyId": key, "GrantId": "absent"}))["Grants"],
        json!([])
    );

    let retirable = world.ok("ListRetirableGrants", json!({"RetiringPrincipal": two.arn}));
    assert_eq!(retirable["Grants"].as_array().unwrap().len(), 1);
    assert_eq!(retirable["Grants"][0]["GrantId"], first["GrantId"]);
    world.fails("ListRetirableGrants", json!({}), ErrorCode::Validation);
    world.fails_as(
        &one,
        "ListRetirableGrants",
        json!({"RetiringPrincipal": two.arn}),
        ErrorCode::AccessDenied,
    );
    world.fails_as(&one, "ListGrants", json!({"KeyId": key}), ErrorCode::AccessDenied);
    world.fails_as(
        &one,
        "RevokeGrant",
        json!({"KeyId": key, "GrantId": first["GrantId"]}),
        ErrorCode::AccessDenied,
    );
}
