//! The specification, evaluated slowly: JSON values and strings, no Cedar, no compilation, no code of the engine.
//!
//! It is meant to be checked by reading it next to the decision table. `statement.rs` says whether a statement
//! speaks of a request, `condition.rs` and `keys.rs` what conditions say, `text.rs` how texts match,
//! `grammar.rs` which documents are refused.
//!
//! Where the specification leaves a choice, this is how it is read:
//!
//! - A document that applies and is malformed refuses the request (row 0), even if no statement of it is needed.
//! - A Deny in the RAM policy of a key counts, like any other.
//! - Row 7 also refuses an operation on something that is no key and belongs to another account: row 17 is for
//!   the same account.
//! - Row 12 names the first silent layer of identity, boundary, session; identity only where no role or user
//!   behind the caller was named, for then the identity policy was not needed.
//! - A reserved alias refuses whatever the table says, except that an explicit Deny is reported as one.
//! - Everybody (`*`) includes services.
//! - A federated session without session policies has none to allow it: it is silent, not absent.
//! - A statement that looks at a key which the request has in two spellings never allows and always denies,
//!   whatever the operator is. Variables are looks.
//! - A value that a typed operator cannot read is no match, so a negated operator holds of it.
//! - IfExists on an absent key holds, also with `ForAnyValue`.
//! - `*` alone, as a value of an ARN operator, is any ARN.
//! - A bare four-digit year is a number of seconds.

mod condition;
pub(crate) mod grammar;
mod keys;
mod statement;
mod text;

pub(crate) use grammar::Kind;

use keyward_types::{Caller, CallerKind, Effect, GrantRecord, Layer, Reason};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every document around one key, and the key itself.
#[derive(Clone, Debug)]
pub(crate) struct Documents {
    pub(crate) key_arn: String,
    pub(crate) owner: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) key_policy: Option<Value>,
    pub(crate) ram_policy: Option<Value>,
    /// The trust policy of a role that somebody may want to assume.
    pub(crate) trust: Value,
    pub(crate) identity: Vec<Value>,
    pub(crate) boundary: Option<Value>,
    pub(crate) session: Vec<Value>,
    pub(crate) scps: Vec<Vec<Value>>,
    pub(crate) rcps: Vec<Vec<Value>>,
    pub(crate) endpoint: Option<Value>,
    pub(crate) grants: Vec<GrantRecord>,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Key,
    Role(String),
    Alias(String),
    Other(String),
    Any,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) caller: Caller,
    pub(crate) action: String,
    pub(crate) target: Target,
    pub(crate) cross_account_allowed: bool,
    pub(crate) ignores_arns: bool,
    pub(crate) context: BTreeMap<String, String>,
    /// Names as they were stated, in that order, and their values.
    pub(crate) facts: Vec<(String, Vec<String>)>,
    pub(crate) child: Option<GrantRecord>,
}

/// Effect, reason and row.
pub(crate) type Answer = (Effect, Reason, u8);

/// How a resource-side statement names the caller, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    Session,
    Entity,
    Account,
}

/// What one document, or several together, say.
#[derive(Clone, Debug, Default)]
struct Said {
    allow: bool,
    deny: bool,
    /// By which kinds the matching Allow statements name the caller.
    kinds: BTreeSet<Match>,
}

impl Said {
    fn and(mut self, other: Self) -> Self {
        self.allow |= other.allow;
        self.deny |= other.deny;
        self.kinds.extend(other.kinds);
        self
    }
}

/// A request among its documents.
#[derive(Clone, Copy)]
pub(crate) struct Oracle<'a> {
    pub(crate) documents: &'a Documents,
    pub(crate) ask: &'a Ask,
}

