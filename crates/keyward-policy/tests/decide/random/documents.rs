//! Random documents: mostly valid, some with one fault.

use super::faults::{fault, spoil};
use crate::{
    oracle::{Documents, Kind},
    world::{FOREIGN, KEY, OWNER, account, key_name},
};
use keyward_types::{GrantConstraints, GrantId, GrantOperation, GrantRecord, Grantee, Timestamp};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
    strategy::BoxedStrategy,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ACTIONS: &[&str] = &[
    "kms:*",
    "kms:*",
    "kms:*",
    "kms:*",
    "kms:*",
    "*",
    "*",
    "kms:Decrypt",
    "KMS:decrypt",
    "kms:*crypt",
    "kms:?ncrypt",
    "kms:Describe*",
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
    "kms:RetireGrant",
    "kms:*Alias",
    "kms:List*",
    "kms:??crypt",
    "sts:AssumeRole",
    "s3:*",
    " kms:Decrypt",
    "kms:Decrypt,kms:Encrypt",
];
const RESOURCES: &[&str] = &[
    "*",
    "*",
    "*",
    "*",
    "*",
    "*",
    "*",
    "*",
    KEY,
    "arn:aws:kms:us-west-2:111122223333:key/*",
    "arn:aws:kms:*:111122223333:key/*",
    "arn:*:kms:*:*:*",
    "arn:aws:kms:us-*-2:*:key/1234*",
    "arn:aws:kms:us-west-2:111122223333:key/?234abcd-*",
    "arn:aws:kms:us-west-2:111122223333:key/${aws:PrincipalTag/key}",
    "arn:aws:kms:us-west-2:111122223333:key/${aws:PrincipalTag/key, '1234abcd-12ab-34cd-56ef-1234567890ab'}",
    "arn:aws:kms:us-west-2:111122223333:key/1234${*}",
    "arn:aws:kms:us-west-2:111122223333:alias/*",
    "arn:aws:kms:us-west-2:111122223333:ALIAS/*",
    "arn:aws:iam::111122223333:*",
    "arn:aws:kms:us-west-2:444455556666:*",
];
const PRINCIPALS: &[&str] = &[
    "*",
    "*",
    OWNER,
    OWNER,
    "arn:aws:iam::111122223333:root",
    FOREIGN,
    "arn:aws:iam::444455556666:root",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:user/bob",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:role/App",
    "arn:aws:iam::111122223333:role/aws-service-role/example.amazonaws.com/linked",
    "arn:aws:sts::111122223333:assumed-role/app/s1",
    "arn:aws:sts::111122223333:federated-user/fed",
    "arn:aws:iam::444455556666:role/eng",
    "arn:aws:iam::444455556666:user/carol",
];
const TEXT_KEYS: &[&str] = &[
    "kms:EncryptionContext:AppName",
    "kms:encryptioncontext:appname",
    "kms:EncryptionContext:team",
    "kms:EncryptionContext:aws:s3:arn",
    "kms:ViaService",
    "KMS:viaSERVICE",
    "kms:CallerAccount",
    "aws:PrincipalTag/team",
    "aws:ResourceTag/Team",
    "aws:RequestTag/team",
    "aws:username",
    "aws:userid",
    "aws:PrincipalType",
    "kms:KeySpec",
    "kms:RequestAlias",
    "s3:prefix",
];
const TEXTS: &[&str] = &[
    "red",
    "Red",
    "RED",
    "re",
    "re*",
    "r?d",
    "*",
    "?*",
    "${aws:username}",
    "${AWS:UserName, 'red'}",
    "pre-${aws:PrincipalTag/team}",
    "${aws:PrincipalTag/team}*",
    "r${*}",
    "r*",
    "${?}${$}",
    "${aws:PrincipalTag/Team, 'blue'}",
    "alice",
    "111122223333",
    "AROA*:s?",
    "SYMMETRIC_DEFAULT",
    "User",
    "",
];
const MANY_KEYS: &[&str] = &[
    "kms:EncryptionContextKeys",
    "kms:GrantOperations",
    "aws:TagKeys",
    "kms:ResourceAliases",
    "kms:GrantConstraintType",
];
const MANY_TEXTS: &[&str] = &[
    "AppName",
    "appname",
    "App*",
    "Decrypt",
    "Encrypt",
    "team",
    "t?am",
    "alias/app",
    "alias/*",
    "red",
    "${aws:username}",
];
const NUMBER_KEYS: &[&str] = &[
    "kms:RotationPeriodInDays",
    "aws:MultiFactorAuthAge",
    "aws:EpochTime",
    "kms:EncryptionContext:AppName",
    "s3:max-keys",
];
const NUMBERS: &[&str] = &["90", "90.5", "365", "-1", "+90", "89.999", "90.000", "1785542400", "0"];
const DATE_KEYS: &[&str] =
    &["aws:CurrentTime", "aws:EpochTime", "kms:ValidTo", "kms:EncryptionContext:AppName"];
