//! Every layer of policies that a question to the policy engine carries: what reaches the caller through its
//! identity, the organization's policies on both sides, and the policy of the endpoint that it came through.
//!
//! Which endpoint that was, only a trusted front can say; without one no request has any.
//! It gathers and does not judge.

use crate::{
    Engine, aws_managed,
    identity::{Identity, managed_policy_name},
    observe::Opened,
};
use keyward_policy::{Facts, Question, Resource};
use keyward_types::{
    AccountId, Caller, CallerKind, ErrorCode, IdentityDocument, KmsError, Matched, Name,
    OrganizationPolicyKind::{ResourceControlPolicy, ServiceControlPolicy},
    OrganizationRecord,
};
use std::sync::Arc;

/// The condition key by which a front names the endpoint, as it is looked up.
const SOURCE_VPCE: &str = "aws:sourcevpce";
/// The account of the resource for which a service calls.
const SOURCE_ACCOUNT: &str = "aws:sourceaccount";

/// The layers of one caller; those of a resource's owner are added for each resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    pub(crate) identity: Identity,
    organization: Option<Arc<OrganizationRecord>>,
    scps: Vec<Vec<IdentityDocument>>,
    endpoint: Option<IdentityDocument>,
    /// The freeze of the caller.
    frozen: Vec<Matched>,
    /// `aws:SourceVpc` of the endpoint.
    vpc: Option<String>,
    /// The records that the layers came from.
    pub(crate) rested_on: Vec<Name>,
}

/// Resource control policies over one owner's resources, level by level.
pub(crate) type Rcps = Vec<Vec<IdentityDocument>>;

impl Engine {
    /// The layers of a caller, as they stand now.
    pub(crate) fn layers(&self, caller: &Caller) -> Result<Layers, KmsError> {
        self.check_current(caller)?;
        self.layers_with(caller, self.identity(caller)?)
    }

    /// A caller was read when it signed in. Whom the name means now, and the tags of a user without session
    /// tags, are not decided by when they have changed since.
    fn check_current(&self, caller: &Caller) -> Result<(), KmsError> {
        let store = &self.world.store;
        let current = match &caller.kind {
            CallerKind::User { name } => {
                let user = store.user(&caller.account, name).map_err(KmsError::internal)?;
                user.is_some_and(|user| {
                    user.user_id == caller.unique_id() && user.tags == caller.tags
                })
            }
            CallerKind::RoleSession { role_name, role_id, .. } => {
                let role = store.role(&caller.account, role_name).map_err(KmsError::internal)?;
                role.is_some_and(|role| role.role_id == *role_id)
            }
            CallerKind::Root | CallerKind::Federated { .. } | CallerKind::Service { .. } => true,
        };
        if current { Ok(()) } else { Err(changed("The caller")) }
    }

    /// The same for a caller whose identity was gathered in another way.
    pub(crate) fn layers_with(
        &self,
        caller: &Caller,
        identity: Identity,
    ) -> Result<Layers, KmsError> {
        let store = &self.world.store;
        let organization = store.organization().map_err(KmsError::internal)?;
        let mut layers = Layers { rested_on: identity.rested_on.clone(), ..Layers::default() };
        layers.identity = identity;
        layers.frozen = self.frozen_caller(caller, &mut layers.rested_on)?;
        self.check_session_policies(caller, &mut layers.rested_on)?;
        layers.rested_on.push(Name::Organization);
        if let Some(organization) = &organization {
            layers.scps = organization.levels(&caller.account, ServiceControlPolicy);
        }
        layers.organization = organization;
        if let Some(id) = caller.origin.trusted_facts.get(SOURCE_VPCE) {
            layers.rested_on.push(Name::Endpoint(id.clone()));
            // An endpoint without a policy of its own lets everything through, as AWS's default policy does.
            if let Some(endpoint) = store.endpoint(id).map_err(KmsError::internal)? {
                layers.vpc = endpoint.vpc.clone();
                layers.endpoint = Some(IdentityDocument {
                    source: endpoint.id.clone(),
                    document: endpoint.document.clone(),
                });
            }
        }
        Ok(layers)
    }

    /// A session's managed policies were read when it signed in; what was changed since is not decided by.
    fn check_session_policies(
        &self,
        caller: &Caller,
        rested_on: &mut Vec<Name>,
    ) -> Result<(), KmsError> {
        let is_managed =
            |arn: &str| aws_managed::find(arn).is_some() || managed_policy_name(arn).is_some();
        for policy in caller.session_policies.iter().filter(|policy| is_managed(&policy.source)) {
            if self.session_policy(&policy.source, rested_on)?.document != policy.document {
                return Err(changed("A session policy"));
            }
        }
        Ok(())
    }
}

