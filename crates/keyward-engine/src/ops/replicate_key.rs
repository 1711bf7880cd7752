//! `ReplicateKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ReplicateKey.html>
//!
//! The replica is there when it answers, although the answer says `Creating` as AWS's does. It has the id,
//! the material and the rotation of the primary key, and a policy, description and tags of its own.
//! Its Region has a record of CreateKey, the primary key's one of SynchronizeMultiRegionKey beside the request's own.

use super::{
    create_key::{CreateKey, tag_facts},
    describe_key::KeyMetadata,
    prelude::*,
    rotation::synchronized,
    tag_resource::{check_tags, tag_map},
};
use crate::{beside::Abroad, key_policy};
use keyward_types::{
    Imported, KeyName, MaterialOrigin, Region, caller::Document, key::MaterialInfo,
};
use serde_json::Map;
use std::collections::BTreeMap;

pub(crate) struct ReplicateKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    replica_region: Region,
    policy: Option<String>,
    bypass_policy_lockout_safety_check: Option<bool>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    replica_key_metadata: KeyMetadata,
    replica_policy: String,
    replica_tags: Vec<Tag>,
}

impl Operation for ReplicateKey {
    const SPEC: Spec = Spec {
        states: &[KeyState::Enabled],
        logged: &[
            "KeyId",
            "ReplicaRegion",
            "Policy",
            "BypassPolicyLockoutSafetyCheck",
            "Description",
            "Tags",
        ],
        errors: &[
            ErrorCode::AlreadyExists,
            ErrorCode::Disabled,
            ErrorCode::InvalidArn,
            ErrorCode::InvalidState,
            ErrorCode::Internal,
            ErrorCode::LimitExceeded,
            ErrorCode::MalformedPolicyDocument,
            ErrorCode::NotFound,
            ErrorCode::Tag,
            ErrorCode::UnsupportedOperation,
        ],
        ..control(
            "ReplicateKey",
            "POST",
            "/v1/keys/{KeyId}/replicas",
            &[
                KEY_ID,
                required("ReplicaRegion", REGION_KIND),
                optional("Policy", POLICY_KIND),
                optional("BypassPolicyLockoutSafetyCheck", Kind::Boolean),
                optional("Description", DESCRIPTION_KIND),
                optional("Tags", TAGS_KIND),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_tags(&BTreeMap::new(), &input.tags)?;
        let abroad = |action| Target {
            action: Some(action),
            region: Some(&input.replica_region),
            ..Target::of(Subject::Account)
        };
        let mut targets = vec![Target::key(&input.key_id), abroad("CreateKey")];
        if !input.tags.is_empty() {
            targets.push(abroad("TagResource"));
        }
        Ok(targets)
    }

    fn facts<'i>(input: &'i Input, index: usize, facts: &mut Facts<'i>) {
        if index == 0 {
            facts.add("kms:ReplicaRegion", input.replica_region.as_str());
        } else {
            facts.add("kms:MultiRegion", "true").add("kms:MultiRegionKeyType", "REPLICA");
            if let Some(bypass) = input.bypass_policy_lockout_safety_check {
                facts.add("kms:BypassPolicyLockoutSafetyCheck", bypass.to_string());
            }
        }
        tag_facts(&input.tags, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let primary = call.key()?;
        let Some(mut related) = primary.multi_region.clone().filter(|_| !primary.is_replica())
        else {
            return Err(wording::not_a_primary(primary));
        };
        let name = KeyName { region: input.replica_region.clone(), ..primary.name.clone() };
        check_place(call, &primary.name, &name)?;
        call.check_key_quota(&name.account, &name.region)?;
        related.replicas.insert(name.region.clone());
        let text = input.policy.clone().unwrap_or_else(|| key_policy::default_text(&name.account));
        let external = primary.origin == MaterialOrigin::External;
        let mut replica = KeyRecord {
            state: if external { KeyState::PendingImport } else { KeyState::Enabled },
            description: input.description.clone(),
            created: call.now(),
            policy: Document::new(text.as_str()),
            policy_principals: BTreeMap::new(),
            tags: tag_map(&input.tags),
            multi_region: Some(related.clone()),
            name,
            ..KeyRecord::clone(primary)
        };
        let bypass = input.bypass_policy_lockout_safety_check.unwrap_or(false);
        replica.policy_principals = key_policy::admit(call, &replica, &text, bypass)?.principals;
        let dek = call.new_dek(&replica.name)?;
        if external {
            // Imported material is imported in each Region anew.
            replica.materials = primary.materials.iter().map(awaited).collect();
        } else {
            for info in &primary.materials {
                let material = call.material_named(0, &info.id)?;
                call.keep_material(&replica.name, &dek, &material, &info.id)?;
            }
        }
        call.did_abroad(Abroad {
            spec: &CreateKey::SPEC,
            key: replica.name.clone(),
            parameters: Some(input.created()),
            elements: json!({"keyMetadata": KeyMetadata::of(&replica, KeyState::Creating).trail()}),
        });
        let family = call.family(primary)?;
        synchronized(call, &[&family[..], core::slice::from_ref(&replica)].concat());
        for one in family {
            call.put(Record::Key(KeyRecord { multi_region: Some(related.clone()), ..one }));
        }
        let output = Output {
            replica_key_metadata: KeyMetadata::of(&replica, KeyState::Creating),
            replica_policy: text,
            replica_tags: input.tags.clone(),
        };
        call.put(Record::Key(replica));
        Ok(output)
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        let mut elements = json!({
            "replicaKeyMetadata": output.replica_key_metadata.trail(),
            "replicaPolicy": output.replica_policy,
        });
        if let (false, Some(members)) = (output.replica_tags.is_empty(), elements.as_object_mut()) {
            members.insert("replicaTags".to_owned(), trail_tags(&output.replica_tags));
        }
        Some(elements)
    }
}

impl Input {
    /// What is asked of CreateKey in the replica's Region, as its record says it.
    fn created(&self) -> Map<String, Value> {
        let mut asked = Map::from_iter([
            ("multiRegion".to_owned(), true.into()),
            ("description".to_owned(), self.description.as_str().into()),
        ]);
        if let Some(policy) = &self.policy {
            asked.insert("policy".to_owned(), policy.as_str().into());
        }
        if let Some(bypass) = self.bypass_policy_lockout_safety_check {
            asked.insert("bypassPolicyLockoutSafetyCheck".to_owned(), bypass.into());
        }
        if !self.tags.is_empty() {
            asked.insert("tags".to_owned(), trail_tags(&self.tags));
        }
        asked
    }
}

fn trail_tags(tags: &[Tag]) -> Value {
    serde_json::to_value(tags).map_or(Value::Null, lower_camel)
}

/// A Region of the same partition that has no such key yet, also none that is about to go.
fn check_place(call: &mut Call<'_>, primary: &KeyName, replica: &KeyName) -> Result<(), KmsError> {
    if replica.region.partition() != primary.region.partition() {
        return Err(KmsError::validation(format!(
            "ReplicaRegion {} is not in the partition of the primary key",
            replica.region
        )));
    }
    call.rest_on(Name::Key(replica.clone()));
    match call.store().key(replica).map_err(KmsError::internal)? {
        None => Ok(()),
        Some(_) => Err(KmsError::new(
            ErrorCode::AlreadyExists,
            format!("A multi-Region key {replica} already exists in Region {}.", replica.region),
        )),
    }
}

/// A material of the primary key, not imported here yet.
fn awaited(material: &MaterialInfo) -> MaterialInfo {
    MaterialInfo { imported: Some(Imported::default()), ..material.clone() }
}
