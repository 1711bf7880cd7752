//! Data keys, re-encryption, signatures, codes, random bytes, public keys.

use super::world::{TestWorld, arn, blob, bytes};
use keyward_types::ErrorCode;
use serde_json::{Value, json};

#[test]
fn a_data_key_opens_with_its_context_only() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let context = json!({"app": "a"});
    for (body, len) in [
        (json!({"KeySpec": "AES_256"}), 32),
        (json!({"KeySpec": "AES_128"}), 16),
        (json!({"NumberOfBytes": 77}), 77),
    ] {
        let mut body = body;
        body["KeyId"] = json!(key);
        body["EncryptionContext"] = context.clone();
        let made = world.ok("GenerateDataKey", body.clone());
        assert_eq!(bytes(&made, "Plaintext").len(), len);
        assert_eq!(made["KeyId"], arn(&key));
        let open = json!({"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": context});
        let opened = world.ok("Decrypt", open);
        assert_eq!(opened["Plaintext"], made["Plaintext"]);
        assert_eq!(opened["KeyMaterialId"], made["KeyMaterialId"]);
        world.fails(
            "Decrypt",
            json!({"CiphertextBlob": made["CiphertextBlob"]}),
            ErrorCode::InvalidCiphertext,
        );

        let sealed = world.ok("GenerateDataKeyWithoutPlaintext", body);
        assert!(sealed.get("Plaintext").is_none());
        let opened = world.ok(
            "Decrypt",
            json!({"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": context}),
        );
        assert_eq!(bytes(&opened, "Plaintext").len(), len);
    }
}

#[test]
fn data_keys_are_refused_as_aws_refuses_them() {
    let world = TestWorld::new();
    let key = world.symmetric();
    for body in
        [json!({"KeyId": key}), json!({"KeyId": key, "KeySpec": "AES_256", "NumberOfBytes": 1})]
    {
        for operation in ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
            let message = world.fails(operation, body.clone(), ErrorCode::Validation);
            assert_eq!(message, "Please specify either number of bytes or key spec.");
        }
    }
    let rsa = world.key(json!({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}));
    let message = world.fails(
        "GenerateDataKey",
        json!({"KeyId": rsa, "KeySpec": "AES_256"}),
        ErrorCode::InvalidKeyUsage,
    );
    assert_eq!(message, "You cannot generate a data key with an asymmetric CMK");
    let ecc = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    let message = world.fails(
        "GenerateDataKey",
        json!({"KeyId": ecc, "KeySpec": "AES_256"}),
        ErrorCode::InvalidKeyUsage,
    );
    assert_eq!(
        message,
        format!("{} key usage is SIGN_VERIFY which is not valid for GenerateDataKey.", arn(&ecc))
    );
    // A Recipient would get plaintext if it were ignored.
    let recipient =
        json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": blob("doc")});
    let sealed = world.ok("Encrypt", json!({"KeyId": key, "Plaintext": blob("x")}));
    for (operation, body) in [
        ("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"})),
        ("GenerateDataKeyPair", json!({"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"})),
        ("GenerateRandom", json!({"NumberOfBytes": 8})),
        ("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]})),
    ] {
        let mut body = body;
        body["Recipient"] = recipient.clone();
        world.fails(operation, body, ErrorCode::UnsupportedOperation);
    }
    let user = world.user("plain", &["kms:GenerateDataKeyWithoutPlaintext"]);
    let body = json!({"KeyId": key, "KeySpec": "AES_256"});
    world.fails_as(&user, "GenerateDataKey", body.clone(), ErrorCode::AccessDenied);
    world.ok_as(&user, "GenerateDataKeyWithoutPlaintext", body.clone());
    world.fails(
        "GenerateDataKey",
        json!({"KeyId": key, "KeySpec": "AES_256", "DryRun": true}),
        ErrorCode::DryRunOperation,
    );
    world.ok("DisableKey", json!({"KeyId": key}));
    world.fails("GenerateDataKey", body, ErrorCode::Disabled);
}

