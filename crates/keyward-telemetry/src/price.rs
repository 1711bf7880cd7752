//! What requests would cost at AWS: an estimate, by the list price of us-east-1.
//!
//! It counts requests whose keys were found, as AWS charges the account that asks. It leaves out the free tier, what
//! keys themselves cost (a dollar a month each), and what the services behind a request cost.
//! Source: <https://aws.amazon.com/kms/pricing/>

use keyward_types::KeySpec;

/// The kinds of request that have a price of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceClass {
    /// Everything that is none of the others: symmetric and HMAC keys, and the management of keys.
    Standard,
    /// Cryptography with an RSA_2048 key, and reading its public half.
    Rsa2048,
    /// The same with any other asymmetric key.
    Asymmetric,
    /// A data key pair on an elliptic curve.
    EccDataKeyPair,
    /// An RSA data key pair.
    RsaDataKeyPair,
}

impl PriceClass {
    pub const ALL: [Self; 5] = [
        Self::Standard,
        Self::Rsa2048,
        Self::Asymmetric,
        Self::EccDataKeyPair,
        Self::RsaDataKeyPair,
    ];

    /// The value of the label `class`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Rsa2048 => "rsa_2048",
            Self::Asymmetric => "asymmetric",
            Self::EccDataKeyPair => "ecc_data_key_pair",
            Self::RsaDataKeyPair => "rsa_data_key_pair",
        }
    }

    /// Dollars for ten thousand requests.
    pub const fn dollars_for_10_000(self) -> f64 {
        match self {
            Self::Standard | Self::Rsa2048 => 0.03,
            Self::Asymmetric => 0.15,
            Self::EccDataKeyPair => 0.10,
            Self::RsaDataKeyPair => 12.0,
        }
    }

    /// What is in the class, for the inventory.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Standard => "symmetric and HMAC keys, and the management of keys",
            Self::Rsa2048 => "cryptography with RSA_2048 keys, and GetPublicKey of them",
            Self::Asymmetric => "the same with every other asymmetric key",
            Self::EccDataKeyPair => "data key pairs on an elliptic curve",
            Self::RsaDataKeyPair => "RSA data key pairs",
        }
    }

    pub(crate) fn dollars(self) -> f64 {
        self.dollars_for_10_000() / 10_000.0
    }

    /// The class of a request to KMS. `key` is the key that it uses or whose public half it reads, `pair` the spec of
    /// the data key pair that it makes.
    pub fn of(uses_key: bool, key: Option<KeySpec>, pair: Option<&str>) -> Self {
        match (pair, key) {
            (Some(pair), _) if pair.starts_with("RSA_") => Self::RsaDataKeyPair,
            (Some(_), _) => Self::EccDataKeyPair,
            (None, Some(KeySpec::Rsa2048)) if uses_key => Self::Rsa2048,
            (None, Some(spec)) if uses_key && spec.is_asymmetric() => Self::Asymmetric,
            _ => Self::Standard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PriceClass as P;
    use keyward_types::KeySpec as S;

    #[test]
    fn each_kind_of_request_has_its_price() {
        for (uses_key, key, pair, class) in [
            (true, Some(S::SymmetricDefault), None, P::Standard),
            (true, Some(S::Hmac256), None, P::Standard),
            (true, None, None, P::Standard),
            (true, Some(S::Rsa2048), None, P::Rsa2048),
            (false, Some(S::Rsa2048), None, P::Standard),
            (true, Some(S::Rsa4096), None, P::Asymmetric),
            (true, Some(S::EccNistP256), None, P::Asymmetric),
            (true, Some(S::MlDsa65), None, P::Asymmetric),
            (true, Some(S::SymmetricDefault), Some("ECC_NIST_P256"), P::EccDataKeyPair),
            (true, Some(S::SymmetricDefault), Some("RSA_4096"), P::RsaDataKeyPair),
        ] {
            assert_eq!(P::of(uses_key, key, pair), class, "{key:?} {pair:?}");
        }
        assert!((P::RsaDataKeyPair.dollars() - 0.0012).abs() < 1e-12);
    }
}
