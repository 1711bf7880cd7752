//! Which implementation does what.
//!
//! Measured on one core of a virtual machine, microseconds: RSA-2048 sign 1,211 (`rsa`) and 237
//! (aws-lc); P-256 sign 56 and 13; AES-256-GCM of 4 KiB with a fresh key 2.0 and 0.9; one HMAC-SHA-256
//! block 0.62 and 0.77.
//!
//! What the choice means for replay: everything is drawn from the caller's generator, so that the same
//! seed gives the same bytes, with one exception. Where aws-lc signs with ECDSA or PSS, pads OAEP or
//! blinds, it draws from its own generator.
//! Keys of [`Provider::Default`] and [`Provider::RustCrypto`] are always made from the caller's.

use keyward_types::KeySpec;

/// A set of implementations, complete by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// For each algorithm what is constant-time and measures best: AES-GCM, HMAC, SHA-2 and key
    /// generation from RustCrypto, RSA and ECDSA operations from aws-lc; but secp256k1, for which aws-lc
    /// has no code of its own and takes several times as long, from RustCrypto.
    #[default]
    Default,
    /// Pure Rust alone. RSA is several times slower, and the `rsa` crate stands under
    /// RUSTSEC-2023-0071: its arithmetic is constant-time and every private operation is blinded, but
    /// nobody has shown the whole path to be free of timing differences.
    RustCrypto,
    /// aws-lc for everything, key generation included; the other side of the cross-checks.
    AwsLc,
}

impl Provider {
    /// Every provider.
    pub const ALL: &'static [Self] = &[Self::Default, Self::RustCrypto, Self::AwsLc];

    /// AES-GCM, HMAC and digests.
    pub(crate) const fn symmetric(self) -> Backend {
        match self {
            Self::Default | Self::RustCrypto => Backend::RustCrypto,
            Self::AwsLc => Backend::AwsLc,
        }
    }

    /// RSA and ECDSA, public and private operations of a key of this spec.
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
