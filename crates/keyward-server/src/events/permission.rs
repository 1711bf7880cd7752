//! Whether a caller may read the log, asked of the policy engine as any action on no resource is.
//!
//! INVARIANT: a refusal leaves an event before it is answered.

use keyward_engine::Engine;
use keyward_store::Commit;
use keyward_telemetry::{Observed, Verdict};
use keyward_trail::{Extra, Record};
use keyward_types::{Caller, Decision, ErrorCode, EventSummary, KmsError, Outcome, event::Event};
use serde_json::Map;

/// What a caller must be allowed, such as `keyward:ListEvents`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
}

/// Fails with `AccessDenied` when nothing allows the action on `*`.
pub(crate) async fn check(
    engine: &Engine,
    caller: &Caller,
    action: Action,
) -> Result<(), KmsError> {
    let Action { service, operation } = action;
    let decision = engine.decide(caller, &format!("{service}:{operation}"))?;
    if decision.allowed() {
        return Ok(());
    }
    let error = KmsError::new(ErrorCode::AccessDenied, decision.message(&caller.arn));
    remember(engine, caller, action, &decision, &error).await?;
    Err(error)
}

/// Whether the caller may read policy text in the events that it lists. A question, no attempt: the answer
/// leaves no event.
pub(super) fn may_explain(engine: &Engine, caller: &Caller) -> Result<bool, KmsError> {
    let Action { service, operation } = super::EXPLAIN;
    Ok(engine.decide(caller, &format!("{service}:{operation}"))?.allowed())
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
    let event = Event {
        record: record.to_json(),
        terms: record.terms(&Extra::default()),
        summary: summary.clone(),
    };
    let commit = Commit {
        snapshot: store.snapshot(),
        rested_on: Vec::new(),
        changes: Vec::new(),
        events: vec![event],
    };
    store.commit(commit).await.map_err(KmsError::internal)?;
    let verdicts = [Verdict::of(decision)];
    engine.metrics().observe(&Observed { verdicts: &verdicts, ..Observed::of(&summary) });
    Ok(())
}
