//! How the private and public keys of ML-DSA and ML-KEM are written down, and the private ones of Ed25519.
//!
//! A private key of the lattices has three forms: the seed from which everything is made, the expanded key
//! that FIPS 203 and 204 describe, or both. Keys made here have the seed alone; all three are read.
//! Whether the parts of one key belong together is not known here.
//!
//! INVARIANT: a secret is borrowed from what was handed in, and copied into what is wiped; the readers of
//! the crates behind this leave copies.
//! Source: RFC 9881 sections 4 and 6 (ML-DSA), RFC 9935 sections 4 and 6 (ML-KEM); RFC 5958; RFC 8410.

use p256::pkcs8::{
    ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef,
    der::{
        Decode as _, Reader as _, SliceReader, Tag, TagNumber,
        asn1::{ContextSpecific, OctetStringRef},
    },
};
use zeroize::Zeroizing;

/// A private key cut at its borders; the lengths are not yet checked.
pub(crate) struct PrivateKey<'a> {
    pub(crate) form: Form<'a>,
    /// The raw public key that RFC 5958 lets a private one carry.
    pub(crate) public: Option<&'a [u8]>,
}

pub(crate) enum Form<'a> {
    /// `[0] IMPLICIT OCTET STRING`.
    Seed(&'a [u8]),
    /// `OCTET STRING`, which is also the one form of Ed25519.
    Expanded(&'a [u8]),
    /// `SEQUENCE` of two `OCTET STRING`s.
    Both { seed: &'a [u8], expanded: &'a [u8] },
}

impl PrivateKey<'_> {
    /// Whether the public key that it carries, if any, is the one in this SubjectPublicKeyInfo.
    pub(crate) fn agrees_with(&self, oid: ObjectIdentifier, der: &[u8]) -> bool {
        self.public.is_none_or(|public| Some(public) == public_key(oid, der))
    }
}

/// `None` for what is no PKCS#8 of this algorithm.
pub(crate) fn private_key(oid: ObjectIdentifier, pkcs8: &[u8]) -> Option<PrivateKey<'_>> {
    let info = PrivateKeyInfoRef::try_from(pkcs8).ok()?;
    if info.algorithm.oid != oid || info.algorithm.parameters.is_some() {
        return None;
    }
    let mut reader = SliceReader::new(info.private_key.as_bytes()).ok()?;
    let form = match Tag::peek(&reader).ok()? {
        Tag::OctetString => Form::Expanded(<&OctetStringRef>::decode(&mut reader).ok()?.as_bytes()),
        Tag::Sequence => {
            let both = reader.sequence(|reader| {
                let seed = <&OctetStringRef>::decode(reader)?.as_bytes();
                let expanded = <&OctetStringRef>::decode(reader)?.as_bytes();
                Ok::<_, p256::pkcs8::der::Error>(Form::Both { seed, expanded })
            });
            both.ok()?
        }
        _ => {
            let seed =
                ContextSpecific::<&OctetStringRef>::decode_implicit(&mut reader, TagNumber(0));
            Form::Seed(seed.ok()??.value.as_bytes())
        }
    };
    reader.finish().ok()?;
    let public = match info.public_key {
        Some(bits) => Some(bits.as_bytes()?),
        None => None,
    };
    Some(PrivateKey { form, public })
}

/// The PKCS#8 of a seed. Its lengths are written in one byte each, which seeds of 32 and 64 bytes and the
/// names of nine bytes that NIST gave these algorithms leave room for.
pub(crate) fn seed_form(oid: ObjectIdentifier, seed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let name = oid.as_bytes();
    let (name_len, len) = (u8::try_from(name.len()).ok()?, u8::try_from(seed.len()).ok()?);
    let total = len.checked_add(11)?.checked_add(name_len)?;
    if 0x80 <= total {
        return None;
    }
    let mut der = Zeroizing::new(Vec::with_capacity(usize::from(total) + 2));
    // SEQUENCE of version 0, the algorithm, and an OCTET STRING around [0] IMPLICIT OCTET STRING.
    der.extend_from_slice(&[0x30, total, 0x02, 1, 0, 0x30, name_len + 2, 0x06, name_len]);
    der.extend_from_slice(name);
    der.extend_from_slice(&[0x04, len + 2, 0x80, len]);
    der.extend_from_slice(seed);
    Some(der)
}

/// The raw public key in a SubjectPublicKeyInfo of this algorithm.
pub(crate) fn public_key(oid: ObjectIdentifier, der: &[u8]) -> Option<&[u8]> {
    let info = SubjectPublicKeyInfoRef::try_from(der).ok()?;
    if info.algorithm.oid != oid || info.algorithm.parameters.is_some() {
        return None;
    }
    info.subject_public_key.as_bytes()
}
