//! Callers, keys and documents for the tests.

use keyward_policy::Resource;
use keyward_types::{
    AccountId, Caller, CallerKind, GrantConstraints, GrantId, GrantOperation, GrantRecord, Grantee,
    IdentityDocument, KeyName, KeyRef, KeySpec, KeyUsage, MaterialOrigin, Origin, Region,
    Timestamp, caller::Document,
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
