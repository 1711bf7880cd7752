//! Questions in SQL through the REST door: who may, what is seen, and what it costs the others.

use super::desk::{Answer, Desk, TARGET};
use actix_web::http::StatusCode;
use serde_json::{Value, json};

const PARTNER: &str = include_str!("../../../../tests/seeds/two-accounts.yaml");

async fn ask(desk: &Desk, login: (&str, &str), body: &Value) -> Answer {
    let asked = desk.request("POST", "/v1/events/sql").body(&body.to_string());
    desk.send(asked.login(login.0, login.1)).await
}

async fn root(desk: &Desk, sql: &str) -> Value {
    let answer = ask(desk, ("test", "test"), &json!({"Query": sql})).await;
    assert_eq!(answer.status, StatusCode::OK, "{sql}: {}", answer.text);
    answer.json()
}

#[actix_web::test]
async fn questions_are_answered_and_leave_no_event() {
    let desk = Desk::open();
    let key = desk.kms("CreateKey", "{}").await.json()["KeyMetadata"]["Arn"].clone();
    let context = json!({"KeyId": key, "Plaintext": "aGk=", "EncryptionContext": {"tenant": "a"}});
    desk.kms("Encrypt", &context.to_string()).await;
    let events = desk.events();
    let answer =
        root(&desk, "SELECT name, key, read_only FROM events WHERE name = 'Encrypt'").await;
    let expected = json!({
        "Columns": ["name", "key", "read_only"],
        "Rows": [["Encrypt", key, 1]],
        "Truncated": false,
    });
    assert_eq!(answer, expected);
    let body = json!({"Name": "key-timeline", "Parameters": {"key": key}, "Limit": 1});
    let answer = ask(&desk, ("test", "test"), &body).await.json();
    assert_eq!((&answer["Rows"][0][2], &answer["Truncated"]), (&json!("CreateKey"), &json!(true)));
    let body =
        json!({"Query": "SELECT seq FROM contexts WHERE value = :v", "Parameters": {"v": "a"}});
    assert_eq!(
        ask(&desk, ("test", "test"), &body).await.json()["Rows"].as_array().unwrap().len(),
        1
    );
    assert_eq!(desk.events(), events);
}

#[actix_web::test]
async fn what_cannot_be_asked_is_said_to_be() {
    let desk = Desk::open();
    for (body, code) in [
        (json!([]), "SerializationException"),
        (json!({"Question": "SELECT 1"}), "SerializationException"),
        (json!({}), "ValidationException"),
        (json!({"Query": "SELECT 1", "Name": "last-use"}), "ValidationException"),
        (json!({"Query": "SELECT 1", "Limit": 0}), "ValidationException"),
        (json!({"Query": "SELECT 1", "Limit": 10_001}), "ValidationException"),
        (json!({"Query": "SELEC 1"}), "ValidationException"),
        (json!({"Query": "DELETE FROM events"}), "ValidationException"),
        (json!({"Query": "ATTACH '/tmp/x' AS x"}), "ValidationException"),
        (json!({"Query": "SELECT :a"}), "ValidationException"),
        (json!({"Name": "no-such"}), "ValidationException"),
        (json!({"Name": "key-timeline"}), "ValidationException"),
    ] {
        let answer = ask(&desk, ("test", "test"), &body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, code),
            "{body}: {}",
            answer.text
        );
    }
    let unsigned = desk.request("POST", "/v1/events/sql").body("{}").unsigned();
    assert_eq!(desk.send(unsigned).await.code(), "MissingAuthenticationTokenException");
}

