//! Random key policies, small changes of them, and random requests, all drawn from one seed.

use keyward_prove::Organization;
use serde_json::{Map, Value, json};

/// A generator whose whole state is its seed (SplitMix64).
pub(crate) struct Luck(u64);

impl Luck {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(count).unwrap()).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

pub(crate) const KEY: &str =
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OTHER_KEY: &str =
    "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-4000-8000-000000000000";

const PRINCIPALS: &[&str] = &[
    "111122223333",
    "arn:aws:iam::111122223333:root",
    "444455556666",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::444455556666:role/team/eng",
    "arn:aws:sts::111122223333:assumed-role/app/s1",
    "arn:aws:sts::111122223333:federated-user/fed",
    "*",
];
const ACTIONS: &[&str] = &[
    "kms:*",
    "kms:Decrypt",
    "kms:De*",
    "KMS:encrypt",
    "kms:Put*",
    "kms:CreateGrant",
    "*",
    "kms:Generate?ac",
];

/// Operator, key, values.
const TESTS: &[(&str, &str, &[&str])] = &[
    ("StringEquals", "kms:EncryptionContext:App", &["x"]),
    ("StringEquals", "kms:EncryptionContext:App", &["x", "y"]),
    ("StringEquals", "kms:encryptioncontext:app", &["x"]),
    ("StringNotEquals", "kms:EncryptionContext:App", &["x"]),
    ("StringEqualsIfExists", "kms:EncryptionContext:App", &["x", "y"]),
    ("StringEqualsIgnoreCase", "kms:EncryptionContext:App", &["X"]),
    ("StringLike", "kms:EncryptionContext:App", &["x*"]),
    ("StringLike", "kms:EncryptionContext:App", &["?"]),
    ("StringNotLike", "kms:EncryptionContext:App", &["*y", "x"]),
    ("Null", "kms:EncryptionContext:App", &["false"]),
    ("Null", "kms:EncryptionContext:App", &["true"]),
    ("StringLike", "kms:EncryptionContext:App", &["${aws:username}-*"]),
    ("StringEquals", "kms:EncryptionContext:App", &["${aws:PrincipalTag/team, 'x'}"]),
    ("ForAllValues:StringEquals", "kms:EncryptionContextKeys", &["App", "Team"]),
    ("ForAllValues:StringEquals", "kms:EncryptionContextKeys", &["App"]),
    ("ForAnyValue:StringEquals", "kms:EncryptionContextKeys", &["App"]),
    ("ForAnyValue:StringEqualsIgnoreCase", "kms:EncryptionContextKeys", &["APP"]),
    ("ForAnyValue:StringLike", "kms:EncryptionContextKeys", &["A*"]),
    ("Null", "kms:EncryptionContextKeys", &["true"]),
    ("IpAddress", "aws:SourceIp", &["10.0.0.0/8"]),
    ("IpAddress", "aws:SourceIp", &["10.1.0.0/16", "2001:db8::/32"]),
    ("NotIpAddress", "aws:SourceIp", &["10.0.0.0/8"]),
    ("NotIpAddressIfExists", "aws:SourceIp", &["10.1.2.3"]),
    ("NumericLessThan", "kms:RotationPeriodInDays", &["100"]),
    ("NumericLessThanEquals", "kms:RotationPeriodInDays", &["99.5"]),
    ("NumericNotEquals", "kms:RotationPeriodInDays", &["90"]),
    ("NumericGreaterThanIfExists", "kms:RotationPeriodInDays", &["90", "200"]),
    ("DateLessThan", "aws:CurrentTime", &["2026-08-01T00:00:00Z"]),
    ("DateGreaterThan", "aws:EpochTime", &["1785542400"]),
    ("NumericGreaterThan", "aws:EpochTime", &["1785542400"]),
    ("Bool", "aws:SecureTransport", &["true"]),
    ("Bool", "aws:SecureTransport", &["false"]),
    ("BoolIfExists", "aws:MultiFactorAuthPresent", &["true"]),
    ("Bool", "aws:PrincipalIsAWSService", &["false"]),
    ("ArnLike", "aws:PrincipalArn", &["arn:aws:iam::111122223333:role/*"]),
    ("ArnLike", "aws:PrincipalArn", &["arn:aws:iam::*:role/app"]),
    ("StringEquals", "aws:PrincipalArn", &["arn:aws:iam::111122223333:role/app"]),
    ("ArnNotEquals", "aws:PrincipalArn", &["arn:aws:iam::111122223333:user/alice"]),
    ("StringEquals", "kms:CallerAccount", &["111122223333"]),
    ("StringNotEquals", "aws:PrincipalAccount", &["444455556666"]),
    ("StringEquals", "aws:PrincipalType", &["AssumedRole"]),
    ("StringEquals", "aws:ResourceAccount", &["111122223333"]),
    ("StringEquals", "aws:PrincipalTag/team", &["${aws:ResourceTag/team}"]),
    ("StringEquals", "aws:PrincipalTag/team", &["red"]),
    ("StringEquals", "kms:ViaService", &["s3.us-east-1.amazonaws.com"]),
    ("StringLike", "kms:ViaService", &["s3.*"]),
    ("StringNotEqualsIfExists", "aws:SourceVpce", &["vpce-1"]),
    ("ArnLike", "aws:SourceArn", &["arn:aws:s3:::data/*"]),
    ("ArnLike", "aws:SourceArn", &["arn:aws:s3:*:*:d?ta/*"]),
    ("ForAnyValue:StringEquals", "kms:GrantOperations", &["Decrypt"]),
    ("ForAllValues:StringNotEquals", "kms:GrantOperations", &["Decrypt", "Encrypt"]),
];

