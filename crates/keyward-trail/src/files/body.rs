//! The bytes of the files: records as they stand in the log, gzip around them, and their digest.

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read as _, Write as _};

/// Bytes of records in one log file at which it ends, whatever the time.
pub const RECORDS_BYTES_MAX: usize = 32 << 20;

/// More than any file that is written here unpacks to: what a stranger put there does not fill the memory.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// The content of a log file, before gzip.
pub fn log_body<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut body = b"{\"Records\":[".to_vec();
    for (i, record) in records.into_iter().enumerate() {
        if 0 < i {
            body.push(b',');
        }
        body.extend_from_slice(record);
    }
    body.extend_from_slice(b"]}");
    body
}

/// Without a time or a name in its header: the same bytes give the same bytes.
///
/// # Errors
/// None that memory does not explain.
pub fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Why bytes are no file of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadGzip {
    NotGzip,
    /// Something stands behind the end of the compressed stream.
    Trailing,
    TooLarge,
}

/// # Errors
/// When it is not exactly one gzip stream of a size that can be.
pub fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, BadGzip> {
    let mut decoder = GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1);
    let mut unpacked = Vec::new();
    decoder.read_to_end(&mut unpacked).map_err(|_| BadGzip::NotGzip)?;
    if UNPACKED_BYTES_MAX < unpacked.len() as u64 {
        return Err(BadGzip::TooLarge);
    }
    if decoder.into_inner().into_inner().is_empty() { Ok(unpacked) } else { Err(BadGzip::Trailing) }
}

/// In lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The last part of a log file's name: sixteen letters and digits that follow from its content.
pub fn unique(body: &[u8]) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digest = Sha256::digest(body);
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied();
    digest.iter().filter_map(letter).take(16).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_whole_stream_and_nothing_behind_it() {
        let packed = gzip(b"text").unwrap();
        assert_eq!(gzip(b"text").unwrap(), packed);
        assert_eq!(gunzip(&packed).as_deref(), Ok(b"text".as_slice()));
        assert_eq!(gunzip(&[packed.as_slice(), b"x"].concat()), Err(BadGzip::Trailing));
        assert_eq!(gunzip(&[packed.clone(), packed.clone()].concat()), Err(BadGzip::Trailing));
        assert_eq!(gunzip(&packed[..packed.len() - 1]), Err(BadGzip::NotGzip));
        assert_eq!(gunzip(b"{}"), Err(BadGzip::NotGzip));
    }

    #[test]
    fn records_keep_their_bytes() {
        assert_eq!(log_body([]), br#"{"Records":[]}"#);
        assert_eq!(log_body([br#"{"b":1}"#.as_slice(), b"{ }"]), br#"{"Records":[{"b":1},{ }]}"#);
    }
}
