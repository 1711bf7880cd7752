//! What a CiphertextBlob promises: it names its key without a key, and yields to nothing but its own.

use super::*;
use crate::{CryptoError, ciphertext::parse};
use keyward_types::{EncryptionContext, limits};

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
    for refused in [changed(0, 2), changed(1, 0xff), changed(7, 0), changed(7 + region_len, 2)] {
        assert_eq!(refused.unwrap_err(), CryptoError::NotAuthentic);
    }
    assert!(parse(&blob).is_ok());
}
