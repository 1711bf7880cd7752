//! P1 to P8 of `crates/README.md`, each as a test that can fail.
//!
//! P3 and P4 under crashes are in `crash.rs`; that P1's `Call` cannot be made elsewhere is the compiler's.

use keyward_testkit::{TestService, doors::Answer};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Barrier},
    thread,
};

fn key(service: &TestService) -> (String, String) {
    let answer = service.kms(&service.root(), "CreateKey", &json!({}));
    (answer.text("/KeyMetadata/KeyId"), answer.text("/KeyMetadata/Arn"))
}

/// P1: nothing of an operation happens for a caller that is not allowed, or on a key that is not fit.
#[test]
fn p1_no_operation_without_authorization_and_fitness() {
    let service = TestService::start();
    let (id, _) = key(&service);
    let stranger = service.user("stranger", &json!({}));
    let before = service.kms(&service.root(), "DescribeKey", &json!({"KeyId": id}));
    for (operation, body) in [
        ("DisableKey", json!({"KeyId": id})),
        ("ScheduleKeyDeletion", json!({"KeyId": id})),
        ("TagResource", json!({"KeyId": id, "Tags": [{"TagKey": "a", "TagValue": "b"}]})),
        ("CreateAlias", json!({"AliasName": "alias/mine", "TargetKeyId": id})),
        (
            "CreateGrant",
            json!({"KeyId": id, "GranteePrincipal": "arn:aws:iam::000000000000:user/stranger", "Operations": ["Decrypt"]}),
        ),
        ("Encrypt", json!({"KeyId": id, "Plaintext": "aGk="})),
        ("CreateKey", json!({})),
        ("ListKeys", json!({})),
        ("GenerateRandom", json!({"NumberOfBytes": 8})),
    ] {
        assert_eq!(
            service.kms(&stranger, operation, &body).code(),
            "AccessDeniedException",
            "{operation}"
        );
    }
    assert_eq!(service.kms(&service.root(), "DescribeKey", &json!({"KeyId": id})), before);
    assert_eq!(
        service.kms(&service.root(), "ListGrants", &json!({"KeyId": id})).text("/Grants"),
        "[]"
    );
}

/// P2: one event for every authenticated attempt, however it ends, and none for a stranger.
#[test]
fn p2_one_event_for_each_attempt() {
    let service = TestService::start();
    let root = service.root();
    let (id, _) = key(&service);
    let before = service.events().len();
    let attempts = [
        ("Encrypt", json!({"KeyId": id, "Plaintext": "aGk="}), "200"),
        ("Encrypt", json!({"KeyId": id}), "ValidationException"),
        ("Encrypt", json!({"KeyId": 5}), "SerializationException"),
        ("Encrypt", json!("not an object"), "SerializationException"),
        ("Decrypt", json!({"CiphertextBlob": "AAAA"}), "InvalidCiphertextException"),
        ("DescribeKey", json!({"KeyId": "nothing"}), "NotFoundException"),
        (
            "Encrypt",
            json!({"KeyId": id, "Plaintext": "aGk=", "DryRun": true}),
            "DryRunOperationException",
        ),
    ];
    for (operation, body, code) in &attempts {
        assert_eq!(service.kms(&root, operation, body).code(), *code, "{operation} {body}");
    }
    let events = service.events();
    assert_eq!(events.len(), before + attempts.len());
    for ((operation, _, code), event) in attempts.iter().zip(&events[before..]) {
        assert_eq!(event["eventName"], *operation);
        assert_eq!(event["errorCode"].as_str().unwrap_or("200"), *code);
    }
    let mut forged = root;
    forged.secret_access_key = "wrong".to_owned();
    let headers =
        [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "TrentService.ListKeys")];
    let (status, body) = service.http("POST", "/", &headers, b"{}", &forged);
    assert_eq!(status, 400);
    assert!(body.contains("InvalidSignatureException"), "{body}");
    assert_eq!(service.events().len(), events.len(), "a stranger must not fill the log");
}

/// P3: a change and its event are in the log and the store together.
#[test]
fn p3_a_change_has_its_event() {
    let service = TestService::start();
    let (id, arn) = key(&service);
    service.kms(
        &service.root(),
        "UpdateKeyDescription",
        &json!({"KeyId": id, "Description": "changed"}),
    );
    let described = service.kms(&service.root(), "DescribeKey", &json!({"KeyId": id}));
    assert_eq!(described.text("/KeyMetadata/Description"), "changed");
    let named = |event: &Value, name: &str| {
        event["eventName"] == name && event["resources"][0]["ARN"] == arn.as_str()
    };
    let events = service.events();
    assert_eq!(events.iter().filter(|event| named(event, "CreateKey")).count(), 1);
    assert_eq!(events.iter().filter(|event| named(event, "UpdateKeyDescription")).count(), 1);
}