#[actix_web::test]
async fn a_question_shows_what_a_listing_shows() {
    let desk = Desk::open();
    let user = desk.user("joe").await;
    let joe = (user.0.as_str(), user.1.as_str());
    let events = desk.events();
    let denied = ask(&desk, joe, &json!({"Query": "SELECT 1"})).await;
    assert_eq!(
        (denied.status, denied.code().as_str()),
        (StatusCode::FORBIDDEN, "AccessDeniedException")
    );
    assert_eq!(desk.events(), events + 1, "a refused question leaves an event");
    let policy = |actions: &[&str]| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": "*"},
            {"Sid": "SecretSid", "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
             "Condition": {"StringEquals": {"kms:EncryptionContext:Team": "SecretTeam"}}},
        ]})
    };
    desk.policy("joe", &policy(&["keyward:ListEvents"])).await;
    let key = desk.kms("CreateKey", "{}").await.json()["KeyMetadata"]["KeyId"].clone();
    let body = json!({"KeyId": key, "Plaintext": "aGk="}).to_string();
    let encrypt = desk.request("POST", "/").header(TARGET, "TrentService.Encrypt").body(&body);
    assert_eq!(desk.send(encrypt.login(joe.0, joe.1)).await.code(), "AccessDeniedException");

    let records = json!({"Query": "SELECT record, statements, used_grant, reason FROM events WHERE name = 'Encrypt'"});
    let search = json!({"Query": "SELECT count(*) FROM events WHERE name = 'Encrypt' AND record LIKE '%Secret%'"});
    let seen = ask(&desk, joe, &records).await;
    assert!(seen.text.contains("IMPLICIT_DENY") && seen.text.contains("withheld"), "{}", seen.text);
    for secret in ["Secret", "remedies", "matched", "Enable IAM"] {
        assert!(!seen.text.contains(secret), "{secret}: {}", seen.text);
    }
    assert_eq!(ask(&desk, joe, &search).await.json()["Rows"], json!([[0]]));
    desk.policy("joe", &policy(&["keyward:ListEvents", "keyward:ExplainDecision"])).await;
    assert!(ask(&desk, joe, &records).await.text.contains("SecretTeam"));
    assert_eq!(ask(&desk, joe, &search).await.json()["Rows"], json!([[1]]));
}

#[actix_web::test]
async fn an_account_sees_its_own_events_alone() {
    let desk = Desk::open();
    desk.seed(PARTNER);
    desk.kms("CreateKey", "{}").await;
    let sql = "SELECT DISTINCT account, json_extract(record, '$.recipientAccountId') FROM events";
    assert_eq!(root(&desk, sql).await["Rows"], json!([["000000000000", "000000000000"]]));
    let by_number =
        "SELECT count(*) FROM (SELECT value AS n FROM json_each(:all)) JOIN events ON seq = n";
    let all: Vec<u64> = (0..desk.events()).collect();
    let body = json!({"Query": by_number, "Parameters": {"all": json!(all).to_string()}});
    let found = ask(&desk, ("test", "test"), &body).await.json();
    assert_eq!(found["Rows"], root(&desk, "SELECT count(*) FROM events").await["Rows"]);
    let others = root(&desk, "SELECT count(*) FROM events WHERE account = '111122223333'").await;
    assert_eq!(others["Rows"], json!([[0]]));
    assert!(
        found["Rows"][0][0].as_u64().unwrap() < desk.events(),
        "the seed leaves events of both"
    );
}

