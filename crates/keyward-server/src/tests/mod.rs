//! The doors, from the bytes that arrive to the bytes that leave, over a real store in a temporary directory.

mod desk;
mod front;
mod rare;
mod sql;
mod trail;

use crate::answer;
use actix_web::http::StatusCode;
use desk::{Answer, Desk, TARGET};
use serde_json::{Value, json};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[actix_web::test]
async fn aws_json_answers_as_aws_does() {
    let desk = Desk::open();
    let answer = desk.kms("ListKeys", "{}").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text, r#"{"Keys":[],"Truncated":false}"#);
    assert_eq!(answer.header("content-type"), answer::AWS_JSON);
    assert_eq!(answer.header("cache-control"), "no-cache, no-store, must-revalidate, private");
    assert_eq!(
        uuid::Uuid::parse_str(answer.header("x-amzn-requestid")).unwrap().get_version_num(),
        7
    );
    let key =
        desk.kms("CreateKey", "").await.json()["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let nothing = desk.kms("DisableKey", &json!({"KeyId": key}).to_string()).await;
    assert_eq!((nothing.status, nothing.text.as_str()), (StatusCode::OK, ""));
    let disabled =
        desk.kms("Encrypt", &json!({"KeyId": key, "Plaintext": "AA=="}).to_string()).await;
    assert_eq!(disabled.status, StatusCode::BAD_REQUEST);
    assert_eq!(disabled.header("x-amzn-errortype"), "DisabledException");
    let arn = format!("arn:aws:kms:us-east-1:000000000000:key/{key}");
    assert_eq!(
        disabled.text,
        format!(r#"{{"__type":"DisabledException","message":"{arn} is disabled."}}"#)
    );
    let bare = desk.kms("Decrypt", &json!({"CiphertextBlob": "AAAA"}).to_string()).await;
    assert_eq!(bare.text, r#"{"__type":"InvalidCiphertextException"}"#);
}

#[actix_web::test]
async fn what_is_malformed_has_its_code() {
    let desk = Desk::open();
    for (body, code) in [
        ("{", "SerializationException"),
        ("[]", "SerializationException"),
        ("null", "SerializationException"),
        ("\"x\"", "SerializationException"),
        ("{\"Limit\":\"1\"}", "SerializationException"),
        ("{\"Limit\":0}", "ValidationException"),
        ("{\"Limit\":1,\"Unknown\":1}", ""),
        (" \n", ""),
    ] {
        let answer = desk.kms("ListKeys", body).await;
        let expected = if code.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!((answer.status, answer.code().as_str()), (expected, code), "{body}");
    }
    assert_eq!(desk.kms("NoSuch", "{}").await.code(), "UnknownOperationException");
    assert_eq!(desk.kms("GetCallerIdentity", "{}").await.code(), "UnknownOperationException");
}

#[actix_web::test]
async fn who_did_not_prove_it_is_refused_counted_and_not_logged() {
    let desk = Desk::open();
    let events = desk.events();
    let call = || desk.request("POST", "/").header(TARGET, "TrentService.ListKeys").body("{}");
    let unsigned = |authorization: Option<&'static str>| {
        let request = call().unsigned();
        authorization.map_or(request.clone(), |text| request.header("authorization", text))
    };
    for (request, code, text) in [
        (unsigned(None), "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (
            unsigned(Some("AWS4-HMAC-SHA256")),
            "IncompleteSignatureException",
            "'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter.",
        ),
        (unsigned(Some("Bearer x")), "IncompleteSignatureException", "algorithm"),
        (
            call().login("nobody", "test"),
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            call().login("test", "wrong"),
            "InvalidSignatureException",
            "does not match the signature you provided",
        ),
        (call().token("rubbish"), "UnrecognizedClientException", "invalid"),
        (
            call().scope("sts", "us-east-1"),
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'kms'.",
        ),
        (call().scope("kms", "moon"), "InvalidSignatureException", "valid Region"),
        (call().signed_seconds_ago(301), "InvalidSignatureException", "Signature expired: "),
        (
            call().signed_seconds_ago(-302),
            "InvalidSignatureException",
            "Signature not yet current: ",
        ),
        (call().replaced_body("{ }"), "InvalidSignatureException", "does not match"),
    ] {
        let answer = desk.send(request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, code),
            "{}",
            answer.text
        );
        assert!(answer.text.contains(text), "{}", answer.text);
    }
    assert_eq!(desk.events(), events);
    let metrics = desk.send(desk.request("GET", "/metrics").unsigned()).await;
    for reason in ["missing", "unknown_key", "mismatch", "window", "scope"] {
        let series = format!("kms_unauthenticated_requests_total{{reason=\"{reason}\"}} ");
        let line = metrics.text.lines().find(|line| line.starts_with(&series)).unwrap();
        assert!(!line.ends_with(" 0"), "{line}");
    }
}

/// botocore presigns a KMS call by moving its members into the query, with the target as a signed header.
#[actix_web::test]
async fn a_presigned_request_is_proved_by_its_query() {
    let desk = Desk::open();
    for (tampered, status) in [(false, StatusCode::OK), (true, StatusCode::BAD_REQUEST)] {
        let mut uri =
            desk.presigned("/", &[("host", "localhost:8480"), (TARGET, "TrentService.ListKeys")]);
        if tampered {
            uri = uri.replace("X-Amz-Expires=60", "X-Amz-Expires=61");
        }
        let request = desk.request("POST", &uri).unsigned().header(TARGET, "TrentService.ListKeys");
        let answer = desk.send(request).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

#[actix_web::test]
async fn any_region_is_served_with_its_own_keys() {
    let desk = Desk::open();
    let create = desk
        .request("POST", "/")
        .header(TARGET, "TrentService.CreateKey")
        .scope("kms", "eu-west-1");
    assert!(desk.send(create).await.text.contains("arn:aws:kms:eu-west-1:000000000000:key/"));
    assert_eq!(desk.kms("ListKeys", "{}").await.text, r#"{"Keys":[],"Truncated":false}"#);
}

#[actix_web::test]
async fn strangers_hear_in_their_own_dialect_what_is_served_here() {
    let desk = Desk::open();
    let sentence = |other: &str| {
        format!(
            "This endpoint serves kms, sts, iam, access-analyzer's policy checks and cloudtrail's LookupEvents, not {other}. Set AWS_ENDPOINT_URL_KMS"
        )
    };
    let s3 = desk.send(desk.request("GET", "/").scope("s3", "us-east-1")).await;
    assert!(s3.text.starts_with("<?xml") && s3.text.contains(&sentence("s3")), "{}", s3.text);
    let dynamo = desk
        .request("POST", "/")
        .header(TARGET, "DynamoDB_20120810.ListTables")
        .body("{}")
        .scope("dynamodb", "us-east-1");
    assert!(desk.send(dynamo).await.text.contains(&sentence("dynamodb")));
    let ec2 = desk
        .request("POST", "/")
        .header(FORM.0, FORM.1)
        .body("Action=DescribeInstances&Version=2016-11-15")
        .scope("ec2", "us-east-1");
    let ec2 = desk.send(ec2).await;
    assert!(
        ec2.text.starts_with("<ErrorResponse") && ec2.text.contains(&sentence("ec2")),
        "{}",
        ec2.text
    );
    let lambda =
        desk.send(desk.request("GET", "/2015-03-31/functions/").scope("lambda", "us-east-1")).await;
    assert_eq!(lambda.code(), "UnknownOperationException");
    assert!(lambda.text.contains(&sentence("lambda")));
}

#[actix_web::test]
async fn the_query_protocol_asks_for_its_own_scope() {
    let desk = Desk::open();
    let form = |body: &str, service: &str| {
        desk.request("POST", "/").header(FORM.0, FORM.1).body(body).scope(service, "us-east-1")
    };
    let identity = desk.send(form("Action=GetCallerIdentity&Version=2011-06-15", "sts")).await;
    assert_eq!((identity.status, identity.header("content-type")), (StatusCode::OK, answer::XML));
    assert!(
        identity.text.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"),
        "{}",
        identity.text
    );
    let url = desk
        .request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15")
        .scope("sts", "us-east-1");
    assert_eq!(desk.send(url).await.status, StatusCode::OK);
    for service in ["sts", "kms"] {
        let wrong = desk.send(form("Action=ListUsers&Version=2010-05-08", service)).await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        assert!(
            wrong.text.contains("<Code>SignatureDoesNotMatch</Code>")
                && wrong.text.contains("'iam'"),
            "{}",
            wrong.text
        );
    }
}

#[actix_web::test]
async fn rest_says_it_in_http() {
    let desk = Desk::open();
    let rest = async |method: &str, path: &str, body: &str| {
        desk.send(desk.request(method, path).body(body)).await
    };
    let created = rest("POST", "/v1/keys", r#"{"Description":"d"}"#).await;
    assert_eq!(
        (created.status, created.header("content-type")),
        (StatusCode::CREATED, answer::JSON)
    );
    let key = created.json()["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let arn = created.json()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let alias = rest(
        "POST",
        "/v1/aliases",
        &json!({"AliasName": "alias/a/b", "TargetKeyId": key}).to_string(),
    )
    .await;
    assert_eq!((alias.status, alias.text.as_str()), (StatusCode::NO_CONTENT, ""));
    for name in [
        &key,
        &arn.replace('/', "%2F"),
        &arn.replace('/', "%2f").replace(':', "%3A"),
        "alias%2Fa%2Fb",
    ] {
        let described = rest("GET", &format!("/v1/keys/{name}"), "").await;
        assert_eq!(described.json()["KeyMetadata"]["Arn"], arn.as_str(), "{name}");
    }
    // The path wins over the body.
    let sealed =
        rest("POST", &format!("/v1/keys/{key}/encrypt"), r#"{"Plaintext":"AA==","KeyId":"other"}"#)
            .await;
    assert_eq!(sealed.json()["KeyId"], arn.as_str());
    let listed = rest("GET", "/v1/keys?Limit=1", "").await;
    assert_eq!(listed.json()["Keys"].as_array().unwrap().len(), 1);
    let tagged = rest(
        "POST",
        &format!("/v1/keys/{key}/tags"),
        r#"{"Tags":[{"TagKey":"a b","TagValue":"1"},{"TagKey":"c","TagValue":"2"}]}"#,
    )
    .await;
    assert_eq!(tagged.status, StatusCode::NO_CONTENT);
    let untagged =
        rest("DELETE", &format!("/v1/keys/{key}/tags?TagKeys=a%20b&TagKeys=c"), "").await;
    assert_eq!(untagged.status, StatusCode::NO_CONTENT, "{}", untagged.text);
    assert_eq!(rest("GET", &format!("/v1/keys/{key}/tags"), "").await.json()["Tags"], json!([]));
}

#[actix_web::test]
async fn rest_refuses_in_http() {
    let desk = Desk::open();
    for (method, path, body, status, code) in [
        ("GET", "/v1/keys?Limit=ten", "", 400, "SerializationException"),
        ("GET", "/v1/keys?Limit=0", "", 400, "ValidationException"),
        ("GET", "/v1/keys/1234abcd-12ab-34cd-56ef-1234567890ab", "", 404, "NotFoundException"),
        ("POST", "/v1/keys/x/encrypt", "[]", 400, "SerializationException"),
        ("POST", "/v1/keys/x/encrypt", "{\"Plaintext\":\"AA==\"}}", 400, "SerializationException"),
        ("GET", "/v1/nothing", "", 404, "UnknownOperationException"),
        ("PATCH", "/v1/keys", "", 405, "MethodNotAllowed"),
        ("GET", "/v1/events/0193aaaa-0000-7000-8000-000000000001", "", 404, "NotFoundException"),
        ("GET", "/v1/events?until=soon", "", 400, "ValidationException"),
    ] {
        let answer = desk.send(desk.request(method, path).body(body)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{method} {path}: {}",
            answer.text
        );
        assert_eq!(answer.json()["error"]["requestId"], answer.header("x-amzn-requestid"));
    }
    let unsigned = desk.send(desk.request("GET", "/v1/keys").unsigned()).await;
    assert_eq!(
        (unsigned.status, unsigned.code().as_str()),
        (StatusCode::FORBIDDEN, "MissingAuthenticationTokenException")
    );
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_before_anything_else() {
    let desk = Desk::open();
    let answer = desk.kms("ListKeys", &" ".repeat(crate::config::BODY_BYTES_MAX + 1)).await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (StatusCode::PAYLOAD_TOO_LARGE, "close")
    );
    assert_eq!(
        desk.kms("ListKeys", &" ".repeat(crate::config::BODY_BYTES_MAX)).await.status,
        StatusCode::OK
    );
}

#[actix_web::test]
async fn the_log_is_read_by_those_who_may() {
    let desk = Desk::open();
    desk.kms("CreateKey", "{}").await;
    let user = desk.user("joe").await;
    let read = |path: &str| desk.request("GET", path).login(&user.0, &user.1);
    let denied = desk.send(read("/v1/events")).await;
    assert_eq!(
        (denied.status, denied.code().as_str()),
        (StatusCode::FORBIDDEN, "AccessDeniedException")
    );
    assert!(denied.text.contains("keyward:ListEvents on resource: *"), "{}", denied.text);
    let root = async |path: &str| desk.send(desk.request("GET", path)).await;
    let seen = root("/v1/events?outcome=denied&principal=arn:aws:iam::000000000000:user/joe").await;
    assert_eq!(seen.json()["Events"][0]["eventName"], "ListEvents", "{}", seen.text);
    let id = seen.json()["Events"][0]["requestID"].as_str().unwrap().to_owned();
    assert_eq!(root(&format!("/v1/events/{id}")).await.json()["requestID"], id.as_str());
    let why = root(&format!("/v1/explain/{id}")).await.json();
    assert_eq!(why["Decisions"][0]["action"], "keyward:ListEvents");
    assert!(why["Text"].as_str().unwrap().contains("ListEvents"));
    desk.policy("joe", &json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "keyward:ListEvents", "Resource": "*"}]})).await;
    let events = desk.send(read("/v1/events?operation=createkey&limit=1")).await;
    assert_eq!(events.json()["Events"][0]["eventName"], "CreateKey");
    assert_eq!(desk.send(read(&format!("/v1/explain/{id}"))).await.status, StatusCode::FORBIDDEN);
}

/// Policy text is for those who may explain: neither a listing, nor an event, nor a search tells it to others.
#[actix_web::test]
async fn who_may_list_but_not_explain_sees_no_policy_text() {
    let desk = Desk::open();
    let user = desk.user("joe").await;
    let key = desk.kms("CreateKey", "{}").await.json()["KeyMetadata"]["KeyId"].clone();
    let statement = |sid: &str, actions: &[&str], condition: Value| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition});
    let reader = ["keyward:ListEvents", "cloudtrail:LookupEvents"];
    let app = statement(
        "SecretSid",
        &["kms:Encrypt"],
        json!({"StringEquals": {"kms:EncryptionContext:Team": "SecretTeam"}}),
    );
    let policy = |reader: &[&str]| json!({"Version": "2012-10-17", "Statement": [statement("Read", reader, json!({})), app.clone()]});
    desk.policy("joe", &policy(&reader)).await;
    let body = json!({"KeyId": key, "Plaintext": "aGk="}).to_string();
    let encrypt = desk
        .request("POST", "/")
        .header(TARGET, "TrentService.Encrypt")
        .body(&body)
        .login(&user.0, &user.1);
    let refused = desk.send(encrypt).await;
    assert_eq!(refused.code(), "AccessDeniedException");
    assert!(!refused.text.contains("Secret"), "{}", refused.text);
    let id = refused.header("x-amzn-requestid").to_owned();
    let read =
        async |path: &str| desk.send(desk.request("GET", path).login(&user.0, &user.1)).await;
    let lookup = async || {
        let asked = desk.request("POST", "/").scope("cloudtrail", "us-east-1");
        let wanted = json!({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}]});
        let asked =
            asked.header(TARGET, "CloudTrail_20131101.LookupEvents").body(&wanted.to_string());
        desk.send(asked.login(&user.0, &user.1)).await
    };
    let (event, search) =
        (format!("/v1/events/{id}"), "/v1/events?operation=Encrypt&text=secretteam");
    for answer in [read("/v1/events?operation=Encrypt").await, read(&event).await, lookup().await] {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        for told in ["IMPLICIT_DENY", "withheld", &id] {
            assert!(answer.text.contains(told), "{told}: {}", answer.text);
        }
        for secret in ["Secret", "remedies", "near", "EnableIAM", "matched"] {
            assert!(!answer.text.contains(secret), "{secret}: {}", answer.text);
        }
    }
    assert_eq!(read(search).await.json()["Events"], json!([]));
    let explain = format!("/v1/explain/{id}");
    let denied = read(&explain).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert!(denied.text.contains("keyward:ExplainDecision on resource: *"), "{}", denied.text);
    let log = desk.send(desk.request("GET", "/v1/events?operation=ExplainDecision")).await.json();
    assert_eq!(log["Events"][0]["errorCode"], "AccessDenied", "{log}");

    desk.policy("joe", &policy(&[&reader[..], &["keyward:ExplainDecision"]].concat())).await;
    for answer in [read(&event).await, lookup().await, read(search).await] {
        assert!(answer.text.contains("SecretTeam"), "{}", answer.text);
    }
    let why = read(&explain).await.json();
    assert_eq!(why["Event"]["eventName"], "Encrypt");
    let decision = &why["Decisions"][0];
    assert_eq!(
        decision["checks"],
        json!([
            {"checkType": "RESOURCE", "evaluatedEffect": "ALLOW"},
            {"checkType": "PRINCIPAL", "evaluatedEffect": "IMPLICIT_DENY"},
        ])
    );
    let smallest = &decision["remedies"][0]["changes"][0];
    assert_eq!(
        (&smallest["kind"], &smallest["body"]),
        (&json!("ChangeRequest"), &json!({"Team": "SecretTeam"}))
    );
    assert!(why["Text"].as_str().unwrap().contains("Smallest change:"));
}

