//! ML-KEM, by either implementation. A shared secret has 32 bytes.
//!
//! aws-lc-rs takes expanded keys alone, so that `ml-kem` makes those from the seed under every provider.
//!
//! INVARIANT: a ciphertext of the right length always yields a secret, the wrong one where it is not one of
//! this key's (FIPS 203 section 6.3, implicit rejection). There is nothing else to tell apart.
//! Source: FIPS 203 algorithms 16 to 21 and section 7; RFC 9935 (the forms of keys).

use crate::{
    CryptoError,
    pkcs8::{self, Form, PrivateKey},
    provider::Backend,
};
use ::ml_kem::{
    Decapsulate as _, DecapsulationKey, Encapsulate as _, EncapsulationKey, MlKem512, MlKem768,
    MlKem1024,
    pkcs8::{AssociatedAlgorithmIdentifier as _, EncodePublicKey as _},
};
use aws_lc_rs::{kem as lc, rand};
use keyward_types::{Generator, KeySpec};
use p256::pkcs8::ObjectIdentifier;
use rand_core::Rng as _;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of a seed: d and z.
const SEED_LEN: usize = 64;
/// The modulus of every coefficient.
const Q: u16 = 3329;
/// Bytes of one polynomial of 256 coefficients of twelve bits.
const POLYNOMIAL_LEN: usize = 384;

/// A secret, and the ciphertext that carries it.
pub(crate) type Encapsulated = (Zeroizing<Vec<u8>>, Vec<u8>);

/// A private key that has been parsed and checked.
pub(crate) enum MlKemPrivate {
    RustCrypto(Decapsulating),
    AwsLc(Box<lc::DecapsulationKey>),
}

/// A public key that has been parsed and checked.
pub(crate) enum MlKemPublic {
    RustCrypto(Encapsulating),
    AwsLc(Box<lc::EncapsulationKey>),
}

/// One table for the parameter sets: AWS's name, aws-lc's, the rank of the module.
macro_rules! parameter_sets {
    ($($spec:ident = $aws:ident, $rank:literal;)*) => {
        /// RustCrypto's private key.
        pub(crate) enum Decapsulating {
            $($spec(Box<DecapsulationKey<$spec>>),)*
        }

        /// RustCrypto's public key.
        pub(crate) enum Encapsulating {
            $($spec(Box<EncapsulationKey<$spec>>),)*
        }

        fn oid(spec: KeySpec) -> Result<ObjectIdentifier, CryptoError> {
            match spec {
                $(KeySpec::$spec => Ok($spec::ALGORITHM_IDENTIFIER.oid),)*
                _ => Err(CryptoError::Unsupported(spec)),
            }
        }

        fn aws_set(spec: KeySpec) -> Option<&'static lc::Algorithm> {
            match spec {
                $(KeySpec::$spec => Some(&lc::$aws),)*
                _ => None,
            }
        }

        const fn rank(spec: KeySpec) -> usize {
            match spec {
                $(KeySpec::$spec => $rank,)*
                _ => 0,
            }
        }

        impl Decapsulating {
            fn from_seed(spec: KeySpec, seed: &[u8]) -> Option<Self> {
                match spec {
                    $(KeySpec::$spec => {
                        Some(Self::$spec(Box::new(DecapsulationKey::from_seed(seed.try_into().ok()?))))
                    })*
                    _ => None,
                }
            }

            #[expect(deprecated, reason = "keys without a seed exist and are imported")]
            fn from_expanded(spec: KeySpec, expanded: &[u8]) -> Option<Self> {
                match spec {
                    $(KeySpec::$spec => {
                        let key = DecapsulationKey::from_expanded(&expanded.try_into().ok()?).ok()?;
                        Some(Self::$spec(Box::new(key)))
                    })*
                    _ => None,
                }
            }

            #[expect(deprecated, reason = "the form that aws-lc takes, and that a seed is held against")]
            fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
                use ::ml_kem::ExpandedKeyEncoding as _;
                match self {
                    $(Self::$spec(key) => Zeroizing::new(key.to_expanded_bytes().to_vec()),)*
                }
            }

            fn public_der(&self) -> Option<Vec<u8>> {
                match self {
                    $(Self::$spec(key) => {
                        let der = key.encapsulation_key().to_public_key_der();
                        der.ok().map(|der| der.as_bytes().to_vec())
                    })*
                }
            }

            /// FIPS 203 section 7.1, the pair-wise check: what is encapsulated for the public half comes
            /// back. The message is constant, because any will do and nobody uses the secret.
            fn is_consistent(&self) -> bool {
                match self {
                    $(Self::$spec(key) => {
                        let public = key.encapsulation_key();
                        let (ciphertext, secret) = public.encapsulate_deterministic(&Default::default());
                        key.decapsulate(&ciphertext).as_slice().ct_eq(secret.as_slice()).into()
                    })*
                }
            }

            /// `None` for a ciphertext of another length.
            fn decapsulate(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
                match self {
                    $(Self::$spec(key) => {
                        let secret = Zeroizing::new(key.decapsulate(&ciphertext.try_into().ok()?));
                        Some(Zeroizing::new(secret.to_vec()))
                    })*
                }
            }
        }

        impl Encapsulating {
            fn new(spec: KeySpec, raw: &[u8]) -> Option<Self> {
                match spec {
                    $(KeySpec::$spec => {
                        let key = EncapsulationKey::new(&raw.try_into().ok()?).ok()?;
                        Some(Self::$spec(Box::new(key)))
                    })*
                    _ => None,
                }
            }

            fn encapsulate(&self, rng: &mut dyn Generator) -> Encapsulated {
                match self {
                    $(Self::$spec(key) => {
                        let (ciphertext, secret) = key.encapsulate_with_rng(rng);
                        let secret = Zeroizing::new(secret);
                        (Zeroizing::new(secret.to_vec()), ciphertext.to_vec())
                    })*
                }
            }
        }
    };
}