fn test(luck: &mut Luck, condition: &mut Map<String, Value>) {
    let (operator, key, values) = luck.pick(TESTS);
    let keys = condition.entry(operator).or_insert_with(|| json!({}));
    keys.as_object_mut().unwrap().insert(key.to_owned(), json!(values));
}

fn principal(luck: &mut Luck) -> Value {
    if luck.chance(10) {
        return json!({"Service": "s3.amazonaws.com"});
    }
    let count = 1 + luck.below(2);
    json!({"AWS": (0..count).map(|_| luck.pick(PRINCIPALS)).collect::<Vec<_>>()})
}

fn statement(luck: &mut Luck) -> Value {
    let allow = luck.chance(70);
    let mut statement = Map::new();
    statement.insert("Effect".to_owned(), json!(if allow { "Allow" } else { "Deny" }));
    if !allow && luck.chance(20) {
        let not = luck.pick(&PRINCIPALS[..PRINCIPALS.len() - 1]);
        statement.insert("NotPrincipal".to_owned(), json!({"AWS": not}));
    } else {
        statement.insert("Principal".to_owned(), principal(luck));
    }
    let element = if luck.chance(10) { "NotAction" } else { "Action" };
    statement.insert(element.to_owned(), json!(luck.pick(ACTIONS)));
    let resource = if luck.chance(85) {
        "*"
    } else {
        luck.pick(&[KEY, OTHER_KEY, "arn:aws:kms:*:111122223333:key/*"])
    };
    statement.insert("Resource".to_owned(), json!(resource));
    let mut condition = Map::new();
    for _ in 0..luck.below(3) {
        test(luck, &mut condition);
    }
    if !condition.is_empty() {
        statement.insert("Condition".to_owned(), condition.into());
    }
    statement.into()
}

