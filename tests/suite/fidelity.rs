//! What the log says of each operation, by names, against `facts/cloudtrail.txt`: requests that are signed and come
//! through the public door, as users, roles, root and services, allowed and refused. Every name of the facts must have
//! been seen in some record. What the service does by itself, and what a request brings about elsewhere, is in
//! `service_events.rs`.
//!
//! `clients/kit.py` holds what real clients leave in the log against the same facts.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use super::{
    aws_model,
    facts::{FACTS, Findings, Name, paths},
    requests::{self, ROOT, Ready, expect, key, key_store, merged},
};
use keyward_testkit::{
    ACCOUNT, Login, REGION, TestService,
    doors::{Answer, Door, call},
    golden::tests_folder,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// One request that was made, and what is to be found of it.
struct Made {
    operation: String,
    body: Value,
    allowed: bool,
    /// `userIdentity.type` of who made it.
    kind: &'static str,
    /// The number of its event.
    seq: usize,
}

/// Members that every record has, and those that some have.
const ALWAYS: &[&str] = &[
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "requestParameters",
    "responseElements",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "eventCategory",
];

pub(super) fn envelope(findings: &mut Findings, event: &Value, place: &str, more: &[&str]) {
    envelope_in(findings, event, place, more, REGION);
}

pub(super) fn envelope_in(
    findings: &mut Findings,
    event: &Value,
    place: &str,
    more: &[&str],
    region: &str,
) {
    let have: BTreeSet<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    let should: BTreeSet<&str> = ALWAYS.iter().chain(more).copied().collect();
    if have != should {
        let odd: Vec<_> = have.symmetric_difference(&should).collect();
        findings.wrong(format!("{place}: {odd:?} are missing or do not belong there"));
    }
    for (member, value) in [
        ("eventVersion", json!("1.11")),
        ("eventSource", json!("kms.amazonaws.com")),
        ("awsRegion", json!(region)),
        ("managementEvent", json!(true)),
        ("eventCategory", json!("Management")),
    ] {
        findings.equal(&format!("{place}.{member}"), &event[member], &value);
    }
    let kind = event["userIdentity"]["type"].as_str().unwrap_or_default();
    findings.object(&format!("@{kind}"), &FACTS.identities[kind], &event["userIdentity"], None);
    let time = event["eventTime"].as_str().unwrap_or_default();
    if time.len() != 20 || !time.ends_with('Z') {
        findings.wrong(format!("{place}.eventTime is {time}"));
    }
}

/// One record of one request.
fn compare(findings: &mut Findings, made: &Made, event: &Value) {
    let Made { operation, body, allowed, kind, .. } = made;
    let facts = &FACTS.operations[operation];
    let asked: Vec<&String> = body.as_object().unwrap().keys().collect();
    let place = format!("{operation} {asked:?} by {kind}");
    let mut more = vec!["requestID", "additionalEventData"];
    if !allowed {
        more.extend(["errorCode", "errorMessage"]);
        findings.equal(&format!("{place}.errorCode"), &event["errorCode"], &json!("AccessDenied"));
        // Like refusals read alike: nothing in their words is this request's own.
        let words = event["errorMessage"].as_str().unwrap_or_default();
        if words.contains(event["requestID"].as_str().unwrap()) {
            findings.wrong(format!("{place}.errorMessage is {words}"));
        }
    }
    envelope(findings, event, &place, &more);
    for (member, value) in [
        ("eventName", json!(operation)),
        ("readOnly", json!(facts.read_only)),
        ("eventType", json!("AwsApiCall")),
        ("sourceIPAddress", json!("127.0.0.1")),
        ("recipientAccountId", json!(ACCOUNT)),
    ] {
        findings.equal(&format!("{place}.{member}"), &event[member], &value);
    }
    findings.equal(&format!("{place}: who"), &event["userIdentity"]["type"], &json!(kind));
    findings.object(
        &format!("{operation}.requestParameters"),
        &facts.parameters,
        &event["requestParameters"],
        Some(body),
    );
    let elements: &[Name] = if *allowed { &facts.elements } else { &[] };
    let place_of = |member: &str| format!("{operation}.{member}");
    findings.object(&place_of("responseElements"), elements, &event["responseElements"], None);
    let additional = &event["additionalEventData"];
    if *allowed {
        let place = place_of("additionalEventData");
        findings.object(&place, &facts.additional, additional, None);
    } else {
        let decisions = additional["policyDecision"].as_array();
        let mut effects = decisions.into_iter().flatten().map(|one| &one["effect"]);
        if effects.all(|effect| *effect == "Allow") {
            findings.wrong(format!("{place}: no decision that denies"));
        }
        let known = |name: &String| facts.additional.iter().any(|one| one.name == *name);
        let strange: Vec<_> =
            additional.as_object().unwrap().keys().filter(|n| !known(n)).collect();
        if !strange.is_empty() {
            findings.wrong(format!("{place}: {strange:?} stand in additionalEventData"));
        }
    }
    let other = if *allowed { '!' } else { '*' };
    let should = facts.resources.iter().filter(|one| !one.ends_with(other));
    resources(findings, &place, &event["resources"], &should.collect::<Vec<_>>());
}

/// Kinds in their order. The same key or alias stands there once.
pub(super) fn resources(findings: &mut Findings, place: &str, have: &Value, should: &[&String]) {
    let mut kinds = Vec::new();
    for resource in have.as_array().unwrap() {
        let arn = resource["ARN"].as_str().unwrap();
        let kind = arn.split(':').nth(5).and_then(|id| id.split('/').next()).unwrap();
        kinds.push(kind.to_owned());
        let whole = json!({"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn});
        findings.equal(&format!("{place}.resources"), resource, &whole);
    }
    let should: Vec<&str> = should.iter().map(|one| one.trim_end_matches(['*', '!'])).collect();
    if kinds != should {
        findings.wrong(format!("{place}.resources are {kinds:?}, not {should:?}"));
    }
}

/// Makes requests, and remembers what to look for.
struct Maker<'s> {
    service: &'s TestService,
    nobody: Login,
    made: Vec<Made>,
}

impl<'s> Maker<'s> {
    fn new(service: &'s TestService) -> Self {
        Self { service, nobody: service.user("nobody", &json!({})), made: Vec::new() }
    }

    fn make(&mut self, login: &Login, kind: &'static str, operation: &str, body: &Value) -> Answer {
        let seq = usize::try_from(self.service.engine.store().events_total()).unwrap();
        let answer = call(self.service, Door::AwsJson, login, operation, &body.to_string());
        let allowed = answer.code() == "200";
        assert!(
            allowed || answer.code() == "AccessDeniedException",
            "{operation} {body}: {answer:?}"
        );
        let (operation, body) = (operation.to_owned(), body.clone());
        self.made.push(Made { operation, body, allowed, kind, seq });
        answer
    }

    #[track_caller]
    fn refused(&mut self, operation: &str, body: &Value) {
        let nobody = self.nobody.clone();
        let answer = self.make(&nobody, "IAMUser", operation, body);
        assert_eq!(answer.code(), "AccessDeniedException", "{operation} {body}");
    }

    /// First by somebody who may not, then by somebody who may.
    #[track_caller]
    fn both(&mut self, who: &(Login, &'static str), operation: &str, body: &Value) -> Answer {
        self.refused(operation, body);
        let answer = self.make(&who.0, who.1, operation, body);
        assert_eq!(answer.code(), "200", "{operation} {body}: {answer:?}");
        answer
    }

    fn compare(&self, findings: &mut Findings) {
        let events = self.service.events();
        for made in &self.made {
            compare(findings, made, &events[made.seq]);
        }
    }
}

fn administrator(service: &TestService) -> (Login, &'static str) {
    (service.user("administrator", &everything()), "IAMUser")
}

fn everything() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]})
}

