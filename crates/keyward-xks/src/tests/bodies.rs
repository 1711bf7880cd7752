//! Bodies of requests as they are sent, and answers as they may come.

use super::{region, request};
use crate::wire;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_types::{ProxyFailure, ProxyKey, ProxyRequest, ProxySealed};

const KEY_ARN: &str = "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ASSOCIATED: &[u8] = b"project=nile,department=marketing";

/// The example of the specification, whose integrity value it computes step by step.
/// <https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md#appendix-c-ciphertext-data-integrity-value-cdiv-implementation-guidelines>
const ENCRYPTED: &str = r#"{
    "authenticationTag": "vBxN2ncH1oEkR8WVXpmyYQ==",
    "ciphertext": "ghxkK1txeDNn3q8Y",
    "ciphertextDataIntegrityValue": "qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=",
    "ciphertextMetadata": "a2V5X3ZlcnNpb249MQ==",
    "initializationVector": "HMrlRw85cAJUd5Ax"
}"#;

const METADATA: &str =
    r#"{"keySpec":"AES_256","keyUsage":["ENCRYPT","DECRYPT"],"keyStatus":"ENABLED"}"#;

const HEALTH: &str = r#"{"xksProxyFleetSize":2,"xksProxyVendor":"A","xksProxyModel":"B","ekmVendor":"C","ekmFleetDetails":[{"id":"1","model":"D","healthStatus":"DEGRADED"},{"id":"2","model":"D","healthStatus":"UNAVAILABLE"}]}"#;

fn sealed() -> ProxySealed {
    wire::read_encrypt(ENCRYPTED.as_bytes(), ASSOCIATED, 12).unwrap()
}

#[track_caller]
fn check(body: Result<zeroize::Zeroizing<Vec<u8>>, ProxyFailure>, expected: &str) {
    assert_eq!(core::str::from_utf8(&body.unwrap()).unwrap(), expected);
}

#[test]
fn requests_are_sent_as_specified() {
    let region = region();
    check(
        wire::health(&ProxyRequest {
            key_arn: Some(KEY_ARN),
            via_service: Some("ebs"),
            ..request(&region, "KmsHealthCheck")
        }),
        r#"{"requestMetadata":{"kmsOperation":"KmsHealthCheck","kmsRequestId":"4112f4d6-db54-4af4-ae30-c55a22a8dfae"}}"#,
    );
    check(
        wire::metadata(&request(&region, "CreateKey")),
        r#"{"requestMetadata":{"awsPrincipalArn":"arn:aws:iam::123456789012:user/Alice","kmsOperation":"CreateKey","kmsRequestId":"4112f4d6-db54-4af4-ae30-c55a22a8dfae"}}"#,
    );
    let whole = |operation| ProxyRequest {
        key_arn: Some(KEY_ARN),
        source_vpc: Some("vpc-1"),
        source_vpce: Some("vpce-2"),
        via_service: Some("ebs"),
        ..request(&region, operation)
    };
    check(
        wire::encrypt(&whole("GenerateDataKey"), ASSOCIATED, b"Hello World!"),
        r#"{"requestMetadata":{"awsPrincipalArn":"arn:aws:iam::123456789012:user/Alice","awsSourceVpc":"vpc-1","awsSourceVpce":"vpce-2","kmsKeyArn":"arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab","kmsOperation":"GenerateDataKey","kmsRequestId":"4112f4d6-db54-4af4-ae30-c55a22a8dfae","kmsViaService":"ebs"},"additionalAuthenticatedData":"cHJvamVjdD1uaWxlLGRlcGFydG1lbnQ9bWFya2V0aW5n","plaintext":"SGVsbG8gV29ybGQh","encryptionAlgorithm":"AES_GCM","ciphertextDataIntegrityValueAlgorithm":"SHA_256"}"#,
    );
    check(
        wire::decrypt(
            &ProxyRequest { key_arn: Some(KEY_ARN), ..request(&region, "Decrypt") },
            ASSOCIATED,
            &sealed(),
        ),
        r#"{"requestMetadata":{"awsPrincipalArn":"arn:aws:iam::123456789012:user/Alice","kmsKeyArn":"arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab","kmsOperation":"Decrypt","kmsRequestId":"4112f4d6-db54-4af4-ae30-c55a22a8dfae"},"additionalAuthenticatedData":"cHJvamVjdD1uaWxlLGRlcGFydG1lbnQ9bWFya2V0aW5n","encryptionAlgorithm":"AES_GCM","ciphertext":"ghxkK1txeDNn3q8Y","ciphertextMetadata":"a2V5X3ZlcnNpb249MQ==","initializationVector":"HMrlRw85cAJUd5Ax","authenticationTag":"vBxN2ncH1oEkR8WVXpmyYQ=="}"#,
    );
}

