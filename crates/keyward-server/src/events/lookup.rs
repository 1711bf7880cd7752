//! `LookupEvents`, as `aws cloudtrail lookup-events` asks it: AWS JSON 1.1, one attribute, newest first.
//!
//! Who may: the root user, and whoever an identity policy allows `cloudtrail:LookupEvents`.
//! A value is compared whole, and events are those of the Region that the request is signed for, as at AWS. Events of
//! IAM and STS stand in the Region that their own requests were signed for, for most clients us-east-1.
//! Each member has an exception of its own. There are no Insights here, so that who asks for them finds none.
//!
//! INVARIANT: a token goes on with the question that it was given for, and with no other.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use super::{LOOKUP, asked::Asked, search};
use crate::{answer, doors::Doors};
use actix_web::{HttpRequest, HttpResponse};
use keyward_engine::Reply;
use keyward_store::StoredEvent;
use keyward_trail::{
    Filter,
    query::{Field, Term},
};
use keyward_types::{ErrorCode, KmsError, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The target of the one operation of CloudTrail that is served.
pub(crate) const TARGET: &str = "CloudTrail_20131101.LookupEvents";

const RESULTS_MAX: i64 = 50;
const VALUE_CHARS_MAX: usize = 2_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    #[serde(default)]
    lookup_attributes: Vec<Attribute>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    event_category: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
    /// The Region that the request is signed for.
    #[serde(skip)]
    region: String,
}

#[derive(Deserialize, Hash)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_key: String,
    attribute_value: String,
}

pub(crate) async fn serve(
    doors: &Doors,
    request: &HttpRequest,
    body: &[u8],
    request_id: Uuid,
) -> HttpResponse {
    match look_up(doors, request, body, request_id).await {
        Ok(body) => {
            answer::aws_json(Reply { body: Zeroizing::new(body), would_deny: false }, request_id)
        }
        Err(error) => answer::aws_json_error(&error, request_id),
    }
}

async fn look_up(
    doors: &Doors,
    request: &HttpRequest,
    body: &[u8],
    request_id: Uuid,
) -> Result<Vec<u8>, KmsError> {
    let caller = doors.admit(request, body, LOOKUP.service, request_id)?;
    super::permission::check(&doors.engine, &caller, LOOKUP).await?;
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let mut input: Input = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        KmsError::new(
            ErrorCode::Serialization,
            format!("The request body does not fit LookupEvents: {place}"),
        )
    })?;
    caller.origin.region.as_str().clone_into(&mut input.region);
    let (asked, attribute) = asked(&input)?;
    if input.event_category.is_some() {
        return Ok(json!({"Events": []}).to_string().into_bytes());
    }
    let (events, next) = search(&doors.engine, &caller, &asked, |record| {
        attribute.as_ref().is_none_or(|attribute| attribute.holds(record))
    })?;
    let mut answer = json!({"Events": events.iter().filter_map(entry).collect::<Vec<_>>()});
    if let (Some(next), Some(members)) = (next, answer.as_object_mut()) {
        members.insert("NextToken".to_owned(), input.token(next).into());
    }
    Ok(answer.to_string().into_bytes())
}

impl Input {
    /// Where the next page goes on, and what was asked.
    fn token(&self, after: u64) -> String {
        format!("{after}-{:016x}", self.fingerprint())
    }

    /// Where a token says to go on; `None` when it was given for another question, or never.
    fn after(&self, token: &str) -> Option<u64> {
        let (after, _) = token.split_once('-')?;
        let after = after.parse().ok()?;
        (self.token(after) == token).then_some(after)
    }

    /// Of everything that must be the same for every page.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let times = (self.start_time.map(f64::to_bits), self.end_time.map(f64::to_bits));
        (times, &self.event_category, &self.lookup_attributes, &self.region).hash(&mut hasher);
        hasher.finish()
    }
}

