//! One request of each KMS operation that a service answers with success, and that service.
//!
//! What a request changes is not what another one names, so that all of them can be made in any order.

use super::aws_model;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_crypto::{EncryptionAlgorithm, Provider, PublicKey, SeededEntropy};
use keyward_testkit::{
    StubProxy, TestService,
    doors::{Answer, Door, call},
};
use keyward_types::{
    AccountId, Entropy as _, KeyRecord, KeySpec, KeyStoreRecord, LastUsage, Record, Region,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(super) const ROOT: &str = "arn:aws:iam::000000000000:root";
/// A key that is not there, by an id that could be one.
pub(super) const ABSENT_KEY: &str =
    "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Whoever makes requests as the root user: through the engine, or to a service elsewhere.
pub(super) trait Asks {
    fn ask(&self, operation: &str, body: &Value) -> Answer;
}

impl Asks for TestService {
    fn ask(&self, operation: &str, body: &Value) -> Answer {
        self.kms(&self.root(), operation, body)
    }
}

/// What is imported.
pub(super) const MATERIAL: [u8; 32] = *b"material of nobody but of a test";

/// A service, and a request for each operation by its name.
pub(super) struct Ready {
    pub(super) service: TestService,
    requests: BTreeMap<&'static str, Value>,
}

impl Ready {
    pub(super) fn new(seed: u64) -> Self {
        let service = TestService::seeded_with(seed, Arc::new(StubProxy::new()));
        let mut made = Making { service: &service, requests: requests(&service) };
        made.add_key_stores();
        let requests = made.requests;
        let missing: Vec<&str> =
            aws_model::operations().filter(|operation| !requests.contains_key(operation)).collect();
        assert!(missing.is_empty(), "no request for {missing:?}");
        Self { service, requests }
    }

    pub(super) fn request(&self, operation: &str) -> &Value {
        &self.requests[operation]
    }
}

/// A request for each operation but those on key stores, which need a proxy.
pub(super) fn requests(service: &dyn Asks) -> BTreeMap<&'static str, Value> {
    let mut making = Making { service, requests: BTreeMap::new() };
    making.add_keys();
    making.add_cryptography();
    making.add_names_and_grants();
    making.add_material();
    making.requests
}

struct Making<'s> {
    service: &'s dyn Asks,
    requests: BTreeMap<&'static str, Value>,
}