parameter_sets! {
    MlKem512 = ML_KEM_512, 2;
    MlKem768 = ML_KEM_768, 3;
    MlKem1024 = ML_KEM_1024, 4;
}

/// A new private key as PKCS#8 in seed form.
pub(crate) fn generate(
    backend: Backend,
    spec: KeySpec,
    rng: &mut dyn Generator,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let failed = CryptoError::Failed("key generation");
    let oid = oid(spec)?;
    let mut seed = Zeroizing::new([0; SEED_LEN]);
    match backend {
        Backend::RustCrypto => rng.fill_bytes(&mut *seed),
        Backend::AwsLc => rand::fill(seed.as_mut_slice()).map_err(|_| failed)?,
    }
    pkcs8::seed_form(oid, seed.as_slice()).ok_or(failed)
}

impl MlKemPrivate {
    /// The private key, and the SubjectPublicKeyInfo of its public half.
    pub(crate) fn from_pkcs8(
        backend: Backend,
        spec: KeySpec,
        pkcs8: &[u8],
    ) -> Result<(Self, Vec<u8>), CryptoError> {
        let bad = CryptoError::BadKey(spec);
        let oid = oid(spec)?;
        let parsed = pkcs8::private_key(oid, pkcs8).ok_or(bad)?;
        let key = expand(spec, &parsed).ok_or(bad)?;
        let der = key.public_der().ok_or(bad)?;
        if !parsed.agrees_with(oid, &der) {
            return Err(bad);
        }
        let key = match backend {
            Backend::RustCrypto => Self::RustCrypto(key),
            Backend::AwsLc => {
                let set = aws_set(spec).ok_or(bad)?;
                let key = lc::DecapsulationKey::new(set, &key.to_bytes()).map_err(|_| bad)?;
                Self::AwsLc(Box::new(key))
            }
        };
        Ok((key, der))
    }

    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match self {
            Self::RustCrypto(key) => key.decapsulate(ciphertext).ok_or(CryptoError::NotAuthentic),
            Self::AwsLc(key) => key
                .decapsulate(ciphertext.into())
                .map(|secret| Zeroizing::new(secret.as_ref().to_vec()))
                .map_err(|_| CryptoError::NotAuthentic),
        }
    }
}

impl MlKemPublic {
    pub(crate) fn from_der(
        backend: Backend,
        spec: KeySpec,
        der: &[u8],
    ) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(spec);
        let raw = pkcs8::public_key(oid(spec)?, der).ok_or(bad)?;
        // FIPS 203 section 7.2, the modulus check; aws-lc does not say when it makes it.
        let key = Encapsulating::new(spec, raw).ok_or(bad)?;
        match backend {
            Backend::RustCrypto => Ok(Self::RustCrypto(key)),
            Backend::AwsLc => {
                let set = aws_set(spec).ok_or(bad)?;
                let key = lc::EncapsulationKey::new(set, raw).map_err(|_| bad)?;
                Ok(Self::AwsLc(Box::new(key)))
            }
        }
    }

    pub(crate) fn encapsulate(&self, rng: &mut dyn Generator) -> Result<Encapsulated, CryptoError> {
        match self {
            Self::RustCrypto(key) => Ok(key.encapsulate(rng)),
            Self::AwsLc(key) => key
                .encapsulate()
                .map(|(ciphertext, secret)| {
                    (Zeroizing::new(secret.as_ref().to_vec()), ciphertext.as_ref().to_vec())
                })
                .map_err(|_| CryptoError::Failed("encapsulation")),
        }
    }
}

/// RustCrypto's private key, if the parts of what was parsed belong together.
fn expand(spec: KeySpec, parsed: &PrivateKey<'_>) -> Option<Decapsulating> {
    match parsed.form {
        Form::Seed(seed) => Decapsulating::from_seed(spec, seed),
        Form::Expanded(expanded) => {
            let secret = expanded.get(..rank(spec) * POLYNOMIAL_LEN)?;
            if !is_reduced(secret) {
                return None;
            }
            Decapsulating::from_expanded(spec, expanded).filter(Decapsulating::is_consistent)
        }
        Form::Both { seed, expanded } => Decapsulating::from_seed(spec, seed)
            .filter(|key| key.to_bytes().as_slice().ct_eq(expanded).into()),
    }
}

/// Whether all coefficients, of twelve bits each, are below the modulus. One that is not is a second form of
/// the same key, and implementations do not agree on it.
fn is_reduced(polynomials: &[u8]) -> bool {
    polynomials.chunks_exact(3).all(|bytes| match bytes {
        [a, b, c] => {
            let (a, b, c) = (u16::from(*a), u16::from(*b), u16::from(*c));
            (a | (b & 0x0f) << 8) < Q && (b >> 4 | c << 4) < Q
        }
        _ => false,
    })
}
