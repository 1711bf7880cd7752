//! Events that two accounts receive: the caller's own, and the copy of a key's owner.

use super::world::{ACCOUNT, OTHER, TestWorld};
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
