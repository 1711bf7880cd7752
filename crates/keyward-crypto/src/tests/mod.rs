//! What the primitives must do: by vectors of others, against each other, and against OpenSSL.
//!
//! They stand inside the crate because vectors reach primitives that are not public.

mod agreement;
mod blob;
mod golden;
mod hierarchy;
mod material;
mod nist;
mod openssl;
mod wycheproof;

use crate::{KeyMaterial, Provider, SeededEntropy, SystemEntropy};
use keyward_types::{
    AccountId, Entropy as _, Generator, KeyId, KeyName, KeySpec, MaterialId, Region,
};
use rand_core::Rng as _;
use std::{collections::BTreeMap, sync::Mutex};
use zeroize::Zeroizing;

/// Every spec that is made here.
const SPECS: &[KeySpec] = &[
    KeySpec::SymmetricDefault,
    KeySpec::Rsa2048,
    KeySpec::Rsa3072,
    KeySpec::Rsa4096,
    KeySpec::EccNistP256,
    KeySpec::EccNistP384,
    KeySpec::EccNistP521,
    KeySpec::EccSecgP256k1,
    KeySpec::Hmac224,
    KeySpec::Hmac256,
    KeySpec::Hmac384,
    KeySpec::Hmac512,
];

/// A generator with a new seed, which a failing test shows. `KEYWARD_SEED=n` at build time replays it.
fn fresh() -> Box<dyn Generator> {
    let seed = option_env!("KEYWARD_SEED")
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| SystemEntropy.generator().next_u64());
    println!("seed: KEYWARD_SEED={seed}");
    SeededEntropy::from_number(seed).generator()
}

fn random(rng: &mut dyn Generator, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A random length up to `max`, both ends included.
fn up_to(rng: &mut dyn Generator, max: usize) -> usize {
    rng.next_u32() as usize % (max + 1)
}

/// New material. RSA-4096 takes most of a second, so each provider makes one of those a run.
fn generated(provider: Provider, spec: KeySpec, rng: &mut dyn Generator) -> KeyMaterial {
    static MADE: Mutex<BTreeMap<Provider, Zeroizing<Vec<u8>>>> = Mutex::new(BTreeMap::new());
    if spec != KeySpec::Rsa4096 {
        return KeyMaterial::generate(provider, spec, rng).unwrap();
    }
    let mut made = MADE.lock().unwrap();
    let der = made.entry(provider).or_insert_with(|| {
        KeyMaterial::generate(provider, spec, rng).unwrap().private_key_der().unwrap()
    });
    KeyMaterial::import(provider, spec, der.clone()).unwrap()
}

fn key_name() -> KeyName {
    KeyName {
        account: AccountId::parse("000000000042").unwrap(),
        region: Region::parse("eu-central-1").unwrap(),
        key_id: KeyId::parse("1234abcd-12ab-34cd-56ef-1234567890ab").unwrap(),
    }
}

fn material_id() -> MaterialId {
    MaterialId("5e".repeat(32))
}
