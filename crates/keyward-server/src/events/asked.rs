//! What a reader of the log asked for, from the query of a URL: the query language in `q`, and a parameter for each of
//! the few things that are asked most.

use crate::rest::decoded;
use keyward_trail::{
    Filter,
    query::{Field, Moment, Query, Term, filed_as, is_filed},
};
use keyward_types::{KmsError, Timestamp};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// With fixed times, so that pages do not shift while they are read.
    pub(super) query: Query,
    pub(super) limit: usize,
    pub(super) oldest_first: bool,
    /// Goes on beyond this event.
    pub(super) after: Option<u64>,
    /// Whether more is asked than the query says, so that each record must be read.
    pub(super) reads_records: bool,
    /// What the parameters say beside these, such as the fields to count by.
    pub(super) by: Vec<Field>,
}

impl Asked {
    /// Whether an event is beyond the one after which it goes on.
    pub(super) fn is_beyond(&self, seq: u64) -> bool {
        self.after.is_none_or(|after| if self.oldest_first { after < seq } else { seq < after })
    }

    /// Fails with `ValidationException` when a value cannot be read or a name is not known: a filter that
    /// is ignored would show more than was asked for.
    pub(super) fn of(text: &str, now: Timestamp) -> Result<Self, KmsError> {
        let mut asked = Self { limit: LIMIT_DEFAULT, ..Self::default() };
        let mut filter = Filter::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).into_owned();
            match name {
                "q" => asked.query = joined(asked.query, &query(&value)?.pin(now), now),
                "operation" => filter.operation = Some(value),
                "outcome" => filter.outcome = Some(value),
                "principal" => filter.principal = Some(value),
                "key" => filter.key = Some(value),
                "requestId" | "id" => filter.id = Some(value),
                "text" => filter.text = Some(value),
                "since" => filter.since = Some(time(name, &value, now)?),
                "until" => filter.until = Some(time(name, &value, now)?),
                "order" => asked.oldest_first = oldest_first(&value)?,
                "limit" => asked.limit = limit(&value)?,
                "by" => asked.by = fields(&value)?,
                "after" => {
                    asked.after = Some(
                        value.parse().map_err(|_| bad("after", "the Next of the page before"))?,
                    )
                }
                _ if name.starts_with("X-Amz-") => {}
                _ => return Err(bad(name, "one of the filters that /openapi.json names")),
            }
        }
        asked.query = joined(asked.query, &of_filter(&filter), now);
        Ok(asked)
    }

    /// Of a filter alone.
    pub(super) fn filtered(filter: &Filter, limit: usize, after: Option<u64>) -> Self {
        Self { query: of_filter(filter), limit, after, ..Self::default() }
    }

    /// What an index finds: digests of which an event is filed under one of each clause; and whether that is all
    /// that is asked. What only readers of explanations may know is not looked up for others.
    pub(super) fn clauses(&self, explains: bool, now: Timestamp) -> (Vec<Vec<u64>>, bool) {
        let narrowing = self.query.narrowing(now);
        let asked = narrowing.clauses.len();
        let told = |field: &Field| is_filed(field) && (explains || !field.reads_decisions());
        let clauses: Vec<Vec<u64>> = narrowing
            .clauses
            .iter()
            .filter(|clause| clause.iter().all(|term| told(&term.field)))
            .map(|clause| filed_as(clause))
            .collect();
        let complete = narrowing.complete && clauses.len() == asked && !self.reads_records;
        (clauses, complete)
    }

    /// Ids that are asked for whole: events to look at, and no others.
    pub(super) fn ids(&self, now: Timestamp) -> Option<Vec<String>> {
        let clauses = self.query.narrowing(now).clauses;
        let of_ids =
            clauses.into_iter().find(|clause| clause.iter().all(|term| term.field == Field::Id));
        of_ids.map(|clause| clause.into_iter().map(|term| term.value).collect())
    }
}

fn oldest_first(text: &str) -> Result<bool, KmsError> {
    match text {
        "newest" => Ok(false),
        "oldest" => Ok(true),
        _ => Err(bad("order", "newest or oldest")),
    }
}

/// Both at once. Times of the second, where it has any, stand.
fn joined(one: Query, other: &Query, now: Timestamp) -> Query {
    let window = other.window(now);
    let mut query = other.terms().iter().cloned().fold(one, Query::with);
    if let Some(since) = window.since {
        query = query.since(Moment::at(since));
    }
    if let Some(until) = window.until {
        query = query.until(Moment::at(until));
    }
    query
}

