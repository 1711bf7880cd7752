//! What a `Call` does with key material: encrypt, decrypt, sign, verify, and make new material.
//!
//! The checks that stand between a request and a primitive are here once, for every operation that
//! shares them, in the order in which AWS makes them: algorithm against spec, then sizes.
//!
//! INVARIANT: a decryption that fails says `InvalidCiphertextException` without a word, whatever failed.

use crate::{call::Call, wording};
use keyward_crypto::{
    CryptoError, EncryptionAlgorithm, KeyMaterial, MessageType, PublicKey, SigningAlgorithm,
    algorithm,
};
use keyward_types::{
    Blob, EncryptionContext, ErrorCode, KeyName, KeyRecord, KeySpec, KmsError, MaterialId,
    MaterialRecord, Record,
    key::{DekRecord, MaterialInfo},
};
use std::sync::Arc;

/// A plaintext, and the material that opened it (symmetric keys only).
pub(crate) struct Opened {
    pub(crate) plaintext: Blob,
    pub(crate) material: Option<String>,
}

impl Call<'_> {
    /// Encrypts under the n-th key, and notes the material in the event.
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
        if !key.materials.iter().any(|known| known.id == *id) {
            return Err(KmsError::bare(ErrorCode::InvalidCiphertext));
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

    fn public_key(&self, key: &KeyRecord) -> Result<PublicKey, KmsError> {
        let der = key
            .public_key
            .as_deref()
            .ok_or_else(|| KmsError::internal("the key has no public half"))?;
        PublicKey::from_der(self.engine().world.provider, key.spec, der).map_err(KmsError::internal)
    }

    /// Makes material for a key: for a new key with its own data-encryption key, else under the one it has.
    /// Proposes the records, and says what the key's record should now hold.
    pub(crate) fn new_material(
        &mut self,
        name: &KeyName,
        spec: KeySpec,
        new_key: bool,
    ) -> Result<(MaterialInfo, Option<Vec<u8>>), KmsError> {
        let (engine, text) = (self.engine(), name.to_string());
        let world = &engine.world;
        let unsupported = |error: CryptoError| match error {
            CryptoError::Unsupported(spec) => wording::unsupported_spec(spec),
            other => KmsError::internal(other),
        };
        let material = match self.preset.material.take() {
            Some(bytes) => KeyMaterial::import(world.provider, spec, bytes).map_err(|_| {
                KmsError::validation(format!("The material is not that of a {spec} key"))
            })?,
            None => KeyMaterial::generate(world.provider, spec, self.generator())
                .map_err(unsupported)?,
        };
        let dek = if new_key {
            let (dek, wrapped) =
                world.keyring.new_dek(&text, self.generator()).map_err(KmsError::internal)?;
            self.put(Record::Dek(DekRecord { key: name.clone(), wrapped }));
            dek
        } else {
            let stored = world.store.dek(name).map_err(KmsError::internal)?;
            let stored = stored
                .ok_or_else(|| KmsError::internal("the key's data-encryption key is missing"))?;
            world.keyring.open_dek(&text, &stored.wrapped).map_err(KmsError::internal)?
        };
        let id = MaterialId(hex::encode(self.random::<32>()));
        let wrapped =
            material.wrap(&dek, &text, &id.0, self.generator()).map_err(KmsError::internal)?;
        self.put(Record::Material(MaterialRecord { key: name.clone(), id: id.clone(), wrapped }));
        Ok((MaterialInfo::made(id, self.now()), material.public_key_der()))
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