pub(crate) fn policy(luck: &mut Luck) -> Value {
    let count = 1 + luck.below(4);
    let statements: Vec<Value> = (0..count).map(|_| statement(luck)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A policy that differs from another by little.
pub(crate) fn changed(luck: &mut Luck, policy: &Value) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().unwrap();
    let place = luck.below(statements.len());
    match luck.below(7) {
        0 => statements.push(statement(luck)),
        1 if 1 < statements.len() => drop(statements.remove(place)),
        2 => drop(statements[place].as_object_mut().unwrap().remove("Condition")),
        3 => {
            let members = statements[place].as_object_mut().unwrap();
            let condition = members.entry("Condition").or_insert_with(|| json!({}));
            test(luck, condition.as_object_mut().unwrap());
        }
        4 => {
            let members = statements[place].as_object_mut().unwrap();
            members.remove("NotAction");
            members.insert("Action".to_owned(), json!(luck.pick(ACTIONS)));
        }
        5 => {
            let members = statements[place].as_object_mut().unwrap();
            members.remove("NotPrincipal");
            members.insert("Principal".to_owned(), principal(luck));
        }
        _ => statements.reverse(),
    }
    policy
}

const CALLERS: &[&str] = &[
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:user/bob",
    "arn:aws:sts::111122223333:assumed-role/app/s1",
    "arn:aws:sts::111122223333:assumed-role/app/s2",
    "arn:aws:sts::111122223333:assumed-role/other/s1",
    "arn:aws:sts::444455556666:assumed-role/eng/s1",
    "arn:aws:iam::444455556666:user/carol",
    "arn:aws:iam::444455556666:root",
    "arn:aws:sts::111122223333:federated-user/fed",
    "s3.amazonaws.com",
];
const ASKED: &[&str] = &[
    "kms:Decrypt",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:DescribeKey",
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
    "kms:GenerateMac",
    "kms:EnableKeyRotation",
    "kms:RetireGrant",
];
const CONTEXT: &[(&str, &[&str])] = &[
    ("aws:SourceIp", &["10.1.2.3", "10.2.0.1", "192.0.2.1", "2001:db8::1", "fe80::1", "here"]),
    ("kms:RotationPeriodInDays", &["90", "99.5", "99.75", "150", "-3", "often"]),
    ("aws:CurrentTime", &["2026-07-31T23:59:59Z", "2026-08-01T00:00:01Z", "soon"]),
    ("aws:EpochTime", &["1785542400", "1785542401", "1785542399", "1785542400.5"]),
    ("aws:SecureTransport", &["true", "false"]),
    ("kms:ViaService", &["s3.us-east-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "ec2"]),
    ("aws:SourceVpce", &["vpce-1", "vpce-2"]),
    ("aws:SourceArn", &["arn:aws:s3:::data/x", "arn:aws:s3:eu:1:dota/x", "nothing"]),
];
const PAIRS: &[(&str, &str)] = &[
    ("App", "x"),
    ("App", "y"),
    ("App", "X"),
    ("app", "x"),
    ("app", "q"),
    ("App", "xy"),
    ("App", "alice-1"),
    ("Team", "red"),
    ("APP", "x"),
    ("App", ""),
    ("Other", "x"),
    ("App", "red"),
];

fn says(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})
}

/// A request with whatever surrounds it, as a decision vector without a key policy.
pub(crate) fn request(luck: &mut Luck) -> Value {
    let caller = luck.pick(CALLERS);
    let action = luck.pick(ASKED);
    let mut vector = json!({"caller": caller, "action": action, "resource": KEY});
    if caller.contains("/eng/") && luck.chance(70) {
        vector["roleArn"] = json!("arn:aws:iam::444455556666:role/team/eng");
    }
    let mut context = Map::new();
    for (name, values) in CONTEXT {
        if luck.chance(35) {
            context.insert((*name).to_owned(), json!(luck.pick(values)));
        }
    }
    if luck.chance(30) {
        let operations: Vec<&str> =
            ["Decrypt", "Encrypt", "Sign"].into_iter().filter(|_| luck.chance(50)).collect();
        context.insert("kms:GrantOperations".to_owned(), json!(operations));
    }
    vector["context"] = context.into();
    let mut pairs = Map::new();
    for _ in 0..luck.below(3) {
        let (name, value) = luck.pick(PAIRS);
        pairs.insert(name.to_owned(), json!(value));
    }
    vector["encryptionContext"] = pairs.into();
    for member in ["principalTags", "resourceTags"] {
        if luck.chance(40) {
            vector[member] =
                json!({luck.pick(&["team", "Team"]): luck.pick(&["red", "blue", "x"])});
        }
    }
    let is_root = caller.ends_with(":root") || !caller.starts_with("arn:");
    if luck.chance(60) {
        vector["identity"] = says(luck.pick(&["*", "kms:Decrypt"]));
    }
    if !is_root {
        if luck.chance(30) {
            vector["boundary"] = says(luck.pick(&["*", "kms:Encrypt"]));
        }
        if luck.chance(30) && caller.contains(":sts:") {
            vector["session"] = says(luck.pick(&["*", "kms:Encrypt"]));
        }
        if luck.chance(40) {
            vector["mfa"] = json!(luck.chance(50));
        }
    }
    if luck.chance(30)
        && let Some(operation) = action.strip_prefix("kms:").filter(|name| {
            ["Decrypt", "Encrypt", "DescribeKey", "CreateGrant", "GenerateMac", "RetireGrant"]
                .contains(name)
        })
    {
        let (member, grantee) = if caller.starts_with("arn:") {
            ("grantee", luck.pick(&[caller, "arn:aws:iam::111122223333:role/app", "444455556666"]))
        } else {
            ("granteeService", caller)
        };
        let issuer = luck.pick(&["111122223333", "444455556666"]);
        vector["grants"] =
            json!([{"grantId": "g", member: grantee, "operations": [operation], "issuer": issuer}]);
    }
    vector
}

/// What stands around a key: an organization's policies, and all the grants.
#[derive(Debug)]
pub(crate) struct Surrounded {
    pub(crate) organization: Organization,
    pub(crate) grants: Vec<Value>,
}

fn organization_statement(luck: &mut Luck, effect: &str, principal: bool) -> Value {
    let mut statement = json!({
        "Effect": effect,
        "Action": luck.pick(&["kms:*", "kms:Decrypt", "kms:De*", "kms:CreateGrant"]),
        "Resource": "*",
    });
    if principal {
        statement["Principal"] = json!("*");
    }
    if luck.chance(70) {
        let mut condition = Map::new();
        test(luck, &mut condition);
        statement["Condition"] = condition.into();
    }
    statement
}

fn organization(luck: &mut Luck) -> Organization {
    let document = |statements: Vec<Value>| {
        json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    };
    let full = || json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let scps = (0..luck.below(3)).map(|_| {
        let mut level = vec![document(vec![organization_statement(luck, "Allow", false)])];
        if luck.chance(70) {
            level.push(document(vec![full()]));
        }
        if luck.chance(50) {
            level.push(document(vec![organization_statement(luck, "Deny", false)]));
        }
        level
    });
    let scps = scps.collect();
    let rcps = (0..luck.below(2))
        .map(|_| vec![document(vec![organization_statement(luck, "Deny", true)])]);
    let rcps = rcps.collect();
    let accounts = luck.pick(&[None, Some("111122223333"), Some("444455556666")]);
    Organization {
        scps,
        rcps,
        accounts: accounts.map(|one| vec![one.to_owned()]),
        management: luck.chance(20).then(|| "444455556666".to_owned()),
        service_linked: Vec::new(),
    }
}

fn constraints(luck: &mut Luck) -> Value {
    match luck.below(6) {
        0 => json!({"EncryptionContextEquals": {"app": "x"}}),
        1 => json!({"EncryptionContextSubset": {"App": "x"}}),
        2 => json!({"EncryptionContextSubset": {"APP": "x", "Team": "red"}}),
        3 => json!({"SourceArn": "arn:aws:s3:::data/x"}),
        _ => json!({}),
    }
}

pub(crate) fn around(luck: &mut Luck) -> Surrounded {
    let organization = organization(luck);
    let grants = (0..luck.below(3)).map(|place| {
        let operations: Vec<&str> = ["Decrypt", "Encrypt", "DescribeKey", "CreateGrant", "RetireGrant"]
            .into_iter()
            .filter(|_| luck.chance(60))
            .collect();
        let mut grant = json!({
            "grantId": format!("g{place}"), "operations": operations, "constraints": constraints(luck),
            "issuer": luck.pick(&["111122223333", "444455556666"]),
        });
        if luck.chance(15) {
            grant["granteeService"] = json!("s3.amazonaws.com");
        } else {
            // Not everybody.
            grant["grantee"] = json!(luck.pick(&PRINCIPALS[..PRINCIPALS.len() - 1]));
        }
        grant
    });
    let grants = grants.collect();
    Surrounded { organization, grants }
}

impl Surrounded {
    fn governs(&self, account: &str) -> bool {
        self.organization.management.as_deref() != Some(account)
            && self
                .organization
                .accounts
                .as_ref()
                .is_none_or(|all| all.iter().any(|one| one == account))
    }

    /// A request with what the organization puts around it. `willing`: everything else says yes.
    pub(crate) fn request(&self, luck: &mut Luck, willing: bool) -> Value {
        let mut vector = request(luck);
        if luck.chance(10) {
            vector["caller"] =
                json!("arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForA/s1");
            vector["roleArn"] = json!(
                "arn:aws:iam::111122223333:role/aws-service-role/a.amazonaws.com/AWSServiceRoleForA"
            );
        }
        let caller = vector["caller"].as_str().unwrap().to_owned();
        if willing {
            let members = vector.as_object_mut().unwrap();
            members.remove("boundary");
            members.remove("session");
            if caller.contains(":federated-user/") {
                members.insert("session".to_owned(), says("*"));
            }
            if !caller.ends_with(":root") && caller.starts_with("arn:") {
                members.insert("identity".to_owned(), says("*"));
            }
        }
        if caller.split(':').nth(4).is_some_and(|account| self.governs(account)) {
            vector["scps"] = json!(self.organization.scps);
        }
        if self.governs("111122223333") {
            vector["rcps"] = json!(self.organization.rcps);
        }
        if luck.chance(50) {
            let operations =
                luck.pick(&[["Decrypt"].as_slice(), &["Encrypt", "Decrypt"], &["CreateGrant"]]);
            vector["newGrant"] =
                json!({"operations": operations, "constraints": constraints(luck)});
        }
        vector
    }
}
