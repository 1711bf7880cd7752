//! The client on a real connection: what is signed and sent, and what each way of failing is called.

use super::{
    ACCESS_KEY_ID, SECRET, proxy, region, request,
    server::{Answer, Heard, Identity, Server, answer},
};
use crate::{Routes, Trust, TrustError, XksClient};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use core::time::Duration;
use keyward_types::{
    Clock, KeyStoreProxy, ProxyFailure, ProxyKey, ProxyRequest, Timestamp, XksProxy,
};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
    thread,
};

/// 2026-01-02T03:04:05Z.
const NOW: i64 = 1_767_323_045;

const HEALTHY: &str = r#"{"xksProxyFleetSize":1,"xksProxyVendor":"A","xksProxyModel":"B","ekmVendor":"C","ekmFleetDetails":[{"id":"1","model":"D","healthStatus":"ACTIVE"}]}"#;

/// A clock that stands.
struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0)
    }

    fn monotonic_nanos(&self) -> u64 {
        0
    }
}

fn pem(identity: &Identity) -> Vec<u8> {
    let base64 = STANDARD.encode(&identity.root);
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n").into_bytes()
}

/// Trusts `identity`, and waits so long that no machine is too slow.
fn client(identity: &Identity) -> XksClient {
    XksClient::new(Arc::new(At(NOW)), Trust::PublicAnd(pem(identity)), Routes::new())
        .unwrap()
        .with_timeout(Duration::from_secs(60))
}

fn at(port: u16) -> XksProxy {
    proxy(&format!("https://localhost:{port}"), "/kms/xks/v1")
}

fn health(client: &XksClient, proxy: &XksProxy) -> Result<(), ProxyFailure> {
    client.health(proxy, &request(&region(), "KmsHealthCheck"))
}

/// The health that a server with these answers has, and the requests that it heard.
fn told(
    answer: impl Fn(usize, &Heard) -> Answer + Send + 'static,
) -> (Result<(), ProxyFailure>, usize) {
    let identity = Identity::of("localhost");
    let server = Server::start(&identity, answer);
    let told = health(&client(&identity), &at(server.port));
    (told, server.heard.try_iter().count())
}

#[test]
fn a_request_is_signed_and_a_connection_kept() {
    let identity = Identity::of("localhost");
    let server = Server::start(&identity, |_, _| answer(200, HEALTHY));
    let (client, proxy) = (client(&identity), at(server.port));
    for _ in 0..3 {
        assert_eq!(health(&client, &proxy), Ok(()));
    }
    let heard: Vec<Heard> = server.heard.try_iter().collect();
    assert_eq!(heard.iter().map(|request| request.connection).collect::<Vec<_>>(), [0, 0, 0]);
    let heard = &heard[0];
    assert_eq!(heard.line, "POST /kms/xks/v1/health HTTP/1.1");
    assert_eq!(heard.header("host"), Some(format!("localhost:{}", server.port).as_str()));
    assert_eq!(heard.header("content-type"), Some("application/json"));
    let headers: Vec<(&str, &str)> =
        heard.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let wire = keyward_sigv4::Request {
        method: "POST",
        path: "/kms/xks/v1/health",
        query: "",
        headers: &headers,
        body: &heard.body,
    };
    let presented = keyward_sigv4::present(&wire).unwrap();
    assert_eq!(presented.access_key_id, ACCESS_KEY_ID);
    assert_eq!(presented.signed_headers, "host;x-amz-date");
    assert_eq!(presented.region, "eu-west-1");
    assert_eq!(presented.service, "kms-xks-proxy");
    assert_eq!(presented.time_seconds, NOW);
    presented.verify(&wire, SECRET, None).unwrap();
}

