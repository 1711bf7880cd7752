//! Key policies: read, replaced, refused.

use super::world::{ACCOUNT, TestWorld, arn};
use keyward_types::{Caller, ErrorCode};
use serde_json::{Value, json};
use std::sync::Arc;

fn allowing(principal: &str, action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}
    ]})
}

fn root_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:root")
}

#[test]
fn the_default_policy_delegates_to_the_account() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let answer = world.ok("GetKeyPolicy", json!({"KeyId": key}));
    assert_eq!(answer["PolicyName"], "default");
    let policy: Value = serde_json::from_str(answer["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], root_arn());
    assert_eq!(policy["Statement"][0]["Action"], "kms:*");
    assert_eq!(
        world.ok("ListKeyPolicies", json!({"KeyId": key})),
        json!({"PolicyNames": ["default"], "Truncated": false})
    );
    assert_eq!(
        world.fails(
            "GetKeyPolicy",
            json!({"KeyId": key, "PolicyName": "other"}),
            ErrorCode::NotFound
        ),
        "No such policy exists"
    );
    world.ok("GetKeyPolicy", json!({"KeyId": key}));
    assert!(
        !world.last_event().to_string().contains("key-default-1"),
        "a read does not log the text"
    );
    let nobody = world.user("nobody", &[]);
    world.fails_as(&nobody, "GetKeyPolicy", json!({"KeyId": key}), ErrorCode::AccessDenied);
    world.fails_as(&nobody, "ListKeyPolicies", json!({"KeyId": key}), ErrorCode::AccessDenied);
}

#[test]
fn a_policy_is_replaced_as_it_was_sent() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let text = allowing(&root_arn(), "kms:*").to_string();
    world.ok("PutKeyPolicy", json!({"KeyId": key, "PolicyName": "default", "Policy": text}));
    let event = world.last_event();
    assert_eq!(event["requestParameters"]["policy"], text);
    assert_eq!(event["responseElements"]["keyId"], arn(&key));
    assert_eq!(world.ok("GetKeyPolicy", json!({"KeyId": key}))["Policy"], text);
    let nobody = world.user("nobody", &[]);
    world.fails_as(
        &nobody,
        "PutKeyPolicy",
        json!({"KeyId": key, "Policy": text}),
        ErrorCode::AccessDenied,
    );
    world.ok("ScheduleKeyDeletion", json!({"KeyId": key}));
    world.ok("PutKeyPolicy", json!({"KeyId": key, "Policy": text}));
}

#[test]
fn policies_that_cannot_be_saved_are_refused() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let put = |policy: &str| json!({"KeyId": key, "Policy": policy});
    world.fails("PutKeyPolicy", put("not json"), ErrorCode::MalformedPolicyDocument);
    let invalid = "Policy contains a statement with one or more invalid principals.";
    let absent = allowing(&format!("arn:aws:iam::{ACCOUNT}:user/absent"), "kms:*").to_string();
    assert_eq!(
        world.fails("PutKeyPolicy", put(&absent), ErrorCode::MalformedPolicyDocument),
        format!("{invalid} arn:aws:iam::{ACCOUNT}:user/absent does not exist")
    );
    let group = allowing(&format!("arn:aws:iam::{ACCOUNT}:group/g"), "kms:*").to_string();
    assert_eq!(
        world.fails("PutKeyPolicy", put(&group), ErrorCode::MalformedPolicyDocument),
        format!("{invalid} Statement[0].Principal: arn:aws:iam::{ACCOUNT}:group/g")
    );
    let lockout = "The new key policy will not allow you to update the key policy in the future.";
    let read_only = allowing(&root_arn(), "kms:Describe*").to_string();
    assert_eq!(
        world.fails("PutKeyPolicy", put(&read_only), ErrorCode::MalformedPolicyDocument),
        lockout
    );
    assert_eq!(
        world.fails("CreateKey", json!({"Policy": read_only}), ErrorCode::MalformedPolicyDocument),
        lockout
    );
    let long = allowing(&root_arn(), "kms:*").to_string() + &" ".repeat(32_768);
    world.fails("PutKeyPolicy", put(&long), ErrorCode::LimitExceeded);
    world.fails(
        "PutKeyPolicy",
        json!({"KeyId": key, "Policy": read_only, "PolicyName": "other"}),
        ErrorCode::Validation,
    );
    let message = world.fails(
        "PutKeyPolicy",
        json!({"KeyId": key, "Policy": read_only, "PolicyName": "AWS_RAM"}),
        ErrorCode::Validation,
    );
    assert_eq!(message, "The AWS_RAM policy can only be managed by the RAM service");

    let mut bypassed = put(&read_only);
    bypassed["BypassPolicyLockoutSafetyCheck"] = json!(true);
    world.ok("PutKeyPolicy", bypassed);
    world.fails(
        "PutKeyPolicy",
        put(&allowing(&root_arn(), "kms:*").to_string()),
        ErrorCode::AccessDenied,
    );
}

