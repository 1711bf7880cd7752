//! `CreateKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>

use super::{
    describe_key::{KeyMetadata, Output},
    prelude::*,
    tag_resource::{check_tags, tag_map},
};
use crate::{key_policy, shape::patterned};
use keyward_crypto::algorithm;
use keyward_types::{KeyName, MaterialOrigin, Rotation, caller::Document};
use std::collections::BTreeMap;

pub(crate) struct CreateKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy: Option<String>,
    #[serde(default)]
    description: String,
    key_usage: Option<KeyUsage>,
    customer_master_key_spec: Option<KeySpec>,
    key_spec: Option<KeySpec>,
    origin: Option<MaterialOrigin>,
    bypass_policy_lockout_safety_check: Option<bool>,
    #[serde(default)]
    tags: Vec<Tag>,
    multi_region: Option<bool>,
}

impl Operation for CreateKey {
    const SPEC: Spec = Spec {
        states: &[],
        logged: &[
            "Policy",
            "Description",
            "KeyUsage",
            "CustomerMasterKeySpec",
            "KeySpec",
            "Origin",
            "BypassPolicyLockoutSafetyCheck",
            "Tags",
            "MultiRegion",
        ],
        errors: &[
            ErrorCode::MalformedPolicyDocument,
            ErrorCode::DependencyTimeout,
            ErrorCode::InvalidArn,
            ErrorCode::UnsupportedOperation,
            ErrorCode::Internal,
            ErrorCode::LimitExceeded,
            ErrorCode::Tag,
            ErrorCode::CustomKeyStoreNotFound,
        ],
        ..control(
            "CreateKey",
            "POST",
            "/v1/keys",
            &[
                optional("Policy", POLICY_KIND),
                optional("Description", DESCRIPTION_KIND),
                optional("KeyUsage", KEY_USAGE_KIND),
                optional("CustomerMasterKeySpec", CUSTOMER_MASTER_KEY_SPEC_KIND),
                optional("KeySpec", KEY_SPEC_KIND),
                optional("Origin", ORIGIN_KIND),
                optional("CustomKeyStoreId", text(1, 64)),
                optional("BypassPolicyLockoutSafetyCheck", Kind::Boolean),
                optional("Tags", TAGS_KIND),
                optional("MultiRegion", Kind::Boolean),
                optional("XksKeyId", patterned(1, 128, "^[a-zA-Z0-9-_.]+$", |text| only(text, "-_."))),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        input.check()?;
        let mut targets = vec![Target::of(Subject::Account)];
        if !input.tags.is_empty() {
            targets.push(Target { action: Some("TagResource"), ..Target::of(Subject::Account) });
        }
        Ok(targets)
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts
            .add("kms:KeySpec", input.spec().as_str())
            .add("kms:CustomerMasterKeySpec", input.spec().as_str())
            .add("kms:KeyUsage", input.usage().as_str())
            .add("kms:CustomerMasterKeyUsage", input.usage().as_str())
            .add("kms:KeyOrigin", input.origin().as_str())
            .add("kms:MultiRegion", input.multi_region.unwrap_or(false).to_string());
        if input.multi_region == Some(true) {
            facts.add("kms:MultiRegionKeyType", "PRIMARY");
        }
        if let Some(bypass) = input.bypass_policy_lockout_safety_check {
            facts.add("kms:BypassPolicyLockoutSafetyCheck", bypass.to_string());
        }
        tag_facts(&input.tags, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let caller = call.caller();
        let key_id = call.new_key_id();
        let name = KeyName { account: caller.account.clone(), region: caller.origin.region.clone(), key_id };
        let bypass = input.bypass_policy_lockout_safety_check.unwrap_or(false);
        let text = input.policy.clone().unwrap_or_else(|| key_policy::default_text(&name.account));
        let mut key = KeyRecord {
            spec: input.spec(),
            usage: input.usage(),
            origin: input.origin(),
            state: KeyState::Enabled,
            description: input.description.clone(),
            created: call.now(),
            deletion_date: None,
            policy: Document::new(text.as_str()),
            policy_principals: BTreeMap::new(),
            tags: tag_map(&input.tags),
            rotation: Rotation::default(),
            current_material: None,
            materials: Vec::new(),
            public_key: None,
            multi_region: None,
            pending_window_days: None,
            key_store: None,
            aws_managed: false,
            name,
        };
        key.policy_principals = key_policy::admit(call, &key, &text, bypass)?.principals;
        let (material, public_key) = call.new_material(&key.name, input.spec(), true)?;
        key.current_material = Some(material.id.clone());
        key.materials = vec![material];
        key.public_key = public_key;
        call.concern(key.name.to_string());
        let output = Output { key_metadata: KeyMetadata::of(&key) };
        call.put(Record::Key(key));
        Ok(output)
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        Some(json!({"keyMetadata": lower_camel_object(&output.key_metadata)}))
    }

    fn heavy(input: &Input, _key: Option<&KeyRecord>) -> bool {
        input.spec().is_rsa()
    }
}

impl Input {
    fn spec(&self) -> KeySpec {
        self.key_spec.or(self.customer_master_key_spec).unwrap_or(KeySpec::SymmetricDefault)
    }

    fn usage(&self) -> KeyUsage {
        self.key_usage.unwrap_or(KeyUsage::EncryptDecrypt)
    }

    fn origin(&self) -> MaterialOrigin {
        self.origin.unwrap_or(MaterialOrigin::AwsKms)
    }

    fn check(&self) -> Result<(), KmsError> {
        let (spec, usage) = (self.spec(), self.usage());
        if self.key_spec.is_some() && self.customer_master_key_spec.is_some() {
            return Err(KmsError::validation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."));
        }
        if self.key_usage.is_none() && !spec.is_symmetric() {
            return Err(KmsError::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
        let unsupported = |what: String| Err(KmsError::new(ErrorCode::UnsupportedOperation, what));
        if spec == KeySpec::Sm2 {
            return unsupported(format!("KeySpec {spec} is not supported in this Region"));
        }
        if !algorithm::usages(spec).contains(&usage) {
            return Err(KmsError::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")));
        }
        if self.origin() != MaterialOrigin::AwsKms {
            return unsupported(format!("Origin {} is not supported by this service", self.origin()));
        }
        if self.multi_region == Some(true) {
            return unsupported("MultiRegion keys are not supported by this service".to_owned());
        }
        check_tags(&BTreeMap::new(), &self.tags)
    }
}

/// `aws:RequestTag/*` and `aws:TagKeys`.
pub(crate) fn tag_facts(tags: &[Tag], facts: &mut Facts<'_>) {
    if tags.is_empty() {
        return;
    }
    for tag in tags {
        facts.add(&format!("aws:RequestTag/{}", tag.tag_key), tag.tag_value.as_str());
    }
    facts.add_many("aws:TagKeys", tags.iter().map(|tag| tag.tag_key.as_str()));
}

/// An answer's members as CloudTrail spells them.
fn lower_camel_object<T: Serialize>(value: &T) -> Value {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => {
            members.into_iter().map(|(name, value)| (keyward_trail::lower_camel(&name), value)).collect()
        }
        Ok(other) => other,
        Err(_) => Value::Null,
    }
}
