//! What the operations on the organization and on endpoints share: who may use them, their members, and an
//! organization as requests and answers write it.
//!
//! AWS keeps these in other services (Organizations, VPC); here they are stated whole, by one request.
//!
//! INVARIANT: only principals of the service's own account state them, because they limit other accounts.
//! INVARIANT: an organization that was admitted is a tree with existing targets and valid policies.
//! Sources: <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>,
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html>

pub(crate) use super::prelude::*;
use crate::{shape::patterned, world::fill};
use keyward_policy::{PolicyEngine, PolicyError};
use keyward_types::{
    AccountId, OrganizationPolicy, OrganizationPolicyKind, OrganizationRecord, OrganizationalUnit,
    caller::Document,
};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a policy of an organization, white space included.
const POLICY_CHARS_MAX: usize = 5_120;
/// Policies of one kind on one target, AWS's own included.
const ATTACHED_MAX: usize = 5;
/// Units between the root and an account.
const DEPTH_MAX: usize = 5;
/// Characters of an endpoint's policy, white space included.
const ENDPOINT_POLICY_CHARS_MAX: usize = 20_480;

const SCP: &str = "SERVICE_CONTROL_POLICY";
const RCP: &str = "RESOURCE_CONTROL_POLICY";
/// Policies of AWS's own that are attached everywhere.
const RESERVED: &[&str] = &["FullAWSAccess", "RCPFullAWSAccess"];

const ROOT_KIND: Kind = patterned(6, 34, "^r-[0-9a-z]{4,32}$", |text| is_id(text, "r-", 4, 32));
const UNIT_KIND: Kind =
    patterned(16, 68, "^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$", |text| unit_root(text).is_some());
const ACCOUNT_KIND: Kind =
    patterned(12, 12, "^[0-9]{12}$", |text| AccountId::parse(text).is_some());
const DOCUMENT_KIND: Kind = text(1, 131_072);
const fn list(of: &'static Kind) -> Kind {
    Kind::List { of, min: 0, max: usize::MAX }
}

pub(crate) const ORGANIZATION: &[Member] = &[
    required("Id", patterned(12, 34, "^o-[a-z0-9]{10,32}$", |text| is_id(text, "o-", 10, 32))),
    required("ManagementAccount", ACCOUNT_KIND),
    optional("RootId", ROOT_KIND),
    optional(
        "Units",
        list(&Kind::Structure(&[
            required("Id", UNIT_KIND),
            required("Name", text(1, 128)),
            optional("Parent", text(1, 68)),
        ])),
    ),
    optional(
        "Accounts",
        list(&Kind::Structure(&[required("Id", ACCOUNT_KIND), optional("Parent", text(1, 68))])),
    ),
    optional(
        "Policies",
        list(&Kind::Structure(&[
            required("Name", text(1, 128)),
            required("Type", Kind::Enum(&[SCP, RCP])),
            required("Document", DOCUMENT_KIND),
            optional("Description", text(0, 512)),
        ])),
    ),
    optional(
        "Attachments",
        list(&Kind::Structure(&[
            required("Target", text(1, 68)),
            required("Policies", list(&text(1, 128))),
        ])),
    ),
    optional("WithoutFullAWSAccess", list(&text(1, 68))),
];
pub(crate) const ENDPOINT_ID: Member = required(
    "VpcEndpointId",
    patterned(6, 37, "^vpce-[0-9a-z]{1,32}$", |text| is_id(text, "vpce-", 1, 32)),
);
pub(crate) const VPC_ID: Member =
    optional("VpcId", patterned(5, 36, "^vpc-[0-9a-z]{1,32}$", |text| is_id(text, "vpc-", 1, 32)));
pub(crate) const ENDPOINT_POLICY: Member = optional("PolicyDocument", DOCUMENT_KIND);

/// A row of Keyward's own.
pub(crate) const fn own(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec {
        service: Service::Keyward,
        states: &[],
        logged: &[],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::MalformedPolicyDocument,
            ErrorCode::LimitExceeded,
            ErrorCode::InvalidMarker,
        ],
        ..control(name, verb, path, members)
    }
}

/// Refuses principals of other accounts, whatever their policies say.
pub(crate) fn of_own_account(call: &Call<'_>) -> Result<(), KmsError> {
    let (own, caller) = (&call.engine().settings().account, call.caller());
    if caller.account == *own {
        return Ok(());
    }
    Err(KmsError::new(
        ErrorCode::AccessDenied,
        format!(
            "The organization and endpoints of this service are for principals of its own account {own}; {} belongs to {}",
            caller.arn, caller.account
        ),
    ))
}

