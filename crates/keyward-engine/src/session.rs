//! Temporary credentials: the sealed token that is the session, and who a good one proves.
//!
//! Nothing is stored for a session. Its own policies travel in the token; managed session policies by ARN, and
//! their documents are those in force when a request comes.
//!
//! INVARIANT: a session lives only as long as the very user or role (by unique id) it was made for.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html>

use crate::{
    Engine,
    credential::{Credential, of_role, of_user, root, unavailable, unrecognized},
};
use keyward_types::{
    AccountId, CallerKind, ErrorCode, Generator, IdentityDocument, KmsError, Name, Timestamp,
    caller::Document,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// The purpose under which session tokens are sealed.
const SESSION: &str = "session-token";

/// A managed session policy that is no more allows nothing.
const NOTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// What a session token holds, sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    pub(crate) account: AccountId,
    pub(crate) holder: Holder,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) transitive_tags: BTreeSet<String>,
    pub(crate) source_identity: Option<String>,
    /// Whether MFA was shown for it.
    #[serde(default)]
    pub(crate) mfa: bool,
    pub(crate) policies: Vec<IdentityDocument>,
    /// ARNs of managed policies that narrow it too.
    #[serde(default)]
    pub(crate) policy_arns: Vec<String>,
}

/// Whose session it is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Holder {
    Root,
    User {
        name: String,
        user_id: String,
    },
    Role {
        name: String,
        role_id: String,
        session_name: String,
    },
    /// Made by a user, or by the root user, for somebody else.
    Federated {
        by: Option<(String, String)>,
        name: String,
    },
}

impl Session {
    /// A session without tags and policies; `Credentials::issue` fills in the key.
    pub(crate) fn new(account: AccountId, holder: Holder, issued: Timestamp, seconds: i64) -> Self {
        Self {
            access_key_id: String::new(),
            secret: String::new(),
            account,
            holder,
            issued,
            expires: issued.plus_seconds(seconds),
            tags: BTreeMap::new(),
            transitive_tags: BTreeSet::new(),
            source_identity: None,
            mfa: false,
            policies: Vec::new(),
            policy_arns: Vec::new(),
        }
    }
}

impl Engine {
    pub(crate) fn session_credential(
        &self,
        access_key_id: &str,
        token: &str,
    ) -> Result<Credential, KmsError> {
        let session = self
            .open_session(token)
            .filter(|session| session.access_key_id == access_key_id)
            .ok_or_else(unrecognized)?;
        if session.expires <= self.now() {
            return Err(KmsError::new(
                ErrorCode::ExpiredToken,
                "The security token included in the request is expired",
            ));
        }
        let mut credential = self.holder_of(&session, access_key_id)?;
        // A session's tag takes the place of its user's or role's, in any case.
        let folded: BTreeSet<String> = session.tags.keys().map(|key| key.to_lowercase()).collect();
        credential.tags.retain(|key, _| !folded.contains(&key.to_lowercase()));
        credential.tags.extend(session.tags);
        credential.transitive_tags = session.transitive_tags;
        credential.issued = Some(session.issued);
        credential.mfa = Some(session.mfa);
        credential.source_identity = session.source_identity;
        credential.session_policies = session.policies;
        for arn in &session.policy_arns {
            let policy = self.session_policy(arn, &mut Vec::new())?;
            credential.session_policies.push(policy);
        }
        Ok(credential)
    }

    /// A managed policy as a session policy.
    pub(crate) fn session_policy(
        &self,
        arn: &str,
        rested_on: &mut Vec<Name>,
    ) -> Result<IdentityDocument, KmsError> {
        let found = self.managed_document(arn, rested_on)?;
        Ok(found.unwrap_or_else(|| IdentityDocument {
            source: arn.to_owned(),
            document: Document::new(NOTHING),
        }))
    }

    fn holder_of(&self, session: &Session, access_key_id: &str) -> Result<Credential, KmsError> {
        let store = &self.world.store;
        let secret = Zeroizing::new(session.secret.clone());
        let account = &session.account;
        let user = |name: &str, user_id: &str| {
            let user = store.user(account, name).map_err(unavailable)?;
            user.filter(|user| user.user_id == user_id).ok_or_else(unrecognized)
        };
        match &session.holder {
            Holder::Root => Ok(root(account.clone(), access_key_id, secret)),
            Holder::User { name, user_id } => {
                Ok(of_user(&user(name, user_id)?, access_key_id, secret))
            }
            Holder::Role { name, role_id, session_name } => {
                let role = store.role(account, name).map_err(unavailable)?;
                let role = role.filter(|role| role.role_id == *role_id).ok_or_else(unrecognized)?;
                Ok(of_role(&role, session_name, access_key_id, secret))
            }
            Holder::Federated { by, name } => {
                let by = by.as_ref().map(|(name, user_id)| user(name, user_id)).transpose()?;
                let of = match &by {
                    Some(user) => of_user(user, access_key_id, secret),
                    None => root(account.clone(), access_key_id, secret),
                };
                let arn = federated_arn(account, name);
                Ok(Credential {
                    kind: CallerKind::Federated {
                        user_arn: by.map(|user| user.arn()),
                        name: name.clone(),
                    },
                    principal_arn: arn.clone(),
                    arn,
                    user_id: format!("{account}:{name}"),
                    ..of
                })
            }
        }
    }

    pub(crate) fn seal_session(
        &self,
        session: &Session,
        generator: &mut dyn Generator,
    ) -> Result<String, KmsError> {
        let plain = Zeroizing::new(serde_json::to_vec(session).map_err(KmsError::internal)?);
        let sealed = self
            .world
            .keyring
            .seal_token(SESSION, &plain, generator)
            .map_err(KmsError::internal)?;
        Ok(crate::wording::token_text(&sealed))
    }

    fn open_session(&self, token: &str) -> Option<Session> {
        let sealed = crate::wording::token_bytes(token)?;
        let plain = self.world.keyring.open_token(SESSION, &sealed).ok().map(Zeroizing::new)?;
        serde_json::from_slice(&plain).ok()
    }
}

pub(crate) fn federated_arn(account: &AccountId, name: &str) -> String {
    format!("arn:aws:sts::{account}:federated-user/{name}")
}