impl Oracle<'_> {
    /// The decision.
    pub(crate) fn decide(&self) -> Answer {
        if self.applying().iter().any(|(kind, document)| grammar::is_refused(document, *kind)) {
            return (Effect::ImplicitDeny, Reason::EvaluationFailed, 0);
        }
        let answer = self.table();
        if answer.0 != Effect::ExplicitDeny && self.is_reserved_alias() {
            return (Effect::ImplicitDeny, Reason::ReservedAlias, 18);
        }
        answer
    }

    /// Section 1.10, row by row.
    fn table(&self) -> Answer {
        let refuse = |layer, row| (Effect::ImplicitDeny, Reason::NotAllowed(layer), row);
        let allow = |reason, row| (Effect::Allow, reason, row);
        let all = |kind, list: &[Value]| {
            list.iter().map(|one| self.said(one, kind)).fold(Said::default(), Said::and)
        };

        let rcps: Vec<Said> =
            self.rcps().iter().map(|level| all(Kind::Resource, level.as_slice())).collect();
        let scps: Vec<Said> =
            self.scps().iter().map(|level| all(Kind::Identity, level.as_slice())).collect();
        let endpoint = self.documents.endpoint.as_ref().map(|d| self.said(d, Kind::Resource));
        let resource = self
            .resource_side()
            .iter()
            .map(|(kind, document)| self.said_then(document, *kind, true))
            .fold(Said::default(), Said::and);
        let identity = all(Kind::Identity, self.identity());
        let boundary = self.boundary().map(|document| self.said(document, Kind::Identity));
        let session =
            self.has_session_layer().then(|| all(Kind::Identity, self.session_policies()));

        // 1: the first layer with a Deny, in AWS's order.
        let says_no = |said: &Option<Said>| said.as_ref().is_some_and(|said| said.deny);
        let denies = [
            (Layer::ResourceControlPolicy, rcps.iter().any(|level| level.deny)),
            (Layer::ServiceControlPolicy, scps.iter().any(|level| level.deny)),
            (Layer::VpcEndpointPolicy, says_no(&endpoint)),
            (Layer::KeyPolicy, resource.deny),
            (Layer::IdentityPolicy, identity.deny),
            (Layer::PermissionsBoundary, says_no(&boundary)),
            (Layer::SessionPolicy, says_no(&session)),
        ];
        if let Some((layer, _)) = denies.iter().find(|(_, denies)| *denies) {
            return (Effect::ExplicitDeny, Reason::Denied(*layer), 1);
        }
        // 2: RCPFullAWSAccess is always attached, so an RCP level is never silent.
        // 3
        if scps.iter().any(|level| !level.allow) {
            return refuse(Layer::ServiceControlPolicy, 3);
        }
        let ok = |said: &Option<Said>| said.as_ref().is_none_or(|said| said.allow);
        // 4
        if !ok(&endpoint) {
            return refuse(Layer::VpcEndpointPolicy, 4);
        }

        let grants = self.grants();
        let mut kinds = resource.kinds;
        kinds.extend(grants.iter().map(|(kind, _)| *kind));
        let own_grant =
            grants.iter().any(|(_, grant)| grant.issuing_account == self.ask.caller.account);

        // 5 and 6
        if self.is_service() {
            return if kinds.contains(&Match::Session) {
                allow(Reason::NamesService, 6)
            } else {
                refuse(Layer::KeyPolicy, 5)
            };
        }
        let own_policy = matches!(self.ask.target, Target::Key | Target::Role(_));
        let same_account = self.resource_account().is_none_or(|account| account == self.account());
        // 7
        let offered = own_policy && self.ask.cross_account_allowed;
        if !same_account && !offered {
            return (Effect::ImplicitDeny, Reason::NotCrossAccount, 7);
        }
        let root = matches!(self.ask.caller.kind, CallerKind::Root);
        let identity_ok = identity.allow || root;
        let (boundary_ok, session_ok) = (ok(&boundary), ok(&session));
        let narrowing_ok = boundary_ok && session_ok;
        let silent = |identity_needed: bool| {
            if identity_needed && !identity_ok {
                Layer::IdentityPolicy
            } else if !boundary_ok {
                Layer::PermissionsBoundary
            } else {
                Layer::SessionPolicy
            }
        };
        // 17
        if !own_policy {
            return if identity_ok && narrowing_ok {
                allow(Reason::AccountOperation, 17)
            } else {
                refuse(silent(true), 17)
            };
        }
        if same_account {
            return if kinds.contains(&Match::Session) {
                allow(Reason::NamesCaller, 8)
            } else if kinds.contains(&Match::Entity) && narrowing_ok {
                allow(Reason::NamesEntity, 9)
            } else if kinds.contains(&Match::Account) && identity_ok && narrowing_ok {
                allow(Reason::DelegatedToIam, 10)
            } else if kinds.is_empty() {
                refuse(Layer::KeyPolicy, 11)
            } else {
                refuse(silent(!kinds.contains(&Match::Entity)), 12)
            };
        }
        if kinds.is_empty() {
            refuse(Layer::KeyPolicy, 13)
        } else if !identity_ok && !own_grant {
            refuse(Layer::IdentityPolicy, 14)
        } else if !narrowing_ok {
            refuse(silent(false), 15)
        } else {
            allow(Reason::CrossAccount, 16)
        }
    }

    /// Every document that the request is under, and its kind.
    fn applying(&self) -> Vec<(Kind, &Value)> {
        let mut all: Vec<(Kind, &Value)> = self.resource_side();
        all.extend(self.rcps().iter().flatten().map(|one| (Kind::Resource, one)));
        all.extend(self.documents.endpoint.iter().map(|one| (Kind::Resource, one)));
        let of_caller = self.scps().iter().flatten();
        let of_caller = of_caller.chain(self.identity()).chain(self.boundary());
        all.extend(of_caller.chain(self.session_policies()).map(|one| (Kind::Identity, one)));
        all
    }

    /// The documents of the resource itself.
    fn resource_side(&self) -> Vec<(Kind, &Value)> {
        let Documents { key_policy, ram_policy, trust, .. } = self.documents;
        match self.ask.target {
            Target::Key => {
                key_policy.iter().chain(ram_policy).map(|one| (Kind::Resource, one)).collect()
            }
            Target::Role(_) => vec![(Kind::Trust, trust)],
            _ => Vec::new(),
        }
    }

    /// For keys and roles, and not for service-linked roles; RetireGrant is outside them.
    fn rcps(&self) -> &[Vec<Value>] {
        let apply = matches!(self.ask.target, Target::Key | Target::Role(_))
            && !self.is_service_linked()
            && self.ask.action != "kms:RetireGrant";
        if apply { &self.documents.rcps } else { &[] }
    }

    /// Not for services and service-linked roles.
    fn scps(&self) -> &[Vec<Value>] {
        if self.is_service() || self.is_service_linked() { &[] } else { &self.documents.scps }
    }

    fn identity(&self) -> &[Value] {
        if self.is_service() { &[] } else { &self.documents.identity }
    }

    fn boundary(&self) -> Option<&Value> {
        self.documents.boundary.as_ref().filter(|_| !self.is_service())
    }

    fn session_policies(&self) -> &[Value] {
        if self.is_service() { &[] } else { &self.documents.session }
    }

    fn has_session_layer(&self) -> bool {
        !self.session_policies().is_empty()
            || matches!(self.ask.caller.kind, CallerKind::Federated { .. })
    }

    fn is_service(&self) -> bool {
        matches!(self.ask.caller.kind, CallerKind::Service { .. })
    }

    fn is_service_linked(&self) -> bool {
        match &self.ask.caller.kind {
            CallerKind::RoleSession { role_arn, .. } => {
                role_arn.contains(":role/aws-service-role/")
            }
            _ => false,
        }
    }

    fn account(&self) -> &str {
        self.ask.caller.account.as_str()
    }

    fn resource_arn(&self) -> &str {
        match &self.ask.target {
            Target::Key => &self.documents.key_arn,
            Target::Role(arn) | Target::Alias(arn) | Target::Other(arn) => arn,
            Target::Any => "*",
        }
    }

    fn resource_account(&self) -> Option<&str> {
        match self.ask.target {
            Target::Key => Some(&self.documents.owner),
            _ => self.resource_arn().split(':').nth(4),
        }
    }

    fn is_reserved_alias(&self) -> bool {
        let changes = ["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"];
        matches!(&self.ask.target, Target::Alias(arn) if arn.contains(":alias/aws/"))
            && changes.contains(&self.ask.action.as_str())
    }

    /// The grants that apply, and how each names the caller.
    fn grants(&self) -> Vec<(Match, &GrantRecord)> {
        if self.ask.target != Target::Key {
            return Vec::new();
        }
        let apply = |grant| Some((self.grant(grant)?, grant));
        self.documents.grants.iter().filter_map(apply).collect()
    }
}
