//! Stored and handed-out forms, byte for byte.
//!
//! INVARIANT: these constants never change. A store or a ciphertext of today opens tomorrow; a new form
//! gets a new version byte and a constant of its own.
//! They were computed by another implementation (Python's `cryptography`, with its own KBKDF, HKDF and
//! AES-GCM) from the layouts that the modules document.

use super::*;
use crate::{
    Keyring, RootKey, aead,
    ciphertext::{parse, parse_external},
};
use keyward_types::EncryptionContext;

/// The material that made [`BLOB`]: the bytes 0 to 31.
fn key(spec: KeySpec, provider: Provider) -> KeyMaterial {
    KeyMaterial::import(provider, spec, Zeroizing::new((0..32).collect())).unwrap()
}

/// Root key 0x40 to 0x5f, store 0 to 15.
fn keyring() -> Keyring {
    let root = RootKey::from_text(&hex::encode((0x40..0x60).collect::<Vec<u8>>())).unwrap();
    let store: Vec<u8> = (0..16).collect();
    Keyring::new(&root, store.try_into().unwrap(), 4, 8, &mut *fresh())
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

const BLOB: &str = concat!(
    "0119df6690e50975732d656173742d31001234abcd12ab34cd56ef1234567890ab5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e",
    "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5ea0a1a2a3a4a5a6a7a8a9aaabacadaeafffa1c85df46bbe58c0438166944c9b",
    "adba82b89ef5745dbfc9d543926dac6de59cbe9bb86a6659aac653ad6831aaa1f2a51415162e110aa975ee72cdab54",
);
const INNER: &str = concat!(
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeafa2a56bb113d4aec722d2dbc7792f3bba07ecbb589db9aeda8d4b70bf925457c8",
    "3dc9dd60303f7ef444e38c4686e165e2d9b293fbc04df799104ca2a2f5db",
);
const EXTERNAL_BLOB: &str = concat!(
    "0219df6690e50975732d656173742d31001234abcd12ab34cd56ef1234567890ab5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e",
    "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e0cb0b1b2b3b4b5b6b7b8b9babb5ddb1b9f2e14b1e18d467bc22ff8bfbe0369",
    "643146944336ad3494db79f3821c76b92770c662681503481045ecab7b65ae4c3b93c8a5d090bd354beae6d43e5ed706",
    "68a7f7b3f33f5090f3787a60950c29cf0fe479750d238243634b2c573aa182c6",
);
const SEALED: &str = concat!(
    "0100000003000000000000000701020304050607080000000000000009e6bbc10eb14b30b4840177f52cd9fc2c7871ce",
    "bd01",
);
const WRAPPED_DEK: &str = concat!(
    "0100000003a0a1a2a3a4a5a6a7a8a9aaabacadaeaffe3591ad458c6049a4cedc46d46b0518e54550938d08ef53cb3143",
    "4a23f96eb9318dd093b5e21c47dc1399de8b6831a14e0ef06b4f203d9d1c5c0018c98959aba652331a14375fe0dafc56",
    "0937abb245",
);
const WRAPPED_MATERIAL: &str = concat!(
    "01a0a1a2a3a4a5a6a7a8a9aaabacadaeaf1956324b5df94fcf27acc131fcd4ca03a6c9719bf8f0d3874266fb068d0cd1",
    "fc489a286757b87e4ac27b3f4c55d5ea54c0aba0ccede70bff802164bfc0256c0c8a71ad2d6adf34246c3d35ddeb47e5",
    "63",
);
const TOKEN: &str = concat!(
    "01a0a1a2a3a4a5a6a7a8a9aaabacadaeafcc972b98ac6c1aa06d7ffac3cf4ce46cb85500a789da2f4f2fa19ccd96e167",
    "5ea76d7046e742768da3158ee72cd8f76b1ae6c5",
);
const CHECK: &str = "d40909c90c74c053ff852fc7eac5bbaabcb8d4168b3572c364b0b21d8e8bc467";
const FINGERPRINT: &str = "8ff3a44ea8f233a3c7aae5ab4b6e0d36824a6891f165f1046c8b7ffd3195afb6";
const CODE: &str = "6297b77508a1a30ea4dfadd8f847c31b49aba45de10a79daf721d3f7ec112a24";

#[test]
fn a_ciphertext_of_version_1_opens() {
    let context = EncryptionContext([("Project".into(), "Alpha".into())].into()).canonical();
    for provider in Provider::ALL {
        let key = key(KeySpec::SymmetricDefault, *provider);
        assert_eq!(*key.decrypt_symmetric(&context, &bytes(BLOB)).unwrap(), b"attack at dawn");
    }
    let header = parse(&bytes(BLOB)).unwrap();
    assert_eq!(
        header.key.to_string(),
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    );
    assert_eq!(header.material, material_id());
}

#[test]
fn a_ciphertext_of_version_2_reads_and_its_inner_layer_opens() {
    let context = EncryptionContext([("Project".into(), "Alpha".into())].into()).canonical();
    let (header, external) = parse_external(&bytes(EXTERNAL_BLOB)).unwrap();
    assert_eq!(header, parse(&bytes(BLOB)).unwrap());
    assert_eq!(external.metadata, b"id1");
    // The outer layer, as a manager whose key is 0x60 to 0x7f made it.
    const MANAGER_KEY: [u8; 32] = *b"`abcdefghijklmnopqrstuvwxyz{|}~\x7f";
    let manager = aead::Key::new(Backend::RustCrypto, &MANAGER_KEY);
    let outer = [&external.ciphertext[..], &external.authentication_tag].concat();
    let nonce = external.initialization_vector.try_into().unwrap();
    let inner = manager.unwrap().open(nonce, b"", &outer).unwrap();
    assert_eq!(*inner, bytes(INNER));
    for provider in Provider::ALL {
        let key = key(KeySpec::SymmetricDefault, *provider);
        let opened = key.open_inner(&header.key, &header.material, &context, &inner).unwrap();
        assert_eq!(*opened, b"attack at dawn");
        let rng = &mut Fixed((0xa0..0xb0).collect());
        let plain = b"attack at dawn";
        let again = key.seal_inner(&header.key, &header.material, &context, plain, rng).unwrap();
        assert_eq!(again, bytes(INNER));
    }
}

#[test]
fn stored_forms_of_version_1_open() {
    let keyring = keyring();
    assert_eq!(keyring.sealer().open(b"key/1", &bytes(SEALED)).as_deref(), Some(&b"value"[..]));
    let dek = keyring.open_dek("key", &bytes(WRAPPED_DEK)).unwrap();
    let wrapped = bytes(WRAPPED_MATERIAL);
    let material =
        KeyMaterial::unwrap(Provider::Default, KeySpec::Hmac256, &dek, "key", "material", &wrapped)
            .unwrap();
    let code = material.mac(crate::MacAlgorithm::HmacSha256, b"message").unwrap();
    assert_eq!(code, bytes(CODE));
    assert_eq!(**keyring.open_token("grant", &bytes(TOKEN)).unwrap(), *b"g-1");
}

#[test]
fn derived_values_are_what_they_were() {
    let keyring = keyring();
    assert_eq!(keyring.check_value().to_vec(), bytes(CHECK));
    assert_eq!(keyring.fingerprint("token", b"value").to_vec(), bytes(FINGERPRINT));
}
