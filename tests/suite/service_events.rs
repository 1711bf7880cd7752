//! What stands in the log that nobody asked for in these words: what the service does by itself when its time has come,
//! and what a request brings about beside its own record, here and in another Region. Held against
//! `facts/cloudtrail.txt`, as the records of requests are in `fidelity.rs`.

use super::{
    facts::{FACTS, Findings},
    fidelity::{envelope, envelope_in, resources},
    requests::{self, Ready, expect, key, merged},
};
use keyward_testkit::{ACCOUNT, REGION, TestService};
use serde_json::{Value, json};

const ABROAD: &str = "eu-west-1";

#[test]
fn what_the_service_does_by_itself_has_details_and_no_request() {
    let ready = Ready::new(13);
    let service = &ready.service;
    let rotated = key(service, &json!({}));
    expect(service, "EnableKeyRotation", &json!({"KeyId": rotated, "RotationPeriodInDays": 90}));
    let deleted = key(service, &json!({}));
    expect(service, "ScheduleKeyDeletion", &json!({"KeyId": deleted, "PendingWindowInDays": 7}));
    let expired = key(service, &json!({"Origin": "EXTERNAL"}));
    let soon = service.engine.now().seconds() + 3_600;
    let import = merged(
        &requests::import(service, &expired),
        &json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": soon}),
    );
    let material = expect(service, "ImportKeyMaterial", &import).text("/KeyMaterialId");

    let mut findings = Findings::default();
    let id = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    for (days, name, arn) in [
        (1, "DeleteExpiredKeyMaterial", &expired),
        (10, "DeleteKey", &deleted),
        (90, "RotateKey", &rotated),
    ] {
        service.clock.advance_seconds(days * 86_400);
        while 0 < service.engine.tick() {}
        let events = service.events();
        let of_key = |event: &&Value| {
            event["eventName"] == name && event["resources"][0]["ARN"] == arn.as_str()
        };
        let event = events.iter().find(of_key).unwrap_or_else(|| panic!("no {name}"));
        let facts = &FACTS.service_events[name];
        let details = (!facts.details.is_empty()).then_some("serviceEventDetails");
        envelope(&mut findings, event, name, &details.into_iter().collect::<Vec<_>>());
        let said = &event["serviceEventDetails"];
        findings.object(&format!("{name}.serviceEventDetails"), &facts.details, said, None);
        findings.object(
            &format!("{name}.responseElements"),
            &facts.elements,
            &event["responseElements"],
            None,
        );
        resources(&mut findings, name, &event["resources"], &[&"key".to_owned()]);
        for (member, value) in [
            ("eventType", json!("AwsServiceEvent")),
            ("readOnly", json!(false)),
            ("requestParameters", Value::Null),
            ("sourceIPAddress", json!("AWS Internal")),
            ("userAgent", json!("AWS Internal")),
            ("recipientAccountId", json!(ACCOUNT)),
        ] {
            findings.equal(&format!("{name}.{member}"), &event[member], &value);
        }
        match name {
            "DeleteKey" => {
                findings.equal(name, &event["responseElements"]["keyId"], &json!(arn));
            }
            _ => findings.equal(name, &said["keyId"], &json!(id(arn))),
        }
        match name {
            "DeleteExpiredKeyMaterial" => {
                findings.equal(name, &said["keyMaterialId"], &json!(material));
            }
            "RotateKey" => findings.equal(name, &said["rotationType"], &json!("AUTOMATIC")),
            _ => {}
        }
    }
    let known: Vec<&str> = FACTS.service_events.keys().map(String::as_str).collect();
    let here = ["DeleteExpiredKeyMaterial", "DeleteKey", "RotateKey"];
    assert_eq!(known, [&here[..], &["SynchronizeMultiRegionKey"]].concat());
    assert!(findings.wrong.is_empty(), "{}", findings.wrong.join("\n"));
}

#[test]
fn materials_that_expire_together_have_an_event_each() {
    let service = TestService::seeded(14);
    let arn = key(&service, &json!({"Origin": "EXTERNAL"}));
    let soon = service.engine.now().seconds() + 3_600;
    let expires = json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": soon, "ImportType": "NEW_KEY_MATERIAL"});
    let mut imported: Vec<String> = [[7; 32], [8; 32]]
        .iter()
        .map(|bytes| merged(&requests::import_of(&service, &arn, bytes), &expires))
        .map(|body| expect(&service, "ImportKeyMaterial", &body).text("/KeyMaterialId"))
        .collect();
    service.clock.advance_seconds(7_200);
    while 0 < service.engine.tick() {}
    let events = service.events().into_iter();
    let events = events.filter(|event| event["eventName"] == "DeleteExpiredKeyMaterial");
    let id =
        |event: Value| event["serviceEventDetails"]["keyMaterialId"].as_str().unwrap().to_owned();
    let mut expired: Vec<String> = events.map(id).collect();
    expired.sort();
    imported.sort();
    assert_eq!(expired, imported);
}

/// The events that a request left: its own, and what stands behind it.
fn left_by(service: &TestService, operation: &str, body: &Value) -> Vec<Value> {
    let before = service.events().len();
    expect(service, operation, body);
    service.events().split_off(before)
}

