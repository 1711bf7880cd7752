//! A document cut down to what was used of it.
//!
//! Every statement that is proposed is one in force with fewer actions, resources and principals and with more
//! conditions; every Deny stays. So nothing is allowed that was refused, whatever a request brings.
//! Of an identity policy, what it says of other services than KMS stays as it is: no log of ours shows its use.

use super::{
    infer::{Inferred, infer, joined},
    past::{Posed, Tally},
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A use of a statement: the question, and the statement that is to go on allowing it.
pub(crate) struct Used<'p> {
    pub(crate) posed: &'p Posed,
    /// The document's place, and the statement's in it.
    pub(crate) by: (usize, usize),
}

/// A document in force.
pub(crate) struct Original {
    pub(crate) source: String,
    pub(crate) json: Value,
    /// Statements that stay as they are.
    pub(crate) kept: BTreeSet<usize>,
}

impl Original {
    pub(crate) fn statements(&self) -> Vec<&Value> {
        match self.json.get("Statement") {
            Some(Value::Array(all)) => all.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        }
    }
}

/// How far to go; each step that loses something is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// `None` infers no conditions.
    pub(crate) min_events: Option<u64>,
    /// Whether principals are narrowed; of identity policies there are none.
    pub(crate) principals: bool,
}

/// A proposed statement and what speaks for it.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    pub(crate) statement: Value,
    /// `None` for what was kept as it is.
    pub(crate) evidence: Option<Backing>,
}

#[derive(Clone, Debug)]
pub(crate) struct Backing {
    pub(crate) source: String,
    /// The Sid, or the place from 1, of the statement that it was.
    pub(crate) was: String,
    pub(crate) tally: Tally,
    pub(crate) remarks: BTreeSet<String>,
}

/// Requests of one statement, principal, resource and action.
type Unit = ((usize, usize), String, String, String);

/// Units that became one statement.
#[derive(Clone, Default)]
struct Group {
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    principals: BTreeSet<String>,
    tally: Tally,
    remarks: BTreeSet<String>,
}

