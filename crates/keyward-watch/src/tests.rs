//! Every detector: fires, stays quiet, resolves; and what holds of all of them.

use super::*;
use keyward_types::{ErrorCode, Outcome, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

/// A Monday, in minutes.
const START: i64 = 29_459_520;
const DAY: i64 = 1_440;
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k";
const APP: &str = "arn:aws:sts::111122223333:assumed-role/App";

fn event(operation: &str, minute: i64) -> Observation {
    Observation {
        event_id: Uuid::from_u128(7),
        time: Timestamp((START + minute) * 60_000 + 1_000),
        operation: operation.to_owned(),
        outcome: Outcome::Success,
        account: "111122223333".to_owned(),
        principal: APP.to_owned(),
        keys: vec![KEY.to_owned()],
        named: None,
        region: "eu-west-1".to_owned(),
        source: "10.1.2.3".to_owned(),
        grant: None,
        opened_to_everyone: false,
        key_pending_deletion: false,
    }
}

fn failed(operation: &str, minute: i64, code: ErrorCode) -> Observation {
    Observation { outcome: Outcome::Failure(code), ..event(operation, minute) }
}

fn at(minute: i64) -> Timestamp {
    Timestamp((START + minute) * 60_000)
}

fn feed(watch: &mut Watch, events: impl IntoIterator<Item = Observation>) -> Vec<Alert> {
    events.into_iter().flat_map(|event| watch.observe(&event)).collect()
}

/// The detectors of alerts that fire.
fn firing(alerts: &[Alert]) -> Vec<Detector> {
    let firing = alerts.iter().filter(|alert| alert.state == State::Firing);
    firing.map(|alert| alert.detector).collect()
}

/// Known for two days: a Decrypt every hour.
fn known() -> Watch {
    let mut watch = Watch::new(Settings::default());
    let alerts = feed(&mut watch, (0..48).map(|hour| event("Decrypt", hour * 60)));
    assert_eq!(alerts, []);
    watch
}

fn resolves(watch: &mut Watch, minute: i64, fired: &Alert) {
    let alerts = watch.advance(at(minute));
    let mine: Vec<&Alert> =
        alerts.iter().filter(|alert| alert.fingerprint == fired.fingerprint).collect();
    assert_eq!(mine.len(), 1, "{alerts:?}");
    assert_eq!(mine[0].state, State::Resolved);
    assert!(watch.firing().all(|alert| alert.fingerprint != fired.fingerprint));
}

#[test]
fn a_spike_says_who_what_and_how_to_see_it() {
    let mut watch = known();
    let spike = |minute| (0..40).map(move |_| event("Decrypt", minute));
    assert_eq!(feed(&mut watch, spike(48 * 60)), [], "the minute is not over");
    let alerts = watch.advance(at(48 * 60 + 1));
    // Of the principal alone: the key's and the account's spike are its.
    assert_eq!(firing(&alerts), [Detector::Rate], "{alerts:?}");
    let of_principal = &alerts[0];
    assert_eq!(of_principal.subject.principal.as_deref(), Some(APP));
    assert_eq!(of_principal.subject.what.as_deref(), Some("decrypt"));
    assert_eq!((of_principal.observed, of_principal.window_minutes), (40.0, 1));
    assert!(of_principal.expected < 1.0 && 10.0 < of_principal.score, "{of_principal:?}");
    assert_eq!(of_principal.since, at(48 * 60));
    let [key] = of_principal.contributors.as_slice() else { panic!("{of_principal:?}") };
    assert_eq!((&*key.name, key.count), (KEY, 40));
    assert_eq!(
        of_principal.query,
        "principal:\"arn:aws:sts::111122223333:assumed-role/App/*\" \
         op:Decrypt,ReEncrypt,DeriveSharedSecret,Decapsulate \
         -result:denied,InvalidCiphertextException,IncorrectKeyException \
         since:2026-01-07T00:00:00Z until:2026-01-07T00:00:59Z"
    );
    let told = of_principal.to_string();
    assert!(
        told.starts_with("rate decrypt by arn:aws:sts::111122223333:assumed-role/App"),
        "{told}"
    );
    assert!(told.ends_with("in a minute"), "{told}");
    // An hour's window holds the spike for an hour, and ten minutes more are asked for.
    resolves(&mut watch, 48 * 60 + 90, of_principal);
}

#[test]
fn a_spike_by_many_is_told_of_the_key_and_the_account() {
    let mut watch = known();
    for i in 0..40 {
        let principal = format!("arn:aws:iam::111122223333:user/{}", i % 10);
        let alerts = watch.observe(&Observation { principal, ..event("Decrypt", 48 * 60) });
        assert!(alerts.iter().all(|alert| alert.detector == Detector::FirstUseOfKey));
    }
    let alerts = watch.advance(at(48 * 60 + 1));
    assert_eq!(firing(&alerts), [Detector::Rate; 2], "{alerts:?}");
    assert!(alerts.iter().all(|alert| alert.subject.principal.is_none()));
    let of_key = alerts.iter().find(|alert| alert.subject.key.is_some()).unwrap();
    assert!(of_key.contributors.len() == 5 && of_key.contributors[0].count < 40);
}

#[test]
fn settings_can_change_while_it_watches() {
    let mut watch = known();
    watch.set(Settings { canaries: vec!["k".to_owned()], ..Settings::default() });
    assert_eq!(firing(&watch.observe(&event("Decrypt", 48 * 60))), [Detector::Canary]);
    let small = Tables { series: 1, ..Tables::default() };
    watch.set(Settings { tables: small, ..Settings::default() });
    assert_eq!(watch.sizes().series.entries, 1);
    assert_eq!(firing(&watch.observe(&event("Decrypt", 50 * 60))), []);
}

#[test]
fn a_new_principal_has_the_floors_of_each_class() {
    let (denied, invalid) = (ErrorCode::AccessDenied, ErrorCode::InvalidCiphertext);
    for (detector, floor, operation, error) in [
        (Detector::Refusals, 20, "Decrypt", Some(denied)),
        (Detector::CiphertextErrors, 10, "Decrypt", Some(invalid)),
        (Detector::CiphertextErrors, 10, "ReEncrypt", Some(ErrorCode::IncorrectKey)),
        (Detector::DataKeysWithoutPlaintext, 60, "GenerateDataKeyWithoutPlaintext", None),
        (Detector::Rate, 100, "Sign", None),
    ] {
        let of = |minute| match error {
            Some(code) => failed(operation, minute, code),
            None => event(operation, minute),
        };
        let mut watch = Watch::new(Settings::default());
        let feed = |watch: &mut Watch, minute: i64, count: usize| {
            (0..count).for_each(|_| assert_eq!(watch.observe(&of(minute)), []));
            watch.advance(at(minute + 1))
        };
        assert_eq!(feed(&mut watch, 0, floor - 1), [], "{detector:?}");
        let alerts = feed(&mut watch, 5, floor);
        assert_eq!(firing(&alerts), [detector], "{alerts:?}");
        assert!(alerts.iter().all(|alert| alert.severity == Severity::High));
        resolves(&mut watch, 20, &alerts[0]);
    }
}

#[test]
fn an_account_is_measured_as_a_whole() {
    let mut watch = Watch::new(Settings::default());
    for i in 0..1_000 {
        let principal = format!("arn:aws:iam::111122223333:user/{i}");
        let event = Observation { principal, keys: vec![], ..event("GenerateRandom", 0) };
        assert_eq!(watch.observe(&event), []);
    }
    let alerts = watch.advance(at(1));
    assert_eq!(firing(&alerts), [Detector::Rate]);
    assert_eq!(alerts[0].subject.principal, None);
    assert!(alerts[0].query.starts_with("account:111122223333 since:"), "{}", alerts[0].query);
    resolves(&mut watch, 30, &alerts[0]);
}

#[test]
fn novelties_are_told_once_and_end_by_themselves() {
    type Change = fn(&mut Observation);
    let cases: [(Detector, Change, &str); 5] = [
        (Detector::NewNetwork, |event| event.source = "10.9.2.3".to_owned(), "ip:10.9.2.0/24"),
        (
            Detector::NewNetwork,
            |event| event.source = "2001:db8:1:2::3".to_owned(),
            "ip:2001:db8:1::/48",
        ),
        (Detector::NewRegion, |event| event.region = "us-east-1".to_owned(), "region:us-east-1"),
        (Detector::NewOperation, |event| event.operation = "Verify".to_owned(), "op:Verify"),
        (
            Detector::FirstUseOfKey,
            |event| event.principal = "arn:aws:iam::111122223333:user/eve".to_owned(),
            "principal:arn:aws:iam::111122223333:user/eve key:arn:aws:kms",
        ),
    ];
    for (detector, change, query) in cases {
        let mut watch = known();
        let mut new = event("Decrypt", 48 * 60);
        change(&mut new);
        let alerts = watch.observe(&new);
        assert_eq!(firing(&alerts), [detector]);
        assert!(alerts[0].query.contains(query), "{}", alerts[0].query);
        assert_eq!(alerts[0].event_id, Some(new.event_id));
        assert_eq!(watch.observe(&new), [], "known from now on");
        resolves(&mut watch, 49 * 60, &alerts[0]);
        new.time = at(50 * 60);
        assert_eq!(watch.observe(&new), [], "still known");
        // A watch that has not learned yet tells nothing of it.
        let mut young = Watch::new(Settings::default());
        assert_eq!(young.observe(&event("Decrypt", 0)), []);
        new.time = at(60);
        assert_eq!(young.observe(&new), []);
    }
    let mut watch = known();
    let near = Observation { source: "10.1.2.77".to_owned(), ..event("Decrypt", 48 * 60) };
    assert_eq!(watch.observe(&near), [], "the same network");
}

/// What was refused is no use, and is still new when it is allowed.
#[test]
fn a_refusal_is_no_first_use() {
    let mut watch = known();
    let eve = |event: Observation| Observation { principal: "eve".to_owned(), ..event };
    assert_eq!(watch.observe(&eve(failed("Decrypt", 48 * 60, ErrorCode::AccessDenied))), []);
    let alerts = watch.observe(&eve(event("Decrypt", 48 * 60 + 1)));
    assert_eq!(firing(&alerts), [Detector::FirstUseOfKey]);
}

#[test]
fn decrypt_after_a_long_silence() {
    for (days, tells) in [(29, false), (31, true)] {
        let mut watch = known();
        let minute = (2 + days) * DAY;
        let alerts = watch.observe(&event("Decrypt", minute));
        assert_eq!(firing(&alerts).contains(&Detector::DecryptAfterSilence), tells, "{alerts:?}");
        if tells {
            resolves(&mut watch, minute + 61, &alerts[0]);
        }
    }
}

#[test]
fn enumeration_is_many_keys_in_an_hour() {
    for (operation, keys, tells) in [
        ("DescribeKey", 19, false),
        ("DescribeKey", 20, true),
        ("ListGrants", 20, true),
        ("GetPublicKey", 20, true),
        ("Encrypt", 20, false),
    ] {
        let mut watch = Watch::new(Settings::default());
        let ask = |i: i64| Observation { keys: vec![format!("{KEY}{i}")], ..event(operation, i) };
        let alerts: Vec<Alert> = (0..keys).flat_map(|i| watch.observe(&ask(i))).collect();
        assert_eq!(firing(&alerts) == [Detector::Enumeration], tells, "{operation} {keys}");
        assert_eq!(watch.observe(&ask(0)), [], "told once");
        if let Some(alert) = alerts.first() {
            assert_eq!((alert.observed, alert.window_minutes, alert.since), (20.0, 60, at(0)));
            assert_eq!(&*alert.contributors[0].name, operation);
            resolves(&mut watch, 200, alert);
        }
    }
    // Keys that are not there are told apart by what was asked.
    let mut watch = Watch::new(Settings::default());
    let guess = |i: i64| Observation {
        keys: vec![],
        named: Some(format!("alias/{i}")),
        ..failed("DescribeKey", 0, ErrorCode::NotFound)
    };
    let alerts: Vec<Alert> = (0..20).flat_map(|i| watch.observe(&guess(i))).collect();
    assert_eq!(firing(&alerts), [Detector::Enumeration]);
}

/// The clock's hours do not hide a sweep, nor does its first part raise the line for the rest.
#[test]
fn a_sweep_over_the_turn_of_an_hour_is_told() {
    let ask =
        |i: i64| Observation { keys: vec![format!("{KEY}{i}")], ..event("DescribeKey", 30 + i) };
    for first in 0..60 {
        let mut watch = Watch::new(Settings::default());
        let sweep = (first..first + 27).flat_map(|i| watch.observe(&ask(i)));
        let alerts: Vec<Alert> = sweep.collect();
        assert_eq!(firing(&alerts), [Detector::Enumeration], "from minute {}", 30 + first);
    }
    // Fifteen keys an hour are none, however long that lasts.
    let mut watch = Watch::new(Settings::default());
    let slow: Vec<Alert> = (0..60).flat_map(|i| watch.observe(&ask(4 * i))).collect();
    assert_eq!(firing(&slow), []);
}

/// An inventory job that looks at thirty keys every hour is told of in its first hours only.
#[test]
fn a_usual_inventory_is_no_sweep() {
    let mut watch = Watch::new(Settings::default());
    let mut hours = vec![];
    for hour in 0..30 {
        let ask =
            |i| Observation { keys: vec![format!("{KEY}{i}")], ..event("DescribeKey", hour * 60) };
        let alerts: Vec<Alert> = (0..30).flat_map(|i| watch.observe(&ask(i))).collect();
        hours.extend(firing(&alerts).iter().map(|_| hour));
    }
    assert_eq!(hours, [0]);
}

#[test]
fn grants_need_an_approval_where_there_are_any() {
    let grant = |grantee: &str, operations: &[&str]| Observation {
        grant: Some(GrantMade {
            grantee: grantee.to_owned(),
            operations: operations.iter().map(|name| (*name).to_owned()).collect(),
        }),
        ..event("CreateGrant", 0)
    };
    let approval = |operations: &[&str]| Approval {
        grantee: "role/App*".to_owned(),
        key: "*".to_owned(),
        operations: operations.iter().map(|name| (*name).to_owned()).collect(),
    };
    for (approvals, grant, tells) in [
        (None, grant("eve", &["Decrypt"]), false),
        (Some(vec![]), grant("eve", &["Decrypt"]), true),
        (Some(vec![approval(&[])]), grant("role/App1", &["Decrypt"]), false),
        (Some(vec![approval(&["Decrypt"])]), grant("role/App1", &["Decrypt"]), false),
        (Some(vec![approval(&["Decrypt"])]), grant("role/App1", &["Decrypt", "Encrypt"]), true),
        (Some(vec![approval(&[])]), grant("role/Other", &["Decrypt"]), true),
        (Some(vec![]), event("CreateGrant", 0), false),
    ] {
        let mut watch = Watch::new(Settings { approvals, ..Settings::default() });
        let alerts = watch.observe(&grant);
        assert_eq!(firing(&alerts) == [Detector::GrantWithoutApproval], tells, "{grant:?}");
        if tells {
            assert!(alerts[0].query.contains(" op:CreateGrant key:"), "{}", alerts[0].query);
            resolves(&mut watch, 61, &alerts[0]);
        }
    }
}

#[test]
fn rules_see_single_events() {
    type Change = fn(&mut Observation);
    let cases: [(Detector, Severity, Change); 2] = [
        (Detector::PendingDeletion, Severity::Medium, |event| event.key_pending_deletion = true),
        (Detector::PolicyOpened, Severity::Critical, |event| event.opened_to_everyone = true),
    ];
    for (detector, severity, change) in cases {
        let mut watch = Watch::new(Settings::default());
        let mut event = event("PutKeyPolicy", 0);
        assert_eq!(watch.observe(&event), []);
        change(&mut event);
        let alerts = watch.observe(&event);
        assert_eq!(firing(&alerts), [detector]);
        assert_eq!((alerts[0].severity, alerts[0].subject.key.as_deref()), (severity, Some(KEY)));
        // What goes on is one alert, which lasts as long.
        event.time = at(50);
        assert_eq!(watch.observe(&event), []);
        assert_eq!(watch.advance(at(109)), []);
        resolves(&mut watch, 110, &alerts[0]);
    }
}

#[test]
fn a_canary_tells_of_any_use() {
    let of = |canary: &str| {
        let canaries = vec![canary.to_owned()];
        Watch::new(Settings { canaries, ..Settings::default() })
    };
    let refused = || failed("Decrypt", 0, ErrorCode::AccessDenied);
    for canary in ["k", KEY, "*:key/k", "alias/bait"] {
        let named = |event| Observation { named: Some("alias/bait".to_owned()), ..event };
        for use_of_it in [named(event("DescribeKey", 0)), named(refused())] {
            let alerts = of(canary).observe(&use_of_it);
            assert_eq!(firing(&alerts), [Detector::Canary], "{canary}");
            assert_eq!(alerts[0].severity, Severity::Critical);
        }
    }
    let mut watch = of("other");
    assert_eq!(watch.observe(&event("Decrypt", 0)), []);
    let unresolved = Observation { keys: vec![], named: Some("other".to_owned()), ..refused() };
    let alerts = watch.observe(&unresolved);
    assert_eq!(firing(&alerts), [Detector::Canary]);
    resolves(&mut watch, 60, &alerts[0]);
}

#[test]
fn what_is_off_is_not_told() {
    let canaries = vec!["k".to_owned()];
    let off =
        Settings { canaries: canaries.clone(), off: vec![Detector::Canary], ..Settings::default() };
    assert_eq!(Watch::new(off).observe(&event("Decrypt", 0)), []);
    let of_key =
        KeySettings { key: "k".to_owned(), off: vec![Detector::Canary], ..KeySettings::default() };
    let off = Settings { canaries, keys: vec![of_key], ..Settings::default() };
    assert_eq!(Watch::new(off).observe(&event("Decrypt", 0)), []);
}

#[test]
fn a_key_may_have_lines_of_its_own() {
    let of_key = KeySettings { key: "k".to_owned(), floor: Some(5), ..KeySettings::default() };
    let mut watch = Watch::new(Settings { keys: vec![of_key], ..Settings::default() });
    (0..5).for_each(|_| assert_eq!(watch.observe(&event("Sign", 0)), []));
    let alerts = watch.advance(at(1));
    assert_eq!(firing(&alerts), [Detector::Rate]);
    assert_eq!(alerts[0].subject.key.as_deref(), Some(KEY));
}

#[test]
fn a_silence_holds_back_until_it_ends() {
    let until = chrono::DateTime::from_timestamp_millis(at(30).0).unwrap();
    let silence = Silence {
        until,
        reason: "a drill".to_owned(),
        detector: Some(Detector::Canary),
        account: None,
        principal: Some("*/App".to_owned()),
        key: None,
    };
    let settings = |silence: Silence| Settings {
        canaries: vec!["k".to_owned()],
        silences: vec![silence],
        ..Settings::default()
    };
    let mut watch = Watch::new(settings(silence.clone()));
    assert_eq!(watch.observe(&event("Decrypt", 0)), []);
    assert_eq!((watch.firing().count(), watch.sizes().silenced), (0, 1));
    assert_eq!(watch.advance(at(29)), []);
    let alerts = watch.advance(at(30));
    assert_eq!(firing(&alerts), [Detector::Canary], "it still stands");
    resolves(&mut watch, 60, &alerts[0]);
    let other = Silence { principal: Some("*/Other".to_owned()), ..silence };
    assert_eq!(Watch::new(settings(other)).observe(&event("Decrypt", 0)).len(), 1);
}

/// A flood of new names fills no memory, and what went is counted.
#[test]
fn memory_is_bounded() {
    let tables = Tables { series: 8, principals: 4, pairs: 6, keys: 3, alerts: 2 };
    let settings = Settings { tables, canaries: vec!["*".to_owned()], ..Settings::default() };
    let mut watch = Watch::new(settings);
    let mut told = 0;
    for i in 0..500 {
        let event = Observation {
            principal: format!("p{i}"),
            keys: vec![format!("{KEY}{i}")],
            source: format!("10.{}.{}.1", i / 256, i % 256),
            ..event("Decrypt", i / 10)
        };
        told += firing(&watch.observe(&event)).len();
        let sizes = watch.sizes();
        let entries = [sizes.series, sizes.principals, sizes.pairs, sizes.keys, sizes.alerts];
        assert!(entries.iter().zip([8, 4, 6, 3, 2]).all(|(table, max)| table.entries <= max));
    }
    let sizes = watch.sizes();
    assert_eq!(
        (sizes.principals.evicted, sizes.pairs.evicted, sizes.keys.evicted),
        (496, 494, 497)
    );
    // The account's series is always in use; each event brings two.
    assert_eq!(sizes.series.evicted, 1_001 - 8);
    assert_eq!((told, sizes.alerts.evicted), (2, 498));
    assert!(watch.save(0).unwrap().len() < 64 * 1024);
    // A series that had to go while it fired does not fire for ever.
    let mut watch = Watch::new(Settings {
        tables: Tables { series: 3, ..Tables::default() },
        ..Settings::default()
    });
    (0..100).for_each(|_| assert_eq!(watch.observe(&event("Sign", 0)), []));
    assert_eq!(firing(&watch.advance(at(1))).len(), 1);
    let other = Observation { principal: "x".to_owned(), keys: vec![], ..event("Sign", 2) };
    let more = Observation { principal: "y".to_owned(), keys: vec![], ..event("Sign", 2) };
    let mut ended = watch.observe(&other);
    ended.extend(watch.observe(&more));
    assert_eq!(ended.iter().filter(|alert| alert.state == State::Resolved).count(), 1);
    assert_eq!(watch.firing().count(), 0);
}

#[test]
fn state_that_cannot_be_read_is_refused() {
    let bytes = known().save(9).unwrap();
    let settings = Settings::default;
    assert_eq!(Watch::restore(settings(), &[]), Err(StateError::Malformed));
    assert_eq!(Watch::restore(settings(), &[9, 9]), Err(StateError::Version));
    // What was saved before series were compact is learned again.
    let mut old = bytes.clone();
    old[0] = 1;
    assert_eq!(Watch::restore(settings(), &old), Err(StateError::Version));
    assert_eq!(Watch::restore(settings(), &bytes[..bytes.len() / 2]), Err(StateError::Malformed));
    let small =
        Settings { tables: Tables { series: 1, keys: 1, ..Tables::default() }, ..settings() };
    let (watch, position) = Watch::restore(small, &bytes).unwrap();
    assert_eq!((position, watch.sizes().series), (9, Table { entries: 1, evicted: 2 }));
}

/// A few principals, keys and operations over two weeks, with bursts.
fn log() -> impl Strategy<Value = Vec<Observation>> {
    let one = (0..3_u8, 0..3_u8, 0..8_usize, -3..400_i64, 1..30_u8);
    prop::collection::vec(one, 0..60).prop_map(|steps| {
        let mut minute = 0;
        let mut events = vec![];
        for (principal, key, operation, gap, times) in steps {
            minute += gap;
            let operations = ["Decrypt", "Sign", "DescribeKey", "Encrypt"];
            let mut event = event(operations[operation % 4], minute);
            event.principal = format!("p{principal}");
            event.keys = vec![format!("{KEY}{key}")];
            event.source = format!("10.0.{key}.1");
            if 5 < operation {
                event.outcome = Outcome::Failure(ErrorCode::AccessDenied);
            }
            events.extend((0..times).map(|_| event.clone()));
        }
        events
    })
}

fn busy() -> Settings {
    let floors = Floors { operations: 5, refusals: 3, account: 50, ..Floors::default() };
    let rates = Rates { floors, ..Rates::default() };
    let novelty = Novelty { learn_hours: 1, ..Novelty::default() };
    let sweeps = Sweeps { keys_min: 2, ..Sweeps::default() };
    let tables = Tables { series: 12, pairs: 5, ..Tables::default() };
    Settings {
        rates,
        novelty,
        sweeps,
        tables,
        canaries: vec!["k0".to_owned()],
        ..Settings::default()
    }
}

proptest! {
    /// The same log gives the same alerts, also when it is saved and restored on the way; and every end
    /// has had a beginning.
    #[test]
    fn a_log_can_be_played_again(log in log(), cut in 0..1_000_usize) {
        let mut straight = Watch::new(busy());
        let mut halting = Watch::new(busy());
        let cut = cut % (log.len() + 1);
        let mut standing = std::collections::BTreeSet::new();
        for (i, event) in log.iter().enumerate() {
            if i == cut {
                let bytes = halting.save(i as u64).unwrap();
                let (restored, position) = Watch::restore(busy(), &bytes).unwrap();
                prop_assert_eq!(position, i as u64);
                prop_assert_eq!(&restored, &halting);
                halting = restored;
            }
            let alerts = straight.observe(event);
            prop_assert_eq!(&alerts, &halting.observe(event));
            for alert in alerts {
                prop_assert!(alert.expected.is_finite() && alert.score.is_finite());
                match alert.state {
                    State::Firing => prop_assert!(standing.insert(alert.fingerprint)),
                    State::Resolved => prop_assert!(standing.remove(&alert.fingerprint)),
                }
            }
        }
        prop_assert_eq!(straight.firing().count(), standing.len());
        let end = straight.advance(at(365 * DAY));
        prop_assert_eq!(&end, &halting.advance(at(365 * DAY)));
        prop_assert_eq!(straight.firing().count(), 0);
    }
}

/// What the documentation says of a series' size.
#[test]
fn a_series_is_small() {
    let tables = Tables { series: 300, ..Tables::default() };
    let mut watch = Watch::new(Settings { tables, ..Settings::default() });
    for hour in 0..200 {
        for i in 0..50 {
            let principal = format!("p{i}");
            let one = Observation { principal, keys: vec![], ..event("Sign", hour * 60 + i % 60) };
            watch.observe(&one);
        }
    }
    let series = watch.sizes().series.entries;
    let each = watch.save(0).unwrap().len() / series;
    assert!(each < 2_048, "{each} bytes for each of {series}");
}