#[test]
fn each_operation_has_its_path_and_answer() {
    const ENCRYPTED: &str = r#"{"authenticationTag":"vBxN2ncH1oEkR8WVXpmyYQ==","ciphertext":"ghxkK1txeDNn3q8Y","ciphertextDataIntegrityValue":"qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=","ciphertextMetadata":"a2V5X3ZlcnNpb249MQ==","initializationVector":"HMrlRw85cAJUd5Ax"}"#;
    let identity = Identity::of("localhost");
    let server = Server::start(&identity, |_, heard| match heard.line.as_str() {
        "POST /kms/xks/v1/keys/k-1/metadata HTTP/1.1" => {
            answer(200, r#"{"keySpec":"AES_256","keyUsage":["DECRYPT"],"keyStatus":"DISABLED"}"#)
        }
        "POST /kms/xks/v1/keys/k-1/encrypt HTTP/1.1" => answer(200, ENCRYPTED),
        "POST /kms/xks/v1/keys/k-1/decrypt HTTP/1.1" => {
            answer(200, r#"{"plaintext":"SGVsbG8gV29ybGQh"}"#)
        }
        other => panic!("{other}"),
    });
    let (client, proxy, region) = (client(&identity), at(server.port), region());
    let request = ProxyRequest { key_arn: Some("arn"), ..request(&region, "Encrypt") };
    let key = client.metadata(&proxy, "k-1", &request).unwrap();
    let expected = ProxyKey { is_aes_256: true, encrypts: false, decrypts: true, enabled: false };
    assert_eq!(key, expected);
    let associated = b"project=nile,department=marketing";
    let sealed = client.encrypt(&proxy, "k-1", &request, associated, b"Hello World!").unwrap();
    let opened = client.decrypt(&proxy, "k-1", &request, associated, &sealed).unwrap();
    assert_eq!(*opened, b"Hello World!");
}

#[test]
fn a_refusal_is_told_by_name_and_status_together() {
    use ProxyFailure::{InvalidState, KeyNotFound, Malformed, Throttling};
    for (status, body, failure) in [
        (400, r#"{"errorName":"InvalidStateException","errorMessage":"x"}"#, InvalidState),
        (404, r#"{"errorName":"KeyNotFoundException"}"#, KeyNotFound),
        (429, r#"{"errorName":"ThrottlingException"}"#, Throttling),
        (400, r#"{"errorName":"ThrottlingException"}"#, Malformed),
        (200, r#"{"errorName":"ThrottlingException"}"#, Malformed),
        (201, HEALTHY, Malformed),
        (302, r#"{"errorName":"ThrottlingException"}"#, Malformed),
        (405, "", Malformed),
        (502, "<html>", Malformed),
    ] {
        let (told, requests) = told(move |_, _| answer(status, body));
        assert_eq!((told, requests), (Err(failure), 1), "{status} {body}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let (told, requests) = told(|_, _| {
        let head = "HTTP/1.1 307 X\r\nlocation: /kms/xks/v1/other\r\ncontent-length: 0\r\n\r\n";
        Answer::Bytes(head.as_bytes().to_vec())
    });
    assert_eq!((told, requests), (Err(ProxyFailure::Malformed), 1));
}

#[test]
fn a_body_has_an_end() {
    let spaces = |count: usize| format!("{HEALTHY}{}", " ".repeat(count - HEALTHY.len()));
    let (longest, longer) = (spaces(64 * 1024), spaces(64 * 1024 + 1));
    let chunked = format!(
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{longer}\r\n0\r\n\r\n",
        longer.len()
    );
    assert_eq!(told(move |_, _| answer(200, &longest)).0, Ok(()));
    assert_eq!(told(move |_, _| answer(200, &longer)).0, Err(ProxyFailure::Malformed));
    let chunked = move |_, _: &Heard| Answer::Bytes(chunked.clone().into_bytes());
    assert_eq!(told(chunked).0, Err(ProxyFailure::Malformed));
}

#[test]
fn what_is_no_answer_is_malformed() {
    for bytes in [
        "HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{}",
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        let (told, _) = told(move |_, _| Answer::Last(bytes.as_bytes().to_vec()));
        assert_eq!(told, Err(ProxyFailure::Malformed), "{bytes}");
    }
}

/// A kept connection ends just as it is used again: the client opens another, once.
#[test]
fn a_lost_connection_is_replaced_once() {
    let identity = Identity::of("localhost");
    let server = Server::start(&identity, |number, _| match number {
        1 => Answer::Last(Vec::new()),
        _ => answer(200, HEALTHY),
    });
    let (client, proxy) = (client(&identity), at(server.port));
    assert_eq!(health(&client, &proxy), Ok(()));
    assert_eq!(health(&client, &proxy), Ok(()));
    let connections: Vec<usize> = server.heard.try_iter().map(|heard| heard.connection).collect();
    assert_eq!(connections, [0, 0, 1]);

    let (told, requests) = told(|_, _| Answer::Last(Vec::new()));
    assert_eq!((told, requests), (Err(ProxyFailure::Unreachable), 2));
}

#[test]
fn who_does_not_answer_is_timed_out() {
    let soon = Duration::from_millis(30);
    for start in ["", "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{"] {
        let identity = Identity::of("localhost");
        let server = Server::start(&identity, move |_, _| Answer::Stall(start.as_bytes().to_vec()));
        let told = health(&client(&identity).with_timeout(soon), &at(server.port));
        assert_eq!(told, Err(ProxyFailure::TimedOut), "{start}");
    }
    // The system takes the connection, and nobody speaks TLS on it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let proxy = at(listener.local_addr().unwrap().port());
    let client = client(&Identity::of("localhost"));
    assert_eq!(health(&client.with_timeout(soon), &proxy), Err(ProxyFailure::TimedOut));
}

#[test]
fn who_is_not_there_is_unreachable() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let client = client(&Identity::of("localhost"));
    assert_eq!(health(&client, &at(port)), Err(ProxyFailure::Unreachable));
    let nowhere = proxy("https://xks..example", "/kms/xks/v1");
    assert_eq!(health(&client, &nowhere), Err(ProxyFailure::Unreachable));
}

#[test]
fn a_certificate_must_be_trusted_current_and_for_the_name() {
    let identity = Identity::of("localhost");
    let other_name = Identity::of("xks.example");
    let other_root = Identity::of("localhost");
    let soon = Duration::from_secs(60);
    let trusting = |trust: Trust, seconds: i64| {
        XksClient::new(Arc::new(At(seconds)), trust, Routes::new()).unwrap().with_timeout(soon)
    };
    let in_1970 = trusting(Trust::PublicAnd(pem(&identity)), 1);
    for (client, serves) in [
        (client(&other_name), &other_name),
        (client(&other_root), &identity),
        (trusting(Trust::Public, NOW), &identity),
        (in_1970, &identity),
    ] {
        let server = Server::start(serves, |_, _| answer(200, HEALTHY));
        assert_eq!(health(&client, &at(server.port)), Err(ProxyFailure::Tls));
        assert_eq!(server.heard.try_iter().count(), 0, "nothing is sent to a stranger");
    }
}

#[test]
fn what_speaks_no_tls_is_told_so() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // So that the client reads before the socket is reset.
        socket.read_to_end(&mut Vec::new()).ok();
    });
    let client = client(&Identity::of("localhost"));
    assert_eq!(health(&client, &at(port)), Err(ProxyFailure::Tls));
}

#[test]
fn a_file_without_roots_is_refused() {
    let clock = || Arc::new(At(NOW));
    let identity = Identity::of("localhost");
    let whole = pem(&identity);
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_base64 = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let other = b"-----BEGIN X-----\nAAAA\n-----END X-----\n".to_vec();
    for (pem, expected) in [
        (Vec::new(), TrustError::Empty),
        (b"no certificate".to_vec(), TrustError::Empty),
        (other.clone(), TrustError::Empty),
        (broken.to_vec(), TrustError::Certificate(1)),
        ([&whole[..], no_base64].concat(), TrustError::Certificate(2)),
    ] {
        let told = XksClient::new(clock(), Trust::PublicAnd(pem), Routes::new()).err();
        assert_eq!(told, Some(expected));
    }
    assert!(
        XksClient::new(
            clock(),
            Trust::PublicAnd([&other[..], &whole, &whole].concat()),
            Routes::new()
        )
        .is_ok()
    );
}

#[test]
fn a_client_prints_its_time_limit_alone() {
    let client = client(&Identity::of("localhost"));
    assert_eq!(format!("{client:?}"), "XksClient { timeout: 60s, .. }");
}
