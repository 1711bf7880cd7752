//! Descriptions, states, deletion, aliases, tags, last use.

use super::world::{DAY, OTHER, TestWorld, arn, blob};
use crate::{OPERATIONS, Service};
use keyward_types::ErrorCode;
use serde_json::json;

#[test]
fn the_table_is_in_order_and_logs_no_secret() {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.spec().name).collect();
    assert!(names.is_sorted(), "{names:?}");
    for operation in OPERATIONS {
        let spec = operation.spec();
        for logged in spec.logged {
            assert!(
                spec.service != Service::Kms || spec.has_member(logged),
                "{} logs {logged}",
                spec.name
            );
            let secret = [
                "Plaintext",
                "CiphertextBlob",
                "Message",
                "Signature",
                "Mac",
                "GrantTokens",
                "GrantToken",
                "Recipient",
            ];
            assert!(!secret.contains(logged), "{} logs {logged}", spec.name);
        }
    }
}

#[test]
fn descriptions_change_and_are_refused_to_others() {
    let world = TestWorld::new();
    let key = world.symmetric();
    assert!(
        world.ok("UpdateKeyDescription", json!({"KeyId": key, "Description": "new"})).is_null()
    );
    assert_eq!(world.ok("DescribeKey", json!({"KeyId": key}))["KeyMetadata"]["Description"], "new");
    let nobody = world.user("nobody", &[]);
    let message = world.fails_as(
        &nobody,
        "UpdateKeyDescription",
        json!({"KeyId": key, "Description": ""}),
        ErrorCode::AccessDenied,
    );
    assert!(
        message.contains(
            "because no identity-based policy allows the kms:UpdateKeyDescription action"
        ),
        "{message}"
    );
    world.ok("ScheduleKeyDeletion", json!({"KeyId": key}));
    world.fails(
        "UpdateKeyDescription",
        json!({"KeyId": key, "Description": ""}),
        ErrorCode::InvalidState,
    );
}

#[test]
fn keys_go_from_state_to_state_as_aws_says() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let state =
        || world.ok("DescribeKey", json!({"KeyId": key}))["KeyMetadata"]["KeyState"].clone();
    world.ok("DisableKey", json!({"KeyId": key}));
    assert_eq!(state(), "Disabled");
    world.ok("EnableKey", json!({"KeyId": arn(&key)}));
    assert_eq!(state(), "Enabled");
    let message = world.fails("CancelKeyDeletion", json!({"KeyId": key}), ErrorCode::InvalidState);
    assert_eq!(message, format!("{} is not pending deletion.", arn(&key)));

    for (days, words) in [(6, "greater than or equal to 7"), (31, "less than or equal to 30")] {
        let message = world.fails(
            "ScheduleKeyDeletion",
            json!({"KeyId": key, "PendingWindowInDays": days}),
            ErrorCode::Validation,
        );
        assert!(message.ends_with(words), "{message}");
    }
    let answer = world.ok("ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7}));
    assert_eq!(answer["KeyId"], arn(&key));
    assert_eq!(answer["KeyState"], "PendingDeletion");
    assert_eq!(answer["PendingWindowInDays"], 7);
    let event = world.last_event();
    assert_eq!(event["responseElements"]["pendingWindowInDays"], 7);
    assert!(event["responseElements"]["deletionDate"].is_string(), "{event}");

    for operation in
        ["ScheduleKeyDeletion", "EnableKey", "DisableKey", "EnableKeyRotation", "RotateKeyOnDemand"]
    {
        let message = world.fails(operation, json!({"KeyId": key}), ErrorCode::InvalidState);
        assert_eq!(message, format!("{} is pending deletion.", arn(&key)), "{operation}");
    }
    assert_eq!(world.ok("CancelKeyDeletion", json!({"KeyId": key}))["KeyId"], arn(&key));
    assert_eq!(state(), "Disabled");
}

#[test]
fn the_last_use_is_that_of_the_last_success() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let usage = || world.ok("GetKeyLastUsage", json!({"KeyId": key}));
    assert_eq!(usage()["KeyLastUsage"], json!({}));
    world.ok("Encrypt", json!({"KeyId": key, "Plaintext": blob("x")}));
    let event = world.last_event();
    let last = usage();
    assert_eq!(last["KeyId"], arn(&key));
    assert_eq!(last["KeyLastUsage"]["Operation"], "Encrypt");
    assert_eq!(last["KeyLastUsage"]["CloudTrailEventId"], event["eventID"]);
    assert_eq!(last["KeyLastUsage"]["KmsRequestId"], event["requestID"]);
    world.ok("DisableKey", json!({"KeyId": key}));
    world.fails(
        "GenerateDataKey",
        json!({"KeyId": key, "KeySpec": "AES_256"}),
        ErrorCode::Disabled,
    );
    assert_eq!(usage()["KeyLastUsage"], last["KeyLastUsage"]);
}