/// P4: when an answer is there, its event can be read.
#[test]
fn p4_the_event_is_there_when_the_answer_is() {
    let service = TestService::start();
    let (id, _) = key(&service);
    for n in 0..50 {
        let context = json!({"n": n.to_string()});
        service
            .kms(
                &service.root(),
                "Encrypt",
                &json!({"KeyId": id, "Plaintext": "aGk=", "EncryptionContext": context}),
            )
            .text("/CiphertextBlob");
        let newest = service.events().pop().unwrap();
        assert_eq!(newest["requestParameters"]["encryptionContext"], context);
    }
}

/// P5: in the log's order, no use of a key succeeds between the DisableKey and the EnableKey around it.
#[test]
fn p5_the_log_order_is_the_truth() {
    let service = Arc::new(TestService::start());
    let (id, arn) = key(&service);
    let start = Arc::new(Barrier::new(4));
    let users: Vec<_> = (0..3)
        .map(|_| {
            let (service, start, id) = (Arc::clone(&service), Arc::clone(&start), id.clone());
            thread::spawn(move || {
                let root = service.root();
                start.wait();
                for _ in 0..200 {
                    let answer =
                        service.kms(&root, "Encrypt", &json!({"KeyId": id, "Plaintext": "aGk="}));
                    assert!(["200", "DisabledException"].contains(&answer.code()), "{answer:?}");
                }
            })
        })
        .collect();
    let root = service.root();
    start.wait();
    for _ in 0..40 {
        assert_eq!(service.kms(&root, "DisableKey", &json!({"KeyId": id})).code(), "200");
        assert_eq!(service.kms(&root, "EnableKey", &json!({"KeyId": id})).code(), "200");
    }
    users.into_iter().for_each(|user| user.join().unwrap());
    let mut enabled = true;
    let mut seen: BTreeMap<(bool, String), usize> = BTreeMap::new();
    for event in
        service.events().iter().filter(|event| event["resources"][0]["ARN"] == arn.as_str())
    {
        let outcome = event["errorCode"].as_str().unwrap_or("success").to_owned();
        match event["eventName"].as_str().unwrap() {
            "DisableKey" => enabled = false,
            "EnableKey" => enabled = true,
            "Encrypt" => {
                assert_eq!(
                    outcome == "success",
                    enabled,
                    "an Encrypt that the key's state at its place forbids: {event}"
                );
                *seen.entry((enabled, outcome)).or_default() += 1;
            }
            _ => {}
        }
    }
    assert!(seen.keys().any(|(enabled, _)| *enabled), "nothing was encrypted: {seen:?}");
}