#[actix_web::test]
async fn a_question_without_end_is_ended_and_holds_up_nobody() {
    let desk = Desk::with_question_nanos(700_000_000);
    let bomb = json!({"Query": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"});
    let others = async {
        let answer = desk.kms("ListKeys", "{}").await;
        assert_eq!(answer.status, StatusCode::OK);
        desk.monotonic_nanos()
    };
    let bombed = async {
        let answer = ask(&desk, ("test", "test"), &bomb).await;
        (answer, desk.monotonic_nanos())
    };
    // On one thread: were the question asked on it, the other request would come after.
    let ((ended, ended_at), served_at) = tokio::join!(bombed, others);
    assert_eq!(
        (ended.status, ended.code().as_str()),
        (StatusCode::BAD_REQUEST, "ValidationException")
    );
    assert!(ended.text.contains("took longer"), "{}", ended.text);
    assert!(served_at < ended_at);
    assert_eq!(root(&desk, "SELECT 1").await["Rows"], json!([[1]]));
}

#[actix_web::test]
async fn a_service_that_stops_waits_for_no_question() {
    let desk = Desk::open();
    desk.drain();
    let answer =
        ask(&desk, ("test", "test"), &json!({"Query": "SELECT count(*) FROM events"})).await;
    assert!(answer.text.contains("took longer"), "{}", answer.text);
}

/// The pack over what the engine itself writes, a grant made under a grant among it.
#[actix_web::test]
async fn the_pack_understands_the_records_of_the_engine() {
    let desk = Desk::open();
    let user = desk.user("joe").await;
    let joe = "arn:aws:iam::000000000000:user/joe";
    let key = desk.kms("CreateKey", "{}").await.json()["KeyMetadata"]["Arn"].clone();
    let grant =
        json!({"KeyId": key, "GranteePrincipal": joe, "Operations": ["Encrypt", "CreateGrant"]});
    let above = desk.kms("CreateGrant", &grant.to_string()).await.json()["GrantId"].clone();
    let as_joe = async |operation: &str, body: Value| {
        let asked = desk.request("POST", "/").header(TARGET, &format!("TrentService.{operation}"));
        desk.send(asked.body(&body.to_string()).login(&user.0, &user.1)).await.json()
    };
    let context = json!({"tenant": "a"});
    let text = context.to_string();
    as_joe("Encrypt", json!({"KeyId": key, "Plaintext": "aGk=", "EncryptionContext": context}))
        .await;
    let grant = json!({"KeyId": key, "GranteePrincipal": joe, "Operations": ["Encrypt"]});
    let below = as_joe("CreateGrant", grant).await["GrantId"].clone();
    as_joe("Decrypt", json!({"KeyId": key, "CiphertextBlob": "AAAA"})).await;
    as_joe("DescribeKey", json!({"KeyId": key})).await;
    desk.kms("RevokeGrant", &json!({"KeyId": key, "GrantId": above}).to_string()).await;
    desk.kms("ScheduleKeyDeletion", &json!({"KeyId": key, "PendingWindowInDays": 9}).to_string())
        .await;

    let named = async |name: &str, parameters: Value| {
        let answer =
            ask(&desk, ("test", "test"), &json!({"Name": name, "Parameters": parameters})).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text);
        answer.json()["Rows"].as_array().unwrap().clone()
    };
    for question in keyward_sql::pack() {
        if question.whole_log.is_some() {
            // One account's events would answer it wrongly.
            let answer = ask(&desk, ("test", "test"), &json!({"Name": question.name})).await;
            assert_eq!(answer.code(), "ValidationException", "{}", question.name);
            assert!(answer.text.contains("audit verify"), "{}", answer.text);
            continue;
        }
        let needed = question.parameters.iter().filter(|parameter| parameter.default.is_none());
        let given: serde_json::Map<String, Value> =
            needed.map(|parameter| (parameter.name.to_owned(), json!("x"))).collect();
        named(question.name, Value::Object(given)).await;
    }
    let chain = named("grant-chain", json!({"grant": below})).await;
    let told: Vec<_> =
        chain.iter().map(|row| (&row[0], &row[3], &row[4], &row[6], &row[8])).collect();
    let (joe, revoked) = (json!(joe), json!("RevokeGrant"));
    let expected = [
        (&json!(-1), &above, &Value::Null, &joe, &revoked),
        (&json!(0), &below, &above, &joe, &Value::Null),
    ];
    assert_eq!(told, expected);
    let reached = named("blast-radius", json!({"who": joe})).await;
    assert!(reached.iter().any(|row| row[0] == key && row[1] == text.as_str()), "{reached:?}");
    assert_eq!(named("deletions-not-cancelled", json!({})).await[0][5], 9);
    let root = named("root-usage", json!({})).await;
    assert!(root.iter().any(|row| row[0] == "CreateKey"), "{root:?}");
    let denied = named("denied-map", json!({})).await;
    let refused = json!([joe, "DescribeKey", "AccessDenied"]);
    assert_eq!(denied[0].as_array().unwrap()[..3], refused.as_array().unwrap()[..]);
    assert_eq!(named("last-use", json!({})).await[0][2], 1);
    let changes = named("admin-without-mfa", json!({})).await;
    assert!(changes.iter().any(|row| row[2] == "ScheduleKeyDeletion"), "{changes:?}");
}
