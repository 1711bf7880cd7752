//! What is stated about alerts holds for the next request, is bounded, and outlives the events that say so.

use super::world::{TestWorld, arn};
use crate::alerts::{Restored, SILENCES_MAX};
use keyward_types::{Caller, ErrorCode, KmsError};
use keyward_watch::Settings;
use serde_json::{Value, json};
use std::sync::Arc;

const DAY_MILLIS: i64 = 86_400_000;

fn silence(world: &TestWorld, caller: &Arc<Caller>, minutes: i64) -> Result<Value, KmsError> {
    let body = json!({"Minutes": minutes, "Reason": "a drill", "Principal": "*"});
    world.own(caller, "CreateAlertSilence", &body)
}

fn silences(world: &TestWorld, caller: &Caller) -> Vec<String> {
    let all = world.engine.alert_silences(&caller.account).unwrap();
    all.into_iter().map(|entry| entry.id).collect()
}

fn canary(world: &TestWorld) -> String {
    let settings = json!({"canaries": ["*"], "novelty": {"hold_minutes": 10_000}}).to_string();
    world.own(&world.root, "PutAlertSettings", &json!({"Settings": settings})).unwrap();
    let key = world.symmetric();
    assert!(world.engine.detect(10_000).unwrap());
    let entries = world.engine.alert_entries(&world.root.account).unwrap();
    let of_key = |entry: &&crate::alerts::AlertEntry| {
        entry.alert.subject.key.as_deref() == Some(arn(&key).as_str())
    };
    entries.iter().find(of_key).unwrap().id.clone()
}

/// No detector runs between these requests.
#[test]
fn what_was_stated_holds_for_the_next_request() {
    let world = TestWorld::new();
    let root = &world.root;
    let made = silence(&world, root, 30).unwrap()["SilenceId"].as_str().unwrap().to_owned();
    assert_eq!(silences(&world, root), [made.clone()]);
    let expire =
        |caller: &Arc<Caller>| world.own(caller, "ExpireAlertSilence", &json!({"SilenceId": made}));
    // Another account's silence is not there.
    assert_eq!(expire(&world.other_root()).unwrap_err().code, ErrorCode::NotFound);
    expire(root).unwrap();
    assert_eq!(silences(&world, root), Vec::<String>::new());
    assert_eq!(expire(root).unwrap_err().code, ErrorCode::NotFound);

    let id = canary(&world);
    // From here on the detectors are as far behind as they can be.
    let restored = world.engine.restore_alerts(Settings::default(), None, 1).unwrap();
    assert_eq!(restored, Restored::Rebuilt(0));
    assert!(world.engine.alerts_are_relearned());
    assert!(world.engine.stated_alert_settings().unwrap().is_some());
    while world.engine.alert_entries(&root.account).unwrap().is_empty() {
        world.engine.detect(1).unwrap();
    }
    let ack = |caller: &Arc<Caller>, comment: &str| {
        world.own(caller, "AckAlert", &json!({"AlertId": id, "Comment": comment})).unwrap()
    };
    let first = ack(root, "mine");
    let app = world.user("app", &["keyward:AckAlert"]);
    assert_eq!(ack(&app, "mine too"), first);
    let entries = world.engine.alert_entries(&root.account).unwrap();
    let acknowledged = entries.iter().find(|entry| entry.id == id).unwrap().acknowledged.clone();
    let acknowledged = acknowledged.unwrap();
    assert_eq!((acknowledged.by, acknowledged.comment), (root.arn.clone(), Some("mine".into())));
    world.own(root, "PutAlertSettings", &json!({})).unwrap();
    assert_eq!(world.engine.stated_alert_settings().unwrap(), None);
}

