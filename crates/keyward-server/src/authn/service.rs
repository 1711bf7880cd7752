//! What a service says of the resource for which it calls, so that it cannot be misled into another's keys:
//! the condition keys `aws:SourceArn` and `aws:SourceAccount`.
//!
//! INVARIANT: it is asked only for callers that proved to be services. The signature covers the headers, as it
//! does every header that begins with `x-amz-`.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>

/// Condition keys in lower case, by header.
const HEADERS: &[(&str, &str)] =
    &[("x-amz-source-arn", "aws:sourcearn"), ("x-amz-source-account", "aws:sourceaccount")];

pub(super) fn told<'h>(
    header: impl Fn(&str) -> Option<&'h str>,
) -> impl Iterator<Item = (String, String)> {
    HEADERS.iter().filter_map(move |(name, key)| {
        let value = header(name)?.trim();
        (!value.is_empty()).then(|| ((*key).to_owned(), value.to_owned()))
    })
}
