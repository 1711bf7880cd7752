//! The CiphertextBlob of symmetric encryption: what it says without a key, and how it opens.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 1 or 2 |
//! | 5 | account, a big-endian number |
//! | 1 and n | Region: its length, 1 to 32, and its name |
//! | 1 and 16 | key id: 0 for a UUID, 1 for a multi-Region id; and its 32 hexadecimal digits |
//! | 32 | material id |
//!
//! These rows are the header. It is authenticated, and the encryption context after it.
//! Anybody may read it: Decrypt without a key id has to find the key before anything is proven.
//! After it comes, in version 1:
//!
//! | bytes | what |
//! |---|---|
//! | 16 | N, random |
//! | 32 | commitment to the message key |
//! | m and 16 | ciphertext and tag |
//!
//! Version 2 is encrypted twice, because its key has a part in an external key store. These three rows are
//! the inner layer, which the external key manager encrypts as it stands, and what it answered is written:
//!
//! | bytes | what |
//! |---|---|
//! | 1 and 12 or 16 | initialization vector |
//! | 16 | authentication tag |
//! | 1 and 0 to 20 | metadata |
//! | the rest, 1 or more | ciphertext |
//!
//! The manager is handed the encryption context, by AWS's protocol as its own associated data; the outer
//! layer is authenticated by it and by nobody here.
//!
//! INVARIANT: one header has one form; what [`parse`] reads, sealing would write again byte for byte. So it
//! is with [`parse_external`] and [`write_external`].
//! INVARIANT: no input makes anything here panic.

use crate::{
    CryptoError,
    derived::{OVERHEAD, Secret},
};
use keyward_types::{AccountId, Generator, KeyId, KeyName, MaterialId, ProxySealed, Region};
use zeroize::Zeroizing;

/// Whose ciphertext a blob claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: KeyName,
    pub material: MaterialId,
}

/// Reads the header of a blob of any version. What it says is proven only by decrypting.
///
/// # Errors
/// [`CryptoError::NotAuthentic`], whatever the reason.
pub fn parse(blob: &[u8]) -> Result<Header, CryptoError> {
    let (parts, rest) = split(blob).ok_or(CryptoError::NotAuthentic)?;
    let whole = match parts.version {
        VERSION => OVERHEAD <= rest.len(),
        _ => split_external(rest).is_some(),
    };
    parts.names().filter(|_| whole).ok_or(CryptoError::NotAuthentic)
}

/// Reads a blob of version 2. What it says is proven only by decrypting.
///
/// # Errors
/// [`CryptoError::NotAuthentic`], whatever the reason, a blob of version 1 included.
pub fn parse_external(blob: &[u8]) -> Result<(Header, ProxySealed), CryptoError> {
    let (parts, rest) = split(blob).ok_or(CryptoError::NotAuthentic)?;
    let external = split_external(rest).filter(|_| parts.version == VERSION_EXTERNAL);
    parts.names().zip(external).ok_or(CryptoError::NotAuthentic)
}

/// Writes the blob of version 2 for an inner layer, made by [`crate::KeyMaterial::seal_inner`] for the same
/// names, of which an external key manager has made `external`; its ciphertext has at least one byte.
///
/// # Errors
/// [`CryptoError::BadName`] for names and parts that a blob cannot hold.
pub fn write_external(
    key: &KeyName,
    material: &MaterialId,
    external: &ProxySealed,
) -> Result<Vec<u8>, CryptoError> {
    let bad = CryptoError::BadName;
    let ProxySealed { initialization_vector, authentication_tag, metadata, ciphertext } = external;
    let iv_len = u8::try_from(initialization_vector.len())
        .ok()
        .filter(|len| IV_LENS.contains(len))
        .ok_or(bad("initialization vector has neither 12 nor 16 bytes"))?;
    let metadata_len = u8::try_from(metadata.len())
        .ok()
        .filter(|len| *len <= METADATA_LEN_MAX)
        .ok_or(bad("metadata is longer than 20 bytes"))?;
    if authentication_tag.len() != EXTERNAL_TAG_LEN {
        return Err(bad("authentication tag has not 16 bytes"));
    }
    if ciphertext.is_empty() {
        return Err(bad("ciphertext is empty"));
    }
    let mut blob = Vec::with_capacity(HEADER_LEN_MAX + EXTERNAL_LEN_MAX + ciphertext.len());
    write_header(&mut blob, VERSION_EXTERNAL, key, material)?;
    blob.push(iv_len);
    blob.extend_from_slice(initialization_vector);
    blob.extend_from_slice(authentication_tag);
    blob.push(metadata_len);
    blob.extend_from_slice(metadata);
    blob.extend_from_slice(ciphertext);
    Ok(blob)
}

