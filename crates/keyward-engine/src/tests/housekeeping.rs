//! Rotation, and what the service does by itself when its time has come.

use super::world::{DAY, TestWorld, arn, blob, bytes};
use keyward_types::ErrorCode;
use serde_json::json;

#[test]
fn rotation_is_switched_on_and_off() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let status = || world.ok("GetKeyRotationStatus", json!({"KeyId": key}));
    assert_eq!(status(), json!({"KeyId": arn(&key), "KeyRotationEnabled": false}));
    world.ok("EnableKeyRotation", json!({"KeyId": key}));
    assert_eq!(status()["RotationPeriodInDays"], 365);
    world.ok("EnableKeyRotation", json!({"KeyId": key, "RotationPeriodInDays": 90}));
    assert_eq!(status()["RotationPeriodInDays"], 90);
    assert!(status()["NextRotationDate"].is_number());
    world.fails(
        "EnableKeyRotation",
        json!({"KeyId": key, "RotationPeriodInDays": 89}),
        ErrorCode::Validation,
    );
    let nobody = world.user("nobody", &[]);
    for operation in [
        "EnableKeyRotation",
        "DisableKeyRotation",
        "GetKeyRotationStatus",
        "RotateKeyOnDemand",
        "ListKeyRotations",
    ] {
        world.fails_as(&nobody, operation, json!({"KeyId": key}), ErrorCode::AccessDenied);
    }
    world.ok("ScheduleKeyDeletion", json!({"KeyId": key}));
    assert_eq!(status()["KeyRotationEnabled"], false);
    world.ok("CancelKeyDeletion", json!({"KeyId": key}));
    assert_eq!(status()["KeyRotationEnabled"], true);
    world.fails("DisableKeyRotation", json!({"KeyId": key}), ErrorCode::Disabled);
    world.ok("EnableKey", json!({"KeyId": key}));
    world.ok("DisableKeyRotation", json!({"KeyId": key}));
    assert_eq!(status()["KeyRotationEnabled"], false);

    let ecc = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    for operation in
        ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand", "ListKeyRotations"]
    {
        assert_eq!(
            world.fails(operation, json!({"KeyId": ecc}), ErrorCode::UnsupportedOperation),
            ""
        );
    }
    assert_eq!(
        world.ok("GetKeyRotationStatus", json!({"KeyId": ecc}))["KeyRotationEnabled"],
        false
    );
}

#[test]
fn old_ciphertexts_open_after_rotation_and_new_ones_use_new_material() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let seal = || world.ok("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"}));
    let old = seal();
    assert_eq!(world.ok("RotateKeyOnDemand", json!({"KeyId": key}))["KeyId"], arn(&key));
    let new = seal();
    assert_ne!(old["KeyMaterialId"], new["KeyMaterialId"]);
    for made in [&old, &new] {
        assert_eq!(
            world.ok("Decrypt", json!({"CiphertextBlob": made["CiphertextBlob"]}))["Plaintext"],
            made["Plaintext"]
        );
    }
    let listed = world
        .ok("ListKeyRotations", json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}));
    let (first, second) = (&listed["Rotations"][0], &listed["Rotations"][1]);
    assert_eq!(first["KeyMaterialId"], old["KeyMaterialId"]);
    assert_eq!(first["KeyMaterialState"], "NON_CURRENT");
    assert!(first.get("RotationDate").is_none() && first.get("RotationType").is_none());
    assert_eq!(second["KeyMaterialState"], "CURRENT");
    assert_eq!(second["RotationType"], "ON_DEMAND");
    for _ in 1..25 {
        world.ok("RotateKeyOnDemand", json!({"KeyId": key}));
    }
    let message = world.fails("RotateKeyOnDemand", json!({"KeyId": key}), ErrorCode::LimitExceeded);
    assert!(message.ends_with(&arn(&key)), "{message}");
    world.ok("DisableKey", json!({"KeyId": key}));
    world.fails("RotateKeyOnDemand", json!({"KeyId": key}), ErrorCode::Disabled);
}