/// The question that the log is asked, and what only the record itself can answer.
fn asked(input: &Input) -> Result<(Asked, Option<OfRecord>), KmsError> {
    let refuse = |code, words: String| Err(KmsError::new(code, words));
    let limit = input.max_results.unwrap_or(RESULTS_MAX);
    if !(1..=RESULTS_MAX).contains(&limit) {
        return refuse(
            ErrorCode::TrailInvalidMaxResults,
            format!(
                "A max results value of {limit} is invalid. Specify max results between 1 and {RESULTS_MAX}."
            ),
        );
    }
    if input.event_category.as_deref().is_some_and(|category| category != "insight") {
        return refuse(
            ErrorCode::TrailInvalidEventCategory,
            "Event category is not valid. The only one that can be specified is insight."
                .to_owned(),
        );
    }
    let (since, until) = (input.start_time.map(time), input.end_time.map(time));
    if since.zip(until).is_some_and(|(since, until)| until < since) {
        return refuse(
            ErrorCode::TrailInvalidTimeRange,
            "The start time must not be after the end time.".to_owned(),
        );
    }
    let filter = Filter { since, until, ..Filter::default() };
    let (of_record, narrows) = match input.lookup_attributes.as_slice() {
        [] => (None, None),
        [attribute] => {
            let of_record = attribute.read()?;
            let narrows = of_record.narrows();
            (Some(of_record), narrows)
        }
        _ => return Err(bad_attribute("You can specify only one lookup attribute.")),
    };
    let bad_token = || {
        KmsError::new(
            ErrorCode::TrailInvalidNextToken,
            "Next token is not valid. It must be the one of the page before, with the same parameters.",
        )
    };
    let after = input.next_token.as_deref();
    let after = after.map(|token| input.after(token).ok_or_else(bad_token)).transpose()?;
    let limit = usize::try_from(limit).map_err(KmsError::internal)?;
    let mut asked = Asked::filtered(&filter, limit, after);
    let region = Term::counted(&Field::Region, &input.region);
    for term in [region, narrows].into_iter().flatten() {
        asked.query = asked.query.with(term);
    }
    Ok((Asked { reads_records: of_record.is_some(), ..asked }, of_record))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a time beyond all calendars becomes the last one"
)]
fn time(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1_000.0) as i64)
}

/// An attribute, which a record has whole or not at all.
enum OfRecord {
    EventId(String),
    EventName(String),
    ResourceName(String),
    AccessKeyId(String),
    ReadOnly(bool),
    Username(String),
    EventSource(String),
    ResourceType(String),
}

impl OfRecord {
    fn holds(&self, record: &Value) -> bool {
        let text = |member: &str| record.get(member).and_then(Value::as_str);
        match self {
            Self::EventId(wanted) => text("eventID") == Some(wanted),
            Self::EventName(wanted) => text("eventName") == Some(wanted),
            Self::ResourceName(wanted) => resources(record).any(|(_, name)| name == wanted),
            Self::AccessKeyId(wanted) => {
                let id = record.pointer("/userIdentity/accessKeyId").and_then(Value::as_str);
                id == Some(wanted)
            }
            Self::ReadOnly(wanted) => {
                record.get("readOnly").and_then(Value::as_bool) == Some(*wanted)
            }
            Self::Username(wanted) => username(record) == Some(wanted),
            Self::EventSource(wanted) => text("eventSource") == Some(wanted),
            Self::ResourceType(wanted) => resources(record).any(|(kind, _)| kind == wanted),
        }
    }

    /// What an index may know of it. It may find more.
    fn narrows(&self) -> Option<Term> {
        let (field, value) = match self {
            Self::EventId(value) => (Field::Id, value),
            Self::EventName(value) => (Field::Operation, value),
            Self::ResourceName(value) => (Field::Key, value),
            Self::AccessKeyId(value) => (Field::Principal, value),
            Self::EventSource(value) => (Field::Service, value),
            Self::ReadOnly(_) | Self::Username(_) | Self::ResourceType(_) => return None,
        };
        Term::counted(&field, value)
    }
}

