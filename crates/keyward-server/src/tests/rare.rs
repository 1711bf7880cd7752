//! What is rare or new for a principal, through the REST door: who may, what is found, and what is refused.

use super::desk::{Answer, Desk};
use actix_web::http::StatusCode;
use serde_json::{Value, json};

const ROOT: &str = "arn:aws:iam::000000000000:root";

async fn rare(desk: &Desk, query: &str) -> Answer {
    desk.send(desk.request("GET", &format!("/v1/events/rare{query}"))).await
}

async fn found(desk: &Desk, query: &str) -> Value {
    let answer = rare(desk, query).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
    answer.json()
}

/// Field and value of each.
fn values(answer: &Value, list: &str) -> Vec<(String, String)> {
    let text = |habit: &Value, name: &str| habit[name].as_str().unwrap().to_owned();
    let habits = answer[list].as_array().unwrap_or_else(|| panic!("no {list} in {answer}"));
    habits.iter().map(|habit| (text(habit, "Field"), text(habit, "Value"))).collect()
}

fn op(value: &str) -> (String, String) {
    ("op".to_owned(), value.to_owned())
}

#[actix_web::test]
async fn the_rare_and_the_new_of_a_principal_are_found() {
    let desk = Desk::open();
    for _ in 0..60 {
        desk.kms("GenerateRandom", r#"{"NumberOfBytes":8}"#).await;
    }
    desk.kms("ListKeys", "{}").await;
    let events = desk.events();
    // What the service itself did at the start is another principal's.
    let found = async |desk: &Desk, query: &str| {
        found(desk, &format!("?principal={ROOT}{}", query.replacen('?', "&", 1))).await
    };

    let answer = found(&desk, "?by=op&least=50&share=2").await;
    assert_eq!(values(&answer, "Rare"), [op("ListKeys")]);
    let one = &answer["Rare"][0];
    assert_eq!(
        (&one["Principal"], &one["Count"], &one["Of"]),
        (&json!(ROOT), &json!(1), &json!(61))
    );
    assert_eq!(one["First"], one["Last"]);
    assert_eq!((&answer["RareTotal"], &answer["Records"]), (&json!(1), &json!(61)));
    assert_eq!((&answer["Complete"], &answer["LeftOut"]), (&json!(true), &json!(0)));
    assert!(answer.get("New").is_none());
    // One in 61 is more than one in a hundred, and 61 events are too few by default.
    for none in ["?by=op&least=50&share=1", "?by=op&least=62&share=2", "?by=op", ""] {
        assert_eq!(values(&found(&desk, none).await, "Rare"), [], "{none}");
    }
    // Of what the query finds, and no more.
    let answer = found(&desk, "?q=-op:ListKeys&by=op&least=1&share=100").await;
    assert_eq!(values(&answer, "Rare"), [op("GenerateRandom")]);
    assert!(answer["Query"].as_str().unwrap().contains("-op:ListKeys"), "{answer}");
    let answer = found(&desk, "?by=op&least=1&share=100&limit=1").await;
    assert_eq!((values(&answer, "Rare"), &answer["RareTotal"]), (vec![op("ListKeys")], &json!(2)));
    // Nobody is new who was not there before.
    let answer = found(&desk, "?by=op&new=1h").await;
    assert_eq!((values(&answer, "New"), &answer["NewTotal"]), (vec![], &json!(0)));
    assert_eq!(desk.events(), events, "a reading leaves no event");
}

#[actix_web::test]
async fn what_was_never_done_before_a_time_is_new() {
    let desk = Desk::open();
    desk.kms("ListKeys", "{}").await;
    let first = desk.send(desk.request("GET", "/v1/events")).await.json();
    let first =
        chrono::DateTime::parse_from_rfc3339(first["Events"][0]["eventTime"].as_str().unwrap());
    // Events have whole seconds: the next one is another second's.
    let next = first.unwrap().timestamp() + 1;
    loop {
        desk.kms("ListAliases", "{}").await;
        let events = desk.send(desk.request("GET", "/v1/events?limit=1")).await.json();
        let last = events["Events"][0]["eventTime"].as_str().unwrap().to_owned();
        if next <= chrono::DateTime::parse_from_rfc3339(&last).unwrap().timestamp() {
            break;
        }
        std::thread::park_timeout(core::time::Duration::from_millis(20));
    }
    desk.kms("GenerateRandom", r#"{"NumberOfBytes":8}"#).await;
    let answer = found(&desk, &format!("?by=op&new={next}")).await;
    let new = values(&answer, "New");
    assert!(new.contains(&op("GenerateRandom")) && !new.contains(&op("ListKeys")), "{answer}");
    let everything = found(&desk, &format!("?by=op&new={}", next - 1)).await;
    assert_eq!(values(&everything, "New"), [], "its principal was not there before");
}

#[actix_web::test]
async fn only_readers_of_events_ask_and_policy_text_is_not_told_to_all() {
    let desk = Desk::open();
    let (id, secret) = desk.user("joe").await;
    let ask = async |query: &str| {
        let asked = desk.request("GET", &format!("/v1/events/rare{query}"));
        desk.send(asked.login(&id, &secret)).await
    };
    let denied = ask("").await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert!(denied.text.contains("keyward:ListEvents on resource: *"), "{}", denied.text);
    let list = desk.send(desk.request("GET", "/v1/events?operation=ListEvents")).await.json();
    assert_eq!(list["Events"][0]["errorCode"], "AccessDenied");

    let allow = |actions: &[&str]| json!({"Version": "2012-10-17", "Statement": [{"Sid": "SecretSid", "Effect": "Allow", "Action": actions, "Resource": "*"}]});
    desk.policy("joe", &allow(&["keyward:ListEvents", "kms:ListKeys"])).await;
    let listed =
        desk.request("POST", "/").header(super::desk::TARGET, "TrentService.ListKeys").body("{}");
    assert_eq!(desk.send(listed.login(&id, &secret)).await.status, StatusCode::OK);
    let everything = "?by=statement,op&least=1&share=100";
    let answer = ask(everything).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.text.contains("ListKeys") && !answer.text.contains("Secret"), "{}", answer.text);
    desk.policy("joe", &allow(&["keyward:ListEvents", "keyward:ExplainDecision", "kms:ListKeys"]))
        .await;
    assert!(ask(everything).await.text.contains("SecretSid"));
}

#[actix_web::test]
async fn what_cannot_be_read_is_refused() {
    let desk = Desk::open();
    for bad in [
        "?share=0",
        "?share=1.25",
        "?least=0",
        "?new=soon",
        "?by=colour",
        "?limit=0",
        "?q=x:y",
        "?colour=red",
    ] {
        let answer = rare(&desk, bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}: {}", answer.text);
    }
    // What only this asks is no filter elsewhere.
    let answer = desk.send(desk.request("GET", "/v1/events?share=1")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
}
