//! TABLE: a wrong and a right document for each check.

use super::*;

/// Cases whose documents are given whole.
pub(super) fn whole(code: &'static str, kind: LintKind, wrong: &str, right: &str) -> Case {
    Case { code, kind, wrong: wrong.to_owned(), right: right.to_owned() }
}

/// Cases of key policies, given the members of one statement.
pub(super) fn of_key(code: &'static str, wrong: &str, right: &str) -> Case {
    Case { code, kind: Key, wrong: key(wrong), right: key(right) }
}

pub(super) fn of_identity(code: &'static str, wrong: &str, right: &str) -> Case {
    Case { code, kind: Identity, wrong: identity(wrong), right: identity(right) }
}

fn of_trust(code: &'static str, wrong: &str, right: &str) -> Case {
    Case { code, kind: Trust, wrong: trust(wrong), right: trust(right) }
}

/// Conditions of a key policy's statement: operator, key and value as JSON.
pub(super) type Asked<'c> = (&'c str, &'c str, &'c str);

pub(super) fn asked(code: &'static str, wrong: Asked<'_>, right: Asked<'_>) -> Case {
    let of = |(operator, name, value)| key(&condition(operator, name, value));
    Case { code, kind: Key, wrong: of(wrong), right: of(right) }
}

pub(super) fn all() -> Vec<Case> {
    use super::cases_of_conditions::{carried, keys, values, values_of_keys};
    let beside = [document(), elements(), actions(), principals(), administrators(), resources()];
    let conditions = [keys(), carried(), values(), values_of_keys()];
    beside.into_iter().chain(conditions).flatten().collect()
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
        of_trust("INVALID_SID", r#""Sid":"use it""#, r#""Sid":"UseIt""#),
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
