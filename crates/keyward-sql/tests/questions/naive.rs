//! What each question of the pack should answer, computed the plain way.

use crate::log::{ACCOUNT, Ev, NOW};
use serde_json::{Map, Value, json};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

pub(crate) type Rows = Vec<Vec<Value>>;

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
const CRYPTOGRAPHY: &[&str] =
    &["Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "Sign", "GenerateMac"];
const LOOKS: &[&str] = &["DescribeKey", "ListGrants"];

macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$(json!($value)),*] };
}

/// A question's name, what it is asked with, and the answer.
pub(crate) fn cases(log: &[Ev]) -> Vec<(&'static str, Map<String, Value>, Rows)> {
    let a_key = crate::log::key(2);
    let grant = chained(log);
    let case = |name, with: Value, rows| (name, with.as_object().unwrap().clone(), rows);
    vec![
        case(
            "key-timeline",
            json!({"key": a_key, "since": "20d", "until": "5d"}),
            key_timeline(log, &a_key),
        ),
        case(
            "access-key-trail",
            json!({"access_key": "ASIAAppone", "since": "15d"}),
            access_key_trail(log),
        ),
        case("denied-map", json!({"since": "12d"}), denied_map(log)),
        case("first-pairs", json!({"since": "10d"}), first_pairs(log)),
        case("new-source-ip", json!({"since": "10d"}), new_source_ip(log)),
        case(
            "hourly-baseline",
            json!({"since": "20d", "weeks": 2, "least": 4, "factor": 2}),
            hourly_baseline(log),
        ),
        case("fan-out", json!({"since": "30d", "least": 4}), fan_out(log)),
        case(
            "ciphertext-probing",
            json!({"since": "start", "least": 2, "window": "1h"}),
            probing(log),
        ),
        case("deletions-not-cancelled", json!({}), deletions(log)),
        case("policy-then-use", json!({"since": "35d", "window": "12h"}), policy_then_use(log)),
        case(
            "blast-radius",
            json!({"who": "arn:aws:iam::111122223333:role/App", "since": "9d"}),
            blast_radius(log),
        ),
        case("principals-per-key", json!({"since": "3d"}), principals_per_key(log)),
        case("enumeration-sweep", json!({"since": "40d", "least": 3}), sweep(log)),
        case("off-hours-sign", json!({"since": "14d"}), off_hours(log)),
        case("last-use", json!({}), last_use(log)),
        case("sequence-gaps", json!({"slack": "10s"}), gaps(log)),
        case("root-usage", json!({"since": "39d"}), root_usage(log)),
        case("cross-account", json!({"since": "21d"}), cross_account(log)),
        case("grant-chain", json!({"grant": grant}), grant_chain(log, &grant)),
        case("admin-without-mfa", json!({"since": "11d"}), without_mfa(log)),
    ]
}

fn since(log: &[Ev], days: i64) -> impl Iterator<Item = &Ev> {
    log.iter().filter(move |event| NOW.0 - days * DAY <= event.ms)
}

/// Each event with each of its keys.
fn keyed<'l>(events: impl Iterator<Item = &'l Ev>) -> impl Iterator<Item = (&'l Ev, &'l String)> {
    events.flat_map(|event| event.keys.iter().map(move |key| (event, key)))
}

fn hour_text(hour: i64) -> String {
    chrono::DateTime::from_timestamp(hour * 3_600, 0)
        .unwrap()
        .format("%Y-%m-%dT%H:00:00Z")
        .to_string()
}

fn grouped<K: Ord, T>(items: impl Iterator<Item = (K, T)>) -> BTreeMap<K, Vec<T>> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for (key, item) in items {
        groups.entry(key).or_default().push(item);
    }
    groups
}

fn distinct<T: Ord>(items: impl Iterator<Item = T>) -> usize {
    items.collect::<BTreeSet<T>>().len()
}

fn span_of(events: &[&Ev]) -> (String, String) {
    let times: BTreeSet<String> = events.iter().map(|event| event.time()).collect();
    (times.first().unwrap().clone(), times.last().unwrap().clone())
}

fn key_timeline(log: &[Ev], key: &String) -> Rows {
    since(log, 20)
        .filter(|e| e.ms <= NOW.0 - 5 * DAY && e.keys.contains(key))
        .map(|e| {
            row![
                e.seq,
                e.time(),
                e.name,
                e.outcome(),
                e.error,
                e.who.principal,
                e.ip,
                e.request_id()
            ]
        })
        .collect()
}

