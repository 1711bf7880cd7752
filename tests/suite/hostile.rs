//! Policies made to hurt, through the public door: AWS's code, a message that names the place, nothing stored,
//! one event. What the parser itself refuses is in keyward-policy's own tests.

use keyward_testkit::{Login, TestService, doors::Answer};
use serde_json::{Value, json};

#[path = "../../crates/keyward-policy/tests/decide/monsters.rs"]
mod monsters;

/// The statement that keeps the account able, with room for another.
fn beside(statement: &str) -> String {
    let own =
        r#"{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"kms:*","Resource":"*"}"#;
    format!(r#"{{"Version":"2012-10-17","Statement":[{own},{statement}]}}"#)
}

/// A policy of exactly so many bytes.
fn sized(bytes: usize) -> String {
    let text =
        beside(r#"{"Sid":"","Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*"}"#);
    let pad = "x".repeat(bytes - text.len());
    text.replace(r#""Sid":"""#, &format!(r#""Sid":"{pad}""#))
}

struct Case {
    policy: String,
    code: &'static str,
    words: &'static str,
}

fn cases() -> Vec<Case> {
    let case = |policy: String, code, words| Case { policy, code, words };
    let malformed = |policy: String, words| case(policy, "MalformedPolicyDocumentException", words);
    vec![
        malformed("[".repeat(10_000), "recursion limit"),
        malformed(r#"{"Statement":["#.repeat(2_000), "recursion limit"),
        malformed(
            beside(r#"{"Effect":"Allow","Effect":"Deny"}"#),
            "Statement[1]: Effect stands twice",
        ),
        malformed(beside(r#"{"Effect":"\u0410llow"}"#), r"Statement[1].Effect"),
        malformed(beside(r#"{"Effect":"Allow","Sid":"\ud800"}"#), "JSON"),
        malformed(
            beside(
                r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/\u0430"},"Action":"*","Resource":"*"}"#,
            ),
            "invalid principals",
        ),
        malformed(
            beside(r#"{"Effect":"Allow","Principal":{"Robot":"R2"},"Action":"*","Resource":"*"}"#),
            "Statement[1].Principal",
        ),
        malformed(
            beside(
                r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}}"#,
            ),
            "Statement[1].Condition.IpAddress.aws:SourceIp",
        ),
        malformed(
            beside(
                r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"${${a}}"}}}"#,
            ),
            "Statement[1].Condition.StringEquals.aws:username",
        ),
        case(
            beside(
                r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:kms:us-east-1:000000000000"}"#,
            ),
            "InvalidArnException",
            "Statement[1].Resource",
        ),
        case(sized(32_769), "LimitExceededException", "32768"),
        case(sized(131_073), "ValidationException", "policy"),
        case(beside(r#"{"Effect":"Allow","Sid":"\"#) + "\u{410}", "ValidationException", "policy"),
        case(String::new(), "ValidationException", "policy"),
        case(format!("\u{feff}{}", sized(400)), "ValidationException", "policy"),
        case(sized(400).replace("xx", "x\0"), "ValidationException", "policy"),
    ]
}

#[track_caller]
fn refused(answer: &Answer, case: &Case, what: &str) {
    let Answer::Refusal { code, message } = answer else {
        panic!("{what} accepted {:.200}", case.policy)
    };
    let message = message.as_deref().unwrap_or_default();
    assert_eq!(code, case.code, "{what} {:.200}: {message}", case.policy);
    assert!(message.contains(case.words), "{what} {:.200}: {message}", case.policy);
    assert!(message.len() < 4_096, "{what}: {} bytes", message.len());
}

#[test]
fn a_bad_key_policy_is_refused_stores_nothing_and_leaves_one_event() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/KeyId");
    let before = service.kms(&root, "GetKeyPolicy", &json!({"KeyId": key}));
    let keys = service.kms(&root, "ListKeys", &json!({}));
    for case in cases() {
        let events = service.events().len();
        let put =
            json!({"KeyId": key, "Policy": case.policy, "BypassPolicyLockoutSafetyCheck": true});
        refused(&service.kms(&root, "PutKeyPolicy", &put), &case, "PutKeyPolicy");
        refused(
            &service.kms(&root, "CreateKey", &json!({"Policy": case.policy})),
            &case,
            "CreateKey",
        );
        let log = service.events();
        assert_eq!(log.len(), events + 2, "one event for each attempt");
        for (event, name) in log[events..].iter().zip(["PutKeyPolicy", "CreateKey"]) {
            assert_eq!(
                (&event["eventName"], &event["errorCode"]),
                (&json!(name), &json!(case.code))
            );
        }
    }
    assert_eq!(service.kms(&root, "GetKeyPolicy", &json!({"KeyId": key})), before);
    assert_eq!(service.kms(&root, "ListKeys", &json!({})), keys, "no key was made");
}

#[test]
fn a_policy_of_the_greatest_size_is_kept_as_it_was_sent() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/KeyId");
    let policy = sized(32_768);
    assert_eq!(policy.len(), 32_768);
    let put = service.kms(&root, "PutKeyPolicy", &json!({"KeyId": key, "Policy": policy}));
    assert_eq!(put.code(), "200", "{put:?}");
    assert_eq!(service.kms(&root, "GetKeyPolicy", &json!({"KeyId": key})).text("/Policy"), policy);
}

#[test]
fn a_bad_identity_policy_is_refused_and_not_stored() {
    let service = TestService::start();
    let root = service.root();
    let role = service.role("worker", &json!({}));
    drop(role);
    service.user("alice", &json!({}));
    let (deep, doubled) = ("[".repeat(1_500), r#"{"Statement":[],"Statement":[]}"#.to_owned());
    for (policy, words) in [
        (deep, "recursion limit"),
        (doubled, "Statement stands twice"),
        (r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"a"}}"#.to_owned(), "Statement[0].Resource"),
        (r#"{"Version":"2012-10-17","Statement":{"Effect":"\u0410llow","Action":"kms:*","Resource":"*"}}"#.to_owned(), "Statement[0].Effect"),
    ] {
        let case = Case { policy, code: "MalformedPolicyDocument", words };
        let events = service.events().len();
        let body = json!({"UserName": "alice", "PolicyName": "p", "PolicyDocument": case.policy});
        refused(&service.iam(&root, "PutUserPolicy", &body), &case, "PutUserPolicy");
        let assume = json!({"RoleArn": "arn:aws:iam::000000000000:role/worker", "RoleSessionName": "s1", "Policy": case.policy});
        let assumer = assumer(&service);
        refused(&service.sts(&assumer, "AssumeRole", &assume), &case, "AssumeRole");
        let log = service.events();
        assert_eq!(log[events]["errorCode"], "MalformedPolicyDocument", "{}", log[events]);
        assert_eq!(log.last().unwrap()["eventName"], "AssumeRole");
    }
    let kept = service.iam(&root, "ListUserPolicies", &json!({"UserName": "alice"}));
    assert_eq!(kept.text("/PolicyNames"), "[]");
}

/// A fresh access key of the user that may assume the role.
fn assumer(service: &TestService) -> Login {
    let root = service.root();
    let user = json!({"UserName": "assumer-of-worker"});
    let keys = service.iam(&root, "ListAccessKeys", &user);
    let old = keys.text("/AccessKeyMetadata/0/AccessKeyId");
    let delete = json!({"UserName": "assumer-of-worker", "AccessKeyId": old});
    assert_eq!(service.iam(&root, "DeleteAccessKey", &delete).code(), "200");
    let key = service.iam(&root, "CreateAccessKey", &user);
    Login::new(&key.text("/AccessKey/AccessKeyId"), &key.text("/AccessKey/SecretAccessKey"))
}

/// The largest documents are saved, the key is used under them, and the event of it stays small.
#[test]
fn under_the_worst_documents_every_request_is_answered_and_logged() {
    let service = TestService::start();
    let root = service.root();
    let alice = service.user("alice", &json!({}));
    for (name, text) in monsters::all() {
        // Principals that do not exist are refused, which is its own test.
        if name == "nobody" {
            continue;
        }
        let made = json!({"Policy": text, "BypassPolicyLockoutSafetyCheck": true});
        let made = service.kms(&root, "CreateKey", &made);
        let key = made.text("/KeyMetadata/KeyId");
        let context = json!({"a": "a".repeat(4_096)});
        let encrypt = json!({"KeyId": key, "Plaintext": "aGk=", "EncryptionContext": context});
        for login in [&root, &alice] {
            let answer = service.kms(login, "Encrypt", &encrypt);
            let code = answer.code();
            assert!(matches!(code, "200" | "AccessDeniedException"), "{name}: {answer:?}");
            let log = service.events();
            let event = log.last().unwrap();
            assert_eq!(event["eventName"], "Encrypt", "{name}");
            let bytes = event.to_string().len();
            assert!(bytes < 256 << 10, "{name}: an event of {bytes} bytes");
        }
    }
}

/// Bytes that are no text, at the door.
#[test]
fn what_is_not_utf_8_is_refused_at_the_door() {
    let service = TestService::start();
    let root = service.root();
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "TrentService.CreateKey"),
    ];
    let before = service.kms(&root, "ListKeys", &json!({}));
    for bad in
        [&b"\xc0\xaf"[..], b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xff"]
    {
        let body = [&br#"{"Policy":""#[..], bad, br#""}"#].concat();
        let events = service.events().len();
        let (status, text) = service.http("POST", "/", &headers, &body, &root);
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (status, answer["__type"].as_str()),
            (400, Some("SerializationException")),
            "{text}"
        );
        assert_eq!(service.events().len(), events + 1);
    }
    assert_eq!(service.kms(&root, "ListKeys", &json!({})), before);
}