impl Attribute {
    fn read(&self) -> Result<OfRecord, KmsError> {
        let value = self.attribute_value.clone();
        let right = (1..=VALUE_CHARS_MAX).contains(&value.chars().count());
        let truth = matches!(value.as_str(), "true" | "false");
        if !right || (self.attribute_key == "ReadOnly" && !truth) {
            return Err(bad_attribute("Lookup attribute value is not valid."));
        }
        Ok(match self.attribute_key.as_str() {
            "EventId" => OfRecord::EventId(value),
            "EventName" => OfRecord::EventName(value),
            "ResourceName" => OfRecord::ResourceName(value),
            "AccessKeyId" => OfRecord::AccessKeyId(value),
            "ReadOnly" => OfRecord::ReadOnly(value == "true"),
            "Username" => OfRecord::Username(value),
            "EventSource" => OfRecord::EventSource(value),
            "ResourceType" => OfRecord::ResourceType(value),
            _ => return Err(bad_attribute("Lookup attribute key is not valid.")),
        })
    }
}

fn bad_attribute(words: &str) -> KmsError {
    KmsError::new(ErrorCode::TrailInvalidAttributes, words)
}

/// An event as LookupEvents lists it; the record itself stands in it as text.
fn entry(event: &StoredEvent) -> Option<Value> {
    let record: Value = serde_json::from_slice(&event.record).ok()?;
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let listed = |(kind, name): (&str, &str)| json!({"ResourceType": kind, "ResourceName": name});
    let mut entry = json!({
        "EventId": event.event_id.to_string(),
        "EventName": text("/eventName"),
        "ReadOnly": record.get("readOnly").and_then(Value::as_bool).unwrap_or_default().to_string(),
        "EventTime": Timestamp::from_seconds(event.time.seconds()).wire(),
        "EventSource": text("/eventSource"),
        "Resources": resources(&record).map(listed).collect::<Vec<_>>(),
        "CloudTrailEvent": core::str::from_utf8(&event.record).ok(),
    });
    let members = entry.as_object_mut()?;
    for (name, value) in
        [("Username", username(&record)), ("AccessKeyId", text("/userIdentity/accessKeyId"))]
    {
        if let Some(value) = value {
            members.insert(name.to_owned(), value.into());
        }
    }
    Some(entry)
}

fn resources(record: &Value) -> impl Iterator<Item = (&str, &str)> {
    let resources = record.get("resources").and_then(Value::as_array);
    resources.into_iter().flatten().filter_map(|resource| {
        Some((resource.get("type")?.as_str()?, resource.get("ARN")?.as_str()?))
    })
}