impl Making<'_> {
    fn add(&mut self, operation: &'static str, body: Value) {
        assert!(self.requests.insert(operation, body).is_none(), "{operation} has two requests");
    }

    fn add_keys(&mut self) {
        let service = self.service;
        let new = || json!({"KeyId": key(service, &json!({}))});
        let [read, disabled, cancelled] = [new(), new(), new()];
        expect(service, "DisableKey", &disabled);
        expect(service, "ScheduleKeyDeletion", &cancelled);
        let primary = || key(service, &json!({"MultiRegion": true}));
        let moved = primary();
        expect(service, "ReplicateKey", &json!({"KeyId": moved, "ReplicaRegion": "us-west-2"}));
        let policy = expect(service, "GetKeyPolicy", &read).text("/Policy");
        let more = |base: &Value, more: Value| merged(base, &more);
        let rows = [
            ("CreateKey", json!({})),
            ("DescribeKey", read.clone()),
            ("GetKeyLastUsage", read.clone()),
            ("GetKeyPolicy", read.clone()),
            ("GetKeyRotationStatus", read.clone()),
            ("ListKeyPolicies", read.clone()),
            ("ListKeyRotations", read.clone()),
            ("ListKeys", json!({})),
            ("ListResourceTags", read),
            ("DisableKey", new()),
            ("EnableKey", disabled),
            ("ScheduleKeyDeletion", new()),
            ("CancelKeyDeletion", cancelled),
            ("EnableKeyRotation", new()),
            ("DisableKeyRotation", new()),
            ("RotateKeyOnDemand", new()),
            ("PutKeyPolicy", more(&new(), json!({"Policy": policy}))),
            ("UpdateKeyDescription", more(&new(), json!({"Description": "a key"}))),
            ("TagResource", more(&new(), json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]}))),
            ("UntagResource", more(&new(), json!({"TagKeys": ["a"]}))),
            ("ReplicateKey", json!({"KeyId": primary(), "ReplicaRegion": "us-west-2"})),
            ("UpdatePrimaryRegion", json!({"KeyId": moved, "PrimaryRegion": "us-west-2"})),
        ];
        rows.into_iter().for_each(|(operation, body)| self.add(operation, body));
    }

    fn add_cryptography(&mut self) {
        let service = self.service;
        let of =
            |spec: &str, usage: &str| key(service, &json!({"KeySpec": spec, "KeyUsage": usage}));
        let plain = key(service, &json!({}));
        let encrypt = json!({"KeyId": plain, "Plaintext": "aGk="});
        let sealed = expect(service, "Encrypt", &encrypt).text("/CiphertextBlob");
        let sign = json!({"KeyId": of("ECC_NIST_P256", "SIGN_VERIFY"), "Message": "aGk=", "SigningAlgorithm": "ECDSA_SHA_256"});
        let signature = expect(service, "Sign", &sign).text("/Signature");
        let mac = json!({"KeyId": of("HMAC_256", "GENERATE_VERIFY_MAC"), "Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256"});
        let code = expect(service, "GenerateMac", &mac).text("/Mac");
        let agreement = of("ECC_NIST_P256", "KEY_AGREEMENT");
        let peer = expect(service, "GetPublicKey", &json!({"KeyId": agreement})).text("/PublicKey");
        let encapsulate = json!({"KeyId": of("ML_KEM_512", "ENCAPSULATE_DECAPSULATE"), "EncapsulationAlgorithm": "ML_KEM"});
        let encapsulated =
            expect(service, "Encapsulate", &encapsulate).text("/SharedSecretCiphertextBlob");
        let decapsulate =
            merged(&encapsulate, &json!({"SharedSecretCiphertextBlob": encapsulated}));
        let data_key = json!({"KeyId": plain, "KeySpec": "AES_256"});
        let pair = json!({"KeyId": plain, "KeyPairSpec": "ECC_NIST_P256"});
        let rows = [
            ("Decrypt", json!({"CiphertextBlob": sealed})),
            ("ReEncrypt", json!({"CiphertextBlob": sealed, "DestinationKeyId": plain})),
            ("Encrypt", encrypt),
            ("GenerateDataKey", data_key.clone()),
            ("GenerateDataKeyWithoutPlaintext", data_key),
            ("GenerateDataKeyPair", pair.clone()),
            ("GenerateDataKeyPairWithoutPlaintext", pair),
            ("GenerateRandom", json!({"NumberOfBytes": 8})),
            ("Verify", merged(&sign, &json!({"Signature": signature}))),
            ("GetPublicKey", json!({"KeyId": sign["KeyId"]})),
            ("Sign", sign),
            ("VerifyMac", merged(&mac, &json!({"Mac": code}))),
            ("GenerateMac", mac),
            (
                "DeriveSharedSecret",
                json!({"KeyId": agreement, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}),
            ),
            ("Encapsulate", encapsulate),
            ("Decapsulate", decapsulate),
        ];
        rows.into_iter().for_each(|(operation, body)| self.add(operation, body));
    }

    fn add_names_and_grants(&mut self) {
        let service = self.service;
        let id = key(service, &json!({}));
        for name in ["alias/deleted", "alias/updated"] {
            expect(service, "CreateAlias", &json!({"AliasName": name, "TargetKeyId": id}));
        }
        let grant = json!({"KeyId": id, "GranteePrincipal": ROOT, "RetiringPrincipal": ROOT, "Operations": ["Encrypt"]});
        let made = || expect(service, "CreateGrant", &grant);
        let retired = json!({"GrantToken": made().text("/GrantToken")});
        let revoked = json!({"KeyId": id, "GrantId": made().text("/GrantId")});
        let rows = [
            ("CreateAlias", json!({"AliasName": "alias/created", "TargetKeyId": id})),
            ("DeleteAlias", json!({"AliasName": "alias/deleted"})),
            (
                "UpdateAlias",
                json!({"AliasName": "alias/updated", "TargetKeyId": key(service, &json!({}))}),
            ),
            ("ListAliases", json!({})),
            ("ListGrants", json!({"KeyId": id})),
            ("CreateGrant", grant),
            ("RetireGrant", retired),
            ("RevokeGrant", revoked),
            ("ListRetirableGrants", json!({"RetiringPrincipal": ROOT})),
        ];
        rows.into_iter().for_each(|(operation, body)| self.add(operation, body));
    }

    fn add_material(&mut self) {
        let service = self.service;
        let waiting = key(service, &json!({"Origin": "EXTERNAL"}));
        let full = key(service, &json!({"Origin": "EXTERNAL"}));
        expect(service, "ImportKeyMaterial", &import(service, &full));
        let parameters = json!({"KeyId": waiting, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
        let body = import(service, &waiting);
        self.add("ImportKeyMaterial", body);
        self.add("GetParametersForImport", parameters);
        self.add("DeleteImportedKeyMaterial", json!({"KeyId": full}));
    }

    fn add_key_stores(&mut self) {
        let service = self.service;
        let new =
            |n| expect(service, "CreateCustomKeyStore", &key_store(n)).text("/CustomKeyStoreId");
        let named = |n| json!({"CustomKeyStoreId": new(n)});
        let connected = named(1);
        expect(service, "ConnectCustomKeyStore", &connected);
        let rows = [
            ("CreateCustomKeyStore", key_store(0)),
            ("DisconnectCustomKeyStore", connected),
            ("ConnectCustomKeyStore", named(2)),
            ("DeleteCustomKeyStore", named(3)),
            ("UpdateCustomKeyStore", merged(&named(4), &json!({"NewCustomKeyStoreName": "new"}))),
            ("DescribeCustomKeyStores", json!({})),
        ];
        rows.into_iter().for_each(|(operation, body)| self.add(operation, body));
    }
}

/// A request for an external key store behind a proxy path of its own.
pub(super) fn key_store(n: u32) -> Value {
    json!({
        "CustomKeyStoreName": format!("store-{n}"),
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyUriEndpoint": "https://xks.example.com",
        "XksProxyUriPath": format!("/{n}/kms/xks/v1"),
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyAuthenticationCredential": {
            "AccessKeyId": "PROXYKEYIDOFATEST234",
            "RawSecretAccessKey": "c2VjcmV0LW9mLWEtcHJveHktdGhhdC1pcy1ub25lLi4",
        },
    })
}

