//! The doors to CloudTrail files: what they show, to whom, and that no request reads anything else.

use super::desk::{Answer, Asked, Desk, TARGET};
use actix_web::http::StatusCode;
use keyward_export::{Destination as _, Folder};
use keyward_trail::files::{Object, Objects as _};
use serde_json::{Value, json};
use std::fs;

const BUCKET: &str = "keyward-trail";

fn s3(desk: &Desk, uri: &str) -> Asked {
    desk.request("GET", uri).scope("s3", "us-east-1")
}

async fn get(desk: &Desk, uri: &str) -> Answer {
    desk.send(s3(desk, uri)).await
}

async fn cloudtrail(desk: &Desk, operation: &str, body: &str) -> Answer {
    let target = format!("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{operation}");
    let asked = desk.request("POST", "/").header(TARGET, &target).body(body);
    desk.send(asked.scope("cloudtrail", "us-east-1")).await
}

fn keys(answer: &Answer) -> Vec<String> {
    let parts = answer.text.split("<Key>").skip(1);
    parts.map(|part| part.split('<').next().unwrap().to_owned()).collect()
}

fn code(answer: &Answer) -> &str {
    answer.text.split("<Code>").nth(1).and_then(|part| part.split('<').next()).unwrap_or("")
}

#[actix_web::test]
async fn the_trail_and_its_key_are_described() {
    let bare = Desk::open();
    for (operation, list) in [("DescribeTrails", "trailList"), ("ListPublicKeys", "PublicKeyList")]
    {
        assert_eq!(cloudtrail(&bare, operation, "{}").await.json(), json!({list: []}));
    }
    assert_eq!(code(&get(&bare, &format!("/{BUCKET}?location")).await), "NotImplemented");

    let (desk, _home) = Desk::with_trail();
    let trail = cloudtrail(&desk, "DescribeTrails", "").await.json()["trailList"][0].clone();
    assert_eq!(trail["TrailARN"], "arn:aws:cloudtrail:us-east-1:000000000000:trail/keyward");
    assert_eq!((&trail["S3BucketName"], &trail["S3KeyPrefix"]), (&json!(BUCKET), &Value::Null));
    let named = |name: &str| json!({"trailNameList": [name]}).to_string();
    let other = cloudtrail(&desk, "DescribeTrails", &named("other")).await;
    assert_eq!(other.json(), json!({"trailList": []}));
    assert_eq!(
        cloudtrail(&desk, "DescribeTrails", &named("keyward")).await.json()["trailList"][0],
        trail
    );
    let key = cloudtrail(&desk, "ListPublicKeys", "{}").await.json()["PublicKeyList"][0].clone();
    assert_eq!(key["Fingerprint"].as_str().unwrap().len(), 32);
    let backwards = cloudtrail(&desk, "ListPublicKeys", r#"{"StartTime":2,"EndTime":1}"#).await;
    assert_eq!(backwards.code(), "InvalidTimeRangeException");
    let broken = cloudtrail(&desk, "DescribeTrails", "[").await;
    assert_eq!(broken.code(), "SerializationException");
}

#[actix_web::test]
async fn files_are_listed_page_by_page_and_read_with_their_metadata() {
    let (desk, home) = Desk::with_trail();
    for _ in 0..3 {
        desk.kms("CreateKey", "").await;
        desk.export();
    }
    let folder = Folder::new(home.path());
    let all = folder.list("AWSLogs/").unwrap();
    assert_eq!(all.len(), 6);
    assert!(get(&desk, &format!("/{BUCKET}?location")).await.text.contains("LocationConstraint"));
    assert_eq!(keys(&get(&desk, &format!("/{BUCKET}")).await), all);
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let uri =
            format!("/{BUCKET}?encoding-type=url&marker={marker}&max-keys=4&prefix=AWSLogs%2F");
        let page = get(&desk, &uri).await;
        seen.extend(keys(&page));
        marker = seen.last().unwrap().replace('/', "%2F");
        if page.text.contains("<IsTruncated>false</IsTruncated>") {
            break;
        }
    }
    assert_eq!(seen, all);
    let digests = get(&desk, &format!("/{BUCKET}?prefix=AWSLogs/000000000000/CloudTrail-D")).await;
    let digest = keys(&digests).pop().unwrap();
    let answer = get(&desk, &format!("/{BUCKET}/{digest}")).await;
    let stored = folder.get(&digest).unwrap().unwrap();
    assert_eq!(answer.header("x-amz-meta-signature"), stored.metadata["signature"]);
    assert_eq!(answer.header("x-amz-meta-signature-algorithm"), "SHA256withRSA");
    assert_eq!(answer.text, String::from_utf8_lossy(&stored.bytes));
}