pub(crate) fn seal(
    secret: &Secret,
    key: &KeyName,
    material: &MaterialId,
    context: &[u8],
    plaintext: &[u8],
    rng: &mut dyn Generator,
) -> Result<Vec<u8>, CryptoError> {
    let mut blob = Vec::with_capacity(HEADER_LEN_MAX + OVERHEAD + plaintext.len());
    write_header(&mut blob, VERSION, key, material)?;
    secret.seal(LABEL, &mut blob, context, plaintext, rng)?;
    Ok(blob)
}

pub(crate) fn open(
    secret: &Secret,
    context: &[u8],
    blob: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let (parts, sealed) = split(blob)
        .filter(|(parts, _)| parts.version == VERSION)
        .ok_or(CryptoError::NotAuthentic)?;
    secret.open(LABEL, parts.header, context, sealed)
}

/// The inner layer of version 2, under the header of the blob that it will be in.
pub(crate) fn seal_inner(
    secret: &Secret,
    key: &KeyName,
    material: &MaterialId,
    context: &[u8],
    plaintext: &[u8],
    rng: &mut dyn Generator,
) -> Result<Vec<u8>, CryptoError> {
    let mut sealed = Vec::with_capacity(HEADER_LEN_MAX + OVERHEAD + plaintext.len());
    write_header(&mut sealed, VERSION_EXTERNAL, key, material)?;
    let header_len = sealed.len();
    secret.seal(LABEL_INNER, &mut sealed, context, plaintext, rng)?;
    Ok(sealed.split_off(header_len))
}

pub(crate) fn open_inner(
    secret: &Secret,
    key: &KeyName,
    material: &MaterialId,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut header = Vec::with_capacity(HEADER_LEN_MAX);
    write_header(&mut header, VERSION_EXTERNAL, key, material)
        .map_err(|_| CryptoError::NotAuthentic)?;
    secret.open(LABEL_INNER, &header, context, sealed)
}

const VERSION: u8 = 1;
const VERSION_EXTERNAL: u8 = 2;
const LABEL: &[u8] = b"keyward ciphertext AES-256-GCM";
const LABEL_INNER: &[u8] = b"keyward inner ciphertext AES-256-GCM";
const IV_LENS: [u8; 2] = [12, 16];
const EXTERNAL_TAG_LEN: usize = 16;
const METADATA_LEN_MAX: u8 = 20;
/// Bytes beside the ciphertext that an external key manager may add.
const EXTERNAL_LEN_MAX: usize = 1 + 16 + EXTERNAL_TAG_LEN + 1 + 20;
const REGION_LEN_MAX: usize = 32;
const HEADER_LEN_MAX: usize = 1 + 5 + 1 + REGION_LEN_MAX + 1 + 16 + 32;

/// A header cut at its borders; the pieces are not yet checked.
struct Parts<'a> {
    version: u8,
    account: &'a [u8; 5],
    region: &'a [u8],
    multi_region: u8,
    key_id: &'a [u8; 16],
    material: &'a [u8; 32],
    header: &'a [u8],
}