/// `prefix` and so many lower-case letters and digits.
fn is_id(text: &str, prefix: &str, min: usize, max: usize) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (min..=max).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

/// The part of a unit's id that its root has too.
fn unit_root(text: &str) -> Option<&str> {
    let (root, own) = text.strip_prefix("ou-")?.split_once('-')?;
    (is_id(root, "", 4, 32) && is_id(own, "", 8, 32)).then_some(root)
}

/// An organization as requests and answers write it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Stated {
    id: String,
    management_account: String,
    root_id: Option<String>,
    #[serde(default)]
    units: Vec<Unit>,
    #[serde(default)]
    accounts: Vec<Account>,
    #[serde(default)]
    policies: Vec<Policy>,
    #[serde(default)]
    attachments: Vec<Attachment>,
    #[serde(default, rename = "WithoutFullAWSAccess")]
    without_full_access: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct Unit {
    id: String,
    name: String,
    /// The root, where it is left out.
    parent: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct Account {
    id: String,
    parent: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    name: String,
    #[serde(rename = "Type")]
    kind: String,
    document: String,
    #[serde(default)]
    description: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct Attachment {
    target: String,
    policies: Vec<String>,
}

/// The answer that describes an organization: what may be stated again, and when it was.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Described {
    #[serde(flatten)]
    stated: Stated,
    updated: serde_json::Number,
}

impl Described {
    pub(crate) fn of(record: &OrganizationRecord) -> Self {
        Self { stated: Stated::of(record), updated: record.updated.wire() }
    }
}

fn kind_of(name: &str) -> OrganizationPolicyKind {
    match name {
        RCP => OrganizationPolicyKind::ResourceControlPolicy,
        _ => OrganizationPolicyKind::ServiceControlPolicy,
    }
}

fn wrong(place: &str, index: usize, words: impl core::fmt::Display) -> KmsError {
    KmsError::validation(format!("{place}[{index}]: {words}"))
}

fn too_much(place: &str, index: usize, words: impl core::fmt::Display) -> KmsError {
    KmsError::new(ErrorCode::LimitExceeded, format!("{place}[{index}]: {words}"))
}

impl Stated {
    /// A record as it would be stated.
    pub(crate) fn of(record: &OrganizationRecord) -> Self {
        let unit = |(id, unit): (&String, &OrganizationalUnit)| Unit {
            id: id.clone(),
            name: unit.name.clone(),
            parent: Some(unit.parent.clone()),
        };
        let account = |(id, parent): (&AccountId, &String)| Account {
            id: id.to_string(),
            parent: Some(parent.clone()),
        };
        let policy = |(name, policy): (&String, &OrganizationPolicy)| Policy {
            name: name.clone(),
            kind: match policy.kind {
                OrganizationPolicyKind::ServiceControlPolicy => SCP,
                OrganizationPolicyKind::ResourceControlPolicy => RCP,
            }
            .to_owned(),
            document: policy.document.text().to_owned(),
            description: policy.description.clone(),
        };
        let attachment = |(target, names): (&String, &BTreeSet<String>)| Attachment {
            target: target.clone(),
            policies: names.iter().cloned().collect(),
        };
        Self {
            id: record.id.clone(),
            management_account: record.management_account.to_string(),
            root_id: Some(record.root.clone()),
            units: record.units.iter().map(unit).collect(),
            accounts: record.accounts.iter().map(account).collect(),
            policies: record.policies.iter().map(policy).collect(),
            attachments: record.attachments.iter().map(attachment).collect(),
            without_full_access: record.without_full_access.iter().cloned().collect(),
        }
    }

    /// The record of what is stated, or the first thing that is wrong with it.
    pub(crate) fn admit(&self, call: &mut Call<'_>) -> Result<OrganizationRecord, KmsError> {
        let root = self.root(call)?;
        let mut record = OrganizationRecord {
            id: self.id.clone(),
            management_account: account(&self.management_account)?,
            root,
            units: BTreeMap::new(),
            accounts: BTreeMap::new(),
            policies: BTreeMap::new(),
            attachments: BTreeMap::new(),
            without_full_access: BTreeSet::new(),
            updated: call.now(),
        };
        self.admit_units(&mut record)?;
        self.admit_accounts(&mut record)?;
        self.admit_policies(&mut record, call.policies())?;
        self.admit_attachments(&mut record)?;
        self.admit_detachments(&mut record)?;
        Ok(record)
    }

    /// The root's id: the stated one, the one that is there, that of the units' ids, or a new one.
    fn root(&self, call: &mut Call<'_>) -> Result<String, KmsError> {
        if let Some(root) = &self.root_id {
            return Ok(root.clone());
        }
        if let Some(found) = call.store().organization().map_err(KmsError::internal)? {
            return Ok(found.root.clone());
        }
        if let Some(root) = self.units.first().and_then(|unit| unit_root(&unit.id)) {
            return Ok(format!("r-{root}"));
        }
        let mut bytes = [0; 4];
        fill(call.generator(), &mut bytes);
        Ok(bytes.iter().fold("r-".to_owned(), |mut root, byte| {
            root.push(char::from(b'a' + byte % 26));
            root
        }))
    }

    fn admit_units(&self, record: &mut OrganizationRecord) -> Result<(), KmsError> {
        let suffix = record.root.trim_start_matches("r-").to_owned();
        let mut names = BTreeSet::new();
        for (index, unit) in self.units.iter().enumerate() {
            let at = |words: String| wrong("Units", index, words);
            if unit_root(&unit.id) != Some(&suffix) {
                return Err(at(format!(
                    "the unit {} is of another root; its id must begin with ou-{suffix}-",
                    unit.id
                )));
            }
            let parent = unit.parent.clone().unwrap_or_else(|| record.root.clone());
            if !names.insert((parent.clone(), unit.name.clone())) {
                return Err(at(format!(
                    "{parent} has two units of the name {}; rename one",
                    unit.name
                )));
            }
            let made = OrganizationalUnit { name: unit.name.clone(), parent };
            if record.units.insert(unit.id.clone(), made).is_some() {
                return Err(at(format!("the unit {} stands twice; remove one", unit.id)));
            }
        }
        self.units.iter().enumerate().try_for_each(|(index, unit)| climb(record, index, &unit.id))
    }

    fn admit_accounts(&self, record: &mut OrganizationRecord) -> Result<(), KmsError> {
        for (index, member) in self.accounts.iter().enumerate() {
            let parent = member.parent.clone().unwrap_or_else(|| record.root.clone());
            if parent != record.root && !record.units.contains_key(&parent) {
                return Err(wrong("Accounts", index, no_parent(record, &parent)));
            }
            if record.accounts.insert(account(&member.id)?, parent).is_some() {
                return Err(wrong(
                    "Accounts",
                    index,
                    format!("the account {} stands twice; remove one", member.id),
                ));
            }
        }
        Ok(())
    }

    fn admit_policies(
        &self,
        record: &mut OrganizationRecord,
        engine: &PolicyEngine,
    ) -> Result<(), KmsError> {
        for (index, policy) in self.policies.iter().enumerate() {
            if RESERVED.contains(&policy.name.as_str()) {
                let words = format!("{} is AWS's own and is there already; rename it", policy.name);
                return Err(wrong("Policies", index, words));
            }
            if POLICY_CHARS_MAX < policy.document.chars().count() {
                let words = format!("the document may have at most {POLICY_CHARS_MAX} characters");
                return Err(too_much("Policies", index, words));
            }
            let kind = kind_of(&policy.kind);
            let checked = match kind {
                OrganizationPolicyKind::ServiceControlPolicy => {
                    engine.validate_service_control_policy(&policy.document)
                }
                OrganizationPolicyKind::ResourceControlPolicy => {
                    engine.validate_resource_control_policy(&policy.document)
                }
            };
            checked.map_err(|error| malformed(&format!("Policies[{index}]: "), &error))?;
            let made = OrganizationPolicy {
                kind,
                description: policy.description.clone(),
                document: Document::new(policy.document.as_str()),
            };
            if record.policies.insert(policy.name.clone(), made).is_some() {
                let words = format!("the policy {} stands twice; remove one", policy.name);
                return Err(wrong("Policies", index, words));
            }
        }
        Ok(())
    }

    fn admit_attachments(&self, record: &mut OrganizationRecord) -> Result<(), KmsError> {
        let without: BTreeSet<&str> = self.without_full_access.iter().map(String::as_str).collect();
        for (index, attachment) in self.attachments.iter().enumerate() {
            let Attachment { target, policies } = attachment;
            target_exists(record, target).map_err(|words| wrong("Attachments", index, words))?;
            // AWS's own are attached too, and count.
            let mut counts = BTreeMap::from([
                (
                    OrganizationPolicyKind::ServiceControlPolicy,
                    usize::from(!without.contains(target.as_str())),
                ),
                (OrganizationPolicyKind::ResourceControlPolicy, 1),
            ]);
            for name in policies {
                let policy = record.policies.get(name).ok_or_else(|| {
                    let words = format!("there is no policy {name}; add it to Policies");
                    wrong("Attachments", index, words)
                })?;
                *counts.entry(policy.kind).or_default() += 1;
            }
            if counts.values().any(|count| ATTACHED_MAX < *count) {
                let words = format!(
                    "{target} may have at most {ATTACHED_MAX} policies of a kind, FullAWSAccess and RCPFullAWSAccess included"
                );
                return Err(too_much("Attachments", index, words));
            }
            let names = policies.iter().cloned().collect();
            if record.attachments.insert(target.clone(), names).is_some() {
                let words = format!("the target {target} stands twice; list its policies together");
                return Err(wrong("Attachments", index, words));
            }
        }
        Ok(())
    }

    fn admit_detachments(&self, record: &mut OrganizationRecord) -> Result<(), KmsError> {
        for (index, target) in self.without_full_access.iter().enumerate() {
            let at = |words: String| wrong("WithoutFullAWSAccess", index, words);
            target_exists(record, target).map_err(at)?;
            let attached = record.attachments.get(target).into_iter().flatten();
            let kinds = attached.filter_map(|name| record.policies.get(name)).map(|one| one.kind);
            if !kinds.into_iter().any(|kind| kind == OrganizationPolicyKind::ServiceControlPolicy) {
                return Err(at(format!(
                    "{target} would have no service control policy, which denies everything below it; attach one"
                )));
            }
            record.without_full_access.insert(target.clone());
        }
        Ok(())
    }
}

/// Follows a unit's parents up to the root.
fn climb(record: &OrganizationRecord, index: usize, id: &str) -> Result<(), KmsError> {
    let mut above = id;
    for depth in 1..=record.units.len() {
        let Some(unit) = record.units.get(above) else { break };
        if unit.parent == record.root {
            return if depth <= DEPTH_MAX {
                Ok(())
            } else {
                let words = format!("{id} lies {depth} units deep; {DEPTH_MAX} is the most");
                Err(too_much("Units", index, words))
            };
        }
        above = &unit.parent;
        if !record.units.contains_key(above) {
            return Err(wrong("Units", index, no_parent(record, above)));
        }
    }
    let words = format!("the parents of {id} lead round in a ring; set one of them to the root");
    Err(wrong("Units", index, words))
}

fn no_parent(record: &OrganizationRecord, parent: &str) -> String {
    format!(
        "the parent {parent} is neither the root {} nor a unit; add it to Units, or correct Parent",
        record.root
    )
}

fn target_exists(record: &OrganizationRecord, target: &str) -> Result<(), String> {
    let member =
        AccountId::parse(target).is_some_and(|account| record.accounts.contains_key(&account));
    if target == record.root || record.units.contains_key(target) || member {
        return Ok(());
    }
    Err(format!(
        "the target {target} is neither the root {}, nor a unit, nor an account of the organization; add it to Units or Accounts",
        record.root
    ))
}

fn account(text: &str) -> Result<AccountId, KmsError> {
    AccountId::parse(text).ok_or_else(|| KmsError::validation("an account id is twelve digits"))
}

fn malformed(place: &str, error: &PolicyError) -> KmsError {
    KmsError::new(ErrorCode::MalformedPolicyDocument, format!("{place}{error}"))
}

/// An endpoint's policy, checked.
pub(crate) fn endpoint_policy(call: &Call<'_>, text: &str) -> Result<Document, KmsError> {
    if ENDPOINT_POLICY_CHARS_MAX < text.chars().count() {
        return Err(KmsError::new(
            ErrorCode::LimitExceeded,
            format!("An endpoint's policy may have at most {ENDPOINT_POLICY_CHARS_MAX} characters"),
        ));
    }
    call.policies().validate_endpoint_policy(text).map_err(|error| malformed("", &error))?;
    Ok(Document::new(text))
}
