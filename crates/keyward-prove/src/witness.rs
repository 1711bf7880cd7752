//! A request out of a solver's answer, in the form of a decision vector, which the policy engine decides.
//!
//! Nothing here has to be right for a proof to be right: what is read wrongly is a request that the engine does not
//! decide as was said, and is not shown.

use crate::{
    request::{LINKED, Target, Use, Vocabulary, constant},
    smt::Value,
};
use keyward_policy::symbolic::Form;
use serde_json::{Map, Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr},
};

/// A solver's answer, by constant.
pub(crate) struct Model(BTreeMap<String, Value>);

impl Model {
    pub(crate) fn new(values: Vec<(String, Value)>) -> Self {
        Self(values.into_iter().collect())
    }

    pub(crate) fn truth(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Truth(true))
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    fn number(&self, name: &str) -> i128 {
        match self.0.get(name) {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    fn large(&self, name: &str) -> u128 {
        match self.0.get(name) {
            Some(Value::Large(number)) => *number,
            Some(Value::Number(number)) => number.unsigned_abs(),
            _ => 0,
        }
    }

    /// Puts real names in the place of the solver's, where it only compared them.
    pub(crate) fn name(&mut self, vocabulary: &Vocabulary, target: &Target) {
        let mut accounts: Vec<String> = Vec::new();
        let mut account = |text: &str| -> String {
            if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
                return text.to_owned();
            }
            let place = accounts.iter().position(|one| one == text).unwrap_or_else(|| {
                accounts.push(text.to_owned());
                accounts.len() - 1
            });
            SPARE_ACCOUNTS.get(place).map_or_else(String::new, |spare| (*spare).to_owned())
        };
        let (caller, owner) = (account(self.text("c_account")), account(self.text("r_account")));
        let mut put =
            |name: &str, text: String| drop(self.0.insert(name.to_owned(), Value::Text(text)));
        put("c_account", caller.clone());
        put("r_account", owner.clone());
        let free = !vocabulary.resource_in_parts && *target == Target::Key(None);
        if free && !vocabulary.resources.contains(self.text("r_arn")) {
            let arn =
                format!("arn:aws:kms:us-east-1:{owner}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
            self.0.insert("r_arn".to_owned(), Value::Text(arn));
        }
        if !vocabulary.caller_in_parts {
            self.name_caller(vocabulary, &caller);
        }
    }

    fn name_caller(&mut self, vocabulary: &Vocabulary, account: &str) {
        let known = |arn: &str| vocabulary.callers.contains(arn);
        let free = |make: &dyn Fn(&str) -> String| {
            let names = ["someone", "someone-else", "anyone"].iter().map(|name| make(name));
            names.into_iter().find(|arn| !known(arn)).unwrap_or_default()
        };
        let behind = self.text("c_behind").to_owned();
        let arn = self.text("c_arn").to_owned();
        let fits = |arn: &str, service: &str, kind: &str| {
            known(arn)
                && arn.split(':').nth(2) == Some(service)
                && arn.splitn(6, ':').nth(5).is_some_and(|name| name.starts_with(kind))
        };
        let (arn, behind) = if self.truth("c_root") {
            (format!("arn:aws:iam::{account}:root"), behind)
        } else if self.truth("c_user") {
            let own = |name: &str| format!("arn:aws:iam::{account}:user/{name}");
            (if fits(&arn, "iam", "user/") { arn } else { free(&own) }, behind)
        } else if self.truth("c_session") {
            let of_session = fits(&arn, "sts", "assumed-role/")
                .then(|| arn.split('/').nth(1).unwrap_or_default().to_owned());
            let linked = self.truth("s_linked");
            let role = |name: &str| {
                let own = match &of_session {
                    Some(role) if name == "someone" => role.clone(),
                    Some(role) => format!("{name}/{role}"),
                    None => name.to_owned(),
                };
                if linked {
                    format!("arn:aws:iam::{account}{LINKED}{own}")
                } else {
                    format!("arn:aws:iam::{account}:role/{own}")
                }
            };
            let behind = if fits(&behind, "iam", "role/") { behind } else { free(&role) };
            let name = behind.rsplit('/').next().unwrap_or_default();
            let own =
                |session: &str| format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
            (if of_session.is_some() { arn } else { free(&own) }, behind)
        } else {
            let own = |name: &str| format!("arn:aws:sts::{account}:federated-user/{name}");
            let user = |name: &str| format!("arn:aws:iam::{account}:user/{name}");
            let behind = if fits(&behind, "iam", "user/") { behind } else { free(&user) };
            (if fits(&arn, "sts", "federated-user/") { arn } else { free(&own) }, behind)
        };
        self.0.insert("c_arn".to_owned(), Value::Text(arn));
        self.0.insert("c_behind".to_owned(), Value::Text(behind));
    }

    /// The truths, for an answer that is not wanted again.
    pub(crate) fn truths(&self) -> Vec<String> {
        let literal = |(name, value): (&String, &Value)| match value {
            Value::Truth(true) => Some(name.clone()),
            Value::Truth(false) => Some(format!("(not {name})")),
            _ => None,
        };
        self.0.iter().filter_map(literal).collect()
    }
}

/// For accounts that a policy does not name.
const SPARE_ACCOUNTS: [&str; 2] = ["999988887777", "777766665555"];

const CONTEXT: &str = "kms:encryptioncontext:";
const CALLER_TAG: &str = "aws:principaltag/";
const KEY_TAG: &str = "aws:resourcetag/";

/// Documents that say everything, and nothing about any action of KMS.
fn says(all: bool) -> Json {
    let action = if all { "*" } else { "sts:GetCallerIdentity" };
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

/// The vector: who asks for what, with which facts and surroundings; the document in question is added to it.
///
/// `spelled`: how documents write the names of condition keys, by their lower case. `grants`: some are made up as the
/// answer has them.
pub(crate) fn vector(
    model: &Model,
    vocabulary: &Vocabulary,
    action: &str,
    spelled: &BTreeMap<String, String>,
    grants: bool,
) -> Map<String, Json> {
    let mut vector = Map::new();
    let mut put = |name: &str, value: Json| drop(vector.insert(name.to_owned(), value));
    caller(model, &mut put);
    if grants {
        self::grants(model, action, &mut put);
    }
    put("action", action.into());
    put("resource", model.text("r_arn").into());
    let mut context = Map::new();
    let mut families: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    for (name, key) in &vocabulary.keys {
        if is_of_caller(name) || name == "kms:encryptioncontextkeys" {
            continue;
        }
        let families_of = [
            (CONTEXT, "encryptionContext"),
            (CALLER_TAG, "principalTags"),
            (KEY_TAG, "resourceTags"),
        ];
        let family = families_of
            .iter()
            .find_map(|(prefix, member)| Some((*member, name.strip_prefix(prefix)?, *prefix)));
        let written = spelled.get(name).cloned().unwrap_or_else(|| name.clone());
        let twice = model.truth(&constant(key.place, "d"));
        match family {
            Some((member, tag, prefix)) => {
                if !model.truth(&constant(key.place, "p")) && !twice {
                    continue;
                }
                let pair = written.get(prefix.len()..).unwrap_or(tag).to_owned();
                let pairs = families.entry(member).or_default();
                if twice {
                    pairs.insert(other_spelling(&pair), "another".into());
                }
                pairs.insert(pair, single(model, key).into());
            }
            None => {
                if twice {
                    context.insert(other_spelling(&written), "another".into());
                }
                context.insert(written, stated(model, key));
            }
        }
    }
    let pairs = families.entry("encryptionContext").or_default();
    context_keys(model, vocabulary, pairs);
    if vocabulary.context_twice && model.truth("x_twice") && !is_twice(pairs) {
        pairs.extend(["another", "Another"].map(|name| (name.to_owned(), "x".into())));
    }
    for (member, pairs) in families.into_iter().filter(|(_, pairs)| !pairs.is_empty()) {
        put(member, pairs.into());
    }
    if !context.is_empty() {
        put("context", context.into());
    }
    vector
}

/// What follows from the caller and is not stated beside it.
fn is_of_caller(name: &str) -> bool {
    matches!(
        name,
        "aws:principalarn"
            | "aws:principalaccount"
            | "kms:calleraccount"
            | "aws:principalisawsservice"
            | "aws:principalservicename"
            | "aws:principaltype"
            | "aws:username"
            | "aws:resourceaccount"
    ) || name.starts_with("unseen ")
}

fn caller(model: &Model, put: &mut dyn FnMut(&str, Json)) {
    if model.truth("c_service") {
        put("caller", model.text("c_host").into());
        return;
    }
    put("caller", model.text("c_arn").into());
    if model.truth("c_session") {
        put("roleArn", model.text("c_behind").into());
    }
    if model.truth("c_federated") {
        put("userArn", model.text("c_behind").into());
    }
    if !model.truth("c_root") && model.truth("s_identity") {
        put("identity", says(true));
    }
    if model.truth("s_boundary") {
        put("boundary", says(model.truth("s_boundary_ok")));
    }
    if !model.truth("s_session_ok") {
        put("session", says(false));
    } else if model.truth("c_federated") {
        // Without a session policy it may do nothing.
        put("session", says(true));
    }
}

/// Grants that name the caller as the answer has it.
fn grants(model: &Model, action: &str, put: &mut dyn FnMut(&str, Json)) {
    if model.truth("c_service") {
        if model.truth("g_session") {
            put("newGrant", json!({"operations": ["CreateGrant"]}));
            put("grants", json!([grant(model, action, "granteeService", model.text("c_host"))]));
        }
        return;
    }
    let names = [("g_session", "c_arn"), ("g_entity", "c_behind"), ("g_account", "c_account")];
    let grants: Vec<Json> = names
        .iter()
        .filter(|(kind, _)| model.truth(kind))
        .map(|(_, name)| grant(model, action, "grantee", model.text(name)))
        .collect();
    if !grants.is_empty() {
        if action == "kms:CreateGrant" {
            // By a grant, only a grant that it covers can be made.
            put("newGrant", json!({"operations": ["CreateGrant"]}));
        }
        put("grants", grants.into());
    }
}

fn grant(model: &Model, action: &str, member: &str, grantee: &str) -> Json {
    let issuer = if model.truth("g_own") { "c_account" } else { "r_account" };
    let mut grant = json!({
        "grantId": format!("to {grantee}"),
        "issuer": model.text(issuer),
        "operations": [action.strip_prefix("kms:").unwrap_or(action)],
    });
    if let Some(members) = grant.as_object_mut() {
        members.insert(member.to_owned(), grantee.into());
    }
    grant
}

fn is_twice(pairs: &Map<String, Json>) -> bool {
    let names: BTreeSet<String> = pairs.keys().map(|name| name.to_lowercase()).collect();
    names.len() < pairs.len()
}

fn other_spelling(name: &str) -> String {
    let upper = name.to_uppercase();
    if upper == name { name.to_lowercase() } else { upper }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn stated(model: &Model, key: &Use) -> Json {
    if !model.truth(&constant(key.place, "p")) {
        return json!([]);
    }
    if key.many {
        return members(model, key).into();
    }
    single(model, key).into()
}

fn members(model: &Model, key: &Use) -> Vec<String> {
    let mut all = Vec::new();
    for (view, held) in ["h", "g"].iter().zip(&key.held) {
        let there =
            |(at, _): &(usize, &String)| model.truth(&constant(key.place, &format!("{view}{at}")));
        for (_, text) in held.iter().enumerate().filter(there) {
            let known = |one: &String| one.to_lowercase() == text.to_lowercase();
            if all.iter().any(known) {
                continue;
            }
            // In lower case it is there, and in none of the spellings that are asked for.
            let spelled = [text.clone(), text.to_uppercase(), capitalized(text)];
            let asked = |one: &String| {
                *view == "g" && key.held.iter().take(1).flatten().any(|other| one == other)
            };
            all.push(spelled.iter().find(|one| !asked(one)).unwrap_or(text).clone());
        }
    }
    if model.truth(&constant(key.place, "o")) || model.truth(&constant(key.place, "ol")) {
        all.push("another".to_owned());
    }
    all
}

/// Pairs for the names that only the set of names speaks of.
fn context_keys(model: &Model, vocabulary: &Vocabulary, pairs: &mut Map<String, Json>) {
    let Some(keys) = vocabulary.keys.get("kms:encryptioncontextkeys") else { return };
    for name in members(model, keys) {
        if pairs.contains_key(&name) {
            continue;
        }
        // The set's spelling is the one that is compared.
        let known = pairs.keys().find(|one| one.to_lowercase() == name.to_lowercase()).cloned();
        let value = known.and_then(|known| pairs.remove(&known)).unwrap_or_else(|| "x".into());
        pairs.insert(name, value);
    }
}

/// A key's one value, by the form in which it was compared.
fn single(model: &Model, key: &Use) -> String {
    let of = |what: &str| constant(key.place, what);
    if key.forms.contains(&Form::Number) && model.truth(&of("nok")) {
        let (whole, fraction) = (model.number(&of("n")), model.number(&of("f")));
        if fraction == 0 {
            return whole.to_string();
        }
        // Below zero the fraction counts upwards from the whole number below.
        return if whole < 0 {
            let rest = 1_000_000_000_000_000_000 - fraction;
            format!("-{}.{rest:018}", (whole + 1).unsigned_abs())
        } else {
            format!("{whole}.{fraction:018}")
        };
    }
    if key.forms.contains(&Form::Time) && model.truth(&of("mok")) {
        return time(model.number(&of("m")));
    }
    if key.forms.contains(&Form::Address) && model.truth(&of("aok")) {
        let address = model.large(&of("a"));
        return if model.truth(&of("v4")) {
            Ipv4Addr::from_bits(u32::try_from(address).unwrap_or_default()).to_string()
        } else {
            Ipv6Addr::from_bits(address).to_string()
        };
    }
    let compared = key.forms.contains(&Form::Text) && !model.text(&of("t")).is_empty();
    model
        .text(&of(if compared || !key.forms.contains(&Form::Lower) { "t" } else { "l" }))
        .to_owned()
}

/// Seconds since 1970, which every operator on times reads.
fn time(ms: i128) -> String {
    let (whole, rest) = (ms.div_euclid(1_000), ms.rem_euclid(1_000));
    if rest == 0 {
        return whole.to_string();
    }
    if whole < 0 {
        format!("-{}.{:03}", (whole + 1).unsigned_abs(), 1_000 - rest)
    } else {
        format!("{whole}.{rest:03}")
    }
}