pub(crate) fn narrow(
    originals: &[Original],
    used: &[Used<'_>],
    of_key: bool,
    extent: Extent,
) -> Vec<Proposed> {
    let mut proposed = Vec::new();
    let mut sids = BTreeSet::new();
    for (place, original) in originals.iter().enumerate() {
        for (index, statement) in original.statements().into_iter().enumerate() {
            let is_kept = original.kept.contains(&index);
            let deny = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
            if is_kept || deny {
                let statement = with_sid(statement.clone(), &mut sids);
                proposed.push(Proposed { statement, evidence: None });
                continue;
            }
            for (condition, group) in groups(used, (place, index), of_key, extent) {
                let narrowed = narrowed(statement, &group, &condition, of_key, extent);
                let statement = with_sid(narrowed, &mut sids);
                let evidence = Some(Backing {
                    source: original.source.clone(),
                    was: sid_of(original, index),
                    tally: group.tally,
                    remarks: group.remarks,
                });
                proposed.push(Proposed { statement, evidence });
            }
            if !of_key {
                for rest in rest(statement) {
                    let statement = with_sid(rest, &mut sids);
                    proposed.push(Proposed { statement, evidence: None });
                }
            }
        }
    }
    proposed
}

pub(crate) fn sid_of(original: &Original, index: usize) -> String {
    let statements = original.statements();
    let sid = statements.get(index).and_then(|one| one.get("Sid")).and_then(Value::as_str);
    sid.map_or_else(|| (index + 1).to_string(), str::to_owned)
}

/// What was used of one statement: first each action on each resource by each principal by itself, then whatever
/// differs in one of them alone as one.
fn groups(
    used: &[Used<'_>],
    by: (usize, usize),
    of_key: bool,
    extent: Extent,
) -> Vec<(Map<String, Value>, Group)> {
    let mut units: BTreeMap<Unit, Vec<&Posed>> = BTreeMap::new();
    for one in used.iter().filter(|one| one.by == by) {
        let matter = &one.posed.matter;
        let principal = if of_key { matter.principal() } else { String::new() };
        let unit = (by, principal, matter.resource.clone(), matter.action.name.clone());
        units.entry(unit).or_default().push(one.posed);
    }
    let mut all: Vec<(Map<String, Value>, Group)> = Vec::new();
    for ((_, principal, resource, action), posed) in units {
        let with_context = action != "kms:CreateGrant";
        let Inferred { condition, remarks } = match extent.min_events {
            Some(least) => infer(&posed, least, with_context),
            None => Inferred::default(),
        };
        let mut group = Group { remarks, ..Group::default() };
        posed.iter().for_each(|one| group.tally.join(&one.allowed()));
        group.actions.insert(action);
        group.resources.insert(resource);
        group.principals.insert(principal);
        all.push((condition, group));
    }
    let all = merged(all, |one| (one.resources.clone(), one.principals.clone()));
    let all = merged(all, |one| (one.actions.clone(), one.principals.clone()));
    merged(all, |one| (one.actions.clone(), one.resources.clone()))
}

/// Joins groups of one condition that agree in what `same` says, and so differ in one thing alone.
fn merged<K: PartialEq>(
    all: Vec<(Map<String, Value>, Group)>,
    same: impl Fn(&Group) -> K,
) -> Vec<(Map<String, Value>, Group)> {
    let mut joined: Vec<(Map<String, Value>, Group)> = Vec::new();
    for (condition, group) in all {
        let fits = |(known, other): &&mut (Map<String, Value>, Group)| {
            *known == condition && same(other) == same(&group)
        };
        match joined.iter_mut().find(fits) {
            Some((_, into)) => {
                into.actions.extend(group.actions);
                into.resources.extend(group.resources);
                into.principals.extend(group.principals);
                into.tally.join(&group.tally);
                into.remarks.extend(group.remarks);
            }
            None => joined.push((condition, group)),
        }
    }
    joined
}

/// The statement in force with less.
fn narrowed(
    statement: &Value,
    group: &Group,
    condition: &Map<String, Value>,
    of_key: bool,
    extent: Extent,
) -> Value {
    let mut members = Map::new();
    members.insert("Sid".to_owned(), statement.get("Sid").cloned().unwrap_or_default());
    members.insert("Effect".to_owned(), json!("Allow"));
    if of_key {
        match extent.principals {
            true => {
                drop(
                    members
                        .insert("Principal".to_owned(), principals(statement, &group.principals)),
                );
            }
            false => keep(statement, &mut members, &["Principal", "NotPrincipal"]),
        }
    }
    members.insert("Action".to_owned(), list(&group.actions));
    match of_key {
        // A key policy speaks of its own key, however it names it.
        true => keep(statement, &mut members, &["Resource", "NotResource"]),
        false => drop(members.insert("Resource".to_owned(), list(&group.resources))),
    }
    if let Some(condition) = joined(statement.get("Condition"), condition) {
        members.insert("Condition".to_owned(), condition);
    }
    Value::Object(members)
}

fn keep(statement: &Value, members: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(value) = statement.get(*name) {
            members.insert((*name).to_owned(), value.clone());
        }
    }
}

/// Of whom a statement names, those that were used. Who is named by less than its own name stays named so: a role by
/// one session of it, a user by its account, which leaves it to identity policies.
fn principals<'s>(statement: &'s Value, used: &BTreeSet<String>) -> Value {
    let element = statement.get("Principal");
    let texts: Vec<&str> = match element {
        Some(Value::String(one)) => vec![one],
        Some(Value::Object(kinds)) => {
            let texts = |value: &'s Value| match value {
                Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect::<Vec<_>>(),
            };
            kinds.values().flat_map(texts).collect()
        }
        _ => Vec::new(),
    };
    let mut all = BTreeSet::new();
    for name in used {
        if texts.iter().any(|text| *text == "*" || text == name) {
            all.insert(name.clone());
        } else {
            all.extend(
                texts.iter().filter(|text| may_name(text, name)).map(|text| (*text).to_owned()),
            );
        }
    }
    let mut members = Map::new();
    for (kind, services) in [("AWS", false), ("Service", true)] {
        let is_service = |one: &&String| !one.starts_with("arn:") && one.contains('.');
        let of: BTreeSet<String> =
            all.iter().filter(|one| is_service(one) == services).cloned().collect();
        if !of.is_empty() {
            members.insert(kind.to_owned(), list(&of));
        }
    }
    if members.is_empty() { element.cloned().unwrap_or_default() } else { Value::Object(members) }
}

/// Whether a policy's text may stand for the user or role with this ARN, though it is not that ARN.
fn may_name(text: &str, arn: &str) -> bool {
    let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
    if !text.starts_with("arn:") {
        // An account, or a unique id.
        return !text.contains('.') && account(arn).is_none_or(|of| of == text || text.len() != 12);
    }
    let session = text.split_once(":assumed-role/").and_then(|(_, name)| name.split_once('/'));
    let fits = match session {
        Some((role, _)) => arn.ends_with(&format!("/{role}")),
        None if text.contains(":user/") => arn.contains(":federated-user/"),
        None => text.ends_with(":root"),
    };
    fits && account(text) == account(arn)
}

fn list(all: &BTreeSet<String>) -> Value {
    match all.first() {
        Some(one) if all.len() == 1 => json!(one),
        _ => json!(all),
    }
}

