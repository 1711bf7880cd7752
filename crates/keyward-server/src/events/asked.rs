//! What a reader of the log asked for, from the query of a URL.

use crate::rest::decoded;
use keyward_engine::OPERATIONS;
use keyward_store::EventTerm;
use keyward_trail::Filter;
use keyward_types::{ErrorCode, KmsError, Outcome, Timestamp};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1_000;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) filter: Filter,
    pub(super) limit: usize,
    pub(super) oldest_first: bool,
    /// Goes on beyond this event.
    pub(super) after: Option<u64>,
    /// Whether more is asked than the filter says, so that each record must be read.
    pub(super) reads_records: bool,
}

impl Asked {
    /// Fails with `ValidationException` when a value cannot be read or a name is not known: a filter that
    /// is ignored would show more than was asked for.
    pub(super) fn of(query: &str, now: Timestamp) -> Result<Self, KmsError> {
        let mut asked = Self { limit: LIMIT_DEFAULT, ..Self::default() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).into_owned();
            let filter = &mut asked.filter;
            match name {
                "operation" => filter.operation = Some(canonical_operation(value)),
                "outcome" => filter.outcome = Some(value),
                "principal" => filter.principal = Some(value),
                "key" => filter.key = Some(value),
                "requestId" | "id" => filter.id = Some(value),
                "text" => filter.text = Some(value),
                "since" => filter.since = Some(time(name, &value, now)?),
                "until" => filter.until = Some(time(name, &value, now)?),
                "order" => asked.oldest_first = oldest_first(&value)?,
                "limit" => asked.limit = limit(&value)?,
                "after" => {
                    asked.after = Some(
                        value.parse().map_err(|_| bad("after", "the Next of the page before"))?,
                    )
                }
                _ if name.starts_with("X-Amz-") => {}
                _ => return Err(bad(name, "one of the filters that /openapi.json names")),
            }
        }
        Ok(asked)
    }

    /// What an index finds. Whole ARNs are looked up; parts of them are searched for.
    pub(super) fn terms(&self) -> impl Iterator<Item = EventTerm<'_>> {
        let Filter { operation, outcome, principal, key, .. } = &self.filter;
        [
            operation.as_deref().map(EventTerm::Operation),
            outcome.as_deref().and_then(outcome_term),
            principal.as_deref().filter(|text| is_whole_principal(text)).map(EventTerm::Principal),
            key.as_deref().filter(|text| is_whole_key(text)).map(EventTerm::Key),
        ]
        .into_iter()
        .flatten()
    }

    /// Whether the terms alone find what was asked for.
    pub(super) fn is_indexed(&self) -> bool {
        let Filter { outcome, principal, key, id, text, .. } = &self.filter;
        !self.reads_records
            && id.is_none()
            && text.is_none()
            && outcome.as_deref().is_none_or(|text| outcome_term(text).is_some())
            && principal.as_deref().is_none_or(is_whole_principal)
            && key.as_deref().is_none_or(is_whole_key)
    }
}

fn oldest_first(text: &str) -> Result<bool, KmsError> {
    match text {
        "newest" => Ok(false),
        "oldest" => Ok(true),
        _ => Err(bad("order", "newest or oldest")),
    }
}

/// The table's spelling, so that the index finds `decrypt` too.
fn canonical_operation(text: String) -> String {
    let known = OPERATIONS
        .iter()
        .map(|operation| operation.spec().name)
        .find(|name| name.eq_ignore_ascii_case(&text));
    known.map_or(text, str::to_owned)
}

fn outcome_term(text: &str) -> Option<EventTerm<'_>> {
    let classes = ["success", "denied", "client_error", "server_error"];
    debug_assert!(classes.contains(&Outcome::Success.class()), "the classes are those of Outcome");
    if let Some(class) = classes.iter().find(|class| class.eq_ignore_ascii_case(text)) {
        return Some(EventTerm::Outcome(class));
    }
    let code = ErrorCode::ALL.iter().find(|code| code.trail_name().eq_ignore_ascii_case(text))?;
    Some(EventTerm::Error(code.trail_name()))
}

/// A user's, a root user's or a session's own ARN. A role's stands for all of its sessions.
fn is_whole_principal(text: &str) -> bool {
    text.starts_with("arn:")
        && (text.contains(":user/")
            || text.ends_with(":root")
            || text.rsplit_once(":assumed-role/").is_some_and(|(_, rest)| rest.contains('/')))
}

fn is_whole_key(text: &str) -> bool {
    text.starts_with("arn:")
        && text
            .rsplit_once(":key/")
            .is_some_and(|(_, id)| keyward_types::KeyId::parse(id).is_some())
}

/// RFC 3339, seconds since 1970, or a span back from now: `90s`, `10m`, `2h`, `7d`.
fn time(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, KmsError> {
    let span = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let back = number.parse::<i64>().ok()?.checked_mul(seconds)?.checked_mul(1_000)?;
        Some(Timestamp(now.0.saturating_sub(back)))
    };
    let seconds = || text.parse::<i64>().ok()?.checked_mul(1_000).map(Timestamp);
    let calendar = || {
        chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| Timestamp(time.timestamp_millis()))
    };
    seconds().or_else(calendar).or_else(span).ok_or_else(|| {
        bad(name, "a time such as 2026-01-31T12:00:00Z, seconds since 1970, or a span such as 10m")
    })
}

fn limit(text: &str) -> Result<usize, KmsError> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| bad("limit", "a number from 1 to 1000"))
}

fn bad(name: &str, wanted: &str) -> KmsError {
    KmsError::validation(format!(
        "The query parameter '{}' must be {wanted}.",
        crate::strangers::shown(name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    #[test]
    fn filters_are_read() {
        let asked = Asked::of("operation=decrypt&outcome=Denied&since=10m&until=1767225600&limit=5&after=7&X-Amz-Date=x", NOW).unwrap();
        assert_eq!(asked.filter.operation.as_deref(), Some("Decrypt"));
        assert_eq!(asked.filter.since, Some(Timestamp(NOW.0 - 600_000)));
        assert_eq!(asked.filter.until, Some(NOW));
        assert_eq!((asked.limit, asked.after), (5, Some(7)));
        assert!(asked.is_indexed());
        assert_eq!(
            asked.terms().collect::<Vec<_>>(),
            [EventTerm::Operation("Decrypt"), EventTerm::Outcome("denied")]
        );
    }

    #[test]
    fn whole_arns_are_looked_up_and_parts_are_searched() {
        let asked = |query: &str| Asked::of(query, NOW).unwrap();
        for (query, indexed) in [
            ("principal=arn:aws:iam::111122223333:user/app", true),
            ("principal=arn%3Aaws%3Aiam%3A%3A111122223333%3Aroot", true),
            ("principal=arn:aws:sts::111122223333:assumed-role/App/one", true),
            ("principal=arn:aws:iam::111122223333:role/App", false),
            ("principal=app", false),
            (
                "key=arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                true,
            ),
            ("key=alias/app", false),
            ("outcome=AccessDenied", true),
            ("outcome=failure", false),
            ("text=x", false),
        ] {
            assert_eq!(asked(query).is_indexed(), indexed, "{query}");
            assert_eq!(asked(query).terms().count(), usize::from(indexed), "{query}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "after=-1",
            "since=soon",
            "since=9m9",
            "until=",
            "sinse=10m",
        ] {
            assert!(Asked::of(bad, NOW).is_err(), "{bad}");
        }
    }
}
