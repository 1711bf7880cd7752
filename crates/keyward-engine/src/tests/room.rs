//! A full disk: nothing runs that could not be remembered, and it ends by itself.

use super::world::TestWorld;
use keyward_types::ErrorCode;
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[test]
fn without_room_for_its_event_nothing_runs_and_with_room_again_it_does() {
    let free = Arc::new(AtomicU64::new(1 << 40));
    let world = TestWorld::with_room(Arc::clone(&free));
    let key = world.symmetric();
    let encrypt = json!({"KeyId": key, "Plaintext": "aGk="});
    let sealed = world.ok("Encrypt", encrypt.clone())["CiphertextBlob"].clone();
    let events = world.engine.store().events_total();
    // The writer finds that little is left, and still has room for what is under way; nothing new begins.
    free.store(65 << 20, Ordering::SeqCst);
    world.ok("DescribeKey", json!({"KeyId": key}));
    let decrypt = json!({"CiphertextBlob": sealed});
    for _ in 0..3 {
        let said = world.fails("Decrypt", decrypt.clone(), ErrorCode::ServiceUnavailable);
        assert!(said.contains("no space left") && said.contains("nothing was done"), "{said}");
        world.fails("DisableKey", json!({"KeyId": key}), ErrorCode::ServiceUnavailable);
    }
    assert_eq!(world.engine.store().events_total(), events + 1);
    free.store(1 << 40, Ordering::SeqCst);
    assert_eq!(world.ok("Decrypt", decrypt)["Plaintext"], "aGk=");
    assert_eq!(world.ok("DescribeKey", json!({"KeyId": key}))["KeyMetadata"]["Enabled"], true);
}