/// Names and Regions.
fn named<'e>(events: &'e [Value]) -> Vec<(&'e str, &'e str)> {
    let text = |event: &'e Value, member: &str| event[member].as_str().unwrap();
    events.iter().map(|event| (text(event, "eventName"), text(event, "awsRegion"))).collect()
}

/// An internal record of a call that KMS made itself, about the primary key.
fn synchronized(findings: &mut Findings, event: &Value, primary: &str) {
    let place = "SynchronizeMultiRegionKey";
    envelope(findings, event, place, &["requestID"]);
    let facts = &FACTS.service_events[place];
    findings.object(place, &facts.elements, &event["responseElements"], None);
    resources(findings, place, &event["resources"], &[&"key".to_owned()]);
    for (member, value) in [
        ("/eventType", json!("AwsApiCall")),
        ("/readOnly", json!(false)),
        ("/requestParameters", Value::Null),
        ("/userAgent", json!("AWS Internal")),
        ("/resources/0/ARN", json!(primary)),
        ("/responseElements/keyId", json!(primary)),
    ] {
        findings.equal(&format!("{place}{member}"), event.pointer(member).unwrap(), &value);
    }
}

#[test]
fn a_rotation_on_demand_has_the_request_s_record_and_the_service_s() {
    let service = TestService::seeded(17);
    let arn = key(&service, &json!({}));
    let left = left_by(&service, "RotateKeyOnDemand", &json!({"KeyId": arn}));
    assert_eq!(named(&left), [("RotateKeyOnDemand", REGION), ("RotateKey", REGION)]);
    let event = &left[1];
    let mut findings = Findings::default();
    envelope(&mut findings, event, "RotateKey", &["serviceEventDetails"]);
    let (facts, said) = (&FACTS.service_events["RotateKey"], &event["serviceEventDetails"]);
    findings.object("RotateKey.serviceEventDetails", &facts.details, said, None);
    findings.equal("RotateKey", &said["rotationType"], &json!("ON_DEMAND"));
    findings.equal("RotateKey", &event["resources"][0]["ARN"], &json!(arn));
    findings.equal("RotateKey", &event["eventType"], &json!("AwsServiceEvent"));
    let rotations = expect(&service, "ListKeyRotations", &json!({"KeyId": arn}));
    let current = rotations.text("/Rotations/0/KeyMaterialId");
    findings.equal("RotateKey", &said["currentKeyMaterialId"], &json!(current));
    assert_ne!(said["previousKeyMaterialId"], said["currentKeyMaterialId"]);
    assert!(findings.wrong.is_empty(), "{}", findings.wrong.join("\n"));

    // Refused, it leaves its own alone.
    expect(&service, "DisableKey", &json!({"KeyId": arn}));
    let before = service.events().len();
    let answer = service.kms(&service.root(), "RotateKeyOnDemand", &json!({"KeyId": arn}));
    assert_eq!(answer.code(), "DisabledException");
    let left = service.events().split_off(before);
    assert_eq!(named(&left), [("RotateKeyOnDemand", REGION)]);
}

