//! `facts/cloudtrail.txt`, read: which names a record of each operation has, and how a record differs from that.

use super::requests::merged;
use keyward_testkit::golden::tests_folder;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::LazyLock,
};

pub(super) static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    Facts::parse(&fs::read_to_string(tests_folder().join("facts/cloudtrail.txt")).unwrap())
});

/// A member of an object, as the facts write it.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) optional: bool,
    pub(super) inside: Vec<Name>,
}

pub(super) struct Operation {
    pub(super) read_only: bool,
    pub(super) parameters: Vec<Name>,
    pub(super) elements: Vec<Name>,
    pub(super) additional: Vec<Name>,
    /// Such as `key` and `alias`; `*` stands behind one that the request makes, `!` behind one that only a refusal has.
    pub(super) resources: Vec<String>,
}

pub(super) struct ServiceEvent {
    pub(super) details: Vec<Name>,
    pub(super) elements: Vec<Name>,
}

#[derive(Default)]
pub(super) struct Facts {
    pub(super) operations: BTreeMap<String, Operation>,
    pub(super) service_events: BTreeMap<String, ServiceEvent>,
    /// By type; the service itself has none.
    pub(super) identities: BTreeMap<String, Vec<Name>>,
}

impl Facts {
    fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let twice = match cells.as_slice() {
                [name, details, elements] if name.starts_with('!') => {
                    let event = ServiceEvent { details: names(details), elements: names(elements) };
                    facts.service_events.insert(name[1..].to_owned(), event).is_some()
                }
                [kind, identity] if kind.starts_with('@') => {
                    facts.identities.insert(kind[1..].to_owned(), names(identity)).is_some()
                }
                [name, plane @ ("read" | "write"), parameters, elements, additional, resources] => {
                    let operation = Operation {
                        read_only: *plane == "read",
                        parameters: names(parameters),
                        elements: names(elements),
                        additional: names(additional),
                        resources: words(resources),
                    };
                    facts.operations.insert((*name).to_owned(), operation).is_some()
                }
                _ => panic!("a line of no kind: {line}"),
            };
            assert!(!twice, "twice: {line}");
        }
        facts
    }
}

fn words(cell: &str) -> Vec<String> {
    let words = cell.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '-'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn names(cell: &str) -> Vec<Name> {
    let mut rest = cell;
    let names = siblings(&mut rest);
    assert!(rest.is_empty(), "left over of {cell}: {rest}");
    names
}

/// Names up to a closing brace or the end.
fn siblings(rest: &mut &str) -> Vec<Name> {
    let mut names = Vec::new();
    loop {
        *rest = rest.trim_start_matches([' ', '(', ')', '-']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if end == 0 {
            return names;
        }
        let name = rest[..end].to_owned();
        *rest = &rest[end..];
        let marks = rest.len() - rest.trim_start_matches(['?', '[', ']']).len();
        let optional = rest[..marks].contains('?');
        *rest = &rest[marks..];
        let mut inside = Vec::new();
        if let Some(inner) = rest.strip_prefix('{') {
            *rest = inner;
            inside = siblings(rest);
            *rest = rest.strip_prefix('}').expect("a brace is closed");
        }
        names.push(Name { name, optional, inside });
    }
}

/// What a comparison came to.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) wrong: Vec<String>,
    /// Paths of names that some record had.
    pub(super) seen: BTreeSet<String>,
}

impl Findings {
    pub(super) fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    pub(super) fn equal(&mut self, place: &str, is: &Value, should: &Value) {
        if is != should {
            self.wrong(format!("{place} is {is}, not {should}"));
        }
    }

    /// Compares names. Where it is known what was `sent`, an optional name is there if and only if it was.
    pub(super) fn object(
        &mut self,
        place: &str,
        names: &[Name],
        value: &Value,
        sent: Option<&Value>,
    ) {
        if let Value::Array(items) = value {
            for (i, item) in items.iter().enumerate() {
                self.object(place, names, item, sent.and_then(|sent| sent.get(i)));
            }
            return;
        }
        let empty = Map::new();
        let members = value.as_object().unwrap_or(&empty);
        if members.is_empty() != value.is_null() {
            self.wrong(format!("{place} is {value}"));
        }
        for member in members.keys().filter(|member| !names.iter().any(|n| n.name == **member)) {
            self.wrong(format!("{place}.{member} does not belong there"));
        }
        for name in names {
            let path = format!("{place}.{}", name.name);
            let inner_sent = sent.map(|sent| sent.get(sent_name(&name.name)));
            match (members.get(&name.name), inner_sent) {
                (None, Some(Some(_))) => self.wrong(format!("{path} was sent and is missing")),
                (None, _) if !name.optional => self.wrong(format!("{path} is missing")),
                (Some(_), Some(None)) if name.optional => {
                    self.wrong(format!("{path} is there and was not sent"));
                }
                (Some(Value::Null), _) => self.wrong(format!("{path} is null")),
                (Some(value), sent) => {
                    self.seen.insert(path.clone());
                    if name.inside.is_empty() {
                        if let Some(Some(sent)) = sent.filter(|_| name.name != "validTo") {
                            self.equal(&path, value, sent);
                        }
                    } else {
                        self.object(&path, &name.inside, value, sent.flatten());
                    }
                }
                (None, _) => {}
            }
        }
    }
}

/// How a request calls what a record calls so.
fn sent_name(name: &str) -> String {
    if name == "clusterId" {
        return "CloudHsmClusterId".to_owned();
    }
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

/// Every path that the facts have below `place`.
pub(super) fn paths(place: &str, names: &[Name], all: &mut BTreeSet<String>) {
    for name in names {
        let path = format!("{place}.{}", name.name);
        paths(&path, &name.inside, all);
        all.insert(path);
    }
}

#[test]
fn a_comparison_finds_what_is_wrong() {
    let names = names("keyId tags?[]{tagKey tagValue} (own)");
    let compared = |value: Value, sent: Option<Value>| {
        let mut findings = Findings::default();
        findings.object("it", &names, &value, sent.as_ref());
        findings.wrong
    };
    let right = json!({"keyId": "k", "own": 1, "tags": [{"tagKey": "a", "tagValue": "b"}]});
    let sent = json!({"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": "b"}], "Own": 1});
    assert!(compared(right.clone(), Some(sent.clone())).is_empty());
    assert!(compared(right.clone(), None).is_empty());
    let but = |pointer: &str, value: Value| {
        let mut other = right.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        other
    };
    for (value, sent) in [
        (json!({"keyId": "k"}), None),
        (json!({"keyId": "k", "own": 1}), Some(sent.clone())),
        (right.clone(), Some(json!({"KeyId": "k", "Own": 1}))),
        (but("/keyId", json!("alias/k")), Some(sent.clone())),
        (but("/keyId", Value::Null), None),
        (but("/tags/0", json!({"tagKey": "a"})), None),
        (but("/tags/0", json!({"TagKey": "a", "tagValue": "b"})), None),
        (merged(&right, &json!({"plaintext": "p"})), None),
        (json!({}), None),
        (json!("text"), None),
    ] {
        assert!(!compared(value.clone(), sent).is_empty(), "{value}");
    }
}
