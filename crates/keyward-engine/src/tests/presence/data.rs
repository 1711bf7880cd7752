//! Operations that use keys.

use super::{
    Seen::{self, Absent, Each, Is},
    Stage, tagged,
};
use crate::tests::world::{ACCOUNT, REGION, blob};
use serde_json::{Value, json};

/// What requests that carry an encryption context say about it.
const IN_CONTEXT: &[(&str, Seen<'_>)] = &[
    ("kms:EncryptionAlgorithm", Is("SYMMETRIC_DEFAULT")),
    ("kms:EncryptionContext:Project", Is("Snowy")),
    ("kms:EncryptionContext:Other", Absent),
    ("kms:EncryptionContextKeys", Each(&["Project", "Page"])),
    ("kms:RequestAlias", Absent),
    ("kms:RecipientAttestation:ImageSha384", Absent),
    ("kms:ReEncryptOnSameKey", Absent),
];

fn context() -> Value {
    json!({"Project": "Snowy", "Page": "1"})
}

#[test]
fn aliases_are_seen_by_request_and_by_resource() {
    let stage = Stage::new();
    let key = tagged(&stage.world);
    stage.world.ok("CreateAlias", json!({"AliasName": "alias/books", "TargetKeyId": key}));
    stage.world.ok("CreateAlias", json!({"AliasName": "alias/ledger", "TargetKeyId": key}));
    let by_alias = || json!({"KeyId": "alias/books", "Plaintext": "aGk="});
    let by_arn = || {
        let alias = format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/books");
        json!({"KeyId": alias, "Plaintext": "aGk="})
    };
    let by_id = || json!({"KeyId": key, "Plaintext": "aGk="});
    for operation in ["Encrypt", "DescribeKey"] {
        for body in [&by_alias as &dyn Fn() -> Value, &by_arn] {
            let asked = stage.on(&key, operation, operation, body);
            asked.sees(&[("kms:RequestAlias", Is("alias/books"))]);
        }
        let asked = stage.on(&key, operation, operation, &by_id);
        asked.sees(&[("kms:RequestAlias", Absent)]);
        let both = Each(&["alias/books", "alias/ledger"]);
        asked.sees_in_identity_policy("kms:ResourceAliases", both);
        asked.sees_in_key_policy("kms:ResourceAliases", Absent);
    }
    // The key is in the ciphertext; the alias is the request's own.
    let sealed = stage.world.ok("Encrypt", by_id())["CiphertextBlob"].clone();
    let plain = || json!({"CiphertextBlob": sealed});
    let claimed = || json!({"CiphertextBlob": sealed, "KeyId": "alias/books"});
    stage.on(&key, "Decrypt", "Decrypt", &plain).sees(&[("kms:RequestAlias", Absent)]);
    stage.on(&key, "Decrypt", "Decrypt", &claimed).sees(&[("kms:RequestAlias", Is("alias/books"))]);
}

#[test]
fn the_encryption_context_and_algorithm_are_seen_default_or_not() {
    let stage = Stage::new();
    let key = tagged(&stage.world);
    let with = |more: Value| {
        let mut body = json!({"KeyId": key, "EncryptionContext": context()});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let encrypt = || with(json!({"Plaintext": "aGk="}));
    let sealed = stage.world.ok("Encrypt", encrypt())["CiphertextBlob"].clone();
    let decrypt = || json!({"CiphertextBlob": sealed, "EncryptionContext": context()});
    let data_key = || with(json!({"KeySpec": "AES_256"}));
    let pair = || with(json!({"KeyPairSpec": "ECC_NIST_P256"}));
    for (operation, body) in [
        ("Encrypt", &encrypt as &dyn Fn() -> Value),
        ("Decrypt", &decrypt),
        ("GenerateDataKey", &data_key),
        ("GenerateDataKeyWithoutPlaintext", &data_key),
        ("GenerateDataKeyPair", &pair),
        ("GenerateDataKeyPairWithoutPlaintext", &pair),
    ] {
        let asked = stage.on(&key, operation, operation, body);
        asked.sees(IN_CONTEXT);
        let spec = if operation.contains("Pair") { Is("ECC_NIST_P256") } else { Absent };
        asked.sees(&[("kms:DataKeyPairSpec", spec)]);
    }
    let without = || json!({"KeyId": key, "Plaintext": "aGk="});
    stage.on(&key, "Encrypt", "Encrypt", &without).sees(&[
        ("kms:EncryptionContextKeys", Absent),
        ("kms:EncryptionContext:Project", Absent),
        ("kms:EncryptionAlgorithm", Is("SYMMETRIC_DEFAULT")),
    ]);
    let other = || with(json!({"Plaintext": "aGk=", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}));
    stage
        .on(&key, "Encrypt", "Encrypt", &other)
        .sees(&[("kms:EncryptionAlgorithm", Is("RSAES_OAEP_SHA_256"))]);
}

#[test]
fn re_encryption_is_two_requests_each_with_its_own_keys() {
    let stage = Stage::new();
    let (from, to) = (tagged(&stage.world), stage.world.symmetric());
    stage.world.ok("CreateAlias", json!({"AliasName": "alias/to", "TargetKeyId": to}));
    let body = json!({"KeyId": from, "Plaintext": "aGk=", "EncryptionContext": context()});
    let sealed = stage.world.ok("Encrypt", body)["CiphertextBlob"].clone();
    let to_key = |target: &str| {
        json!({
            "CiphertextBlob": sealed, "SourceEncryptionContext": context(),
            "DestinationKeyId": target, "DestinationEncryptionContext": {"Moved": "yes"},
        })
    };
    let apart = || to_key("alias/to");
    let same = || to_key(&from);
    stage.on(&from, "ReEncrypt", "ReEncryptFrom", &apart).sees(&[
        ("kms:EncryptionContextKeys", Each(&["Project", "Page"])),
        ("kms:EncryptionContext:Moved", Absent),
        ("kms:EncryptionAlgorithm", Is("SYMMETRIC_DEFAULT")),
        ("kms:ReEncryptOnSameKey", Is("false")),
        ("kms:RequestAlias", Absent),
        ("aws:ResourceTag/Team", Is("blue")),
    ]);
    stage.on(&to, "ReEncrypt", "ReEncryptTo", &apart).sees(&[
        ("kms:EncryptionContextKeys", Each(&["Moved"])),
        ("kms:EncryptionContext:Moved", Is("yes")),
        ("kms:EncryptionAlgorithm", Is("SYMMETRIC_DEFAULT")),
        ("kms:ReEncryptOnSameKey", Is("false")),
        ("kms:RequestAlias", Is("alias/to")),
        ("aws:ResourceTag/Team", Absent),
    ]);
    for action in ["ReEncryptFrom", "ReEncryptTo"] {
        stage.on(&from, "ReEncrypt", action, &same).sees(&[("kms:ReEncryptOnSameKey", Is("true"))]);
    }
}

#[test]
fn signatures_and_macs_say_their_algorithm() {
    let stage = Stage::new();
    let signing = stage.world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    let mac = stage.world.key(json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}));
    let digest = blob(&"d".repeat(32));
    let sign = || json!({"KeyId": signing, "Message": "aGk=", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": "aGk="});
    let digested = || json!({"KeyId": signing, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": "aGk="});
    for operation in ["Sign", "Verify"] {
        for (body, message_type) in [(&sign as &dyn Fn() -> Value, "RAW"), (&digested, "DIGEST")] {
            stage.on(&signing, operation, operation, body).sees(&[
                ("kms:SigningAlgorithm", Is("ECDSA_SHA_256")),
                ("kms:MessageType", Is(message_type)),
                ("kms:KeySpec", Is("ECC_NIST_P256")),
                ("kms:KeyUsage", Is("SIGN_VERIFY")),
                ("kms:MacAlgorithm", Absent),
                ("kms:EncryptionAlgorithm", Absent),
                ("kms:RequestAlias", Absent),
            ]);
        }
    }
    let body =
        || json!({"KeyId": mac, "Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256", "Mac": "aGk="});
    for operation in ["GenerateMac", "VerifyMac"] {
        stage.on(&mac, operation, operation, &body).sees(&[
            ("kms:MacAlgorithm", Is("HMAC_SHA_256")),
            ("kms:KeySpec", Is("HMAC_256")),
            ("kms:KeyUsage", Is("GENERATE_VERIFY_MAC")),
            ("kms:SigningAlgorithm", Absent),
            ("kms:MessageType", Absent),
        ]);
    }
}