/// What an Allow says of other services.
fn rest(statement: &Value) -> Vec<Value> {
    let texts = |name: &str| -> Vec<String> {
        match statement.get(name) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(all)) => {
                all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    };
    let with = |name: &str, actions: Vec<String>| {
        let mut members = Map::new();
        keep(statement, &mut members, &["Sid", "Effect"]);
        members.insert(name.to_owned(), json!(actions));
        keep(statement, &mut members, &["Resource", "NotResource", "Condition"]);
        Value::Object(members)
    };
    let mut excepted = texts("NotAction");
    if !excepted.is_empty() {
        excepted.push("kms:*".to_owned());
        return vec![with("NotAction", excepted)];
    }
    let of_kms = |action: &String| action.to_ascii_lowercase().starts_with("kms:");
    let everything = |action: &String| action.chars().all(|c| c == '*');
    let actions = texts("Action");
    let mut rests = Vec::new();
    if actions.iter().any(everything) {
        rests.push(with("NotAction", vec!["kms:*".to_owned()]));
    } else {
        let others: Vec<String> = actions.into_iter().filter(|action| !of_kms(action)).collect();
        if !others.is_empty() {
            rests.push(with("Action", others));
        }
    }
    rests
}

/// Gives the statement a Sid of its own, of letters and digits.
fn with_sid(mut statement: Value, taken: &mut BTreeSet<String>) -> Value {
    let sid = statement.get("Sid").and_then(Value::as_str).unwrap_or("Used");
    let plain: String = sid.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = if plain.is_empty() { "Used".to_owned() } else { plain };
    let mut name = plain.clone();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{plain}{number}");
    }
    if let Some(members) = statement.as_object_mut() {
        members.insert("Sid".to_owned(), json!(name));
    }
    statement
}

/// The document of some statements; `None` of none.
pub(crate) fn document(proposed: &[Proposed]) -> Option<Value> {
    let statements: Vec<&Value> = proposed.iter().map(|one| &one.statement).collect();
    (!statements.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": statements}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_other_services_stays() {
        let of = |statement: Value| rest(&statement);
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        assert_eq!(of(all), [json!({"Effect": "Allow", "NotAction": ["kms:*"], "Resource": "*"})]);
        let some =
            json!({"Effect": "Allow", "Action": ["KMS:Decrypt", "s3:Get*"], "Resource": "*"});
        assert_eq!(of(some), [json!({"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"})]);
        let but = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
        assert_eq!(
            of(but),
            [json!({"Effect": "Allow", "NotAction": ["iam:*", "kms:*"], "Resource": "*"})]
        );
        assert!(of(json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"})).is_empty());
    }

    /// A solver found that a session's statement became one of its role.
    #[test]
    fn who_is_named_by_less_stays_named_so() {
        let of = |named: Value, used: &[&str]| {
            let used = used.iter().map(|one| (*one).to_owned()).collect();
            principals(&json!({"Principal": named}), &used)
        };
        let (role, ann) =
            ("arn:aws:iam::111122223333:role/job", "arn:aws:iam::111122223333:user/ann");
        let session = "arn:aws:sts::111122223333:assumed-role/job/test";
        let other = "arn:aws:sts::111122223333:assumed-role/other/test";
        let root = "arn:aws:iam::111122223333:root";
        assert_eq!(of(json!({"AWS": [session, other]}), &[role]), json!({"AWS": session}));
        assert_eq!(of(json!({"AWS": [session, role]}), &[role]), json!({"AWS": role}));
        assert_eq!(of(json!({"AWS": [root, role, ann]}), &[role]), json!({"AWS": role}));
        assert_eq!(of(json!({"AWS": [root, session]}), &[ann]), json!({"AWS": root}));
        assert_eq!(of(json!({"AWS": "111122223333"}), &[ann]), json!({"AWS": "111122223333"}));
        assert_eq!(of(json!("*"), &[ann, role]), json!({"AWS": [role, ann]}));
        let s3 = "s3.amazonaws.com";
        let both = json!({"AWS": ann, "Service": [s3, "ec2.amazonaws.com"]});
        assert_eq!(of(both, &[s3, ann]), json!({"AWS": ann, "Service": s3}));
        let id = json!({"AWS": ["AIDAEXAMPLEEXAMPLE", role]});
        assert_eq!(of(id, &[ann]), json!({"AWS": "AIDAEXAMPLEEXAMPLE"}));
    }

    #[test]
    fn sids_are_plain_and_differ() {
        let mut taken = BTreeSet::new();
        let mut name = |sid: Value| with_sid(json!({"Sid": sid}), &mut taken)["Sid"].clone();
        let names = [name(json!("Enable IAM")), name(json!("EnableIAM")), name(Value::Null)];
        assert_eq!(names, ["EnableIAM", "EnableIAM2", "Used"]);
    }
}