#[test]
fn a_data_key_pair_is_a_pair() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let context = json!({"app": "a"});
    for spec in ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384"] {
        let body = json!({"KeyId": key, "KeyPairSpec": spec, "EncryptionContext": context});
        let made = world.ok("GenerateDataKeyPair", body.clone());
        assert_eq!(made["KeyPairSpec"], spec);
        let opened = world.ok("Decrypt", json!({"CiphertextBlob": made["PrivateKeyCiphertextBlob"], "EncryptionContext": context}));
        assert_eq!(opened["Plaintext"], made["PrivateKeyPlaintext"]);
        let parsed = keyward_types::KeySpec::parse(spec).unwrap();
        let private = zeroize::Zeroizing::new(bytes(&made, "PrivateKeyPlaintext"));
        let material = keyward_crypto::KeyMaterial::import(
            keyward_crypto::Provider::default(),
            parsed,
            private,
        )
        .unwrap();
        assert_eq!(material.public_key_der().unwrap(), bytes(&made, "PublicKey"));
        let sealed = world.ok("GenerateDataKeyPairWithoutPlaintext", body);
        assert!(sealed.get("PrivateKeyPlaintext").is_none());
        assert_ne!(sealed["PublicKey"], made["PublicKey"]);
    }
    let message = world.fails(
        "GenerateDataKeyPair",
        json!({"KeyId": key, "KeyPairSpec": "SM2"}),
        ErrorCode::UnsupportedOperation,
    );
    assert_eq!(message, "KeySpec SM2 is not supported in this Region");
    let nobody = world.user("nobody", &[]);
    let body = json!({"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"});
    world.fails_as(&nobody, "GenerateDataKeyPair", body.clone(), ErrorCode::AccessDenied);
    world.fails_as(
        &nobody,
        "GenerateDataKeyPairWithoutPlaintext",
        body.clone(),
        ErrorCode::AccessDenied,
    );
    world.ok("ScheduleKeyDeletion", json!({"KeyId": key}));
    world.fails("GenerateDataKeyPairWithoutPlaintext", body, ErrorCode::InvalidState);
}

#[test]
fn a_condition_may_ask_for_the_spec_of_a_key_pair() {
    let world = TestWorld::new();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:GenerateDataKeyPair", "Resource": "*",
         "Condition": {"StringLike": {"kms:DataKeyPairSpec": "RSA_*"}}}
    ]});
    let key = world.key(json!({"Policy": policy.to_string()}));
    world.fails(
        "GenerateDataKeyPair",
        json!({"KeyId": key, "KeyPairSpec": "RSA_2048"}),
        ErrorCode::AccessDenied,
    );
    world.ok("GenerateDataKeyPair", json!({"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}));
}

#[test]
fn re_encryption_asks_about_both_keys() {
    let world = TestWorld::new();
    let (one, two) = (world.symmetric(), world.symmetric());
    let (from, to) = (json!({"app": "from"}), json!({"app": "to"}));
    let sealed = world.ok(
        "Encrypt",
        json!({"KeyId": one, "Plaintext": blob("secret"), "EncryptionContext": from}),
    );
    let body = json!({
        "CiphertextBlob": sealed["CiphertextBlob"],
        "SourceEncryptionContext": from,
        "DestinationKeyId": two,
        "DestinationEncryptionContext": to,
    });
    let moved = world.ok("ReEncrypt", body.clone());
    assert_eq!(moved["SourceKeyId"], arn(&one));
    assert_eq!(moved["KeyId"], arn(&two));
    let event = world.last_event();
    assert_eq!(event["resources"][0]["ARN"], arn(&one));
    assert_eq!(event["resources"][1]["ARN"], arn(&two));
    assert_eq!(event["additionalEventData"]["sourceKeyMaterialId"], moved["SourceKeyMaterialId"]);
    assert_eq!(
        event["additionalEventData"]["destinationKeyMaterialId"],
        moved["DestinationKeyMaterialId"]
    );
    assert!(!event.to_string().contains(sealed["CiphertextBlob"].as_str().unwrap()));
    let opened = world
        .ok("Decrypt", json!({"CiphertextBlob": moved["CiphertextBlob"], "EncryptionContext": to}));
    assert_eq!(bytes(&opened, "Plaintext"), b"secret");

    let half = world.user("half", &["kms:ReEncryptFrom"]);
    let message = world.fails_as(&half, "ReEncrypt", body.clone(), ErrorCode::AccessDenied);
    assert!(message.contains("kms:ReEncryptTo"), "{message}");
    let both = world.user("both", &["kms:ReEncryptFrom", "kms:ReEncryptTo"]);
    world.ok_as(&both, "ReEncrypt", body.clone());

    let mut wrong = body.clone();
    wrong["SourceEncryptionContext"] = json!({"app": "wrong"});
    world.fails("ReEncrypt", wrong, ErrorCode::InvalidCiphertext);
    let mut other = body.clone();
    other["SourceKeyId"] = json!(two);
    world.fails("ReEncrypt", other, ErrorCode::IncorrectKey);
    let ecc = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    let mut unfit = body.clone();
    unfit["DestinationKeyId"] = json!(ecc);
    let message = world.fails("ReEncrypt", unfit, ErrorCode::InvalidKeyUsage);
    assert!(message.ends_with("which is not valid for ReEncrypt."), "{message}");
    world.ok("DisableKey", json!({"KeyId": two}));
    world.fails("ReEncrypt", body, ErrorCode::Disabled);
    let usage = world.ok("GetKeyLastUsage", json!({"KeyId": one}));
    assert_eq!(usage["KeyLastUsage"]["Operation"], "ReEncrypt");
}

#[test]
fn a_dry_run_decides_and_does_nothing() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let nobody = world.user("nobody", &[]);
    for (operation, body) in [
        ("Decrypt", json!({"KeyId": key})),
        ("ReEncrypt", json!({"SourceKeyId": key, "DestinationKeyId": key})),
    ] {
        world.fails(operation, body.clone(), ErrorCode::Validation);
        let mut body = body;
        body["DryRunModifiers"] = json!(["IGNORE_CIPHERTEXT"]);
        world.fails(operation, body.clone(), ErrorCode::Validation);
        body["DryRun"] = json!(true);
        world.fails(operation, body.clone(), ErrorCode::DryRunOperation);
        world.fails_as(&nobody, operation, body, ErrorCode::AccessDenied);
    }
    assert_eq!(world.ok("GetKeyLastUsage", json!({"KeyId": key}))["KeyLastUsage"], json!({}));
    world.ok(
        "Encrypt",
        json!({"KeyId": key, "Plaintext": blob("x"), "EncryptionContext": null, "DryRun": null}),
    );
    // An operation without the member ignores it, as it ignores any other.
    world.ok("ListKeys", json!({"DryRun": true, "GrantTokens": ["rubbish"]}));
}

#[test]
fn a_condition_may_ask_whether_the_key_stays_the_same() {
    let world = TestWorld::new();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:ReEncrypt*", "Resource": "*",
         "Condition": {"Bool": {"kms:ReEncryptOnSameKey": "false"}}}
    ]});
    let (one, two) = (world.key(json!({"Policy": policy.to_string()})), world.symmetric());
    let sealed = world.ok("Encrypt", json!({"KeyId": one, "Plaintext": blob("x")}));
    let body =
        |key: &str| json!({"CiphertextBlob": sealed["CiphertextBlob"], "DestinationKeyId": key});
    world.ok("ReEncrypt", body(&one));
    world.fails("ReEncrypt", body(&two), ErrorCode::AccessDenied);
}

