//! What the operations that make data keys share: a secret of the caller's, and the same secret encrypted
//! under a symmetric key.
//!
//! INVARIANT: the plain secret is drawn for one answer, and wiped when that was sent.

use super::prelude::*;
use keyward_crypto::{CryptoError, EncryptionAlgorithm, KeyMaterial};

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html#KMS-GenerateDataKey-request-KeySpec>
#[derive(Clone, Copy, Deserialize)]
enum DataKeySpec {
    #[serde(rename = "AES_256")]
    Aes256,
    #[serde(rename = "AES_128")]
    Aes128,
}

impl DataKeySpec {
    const fn len(self) -> usize {
        match self {
            Self::Aes256 => 32,
            Self::Aes128 => 16,
        }
    }
}

/// The names of [`DataKeyPair::key_pair_spec`], in the model's order.
pub(crate) const KEY_PAIR_SPECS: &[&str] = &[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SM2",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];

pub(crate) const DATA_KEY_SPEC: Member = optional("KeySpec", Kind::Enum(&["AES_256", "AES_128"]));
pub(crate) const NUMBER_OF_BYTES: Member =
    optional("NumberOfBytes", Kind::Integer { min: 1, max: 1_024 });
pub(crate) const KEY_PAIR_SPEC: Member = required("KeyPairSpec", Kind::Enum(KEY_PAIR_SPECS));

/// The input of GenerateDataKey and GenerateDataKeyWithoutPlaintext.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DataKey {
    key_id: KeyRef,
    #[serde(default)]
    encryption_context: EncryptionContext,
    number_of_bytes: Option<usize>,
    key_spec: Option<DataKeySpec>,
    recipient: Option<serde::de::IgnoredAny>,
}

/// The input of GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DataKeyPair {
    key_id: KeyRef,
    pub(crate) key_pair_spec: KeySpec,
    #[serde(default)]
    encryption_context: EncryptionContext,
    recipient: Option<serde::de::IgnoredAny>,
}

/// A secret, the same encrypted, and which key and material did that.
pub(crate) struct Wrapped {
    pub(crate) plaintext: Blob,
    pub(crate) ciphertext: Blob,
    pub(crate) key_id: String,
    pub(crate) material_id: String,
}

impl DataKey {
    pub(crate) fn targets(&self) -> Result<Vec<Target<'_>>, KmsError> {
        refuse_recipient(self.recipient.as_ref())?;
        self.len()?;
        Ok(vec![Target::key_in_context(&self.key_id, &self.encryption_context)])
    }

    /// Bytes of the data key; exactly one member says it.
    fn len(&self) -> Result<usize, KmsError> {
        match (self.key_spec, self.number_of_bytes) {
            (Some(spec), None) => Ok(spec.len()),
            (None, Some(bytes)) => Ok(bytes),
            _ => Err(KmsError::validation("Please specify either number of bytes or key spec.")),
        }
    }

    pub(crate) fn generate(&self, call: &mut Call<'_>) -> Result<Wrapped, KmsError> {
        let mut plaintext = Blob(vec![0; self.len()?]);
        call.fill(&mut plaintext.0);
        wrap(call, plaintext, &self.encryption_context)
    }
}

impl DataKeyPair {
    pub(crate) fn targets(&self) -> Result<Vec<Target<'_>>, KmsError> {
        refuse_recipient(self.recipient.as_ref())?;
        Ok(vec![Target::key_in_context(&self.key_id, &self.encryption_context)])
    }

    /// The wrapped private key as PKCS#8, and the public key as SubjectPublicKeyInfo.
    pub(crate) fn generate(&self, call: &mut Call<'_>) -> Result<(Wrapped, Blob), KmsError> {
        check_symmetric(call)?;
        let unsupported = |error: CryptoError| match error {
            CryptoError::Unsupported(spec) => wording::unsupported_spec(spec),
            other => KmsError::internal(other),
        };
        let provider = call.engine().world.provider;
        let pair = KeyMaterial::generate(provider, self.key_pair_spec, call.generator())
            .map_err(unsupported)?;
        let (Some(private), Some(public)) = (pair.private_key_der(), pair.public_key_der()) else {
            return Err(KmsError::internal("a data key pair of a symmetric spec"));
        };
        let wrapped = wrap(call, Blob(private.to_vec()), &self.encryption_context)?;
        Ok((wrapped, Blob(public)))
    }
}

/// The condition keys of all four operations.
pub(crate) fn facts(facts: &mut Facts<'_>) {
    facts.add("kms:EncryptionAlgorithm", EncryptionAlgorithm::SymmetricDefault.as_str());
}

fn check_symmetric(call: &Call<'_>) -> Result<(), KmsError> {
    if call.key()?.spec.is_symmetric() {
        return Ok(());
    }
    Err(KmsError::new(
        ErrorCode::InvalidKeyUsage,
        "You cannot generate a data key with an asymmetric CMK",
    ))
}

fn wrap(
    call: &mut Call<'_>,
    plaintext: Blob,
    context: &EncryptionContext,
) -> Result<Wrapped, KmsError> {
    check_symmetric(call)?;
    let (material, _) = call.material_at(0)?;
    let ciphertext = call.encrypt(0, EncryptionAlgorithm::SymmetricDefault, &plaintext, context)?;
    call.note("keyMaterialId", material.0.as_str());
    Ok(Wrapped {
        plaintext,
        ciphertext,
        key_id: call.key()?.name.to_string(),
        material_id: material.0,
    })
}
