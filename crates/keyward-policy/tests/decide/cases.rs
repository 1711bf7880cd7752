//! Small random cases for tests that change one afterwards: a key policy and the layers around it, in which every
//! refusal that a policy can lift has a remedy. What the engine is compared with at large is `random/`.

use crate::{
    oracle::{Ask, Documents, Oracle, Target},
    world::{FOREIGN, KEY, OWNER, account, caller, document, key, key_name, named},
};
use keyward_policy::{Facts, Question};
use keyward_types::{
    Caller, Effect, EncryptionContext, GrantConstraints, GrantId, GrantOperation, GrantRecord,
    Grantee, IdentityDocument, Timestamp,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const SEED: u64 = 0x006b_6579_7761_7264;
pub(crate) const REQUESTS: usize = 1_000;

/// SplitMix64: enough for tests, and the same everywhere.
pub(crate) struct Luck(pub(crate) u64);

impl Luck {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("small")
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn some(&mut self, from: &[&str], max: usize) -> Value {
        let count = 1 + self.below(max);
        let picked: Vec<&str> = (0..count).map(|_| self.pick(from)).collect();
        if picked.len() == 1 && self.one_in(2) { json!(picked[0]) } else { json!(picked) }
    }
}

pub(crate) const ACTIONS: &[&str] = &[
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
    "kms:PutKeyPolicy",
    "kms:Sign",
];
const ACTION_PATTERNS: &[&str] = &[
    "kms:*",
    "*",
    "kms:Decrypt",
    "KMS:decrypt",
    "kms:*crypt",
    "kms:?ncrypt",
    "kms:Describe*",
    "kms:PutKeyPolicy",
    "s3:*",
];
const RESOURCE_PATTERNS: &[&str] = &[
    "*",
    "*",
    KEY,
    "arn:aws:kms:us-west-2:111122223333:key/*",
    "arn:aws:kms:*:111122223333:key/*",
    "arn:aws:kms:us-*-2:*:key/1234*",
    "arn:aws:kms:us-west-2:111122223333:key/?234abcd-*",
    "arn:aws:kms:us-west-2:111122223333:key/${aws:PrincipalTag/key}",
    "arn:aws:kms:us-west-2:111122223333:alias/*",
    "arn:aws:kms:us-west-2:444455556666:key/*",
];
const PRINCIPALS: &[&str] = &[
    "*",
    OWNER,
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::444455556666:root",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:user/bob",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:sts::111122223333:assumed-role/app/s1",
    "arn:aws:sts::111122223333:federated-user/fed",
    "arn:aws:iam::444455556666:role/eng",
];
pub(crate) const CALLERS: &[&str] = &[
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:root",
    "arn:aws:sts::111122223333:assumed-role/app/s1",
    "arn:aws:sts::111122223333:assumed-role/app/s2",
    "arn:aws:sts::111122223333:federated-user/fed",
    "arn:aws:sts::444455556666:assumed-role/eng/bob",
    "arn:aws:iam::444455556666:root",
    "s3.amazonaws.com",
];
const TEXT_KEYS: &[&str] = &[
    "kms:EncryptionContext:AppName",
    "kms:encryptioncontext:appname",
    "kms:EncryptionContext:aws:s3:arn",
    "kms:ViaService",
    "aws:PrincipalTag/team",
    "aws:ResourceTag/Team",
    "aws:username",
    "s3:prefix",
];
const TEXTS: &[&str] = &[
    "red",
    "Red",
    "re",
    "re*",
    "r?d",
    "*",
    "${aws:username}",
    "${aws:username, 'red'}",
    "pre-${aws:PrincipalTag/team}",
    "r${*}",
    "${aws:PrincipalTag/Team, 'blue'}",
    "alice",
    "",
];
const MANY_KEYS: &[&str] = &["kms:EncryptionContextKeys", "kms:GrantOperations", "aws:TagKeys"];
const MANY_TEXTS: &[&str] = &["AppName", "appname", "App*", "Decrypt", "Encrypt", "team", "t?am"];
const ARN_KEYS: &[&str] =
    &["aws:PrincipalArn", "aws:SourceArn", "kms:EncryptionContext:aws:s3:arn"];
const ARNS: &[&str] = &[
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:*",
    "arn:aws:iam::*:role/*",
    "arn:aws:iam::111122223333:user/${aws:username}",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::dat?/x",
];

/// `ForAllValues` and `ForAnyValue` where they may stand, IfExists where it may.
fn dressed(luck: &mut Luck, operator: &str, sets: bool) -> String {
    let prefix = match luck.below(if sets { 4 } else { 8 }) {
        0 => "ForAnyValue:",
        1 if sets => "ForAllValues:",
        _ => "",
    };
    let suffix = if luck.one_in(4) { "IfExists" } else { "" };
    format!("{prefix}{operator}{suffix}")
}

fn test(luck: &mut Luck) -> (String, String, Value) {
    let texts = [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
    ];
    let numbers =
        ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
    match luck.below(10) {
        0..=3 => {
            let operator = luck.pick(&texts);
            (dressed(luck, operator, false), luck.pick(TEXT_KEYS).to_owned(), luck.some(TEXTS, 3))
        }
        4 => {
            let operator = luck.pick(&texts);
            (
                dressed(luck, operator, true),
                luck.pick(MANY_KEYS).to_owned(),
                luck.some(MANY_TEXTS, 3),
            )
        }
        5 => {
            let operator = format!("Numeric{}", luck.pick(&numbers));
            let key = luck.pick(&[
                "kms:RotationPeriodInDays",
                "aws:MultiFactorAuthAge",
                "kms:EncryptionContext:AppName",
            ]);
            (
                dressed(luck, &operator, false),
                key.to_owned(),
                luck.some(&["90", "90.5", "365", "-1", "89.999"], 2),
            )
        }
        6 => {
            let operator = format!("Date{}", luck.pick(&numbers));
            let key = luck.pick(&["aws:CurrentTime", "aws:EpochTime", "kms:ValidTo"]);
            (
                dressed(luck, &operator, false),
                key.to_owned(),
                luck.some(&["2026-08-01T00:00:00Z", "1785542400", "2027-01-01T00:00:00+02:00"], 2),
            )
        }
        7 => {
            let operator = luck.pick(&["ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals"]);
            (dressed(luck, operator, false), luck.pick(ARN_KEYS).to_owned(), luck.some(ARNS, 2))
        }
        8 => {
            let operator = luck.pick(&["IpAddress", "NotIpAddress"]);
            (
                dressed(luck, operator, false),
                "aws:SourceIp".to_owned(),
                luck.some(&["192.0.2.0/24", "192.0.2.1", "10.0.0.0/8", "192.0.2.7/25"], 2),
            )
        }
        _ if luck.one_in(2) => {
            let key = luck.pick(&[
                "aws:MultiFactorAuthPresent",
                "aws:SecureTransport",
                "kms:GrantIsForAWSResource",
            ]);
            (
                dressed(luck, "Bool", false),
                key.to_owned(),
                json!(luck.pick(&["true", "false", "True"])),
            )
        }
        _ => {
            let keys = [TEXT_KEYS, MANY_KEYS].concat();
            ("Null".to_owned(), luck.pick(&keys).to_owned(), json!(luck.pick(&["true", "false"])))
        }
    }
}

fn statement(luck: &mut Luck, principals: bool) -> Value {
    let mut statement = Map::new();
    let allow = !luck.one_in(4);
    statement.insert("Effect".into(), json!(if allow { "Allow" } else { "Deny" }));
    if !luck.one_in(40) || !principals {
        let name = if luck.one_in(8) { "NotAction" } else { "Action" };
        statement.insert(name.into(), luck.some(ACTION_PATTERNS, 3));
    }
    if !luck.one_in(40) || !principals {
        let name = if luck.one_in(8) { "NotResource" } else { "Resource" };
        statement.insert(name.into(), luck.some(RESOURCE_PATTERNS, 2));
    }
    if principals && !luck.one_in(40) {
        let not = !allow && luck.one_in(3);
        let names = if not { &PRINCIPALS[1..] } else { PRINCIPALS };
        let value = match luck.below(6) {
            0 if !not => json!("*"),
            1 => json!({"Service": "s3.amazonaws.com", "AWS": luck.some(names, 2)}),
            _ => json!({"AWS": luck.some(names, 3)}),
        };
        statement.insert(if not { "NotPrincipal" } else { "Principal" }.into(), value);
    }
    let mut condition = Map::new();
    for _ in 0..luck.below(3) {
        let (operator, key, values) = test(luck);
        let keys = condition.entry(operator).or_insert_with(|| json!({}));
        keys.as_object_mut().expect("an object").insert(key, values);
    }
    if !condition.is_empty() {
        statement.insert("Condition".into(), condition.into());
    }
    statement.into()
}

pub(crate) fn policy(luck: &mut Luck, principals: bool) -> Value {
    let statements: Vec<Value> =
        (0..1 + luck.below(4)).map(|_| statement(luck, principals)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A document that allows everything half of the time, so that other layers are heard.
pub(crate) fn layer(luck: &mut Luck) -> Value {
    if luck.one_in(2) {
        return json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    }
    policy(luck, false)
}

pub(crate) fn pairs(luck: &mut Luck, names: &[&str], values: &[&str]) -> BTreeMap<String, String> {
    (0..luck.below(4))
        .map(|_| (luck.pick(names).to_owned(), luck.pick(values).to_owned()))
        .collect()
}

pub(crate) fn grant(luck: &mut Luck) -> GrantRecord {
    let mut constraints = GrantConstraints::default();
    let names = ["AppName", "appname", "team"];
    match luck.below(5) {
        0 => constraints.encryption_context_equals = Some(pairs(luck, &names, &["red", "Red"])),
        1 => constraints.encryption_context_subset = Some(pairs(luck, &names, &["red", "Red"])),
        2 => constraints.source_arn = Some("arn:aws:s3:::data/x".to_owned()),
        _ => {}
    }
    let grantee = match luck.below(6) {
        0 => Grantee::Service("s3.amazonaws.com".to_owned()),
        _ => Grantee::Principal(luck.pick(&PRINCIPALS[1..]).to_owned()),
    };
    GrantRecord {
        grant_id: GrantId::new(&luck.next().to_string()),
        key: key_name(KEY),
        name: None,
        created: Timestamp(0),
        grantee,
        grantee_id: None,
        retiring: None,
        issuing_account: account(if luck.one_in(3) { FOREIGN } else { OWNER }),
        operations: BTreeSet::from([
            GrantOperation::Decrypt,
            if luck.one_in(2) { GrantOperation::Encrypt } else { GrantOperation::DescribeKey },
        ]),
        constraints,
    }
}

/// Facts as both sides take them: by name as stated, and by folded name.
pub(crate) fn facts(luck: &mut Luck, caller: &Caller) -> BTreeMap<String, Vec<String>> {
    let mut facts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let maybe: &[(&str, &[&str])] = &[
        ("kms:viaservice", &["red", "Red", "re", "alice"]),
        ("s3:prefix", &["red", "r*", "blue"]),
        ("kms:rotationperiodindays", &["90", "365"]),
        ("aws:multifactorauthage", &["89", "91"]),
        ("aws:currenttime", &["2026-08-01T00:00:00Z", "2026-12-31T22:00:00Z"]),
        ("aws:epochtime", &["1785542400", "1785542401"]),
        ("kms:validto", &["1785542400"]),
        ("aws:sourcearn", &["arn:aws:s3:::data/x", "not an arn"]),
        ("kms:grantisforawsresource", &["true", "false"]),
    ];
    for (name, values) in maybe {
        if luck.one_in(2) {
            facts.insert((*name).to_owned(), vec![luck.pick(values).to_owned()]);
        }
    }
    for name in ["kms:grantoperations", "aws:tagkeys"] {
        let values: BTreeSet<&str> = (0..luck.below(3))
            .map(|_| luck.pick(&["Decrypt", "Encrypt", "team", "tXam"]))
            .collect();
        if !values.is_empty() {
            facts.insert(name.to_owned(), values.into_iter().map(str::to_owned).collect());
        }
    }
    // What follows from the caller, as AWS says it, is for the engine to find out by itself.
    let _ = caller;
    facts
}

/// One random request and everything that is in force for it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) caller: Caller,
    pub(crate) action: &'static str,
    pub(crate) context: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    stated: BTreeMap<String, Vec<String>>,
    pub(crate) key_policy: Value,
    pub(crate) identity: Vec<Value>,
    pub(crate) boundary: Option<Value>,
    pub(crate) session: Vec<Value>,
    pub(crate) scps: Vec<Vec<Value>>,
    pub(crate) endpoint: Option<Value>,
    pub(crate) grants: Vec<GrantRecord>,
}

impl Case {
    pub(crate) fn random(luck: &mut Luck) -> Self {
        let mut caller = caller(luck.pick(CALLERS));
        caller.tags = pairs(
            luck,
            &["team", "Team", "key"],
            &["red", "blue", "1234abcd-12ab-34cd-56ef-1234567890ab"],
        );
        caller.mfa = luck.one_in(2).then(|| luck.one_in(2));
        let context = pairs(
            luck,
            &["AppName", "appname", "team", "aws:s3:arn"],
            &["red", "Red", "90", "arn:aws:s3:::data/x"],
        );
        let tags = pairs(luck, &["Team", "team", "other"], &["red", "blue"]);
        let stated = facts(luck, &caller);
        let key_policy = policy(luck, true);
        let identity = (0..luck.below(3)).map(|_| layer(luck)).collect();
        let boundary = luck.one_in(4).then(|| layer(luck));
        let session = (0..luck.below(6) / 4).map(|_| layer(luck)).collect();
        let scps = (0..luck.below(6) / 4).map(|_| vec![layer(luck), layer(luck)]).collect();
        let endpoint = luck.one_in(6).then(|| policy(luck, true));
        let grants = (0..luck.below(3)).map(|_| grant(luck)).collect();
        let action = luck.pick(ACTIONS);
        Self {
            caller,
            action,
            context,
            tags,
            stated,
            key_policy,
            identity,
            boundary,
            session,
            scps,
            endpoint,
            grants,
        }
    }

    fn cross_account_allowed(&self) -> bool {
        self.action != "kms:PutKeyPolicy"
    }

    /// Whether no policy can allow it: another account's principal asks for what AWS keeps inside accounts.
    pub(crate) fn stays_inside_accounts(&self) -> bool {
        let service = matches!(self.caller.kind, keyward_types::CallerKind::Service { .. });
        !self.cross_account_allowed() && !service && self.caller.account.as_str() != OWNER
    }

    /// What the oracle says.
    pub(crate) fn expected(&self) -> Effect {
        let documents = Documents {
            key_arn: KEY.to_owned(),
            owner: OWNER.to_owned(),
            tags: self.tags.clone(),
            aliases: Vec::new(),
            key_policy: Some(self.key_policy.clone()),
            ram_policy: None,
            trust: Value::Null,
            identity: self.identity.clone(),
            boundary: self.boundary.clone(),
            session: self.session.clone(),
            scps: self.scps.clone(),
            rcps: Vec::new(),
            endpoint: self.endpoint.clone(),
            grants: self.grants.clone(),
        };
        let ask = Ask {
            caller: self.caller.clone(),
            action: self.action.to_owned(),
            target: Target::Key,
            cross_account_allowed: self.cross_account_allowed(),
            ignores_arns: false,
            context: self.context.clone(),
            facts: self.stated.clone().into_iter().collect(),
            child: None,
        };
        Oracle { documents: &documents, ask: &ask }.decide().0
    }

    /// The same for the engine. Documents are named by their place: `d0`, `s1.0`.
    pub(crate) fn with_question<R>(&self, ask: impl FnOnce(&Question<'_>) -> R) -> R {
        let documents = |prefix: &str, list: &[Value]| -> Vec<IdentityDocument> {
            let each = list.iter().enumerate();
            each.map(|(i, document)| named(&format!("{prefix}{i}"), document)).collect()
        };
        let mut asking = self.caller.clone();
        asking.session_policies = documents("session", &self.session);
        let encryption = EncryptionContext(self.context.clone());
        let mut facts = Facts::new();
        facts.set_encryption_context(&encryption);
        for (name, values) in &self.stated {
            match values.as_slice() {
                [one] => facts.add(name, one.clone()),
                many => facts.add_many(name, many.iter().cloned()),
            };
        }
        let policy = document(&self.key_policy);
        let boundary = self.boundary.as_ref().map(|d| named("boundary", d));
        let endpoint = self.endpoint.as_ref().map(|d| named("endpoint", d));
        let identity = documents("d", &self.identity);
        let levels: Vec<Vec<IdentityDocument>> = self
            .scps
            .iter()
            .enumerate()
            .map(|(i, level)| documents(&format!("s{i}."), level))
            .collect();
        let (owner, grants) = (account(OWNER), self.grants.iter().collect::<Vec<_>>());
        ask(&Question {
            cross_account_allowed: self.cross_account_allowed(),
            key_policy: Some(&policy),
            grants: &grants,
            identity: &identity,
            boundary: boundary.as_ref(),
            scps: &levels,
            vpc_endpoint: endpoint.as_ref(),
            ..Question::new(&asking, self.action, key(KEY, &owner, &self.tags), &facts)
        })
    }
}
