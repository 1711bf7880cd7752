//! `keyward principal did` and `keyward key used-by`: what the log says of one principal, and of one key.
//!
//! Events are read over REST in pages and counted here; nothing is kept but the counts.

use crate::{
    args::Common,
    client::{Client, now_seconds},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_trail::{
    actor_name, decisions_of,
    query::{Condition, Field, Moment, Pattern, Query, Term, contexts, is_whole_principal},
};
use keyward_types::{Decision, Layer, MatchKind, Matched, Reason, Timestamp};
use serde_json::{Map, Value, json};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// Events of one answer, at most what the service gives.
const PAGE: usize = 1_000;
/// Encryption contexts of one principal that text lists.
const CONTEXTS_SHOWN: usize = 5;
/// Encryption contexts of one principal that are told apart; a context may be another one in every request.
const CONTEXTS_MAX: usize = 10_000;

/// Visits every event that fits, newest first.
pub(super) fn each_event(
    client: &Client<'_>,
    filter: &[(&str, String)],
    mut visit: impl FnMut(&Value),
) -> Result<(), CliError> {
    let mut after: Option<String> = None;
    loop {
        let (events, next) = page(client, filter, PAGE, after.take())?;
        events.iter().for_each(&mut visit);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Events of one answer, so many at most, and where to go on.
pub(super) fn page(
    client: &Client<'_>,
    filter: &[(&str, String)],
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<Value>, Option<String>), CliError> {
    let mut query = filter.to_vec();
    query.push(("limit", limit.min(PAGE).to_string()));
    query.extend(after.map(|after| ("after", after)));
    let answer = client.read("/v1/events", &query)?;
    let next = answer.get("Next").and_then(Value::as_str).map(str::to_owned);
    let events = answer.get("Events").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok((events, next))
}

/// A query as it was typed, in one word or in several.
pub(super) fn words(query: &[String]) -> Option<(&'static str, String)> {
    (!query.is_empty()).then(|| ("q", query.join(" ")))
}

/// Only the principal itself: the service's filter also finds those whose names go on after it, and the query
/// language takes other text for a part of a name.
pub(super) fn only(principal: &str) -> Result<Query, CliError> {
    if !is_whole_principal(principal) {
        return Err(usage(&format!(
            "{principal} is no whole principal: give an ARN, role/NAME, user/NAME, assumed-role/NAME, the id of an access key (AKIA…), a user (AIDA…) or a role (AROA…), ACCOUNT:ID of another account's, or a service such as backup.amazonaws.com"
        )));
    }
    let condition = Condition::Says(Field::Principal, vec![Pattern::literal(principal)]);
    let term = Term::new(condition).ok_or_else(|| usage("a principal has a name"))?;
    Ok(Query::new().with(term))
}

fn usage(words: &str) -> CliError {
    CliError::new(Exit::Usage, words)
}

/// The moment that a text means, as the query language reads it.
fn moment(text: &str) -> Result<Timestamp, CliError> {
    let query = Query::parse(&format!("since:{text}"));
    let query = query.map_err(|error| usage(&format!("--since: {error}")))?;
    let now = Timestamp::from_seconds(now_seconds());
    query.window(now).since.ok_or_else(|| usage("--since: that is no time"))
}

/// How often something was seen, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    count: u64,
    refused: u64,
    first: String,
    last: String,
}

impl Tally {
    pub(super) fn add(&mut self, event: &Value) {
        let time = text(event, "eventTime");
        self.count += 1;
        self.refused += u64::from(is_refused(event));
        // All times have one form, in UTC, so that they compare as text.
        if self.first.is_empty() || time < self.first.as_str() {
            time.clone_into(&mut self.first);
        }
        if self.last.as_str() < time {
            time.clone_into(&mut self.last);
        }
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let Self { count, refused, first, last } = self;
        let all = [
            ("Count", json!(count)),
            ("Refused", json!(refused)),
            ("First", json!(first)),
            ("Last", json!(last)),
        ];
        all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    pub(super) fn cells(&self) -> [String; 4] {
        [self.count.to_string(), self.refused.to_string(), self.first.clone(), self.last.clone()]
    }
}

fn is_refused(event: &Value) -> bool {
    matches!(text(event, "errorCode"), "AccessDenied" | "AccessDeniedException")
}

pub(super) fn text<'v>(event: &'v Value, name: &str) -> &'v str {
    event.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The keys that an event names; what is on none has one empty name.
pub(super) fn keys(event: &Value) -> Vec<&str> {
    let resources = event.get("resources").and_then(Value::as_array).into_iter().flatten();
    let mut keys: Vec<&str> = resources
        .map(|resource| text(resource, "ARN"))
        .filter(|arn| arn.contains(":key/"))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() { vec![""] } else { keys }
}

/// An encryption context as text, in the order of its names.
pub(super) fn written(context: &Map<String, Value>) -> String {
    let pairs: BTreeMap<&String, &Value> = context.iter().collect();
    json!(pairs).to_string()
}

/// A row of the same columns, of an object with one member for each part.
pub(super) fn with_tally(names: &[(&str, &str)], tally: &Tally) -> Map<String, Value> {
    let mut row = Map::new();
    for (name, value) in names {
        row.insert((*name).to_owned(), json!(value));
    }
    row.extend(tally.json());
    row
}

pub(super) fn did(
    common: &Common,
    principal: &str,
    asked: &[String],
    since: Option<&str>,
    history: &str,
) -> Result<Exit, CliError> {
    let start = since.map(moment).transpose()?;
    let query = only(principal)?;
    let mut story = Story::default();
    let mut filter = vec![("principal", principal.to_owned())];
    filter.extend(words(asked));
    if let Some(start) = start {
        let earliest = Timestamp(start.0.min(moment(history)?.0));
        filter.push(("since", earliest.seconds().to_string()));
    }
    each_event(&Client::new(common), &filter, |event| {
        if query.matches(event, Timestamp(0)) {
            story.add(event, start);
        }
    })?;
    if story.total.count == 0 {
        let words = format!("the log has no event of {principal} in that time");
        return Err(CliError::new(Exit::NotFound, words));
    }
    story.tell(common.output, principal, start.is_some());
    Ok(Exit::Ok)
}

/// What one principal did.
#[derive(Default)]
struct Story {
    total: Tally,
    /// By operation and key.
    uses: BTreeMap<(String, String), Tally>,
    /// What it had done before the time that is told of.
    before: BTreeSet<(&'static str, String)>,
    /// What it did in that time.
    during: BTreeMap<(&'static str, String), Tally>,
}

impl Story {
    fn add(&mut self, event: &Value, start: Option<Timestamp>) {
        let traits = traits(event);
        let holds = |start: Timestamp| {
            let query = Query::new().since(Moment::at(start));
            query.matches(event, Timestamp(0))
        };
        if !start.is_none_or(holds) {
            self.before.extend(traits);
            return;
        }
        self.total.add(event);
        for key in keys(event) {
            let name = (text(event, "eventName").to_owned(), key.to_owned());
            self.uses.entry(name).or_default().add(event);
        }
        for one in traits {
            self.during.entry(one).or_default().add(event);
        }
    }

    /// What was never seen before, by kind and value.
    fn unheard_of(&self) -> impl Iterator<Item = (&(&'static str, String), &Tally)> {
        self.during.iter().filter(|(one, _)| !self.before.contains(*one))
    }

    /// Most frequent first.
    fn sorted(&self) -> Vec<(&(String, String), &Tally)> {
        let mut uses: Vec<_> = self.uses.iter().collect();
        uses.sort_by_key(|(_, tally)| core::cmp::Reverse(tally.count));
        uses
    }

    fn tell(&self, format: Format, principal: &str, compares: bool) {
        let new: Vec<_> = if compares { self.unheard_of().collect() } else { Vec::new() };
        match format {
            Format::Json => {
                let uses = self.sorted().into_iter().map(|((operation, key), tally)| {
                    with_tally(&[("Operation", operation), ("Key", key)], tally)
                });
                let fresh = new.iter().map(|((kind, value), tally)| {
                    with_tally(&[("Kind", kind), ("Value", value)], tally)
                });
                let mut whole = with_tally(&[("Principal", principal)], &self.total);
                whole.insert("Uses".to_owned(), uses.collect());
                if compares {
                    whole.insert("New".to_owned(), fresh.collect());
                }
                output::json(&Value::Object(whole));
            }
            Format::Text => {
                let Tally { count, refused, first, last } = &self.total;
                output::note(&format!(
                    "{principal}: {count} events from {first} to {last}, {refused} of them refused"
                ));
                let rows: Vec<Vec<String>> = self
                    .sorted()
                    .into_iter()
                    .map(|((operation, key), tally)| row(&[operation, dash(key)], tally))
                    .collect();
                output::table(&["OPERATION", "KEY", "COUNT", "REFUSED", "FIRST", "LAST"], &rows);
                for ((kind, value), tally) in new {
                    output::line(&format!("new {kind}: {value}, first {}", tally.first));
                }
            }
        }
    }
}

/// What may be new about an event.
fn traits(event: &Value) -> Vec<(&'static str, String)> {
    let mut traits = vec![
        ("operation", text(event, "eventName").to_owned()),
        ("address", text(event, "sourceIPAddress").to_owned()),
        ("agent", text(event, "userAgent").to_owned()),
    ];
    traits.extend(keys(event).into_iter().map(|key| ("key", key.to_owned())));
    let named = contexts(event).flat_map(Map::keys);
    traits.extend(named.map(|name| ("context name", name.clone())));
    traits.retain(|(_, value)| !value.is_empty());
    traits.sort_unstable();
    traits.dedup();
    traits
}

pub(super) fn row(names: &[&str], tally: &Tally) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).chain(tally.cells()).collect()
}

pub(super) fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

pub(super) fn used_by(
    common: &Common,
    client: &Client<'_>,
    key: &str,
    asked: &[String],
    since: Option<&str>,
) -> Result<Exit, CliError> {
    // What only looks leaves an event too, so that it is not done for nothing, and is not told of. A key that is
    // gone, or may not be described, is still found in the log by what was written.
    let (mut arn, mut own, mut is_unknown) = (None, None, false);
    if !(key.starts_with("arn:") && key.contains(":key/")) {
        let (described, id) = client.call_with_id("DescribeKey", &json!({"KeyId": key}))?;
        own = id;
        is_unknown = described.as_ref().is_err_and(|error| error.exit == Exit::NotFound);
        arn = described.ok().and_then(|answer| {
            answer.pointer("/KeyMetadata/Arn").and_then(Value::as_str).map(str::to_owned)
        });
    }
    let mut filter = vec![("key", arn.unwrap_or_else(|| key.to_owned()))];
    filter.extend(words(asked));
    if let Some(since) = since {
        filter.push(("since", moment(since)?.seconds().to_string()));
    }
    let mut users: BTreeMap<String, User> = BTreeMap::new();
    each_event(client, &filter, |event| {
        if own.as_deref().is_none_or(|own| text(event, "requestID") != own) {
            users.entry(who(event)).or_default().add(event);
        }
    })?;
    if users.is_empty() {
        let unknown =
            if is_unknown { format!("there is no key {key}, and ") } else { String::new() };
        let words = format!("{unknown}the log has no event about {key} in that time");
        return Err(CliError::new(Exit::NotFound, words));
    }
    let mut users: Vec<(String, User)> = users.into_iter().collect();
    users.sort_by_key(|(_, user)| core::cmp::Reverse(user.tally.count));
    match common.output {
        Format::Json => {
            users.iter().for_each(|(name, user)| output::json_line(&user.json(name)));
        }
        Format::Text => {
            let rows: Vec<Vec<String>> = users.iter().map(|(name, user)| user.row(name)).collect();
            const HEADINGS: &[&str] = &[
                "PRINCIPAL",
                "COUNT",
                "REFUSED",
                "FIRST",
                "LAST",
                "OPERATIONS",
                "THROUGH",
                "CONTEXTS",
            ];
            output::table(HEADINGS, &rows);
        }
    }
    Ok(Exit::Ok)
}

/// Who acted: of a session the role, of a service its name.
pub(super) fn who(event: &Value) -> String {
    actor_name(event).map_or_else(|| "-".to_owned(), Cow::into_owned)
}

/// Names with counts.
type Counts = BTreeMap<String, u64>;

/// One principal's use of one key.
#[derive(Default)]
struct User {
    tally: Tally,
    operations: Counts,
    /// Statements that decided, as `DOCUMENT#SID`.
    statements: Counts,
    grants: Counts,
    contexts: Counts,
    /// Uses of encryption contexts beyond those that are told apart.
    other_contexts: u64,
}

impl User {
    fn add(&mut self, event: &Value) {
        self.tally.add(event);
        *self.operations.entry(text(event, "eventName").to_owned()).or_default() += 1;
        for decision in decisions_of(event) {
            for (layer, matched) in deciding(&decision) {
                let counts =
                    if layer == Layer::Grant { &mut self.grants } else { &mut self.statements };
                *counts.entry(name_of(layer, matched)).or_default() += 1;
            }
        }
        for context in contexts(event).filter(|context| !context.is_empty()) {
            let name = written(context);
            if self.contexts.len() < CONTEXTS_MAX || self.contexts.contains_key(&name) {
                *self.contexts.entry(name).or_default() += 1;
            } else {
                self.other_contexts += 1;
            }
        }
    }

    fn json(&self, name: &str) -> Value {
        let listed = |counts: &Counts| -> Vec<Value> {
            let sorted = by_count(counts).into_iter();
            sorted.map(|(name, count)| json!({"Name": name, "Count": count})).collect()
        };
        let contexts = by_count(&self.contexts).into_iter().filter_map(|(text, count)| {
            let context: Value = serde_json::from_str(text).ok()?;
            Some(json!({"EncryptionContext": context, "Count": count}))
        });
        let mut whole = with_tally(&[("Principal", name)], &self.tally);
        whole.insert("Operations".to_owned(), json!(listed(&self.operations)));
        whole.insert("Statements".to_owned(), json!(listed(&self.statements)));
        whole.insert("Grants".to_owned(), json!(listed(&self.grants)));
        whole.insert("EncryptionContexts".to_owned(), contexts.collect());
        whole.insert("OtherEncryptionContexts".to_owned(), json!(self.other_contexts));
        Value::Object(whole)
    }

    fn row(&self, name: &str) -> Vec<String> {
        let counted = |counts: &Counts| -> Vec<String> {
            let sorted = by_count(counts).into_iter();
            sorted.map(|(name, count)| format!("{name}×{count}")).collect()
        };
        let mut through = counted(&self.statements);
        through.extend(counted(&self.grants).iter().map(|grant| format!("grant {grant}")));
        let mut contexts = counted(&self.contexts);
        let more = contexts.len().saturating_sub(CONTEXTS_SHOWN);
        contexts.truncate(CONTEXTS_SHOWN);
        if 0 < more {
            contexts.push(format!("and {more} more"));
        }
        let mut row = row(&[name], &self.tally);
        row.extend([counted(&self.operations), through, contexts].map(|cell| cell.join(" ")));
        row
    }
}

/// The most frequent first.
fn by_count(counts: &Counts) -> Vec<(&str, u64)> {
    let mut all: Vec<(&str, u64)> =
        counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    all.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    all
}

/// The statements and grants that made a decision what it is: not every one that matched was needed.
fn deciding(decision: &Decision) -> impl Iterator<Item = (Layer, &Matched)> {
    let reason = decision.reason;
    let decides = move |layer: Layer, matched: &Matched| match (reason, layer) {
        (Reason::Denied(denies), layer) => layer == denies && !matched.allow,
        (Reason::CrossAccount, Layer::KeyPolicy | Layer::Grant | Layer::IdentityPolicy)
        | (Reason::DelegatedToIam | Reason::AccountOperation, Layer::IdentityPolicy) => {
            matched.allow
        }
        (reason, Layer::KeyPolicy | Layer::Grant) => {
            let kind = match reason {
                Reason::NamesCaller | Reason::NamesService => MatchKind::Session,
                Reason::NamesEntity => MatchKind::Entity,
                Reason::DelegatedToIam => MatchKind::Account,
                _ => return false,
            };
            matched.allow && matched.kind == Some(kind)
        }
        _ => false,
    };
    let layers = decision.layers.iter();
    let all = layers.flat_map(|one| one.matched.iter().map(move |matched| (one.layer, matched)));
    all.filter(move |(layer, matched)| decides(*layer, matched))
}

/// As the query language names it: `DOCUMENT#SID`, or a grant's id.
fn name_of(layer: Layer, Matched { source, sid, index, .. }: &Matched) -> String {
    match (layer, sid) {
        (Layer::Grant, Some(id)) => id.clone(),
        (_, Some(sid)) => format!("{source}#{sid}"),
        (_, None) => format!("{source}#{index}"),
    }
}
