//! Whether a caller may read the log, asked of the policy engine as any action on no resource is.
//!
//! INVARIANT: a refusal leaves an event before it is answered.

use keyward_engine::Engine;
use keyward_policy::{Facts, PolicyEngine, Question, Resource};
use keyward_store::Commit;
use keyward_trail::Record;
use keyward_types::{
    Caller, CallerKind, Decision, ErrorCode, EventSummary, IdentityDocument, KmsError, Outcome,
    caller::Document, event::Event,
};
use serde_json::Map;
use std::collections::BTreeMap;

/// What a caller must be allowed, such as `keyward:ListEvents`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
}

pub(crate) struct Permissions {
    policies: PolicyEngine,
}

impl Permissions {
    pub(crate) fn new(policies: PolicyEngine) -> Self {
        Self { policies }
    }

    /// Fails with `AccessDenied` when nothing allows the action on `*`.
    pub(super) async fn check(
        &self,
        engine: &Engine,
        caller: &Caller,
        action: Action,
    ) -> Result<(), KmsError> {
        let decision = self.decide(engine, caller, action)?;
        if decision.allowed() {
            return Ok(());
        }
        let error = KmsError::new(ErrorCode::AccessDenied, decision.message(&caller.arn));
        remember(engine, caller, action, &decision, &error).await?;
        Err(error)
    }

    fn decide(
        &self,
        engine: &Engine,
        caller: &Caller,
        Action { service, operation }: Action,
    ) -> Result<Decision, KmsError> {
        let action = format!("{service}:{operation}");
        let identity = identity(engine, caller)?;
        let facts = Facts::new();
        let question = Question {
            identity: &identity,
            ..Question::new(caller, &action, Resource::Any, &facts)
        };
        Ok(self.policies.decide(&question))
    }
}

/// The inline policies of a user or role.
fn identity(engine: &Engine, caller: &Caller) -> Result<Vec<IdentityDocument>, KmsError> {
    let store = engine.store();
    let gone = || KmsError::internal("the caller was removed while its request was decided");
    match &caller.kind {
        CallerKind::User { name } => {
            let user =
                store.user(&caller.account, name).map_err(KmsError::internal)?.ok_or_else(gone)?;
            Ok(documents(&user.policies))
        }
        CallerKind::RoleSession { role_name, .. } => {
            let role = store
                .role(&caller.account, role_name)
                .map_err(KmsError::internal)?
                .ok_or_else(gone)?;
            Ok(documents(&role.policies))
        }
        CallerKind::Root | CallerKind::Federated { .. } | CallerKind::Service { .. } => {
            Ok(Vec::new())
        }
    }
}

fn documents(policies: &BTreeMap<String, Document>) -> Vec<IdentityDocument> {
    let named = |(name, document): (&String, &Document)| IdentityDocument {
        source: format!("inline policy {name}"),
        document: document.clone(),
    };
    policies.iter().map(named).collect()
}

async fn remember(
    engine: &Engine,
    caller: &Caller,
    Action { service, operation }: Action,
    decision: &Decision,
    error: &KmsError,
) -> Result<(), KmsError> {
    let (event_id, time) = (engine.fresh_id(), engine.now());
    let nothing = Map::new();
    let record = Record {
        caller,
        service,
        operation,
        time,
        event_id,
        request_parameters: &nothing,
        response_elements: None,
        additional: &nothing,
        resources: &[],
        error: Some(error),
        decisions: core::slice::from_ref(decision),
        read_only: true,
    };
    let summary = EventSummary {
        event_id,
        request_id: caller.origin.request_id,
        time,
        service,
        operation,
        outcome: Outcome::Failure(error.code),
        account: caller.account.to_string(),
        principal_arn: caller.arn.clone(),
        keys: Vec::new(),
    };
    let store = engine.store();
    let event = Event { record: record.to_json(), summary: summary.clone() };
    let commit = Commit {
        snapshot: store.snapshot(),
        rested_on: Vec::new(),
        changes: Vec::new(),
        events: vec![event],
    };
    store.commit(commit).await.map_err(KmsError::internal)?;
    engine.metrics().observe(&summary, 0.0, 0.0);
    Ok(())
}
