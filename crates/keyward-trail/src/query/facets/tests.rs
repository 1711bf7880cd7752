//! Counts against counting by hand, and the bounds where counts are not exact.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

fn record(time: i64, operation: &str, principal: &str, ip: &str, error: Option<&str>) -> Value {
    let time = chrono::DateTime::from_timestamp(time, 0).unwrap();
    let mut record = json!({
        "eventTime": time.format("%Y-%m-%dT%H:%M:%SZ").to_string(), "eventName": operation,
        "userIdentity": {"arn": principal}, "sourceIPAddress": ip,
        "requestParameters": {"encryptionContext": {"tenant": ip}},
    });
    if let Some(error) = error {
        record["errorCode"] = json!(error);
    }
    record
}

const DAY: i64 = 86_400;
/// A midnight.
const START: i64 = 20_000 * DAY;

fn seen(first: i64, last: i64) -> Seen {
    Seen { first: Some(Timestamp::from_seconds(first)), last: Some(Timestamp::from_seconds(last)) }
}

#[test]
fn values_are_counted_with_first_and_last() {
    let fields = [
        Field::Operation,
        Field::Result,
        Field::Key,
        Field::Text,
        Field::Context("tenant".to_owned()),
    ];
    let mut facets = Facets::new(fields, Limits { listed: 2, ..Limits::default() });
    for (time, operation, error) in [
        (START + 9, "Decrypt", None),
        (START + 5, "Decrypt", Some("AccessDenied")),
        (START + 7, "Encrypt", None),
        (START + 1, "Sign", None),
        (START + 8, "Decrypt", None),
    ] {
        facets.add(&record(time, operation, "arn:aws:iam::1:user/a", "10.0.0.1", error));
    }
    let report = facets.report();
    assert_eq!((report.records, report.facets.len()), (5, 4));
    let [operation, result, key, tenant] = report.facets.as_slice() else { panic!("four") };
    let value = |value: &str, count, seen| FacetValue {
        value: value.to_owned(),
        count,
        at_least: count,
        seen,
    };
    assert_eq!(
        operation,
        &Facet {
            field: Field::Operation,
            values: vec![
                value("Decrypt", 3, seen(START + 5, START + 9)),
                value("Encrypt", 1, seen(START + 7, START + 7)),
            ],
            other: (1, 1),
            unlisted_max: 1,
            distinct: 3,
            without: 0,
            exact: true,
        }
    );
    let new: Vec<&str> =
        operation.new_since(Timestamp::from_seconds(START + 6)).map(|v| v.value.as_str()).collect();
    assert_eq!(new, ["Encrypt"]);
    assert_eq!(result.values[0].value, "success");
    assert_eq!(result.values[1].value, "AccessDenied");
    assert_eq!((key.values.len(), key.without, key.other), (0, 5, (0, 0)));
    assert_eq!(tenant.values[0].value, "10.0.0.1");
}

#[test]
fn a_time_line_grows_with_its_span() {
    for (span, max, size) in [
        (0, 120, 10),
        (1_190, 120, 10),
        (1_200, 120, 60),
        (3_600, 120, 60),
        (6 * 3_600, 120, 300),
        (DAY, 120, 900),
        (4 * DAY, 120, 3_600),
        (7 * DAY, 120, 3 * 3_600),
        (90 * DAY, 120, DAY),
        (365 * DAY, 120, 7 * DAY),
        (3_000 * DAY, 120, 28 * DAY),
        (20_000 * DAY, 20, 4 * 364 * DAY),
        (DAY, 1, 7 * DAY),
    ] {
        let mut growing = timeline::Growing::new(max);
        let classes = ["success", "denied", "x"].iter().cycle();
        for (place, class) in (0..=10).zip(classes) {
            growing.add(START + span * place / 10, Counts::of(class));
        }
        let line = growing.timeline();
        assert_eq!(line.bucket_seconds, size, "{span}");
        assert!(line.buckets.len() <= max, "{span}: {}", line.buckets.len());
        let sum = |of: fn(&Bucket) -> u64| line.buckets.iter().map(of).sum::<u64>();
        assert_eq!((sum(|b| b.success), sum(|b| b.denied), sum(|b| b.failed)), (4, 4, 3));
        let (first, last) =
            (line.buckets[0].start.seconds(), line.buckets.last().unwrap().start.seconds());
        assert!(first <= START && START < first + line.bucket_seconds);
        assert!(last <= START + span && START + span < last + line.bucket_seconds);
        assert!(line.buckets.iter().all(|b| b.start.seconds() % line.bucket_seconds == 0));
    }
}

