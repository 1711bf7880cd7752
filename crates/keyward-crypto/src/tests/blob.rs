//! What a CiphertextBlob promises: it names its key without a key, and yields to nothing but its own.

use super::*;
use crate::ciphertext::{parse, parse_external, write_external};
use keyward_types::{EncryptionContext, ProxySealed, limits};

fn context(pairs: &[(&str, &str)]) -> Vec<u8> {
    EncryptionContext(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()).canonical()
}

fn blob(key: &KeyMaterial, rng: &mut dyn Generator) -> Vec<u8> {
    let context = context(&[("Project", "Alpha")]);
    key.encrypt_symmetric(&key_name(), &material_id(), &context, b"attack at dawn", rng).unwrap()
}

#[test]
fn every_changed_byte_is_noticed() {
    let rng = &mut *fresh();
    let context = context(&[("Project", "Alpha")]);
    for provider in Provider::ALL {
        let key = generated(*provider, KeySpec::SymmetricDefault, rng);
        let blob = blob(&key, rng);
        assert_eq!(*key.decrypt_symmetric(&context, &blob).unwrap(), b"attack at dawn");
        for at in 0..blob.len() {
            for bit in 0..8 {
                let mut changed = blob.clone();
                changed[at] ^= 1 << bit;
                let refused = key.decrypt_symmetric(&context, &changed).unwrap_err();
                assert_eq!(refused, CryptoError::NotAuthentic, "byte {at} bit {bit}");
            }
        }
        for len in 0..blob.len() {
            assert_eq!(
                key.decrypt_symmetric(&context, &blob[..len]).unwrap_err(),
                CryptoError::NotAuthentic
            );
        }
        let longer = [&blob[..], &[0]].concat();
        assert_eq!(
            key.decrypt_symmetric(&context, &longer).unwrap_err(),
            CryptoError::NotAuthentic
        );
    }
}

#[test]
fn another_context_or_key_does_not_open_it() {
    let rng = &mut *fresh();
    let key = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let blob = blob(&key, rng);
    for other in [
        context(&[]),
        context(&[("project", "Alpha")]),
        context(&[("Project", "alpha")]),
        context(&[("Project", "Alpha"), ("", "")]),
    ] {
        assert_eq!(key.decrypt_symmetric(&other, &blob).unwrap_err(), CryptoError::NotAuthentic);
    }
    let other = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let context = context(&[("Project", "Alpha")]);
    assert_eq!(other.decrypt_symmetric(&context, &blob).unwrap_err(), CryptoError::NotAuthentic);
}

#[test]
fn the_header_names_the_key_and_has_one_form() {
    let rng = &mut *fresh();
    let key = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let mut names = vec![key_name(); 3];
    names[1].key_id = KeyId::parse(&format!("mrk-{}", "0f".repeat(16))).unwrap();
    names[2].account = AccountId::parse("999999999999").unwrap();
    names[2].region = Region::parse(&format!("us-gov-{}", "x".repeat(25))).unwrap();
    for name in names {
        let blob = key.encrypt_symmetric(&name, &material_id(), b"", b"x", rng).unwrap();
        let header = parse(&blob).unwrap();
        assert_eq!((header.key, header.material), (name, material_id()));
    }
}

#[test]
fn names_that_do_not_fit_are_refused_before_anything_is_encrypted() {
    let rng = &mut *fresh();
    let key = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    for bad in ["", "5e", &"5E".repeat(32), &"5e".repeat(33), &"zz".repeat(32)] {
        let refused =
            key.encrypt_symmetric(&key_name(), &MaterialId(bad.to_owned()), b"", b"x", rng);
        assert!(matches!(refused.unwrap_err(), CryptoError::BadName(_)), "{bad}");
    }
}

#[test]
fn the_largest_plaintext_fits_the_largest_blob() {
    let rng = &mut *fresh();
    let key = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let mut name = key_name();
    name.region = Region::parse(&format!("us-gov-{}", "x".repeat(25))).unwrap();
    let plaintext = random(rng, limits::PLAINTEXT_BYTES_MAX);
    let blob = key.encrypt_symmetric(&name, &material_id(), b"", &plaintext, rng).unwrap();
    assert!(blob.len() <= limits::CIPHERTEXT_BYTES_MAX, "{}", blob.len());
    assert_eq!(*key.decrypt_symmetric(b"", &blob).unwrap(), plaintext);
}