#[test]
fn the_lockout_check_sees_the_key_as_it_is() {
    let world = TestWorld::new();
    let admin = world.user("admin", &["kms:*"]);
    let policy = |spec: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": root_arn()}, "Action": "kms:*", "Resource": "*",
             "Condition": {"StringEquals": {"kms:KeySpec": spec}}}
        ]})
        .to_string()
    };
    let body = json!({"Policy": policy("ECC_NIST_P256"), "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"});
    world.ok_as(&admin, "CreateKey", body);
    world.fails_as(
        &admin,
        "CreateKey",
        json!({"Policy": policy("RSA_2048")}),
        ErrorCode::MalformedPolicyDocument,
    );
}

#[test]
fn a_policy_keeps_the_ids_of_those_it_names() {
    let world = TestWorld::new();
    let (app, role) = (world.user("app", &[]), world.role("Worker"));
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": root_arn()}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": [app.arn, role, "arn:aws:iam::999988887777:user/far"]}, "Action": "kms:Encrypt", "Resource": "*"}
    ]});
    let key = world.key(json!({"Policy": policy.to_string()}));
    let name = keyward_types::KeyName {
        account: super::world::account(ACCOUNT),
        region: app.origin.region.clone(),
        key_id: keyward_types::KeyId::parse(&key).unwrap(),
    };
    let record = world.engine.store().key(&name).unwrap().unwrap();
    let ids: Vec<(&str, &str)> =
        record.policy_principals.iter().map(|(arn, id)| (arn.as_str(), id.as_str())).collect();
    assert_eq!(ids, [(role.as_str(), "AROAWorker"), (app.arn.as_str(), "AIDAapp")]);
    let body = json!({"KeyId": key, "Plaintext": "AA=="});
    world.ok_as(&app, "Encrypt", body.clone());
    // Deleted and made again, the user is another one.
    let user = world.engine.store().user(&app.account, "app").unwrap().unwrap();
    let mut made = keyward_types::UserRecord::clone(&user);
    made.user_id = "AIDAagain".to_owned();
    super::world::put(&world.engine, keyward_types::Record::User(made));
    // Who signed in before is nobody any more; who signs in now is not whom the policy names.
    world.fails_as(&app, "Encrypt", body.clone(), ErrorCode::Throttling);
    let again = std::sync::Arc::new(keyward_types::Caller {
        user_id: "AIDAagain".to_owned(),
        ..(*app).clone()
    });
    world.fails_as(&again, "Encrypt", body, ErrorCode::AccessDenied);
}

/// A front states what nobody else can know, and never what follows from the caller itself.
#[test]
fn a_trusted_front_is_believed_about_what_it_alone_knows() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let nobody = world.user("nobody", &[]);
    let condition = json!({"StringEquals": {
        "kms:ViaService": "s3.us-east-1.amazonaws.com",
        "aws:PrincipalArn": nobody.arn,
    }});
    let mut policy = allowing(&root_arn(), "kms:*");
    let through = json!({"Effect": "Allow", "Principal": {"AWS": nobody.arn}, "Action": "kms:Encrypt", "Resource": "*", "Condition": condition});
    policy["Statement"].as_array_mut().unwrap().push(through);
    world.ok("PutKeyPolicy", json!({"KeyId": key, "Policy": policy.to_string()}));
    let body = json!({"KeyId": key, "Plaintext": "aGk="});
    world.fails_as(&nobody, "Encrypt", body.clone(), ErrorCode::AccessDenied);
    let mut fronted = Caller::clone(&nobody);
    let stated = [
        ("kms:viaservice", "s3.us-east-1.amazonaws.com"),
        ("aws:principalarn", "arn:aws:iam::000000000000:root"),
    ];
    fronted.origin.trusted_facts =
        stated.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    world.ok_as(&Arc::new(fronted), "Encrypt", body);
}
