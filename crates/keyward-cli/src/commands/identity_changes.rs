//! Which events made what users and roles may do by IAM: their own policies, those of their groups, those that were
//! attached, boundaries, and who may assume a role. Evidence of what allowed a request that nothing allows any more.
//!
//! It reads the log alone: what is in force now does not matter, and who is no more is found as well.

use super::history::{each_event, text};
use crate::{client::Client, exit::CliError};
use serde_json::Value;
use std::collections::BTreeSet;

/// What changes them.
const CHANGES: &[&str] = &[
    "AddUserToGroup",
    "AttachGroupPolicy",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "CreatePolicy",
    "CreatePolicyVersion",
    "CreateRole",
    "CreateUser",
    "DeleteGroupPolicy",
    "DeletePolicy",
    "DeletePolicyVersion",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DeleteUserPermissionsBoundary",
    "DeleteUserPolicy",
    "DetachGroupPolicy",
    "DetachRolePolicy",
    "DetachUserPolicy",
    "PutGroupPolicy",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "PutUserPermissionsBoundary",
    "PutUserPolicy",
    "RemoveUserFromGroup",
    "SetDefaultPolicyVersion",
    "UpdateAssumeRolePolicy",
];

/// Ids of the events that changed what these principals, named by ARN, may do.
pub(super) fn of_principals(
    client: &Client<'_>,
    principals: &BTreeSet<String>,
) -> Result<BTreeSet<String>, CliError> {
    let mut entities = Entities::of(principals);
    if entities.is_empty() {
        return Ok(BTreeSet::new());
    }
    let filter = [("q", format!("op:{} result:success", CHANGES.join(",")))];
    let mut changes = Vec::new();
    each_event(client, &filter, |event| changes.push(event.clone()))?;
    // Groups first, since policies reach a user through them.
    for change in &changes {
        entities.join(change);
    }
    for change in &changes {
        entities.attach(change);
    }
    let concern = changes.iter().filter(|change| entities.concern(change));
    Ok(concern.map(|change| text(change, "eventID").to_owned()).collect())
}

/// What a change has to name.
#[derive(Default)]
struct Entities {
    users: BTreeSet<String>,
    roles: BTreeSet<String>,
    groups: BTreeSet<String>,
    /// ARNs of managed policies.
    policies: BTreeSet<String>,
}

fn parameter<'e>(change: &'e Value, name: &str) -> Option<&'e str> {
    change.get("requestParameters")?.get(name)?.as_str()
}

impl Entities {
    fn of(principals: &BTreeSet<String>) -> Self {
        let mut entities = Self::default();
        for arn in principals {
            let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
            if arn.contains(":user/") {
                entities.users.insert(name);
            } else if arn.contains(":role/") {
                entities.roles.insert(name);
            }
        }
        entities
    }

    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.roles.is_empty()
    }

    fn join(&mut self, change: &Value) {
        let user = parameter(change, "userName").filter(|user| self.users.contains(*user));
        let group = user.and_then(|_| parameter(change, "groupName"));
        self.groups.extend(group.map(str::to_owned));
    }

    fn attach(&mut self, change: &Value) {
        if self.names(change) {
            let policies = ["policyArn", "permissionsBoundary"];
            let policies = policies.iter().filter_map(|name| parameter(change, name));
            self.policies.extend(policies.map(str::to_owned));
        }
    }

    fn names(&self, change: &Value) -> bool {
        [("userName", &self.users), ("roleName", &self.roles), ("groupName", &self.groups)]
            .iter()
            .any(|(name, set)| parameter(change, name).is_some_and(|one| set.contains(one)))
    }

    fn concern(&self, change: &Value) -> bool {
        let made = change.pointer("/responseElements/policy/arn").and_then(Value::as_str);
        let policy = parameter(change, "policyArn").or(made);
        self.names(change) || policy.is_some_and(|arn| self.policies.contains(arn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(name: &str, parameters: Value) -> Value {
        json!({"eventID": name, "requestParameters": parameters})
    }

    /// A policy that reached a user through a group and was attached to nobody else.
    #[test]
    fn a_policy_is_followed_through_a_group() {
        let principals = ["arn:aws:iam::111122223333:user/team/app".to_owned()].into();
        let mut entities = Entities::of(&principals);
        let arn = "arn:aws:iam::111122223333:policy/broad";
        let made = json!({"policy": {"arn": arn}});
        let create =
            json!({"requestParameters": {"policyName": "broad"}, "responseElements": made});
        let changes = [
            create,
            change("attached", json!({"groupName": "staff", "policyArn": arn})),
            change("joined", json!({"groupName": "staff", "userName": "app"})),
            change("version", json!({"policyArn": arn})),
            change("another user", json!({"userName": "application", "policyArn": "arn:x"})),
            change("a role of the name", json!({"roleName": "app"})),
            change("another group", json!({"groupName": "guests", "userName": "application"})),
        ];
        changes.iter().for_each(|change| entities.join(change));
        changes.iter().for_each(|change| entities.attach(change));
        let concern = changes.each_ref().map(|change| entities.concern(change));
        assert_eq!(concern, [true, true, true, true, false, false, false]);
    }
}
