//! Signing keys that were derived already: four HMACs saved on each request.
//!
//! INVARIANT: a cached key is used only for the scope and the very secret it was derived from, so a
//! secret that was changed misses.
//! INVARIANT: only a request that verified puts a key here, so strangers cannot fill it.

use keyward_sigv4::{Presented, Request, SignatureError, SigningKey, derive_signing_key};
use quick_cache::sync::Cache;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Each holds 32 bytes of key, a secret and a scope: about 250 bytes.
const KEYS_CACHED: usize = 4_096;

pub(super) struct SigningKeys {
    /// By a hash that may collide: what is found is compared before it is used.
    derived: Cache<u64, Arc<Derived>>,
}

struct Derived {
    secret: Zeroizing<String>,
    key: SigningKey,
}

impl SigningKeys {
    pub(super) fn new() -> Self {
        Self { derived: Cache::new(KEYS_CACHED) }
    }

    pub(super) fn verify(
        &self,
        presented: &Presented<'_>,
        request: &Request<'_>,
        secret: &str,
    ) -> Result<(), SignatureError> {
        let Presented { access_key_id, date, region, service, .. } = presented;
        let mut hasher = DefaultHasher::new();
        (access_key_id, date, region, service).hash(&mut hasher);
        let place = hasher.finish();
        let fits = |derived: &Arc<Derived>| {
            bool::from(derived.secret.as_bytes().ct_eq(secret.as_bytes()))
                && derived.key.is_for(date, region, service)
        };
        if let Some(derived) = self.derived.get(&place).filter(fits) {
            return presented.verify(request, secret, Some(&derived.key));
        }
        let key = derive_signing_key(secret, date, region, service);
        presented.verify(request, secret, Some(&key))?;
        self.derived
            .insert(place, Arc::new(Derived { secret: Zeroizing::new(secret.to_owned()), key }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_sigv4::{Credentials, Scope, present, sign};

    const NOW: i64 = 1_767_225_600;

    fn outcome(keys: &SigningKeys, signed_with: &str, stored: &str) -> Result<(), SignatureError> {
        let mut headers = vec![("host", "localhost")];
        let request =
            Request { method: "POST", path: "/", query: "", headers: &headers, body: b"{}" };
        let credentials = Credentials {
            access_key_id: "AKIA",
            secret_access_key: signed_with,
            session_token: None,
        };
        let added =
            sign(&request, &credentials, &Scope { region: "us-east-1", service: "kms" }, NOW);
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        let request =
            Request { method: "POST", path: "/", query: "", headers: &headers, body: b"{}" };
        keys.verify(&present(&request).unwrap(), &request, stored)
    }

    #[test]
    fn a_changed_secret_misses() {
        let keys = SigningKeys::new();
        assert_eq!(outcome(&keys, "old", "new"), Err(SignatureError::Mismatch));
        assert_eq!(keys.derived.len(), 0);
        assert_eq!(outcome(&keys, "old", "old"), Ok(()));
        assert_eq!(keys.derived.len(), 1);
        assert_eq!(outcome(&keys, "old", "old"), Ok(()));
        assert_eq!(outcome(&keys, "old", "new"), Err(SignatureError::Mismatch));
        assert_eq!(outcome(&keys, "new", "new"), Ok(()));
        assert_eq!(outcome(&keys, "old", "new"), Err(SignatureError::Mismatch));
    }
}
