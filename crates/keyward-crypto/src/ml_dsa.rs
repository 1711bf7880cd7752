//! ML-DSA, by either implementation, with the empty context.
//!
//! Signing is hedged: RustCrypto draws the 32 bytes from the caller's generator, aws-lc from its own.
//! aws-lc-rs has no call that takes mu, so that `ml-dsa` signs and verifies it under every provider.
//!
//! INVARIANT: an expanded private key that comes without its seed has been through aws-lc's check, which
//! finds coefficients out of range and parts that do not belong together, before `ml-dsa` reads it:
//! `ml-dsa` trusts such a key and may panic.
//! Source: FIPS 204 algorithms 2, 3, 7 and 8; RFC 9881 (the forms of keys).

use crate::{
    CryptoError,
    pkcs8::{self, Form, PrivateKey},
    provider::Backend,
};
use ::ml_dsa::{
    EncodedVerifyingKey, ExpandedSigningKey, MlDsa44, MlDsa65, MlDsa87, Signature, VerifyingKey,
    pkcs8::{EncodePublicKey as _, spki::AssociatedAlgorithmIdentifier as _},
};
use aws_lc_rs::{
    encoding::AsRawBytes as _,
    signature::{self as lc, KeyPair as _},
};
use keyward_types::{Generator, KeySpec};
use p256::pkcs8::ObjectIdentifier;
use rand_core::Rng as _;
use std::sync::OnceLock;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of a seed.
const SEED_LEN: usize = 32;
/// Bytes of mu.
pub(crate) const MU_LEN: usize = 64;

/// A private key that has been parsed and checked.
pub(crate) enum MlDsaPrivate {
    RustCrypto(Expanded),
    AwsLc(Box<AwsPrivate>),
}

pub(crate) struct AwsPrivate {
    pair: lc::PqdsaKeyPair,
    /// What signs mu, made from the PKCS#8 form when first asked for.
    mu: OnceLock<Option<Expanded>>,
}

/// A public key that has been parsed.
pub(crate) enum MlDsaPublic {
    RustCrypto(Verifying),
    AwsLc(Box<AwsPublic>),
}

pub(crate) struct AwsPublic {
    spec: KeySpec,
    raw: Vec<u8>,
    key: lc::ParsedPublicKey,
    /// What verifies mu, made when first asked for.
    mu: OnceLock<Option<Verifying>>,
}

