//! The CiphertextBlob of symmetric encryption: what it says without a key, and how it opens.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, now 1 |
//! | 5 | account, a big-endian number |
//! | 1 and n | Region: its length, 1 to 32, and its name |
//! | 1 and 16 | key id: 0 for a UUID, 1 for a multi-Region id; and its 32 hexadecimal digits |
//! | 32 | material id |
//! | 16 | N, random |
//! | 32 | commitment to the message key |
//! | m and 16 | ciphertext and tag |
//!
//! The first five rows are the header. It is authenticated, and the encryption context after it.
//! Anybody may read the header: Decrypt without a key id has to find the key before anything is proven.
//!
//! INVARIANT: one header has one form; what [`parse`] reads, sealing would write again byte for byte.
//! INVARIANT: no input makes anything here panic.

use crate::{
    CryptoError,
    derived::{OVERHEAD, Secret},
};
use keyward_types::{AccountId, Generator, KeyId, KeyName, MaterialId, Region};
use zeroize::Zeroizing;

/// Whose ciphertext a blob claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: KeyName,
    pub material: MaterialId,
}

/// Reads the header of a blob. What it says is proven only by decrypting.
///
/// # Errors
/// [`CryptoError::NotAuthentic`], whatever the reason.
pub fn parse(blob: &[u8]) -> Result<Header, CryptoError> {
    split(blob).and_then(|parts| parts.names()).ok_or(CryptoError::NotAuthentic)
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
    write_header(&mut blob, key, material)?;
    secret.seal(LABEL, &mut blob, context, plaintext, rng)?;
    Ok(blob)
}

pub(crate) fn open(
    secret: &Secret,
    context: &[u8],
    blob: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let parts = split(blob).ok_or(CryptoError::NotAuthentic)?;
    secret.open(LABEL, parts.header, context, parts.sealed)
}

const VERSION: u8 = 1;
const LABEL: &[u8] = b"keyward ciphertext AES-256-GCM";
const REGION_LEN_MAX: usize = 32;
const HEADER_LEN_MAX: usize = 1 + 5 + 1 + REGION_LEN_MAX + 1 + 16 + 32;

/// A blob cut at its borders; the pieces are not yet checked.
struct Parts<'a> {
    account: &'a [u8; 5],
    region: &'a [u8],
    multi_region: u8,
    key_id: &'a [u8; 16],
    material: &'a [u8; 32],
    header: &'a [u8],
    sealed: &'a [u8],
}

fn split(blob: &[u8]) -> Option<Parts<'_>> {
    let ([VERSION], rest) = blob.split_first_chunk::<1>()? else { return None };
    let (account, rest) = rest.split_first_chunk()?;
    let ([region_len], rest) = rest.split_first_chunk::<1>()?;
    let (region, rest) = rest.split_at_checked(usize::from(*region_len))?;
    let ([multi_region], rest) = rest.split_first_chunk::<1>()?;
    let (key_id, rest) = rest.split_first_chunk()?;
    let (material, sealed) = rest.split_first_chunk()?;
    if sealed.len() < OVERHEAD {
        return None;
    }
    let header = blob.get(..blob.len() - sealed.len())?;
    Some(Parts { account, region, multi_region: *multi_region, key_id, material, header, sealed })
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
    blob.push(VERSION);
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
