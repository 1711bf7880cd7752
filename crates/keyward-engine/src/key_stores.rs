//! External key stores: how their keys encrypt and decrypt, and what a proxy's failure means to a client.
//!
//! A plaintext is sealed twice: under the KMS key's own material, and then by the external key. Neither
//! layer opens without the other, so that a proxy never sees a plaintext and we never open without it.
//! How a proxy is reached is not known here; it is asked through a port.
//!
//! INVARIANT: a proxy is asked only from an operation that was authorized, and never before.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/keystore-external.html>,
//! External Key Store Proxy API Specification v1, "Error codes".

use crate::{call::Call, wording};
use keyward_crypto::{CryptoError, ciphertext};
use keyward_types::{
    Blob, ConnectionErrorCode, ConnectionState, EncryptionContext, ErrorCode, KeyInStore,
    KeyRecord, KeyStoreProxy, KeyStoreRecord, KmsError, MaterialId, Name, ProxyFailure, ProxyKey,
    ProxyRequest, ProxySealed, XksProxy,
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes that a proxy takes as associated data.
const ASSOCIATED_BYTES_MAX: usize = 8_192;

impl Call<'_> {
    /// A custom key store of the caller's account and Region. The commit rests on it.
    pub(crate) fn key_store(&mut self, id: &str) -> Result<Arc<KeyStoreRecord>, KmsError> {
        let caller = self.caller();
        let (account, region) = (caller.account.clone(), caller.origin.region.clone());
        self.rest_on(Name::KeyStore(account.clone(), region.clone(), id.to_owned()));
        let found = self.store().key_store(&account, &region, id).map_err(KmsError::internal)?;
        found.ok_or_else(|| wording::no_such_key_store(id))
    }

    /// Whether a new KMS key may take an external key: its store is connected, the key is an enabled
    /// AES-256 key that encrypts and decrypts, and no other KMS key has it.
    pub(crate) fn check_external_key(&mut self, place: &KeyInStore) -> Result<(), KmsError> {
        let store = self.key_store(&place.store)?;
        if store.state != ConnectionState::Connected {
            return Err(KmsError::new(ErrorCode::CustomKeyStoreInvalidState, NOT_CONNECTED));
        }
        let KeyStoreRecord { account, region, .. } = &*store;
        self.rest_on(Name::KeyStores(account.clone(), region.clone()));
        let taken =
            self.store().key_in_store(account, region, place).map_err(KmsError::internal)?;
        if taken.is_some() {
            return Err(KmsError::new(
                ErrorCode::XksKeyAlreadyInUse,
                format!(
                    "The external key {} is already associated with a KMS key in this external key store.",
                    place.external_key
                ),
            ));
        }
        let engine = self.engine();
        let told = self.with_request(None, |request| {
            engine.world.proxies.metadata(&store.proxy, &place.external_key, request)
        });
        let key = told.map_err(for_new_key)?;
        let wrong = |what: &str| Err(KmsError::new(ErrorCode::XksKeyInvalidConfiguration, what));
        if !key.enabled {
            return wrong(words(ProxyFailure::InvalidState));
        }
        if !key.is_aes_256 || !key.encrypts || !key.decrypts {
            return wrong(
                "The external key must be a 256-bit AES key that supports encryption and decryption.",
            );
        }
        Ok(())
    }

    pub(crate) fn encrypt_in_store(
        &mut self,
        n: usize,
        place: &KeyInStore,
        plaintext: &Blob,
        context: &EncryptionContext,
    ) -> Result<Blob, KmsError> {
        let key = Arc::clone(self.key_at(n)?);
        self.note_store(place);
        let (id, material) = self.material_at(n)?;
        let associated = associated(context)?;
        let inner = material
            .seal_inner(&key.name, &id, &associated, &plaintext.0, self.generator())
            .map_err(KmsError::internal)?;
        let store = self.store_of(&key, place)?;
        let engine = self.engine();
        let sealed = self.with_request(Some(&key.name.to_string()), |request| {
            let proxies = &engine.world.proxies;
            proxies.encrypt(&store.proxy, &place.external_key, request, &associated, &inner)
        });
        ciphertext::write_external(&key.name, &id, &sealed.map_err(for_cryptography)?)
            .map(Blob)
            .map_err(KmsError::internal)
    }

    /// Opens both layers. The material is the one that the blob names.
    pub(crate) fn decrypt_in_store(
        &mut self,
        n: usize,
        place: &KeyInStore,
        id: &MaterialId,
        blob: &Blob,
        context: &EncryptionContext,
    ) -> Result<Blob, KmsError> {
        let key = Arc::clone(self.key_at(n)?);
        self.note_store(place);
        let invalid = |_: CryptoError| KmsError::bare(ErrorCode::InvalidCiphertext);
        let (_, sealed) = ciphertext::parse_external(&blob.0).map_err(invalid)?;
        let material = self.material_named(n, id)?;
        let associated = associated(context)?;
        let store = self.store_of(&key, place)?;
        let engine = self.engine();
        let inner = self.with_request(Some(&key.name.to_string()), |request| {
            let proxies = &engine.world.proxies;
            proxies.decrypt(&store.proxy, &place.external_key, request, &associated, &sealed)
        });
        let inner = inner.map_err(for_cryptography)?;
        let plaintext = material.open_inner(&key.name, id, &associated, &inner).map_err(invalid)?;
        Ok(Blob(plaintext.to_vec()))
    }

    /// Says in the event where the key is kept. A request with two keys has no names for two places.
    fn note_store(&mut self, place: &KeyInStore) {
        if self.key_at(1).is_err() {
            self.note("customKeyStoreId", place.store.as_str());
            self.note("xksKeyId", place.external_key.as_str());
        }
    }

    /// The store of a key, which may be another account's.
    fn store_of(
        &mut self,
        key: &KeyRecord,
        place: &KeyInStore,
    ) -> Result<Arc<KeyStoreRecord>, KmsError> {
        let name = &key.name;
        let found = self.store().key_store(&name.account, &name.region, &place.store);
        found
            .map_err(KmsError::internal)?
            .filter(|store| store.state == ConnectionState::Connected)
            .ok_or_else(|| KmsError::new(ErrorCode::InvalidState, NOT_CONNECTED))
    }

    /// Asks a proxy on behalf of this call.
    pub(crate) fn with_request<T>(
        &self,
        key_arn: Option<&str>,
        ask: impl FnOnce(&ProxyRequest<'_>) -> T,
    ) -> T {
        let caller = self.caller();
        let stated = |name: &str| caller.origin.trusted_facts.get(name).map(String::as_str);
        ask(&ProxyRequest {
            region: &caller.origin.region,
            operation: self.operation(),
            request_id: caller.origin.request_id,
            principal_arn: &caller.principal_arn,
            key_arn,
            source_vpc: stated("aws:sourcevpc"),
            source_vpce: stated("aws:sourcevpce"),
            via_service: stated("kms:viaservice"),
        })
    }
}

/// The encryption context as a proxy authenticates it.
fn associated(context: &EncryptionContext) -> Result<Vec<u8>, KmsError> {
    let bytes = context.canonical();
    if ASSOCIATED_BYTES_MAX < bytes.len() {
        return Err(KmsError::validation(format!(
            "The encryption context of a key in an external key store may have at most {ASSOCIATED_BYTES_MAX} bytes"
        )));
    }
    Ok(bytes)
}

const NOT_CONNECTED: &str = "This KMS key is in a custom key store that is not connected to its external key store proxy. Connect the external key store and try the request again.";

/// What a client hears of a failure, whatever the operation.
pub(crate) const fn words(failure: ProxyFailure) -> &'static str {
    match failure {
        ProxyFailure::Validation | ProxyFailure::Malformed => {
            "AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, report it to your external key store proxy administrator."
        }
        ProxyFailure::InvalidState => {
            "The external key associated with this KMS key in an external key store is not enabled in the external key manager. Enable the external key in the external key manager and retry the request."
        }
        ProxyFailure::InvalidCiphertext => {
            "The external key store proxy rejected the request because the specified ciphertext or encryption context is corrupted, missing, or otherwise invalid."
        }
        ProxyFailure::InvalidKeyUsage => {
            "The external key associated with this KMS key in an external key store does not support the requested operation. Enable the operation on the key in your external key manager, and try the request again."
        }
        ProxyFailure::AuthenticationFailed => {
            "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the XKS proxy authentication credentials for your external key store and update if necessary."
        }
        ProxyFailure::AccessDenied => {
            "The external key store proxy denied access to the operation. Verify that the user and the external key are both authorized for this operation, and try the request again."
        }
        ProxyFailure::KeyNotFound => {
            "The external key associated with this KMS key in an external key store was not found in its external key manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key with the correct external key ID."
        }
        ProxyFailure::InvalidUriPath => {
            "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for your external key store and update if necessary."
        }
        ProxyFailure::Throttling => {
            "The external key store proxy rejected the request due to a very high request rate. Reduce the frequency of your calls using KMS keys in this external key store."
        }
        ProxyFailure::UnsupportedOperation => {
            "The external key store proxy rejected the request because it does not support the requested operation. If you see this error repeatedly, report it to your external key store proxy administrator."
        }
        ProxyFailure::DependencyTimeout => {
            "The external key store proxy did not respond to the request in the time allotted. Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator."
        }
        ProxyFailure::Internal => {
            "The external key store proxy rejected the request because it cannot communicate with the external key manager. Verify that the external key store proxy configuration is correct and that the external key manager is available."
        }
        ProxyFailure::Unreachable => {
            "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. If you see this error repeatedly, verify that your external key store proxy is active and is connected to the network, and that its endpoint URI is correct in your external key store."
        }
        ProxyFailure::Tls => {
            "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, including its certificate."
        }
        ProxyFailure::TimedOut => {
            "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator."
        }
    }
}