/// What an operation is asked beside [`Ready`]'s request of it: members that are added, or taken away by null.
fn more(operation: &str) -> Vec<Value> {
    let context = json!({"EncryptionContext": {"tenant": "acme"}});
    let page = json!({"Limit": 5});
    match operation {
        "Encrypt" => vec![merged(
            &context,
            &json!({"EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "GrantTokens": []}),
        )],
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => {
            vec![merged(&context, &json!({"KeySpec": null, "NumberOfBytes": 24}))]
        }
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => vec![context],
        "GenerateRandom" => vec![json!({"NumberOfBytes": 16})],
        "Sign" => vec![json!({"MessageType": "RAW"})],
        "ScheduleKeyDeletion" => vec![json!({"PendingWindowInDays": 7})],
        "EnableKeyRotation" => vec![json!({"RotationPeriodInDays": 100})],
        "GetKeyPolicy" => vec![json!({"PolicyName": "default"})],
        "PutKeyPolicy" => {
            vec![json!({"PolicyName": "default", "BypassPolicyLockoutSafetyCheck": true})]
        }
        "ReplicateKey" => vec![json!({
            "BypassPolicyLockoutSafetyCheck": true, "Description": "replica",
            "Tags": [{"TagKey": "a", "TagValue": "b"}],
        })],
        "ListAliases"
        | "ListKeyPolicies"
        | "ListKeys"
        | "ListResourceTags"
        | "ListRetirableGrants" => vec![page],
        "ListGrants" => vec![merged(&page, &json!({"GranteePrincipal": ROOT}))],
        "ListKeyRotations" => {
            vec![merged(&page, &json!({"IncludeKeyMaterial": "ALL_KEY_MATERIAL"}))]
        }
        "DescribeCustomKeyStores" => vec![page],
        "CreateGrant" => vec![
            json!({"Name": "named", "Constraints": {"EncryptionContextEquals": {"a": "b"}}}),
            json!({"Constraints": {"EncryptionContextSubset": {"a": "b"}}, "GrantTokens": []}),
            json!({
                "GranteePrincipal": null, "GranteeServicePrincipal": "backup.amazonaws.com",
                "RetiringPrincipal": null, "RetiringServicePrincipal": "backup.amazonaws.com",
                "Constraints": {"SourceArn": format!("arn:aws:backup:{REGION}:{ACCOUNT}:vault/books")},
            }),
        ],
        "UpdateCustomKeyStore" => vec![json!({
            "XksProxyUriEndpoint": "https://other.example.com", "XksProxyUriPath": "/other/kms/xks/v1",
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        })],
        _ => vec![],
    }
}

/// Requests that have members which only a refusal can have.
fn refused_only(operation: &str) -> Vec<Value> {
    let page = json!({"Limit": 5, "Marker": "beyond"});
    match operation {
        "ListAliases" | "ListKeyPolicies" | "ListKeys" | "ListResourceTags"
        | "ListKeyRotations" => vec![page],
        "ListGrants" => vec![merged(
            &page,
            &json!({"GrantId": "0".repeat(64), "GranteeServicePrincipal": "backup.amazonaws.com"}),
        )],
        "ListRetirableGrants" => vec![merged(
            &page,
            &json!({"RetiringPrincipal": null, "RetiringServicePrincipal": "backup.amazonaws.com"}),
        )],
        "DescribeCustomKeyStores" => vec![
            merged(&page, &json!({"CustomKeyStoreId": "cks-1"})),
            json!({"CustomKeyStoreName": "one"}),
        ],
        "CreateCustomKeyStore" | "UpdateCustomKeyStore" => vec![json!({
            "CloudHsmClusterId": "cluster-abcdefghijk",
            "XksProxyUriEndpoint": "https://vpc.example.com",
            "XksProxyUriPath": "/vpc/kms/xks/v1",
            "XksProxyVpcEndpointServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0",
            "XksProxyVpcEndpointServiceOwner": "111122223333",
            "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE",
        })],
        _ => vec![],
    }
}

/// The request with these members, without those that are null.
fn with(base: &Value, members: &Value) -> Value {
    let mut body = merged(base, members);
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body
}

#[test]
fn every_operation_has_facts() {
    let known: BTreeSet<&str> = FACTS.operations.keys().map(String::as_str).collect();
    assert_eq!(known, aws_model::operations().collect::<BTreeSet<_>>());
}

/// The stories' log is held against the same facts, so that each operation also has a record of a client's own.
#[test]
fn some_story_makes_each_operation_with_a_real_client() {
    let stories: String = fs::read_dir(tests_folder().join("clients"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let words: BTreeSet<&str> =
        stories.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').collect();
    for operation in aws_model::operations() {
        let method = operation.char_indices().fold(String::new(), |mut method, (at, c)| {
            if 0 < at && c.is_ascii_uppercase() {
                method.push('_');
            }
            method.push(c.to_ascii_lowercase());
            method
        });
        let command = method.replace('_', "-");
        let made = [operation, &method, &command].iter().any(|name| words.contains(*name));
        assert!(made, "no story makes {operation}");
    }
}

#[test]
fn records_have_the_names_that_cloudtrail_gives_them() {
    let mut findings = Findings::default();
    // As little as an operation asks for, by a user.
    let plain = Ready::new(11);
    let mut maker = Maker::new(&plain.service);
    let user = administrator(&plain.service);
    let root = (plain.service.root(), "Root");
    for operation in aws_model::operations() {
        // The grant is root's to retire.
        let who = if operation == "RetireGrant" { &root } else { &user };
        let mut body = plain.request(operation).clone();
        if operation == "ReEncrypt" {
            // One key would stand there once.
            body["DestinationKeyId"] = key(&plain.service, &json!({})).into();
        }
        maker.both(who, operation, &body);
    }
    maker.compare(&mut findings);

    // And more, by a role.
    let full = Ready::new(12);
    let mut maker = Maker::new(&full.service);
    let role = (full.service.role("worker", &everything()), "AssumedRole");
    for operation in aws_model::operations() {
        let base = full.request(operation);
        for members in more(operation) {
            maker.both(&role, operation, &with(base, &members));
        }
        for members in refused_only(operation) {
            maker.refused(operation, &with(base, &members));
        }
    }
    many_keys(&mut maker, &role);
    in_a_key_store(&mut maker, &role);
    imports(&mut maker, &role);
    grants_by_id(&mut maker);
    maker.compare(&mut findings);

    let mut should = BTreeSet::new();
    for (operation, facts) in &FACTS.operations {
        for (member, names) in [
            ("requestParameters", &facts.parameters),
            ("responseElements", &facts.elements),
            ("additionalEventData", &facts.additional),
        ] {
            paths(&format!("{operation}.{member}"), names, &mut should);
        }
    }
    // Records in another Region have it, which `service_events.rs` looks at.
    should.retain(|path| !path.ends_with(".originalRequestID"));
    let unseen: Vec<&String> = should.difference(&findings.seen).collect();
    assert!(findings.wrong.is_empty(), "{}", findings.wrong.join("\n"));
    assert!(unseen.is_empty(), "no record has {unseen:#?}");
}

/// A key of each kind, of which each has algorithms of its own.
fn many_keys(maker: &mut Maker<'_>, who: &(Login, &'static str)) {
    let policy =
        expect(maker.service, "GetKeyPolicy", &json!({"KeyId": key(maker.service, &json!({}))}));
    for body in [
        json!({
            "Policy": policy.text("/Policy"), "Description": "a key", "Origin": "AWS_KMS", "MultiRegion": true,
            "BypassPolicyLockoutSafetyCheck": false, "Tags": [{"TagKey": "a", "TagValue": "b"}],
        }),
        json!({"CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"}),
        json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}),
        json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"}),
        json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}),
        json!({"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}),
    ] {
        maker.both(who, "CreateKey", &body);
    }
    for (spec, usage) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE"),
    ] {
        let of = json!({"KeySpec": spec, "KeyUsage": usage, "MultiRegion": true});
        let primary = key(maker.service, &of);
        let body = json!({"KeyId": primary, "ReplicaRegion": "us-west-2", "Policy": policy.text("/Policy")});
        maker.both(who, "ReplicateKey", &body);
    }
    let body = json!({"KeyId": key(maker.service, &json!({}))});
    maker.both(who, "ListAliases", &body);
}

