//! What the hierarchy promises: purposes, stores, terms, generations and names stay apart.

use super::*;
use crate::{Argon2Params, CryptoError, Keyring, RootKey};

fn root(byte: u8) -> RootKey {
    RootKey::from_text(&hex::encode([byte; 32])).unwrap()
}

fn keyring(root_byte: u8, store: u8, term: u32, generation: u64) -> Keyring {
    Keyring::new(&root(root_byte), [store; 16], term, generation, &mut *fresh())
}

#[test]
fn root_keys_are_read_in_two_spellings() {
    let mut hex = String::from("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    let mut base64 = String::from("ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=");
    assert_eq!(*RootKey::from_text(&format!(" {hex}\n")).unwrap().to_text(), hex);
    assert_eq!(*RootKey::from_text(&base64).unwrap().to_text(), hex);
    assert_eq!(*RootKey::from_text(&hex.to_uppercase()).unwrap().to_text(), hex);
    let (short_hex, short_base64) = (hex.split_off(2), base64.split_off(4));
    for bad in ["", "00", &short_hex, &format!("{short_hex}0011"), &short_base64, "secret secret"] {
        let refused = RootKey::from_text(bad).unwrap_err();
        assert!(matches!(refused, CryptoError::BadRootKey(_)), "{bad}");
        assert!(bad.is_empty() || !refused.to_string().contains(bad));
    }
    assert_eq!(format!("{:?}", root(1)), "RootKey");
}

#[test]
fn a_passphrase_gives_one_root_key_for_each_salt() {
    let derive = |passphrase: &str, params| {
        RootKey::from_passphrase(passphrase, &params).map(|k| k.to_text())
    };
    let cheap =
        |salt| Argon2Params { memory_kib: 19_456, passes: 2, lanes: 1, ..Argon2Params::new(salt) };
    let first = derive("correct horse battery", cheap([1; 16])).unwrap();
    assert_eq!(derive("correct horse battery", cheap([1; 16])).unwrap(), first);
    assert_ne!(derive("correct horse battery", cheap([2; 16])).unwrap(), first);
    assert_ne!(derive("correct horse batterz", cheap([1; 16])).unwrap(), first);
    assert_ne!(derive("correct horse battery", Argon2Params::new([1; 16])).unwrap(), first);
    for refused in [
        derive("short", cheap([1; 16])),
        derive("correct horse battery", Argon2Params { memory_kib: 1024, ..cheap([1; 16]) }),
        derive("correct horse battery", Argon2Params { passes: 1, ..cheap([1; 16]) }),
        derive("correct horse battery", Argon2Params { lanes: 0, ..cheap([1; 16]) }),
    ] {
        assert!(matches!(refused.unwrap_err(), CryptoError::BadRootKey(_)));
    }
}

#[test]
fn the_check_value_tells_root_keys_and_stores_apart_and_nothing_else() {
    let value = keyring(1, 1, 1, 1).check_value();
    assert_eq!(keyring(1, 1, 9, 9).check_value(), value);
    assert_ne!(keyring(2, 1, 1, 1).check_value(), value);
    assert_ne!(keyring(1, 2, 1, 1).check_value(), value);
}

#[test]
fn sealed_values_open_in_their_place_and_in_later_generations() {
    let earlier = keyring(1, 1, 1, 1);
    let sealed = earlier.sealer().seal(b"key/1", b"value");
    for later in [keyring(1, 1, 1, 1), keyring(1, 1, 1, 2), keyring(1, 1, 2, 300)] {
        for _ in 0..2 {
            assert_eq!(later.sealer().open(b"key/1", &sealed).as_deref(), Some(&b"value"[..]));
        }
        assert_eq!(later.sealer().open(b"key/2", &sealed), None);
        assert_eq!(later.sealer().open(b"", &sealed), None);
    }
    for stranger in [keyring(2, 1, 1, 1), keyring(1, 2, 1, 1)] {
        assert_eq!(stranger.sealer().open(b"key/1", &sealed), None);
    }
    let sealer = earlier.sealer();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 0x40;
        assert_eq!(sealer.open(b"key/1", &changed), None, "byte {at}");
    }
    for len in 0..sealed.len() {
        assert_eq!(sealer.open(b"key/1", &sealed[..len]), None);
    }
}