/// A filter as a query. What it names whole is also looked up.
fn of_filter(filter: &Filter) -> Query {
    let whole = [
        filter
            .principal
            .as_ref()
            .filter(|text| is_whole_principal(text))
            .map(|t| (Field::Principal, t)),
        filter.key.as_ref().filter(|text| is_whole_key(text)).map(|t| (Field::Key, t)),
    ];
    let terms = whole.into_iter().flatten().filter_map(|(field, text)| Term::counted(&field, text));
    terms.fold(Query::from(filter), Query::with)
}

fn query(text: &str) -> Result<Query, KmsError> {
    Query::parse(text)
        .map_err(|error| KmsError::validation(format!("The query does not read: {error}")))
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

/// Names of fields, with commas.
fn fields(text: &str) -> Result<Vec<Field>, KmsError> {
    let field = |name: &str| {
        // The language reads them; a value that anything could have shows which field it is.
        let value = if name.eq_ignore_ascii_case("ip") { "192.0.2.1" } else { "true" };
        let parsed = Query::parse(&format!("{name}:{value}")).ok()?;
        match parsed.terms() {
            [term] => term.field().cloned().filter(|field| *field != Field::Text),
            _ => None,
        }
    };
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            field(name)
                .ok_or_else(|| bad("by", "fields of the query language, such as principal,op"))
        })
        .collect()
}

/// RFC 3339, seconds since 1970, or a span back from now: `90s`, `10m`, `2h`, `7d`.
pub(super) fn time(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, KmsError> {
    let read = Query::parse(&format!("since:\"{}\"", text.replace(['\\', '"'], "")));
    let time = read.ok().and_then(|query| query.window(now).since);
    time.ok_or_else(|| {
        bad(name, "a time such as 2026-01-31T12:00:00Z, seconds since 1970, or a span such as 10m")
    })
}

fn limit(text: &str) -> Result<usize, KmsError> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| bad("limit", "a number from 1 to 1000"))
}

pub(super) fn bad(name: &str, wanted: &str) -> KmsError {
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
    fn filters_and_the_language_say_the_same() {
        let asked = Asked::of("operation=decrypt&outcome=denied&since=10m&until=1767225600&limit=5&after=7&X-Amz-Date=x", NOW).unwrap();
        let other = Asked::of(
            "q=op:decrypt%20result:denied%20since:10m%20until:1767225600&limit=5&after=7",
            NOW,
        )
        .unwrap();
        assert_eq!(asked, other);
        let window = asked.query.window(Timestamp(0));
        assert_eq!((window.since, window.until), (Some(Timestamp(NOW.0 - 600_000)), Some(NOW)));
        assert_eq!((asked.limit, asked.after), (5, Some(7)));
        let (clauses, complete) = asked.clauses(true, NOW);
        assert!(complete);
        assert_eq!(clauses.len(), 2);
        let both = Asked::of("q=ip:10.0.0.1&key=alias/x", NOW).unwrap();
        assert_eq!(both.query.terms().len(), 2);
    }

    #[test]
    fn what_is_named_whole_is_looked_up_and_parts_are_searched() {
        let asked = |query: &str| Asked::of(query, NOW).unwrap();
        for (query, found) in [
            ("principal=arn:aws:iam::111122223333:user/app", 1),
            ("principal=arn%3Aaws%3Aiam%3A%3A111122223333%3Aroot", 1),
            ("principal=arn:aws:sts::111122223333:assumed-role/App/one", 1),
            ("principal=arn:aws:iam::111122223333:role/App", 0),
            ("q=principal:role/App", 1),
            ("principal=app", 0),
            ("key=arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", 1),
            ("key=alias/app", 0),
            ("q=key:alias/app", 1),
            ("outcome=AccessDenied", 1),
            ("outcome=failure", 1),
            ("q=ctx.tenant:acme,globex", 1),
            ("q=-ctx.tenant:acme", 0),
            ("text=x", 0),
        ] {
            assert_eq!(asked(query).clauses(true, NOW).0.len(), found, "{query}");
        }
        // What needs permission to be read is not looked up either.
        assert_eq!(asked("q=grant:g").clauses(true, NOW).0.len(), 1);
        assert_eq!(asked("q=grant:g").clauses(false, NOW), (Vec::new(), false));
        assert_eq!(asked("id=0193").ids(NOW), Some(vec!["0193".to_owned()]));
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
            "q=colour:red",
            "q=%22open",
            "by=colour",
            "by=text",
        ] {
            assert!(Asked::of(bad, NOW).is_err(), "{bad}");
        }
        let asked = Asked::of("by=principal,op,ctx.Tenant,ip", NOW).unwrap();
        assert_eq!(asked.by.len(), 4);
    }
}