#[test]
fn what_is_empty_is_left_out() {
    let region = region();
    check(
        wire::encrypt(&request(&region, "Encrypt"), b"", b"x"),
        r#"{"requestMetadata":{"awsPrincipalArn":"arn:aws:iam::123456789012:user/Alice","kmsOperation":"Encrypt","kmsRequestId":"4112f4d6-db54-4af4-ae30-c55a22a8dfae"},"plaintext":"eA==","encryptionAlgorithm":"AES_GCM","ciphertextDataIntegrityValueAlgorithm":"SHA_256"}"#,
    );
    let sealed = ProxySealed {
        initialization_vector: vec![0; 12],
        authentication_tag: vec![0; 16],
        metadata: Vec::new(),
        ciphertext: vec![0],
    };
    check(
        wire::decrypt(&request(&region, "Decrypt"), b"", &sealed),
        r#"{"requestMetadata":{"awsPrincipalArn":"arn:aws:iam::123456789012:user/Alice","kmsOperation":"Decrypt","kmsRequestId":"4112f4d6-db54-4af4-ae30-c55a22a8dfae"},"encryptionAlgorithm":"AES_GCM","ciphertext":"AA==","initializationVector":"AAAAAAAAAAAAAAAA","authenticationTag":"AAAAAAAAAAAAAAAAAAAAAA=="}"#,
    );
}

#[test]
fn the_largest_request_fits_its_first_buffer() {
    let region = region();
    let arn = "a".repeat(2048);
    let asked = ProxyRequest {
        principal_arn: &arn,
        key_arn: Some(&arn),
        source_vpc: Some("vpc-0123456789abcdef0"),
        source_vpce: Some("vpce-0123456789abcdef0"),
        via_service: Some("secretsmanager"),
        ..request(&region, "GenerateDataKeyWithoutPlaintext")
    };
    let body = wire::encrypt(&asked, &[0; 8192], &[0; 4300]).unwrap();
    let first = STANDARD.encode([0; 8192]).len() + STANDARD.encode([0; 4300]).len() + 4096 + 1024;
    assert_eq!(body.capacity(), first);
}

