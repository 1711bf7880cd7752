//! An authenticated principal, and where its request came from.
//!
//! INVARIANT: a [`Caller`] is made only after its signature was verified, or by the service for itself.

use crate::{AccountId, Region, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// An IAM document with its digest, by which compiled forms are cached.
///
/// INVARIANT: `digest` is SHA-256 of `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    text: Arc<str>,
    digest: [u8; 32],
}

impl Document {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let digest = Sha256::digest(text.as_bytes()).into();
        Self { text, digest }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl Serialize for Document {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A document that reaches a caller through its identity, and the name by which explanations call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityDocument {
    /// Such as `inline:AppUse` or a managed policy's ARN.
    pub source: String,
    pub document: Document,
}

/// What the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerKind {
    Root,
    User {
        name: String,
    },
    /// A session of a role.
    RoleSession {
        role_name: String,
        role_arn: String,
        role_id: String,
        session_name: String,
    },
    /// A session that a user made for somebody else (`GetFederationToken`).
    Federated {
        user_arn: Option<String>,
        name: String,
    },
    /// An AWS service, such as `s3.amazonaws.com`.
    Service {
        name: String,
    },
}

/// Where a request came from and how it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub request_id: uuid::Uuid,
    pub source_ip: String,
    pub user_agent: String,
    /// The Region of the signing scope: a request is for keys of this Region.
    pub region: Region,
    pub secure_transport: bool,
    /// What the client called this host.
    pub host: String,
    /// Condition keys that only a trusted front can know (`kms:ViaService`, `aws:SourceVpce`, …),
    /// names in lower case. Empty unless configuration says who is trusted.
    pub trusted_facts: BTreeMap<String, String>,
}

/// An authenticated principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub kind: CallerKind,
    pub account: AccountId,
    /// The ARN by which messages and events name the caller; a session's own for sessions.
    pub arn: String,
    /// `aws:PrincipalArn`: the role's ARN for its sessions, else the same as `arn`.
    pub principal_arn: String,
    /// `aws:userid`: `AIDA…`, `AROA…:session`, or the account.
    pub user_id: String,
    pub access_key_id: String,
    /// Tags of the user or role, overlaid by session tags.
    pub tags: BTreeMap<String, String>,
    /// Names of the session tags that go along when this session assumes a role.
    pub transitive_tags: BTreeSet<String>,
    /// When temporary credentials were issued; `None` for long-lived ones.
    pub issued: Option<Timestamp>,
    /// Whether MFA was shown when they were issued; `None` for long-lived credentials.
    pub mfa: Option<bool>,
    pub source_identity: Option<String>,
    /// Policies passed when the session was made; they only narrow.
    pub session_policies: Vec<IdentityDocument>,
    pub origin: Origin,
}

impl Caller {
    /// The id that survives in stored policies and grants when a principal is deleted and made again:
    /// the user's or the role's own, without a session name.
    pub fn unique_id(&self) -> &str {
        self.user_id.split(':').next().unwrap_or(&self.user_id)
    }

    pub fn is_root(&self) -> bool {
        self.kind == CallerKind::Root
    }

    /// The ARNs by which a policy or a grant can name this caller directly, strongest first.
    pub fn arns(&self) -> Vec<&str> {
        let mut arns = vec![self.arn.as_str()];
        if self.principal_arn != self.arn {
            arns.push(&self.principal_arn);
        }
        if let CallerKind::Federated { user_arn: Some(user_arn), .. } = &self.kind {
            arns.push(user_arn);
        }
        arns
    }
}
