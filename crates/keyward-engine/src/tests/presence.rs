//! Condition keys as policies see them, operation by operation: which are there, which are not, and their values.
//!
//! Each expectation is proven twice through the whole pipeline, by a Deny that must match and by one that must
//! not; in an identity policy, and for operations on a key in the key policy too.
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html>

use super::world::{ACCOUNT, DAY, REGION, TestWorld, arn, blob};
use keyward_types::{Caller, CallerKind, ErrorCode, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

const USER: &str = "tester";
const USER_ARN: &str = "arn:aws:iam::111122223333:user/tester";
const SOURCE: &str = "arn:aws:s3:::books";
const SOURCE_WITH_ACCOUNT: &str = "arn:aws:backup:us-east-1:111122223333:vault/books";

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

/// What requests that carry an encryption context say about it.
const IN_CONTEXT: &[(&str, Seen<'_>)] = &[
    ("kms:EncryptionAlgorithm", Is("SYMMETRIC_DEFAULT")),
    ("kms:EncryptionContext:Project", Is("Snowy")),
    ("kms:EncryptionContext:Other", Absent),
    ("kms:EncryptionContextKeys", Each(&["Project", "Page"])),
    ("kms:RequestAlias", Absent),
    ("kms:RecipientAttestation:ImageSha384", Absent),
    ("kms:ReEncryptOnSameKey", Absent),
];

fn context() -> Value {
    json!({"Project": "Snowy", "Page": "1"})
}

fn tagged(world: &TestWorld) -> String {
    world.key(json!({"Tags": [{"TagKey": "Team", "TagValue": "blue"}]}))
}

#[test]
fn every_operation_on_a_key_says_whose_and_what_it_is() {
    let stage = Stage::new();
    let key = tagged(&stage.world);
    let fresh = tagged(&stage.world);
    for operation in ["DescribeKey", "ListGrants", "GetKeyRotationStatus", "Encrypt"] {
        let body = || json!({"KeyId": key, "Plaintext": "aGk="});
        stage.on(&key, operation, operation, &body).sees(ON_A_KEY);
    }
    let body = || json!({"KeyId": fresh});
    let asked = stage.on(&fresh, "DescribeKey", "DescribeKey", &body);
    asked.sees(EVERYWHERE);
    asked.sees(&[("kms:ResourceAliases", Absent), ("aws:ResourceTag/team", Is("blue"))]);
    for (operation, more) in [
        ("UntagResource", json!({"KeyId": fresh, "TagKeys": ["Nothing"]})),
        ("UpdateKeyDescription", json!({"KeyId": fresh, "Description": "d"})),
        ("ListResourceTags", json!({"KeyId": fresh})),
        ("ListKeyPolicies", json!({"KeyId": fresh})),
        ("EnableKey", json!({"KeyId": fresh})),
        ("ListKeyRotations", json!({"KeyId": fresh})),
        ("RotateKeyOnDemand", json!({"KeyId": fresh})),
        ("DisableKeyRotation", json!({"KeyId": fresh})),
        ("CancelKeyDeletion", json!({"KeyId": fresh})),
        ("GetKeyLastUsage", json!({"KeyId": fresh})),
        ("GetPublicKey", json!({"KeyId": fresh})),
    ] {
        let body = || more.clone();
        stage.on(&fresh, operation, operation, &body).sees(&[
            ("kms:KeySpec", Is("SYMMETRIC_DEFAULT")),
            ("kms:CallerAccount", Is(ACCOUNT)),
            ("kms:RequestAlias", Absent),
            ("kms:EncryptionContextKeys", Absent),
            ("kms:GrantIsForAWSResource", Absent),
        ]);
    }
    // An alias is no key: its side of the request says nothing of one.
    let body = || json!({"AliasName": "alias/a", "TargetKeyId": fresh});
    let asked = stage.on(&fresh, "CreateAlias", "CreateAlias", &body);
    asked.sees_in_key_policy("kms:KeySpec", Is("SYMMETRIC_DEFAULT"));
    asked.sees_in_key_policy("kms:RequestAlias", Absent);
}

#[test]
fn aliases_are_seen_by_request_and_by_resource() {
    let stage = Stage::new();
    let key = tagged(&stage.world);
    stage.world.ok("CreateAlias", json!({"AliasName": "alias/books", "TargetKeyId": key}));
    stage.world.ok("CreateAlias", json!({"AliasName": "alias/ledger", "TargetKeyId": key}));
    let by_alias = || json!({"KeyId": "alias/books", "Plaintext": "aGk="});
    let by_arn = || {
        let alias = format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/books");
        json!({"KeyId": alias, "Plaintext": "aGk="})
    };
    let by_id = || json!({"KeyId": key, "Plaintext": "aGk="});
    for operation in ["Encrypt", "DescribeKey"] {
        for body in [&by_alias as &dyn Fn() -> Value, &by_arn] {
            let asked = stage.on(&key, operation, operation, body);
            asked.sees(&[("kms:RequestAlias", Is("alias/books"))]);
        }
        let asked = stage.on(&key, operation, operation, &by_id);
        asked.sees(&[("kms:RequestAlias", Absent)]);
        let both = Each(&["alias/books", "alias/ledger"]);
        asked.sees_in_identity_policy("kms:ResourceAliases", both);
        asked.sees_in_key_policy("kms:ResourceAliases", Absent);
    }
    // The key is in the ciphertext; the alias is the request's own.
    let sealed = stage.world.ok("Encrypt", by_id())["CiphertextBlob"].clone();
    let plain = || json!({"CiphertextBlob": sealed});
    let claimed = || json!({"CiphertextBlob": sealed, "KeyId": "alias/books"});
    stage.on(&key, "Decrypt", "Decrypt", &plain).sees(&[("kms:RequestAlias", Absent)]);
    stage.on(&key, "Decrypt", "Decrypt", &claimed).sees(&[("kms:RequestAlias", Is("alias/books"))]);
}

#[test]
fn the_encryption_context_and_algorithm_are_seen_default_or_not() {
    let stage = Stage::new();
    let key = tagged(&stage.world);
    let with = |more: Value| {
        let mut body = json!({"KeyId": key, "EncryptionContext": context()});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let encrypt = || with(json!({"Plaintext": "aGk="}));
    let sealed = stage.world.ok("Encrypt", encrypt())["CiphertextBlob"].clone();
    let decrypt = || json!({"CiphertextBlob": sealed, "EncryptionContext": context()});
    let data_key = || with(json!({"KeySpec": "AES_256"}));
    let pair = || with(json!({"KeyPairSpec": "ECC_NIST_P256"}));
    for (operation, body) in [
        ("Encrypt", &encrypt as &dyn Fn() -> Value),
        ("Decrypt", &decrypt),
        ("GenerateDataKey", &data_key),
        ("GenerateDataKeyWithoutPlaintext", &data_key),
        ("GenerateDataKeyPair", &pair),
        ("GenerateDataKeyPairWithoutPlaintext", &pair),
    ] {
        let asked = stage.on(&key, operation, operation, body);
        asked.sees(IN_CONTEXT);
        let spec = if operation.contains("Pair") { Is("ECC_NIST_P256") } else { Absent };
        asked.sees(&[("kms:DataKeyPairSpec", spec)]);
    }
    let without = || json!({"KeyId": key, "Plaintext": "aGk="});
    stage.on(&key, "Encrypt", "Encrypt", &without).sees(&[
        ("kms:EncryptionContextKeys", Absent),
        ("kms:EncryptionContext:Project", Absent),
        ("kms:EncryptionAlgorithm", Is("SYMMETRIC_DEFAULT")),
    ]);
    let other = || with(json!({"Plaintext": "aGk=", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}));
    stage
        .on(&key, "Encrypt", "Encrypt", &other)
        .sees(&[("kms:EncryptionAlgorithm", Is("RSAES_OAEP_SHA_256"))]);
}

#[test]
fn re_encryption_is_two_requests_each_with_its_own_keys() {
    let stage = Stage::new();
    let (from, to) = (tagged(&stage.world), stage.world.symmetric());
    stage.world.ok("CreateAlias", json!({"AliasName": "alias/to", "TargetKeyId": to}));
    let body = json!({"KeyId": from, "Plaintext": "aGk=", "EncryptionContext": context()});
    let sealed = stage.world.ok("Encrypt", body)["CiphertextBlob"].clone();
    let to_key = |target: &str| {
        json!({
            "CiphertextBlob": sealed, "SourceEncryptionContext": context(),
            "DestinationKeyId": target, "DestinationEncryptionContext": {"Moved": "yes"},
        })
    };
    let apart = || to_key("alias/to");
    let same = || to_key(&from);
    stage.on(&from, "ReEncrypt", "ReEncryptFrom", &apart).sees(&[
        ("kms:EncryptionContextKeys", Each(&["Project", "Page"])),
        ("kms:EncryptionContext:Moved", Absent),
        ("kms:EncryptionAlgorithm", Is("SYMMETRIC_DEFAULT")),
        ("kms:ReEncryptOnSameKey", Is("false")),
        ("kms:RequestAlias", Absent),
        ("aws:ResourceTag/Team", Is("blue")),
    ]);
    stage.on(&to, "ReEncrypt", "ReEncryptTo", &apart).sees(&[
        ("kms:EncryptionContextKeys", Each(&["Moved"])),
        ("kms:EncryptionContext:Moved", Is("yes")),
        ("kms:EncryptionAlgorithm", Is("SYMMETRIC_DEFAULT")),
        ("kms:ReEncryptOnSameKey", Is("false")),
        ("kms:RequestAlias", Is("alias/to")),
        ("aws:ResourceTag/Team", Absent),
    ]);
    for action in ["ReEncryptFrom", "ReEncryptTo"] {
        stage.on(&from, "ReEncrypt", action, &same).sees(&[("kms:ReEncryptOnSameKey", Is("true"))]);
    }
}

#[test]
fn signatures_and_macs_say_their_algorithm() {
    let stage = Stage::new();
    let signing = stage.world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    let mac = stage.world.key(json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}));
    let digest = blob(&"d".repeat(32));
    let sign = || json!({"KeyId": signing, "Message": "aGk=", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": "aGk="});
    let digested = || json!({"KeyId": signing, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": "aGk="});
    for operation in ["Sign", "Verify"] {
        for (body, message_type) in [(&sign as &dyn Fn() -> Value, "RAW"), (&digested, "DIGEST")] {
            stage.on(&signing, operation, operation, body).sees(&[
                ("kms:SigningAlgorithm", Is("ECDSA_SHA_256")),
                ("kms:MessageType", Is(message_type)),
                ("kms:KeySpec", Is("ECC_NIST_P256")),
                ("kms:KeyUsage", Is("SIGN_VERIFY")),
                ("kms:MacAlgorithm", Absent),
                ("kms:EncryptionAlgorithm", Absent),
                ("kms:RequestAlias", Absent),
            ]);
        }
    }
    let body =
        || json!({"KeyId": mac, "Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256", "Mac": "aGk="});
    for operation in ["GenerateMac", "VerifyMac"] {
        stage.on(&mac, operation, operation, &body).sees(&[
            ("kms:MacAlgorithm", Is("HMAC_SHA_256")),
            ("kms:KeySpec", Is("HMAC_256")),
            ("kms:KeyUsage", Is("GENERATE_VERIFY_MAC")),
            ("kms:SigningAlgorithm", Absent),
            ("kms:MessageType", Absent),
        ]);
    }
}

#[test]
fn grants_say_to_whom_for_what_and_how_they_are_bound() {
    let stage = Stage::new();
    let key = tagged(&stage.world);
    let plain = || json!({"KeyId": key, "GranteePrincipal": USER_ARN, "Operations": ["Decrypt", "Encrypt"]});
    stage.on(&key, "CreateGrant", "CreateGrant", &plain).sees(&[
        ("kms:GranteePrincipal", Is(USER_ARN)),
        ("kms:GranteeServicePrincipal", Absent),
        ("kms:RetiringPrincipal", Absent),
        ("kms:RetiringServicePrincipal", Absent),
        ("kms:GrantOperations", Each(&["Decrypt", "Encrypt"])),
        ("kms:GrantConstraintType", Absent),
        ("kms:GrantConstraintSourceArn", Absent),
        ("kms:GrantIsForAWSResource", Is("false")),
        ("kms:EncryptionContextKeys", Absent),
        ("kms:RequestAlias", Absent),
    ]);
    let bound = || {
        json!({
            "KeyId": key, "GranteePrincipal": USER_ARN, "Operations": ["Decrypt"], "RetiringPrincipal": USER_ARN,
            "Constraints": {"EncryptionContextSubset": {"Project": "Snowy"}},
        })
    };
    stage.on(&key, "CreateGrant", "CreateGrant", &bound).sees(&[
        ("kms:RetiringPrincipal", Is(USER_ARN)),
        ("kms:GrantConstraintType", Each(&["EncryptionContextSubset"])),
        ("kms:EncryptionContext:Project", Is("Snowy")),
        ("kms:EncryptionContextKeys", Each(&["Project"])),
    ]);
    let to_service = || {
        json!({
            "KeyId": key, "GranteeServicePrincipal": "backup.amazonaws.com", "Operations": ["Decrypt"],
            "RetiringServicePrincipal": "vault.amazonaws.com",
            "Constraints": {"SourceArn": SOURCE_WITH_ACCOUNT, "EncryptionContextEquals": {"Project": "Snowy"}},
        })
    };
    stage.on(&key, "CreateGrant", "CreateGrant", &to_service).sees(&[
        ("kms:GranteePrincipal", Absent),
        ("kms:GranteeServicePrincipal", Is("backup.amazonaws.com")),
        ("kms:RetiringPrincipal", Absent),
        ("kms:RetiringServicePrincipal", Is("vault.amazonaws.com")),
        ("kms:GrantConstraintType", Each(&["EncryptionContextEquals", "SourceArn"])),
        ("kms:GrantConstraintSourceArn", Is(SOURCE_WITH_ACCOUNT)),
    ]);
    for (operation, more) in [
        ("ListGrants", json!({"KeyId": key})),
        ("RevokeGrant", json!({"KeyId": key, "GrantId": "0".repeat(64)})),
    ] {
        let body = || more.clone();
        stage.on(&key, operation, operation, &body).sees(&[
            ("kms:GrantIsForAWSResource", Is("false")),
            ("kms:GrantOperations", Absent),
            ("kms:GranteePrincipal", Absent),
        ]);
    }
    // A new grant each time, that the user may retire.
    let retire = || json!({"KeyId": arn(&key), "GrantId": stage.world.ok("CreateGrant", bound())["GrantId"]});
    stage.free("RetireGrant", &retire).sees(&[
        ("kms:EncryptionContext:Project", Is("Snowy")),
        ("kms:EncryptionContextKeys", Each(&["Project"])),
        ("kms:GrantConstraintType", Each(&["EncryptionContextSubset"])),
        ("kms:GrantIsForAWSResource", Absent),
        ("aws:ResourceAccount", Is(ACCOUNT)),
    ]);
}

#[test]
fn a_new_key_is_seen_as_it_will_be() {
    let stage = Stage::new();
    let default = || json!({});
    stage.free("CreateKey", &default).sees(&[
        ("kms:KeySpec", Is("SYMMETRIC_DEFAULT")),
        ("kms:CustomerMasterKeySpec", Is("SYMMETRIC_DEFAULT")),
        ("kms:KeyUsage", Is("ENCRYPT_DECRYPT")),
        ("kms:CustomerMasterKeyUsage", Is("ENCRYPT_DECRYPT")),
        ("kms:KeyOrigin", Is("AWS_KMS")),
        ("kms:MultiRegion", Is("false")),
        ("kms:MultiRegionKeyType", Absent),
        ("kms:BypassPolicyLockoutSafetyCheck", Absent),
        ("kms:CallerAccount", Is(ACCOUNT)),
        ("aws:TagKeys", Absent),
        ("aws:RequestTag/Team", Absent),
        ("aws:ResourceTag/Team", Absent),
        ("aws:RequestedRegion", Is(REGION)),
    ]);
    let said = || {
        json!({
            "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "BypassPolicyLockoutSafetyCheck": false,
            "Tags": [{"TagKey": "Team", "TagValue": "blue"}, {"TagKey": "Cost", "TagValue": "7"}],
        })
    };
    stage.free("CreateKey", &said).sees(&[
        ("kms:KeySpec", Is("HMAC_256")),
        ("kms:KeyUsage", Is("GENERATE_VERIFY_MAC")),
        ("kms:BypassPolicyLockoutSafetyCheck", Is("false")),
        ("aws:TagKeys", Each(&["Team", "Cost"])),
        ("aws:RequestTag/Team", Is("blue")),
    ]);
    for operation in ["ListKeys", "ListAliases", "GenerateRandom"] {
        let body = || json!({"NumberOfBytes": 8});
        stage.free(operation, &body).sees(&[
            ("kms:KeySpec", Absent),
            ("aws:ResourceAccount", Absent),
            ("aws:RequestedRegion", Is(REGION)),
            ("kms:CallerAccount", Is(ACCOUNT)),
        ]);
    }
}

#[test]
fn administration_says_its_parameters_default_or_not() {
    let stage = Stage::new();
    let key = tagged(&stage.world);
    let text = policy(&[json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"})]).to_string();
    for (operation, more, expected) in [
        ("GetKeyPolicy", json!({}), vec![("kms:PolicyName", Is("default"))]),
        ("GetKeyPolicy", json!({"PolicyName": "other"}), vec![("kms:PolicyName", Is("other"))]),
        (
            "PutKeyPolicy",
            json!({"Policy": text}),
            vec![("kms:PolicyName", Is("default")), ("kms:BypassPolicyLockoutSafetyCheck", Absent)],
        ),
        (
            "PutKeyPolicy",
            json!({"Policy": text, "BypassPolicyLockoutSafetyCheck": true}),
            vec![("kms:BypassPolicyLockoutSafetyCheck", Is("true"))],
        ),
        ("EnableKeyRotation", json!({}), vec![("kms:RotationPeriodInDays", Is("365"))]),
        (
            "EnableKeyRotation",
            json!({"RotationPeriodInDays": 90}),
            vec![("kms:RotationPeriodInDays", Is("90"))],
        ),
        (
            "TagResource",
            json!({"Tags": [{"TagKey": "Cost", "TagValue": "7"}]}),
            vec![
                ("aws:TagKeys", Each(&["Cost"])),
                ("aws:RequestTag/Cost", Is("7")),
                ("aws:RequestTag/Team", Absent),
                ("aws:ResourceTag/Team", Is("blue")),
            ],
        ),
        (
            "UntagResource",
            json!({"TagKeys": ["Cost", "Other"]}),
            vec![("aws:TagKeys", Each(&["Cost", "Other"])), ("aws:RequestTag/Cost", Absent)],
        ),
    ] {
        let mut whole = json!({"KeyId": key});
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = || whole.clone();
        stage.on(&key, operation, operation, &body).sees(&expected);
    }
}

#[test]
fn the_end_of_a_key_says_when_and_how_long_it_was_not_used() {
    let stage = Stage::new();
    let (unused, used) = (stage.world.symmetric(), stage.world.symmetric());
    stage.world.ok("Encrypt", json!({"KeyId": used, "Plaintext": "aGk="}));
    stage.world.pass(3 * DAY + DAY / 2);
    for operation in ["DisableKey", "ScheduleKeyDeletion"] {
        for (key, days) in [(&unused, Absent), (&used, Is("3"))] {
            let body = || json!({"KeyId": key});
            let asked = stage.on(key, operation, operation, &body);
            asked.sees(&[("kms:TrailingDaysWithoutKeyUsage", days)]);
        }
    }
    let body = || json!({"KeyId": used});
    stage
        .on(&used, "ScheduleKeyDeletion", "ScheduleKeyDeletion", &body)
        .sees(&[("kms:ScheduleKeyDeletionPendingWindowInDays", Is("30"))]);
    let soon = || json!({"KeyId": used, "PendingWindowInDays": 7});
    stage
        .on(&used, "ScheduleKeyDeletion", "ScheduleKeyDeletion", &soon)
        .sees(&[("kms:ScheduleKeyDeletionPendingWindowInDays", Is("7"))]);
    stage
        .on(&used, "DescribeKey", "DescribeKey", &body)
        .sees(&[("kms:TrailingDaysWithoutKeyUsage", Absent)]);
}

#[test]
fn who_calls_is_seen_by_kind() {
    let mut stage = Stage::new();
    let key = stage.world.symmetric();
    let body = || json!({"KeyId": key});
    let role_arn = stage.world.role("app");
    let user = Arc::clone(&stage.caller);
    let issued = Timestamp::from_seconds(1_790_000_000);
    // The key policy alone speaks here: it lets the account in, and the role by name.
    let kinds: [(Caller, &[(&str, Seen<'_>)]); 3] = [
        (
            Caller::clone(&stage.world.root),
            &[
                ("aws:PrincipalType", Is("Account")),
                ("aws:username", Absent),
                ("aws:userid", Is(ACCOUNT)),
                ("aws:TokenIssueTime", Absent),
            ],
        ),
        (
            Caller {
                kind: CallerKind::RoleSession {
                    role_name: "app".to_owned(),
                    role_arn: role_arn.clone(),
                    role_id: "AROAapp".to_owned(),
                    session_name: "s".to_owned(),
                },
                arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/s"),
                principal_arn: role_arn.clone(),
                user_id: "AROAapp:s".to_owned(),
                issued: Some(issued),
                mfa: Some(false),
                tags: [("team".to_owned(), "blue".to_owned())].into(),
                ..Caller::clone(&user)
            },
            &[
                ("aws:PrincipalType", Is("AssumedRole")),
                ("aws:PrincipalArn", Is("arn:aws:iam::111122223333:role/app")),
                ("aws:username", Absent),
                ("aws:userid", Is("AROAapp:s")),
                ("aws:TokenIssueTime", Is("2026-09-21T14:13:20Z")),
                ("aws:MultiFactorAuthPresent", Is("false")),
                ("aws:PrincipalTag/Team", Is("blue")),
            ],
        ),
        (
            stage.world.service("backup.amazonaws.com", &[("aws:sourcearn", SOURCE)]),
            &[
                ("aws:PrincipalIsAWSService", Is("true")),
                ("aws:PrincipalServiceName", Is("backup.amazonaws.com")),
                ("aws:PrincipalServiceNamesList", Each(&["backup.amazonaws.com"])),
                ("aws:PrincipalType", Absent),
                ("aws:PrincipalArn", Absent),
                ("aws:PrincipalAccount", Absent),
                ("aws:username", Absent),
                ("kms:CallerAccount", Absent),
                ("aws:SourceIp", Absent),
                ("aws:SourceArn", Is(SOURCE)),
                ("aws:ViaAWSService", Is("false")),
            ],
        ),
    ];
    for (caller, expected) in kinds {
        stage.caller = Arc::new(caller);
        let principal = match stage.caller.kind {
            CallerKind::Root => json!({"AWS": ACCOUNT}),
            CallerKind::RoleSession { .. } => json!({"AWS": role_arn}),
            _ => json!({"Service": "backup.amazonaws.com"}),
        };
        for (name, seen) in expected {
            let asked = stage.on(&key, "DescribeKey", "DescribeKey", &body);
            asked.compare(name, *seen, "key policy", |deny| {
                let mut deny = deny.clone();
                deny["Principal"] = json!("*");
                let allow = json!({"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"});
                stage.world.set_key_policy(&key, &policy(&[allow, deny]));
            });
        }
    }
}