fn in_a_key_store(maker: &mut Maker<'_>, who: &(Login, &'static str)) {
    let service = maker.service;
    let store = maker.both(who, "CreateCustomKeyStore", &key_store(9)).text("/CustomKeyStoreId");
    expect(service, "ConnectCustomKeyStore", &json!({"CustomKeyStoreId": store}));
    let made = maker.both(
        who,
        "CreateKey",
        &json!({
            "Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "key-in-store",
        }),
    );
    let arn = made.text("/KeyMetadata/Arn");
    let sealed = maker.both(who, "Encrypt", &json!({"KeyId": arn, "Plaintext": "aGk="}));
    let mut open = json!({"CiphertextBlob": sealed.text("/CiphertextBlob"), "KeyId": arn});
    maker.both(who, "Decrypt", &open);
    for operation in ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        maker.both(who, operation, &json!({"KeyId": arn, "KeySpec": "AES_256"}));
    }
    // Of two keys all is said, but that they are kept elsewhere.
    open = json!({
        "CiphertextBlob": open["CiphertextBlob"], "SourceKeyId": arn, "DestinationKeyId": key(service, &json!({})),
        "DestinationEncryptionContext": {"a": "b"},
    });
    maker.both(who, "ReEncrypt", &open);
    let context = json!({"EncryptionContext": {"a": "b"}});
    let plain = json!({"KeyId": open["DestinationKeyId"], "Plaintext": "aGk="});
    let sealed = maker.both(who, "Encrypt", &merged(&plain, &context)).text("/CiphertextBlob");
    maker.both(who, "Decrypt", &merged(&context, &json!({"CiphertextBlob": sealed})));
    maker.both(who, "ReEncrypt", &json!({
        "CiphertextBlob": sealed, "SourceEncryptionContext": {"a": "b"}, "DestinationKeyId": key(service, &json!({})),
    }));
    // RSA names no material.
    let rsa = key(service, &json!({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}));
    let algorithm = json!({"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"});
    let sealed = maker.both(who, "Encrypt", &merged(&algorithm, &json!({"Plaintext": "aGk="})));
    let sealed = json!({"CiphertextBlob": sealed.text("/CiphertextBlob")});
    maker.both(who, "Decrypt", &merged(&algorithm, &sealed));
}