#[test]
fn no_two_blobs_are_alike() {
    let rng = &mut *fresh();
    let key = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let (one, two) = (blob(&key, rng), blob(&key, rng));
    assert_eq!(one.len(), two.len());
    assert_ne!(one, two);
}

#[test]
fn no_input_makes_it_panic() {
    let rng = &mut *fresh();
    let key = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let good = blob(&key, rng);
    for _ in 0..20_000 {
        let len = up_to(rng, 300);
        let mut bytes = random(rng, len);
        if up_to(rng, 1) == 1 {
            // A good beginning reaches further into the parser than noise does.
            let kept = up_to(rng, good.len()).min(bytes.len());
            bytes[..kept].copy_from_slice(&good[..kept]);
        }
        let _ = parse(&bytes);
        assert_eq!(key.decrypt_symmetric(b"", &bytes).unwrap_err(), CryptoError::NotAuthentic);
    }
}

#[test]
fn a_header_with_an_impossible_name_is_not_authentic() {
    let rng = &mut *fresh();
    let key = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let blob = blob(&key, rng);
    let changed = |at: usize, byte: u8| {
        let mut changed = blob.clone();
        changed[at] = byte;
        parse(&changed)
    };
    // The account 0xff… has thirteen digits; then a Region with a NUL, and an unknown kind of key id.
    let region_len = blob[6] as usize;
    for refused in [changed(0, 3), changed(1, 0xff), changed(7, 0), changed(7 + region_len, 2)] {
        assert_eq!(refused.unwrap_err(), CryptoError::NotAuthentic);
    }
    assert!(parse(&blob).is_ok());
}

/// What a manager might have answered: parts of the lengths given.
fn external(iv: usize, tag: usize, metadata: usize, ciphertext: usize) -> ProxySealed {
    ProxySealed {
        initialization_vector: vec![1; iv],
        authentication_tag: vec![2; tag],
        metadata: vec![3; metadata],
        ciphertext: vec![4; ciphertext],
    }
}

#[test]
fn an_external_blob_says_what_was_written() {
    let mut names = vec![key_name(); 2];
    names[1].key_id = KeyId::parse(&format!("mrk-{}", "0f".repeat(16))).unwrap();
    for name in names {
        for (iv, metadata, ciphertext) in
            [(12, 0, 1), (16, 20, 64), (12, 1, 4160), (16, 0, limits::PLAINTEXT_BYTES_MAX + 64)]
        {
            let external = external(iv, 16, metadata, ciphertext);
            let blob = write_external(&name, &material_id(), &external).unwrap();
            assert!(blob.len() <= limits::CIPHERTEXT_BYTES_MAX, "{}", blob.len());
            let (header, read) = parse_external(&blob).unwrap();
            assert_eq!(parse(&blob).unwrap(), header);
            assert_eq!((&header.key, &header.material), (&name, &material_id()));
            assert_eq!(read, external);
            assert_eq!(write_external(&header.key, &header.material, &read).unwrap(), blob);
        }
    }
    assert_eq!(format!("{:?}", external(12, 16, 20, 1)), "ProxySealed(1 bytes)");
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    for bad in [
        external(0, 16, 0, 1),
        external(11, 16, 0, 1),
        external(13, 16, 0, 1),
        external(268, 16, 0, 1),
        external(12, 15, 0, 1),
        external(12, 17, 0, 1),
        external(12, 16, 21, 1),
        external(12, 16, 256, 1),
        external(12, 16, 0, 0),
    ] {
        let refused = write_external(&key_name(), &material_id(), &bad).unwrap_err();
        assert!(matches!(refused, CryptoError::BadName(_)), "{refused}");
    }
    let bad = MaterialId("zz".repeat(32));
    let refused = write_external(&key_name(), &bad, &external(12, 16, 0, 1)).unwrap_err();
    assert!(matches!(refused, CryptoError::BadName(_)));
}

