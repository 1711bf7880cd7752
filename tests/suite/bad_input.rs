//! Everything that can be wrong with the input of each KMS operation, generated from AWS's model: a member
//! missing, a constraint violated, a value of the wrong JSON type. One at a time, through both doors.
//!
//! Each attempt is refused in the reference's words, leaves one event, changes nothing, and repeats nothing that is to
//! be kept silent. It is refused before anything is said of a key: with keys that are not there the answer is the same.
//! What a client may write in a path or a query is text: what cannot be said so is skipped, and counted.

use super::{
    aws_model::{self, Place, bound, kind, places, sample, shape},
    requests::{ABSENT_KEY, Contents, Ready},
};
use keyward_engine::{Service, find, shape::check};
use keyward_store::EventQuery;
use keyward_testkit::{
    TestService,
    doors::{Answer, Door, call},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One thing wrong.
struct Case {
    what: String,
    place: Place,
    /// `None` is the member left out.
    given: Option<Value>,
    code: &'static str,
}

const VALIDATION: &str = "ValidationException";
/// Characters of one failure, so that all of them can be read.
const FAILURE_CHARS_MAX: usize = 400;
const SERIALIZATION: &str = "SerializationException";
/// Bytes of a message that an event holds at least.
const EVENT_WORDS_MIN: usize = 512;
/// A text that no service writes by itself.
const CANARY: &str = "canary-of-bad-input";

/// Why REST cannot carry a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Skip {
    /// A path without its member is another path.
    NoRoute,
    /// A query holds text, and nothing of another type.
    QueryIsText,
    /// A list in a query is one item for each time that its name stands there.
    QueryHasNoEmptyList,
}

/// How many cases REST cannot carry. A number that grows is a hole in this test.
const SKIPPED: &[(Skip, usize)] =
    &[(Skip::NoRoute, 308), (Skip::QueryIsText, 136), (Skip::QueryHasNoEmptyList, 1)];

fn cases(operation: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for place in places(operation) {
        let mut add = |what: String, given: Option<Value>, code| {
            cases.push(Case { what, place: place.clone(), given, code });
        };
        if place.required {
            add("missing".to_owned(), None, VALIDATION);
            add("null".to_owned(), Some(Value::Null), VALIDATION);
        }
        for (what, given) in violating(place.shape) {
            add(what, Some(given), VALIDATION);
        }
        for given in of_another_type(place.shape) {
            add(format!("type {given}"), Some(given), SERIALIZATION);
        }
    }
    cases
}

/// Values that violate one constraint of a shape or, where they come together, two.
fn violating(name: &str) -> Vec<(String, Value)> {
    let shape = shape(name);
    let size = |name: &str| bound(shape, name).map(|size| usize::try_from(size).unwrap());
    let (min, max) = (size("min"), size("max"));
    let mut found = Vec::new();
    let mut add = |what: &str, given: Value| found.push((what.to_owned(), given));
    match kind(shape) {
        "string" if shape["enum"].is_array() => {
            let first = shape["enum"][0].as_str().unwrap();
            add("no name of the enum", json!(CANARY));
            add("lower case", json!(first.to_lowercase()));
            add("space behind", json!(format!("{first} ")));
            add("empty", json!(""));
        }
        "string" => {
            let text = sample(name).as_str().unwrap().to_owned();
            if let Some(min) = min.filter(|min| 0 < *min) {
                add("empty", json!(""));
                let short: String = text.chars().take(min - 1).collect();
                if !short.is_empty() {
                    add("too short", json!(short));
                }
            }
            if let Some(max) = max {
                let more = text.chars().last().unwrap().to_string();
                add("too long", json!(text.clone() + &more.repeat(max + 1 - text.len())));
            }
            if let Some(pattern) = aws_model::pattern(name) {
                let odd = probes(&text);
                let odd: Vec<_> = odd.iter().filter(|text| !pattern.is_match(text)).collect();
                for text in [odd.first(), odd.last()].into_iter().flatten() {
                    add(&format!("pattern {text:?}"), json!(text));
                }
            }
        }
        "blob" => {
            add("empty", json!(""));
            add("too long", json!(aws_model::blob(max.unwrap() + 1)));
        }
        "integer" => {
            let (min, max) = (bound(shape, "min").unwrap(), bound(shape, "max").unwrap());
            for given in [min - 1, max + 1, -1, i64::MAX, i64::MIN] {
                add(&given.to_string(), json!(given));
            }
        }
        "list" => {
            let item = sample(shape["member"]["shape"].as_str().unwrap());
            if min.is_some_and(|min| 0 < min) {
                add("empty", json!([]));
            }
            if let Some(max) = max {
                add("too many", json!(vec![item; max + 1]));
            }
        }
        _ => {}
    }
    found
}

