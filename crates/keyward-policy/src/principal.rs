//! Principals in policies, and callers as Cedar entities.
//!
//! | IAM | Cedar |
//! |---|---|
//! | account | `Account::"111122223333"` |
//! | root user | `Root::"<account>"` in its account |
//! | user | `User::"<arn>"` in its account |
//! | role session | `Session::"<session arn>"` in `Role::"<role arn>"` and its account |
//! | federated session | `Federated::"<arn>"` in `User::"<arn>"` and its account |
//! | service | `Service::"s3.amazonaws.com"` |
//!
//! A unique id (`AIDA…`, `AROA…`) is what AWS shows in a policy whose user or role was deleted. It is no
//! entity: the test reads `aws:userid`, so it means that one user or role and no later one of its name.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use crate::{
    build::{self, Node},
    condition::emit::{Needs, View},
    keys::KEYS,
    pattern::{Pattern, Piece},
};
use keyward_types::{AccountId, Arn, Caller, CallerKind, MatchKind};

/// A principal as a policy or a grant names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Anyone,
    Account(String),
    User(String),
    Role(String),
    Session(String),
    Federated(String),
    Service(String),
    /// The unique id of a user (`AIDA…`).
    UserId(String),
    /// The unique id of a role (`AROA…`).
    RoleId(String),
    /// An identity provider in a trust policy; no caller of ours is one.
    Provider,
}

/// `kind` is the name in the Principal object, or `*` for a bare text.
pub(crate) fn parse(kind: &str, text: &str, trust: bool) -> Option<Named> {
    match kind {
        "*" => (text == "*").then_some(Named::Anyone),
        "AWS" if text == "*" => Some(Named::Anyone),
        "AWS" => parse_unique_id(text).or_else(|| parse_arn(text)),
        "Service" => is_service(text).then(|| Named::Service(text.to_owned())),
        "Federated" if trust && !text.is_empty() => Some(Named::Provider),
        _ => None,
    }
}

/// An account id, or the ARN of an account, user, role, role session or federated user.
pub(crate) fn parse_arn(text: &str) -> Option<Named> {
    if let Some(account) = AccountId::parse(text) {
        return Some(Named::Account(account.as_str().to_owned()));
    }
    let arn = Arn::parse(text)?;
    let account = AccountId::parse(arn.account)?;
    let name_ok =
        |name: &str| !name.is_empty() && !name.ends_with('/') && !name.contains(['*', '?', ' ']);
    if !arn.region.is_empty() || !arn.partition.starts_with("aws") {
        return None;
    }
    if arn.service == "iam" && arn.resource == "root" {
        return Some(Named::Account(account.as_str().to_owned()));
    }
    let (kind, name) = arn.resource.split_once('/')?;
    if !name_ok(name) {
        return None;
    }
    match (arn.service, kind) {
        ("iam", "user") => Some(Named::User(text.to_owned())),
        ("iam", "role") => Some(Named::Role(text.to_owned())),
        ("sts", "assumed-role") if name.split('/').count() == 2 => {
            Some(Named::Session(text.to_owned()))
        }
        ("sts", "federated-user") => Some(Named::Federated(text.to_owned())),
        _ => None,
    }
}

/// Shorter texts are names that happen to begin alike.
const UNIQUE_ID_CHARS: core::ops::RangeInclusive<usize> = 16..=128;

fn parse_unique_id(text: &str) -> Option<Named> {
    let fits = UNIQUE_ID_CHARS.contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    match text.get(..4).filter(|_| fits)? {
        "AIDA" => Some(Named::UserId(text.to_owned())),
        "AROA" => Some(Named::RoleId(text.to_owned())),
        _ => None,
    }
}

fn is_service(text: &str) -> bool {
    text.contains('.')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
}