pub(super) const DATES: &[&str] = &[
    "2026-08-01T00:00:00Z",
    "2026-08-01T00:00Z",
    "2026-08-01",
    "2026-08",
    "1785542400",
    "1785542400.5",
    "2026-08-01T00:00:00.500Z",
    "2027-01-01T00:00:00+02:00",
    "2026-08-01T02:00+02:00",
    "2026-07-31T22:30:00-01:30",
];
const ARN_KEYS: &[&str] = &[
    "aws:PrincipalArn",
    "aws:PrincipalArn",
    "aws:SourceArn",
    "kms:EncryptionContext:aws:s3:arn",
    "kms:ViaService",
];
const ARNS: &[&str] = &[
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:*",
    "arn:aws:iam::*:role/*",
    "arn:aws:iam:*:role/*:x",
    "arn:aws:iam::111122223333:user/${aws:username}",
    "arn:aws:iam::${aws:PrincipalAccount}:*",
    "${aws:PrincipalTag/arn}",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::dat?/x",
    "arn:aws:s3:*:*:data/x",
    "*",
];
const IP_KEYS: &[&str] =
    &["aws:SourceIp", "aws:SourceIp", "aws:VpcSourceIp", "kms:EncryptionContext:AppName"];
const NETWORKS: &[&str] = &[
    "192.0.2.0/24",
    "192.0.2.1",
    "10.0.0.0/8",
    "192.0.2.7/25",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "2001:db8::1",
];
const BOOL_KEYS: &[&str] = &[
    "aws:MultiFactorAuthPresent",
    "aws:SecureTransport",
    "kms:GrantIsForAWSResource",
    "aws:PrincipalIsAWSService",
    "kms:EncryptionContext:AppName",
];

/// One text or a list of some.
fn some(from: &'static [&'static str], max: usize) -> BoxedStrategy<Value> {
    prop_oneof![
        select(from).prop_map(|one| json!(one)),
        vec(select(from), 1..=max).prop_map(|several| json!(several)),
    ]
    .boxed()
}

/// An operator in its own spelling or in lower case, with a set prefix and IfExists where they may stand.
fn dressed(
    names: &'static [&'static str],
    prefixes: &'static [&'static str],
) -> BoxedStrategy<String> {
    (select(prefixes), select(names), prop::bool::weighted(0.2), prop::bool::weighted(0.1))
        .prop_map(|(prefix, name, if_exists, lower)| {
            let text = format!("{prefix}{name}{}", if if_exists { "IfExists" } else { "" });
            if lower { text.to_lowercase() } else { text }
        })
        .boxed()
}

const PLAIN: &[&str] = &["", "", "", "", "", "ForAnyValue:", "ForAllValues:"];
const SETS: &[&str] = &["", "ForAnyValue:", "ForAllValues:"];
const TEXT: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];
const NUMERIC: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];
const DATE: &[&str] = &[
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
];
const ARN: &[&str] = &["ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals"];

