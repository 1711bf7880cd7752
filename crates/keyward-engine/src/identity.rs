//! What a caller's identity brings: credentials to verify a signature with, and the policies of its layers.
//! Temporary credentials are in `session.rs`.
//!
//! INVARIANT: policies are read at decision time, so a policy that was removed stops counting at once.

use crate::{
    Engine, aws_managed,
    operation::{Service, Spec, Subject},
    resolve::Found,
    world::fill,
};
use keyward_policy::Facts;
use keyward_store::StoreError;
use keyward_types::{
    AccessKeyOwner, AccessKeyRecord, AccountId, Arn, Caller, CallerKind, ErrorCode, Generator,
    IdentityDocument, KmsError, Name, Origin, RoleRecord, Timestamp, UserRecord,
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use zeroize::Zeroizing;

/// A secret to verify a signature with, and the caller that a good signature proves.
pub struct Credential {
    pub secret: Zeroizing<String>,
    pub(crate) kind: CallerKind,
    pub(crate) account: AccountId,
    pub(crate) arn: String,
    pub(crate) principal_arn: String,
    pub(crate) user_id: String,
    pub(crate) access_key_id: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) transitive_tags: BTreeSet<String>,
    pub(crate) issued: Option<Timestamp>,
    pub(crate) mfa: Option<bool>,
    pub(crate) source_identity: Option<String>,
    pub(crate) session_policies: Vec<IdentityDocument>,
}

impl Credential {
    /// Whether it is a service's, such as `backup.amazonaws.com`.
    pub fn is_service(&self) -> bool {
        matches!(self.kind, CallerKind::Service { .. })
    }

    /// As of a session that begins now.
    pub(crate) fn issued_at(self, now: Timestamp) -> Self {
        Self { issued: Some(now), ..self }
    }

    /// The caller, once its signature was verified.
    pub fn into_caller(self, origin: Origin) -> Caller {
        Caller {
            kind: self.kind,
            account: self.account,
            arn: self.arn,
            principal_arn: self.principal_arn,
            user_id: self.user_id,
            access_key_id: self.access_key_id,
            tags: self.tags,
            transitive_tags: self.transitive_tags,
            mfa: self.mfa,
            issued: self.issued,
            source_identity: self.source_identity,
            session_policies: self.session_policies,
            origin,
        }
    }
}

/// The policies of a caller's own layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) documents: Vec<IdentityDocument>,
    pub(crate) boundary: Option<IdentityDocument>,
    /// The records they came from.
    pub(crate) rested_on: Vec<Name>,
}

impl Engine {
    /// The credential behind an access key id. One refusal for every reason but expiry, so that nothing
    /// tells which part was wrong.
    pub fn credential(
        &self,
        access_key_id: &str,
        token: Option<&str>,
    ) -> Result<Credential, KmsError> {
        match token {
            Some(token) => self.session_credential(access_key_id, token),
            None => self.stored_credential(access_key_id),
        }
    }

    fn stored_credential(&self, access_key_id: &str) -> Result<Credential, KmsError> {
        let store = &self.world.store;
        let record = store
            .access_key(access_key_id)
            .map_err(unavailable)?
            .filter(|key| key.active)
            .ok_or_else(unrecognized)?;
        let secret = Zeroizing::new(record.secret.clone());
        match &record.owner {
            AccessKeyOwner::Root => Ok(root(record.account.clone(), access_key_id, secret)),
            AccessKeyOwner::User(name) => {
                let user = store
                    .user(&record.account, name)
                    .map_err(unavailable)?
                    .ok_or_else(unrecognized)?;
                Ok(of_user(&user, access_key_id, secret))
            }
            AccessKeyOwner::Service(name) => {
                Ok(of_service(record.account.clone(), name, access_key_id, secret))
            }
        }
    }

    /// The policies that reach a caller through its identity: inline, attached, and those of a user's groups.
    pub(crate) fn identity(&self, caller: &Caller) -> Result<Identity, KmsError> {
        match &caller.kind {
            CallerKind::User { name } => self.identity_of_user(&caller.account, name),
            CallerKind::RoleSession { role_name, .. } => {
                self.identity_of_role(&caller.account, role_name)
            }
            CallerKind::Federated { user_arn: Some(user_arn), .. } => {
                match principal_name(user_arn) {
                    Some(Name::User(account, name)) => self.identity_of_user(&account, &name),
                    _ => Ok(Identity::default()),
                }
            }
            CallerKind::Root | CallerKind::Federated { .. } | CallerKind::Service { .. } => {
                Ok(Identity::default())
            }
        }
    }

