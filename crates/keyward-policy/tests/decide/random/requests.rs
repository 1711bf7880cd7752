//! Random requests.

use super::documents::{DATES, grant};
use crate::{
    oracle::{Ask, Target},
    world::caller,
};
use keyward_types::{Caller, CallerKind};
use proptest::{collection::vec, option, prelude::*, sample::select, strategy::BoxedStrategy};
use std::collections::BTreeMap;

const LINKED: &str = "arn:aws:sts::111122223333:assumed-role/linked/s1";
const OF_NOBODY: &str = "arn:aws:sts::111122223333:federated-user/nobody";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const APP: &str = "arn:aws:sts::111122223333:assumed-role/app/s1";
const ENG: &str = "arn:aws:sts::444455556666:assumed-role/eng/bob";
/// The more often it stands here, the more often it asks.
const CALLERS: &[&str] = &[
    ALICE,
    ALICE,
    ALICE,
    ALICE,
    APP,
    APP,
    APP,
    APP,
    ENG,
    ENG,
    ENG,
    "arn:aws:iam::111122223333:root",
    "arn:aws:sts::111122223333:assumed-role/app/s2",
    LINKED,
    "arn:aws:sts::111122223333:federated-user/fed",
    OF_NOBODY,
    "arn:aws:iam::444455556666:user/carol",
    "arn:aws:iam::444455556666:root",
    "s3.amazonaws.com",
    "dynamodb.amazonaws.com",
];
/// On the key, and whether AWS offers them to other accounts.
const ON_KEY: &[(&str, bool)] = &[
    ("kms:Decrypt", true),
    ("kms:Encrypt", true),
    ("kms:GenerateDataKey", true),
    ("kms:DescribeKey", true),
    ("kms:Sign", true),
    ("kms:CreateGrant", true),
    ("kms:RetireGrant", true),
    ("kms:PutKeyPolicy", false),
];
const ROLES: &[&str] =
    &["arn:aws:iam::111122223333:role/app", "arn:aws:iam::444455556666:role/eng"];
const FACTS: &[(&str, &[&str])] = &[
    ("kms:ViaService", &["red", "Red", "re", "alice", "r*"]),
    ("KMS:ViaService", &["red", "blue"]),
    ("s3:prefix", &["red", "cmVk", "r*", "blue"]),
    ("s3:max-keys", &["90", "90.25", "many"]),
    ("kms:RotationPeriodInDays", &["90", "365", "90.5", "often"]),
    ("aws:MultiFactorAuthAge", &["89", "91", "-1"]),
    ("aws:EpochTime", &["1785542400", "1785542401"]),
    ("aws:SourceArn", &["arn:aws:s3:::data/x", "not an arn"]),
    ("aws:VpcSourceIp", &["10.1.2.3", "2001:db8::7", "here"]),
    ("aws:SourceIp", &["192.0.2.200", "2001:db8::1", "::ffff:10.0.0.1"]),
    ("aws:SourceVpce", &["vpce-1"]),
    ("kms:GrantIsForAWSResource", &["true", "false", "TRUE"]),
    ("kms:RequestAlias", &["red", "alias/app"]),
    ("aws:RequestTag/team", &["red", "blue"]),
    ("aws:RequestTag/Team", &["red"]),
    ("aws:PrincipalArn", &["arn:aws:iam::111122223333:role/app"]),
    ("aws:TagKeys", &["team", "Team"]),
];
const LISTS: &[(&str, &[&str])] = &[
    ("kms:GrantOperations", &["Decrypt", "Encrypt"]),
    ("kms:GrantOperations", &["Decrypt"]),
    ("kms:GrantOperations", &[]),
    ("aws:TagKeys", &["team", "tXam"]),
    ("kms:GrantConstraintType", &["EncryptionContextSubset"]),
];