fn access_key_trail(log: &[Ev]) -> Rows {
    since(log, 15)
        .filter(|e| e.ms <= NOW.0 && e.who.access_key.as_deref() == Some("ASIAAppone"))
        .map(|e| {
            row![
                e.seq,
                e.time(),
                e.name,
                e.outcome(),
                e.error,
                e.keys[0],
                e.ip,
                "aws-cli/2",
                e.request_id()
            ]
        })
        .collect()
}

fn denied_map(log: &[Ev]) -> Rows {
    let denied = since(log, 12).filter(|e| e.ms <= NOW.0 && e.outcome() == "denied");
    let groups = grouped(denied.map(|e| ((e.who.principal.clone(), e.name), e)));
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.sort_by_key(|(key, events)| (Reverse(events.len()), key.clone()));
    rows.into_iter()
        .map(|((who, name), events)| {
            let keys = distinct(events.iter().flat_map(|e| &e.keys));
            let (first, last) = span_of(&events);
            row![who, name, "AccessDenied", events.len(), keys, first, last]
        })
        .collect()
}

/// The first success of each principal or role with each key.
fn firsts(log: &[Ev]) -> BTreeMap<(String, &String), &Ev> {
    let mut firsts = BTreeMap::new();
    for (event, key) in keyed(log.iter().filter(|e| e.ok())) {
        firsts.entry((event.who.stands_for(), key)).or_insert(event);
    }
    firsts
}

fn first_pairs(log: &[Ev]) -> Rows {
    let uses = grouped(
        keyed(log.iter().filter(|e| e.ok())).map(|(e, key)| ((e.who.stands_for(), key), e)),
    );
    let mut rows: Vec<_> = uses
        .into_iter()
        .filter(|(_, events)| events.iter().all(|e| NOW.0 - 10 * DAY <= e.ms))
        .map(|((who, key), events)| (events[0].seq, who, key, events[0]))
        .collect();
    rows.sort_by_key(|(seq, who, key, _)| (*seq, who.clone(), *key));
    rows.into_iter().map(|(seq, who, key, e)| row![who, key, seq, e.time(), e.name, e.ip]).collect()
}

fn new_source_ip(log: &[Ev]) -> Rows {
    let moment = NOW.0 - 10 * DAY;
    let with_key = || log.iter().filter_map(|e| Some((e.who.access_key.as_ref()?, e)));
    let known = grouped(with_key().map(|(key, e)| (key, e.ms)));
    let seen = grouped(with_key().map(|(key, e)| ((key, &e.ip), e)));
    let mut rows = Vec::new();
    for ((key, ip), events) in seen {
        let first = events.iter().map(|e| e.ms).min().unwrap();
        if moment <= first && known[key].iter().min().unwrap() < &moment {
            rows.push((first, key, ip, row![key, ip, span_of(&events).0, events.len()]));
        }
    }
    rows.sort_by_key(|(first, key, ip, _)| (*first, *key, *ip));
    rows.into_iter().map(|(.., row)| row).collect()
}

fn hourly_baseline(log: &[Ev]) -> Rows {
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for event in log.iter().filter(|e| e.name == "Decrypt") {
        *counts.entry(event.ms / HOUR).or_default() += 1;
    }
    let first = (NOW.0 - 20 * DAY) / HOUR;
    let usual = |hour: i64| {
        let before = |week: i64| counts.get(&(hour - 168 * week)).copied().unwrap_or(0);
        (before(1) + before(2)) as f64 / 2.0
    };
    let far_more = |(hour, calls): &(&i64, &i64)| {
        first <= **hour && 4 <= **calls && 2.0 * usual(**hour) < **calls as f64
    };
    counts
        .iter()
        .filter(far_more)
        .map(|(hour, calls)| row![hour_text(*hour), calls, usual(*hour)])
        .collect()
}

/// Rows of who, hour, keys and calls, with the most keys first.
fn by_hour<'l>(
    events: impl Iterator<Item = &'l Ev>,
    least: usize,
    more: impl Fn(&[&Ev]) -> Vec<Value>,
) -> Rows {
    let groups = grouped(events.map(|e| ((e.who.stands_for(), hour_text(e.ms / HOUR)), e)));
    let mut rows: Vec<_> = groups
        .into_iter()
        .map(|(key, events)| (distinct(events.iter().flat_map(|e| &e.keys)), key, events))
        .filter(|(keys, ..)| least <= *keys)
        .collect();
    rows.sort_by_key(|(keys, key, _)| (Reverse(*keys), key.clone()));
    rows.into_iter()
        .map(|(keys, (who, hour), events)| {
            let mut row = row![who, hour, keys, events.len()];
            row.extend(more(&events));
            row
        })
        .collect()
}