fn for_cryptography(failure: ProxyFailure) -> KmsError {
    KmsError::new(ErrorCode::InvalidState, words(failure))
}

fn for_new_key(failure: ProxyFailure) -> KmsError {
    let code = match failure {
        ProxyFailure::InvalidState
        | ProxyFailure::InvalidKeyUsage
        | ProxyFailure::UnsupportedOperation => ErrorCode::XksKeyInvalidConfiguration,
        ProxyFailure::KeyNotFound => ErrorCode::XksKeyNotFound,
        ProxyFailure::AccessDenied => ErrorCode::InvalidState,
        _ => ErrorCode::CustomKeyStoreInvalidState,
    };
    KmsError::new(code, words(failure))
}

/// What CreateCustomKeyStore and UpdateCustomKeyStore answer.
pub(crate) fn for_store(failure: ProxyFailure) -> KmsError {
    let code = match failure {
        ProxyFailure::AuthenticationFailed => ErrorCode::XksProxyIncorrectAuthenticationCredential,
        ProxyFailure::InvalidUriPath | ProxyFailure::AccessDenied => {
            ErrorCode::XksProxyInvalidConfiguration
        }
        ProxyFailure::DependencyTimeout
        | ProxyFailure::Throttling
        | ProxyFailure::Unreachable
        | ProxyFailure::Tls
        | ProxyFailure::TimedOut => ErrorCode::XksProxyUriUnreachable,
        _ => ErrorCode::XksProxyInvalidResponse,
    };
    KmsError::new(code, words(failure))
}

