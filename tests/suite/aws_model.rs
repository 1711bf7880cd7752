//! AWS's service model of KMS, read: shapes of inputs, what a value violates, and in which words.
//!
//! It is the tests' own reading, apart from the operation table that it judges. Patterns are regular
//! expressions of Java, so that `\w`, `\s` and `\d` mean ASCII, and a pattern holds for the whole text.
//! Source: `vectors/aws-model/README.md`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_testkit::golden;
use regex_lite::Regex;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs, sync::LazyLock};

static MODEL: LazyLock<Value> = LazyLock::new(|| {
    let path = golden::tests_folder().join("vectors/aws-model/kms-2014-11-01.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
});

pub(super) fn model() -> &'static Value {
    &MODEL
}

pub(super) fn operations() -> impl Iterator<Item = &'static str> {
    MODEL["operations"].as_object().unwrap().keys().map(String::as_str)
}

pub(super) fn input_shape(operation: &str) -> &'static Value {
    shape(input_name(operation))
}

fn input_name(operation: &str) -> &'static str {
    MODEL["operations"][operation]["input"]["shape"]
        .as_str()
        .unwrap_or_else(|| panic!("{operation} has no input in the model"))
}

pub(super) fn shape(name: &str) -> &'static Value {
    &MODEL["shapes"][name]
}

pub(super) fn kind(shape: &Value) -> &str {
    shape["type"].as_str().unwrap()
}

pub(super) fn bound(shape: &Value, name: &str) -> Option<i64> {
    shape[name].as_i64()
}

/// Where in an input something stands.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Member(&'static str),
    Item(usize),
}

/// A place that an input has, in one member of a structure or the first item of a list.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: Vec<Step>,
    /// The name of its shape.
    pub(super) shape: &'static str,
    pub(super) required: bool,
}

impl Place {
    /// Such as `Constraints.SourceArn`, `Tags[0].TagKey`.
    pub(super) fn name(&self) -> String {
        let step = |step: &Step| match step {
            Step::Member(name) => format!(".{name}"),
            Step::Item(item) => format!("[{item}]"),
        };
        self.path.iter().map(step).collect::<String>().trim_start_matches('.').to_owned()
    }

    pub(super) fn top(&self) -> &'static str {
        match self.path.first() {
            Some(Step::Member(name)) => name,
            other => panic!("an input is no list: {other:?}"),
        }
    }

    /// Whether answers and events keep silent about what stands here.
    pub(super) fn is_silent(&self) -> bool {
        is_silent(self.shape)
    }

    /// The input with `value` here, or without this member. What lies on the way is made.
    pub(super) fn with(&self, operation: &str, input: &Value, value: Option<&Value>) -> Value {
        let mut input = input.clone();
        put(&mut input, input_name(operation), &self.path, value);
        input
    }
}

fn put(parent: &mut Value, parent_shape: &str, path: &[Step], value: Option<&Value>) {
    let shape = shape(parent_shape);
    let (step, rest) = path.split_first().unwrap();
    let child_shape = match step {
        Step::Member(name) => shape["members"][*name]["shape"].as_str().unwrap(),
        Step::Item(_) => shape["member"]["shape"].as_str().unwrap(),
    };
    let child = match step {
        Step::Member(name) => {
            let members = parent.as_object_mut().unwrap();
            match (rest.is_empty(), value) {
                (true, Some(value)) => drop(members.insert((*name).to_owned(), value.clone())),
                (true, None) => drop(members.remove(*name)),
                (false, _) => {}
            }
            if rest.is_empty() {
                return;
            }
            members.entry(*name).or_insert_with(|| sample(child_shape))
        }
        Step::Item(item) => {
            let items = parent.as_array_mut().unwrap();
            while items.len() <= *item {
                items.push(sample(child_shape));
            }
            &mut items[*item]
        }
    };
    match (rest.is_empty(), value) {
        (true, Some(value)) => *child = value.clone(),
        (true, None) => panic!("an item cannot be missing"),
        (false, _) => put(child, child_shape, rest, value),
    }
}