/// A replica is made in its own Region, and what related keys share is copied to it, now and at each change.
#[test]
fn related_keys_leave_records_in_both_regions() {
    let service = TestService::seeded(18);
    let primary = key(&service, &json!({"MultiRegion": true}));
    let replica = primary.replace(REGION, ABROAD);
    let mut findings = Findings::default();
    let administrator = service.user(
        "administrator",
        &json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}),
    );
    let before = service.events().len();
    let asked = json!({
        "KeyId": primary, "ReplicaRegion": ABROAD, "Description": "abroad",
        "Tags": [{"TagKey": "a", "TagValue": "b"}],
    });
    assert_eq!(service.kms(&administrator, "ReplicateKey", &asked).code(), "200");
    let left = service.events().split_off(before);
    let [own, created, copied] = left.as_slice() else { panic!("{:?}", named(&left)) };
    assert_eq!(
        named(&left),
        [("ReplicateKey", REGION), ("CreateKey", ABROAD), ("SynchronizeMultiRegionKey", REGION)]
    );
    let ordinary = ["requestID", "additionalEventData"];
    envelope_in(&mut findings, created, "CreateKey", &ordinary, ABROAD);
    let facts = &FACTS.operations["CreateKey"];
    for (member, names) in [
        ("requestParameters", &facts.parameters),
        ("responseElements", &facts.elements),
        ("additionalEventData", &facts.additional),
    ] {
        findings.object(&format!("CreateKey.{member}"), names, &created[member], None);
    }
    for (pointer, value) in [
        ("/userIdentity", &own["userIdentity"]),
        ("/sourceIPAddress", &own["sourceIPAddress"]),
        ("/additionalEventData/originalRequestID", &own["requestID"]),
        ("/resources/0/ARN", &json!(replica)),
        ("/responseElements/keyMetadata/arn", &json!(replica)),
        ("/requestParameters/description", &json!("abroad")),
        ("/requestParameters/multiRegion", &json!(true)),
        ("/requestParameters/tags", &json!([{"tagKey": "a", "tagValue": "b"}])),
        ("/additionalEventData/policyDecision/0/action", &json!("kms:CreateKey")),
    ] {
        let said = created.pointer(pointer).unwrap_or(&Value::Null);
        findings.equal(&format!("CreateKey{pointer}"), said, value);
    }
    // A request id names the request's own record alone.
    assert_ne!(created["requestID"], own["requestID"]);
    synchronized(&mut findings, copied, &primary);

    // Settings of the rotation, and rotations, are shared.
    for (operation, body, then) in [
        ("EnableKeyRotation", json!({"KeyId": primary}), &[][..]),
        ("DisableKeyRotation", json!({"KeyId": primary}), &[]),
        ("RotateKeyOnDemand", json!({"KeyId": primary}), &["RotateKey"]),
    ] {
        let left = left_by(&service, operation, &body);
        let names: Vec<&str> = named(&left).into_iter().map(|(name, _)| name).collect();
        let [first, more @ ..] = names.as_slice() else { panic!("{operation} left nothing") };
        assert_eq!(*first, operation);
        let mut more = more.to_vec();
        more.sort_unstable();
        assert_eq!(more, [then, &["SynchronizeMultiRegionKey"]].concat(), "{operation}");
        let copied = left.iter().find(|event| event["eventName"] == "SynchronizeMultiRegionKey");
        synchronized(&mut findings, copied.unwrap(), &primary);
    }
    // What belongs to one key alone is not.
    let body = json!({"KeyId": primary, "Description": "changed"});
    assert_eq!(left_by(&service, "UpdateKeyDescription", &body).len(), 1);

    // Each of the two Regions tells of its own key.
    let left = left_by(
        &service,
        "UpdatePrimaryRegion",
        &json!({"KeyId": primary, "PrimaryRegion": ABROAD}),
    );
    let both = [("UpdatePrimaryRegion", REGION), ("UpdatePrimaryRegion", ABROAD)];
    assert_eq!(named(&left), both);
    for (event, region, arn) in [(&left[0], REGION, &primary), (&left[1], ABROAD, &replica)] {
        envelope_in(&mut findings, event, "UpdatePrimaryRegion", &ordinary, region);
        resources(&mut findings, region, &event["resources"], &[&"key".to_owned()]);
        findings.equal(region, &event["resources"][0]["ARN"], &json!(arn));
        findings.equal(region, &event["responseElements"]["keyId"], &json!(arn));
        findings.equal(region, &event["requestParameters"], &left[0]["requestParameters"]);
    }
    findings.equal(ABROAD, &left[1]["userAgent"], &json!("AWS Internal"));
    assert!(findings.wrong.is_empty(), "{}", findings.wrong.join("\n"));
}

/// A rotation that is due copies its material as one that was asked for does.
#[test]
fn an_automatic_rotation_is_copied_to_related_keys() {
    let service = TestService::seeded(19);
    let primary = key(&service, &json!({"MultiRegion": true}));
    expect(&service, "ReplicateKey", &json!({"KeyId": primary, "ReplicaRegion": ABROAD}));
    let body = json!({"KeyId": primary, "RotationPeriodInDays": 90});
    expect(&service, "EnableKeyRotation", &body);
    let before = service.events().len();
    service.clock.advance_seconds(91 * 86_400);
    while 0 < service.engine.tick() {}
    let left = service.events().split_off(before);
    assert_eq!(
        named(&left),
        [("RotateKey", REGION), ("SynchronizeMultiRegionKey", REGION)],
        "one of each, in the primary key's Region"
    );
    let mut findings = Findings::default();
    synchronized(&mut findings, &left[1], &primary);
    assert!(findings.wrong.is_empty(), "{}", findings.wrong.join("\n"));
}

/// A key that was deleted is gone, so that a clock which is wrong for a moment must not do it.
#[test]
fn a_clock_that_leapt_deletes_no_key_before_it_has_stood() {
    const YEARS: i64 = 3_650 * 86_400;
    let service = TestService::seeded(20);
    let arn = key(&service, &json!({}));
    expect(&service, "ScheduleKeyDeletion", &json!({"KeyId": arn, "PendingWindowInDays": 7}));
    assert_eq!(service.engine.tick(), 0);
    service.clock.jump_seconds(YEARS);
    assert_eq!(service.engine.tick(), 0);
    service.clock.advance_seconds(23 * 3_600);
    assert_eq!(service.engine.tick(), 0);
    // Set right again, the key waits as it did.
    service.clock.jump_seconds(-YEARS);
    assert_eq!(service.engine.tick(), 0);
    let state = || {
        let described = expect(&service, "DescribeKey", &json!({"KeyId": arn}));
        described.text("/KeyMetadata/KeyState")
    };
    assert_eq!(state(), "PendingDeletion");
    service.clock.advance_seconds(5 * 86_400);
    assert_eq!((service.engine.tick(), state().as_str()), (0, "PendingDeletion"));
    service.clock.advance_seconds(2 * 86_400);
    assert_eq!(service.engine.tick(), 1);
    let events = service.events();
    assert_eq!(events.last().unwrap()["eventName"], "DeleteKey");
}