#[actix_web::test]
async fn pages_of_events_meet_without_gap_or_overlap() {
    let desk = Desk::open();
    for _ in 0..7 {
        desk.kms("ListKeys", "{}").await;
    }
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let page = desk
            .send(desk.request(
                "GET",
                &format!("/v1/events?operation=ListKeys&text=listkeys&limit=3{after}"),
            ))
            .await
            .json();
        ids.extend(
            page["Events"].as_array().unwrap().iter().map(|event| event["eventID"].to_string()),
        );
        let Some(next) = page["Next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(ids.len(), 7);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7);
}

#[actix_web::test]
async fn a_refusal_of_access_is_spelled_as_aws_spells_it() {
    let desk = Desk::open();
    let user = desk.user("joe").await;
    let list = desk
        .request("POST", "/")
        .header(TARGET, "TrentService.ListKeys")
        .body("{}")
        .login(&user.0, &user.1);
    let answer = desk.send(list).await;
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (StatusCode::BAD_REQUEST, "AccessDeniedException")
    );
    let start = r#"{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::000000000000:user/joe is not authorized to perform: kms:ListKeys on resource: * because no identity-based policy allows the kms:ListKeys action"#;
    assert!(answer.text.starts_with(start), "{}", answer.text);
}

#[actix_web::test]
async fn an_operators_tools_need_no_signature() {
    let desk = Desk::open();
    let get =
        async |path: &str| -> Answer { desk.send(desk.request("GET", path).unsigned()).await };
    assert_eq!(get("/livez").await.text, "ok\n");
    assert_eq!(get("/readyz?verbose").await.text, "[+]store ok\n[+]room ok\n[+]accepting ok\nok\n");
    desk.kms("CreateKey", "{}").await;
    let metrics = get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "kms_keys{spec_class=\"symmetric\",state=\"Enabled\"} 1",
        "kms_requests_total{operation=\"CreateKey\",outcome=\"success\"} 1",
    ] {
        assert!(metrics.text.lines().any(|known| known == line), "{line}");
    }
    for line in ["kms_keys_by_use{origin=\"AWS_KMS\",usage=\"ENCRYPT_DECRYPT\"} 1", "kms_grants 0"]
    {
        assert!(metrics.text.lines().any(|known| known == line), "{line}");
    }
    let open = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let open = desk.request("GET", "/metrics").unsigned().header("accept", open);
    let open = desk.send(open).await;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), content_type);
    assert!(open.text.ends_with("\n# EOF\n"));
    let sent = "kms_request_bytes_total{direction=\"sent\"} ";
    let sent = open.text.lines().find_map(|line| line.strip_prefix(sent)).unwrap();
    assert!(0.0 < sent.parse::<f64>().unwrap(), "the answer to CreateKey has a body");
    let document: Value = get("/openapi.json").await.json();
    assert_eq!(document["paths"]["/v1/keys"]["post"]["operationId"], "CreateKey");
    let head = desk.send(desk.request("HEAD", "/readyz").unsigned()).await;
    assert_eq!(head.status, StatusCode::OK);
    desk.drain();
    let draining = get("/readyz").await;
    assert_eq!(
        (draining.status, draining.text.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    );
    assert_eq!(get("/livez").await.status, StatusCode::OK);
}