#[test]
fn no_two_seals_share_key_and_nonce() {
    let one = keyring(1, 1, 1, 1);
    // The same term and generation twice, as after a backup that was restored twice.
    let again = keyring(1, 1, 1, 1);
    let header = |sealed: Vec<u8>| sealed[..29].to_vec();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        // Two handles on one keyring count together.
        assert!(seen.insert(header(one.sealer().seal(b"", b"x"))));
        assert!(seen.insert(header(one.sealer().seal(b"", b"x"))));
        assert!(seen.insert(header(again.sealer().seal(b"", b"x"))));
    }
    assert_ne!(one.sealer().seal(b"", b"same")[29..], again.sealer().seal(b"", b"same")[29..]);
}

#[test]
fn sealing_from_many_threads_never_repeats_a_counter() {
    let keyring = keyring(1, 1, 1, 1);
    let counters = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let sealer = keyring.sealer();
                scope.spawn(move || {
                    (0..500).map(|_| sealer.seal(b"", b"")[21..29].to_vec()).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect::<std::collections::BTreeSet<_>>()
    });
    assert_eq!(counters.len(), 2000);
}

#[test]
fn data_encryption_keys_open_under_their_name_in_every_term() {
    let rng = &mut *fresh();
    let (dek, wrapped) = keyring(1, 1, 1, 1).new_dek("key", rng).unwrap();
    let material = generated(Provider::Default, KeySpec::Hmac256, rng);
    let wrapped_material = material.wrap(&dek, "key", "m", rng).unwrap();
    let later = keyring(1, 1, 2, 5);
    let opened = later.open_dek("key", &wrapped).unwrap();
    assert!(
        KeyMaterial::unwrap(
            Provider::Default,
            KeySpec::Hmac256,
            &opened,
            "key",
            "m",
            &wrapped_material
        )
        .is_ok()
    );
    assert_eq!(later.open_dek("other", &wrapped).unwrap_err(), CryptoError::NotAuthentic);
    assert_eq!(
        keyring(2, 1, 1, 1).open_dek("key", &wrapped).unwrap_err(),
        CryptoError::NotAuthentic
    );
    assert_eq!(
        keyring(1, 2, 1, 1).open_dek("key", &wrapped).unwrap_err(),
        CryptoError::NotAuthentic
    );
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert_eq!(
            later.open_dek("key", &changed).unwrap_err(),
            CryptoError::NotAuthentic,
            "byte {at}"
        );
    }
    for len in 0..wrapped.len() {
        assert_eq!(later.open_dek("key", &wrapped[..len]).unwrap_err(), CryptoError::NotAuthentic);
    }
}

#[test]
fn tokens_open_for_their_purpose_across_generations() {
    let rng = &mut *fresh();
    let token = keyring(1, 1, 1, 1).seal_token("grant", b"g-1", rng).unwrap();
    let later = keyring(1, 1, 2, 7);
    assert_eq!(**later.open_token("grant", &token).unwrap(), *b"g-1");
    assert_eq!(later.open_token("session", &token).unwrap_err(), CryptoError::NotAuthentic);
    assert_eq!(
        keyring(1, 2, 1, 1).open_token("grant", &token).unwrap_err(),
        CryptoError::NotAuthentic
    );
    for at in 0..token.len() {
        let mut changed = token.clone();
        changed[at] ^= 1;
        assert_eq!(later.open_token("grant", &changed).unwrap_err(), CryptoError::NotAuthentic);
    }
    assert_eq!(later.open_token("grant", b"").unwrap_err(), CryptoError::NotAuthentic);
}

#[test]
fn fingerprints_depend_on_store_and_purpose_alone() {
    let print = keyring(1, 1, 1, 1).fingerprint("token", b"value");
    assert_eq!(keyring(1, 1, 3, 9).fingerprint("token", b"value"), print);
    for other in [
        keyring(1, 1, 1, 1).fingerprint("tokenv", b"alue"),
        keyring(1, 1, 1, 1).fingerprint("other", b"value"),
        keyring(1, 2, 1, 1).fingerprint("token", b"value"),
        keyring(2, 1, 1, 1).fingerprint("token", b"value"),
    ] {
        assert_ne!(other, print);
    }
}
