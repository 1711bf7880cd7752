//! What a caller's identity brings: credentials to verify a signature with, and the policies of its layers.
//!
//! INVARIANT: policies are read at decision time, so a policy that was removed stops counting at once.
//! INVARIANT: a session lives only as long as the very role (by unique id) it was made for.

use crate::Engine;
use keyward_store::StoreError;
use keyward_types::{
    AccessKeyOwner, AccountId, Caller, CallerKind, ErrorCode, IdentityDocument, KmsError, Name, Origin, RoleRecord,
    Timestamp, UserRecord,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use zeroize::Zeroizing;

/// The purpose under which session tokens are sealed.
const SESSION: &str = "session-token";

/// A secret to verify a signature with, and the caller that a good signature proves.
pub struct Credential {
    pub secret: Zeroizing<String>,
    kind: CallerKind,
    account: AccountId,
    arn: String,
    principal_arn: String,
    user_id: String,
    access_key_id: String,
    tags: BTreeMap<String, String>,
    issued: Option<Timestamp>,
    source_identity: Option<String>,
    session_policies: Vec<IdentityDocument>,
}

impl Credential {
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
            mfa: self.issued.map(|_| false),
            issued: self.issued,
            source_identity: self.source_identity,
            session_policies: self.session_policies,
            origin,
        }
    }
}

/// What a session token holds, sealed: the token is the session, and nothing is stored for it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    pub(crate) account: AccountId,
    pub(crate) holder: Holder,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) policies: Vec<IdentityDocument>,
}

/// Whose session it is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Holder {
    Root,
    User { name: String, user_id: String },
    Role { name: String, role_id: String, session_name: String },
}

/// The policies of a caller's own layers.
#[derive(Default)]
pub(crate) struct Identity {
    pub(crate) documents: Vec<IdentityDocument>,
    pub(crate) boundary: Option<IdentityDocument>,
    /// The record they came from.
    pub(crate) name: Option<Name>,
}

impl Engine {
    /// The credential behind an access key id. One refusal for every reason but expiry, so that nothing
    /// tells which part was wrong.
    pub fn credential(&self, access_key_id: &str, token: Option<&str>) -> Result<Credential, KmsError> {
        match token {
            Some(token) => self.session_credential(access_key_id, token),
            None => self.stored_credential(access_key_id),
        }
    }

    fn stored_credential(&self, access_key_id: &str) -> Result<Credential, KmsError> {
        let store = &self.world.store;
        let record = store.access_key(access_key_id).map_err(unavailable)?.filter(|key| key.active).ok_or_else(unrecognized)?;
        let secret = Zeroizing::new(record.secret.clone());
        match &record.owner {
            AccessKeyOwner::Root => Ok(root(record.account.clone(), access_key_id, secret)),
            AccessKeyOwner::User(name) => {
                let user = store.user(&record.account, name).map_err(unavailable)?.ok_or_else(unrecognized)?;
                Ok(of_user(&user, access_key_id, secret))
            }
        }
    }

    fn session_credential(&self, access_key_id: &str, token: &str) -> Result<Credential, KmsError> {
        let session = self.open_session(token).filter(|session| session.access_key_id == access_key_id).ok_or_else(unrecognized)?;
        if session.expires <= self.now() {
            return Err(KmsError::new(ErrorCode::ExpiredToken, "The security token included in the request is expired"));
        }
        let store = &self.world.store;
        let secret = Zeroizing::new(session.secret);
        let mut credential = match &session.holder {
            Holder::Root => root(session.account.clone(), access_key_id, secret),
            Holder::User { name, user_id } => {
                let user = store.user(&session.account, name).map_err(unavailable)?;
                let user = user.filter(|user| user.user_id == *user_id).ok_or_else(unrecognized)?;
                of_user(&user, access_key_id, secret)
            }
            Holder::Role { name, role_id, session_name } => {
                let role = store.role(&session.account, name).map_err(unavailable)?;
                let role = role.filter(|role| role.role_id == *role_id).ok_or_else(unrecognized)?;
                of_role(&role, session_name, access_key_id, secret)
            }
        };
        credential.tags.extend(session.tags);
        credential.issued = Some(session.issued);
        credential.source_identity = session.source_identity;
        credential.session_policies = session.policies;
        Ok(credential)
    }