/// The user's name, the session's, or `root`.
fn username(record: &Value) -> Option<&str> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    match text("/userIdentity/type")? {
        "Root" => Some("root"),
        "IAMUser" => text("/userIdentity/userName"),
        _ => text("/userIdentity/arn").and_then(|arn| arn.rsplit('/').next()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_of(body: &str) -> Result<(Asked, Option<OfRecord>), KmsError> {
        asked(&serde_json::from_str(body).unwrap())
    }

    #[test]
    fn each_member_is_refused_by_its_own_exception() {
        let attribute = |key: &str, value: &str| {
            format!(r#"{{"AttributeKey":"{key}","AttributeValue":"{value}"}}"#)
        };
        let attributes = |all: &[String]| format!(r#"{{"LookupAttributes":[{}]}}"#, all.join(","));
        let one = |key: &str, value: &str| attributes(&[attribute(key, value)]);
        for (bad, code) in [
            (r#"{"MaxResults":0}"#.to_owned(), "InvalidMaxResultsException"),
            (r#"{"MaxResults":-1}"#.to_owned(), "InvalidMaxResultsException"),
            (r#"{"MaxResults":51}"#.to_owned(), "InvalidMaxResultsException"),
            (r#"{"NextToken":"x"}"#.to_owned(), "InvalidNextTokenException"),
            (r#"{"NextToken":"7"}"#.to_owned(), "InvalidNextTokenException"),
            (r#"{"NextToken":"7-0000000000000000"}"#.to_owned(), "InvalidNextTokenException"),
            (r#"{"StartTime":2,"EndTime":1}"#.to_owned(), "InvalidTimeRangeException"),
            (r#"{"EventCategory":"management"}"#.to_owned(), "InvalidEventCategoryException"),
            (one("Color", "red"), "InvalidLookupAttributesException"),
            (one("EventId", ""), "InvalidLookupAttributesException"),
            (one("EventName", &"x".repeat(2_001)), "InvalidLookupAttributesException"),
            (one("ReadOnly", "maybe"), "InvalidLookupAttributesException"),
            (
                attributes(&[attribute("EventId", "a"), attribute("EventId", "b")]),
                "InvalidLookupAttributesException",
            ),
        ] {
            let refused = asked_of(&bad).map(drop).unwrap_err();
            assert_eq!(refused.code.wire(), code, "{bad}");
            assert!(refused.message.is_some_and(|words| !words.is_empty()), "{bad}");
        }
        for good in [
            "{}".to_owned(),
            r#"{"MaxResults":50,"StartTime":1,"EndTime":1,"EventCategory":"insight"}"#.to_owned(),
            one("EventName", &"x".repeat(2_000)),
            one("ReadOnly", "false"),
        ] {
            assert!(asked_of(&good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_token_goes_on_with_its_own_question() {
        let input = |body: &str| serde_json::from_str::<Input>(body).unwrap();
        let first = input(r#"{"StartTime":1,"MaxResults":1}"#);
        let token = first.token(7);
        assert_eq!(input(r#"{"StartTime":1,"MaxResults":9}"#).after(&token), Some(7));
        for other in [
            "{}",
            r#"{"StartTime":2}"#,
            r#"{"StartTime":1,"EndTime":3}"#,
            r#"{"StartTime":1,"LookupAttributes":[{"AttributeKey":"ReadOnly","AttributeValue":"true"}]}"#,
        ] {
            assert_eq!(input(other).after(&token), None, "{other}");
        }
        assert_eq!(first.after(&token.replacen('7', "8", 1)), Some(8), "a place is no secret");
        assert_eq!(first.after(&token.replacen('7', "+7", 1)), None);
    }

    #[test]
    fn attributes_are_compared_whole_with_the_record() {
        let record = json!({
            "eventID": "0193aaaa-0000-7000-8000-000000000001", "requestID": "0193bbbb-0000-7000-8000-000000000001",
            "eventName": "Encrypt",
            "readOnly": true, "eventSource": "kms.amazonaws.com",
            "userIdentity": {"type": "AssumedRole", "accessKeyId": "ASIAIOSFODNN7EXAMPLE", "arn": "arn:aws:sts::111122223333:assumed-role/App/worker"},
            "resources": [{"type": "AWS::KMS::Key", "ARN": "arn:aws:kms:us-east-1:111122223333:key/k"}],
        });
        for (key, holds, fails) in [
            ("ReadOnly", "true", "false"),
            ("Username", "worker", "App"),
            ("EventSource", "kms.amazonaws.com", "s3.amazonaws.com"),
            ("ResourceType", "AWS::KMS::Key", "AWS::S3::Object"),
            (
                "EventId",
                "0193aaaa-0000-7000-8000-000000000001",
                "0193bbbb-0000-7000-8000-000000000001",
            ),
            ("EventName", "Encrypt", "Enc"),
            ("ResourceName", "arn:aws:kms:us-east-1:111122223333:key/k", "arn:aws:kms"),
            ("ResourceName", "arn:aws:kms:us-east-1:111122223333:key/k", "key"),
            ("AccessKeyId", "ASIAIOSFODNN7EXAMPLE", "App"),
            ("AccessKeyId", "ASIAIOSFODNN7EXAMPLE", "arn"),
        ] {
            for (value, expected) in [(holds, true), (fails, false)] {
                let body =
                    json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]})
                        .to_string();
                let (asked, attribute) = asked_of(&body).unwrap();
                assert!(!asked.clauses(true, Timestamp(0)).1);
                assert_eq!(attribute.unwrap().holds(&record), expected, "{key}={value}");
            }
        }
    }
}
