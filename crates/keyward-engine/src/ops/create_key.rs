//! `CreateKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>

use super::{
    describe_key::{KeyMetadata, Output},
    prelude::*,
    tag_resource::{check_tags, tag_map},
};
use crate::{key_policy, shape::patterned};
use keyward_crypto::algorithm;
use keyward_types::{
    KeyInStore, KeyManager, KeyName, MaterialOrigin, MultiRegion, Rotation, caller::Document,
};
use std::collections::{BTreeMap, BTreeSet};

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
    custom_key_store_id: Option<String>,
    xks_key_id: Option<String>,
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
            "CustomKeyStoreId",
            "XksKeyId",
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
            ErrorCode::CustomKeyStoreInvalidState,
            ErrorCode::CloudHsmClusterInvalidConfiguration,
            ErrorCode::XksKeyInvalidConfiguration,
            ErrorCode::XksKeyAlreadyInUse,
            ErrorCode::XksKeyNotFound,
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
                optional(
                    "XksKeyId",
                    patterned(1, 128, "^[a-zA-Z0-9-_.]+$", |text| only(text, "-_.")),
                ),
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
        let multi_region = input.multi_region == Some(true);
        let region = caller.origin.region.clone();
        call.check_key_quota(&caller.account, &region)?;
        let key_id = call.new_key_id(multi_region);
        let name = KeyName { account: caller.account.clone(), region: region.clone(), key_id };
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
            multi_region: multi_region
                .then(|| MultiRegion { primary: region, replicas: BTreeSet::new() }),
            pending_window_days: None,
            key_store: None,
            manager: KeyManager::Customer,
            name,
        };
        key.policy_principals = key_policy::admit(call, &key, &text, bypass)?.principals;
        if let (Some(store), Some(external_key)) = (&input.custom_key_store_id, &input.xks_key_id) {
            let place = KeyInStore { store: store.clone(), external_key: external_key.clone() };
            call.check_external_key(&place)?;
            key.key_store = Some(place);
        }
        if key.origin == MaterialOrigin::External {
            call.new_dek(&key.name)?;
            key.state = KeyState::PendingImport;
        } else {
            let (material, public_key) = call.first_material(&key.name, key.spec)?;
            key.current_material = Some(material.id.clone());
            key.materials = vec![material];
            key.public_key = public_key;
        }
        call.concern(key.name.to_string());
        let output = Output { key_metadata: KeyMetadata::of(&key, key.state) };
        call.put(Record::Key(key));
        Ok(output)
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        Some(json!({"keyMetadata": output.key_metadata.trail()}))
    }

    fn heavy(input: &Input, _key: Option<&KeyRecord>) -> bool {
        input.origin() == MaterialOrigin::AwsKms && input.spec().is_rsa()
    }

    fn remote(input: &Input) -> bool {
        input.origin() == MaterialOrigin::ExternalKeyStore
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
            return Err(KmsError::validation(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
            ));
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
            return Err(KmsError::validation(format!(
                "KeyUsage {usage} is not compatible with KeySpec {spec}"
            )));
        }
        self.check_store()?;
        check_tags(&BTreeMap::new(), &self.tags)
    }

    /// What a custom key store wants of a key: an origin, a store and an external key that go together.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/create-xks-keys.html>
    fn check_store(&self) -> Result<(), KmsError> {
        let refuse = |what: &str| Err(KmsError::validation(what));
        match self.origin() {
            MaterialOrigin::AwsKms | MaterialOrigin::External => {
                if self.custom_key_store_id.is_some() {
                    return refuse(
                        "CustomKeyStoreId needs the Origin AWS_CLOUDHSM or EXTERNAL_KEY_STORE.",
                    );
                }
                if self.xks_key_id.is_some() {
                    return refuse("XksKeyId needs the Origin EXTERNAL_KEY_STORE.");
                }
                return Ok(());
            }
            MaterialOrigin::ExternalKeyStore if self.xks_key_id.is_none() => {
                return refuse(
                    "You must specify an XksKeyId for a KMS key in an external key store.",
                );
            }
            MaterialOrigin::AwsCloudHsm if self.xks_key_id.is_some() => {
                return refuse("XksKeyId needs the Origin EXTERNAL_KEY_STORE.");
            }
            MaterialOrigin::ExternalKeyStore | MaterialOrigin::AwsCloudHsm => {}
        }
        let Some(store) = &self.custom_key_store_id else {
            return refuse(
                "You must specify a CustomKeyStoreId for a KMS key in a custom key store.",
            );
        };
        let unsupported = |what: &str| Err(KmsError::new(ErrorCode::UnsupportedOperation, what));
        if !self.spec().is_symmetric() {
            return unsupported("A custom key store holds symmetric encryption keys only.");
        }
        if self.multi_region == Some(true) {
            return unsupported("A custom key store does not hold multi-Region keys.");
        }
        match self.origin() {
            // There is no CloudHSM here, so that no key store of that kind exists.
            MaterialOrigin::AwsCloudHsm => Err(wording::no_such_key_store(store)),
            _ => Ok(()),
        }
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