/// One table for the parameter sets.
macro_rules! parameter_sets {
    ($($spec:ident = $signing:ident, $verifying:ident;)*) => {
        /// RustCrypto's private key.
        pub(crate) enum Expanded {
            $($spec(Box<ExpandedSigningKey<$spec>>),)*
        }

        /// RustCrypto's public key.
        pub(crate) enum Verifying {
            $($spec(Box<VerifyingKey<$spec>>),)*
        }

        fn oid(spec: KeySpec) -> Result<ObjectIdentifier, CryptoError> {
            match spec {
                $(KeySpec::$spec => Ok($spec::ALGORITHM_IDENTIFIER.oid),)*
                _ => Err(CryptoError::Unsupported(spec)),
            }
        }

        type AwsSet = (&'static lc::PqdsaSigningAlgorithm, &'static lc::PqdsaVerificationAlgorithm);

        fn aws_set(spec: KeySpec) -> Option<AwsSet> {
            match spec {
                $(KeySpec::$spec => Some((&lc::$signing, &lc::$verifying)),)*
                _ => None,
            }
        }

        impl Expanded {
            fn from_seed(spec: KeySpec, seed: &[u8]) -> Option<Self> {
                match spec {
                    $(KeySpec::$spec => {
                        Some(Self::$spec(Box::new(ExpandedSigningKey::from_seed(&seed.try_into().ok()?))))
                    })*
                    _ => None,
                }
            }

            /// INVARIANT: [`aws_pair`] has accepted the key.
            #[expect(deprecated, reason = "keys without a seed exist and are imported; see the module")]
            fn from_expanded(spec: KeySpec, expanded: &[u8]) -> Option<Self> {
                match spec {
                    $(KeySpec::$spec => {
                        let key = ExpandedSigningKey::from_expanded(&expanded.try_into().ok()?);
                        Some(Self::$spec(Box::new(key)))
                    })*
                    _ => None,
                }
            }

            #[expect(deprecated, reason = "to hold a seed against the expanded key that came with it")]
            fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
                match self {
                    $(Self::$spec(key) => Zeroizing::new(key.to_expanded().to_vec()),)*
                }
            }

            fn public_der(&self) -> Option<Vec<u8>> {
                match self {
                    $(Self::$spec(key) => {
                        key.verifying_key().to_public_key_der().ok().map(|der| der.as_bytes().to_vec())
                    })*
                }
            }

            fn sign(&self, message: &[u8], rng: &mut dyn Generator) -> Option<Vec<u8>> {
                match self {
                    $(Self::$spec(key) => {
                        key.sign_randomized(message, &[], rng).ok().map(|s| s.encode().to_vec())
                    })*
                }
            }

            fn sign_mu(&self, mu: &[u8; MU_LEN], rng: &mut dyn Generator) -> Option<Vec<u8>> {
                match self {
                    $(Self::$spec(key) => {
                        key.sign_mu_randomized(&(*mu).into(), rng).ok().map(|s| s.encode().to_vec())
                    })*
                }
            }
        }

        impl Verifying {
            fn new(spec: KeySpec, raw: &[u8]) -> Option<Self> {
                match spec {
                    $(KeySpec::$spec => {
                        let raw = EncodedVerifyingKey::<$spec>::try_from(raw).ok()?;
                        Some(Self::$spec(Box::new(VerifyingKey::decode(&raw))))
                    })*
                    _ => None,
                }
            }

            fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
                match self {
                    $(Self::$spec(key) => Signature::<$spec>::try_from(signature)
                        .is_ok_and(|signature| key.verify_with_context(message, &[], &signature)),)*
                }
            }

            fn verify_mu(&self, mu: &[u8; MU_LEN], signature: &[u8]) -> bool {
                match self {
                    $(Self::$spec(key) => Signature::<$spec>::try_from(signature)
                        .is_ok_and(|signature| key.verify_mu(&(*mu).into(), &signature)),)*
                }
            }
        }
    };
}

parameter_sets! {
    MlDsa44 = ML_DSA_44_SIGNING, ML_DSA_44;
    MlDsa65 = ML_DSA_65_SIGNING, ML_DSA_65;
    MlDsa87 = ML_DSA_87_SIGNING, ML_DSA_87;
}

/// A new private key as PKCS#8 in seed form.
pub(crate) fn generate(
    backend: Backend,
    spec: KeySpec,
    rng: &mut dyn Generator,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let failed = CryptoError::Failed("key generation");
    let oid = oid(spec)?;
    match backend {
        Backend::RustCrypto => {
            let mut seed = Zeroizing::new([0; SEED_LEN]);
            rng.fill_bytes(&mut *seed);
            pkcs8::seed_form(oid, seed.as_slice()).ok_or(failed)
        }
        Backend::AwsLc => {
            let (signing, _) = aws_set(spec).ok_or(failed)?;
            lc::PqdsaKeyPair::generate(signing)
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|der| Zeroizing::new(der.as_ref().to_vec()))
                .map_err(|_| failed)
        }
    }
}

impl MlDsaPrivate {
    /// The private key, and the SubjectPublicKeyInfo of its public half.
    pub(crate) fn from_pkcs8(
        backend: Backend,
        spec: KeySpec,
        pkcs8: &[u8],
    ) -> Result<(Self, Vec<u8>), CryptoError> {
        let bad = CryptoError::BadKey(spec);
        let oid = oid(spec)?;
        let parsed = pkcs8::private_key(oid, pkcs8).ok_or(bad)?;
        let (key, der) = match backend {
            Backend::RustCrypto => {
                let key = expand(spec, &parsed).ok_or(bad)?;
                let der = key.public_der().ok_or(bad)?;
                (Self::RustCrypto(key), der)
            }
            Backend::AwsLc => {
                let pair = aws_pair(spec, &parsed).ok_or(bad)?;
                let der = aws_public_der(&pair).ok_or(bad)?;
                (Self::AwsLc(Box::new(AwsPrivate { pair, mu: OnceLock::new() })), der)
            }
        };
        if !parsed.agrees_with(oid, &der) {
            return Err(bad);
        }
        Ok((key, der))
    }