/// P6: another account's absent key and its forbidden key are refused in the same words.
#[test]
fn p6_existence_is_not_told() {
    let service = TestService::start();
    let (_, arn) = key(&service);
    let absent = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let stranger = service.root_of("444455556666");
    for operation in ["Encrypt", "DescribeKey", "DisableKey", "GetKeyPolicy", "ListGrants"] {
        let ask = |arn: &str| match service.kms(
            &stranger,
            operation,
            &json!({"KeyId": arn, "Plaintext": "aGk="}),
        ) {
            Answer::Refusal { code, message } => (code, without_ids(&message.unwrap())),
            Answer::Success(body) => panic!("{operation}: {body}"),
        };
        assert_eq!(ask(&arn), ask(absent), "{operation}");
    }
    // Claimed for a ciphertext of the stranger's own, and named by one that was made up.
    let own = service.kms(&stranger, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    let sealed = service
        .kms(&stranger, "Encrypt", &json!({"KeyId": own, "Plaintext": "aGk="}))
        .text("/CiphertextBlob");
    for operation in ["Decrypt", "ReEncrypt"] {
        let ask = |arn: &str| {
            match service.kms(
            &stranger,
            operation,
            &json!({"KeyId": arn, "SourceKeyId": arn, "DestinationKeyId": own, "CiphertextBlob": sealed}),
        ) {
            Answer::Refusal { code, message } => (code, without_ids(&message.unwrap_or_default())),
            Answer::Success(body) => panic!("{operation}: {body}"),
        }
        };
        assert_eq!(ask(&arn), ask(absent), "{operation}");
        assert_eq!(ask(&arn).0, "AccessDeniedException", "{operation}");
    }
}

/// P6 in the caller's own log: the decision and what would change it are the same whether or not the key,
/// the grant or the role of another account exists, and tell nothing of that account's policies.
#[test]
fn p6_existence_is_not_told_by_an_explanation() {
    const ABSENT: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let service = TestService::start();
    let owner = service.root_of("444455556666");
    let statement = |sid: &str, principal: &str, action: &str| json!({"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}]});
    let own = "arn:aws:iam::444455556666:root";
    let policy = statement("OwnersSecret", own, "kms:*").to_string();
    let key = service.kms(&owner, "CreateKey", &json!({"Policy": policy}));
    let (id, arn) = (key.text("/KeyMetadata/KeyId"), key.text("/KeyMetadata/Arn"));
    let grant = json!({"KeyId": arn, "GranteePrincipal": own, "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"Owners": "Secret"}}});
    let grant_id = service.kms(&owner, "CreateGrant", &grant).text("/GrantId");
    let mut trust = statement("OwnersSecret", own, "sts:AssumeRole");
    trust["Statement"][0].as_object_mut().unwrap().remove("Resource");
    let role = json!({"RoleName": "vault", "AssumeRolePolicyDocument": trust.to_string()});
    assert_eq!(service.iam(&owner, "CreateRole", &role).code(), "200");
    let held = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:Team": "red"}}}]});
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let barred = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]});
    let strangers = [("held", held), ("all", all), ("barred", barred), ("none", json!({}))]
        .map(|(name, policy)| (name, service.user(name, &policy)));
    let requests = [
        ("Encrypt", json!({"KeyId": arn, "Plaintext": "aGk="})),
        ("DescribeKey", json!({"KeyId": arn})),
        ("DisableKey", json!({"KeyId": arn})),
        ("RetireGrant", json!({"KeyId": arn, "GrantId": grant_id})),
        (
            "AssumeRole",
            json!({"RoleArn": "arn:aws:iam::444455556666:role/vault", "RoleSessionName": "story"}),
        ),
    ];
    for (name, stranger) in &strangers {
        for (operation, body) in &requests {
            let logged = |body: &str| {
                let body: Value = serde_json::from_str(body).unwrap();
                let answer = match *operation {
                    "AssumeRole" => service.sts(stranger, operation, &body),
                    _ => service.kms(stranger, operation, &body),
                };
                assert!(
                    answer.code().starts_with("AccessDenied"),
                    "{name} {operation}: {answer:?}"
                );
                let event = service.events().pop().unwrap();
                assert_eq!(event["eventName"], *operation);
                event["additionalEventData"]["policyDecision"].to_string()
            };
            let present = logged(&body.to_string());
            let absent_grant = "0".repeat(64);
            let other = body
                .to_string()
                .replace(&id, ABSENT)
                .replace(&grant_id, &absent_grant)
                .replace("role/vault", "role/other");
            let absent = logged(&other).replace(ABSENT, &id).replace("role/other", "role/vault");
            assert_eq!(present, absent, "{name} {operation}");
            assert!(!present.contains("Secret"), "{name} {operation}: {present}");
            let opens = present.contains("AskOwner");
            assert_eq!(opens, *operation != "DisableKey", "{name} {operation}: {present}");
            assert!(!present.contains("\"verified\":true"), "half of it cannot be seen: {present}");
        }
    }
}

/// A message without its request id.
fn without_ids(message: &str) -> String {
    message.split(" (request ").next().unwrap().to_owned()
}

/// P7: same seed, same clock, same requests: same bytes in the log.
#[test]
fn p7_the_log_can_be_replayed() {
    let play = |seed| {
        let service = TestService::seeded(seed);
        let root = service.root();
        let (id, _) = key(&service);
        let grantee = service.user("grantee", &json!({}));
        service.kms(&root, "CreateGrant", &json!({"KeyId": id, "GranteePrincipal": "arn:aws:iam::000000000000:user/grantee", "Operations": ["Encrypt"]}));
        let sealed = service.kms(&grantee, "Encrypt", &json!({"KeyId": id, "Plaintext": "aGk="}));
        service.kms(
            &grantee,
            "Decrypt",
            &json!({"CiphertextBlob": sealed.text("/CiphertextBlob")}),
        );
        service.kms(
            &root,
            "CreateKey",
            &json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}),
        );
        (service.events(), sealed.text("/CiphertextBlob"))
    };
    assert_eq!(play(7), play(7));
    assert_ne!(play(7), play(8));
}

/// P8: the counters are those of the committed events.
#[test]
fn p8_metrics_are_the_log_counted() {
    let service = TestService::start();
    let root = service.root();
    let (id, _) = key(&service);
    for _ in 0..3 {
        service.kms(&root, "Encrypt", &json!({"KeyId": id, "Plaintext": "aGk="}));
    }
    service.kms(&root, "Encrypt", &json!({"KeyId": id}));
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for event in service.events().iter().filter(|event| event["eventType"] == "AwsApiCall") {
        *counted.entry(event["eventName"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let text = service.engine.metrics().exposition(keyward_telemetry::Format::Text);
    for (operation, count) in counted {
        let label = format!("operation=\"{operation}\"");
        let sum: f64 = text
            .lines()
            .filter(|line| line.starts_with("kms_requests_total{") && line.contains(&label))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum();
        assert_eq!(sum, count as f64, "{operation}\n{text}");
    }
}
