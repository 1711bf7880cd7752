//! Condition keys as policies see them, operation by operation: which are there, which are not, and their values.
//!
//! Each expectation is proven twice through the whole pipeline, by a Deny that must match and by one that must
//! not; in an identity policy, and for operations on a key in the key policy too.
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html>

use super::world::{ACCOUNT, REGION, TestWorld};
use keyward_types::{Caller, ErrorCode};
use serde_json::{Value, json};
use std::sync::Arc;

mod control;
mod data;

const USER: &str = "tester";
const USER_ARN: &str = "arn:aws:iam::111122223333:user/tester";

/// What a policy sees of a key.
#[derive(Clone, Copy, Debug)]
enum Seen<'a> {
    Is(&'a str),
    /// Exactly these values of a key that holds several.
    Each(&'a [&'a str]),
    Absent,
}
use Seen::{Absent, Each, Is};

impl Seen<'_> {
    /// Conditions that must match, and conditions that must not.
    fn conditions(self, key: &str) -> (Vec<Value>, Vec<Value>) {
        match self {
            Is(value) => (
                vec![json!({"StringEquals": {key: value}})],
                vec![json!({"StringNotEquals": {key: value}})],
            ),
            Each(values) => (
                values
                    .iter()
                    .map(|value| json!({"ForAnyValue:StringEquals": {key: value}}))
                    .collect(),
                vec![json!({"ForAnyValue:StringNotEquals": {key: values}})],
            ),
            Absent => (vec![json!({"Null": {key: "true"}})], vec![json!({"Null": {key: "false"}})]),
        }
    }
}

struct Stage {
    world: TestWorld,
    caller: Arc<Caller>,
}

/// One request, and the action under which it is decided.
struct Asked<'s> {
    stage: &'s Stage,
    operation: &'s str,
    action: &'s str,
    /// The key whose policy speaks too.
    key: Option<&'s str>,
    body: &'s dyn Fn() -> Value,
}

impl Stage {
    fn new() -> Self {
        let world = TestWorld::new();
        let caller = world.user(USER, &["*"]);
        Self { world, caller }
    }

    /// A request on a key.
    fn on<'s>(
        &'s self,
        key: &'s str,
        operation: &'s str,
        action: &'s str,
        body: &'s dyn Fn() -> Value,
    ) -> Asked<'s> {
        Asked { stage: self, operation, action, key: Some(key), body }
    }

    /// A request that identity policies alone decide.
    fn free<'s>(&'s self, operation: &'s str, body: &'s dyn Fn() -> Value) -> Asked<'s> {
        Asked { stage: self, operation, action: operation, key: None, body }
    }
}

fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

impl Asked<'_> {
    fn sees(&self, expected: &[(&str, Seen<'_>)]) {
        for (key, seen) in expected {
            self.sees_in_identity_policy(key, *seen);
            if self.key.is_some() {
                self.sees_in_key_policy(key, *seen);
            }
        }
    }

    fn sees_in_identity_policy(&self, key: &str, seen: Seen<'_>) {
        self.compare(key, seen, "identity policy", |deny| {
            let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            self.stage.world.allow(USER, &policy(&[all, deny.clone()]));
        });
        self.stage
            .world
            .allow(USER, &policy(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]));
    }

    fn sees_in_key_policy(&self, key: &str, seen: Seen<'_>) {
        let Some(key_id) = self.key else { return };
        let root = json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"});
        self.compare(key, seen, "key policy", |deny| {
            let mut deny = deny.clone();
            deny["Principal"] = json!("*");
            self.stage.world.set_key_policy(key_id, &policy(&[root.clone(), deny]));
        });
        self.stage.world.set_key_policy(key_id, &policy(&[root]));
    }

    fn compare(&self, key: &str, seen: Seen<'_>, place: &str, put: impl Fn(&Value)) {
        let (matching, others) = seen.conditions(key);
        let all = matching.into_iter().map(|one| (one, true));
        for (condition, denied) in all.chain(others.into_iter().map(|one| (one, false))) {
            put(&json!({
                "Effect": "Deny", "Action": format!("kms:{}", self.action), "Resource": "*",
                "Condition": condition,
            }));
            let answer = self.stage.world.call(&self.stage.caller, self.operation, &(self.body)());
            let refused = answer.is_err_and(|error| error.code == ErrorCode::AccessDenied);
            assert_eq!(refused, denied, "{} in a {place}: {condition}", self.action);
        }
    }
}

/// What every request of the user says.
const EVERYWHERE: &[(&str, Seen<'_>)] = &[
    ("aws:PrincipalArn", Is(USER_ARN)),
    ("aws:PrincipalAccount", Is(ACCOUNT)),
    ("aws:PrincipalType", Is("User")),
    ("aws:PrincipalIsAWSService", Is("false")),
    ("aws:PrincipalServiceName", Absent),
    ("aws:PrincipalOrgID", Absent),
    ("aws:username", Is(USER)),
    ("aws:userid", Is("AIDAtester")),
    ("aws:TokenIssueTime", Absent),
    ("aws:MultiFactorAuthPresent", Absent),
    ("aws:SourceIp", Is("192.0.2.1")),
    ("aws:SourceVpce", Absent),
    ("aws:SourceVpc", Absent),
    ("aws:SourceArn", Absent),
    ("aws:SourceAccount", Absent),
    ("aws:SecureTransport", Is("true")),
    ("aws:UserAgent", Is("tests")),
    ("aws:ViaAWSService", Is("false")),
    ("aws:CalledVia", Absent),
    ("aws:CalledViaFirst", Absent),
    ("aws:RequestedRegion", Is(REGION)),
    ("kms:CallerAccount", Is(ACCOUNT)),
    ("kms:ViaService", Absent),
];

/// What every request on an untouched symmetric key says beside.
const ON_A_KEY: &[(&str, Seen<'_>)] = &[
    ("aws:ResourceAccount", Is(ACCOUNT)),
    ("aws:ResourceTag/Team", Is("blue")),
    ("kms:KeyOrigin", Is("AWS_KMS")),
    ("kms:KeySpec", Is("SYMMETRIC_DEFAULT")),
    ("kms:CustomerMasterKeySpec", Is("SYMMETRIC_DEFAULT")),
    ("kms:KeyUsage", Is("ENCRYPT_DECRYPT")),
    ("kms:CustomerMasterKeyUsage", Is("ENCRYPT_DECRYPT")),
    ("kms:MultiRegion", Is("false")),
    ("kms:MultiRegionKeyType", Absent),
];

fn tagged(world: &TestWorld) -> String {
    world.key(json!({"Tags": [{"TagKey": "Team", "TagValue": "blue"}]}))
}
