//! The schema that a guardrail is written against and validated with.
//!
//! It is the schema of requests, with more on the entities: who wrote a guardrail sees the account, the tags and
//! the properties of a key without a condition key for each.

use super::actions::{self, KMS_GROUPS, SERVICES, guardrail_actions};
use crate::schema::facts_rows;
use std::collections::BTreeSet;

const HEAD: &str = r#"// What a guardrail can say: forbid policies of the operator, in Cedar.
// Written from the tables in keyward-policy (guardrail, keys.rs, actions.rs); a test compares.

entity Account;
// The root user of an account.
entity Root in [Account] = { arn: String, account: String };
// By ARN, as all principals.
entity User in [Account] = { arn: String, account: String, name: String } tags String;
entity Role in [Account];
// A session of a role: `arn` and `name` are the session's, `role` is the role's ARN.
entity Session in [Role, Account] = { arn: String, account: String, name: String, role: String } tags String;
entity Federated in [User, Account] = { arn: String, account: String, name: String } tags String;
// An AWS service, such as Service::"s3.amazonaws.com"; of no account.
entity Service = { name: String };

// A KMS key that exists. `name` is such as "key/1234abcd-…", `account` is the owner.
// `aliases` are names such as "alias/app".
entity Key in [Account] = {
  arn: String,
  partition: String,
  service: String,
  region: String,
  account: String,
  name: String,
  spec: String,
  usage: String,
  origin: String,
  multiRegion: Bool,
  aliases: Set<String>,
} tags String;

// An alias; anything else that has an ARN, such as a role; and `*`, for actions on nothing in particular
// (CreateKey, ListKeys), whose parts are empty.
entity Alias, Other in [Account] = {
  arn: String,
  partition: String,
  service: String,
  region: String,
  account: String,
  name: String,
};
entity Any = {
  arn: String,
  partition: String,
  service: String,
  region: String,
  account: String,
  name: String,
};

// Names that clients choose (encryption context, tags), also those of users, sessions and keys, are tags by
// their name in lower case.
entity Tags tags String;

// One attribute for each condition key and each form in which it can be read.
type Facts = {
  // The action's own name, also where it is not listed below.
  action: String,
  // Whether the caller has a permissions boundary.
  hasBoundary: Bool,
"#;

const APPLIES: &str = "appliesTo {\n  principal: [Root, User, Session, Federated, Service],\n  resource: [Key, Alias, Other, Any],\n  context: Facts,\n};\n";

/// The text of `policies/schema/guardrails.cedarschema`.
pub fn guardrails_schema() -> String {
    of(&guardrail_actions().collect())
}

/// The schema with one action of each group, and those that are `named`.
///
/// All actions are alike but for their name and group, so a policy that passes this one passes the whole one,
/// which has so many pairs of principal, action and resource that it takes seconds.
pub(super) fn reduced(named: &BTreeSet<String>) -> String {
    let mut groups = BTreeSet::new();
    let kept = |action: &&str| groups.insert(actions::group(action)) || named.contains(*action);
    of(&guardrail_actions().filter(kept).collect())
}

fn of(listed: &Vec<&'static str>) -> String {
    let mut text = String::from(HEAD);
    facts_rows(&mut text);
    text.push_str("};\n\n// Groups.\n");
    text.push_str(&format!("action {};\n", quoted(SERVICES)));
    text.push_str(&format!("action {} in [\"kms\"];\n", quoted(KMS_GROUPS)));
    for group in KMS_GROUPS.iter().chain(SERVICES) {
        let of_group: Vec<&str> = listed
            .iter()
            .copied()
            .filter(|action| actions::group(action) == Some(*group))
            .collect();
        if !of_group.is_empty() {
            let names: Vec<String> =
                of_group.iter().map(|action| format!("  \"{action}\"")).collect();
            text.push_str(&format!("\naction\n{}\nin [\"{group}\"]\n{APPLIES}", names.join(",\n")));
        }
    }
    text
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