    pub(crate) fn identity_of_user(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Identity, KmsError> {
        let user =
            self.world.store.user(account, name).map_err(KmsError::internal)?.ok_or_else(gone)?;
        let mut gathered = Gathered::new(self, Name::User(account.clone(), name.to_owned()));
        gathered.inline("", &user.policies);
        gathered.attached(&user.attached)?;
        gathered.bounded_by(user.boundary.as_deref())?;
        for name in &user.groups {
            gathered.identity.rested_on.push(Name::Group(account.clone(), name.clone()));
            let group = self.world.store.group(account, name).map_err(KmsError::internal)?;
            let group = group.ok_or_else(gone)?;
            gathered.inline(&format!("group {name}, "), &group.policies);
            gathered.attached(&group.attached)?;
        }
        Ok(gathered.identity)
    }

    pub(crate) fn identity_of_role(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Identity, KmsError> {
        let role =
            self.world.store.role(account, name).map_err(KmsError::internal)?.ok_or_else(gone)?;
        let mut gathered = Gathered::new(self, Name::Role(account.clone(), name.to_owned()));
        gathered.inline("", &role.policies);
        gathered.attached(&role.attached)?;
        gathered.bounded_by(role.boundary.as_deref())?;
        Ok(gathered.identity)
    }

    /// A group's policies alone; `None` when there is no such group.
    pub(crate) fn identity_of_group(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<Identity>, KmsError> {
        let group = self.world.store.group(account, name).map_err(KmsError::internal)?;
        let Some(group) = group else { return Ok(None) };
        let mut gathered = Gathered::new(self, Name::Group(account.clone(), name.to_owned()));
        gathered.inline(&format!("group {name}, "), &group.policies);
        gathered.attached(&group.attached)?;
        Ok(Some(gathered.identity))
    }

    /// The document in force of a managed policy, the customer's or AWS's own; `None` when there is none.
    pub(crate) fn managed_document(
        &self,
        arn: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<Option<IdentityDocument>, KmsError> {
        let document = if let Some(text) = aws_managed::document(arn) {
            Some(keyward_types::caller::Document::new(text))
        } else {
            let Some((account, name)) = managed_policy_name(arn) else { return Ok(None) };
            rested_on.push(Name::ManagedPolicy(account.clone(), name.clone()));
            let policy =
                self.world.store.managed_policy(&account, &name).map_err(KmsError::internal)?;
            policy
                .filter(|policy| policy.arn() == arn)
                .and_then(|policy| policy.document().cloned())
        };
        Ok(document.map(|document| IdentityDocument { source: arn.to_owned(), document }))
    }
}

/// An identity under construction.
struct Gathered<'e> {
    engine: &'e Engine,
    identity: Identity,
}

impl<'e> Gathered<'e> {
    fn new(engine: &'e Engine, name: Name) -> Self {
        let identity = Identity { rested_on: vec![name], ..Identity::default() };
        Self { engine, identity }
    }

    fn inline(
        &mut self,
        whose: &str,
        policies: &BTreeMap<String, keyward_types::caller::Document>,
    ) {
        self.identity.documents.extend(policies.iter().map(|(name, document)| IdentityDocument {
            source: format!("{whose}inline policy {name}"),
            document: document.clone(),
        }));
    }

    fn attached(&mut self, arns: &BTreeSet<String>) -> Result<(), KmsError> {
        for arn in arns {
            let found = self.managed(arn)?;
            // Attached to the user and to its group: one document is enough.
            if self.identity.documents.iter().all(|known| known.source != found.source) {
                self.identity.documents.push(found);
            }
        }
        Ok(())
    }

    fn bounded_by(&mut self, arn: Option<&str>) -> Result<(), KmsError> {
        self.identity.boundary = arn.map(|arn| self.managed(arn)).transpose()?;
        Ok(())
    }

    /// A policy that is used cannot be deleted; were one missing, nothing could be decided without it.
    fn managed(&mut self, arn: &str) -> Result<IdentityDocument, KmsError> {
        self.engine
            .managed_document(arn, &mut self.identity.rested_on)?
            .ok_or_else(|| KmsError::internal(format!("the attached policy {arn} is missing")))
    }
}

fn gone() -> KmsError {
    KmsError::internal("the caller was removed while its request was decided")
}

/// Account and name of a customer managed policy by its ARN.
pub(crate) fn managed_policy_name(arn: &str) -> Option<(AccountId, String)> {
    let arn = Arn::parse(arn).filter(|arn| arn.service == "iam" && arn.region.is_empty())?;
    let account = AccountId::parse(arn.account)?;
    let path = arn.resource.strip_prefix("policy/")?;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty())?.to_owned();
    Some((account, name))
}

/// Users, roles, groups and policies and whose they are, for the IAM operations.
impl Engine {
    /// What a request of IAM names, with its tags. One that is absent is found by the ARN that it would have, so that
    /// only who may ask hears that it is absent; the operation says so.
    pub(crate) fn find_principal(
        &self,
        caller: &Caller,
        subject: &Subject<'_>,
        rested_on: &mut Vec<Name>,
    ) -> Result<Found, KmsError> {
        let account = &caller.account;
        match subject {
            Subject::User(name) => match named_or_own(caller, *name)? {
                None => Ok(Found::other(account.root_arn())),
                Some(name) => self.find_user(account, name, rested_on),
            },
            Subject::Role(name) => {
                rested_on.push(Name::Role(account.clone(), (*name).to_owned()));
                let role = self.world.store.role(account, name).map_err(KmsError::internal)?;
                Ok(role.map_or_else(
                    || Found::other(principal_arn(account, "role", "/", name)),
                    |role| Found::Other {
                        arn: role.arn(),
                        tags: role.tags.clone(),
                        boundary: role.boundary.clone(),
                    },
                ))
            }
            Subject::Group(name) => {
                let path = self.path_of(account, "group", name, rested_on)?;
                Ok(Found::other(principal_arn(account, "group", &path, name)))
            }
            Subject::ManagedPolicy(arn) => self.find_policy(account, arn, rested_on),
            Subject::Renamed { kind, name, new_path, new_name } => {
                let path = match new_path {
                    Some(path) => (*path).to_owned(),
                    None => self.path_of(account, kind, name, rested_on)?,
                };
                Ok(Found::other(principal_arn(account, kind, &path, new_name.unwrap_or(name))))
            }
            Subject::NewPrincipal { kind, path, name } => {
                Ok(Found::other(principal_arn(account, kind, path, name)))
            }
            _ => Err(KmsError::internal("not of IAM")),
        }
    }

    fn find_user(
        &self,
        account: &AccountId,
        name: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<Found, KmsError> {
        rested_on.push(Name::User(account.clone(), name.to_owned()));
        let user = self.world.store.user(account, name).map_err(KmsError::internal)?;
        Ok(user.map_or_else(
            || Found::other(principal_arn(account, "user", "/", name)),
            |user| Found::Other {
                arn: user.arn(),
                tags: user.tags.clone(),
                boundary: user.boundary.clone(),
            },
        ))
    }

    /// The path of a user or group, `/` for one that is absent.
    fn path_of(
        &self,
        account: &AccountId,
        kind: &str,
        name: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<String, KmsError> {
        let store = &self.world.store;
        let path = if kind == "group" {
            rested_on.push(Name::Group(account.clone(), name.to_owned()));
            let group = store.group(account, name).map_err(KmsError::internal)?;
            group.map(|group| group.path.clone())
        } else {
            rested_on.push(Name::User(account.clone(), name.to_owned()));
            let user = store.user(account, name).map_err(KmsError::internal)?;
            user.map(|user| user.path.clone())
        };
        Ok(path.unwrap_or_else(|| "/".to_owned()))
    }

    /// A managed policy with its tags, if it is the account's own.
    fn find_policy(
        &self,
        account: &AccountId,
        arn: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<Found, KmsError> {
        let mut tags = BTreeMap::new();
        if let Some((owner, name)) = managed_policy_name(arn).filter(|(owner, _)| owner == account)
        {
            rested_on.push(Name::ManagedPolicy(owner.clone(), name.clone()));
            let policy =
                self.world.store.managed_policy(&owner, &name).map_err(KmsError::internal)?;
            if let Some(policy) = policy.filter(|policy| policy.arn() == arn) {
                tags = policy.tags.clone();
            }
        }
        Ok(Found::Other { arn: arn.to_owned(), tags, boundary: None })
    }
}

/// The user's name that a request wrote, or the caller's own; `None` is the account's root user.
pub(crate) fn named_or_own<'n>(
    caller: &'n Caller,
    name: Option<&'n str>,
) -> Result<Option<&'n str>, KmsError> {
    match (name, &caller.kind) {
        (Some(name), _) => Ok(Some(name)),
        (None, CallerKind::Root) => Ok(None),
        (None, CallerKind::User { name }) => Ok(Some(name)),
        (
            None,
            CallerKind::RoleSession { .. }
            | CallerKind::Federated { .. }
            | CallerKind::Service { .. },
        ) => Err(KmsError::new(
            ErrorCode::IamValidationError,
            "Must specify userName when calling with non-User credentials",
        )),
    }
}

/// Credentials of GetSessionToken do not open IAM unless MFA was shown.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
pub(crate) fn refuse_plain_session(caller: &Caller) -> Result<(), KmsError> {
    let own = matches!(caller.kind, CallerKind::Root | CallerKind::User { .. });
    if own && caller.issued.is_some() && caller.mfa != Some(true) {
        Err(unrecognized())
    } else {
        Ok(())
    }
}

/// A role session's own ARN; the role's path is not in it.
pub(crate) fn session_arn(role: &RoleRecord, session_name: &str) -> String {
    format!("arn:aws:sts::{}:assumed-role/{}/{session_name}", role.account, role.name)
}

fn principal_arn(account: &AccountId, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// `aws:ResourceTag/*`, and the same under IAM's own name.
pub(crate) fn tag_facts(tags: &BTreeMap<String, String>, facts: &mut Facts<'_>) {
    for (name, value) in tags {
        facts.add(&format!("aws:ResourceTag/{name}"), value.as_str());
        facts.add(&format!("iam:ResourceTag/{name}"), value.as_str());
    }
}

/// `iam:PermissionsBoundary` of the user or role that a request would change, for the actions that know it.
/// Where a request sets a boundary, the key is that one, which the operation states itself.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>
pub(crate) fn boundary_fact(spec: &Spec, boundary: Option<&str>, facts: &mut Facts<'_>) {
    const KNOWN_TO: &[&str] = &[
        "AttachRolePolicy",
        "AttachUserPolicy",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DeleteUserPermissionsBoundary",
        "DeleteUserPolicy",
        "DetachRolePolicy",
        "DetachUserPolicy",
        "PutRolePolicy",
        "PutUserPolicy",
    ];
    if let Some(boundary) = boundary
        && spec.service == Service::Iam
        && KNOWN_TO.contains(&spec.name)
    {
        facts.add("iam:PermissionsBoundary", boundary);
    }
}

/// The record behind a user's or role's ARN; `None` for other ARNs.
pub(crate) fn principal_name(arn: &str) -> Option<Name> {
    let arn = Arn::parse(arn).filter(|arn| arn.service == "iam" && arn.region.is_empty())?;
    let account = AccountId::parse(arn.account)?;
    let (kind, path) = arn.resource.split_once('/')?;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty())?.to_owned();
    match kind {
        "user" => Some(Name::User(account, name)),
        "role" => Some(Name::Role(account, name)),
        _ => None,
    }
}

/// A unique id as AWS makes them: a prefix that says of what kind, then letters and digits of base 32.
/// `AIDA` is a user, `AROA` a role, `AKIA` a long-lived access key, `ASIA` a temporary one.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
pub(crate) fn random_id<const N: usize>(prefix: &str, generator: &mut dyn Generator) -> String {
    let mut bytes = [0; N];
    fill(generator, &mut bytes);
    let letter = |byte: &u8| {
        char::from(match byte & 31 {
            low @ 0..=25 => b'A' + low,
            high => b'2' + (high - 26),
        })
    };
    prefix.chars().chain(bytes.iter().map(letter)).collect()
}

/// The id of a user or role: 21 characters.
pub(crate) fn principal_id(prefix: &str, generator: &mut dyn Generator) -> String {
    random_id::<17>(prefix, generator)
}

/// The id of an access key: 20 characters.
pub(crate) fn access_key_id(prefix: &str, generator: &mut dyn Generator) -> String {
    random_id::<16>(prefix, generator)
}

/// A secret access key: 40 characters that carry 240 bits.
pub(crate) fn secret_access_key(generator: &mut dyn Generator) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 30]);
    fill(generator, &mut *bytes);
    Zeroizing::new(base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        bytes.as_slice(),
    ))
}

