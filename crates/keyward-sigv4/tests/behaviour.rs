//! What is refused and how it is said, and that what we sign we accept.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use keyward_sigv4::{
    Credentials, Presented, REASONS, Request, Scope, SignatureError, present, presign, sign,
};
use keyward_types::{ErrorCode, KmsError};
use proptest::prelude::*;

const NOW: i64 = 1_541_455_864; // 20181105T221104Z
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const CREDENTIALS: Credentials<'_> = Credentials {
    access_key_id: "AKIAIOSFODNN7EXAMPLE",
    secret_access_key: SECRET,
    session_token: None,
};
const SCOPE: Scope<'_> = Scope { region: "us-east-1", service: "kms" };

type Headers = Vec<(String, String)>;

fn check<T>(
    headers: &Headers,
    query: &str,
    body: &[u8],
    then: impl FnOnce(&Request<'_>) -> T,
) -> T {
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    then(&Request { method: "POST", path: "/", query, headers: &headers, body })
}

fn signed(base: &[(&str, &str)], body: &[u8]) -> Headers {
    let request = Request { method: "POST", path: "/", query: "", headers: base, body };
    let added = sign(&request, &CREDENTIALS, &SCOPE, NOW);
    let mut headers: Headers =
        base.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    headers.extend(added.into_iter().map(|(n, v)| (n.to_owned(), v)));
    headers
}

fn verify(request: &Request<'_>) -> Result<(), SignatureError> {
    let presented = present(request)?;
    presented.check_window(NOW)?;
    presented.verify(request, SECRET, None)
}

fn header<'h>(headers: &'h mut Headers, name: &str) -> &'h mut String {
    &mut headers.iter_mut().find(|(n, _)| n == name).unwrap().1
}

fn refusal(headers: &Headers, query: &str, body: &[u8]) -> SignatureError {
    check(headers, query, body, verify).unwrap_err()
}

const BASE: &[(&str, &str)] =
    &[("Host", "localhost:8480"), ("X-Amz-Target", "TrentService.ListKeys")];

#[test]
fn nothing_presented_is_missing() {
    assert_eq!(refusal(&vec![], "", b""), SignatureError::Missing);
    assert_eq!(refusal(&vec![], "Action=X&X-Amz-Security-Token=t", b""), SignatureError::Missing);
    assert_eq!(SignatureError::Missing.to_string(), "Missing Authentication Token");
}

#[test]
fn every_missing_part_is_listed() {
    let only = |value: &str| vec![("Authorization".to_owned(), value.to_owned())];
    assert_eq!(
        refusal(&only("AWS4-HMAC-SHA256"), "", b"").to_string(),
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a \
         'X-Amz-Date' or a 'Date' header."
    );
    let some =
        refusal(&only("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request,Signature=0"), "", b"");
    assert!(
        matches!(&some, SignatureError::Incomplete(text) if text.starts_with("Authorization header requires 'SignedHeaders'"))
    );
    let query =
        refusal(&vec![], "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20181105T221104Z", b"");
    assert_eq!(
        query.to_string(),
        "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include \
         'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters."
    );
}