#[test]
fn a_condition_may_ask_how_long_a_key_was_not_used() {
    let world = TestWorld::new();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["kms:DisableKey", "kms:ScheduleKeyDeletion"], "Resource": "*",
         "Condition": {"NumericLessThan": {"kms:TrailingDaysWithoutKeyUsage": "30"}}}
    ]});
    let key = world.key(json!({"Policy": policy.to_string()}));
    world.ok("Encrypt", json!({"KeyId": key, "Plaintext": blob("x")}));
    world.fails("DisableKey", json!({"KeyId": key}), ErrorCode::AccessDenied);
    world.fails("ScheduleKeyDeletion", json!({"KeyId": key}), ErrorCode::AccessDenied);
    world.pass(30 * DAY);
    world.ok("DisableKey", json!({"KeyId": key}));
}

#[test]
fn an_alias_moves_and_goes() {
    let world = TestWorld::new();
    let (one, two) = (world.symmetric(), world.symmetric());
    world.ok("CreateAlias", json!({"AliasName": "alias/app", "TargetKeyId": one}));
    world.ok("UpdateAlias", json!({"AliasName": "alias/app", "TargetKeyId": arn(&two)}));
    let event = world.last_event();
    let resources: Vec<&str> =
        event["resources"].as_array().unwrap().iter().map(|r| r["ARN"].as_str().unwrap()).collect();
    assert_eq!(resources, ["arn:aws:kms:us-east-1:111122223333:alias/app", &arn(&one), &arn(&two)]);
    assert_eq!(event["responseElements"]["keyId"], arn(&two));
    assert_eq!(world.ok("DescribeKey", json!({"KeyId": "alias/app"}))["KeyMetadata"]["KeyId"], two);

    let signer = world.key(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}));
    world.fails(
        "UpdateAlias",
        json!({"AliasName": "alias/app", "TargetKeyId": signer}),
        ErrorCode::Validation,
    );
    world.fails(
        "UpdateAlias",
        json!({"AliasName": "alias/app", "TargetKeyId": "alias/app"}),
        ErrorCode::Validation,
    );
    let message = world.fails(
        "UpdateAlias",
        json!({"AliasName": "alias/none", "TargetKeyId": one}),
        ErrorCode::NotFound,
    );
    assert_eq!(message, "Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.");
    world.fails(
        "UpdateAlias",
        json!({"AliasName": "alias/aws/s3", "TargetKeyId": one}),
        ErrorCode::NotAuthorized,
    );

    // The key that an alias leaves may be pending deletion, the one that it goes to may not.
    world.ok("ScheduleKeyDeletion", json!({"KeyId": two}));
    world.ok("UpdateAlias", json!({"AliasName": "alias/app", "TargetKeyId": one}));
    world.fails(
        "UpdateAlias",
        json!({"AliasName": "alias/app", "TargetKeyId": two}),
        ErrorCode::InvalidState,
    );

    // Permission on the alias alone is not enough, nor on the key alone.
    let half = world.user("half", &[]);
    world.fails_as(
        &half,
        "DeleteAlias",
        json!({"AliasName": "alias/app"}),
        ErrorCode::AccessDenied,
    );
    world.ok("DeleteAlias", json!({"AliasName": "alias/app"}));
    world.fails("DeleteAlias", json!({"AliasName": "alias/app"}), ErrorCode::NotFound);
    world.fails("DeleteAlias", json!({"AliasName": "alias/aws/s3"}), ErrorCode::NotAuthorized);
    world.fails("DeleteAlias", json!({"AliasName": "app"}), ErrorCode::Validation);
}

#[test]
fn tags_are_removed_by_name() {
    let world = TestWorld::new();
    let key = world
        .key(json!({"Tags": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}]}));
    world.ok("UntagResource", json!({"KeyId": key, "TagKeys": ["a", "absent"]}));
    assert_eq!(
        world.ok("ListResourceTags", json!({"KeyId": key})),
        json!({"Tags": [{"TagKey": "b", "TagValue": "2"}], "Truncated": false})
    );
    world.fails("UntagResource", json!({"KeyId": key, "TagKeys": ["aws:x"]}), ErrorCode::Tag);
    let nobody = world.user("nobody", &["kms:TagResource"]);
    world.fails_as(
        &nobody,
        "UntagResource",
        json!({"KeyId": key, "TagKeys": ["b"]}),
        ErrorCode::AccessDenied,
    );
    world.fails_as(&nobody, "ListResourceTags", json!({"KeyId": key}), ErrorCode::AccessDenied);
    world.ok("ScheduleKeyDeletion", json!({"KeyId": key}));
    world.fails("UntagResource", json!({"KeyId": key, "TagKeys": ["b"]}), ErrorCode::InvalidState);
}

#[test]
fn control_of_another_accounts_key_is_refused_alike_whether_it_exists_or_not() {
    let world = TestWorld::new();
    let key = arn(&world.symmetric());
    let absent = arn("00000000-0000-4000-8000-000000000000");
    let other = world.other_root();
    assert_eq!(other.account.as_str(), OTHER);
    for (operation, more) in [
        ("EnableKey", json!({})),
        ("ScheduleKeyDeletion", json!({})),
        ("GetKeyPolicy", json!({})),
        ("ListGrants", json!({})),
        ("GetKeyRotationStatus", json!({})),
        ("GenerateDataKey", json!({"KeySpec": "AES_256"})),
    ] {
        let ask = |key: &str| {
            let mut body = more.clone();
            body["KeyId"] = json!(key);
            world.fails_as(&other, operation, body, ErrorCode::AccessDenied)
        };
        assert_eq!(ask(&key), ask(&absent), "{operation}");
    }
}