/// The events are behind what is learned again, as they would be behind what retention left.
#[test]
fn what_was_stated_outlives_its_events_and_the_saved_state() {
    let world = TestWorld::new();
    let root = &world.root;
    let settings = json!({"canaries": ["*"]}).to_string();
    world.own(root, "PutAlertSettings", &json!({"Settings": settings})).unwrap();
    let made = silence(&world, root, 100 * 1_440).unwrap()["SilenceId"].clone();
    let short = silence(&world, root, 60).unwrap()["SilenceId"].clone();
    assert_eq!(silences(&world, root).len(), 2);
    world.pass(30 * DAY_MILLIS);
    world.symmetric();
    let total = world.engine.store().events_total();
    let restored = world.engine.restore_alerts(Settings::default(), None, 1).unwrap();
    assert_eq!(restored, Restored::Rebuilt(total - 1), "the events that state them are not read");
    assert!(world.engine.detect(10_000).unwrap() && !world.engine.alerts_are_relearned());
    assert_eq!(silences(&world, root), [made.as_str().unwrap()], "{short} has ended");
    // The detectors work by them: every key is a canary, and nothing of it is told.
    world.symmetric();
    assert!(world.engine.detect(10_000).unwrap());
    assert!(world.engine.alert_entries(&root.account).unwrap().is_empty());
    world.own(root, "ExpireAlertSilence", &json!({"SilenceId": made})).unwrap();
    world.symmetric();
    world.pass(120_000);
    assert!(world.engine.detect(10_000).unwrap());
    let told = world.engine.alert_entries(&root.account).unwrap();
    assert!(!told.is_empty() && told.iter().all(|entry| entry.alert.detector.as_str() == "canary"));
}

#[test]
fn an_account_has_so_many_silences_and_another_its_own() {
    let world = TestWorld::new();
    let other = world.other_root();
    for i in 0..SILENCES_MAX {
        silence(&world, &world.root, if i == 0 { 1 } else { 1_000 }).unwrap();
    }
    let refused = silence(&world, &world.root, 1).unwrap_err();
    assert_eq!(refused.code, ErrorCode::LimitExceeded);
    assert!(refused.to_string().contains("200 silences of account 111122223333"), "{refused}");
    silence(&world, &other, 1).unwrap();
    // One that ended makes room, and goes when the next one comes.
    world.pass(61_000);
    silence(&world, &world.root, 1).unwrap();
    let kept = world.engine.store().silences(&world.root.account).unwrap().len();
    assert_eq!(kept, SILENCES_MAX);
    assert_eq!(silence(&world, &world.root, 1).unwrap_err().code, ErrorCode::LimitExceeded);
}

#[test]
fn settings_are_bounded_and_the_limit_is_named() {
    let world = TestWorld::new();
    let put = |settings: Value| {
        let body = json!({"Settings": settings.to_string()});
        world.own(&world.root, "PutAlertSettings", &body)
    };
    for (settings, limit) in [
        (json!({"tables": {"series": 50_001}}), "tables.series is 1 to 50000"),
        (json!({"tables": {"series": u64::MAX}}), "tables.series is 1 to 50000"),
        (json!({"canaries": vec!["k"; 501]}), "canaries is a list of 500 entries at most"),
        (json!({"canaries": vec!["k".repeat(200); 400]}), "65536"),
    ] {
        let refused = put(settings).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Validation);
        assert!(refused.to_string().contains(limit), "{refused}");
    }
    assert_eq!(world.engine.stated_alert_settings().unwrap(), None);
    put(json!({"tables": {"series": 50_000}})).unwrap();
    let stated = world.engine.stated_alert_settings().unwrap().unwrap();
    assert_eq!(stated.tables.series, 50_000);
}

/// Acknowledgements of what nobody remembers go.
#[test]
fn acknowledgements_are_no_more_than_alerts() {
    let world = TestWorld::new();
    let id = canary(&world);
    let ack = |id: &str| world.own(&world.root, "AckAlert", &json!({"AlertId": id}));
    ack(&id).unwrap();
    let stored = || world.engine.store().acknowledgements(&world.root.account).unwrap().len();
    assert_eq!(stored(), 1);
    world.pass(30 * DAY_MILLIS);
    let key = world.symmetric();
    world.engine.restore_alerts(Settings::default(), None, 1).unwrap();
    assert!(world.engine.detect(10_000).unwrap());
    assert_eq!(ack(&id).unwrap_err().code, ErrorCode::NotFound, "forgotten");
    let entries = world.engine.alert_entries(&world.root.account).unwrap();
    let [next] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(next.alert.subject.key.as_deref(), Some(arn(&key).as_str()));
    ack(&next.id).unwrap();
    assert_eq!(stored(), 1);
}
