//! Policies that stand for a claim, and what the policies in question write.

use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The account whose root user a name stands for.
pub(crate) fn account_of_root(name: &str) -> Option<&str> {
    let account = match name.strip_suffix(":root") {
        Some(arn) => arn.rsplit(':').next()?,
        None => name,
    };
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then_some(account)
}

/// A policy that allows everything to these principals, and nothing to anybody else.
pub(crate) fn only_these(principals: &[String]) -> String {
    let (services, others): (Vec<&String>, Vec<&String>) =
        principals.iter().partition(|name| name.contains('.') && !name.contains(':'));
    let mut named = Map::new();
    if !others.is_empty() {
        named.insert("AWS".to_owned(), json!(others));
    }
    if !services.is_empty() {
        named.insert("Service".to_owned(), json!(services));
    }
    let statement = if named.is_empty() {
        json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})
    } else {
        json!({"Effect": "Allow", "Principal": named, "Action": "*", "Resource": "*"})
    };
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// A policy that allows everything but these actions on these resources.
pub(crate) fn all_but(actions: &[String], resources: &[String], principal: Option<&str>) -> String {
    let allow = |element: &str, listed: &[String]| {
        let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        if let Some(members) = statement.as_object_mut() {
            members.remove(element.strip_prefix("Not").unwrap_or(element));
            members.insert(element.to_owned(), json!(listed));
            members.extend(principal.map(|one| ("Principal".to_owned(), one.into())));
        }
        statement
    };
    let mut statements = Vec::new();
    if !actions.is_empty() {
        statements.push(allow("NotAction", actions));
    }
    if !resources.is_empty() {
        statements.push(allow("NotResource", resources));
    }
    if statements.is_empty() {
        statements.push(allow("NotAction", &["*".to_owned()]));
    }
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// How documents write the names of condition keys, by their lower case.
pub(crate) fn spelled(texts: &[&str]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for text in texts {
        let Ok(Json::Object(root)) = serde_json::from_str(text) else { continue };
        let statements = match root.get("Statement") {
            Some(Json::Array(several)) => several.clone(),
            one => one.into_iter().cloned().collect(),
        };
        for statement in statements {
            let operators = statement.get("Condition").and_then(Json::as_object);
            let keys = operators.into_iter().flatten().filter_map(|(_, keys)| keys.as_object());
            for (key, _) in keys.flatten() {
                names.entry(key.to_lowercase()).or_insert_with(|| key.clone());
            }
        }
    }
    names
}

/// The policy with a statement that lacks its actions, and so has no effect.
pub(crate) fn without(text: &str, index: usize) -> String {
    let Ok(mut policy) = serde_json::from_str::<Json>(text) else { return text.to_owned() };
    let statements = policy.get_mut("Statement");
    let statement = match statements {
        Some(Json::Array(several)) => several.get_mut(index),
        one => one,
    };
    if let Some(Json::Object(members)) = statement {
        members.remove("Action");
        members.remove("NotAction");
    }
    policy.to_string()
}
