//! The decision table: what the layers say, composed into one answer.
//!
//! `policies/base/compose.cedar` states the same table in Cedar, and a test compares the two over every
//! combination. Row numbers are those of `policies/README.md` and of `Decision::rule`.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use keyward_types::{Effect, Layer, Reason};

/// What the layers say about one request.
///
/// `*_ok`: the layer is absent or has a matching Allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a decision table is a function of truths")]
pub struct Tally {
    /// The first layer with a matching Deny; a freeze before all others.
    pub denied: Option<Layer>,
    pub rcp_ok: bool,
    pub scp_ok: bool,
    pub endpoint_ok: bool,
    /// The caller is an AWS service.
    pub service: bool,
    /// The resource is a key; otherwise identity policies alone decide.
    pub key_operation: bool,
    pub same_account: bool,
    pub cross_account_allowed: bool,
    /// The key policy or a grant names the caller itself,
    pub names_caller: bool,
    /// the role or user behind it,
    pub names_entity: bool,
    /// or its account.
    pub names_account: bool,
    pub identity_allows: bool,
    pub root: bool,
    pub boundary_ok: bool,
    pub session_ok: bool,
    /// A matching grant was issued by the caller's own account.
    pub own_grant: bool,
}

/// Effect, reason and row.
pub type Verdict = (Effect, Reason, u8);

impl Tally {
    /// The first row that fits.
    pub fn verdict(&self) -> Verdict {
        if let Some(layer) = self.denied {
            return (Effect::ExplicitDeny, Reason::Denied(layer), 1);
        }
        if let Some(verdict) = self.guards() {
            return verdict;
        }
        match (self.key_operation, self.same_account) {
            (false, _) => self.on_account(),
            (true, true) => self.in_account(),
            (true, false) => self.across_accounts(),
        }
    }

    /// Rows 2 to 7.
    fn guards(&self) -> Option<Verdict> {
        let refuse = |layer, row| Some((Effect::ImplicitDeny, Reason::NotAllowed(layer), row));
        match self {
            Self { rcp_ok: false, .. } => refuse(Layer::ResourceControlPolicy, 2),
            Self { scp_ok: false, .. } => refuse(Layer::ServiceControlPolicy, 3),
            Self { endpoint_ok: false, .. } => refuse(Layer::VpcEndpointPolicy, 4),
            Self { service: true, names_caller: false, .. } => refuse(Layer::KeyPolicy, 5),
            Self { service: true, names_caller: true, .. } => {
                Some((Effect::Allow, Reason::NamesService, 6))
            }
            // What has no policy of its own has nobody in its account who could say yes.
            Self { same_account: false, cross_account_allowed: false, .. }
            | Self { same_account: false, key_operation: false, .. } => {
                Some((Effect::ImplicitDeny, Reason::NotCrossAccount, 7))
            }
            _ => None,
        }
    }

    /// Rows 8 to 12.
    fn in_account(&self) -> Verdict {
        let narrowed = self.boundary_ok && self.session_ok;
        if self.names_caller {
            (Effect::Allow, Reason::NamesCaller, 8)
        } else if self.names_entity && narrowed {
            (Effect::Allow, Reason::NamesEntity, 9)
        } else if self.names_account && self.identity_ok() && narrowed {
            (Effect::Allow, Reason::DelegatedToIam, 10)
        } else if !self.names_anyone() {
            (Effect::ImplicitDeny, Reason::NotAllowed(Layer::KeyPolicy), 11)
        } else {
            // Who is named as entity needs no identity policy; only what narrows was in the way.
            (Effect::ImplicitDeny, Reason::NotAllowed(self.silent(!self.names_entity)), 12)
        }
    }

    /// Rows 13 to 16.
    fn across_accounts(&self) -> Verdict {
        if !self.names_anyone() {
            (Effect::ImplicitDeny, Reason::NotAllowed(Layer::KeyPolicy), 13)
        } else if !self.identity_ok() && !self.own_grant {
            (Effect::ImplicitDeny, Reason::NotAllowed(Layer::IdentityPolicy), 14)
        } else if !self.boundary_ok || !self.session_ok {
            (Effect::ImplicitDeny, Reason::NotAllowed(self.silent(false)), 15)
        } else {
            (Effect::Allow, Reason::CrossAccount, 16)
        }
    }

    /// Row 17.
    fn on_account(&self) -> Verdict {
        if self.identity_ok() && self.boundary_ok && self.session_ok {
            (Effect::Allow, Reason::AccountOperation, 17)
        } else {
            (Effect::ImplicitDeny, Reason::NotAllowed(self.silent(true)), 17)
        }
    }

    /// Whether an allow of this layer is not needed: another path allows, or nothing asks for it.
    pub(crate) fn spares(&self, layer: Layer) -> bool {
        let owned = self.key_operation && self.same_account;
        match layer {
            Layer::ResourceControlPolicy => true,
            Layer::KeyPolicy | Layer::Grant => self.names_anyone(),
            Layer::IdentityPolicy => {
                self.root
                    || owned && (self.names_caller || self.names_entity)
                    || self.key_operation && !self.same_account && self.own_grant
            }
            Layer::PermissionsBoundary | Layer::SessionPolicy => owned && self.names_caller,
            Layer::ServiceControlPolicy
            | Layer::VpcEndpointPolicy
            | Layer::Guardrail
            | Layer::Freeze => false,
        }
    }

    fn names_anyone(&self) -> bool {
        self.names_caller || self.names_entity || self.names_account
    }

    fn identity_ok(&self) -> bool {
        self.identity_allows || self.root
    }

    /// The first layer on the caller's side that is silent.
    fn silent(&self, identity_needed: bool) -> Layer {
        if identity_needed && !self.identity_ok() {
            Layer::IdentityPolicy
        } else if !self.boundary_ok {
            Layer::PermissionsBoundary
        } else {
            Layer::SessionPolicy
        }
    }
}
