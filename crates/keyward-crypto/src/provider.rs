//! Which implementation does what.
//!
//! Measured on one core of a virtual machine, microseconds: RSA-2048 sign 1,211 (`rsa`) and 237
//! (aws-lc); P-256 sign 56 and 13; AES-256-GCM of 4 KiB with a fresh key 2.0 and 0.9; one HMAC-SHA-256
//! block 0.62 and 0.77.
//! Measured later, when the machine had other work and P-256 signed in 80 and 15, best of several runs:
//! Ed25519 sign 18 (`ed25519-dalek`) and 9 (aws-lc), verify 31 and 36; ML-DSA-44 sign 670 (`ml-dsa`) and
//! 83, verify 85 and 21, unwrap 350 and 25; ML-KEM-768 encapsulate 75 (`ml-kem`) and 13, decapsulate 102
//! and 16, unwrap 71 and 72; P-256 agree 280 and 45.
//!
//! What aws-lc-rs has no public call for, RustCrypto does under every provider: Ed25519ph; ML-DSA of a mu
//! that the caller made, which therefore costs what `ml-dsa` costs; the expansion of an ML-KEM seed. The
//! other way about there is one case: `ml-dsa` does not check an expanded private key, so that aws-lc does
//! before it (`ml_dsa.rs`).
//!
//! What the choice means for replay: everything is drawn from the caller's generator, so that the same
//! seed gives the same bytes, with one exception. Where aws-lc signs with ECDSA, PSS or ML-DSA,
//! encapsulates, pads OAEP or blinds, it draws from its own generator.
//! Keys of [`Provider::Default`] and [`Provider::RustCrypto`] are always made from the caller's.

use keyward_types::KeySpec;

/// A set of implementations, complete by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// For each algorithm what is constant-time and measures best: AES-GCM, AES-KWP, HMAC, SHA-2 and key
    /// generation from RustCrypto, the operations of asymmetric keys from aws-lc; but secp256k1, for which
    /// aws-lc has no code of its own and takes several times as long, from RustCrypto.
    #[default]
    Default,
    /// Pure Rust alone. RSA is several times slower, and the `rsa` crate stands under
    /// RUSTSEC-2023-0071: its arithmetic is constant-time and every private operation is blinded, but
    /// nobody has shown the whole path to be free of timing differences. `ml-dsa` and `ml-kem` are written
    /// to be constant-time and have not been audited.
    RustCrypto,
    /// aws-lc for everything, key generation included; the other side of the cross-checks.
    AwsLc,
}

impl Provider {
    /// Every provider.
    pub const ALL: &'static [Self] = &[Self::Default, Self::RustCrypto, Self::AwsLc];

    /// AES-GCM, AES-KWP, HMAC and digests.
    pub(crate) const fn symmetric(self) -> Backend {
        match self {
            Self::Default | Self::RustCrypto => Backend::RustCrypto,
            Self::AwsLc => Backend::AwsLc,
        }
    }

    /// Public and private operations of an asymmetric key of this spec.
    pub(crate) const fn asymmetric(self, spec: KeySpec) -> Backend {
        match (self, spec) {
            (Self::RustCrypto, _) | (Self::Default, KeySpec::EccSecgP256k1) => Backend::RustCrypto,
            (Self::Default | Self::AwsLc, _) => Backend::AwsLc,
        }
    }

    /// Generation of asymmetric keys.
    pub(crate) const fn generation(self) -> Backend {
        match self {
            Self::Default | Self::RustCrypto => Backend::RustCrypto,
            Self::AwsLc => Backend::AwsLc,
        }
    }
}

/// One implementation of one primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    RustCrypto,
    AwsLc,
}
