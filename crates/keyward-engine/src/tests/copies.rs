//! Events that two accounts receive: the caller's own, and the copy of the owner of a key or role.

use super::world::{ACCOUNT, OTHER, TestWorld};
use crate::Service as Api;
use keyward_types::ErrorCode;
use serde_json::{Value, json};

#[test]
fn the_owner_of_a_key_gets_a_copy_of_what_another_account_did_with_it() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}");
    let theirs = world.other_root();
    let encrypt = json!({"KeyId": arn, "Plaintext": "aGk=", "EncryptionContext": {"for": "them"}});
    // A refusal is told to the caller's account alone.
    world.fails_as(&theirs, "Encrypt", encrypt.clone(), ErrorCode::AccessDenied);
    let refused = world.events(2);
    assert_eq!(refused[0]["recipientAccountId"], OTHER);
    assert!(refused[0].get("sharedEventID").is_none());
    assert_ne!(refused[1]["eventName"], "Encrypt");

    world.set_key_policy(&key, &json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Own", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Partner", "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "kms:Encrypt", "Resource": "*"},
    ]}));
    let before = world.engine.store().events_total();
    world.ok_as(&theirs, "Encrypt", encrypt);
    assert_eq!(world.engine.store().events_total(), before + 2);
    let events = world.events(2);
    let (copy, own) = (&events[0], &events[1]);
    assert_eq!(
        (&own["recipientAccountId"], &copy["recipientAccountId"]),
        (&json!(OTHER), &json!(ACCOUNT))
    );
    assert_eq!(own["userIdentity"]["type"], "Root");
    assert_eq!(
        copy["userIdentity"],
        json!({"type": "AWSAccount", "principalId": OTHER, "accountId": OTHER})
    );
    assert_eq!(own["sharedEventID"], copy["sharedEventID"]);
    assert!(own["sharedEventID"].is_string() && own["eventID"] != copy["eventID"]);
    for member in
        ["eventTime", "eventName", "requestID", "requestParameters", "resources", "readOnly"]
    {
        assert_eq!(own[member], copy[member], "{member}");
    }
    // The owner sees which of its statements allowed, and nothing of the caller's own policies.
    let layers = copy["additionalEventData"]["policyDecision"][0]["layers"].as_array().unwrap();
    let names: Vec<&Value> = layers.iter().map(|layer| &layer["layer"]).collect();
    assert_eq!(names, [&json!("KeyPolicy")]);
    assert_eq!(layers[0]["matched"][0]["sid"], "Partner");
    // At home there is one event.
    world.ok("Encrypt", json!({"KeyId": arn, "Plaintext": "aGk="}));
    assert_eq!(world.engine.store().events_total(), before + 3);
    assert!(world.last_event().get("sharedEventID").is_none());
}

/// Of two keys of two owners each hears of its own side.
#[test]
fn the_owner_of_one_key_does_not_hear_of_the_other_key_of_a_re_encryption() {
    let world = TestWorld::new();
    let (theirs, key) = (world.other_root(), world.symmetric());
    let arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}");
    world.set_key_policy(&key, &json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, OTHER]}, "Action": "kms:*", "Resource": "*"},
    ]}));
    let own = world.ok_as(&theirs, "CreateKey", json!({}))["KeyMetadata"]["Arn"].clone();
    let sealed = world.ok_as(
        &theirs,
        "Encrypt",
        json!({"KeyId": own, "Plaintext": "aGk=", "EncryptionContext": {"tenant": "theirs"}}),
    );
    world.ok_as(
        &theirs,
        "ReEncrypt",
        json!({
            "CiphertextBlob": sealed["CiphertextBlob"], "SourceKeyId": own, "DestinationKeyId": arn,
            "SourceEncryptionContext": {"tenant": "theirs"}, "DestinationEncryptionContext": {"for": "us"},
        }),
    );
    let copy = world.last_event();
    assert_eq!(
        (&copy["eventName"], &copy["recipientAccountId"]),
        (&json!("ReEncrypt"), &json!(ACCOUNT))
    );
    assert_eq!(
        copy["requestParameters"],
        json!({
            "destinationKeyId": arn, "destinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "destinationEncryptionContext": {"for": "us"},
        })
    );
    let additional = copy["additionalEventData"].as_object().unwrap();
    assert!(additional.contains_key("destinationKeyMaterialId"));
    assert!(!additional.contains_key("sourceKeyMaterialId"));
    assert!(!copy.to_string().contains("theirs"), "{copy}");
    let whole = &world.events(2)[1];
    assert_eq!(whole["requestParameters"]["sourceEncryptionContext"]["tenant"], "theirs");
}

/// Who comes in by a role comes from somewhere, and the account of the role hears it.
#[test]
fn the_account_of_a_role_gets_a_copy_of_who_assumed_it() {
    let world = TestWorld::new();
    let theirs = world.other_root();
    let eve = world.user("eve", &["sts:AssumeRole"]);
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": eve.arn}, "Action": "sts:AssumeRole"},
    ]});
    let role = json!({"RoleName": "shared", "AssumeRolePolicyDocument": trust.to_string()});
    world.call_of(Api::Iam, &theirs, "CreateRole", &role).unwrap();
    let arn = format!("arn:aws:iam::{OTHER}:role/shared");
    let assume = json!({"RoleArn": arn, "RoleSessionName": "one"});
    world.call_of(Api::Sts, &eve, "AssumeRole", &assume).unwrap();
    let events = world.events(2);
    let (copy, own) = (&events[0], &events[1]);
    assert_eq!(
        (&own["recipientAccountId"], &copy["recipientAccountId"]),
        (&json!(ACCOUNT), &json!(OTHER))
    );
    assert_eq!(own["userIdentity"]["type"], "IAMUser");
    assert_eq!(
        copy["userIdentity"],
        json!({"type": "AWSAccount", "principalId": eve.user_id, "accountId": ACCOUNT})
    );
    assert!(own["sharedEventID"].is_string() && own["sharedEventID"] == copy["sharedEventID"]);
    // The session that it made is named, so that what it did is found from here.
    let session = &copy["responseElements"]["assumedRoleUser"]["arn"];
    assert_eq!(session, &json!(format!("arn:aws:sts::{OTHER}:assumed-role/shared/one")));
    // Refused, it is the caller's account's business alone.
    let stranger = world.user("stranger", &["sts:AssumeRole"]);
    world.call_of(Api::Sts, &stranger, "AssumeRole", &assume).unwrap_err();
    assert_eq!(world.last_event()["recipientAccountId"], ACCOUNT);
}