type Test = (String, &'static str, Value);

fn test() -> BoxedStrategy<Test> {
    let null = (prop_oneof![select(TEXT_KEYS), select(MANY_KEYS)], any::<bool>(), any::<bool>());
    prop_oneof![
        8 => (dressed(TEXT, PLAIN), select(TEXT_KEYS), some(TEXTS, 3)),
        3 => (dressed(TEXT, SETS), select(MANY_KEYS), some(MANY_TEXTS, 3)),
        2 => (dressed(NUMERIC, PLAIN), select(NUMBER_KEYS), prop_oneof![
            some(NUMBERS, 2),
            select(&[90_i64, 365, 0][..]).prop_map(|number| json!(number)),
            Just(json!(90.5)),
        ]),
        2 => (dressed(DATE, PLAIN), select(DATE_KEYS), some(DATES, 2)),
        2 => (dressed(ARN, PLAIN), select(ARN_KEYS), some(ARNS, 2)),
        2 => (dressed(&["IpAddress", "NotIpAddress"], PLAIN), select(IP_KEYS), some(NETWORKS, 2)),
        2 => (dressed(&["Bool"], PLAIN), select(BOOL_KEYS), prop_oneof![
            some(&["true", "false", "True", "${aws:SecureTransport}"], 2),
            any::<bool>().prop_map(|truth| json!(truth)),
        ]),
        1 => (dressed(&["BinaryEquals"], PLAIN), select(&["s3:prefix", "kms:ViaService"][..]),
            some(&["cmVk", "UmVk", ""], 2)),
        1 => null.prop_map(|(key, truth, text)| {
            let value = if text { json!(truth.to_string()) } else { json!(truth) };
            ("Null".to_owned(), key, value)
        }),
    ]
    .boxed()
}

fn condition() -> BoxedStrategy<Option<Value>> {
    let tests = prop_oneof![6 => vec(test(), 0..1), 4 => vec(test(), 1..2), 1 => vec(test(), 2..4)];
    tests
        .prop_map(|tests| {
            let mut condition = Map::new();
            for (operator, key, values) in tests {
                let keys = condition.entry(operator).or_insert_with(|| json!({}));
                keys[key] = values;
            }
            (!condition.is_empty()).then_some(condition.into())
        })
        .boxed()
}

fn principal() -> BoxedStrategy<Value> {
    const SERVICES: &[&str] = &["s3.amazonaws.com", "dynamodb.amazonaws.com"];
    prop_oneof![
        1 => Just(json!("*")),
        1 => (some(PRINCIPALS, 2), some(SERVICES, 2))
            .prop_map(|(names, services)| json!({"Service": services, "AWS": names})),
        1 => some(SERVICES, 2).prop_map(|services| json!({"Service": services})),
        6 => some(PRINCIPALS, 3).prop_map(|names| json!({"AWS": names})),
    ]
    .boxed()
}

/// `None` stands for an element that is missing, which a key policy's statement may have.
fn element(
    name: &'static str,
    value: BoxedStrategy<Value>,
    missing: bool,
) -> BoxedStrategy<Option<(String, Value)>> {
    let named = (prop::bool::weighted(0.12), value).prop_map(move |(not, value)| {
        (if not { format!("Not{name}") } else { name.to_owned() }, value)
    });
    if missing { option::weighted(0.975, named).boxed() } else { named.prop_map(Some).boxed() }
}

fn statement(kind: Kind, deny: f64) -> BoxedStrategy<Value> {
    let resource_side = kind == Kind::Resource;
    let actions = element("Action", some(ACTIONS, 3), resource_side);
    let resources = element("Resource", some(RESOURCES, 2), resource_side);
    let principals = element("Principal", principal(), resource_side);
    (prop::bool::weighted(deny), actions, resources, principals, condition(), any::<u16>())
        .prop_map(move |(deny, action, resource, principal, condition, sid)| {
            let mut statement = Map::new();
            statement.insert("Effect".to_owned(), json!(if deny { "Deny" } else { "Allow" }));
            statement.insert("Sid".to_owned(), json!(format!("S{sid}")));
            statement.extend(action);
            if kind != Kind::Trust {
                statement.extend(resource);
            }
            if kind != Kind::Identity {
                statement.extend(principal.map(|(name, value)| named(deny, &name, value)));
            }
            statement.extend(condition.map(|condition| ("Condition".to_owned(), condition)));
            statement.into()
        })
        .boxed()
}

/// NotPrincipal stands with Deny alone, and not with everybody.
fn named(deny: bool, name: &str, value: Value) -> (String, Value) {
    let everybody = value == "*" || value["AWS"].to_string().contains("\"*\"");
    let name = if deny && !everybody { name } else { "Principal" };
    (name.to_owned(), value)
}

fn with_version((version, statements): (&str, Vec<Value>)) -> Value {
    let mut document = json!({"Statement": statements});
    if let [one] = statements.as_slice() {
        // A single statement may stand without a list.
        document["Statement"] =
            if one["Sid"].to_string().len() % 2 == 0 { one.clone() } else { json!([one]) };
    }
    if !version.is_empty() {
        document["Version"] = json!(version);
    }
    document
}

const VERSIONS: &[&str] =
    &["2012-10-17", "2012-10-17", "2012-10-17", "2012-10-17", "2008-10-17", ""];

fn policy_with(kind: Kind, deny: f64) -> BoxedStrategy<Value> {
    (select(VERSIONS), vec(statement(kind, deny), 1..5)).prop_map(with_version).boxed()
}

/// A document without a fault put in on purpose. One without variables may still hold what is one only with them.
pub(super) fn policy(kind: Kind) -> BoxedStrategy<Value> {
    policy_with(kind, 0.2)
}

/// A document that allows everything half of the time, so that other layers are heard.
fn layer() -> BoxedStrategy<Value> {
    let everything = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    prop_oneof![Just(everything), policy(Kind::Identity)].boxed()
}

fn key_policy() -> BoxedStrategy<Value> {
    let default = |rest: Value| {
        let first = json!({"Sid": "Enable IAM policies", "Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "kms:*", "Resource": "*"});
        json!({"Version": "2012-10-17", "Statement": [first, rest]})
    };
    prop_oneof![
        2 => statement(Kind::Resource, 0.5).prop_map(default),
        5 => policy(Kind::Resource),
    ]
    .boxed()
}

/// An RCP that allows nothing says nothing, so it mostly denies.
fn control() -> BoxedStrategy<Vec<Vec<Value>>> {
    vec(vec(policy_with(Kind::Resource, 0.7), 0..2), 1..3).boxed()
}

fn pairs(
    names: &'static [&'static str],
    values: &'static [&'static str],
) -> BoxedStrategy<BTreeMap<String, String>> {
    let pair = (select(names), select(values)).prop_map(|(n, v)| (n.to_owned(), v.to_owned()));
    vec(pair, 0..3).prop_map(|pairs| pairs.into_iter().collect()).boxed()
}

fn constraints() -> BoxedStrategy<GrantConstraints> {
    const NAMES: &[&str] = &["AppName", "appname", "team"];
    let pairs = || option::weighted(0.3, pairs(NAMES, &["red", "Red"]));
    let source = option::weighted(0.15, select(&["arn:aws:s3:::data/x", "arn:aws:s3:::other"][..]));
    (pairs(), pairs(), source)
        .prop_map(|(equals, subset, source_arn)| GrantConstraints {
            encryption_context_equals: equals,
            encryption_context_subset: subset,
            source_arn: source_arn.map(str::to_owned),
        })
        .boxed()
}

const OPERATIONS: &[GrantOperation] = &[
    GrantOperation::Decrypt,
    GrantOperation::Encrypt,
    GrantOperation::GenerateDataKey,
    GrantOperation::DescribeKey,
    GrantOperation::CreateGrant,
    GrantOperation::RetireGrant,
    GrantOperation::Sign,
];

pub(super) fn grant() -> BoxedStrategy<GrantRecord> {
    let grantee = prop_oneof![
        6 => select(&PRINCIPALS[2..]).prop_map(|arn| Grantee::Principal(arn.to_owned())),
        1 => Just(Grantee::Service("s3.amazonaws.com".to_owned())),
    ];
    let id = option::weighted(0.1, select(&["AIDAALICE", "AROAAPP", OWNER, "AROAOTHER"][..]));
    let operations = vec(select(OPERATIONS), 1..6);
    (grantee, id, operations, constraints(), any::<bool>(), any::<u64>())
        .prop_map(|(grantee, id, operations, constraints, foreign, number)| GrantRecord {
            grant_id: GrantId::new(&number.to_string()),
            key: key_name(KEY),
            name: None,
            created: Timestamp(0),
            grantee,
            grantee_id: id.map(str::to_owned),
            retiring: None,
            issuing_account: account(if foreign { FOREIGN } else { OWNER }),
            operations: operations.into_iter().collect::<BTreeSet<_>>(),
            constraints,
        })
        .boxed()
}

pub(super) fn world() -> BoxedStrategy<Documents> {
    let resource_side = (
        option::weighted(0.95, key_policy()),
        option::weighted(0.08, policy(Kind::Resource)),
        policy(Kind::Trust),
        vec(grant(), 0..4),
        pairs(&["Team", "team", "other"], &["red", "blue"]),
        vec(select(&["alias/app", "alias/other"][..]), 0..3),
    );
    let scps = vec(vec(layer(), 1..3), 1..3);
    let everybody = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}});
    let endpoint = prop_oneof![2 => Just(everybody), 1 => policy(Kind::Resource)];
    let caller_side = (
        vec(layer(), 0..3),
        option::weighted(0.2, layer()),
        option::weighted(0.25, vec(layer(), 1..3)),
        option::weighted(0.15, scps),
        option::weighted(0.15, control()),
        option::weighted(0.12, endpoint),
    );
    let fault = option::weighted(0.05, (any::<Index>(), fault()));
    (resource_side, caller_side, fault)
        .prop_map(|(resource_side, caller_side, fault)| {
            let (key_policy, ram_policy, trust, grants, tags, aliases) = resource_side;
            let (identity, boundary, session, scps, rcps, endpoint) = caller_side;
            let mut world = Documents {
                key_arn: KEY.to_owned(),
                owner: OWNER.to_owned(),
                tags,
                aliases: aliases.into_iter().map(str::to_owned).collect(),
                key_policy,
                ram_policy,
                trust,
                identity,
                boundary,
                session: session.unwrap_or_default(),
                scps: scps.unwrap_or_default(),
                rcps: rcps.unwrap_or_default(),
                endpoint,
                grants,
            };
            if let Some((place, fault)) = fault {
                spoil(&mut world, place, &fault);
            }
            world
        })
        .boxed()
}

/// A document of a kind, in half of the cases with a fault.
pub(super) fn perhaps_malformed() -> BoxedStrategy<(Kind, Value)> {
    select(&[Kind::Resource, Kind::Identity, Kind::Trust][..])
        .prop_flat_map(|kind| {
            (policy(kind), option::of(fault())).prop_map(move |(mut document, fault)| {
                if let Some(fault) = fault {
                    fault.put(&mut document);
                }
                (kind, document)
            })
        })
        .boxed()
}
