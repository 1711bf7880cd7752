//! AWS managed keys: made at first use, used through their service alone, changed by nobody.

use super::{
    organization::fronted,
    world::{ACCOUNT, REGION, TestWorld},
};
use keyward_types::ErrorCode;
use serde_json::{Value, json};

const ALIAS: &str = "alias/aws/secretsmanager";
const VIA: (&str, &str) = ("kms:viaservice", "secretsmanager.us-east-1.amazonaws.com");

fn aliases(world: &TestWorld) -> usize {
    world.ok("ListAliases", json!({}))["Aliases"].as_array().map_or(0, Vec::len)
}

#[test]
fn the_first_use_through_a_service_makes_the_key_and_later_uses_find_it() {
    let world = TestWorld::new();
    let through = fronted(&world.user("app", &[]), &[VIA]);
    let asked =
        json!({"KeyId": ALIAS, "KeySpec": "AES_256", "EncryptionContext": {"SecretARN": "s"}});
    let before = world.events(9).len();
    let made = world.ok_as(&through, "GenerateDataKey", asked.clone());
    let mut said: Vec<Value> = world.events(9);
    assert_eq!(said.len(), before + 2, "one event makes the key, one is the request's own");
    said.truncate(2);
    said.reverse();
    assert_eq!(said[0]["eventName"], "CreateKey");
    assert_eq!(said[0]["eventType"], "AwsServiceEvent");
    assert_eq!(said[0]["resources"][0]["ARN"], made["KeyId"]);
    let alias = format!("arn:aws:kms:{REGION}:{ACCOUNT}:{ALIAS}");
    assert_eq!(said[0]["resources"][1]["ARN"], json!(alias));
    assert_eq!(said[1]["eventName"], "GenerateDataKey");
    assert_eq!(said[1]["requestParameters"]["keyId"], ALIAS);
    assert_eq!(said[1]["resources"][0]["ARN"], made["KeyId"]);
    let again = world.ok_as(&through, "GenerateDataKey", asked);
    assert_eq!(again["KeyId"], made["KeyId"]);
    assert_eq!(aliases(&world), 1);

    let blob =
        json!({"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": {"SecretARN": "s"}});
    let opened = world.ok_as(&through, "Decrypt", blob.clone());
    assert_eq!(opened["Plaintext"], made["Plaintext"]);
    // Without the service, and through another one, the key is for nobody.
    world.fails("Decrypt", blob.clone(), ErrorCode::AccessDenied);
    let other = fronted(&world.root, &[("kms:viaservice", "s3.us-east-1.amazonaws.com")]);
    world.fails_as(&other, "Decrypt", blob, ErrorCode::AccessDenied);
}

#[test]
fn a_key_of_a_service_is_described_and_changed_by_nobody() {
    let world = TestWorld::new();
    let described = world.ok("DescribeKey", json!({"KeyId": "alias/aws/ebs"}));
    let key = &described["KeyMetadata"];
    assert_eq!((&key["KeyManager"], &key["KeyState"]), (&json!("AWS"), &json!("Enabled")));
    let id = key["KeyId"].clone();
    assert_eq!(world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"], *key);
    let policy = world.ok("GetKeyPolicy", json!({"KeyId": id}))["Policy"].to_string();
    assert!(policy.contains("ec2.us-east-1.amazonaws.com") && !policy.contains("${"), "{policy}");
    let rotation = world.ok("GetKeyRotationStatus", json!({"KeyId": id}));
    assert_eq!(rotation["KeyRotationEnabled"], true);
    assert_eq!(rotation["RotationPeriodInDays"], 365);
    for (operation, mut body) in [
        ("DisableKey", json!({})),
        ("ScheduleKeyDeletion", json!({})),
        ("PutKeyPolicy", json!({"Policy": "{}"})),
        ("EnableKeyRotation", json!({})),
        ("DisableKeyRotation", json!({})),
        ("RotateKeyOnDemand", json!({})),
        ("UpdateKeyDescription", json!({"Description": "mine"})),
        ("TagResource", json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]})),
        ("Encrypt", json!({"Plaintext": "aGk="})),
    ] {
        body["KeyId"] = id.clone();
        world.fails(operation, body, ErrorCode::AccessDenied);
    }
    let mine = json!({"AliasName": "alias/mine", "TargetKeyId": id});
    world.fails("CreateAlias", mine, ErrorCode::AccessDenied);
}

#[test]
fn who_may_not_use_one_makes_none() {
    let world = TestWorld::new();
    let nobody = world.user("nobody", &[]);
    let missing = json!({"KeyId": "alias/aws/s3"});
    // No policy of its own lets it describe keys, and the service does not ask for it.
    world.fails_as(&nobody, "DescribeKey", missing.clone(), ErrorCode::NotFound);
    // A direct use is no first use, and neither is one that another service makes.
    let encrypt = json!({"KeyId": "alias/aws/s3", "Plaintext": "aGk="});
    world.fails("Encrypt", encrypt.clone(), ErrorCode::NotFound);
    world.fails_as(&fronted(&world.root, &[VIA]), "Encrypt", encrypt.clone(), ErrorCode::NotFound);
    let abroad = ("kms:viaservice", "s3.eu-west-1.amazonaws.com");
    world.fails_as(
        &fronted(&world.root, &[abroad]),
        "Encrypt",
        encrypt.clone(),
        ErrorCode::NotFound,
    );
    for odd in ["alias/aws/", "alias/aws/unheard-of", "alias/aws/S3", "alias/aws/s3/x"] {
        world.fails("DescribeKey", json!({"KeyId": odd}), ErrorCode::NotFound);
    }
    let s3 = fronted(&world.root, &[("kms:viaservice", "s3.us-east-1.amazonaws.com")]);
    let trial = json!({"KeyId": "alias/aws/s3", "Plaintext": "aGk=", "DryRun": true});
    world.fails_as(&s3, "Encrypt", trial, ErrorCode::DryRunOperation);
    assert_eq!(aliases(&world), 0);
    assert_eq!(world.ok("ListKeys", json!({}))["Keys"], json!([]));
    world.ok_as(&s3, "Encrypt", encrypt);
    assert_eq!(aliases(&world), 1);
}
