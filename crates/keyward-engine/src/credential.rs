//! Long-lived credentials: the secret to verify a signature with, and the caller that a good one proves; and
//! how ids and secrets are drawn. Temporary credentials are in `session.rs`.

use crate::{Engine, directory::session_arn, world::fill};
use keyward_store::StoreError;
use keyward_types::{
    AccessKeyOwner, AccessKeyRecord, AccountId, Caller, CallerKind, ErrorCode, Generator,
    IdentityDocument, KmsError, Origin, RoleRecord, Timestamp, UserRecord,
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