#[test]
fn what_cannot_be_read_is_malformed_and_not_repeated() {
    let good = signed(BASE, b"{}");
    let text = good.iter().find(|(n, _)| n == "Authorization").unwrap().1.clone();
    for (from, to) in [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("AWS4-HMAC-SHA256", "Bearer s3cr3t"),
        ("Credential=", "Credential s3cr3t"),
        ("/us-east-1/", "/"),
        ("/us-east-1/", "//"),
        ("/us-east-1/", "/us-east-1/more/"),
        ("host;x-amz-date", "x-amz-date;host"),
        ("host;", "Host;"),
        ("host;", "host;host;"),
        ("host;", "host;;"),
        ("host;", "ho st;"),
        ("Signature=", "Signature=0"),
        ("Signature=", "Signature=A"),
        ("Signature=", "Signature=0, Signature="),
    ] {
        let mut headers = good.clone();
        *header(&mut headers, "Authorization") = text.replacen(from, to, 1);
        let error = refusal(&headers, "", b"{}");
        assert!(matches!(&error, SignatureError::Malformed(_)), "{from} -> {to}: {error:?}");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
    for (name, value) in [("authorization", text.as_str()), ("x-amz-date", "20181105T221104Z")] {
        let mut headers = good.clone();
        headers.push((name.to_owned(), value.to_owned()));
        assert!(
            matches!(refusal(&headers, "", b"{}"), SignatureError::Malformed(_)),
            "{name} twice"
        );
    }
    assert!(
        matches!(refusal(&good, "X-Amz-Signature=00", b"{}"), SignatureError::Malformed(_)),
        "both forms"
    );
}

#[test]
fn the_window_is_five_minutes_and_says_so() {
    let headers = signed(BASE, b"{}");
    let at = |now: i64| {
        check(&headers, "", b"{}", |request| present(request).unwrap().check_window(now))
    };
    for now in [NOW - 300, NOW, NOW + 300] {
        assert_eq!(at(now), Ok(()));
    }
    assert_eq!(
        at(NOW + 301).unwrap_err().to_string(),
        "Signature expired: 20181105T221104Z is now earlier than 20181105T221105Z (20181105T221605Z - 5 min.)"
    );
    assert_eq!(
        at(NOW - 301).unwrap_err().to_string(),
        "Signature not yet current: 20181105T221104Z is still later than 20181105T221103Z (20181105T220603Z + 5 min.)"
    );
    assert_eq!(at(i64::MIN).unwrap_err().code(), ErrorCode::InvalidSignature);
    assert!(at(i64::MAX).is_err());
}

#[test]
fn a_presigned_url_holds_as_long_as_it_says() {
    let request = Request {
        method: "GET",
        path: "/",
        query: "Limit=3",
        headers: &[("host", "h")],
        body: b"",
    };
    let query = presign(&request, &CREDENTIALS, &SCOPE, NOW, 900);
    let headers = vec![("Host".to_owned(), "h".to_owned())];
    let at = |now: i64| {
        check(&headers, &query, b"", |request| {
            let request = Request { method: "GET", ..*request };
            let presented = present(&request)?;
            presented.check_window(now)?;
            presented.verify(&request, SECRET, None)
        })
    };
    assert_eq!(at(NOW + 900), Ok(()));
    assert!(matches!(at(NOW + 901), Err(SignatureError::Window(_))));
    assert!(matches!(at(NOW - 301), Err(SignatureError::Window(_))));
    for bad in ["0", "-1", "604801", "soon", "", "99999999999999999999"] {
        let query = query.replace("X-Amz-Expires=900", &format!("X-Amz-Expires={bad}"));
        assert!(matches!(refusal(&headers, &query, b""), SignatureError::Malformed(_)), "{bad}");
    }
    let twice = format!("{query}&X-Amz-Expires=9000");
    assert!(matches!(refusal(&headers, &twice, b""), SignatureError::Malformed(_)));
}

#[test]
fn the_scope_must_be_of_the_same_day_and_end_as_it_should() {
    let mut headers = signed(BASE, b"{}");
    let text = header(&mut headers, "Authorization");
    let good = text.clone();
    *text = good.replace("/20181105/", "/20181104/");
    assert_eq!(
        refusal(&headers, "", b"{}").to_string(),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20181104' != '20181105', from '20181105T221104Z'."
    );
    *header(&mut headers, "Authorization") = good.replace("aws4_request", "aws5_request");
    assert!(matches!(refusal(&headers, "", b"{}"), SignatureError::Scope(_)));
}

/// A parameter that only looks like the signature is signed like any other.
#[test]
fn nothing_can_be_added_to_the_query() {
    let headers = signed(BASE, b"{}");
    for query in ["a=1", "a", "X%2DAmz%2DSignature=00", "x-amz-signature=00"] {
        assert_eq!(refusal(&headers, query, b"{}"), SignatureError::Mismatch, "{query}");
    }
}

#[test]
fn host_and_amz_headers_must_be_signed() {
    let no_host = signed(&BASE[1..], b"{}");
    assert!(
        matches!(refusal(&no_host, "", b"{}"), SignatureError::UnsignedHeader(text) if text.contains("'Host'"))
    );
    let mut headers = signed(BASE, b"{}");
    for name in ["X-Amz-Security-Token", "x-amz-anything"] {
        headers.push((name.to_owned(), "added under way".to_owned()));
        let error = refusal(&headers, "", b"{}");
        assert_eq!(
            error.to_string(),
            format!("'{}' must be a 'SignedHeader' in the AWS Authorization.", name.to_lowercase())
        );
        headers.pop();
    }
    headers.push(("X-Amzn-Trace-Id".to_owned(), "Root=1".to_owned()));
    assert_eq!(check(&headers, "", b"{}", verify), Ok(()));
}

#[test]
fn the_payload_is_never_taken_on_trust() {
    for declared in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", "00"] {
        let headers = signed(&[BASE[0], ("X-Amz-Content-SHA256", declared)], b"{}");
        assert_eq!(refusal(&headers, "", b"{}"), SignatureError::Payload, "{declared}");
    }
}