#[test]
fn signatures_verify_and_wrong_ones_are_an_error_without_words() {
    let world = TestWorld::new();
    for (spec, algorithm) in
        [("ECC_NIST_P256", "ECDSA_SHA_256"), ("RSA_2048", "RSASSA_PSS_SHA_256")]
    {
        let key = world.key(json!({"KeySpec": spec, "KeyUsage": "SIGN_VERIFY"}));
        let body = json!({"KeyId": key, "Message": blob("hello"), "SigningAlgorithm": algorithm});
        let signed = world.ok("Sign", body.clone());
        assert_eq!(signed["SigningAlgorithm"], algorithm);
        let event = world.last_event();
        assert_eq!(
            event["requestParameters"],
            json!({"keyId": key, "signingAlgorithm": algorithm, "messageType": "RAW"})
        );
        let mut check = body.clone();
        check["Signature"] = signed["Signature"].clone();
        assert_eq!(
            world.ok("Verify", check.clone()),
            json!({"KeyId": arn(&key), "SignatureValid": true, "SigningAlgorithm": algorithm})
        );
        check["Message"] = json!(blob("other"));
        assert_eq!(world.fails("Verify", check, ErrorCode::KmsInvalidSignature), "");
        let mut wrong = body.clone();
        wrong["SigningAlgorithm"] = json!("ECDSA_SHA_512");
        let message = world.fails("Sign", wrong, ErrorCode::InvalidKeyUsage);
        assert_eq!(
            message,
            format!("Algorithm ECDSA_SHA_512 is incompatible with key spec {spec}.")
        );
        let mut digest = body;
        digest["MessageType"] = json!("DIGEST");
        let message = world.fails("Sign", digest, ErrorCode::Validation);
        assert_eq!(message, format!("Digest is invalid length for algorithm {algorithm}."));
    }
}

