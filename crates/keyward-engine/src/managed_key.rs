//! AWS managed keys: one for each account, Region and service, under `alias/aws/<service>`, made when it is first
//! used.
//!
//! First use is a request by that alias on which a trusted front marked the service (`kms:ViaService`), or a
//! DescribeKey of the alias of a known service. The key is an ordinary one with a policy that the service alone
//! can use it by; that nobody can change, disable or delete it follows from that policy.
//!
//! INVARIANT: one is made only for a request that its policy allows; refused, the alias stays absent.
//! INVARIANT: key, material, alias and a `CreateKey` event of the service's own are one commit, made before
//! the request begins anew and finds them.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key>

use crate::{
    Engine,
    call::{Call, Proposed},
    housekeeping::{Deed, event},
    ops::rotation::PERIOD_DAYS_DEFAULT,
    world::fill,
};
use keyward_store::Commit;
use keyward_types::{
    AccountId, AliasName, AliasRecord, Caller, KeyId, KeyManager, KeyName, KeyRecord, KeySpec,
    KeyState, KeyUsage, KmsError, MaterialOrigin, Name, Record, Region, Rotation, Timestamp,
    caller::Document,
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

const POLICY: &str = include_str!("../../../policies/aws-managed-key-policy.json");

/// Services whose key DescribeKey makes. By the marker, any service's is made.
const KNOWN: &[&str] = &[
    "acm",
    "backup",
    "dynamodb",
    "ebs",
    "elasticfilesystem",
    "es",
    "fsx",
    "glue",
    "kinesis",
    "lambda",
    "rds",
    "redshift",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "xray",
];

/// The service of an alias under `alias/aws/`.
fn service_of(alias: &AliasName) -> Option<&str> {
    let service = alias.as_str().strip_prefix("alias/aws/")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!service.is_empty() && service.bytes().all(plain)).then_some(service)
}

/// What `kms:ViaService` says of a request that comes through the service.
fn via(service: &str, region: &Region) -> String {
    // Block storage has an alias of its own and speaks as EC2.
    let speaks = if service == "ebs" { "ec2" } else { service };
    format!("{speaks}.{region}.amazonaws.com")
}

/// The key that a request by this alias of its own account would be the first to use; without material yet.
pub(crate) fn first_used(
    engine: &Engine,
    caller: &Caller,
    operation: &str,
    alias: &AliasName,
) -> Option<KeyRecord> {
    let service = service_of(alias)?;
    let region = &caller.origin.region;
    let marked = caller.origin.trusted_facts.get("kms:viaservice");
    let through = marked.is_some_and(|marked| *marked == via(service, region));
    let described = operation == "DescribeKey" && KNOWN.contains(&service);
    if !through && !described {
        return None;
    }
    let mut random = [0; 16];
    fill(&mut *engine.world.entropy.generator(), &mut random);
    let key_id = KeyId::from_uuid(uuid::Builder::from_random_bytes(random).into_uuid());
    let name = KeyName { account: caller.account.clone(), region: region.clone(), key_id };
    Some(record(name, service, engine.now()))
}

fn record(name: KeyName, service: &str, now: Timestamp) -> KeyRecord {
    let policy = policy(&name.account, service, &via(service, &name.region));
    KeyRecord {
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        origin: MaterialOrigin::AwsKms,
        state: KeyState::Enabled,
        description: format!(
            "Default key that protects my {service} data when no other key is defined"
        ),
        created: now,
        deletion_date: None,
        policy: Document::new(policy.as_str()),
        policy_principals: BTreeMap::new(),
        tags: BTreeMap::new(),
        rotation: Rotation {
            enabled: true,
            period_days: PERIOD_DAYS_DEFAULT,
            next: Some(now.plus_days(PERIOD_DAYS_DEFAULT.into())),
            on_demand_count: 0,
        },
        current_material: None,
        materials: Vec::new(),
        public_key: None,
        multi_region: None,
        pending_window_days: None,
        key_store: None,
        manager: KeyManager::Aws,
        name,
    }
}

fn policy(account: &AccountId, service: &str, via: &str) -> String {
    POLICY
        .trim_end()
        .replace("${SERVICE}", service)
        .replace("${VIA}", via)
        .replace("${ACCOUNT}", account.as_str())
}

impl Engine {
    /// What makes a key that [`first_used`] found wanting. It rests on the absence of the alias.
    pub(crate) fn make_managed_key(
        &self,
        mut key: KeyRecord,
        alias: &AliasName,
        snapshot: u64,
    ) -> Result<Commit, KmsError> {
        let KeyName { account, region, .. } = key.name.clone();
        let caller = Arc::new(self.internal_caller(&account, &region));
        let now = self.now();
        let mut call = Call::new(self, &caller, "CreateKey", &[], now);
        let (material, _) = call.first_material(&key.name, key.spec)?;
        key.current_material = Some(material.id.clone());
        key.materials = vec![material];
        let record = AliasRecord {
            account: account.clone(),
            region: region.clone(),
            name: alias.clone(),
            target: key.name.clone(),
            created: now,
            updated: now,
        };
        let elements = json!({"keyId": key.name.to_string()});
        let deed = Deed {
            event_name: "CreateKey",
            response_elements: Some(&elements),
            details: None,
            beside: Some(alias.arn(&account, &region)),
        };
        let event = event(&mut call, &caller, &key, &deed);
        call.put(Record::Key(key));
        call.put(Record::Alias(record));
        let Proposed { changes, mut rested_on, .. } = call.proposed;
        rested_on.push(Name::Alias(account, region, alias.clone()));
        Ok(Commit { snapshot, rested_on, changes, events: vec![event] })
    }
}
