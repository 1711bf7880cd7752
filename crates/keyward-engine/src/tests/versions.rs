//! Versions of keys, and which one a ciphertext is of.

use super::world::TestWorld;
use keyward_types::ErrorCode;
use serde_json::{Value, json};

#[test]
fn versions_are_materials_and_a_ciphertext_names_its_own() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let encrypt = || {
        world.ok("Encrypt", json!({"KeyId": key, "Plaintext": "aGk="}))["CiphertextBlob"].clone()
    };
    let old = encrypt();
    let list = |body: Value| world.own_ok("ListKeyVersions", &body);
    let first = list(json!({"KeyId": key}));
    let only = &first["Versions"][0];
    assert_eq!(
        (&only["Version"], &only["State"], &only["Present"]),
        (&json!(1), &json!("CURRENT"), &json!(true))
    );
    assert!(only.get("RotationDate").is_none() && first["Truncated"] == false);

    world.ok("RotateKeyOnDemand", json!({"KeyId": key}));
    let new = encrypt();
    let page = list(json!({"KeyId": key, "Limit": 1}));
    assert_eq!(page["Versions"][0]["KeyMaterialId"], only["KeyMaterialId"]);
    assert_eq!(page["Versions"][0]["State"], "NON_CURRENT");
    // A rotation meanwhile shifts no page.
    world.ok("RotateKeyOnDemand", json!({"KeyId": key}));
    let rest = list(json!({"KeyId": key, "Marker": page["NextMarker"]}));
    assert_eq!(rest["Versions"][0]["Version"], 2);
    assert_eq!(rest["Versions"][0]["RotationType"], "ON_DEMAND");
    assert_eq!(rest["Versions"][1]["State"], "CURRENT");

    let inspect =
        |blob: &Value| world.own_ok("InspectCiphertext", &json!({"CiphertextBlob": blob}));
    let (one, two) = (inspect(&old), inspect(&new));
    assert_eq!((&one["Version"]["Version"], &one["Current"]), (&json!(1), &json!(false)));
    assert_eq!((&two["Version"]["Version"], &two["Current"]), (&json!(2), &json!(false)));
    assert_eq!(inspect(&encrypt())["Current"], true);
    assert_eq!(one["KeyId"], format!("arn:aws:kms:us-east-1:111122223333:key/{key}"));
    let event = world.last_event();
    assert_eq!(event["eventName"], "InspectCiphertext");
    assert_eq!(event["resources"][0]["ARN"], one["KeyId"]);
    assert!(!event.to_string().contains(old.as_str().unwrap()));
}

#[test]
fn they_are_shown_to_who_may_see_the_same_at_aws() {
    let world = TestWorld::new();
    let signer = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    let listed = world.own_ok("ListKeyVersions", &json!({"KeyId": signer}));
    assert_eq!(listed["Versions"].as_array().map(Vec::len), Some(1));
    let key = world.symmetric();
    let blob =
        world.ok("Encrypt", json!({"KeyId": key, "Plaintext": "aGk="}))["CiphertextBlob"].clone();
    let (nobody, lister) =
        (world.user("nobody", &[]), world.user("lister", &["kms:ListKeyRotations"]));
    let stranger = world.other_root();
    let versions = json!({"KeyId": key});
    let inspect = json!({"CiphertextBlob": blob});
    let code = |caller, operation, body: &Value| {
        world.own(caller, operation, body).map_err(|error| error.code)
    };
    assert!(code(&lister, "ListKeyVersions", &versions).is_ok());
    for (caller, operation, body) in [
        (&nobody, "ListKeyVersions", &versions),
        (&nobody, "InspectCiphertext", &inspect),
        (&lister, "InspectCiphertext", &inspect),
        (&stranger, "InspectCiphertext", &inspect),
    ] {
        assert_eq!(
            code(caller, operation, body).unwrap_err(),
            ErrorCode::AccessDenied,
            "{operation}"
        );
    }
    let garbled = json!({"CiphertextBlob": "AAAA"});
    assert_eq!(
        code(&world.root, "InspectCiphertext", &garbled).unwrap_err(),
        ErrorCode::InvalidCiphertext
    );
}