fn imports(maker: &mut Maker<'_>, who: &(Login, &'static str)) {
    let service = maker.service;
    let empty = key(service, &json!({"Origin": "EXTERNAL"}));
    let in_an_hour = service.engine.now().seconds() + 3_600;
    let first = maker.both(
        who,
        "ImportKeyMaterial",
        &merged(
            &requests::import(service, &empty),
            &json!({
                "ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": "the first",
                "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": in_an_hour,
            }),
        ),
    );
    let id = json!({"KeyMaterialId": first.text("/KeyMaterialId")});
    let again = merged(&requests::import(service, &empty), &id);
    maker.both(
        who,
        "ImportKeyMaterial",
        &merged(&again, &json!({"ImportType": "EXISTING_KEY_MATERIAL"})),
    );
    maker.both(who, "DeleteImportedKeyMaterial", &merged(&id, &json!({"KeyId": empty})));
}

/// Only root may retire them.
fn grants_by_id(maker: &mut Maker<'_>) {
    let service = maker.service;
    let id = key(service, &json!({}));
    let grant = json!({"KeyId": id, "GranteePrincipal": ROOT, "RetiringPrincipal": ROOT, "Operations": ["Encrypt"]});
    let made = expect(service, "CreateGrant", &grant).text("/GrantId");
    maker.both(&(service.root(), "Root"), "RetireGrant", &json!({"KeyId": id, "GrantId": made}));
    let other = expect(service, "CreateGrant", &grant).text("/GrantId");
    let root = (service.root(), "Root");
    maker.both(&root, "ListGrants", &json!({"KeyId": id, "GrantId": other}));
    maker.both(&root, "RevokeGrant", &json!({"KeyId": id, "GrantId": other}));
}