fn fan_out(log: &[Ev]) -> Rows {
    by_hour(since(log, 30).filter(|e| e.name == "Decrypt"), 4, |_| Vec::new())
}

fn sweep(log: &[Ev]) -> Rows {
    let denied = |events: &[&Ev]| row![events.iter().filter(|e| e.outcome() == "denied").count()];
    by_hour(since(log, 40).filter(|e| LOOKS.contains(&e.name)), 3, denied)
}

fn probing(log: &[Ev]) -> Rows {
    let errors = [Some("InvalidCiphertextException"), Some("IncorrectKeyException")];
    let failed = log.iter().filter(|e| errors.contains(&e.error));
    let groups = grouped(failed.map(|e| ((e.who.principal.clone(), hour_text(e.ms / HOUR)), e)));
    let mut rows: Vec<_> = groups.into_iter().filter(|(_, events)| 2 <= events.len()).collect();
    rows.sort_by_key(|(key, events)| (Reverse(events.len()), key.clone()));
    rows.into_iter()
        .map(|((who, from), events)| {
            let keys = distinct(events.iter().map(|e| &e.keys[0]));
            row![who, from, events.len(), keys, distinct(events.iter().map(|e| &e.ip))]
        })
        .collect()
}

fn deletions(log: &[Ev]) -> Rows {
    let cancelled = |key: &String, seq: u64| {
        log.iter()
            .any(|e| e.name == "CancelKeyDeletion" && e.ok() && e.keys[0] == *key && seq < e.seq)
    };
    since(log, 30)
        .filter(|e| e.name == "ScheduleKeyDeletion" && e.ok() && !cancelled(&e.keys[0], e.seq))
        .map(|e| row![e.seq, e.time(), e.keys[0], e.who.principal, e.ip, e.days])
        .collect()
}

