//! What a `Call` does with key material: encrypt, decrypt, sign, verify, agree, encapsulate.
//! Where material comes from is in `material.rs`.
//!
//! The checks that stand between a request and a primitive are here once, for every operation that
//! shares them, in the order in which AWS makes them: algorithm against spec, then sizes.
//!
//! INVARIANT: a decryption that fails says `InvalidCiphertextException` without a word, whatever failed.

use crate::{call::Call, wording};
use keyward_crypto::{
    CryptoError, EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, MessageType,
    PublicKey, SigningAlgorithm, algorithm,
};
use keyward_types::{Blob, EncryptionContext, ErrorCode, KeyRecord, KmsError};
use std::sync::Arc;

/// A plaintext, and the material that opened it (symmetric keys only).
pub(crate) struct Opened {
    pub(crate) plaintext: Blob,
    pub(crate) material: Option<String>,
}

impl Call<'_> {
    /// Encrypts under the n-th key.
    pub(crate) fn encrypt(
        &mut self,
        n: usize,
        algorithm: EncryptionAlgorithm,
        plaintext: &Blob,
        context: &EncryptionContext,
    ) -> Result<Blob, KmsError> {
        let key = Arc::clone(self.key_at(n)?);
        check_encryption(&key, algorithm, context)?;
        if let Some(limit) =
            algorithm::oaep_limit(key.spec, algorithm).filter(|limit| *limit < plaintext.0.len())
        {
            return Err(KmsError::validation(format!(
                "Algorithm {algorithm} and key spec {} cannot encrypt data larger than {limit} bytes.",
                key.spec
            )));
        }
        if !key.spec.is_symmetric() {
            let public = self.public_key(&key)?;
            return public
                .encrypt(algorithm, &plaintext.0, self.generator())
                .map(Blob)
                .map_err(KmsError::internal);
        }
        if let Some(place) = &key.key_store {
            return self.encrypt_in_store(n, place, plaintext, context);
        }
        let (id, material) = self.material_at(n)?;
        material
            .encrypt_symmetric(&key.name, &id, &context.canonical(), &plaintext.0, self.generator())
            .map(Blob)
            .map_err(KmsError::internal)
    }

    /// Decrypts under the n-th key.
    pub(crate) fn decrypt(
        &mut self,
        n: usize,
        algorithm: EncryptionAlgorithm,
        blob: &Blob,
        context: &EncryptionContext,
    ) -> Result<Opened, KmsError> {
        let found = self.found_at(n)?;
        let key = &found.record;
        if algorithm == EncryptionAlgorithm::SymmetricDefault && !key.spec.is_symmetric() {
            return Err(KmsError::bare(ErrorCode::InvalidCiphertext));
        }
        check_encryption(key, algorithm, context)?;
        let invalid = |_: CryptoError| KmsError::bare(ErrorCode::InvalidCiphertext);
        let Some(id) = &found.material else {
            let material = self.material_at(n)?.1;
            let plaintext =
                material.decrypt_rsa(algorithm, &blob.0, self.generator()).map_err(invalid)?;
            return Ok(Opened { plaintext: Blob(plaintext.to_vec()), material: None });
        };
        let known = key.materials.iter().find(|known| known.id == *id);
        let known = known.ok_or(KmsError::bare(ErrorCode::InvalidCiphertext))?;
        // Gone for now, or expired: imported material can come back.
        if !known.is_present() {
            return Err(KmsError::new(
                ErrorCode::InvalidState,
                format!("{} is pending import.", key.name),
            ));
        }
        if let Some(place) = &key.key_store {
            let plaintext = self.decrypt_in_store(n, place, id, blob, context)?;
            return Ok(Opened { plaintext, material: Some(id.0.clone()) });
        }
        let material = self.material_named(n, id)?;
        let plaintext =
            material.decrypt_symmetric(&context.canonical(), &blob.0).map_err(invalid)?;
        Ok(Opened { plaintext: Blob(plaintext.to_vec()), material: Some(id.0.clone()) })
    }

    pub(crate) fn sign(
        &mut self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &Blob,
    ) -> Result<Blob, KmsError> {
        check_signing(self.key()?, algorithm)?;
        let material = self.material()?;
        material
            .sign(algorithm, message_type, &message.0, self.generator())
            .map(Blob)
            .map_err(signing_error)
    }

    pub(crate) fn verify(
        &mut self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &Blob,
        signature: &Blob,
    ) -> Result<bool, KmsError> {
        let key = Arc::clone(self.key()?);
        check_signing(&key, algorithm)?;
        self.public_key(&key)?
            .verify(algorithm, message_type, &message.0, &signature.0)
            .map_err(signing_error)
    }

    /// The secret that the key shares with the holder of `peer`.
    pub(crate) fn agree(
        &mut self,
        algorithm: KeyAgreementAlgorithm,
        peer: &Blob,
    ) -> Result<Blob, KmsError> {
        let key = self.key()?;
        if !algorithm::key_agreement_algorithms(key.spec).contains(&algorithm) {
            return Err(wording::wrong_algorithm(algorithm.as_str(), key.spec));
        }
        // AWS says no word of what is wrong with the other key.
        let secret =
            self.material()?.derive_shared_secret(&peer.0).map_err(|error| match error {
                CryptoError::BadKey(_) => KmsError::validation(""),
                other => KmsError::internal(other),
            })?;
        Ok(Blob(secret.to_vec()))
    }

    /// A new secret, and the same for the holder of the private key.
    pub(crate) fn encapsulate(
        &mut self,
        algorithm: EncapsulationAlgorithm,
    ) -> Result<(Blob, Blob), KmsError> {
        let key = Arc::clone(self.key()?);
        check_encapsulation(&key, algorithm)?;
        let (secret, ciphertext) =
            self.public_key(&key)?.encapsulate(self.generator()).map_err(KmsError::internal)?;
        Ok((Blob(secret.to_vec()), Blob(ciphertext)))
    }

    pub(crate) fn decapsulate(
        &mut self,
        algorithm: EncapsulationAlgorithm,
        ciphertext: &Blob,
    ) -> Result<Blob, KmsError> {
        check_encapsulation(self.key()?, algorithm)?;
        let secret = self
            .material()?
            .decapsulate(&ciphertext.0)
            .map_err(|_| KmsError::bare(ErrorCode::InvalidCiphertext))?;
        Ok(Blob(secret.to_vec()))
    }

    fn public_key(&self, key: &KeyRecord) -> Result<PublicKey, KmsError> {
        let der = key
            .public_key
            .as_deref()
            .ok_or_else(|| KmsError::internal("the key has no public half"))?;
        PublicKey::from_der(self.engine().world.provider, key.spec, der).map_err(KmsError::internal)
    }
}

