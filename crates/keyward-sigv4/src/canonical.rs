//! The canonical form: the text both sides hash.
//!
//! Paths are normalised and encoded once more than they came, as every AWS service except S3 does it.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#create-canonical-request>

use crate::{Form, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Everything that RFC 3986 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The query parameter that carries the signature of a presigned URL.
const SIGNATURE: &str = "X-Amz-Signature";

/// The canonical request. `signed_headers` is `a;b;c` as presented, `payload` the digest in hex.
///
/// Only a presigned query has a parameter that is not signed: the signature itself.
pub(crate) fn request(
    request: &Request<'_>,
    form: Form,
    signed_headers: &str,
    payload: &str,
) -> String {
    let mut text = String::with_capacity(512 + request.query.len());
    text.push_str(request.method);
    text.push('\n');
    text.push_str(&path(request.path));
    text.push('\n');
    push_query(&mut text, request.query, form);
    text.push('\n');
    for name in signed_headers.split(';') {
        text.push_str(name);
        text.push(':');
        push_values(&mut text, request, name);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(signed_headers);
    text.push('\n');
    text.push_str(payload);
    text
}

/// SHA-256 in lower-case hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Encodes what is not unreserved, in upper-case hex.
pub(crate) fn encode(bytes: &[u8]) -> impl core::fmt::Display + '_ {
    percent_encode(bytes, RESERVED)
}

/// Name and value of each parameter, decoded; a parameter without `=` has an empty value.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode_str(name).into(), percent_decode_str(value).into())
    })
}

/// Without `.`, `..` and empty segments, each segment encoded.
fn path(raw: &str) -> Cow<'_, str> {
    if raw.is_empty() || raw == "/" {
        return Cow::Borrowed("/");
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let mut text = String::with_capacity(raw.len() + 8);
    for segment in &segments {
        text.push('/');
        text.extend(percent_encode(segment.as_bytes(), RESERVED));
    }
    if segments.is_empty() || raw.ends_with('/') {
        text.push('/');
    }
    Cow::Owned(text)
}

/// Parameters sorted by encoded name, then encoded value.
fn push_query(text: &mut String, query: &str, form: Form) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(String, String)> = parameters(query)
        .filter(|(name, _)| form == Form::Header || name.as_ref() != SIGNATURE.as_bytes())
        .map(|(name, value)| (encode(&name).to_string(), encode(&value).to_string()))
        .collect();
    pairs.sort();
    for (i, (name, value)) in pairs.iter().enumerate() {
        if 0 < i {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
}

/// The values of one header: white space folded, repeated headers joined by commas in their order.
fn push_values(text: &mut String, request: &Request<'_>, name: &str) {
    for (i, value) in request.values(name).enumerate() {
        if 0 < i {
            text.push(',');
        }
        for (j, word) in value.split_ascii_whitespace().enumerate() {
            if 0 < j {
                text.push(' ');
            }
            text.push_str(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_encoded() {
        for (raw, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/a/..", "/"),
            ("/a/../..", "/"),
            ("//a//", "/a/"),
            ("/a/./b/../c", "/a/c"),
            ("/a b", "/a%20b"),
            ("/a%20b", "/a%2520b"),
            ("/\u{1234}", "/%E1%88%B4"),
            ("/-._~09azAZ", "/-._~09azAZ"),
        ] {
            assert_eq!(path(raw), canonical, "{raw}");
        }
    }

    #[test]
    fn queries_are_decoded_encoded_and_sorted() {
        for (raw, canonical) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("a", "a="),
            ("a=%e1%88%b4", "a=%E1%88%B4"),
            ("a=x+y", "a=x%2By"),
            ("a=b=c", "a=b%3Dc"),
            ("&a=1&&", "a=1"),
            ("X-Amz-Signature=00&a=1", "a=1"),
            ("a-b=1&a=1", "a=1&a-b=1"),
        ] {
            let mut text = String::new();
            push_query(&mut text, raw, Form::Query);
            assert_eq!(text, canonical, "{raw}");
        }
        let mut text = String::new();
        push_query(&mut text, "X%2dAmz-Signature=00&a=1", Form::Header);
        assert_eq!(text, "X-Amz-Signature=00&a=1", "in the header form everything is signed");
    }
}
