//! What was used, through the pipeline: a user that may do everything, what it uses, and what would be enough.
//! Random worlds are in `tests/suite/usage.rs`.

use super::world::{TestWorld, arn, blob};
use keyward_types::{Caller, ErrorCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// One run of the application: three requests that nobody may refuse.
fn run(world: &TestWorld, app: &Arc<Caller>, key: &str, number: usize) {
    let context = json!({"App": "billing", "Tenant": format!("t{}", number % 3)});
    let body = json!({"KeyId": key, "Plaintext": blob("x"), "EncryptionContext": context});
    let sealed = world.ok_as(app, "Encrypt", body)["CiphertextBlob"].clone();
    let open = json!({"CiphertextBlob": sealed, "EncryptionContext": context});
    world.ok_as(app, "Decrypt", open);
    world.ok_as(app, "ListKeys", json!({}));
}

fn use_of<'r>(report: &'r Value, level: &str, name: &str) -> &'r Value {
    let uses = report["Uses"].as_array().unwrap();
    uses.iter()
        .find(|one| one["Level"] == level && (one["Name"] == name || one["On"] == name))
        .unwrap_or_else(|| panic!("no {level} {name} in {report:#}"))
}

#[test]
fn what_was_used_becomes_the_policy_and_nothing_else_is_allowed() {
    let world = TestWorld::new();
    let (key, other) = (world.symmetric(), world.symmetric());
    let app = world.user("app", &["kms:*"]);
    (0..25).for_each(|number| run(&world, &app, &key, number));

    let unused = world.own_ok("FindUnused", &json!({}));
    let statements: Vec<&Value> = unused["Uses"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["Level"] == "Statement" && one["On"] == app.arn.as_str())
        .collect();
    assert_eq!(statements.len(), 1, "{unused:#}");
    assert_eq!(statements[0]["Findings"], json!(["OverBroad"]));
    assert_eq!((&statements[0]["Uses"], &statements[0]["Actions"][1]), (&json!(75), &json!(3)));
    assert_eq!(use_of(&unused, "Key", &arn(&other))["Findings"], json!(["NeverUsed"]));
    assert_eq!(use_of(&unused, "Key", &arn(&key))["Findings"], json!([]));

    let wanted = json!({"Principals": ["user/app"]});
    let report = world.own_ok("GeneratePolicies", &wanted);
    let policy = report["Proposals"][0]["Policy"].clone();
    let statements = policy["Statement"].as_array().unwrap();
    let of_key = statements.iter().find(|one| one["Resource"] == arn(&key)).unwrap();
    assert_eq!(of_key["Action"], json!(["kms:Decrypt", "kms:Encrypt"]), "{report:#}");
    assert_eq!(
        of_key["Condition"],
        json!({
            "StringEquals": {"kms:EncryptionContext:App": "billing"},
            "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["App", "Tenant"]},
        })
    );
    assert_eq!(statements.len(), 2, "{policy:#}");

    let supposed =
        json!({"IdentityPolicies": [{"Principal": "user/app", "Policies": [policy.to_string()]}]});
    let replay = world.own_ok("ReplayPolicies", &supposed);
    assert_eq!(
        (&replay["NewlyDenied"], &replay["NewlyAllowed"]),
        (&json!(0), &json!(0)),
        "{replay:#}"
    );

    world.allow("app", &policy);
    (0..25).for_each(|number| run(&world, &app, &key, number));
    let plain = |key: &str| json!({"KeyId": key, "Plaintext": blob("x")});
    for (operation, body) in [
        ("Encrypt", plain(&key)),
        ("Encrypt", plain(&other)),
        ("ScheduleKeyDeletion", json!({"KeyId": key})),
        ("CreateKey", json!({})),
    ] {
        world.fails_as(&app, operation, body, ErrorCode::AccessDenied);
    }
}

#[test]
fn a_replay_counts_what_would_change_and_decides_each_question_once() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let app = world.user("app", &["kms:*"]);
    (0..12).for_each(|number| run(&world, &app, &key, number));
    let nothing = world.own_ok("ReplayPolicies", &json!({}));
    assert_eq!(
        (&nothing["Changes"], &nothing["NewlyDenied"]),
        (&json!([]), &json!(0)),
        "{nothing:#}"
    );
    // No policy reads the encryption context, so that the twelve runs are three questions.
    let of_app = nothing["Distinct"].as_u64().unwrap();
    let narrow = json!({"Version": "2012-10-17", "Statement": {"Sid": "One", "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:Tenant": "t0"}}}});
    let supposed =
        json!({"IdentityPolicies": [{"Principal": "user/app", "Policies": [narrow.to_string()]}]});
    let replay = world.own_ok("ReplayPolicies", &supposed);
    // Two of three tenants, each with Encrypt and Decrypt, and every ListKeys, which has no context.
    assert_eq!(replay["NewlyDenied"], 2 * 8 + 12, "{replay:#}");
    // Encrypt and Decrypt are now one question for each tenant.
    assert_eq!(replay["Distinct"].as_u64().unwrap(), of_app + 4);
    let change = &replay["Changes"][0];
    assert_eq!(
        (&change["Change"], &change["Action"]),
        (&json!("NewlyDenied"), &json!("kms:ListKeys"))
    );
    assert_eq!((&change["Count"], &change["AlreadyInForce"]), (&json!(12), &json!(false)));
    assert_eq!(change["Samples"].as_array().unwrap().len(), 3);

    world.allow("app", &narrow);
    let after = world.own_ok("ReplayPolicies", &json!({}));
    assert_eq!(after["NewlyDenied"], replay["NewlyDenied"]);
    let in_force = after["Changes"].as_array().unwrap().iter();
    assert!(in_force.map(|one| &one["AlreadyInForce"]).all(|one| *one == json!(true)), "{after:#}");
}

#[test]
fn grants_take_over_what_iam_gave() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let app = world.user("app", &["kms:*"]);
    for _ in 0..20 {
        let context = json!({"App": "billing"});
        let body = json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context});
        world.ok_as(&app, "GenerateDataKey", body);
    }
    world.ok_as(&app, "ListKeys", json!({}));
    let report = world.own_ok("GeneratePolicies", &json!({"As": "Grants"}));
    let of = |kind: &str| {
        let all = report["Proposals"].as_array().unwrap();
        all.iter().find(|one| one["Kind"] == kind).unwrap_or_else(|| panic!("{report:#}")).clone()
    };
    assert_eq!(
        of("Grants")["Grants"],
        json!([{"KeyId": arn(&key), "Operations": ["GenerateDataKey"], "GranteePrincipal": app.arn, "Constraints": {"EncryptionContextEquals": {"App": "billing"}}}])
    );
    let left = of("Identity")["Policy"]["Statement"].clone();
    assert_eq!(
        (&left[0]["Action"], &left[1]),
        (&json!("kms:ListKeys"), &Value::Null),
        "{report:#}"
    );
    assert_eq!(report["Replay"]["NewlyDenied"], 0);
}