#[test]
fn a_time_line_shows_the_whole_window() {
    let window = Window {
        since: Some(Timestamp::from_seconds(START)),
        until: Some(Timestamp::from_seconds(START + 3_599)),
    };
    let mut facets = Facets::new([], Limits::default()).over(window);
    facets.add(&record(START + 125, "Sign", "p", "", Some("DisabledException")));
    let line = facets.report().timeline;
    assert_eq!((line.bucket_seconds, line.buckets.len()), (60, 60));
    assert_eq!(
        line.buckets[2],
        Bucket { start: Timestamp::from_seconds(START + 120), success: 0, denied: 0, failed: 1 }
    );
    let open = Facets::new([], Limits::default()).over(Window::default()).report().timeline;
    assert!(open.buckets.is_empty());
    // Windows beyond all calendars are survived, and stay within the number of buckets.
    let window = Window { since: Some(Timestamp(i64::MIN)), until: Some(Timestamp(i64::MAX)) };
    let line = Facets::new([], Limits::default()).over(window).report().timeline;
    assert!(line.buckets.len() <= 120);
}

#[test]
fn rare_and_new_for_a_principal() {
    let limits = HabitLimits { principals: 2, values: 3 };
    let mut habits = Habits::new([Field::Operation, Field::Ip, Field::Principal], limits);
    let add = |habits: &mut Habits, time, operation: &str, principal: &str, ip: &str| {
        habits.add(&record(START + time, operation, principal, ip, None));
    };
    for time in 0..199 {
        let ip = format!("10.0.0.{}", time % 5);
        add(&mut habits, time, "Decrypt", "often", &ip);
    }
    add(&mut habits, 199, "ScheduleKeyDeletion", "often", "10.0.0.1");
    add(&mut habits, 200, "Sign", "seldom", "10.0.0.1");
    add(&mut habits, 201, "Sign", "third", "10.0.0.1");
    let rare = habits.rare(10, 20);
    assert_eq!(
        rare,
        [Habit {
            principal: "often".to_owned(),
            field: Field::Operation,
            value: "ScheduleKeyDeletion".to_owned(),
            count: 1,
            of: 200,
            seen: seen(START + 199, START + 199),
        }]
    );
    assert!(habits.rare(4, 20).is_empty(), "one in 200 is five in a thousand");
    assert!(habits.rare(10, 201).is_empty(), "too few records to tell");
    assert_eq!(habits.left_out(), 1);
    assert_eq!(habits.varied().collect::<Vec<_>>(), [("often", &Field::Ip)]);
    let new = |time| {
        let new = habits.new_since(Timestamp::from_seconds(START + time));
        new.into_iter().map(|habit| (habit.principal, habit.value)).collect::<Vec<_>>()
    };
    let deletion = ("often".to_owned(), "ScheduleKeyDeletion".to_owned());
    assert_eq!(new(199), [deletion], "a principal that is new itself is another finding");
    assert_eq!(new(200), []);
}

#[test]
fn the_rarest_stand_first() {
    let mut habits = Habits::new([Field::Operation], HabitLimits::default());
    for (principal, operation, times) in [
        ("a", "Decrypt", 97),
        ("a", "Sign", 3),
        ("b", "Decrypt", 49),
        ("b", "Sign", 1),
        ("c", "Verify", 200),
        ("c", "Sign", 1),
    ] {
        for time in 0..times {
            habits.add(&record(START + time, operation, principal, "", None));
        }
    }
    let order: Vec<String> = habits.rare(30, 50).into_iter().map(|habit| habit.principal).collect();
    assert_eq!(order, ["c", "b", "a"]);
}

proptest! {
    #[test]
    fn counts_are_bounded_whatever_comes(
        // Squares make some values frequent and many rare.
        values in prop::collection::vec((0..30_u32).prop_map(|n| (n * n / 30).to_string()), 0..400),
        tracked in 1..40_usize,
        listed in 0..12_usize,
    ) {
        let mut top = Top::new(tracked);
        let mut truth: BTreeMap<&str, u64> = BTreeMap::new();
        for value in &values {
            top.add(std::slice::from_ref(value), None);
            *truth.entry(value).or_default() += 1;
        }
        let facet = top.facet(Field::Operation, listed);
        let true_count = |value: &str| truth.get(value).copied().unwrap_or_default();
        for value in &facet.values {
            let count = true_count(&value.value);
            prop_assert!(value.at_least <= count && count <= value.count, "{:?} is {}", value, count);
        }
        let named: u64 = facet.values.iter().map(|value| true_count(&value.value)).sum();
        let other = values.len() as u64 - named;
        prop_assert!(facet.other.0 <= other && other <= facet.other.1, "{:?}: {}", facet, other);
        let listed = |value: &str| facet.values.iter().any(|one| one.value == value);
        let unlisted = truth.iter().filter(|(value, _)| !listed(value)).map(|(_, n)| *n).max();
        prop_assert!(unlisted.unwrap_or_default() <= facet.unlisted_max);
        prop_assert!(facet.distinct <= truth.len());
        prop_assert_eq!(facet.exact, truth.len() <= tracked);
        if facet.exact {
            prop_assert_eq!(facet.other, (other, other));
            prop_assert_eq!(facet.distinct, truth.len());
            prop_assert!(facet.values.iter().all(|value| value.count == value.at_least));
        }
        prop_assert_eq!(top.facet(Field::Operation, usize::MAX).values.len(), facet.distinct);
    }
}
