//! Callers, keys and documents for the tests, and the reader of the shared decision vectors.

use keyward_policy::{Facts, PolicyEngine, Question, Resource};
use keyward_types::{
    AccountId, Caller, CallerKind, Decision, EncryptionContext, GrantConstraints, GrantId,
    GrantOperation, GrantRecord, Grantee, IdentityDocument, KeyName, KeyRef, KeySpec, KeyUsage,
    MaterialOrigin, Origin, Region, Timestamp, caller::Document,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const OWNER: &str = "111122223333";
pub(crate) const FOREIGN: &str = "444455556666";
pub(crate) const KEY: &str =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

pub(crate) fn account(text: &str) -> AccountId {
    AccountId::parse(text).expect("an account id")
}

pub(crate) fn key_name(arn: &str) -> KeyName {
    match KeyRef::parse(arn) {
        KeyRef::Arn(name) => name,
        other => panic!("{other:?} is not a key's ARN"),
    }
}

/// A caller from its ARN (or a service's name), as authentication would make it.
pub(crate) fn caller(text: &str) -> Caller {
    let origin = Origin {
        request_id: uuid::Uuid::nil(),
        source_ip: "192.0.2.1".to_owned(),
        user_agent: "test".to_owned(),
        region: Region::parse("us-west-2").expect("a Region"),
        secure_transport: true,
        host: "localhost".to_owned(),
        trusted_facts: BTreeMap::new(),
    };
    let mut caller = Caller {
        kind: CallerKind::Root,
        account: account(text.split(':').nth(4).unwrap_or(OWNER)),
        arn: text.to_owned(),
        principal_arn: text.to_owned(),
        user_id: String::new(),
        access_key_id: "AKIAEXAMPLE".to_owned(),
        tags: BTreeMap::new(),
        transitive_tags: Default::default(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: Vec::new(),
        origin,
    };
    let resource = text.splitn(6, ':').nth(5).unwrap_or("");
    let parts: Vec<&str> = resource.split('/').collect();
    match parts.as_slice() {
        ["root"] => caller.user_id = caller.account.to_string(),
        ["user", name] => {
            caller.user_id = format!("AIDA{}", name.to_uppercase());
            caller.kind = CallerKind::User { name: (*name).to_owned() };
        }
        ["assumed-role", role, session] => {
            let role_arn = format!("arn:aws:iam::{}:role/{role}", caller.account);
            let role_id = format!("AROA{}", role.to_uppercase());
            caller.user_id = format!("{role_id}:{session}");
            caller.principal_arn = role_arn.clone();
            caller.issued = Some(Timestamp::from_seconds(1_700_000_000));
            caller.kind = CallerKind::RoleSession {
                role_name: (*role).to_owned(),
                role_arn,
                role_id,
                session_name: (*session).to_owned(),
            };
        }
        ["federated-user", name] => {
            caller.user_id = format!("{}:{name}", caller.account);
            caller.issued = Some(Timestamp::from_seconds(1_700_000_000));
            let user_arn = Some(format!("arn:aws:iam::{}:user/alice", caller.account));
            caller.kind = CallerKind::Federated { user_arn, name: (*name).to_owned() };
        }
        _ => caller.kind = CallerKind::Service { name: text.to_owned() },
    }
    caller
}

pub(crate) fn document(value: &Value) -> Document {
    Document::new(value.to_string())
}

pub(crate) fn named(source: &str, value: &Value) -> IdentityDocument {
    IdentityDocument { source: source.to_owned(), document: document(value) }
}

fn documents(source: &str, value: &Value) -> Vec<IdentityDocument> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(i, d)| named(&format!("{source}{i}"), d))
        .collect()
}

fn levels(source: &str, value: &Value) -> Vec<Vec<IdentityDocument>> {
    value.as_array().into_iter().flatten().map(|level| documents(source, level)).collect()
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
        .collect()
}

