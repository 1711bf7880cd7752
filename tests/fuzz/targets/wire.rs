//! What must hold of the readers of ciphertexts and signatures for any bytes at all.

use keyward_crypto::ciphertext;
use keyward_sigv4::{Request, present};

/// Reading a header never panics, and reads one header from one form: what follows it changes nothing.
pub(crate) fn ciphertext_blob(data: &[u8]) {
    let read = ciphertext::parse(data);
    if let Ok(header) = &read {
        let mut longer = data.to_vec();
        longer.push(0);
        assert_eq!(ciphertext::parse(&longer).as_ref(), Ok(header));
        assert!(ciphertext::parse(&[]).is_err());
    }
}

/// Lines: method, path, query, headers with a colon, an empty line, the body.
pub(crate) fn sigv4_presented(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (method, path, query) = (line(), line(), line());
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let request = Request { method, path, query, headers: &headers, body: body.as_bytes() };
    if let Ok(presented) = present(&request) {
        assert_eq!(presented.signature.len(), 64, "{text}");
        assert!(presented.date.len() == 8 && !presented.access_key_id.is_empty(), "{text}");
        assert_eq!(present(&request), Ok(presented), "reading twice reads the same");
    }
}
