//! What AWS's model allows and the service refuses: key ids of every form, grant tokens, markers, dry runs, and the
//! sentences of the reference's sections 1a, 3 and 4d, through both doors.
//!
//! Each leaves one event and changes nothing.

use super::{
    aws_model::{self, Place, places, shape},
    requests::{ABSENT_KEY, ROOT, Ready, attempt, expect, key, key_store, merged},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_engine::{Service, find};
use keyward_testkit::doors::Door;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DOORS: [Door; 2] = [Door::AwsJson, Door::Rest];
const VALIDATION: &str = "ValidationException";
const NOT_FOUND: &str = "NotFoundException";

/// Collects what differs, so that one run shows all of it.
struct Judge<'r> {
    ready: &'r Ready,
    failures: Vec<String>,
    seen: BTreeSet<String>,
}

impl<'r> Judge<'r> {
    fn new(ready: &'r Ready) -> Self {
        Self { ready, failures: Vec::new(), seen: BTreeSet::new() }
    }

    /// A request through both doors, and what both must answer; `None` for words that the reference does not have.
    fn expect(&mut self, operation: &str, body: &Value, code: &str, words: Option<&str>) {
        self.seen.insert(operation.to_owned());
        for door in DOORS {
            let outcome = attempt(&self.ready.service, door, operation, body);
            if let Some(how) = outcome.differs(code, words) {
                let body: String = body.to_string().chars().take(200).collect();
                self.failures.push(format!("{operation} {body} {door:?}: {how}"));
            }
        }
    }

    /// The same, with more members in the operation's own request; one that is null is left out.
    fn with(&mut self, operation: &str, more: Value, code: &str, words: Option<&str>) {
        let mut body = merged(self.ready.request(operation), &more);
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.expect(operation, &body, code, words);
    }

    fn verdict(self) {
        let failures = self.failures;
        assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    }
}

/// Operations that take an alias where they take a key: section 5b.
fn takes_aliases(operation: &str) -> bool {
    let alone = ["DescribeKey", "GetPublicKey", "ReEncrypt"];
    let spec = find(Service::Kms, operation).unwrap().spec();
    let tokens = aws_model::input_shape(operation)["members"]["GrantTokens"].is_object();
    assert_eq!(spec.aliases, alone.contains(&operation) || tokens && operation != "CreateGrant");
    spec.aliases
}

/// Members that name a key, in every operation.
fn key_places() -> Vec<(&'static str, Place)> {
    let of = |operation| {
        let named = |place: &Place| place.shape == "KeyIdType";
        places(operation).into_iter().filter(named).map(move |place| (operation, place))
    };
    aws_model::operations().flat_map(of).collect()
}

#[test]
fn key_ids_of_every_form_are_refused_alike() {
    let ready = Ready::new(11);
    let mut judge = Judge::new(&ready);
    let (id, arn) = (ABSENT_KEY.rsplit('/').next().unwrap(), "arn:aws:kms:us-east-1:000000000000");
    let absent = format!("Key '{ABSENT_KEY}' does not exist");
    let abroad = ABSENT_KEY.replace("us-east-1", "us-west-2");
    let undashed = id.replace('-', "");
    let of_another_service = format!("arn:aws:s3:us-east-1:000000000000:key/{id}");
    for (operation, place) in key_places() {
        let mut refused = |text: &str, code: &str, words: Option<&str>| {
            let body = place.with(operation, ready.request(operation), Some(&json!(text)));
            judge.expect(operation, &body, code, words);
        };
        if operation == "RetireGrant" {
            // It names a grant by a token, or by a key's ARN and the grant's id.
            refused(ABSENT_KEY, VALIDATION, None);
            continue;
        }
        let shown = |text: &str| Some(format!("Invalid keyId '{text}'"));
        refused("fake-key-id", NOT_FOUND, shown("fake-key-id").as_deref());
        refused(&undashed, NOT_FOUND, shown(&undashed).as_deref());
        refused("mrk-1234", NOT_FOUND, shown("mrk-1234").as_deref());
        refused(" ", NOT_FOUND, shown(" ").as_deref());
        refused(
            &of_another_service,
            NOT_FOUND,
            Some(&format!("Invalid keyId {of_another_service}")),
        );
        refused(id, NOT_FOUND, Some(&absent));
        refused(ABSENT_KEY, NOT_FOUND, Some(&absent));
        refused(&abroad, NOT_FOUND, Some("Invalid arn us-west-2"));
        for alias in ["alias/nobody", &format!("{arn}:alias/nobody")] {
            if takes_aliases(operation) {
                let words = format!("Alias {arn}:alias/nobody is not found.");
                refused(alias, NOT_FOUND, Some(&words));
            } else if place.top() == "TargetKeyId" {
                refused(alias, VALIDATION, Some("Aliases must refer to keys. Not aliases"));
            } else {
                refused(alias, NOT_FOUND, None);
            }
        }
    }
    judge.verdict();
}