fn changed(what: &str) -> KmsError {
    KmsError::new(
        ErrorCode::Throttling,
        format!("{what} changed while the request was decided. Retry the request."),
    )
}

impl Layers {
    /// A question with these layers. `rcps` are those of the resource's owner ([`Self::rcps`]).
    pub(crate) fn question<'q>(
        &'q self,
        caller: &'q Caller,
        action: &'q str,
        resource: Resource<'q>,
        rcps: &'q [Vec<IdentityDocument>],
        facts: &'q Facts<'q>,
    ) -> Question<'q> {
        Question {
            identity: &self.identity.documents,
            boundary: self.identity.boundary.as_ref(),
            scps: &self.scps,
            rcps,
            vpc_endpoint: self.endpoint.as_ref(),
            frozen: &self.frozen,
            ..Question::new(caller, action, resource, facts)
        }
    }

    /// These layers with what the organization has over the resource's side.
    pub(crate) fn of_owner(self, owner: &Self) -> Self {
        Self { organization: owner.organization.clone(), ..self }
    }

    /// The freeze of the caller.
    pub(crate) fn frozen(&self) -> &[Matched] {
        &self.frozen
    }

    /// The same layers with others supposed in the place of some: what a simulation tries.
    pub(crate) fn supposing(
        mut self,
        identity: Option<Vec<IdentityDocument>>,
        boundary: Option<IdentityDocument>,
        scps: Option<Vec<Vec<IdentityDocument>>>,
    ) -> Self {
        self.identity.documents = identity.unwrap_or(self.identity.documents);
        self.identity.boundary = boundary.or(self.identity.boundary);
        self.scps = scps.unwrap_or(self.scps);
        self
    }

    /// The same layers with documents that allow everything in the place of those in observe.
    pub(crate) fn opened(&self, opened: &Opened) -> Self {
        let mut layers = self.clone();
        opened.identity(&mut layers.identity.documents);
        layers.identity.boundary.iter_mut().for_each(|one| opened.narrowing(one));
        if opened.is_all() {
            let documents = layers.scps.iter_mut().flatten().chain(&mut layers.endpoint);
            documents.for_each(|one| opened.narrowing(one));
            // Resource control policies only deny.
            layers.organization = None;
        }
        layers
    }

    /// Whether a managed policy is attached to the caller, or its boundary.
    pub(crate) fn has_policy(&self, arn: &str) -> bool {
        let Identity { documents, boundary, .. } = &self.identity;
        documents.iter().chain(boundary).any(|one| one.source == arn)
    }

    /// Resource control policies over what an account owns.
    pub(crate) fn rcps(&self, owner: &AccountId) -> Rcps {
        match &self.organization {
            Some(organization) => organization.levels(owner, ResourceControlPolicy),
            None => Vec::new(),
        }
    }

    /// The condition keys that follow: `aws:PrincipalOrgID`, `aws:PrincipalOrgPaths`; of a service that calls
    /// for an account's resource, `aws:SourceOrgID` and `aws:SourceOrgPaths`; and `aws:SourceVpc` where the front
    /// left it to the endpoint's record.
    pub(crate) fn facts(&self, caller: &Caller, facts: &mut Facts<'_>) {
        let trusted = &caller.origin.trusted_facts;
        let (account, id, paths) = match caller.kind {
            CallerKind::Service { .. } => (
                trusted.get(SOURCE_ACCOUNT).and_then(|text| AccountId::parse(text)),
                "aws:SourceOrgID",
                "aws:SourceOrgPaths",
            ),
            _ => (Some(caller.account.clone()), "aws:PrincipalOrgID", "aws:PrincipalOrgPaths"),
        };
        if let Some(organization) = &self.organization
            && let Some(path) = account.and_then(|account| organization.path(&account))
        {
            facts.add(id, organization.id.clone());
            facts.add_many(paths, [path]);
        }
        if let Some(vpc) = self.vpc.as_ref().filter(|_| !trusted.contains_key("aws:sourcevpc")) {
            facts.add("aws:SourceVpc", vpc.clone());
        }
    }

    /// The condition keys about the resource's owner: `aws:ResourceOrgID`, `aws:ResourceOrgPaths`.
    pub(crate) fn owner_facts(&self, owner: &AccountId, facts: &mut Facts<'_>) {
        if let Some(organization) = &self.organization
            && let Some(path) = organization.path(owner)
        {
            facts.add("aws:ResourceOrgID", organization.id.clone());
            facts.add_many("aws:ResourceOrgPaths", [path]);
        }
    }
}
