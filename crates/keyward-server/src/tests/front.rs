//! What a front states and what a service says of its source, from headers to decisions.

use super::desk::{Answer, Desk, TARGET};
use crate::config::TrustedFront;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

const SERVICE: &str = r#"
services:
  - name: backup.amazonaws.com
    accessKeys: [{ id: backup, secret: backups-secret }]
"#;

fn front(networks: &[&str]) -> TrustedFront {
    let headers = [
        ("x-keyward-vpce", "aws:SourceVpce"),
        ("x-keyward-called-via", "aws:CalledVia"),
        ("x-keyward-source", "aws:SourceArn"),
    ];
    TrustedFront {
        networks: networks.iter().map(|text| (*text).to_owned()).collect(),
        headers: headers.map(|(header, key)| (header.to_owned(), key.to_owned())).into(),
        source_ip_header: Some("x-real-ip".to_owned()),
        secure_transport: true,
    }
}

/// A key whose policy denies GetKeyRotationStatus where the condition holds, and allows the service the same.
async fn key(desk: &Desk, condition: &Value) -> String {
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:GetKeyRotationStatus", "Resource": "*", "Condition": condition});
    let allow = json!({"Effect": "Allow", "Principal": {"AWS": "000000000000", "Service": "backup.amazonaws.com"}, "Action": "kms:*", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [allow, deny]}).to_string();
    let made = desk.kms("CreateKey", &json!({"Policy": policy}).to_string()).await;
    made.json()["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

/// Whether the request was refused by the condition.
async fn denied(desk: &Desk, condition: Value, headers: &[(&str, &str)], service: bool) -> bool {
    let key = key(desk, &condition).await;
    let mut asked = desk
        .request("POST", "/")
        .header(TARGET, "TrentService.GetKeyRotationStatus")
        .body(&json!({"KeyId": key}).to_string());
    for (name, value) in headers {
        asked = asked.header(name, value);
    }
    if service {
        asked = asked.login("backup", "backups-secret");
    }
    let answer: Answer = desk.send(asked).await;
    match answer.code().as_str() {
        "AccessDeniedException" => true,
        _ => {
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            false
        }
    }
}

#[actix_web::test]
async fn a_header_stands_for_its_condition_key_only_from_the_front() {
    let cases = [
        (json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}), ("x-keyward-vpce", "vpce-1")),
        (
            json!({"ForAnyValue:StringEquals": {"aws:CalledVia": "glue.amazonaws.com"}}),
            ("x-keyward-called-via", "athena.amazonaws.com,glue.amazonaws.com"),
        ),
        (json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), ("x-real-ip", "192.0.2.7")),
    ];
    let (inside, outside, nobody) =
        (front(&["127.0.0.1"]), front(&["10.0.0.0/8"]), TrustedFront::default());
    for (front, believed) in [(&inside, true), (&outside, false), (&nobody, false)] {
        let desk = Desk::behind(front);
        for (condition, header) in &cases {
            assert_eq!(denied(&desk, condition.clone(), &[*header], false).await, believed);
            assert!(!denied(&desk, condition.clone(), &[], false).await, "{condition}");
            assert!(!denied(&desk, condition.clone(), &[(header.0, " ")], false).await);
        }
        let secure = json!({"Bool": {"aws:SecureTransport": "true"}});
        assert_eq!(denied(&desk, secure, &[], false).await, believed);
    }
}

#[actix_web::test]
async fn a_source_is_believed_of_services_alone() {
    let desk = Desk::open();
    desk.seed(SERVICE);
    let account = json!({"StringEquals": {"aws:SourceAccount": "111122223333"}});
    let arn = json!({"ArnLike": {"aws:SourceArn": "arn:aws:backup:*:111122223333:*"}});
    let headers = [
        ("x-amz-source-account", "111122223333"),
        ("x-amz-source-arn", "arn:aws:backup:us-east-1:111122223333:vault/a"),
    ];
    for condition in [account, arn] {
        assert!(denied(&desk, condition.clone(), &headers, true).await, "{condition}");
        assert!(!denied(&desk, condition.clone(), &headers, false).await, "{condition}");
        assert!(!denied(&desk, condition.clone(), &[], true).await, "{condition}");
    }
    let service = json!({"Bool": {"aws:PrincipalIsAWSService": "true"}});
    assert!(denied(&desk, service.clone(), &[], true).await);
    assert!(!denied(&desk, service, &[], false).await);
}

#[actix_web::test]
async fn a_source_that_the_signature_does_not_cover_is_refused() {
    let desk = Desk::open();
    desk.seed(SERVICE);
    let asked = desk
        .request("POST", "/")
        .header(TARGET, "TrentService.ListKeys")
        .body("{}")
        .login("backup", "backups-secret");
    let events = desk.events();
    let answer = desk.send_with(asked, &[("x-amz-source-account", "111122223333")]).await;
    assert_eq!(answer.code(), "InvalidSignatureException");
    assert!(answer.text.contains("'x-amz-source-account' must be a 'SignedHeader'"));
    assert_eq!(desk.events(), events);
}