    pub(crate) fn seal_session(&self, session: &Session, generator: &mut dyn keyward_types::Generator) -> Result<String, KmsError> {
        let plain = Zeroizing::new(serde_json::to_vec(session).map_err(KmsError::internal)?);
        Ok(crate::wording::token_text(&self.world.keyring.seal_token(SESSION, &plain, generator)))
    }

    fn open_session(&self, token: &str) -> Option<Session> {
        let sealed = crate::wording::token_bytes(token)?;
        let plain = self.world.keyring.open_token(SESSION, &sealed).ok().map(Zeroizing::new)?;
        serde_json::from_slice(&plain).ok()
    }

    /// The policies that reach a caller through its identity.
    pub(crate) fn identity(&self, caller: &Caller) -> Result<Identity, KmsError> {
        let store = &self.world.store;
        let gone = || KmsError::internal("the caller was removed while its request was decided");
        match &caller.kind {
            CallerKind::User { name } => {
                let user = store.user(&caller.account, name).map_err(KmsError::internal)?.ok_or_else(gone)?;
                Ok(Identity {
                    documents: inline(&user.policies),
                    boundary: None,
                    name: Some(Name::User(caller.account.clone(), name.clone())),
                })
            }
            CallerKind::RoleSession { role_name, .. } => {
                let role = store.role(&caller.account, role_name).map_err(KmsError::internal)?.ok_or_else(gone)?;
                Ok(Identity {
                    documents: inline(&role.policies),
                    boundary: None,
                    name: Some(Name::Role(caller.account.clone(), role_name.clone())),
                })
            }
            CallerKind::Root | CallerKind::Federated { .. } | CallerKind::Service { .. } => Ok(Identity::default()),
        }
    }
}

fn inline(policies: &BTreeMap<String, keyward_types::caller::Document>) -> Vec<IdentityDocument> {
    policies
        .iter()
        .map(|(name, document)| IdentityDocument { source: format!("inline policy {name}"), document: document.clone() })
        .collect()
}

fn root(account: AccountId, access_key_id: &str, secret: Zeroizing<String>) -> Credential {
    Credential {
        secret,
        kind: CallerKind::Root,
        arn: account.root_arn(),
        principal_arn: account.root_arn(),
        user_id: account.to_string(),
        account,
        access_key_id: access_key_id.to_owned(),
        tags: BTreeMap::new(),
        issued: None,
        source_identity: None,
        session_policies: Vec::new(),
    }
}

fn of_user(user: &Arc<UserRecord>, access_key_id: &str, secret: Zeroizing<String>) -> Credential {
    Credential {
        secret,
        kind: CallerKind::User { name: user.name.clone() },
        account: user.account.clone(),
        arn: user.arn(),
        principal_arn: user.arn(),
        user_id: user.user_id.clone(),
        access_key_id: access_key_id.to_owned(),
        tags: user.tags.clone(),
        issued: None,
        source_identity: None,
        session_policies: Vec::new(),
    }
}

fn of_role(role: &Arc<RoleRecord>, session_name: &str, access_key_id: &str, secret: Zeroizing<String>) -> Credential {
    Credential {
        secret,
        kind: CallerKind::RoleSession {
            role_name: role.name.clone(),
            role_arn: role.arn(),
            role_id: role.role_id.clone(),
            session_name: session_name.to_owned(),
        },
        account: role.account.clone(),
        arn: format!("arn:aws:sts::{}:assumed-role/{}/{session_name}", role.account, role.name),
        principal_arn: role.arn(),
        user_id: format!("{}:{session_name}", role.role_id),
        access_key_id: access_key_id.to_owned(),
        tags: role.tags.clone(),
        issued: None,
        source_identity: None,
        session_policies: Vec::new(),
    }
}

fn unrecognized() -> KmsError {
    KmsError::new(ErrorCode::UnrecognizedClient, "The security token included in the request is invalid.")
}

fn unavailable(error: StoreError) -> KmsError {
    KmsError::internal(error)
}
