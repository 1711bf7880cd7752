//! What the operations on alerts share. Keyward's own.
//!
//! They put nothing into the store: what is known of alerts is read from their events (`crate::alerts`).

pub(crate) use super::prelude::*;

pub(crate) const ALERT_ID: Member = required("AlertId", text(1, 128));
pub(crate) const SILENCE_ID: Member = required("SilenceId", text(1, 128));

/// A row of alerts.
pub(crate) const fn alerts(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec {
        service: Service::Keyward,
        states: &[],
        logged: &[],
        errors: &[ErrorCode::NotFound, ErrorCode::LimitExceeded],
        ..control(name, verb, path, members)
    }
}

pub(crate) fn unknown(what: &str, id: &str) -> KmsError {
    KmsError::new(ErrorCode::NotFound, format!("There is no {what} with the id '{id}'"))
}
