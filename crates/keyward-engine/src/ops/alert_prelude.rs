//! What the operations on alerts share. Keyward's own.
//!
//! What they state is a record in the store (`crate::alerts`), and so holds for the next request.

pub(crate) use super::prelude::*;
pub(crate) use keyward_types::{AlertName, AlertRecord};

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
