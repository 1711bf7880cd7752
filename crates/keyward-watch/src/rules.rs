//! What a single event shows, without memory.

use crate::{
    Detector, Observation, Settings, Severity, novelty::single, query::Query, settings::fits,
    standing::Finding,
};

/// What the rules say about an event.
pub(crate) fn judge(event: &Observation, settings: &Settings) -> Vec<Finding> {
    let mut found = canaries(event, settings);
    let key = event.keys.first().map(String::as_str);
    let mut say = |holds: bool, detector, severity, what| {
        if holds {
            let query = Query::default().principal(&event.principal).with("op", &event.operation);
            let query = key.into_iter().fold(query, |query, key| query.with("key", key));
            found.push(single(event, detector, severity, key, what, query));
        }
    };
    let grantee = event.grant.as_ref().map(|grant| grant.grantee.as_str());
    say(is_unapproved(event, settings), Detector::GrantWithoutApproval, Severity::High, grantee);
    say(event.key_pending_deletion, Detector::PendingDeletion, Severity::Medium, None);
    say(event.opened_to_everyone, Detector::PolicyOpened, Severity::Critical, None);
    found
}

/// Any use, refused or not, by any of the key's names.
fn canaries(event: &Observation, settings: &Settings) -> Vec<Finding> {
    let names = event.keys.iter().chain(event.named.iter().filter(|_| event.keys.is_empty()));
    let by_alias = event.named.as_deref().is_some_and(|name| settings.is_canary(name));
    let caught = names.filter(|name| by_alias || settings.is_canary(name));
    let tell = |name: &String| {
        let query = Query::default().with("key", name);
        single(event, Detector::Canary, Severity::Critical, Some(name), None, query)
    };
    caught.map(tell).collect()
}

fn is_unapproved(event: &Observation, settings: &Settings) -> bool {
    let (Some(grant), Some(approvals)) = (&event.grant, &settings.approvals) else { return false };
    let key = event.keys.first().map(String::as_str).unwrap_or_default();
    !approvals.iter().any(|approval| {
        let any = approval.operations.is_empty();
        fits(&approval.grantee, &grant.grantee)
            && fits(&approval.key, key)
            && (any || grant.operations.iter().all(|wanted| approval.operations.contains(wanted)))
    })
}