fn who() -> BoxedStrategy<Caller> {
    const TAGS: &[(&str, &str)] = &[
        ("team", "red"),
        ("team", "*"),
        ("Team", "blue"),
        ("key", "1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("key", "*"),
        ("arn", "arn:aws:s3:::data/x"),
    ];
    (select(CALLERS), vec(select(TAGS), 0..3), option::of(any::<bool>()))
        .prop_map(|(arn, tags, mfa)| {
            let mut caller = caller(arn);
            caller.tags = owned(&tags);
            caller.mfa = mfa;
            match &mut caller.kind {
                CallerKind::RoleSession { role_arn, .. } if arn == LINKED => {
                    *role_arn = role_arn.replace(
                        "role/linked",
                        "role/aws-service-role/example.amazonaws.com/linked",
                    );
                    caller.principal_arn = role_arn.clone();
                }
                CallerKind::Federated { user_arn, .. } if arn == OF_NOBODY => *user_arn = None,
                _ => {}
            }
            caller
        })
        .boxed()
}

/// Action, resource, and whether AWS offers it to other accounts.
fn what() -> BoxedStrategy<(&'static str, Target, bool)> {
    let elsewhere = |account: &str| -> Vec<(&'static str, Target)> {
        let alias =
            |name: &str| Target::Alias(format!("arn:aws:kms:us-west-2:{account}:alias/{name}"));
        vec![
            ("kms:CreateAlias", alias("app")),
            ("kms:DeleteAlias", alias("aws/s3")),
            ("kms:DescribeKey", alias("app")),
            ("iam:CreateUser", Target::Other(format!("arn:aws:iam::{account}:user/new"))),
        ]
    };
    let mut others = elsewhere("111122223333");
    others.extend(elsewhere("444455556666"));
    others.push(("kms:ListKeys", Target::Any));
    others.push(("kms:CreateKey", Target::Any));
    prop_oneof![
        10 => select(ON_KEY).prop_map(|(action, cross)| (action, Target::Key, cross)),
        2 => (select(others), any::<bool>())
            .prop_map(|((action, target), cross)| (action, target, cross)),
        1 => select(ROLES)
            .prop_map(|arn| ("sts:AssumeRole", Target::Role(arn.to_owned()), true)),
    ]
    .boxed()
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn facts() -> BoxedStrategy<Vec<(String, Vec<String>)>> {
    let one = |(name, values): &(&'static str, &'static [&'static str])| {
        let name = *name;
        values
            .iter()
            .map(move |value| (name.to_owned(), vec![(*value).to_owned()]))
            .collect::<Vec<_>>()
    };
    let mut all: Vec<(String, Vec<String>)> = FACTS.iter().flat_map(one).collect();
    for name in ["aws:CurrentTime", "kms:ValidTo"] {
        all.extend(DATES.iter().map(|date| (name.to_owned(), vec![(*date).to_owned()])));
    }
    all.push(("aws:CurrentTime".to_owned(), vec!["soon".to_owned()]));
    all.extend(LISTS.iter().map(|(name, values)| {
        ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
    }));
    vec(select(all), 0..6).boxed()
}

pub(super) fn ask() -> BoxedStrategy<Ask> {
    const CONTEXT: &[(&str, &str)] = &[
        ("AppName", "red"),
        ("AppName", "Red"),
        ("AppName", "90"),
        ("AppName", "true"),
        ("AppName", "2026-08-01T00:00:00Z"),
        ("AppName", "192.0.2.1"),
        ("appname", "red"),
        ("team", "red"),
        ("team", "alice"),
        ("aws:s3:arn", "arn:aws:s3:::data/x"),
    ];
    let grant = option::weighted(0.5, grant());
    (who(), what(), prop::bool::weighted(0.05), vec(select(CONTEXT), 0..4), facts(), grant)
        .prop_map(|(caller, (action, target, cross), ignores_arns, context, facts, child)| Ask {
            caller,
            action: action.to_owned(),
            target,
            cross_account_allowed: cross,
            ignores_arns,
            context: owned(&context),
            facts,
            child,
        })
        .boxed()
}