#[test]
fn what_is_no_grant_token_is_refused() {
    let ready = Ready::new(12);
    let mut judge = Judge::new(&ready);
    for operation in aws_model::operations() {
        let members = &aws_model::input_shape(operation)["members"];
        let more = if members["GrantTokens"].is_object() {
            json!({"GrantTokens": ["no-token"]})
        } else if members["GrantToken"].is_object() {
            json!({"GrantToken": "no-token"})
        } else {
            continue;
        };
        judge.with(operation, more, "InvalidGrantTokenException", None);
    }
    assert_eq!(judge.seen.len(), 18, "{:?}", judge.seen);
    judge.verdict();
}

/// `ListKeyPolicies` has no such error in the model, and one page.
#[test]
fn what_is_no_marker_is_refused() {
    let ready = Ready::new(13);
    let mut judge = Judge::new(&ready);
    // A marker of another list is none of this one.
    let page = json!({"Limit": 1});
    let other = expect(&ready.service, "ListKeys", &page).text("/NextMarker");
    for operation in aws_model::operations() {
        let has_marker = aws_model::input_shape(operation)["members"]["Marker"].is_object();
        if has_marker && operation != "ListKeyPolicies" {
            judge.with(operation, json!({"Marker": "no-marker"}), "InvalidMarkerException", None);
            if operation != "ListKeys" {
                judge.with(operation, json!({"Marker": other}), "InvalidMarkerException", None);
            }
        }
    }
    assert_eq!(judge.seen.len(), 7, "{:?}", judge.seen);
    judge.verdict();
}