/// Every place of an operation's input, outer before inner.
pub(super) fn places(operation: &str) -> Vec<Place> {
    let mut found = Vec::new();
    walk(input_name(operation), &mut Vec::new(), &mut found);
    found
}

fn walk(name: &'static str, path: &mut Vec<Step>, found: &mut Vec<Place>) {
    let shape = shape(name);
    let mut visit = |step: Step, shape: &'static str, required: bool| {
        path.push(step);
        found.push(Place { path: path.clone(), shape, required });
        walk(shape, path, found);
        path.pop();
    };
    match kind(shape) {
        "structure" => {
            let required: Vec<&str> = shape["required"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(Value::as_str)
                .collect();
            for (member, target) in shape["members"].as_object().unwrap() {
                let target = target["shape"].as_str().unwrap();
                visit(Step::Member(member), target, required.contains(&member.as_str()));
            }
        }
        "list" => visit(Step::Item(0), shape["member"]["shape"].as_str().unwrap(), false),
        _ => {}
    }
}

/// Blobs, what the model marks, and grant tokens: whoever holds one may use the grant.
fn is_silent(name: &str) -> bool {
    let shape = shape(name);
    let of = || shape["member"]["shape"].as_str().is_some_and(is_silent);
    kind(shape) == "blob"
        || shape["sensitive"] == true
        || name == "GrantTokenType"
        || kind(shape) == "list" && of()
}

/// A value of a shape that violates nothing. Keys and the like that it names need not exist.
pub(super) fn sample(name: &str) -> Value {
    let shape = shape(name);
    match kind(shape) {
        "string" => json!(sample_text(name)),
        "blob" => json!(blob(usize::try_from(bound(shape, "min").unwrap_or(1)).unwrap())),
        "integer" => json!(bound(shape, "min").unwrap()),
        "boolean" => json!(false),
        "timestamp" => json!(1_800_000_000),
        "map" => json!({"name": "value"}),
        "list" => json!([sample(shape["member"]["shape"].as_str().unwrap())]),
        "structure" => {
            let required = shape["required"].as_array().into_iter().flatten();
            required
                .flat_map(Value::as_str)
                .map(|member| {
                    let target = shape["members"][member]["shape"].as_str().unwrap();
                    (member.to_owned(), sample(target))
                })
                .collect::<Map<_, _>>()
                .into()
        }
        other => panic!("a shape of type {other}"),
    }
}

fn sample_text(name: &str) -> String {
    let shape = shape(name);
    if let Some(first) = shape["enum"].get(0) {
        return first.as_str().unwrap().to_owned();
    }
    let text = match name {
        "AccountIdType" => "123456789012",
        "AliasNameType" => "alias/sample",
        "ArnType" | "PrincipalIdType" => "arn:aws:iam::000000000000:root",
        "CloudHsmClusterIdType" => "cluster-abcdefghijk",
        "GrantConstraintSourceArnType" => "arn:aws:s3:us-east-1:000000000000:bucket",
        "KeyIdType" => "1234abcd-12ab-34cd-56ef-1234567890ab",
        "PolicyType" => "{}",
        "RegionType" => "us-west-2",
        "ServicePrincipalType" => "service.amazonaws.com",
        "XksProxyUriEndpointType" => "https://xks.example.com",
        "XksProxyUriPathType" => "/sample/kms/xks/v1",
        "XksProxyVpcEndpointServiceNameType" => "com.amazonaws.vpce.us-east-1.vpce-svc-0123abcd",
        "XksProxyAuthenticationAccessKeyIdType" => "ABCDEFGHIJKLMNOPQRST",
        _ => return "a".repeat(usize::try_from(bound(shape, "min").unwrap_or(1).max(1)).unwrap()),
    };
    text.to_owned()
}

/// Base64 of as many bytes.
pub(super) fn blob(bytes: usize) -> String {
    STANDARD.encode(vec![0xa5; bytes])
}