#[test]
fn a_date_header_serves_when_there_is_no_other() {
    // Signed by hand: our own signer always writes X-Amz-Date.
    let headers = vec![
        ("Host".to_owned(), "h".to_owned()),
        ("Date".to_owned(), "Mon, 05 Nov 2018 22:11:04 GMT".to_owned()),
        (
            "Authorization".to_owned(),
            format!(
                "AWS4-HMAC-SHA256 Credential=k/20181105/us-east-1/kms/aws4_request,SignedHeaders=date;host,Signature={}",
                "0".repeat(64)
            ),
        ),
    ];
    let time = check(&headers, "", b"", |request| {
        present(request).map(|presented| presented.time_seconds)
    });
    assert_eq!(time, Ok(NOW));
    assert_eq!(refusal(&headers, "", b""), SignatureError::Mismatch);
}

#[test]
fn secrets_stay_out_of_debug_and_errors() {
    let key = keyward_sigv4::derive_signing_key(SECRET, "20181105", "us-east-1", "kms");
    assert_eq!(format!("{key:?}"), "SigningKey(20181105/us-east-1/kms)");
    assert_eq!(format!("{CREDENTIALS:?}"), "Credentials(AKIAIOSFODNN7EXAMPLE)");
    let error = KmsError::from(SignatureError::Mismatch);
    assert_eq!(error.code, ErrorCode::InvalidSignature);
    assert!(
        error.message.unwrap().starts_with("The request signature we calculated does not match")
    );
    assert!(REASONS.contains(&SignatureError::Payload.reason()));
}

fn text() -> impl Strategy<Value = String> {
    "[ -~\u{e0}-\u{ff}\u{1234}]{0,24}"
}

proptest! {
    #[test]
    fn what_is_signed_is_accepted(
        path in "(/[a-zA-Z0-9 .~%\u{1234}-]{0,6}){0,4}",
        query in prop::collection::vec(("[a-zA-Z%+\u{e9}-]{1,6}", "[a-z=+%/ ~-]{0,6}"), 0..4),
        values in prop::collection::vec(text(), 0..3),
        body in prop::collection::vec(any::<u8>(), 0..200),
        secret in "[!-~]{1,60}",
        token in prop::option::of("[!-~]{1,40}"),
        presigned in any::<bool>(),
        now in 0_i64..4_000_000_000,
    ) {
        // A literal percent sign stands for itself only when two hexadecimal digits do not follow.
        let query = query.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
        let mut headers: Vec<(&str, &str)> = vec![("Host", "localhost:8480"), ("User-Agent", "x")];
        headers.extend(values.iter().map(|value| ("X-Amz-Meta", value.as_str())));
        let request = Request { method: "POST", path: &path, query: &query, headers: &headers, body: &body };
        let credentials = Credentials { access_key_id: "AKIA", secret_access_key: &secret, session_token: token.as_deref() };
        let verdict = |request: &Request<'_>, secret: &str| {
            let presented: Presented<'_> = present(request)?;
            assert_eq!(presented.session_token.as_deref(), token.as_deref());
            presented.check_window(now)?;
            presented.verify(request, secret, None)
        };
        if presigned {
            let query = presign(&request, &credentials, &SCOPE, now, 60);
            let request = Request { query: &query, ..request };
            prop_assert_eq!(verdict(&request, &secret), Ok(()));
            prop_assert_eq!(verdict(&request, "another secret"), Err(SignatureError::Mismatch));
        } else {
            let added = sign(&request, &credentials, &SCOPE, now);
            let headers: Vec<(&str, &str)> =
                headers.iter().copied().chain(added.iter().map(|(n, v)| (*n, v.as_str()))).collect();
            let request = Request { headers: &headers, ..request };
            prop_assert_eq!(verdict(&request, &secret), Ok(()));
            prop_assert_eq!(verdict(&request, "another secret"), Err(SignatureError::Mismatch));
        }
    }

    #[test]
    fn no_text_makes_it_panic(authorization in ".{0,200}", query in ".{0,200}", date in ".{0,20}") {
        let headers = [("Authorization", authorization.as_str()), ("X-Amz-Date", date.as_str())];
        let request = Request { method: "POST", path: "/", query: &query, headers: &headers, body: b"" };
        if let Ok(presented) = present(&request) {
            prop_assert!(presented.verify(&request, SECRET, None).is_err());
        }
    }
}
