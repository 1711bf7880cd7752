//! An external key store proxy that lives in the test's own memory: it answers at once, the same to the same.
//!
//! It is no cryptography: it masks bytes and sums them, so that what was sealed opens again, and nothing
//! else does.

use keyward_types::{KeyStoreProxy, ProxyFailure, ProxyKey, ProxyRequest, ProxySealed, XksProxy};
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// Answers for every external key but [`StubProxy::ABSENT`].
#[derive(Default)]
pub struct StubProxy {
    unreachable: AtomicBool,
}

impl StubProxy {
    /// The id of an external key that is not there.
    pub const ABSENT: &str = "absent";

    pub fn new() -> Self {
        Self::default()
    }

    /// From now on nothing answers, or it does again.
    pub fn set_reachable(&self, reachable: bool) {
        self.unreachable.store(!reachable, Ordering::SeqCst);
    }

    fn reach(&self) -> Result<(), ProxyFailure> {
        if self.unreachable.load(Ordering::SeqCst) {
            Err(ProxyFailure::Unreachable)
        } else {
            Ok(())
        }
    }

    fn reach_key(&self, external_key: &str) -> Result<(), ProxyFailure> {
        self.reach()?;
        if external_key == Self::ABSENT { Err(ProxyFailure::KeyNotFound) } else { Ok(()) }
    }
}

/// Sums the parts, each with its length, to 16 bytes. FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn sum(parts: &[&[u8]]) -> [u8; 16] {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    let step = |sum: u128, byte: &u8| (sum ^ u128::from(*byte)).wrapping_mul(PRIME);
    let one = |sum: u128, part: &&[u8]| {
        let len = part.len().to_be_bytes();
        len.iter().chain(part.iter()).fold(sum, step)
    };
    parts.iter().fold(BASIS, one).to_be_bytes()
}

fn masked(external_key: &str, bytes: &[u8]) -> Vec<u8> {
    let mask = sum(&[external_key.as_bytes()]);
    bytes.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}

impl KeyStoreProxy for StubProxy {
    fn health(&self, _: &XksProxy, _: &ProxyRequest<'_>) -> Result<(), ProxyFailure> {
        self.reach()
    }

    fn metadata(
        &self,
        _: &XksProxy,
        external_key: &str,
        _: &ProxyRequest<'_>,
    ) -> Result<ProxyKey, ProxyFailure> {
        self.reach_key(external_key)?;
        Ok(ProxyKey { is_aes_256: true, encrypts: true, decrypts: true, enabled: true })
    }

    fn encrypt(
        &self,
        _: &XksProxy,
        external_key: &str,
        _: &ProxyRequest<'_>,
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<ProxySealed, ProxyFailure> {
        self.reach_key(external_key)?;
        Ok(ProxySealed {
            initialization_vector: vec![0; 12],
            authentication_tag: sum(&[external_key.as_bytes(), associated, plaintext]).to_vec(),
            metadata: Vec::new(),
            ciphertext: masked(external_key, plaintext),
        })
    }

    fn decrypt(
        &self,
        _: &XksProxy,
        external_key: &str,
        _: &ProxyRequest<'_>,
        associated: &[u8],
        sealed: &ProxySealed,
    ) -> Result<Zeroizing<Vec<u8>>, ProxyFailure> {
        self.reach_key(external_key)?;
        let plaintext = Zeroizing::new(masked(external_key, &sealed.ciphertext));
        let tag = sum(&[external_key.as_bytes(), associated, &plaintext]);
        if tag.as_slice() == sealed.authentication_tag {
            Ok(plaintext)
        } else {
            Err(ProxyFailure::InvalidCiphertext)
        }
    }
}
