//! Checks of the values in conditions.

use super::{
    Findings, Subject, checks::*, nearest::nearest, read::Item, read_condition::Condition,
};
use crate::condition::{
    Operands, Test,
    operators::{Comparison, Shape},
};
use ipnet::IpNet;
use keyward_types::{AccountId, KeySpec, KeyUsage, MaterialOrigin};
use std::net::IpAddr;

/// Keys that are true or false.
pub(super) const FLAGS: &[&str] = &[
    "aws:ismcpserviceaction",
    "aws:multifactorauthpresent",
    "aws:principalisawsservice",
    "aws:securetransport",
    "aws:viaawsmcpservice",
    "aws:viaawsservice",
    "kms:bypasspolicylockoutsafetycheck",
    "kms:grantisforawsresource",
    "kms:multiregion",
    "kms:reencryptonsamekey",
];

/// Keys that hold ARNs.
pub(super) const ARNS: &[&str] = &[
    "aws:chatbotsourcearn",
    "aws:federatedprovider",
    "aws:principalarn",
    "aws:signinsessionarn",
    "aws:sourcearn",
    "aws:sourcevpcarn",
    "kms:grantconstraintsourcearn",
    "kms:granteeprincipal",
    "kms:retiringprincipal",
];

/// Keys that hold account ids.
const ACCOUNTS: &[&str] = &[
    "aws:principalaccount",
    "aws:principalorgmasteraccountid",
    "aws:resourceaccount",
    "aws:sourceaccount",
    "aws:vpceaccount",
    "kms:calleraccount",
];

/// Every value that a key has.
const VALUES: &[(&str, &[&str])] = &[
    ("aws:principaltype", &["Account", "AssumedRole", "FederatedUser", "User"]),
    ("kms:customermasterkeyspec", KeySpec::NAMES),
    ("kms:customermasterkeyusage", KeyUsage::NAMES),
    (
        "kms:encryptionalgorithm",
        &["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"],
    ),
    ("kms:expirationmodel", &["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"]),
    (
        "kms:grantconstrainttype",
        &["EncryptionContextEquals", "EncryptionContextSubset", "SourceArn"],
    ),
    ("kms:keyorigin", MaterialOrigin::NAMES),
    ("kms:keyspec", KeySpec::NAMES),
    ("kms:keyusage", KeyUsage::NAMES),
    ("kms:macalgorithm", &["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"]),
    ("kms:messagetype", &["RAW", "DIGEST", "EXTERNAL_MU"]),
    ("kms:multiregionkeytype", &["PRIMARY", "REPLICA"]),
    ("kms:policyname", &["default"]),
];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let variables = subject.document.variables;
    for statement in &subject.document.statements {
        let resources = statement.listed_resources().iter().map(|item| (&item.at, &item.text));
        let values = statement.tests.iter().flat_map(|condition| &condition.values);
        for (at, text) in resources.chain(values.map(|value| (&value.at, &value.text))) {
            if !variables && text.split_once("${").is_some_and(|(_, rest)| rest.contains('}')) {
                let message = format!("{text} is literal text in the language of 2008");
                let advice = "write \"Version\": \"2012-10-17\"";
                findings.add(&VARIABLE_IN_OLD_VERSION, at, message, advice);
            }
        }
        for condition in &statement.tests {
            repeated(condition, findings);
            for value in &condition.values {
                text(&condition.test, value, findings);
                network(&condition.test, value, findings);
            }
        }
    }
}

fn repeated(condition: &Condition, findings: &mut Findings<'_>) {
    let folded = condition.test.operator.shape == Shape::Text(Comparison::EqualFolded);
    let mut seen = std::collections::BTreeSet::new();
    for value in &condition.values {
        let text = if folded { value.text.to_lowercase() } else { value.text.clone() };
        if !seen.insert(text) {
            let message = format!("{} stands twice", value.text);
            findings.add(&REDUNDANT_CONDITION_VALUE, &value.at, message, "drop one");
        }
    }
}