#[test]
fn dry_runs_answer_that_they_are() {
    const WORDS: &str = "The request would have succeeded, but the DryRun option is set.";
    let ready = Ready::new(14);
    let mut judge = Judge::new(&ready);
    for operation in aws_model::operations() {
        if aws_model::input_shape(operation)["members"]["DryRun"].is_object() {
            let code = "DryRunOperationException";
            judge.with(operation, json!({"DryRun": true}), code, Some(WORDS));
        }
    }
    assert_eq!(judge.seen.len(), 17, "{:?}", judge.seen);
    for (operation, key) in [("Decrypt", "KeyId"), ("ReEncrypt", "SourceKeyId")] {
        let id = ready.request("Encrypt")["KeyId"].clone();
        let ignored = json!({"CiphertextBlob": null, "DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]});
        let named = merged(&ignored, &json!({key: id}));
        judge.with(operation, named, "DryRunOperationException", Some(WORDS));
        judge.with(operation, ignored.clone(), VALIDATION, None);
        let real = merged(&ignored, &json!({"DryRun": false, key: id}));
        judge.with(operation, real, VALIDATION, None);
        let null = "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null";
        judge.with(operation, json!({"CiphertextBlob": null}), VALIDATION, Some(null));
    }
    judge.verdict();
}

/// Attestation documents are not checked here, and a plaintext is not handed out instead.
#[test]
fn recipients_are_refused() {
    let ready = Ready::new(15);
    let mut judge = Judge::new(&ready);
    for operation in aws_model::operations() {
        if aws_model::input_shape(operation)["members"]["Recipient"].is_object() {
            for recipient in [json!({}), json!({"AttestationDocument": "aGk="})] {
                let code = "UnsupportedOperationException";
                judge.with(operation, json!({"Recipient": recipient}), code, None);
            }
        }
    }
    assert_eq!(judge.seen.len(), 5, "{:?}", judge.seen);
    judge.verdict();
}

#[test]
fn names_policies_and_tags_are_refused_in_the_reference_s_words() {
    let ready = Ready::new(16);
    let mut judge = Judge::new(&ready);
    let prefix = "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html";
    let colon = "alias/a:b contains invalid characters for an alias";
    for operation in ["CreateAlias", "UpdateAlias", "DeleteAlias"] {
        let name = |name: &str| json!({"AliasName": name});
        judge.with(operation, name("created"), VALIDATION, Some(prefix));
        judge.with(operation, name("alias/a:b"), VALIDATION, Some(colon));
        judge.with(operation, name("alias/aws/kms"), "NotAuthorizedException", Some(""));
    }
    let arn = "arn:aws:kms:us-east-1:000000000000:alias/updated";
    let taken = format!("An alias with the name {arn} already exists");
    judge.with(
        "CreateAlias",
        json!({"AliasName": "alias/updated"}),
        "AlreadyExistsException",
        Some(&taken),
    );
    let mac = ready.request("GenerateMac")["KeyId"].clone();
    let moved = format!(
        "Alias {arn} cannot be changed from a CMK with key usage ENCRYPT_DECRYPT to a CMK with key usage GENERATE_VERIFY_MAC"
    );
    judge.with("UpdateAlias", json!({"TargetKeyId": mac}), VALIDATION, Some(&moved));
    for operation in ["CreateKey", "PutKeyPolicy", "ReplicateKey"] {
        let policy = |text: &str| json!({"Policy": text});
        let valid = ready.request("PutKeyPolicy")["Policy"].as_str().unwrap();
        let long = format!("{valid}{}", " ".repeat(32_769 - valid.len()));
        judge.with(operation, policy(&long), "LimitExceededException", None);
        let malformed = "MalformedPolicyDocumentException";
        judge.with(operation, policy("{}"), malformed, None);
        judge.with(operation, policy("no JSON"), malformed, None);
        let locked = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:DescribeKey", "Resource": "*"}]});
        let words = "The new key policy will not allow you to update the key policy in the future.";
        judge.with(operation, policy(&locked.to_string()), malformed, Some(words));
        let nobody = valid.replace(":root", ":user/nobody");
        // AWS's sentence, and then which.
        let words = "Policy contains a statement with one or more invalid principals. arn:aws:iam::000000000000:user/nobody does not exist";
        judge.with(operation, policy(&nobody), malformed, Some(words));
    }
    let ram = "The AWS_RAM policy can only be managed by the RAM service";
    judge.with("PutKeyPolicy", json!({"PolicyName": "AWS_RAM"}), VALIDATION, Some(ram));
    judge.with("GetKeyPolicy", json!({"PolicyName": "AWS_RAM"}), NOT_FOUND, None);
    let other = json!({"PolicyName": "other"});
    judge.with("GetKeyPolicy", other, NOT_FOUND, Some("No such policy exists"));
    for operation in ["CreateKey", "TagResource", "ReplicateKey"] {
        let tags = |keys: &[String]| {
            let tag = |key: &String| json!({"TagKey": key, "TagValue": ""});
            json!({"Tags": keys.iter().map(tag).collect::<Vec<_>>()})
        };
        let mut refused = |keys: &[String], words| {
            judge.with(operation, tags(keys), "TagException", Some(words));
        };
        refused(&["a".to_owned(), "a".to_owned()], "Duplicate tag keys");
        refused(&["aWs:a".to_owned()], "Tags beginning with aws: are reserved");
        let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        refused(&many, "Too many tags");
    }
    judge.verdict();
}

#[test]
fn cryptography_is_refused_in_the_reference_s_words() {
    let ready = Ready::new(17);
    let service = &ready.service;
    let mut judge = Judge::new(&ready);
    let new = |spec: &str, usage: &str| key(service, &json!({"KeySpec": spec, "KeyUsage": usage}));
    let rsa = new("RSA_2048", "ENCRYPT_DECRYPT");
    for (algorithm, limit) in [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)] {
        let body = |bytes| json!({"KeyId": rsa, "EncryptionAlgorithm": algorithm, "Plaintext": aws_model::blob(bytes)});
        let words = format!(
            "Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {limit} bytes."
        );
        judge.expect("Encrypt", &body(limit + 1), VALIDATION, Some(&words));
        judge.expect("Encrypt", &body(limit), "200", None);
    }
    let context = json!({"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "EncryptionContext": {"a": "b"}});
    let words =
        "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.";
    judge.with("Encrypt", context.clone(), VALIDATION, Some(words));
    judge.with("Decrypt", context, VALIDATION, Some(words));
    let signing = new("RSA_2048", "SIGN_VERIFY");
    let digests =
        [("RSASSA_PSS_SHA_256", 32), ("RSASSA_PKCS1_V1_5_SHA_384", 48), ("RSASSA_PSS_SHA_512", 64)];
    for (algorithm, bytes) in digests {
        let words = format!("Digest is invalid length for algorithm {algorithm}.");
        for operation in ["Sign", "Verify"] {
            let more = |bytes| json!({"KeyId": signing, "SigningAlgorithm": algorithm, "MessageType": "DIGEST", "Message": aws_model::blob(bytes)});
            judge.with(operation, more(bytes + 1), VALIDATION, Some(&words));
            judge.with(operation, more(bytes - 1), VALIDATION, Some(&words));
        }
    }
    let edwards = new("ECC_NIST_EDWARDS25519", "SIGN_VERIFY");
    let lattice = new("ML_DSA_44", "SIGN_VERIFY");
    let elliptic = ready.request("Sign")["KeyId"].as_str().unwrap();
    for (id, algorithm, type_, bytes) in [
        (edwards.as_str(), "ED25519_SHA_512", "DIGEST", 64),
        (edwards.as_str(), "ED25519_PH_SHA_512", "RAW", 64),
        (lattice.as_str(), "ML_DSA_SHAKE_256", "DIGEST", 64),
        (elliptic, "ECDSA_SHA_256", "EXTERNAL_MU", 64),
    ] {
        let more = json!({"KeyId": id, "SigningAlgorithm": algorithm, "MessageType": type_, "Message": aws_model::blob(bytes)});
        for operation in ["Sign", "Verify"] {
            let words = (id == lattice)
                .then_some("Message type DIGEST is incompatible with key spec ML_DSA_44.");
            judge.with(operation, more.clone(), VALIDATION, words);
        }
    }
    for operation in ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        let words = "Please specify either number of bytes or key spec.";
        judge.with(operation, json!({"NumberOfBytes": 16}), VALIDATION, Some(words));
        judge.with(operation, json!({"KeySpec": null}), VALIDATION, Some(words));
    }
    let words = "KeySpec SM2 is not supported in this Region";
    for operation in ["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"] {
        let code = "UnsupportedOperationException";
        judge.with(operation, json!({"KeyPairSpec": "SM2"}), code, Some(words));
    }
    let words = "NumberOfBytes is required.";
    judge.with("GenerateRandom", json!({"NumberOfBytes": null}), VALIDATION, Some(words));
    judge.with("DeriveSharedSecret", json!({"PublicKey": "aGk="}), VALIDATION, Some(""));
    ciphertexts(&mut judge);
    judge.verdict();
}

/// Ciphertexts that do not open, and keys that did not make them.
fn ciphertexts(judge: &mut Judge<'_>) {
    const INVALID: &str = "InvalidCiphertextException";
    let ready = judge.ready;
    let mut blob =
        STANDARD.decode(ready.request("Decrypt")["CiphertextBlob"].as_str().unwrap()).unwrap();
    *blob.last_mut().unwrap() ^= 1;
    let tampered = STANDARD.encode(&blob);
    let other = ready.request("DescribeKey")["KeyId"].clone();
    let wrong =
        "The key ID in the request does not identify a CMK that can perform this operation.";
    let names = [
        ("Decrypt", "KeyId", "EncryptionContext"),
        ("ReEncrypt", "SourceKeyId", "SourceEncryptionContext"),
    ];
    for (operation, key, context) in names {
        judge.with(operation, json!({"CiphertextBlob": tampered}), INVALID, Some(""));
        judge.with(operation, json!({"CiphertextBlob": "aGk="}), INVALID, Some(""));
        judge.with(operation, json!({context: {"a": "b"}}), INVALID, Some(""));
        judge.with(operation, json!({key: other}), "IncorrectKeyException", Some(wrong));
    }
    judge.with("Decapsulate", json!({"SharedSecretCiphertextBlob": "aGk="}), INVALID, Some(""));
    judge.with("Verify", json!({"Message": "aGkh"}), "KMSInvalidSignatureException", Some(""));
    judge.with("VerifyMac", json!({"Message": "aGkh"}), "KMSInvalidMacException", Some(""));
}

#[test]
fn keys_grants_and_material_are_refused_in_the_reference_s_words() {
    const UNSUPPORTED: &str = "UnsupportedOperationException";
    let ready = Ready::new(18);
    let mut judge = Judge::new(&ready);
    let words =
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.";
    for spec in shape("KeySpec")["enum"].as_array().unwrap() {
        if spec != "SYMMETRIC_DEFAULT" {
            judge.with("CreateKey", json!({"KeySpec": spec}), VALIDATION, Some(words));
        }
    }
    for days in [6, 31] {
        let more = json!({"PendingWindowInDays": days});
        judge.with("ScheduleKeyDeletion", more, VALIDATION, None);
    }
    let single = ready.request("DescribeKey")["KeyId"].as_str().unwrap();
    let words = format!("{single} is not a multi-region primary key.");
    judge.with("ReplicateKey", json!({"KeyId": single}), UNSUPPORTED, Some(&words));
    judge.with("UpdatePrimaryRegion", json!({"KeyId": single}), UNSUPPORTED, Some(&words));
    let replicated = ready.request("UpdatePrimaryRegion")["KeyId"].clone();
    judge.with("ReplicateKey", json!({"KeyId": replicated}), "AlreadyExistsException", None);
    let nobody = "arn:aws:iam::000000000000:user/nobody";
    let words = format!("ARN does not refer to a valid principal: {nobody}");
    for party in ["GranteePrincipal", "RetiringPrincipal"] {
        judge.with("CreateGrant", json!({party: nobody}), "InvalidArnException", Some(&words));
    }
    let id = "0".repeat(64);
    let words = format!("Grant ID {id} not found");
    judge.with("RevokeGrant", json!({"GrantId": id}), NOT_FOUND, Some(&words));
    let named = json!({"GrantToken": null, "KeyId": single, "GrantId": id});
    judge.with("RetireGrant", named, NOT_FOUND, Some(&words));
    let pairs: serde_json::Map<_, _> = (0..9).map(|n| (n.to_string(), json!("v"))).collect();
    for (constraint, pairs) in [
        ("EncryptionContextSubset", json!(pairs)),
        ("EncryptionContextEquals", json!({"a": "v".repeat(385)})),
    ] {
        let more = json!({"Constraints": {constraint: pairs}});
        judge.with("CreateGrant", more, VALIDATION, None);
    }
    let words = "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES";
    judge.with("ImportKeyMaterial", json!({"ExpirationModel": null}), VALIDATION, Some(words));
    let now = ready.service.engine.now().seconds();
    judge.with("ImportKeyMaterial", json!({"ValidTo": now + 86_400}), VALIDATION, None);
    for valid_to in [json!(now - 1), json!(now + 366 * 86_400), json!(-1), json!(1e300)] {
        let more = json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": valid_to});
        judge.with("ImportKeyMaterial", more, VALIDATION, None);
    }
    let token = json!({"ImportToken": "aGk="});
    judge.with("ImportKeyMaterial", token, "InvalidImportTokenException", None);
    let material = json!({"EncryptedKeyMaterial": "aGk="});
    judge.with("ImportKeyMaterial", material, "InvalidCiphertextException", None);
    let more = json!({"WrappingAlgorithm": "RSAES_PKCS1_V1_5"});
    judge.with("GetParametersForImport", more, UNSUPPORTED, None);
    judge.verdict();
}

#[test]
fn key_stores_are_refused_by_their_state_and_name() {
    let ready = Ready::new(19);
    let service = &ready.service;
    let mut judge = Judge::new(&ready);
    let absent = json!({"CustomKeyStoreId": "cks-0123456789abcdef0"});
    for operation in aws_model::operations() {
        let members = &aws_model::input_shape(operation)["members"];
        if members["CustomKeyStoreId"].is_object() {
            let more = match operation {
                "CreateKey" => {
                    merged(&absent, &json!({"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "key"}))
                }
                _ => absent.clone(),
            };
            judge.with(operation, more, "CustomKeyStoreNotFoundException", None);
        }
    }
    let state = "CustomKeyStoreInvalidStateException";
    let connected = ready.request("DisconnectCustomKeyStore").clone();
    judge.expect("ConnectCustomKeyStore", &connected, state, None);
    judge.expect("DeleteCustomKeyStore", &connected, state, None);
    let moved = merged(&connected, &json!({"XksProxyUriEndpoint": "https://other.example.com"}));
    judge.expect("UpdateCustomKeyStore", &moved, state, None);
    let place = merged(&connected, &json!({"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "key"}));
    key(service, &place);
    judge.expect("CreateKey", &place, "XksKeyAlreadyInUseException", None);
    let missing = merged(&place, &json!({"XksKeyId": keyward_testkit::StubProxy::ABSENT}));
    judge.expect("CreateKey", &missing, "XksKeyNotFoundException", None);
    expect(service, "DisconnectCustomKeyStore", &connected);
    judge.expect("DeleteCustomKeyStore", &connected, "CustomKeyStoreHasCMKsException", None);
    let other = merged(&place, &json!({"XksKeyId": "other"}));
    judge.expect("CreateKey", &other, state, None);
    let named = merged(&key_store(7), &json!({"CustomKeyStoreName": "store-4"}));
    judge.expect("CreateCustomKeyStore", &named, "CustomKeyStoreNameInUseException", None);
    let path = merged(&key_store(7), &json!({"XksProxyUriPath": "/4/kms/xks/v1"}));
    judge.expect("CreateCustomKeyStore", &path, "XksProxyUriInUseException", None);
    judge.verdict();
}

/// All violations of the model in one answer; a wrong type before them, and both before anything of keys.
#[test]
fn the_model_speaks_first_and_of_everything_at_once() {
    let ready = Ready::new(20);
    let mut judge = Judge::new(&ready);
    for operation in aws_model::operations() {
        let violating = json!({"Marker": "", "Limit": 0, "GrantTokens": [""], "Policy": "", "Name": "", "Tags": [{"TagKey": ""}], "KeySpec": "x", "Message": "", "Plaintext": "", "CustomKeyStoreId": ""});
        let members = aws_model::input_shape(operation)["members"].as_object().unwrap();
        let mut body = json!({});
        let own =
            violating.as_object().unwrap().iter().filter(|(name, _)| members.contains_key(*name));
        body.as_object_mut()
            .unwrap()
            .extend(own.map(|(name, value)| (name.clone(), value.clone())));
        let expected = aws_model::violations(operation, &body);
        if expected.is_empty() {
            continue;
        }
        let outcome = attempt(&ready.service, Door::AwsJson, operation, &body);
        let errors = if expected.len() == 1 { "error" } else { "errors" };
        let begins = format!("{} validation {errors} detected: ", expected.len());
        let said = outcome.words.starts_with(&begins)
            && expected.iter().all(|one| outcome.words.contains(one));
        if outcome.code != VALIDATION || outcome.odd.is_some() || !said {
            judge.failures.push(format!("{operation} {body}: {outcome:?}"));
        }
        for member in members.keys().filter(|member| body.get(member).is_none()).take(1) {
            let typed = merged(&body, &json!({member: [[]]}));
            let outcome = attempt(&ready.service, Door::AwsJson, operation, &typed);
            let differs = outcome.differs("SerializationException", None);
            judge.failures.extend(differs.map(|how| format!("{operation} {typed}: {how}")));
        }
    }
    judge.verdict();
}

/// Section 4d: after the model come the key, authorization, the key's usage, its state, the algorithm, the sizes.
#[test]
fn of_two_things_wrong_the_first_is_said() {
    let ready = Ready::new(21);
    let service = &ready.service;
    let nobody = service.user("nobody", &json!({}));
    let new = |spec: &str, usage: &str| key(service, &json!({"KeySpec": spec, "KeyUsage": usage}));
    let (signing, sealing) = (new("ECC_NIST_P256", "SIGN_VERIFY"), key(service, &json!({})));
    for id in [&signing, &sealing] {
        expect(service, "DisableKey", &json!({"KeyId": id}));
    }
    let sign = |id: &str, algorithm: &str| json!({"KeyId": id, "SigningAlgorithm": algorithm, "MessageType": "DIGEST", "Message": "aGk="});
    let rows = [
        ("the key before authorization", &nobody, sign(ABSENT_KEY, "ECDSA_SHA_256"), NOT_FOUND),
        (
            "authorization before usage",
            &nobody,
            sign(&sealing, "ECDSA_SHA_256"),
            "AccessDeniedException",
        ),
        (
            "authorization before state",
            &nobody,
            sign(&signing, "ECDSA_SHA_256"),
            "AccessDeniedException",
        ),
    ];
    for (what, login, body, code) in rows {
        assert_eq!(service.kms(login, "Sign", &body).code(), code, "{what}");
    }
    let mut judge = Judge::new(&ready);
    let usage = "InvalidKeyUsageException";
    let words = format!("{sealing} key usage is ENCRYPT_DECRYPT which is not valid for Sign.");
    judge.expect("Sign", &sign(&sealing, "ECDSA_SHA_256"), usage, Some(&words));
    let words = format!("{signing} is disabled.");
    judge.expect("Sign", &sign(&signing, "ECDSA_SHA_384"), "DisabledException", Some(&words));
    let enabled = ready.request("Sign")["KeyId"].as_str().unwrap();
    let words = "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.";
    judge.expect("Sign", &sign(enabled, "ECDSA_SHA_384"), usage, Some(words));
    let words = "Digest is invalid length for algorithm ECDSA_SHA_256.";
    judge.expect("Sign", &sign(enabled, "ECDSA_SHA_256"), VALIDATION, Some(words));
    judge.verdict();
}
