//! TABLE: a wrong and a right document for each check.

use super::*;

/// Cases whose documents are given whole.
fn whole(code: &'static str, kind: LintKind, wrong: &str, right: &str) -> Case {
    Case { code, kind, wrong: wrong.to_owned(), right: right.to_owned() }
}

/// Cases of key policies, given the members of one statement.
fn of_key(code: &'static str, wrong: &str, right: &str) -> Case {
    Case { code, kind: Key, wrong: key(wrong), right: key(right) }
}

fn of_identity(code: &'static str, wrong: &str, right: &str) -> Case {
    Case { code, kind: Identity, wrong: identity(wrong), right: identity(right) }
}

fn of_trust(code: &'static str, wrong: &str, right: &str) -> Case {
    Case { code, kind: Trust, wrong: trust(wrong), right: trust(right) }
}

/// Conditions of a key policy's statement: operator, key and value as JSON.
type Asked<'c> = (&'c str, &'c str, &'c str);

fn asked(code: &'static str, wrong: Asked<'_>, right: Asked<'_>) -> Case {
    let of = |(operator, name, value)| key(&condition(operator, name, value));
    Case { code, kind: Key, wrong: of(wrong), right: of(right) }
}

pub(super) fn all() -> Vec<Case> {
    [
        document(),
        elements(),
        actions(),
        principals(),
        administrators(),
        resources(),
        keys(),
        carried(),
        values(),
        values_of_keys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn long(chars: usize) -> String {
    identity(&format!(r#""Sid":"{}""#, "a".repeat(chars)))
}

fn document() -> Vec<Case> {
    let good = key("");
    let version = |text: &str| good.replace(r#""Version":"2012-10-17","#, text);
    vec![
        whole("JSON_SYNTAX_ERROR", Key, &good.replace("]}", "}"), &good),
        whole("INVALID_CHARACTER", Key, &key(r#""Sid":"日""#), &key(r#""Sid":"é""#)),
        whole("POLICY_SIZE_EXCEEDS_QUOTA", Identity, &long(6_100), &long(5_900)),
        whole("POLICY_SIZE_NEAR_QUOTA", Identity, &long(5_900), &long(3_000)),
        whole("DATA_TYPE_MISMATCH", Key, "[]", &good),
        of_key("DATA_TYPE_MISMATCH", r#""Action":["kms:Sign",7]"#, r#""Action":["kms:Sign"]"#),
        whole("MISSING_STATEMENT", Key, r#"{"Version":"2012-10-17","Statement":[]}"#, &good),
        whole("MISSING_VERSION", Key, &version(""), &good),
        whole("INVALID_VERSION", Key, &version(r#""Version":"2020-10-17","#), &good),
        whole("OLD_VERSION", Key, &version(r#""Version":"2008-10-17","#), &good),
        whole(
            "UNKNOWN_ELEMENT",
            Key,
            &version(r#""Version":"2012-10-17","Statements":[],"#),
            &good,
        ),
        whole(
            "DUPLICATE_ELEMENT",
            Key,
            &version(r#""Id":"a","Id":"b","Version":"2012-10-17","#),
            &good,
        ),
        whole(
            "PROHIBITED_ELEMENT",
            Identity,
            &identity("").replace(r#""Version""#, r#""Id":"a","Version""#),
            &identity(""),
        ),
        of_identity(
            "DUPLICATE_SID",
            &format!(r#""Sid":"a"}},{{"Sid":"a",{OTHER}"#),
            &format!(r#""Sid":"a"}},{{"Sid":"b",{OTHER}"#),
        ),
        of_key(
            "REPEATED_SID",
            &format!(r#""Sid":"a"}},{{"Sid":"a","Principal":"*",{OTHER}"#),
            r#""Sid":"a""#,
        ),
        of_key("REDUNDANT_STATEMENT", r#""Principal":{"AWS":"111122223333"}"#, ""),
        of_identity(
            "REDUNDANT_STATEMENT",
            &format!(
                r#""Action":["kms:Sign","kms:Get*"]}},{{"Effect":"Allow",{PUBLIC},"Condition":{{"Bool":{{"aws:SecureTransport":true}}}}"#
            ),
            &format!(r#""Action":["kms:Sign","kms:Get*"]}},{{"Effect":"Deny",{PUBLIC}"#),
        ),
        // What the wider statement asks, the narrower must ask too.
        of_identity(
            "REDUNDANT_STATEMENT",
            &format!(r#""Action":"kms:Get*"}},{{"Effect":"Allow",{PUBLIC}"#),
            &format!(
                r#""Action":"kms:Get*","Condition":{{"Bool":{{"aws:SecureTransport":true}}}}}},{{"Effect":"Allow",{PUBLIC}"#
            ),
        ),
        // One character is less than any run of them.
        of_identity(
            "REDUNDANT_STATEMENT",
            &format!(r#""Action":"kms:GetPublicKe?"}},{{"Effect":"Allow",{PUBLIC}"#),
            &format!(
                r#""Action":"kms:GetPublicKe?"}},{{"Effect":"Allow",{},"Condition":{{"Bool":{{"aws:SecureTransport":true}}}}"#,
                PUBLIC.replace("Key\"", "Ke*\"")
            ),
        ),
    ]
}

/// The rest of a second statement.
const OTHER: &str = r#""Effect":"Deny","Action":"kms:Sign","Resource":"*""#;
const PUBLIC: &str =
    r#""Action":"kms:GetPublicKey","Resource":"arn:aws:kms:us-west-2:111122223333:key/a""#;

fn elements() -> Vec<Case> {
    vec![
        of_key("UNKNOWN_ELEMENT", r#""effect":"Deny""#, r#""Effect":"Deny""#),
        of_identity("PROHIBITED_ELEMENT", r#""Principal":"*""#, ""),
        of_trust("PROHIBITED_ELEMENT", r#""Resource":"*""#, ""),
        of_key(
            "EXCLUSIVE_ELEMENTS",
            r#""Action":"kms:Sign" & "NotAction":"kms:Sign""#,
            r#""Action":"kms:Sign""#,
        ),
        of_key("MISSING_EFFECT", "-Effect", ""),
        of_key("INVALID_EFFECT", r#""Effect":"allow""#, r#""Effect":"Allow""#),
        of_key("MISSING_PRINCIPAL", "-Principal", ""),
        of_key("MISSING_ACTION", "-Action", ""),
        of_key("MISSING_RESOURCE", "-Resource", ""),
        of_key("EMPTY_ARRAY", r#""Action":[]"#, r#""Action":["kms:Sign"]"#),
        of_key("EMPTY_ARRAY", r#""Principal":{}"#, ""),
        of_key(
            "EMPTY_CONDITION",
            r#""Condition":{}"#,
            &condition("Bool", "aws:SecureTransport", "true"),
        ),
        asked(
            "EMPTY_CONDITION",
            ("StringEquals", "aws:username", "[]"),
            ("StringEquals", "aws:username", "\"a\""),
        ),
        of_identity("INVALID_SID", r#""Sid":"use it""#, r#""Sid":"UseIt""#),
    ]
}

fn actions() -> Vec<Case> {
    vec![
        of_key("INVALID_ACTION", r#""Action":"Decrypt""#, r#""Action":"kms:Decrypt""#),
        of_key("UNKNOWN_ACTION", r#""Action":"kms:Decrpyt""#, r#""Action":"KMS:decrypt""#),
        of_key(
            "REDUNDANT_ACTION",
            r#""Action":["kms:Get*","kms:GetPublicKey"]"#,
            r#""Action":["kms:Get*","kms:Sign"]"#,
        ),
        of_key(
            "REDUNDANT_ACTION",
            r#""Action":["kms:Sign","KMS:SIGN"]"#,
            r#""Action":["kms:?ign","kms:S*"]"#,
        ),
        of_key(
            "FOREIGN_ACTION_IN_KEY_POLICY",
            r#""Action":["kms:Sign","s3:GetObject"]"#,
            r#""Action":"kms:Sign""#,
        ),
        of_key(
            "ACTION_NOT_FOR_KEY_POLICY",
            r#""Action":"kms:CreateKey""#,
            r#""Action":"kms:CreateAlias""#,
        ),
        of_key(
            "ACTION_NOT_FOR_KEY_POLICY",
            r#""Action":"kms:RetireGrant""#,
            r#""Action":"kms:RevokeGrant""#,
        ),
        of_trust("ACTION_NOT_FOR_TRUST_POLICY", r#""Action":"kms:Sign""#, ""),
        of_identity(
            "ALLOW_WITH_NOT_ACTION",
            r#""NotAction":"kms:Sign""#,
            r#""Effect":"Deny" & "NotAction":"kms:Sign""#,
        ),
        of_key("STAR_ACTION_IN_KEY_POLICY", r#""Action":"*""#, r#""Action":"kms:*""#),
        of_key(
            "CREATE_GRANT_UNFENCED",
            r#""Action":"kms:CreateGrant""#,
            &format!(
                r#""Action":"kms:CreateGrant" & {}"#,
                condition("Bool", "kms:GrantIsForAWSResource", "true")
            ),
        ),
        of_key(
            "CREATE_GRANT_UNFENCED",
            r#""Action":["kms:Sign","kms:CreateGrant"]"#,
            r#""Action":["kms:Sign","kms:CreateG*"]"#,
        ),
    ]
}

fn principals() -> Vec<Case> {
    let fenced = |operator: &str, name: &str, value: &str| {
        format!(r#""Principal":"*" & {}"#, condition(operator, name, value))
    };
    let caller = fenced("StringEquals", "kms:CallerAccount", "\"111122223333\"");
    let mut cases: Vec<Case> = [
        fenced("StringNotEquals", "kms:CallerAccount", "\"111122223333\""),
        fenced("StringEqualsIfExists", "kms:CallerAccount", "\"111122223333\""),
        fenced("StringLike", "kms:CallerAccount", "\"*\""),
        fenced("ArnLike", "aws:PrincipalArn", "\"arn:aws:iam::*:role/app\""),
        fenced("IpAddress", "aws:SourceIp", "\"0.0.0.0/0\""),
        fenced("Bool", "aws:SecureTransport", "\"true\""),
        fenced("Null", "kms:CallerAccount", "\"false\""),
        r#""Principal":{"AWS":["arn:aws:iam::111122223333:role/app","*"]}"#.to_owned(),
    ]
    .iter()
    .map(|wrong| of_key("PUBLIC_ACCESS", wrong, &caller))
    .collect();
    let logs = r#""Principal":{"Service":"logs.us-west-2.amazonaws.com"}"#;
    let bucket = |operator: &str, name: &str, value: &str| {
        format!(
            r#""Principal":{{"Service":"s3.amazonaws.com"}} & "Condition":{{"ArnLike":{{"aws:SourceArn":"arn:aws:s3:::bucket"}},"{operator}":{{"{name}":"{value}"}}}}"#
        )
    };
    cases.extend([
        of_trust("PUBLIC_ACCESS", r#""Principal":"*""#, r#""Effect":"Deny" & "Principal":"*""#),
        of_key("ADMINISTRATION_FOR_ANYONE", &format!(r#""Action":"kms:*" & {caller}"#), &format!(r#""Action":"kms:Encrypt" & {caller}"#)),
        of_key("INVALID_PRINCIPAL", r#""Principal":{"AWS":"arn:aws:iam::111122223333:group/admins"}"#, r#""Principal":{"AWS":"arn:aws:iam::111122223333:user/admin"}"#),
        of_key("INVALID_PRINCIPAL", r#""Principal":{"Federated":"cognito-identity.amazonaws.com"}"#, ""),
        of_key("WILDCARD_IN_PRINCIPAL_ARN", r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/*"}"#, r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/a"}"#),
        of_key("UNIQUE_ID_PRINCIPAL", r#""Principal":{"AWS":"AROAEXAMPLEAPPROLE001"}"#, ""),
        of_key("REDUNDANT_PRINCIPAL", r#""Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:root"]}"#, r#""Principal":{"AWS":["111122223333","444455556666"]}"#),
        of_key("ALLOW_WITH_NOT_PRINCIPAL", r#""NotPrincipal":{"AWS":"111122223333"}"#, r#""Effect":"Deny" & "NotPrincipal":{"AWS":"111122223333"}"#),
        of_key("DENY_WITH_NOT_PRINCIPAL", r#""Effect":"Deny" & "NotPrincipal":{"AWS":"111122223333"}"#, r#""Effect":"Deny" & "Principal":{"AWS":"111122223333"}"#),
        of_key("RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", logs,
            &format!("{logs} & {}", condition("ArnLike", "kms:EncryptionContext:aws:logs:arn", "\"arn:aws:logs:us-west-2:111122223333:*\""))),
        of_key("MISSING_PAIRED_CONDITION_KEYS", &bucket("Bool", "aws:SecureTransport", "true"), &bucket("StringEquals", "aws:SourceAccount", "111122223333")),
        Case {
            code: "RCP_PRINCIPAL_NOT_ANYONE",
            kind: Rcp,
            wrong: key(r#""Effect":"Deny""#),
            right: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}]}"#.to_owned(),
        },
        of_key("CROSS_ACCOUNT_ACTION_WITHOUT_EFFECT", r#""Principal":{"AWS":"444455556666"} & "Action":["kms:Decrypt","kms:DisableKey"]"#, r#""Principal":{"AWS":"444455556666"} & "Action":["kms:Decrypt","kms:DescribeKey"]"#),
    ]);
    cases
}

fn administrators() -> Vec<Case> {
    let alone = |principal: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":{principal}}},"Action":"kms:*","Resource":"*"}}]}}"#
        )
    };
    let (role, other) =
        ("\"arn:aws:iam::111122223333:role/a\"", "\"arn:aws:iam::111122223333:role/b\"");
    let two = alone(&format!("[{role},{other}]"));
    vec![
        whole("NO_POLICY_ADMINISTRATOR", Key, &key("").replace("kms:*", "kms:Encrypt"), &key("")),
        whole(
            "NO_POLICY_ADMINISTRATOR",
            Key,
            &alone("\"444455556666\""),
            &alone("\"111122223333\""),
        ),
        whole(
            "NO_OWNER_ACCOUNT_STATEMENT",
            Key,
            &two,
            &alone(&format!("[{role},\"111122223333\"]")),
        ),
        whole("SINGLE_POLICY_ADMINISTRATOR", Key, &alone(role), &two),
    ]
}

fn resources() -> Vec<Case> {
    let on = |resource: &str| format!(r#""Resource":{resource}"#);
    let ours = on(&format!("\"{KEY}\""));
    let alias = on(r#""arn:aws:kms:us-west-2:111122223333:alias/app""#);
    vec![
        of_identity("INVALID_ARN", &on("\"key/a\""), ""),
        of_identity(
            "INVALID_ARN_PARTITION",
            &on("\"arn:awz:kms:us-west-2:111122223333:key/a\""),
            "",
        ),
        of_identity(
            "INVALID_ARN_RESOURCE",
            &on("\"arn:aws:kms:us-west-2:111122223333:1234abcd\""),
            &on("\"arn:aws:kms:us-west-2:111122223333:k*\""),
        ),
        of_identity(
            "INVALID_ARN_RESOURCE",
            &on("\"arn:aws:kms:us-west-2::key/a\""),
            &on("\"arn:aws:kms:*:*:*\""),
        ),
        of_key("RESOURCE_NOT_THIS_KEY", &on("\"arn:aws:kms:us-west-2:111122223333:key/a\""), &ours),
        of_key("RESOURCE_NOT_THIS_KEY", &alias, ""),
        of_identity(
            "ALIAS_ARN_FOR_KEY_ACTION",
            &alias,
            &format!(r#""Action":"kms:UpdateAlias" & {alias}"#),
        ),
        of_identity(
            "ACTION_NEEDS_STAR_RESOURCE",
            r#""Action":["kms:Sign","kms:ListKeys"]"#,
            r#""Action":["kms:Sign","kms:ListKeys"] & "Resource":"*""#,
        ),
        of_identity(
            "ALLOW_WITH_NOT_RESOURCE",
            r#""NotResource":"arn:aws:kms:us-west-2:111122223333:key/a""#,
            r#""Effect":"Deny" & "NotResource":"arn:aws:kms:us-west-2:111122223333:key/a""#,
        ),
        of_identity(
            "REDUNDANT_RESOURCE",
            &on(r#"["*","arn:aws:kms:us-west-2:111122223333:key/a"]"#),
            &on(r#"["arn:aws:s3:::*","arn:aws:kms:us-west-2:111122223333:key/a"]"#),
        ),
        of_identity(
            "DECRYPT_WITH_ANY_KEY",
            r#""Action":"kms:Decrypt" & "Resource":"*""#,
            r#""Action":"kms:Decrypt""#,
        ),
        of_identity(
            "DECRYPT_WITH_ANY_KEY",
            r#""Action":"kms:Re*" & "Resource":"arn:aws:kms:*:111122223333:key/*""#,
            r#""Action":"kms:Encrypt" & "Resource":"arn:aws:kms:*:111122223333:key/*""#,
        ),
    ]
}

fn keys() -> Vec<Case> {
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

fn carried() -> Vec<Case> {
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

fn values() -> Vec<Case> {
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

fn values_of_keys() -> Vec<Case> {
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