pub(super) fn merged(base: &Value, more: &Value) -> Value {
    let mut all = base.as_object().unwrap().clone();
    all.extend(more.as_object().unwrap().clone());
    all.into()
}

#[track_caller]
pub(super) fn expect(service: &dyn Asks, operation: &str, body: &Value) -> Answer {
    let answer = service.ask(operation, body);
    assert_eq!(answer.code(), "200", "{operation} {body}: {answer:?}");
    answer
}

/// The ARN of a new key.
#[track_caller]
pub(super) fn key(service: &dyn Asks, body: &Value) -> String {
    expect(service, "CreateKey", body).text("/KeyMetadata/Arn")
}

/// A request that imports material, the same for every key, into a symmetric key.
pub(super) fn import(service: &dyn Asks, key_arn: &str) -> Value {
    import_of(service, key_arn, &MATERIAL)
}

/// The same of these bytes.
pub(super) fn import_of(service: &dyn Asks, key_arn: &str, bytes: &[u8; 32]) -> Value {
    let parameters = json!({"KeyId": key_arn, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
    let parameters = expect(service, "GetParametersForImport", &parameters);
    let der = STANDARD.decode(parameters.text("/PublicKey")).unwrap();
    let public = PublicKey::from_der(Provider::RustCrypto, KeySpec::Rsa2048, &der).unwrap();
    let mut generator = SeededEntropy::from_number(1).generator();
    let wrapped =
        public.encrypt(EncryptionAlgorithm::RsaesOaepSha256, bytes, &mut *generator).unwrap();
    json!({
        "KeyId": key_arn,
        "ImportToken": parameters.text("/ImportToken"),
        "EncryptedKeyMaterial": STANDARD.encode(wrapped),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    })
}

/// What the store holds of the account's keys and what belongs to them, to be compared.
#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    keys: Vec<Arc<KeyRecord>>,
    /// Wrapped material, aliases, grants.
    of_keys: Vec<Record>,
    usage: Vec<Option<Arc<LastUsage>>>,
    stores: Vec<Arc<KeyStoreRecord>>,
}

impl Contents {
    pub(super) fn of(service: &TestService) -> Self {
        let store = service.engine.store();
        let keys: Vec<_> = store.keys_everywhere().map(Result::unwrap).collect();
        let mut of_keys = Vec::new();
        for key in &keys {
            let name = &key.name;
            for info in &key.materials {
                let material = store.material(name, &info.id).unwrap();
                of_keys.extend(material.map(|one| Record::Material((*one).clone())));
            }
            of_keys.extend(store.dek(name).unwrap().map(|one| Record::Dek((*one).clone())));
            let grants = store.grants_of_key(name, None, usize::MAX).unwrap();
            of_keys.extend(grants.iter().map(|one| Record::Grant((**one).clone())));
            let aliases = store.aliases_of_key(name).unwrap();
            of_keys.extend(aliases.iter().map(|one| Record::Alias((**one).clone())));
        }
        let usage = keys.iter().map(|key| store.last_usage(&key.name).unwrap()).collect();
        let account = AccountId::parse(keyward_testkit::ACCOUNT).unwrap();
        let region = Region::parse(keyward_testkit::REGION).unwrap();
        let stores = store.key_stores(&account, &region).unwrap();
        Self { keys, of_keys, usage, stores }
    }
}

/// What came of a request: code and words, and what no request may do.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `200` for a success.
    pub(super) code: String,
    pub(super) words: String,
    /// The log has not one event more, beside what the service did in consequence, or a refusal changed something.
    pub(super) odd: Option<&'static str>,
}