#[actix_web::test]
async fn nothing_but_the_own_accounts_files_is_read() {
    let (desk, home) = Desk::with_trail();
    desk.export();
    let folder = Folder::new(home.path());
    let secret = Object { bytes: b"a secret".to_vec(), ..Object::default() };
    folder.put("AWSLogs/111122223333/CloudTrail/file", &secret).unwrap();
    folder.put("elsewhere/file", &secret).unwrap();
    let own = home.path().join("AWSLogs/000000000000");
    fs::write(home.path().parent().unwrap().join("keyward-outside"), "a secret").unwrap();
    fs::write(own.join(".hidden"), "a secret").unwrap();
    std::os::unix::fs::symlink(home.path().join("elsewhere"), own.join("link")).unwrap();
    let listed = keys(&get(&desk, &format!("/{BUCKET}?prefix=")).await);
    assert!(
        !listed.is_empty()
            && listed.iter().all(|key| key.contains("Digest") || key.contains("CloudTrail/"))
    );
    assert!(listed.iter().all(|key| key.starts_with("AWSLogs/000000000000/")), "{listed:?}");
    for prefix in
        ["AWSLogs/111122223333", "elsewhere", "../", "AWSLogs/000000000000/link", "%2e%2e"]
    {
        let listed = keys(&get(&desk, &format!("/{BUCKET}?prefix={prefix}")).await);
        assert_eq!(listed, Vec::<String>::new(), "{prefix}");
    }
    for key in [
        "AWSLogs/111122223333/CloudTrail/file",
        "elsewhere/file",
        "keyward/head.json",
        "AWSLogs/000000000000/.hidden",
        "AWSLogs/000000000000/link/file",
        "AWSLogs/000000000000/../111122223333/CloudTrail/file",
        "AWSLogs/000000000000/../../../keyward-outside",
        "AWSLogs/000000000000/%2e%2e/111122223333/CloudTrail/file",
        "AWSLogs/000000000000/..%2F..%2Felsewhere%2Ffile",
        "..%2F..%2F..%2Fetc%2Fpasswd",
        "/etc/passwd",
        "AWSLogs/000000000000/",
        "AWSLogs/000000000000",
    ] {
        let answer = get(&desk, &format!("/{BUCKET}/{key}")).await;
        assert_eq!((answer.status, code(&answer)), (StatusCode::NOT_FOUND, "NoSuchKey"), "{key}");
        assert!(!answer.text.contains("a secret"), "{key}");
    }
    assert_eq!(code(&get(&desk, "/other/key").await), "NoSuchBucket");
    let put = desk.request("PUT", &format!("/{BUCKET}/x")).scope("s3", "us-east-1");
    assert_eq!(desk.send(put).await.status, StatusCode::NOT_IMPLEMENTED);
    let forged = s3(&desk, &format!("/{BUCKET}?location")).login("test", "wrong");
    assert_eq!(code(&desk.send(forged).await), "SignatureDoesNotMatch");
    let stranger = s3(&desk, &format!("/{BUCKET}?location")).login("nobody", "wrong");
    assert_eq!(code(&desk.send(stranger).await), "InvalidAccessKeyId");
    fs::remove_file(home.path().parent().unwrap().join("keyward-outside")).unwrap();
}

#[actix_web::test]
async fn who_may_not_read_leaves_an_event() {
    let (desk, _home) = Desk::with_trail();
    desk.export();
    let listed = keys(&get(&desk, &format!("/{BUCKET}")).await);
    let find = |part: &str| listed.iter().find(|key| key.contains(part)).unwrap().clone();
    let (digest, log) = (find("/CloudTrail-Digest/"), find("/CloudTrail/"));
    let (id, secret) = desk.user("reader").await;
    let uris = [
        format!("/{BUCKET}?location"),
        format!("/{BUCKET}"),
        format!("/{BUCKET}/{digest}"),
        format!("/{BUCKET}/{log}"),
    ];
    let read = async |uri: &String| {
        let before = desk.events();
        let answer = desk.send(s3(&desk, uri).login(&id, &secret)).await;
        (answer.status.as_u16(), desk.events() - before)
    };
    for uri in &uris {
        assert_eq!(read(uri).await, (403, 1), "{uri}");
    }
    let allow = |actions: &[&str]| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
    desk.policy("reader", &allow(&["s3:*"])).await;
    for uri in &uris[..3] {
        assert_eq!(read(uri).await, (200, 0), "{uri}");
    }
    // A record tells policy text.
    assert_eq!(read(&uris[3]).await, (403, 1));
    desk.policy("reader", &allow(&["s3:*", "keyward:ExplainDecision"])).await;
    assert_eq!(read(&uris[3]).await, (200, 0));
}
