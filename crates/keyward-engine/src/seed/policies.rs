//! Makes the managed policies and groups of a seed, and attaches policies to whoever the seed says.

use super::{
    Group, ManagedPolicy, User,
    sow::{Sower, Sown, at, first, policies_differ, tag_list},
};
use crate::{
    operation::Operation,
    ops::seeds::{AddUserToGroup, AttachGroupPolicy, CreateGroup, CreatePolicy, PutGroupPolicy},
};
use keyward_types::{AccountId, GroupRecord, KmsError, ManagedPolicyRecord, Name};
use serde_json::json;
use std::collections::BTreeSet;

impl Sower<'_> {
    pub(super) fn managed_policy(&mut self, policy: &ManagedPolicy) -> Result<(), KmsError> {
        let (account, region) = self.home(policy.account.as_ref(), None)?;
        self.rest_on(Name::ManagedPolicy(account.clone(), policy.name.clone()));
        let found = self.engine.store().managed_policy(&account, &policy.name);
        if let Some(found) = found.map_err(KmsError::internal)? {
            return self.there_already(&found.arn(), policy_differs(policy, &found));
        }
        let body = json!({
            "PolicyName": policy.name,
            "Path": policy.path,
            "Description": policy.description,
            "PolicyDocument": policy.document.text(),
            "Tags": tag_list(&policy.tags, "Key", "Value"),
        });
        self.run::<CreatePolicy>(&account, &region, None, body)?;
        self.seeded.managed_policies += 1;
        let arn = format!("arn:aws:iam::{account}:policy{}{}", policy.path, policy.name);
        self.seeded.made.push(arn);
        Ok(())
    }

    pub(super) fn group(&mut self, group: &Group, place: &str) -> Sown {
        let (account, region) = self.home(group.account.as_ref(), None).map_err(at(place))?;
        self.rest_on(Name::Group(account.clone(), group.name.clone()));
        let found = self.engine.store().group(&account, &group.name);
        if let Some(found) = found.map_err(KmsError::internal).map_err(at(place))? {
            let differs = group_differs(group, &found);
            return self.there_already(&found.arn(), differs).map_err(at(place));
        }
        let body = json!({"GroupName": group.name, "Path": group.path});
        self.run::<CreateGroup>(&account, &region, None, body).map_err(at(place))?;
        for (name, policy) in &group.policies {
            let body = json!({"GroupName": group.name, "PolicyName": name, "PolicyDocument": policy.text()});
            self.run::<PutGroupPolicy>(&account, &region, None, body)
                .map_err(at(format!("{place}.policies.{name}")))?;
        }
        self.attach::<AttachGroupPolicy>(
            &account,
            "GroupName",
            &group.name,
            &group.attached,
            place,
        )?;
        self.seeded.groups += 1;
        self.seeded.made.push(format!("arn:aws:iam::{account}:group{}{}", group.path, group.name));
        Ok(())
    }

    /// Attaches managed policies to what `member` names.
    pub(super) fn attach<O: Operation>(
        &mut self,
        account: &AccountId,
        member: &str,
        name: &str,
        policies: &BTreeSet<String>,
        place: &str,
    ) -> Sown {
        let (account, region) = self.home(Some(account), None).map_err(at(place))?;
        for arn in policies {
            let body = json!({member: name, "PolicyArn": arn});
            self.run::<O>(&account, &region, None, body)
                .map_err(at(format!("{place}.attached.{arn}")))?;
        }
        Ok(())
    }

    /// Puts a user into its groups.
    pub(super) fn join(&mut self, account: &AccountId, user: &User, place: &str) -> Sown {
        let (account, region) = self.home(Some(account), None).map_err(at(place))?;
        for group in &user.groups {
            let body = json!({"GroupName": group, "UserName": user.name});
            self.run::<AddUserToGroup>(&account, &region, None, body)
                .map_err(at(format!("{place}.groups.{group}")))?;
        }
        Ok(())
    }
}

fn policy_differs(wanted: &ManagedPolicy, found: &ManagedPolicyRecord) -> Option<&'static str> {
    first(&[
        ("path", wanted.path != found.path),
        ("description", wanted.description != found.description),
        ("document", !found.document().is_some_and(|document| wanted.document.is(document))),
        ("tags", wanted.tags != found.tags),
    ])
}

fn group_differs(wanted: &Group, found: &GroupRecord) -> Option<&'static str> {
    first(&[
        ("path", wanted.path != found.path),
        ("policies", policies_differ(&wanted.policies, &found.policies)),
        ("attached", wanted.attached != found.attached),
    ])
}