impl Outcome {
    /// How it differs from what is expected; `None` stands for any words.
    pub(super) fn differs(&self, code: &str, words: Option<&str>) -> Option<String> {
        let fits = self.code == code
            && words.is_none_or(|words| words == self.words)
            && self.odd.is_none();
        (!fits)
            .then(|| format!("{} {:?} {:?}, not {code} {words:?}", self.code, self.words, self.odd))
    }
}

/// Whether the events from this number on are one request's own, and behind it those of the service.
fn is_one_with_consequences(service: &TestService, from: u64) -> bool {
    let left = service.events().split_off(usize::try_from(from).unwrap());
    let is_request = |event: &Value| event["userAgent"] != "AWS Internal";
    left.first().is_some_and(is_request) && !left.iter().skip(1).any(is_request)
}

/// Makes a request of the root user's through a door.
pub(super) fn attempt(service: &TestService, door: Door, operation: &str, body: &Value) -> Outcome {
    let store = service.engine.store();
    let (before, events) = (Contents::of(service), store.events_total());
    let answer = call(service, door, &service.root(), operation, &body.to_string());
    let refused = matches!(answer, Answer::Refusal { .. });
    let odd = if store.events_total() != events + 1 && !is_one_with_consequences(service, events) {
        Some("not one event")
    } else {
        (refused && Contents::of(service) != before).then_some("something changed")
    };
    let (code, words) = match answer {
        Answer::Success(_) => ("200".to_owned(), String::new()),
        Answer::Refusal { code, message } => (code, message.unwrap_or_default()),
    };
    Outcome { code, words, odd }
}

#[test]
fn every_request_succeeds() {
    let ready = Ready::new(1);
    let root = ready.service.root();
    for (operation, body) in &ready.requests {
        let violations = aws_model::violations(operation, body);
        assert!(violations.is_empty(), "{operation}: {violations:?}");
        let answer = ready.service.kms(&root, operation, body);
        assert_eq!(answer.code(), "200", "{operation} {body}: {answer:?}");
    }
}
