//! Quotas: how many keys there may be, and how often one may ask.

use super::world::TestWorld;
use crate::Quotas;
use keyward_types::ErrorCode;
use serde_json::json;

fn quotas(keys_per_region: u64, requests: &[(&str, u32)]) -> Quotas {
    let requests = requests.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    Quotas { keys_per_region, requests: Some(requests) }
}

#[test]
fn a_region_holds_so_many_keys_of_customers() {
    let world = TestWorld::with_quotas(Quotas { keys_per_region: 2, requests: None });
    let first = world.symmetric();
    world.ok("DescribeKey", json!({"KeyId": "alias/aws/s3"}));
    world.ok("CreateKey", json!({"MultiRegion": true}));
    let said = world.fails("CreateKey", json!({}), ErrorCode::LimitExceeded);
    assert!(said.contains("quota") && said.contains('2'), "{said}");
    // A key counts until it is gone, whatever its state; other accounts and Regions have quotas of their own.
    world.ok("ScheduleKeyDeletion", json!({"KeyId": first, "PendingWindowInDays": 7}));
    world.fails("CreateKey", json!({}), ErrorCode::LimitExceeded);
    world.ok_as(&world.other_root(), "CreateKey", json!({}));
    world.pass(8 * 86_400_000);
    assert_eq!(world.engine.tick(), 1);
    world.ok("CreateKey", json!({}));
}

#[test]
fn beyond_a_request_quota_a_request_is_throttled_and_leaves_its_event() {
    let world = TestWorld::with_quotas(quotas(100, &[("CreateAlias", 1), ("Symmetric", 3)]));
    let key = world.symmetric();
    let alias = |n: u32| json!({"AliasName": format!("alias/{n}"), "TargetKeyId": key});
    world.ok("CreateAlias", alias(1));
    let said = world.fails("CreateAlias", alias(2), ErrorCode::Throttling);
    assert_eq!(
        said,
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
    );
    let event = world.last_event();
    assert_eq!(event["errorCode"], "ThrottlingException");
    assert_eq!(event["eventName"], "CreateAlias");
    // Operations share a quota by the kind of key; a refusal takes nothing; another account has its own.
    let encrypt = json!({"KeyId": key, "Plaintext": "aGk="});
    world.ok("Encrypt", encrypt.clone());
    world.ok("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"}));
    world.ok("GenerateRandom", json!({"NumberOfBytes": 8}));
    for _ in 0..3 {
        world.fails("Encrypt", encrypt.clone(), ErrorCode::Throttling);
    }
    let theirs = world.other_root();
    let random = json!({"NumberOfBytes": 8});
    world.ok_as(&theirs, "GenerateRandom", random.clone());
    // AWS's own figure where none is given: 1 a second.
    let signer = world.key(json!({"Origin": "EXTERNAL"}));
    let import = json!({"KeyId": signer, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
    world.ok("GetParametersForImport", import.clone());
    world.fails("GetParametersForImport", import.clone(), ErrorCode::Throttling);
    world.pass(400);
    world.ok("Encrypt", encrypt.clone());
    world.fails("Encrypt", encrypt, ErrorCode::Throttling);
    world.pass(700);
    world.ok("GetParametersForImport", import);
}