/// How DescribeCustomKeyStores names what kept a connection from being made.
pub(crate) const fn connection_error(failure: ProxyFailure) -> ConnectionErrorCode {
    match failure {
        ProxyFailure::AuthenticationFailed | ProxyFailure::AccessDenied => {
            ConnectionErrorCode::XksProxyAccessDenied
        }
        ProxyFailure::InvalidUriPath => ConnectionErrorCode::XksProxyInvalidConfiguration,
        ProxyFailure::Unreachable | ProxyFailure::Throttling => {
            ConnectionErrorCode::XksProxyNotReachable
        }
        ProxyFailure::Tls => ConnectionErrorCode::XksProxyInvalidTlsConfiguration,
        ProxyFailure::TimedOut | ProxyFailure::DependencyTimeout => {
            ConnectionErrorCode::XksProxyTimedOut
        }
        _ => ConnectionErrorCode::XksProxyInvalidResponse,
    }
}

/// A service that reaches no proxy at all.
pub struct NoProxies;

impl KeyStoreProxy for NoProxies {
    fn health(&self, _: &XksProxy, _: &ProxyRequest<'_>) -> Result<(), ProxyFailure> {
        Err(ProxyFailure::Unreachable)
    }

    fn metadata(
        &self,
        _: &XksProxy,
        _: &str,
        _: &ProxyRequest<'_>,
    ) -> Result<ProxyKey, ProxyFailure> {
        Err(ProxyFailure::Unreachable)
    }

    fn encrypt(
        &self,
        _: &XksProxy,
        _: &str,
        _: &ProxyRequest<'_>,
        _: &[u8],
        _: &[u8],
    ) -> Result<ProxySealed, ProxyFailure> {
        Err(ProxyFailure::Unreachable)
    }

    fn decrypt(
        &self,
        _: &XksProxy,
        _: &str,
        _: &ProxyRequest<'_>,
        _: &[u8],
        _: &ProxySealed,
    ) -> Result<Zeroizing<Vec<u8>>, ProxyFailure> {
        Err(ProxyFailure::Unreachable)
    }
}