#[test]
fn the_example_of_the_specification_is_read() {
    let sealed = sealed();
    assert_eq!(sealed.metadata, b"key_version=1");
    assert_eq!(sealed.initialization_vector.len(), 12);
    assert_eq!(sealed.authentication_tag.len(), 16);
    assert_eq!(sealed.ciphertext.len(), 12);
    let opened = wire::read_decrypt(br#"{"plaintext":"SGVsbG8gV29ybGQh"}"#, 12).unwrap();
    assert_eq!(*opened, b"Hello World!");
}

#[test]
fn letters_may_be_escaped_and_members_unknown() {
    let opened = wire::read_decrypt(br#"{"plaintext":"eA\u003d\u003d","node":7}"#, 1).unwrap();
    assert_eq!(*opened, b"x");
}

#[test]
fn metadata_is_read() {
    let key = ProxyKey { is_aes_256: true, encrypts: true, decrypts: true, enabled: true };
    for (from, to, expected) in [
        ("", "", key.clone()),
        ("AES_256", "RSA_2048", ProxyKey { is_aes_256: false, ..key.clone() }),
        ("ENABLED", "DISABLED", ProxyKey { enabled: false, ..key.clone() }),
        (r#""ENCRYPT","#, "", ProxyKey { encrypts: false, ..key.clone() }),
        (r#""DECRYPT""#, r#""WRAP""#, ProxyKey { decrypts: false, ..key.clone() }),
    ] {
        let answer = METADATA.replacen(from, to, 1);
        assert_eq!(wire::read_metadata(answer.as_bytes()), Ok(expected), "{answer}");
    }
    let usages = |count: usize| METADATA.replace(r#""ENCRYPT""#, &vec![r#""E""#; count].join(","));
    assert!(wire::read_metadata(usages(9).as_bytes()).is_ok());
    assert_eq!(wire::read_metadata(usages(10).as_bytes()), Err(ProxyFailure::Malformed));
}

#[test]
fn one_working_key_manager_is_enough() {
    assert_eq!(wire::read_health(HEALTH.as_bytes()), Ok(()));
    let down = HEALTH.replace("DEGRADED", "UNAVAILABLE");
    assert_eq!(wire::read_health(down.as_bytes()), Err(ProxyFailure::Unreachable));
    let managers = |count: usize| {
        let one = r#"{"id":"1","model":"D","healthStatus":"ACTIVE"}"#;
        let start = HEALTH.split('[').next().unwrap();
        format!("{start}[{}]}}", vec![one; count].join(","))
    };
    for (count, expected) in [
        (0, Err(ProxyFailure::Malformed)),
        (1, Ok(())),
        (10, Ok(())),
        (11, Err(ProxyFailure::Malformed)),
    ] {
        assert_eq!(wire::read_health(managers(count).as_bytes()), expected, "{count}");
    }
}

/// Each answer is whole but for one replacement.
#[test]
fn what_is_not_as_specified_is_malformed() {
    let ruined = |whole: &str, from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replacen(from, to, 1).into_bytes()
    };
    for (from, to) in [
        ("{", "["),
        (r#""AES_256""#, "256"),
        (r#""keySpec":"AES_256","#, ""),
        (r#","keyStatus":"ENABLED""#, ""),
        (r#""ENABLED""#, r#""BLOCKED""#),
        (r#"["ENCRYPT","DECRYPT"]"#, r#""ENCRYPT""#),
        (r#""ENABLED"}"#, r#""ENABLED","keyStatus":"DISABLED"}"#),
        (r#""ENABLED"}"#, r#""ENABLED"}x"#),
    ] {
        let answer = ruined(METADATA, from, to);
        assert_eq!(wire::read_metadata(&answer), Err(ProxyFailure::Malformed), "{from} -> {to}");
    }
    for (from, to) in [
        ("2", "0"),
        ("2", "-1"),
        ("2", "1.5"),
        ("2", "null"),
        (r#""xksProxyVendor":"A","#, ""),
        (r#""xksProxyModel":"B","#, ""),
        (r#""ekmVendor":"C","#, ""),
        (r#""id":"1","#, ""),
        (r#""model":"D","#, ""),
        (r#","healthStatus":"DEGRADED""#, ""),
        ("DEGRADED", "FINE"),
    ] {
        let answer = ruined(HEALTH, from, to);
        assert_eq!(wire::read_health(&answer), Err(ProxyFailure::Malformed), "{from} -> {to}");
    }
    for (from, to) in [
        // Another bit in each part that the integrity value is over, and in the value.
        ("ghxk", "ghxl"),
        ("HMrl", "HMrm"),
        ("vBxN", "vBxO"),
        ("a2V5", "a2V6"),
        ("qHA/", "qHB/"),
        ("qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=", ""),
        // What is missing, or no base64.
        (r#""ciphertext": "ghxkK1txeDNn3q8Y","#, ""),
        (r#""authenticationTag": "vBxN2ncH1oEkR8WVXpmyYQ==","#, ""),
        (r#","initializationVector""#, r#","x""#),
        (r#""ciphertextDataIntegrityValue""#, r#""x""#),
        ("ghxk", "gh-k"),
        ("vBxN2ncH1oEkR8WVXpmyYQ==", "vBxN2ncH1oEkR8WVXpmyYQ"),
    ] {
        let flat = ENCRYPTED.replace(",\n    \"init", ",\"init");
        let answer = ruined(&flat, from, to);
        let told = wire::read_encrypt(&answer, ASSOCIATED, 12);
        assert_eq!(told, Err(ProxyFailure::Malformed), "{from} -> {to}");
    }
    for (associated, plaintext_len) in [(&b""[..], 12), (&ASSOCIATED[1..], 12), (ASSOCIATED, 13)] {
        let told = wire::read_encrypt(ENCRYPTED.as_bytes(), associated, plaintext_len);
        assert_eq!(told, Err(ProxyFailure::Malformed));
    }
    for answer in [
        "",
        "{}",
        "null",
        r#"{"plaintext":null}"#,
        r#"{"plaintext":"SGVsbG8"}"#,
        r#"{"plaintext":"eA=="}"#,
    ] {
        let told = wire::read_decrypt(answer.as_bytes(), 12);
        assert_eq!(told, Err(ProxyFailure::Malformed), "{answer}");
    }
}

/// Lengths, each with an integrity value that is right, so that the length alone decides.
#[test]
fn lengths_are_as_specified() {
    let answer = |iv: usize, tag: usize, metadata: usize, ciphertext: usize| {
        let sealed = ProxySealed {
            initialization_vector: vec![1; iv],
            authentication_tag: vec![2; tag],
            metadata: vec![3; metadata],
            ciphertext: vec![4; ciphertext],
        };
        let member = |bytes: &[u8]| STANDARD.encode(bytes);
        format!(
            r#"{{"ciphertext":"{}","ciphertextMetadata":"{}","initializationVector":"{}","authenticationTag":"{}","ciphertextDataIntegrityValue":"{}"}}"#,
            member(&sealed.ciphertext),
            member(&sealed.metadata),
            member(&sealed.initialization_vector),
            member(&sealed.authentication_tag),
            member(&wire::integrity_value(b"a", &sealed))
        )
    };
    for (iv, tag, metadata, ciphertext, fits) in [
        (12, 16, 0, 5, true),
        (16, 16, 20, 5, true),
        (0, 16, 0, 5, false),
        (11, 16, 0, 5, false),
        (13, 16, 0, 5, false),
        (15, 16, 0, 5, false),
        (17, 16, 0, 5, false),
        (12, 15, 0, 5, false),
        (12, 17, 0, 5, false),
        (12, 16, 21, 5, false),
        (12, 16, 0, 4, false),
        (12, 16, 0, 6, false),
    ] {
        let answer = answer(iv, tag, metadata, ciphertext);
        let told = wire::read_encrypt(answer.as_bytes(), b"a", 5);
        assert_eq!(told.is_ok(), fits, "{iv} {tag} {metadata} {ciphertext}");
    }
}

#[test]
fn a_refusal_has_a_name() {
    for (answer, name) in [
        (r#"{"errorName":"AccessDeniedException"}"#, Some("AccessDeniedException")),
        (r#"{"errorName":"X","errorMessage":7}"#, Some("X")),
        (r#"{"errorName":7}"#, None),
        (r#"{"errormessage":"X"}"#, None),
        ("<html>", None),
    ] {
        assert_eq!(wire::error_name(answer.as_bytes()).as_deref(), name, "{answer}");
    }
}