    pub(crate) fn sign(
        &self,
        message: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let failed = CryptoError::Failed("signing");
        match self {
            Self::RustCrypto(key) => key.sign(message, rng).ok_or(failed),
            Self::AwsLc(key) => {
                let mut signature = vec![0; key.pair.algorithm().signature_len()];
                let len = key.pair.sign(message, &mut signature).map_err(|_| failed)?;
                signature.truncate(len);
                Ok(signature)
            }
        }
    }

    /// Signs mu, which binds the message and the public key. `pkcs8` is what the key was made from.
    pub(crate) fn sign_mu(
        &self,
        spec: KeySpec,
        pkcs8: &[u8],
        mu: &[u8; MU_LEN],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let key = match self {
            Self::RustCrypto(key) => Some(key),
            Self::AwsLc(key) => {
                let make = || expand(spec, &pkcs8::private_key(oid(spec).ok()?, pkcs8)?);
                key.mu.get_or_init(make).as_ref()
            }
        };
        key.and_then(|key| key.sign_mu(mu, rng)).ok_or(CryptoError::Failed("signing"))
    }
}

impl MlDsaPublic {
    pub(crate) fn from_der(
        backend: Backend,
        spec: KeySpec,
        der: &[u8],
    ) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(spec);
        let raw = pkcs8::public_key(oid(spec)?, der).ok_or(bad)?;
        match backend {
            Backend::RustCrypto => Verifying::new(spec, raw).map(Self::RustCrypto).ok_or(bad),
            Backend::AwsLc => {
                let (_, verifying) = aws_set(spec).ok_or(bad)?;
                let key = lc::ParsedPublicKey::new(verifying, der).map_err(|_| bad)?;
                let public = AwsPublic { spec, raw: raw.to_vec(), key, mu: OnceLock::new() };
                Ok(Self::AwsLc(Box::new(public)))
            }
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::RustCrypto(key) => key.verify(message, signature),
            Self::AwsLc(public) => public.key.verify_sig(message, signature).is_ok(),
        }
    }

    pub(crate) fn verify_mu(&self, mu: &[u8; MU_LEN], signature: &[u8]) -> bool {
        let key = match self {
            Self::RustCrypto(key) => Some(key),
            Self::AwsLc(public) => {
                let make = || Verifying::new(public.spec, &public.raw);
                public.mu.get_or_init(make).as_ref()
            }
        };
        key.is_some_and(|key| key.verify_mu(mu, signature))
    }
}

/// RustCrypto's private key, if the parts of what was parsed belong together.
fn expand(spec: KeySpec, parsed: &PrivateKey<'_>) -> Option<Expanded> {
    match parsed.form {
        Form::Seed(seed) => Expanded::from_seed(spec, seed),
        Form::Expanded(expanded) => {
            aws_pair(spec, parsed)?;
            Expanded::from_expanded(spec, expanded)
        }
        Form::Both { seed, expanded } => Expanded::from_seed(spec, seed)
            .filter(|key| key.to_bytes().as_slice().ct_eq(expanded).into()),
    }
}

/// aws-lc's private key, if the parts of what was parsed belong together.
fn aws_pair(spec: KeySpec, parsed: &PrivateKey<'_>) -> Option<lc::PqdsaKeyPair> {
    let (signing, _) = aws_set(spec)?;
    match parsed.form {
        Form::Seed(seed) => lc::PqdsaKeyPair::from_seed(signing, seed).ok(),
        Form::Expanded(expanded) => lc::PqdsaKeyPair::from_raw_private_key(signing, expanded).ok(),
        Form::Both { seed, expanded } => {
            let pair = lc::PqdsaKeyPair::from_seed(signing, seed).ok()?;
            let own = pair.private_key().as_raw_bytes().ok()?;
            let equal: bool = own.as_ref().ct_eq(expanded).into();
            equal.then_some(pair)
        }
    }
}

fn aws_public_der(pair: &lc::PqdsaKeyPair) -> Option<Vec<u8>> {
    use aws_lc_rs::encoding::AsDer as _;
    pair.public_key().as_der().ok().map(|der| der.as_ref().to_vec())
}