/// Compares by digest, so that the time taken says nothing about where two secrets differ.
pub(crate) fn same_secret(one: &str, other: &str) -> bool {
    Sha256::digest(one.as_bytes()) == Sha256::digest(other.as_bytes())
}

/// A new long-lived access key.
pub(crate) fn new_access_key(
    account: AccountId,
    owner: AccessKeyOwner,
    now: Timestamp,
    generator: &mut dyn Generator,
) -> AccessKeyRecord {
    let access_key_id = access_key_id("AKIA", generator);
    let secret = secret_access_key(generator).to_string();
    AccessKeyRecord { access_key_id, secret, account, owner, active: true, created: now }
}

/// A time as the query protocol writes it.
pub(crate) fn iso(time: Timestamp) -> String {
    chrono::DateTime::from_timestamp(time.seconds(), 0)
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        .unwrap_or_default()
}

pub(crate) fn root(
    account: AccountId,
    access_key_id: &str,
    secret: Zeroizing<String>,
) -> Credential {
    Credential {
        secret,
        kind: CallerKind::Root,
        arn: account.root_arn(),
        principal_arn: account.root_arn(),
        user_id: account.to_string(),
        account,
        access_key_id: access_key_id.to_owned(),
        tags: BTreeMap::new(),
        transitive_tags: BTreeSet::new(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: Vec::new(),
    }
}

/// A service has neither account nor policies of its own: what names it may be used by it.
pub(crate) fn of_service(
    account: AccountId,
    name: &str,
    access_key_id: &str,
    secret: Zeroizing<String>,
) -> Credential {
    Credential {
        secret,
        kind: CallerKind::Service { name: name.to_owned() },
        arn: name.to_owned(),
        principal_arn: name.to_owned(),
        user_id: name.to_owned(),
        account,
        access_key_id: access_key_id.to_owned(),
        tags: BTreeMap::new(),
        transitive_tags: BTreeSet::new(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: Vec::new(),
    }
}

pub(crate) fn of_user(
    user: &Arc<UserRecord>,
    access_key_id: &str,
    secret: Zeroizing<String>,
) -> Credential {
    Credential {
        secret,
        kind: CallerKind::User { name: user.name.clone() },
        account: user.account.clone(),
        arn: user.arn(),
        principal_arn: user.arn(),
        user_id: user.user_id.clone(),
        access_key_id: access_key_id.to_owned(),
        tags: user.tags.clone(),
        transitive_tags: BTreeSet::new(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: Vec::new(),
    }
}

pub(crate) fn of_role(
    role: &Arc<RoleRecord>,
    session_name: &str,
    access_key_id: &str,
    secret: Zeroizing<String>,
) -> Credential {
    Credential {
        secret,
        kind: CallerKind::RoleSession {
            role_name: role.name.clone(),
            role_arn: role.arn(),
            role_id: role.role_id.clone(),
            session_name: session_name.to_owned(),
        },
        account: role.account.clone(),
        arn: session_arn(role, session_name),
        principal_arn: role.arn(),
        user_id: format!("{}:{session_name}", role.role_id),
        access_key_id: access_key_id.to_owned(),
        tags: role.tags.clone(),
        transitive_tags: BTreeSet::new(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: Vec::new(),
    }
}

pub(crate) fn unrecognized() -> KmsError {
    KmsError::new(
        ErrorCode::UnrecognizedClient,
        "The security token included in the request is invalid.",
    )
}

pub(crate) fn unavailable(error: StoreError) -> KmsError {
    KmsError::internal(error)
}