/// The pattern of a shape as a test of a whole text.
pub(super) fn pattern(name: &str) -> Option<&'static Regex> {
    static PATTERNS: LazyLock<BTreeMap<&'static str, Regex>> = LazyLock::new(|| {
        let shapes = MODEL["shapes"].as_object().unwrap().iter();
        let compiled = |pattern: &str| {
            // A dot of Java matches no end of a line.
            let pattern = pattern.replace(".+$", "[^\n\r\u{85}\u{2028}\u{2029}]+$");
            Regex::new(&format!("^(?:{pattern})$")).unwrap_or_else(|e| panic!("{pattern}: {e}"))
        };
        shapes
            .filter_map(|(name, shape)| Some((name.as_str(), compiled(shape["pattern"].as_str()?))))
            .collect()
    });
    PATTERNS.get(name)
}

/// What an input violates, in the words of the reference's section 4d; the order is not AWS's.
pub(super) fn violations(operation: &str, input: &Value) -> Vec<String> {
    let mut found = Vec::new();
    violate(input_name(operation), input, "", &mut found);
    found
}

/// Characters of a value that an answer shows at most.
const SHOWN_CHARS_MAX: usize = 1_024;

fn violate(name: &str, value: &Value, path: &str, found: &mut Vec<String>) {
    let shape = shape(name);
    let mut say = |constraint: String| {
        let shown = if is_silent(name) { String::new() } else { shown(value) };
        found.push(format!("Value {shown}at '{path}' failed to satisfy constraint: {constraint}"));
    };
    let (min, max) = (bound(shape, "min"), bound(shape, "max"));
    let ranged = |what: &str, given: i64| {
        let low = min.filter(|min| given < *min);
        let high = max.filter(|max| *max < given);
        let low = low.map(|min| format!("Member must have {what} greater than or equal to {min}"));
        low.or(high.map(|max| format!("Member must have {what} less than or equal to {max}")))
    };
    let len = |len: usize| ranged("length", i64::try_from(len).unwrap());
    match (kind(shape), value) {
        ("string", Value::String(text)) => {
            if let Some(names) = shape["enum"].as_array() {
                if !names.contains(value) {
                    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
                    say(format!("Member must satisfy enum value set: [{}]", names.join(", ")));
                }
                return;
            }
            len(text.chars().count()).into_iter().for_each(&mut say);
            if pattern(name).is_some_and(|pattern| !pattern.is_match(text)) {
                let shown = shape["pattern"].as_str().unwrap();
                say(format!("Member must satisfy regular expression pattern: {shown}"));
            }
        }
        ("blob", Value::String(text)) => {
            len(STANDARD.decode(text).unwrap().len()).into_iter().for_each(say);
        }
        ("integer", Value::Number(number)) => {
            ranged("value", number.as_i64().unwrap()).into_iter().for_each(say);
        }
        ("list", Value::Array(items)) => {
            len(items.len()).into_iter().for_each(say);
            let of = shape["member"]["shape"].as_str().unwrap();
            for (place, item) in items.iter().enumerate() {
                violate(of, item, &format!("{path}.{}.member", place + 1), found);
            }
        }
        ("structure", Value::Object(members)) => {
            for (member, target) in shape["members"].as_object().unwrap() {
                let path = if path.is_empty() {
                    lower(member)
                } else {
                    format!("{path}.{}", lower(member))
                };
                let required = shape["required"].as_array();
                let required = required.is_some_and(|names| names.contains(&json!(member)));
                match members.get(member).filter(|value| !value.is_null()) {
                    Some(value) => violate(target["shape"].as_str().unwrap(), value, &path, found),
                    None if required => found.push(format!(
                        "Value null at '{path}' failed to satisfy constraint: Member must not be null"
                    )),
                    None => {}
                }
            }
        }
        _ => {}
    }
}

fn lower(member: &str) -> String {
    let mut letters = member.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("'{}...' ", &text[..end]),
        None => format!("'{text}' "),
    }
}

#[test]
fn samples_violate_nothing() {
    for operation in operations() {
        for place in places(operation) {
            let input = place.with(operation, &json!({}), Some(&sample(place.shape)));
            let found = violations(operation, &input);
            let other = |text: &String| !text.contains("Member must not be null");
            let found: Vec<_> = found.into_iter().filter(other).collect();
            assert!(found.is_empty(), "{operation} {}: {found:?}", place.name());
        }
    }
}
