//! Operations that change and describe keys, grants on them, and who calls.

use super::{
    EVERYWHERE, ON_A_KEY,
    Seen::{self, Absent, Each, Is},
    Stage, USER_ARN, policy, tagged,
};
use crate::tests::world::{ACCOUNT, DAY, REGION, arn};
use keyward_types::{Caller, CallerKind, Timestamp};
use serde_json::json;
use std::sync::Arc;

const SOURCE: &str = "arn:aws:s3:::books";
const SOURCE_WITH_ACCOUNT: &str = "arn:aws:backup:us-east-1:111122223333:vault/books";

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