#[test]
fn signing_may_be_bound_to_algorithm_and_message_type() {
    let world = TestWorld::new();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*",
         "Condition": {"StringEquals": {"kms:MessageType": "RAW", "kms:SigningAlgorithm": "ECDSA_SHA_256"}}}
    ]});
    let key = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Policy": policy.to_string()}));
    let body = json!({"KeyId": key, "Message": blob("hello"), "SigningAlgorithm": "ECDSA_SHA_256"});
    world.fails("Sign", body.clone(), ErrorCode::AccessDenied);
    let mut digest = body.clone();
    digest["MessageType"] = json!("DIGEST");
    digest["Message"] = json!(blob("0123456789abcdef0123456789abcdef"));
    let signed = world.ok("Sign", digest.clone());
    digest["Signature"] = signed["Signature"].clone();
    world.ok("Verify", digest.clone());
    world.ok("DisableKey", json!({"KeyId": key}));
    world.fails("Verify", digest, ErrorCode::Disabled);
    let nobody = world.user("nobody", &[]);
    let own = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    let mut body = body;
    body["KeyId"] = json!(own);
    world.fails_as(&nobody, "Sign", body.clone(), ErrorCode::AccessDenied);
    body["Signature"] = signed["Signature"].clone();
    world.fails_as(&nobody, "Verify", body, ErrorCode::AccessDenied);
}

#[test]
fn public_keys_are_given_for_asymmetric_keys_only() {
    let world = TestWorld::new();
    let key = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    let answer = world.ok("GetPublicKey", json!({"KeyId": key}));
    assert_eq!(answer["SigningAlgorithms"], json!(["ECDSA_SHA_256"]));
    assert!(answer.get("EncryptionAlgorithms").is_none());
    assert_eq!(bytes(&answer, "PublicKey").len(), 91);
    assert_eq!(world.ok("GetKeyLastUsage", json!({"KeyId": key}))["KeyLastUsage"], json!({}));
    assert_eq!(
        world.fails(
            "GetPublicKey",
            json!({"KeyId": world.symmetric()}),
            ErrorCode::UnsupportedOperation
        ),
        ""
    );
    let nobody = world.user("nobody", &[]);
    world.fails_as(&nobody, "GetPublicKey", json!({"KeyId": key}), ErrorCode::AccessDenied);
    world.ok("DisableKey", json!({"KeyId": key}));
    world.fails("GetPublicKey", json!({"KeyId": key}), ErrorCode::Disabled);
}

#[test]
fn codes_verify_and_wrong_ones_are_an_error_without_words() {
    let world = TestWorld::new();
    let key = world.key(json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}));
    let body = json!({"KeyId": key, "Message": blob("hello"), "MacAlgorithm": "HMAC_SHA_256"});
    let made = world.ok("GenerateMac", body.clone());
    assert_eq!(bytes(&made, "Mac").len(), 32);
    let mut check = body.clone();
    check["Mac"] = made["Mac"].clone();
    assert_eq!(world.ok("VerifyMac", check.clone())["MacValid"], true);
    check["Message"] = json!(blob("other"));
    assert_eq!(world.fails("VerifyMac", check.clone(), ErrorCode::KmsInvalidMac), "");
    let mut wrong = body.clone();
    wrong["MacAlgorithm"] = json!("HMAC_SHA_512");
    let message = world.fails("GenerateMac", wrong, ErrorCode::InvalidKeyUsage);
    assert_eq!(message, "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.");
    let mut symmetric = body.clone();
    symmetric["KeyId"] = json!(world.symmetric());
    world.fails("GenerateMac", symmetric, ErrorCode::InvalidKeyUsage);
    let nobody = world.user("nobody", &["kms:GenerateMac"]);
    world.ok_as(&nobody, "GenerateMac", body.clone());
    world.fails_as(&nobody, "VerifyMac", check.clone(), ErrorCode::AccessDenied);
    world.ok("DisableKey", json!({"KeyId": key}));
    world.fails("GenerateMac", body, ErrorCode::Disabled);
    world.fails("VerifyMac", check, ErrorCode::Disabled);
}

#[test]
fn random_bytes_are_counted_and_not_logged() {
    let world = TestWorld::new();
    let made = world.ok("GenerateRandom", json!({"NumberOfBytes": 32}));
    assert_eq!(bytes(&made, "Plaintext").len(), 32);
    let event = world.last_event();
    assert_eq!(event["requestParameters"], Value::Null);
    assert_eq!(event["readOnly"], true);
    assert_eq!(
        world.fails("GenerateRandom", json!({}), ErrorCode::Validation),
        "NumberOfBytes is required."
    );
    world.fails("GenerateRandom", json!({"NumberOfBytes": 1025}), ErrorCode::Validation);
    world.fails(
        "GenerateRandom",
        json!({"NumberOfBytes": 1, "CustomKeyStoreId": "cks-1"}),
        ErrorCode::CustomKeyStoreNotFound,
    );
    let nobody = world.user("nobody", &[]);
    world.fails_as(&nobody, "GenerateRandom", json!({"NumberOfBytes": 1}), ErrorCode::AccessDenied);
}