fn policy_then_use(log: &[Ev]) -> Rows {
    let firsts = firsts(log);
    let changes =
        since(log, 35).filter(|e| ["PutKeyPolicy", "CreateGrant"].contains(&e.name) && e.ok());
    let mut rows = Vec::new();
    for (change, key) in keyed(changes) {
        for ((who, used), first) in &firsts {
            let soon = (change.ms..=change.ms + 12 * HOUR).contains(&first.ms);
            if *used == key && change.seq < first.seq && soon {
                let by = change.who.stands_for();
                rows.push((
                    (change.seq, first.seq, key, who.clone()),
                    row![
                        change.seq,
                        change.time(),
                        change.name,
                        by,
                        key,
                        who,
                        first.name,
                        first.time()
                    ],
                ));
            }
        }
    }
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn blast_radius(log: &[Ev]) -> Rows {
    let app = since(log, 9).filter(|e| {
        e.ms <= NOW.0 && e.ok() && e.who.stands_for() == format!("arn:aws:iam::{ACCOUNT}:role/App")
    });
    let groups = grouped(keyed(app).map(|(e, key)| ((key, e.context_json()), e)));
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.sort_by_key(|(key, events)| (Reverse(events.len()), key.clone()));
    rows.into_iter()
        .map(|((key, context), events)| {
            let names: Vec<&str> =
                events.iter().map(|e| e.name).collect::<BTreeSet<_>>().into_iter().collect();
            let (first, last) = span_of(&events);
            row![key, context, events.len(), names.join(","), first, last]
        })
        .collect()
}

fn principals_per_key(log: &[Ev]) -> Rows {
    let groups = grouped(keyed(since(log, 3).filter(|e| e.ok())).map(|(e, key)| (key, e)));
    let mut rows: Vec<_> = groups
        .into_iter()
        .map(|(key, events)| (distinct(events.iter().map(|e| e.who.stands_for())), key, events))
        .collect();
    rows.sort_by_key(|(principals, key, events)| {
        (Reverse(*principals), Reverse(events.len()), *key)
    });
    rows.into_iter()
        .map(|(principals, key, events)| row![key, principals, events.len(), span_of(&events).1])
        .collect()
}

fn off_hours(log: &[Ev]) -> Rows {
    use chrono::{Datelike as _, Timelike as _, Weekday};
    let is_off = |e: &Ev| {
        let time = chrono::DateTime::from_timestamp_millis(e.ms).unwrap();
        !(7..19).contains(&time.hour()) || matches!(time.weekday(), Weekday::Sat | Weekday::Sun)
    };
    since(log, 14)
        .filter(|e| ["Sign", "GenerateMac"].contains(&e.name) && is_off(e))
        .map(|e| row![e.seq, e.time(), e.name, e.outcome(), e.who.principal, e.keys[0], e.ip])
        .collect()
}

fn last_use(log: &[Ev]) -> Rows {
    let groups = grouped(keyed(log.iter()).map(|(e, key)| (key, e)));
    let mut rows: Vec<_> = groups
        .into_iter()
        .map(|(key, events)| {
            let uses: Vec<&Ev> = events
                .iter()
                .copied()
                .filter(|e| e.ok() && CRYPTOGRAPHY.contains(&e.name))
                .collect();
            let last = uses.iter().map(|e| e.time()).max();
            let idle = uses.iter().map(|e| e.ms).max().map(|ms| (NOW.0 - ms) / DAY);
            let row = row![key, last, uses.len(), idle, span_of(&events).1];
            (last, key, row)
        })
        .collect();
    rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    rows.into_iter().map(|(.., row)| row).collect()
}

fn gaps(log: &[Ev]) -> Rows {
    log.windows(2)
        .map(|pair| (&pair[0], &pair[1], pair[1].seq - pair[0].seq - 1))
        .filter(|(a, b, missing)| 0 < *missing || b.ms < a.ms - 10_000)
        .map(|(a, b, missing)| row![a.seq, b.seq, missing, b.time(), (a.ms - b.ms).max(0)])
        .collect()
}

fn root_usage(log: &[Ev]) -> Rows {
    let groups =
        grouped(since(log, 39).filter(|e| e.who.kind == "Root").map(|e| ((e.name, &e.ip), e)));
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.sort_by_key(|(key, events)| (Reverse(events.len()), *key));
    rows.into_iter()
        .map(|((name, ip), events)| {
            let (first, last) = span_of(&events);
            let failed = events.iter().filter(|e| !e.ok()).count();
            row![name, ip, Value::Null, events.len(), failed, first, last]
        })
        .collect()
}

fn cross_account(log: &[Ev]) -> Rows {
    let others = since(log, 21).filter(|e| e.who.account.is_some_and(|account| account != ACCOUNT));
    let groups = grouped(
        keyed(others)
            .map(|(e, key)| ((e.who.account, e.who.stands_for(), key, e.name, e.outcome()), e)),
    );
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.sort_by_key(|(key, events)| (Reverse(events.len()), key.clone()));
    rows.into_iter()
        .map(|((account, who, key, name, outcome), events)| {
            let (first, last) = span_of(&events);
            row![account, who, key, name, outcome, events.len(), first, last]
        })
        .collect()
}

fn made(log: &[Ev]) -> impl Iterator<Item = &Ev> {
    log.iter().filter(|e| e.name == "CreateGrant" && e.ok())
}

/// A grant that was made under another and has one under it, when there is one.
fn chained(log: &[Ev]) -> String {
    let middle = made(log)
        .find(|e| e.used_grant.is_some() && made(log).any(|below| below.used_grant == e.grant_id));
    middle.and_then(|e| e.grant_id.clone()).expect("a chain of three grants")
}

fn grant_chain(log: &[Ev], grant: &str) -> Rows {
    let mut chain: BTreeMap<(i64, u64), &Ev> = BTreeMap::new();
    let start = made(log).find(|e| e.grant_id.as_deref() == Some(grant)).unwrap();
    let (mut here, mut depth) = (start, 0);
    while let Some(above) =
        made(log).find(|e| here.used_grant.is_some() && e.grant_id == here.used_grant)
    {
        depth -= 1;
        chain.insert((depth, above.seq), above);
        here = above;
    }
    let mut open = vec![(0, start)];
    while let Some((depth, event)) = open.pop() {
        chain.insert((depth, event.seq), event);
        open.extend(made(log).filter(|e| e.used_grant == event.grant_id).map(|e| (depth + 1, e)));
    }
    chain
        .into_iter()
        .map(|((depth, seq), e)| {
            let end = log
                .iter()
                .find(|end| end.name == "RevokeGrant" && end.ok() && end.grant_id == e.grant_id);
            row![
                depth,
                seq,
                e.time(),
                e.grant_id,
                e.used_grant,
                e.who.stands_for(),
                e.grantee,
                e.keys[0],
                end.map(|end| end.name),
                end.map(Ev::time),
            ]
        })
        .collect()
}

fn without_mfa(log: &[Ev]) -> Rows {
    since(log, 11)
        // Whether another account asks its people for MFA is not told.
        .filter(|e| !matches!(e.who.kind, "AWSService" | "AWSAccount"))
        .filter(|e| !e.read_only && e.ok() && e.who.mfa != Some(true))
        .map(|e| row![e.seq, e.time(), e.name, e.who.kind, e.who.principal, e.keys[0], e.ip])
        .collect()
}
