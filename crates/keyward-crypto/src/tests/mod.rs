//! What the primitives must do: by vectors of others, against each other, and against OpenSSL.
//!
//! They stand inside the crate because vectors reach primitives that are not public.

mod acvp;
mod agreement;
mod blob;
mod golden;
mod hierarchy;
mod import;
mod material;
mod nist;
mod openssl;
mod rfc8032;
mod wycheproof;

use crate::{
    CryptoError, KeyMaterial, MessageType, Provider, PublicKey, SeededEntropy, SigningAlgorithm,
    SystemEntropy,
    algorithm::{Hash, digest_len, message_types},
    hash::hash,
    provider::Backend,
};
use ::ml_dsa::{
    MlDsa44, MlDsa65, MlDsa87, MlDsaParams, VerifyingKey, pkcs8::DecodePublicKey as _,
    signature::digest::Update as _,
};
use keyward_types::{
    AccountId, Entropy as _, Generator, KeyId, KeyName, KeySpec, MaterialId, Region,
};
use rand_core::{Rng as _, TryCryptoRng, TryRng};
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
    KeySpec::EccNistEdwards25519,
    KeySpec::MlDsa44,
    KeySpec::MlDsa65,
    KeySpec::MlDsa87,
    KeySpec::MlKem512,
    KeySpec::MlKem768,
    KeySpec::MlKem1024,
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

/// A generator that yields what it is given, then zeros.
struct Fixed(Vec<u8>);

impl TryRng for Fixed {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.fill(0);
        let len = out.len().min(self.0.len());
        for (to, from) in out.iter_mut().zip(self.0.drain(..len)) {
            *to = from;
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// One DER value.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut out = vec![tag];
    match content.len() {
        0..0x80 => out.push(low),
        0x80..0x100 => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(content);
    out
}

/// The PKCS#8 of an ML-DSA or ML-KEM key around one of the three forms.
fn lattice_pkcs8(spec: KeySpec, form: &[u8]) -> Zeroizing<Vec<u8>> {
    let parts = [&[2, 1, 0][..], &algorithm_identifier(spec), &der(0x04, form)].concat();
    Zeroizing::new(der(0x30, &parts))
}

/// The three forms of RFC 9881 and RFC 9935: seed, expanded, both.
fn lattice_forms(seed: &[u8], expanded: &[u8]) -> [Vec<u8>; 3] {
    let (short, long) = (der(0x04, seed), der(0x04, expanded));
    [der(0x80, seed), long.clone(), der(0x30, &[short, long].concat())]
}

fn lattice_spki(spec: KeySpec, raw: &[u8]) -> Vec<u8> {
    let bits = der(0x03, &[&[0], raw].concat());
    der(0x30, &[algorithm_identifier(spec), bits].concat())
}

/// The names that NIST gave: 2.16.840.1.101.3.4.3.17 to 19 and 2.16.840.1.101.3.4.4.1 to 3.
fn algorithm_identifier(spec: KeySpec) -> Vec<u8> {
    let last = match spec {
        KeySpec::MlDsa44 => [3, 17],
        KeySpec::MlDsa65 => [3, 18],
        KeySpec::MlDsa87 => [3, 19],
        KeySpec::MlKem512 => [4, 1],
        KeySpec::MlKem768 => [4, 2],
        _ => [4, 3],
    };
    let name = [&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04], &last[..]].concat();
    der(0x30, &der(0x06, &name))
}

/// The same bytes under every provider.
fn import_all(spec: KeySpec, bytes: &[u8]) -> Result<Vec<KeyMaterial>, CryptoError> {
    let import =
        |provider: &Provider| KeyMaterial::import(*provider, spec, Zeroizing::new(bytes.to_vec()));
    let all: Vec<_> = Provider::ALL.iter().map(import).collect();
    let refused = all.iter().filter(|result| result.is_err()).count();
    assert!(
        refused == 0 || refused == all.len(),
        "{spec}: providers differ on {}",
        hex::encode(bytes)
    );
    all.into_iter().collect()
}

/// What to hand to an algorithm in each of its forms for one message.
fn forms(
    key: &PublicKey,
    algorithm: SigningAlgorithm,
    message: &[u8],
) -> Vec<(MessageType, Vec<u8>)> {
    let form = |message_type: &MessageType| match message_type {
        MessageType::Raw => message.to_vec(),
        MessageType::Digest => {
            let function = match digest_len(algorithm) {
                Some(32) => Hash::Sha256,
                Some(48) => Hash::Sha384,
                _ => Hash::Sha512,
            };
            hash(Backend::RustCrypto, function, message)
        }
        MessageType::ExternalMu => mu(key, message),
    };
    message_types(algorithm)
        .iter()
        .map(|message_type| (*message_type, form(message_type)))
        .collect()
}

/// FIPS 204 algorithm 7, line 6, with the empty context.
fn mu(key: &PublicKey, message: &[u8]) -> Vec<u8> {
    fn of<P: MlDsaParams>(key: VerifyingKey<P>, message: &[u8]) -> Vec<u8> {
        let mu = key.compute_mu(
            |state| {
                state.update(message);
                Ok(())
            },
            &[],
        );
        mu.unwrap().to_vec()
    }
    match key.spec() {
        KeySpec::MlDsa44 => {
            of(VerifyingKey::<MlDsa44>::from_public_key_der(key.der()).unwrap(), message)
        }
        KeySpec::MlDsa65 => {
            of(VerifyingKey::<MlDsa65>::from_public_key_der(key.der()).unwrap(), message)
        }
        _ => of(VerifyingKey::<MlDsa87>::from_public_key_der(key.der()).unwrap(), message),
    }
}
