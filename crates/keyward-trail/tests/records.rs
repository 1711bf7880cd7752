//! Whole records and whole explanations, compared with `tests/golden`; `BLESS=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use keyward_trail::{
    ADDITIONAL_BYTES_MAX, Extra, INTERNAL, Record, ResourceRef, TlsDetails, WITHHELD, decisions_of,
    explain, explained_of, withhold,
};
use keyward_types::{
    AccountId, Blast, Caller, CallerKind, ChangeKind, Clause, Decision, Effect, ErrorCode, Extent,
    KmsError, Layer, LayerEffect, LayerOutcome, MatchKind, Matched, NearMiss, Origin, PolicyChange,
    Reach, Reason, Region, Remedy, Timestamp,
};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use uuid::Uuid;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ALIAS: &str = "arn:aws:kms:us-east-1:111122223333:alias/app";

fn caller(kind: CallerKind, arn: &str, user_id: &str) -> Caller {
    let principal_arn = match &kind {
        CallerKind::RoleSession { role_arn, .. } => role_arn.clone(),
        _ => arn.to_owned(),
    };
    Caller {
        kind,
        account: AccountId::parse("111122223333").unwrap(),
        arn: arn.to_owned(),
        principal_arn,
        user_id: user_id.to_owned(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        tags: Default::default(),
        transitive_tags: Default::default(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: vec![],
        origin: Origin {
            request_id: Uuid::from_u128(0x0193_bbbb_0000_7000_8000_0000_0000_0002),
            source_ip: "192.0.2.7".to_owned(),
            user_agent: "aws-cli/2.0".to_owned(),
            region: Region::parse("us-east-1").unwrap(),
            secure_transport: false,
            host: "localhost:8480".to_owned(),
            trusted_facts: Default::default(),
        },
    }
}

fn alice() -> Caller {
    caller(
        CallerKind::User { name: "Alice".to_owned() },
        "arn:aws:iam::111122223333:user/Alice",
        "AIDACKCEVSQ6C2EXAMPLE",
    )
}

fn session() -> Caller {
    let kind = CallerKind::RoleSession {
        role_name: "App".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/team/App".to_owned(),
        role_id: "AROACKCEVSQ6C2EXAMPLE".to_owned(),
        session_name: "worker".to_owned(),
    };
    Caller {
        access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
        transitive_tags: Default::default(),
        issued: Some(Timestamp::from_seconds(1_795_420_000)),
        mfa: Some(false),
        source_identity: Some("alice".to_owned()),
        ..caller(
            kind,
            "arn:aws:sts::111122223333:assumed-role/App/worker",
            "AROACKCEVSQ6C2EXAMPLE:worker",
        )
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn empty() -> &'static Map<String, Value> {
    static EMPTY: std::sync::OnceLock<Map<String, Value>> = std::sync::OnceLock::new();
    EMPTY.get_or_init(Map::new)
}

fn base(caller: &Caller) -> Record<'_> {
    Record {
        caller,
        service: "kms",
        operation: "Encrypt",
        time: Timestamp(1_795_426_867_512),
        event_id: Uuid::from_u128(0x0193_aaaa_0000_7000_8000_0000_0000_0001),
        request_parameters: empty(),
        response_elements: None,
        additional: empty(),
        resources: &[ResourceRef { account: "111122223333", arn: KEY }],
        error: None,
        decisions: &[],
        read_only: true,
    }
}

fn layer(layer: Layer, effect: LayerEffect) -> LayerOutcome {
    LayerOutcome { layer, effect, matched: vec![], near: vec![] }
}

fn matched(
    source: &str,
    sid: Option<&str>,
    index: usize,
    allow: bool,
    kind: Option<MatchKind>,
) -> Matched {
    Matched { source: source.to_owned(), sid: sid.map(str::to_owned), index, allow, kind }
}

fn allowed(action: &str) -> Decision {
    Decision {
        effect: Effect::Allow,
        reason: Reason::DelegatedToIam,
        rule: 7,
        action: action.to_owned(),
        resource: KEY.to_owned(),
        layers: vec![
            layer(Layer::ServiceControlPolicy, LayerEffect::Absent),
            LayerOutcome {
                matched: vec![matched(
                    "key policy",
                    Some("EnableIAM"),
                    0,
                    true,
                    Some(MatchKind::Account),
                )],
                ..layer(Layer::KeyPolicy, LayerEffect::Allow)
            },
            layer(Layer::Grant, LayerEffect::NoImpact),
            LayerOutcome {
                matched: vec![matched("inline:AppUse", None, 2, true, None)],
                ..layer(Layer::IdentityPolicy, LayerEffect::Allow)
            },
        ],
        remedies: vec![],
        observed: vec![],
    }
}

fn refused() -> Decision {
    let near = |source: &str, sid: Option<&str>, failed: &[(&str, &str, &str)]| NearMiss {
        source: source.to_owned(),
        sid: sid.map(str::to_owned),
        index: 1,
        allow: true,
        failed: failed
            .iter()
            .map(|(c, e, a)| Clause {
                clause: (*c).into(),
                expected: (*e).into(),
                actual: (*a).into(),
            })
            .collect(),
    };
    Decision {
        effect: Effect::ImplicitDeny,
        reason: Reason::NotAllowed(Layer::IdentityPolicy),
        rule: 9,
        action: "kms:Decrypt".to_owned(),
        resource: KEY.to_owned(),
        layers: vec![
            layer(Layer::PermissionsBoundary, LayerEffect::Absent),
            LayerOutcome {
                near: vec![near(
                    "inline:AppUse",
                    None,
                    &[(
                        "Condition StringEquals kms:EncryptionContext:Tenant",
                        "\"acme\"",
                        "\"other\"",
                    )],
                )],
                ..layer(Layer::IdentityPolicy, LayerEffect::ImplicitDeny)
            },
            LayerOutcome {
                near: vec![near(
                    "grant",
                    Some("0c237476"),
                    &[("Operations", "Encrypt", "Decrypt"), ("Grantee", "Bob", "App")],
                )],
                ..layer(Layer::Grant, LayerEffect::NoImpact)
            },
            LayerOutcome {
                matched: vec![matched(
                    "key policy",
                    Some("EnableIAM"),
                    0,
                    true,
                    Some(MatchKind::Account),
                )],
                ..layer(Layer::KeyPolicy, LayerEffect::Allow)
            },
        ],
        remedies: vec![],
        observed: vec![],
    }
}

fn denied() -> KmsError {
    KmsError::new(
        ErrorCode::AccessDenied,
        refused().message("arn:aws:sts::111122223333:assumed-role/App/worker"),
    )
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Compares the record (re-indented, in its own order) and what is explained of it.
fn golden(name: &str, bytes: &[u8]) -> Value {
    let record = parse(bytes);
    let text =
        format!("{}\n\n{}", String::from_utf8(bytes.to_vec()).unwrap(), explain(&record, false));
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        text,
        std::fs::read_to_string(&path).unwrap(),
        "{name}: run with BLESS=1 if this is meant"
    );
    record
}

#[test]
fn a_successful_encrypt() {
    let (caller, decisions) = (alice(), [allowed("kms:Encrypt")]);
    let parameters = object(json!({
        "keyId": "alias/app", "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"Tenant": "acme"},
    }));
    let additional = object(json!({"keyMaterialId": "a".repeat(64)}));
    let record = Record {
        request_parameters: &parameters,
        additional: &additional,
        decisions: &decisions,
        ..base(&caller)
    };
    let value = golden("encrypt", &record.to_json());
    assert_eq!(value["responseElements"], Value::Null);
    assert_eq!(value["eventTime"], "2026-11-23T09:41:07Z");
    assert!(value.get("errorCode").is_none());
    let [decision] = &decisions_of(&value)[..] else { panic!("one decision") };
    assert_eq!(decision.reason, Reason::DelegatedToIam);
    let layers: Vec<Layer> = decision.layers.iter().map(|outcome| outcome.layer).collect();
    assert_eq!(layers, [Layer::KeyPolicy, Layer::IdentityPolicy], "only what decided is kept");
}

#[test]
fn a_refused_decrypt_in_a_session() {
    let (caller, decisions, error) = (session(), [refused()], denied());
    let parameters = object(
        json!({"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"Tenant": "other"}}),
    );
    let elements = json!({"never": "shown"});
    let record = Record {
        operation: "Decrypt",
        request_parameters: &parameters,
        response_elements: Some(&elements),
        error: Some(&error),
        decisions: &decisions,
        ..base(&caller)
    };
    let value = golden("decrypt_refused", &record.to_json());
    assert_eq!(value["errorCode"], "AccessDenied");
    assert_eq!(value["responseElements"], Value::Null);
    assert_eq!(decisions_of(&value), decisions, "a refused decision is kept whole");
    assert_eq!(value["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"], "false");
}

#[test]
fn a_grant_is_created_over_tls() {
    let (caller, decisions) = (session(), [allowed("kms:CreateGrant")]);
    let parameters = object(json!({
        "keyId": KEY, "granteePrincipal": "arn:aws:iam::111122223333:role/Worker", "operations": ["Decrypt"],
        "constraints": {"encryptionContextSubset": {"message": "mine"}}, "grantTokens": ["AQpAM2RhZTk1"],
    }));
    let elements = json!({"grantId": "0c237476", "grantToken": "AQpAM2RhZTk1", "keyId": KEY});
    let tls = TlsDetails {
        tls_version: Some("TLSv1.3"),
        cipher_suite: Some("TLS_AES_256_GCM_SHA384"),
        client_provided_host_header: Some("kms.example.com"),
    };
    let record = Record {
        operation: "CreateGrant",
        request_parameters: &parameters,
        response_elements: Some(&elements),
        decisions: &decisions,
        read_only: false,
        ..base(&caller)
    };
    let value =
        golden("create_grant", &record.to_json_with(&Extra { tls: Some(tls), ..Extra::default() }));
    assert!(!value.to_string().contains("AQpAM2RhZTk1"), "no grant token is logged");
    assert_eq!(
        value["requestParameters"]["constraints"]["encryptionContextSubset"]["message"],
        "mine"
    );
}

#[test]
fn root_makes_an_alias() {
    let caller = caller(CallerKind::Root, "arn:aws:iam::111122223333:root", "111122223333");
    let resources = [
        ResourceRef { account: "111122223333", arn: KEY },
        ResourceRef { account: "111122223333", arn: ALIAS },
    ];
    let parameters = object(json!({"aliasName": "alias/app", "targetKeyId": KEY}));
    let error = KmsError::new(
        ErrorCode::AlreadyExists,
        format!("An alias with the name {ALIAS} already exists"),
    );
    let decisions = [
        allowed("kms:CreateAlias"),
        Decision { resource: ALIAS.to_owned(), ..allowed("kms:CreateAlias") },
    ];
    let record = Record {
        operation: "CreateAlias",
        request_parameters: &parameters,
        resources: &resources,
        error: Some(&error),
        decisions: &decisions,
        read_only: false,
        ..base(&caller)
    };
    let value = golden("create_alias_root", &record.to_json());
    assert_eq!(value["errorCode"], "AlreadyExistsException");
    assert_eq!(value["userIdentity"]["type"], "Root");
}

#[test]
fn the_service_rotates_a_key_itself() {
    let caller = caller(CallerKind::Service { name: INTERNAL.to_owned() }, "", "");
    let details = json!({
        "rotationType": "AUTOMATIC", "keyOrigin": "AWS_KMS", "keyId": KEY,
        "previousKeyMaterialId": "a".repeat(64), "currentKeyMaterialId": "b".repeat(64),
    });
    let record = Record { operation: "RotateKey", read_only: false, ..base(&caller) };
    let value = golden(
        "rotate_key",
        &record.to_json_with(&Extra { service_event_details: Some(&details), ..Extra::default() }),
    );
    assert_eq!(value["eventType"], "AwsServiceEvent");
    assert_eq!(
        value["userIdentity"],
        json!({"accountId": "111122223333", "invokedBy": "AWS Internal"})
    );
    assert!(value.get("requestID").is_none());
}

#[test]
fn other_principals_and_services() {
    let service =
        caller(CallerKind::Service { name: "s3.amazonaws.com".to_owned() }, "s3.amazonaws.com", "");
    let value = parse(&base(&service).to_json());
    assert_eq!(
        value["userIdentity"],
        json!({"type": "AWSService", "invokedBy": "s3.amazonaws.com"})
    );
    assert_eq!(value["sourceIPAddress"], "s3.amazonaws.com");
    let kind = CallerKind::Federated {
        user_arn: Some("arn:aws:iam::111122223333:user/div/Alice".to_owned()),
        name: "Guest".to_owned(),
    };
    let mut guest =
        caller(kind, "arn:aws:sts::111122223333:federated-user/Guest", "111122223333:Guest");
    guest
        .origin
        .trusted_facts
        .insert("kms:viaservice".to_owned(), "s3.us-east-1.amazonaws.com".to_owned());
    guest.origin.secure_transport = true;
    let value = parse(&base(&guest).to_json());
    assert_eq!(value["userIdentity"]["type"], "FederatedUser");
    assert_eq!(value["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"], "Alice");
    assert_eq!(value["userIdentity"]["invokedBy"], "s3.us-east-1.amazonaws.com");
    assert_eq!(value["tlsDetails"], json!({"clientProvidedHostHeader": "localhost:8480"}));
    let role = [ResourceRef { account: "111122223333", arn: "arn:aws:iam::111122223333:role/App" }];
    let caller = alice();
    let value = parse(
        &Record { service: "sts", operation: "AssumeRole", resources: &role, ..base(&caller) }
            .to_json(),
    );
    assert_eq!(value["eventSource"], "sts.amazonaws.com");
    assert_eq!(value["resources"][0]["type"], "AWS::IAM::Role");
}

/// A mistake above this crate does not put a secret into the log.
#[test]
fn what_must_not_be_logged_is_not_even_when_handed_over() {
    let caller = alice();
    let marker = "c2VjcmV0LW1hcmtlcg==";
    for name in WITHHELD {
        for spelling in [(*name).to_owned(), name.to_uppercase(), {
            let (first, rest) = name.split_at(1);
            first.to_uppercase() + rest
        }] {
            let bad =
                json!({spelling.clone(): marker, "nested": [{spelling.clone(): {"deep": marker}}]});
            let members = object(bad.clone());
            let record = Record {
                request_parameters: &members,
                additional: &members,
                response_elements: Some(&bad),
                ..base(&caller)
            };
            let extra = Extra { service_event_details: Some(&bad), ..Extra::default() };
            let text = String::from_utf8(record.to_json_with(&extra)).unwrap();
            assert!(!text.contains(marker), "{spelling} is logged: {text}");
            assert!(text.contains("nested"));
        }
    }
}

#[test]
fn long_texts_are_cut_at_a_character() {
    let mut caller = alice();
    caller.origin.user_agent = "é".repeat(2_000);
    let error = KmsError::validation(format!("x{}", "é".repeat(2_000)));
    let value = parse(&Record { error: Some(&error), ..base(&caller) }.to_json());
    assert_eq!(value["userAgent"].as_str().unwrap().len(), 1_024);
    assert_eq!(value["errorMessage"].as_str().unwrap().len(), 1_023);
    let large = object(json!({"policy": "p".repeat(200_000), "description": "d"}));
    let value = parse(&Record { request_parameters: &large, ..base(&caller) }.to_json());
    assert_eq!(value["requestParameters"], json!({"description": "d", "omitted": true}));
}

/// Two ways to let the refused caller in.
fn remedies(words: &str) -> Vec<Remedy> {
    let change = |kind, text: &str, body| PolicyChange {
        kind,
        layer: Some(Layer::IdentityPolicy),
        source: None,
        level: None,
        sid: None,
        index: None,
        body: Some(body),
        text: text.to_owned(),
        blast: Blast {
            principals: Reach::Principal("arn:aws:iam::111122223333:role/team/App".to_owned()),
            actions: vec!["kms:Decrypt".to_owned()],
            resources: Extent::One(KEY.to_owned()),
            conditions: vec![],
            words: words.to_owned(),
        },
    };
    let one =
        change(ChangeKind::CreateGrant, "Create a grant.", json!({"Operations": ["Decrypt"]}));
    let other = change(ChangeKind::AddStatement, "Add an Allow.", json!({"Effect": "Allow"}));
    [one, other].map(|one| Remedy { changes: vec![one], verified: true }).into()
}

#[test]
fn remedies_are_kept_told_and_the_first_to_be_cut() {
    let (caller, error) = (session(), denied());
    let written = |words: &str| {
        let decisions = [Decision { remedies: remedies(words), ..refused() }];
        parse(&Record { error: Some(&error), decisions: &decisions, ..base(&caller) }.to_json())
    };
    let value = written("App would be let in");
    let [read] = explained_of(&value).try_into().unwrap();
    assert_eq!(read.decision.remedies, remedies("App would be let in"));
    assert_eq!(read.checks, read.decision.checks());
    let text = explain(&value, false);
    let (before, advice) = text.split_once("Smallest change:\n").unwrap();
    assert!(advice.starts_with("  - Create a grant.\n      {\"Operations\":[\"Decrypt\"]}\n      opens: App would be let in\n"), "{advice}");
    assert!(advice.contains("Or:\n  - Add an Allow."), "{advice}");
    assert!(before.contains("PRINCIPAL             IMPLICIT_DENY"), "{before}");
    assert!(!text.contains("To change this:"));
    for (chars, kept) in [(10_000, 2), (20_000, 1), (40_000, 0)] {
        let value = written(&"w".repeat(chars));
        let [read] = decisions_of(&value).try_into().unwrap();
        assert_eq!(read.remedies.len(), kept, "{chars}");
        assert_eq!(read.layers, refused().layers, "near misses are cut after remedies");
        assert_eq!(value["additionalEventData"]["omitted"] == true, kept < 2);
    }
}

#[test]
fn a_reader_without_explanations_sees_no_policy_text() {
    let (caller, error) = (session(), denied());
    let mut deny = refused();
    deny.layers[3].matched.push(matched("key policy", Some("SecretSid"), 4, false, None));
    let decisions =
        [Decision { remedies: remedies("SecretWords"), ..deny }, allowed("kms:Decrypt")];
    let mut value =
        parse(&Record { error: Some(&error), decisions: &decisions, ..base(&caller) }.to_json());
    let whole = value.clone();
    withhold(&mut value);
    let text = value.to_string();
    for secret in [
        "SecretSid",
        "SecretWords",
        "AppUse",
        "EnableIAM",
        "0c237476",
        "Statement",
        "acme",
        "matched",
        "near",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let told = |value: &Value| {
        let decision = &value["additionalEventData"]["policyDecision"][0];
        ["effect", "reason", "action", "resource", "checks"].map(|name| decision[name].clone())
    };
    assert_eq!(told(&value), told(&whole));
    assert_eq!(
        explained_of(&value).iter().map(|one| one.checks.clone()).collect::<Vec<_>>(),
        explained_of(&whole).iter().map(|one| one.checks.clone()).collect::<Vec<_>>()
    );
    let (mut other, mut rest) = (whole, value);
    for record in [&mut other, &mut rest] {
        record["additionalEventData"] = Value::Null;
    }
    assert_eq!(other, rest, "the rest of the record stays");
}

/// The trace is cut in steps, says so, and still reads back with its verdict.
#[test]
fn a_large_trace_is_cut_to_its_limit_and_says_so() {
    let (caller, error) = (session(), denied());
    let additional = object(json!({"keyMaterialId": "a".repeat(64)}));
    let mut kept = vec![];
    for (statements, chars) in [(1, 10), (20, 2_000), (500, 300), (2_000, 3_000), (20_000, 10)] {
        let mut decision = refused();
        let near = &mut decision.layers[1].near;
        let one = near[0].clone();
        for i in 0..statements {
            let mut miss = one.clone();
            miss.index = i;
            miss.failed[0].actual = "é".repeat(chars);
            near.push(miss);
        }
        let whole = vec![decision; 2];
        let record = Record {
            error: Some(&error),
            additional: &additional,
            decisions: &whole,
            ..base(&caller)
        };
        let value = parse(&record.to_json());
        let size = serde_json::to_string(&value["additionalEventData"]).unwrap().len();
        assert!(size <= ADDITIONAL_BYTES_MAX, "{size}");
        let read = decisions_of(&value);
        assert_eq!(read.len(), 2);
        assert!(
            read.iter().all(|d| d.effect == Effect::ImplicitDeny && d.reason == whole[0].reason)
        );
        assert_eq!(value["additionalEventData"]["omitted"] == true, read != whole);
        assert_eq!(value["additionalEventData"]["keyMaterialId"], additional["keyMaterialId"]);
        kept.push(read[0].layers[1].near.len());
    }
    assert_eq!(kept, [2, 16, 16, 16, 16]);
    // One that matched too often is reduced to the verdict.
    let mut decision = refused();
    decision.layers[3].matched =
        vec![matched(&"long name ".repeat(500), None, 0, true, None); 1_000];
    let whole = [decision];
    let value =
        parse(&Record { error: Some(&error), decisions: &whole, ..base(&caller) }.to_json());
    let read = decisions_of(&value);
    assert_eq!(
        read[0].layers.iter().map(|layer| layer.near.len() + layer.matched.len()).sum::<usize>(),
        0
    );
    assert!(explain(&value, false).contains("left out"));
}

#[test]
fn an_explanation_cannot_steer_a_terminal() {
    let mut caller = alice();
    caller.origin.user_agent = "evil\u{1b}[2J\r\n\u{202e}txt".to_owned();
    let parameters =
        object(json!({"keyId": "\u{7}bell", "encryptionContext": {"a\u{1b}": "b\nforged: line"}}));
    let value = parse(&Record { request_parameters: &parameters, ..base(&caller) }.to_json());
    let text = explain(&value, false);
    assert!(!text.contains(['\u{1b}', '\r', '\u{7}', '\u{202e}']), "{text}");
    assert!(!text.contains("\nforged"));
    let colored = explain(&value, true);
    assert!(colored.contains("\u{1b}[32msucceeded\u{1b}[0m") && !colored.contains("\u{1b}[2J"));
}

/// An explicit deny is named, and said to be final.
#[test]
fn a_deny_is_named() {
    let caller = alice();
    let mut decision = refused();
    decision.effect = Effect::ExplicitDeny;
    decision.reason = Reason::Denied(Layer::KeyPolicy);
    decision.layers[3].effect = LayerEffect::ExplicitDeny;
    decision.layers[3].matched.push(matched("key policy", None, 4, false, None));
    let (decisions, error) = ([decision], denied());
    let value =
        parse(&Record { decisions: &decisions, error: Some(&error), ..base(&caller) }.to_json());
    let text = explain(&value, false);
    assert!(
        text.contains("remove or narrow the deny in the key policy: Statement[4] of key policy."),
        "{text}"
    );
}

#[test]
fn anything_can_be_explained() {
    for value in [
        json!(null),
        json!([]),
        json!({}),
        json!({"additionalEventData": {"policyDecision": [{"effect": "x"}, 3]}}),
    ] {
        assert!(decisions_of(&value).is_empty());
        assert!(explain(&value, true).contains("No decision is recorded"));
    }
}