fn text(test: &Test, value: &Item<()>, findings: &mut Findings<'_>) {
    let Shape::Text(comparison) = test.operator.shape else { return };
    let text = value.text.as_str();
    let wild = text.replace("${*}", "").replace("${?}", "").contains(['*', '?']);
    if comparison != Comparison::Like && wild {
        let message = format!("{text}: {} takes the wildcard literally", test.operator.name);
        let advice = if test.operator.negated { "write StringNotLike" } else { "write StringLike" };
        findings.add(&WILDCARD_WITHOUT_LIKE_OPERATOR, &value.at, message, advice);
        return;
    }
    if comparison == Comparison::Like && !text.is_empty() && text.chars().all(|c| c == '*') {
        let presence = if test.operator.negated { "true" } else { "false" };
        let message = format!("{text} fits every value");
        let advice = format!("write \"Null\": {{\"{}\": \"{presence}\"}}", test.key_text);
        findings.add(&LIKE_ANYTHING, &value.at, message, advice);
    }
    if !wild && !text.contains("${") {
        literal(test, value, comparison, findings);
    }
}

/// Values without wildcards and variables.
fn literal(test: &Test, value: &Item<()>, comparison: Comparison, findings: &mut Findings<'_>) {
    let (key, text) = (test.key.name.as_str(), value.text.as_str());
    let equal = |known: &&str| match comparison {
        Comparison::EqualFolded => known.eq_ignore_ascii_case(text),
        Comparison::Equal | Comparison::Like => *known == text,
    };
    if let Some((_, known)) = VALUES.iter().find(|(name, _)| *name == key)
        && !known.iter().any(equal)
    {
        let advice = match nearest(text, known.iter().copied()) {
            Some(meant) => format!("write {meant}"),
            None => format!("write one of {}", known.join(", ")),
        };
        let message = format!("{} is never {text}", test.key_text);
        findings.add(&UNKNOWN_VALUE, &value.at, message, advice);
    }
    if ACCOUNTS.contains(&key) && AccountId::parse(text).is_none() {
        let message = format!("{text} is no account id");
        findings.add(&INVALID_ACCOUNT_VALUE, &value.at, message, "write twelve digits");
    }
    if key == "kms:viaservice" && !has_region(text) {
        let message = format!("{text} has no Region: kms:ViaService is never that");
        let advice = "write SERVICE.REGION.amazonaws.com, such as s3.us-east-1.amazonaws.com";
        findings.add(&VIA_SERVICE_WITHOUT_REGION, &value.at, message, advice);
    }
}

/// `service.region.amazonaws.com`.
fn has_region(text: &str) -> bool {
    let name = text.strip_suffix(".cn").unwrap_or(text).strip_suffix(".amazonaws.com");
    name.is_some_and(|name| name.split('.').filter(|label| !label.is_empty()).count() > 1)
}

fn network(test: &Test, value: &Item<()>, findings: &mut Findings<'_>) {
    let Operands::Networks(_) = &test.operands else { return };
    let Some(net) = crate::condition::value::network(&value.text) else { return };
    let text = value.text.as_str();
    if test.key.name == "aws:sourceip" && is_private(net.addr()) {
        let message = format!("{text} is private, and aws:SourceIp is a public address");
        let advice =
            "write the public range, or a condition on aws:SourceVpce with aws:VpcSourceIp";
        findings.add(&PRIVATE_IP_ADDRESS, &value.at, message, advice);
    }
    if net.prefix_len() == 0 {
        let message = format!("{text} has every address of its family");
        findings.add(&IP_RANGE_OF_ALL, &value.at, message, "write the range that is meant");
    }
    if text.parse::<IpNet>().is_ok_and(|written| written.addr() != net.addr()) {
        let message = format!("{text} is the range {net}");
        findings.add(&IP_RANGE_WITH_HOST_BITS, &value.at, message, format!("write {net}"));
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_private() || address.is_loopback() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local()
        }
    }
}