impl Named {
    /// The Cedar test that the principal is named by this, and the kind of match it makes.
    ///
    /// A user's ARN names the user, and the sessions that were federated from it; they are two kinds.
    pub(crate) fn tests(&self, needs: &mut Needs) -> Option<Vec<(MatchKind, Node)>> {
        let same = |ty: &str, id: &str| {
            Some(build::equal(build::principal(), build::entity_node(build::entity(ty, id)?)))
        };
        let below = |ty: &str, id: &str| {
            Some(build::within(build::principal(), build::entity_node(build::entity(ty, id)?)))
        };
        Some(match self {
            Self::Anyone => vec![(MatchKind::Session, build::all(Vec::new()))],
            Self::Account(id) => vec![(MatchKind::Account, below("Account", id)?)],
            Self::User(arn) => vec![
                (MatchKind::Session, same("User", arn)?),
                (
                    MatchKind::Entity,
                    build::and(
                        build::is_type(build::principal(), "Federated")?,
                        below("User", arn)?,
                    ),
                ),
            ],
            Self::Role(arn) => vec![(MatchKind::Entity, below("Role", arn)?)],
            Self::Session(arn) => vec![(MatchKind::Session, same("Session", arn)?)],
            Self::Federated(arn) => vec![(MatchKind::Session, same("Federated", arn)?)],
            Self::Service(name) => vec![(MatchKind::Session, same("Service", name)?)],
            Self::UserId(id) => {
                let same = |have| build::equal(have, build::text(id));
                vec![(MatchKind::Session, with_user_id("User", needs, same)?)]
            }
            Self::RoleId(id) => {
                // `aws:userid` of a role's session is the role's id, a colon and the session's name.
                let session = id.chars().chain([':']).map(Piece::Char).chain([Piece::Star]);
                let pattern = Pattern(session.collect());
                let below = |have| build::like(have, &pattern);
                vec![(MatchKind::Entity, with_user_id("Session", needs, below)?)]
            }
            Self::Provider => Vec::new(),
        })
    }
}

const USER_ID: &str = "aws:userid";

/// The caller is of this type, and its `aws:userid` passes `test`.
fn with_user_id(ty: &str, needs: &mut Needs, test: impl FnOnce(Node) -> Node) -> Option<Node> {
    let row = KEYS.binary_search_by(|row| row.name.cmp(USER_ID)).ok()?;
    needs.fixed.insert((row, View::Text));
    let held = build::and(build::has(USER_ID), test(build::context(USER_ID)));
    Some(build::and(build::is_type(build::principal(), ty)?, held))
}

impl Named {
    /// The text that one of [`Standing::names`] must equal for [`Self::tests`] to hold of a caller.
    /// `None` where that does not tell.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            // An id is no name of its caller's.
            Self::Anyone | Self::UserId(_) | Self::RoleId(_) => None,
            Self::Account(name)
            | Self::User(name)
            | Self::Role(name)
            | Self::Session(name)
            | Self::Federated(name)
            | Self::Service(name) => Some(name),
            // Nobody's name.
            Self::Provider => Some(""),
        }
    }
}

/// A caller as an entity: its type and id, what stands behind it, and its account.
///
/// These three are also the texts by which a grant can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Standing<'c> {
    pub(crate) ty: &'static str,
    pub(crate) id: &'c str,
    /// The role of a session, or the user of a federated one.
    pub(crate) behind: Option<(&'static str, &'c str)>,
    /// `None` for a service.
    pub(crate) account: Option<&'c str>,
}

impl<'c> Standing<'c> {
    /// Every text by which a policy can name this caller.
    pub(crate) fn names(&self) -> [Option<&'c str>; 3] {
        [Some(self.id), self.behind.map(|(_, id)| id), self.account]
    }
}

pub(crate) fn standing(caller: &Caller) -> Standing<'_> {
    let account = Some(caller.account.as_str());
    let (ty, id, behind) = match &caller.kind {
        CallerKind::Root => ("Root", caller.account.as_str(), None),
        CallerKind::User { .. } => ("User", caller.arn.as_str(), None),
        CallerKind::RoleSession { role_arn, .. } => {
            ("Session", caller.arn.as_str(), Some(("Role", role_arn.as_str())))
        }
        CallerKind::Federated { user_arn, .. } => {
            ("Federated", caller.arn.as_str(), user_arn.as_deref().map(|arn| ("User", arn)))
        }
        CallerKind::Service { name } => {
            return Standing { ty: "Service", id: name, behind: None, account: None };
        }
    };
    Standing { ty, id, behind, account }
}