fn check_encryption(
    key: &KeyRecord,
    algorithm: EncryptionAlgorithm,
    context: &EncryptionContext,
) -> Result<(), KmsError> {
    if !algorithm::encryption_algorithms(key.spec).contains(&algorithm) {
        return Err(wording::wrong_algorithm(algorithm.as_str(), key.spec));
    }
    if !key.spec.is_symmetric() && !context.is_empty() {
        return Err(KmsError::validation(
            "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.",
        ));
    }
    Ok(())
}

fn check_signing(key: &KeyRecord, algorithm: SigningAlgorithm) -> Result<(), KmsError> {
    if algorithm::signing_algorithms(key.spec).contains(&algorithm) {
        Ok(())
    } else {
        Err(wording::wrong_algorithm(algorithm.as_str(), key.spec))
    }
}

fn check_encapsulation(key: &KeyRecord, algorithm: EncapsulationAlgorithm) -> Result<(), KmsError> {
    if algorithm::encapsulation_algorithms(key.spec).contains(&algorithm) {
        Ok(())
    } else {
        Err(wording::wrong_algorithm(algorithm.as_str(), key.spec))
    }
}

fn signing_error(error: CryptoError) -> KmsError {
    match error {
        CryptoError::WrongDigestLength(algorithm) => {
            KmsError::validation(format!("Digest is invalid length for algorithm {algorithm}."))
        }
        CryptoError::WrongMessageType(message_type, spec) => KmsError::validation(format!(
            "Message type {message_type} is incompatible with key spec {spec}."
        )),
        other => KmsError::internal(other),
    }
}