pub(crate) fn grant(value: &Value) -> GrantRecord {
    let of = |name: &str| value[name].as_str();
    let pairs = |name: &str| value["constraints"].get(name).map(texts);
    let operations: BTreeSet<GrantOperation> = value["operations"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|name| GrantOperation::parse(name.as_str().unwrap_or_default()).expect("an operation"))
        .collect();
    let grantee = match of("granteeService") {
        Some(name) => Grantee::Service(name.to_owned()),
        None => Grantee::Principal(of("grantee").unwrap_or_default().to_owned()),
    };
    GrantRecord {
        grant_id: GrantId::new(of("grantId").unwrap_or("unnamed")),
        key: key_name(of("key").unwrap_or(KEY)),
        name: None,
        created: Timestamp(0),
        grantee,
        grantee_id: of("granteeId").map(str::to_owned),
        retiring: of("retiring").map(|arn| Grantee::Principal(arn.to_owned())),
        issuing_account: account(of("issuer").unwrap_or(OWNER)),
        operations,
        constraints: GrantConstraints {
            encryption_context_equals: pairs("EncryptionContextEquals"),
            encryption_context_subset: pairs("EncryptionContextSubset"),
            source_arn: value["constraints"]["SourceArn"].as_str().map(str::to_owned),
        },
    }
}

/// Operations that AWS offers to principals of other accounts, as the engine's table says.
const CROSS_ACCOUNT: &[&str] = &[
    "CreateGrant",
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "DescribeKey",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListGrants",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
    "RevokeGrant",
    "Sign",
    "Verify",
    "VerifyMac",
];

pub(crate) fn key<'a>(
    arn: &'a str,
    owner: &'a AccountId,
    tags: &'a BTreeMap<String, String>,
) -> Resource<'a> {
    Resource::Key {
        arn,
        owner,
        tags,
        aliases: &[],
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        origin: MaterialOrigin::AwsKms,
        multi_region: false,
    }
}

/// Decides one vector.
pub(crate) fn decide_vector(engine: &PolicyEngine, vector: &Value) -> Decision {
    let of = |name: &str| vector[name].as_str().unwrap_or_default();
    let mut caller = caller(of("caller"));
    let mut key_policy = vector.get("keyPolicy").map(Value::to_string);
    if vector["slr"] == true {
        // The vector marks the role as service-linked; here its path says so.
        let linked = "role/aws-service-role/example.amazonaws.com/app";
        key_policy = key_policy.map(|text| text.replace("role/app", linked));
        if let CallerKind::RoleSession { role_arn, .. } = &mut caller.kind {
            *role_arn = role_arn.replace("role/app", linked);
            caller.principal_arn = role_arn.clone();
        }
    }
    caller.session_policies = documents("session", &vector["session"]);
    let key_policy = key_policy.map(Document::new);
    let child = vector.get("newGrant").map(grant);
    let context = EncryptionContext(texts(&vector["encryptionContext"]));
    let mut facts = Facts::new();
    facts.set_encryption_context(&context);
    for (name, value) in texts(&vector["context"]) {
        facts.add(&name, value);
    }
    let grants: Vec<GrantRecord> =
        vector["grants"].as_array().into_iter().flatten().map(grant).collect();
    let grants: Vec<&GrantRecord> = grants.iter().collect();
    let (owner, tags) = (account(of("owner")), BTreeMap::new());
    let resource = match of("resource") {
        "*" => Resource::Any,
        arn if arn.contains(":alias/") => Resource::Alias { arn },
        arn => key(arn, &owner, &tags),
    };
    let identity = documents("identity", &vector["identity"]);
    let boundary = documents("boundary", &vector["boundary"]).pop();
    let (scps, rcps) = (levels("scp", &vector["scps"]), levels("rcp", &vector["rcps"]));
    let endpoint = documents("endpoint", &vector["vpce"]).pop();
    engine.decide(&Question {
        cross_account_allowed: CROSS_ACCOUNT.contains(&of("action").trim_start_matches("kms:")),
        key_policy: key_policy.as_ref(),
        grants: &grants,
        child_grant: child.as_ref(),
        identity: &identity,
        boundary: boundary.as_ref(),
        scps: &scps,
        rcps: &rcps,
        vpc_endpoint: endpoint.as_ref(),
        ..Question::new(&caller, of("action"), resource, &facts)
    })
}