/// A text with something odd in its front, middle and end.
fn probes(text: &str) -> Vec<String> {
    const ODD: &str = " \t\n\r\u{b}\u{85}\u{a0}\u{2003}\u{e9}\u{ff}\u{100}\u{661}\u{ff41}\u{1d7d8}\0_-.:/+=,@!~#%\"'\\()[]{}*?^$|&;<>`aAzZgG0189";
    let letters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    for odd in ODD.chars() {
        for place in 0..=letters.len() {
            let mut with = letters.clone();
            with.insert(place, odd);
            found.push(with.iter().collect());
            if place < letters.len() {
                with.remove(place + 1);
                found.push(with.into_iter().collect());
            }
        }
    }
    for place in 0..letters.len() {
        found.push(letters[place..].iter().collect());
        found.push(letters[..place].iter().collect());
    }
    found
}

/// Values of every JSON type that is not the shape's own.
fn of_another_type(name: &str) -> Vec<Value> {
    let text = json!(CANARY);
    let all = |own: &str| {
        let all = [
            ("text", text.clone()),
            ("number", json!(5)),
            ("boolean", json!(true)),
            ("list", json!([CANARY])),
            ("object", json!({"Name": CANARY})),
        ];
        all.into_iter()
            .filter(|(type_, _)| *type_ != own)
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    let with = |own: &str, more: Vec<Value>| [all(own), more].concat();
    match kind(shape(name)) {
        "string" => all("text"),
        "blob" => with("text", vec![text.clone(), json!("YQ"), json!("YQ==YQ=="), json!("Y-_=")]),
        "integer" => with(
            "number",
            vec![json!(1.5), json!("5"), json!(9_223_372_036_854_775_808_u64), json!(1e300)],
        ),
        "boolean" => with("boolean", vec![json!("true"), json!(0)]),
        "timestamp" => with("number", vec![json!("1800000000")]),
        "list" => with("list", vec![json!(5.5)]),
        "map" => with("object", vec![json!({"name": 5}), json!({"name": {"name": "value"}})]),
        "structure" => with("object", vec![json!([])]),
        other => panic!("a shape of type {other}"),
    }
}

/// The request with keys that are not there.
fn without_keys(body: &Value) -> Value {
    let mut body = body.clone();
    for (member, value) in body.as_object_mut().unwrap() {
        if ["KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId"].contains(&member.as_str()) {
            *value = json!(ABSENT_KEY);
        }
    }
    body
}

fn rest_can_say(operation: &str, case: &Case, body: &Value) -> Result<(), Skip> {
    let (verb, route) = find(Service::Kms, operation).unwrap().spec().route;
    let in_path = |member: &str| route.split('/').any(|part| part == format!("{{{member}}}"));
    let named = |member: &String| {
        let text = body[member].as_str();
        !in_path(member) || text.is_some_and(|text| !text.is_empty())
    };
    let mut needed = route.split(['{', '}']).skip(1).step_by(2).map(str::to_owned);
    if !needed.all(|member| named(&member)) {
        return Err(Skip::NoRoute);
    }
    if !["GET", "DELETE"].contains(&verb) || in_path(case.place.top()) {
        return Ok(());
    }
    let scalar = ["integer", "boolean"].contains(&kind(shape(case.place.shape)));
    match &case.given {
        Some(Value::Null) => Err(Skip::QueryIsText),
        Some(Value::Array(items)) if items.is_empty() => Err(Skip::QueryHasNoEmptyList),
        Some(Value::Array(_)) if case.code == SERIALIZATION => Err(Skip::QueryIsText),
        _ if case.code == SERIALIZATION && !scalar => Err(Skip::QueryIsText),
        // What is in quotes in JSON is not in a query.
        Some(Value::String(text)) if text.parse::<i64>().is_ok() || text == "true" => {
            if case.code == SERIALIZATION { Err(Skip::QueryIsText) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

/// What is wrong with the answer.
fn judge(operation: &str, case: &Case, body: &Value, answer: &Answer) -> Result<(), String> {
    let Answer::Refusal { code, message } = answer else {
        return Err("it succeeds".to_owned());
    };
    let message = message.as_deref().unwrap_or_default();
    if code != case.code {
        return Err(format!("{code}: {message}, not {}", case.code));
    }
    if case.code == SERIALIZATION {
        let name = case.place.name();
        let name =
            name.rsplit('.').next().unwrap_or_default().split('[').next().unwrap_or_default();
        return if message.contains(name) && !message.contains(CANARY) {
            Ok(())
        } else {
            Err(format!("the words: {message}"))
        };
    }
    let expected = aws_model::violations(operation, body);
    let count = expected.len();
    let errors = if count == 1 { "error" } else { "errors" };
    let mut rest = message
        .strip_prefix(&format!("{count} validation {errors} detected: "))
        .ok_or_else(|| format!("{count} expected: {message}"))?
        .to_owned();
    // In which order AWS names several, nobody has measured.
    for one in &expected {
        let place = rest.find(one.as_str()).ok_or_else(|| format!("not said: {one}: {message}"))?;
        rest.replace_range(place..place + one.len(), "");
    }
    if rest == "; ".repeat(count - 1) { Ok(()) } else { Err(format!("said beside: {rest}")) }
}

/// What is wrong with the one event that the attempt left.
fn judge_event(
    service: &TestService,
    before: u64,
    operation: &str,
    case: &Case,
    answer: &Answer,
) -> Result<(), String> {
    let store = service.engine.store();
    let events = store.events_total() - before;
    if events != 1 {
        return Err(format!("{events} events"));
    }
    let newest = EventQuery { newest_first: true, limit: 1, ..EventQuery::default() };
    let record = store.events(&newest).unwrap().pop().unwrap().record;
    let event: Value = serde_json::from_slice(&record).unwrap();
    let Answer::Refusal { code, message } = answer else { return Ok(()) };
    let told = (&event["eventName"], &event["errorCode"]);
    if told != (&json!(operation), &json!(code)) {
        return Err(format!("the event says {told:?}"));
    }
    // A long message is cut in the event.
    let words = event["errorMessage"].as_str().unwrap_or_default();
    let said = message.as_deref().unwrap_or_default();
    if !said.starts_with(words) || words.len() < said.len().min(EVENT_WORDS_MIN) {
        return Err(format!("the event says {words}"));
    }
    if case.place.is_silent() {
        let texts = texts(case.given.as_ref());
        let event = event.to_string();
        let repeated = texts.iter().find(|text| {
            event.contains(text.as_str()) || message.as_ref().is_some_and(|all| all.contains(*text))
        });
        if let Some(text) = repeated {
            return Err(format!("repeats {text}"));
        }
    }
    Ok(())
}

/// The beginnings of all texts in a value that are long enough not to be there by chance.
fn texts(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::String(text)) if 8 <= text.len() => {
            BTreeSet::from([text.chars().take(32).collect()])
        }
        Some(Value::Array(items)) => items.iter().flat_map(|item| texts(Some(item))).collect(),
        Some(Value::Object(members)) => {
            members.values().flat_map(|item| texts(Some(item))).collect()
        }
        _ => BTreeSet::new(),
    }
}

#[test]
fn what_violates_the_model_is_refused_in_its_words() {
    let ready = Ready::new(2);
    let service = &ready.service;
    let root = service.root();
    let mut before = Contents::of(service);
    let mut skipped: BTreeMap<Skip, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut attempts = 0;
    for operation in aws_model::operations() {
        let present = ready.request(operation);
        let absent = without_keys(present);
        for case in cases(operation) {
            let body = |base| case.place.with(operation, base, case.given.as_ref());
            let rest = rest_can_say(operation, &case, &body(&absent));
            let second = match rest {
                Ok(()) => Door::Rest,
                Err(reason) => {
                    *skipped.entry(reason).or_default() += 1;
                    Door::AwsJson
                }
            };
            for (door, base) in [(Door::AwsJson, present), (second, &absent)] {
                let body = body(base);
                let events = service.engine.store().events_total();
                let answer = call(service, door, &root, operation, &body.to_string());
                attempts += 1;
                let mut verdicts = vec![
                    judge(operation, &case, &body, &answer),
                    judge_event(service, events, operation, &case, &answer),
                ];
                let after = Contents::of(service);
                if after != before {
                    verdicts.push(Err("something changed".to_owned()));
                    before = after;
                }
                failures.extend(verdicts.into_iter().filter_map(Result::err).map(|error| {
                    let error: String = error.chars().take(FAILURE_CHARS_MAX).collect();
                    format!("{operation} {} {} {door:?}: {error}", case.place.name(), case.what)
                }));
            }
        }
    }
    println!("{attempts} attempts, {skipped:?}");
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    assert_eq!(skipped, SKIPPED.iter().copied().collect());
}

/// What is no JSON object is refused before all else, and leaves its event.
#[test]
fn what_is_no_object_is_refused() {
    let ready = Ready::new(3);
    let (service, root) = (&ready.service, ready.service.root());
    let before = Contents::of(service);
    for operation in aws_model::operations() {
        let verb = find(Service::Kms, operation).unwrap().spec().route.0;
        let valid = ready.request(operation).to_string();
        let cut = &valid[..valid.len() - 1];
        for body in ["5", "null", "[]", "\"text\"", "{", "{\"KeyId\":}", cut, "\u{feff}{}"] {
            // In a path or a query there is no JSON to be wrong.
            let doors = [Door::AwsJson, Door::Rest];
            let doors = if ["GET", "DELETE"].contains(&verb) { &doors[..1] } else { &doors };
            for door in doors {
                let events = service.engine.store().events_total();
                let answer = call(service, *door, &root, operation, body);
                assert_eq!(answer.code(), SERIALIZATION, "{operation} {body} {door:?}");
                assert_eq!(service.engine.store().events_total(), events + 1, "{operation} {body}");
            }
        }
    }
    assert_eq!(Contents::of(service), before);
}

/// Patterns are matched by hand in the service: each is compared with the regular expression itself, on texts with
/// something odd in every place.
#[test]
fn patterns_match_what_the_model_matches() {
    let mut failures = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for operation in aws_model::operations() {
        let members = find(Service::Kms, operation).unwrap().spec().members;
        for place in
            places(operation).iter().filter(|place| shape(place.shape)["pattern"].is_string())
        {
            seen.insert(place.shape);
            let (pattern, shape) = (aws_model::pattern(place.shape).unwrap(), shape(place.shape));
            let (min, max) = (bound(shape, "min").unwrap(), bound(shape, "max").unwrap());
            for text in probes(sample(place.shape).as_str().unwrap()) {
                let body = place.with(operation, &json!({}), Some(&json!(text)));
                let said = check(members, body.as_object().unwrap()).err();
                let said = said.and_then(|error| error.message).unwrap_or_default();
                let fits = (min..=max).contains(&i64::try_from(text.chars().count()).unwrap());
                for (constraint, holds) in [("pattern", pattern.is_match(&text)), ("length", fits)]
                {
                    if holds == said.contains(constraint) {
                        failures.insert(format!("{} {text:?}: {constraint} {holds}", place.shape));
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), 19, "{seen:?}");
    let shown: Vec<_> = failures.iter().take(60).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), shown.join("\n"));
}
