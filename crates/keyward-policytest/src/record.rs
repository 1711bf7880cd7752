//! Recorded events as cases: what was decided then becomes what must be decided from now on.
//!
//! A file gives its names to principals and keys; an event about others is counted and left out. An event knows
//! only some facts of its request: those that a policy of the file mentions are written down with the case.
//! Of one question that was answered in two ways the newest answer stands.

use crate::{
    fault::Fault,
    grounds,
    read::{
        TestFile,
        cases::words,
        documents::ReadFile,
        world::{TestedPrincipal, World},
    },
};
use keyward_policy::PolicyEngine;
use keyward_trail::{decisions_of, query::contexts};
use keyward_types::{Decision, Effect, Layer, Reason};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, net::IpAddr};

/// Cases, and what did not become one.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// A `tests` member to add to the file.
    pub tests: String,
    pub cases: usize,
    /// Decisions that were left out, by why.
    pub left_out: BTreeMap<String, usize>,
}

/// Condition keys that an event knows, and where.
const FACTS: &[(&str, &str)] = &[
    ("aws:SourceIp", "/sourceIPAddress"),
    ("aws:UserAgent", "/userAgent"),
    ("aws:SourceVpce", "/vpcEndpointId"),
    ("kms:EncryptionAlgorithm", "/requestParameters/encryptionAlgorithm"),
    ("kms:SigningAlgorithm", "/requestParameters/signingAlgorithm"),
    ("kms:MacAlgorithm", "/requestParameters/macAlgorithm"),
    ("kms:RequestAlias", "/requestParameters/keyId"),
];

/// Caller, action and key: what the cases of one test share.
type Shared = (String, String, String);

/// One case: its request, in JSON, and the newest answer.
struct Answer {
    time: String,
    count: usize,
    expect: Effect,
    by: Vec<String>,
}

/// Makes cases of events in CloudTrail's form, in any order. `text` is the file that names principals and keys.
///
/// # Errors
/// [`Fault`] says what is wrong with the file.
pub fn record(
    engine: &PolicyEngine,
    name: &str,
    text: &str,
    read: &ReadFile<'_>,
    events: &[Value],
) -> Result<Recorded, Fault> {
    let file = TestFile::read(engine, name, text, read)?;
    let mentioned: String =
        file.documents.iter().map(|document| document.text.to_ascii_lowercase()).collect();
    let mut recorded = Recorded::default();
    let mut tests: BTreeMap<Shared, BTreeMap<String, Answer>> = BTreeMap::new();
    for event in events {
        for decision in decisions_of(event) {
            match case(&file.world, &mentioned, event, &decision) {
                Err(why) => *recorded.left_out.entry(why).or_default() += 1,
                Ok((shared, request, answer)) => {
                    let known = tests.entry(shared).or_default().entry(request);
                    known.and_modify(|known| known.hear(&answer)).or_insert(answer);
                }
            }
        }
    }
    recorded.cases = tests.values().map(BTreeMap::len).sum();
    recorded.tests = written(&tests);
    Ok(recorded)
}

impl Answer {
    fn hear(&mut self, other: &Self) {
        self.count += other.count;
        if self.time <= other.time {
            (self.expect, self.by) = (other.expect, other.by.clone());
            self.time.clone_from(&other.time);
        }
    }
}

fn case(
    world: &World,
    mentioned: &str,
    event: &Value,
    decision: &Decision,
) -> Result<(Shared, String, Answer), String> {
    let action = decision.action.clone();
    if !action.starts_with("kms:") || action == "kms:RetireGrant" {
        return Err(format!("{action} is not tested by policy tests"));
    }
    if matches!(decision.reason, Reason::Denied(Layer::Guardrail | Layer::Freeze)) {
        return Err("a guardrail or a freeze refused".to_owned());
    }
    let caller = caller(world, event)?;
    let resource = decision.resource.as_str();
    let about = if resource == "*" {
        String::new()
    } else if let Some((name, _)) = world.keys.iter().find(|(_, key)| key.arn == resource) {
        format!("    key: {}\n", quoted(name))
    } else if resource.contains(":alias/") {
        format!("    resource: {}\n", quoted(resource))
    } else {
        return Err(format!("no key of the file is {resource}"));
    };
    let mut request = Map::new();
    if let Some(context) = contexts(event).next().filter(|context| !context.is_empty()) {
        request.insert("encryption_context".to_owned(), Value::Object(context.clone()));
    }
    let facts = facts(event, mentioned);
    if !facts.is_empty() {
        request.insert("context".to_owned(), Value::Object(facts));
    }
    let time = event.get("eventTime").and_then(Value::as_str).unwrap_or_default().to_owned();
    if mentioned.contains("aws:currenttime") || mentioned.contains("aws:epochtime") {
        request.insert("time".to_owned(), time.as_str().into());
    }
    let mut by: Vec<String> =
        grounds::of(decision, "key policy").iter().map(grounds::Ground::short).collect();
    by.dedup();
    let answer = Answer { time, count: 1, expect: decision.effect, by };
    Ok(((caller, action, about), Value::Object(request).to_string(), answer))
}

/// The principal of the file that an event's caller is.
fn caller(world: &World, event: &Value) -> Result<String, String> {
    let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let arn = at("/userIdentity/arn").or(at("/userIdentity/invokedBy")).unwrap_or_default();
    let issuer = at("/userIdentity/sessionContext/sessionIssuer/arn").unwrap_or_default();
    let exactly = |principal: &TestedPrincipal| {
        principal.members.get("caller").and_then(Value::as_str) == Some(arn)
    };
    // A session of a role is the role's principal, unless one stands for that very session.
    let of_role = |principal: &TestedPrincipal| principal.name == issuer;
    let find = |is: &dyn Fn(&TestedPrincipal) -> bool| {
        world.principals.iter().find(|(_, principal)| is(principal)).map(|(name, _)| name.clone())
    };
    find(&exactly)
        .or_else(|| find(&of_role))
        .ok_or_else(|| format!("no principal of the file is {arn}"))
}

/// What the event knows of the condition keys that a policy mentions.
fn facts(event: &Value, mentioned: &str) -> Map<String, Value> {
    let mut facts = Map::new();
    for (key, pointer) in FACTS {
        let value = event.pointer(pointer).and_then(Value::as_str);
        let fits = |value: &&str| match *key {
            "aws:SourceIp" => value.parse::<IpAddr>().is_ok(),
            "kms:RequestAlias" => value.starts_with("alias/"),
            _ => true,
        };
        if let Some(value) = value.filter(fits)
            && mentioned.contains(&key.to_ascii_lowercase())
        {
            facts.insert((*key).to_owned(), value.into());
        }
    }
    facts
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn written(tests: &BTreeMap<Shared, BTreeMap<String, Answer>>) -> String {
    let mut text = String::from("tests:\n");
    let mut number = 0;
    for ((caller, action, about), answers) in tests {
        number += 1;
        text.push_str(&format!(
            "  - name: {}\n    caller: {}\n    action: {action}\n{about}    cases:\n",
            quoted(&format!("recorded {number}: {caller} {action}")),
            quoted(caller),
        ));
        for (request, Answer { time, count, expect, by }) in answers {
            let mut case: Map<String, Value> = serde_json::from_str(request).unwrap_or_default();
            case.insert("expect".to_owned(), words(*expect).into());
            if !by.is_empty() {
                case.insert("by".to_owned(), json!(by));
            }
            text.push_str(&format!("      # {count} times, last {time}\n"));
            text.push_str(&format!("      - {}\n", Value::Object(case)));
        }
    }
    text
}
