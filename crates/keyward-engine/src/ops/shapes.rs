//! Members that several operations share, with AWS's constraints.
//!
//! Source: AWS's service model (version 2014-11-01 of KMS), compared by `tests/suite/table.rs`.

use crate::shape::{Kind, Member, optional, patterned, required, secret_text, text};
use keyward_crypto::algorithm::{EncryptionAlgorithm, MessageType, SigningAlgorithm};
use keyward_types::{GrantOperation, KeySpec, KeyUsage, MaterialOrigin};

pub(crate) const KEY_ID_KIND: Kind = text(1, 2_048);
pub(crate) const KEY_ID: Member = required("KeyId", KEY_ID_KIND);
pub(crate) const TARGET_KEY_ID: Member = required("TargetKeyId", KEY_ID_KIND);
pub(crate) const ALIAS_NAME: Member =
    required("AliasName", patterned(1, 256, "^[a-zA-Z0-9:/_-]+$", |text| only(text, ":/_-")));
/// Whoever holds one may use or retire the grant: the model doesn't mark it, we keep it out of every answer.
pub(crate) const GRANT_TOKEN_KIND: Kind = secret_text(1, 8_192);
pub(crate) const GRANT_TOKENS: Member =
    optional("GrantTokens", Kind::List { of: &GRANT_TOKEN_KIND, min: 0, max: 10 });
pub(crate) const DRY_RUN: Member = optional("DryRun", Kind::Boolean);
pub(crate) const DRY_RUN_MODIFIERS: Member = optional(
    "DryRunModifiers",
    Kind::List { of: &Kind::Enum(&["IGNORE_CIPHERTEXT"]), min: 0, max: usize::MAX },
);
pub(crate) const ENCRYPTION_CONTEXT: Member = optional("EncryptionContext", Kind::Map);
pub(crate) const CIPHERTEXT_KIND: Kind = Kind::Blob { min: 1, max: 6_144 };
pub(crate) const PLAINTEXT_KIND: Kind = Kind::Blob { min: 1, max: 4_096 };
pub(crate) const ENCRYPTION_ALGORITHM_KIND: Kind = Kind::Enum(EncryptionAlgorithm::NAMES);
pub(crate) const ENCRYPTION_ALGORITHM: Member =
    optional("EncryptionAlgorithm", ENCRYPTION_ALGORITHM_KIND);
pub(crate) const SIGNING_ALGORITHM: Member =
    required("SigningAlgorithm", Kind::Enum(SigningAlgorithm::NAMES));
pub(crate) const MESSAGE: Member = required("Message", PLAINTEXT_KIND);
pub(crate) const MESSAGE_TYPE: Member = optional("MessageType", Kind::Enum(MessageType::NAMES));
pub(crate) const LIMIT: Member = optional("Limit", Kind::Integer { min: 1, max: 1_000 });
pub(crate) const MARKER: Member = optional(
    "Marker",
    patterned(1, 1_024, "[\\u0020-\\u00FF]*", |text| {
        text.chars().all(|c| ('\u{20}'..='\u{ff}').contains(&c))
    }),
);
pub(crate) const REGION_KIND: Kind = patterned(1, 32, "^([a-z]+-){2,3}\\d+$", is_region);
pub(crate) const POLICY_KIND: Kind =
    patterned(1, 131_072, "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |text| {
        !text.is_empty()
            && text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
    });
pub(crate) const POLICY_NAME_KIND: Kind =
    patterned(1, 128, "[\\w]+", |text| !text.is_empty() && only(text, "_"));
pub(crate) const DESCRIPTION_KIND: Kind = text(0, 8_192);
pub(crate) const KEY_SPEC_KIND: Kind = Kind::Enum(KeySpec::NAMES);
/// The deprecated twin of `KeySpec` knows the specs of its time.
pub(crate) const CUSTOMER_MASTER_KEY_SPEC_KIND: Kind = Kind::Enum(&[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
]);
pub(crate) const KEY_USAGE_KIND: Kind = Kind::Enum(KeyUsage::NAMES);
pub(crate) const ORIGIN_KIND: Kind = Kind::Enum(MaterialOrigin::NAMES);
pub(crate) const TAGS_KIND: Kind =
    Kind::List { of: &Kind::Structure(TAG), min: 0, max: usize::MAX };
const TAG: &[Member] = &[required("TagKey", text(1, 128)), required("TagValue", text(0, 256))];
pub(crate) const GRANT_NAME_KIND: Kind =
    patterned(1, 256, "^[a-zA-Z0-9:/_-]+$", |text| only(text, ":/_-"));
pub(crate) const GRANT_ID_KIND: Kind = text(1, 128);
pub(crate) const GRANT_OPERATIONS_KIND: Kind =
    Kind::List { of: &Kind::Enum(GrantOperation::NAMES), min: 0, max: usize::MAX };
pub(crate) const PRINCIPAL_KIND: Kind =
    patterned(1, 256, "^[\\w+=,.@:/-]+$", |text| only(text, "_+=,.@:/-"));
pub(crate) const SERVICE_PRINCIPAL_KIND: Kind =
    patterned(1, 128, "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$", |text| {
        3 <= text.split('.').count()
            && text.split('.').all(|part| !part.is_empty() && only(part, "-"))
    });
pub(crate) const GRANT_CONSTRAINTS_KIND: Kind = Kind::Structure(&[
    optional("EncryptionContextSubset", Kind::Map),
    optional("EncryptionContextEquals", Kind::Map),
    optional(
        "SourceArn",
        patterned(20, 512, "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$", is_source_arn),
    ),
]);
pub(crate) const RECIPIENT: Member = optional(
    "Recipient",
    Kind::Structure(&[
        optional("KeyEncryptionAlgorithm", Kind::Enum(&["RSAES_OAEP_SHA_256"])),
        optional("AttestationDocument", Kind::Blob { min: 1, max: 262_144 }),
    ]),
);

/// Whether a text is made of ASCII letters, digits and these.
pub(crate) fn only(text: &str, others: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

pub(crate) fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    digits && (2..=3).contains(&words.split('-').count()) && words.split('-').all(is_word)
}

fn is_source_arn(text: &str) -> bool {
    let plain = |part: &str| {
        part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    partition.strip_prefix("aws").is_some_and(plain)
        && !service.is_empty()
        && plain(service)
        && plain(region)
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !resource.is_empty()
        && !resource.contains(LINE_ENDS)
}

/// What a dot of AWS's patterns does not match.
const LINE_ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