/// The header, and what follows it.
fn split(blob: &[u8]) -> Option<(Parts<'_>, &[u8])> {
    let ([version @ (VERSION | VERSION_EXTERNAL)], rest) = blob.split_first_chunk::<1>()? else {
        return None;
    };
    let (account, rest) = rest.split_first_chunk()?;
    let ([region_len], rest) = rest.split_first_chunk::<1>()?;
    let (region, rest) = rest.split_at_checked(usize::from(*region_len))?;
    let ([multi_region], rest) = rest.split_first_chunk::<1>()?;
    let (key_id, rest) = rest.split_first_chunk()?;
    let (material, rest) = rest.split_first_chunk()?;
    let header = blob.get(..blob.len() - rest.len())?;
    let (version, multi_region) = (*version, *multi_region);
    Some((Parts { version, account, region, multi_region, key_id, material, header }, rest))
}

/// What follows the header of version 2.
fn split_external(rest: &[u8]) -> Option<ProxySealed> {
    let ([iv_len], rest) = rest.split_first_chunk::<1>()?;
    let (initialization_vector, rest) =
        rest.split_at_checked(usize::from(*iv_len)).filter(|_| IV_LENS.contains(iv_len))?;
    let (authentication_tag, rest) = rest.split_first_chunk::<EXTERNAL_TAG_LEN>()?;
    let ([metadata_len], rest) = rest.split_first_chunk::<1>()?;
    let (metadata, ciphertext) = rest
        .split_at_checked(usize::from(*metadata_len))
        .filter(|(_, ciphertext)| *metadata_len <= METADATA_LEN_MAX && !ciphertext.is_empty())?;
    Some(ProxySealed {
        initialization_vector: initialization_vector.to_vec(),
        authentication_tag: authentication_tag.to_vec(),
        metadata: metadata.to_vec(),
        ciphertext: ciphertext.to_vec(),
    })
}

impl Parts<'_> {
    fn names(&self) -> Option<Header> {
        let number = self.account.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let account = AccountId::parse(&format!("{number:012}"))?;
        let region =
            core::str::from_utf8(self.region).ok().filter(|text| text.len() <= REGION_LEN_MAX)?;
        let digits = hex::encode(self.key_id);
        let key_id = match self.multi_region {
            0 => KeyId::parse(&uuid_form(&digits)?)?,
            1 => KeyId::parse(&format!("mrk-{digits}"))?,
            _ => return None,
        };
        let key = KeyName { account, region: Region::parse(region)?, key_id };
        Some(Header { key, material: MaterialId(hex::encode(self.material)) })
    }
}

fn write_header(
    blob: &mut Vec<u8>,
    version: u8,
    key: &KeyName,
    material: &MaterialId,
) -> Result<(), CryptoError> {
    let bad = CryptoError::BadName;
    let account: u64 = key.account.as_str().parse().map_err(|_| bad("account is not a number"))?;
    let [0, 0, 0, account @ ..] = account.to_be_bytes() else {
        return Err(bad("account has more than twelve digits"));
    };
    let region = key.region.as_str();
    let region_len =
        u8::try_from(region.len()).ok().filter(|len| usize::from(*len) <= REGION_LEN_MAX);
    let region_len = region_len.ok_or(bad("region is longer than 32 characters"))?;
    let (multi_region, digits) = match key.key_id.as_str().strip_prefix("mrk-") {
        Some(digits) => (1, digits.to_owned()),
        None => (0, key.key_id.as_str().replace('-', "")),
    };
    blob.push(version);
    blob.extend_from_slice(&account);
    blob.push(region_len);
    blob.extend_from_slice(region.as_bytes());
    blob.push(multi_region);
    blob.extend_from_slice(
        &digits_of::<16>(&digits).ok_or(bad("key id is not 32 hexadecimal digits"))?,
    );
    blob.extend_from_slice(
        &digits_of::<32>(&material.0).ok_or(bad("material id is not 64 hexadecimal digits"))?,
    );
    Ok(())
}

/// Exactly `N` bytes from lower-case hexadecimal digits.
fn digits_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    text.bytes().all(|b| !b.is_ascii_uppercase()).then_some(bytes)
}

/// 32 hexadecimal digits as `8-4-4-4-12`.
fn uuid_form(digits: &str) -> Option<String> {
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    let groups: Option<Vec<&str>> = groups.into_iter().map(|range| digits.get(range)).collect();
    Some(groups?.join("-"))
}