/// The last event of the log.
fn last(service: &TestService) -> Value {
    service.events().pop().unwrap()
}

/// Everybody who may call, and the copy of a key's owner.
#[test]
fn each_kind_of_caller_is_named_as_cloudtrail_names_it() {
    const SERVICE: &str = "backup.amazonaws.com";
    const OTHER: &str = "444455556666";
    let service = TestService::seeded(15);
    let seed = json!({"services": [{"name": SERVICE, "accessKeys": [{"id": "AKIABACKUPSERVICE001", "secret": "a-secret-of-this-test"}]}]});
    service.engine.seed(&serde_json::from_value(seed).unwrap()).unwrap();
    let backup = Login::new("AKIABACKUPSERVICE001", "a-secret-of-this-test");
    let theirs = service.root_of(OTHER);
    let arn = key(&service, &json!({}));
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, OTHER]}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "kms:Encrypt", "Resource": "*"},
    ]});
    expect(&service, "PutKeyPolicy", &json!({"KeyId": arn, "Policy": policy.to_string()}));
    let federator = service.user(
        "federator",
        &json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["kms:*", "sts:GetFederationToken"], "Resource": "*"},
        ]}),
    );
    let federated = service.sts(
        &federator,
        "GetFederationToken",
        &json!({"Name": "guest", "Policy": everything().to_string()}),
    );
    let federated = Login {
        session_token: Some(federated.text("/Credentials/SessionToken")),
        ..Login::new(
            &federated.text("/Credentials/AccessKeyId"),
            &federated.text("/Credentials/SecretAccessKey"),
        )
    };

    let mut findings = Findings::default();
    let encrypt = json!({"KeyId": arn, "Plaintext": "aGk="});
    let ask = |login: &Login, code: &str| {
        let answer = call(&service, Door::AwsJson, login, "Encrypt", &encrypt.to_string());
        assert_eq!(answer.code(), code, "{answer:?}");
        last(&service)
    };
    let ordinary: &[&str] = &["requestID", "additionalEventData"];
    for (kind, login) in [
        ("IAMUser", &federator),
        ("Root", &service.root()),
        ("AssumedRole", &service.role("app", &everything())),
        ("FederatedUser", &federated),
        ("AWSService", &backup),
    ] {
        let event = ask(login, "200");
        envelope(&mut findings, &event, kind, ordinary);
        findings.equal(kind, &event["userIdentity"]["type"], &json!(kind));
        let names_source = kind == "AWSService";
        for member in ["sourceIPAddress", "userAgent"] {
            let said = event[member] == SERVICE;
            assert_eq!(said, names_source, "{kind}: {member} is {}", event[member]);
        }
    }
    // A service that is refused, in the log of the key's owner.
    let decrypt = json!({"KeyId": arn, "CiphertextBlob": "aGk=", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"});
    let answer = call(&service, Door::AwsJson, &backup, "Decrypt", &decrypt.to_string());
    assert_eq!(answer.code(), "AccessDeniedException", "{answer:?}");
    let event = last(&service);
    let refused: &[&str] = &["requestID", "additionalEventData", "errorCode", "errorMessage"];
    envelope(&mut findings, &event, "a refused service", refused);
    findings.equal("a refused service", &event["errorCode"], &json!("AccessDenied"));
    findings.equal("a refused service", &event["recipientAccountId"], &json!(ACCOUNT));

    // Another account: its own event, and the owner's copy, which share an id.
    let copy = ask(&theirs, "200");
    let own = service.events().into_iter().rev().nth(1).unwrap();
    let shared: &[&str] = &["requestID", "additionalEventData", "sharedEventID"];
    envelope(&mut findings, &copy, "a copy", shared);
    envelope(&mut findings, &own, "the original", shared);
    for (event, kind, account) in [(&own, "Root", OTHER), (&copy, "AWSAccount", ACCOUNT)] {
        findings.equal("another account", &event["userIdentity"]["type"], &json!(kind));
        findings.equal("another account", &event["recipientAccountId"], &json!(account));
        findings.equal("another account", &event["sharedEventID"], &own["sharedEventID"]);
        findings.equal("another account", &event["resources"][0]["accountId"], &json!(ACCOUNT));
    }
    assert_ne!(own["eventID"], copy["eventID"]);
    findings.object(
        "copy.requestParameters",
        &FACTS.operations["Encrypt"].parameters,
        &copy["requestParameters"],
        None,
    );
    assert!(findings.wrong.is_empty(), "{}", findings.wrong.join("\n"));
}

/// What a failure leaves: the code in CloudTrail's spelling, what was asked, what was found, and no answer.
#[test]
fn failures_keep_what_was_asked_and_found() {
    let ready = Ready::new(16);
    let service = &ready.service;
    let (arn, other) = (key(service, &json!({})), key(service, &json!({})));
    let mac = key(service, &json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}));
    let sleeping = key(service, &json!({}));
    expect(service, "DisableKey", &json!({"KeyId": sleeping}));
    let going = key(service, &json!({}));
    expect(service, "ScheduleKeyDeletion", &json!({"KeyId": going}));
    let sealed = expect(service, "Encrypt", &json!({"KeyId": arn, "Plaintext": "aGk="}));
    let sealed = sealed.text("/CiphertextBlob");
    let plain = |key: &str| json!({"KeyId": key, "Plaintext": "aGk="});
    let absent = requests::ABSENT_KEY;
    let found = |arn: &String| vec![arn.clone()];
    let cases = [
        ("NotFoundException", "Encrypt", plain(absent), vec![]),
        ("DisabledException", "Encrypt", plain(&sleeping), found(&sleeping)),
        ("KMSInvalidStateException", "Encrypt", plain(&going), found(&going)),
        ("InvalidKeyUsageException", "Encrypt", plain(&mac), found(&mac)),
        (
            "IncorrectKeyException",
            "Decrypt",
            json!({"KeyId": other, "CiphertextBlob": sealed}),
            found(&other),
        ),
        (
            "InvalidCiphertextException",
            "Decrypt",
            json!({"CiphertextBlob": "bm90aGluZw=="}),
            vec![],
        ),
        ("ValidationException", "Encrypt", json!({"KeyId": arn, "Plaintext": ""}), vec![]),
        (
            "MalformedPolicyDocumentException",
            "PutKeyPolicy",
            json!({"KeyId": arn, "Policy": "{}"}),
            found(&arn),
        ),
        (
            "AlreadyExistsException",
            "CreateAlias",
            json!({"AliasName": "alias/updated", "TargetKeyId": arn}),
            vec![],
        ),
        (
            "DryRunOperationException",
            "Encrypt",
            merged(&plain(&arn), &json!({"DryRun": true})),
            found(&arn),
        ),
        ("UnsupportedOperationException", "EnableKeyRotation", json!({"KeyId": mac}), found(&mac)),
        ("InvalidGrantTokenException", "RetireGrant", json!({"GrantToken": "bm90aGluZw"}), vec![]),
        (
            "CustomKeyStoreNotFoundException",
            "DeleteCustomKeyStore",
            json!({"CustomKeyStoreId": "cks-0"}),
            vec![],
        ),
    ];
    let root = service.root();
    for (code, operation, body, resources) in cases {
        let answer = call(service, Door::AwsJson, &root, operation, &body.to_string());
        assert_eq!(answer.code(), code, "{operation} {body}: {answer:?}");
        let event = last(service);
        assert_eq!(event["errorCode"], code, "{operation} {body}");
        assert_eq!(event["responseElements"], Value::Null, "{operation} {body}");
        if let Answer::Refusal { message: Some(words), .. } = &answer {
            let said = event["errorMessage"].as_str().unwrap_or_default();
            assert_eq!(said, words, "{operation} {body}");
        }
        let mut findings = Findings::default();
        findings.object(
            &format!("{operation}.requestParameters"),
            &FACTS.operations[operation].parameters,
            &event["requestParameters"],
            Some(&body),
        );
        assert!(findings.wrong.is_empty(), "{}", findings.wrong.join("\n"));
        let have =
            event["resources"].as_array().unwrap().iter().map(|one| one["ARN"].as_str().unwrap());
        let have: BTreeSet<&str> = have.collect();
        for arn in &resources {
            assert!(have.contains(arn.as_str()), "{code}: {arn} is not among {have:?}");
        }
    }
}