#[test]
fn neither_version_passes_for_the_other() {
    let rng = &mut *fresh();
    let key = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let context = context(&[("Project", "Alpha")]);
    let mut first = blob(&key, rng);
    assert_eq!(parse_external(&first).unwrap_err(), CryptoError::NotAuthentic);
    let inner = key.seal_inner(&key_name(), &material_id(), &context, b"attack at dawn", rng);
    let inner = inner.unwrap();
    let external = ProxySealed { ciphertext: inner.clone(), ..external(12, 16, 0, 0) };
    let second = write_external(&key_name(), &material_id(), &external).unwrap();
    assert_eq!(key.decrypt_symmetric(&context, &second).unwrap_err(), CryptoError::NotAuthentic);
    // The inner layer under a header of version 1, and the other way about.
    let header_len = first.len() - inner.len();
    let moved = [&first[..header_len], &inner].concat();
    assert_eq!(key.decrypt_symmetric(&context, &moved).unwrap_err(), CryptoError::NotAuthentic);
    let sealed = first.split_off(header_len);
    let opened = key.open_inner(&key_name(), &material_id(), &context, &sealed);
    assert_eq!(opened.unwrap_err(), CryptoError::NotAuthentic);
    for version in [0, 3, 255] {
        let mut changed = second.clone();
        changed[0] = version;
        assert_eq!(parse(&changed).unwrap_err(), CryptoError::NotAuthentic);
    }
}

#[test]
fn an_inner_layer_opens_under_its_names_and_context_alone() {
    let rng = &mut *fresh();
    let bytes = Zeroizing::new(random(rng, 32));
    let copies = import_all(KeySpec::SymmetricDefault, &bytes).unwrap();
    let context = context(&[("Project", "Alpha")]);
    let plaintext = random(rng, 100);
    let (name, id) = (key_name(), material_id());
    let (mut other_name, other_id) = (key_name(), MaterialId("5f".repeat(32)));
    other_name.region = Region::parse("eu-central-2").unwrap();
    for sealer in &copies {
        let sealed = sealer.seal_inner(&name, &id, &context, &plaintext, rng).unwrap();
        assert_eq!(sealed.len(), plaintext.len() + 64);
        for opener in &copies {
            assert_eq!(*opener.open_inner(&name, &id, &context, &sealed).unwrap(), plaintext);
            for refused in [
                opener.open_inner(&other_name, &id, &context, &sealed),
                opener.open_inner(&name, &other_id, &context, &sealed),
                opener.open_inner(&name, &MaterialId(String::new()), &context, &sealed),
                opener.open_inner(&name, &id, b"", &sealed),
                opener.open_inner(&name, &id, &context, &sealed[1..]),
                opener.open_inner(&name, &id, &context, b""),
            ] {
                assert_eq!(refused.unwrap_err(), CryptoError::NotAuthentic);
            }
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << up_to(rng, 7);
                let refused = opener.open_inner(&name, &id, &context, &changed).unwrap_err();
                assert_eq!(refused, CryptoError::NotAuthentic, "{at}");
            }
        }
    }
    let other = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let sealed = other.seal_inner(&name, &id, &context, &plaintext, rng).unwrap();
    assert!(copies[0].open_inner(&name, &id, &context, &sealed).is_err());
    let refused = other.seal_inner(&name, &MaterialId(String::new()), b"", b"x", rng).unwrap_err();
    assert!(matches!(refused, CryptoError::BadName(_)));
}

#[test]
fn what_parses_as_external_has_that_one_form() {
    let rng = &mut *fresh();
    let good = write_external(&key_name(), &material_id(), &external(16, 16, 9, 40)).unwrap();
    for len in 0..good.len() - 40 {
        assert_eq!(parse_external(&good[..len]).unwrap_err(), CryptoError::NotAuthentic);
        assert_eq!(parse(&good[..len]).unwrap_err(), CryptoError::NotAuthentic);
    }
    let mut parsed = 0;
    for _ in 0..50_000 {
        let mut bytes = good.clone();
        match up_to(rng, 2) {
            0 => {
                let at = up_to(rng, bytes.len() - 1);
                bytes[at] ^= 1 << up_to(rng, 7);
            }
            1 => bytes.truncate(up_to(rng, good.len())),
            _ => {
                let kept = up_to(rng, good.len());
                bytes.truncate(kept);
                let len = up_to(rng, 100);
                bytes.extend(random(rng, len));
            }
        }
        if bytes.first() == Some(&2) {
            assert_eq!(parse(&bytes).is_ok(), parse_external(&bytes).is_ok());
        }
        if let Ok((header, external)) = parse_external(&bytes) {
            assert_eq!(write_external(&header.key, &header.material, &external).unwrap(), bytes);
            parsed += 1;
        }
    }
    assert!(parsed > 10_000, "{parsed}");
}
