//! TABLE: a wrong and a right document for each check of conditions.

use super::{
    cases::{asked, of_identity, of_key, whole},
    *,
};

pub(super) fn keys() -> Vec<Case> {
    let denied = |operator: &str| {
        key(&format!(
            r#""Effect":"Deny" & {}"#,
            condition(operator, "aws:MultiFactorAuthPresent", "\"false\"")
        ))
    };
    let tags = |rest: &str| {
        identity(&format!(
            r#""Action":"kms:TagResource" & "Condition":{{"ForAllValues:StringEquals":{{"aws:TagKeys":["a"]}}{rest}}}"#
        ))
    };
    vec![
        asked(
            "INVALID_OPERATOR",
            ("StringEqual", "aws:username", "\"a\""),
            ("StringEquals", "aws:username", "\"a\""),
        ),
        asked(
            "NULL_WITH_IF_EXISTS",
            ("NullIfExists", "aws:username", "true"),
            ("Null", "aws:username", "true"),
        ),
        asked(
            "INVALID_CONDITION_KEY",
            ("StringEquals", "kms:ViaServices", "\"s3.us-west-2.amazonaws.com\""),
            ("StringEquals", "KMS:viaservice", "\"s3.us-west-2.amazonaws.com\""),
        ),
        asked(
            "VARIABLE_IN_CONDITION_KEY",
            ("StringEquals", "kms:EncryptionContext:${aws:username}", "\"a\""),
            ("StringEquals", "kms:EncryptionContext:a", "\"${aws:username}\""),
        ),
        of_key(
            "DUPLICATE_KEYS_WITH_DIFFERENT_CASE",
            r#""Condition":{"StringEquals":{"aws:username":"a","aws:UserName":"b"}}"#,
            r#""Condition":{"StringEquals":{"aws:username":["a","b"]}}"#,
        ),
        asked(
            "DEPRECATED_CONDITION_KEY",
            ("StringEquals", "kms:CustomerMasterKeySpec", "\"RSA_2048\""),
            ("StringEquals", "kms:KeySpec", "\"RSA_2048\""),
        ),
        asked(
            "OVERLY_PERMISSIVE_CONDITION",
            ("ForAllValues:StringEquals", "kms:EncryptionContext:a", "\"b\""),
            ("StringEquals", "kms:EncryptionContext:a", "\"b\""),
        ),
        of_identity(
            "OVERLY_PERMISSIVE_CONDITION",
            &format!(
                r#""Action":"kms:TagResource" & {}"#,
                condition("ForAllValues:StringLike", "aws:RequestTag/a", "\"b\"")
            ),
            &format!(
                r#""Action":"kms:TagResource" & {}"#,
                condition("StringLike", "aws:RequestTag/a", "\"b\"")
            ),
        ),
        asked(
            "FORALLVALUES_WITH_SINGLE_VALUED_KEY",
            ("ForAllValues:StringEquals", "aws:username", "\"a\""),
            ("StringEquals", "aws:username", "\"a\""),
        ),
        asked(
            "FORANYVALUE_WITH_SINGLE_VALUED_KEY",
            ("ForAnyValue:StringEquals", "aws:username", "\"a\""),
            ("ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "\"a\""),
        ),
        asked(
            "MISSING_QUALIFIER",
            ("StringEquals", "kms:EncryptionContextKeys", "\"a\""),
            ("ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "\"a\""),
        ),
        whole(
            "ALLOW_WITH_FORALLVALUES",
            Identity,
            &tags(""),
            &tags(r#","Null":{"aws:TagKeys":"false"}"#),
        ),
        asked(
            "TYPE_MISMATCH",
            ("StringEquals", "aws:SourceIp", "\"203.0.113.1\""),
            ("IpAddress", "aws:SourceIp", "\"203.0.113.1\""),
        ),
        asked(
            "TYPE_MISMATCH",
            ("ArnLike", "aws:username", "\"arn:aws:iam::111122223333:user/a\""),
            ("ArnLike", "aws:PrincipalArn", "\"arn:aws:iam::111122223333:user/a\""),
        ),
        asked(
            "TYPE_MISMATCH",
            ("Bool", "aws:username", "true"),
            ("Bool", "aws:SecureTransport", "true"),
        ),
        asked(
            "TYPE_MISMATCH",
            ("NumericEquals", "aws:CurrentTime", "1"),
            ("NumericEquals", "aws:EpochTime", "1"),
        ),
        whole("MFA_WITHOUT_IF_EXISTS", Key, &denied("Bool"), &denied("BoolIfExists")),
    ]
}

pub(super) fn carried() -> Vec<Case> {
    let on = |action: &str, operator: &str, name: &str, value: &str| {
        key(&format!(r#""Action":{action} & {}"#, condition(operator, name, value)))
    };
    let case = |code, wrong: String, right: String| Case { code, kind: Key, wrong, right };
    vec![
        case(
            "CONDITION_NEVER_MATCHES",
            on(r#"["kms:Sign","kms:Get*"]"#, "StringEquals", "kms:EncryptionContext:a", "\"b\""),
            on(r#"["kms:Decrypt","kms:Get*"]"#, "StringEquals", "kms:EncryptionContext:a", "\"b\""),
        ),
        case(
            "CONDITION_ALWAYS_MATCHES",
            on("\"kms:Sign\"", "StringNotEquals", "kms:EncryptionContext:a", "\"b\""),
            on("\"kms:Encrypt\"", "StringNotEquals", "kms:EncryptionContext:a", "\"b\""),
        ),
        case(
            "CONDITION_KEY_NOT_CARRIED_BY_ACTION",
            on(
                r#"["kms:Decrypt","kms:DescribeKey"]"#,
                "StringEquals",
                "kms:EncryptionContext:a",
                "\"b\"",
            ),
            on(
                r#"["kms:Decrypt","kms:Encrypt"]"#,
                "StringEquals",
                "kms:EncryptionContext:a",
                "\"b\"",
            ),
        ),
        case(
            "RESOURCE_ALIASES_IN_RESOURCE_POLICY",
            on("\"kms:Sign\"", "ForAnyValue:StringEquals", "kms:ResourceAliases", "\"alias/a\""),
            on("\"kms:Sign\"", "StringEquals", "kms:RequestAlias", "\"alias/a\""),
        ),
        case(
            "FOREIGN_CONDITION_KEY",
            on("\"kms:Sign\"", "StringEquals", "s3:prefix", "\"a\""),
            on(
                "\"kms:Sign\"",
                "ArnLike",
                "ec2:SourceInstanceArn",
                "\"arn:aws:ec2:*:111122223333:instance/*\"",
            ),
        ),
    ]
}

pub(super) fn values() -> Vec<Case> {
    let old = |text: String| text.replace("2012-10-17", "2008-10-17");
    let by_name = condition("StringEquals", "kms:EncryptionContext:a", "\"${aws:username}\"");
    vec![
        asked(
            "INVALID_NUMBER",
            ("NumericEquals", "aws:MultiFactorAuthAge", "\"ten\""),
            ("NumericEquals", "aws:MultiFactorAuthAge", "3.5"),
        ),
        asked(
            "INVALID_DATE",
            ("DateGreaterThan", "aws:CurrentTime", "\"tomorrow\""),
            ("DateGreaterThan", "aws:CurrentTime", "\"2026-12-31T00:00:00Z\""),
        ),
        asked(
            "INVALID_BOOLEAN",
            ("Bool", "aws:SecureTransport", "\"yes\""),
            ("Bool", "aws:SecureTransport", "\"True\""),
        ),
        asked(
            "INVALID_BOOLEAN",
            ("Null", "aws:username", "[\"true\",\"false\"]"),
            ("Null", "aws:username", "[\"true\"]"),
        ),
        asked(
            "INVALID_IP_RANGE",
            ("IpAddress", "aws:SourceIp", "\"203.0.113.0/33\""),
            ("IpAddress", "aws:SourceIp", "\"203.0.113.0/24\""),
        ),
        asked(
            "INVALID_BASE64",
            ("BinaryEquals", "kms:EncryptionContext:a", "\"?\""),
            ("BinaryEquals", "kms:EncryptionContext:a", "\"QUJD\""),
        ),
        asked(
            "INVALID_CONDITION_ARN",
            ("ArnLike", "aws:PrincipalArn", "\"role/a\""),
            ("ArnLike", "aws:PrincipalArn", "\"*\""),
        ),
        asked(
            "UNQUOTED_DECIMAL",
            ("StringEquals", "kms:EncryptionContext:a", "1.50"),
            ("StringEquals", "kms:EncryptionContext:a", "\"1.50\""),
        ),
        asked(
            "INVALID_VARIABLE",
            ("StringEquals", "kms:EncryptionContext:a", "\"${aws:TagKeys}\""),
            ("StringEquals", "kms:EncryptionContext:a", "\"${aws:username, 'nobody'}\""),
        ),
        of_identity(
            "INVALID_VARIABLE",
            r#""Resource":"arn:aws:kms:${aws:RequestedRegion}:111122223333:key/a""#,
            r#""Resource":"arn:aws:kms:us-west-2:111122223333:key/${aws:PrincipalTag/key}""#,
        ),
        asked(
            "VARIABLE_IN_UNSUPPORTED_OPERATOR",
            ("NumericEquals", "aws:MultiFactorAuthAge", "\"${aws:EpochTime}\""),
            ("StringEquals", "kms:EncryptionContext:a", "\"${aws:EpochTime}\""),
        ),
        Case {
            code: "VARIABLE_IN_OLD_VERSION",
            kind: Key,
            wrong: old(key(&by_name)),
            right: key(&by_name),
        },
        asked(
            "WILDCARD_WITHOUT_LIKE_OPERATOR",
            ("StringEquals", "kms:ViaService", "\"*.us-west-2.amazonaws.com\""),
            ("StringLike", "kms:ViaService", "\"*.us-west-2.amazonaws.com\""),
        ),
        asked(
            "WILDCARD_WITHOUT_LIKE_OPERATOR",
            ("StringEquals", "kms:EncryptionContext:a", "\"b*\""),
            ("StringEquals", "kms:EncryptionContext:a", "\"b${*}\""),
        ),
        asked(
            "LIKE_ANYTHING",
            ("StringLike", "aws:username", "\"*\""),
            ("StringLike", "aws:username", "\"a*\""),
        ),
        asked(
            "REDUNDANT_CONDITION_VALUE",
            ("StringEqualsIgnoreCase", "aws:username", "[\"a\",\"A\"]"),
            ("StringEquals", "aws:username", "[\"a\",\"A\"]"),
        ),
        asked(
            "PRIVATE_IP_ADDRESS",
            ("IpAddress", "aws:SourceIp", "\"10.0.0.0/8\""),
            ("IpAddress", "aws:VpcSourceIp", "\"10.0.0.0/8\""),
        ),
        asked(
            "IP_RANGE_OF_ALL",
            ("IpAddress", "aws:SourceIp", "\"::/0\""),
            ("IpAddress", "aws:SourceIp", "\"2001:db8::/32\""),
        ),
        asked(
            "IP_RANGE_WITH_HOST_BITS",
            ("IpAddress", "aws:SourceIp", "\"203.0.113.9/24\""),
            ("IpAddress", "aws:SourceIp", "\"203.0.113.9\""),
        ),
    ]
}

pub(super) fn values_of_keys() -> Vec<Case> {
    vec![
        asked(
            "UNKNOWN_VALUE",
            ("StringEquals", "kms:KeySpec", "\"AES_256\""),
            ("StringEquals", "kms:KeySpec", "\"SYMMETRIC_DEFAULT\""),
        ),
        asked(
            "INVALID_ACCOUNT_VALUE",
            ("StringEquals", "kms:CallerAccount", "\"1111-2222-3333\""),
            ("StringLike", "kms:CallerAccount", "\"1111*\""),
        ),
        asked(
            "VIA_SERVICE_WITHOUT_REGION",
            ("StringEquals", "kms:ViaService", "\"s3.amazonaws.com\""),
            ("StringLike", "kms:ViaService", "\"s3.*.amazonaws.com\""),
        ),
        // Only who does not say which key it is, is told.
        of_key("RESOURCE_NOT_STAR", &format!(r#""Resource":"{KEY}""#), ""),
    ]
}
