//! Member names as CloudTrail and AWS's validation messages spell them.

/// The first letter in lower case and nothing else: `KeyId` is `keyId`, and `AWSAccountId` is the odd
/// `aWSAccountId`, as in CloudTrail's own records of CreateKey.
pub fn lower_camel(member: &str) -> String {
    let mut chars = member.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_letter_changes() {
        for (member, name) in [
            ("KeyId", "keyId"),
            ("XksKeyId", "xksKeyId"),
            ("AWSAccountId", "aWSAccountId"),
            ("keyId", "keyId"),
            ("", ""),
        ] {
            assert_eq!(lower_camel(member), name);
        }
    }
}
