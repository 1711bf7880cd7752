//! The organization, endpoints and services of a seed file.

use super::{AccessKey, Policy, Sower, Sown, account, at, some_account};
use crate::ops::seeds::{PutOrganization, PutVpcEndpoint, Stated};
use keyward_types::{AccessKeyOwner, AccountId, KmsError, Name, OrganizationRecord};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Organization {
    /// `o-…`
    pub id: String,
    #[serde(default, deserialize_with = "some_account")]
    pub management_account: Option<AccountId>,
    pub root_id: Option<String>,
    #[serde(default)]
    pub units: Vec<Unit>,
    #[serde(default)]
    pub accounts: Vec<Member>,
    #[serde(default)]
    pub policies: Vec<OrganizationPolicy>,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    #[serde(default, rename = "withoutFullAWSAccess")]
    pub without_full_access: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unit {
    pub id: String,
    pub name: String,
    pub parent: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    #[serde(deserialize_with = "account")]
    pub id: AccountId,
    pub parent: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrganizationPolicy {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub document: Policy,
    #[serde(default)]
    pub description: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attachment {
    pub target: Target,
    pub policies: Vec<String>,
}

/// A root, unit or account. YAML reads an account without quotes as a number.
pub struct Target(String);

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Number(u64),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Text(text) => text,
            Form::Number(number) => format!("{number:012}"),
        }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VpcEndpoint {
    /// `vpce-…`
    pub id: String,
    /// `vpc-…`
    pub vpc: Option<String>,
    pub policy: Option<Policy>,
}

/// A service that calls by itself, such as `backup.amazonaws.com`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    pub name: String,
    #[serde(default)]
    pub access_keys: Vec<AccessKey>,
}

impl Organization {
    /// The request that states it.
    fn body(&self, own: &AccountId) -> Value {
        let targets = |all: &[Target]| all.iter().map(|one| json!(one.0)).collect::<Value>();
        let mut body = json!({
            "Id": self.id,
            "ManagementAccount": self.management_account.as_ref().unwrap_or(own).as_str(),
            "Units": self.units.iter().map(|unit| with_parent(json!({"Id": unit.id, "Name": unit.name}), &unit.parent)).collect::<Value>(),
            "Accounts": self.accounts.iter().map(|member| with_parent(json!({"Id": member.id.as_str()}), &member.parent)).collect::<Value>(),
            "Policies": self.policies.iter().map(|policy| json!({
                "Name": policy.name,
                "Type": policy.kind,
                "Document": policy.document.text(),
                "Description": policy.description,
            })).collect::<Value>(),
            "Attachments": self.attachments.iter().map(|one| json!({"Target": one.target.0, "Policies": one.policies})).collect::<Value>(),
            "WithoutFullAWSAccess": targets(&self.without_full_access),
        });
        if let (Some(body), Some(root)) = (body.as_object_mut(), &self.root_id) {
            body.insert("RootId".to_owned(), json!(root));
        }
        body
    }
}

fn with_parent(mut body: Value, parent: &Option<String>) -> Value {
    if let (Some(body), Some(parent)) = (body.as_object_mut(), parent) {
        body.insert("Parent".to_owned(), json!(parent));
    }
    body
}

impl Sower<'_> {
    pub(super) fn organization(&mut self, wanted: &Organization) -> Result<(), KmsError> {
        let (account, region) = self.home(None, None)?;
        self.rest_on(Name::Organization);
        let body = wanted.body(&account);
        let found = self.engine.store().organization().map_err(KmsError::internal)?;
        let Some(found) = found else {
            self.run::<PutOrganization>(&account, &region, None, body)?;
            self.seeded.organizations += 1;
            self.seeded.made.push(wanted.id.clone());
            return Ok(());
        };
        crate::shape::check(
            crate::ops::organization_prelude::ORGANIZATION,
            body.as_object().unwrap_or(&serde_json::Map::new()),
        )?;
        let stated: Stated = serde_json::from_value(body).map_err(KmsError::internal)?;
        let (engine, caller) = (self.engine, self.caller(&account, &region));
        let mut call = crate::call::Call::new(engine, &caller, "PutOrganization", &[], self.now);
        let stated = OrganizationRecord { updated: found.updated, ..stated.admit(&mut call)? };
        let differs = (stated != *found).then_some("its tree or its policies");
        self.there_already(&format!("the organization {}", found.id), differs)
    }

    pub(super) fn vpc_endpoint(&mut self, wanted: &VpcEndpoint) -> Result<(), KmsError> {
        let (account, region) = self.home(None, None)?;
        let name = Name::Endpoint(wanted.id.clone());
        self.rest_on(name.clone());
        if self.proposal(&name).is_some() {
            return Err(KmsError::validation(format!("{} stands twice in the file", wanted.id)));
        }
        let found = self.engine.store().endpoint(&wanted.id).map_err(KmsError::internal)?;
        if let Some(found) = found {
            let policy = wanted.policy.as_ref().is_some_and(|policy| !policy.is(&found.document));
            let differs =
                if policy { Some("policy") } else { (wanted.vpc != found.vpc).then_some("vpc") };
            return self.there_already(&wanted.id, differs);
        }
        let body = json!({
            "VpcEndpointId": wanted.id,
            "VpcId": wanted.vpc,
            "PolicyDocument": wanted.policy.as_ref().map(Policy::text),
        });
        self.run::<PutVpcEndpoint>(&account, &region, None, body)?;
        self.seeded.vpc_endpoints += 1;
        self.seeded.made.push(wanted.id.clone());
        Ok(())
    }

    pub(super) fn service(&mut self, service: &Service, place: &str) -> Sown {
        let (account, _) = self.home(None, None).map_err(at(place))?;
        let text = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
        if !service.name.contains('.') || !service.name.bytes().all(text) {
            let words = "a service is named as in policies, such as backup.amazonaws.com";
            return Err(at(format!("{place}.name"))(KmsError::validation(words)));
        }
        let owner = AccessKeyOwner::Service(service.name.clone());
        for (j, key) in service.access_keys.iter().enumerate() {
            self.access_key(&account, &owner, key)
                .map_err(at(format!("{place}.accessKeys[{j}]")))?;
        }
        Ok(())
    }
}