#[test]
fn keys_rotate_when_it_is_time_and_say_so() {
    let world = TestWorld::new();
    let (key, asleep) = (world.symmetric(), world.symmetric());
    for key in [&key, &asleep] {
        world.ok("EnableKeyRotation", json!({"KeyId": key, "RotationPeriodInDays": 90}));
    }
    world.ok("DisableKey", json!({"KeyId": asleep}));
    let sealed = world.ok("Encrypt", json!({"KeyId": key, "Plaintext": blob("old")}));
    assert_eq!(world.engine.tick(), 0);
    world.pass(90 * DAY - 600_000);
    world.fails("RotateKeyOnDemand", json!({"KeyId": key}), ErrorCode::Conflict);
    world.pass(600_000);
    assert_eq!(world.engine.tick(), 1);
    let event = world.last_event();
    assert_eq!(event["eventName"], "RotateKey");
    assert_eq!(event["eventType"], "AwsServiceEvent");
    assert_eq!(event["resources"][0]["ARN"], arn(&key));
    assert_eq!(event["serviceEventDetails"]["rotationType"], "AUTOMATIC");
    let rotations = world.ok("ListKeyRotations", json!({"KeyId": key}));
    assert_eq!(rotations["Rotations"][0]["RotationType"], "AUTOMATIC");
    assert_eq!(
        rotations["Rotations"][0]["KeyMaterialId"],
        event["serviceEventDetails"]["currentKeyMaterialId"]
    );
    let opened = world.ok("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}));
    assert_eq!(bytes(&opened, "Plaintext"), b"old");
    assert_eq!(world.engine.tick(), 0);
    // The one that slept is rotated once it is awake, without waiting for the next look.
    world.ok("EnableKey", json!({"KeyId": asleep}));
    assert_eq!(world.engine.tick(), 1);
    world.pass(90 * DAY);
    assert_eq!(world.engine.tick(), 2);
}

#[test]
fn a_key_is_deleted_with_all_that_hangs_on_it() {
    let world = TestWorld::new();
    let (key, app) = (world.symmetric(), world.user("app", &[]));
    world.ok("CreateAlias", json!({"AliasName": "alias/app", "TargetKeyId": key}));
    world.ok("CreateGrant", json!({"KeyId": key, "GranteePrincipal": app.arn, "RetiringPrincipal": app.arn, "Operations": ["Encrypt"]}));
    world.ok("RotateKeyOnDemand", json!({"KeyId": key}));
    let sealed = world.ok("Encrypt", json!({"KeyId": key, "Plaintext": blob("x")}));
    let name = keyward_types::KeyName {
        account: app.account.clone(),
        region: app.origin.region.clone(),
        key_id: keyward_types::KeyId::parse(&key).unwrap(),
    };
    let materials = world.engine.store().key(&name).unwrap().unwrap().materials.clone();
    assert_eq!(materials.len(), 2);
    world.ok("ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7}));
    world.pass(7 * DAY - 60_000);
    assert_eq!(world.engine.tick(), 0);
    world.pass(120_000);
    assert_eq!(world.engine.tick(), 1);
    let event = world.last_event();
    assert_eq!(
        (&event["eventName"], &event["eventType"]),
        (&json!("DeleteKey"), &json!("AwsServiceEvent"))
    );
    assert!(event.get("requestID").is_none());

    let store = world.engine.store();
    assert!(store.key(&name).unwrap().is_none());
    assert!(store.dek(&name).unwrap().is_none());
    assert!(materials.iter().all(|info| store.material(&name, &info.id).unwrap().is_none()));
    world.fails("DescribeKey", json!({"KeyId": key}), ErrorCode::NotFound);
    world.fails("DescribeKey", json!({"KeyId": "alias/app"}), ErrorCode::NotFound);
    world.fails(
        "Decrypt",
        json!({"CiphertextBlob": sealed["CiphertextBlob"]}),
        ErrorCode::InvalidCiphertext,
    );
    assert_eq!(world.ok("ListAliases", json!({}))["Aliases"], json!([]));
    assert_eq!(
        world.ok("ListRetirableGrants", json!({"RetiringPrincipal": app.arn}))["Grants"],
        json!([])
    );
    assert_eq!(world.engine.tick(), 0);
}

#[test]
fn a_cancelled_deletion_does_not_happen() {
    let world = TestWorld::new();
    let key = world.symmetric();
    world.ok("ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7}));
    assert_eq!(world.engine.tick(), 0);
    world.ok("CancelKeyDeletion", json!({"KeyId": key}));
    world.pass(8 * DAY);
    assert_eq!(world.engine.tick(), 0);
    world.ok("DescribeKey", json!({"KeyId": key}));
}