#[test]
fn a_server_stops_in_order_and_goes_on_with_its_store() {
    let home = tempfile::tempdir().unwrap();
    let config = crate::Config {
        data: Some(home.path().join("store")),
        listen: "127.0.0.1:0".parse().unwrap(),
        ..crate::Config::dev()
    };
    let running = crate::start(&config).unwrap();
    let ask = |address| {
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    };
    assert!(ask(running.address()).starts_with("HTTP/1.1 200"));
    // An idle connection does not hold the end up.
    let _idle = std::net::TcpStream::connect(running.address()).unwrap();
    let address = running.address();
    running.stop().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
    let again = crate::start(&config).unwrap();
    assert!(ask(again.address()).starts_with("HTTP/1.1 200"));
}

#[actix_web::test]
async fn cloudtrail_clients_look_events_up() {
    let desk = Desk::open();
    desk.kms("CreateKey", "{}").await;
    let (id, secret) = desk.user("joe").await;
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let ask = |body: &str| {
        desk.request("POST", "/").header(TARGET, target).body(body).scope("cloudtrail", "us-east-1")
    };
    let found = desk
        .send(ask(
            r#"{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"CreateKey"}]}"#,
        ))
        .await;
    let event = &found.json()["Events"][0];
    assert_eq!(
        (event["EventName"].as_str(), event["ReadOnly"].as_str()),
        (Some("CreateKey"), Some("false"))
    );
    assert_eq!(event["Resources"][0]["ResourceType"], "AWS::KMS::Key");
    let record: Value = serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(record["eventID"], event["EventId"]);
    let denied = desk.send(ask("{}").login(&id, &secret)).await;
    assert_eq!(denied.code(), "AccessDeniedException");
    assert!(denied.text.contains("cloudtrail:LookupEvents on resource: *"), "{}", denied.text);
    // Values are whole ones, and events those of the Region that is asked.
    let (arn, request) =
        (event["Resources"][0]["ResourceName"].as_str().unwrap(), &record["requestID"]);
    let by = async |name: &str, value: &str| {
        let wanted = json!({"LookupAttributes": [{"AttributeKey": name, "AttributeValue": value}]});
        desk.send(ask(&wanted.to_string())).await.json()["Events"].as_array().unwrap().len()
    };
    assert_eq!(by("ResourceName", arn).await, 1);
    for (name, part) in [
        ("ResourceName", "key"),
        ("ResourceName", "arn:aws:kms"),
        ("AccessKeyId", "user"),
        ("AccessKeyId", "arn"),
        ("EventName", "Create"),
        ("EventId", request.as_str().unwrap()),
    ] {
        assert_eq!(by(name, part).await, 0, "{name}={part}");
    }
    let elsewhere = desk.send(ask("{}").scope("cloudtrail", "eu-west-1")).await.json();
    assert_eq!(elsewhere, json!({"Events": []}));
    let page = desk.send(ask(r#"{"MaxResults":1}"#)).await.json();
    assert_eq!(page["Events"][0]["Username"], "joe");
    let token = page["NextToken"].as_str().unwrap();
    let next =
        desk.send(ask(&json!({"MaxResults": 1, "NextToken": token}).to_string())).await.json();
    assert_ne!(next["Events"][0]["EventId"], page["Events"][0]["EventId"]);
    assert_eq!(
        desk.send(ask("{}").scope("kms", "us-east-1")).await.code(),
        "InvalidSignatureException"
    );
}
