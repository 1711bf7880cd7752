//! `LookupEvents`, as `aws cloudtrail lookup-events` asks it: AWS JSON 1.1, one attribute, newest first.
//!
//! Who may: the root user, and whoever an identity policy allows `cloudtrail:LookupEvents`.
//! Violations answer `ValidationException`, where CloudTrail has an exception for each member.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use super::{LOOKUP, asked::Asked, search};
use crate::{answer, doors::Doors};
use actix_web::{HttpRequest, HttpResponse};
use keyward_engine::Reply;
use keyward_store::StoredEvent;
use keyward_trail::Filter;
use keyward_types::{ErrorCode, KmsError, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The target of the one operation of CloudTrail that is served.
pub(crate) const TARGET: &str = "CloudTrail_20131101.LookupEvents";

const RESULTS_MAX: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    #[serde(default)]
    lookup_attributes: Vec<Attribute>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
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
        Ok(body) => answer::aws_json(Reply { body: Zeroizing::new(body) }, request_id),
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
    let input: Input = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        KmsError::new(
            ErrorCode::Serialization,
            format!("The request body does not fit LookupEvents: {place}"),
        )
    })?;
    let (asked, attribute) = asked(&input)?;
    let (events, next) = search(&doors.engine, &caller, &asked, |record| {
        attribute.as_ref().is_none_or(|attribute| attribute.holds(record))
    })?;
    let mut answer = json!({"Events": events.iter().filter_map(entry).collect::<Vec<_>>()});
    if let (Some(next), Some(members)) = (next, answer.as_object_mut()) {
        members.insert("NextToken".to_owned(), next.to_string().into());
    }
    Ok(answer.to_string().into_bytes())
}

/// The question that the log is asked, and what only the record itself can answer.
fn asked(input: &Input) -> Result<(Asked, Option<OfRecord>), KmsError> {
    let limit = input.max_results.unwrap_or(RESULTS_MAX);
    if !(1..=RESULTS_MAX).contains(&limit) {
        return Err(KmsError::validation("MaxResults must be from 1 to 50."));
    }
    let bad_token = || KmsError::validation("NextToken must be the one of the page before.");
    let after = input
        .next_token
        .as_deref()
        .map(|token| token.parse().map_err(|_| bad_token()))
        .transpose()?;
    let (since, until) = (input.start_time.map(time), input.end_time.map(time));
    if since.zip(until).is_some_and(|(since, until)| until < since) {
        return Err(KmsError::validation("StartTime must not be after EndTime."));
    }
    let mut filter = Filter { since, until, ..Filter::default() };
    let of_record = match input.lookup_attributes.as_slice() {
        [] => None,
        [attribute] => attribute.narrow(&mut filter)?,
        _ => return Err(KmsError::validation("LookupAttributes must hold one attribute at most.")),
    };
    let asked = Asked::filtered(&filter, limit, after);
    Ok((Asked { reads_records: of_record.is_some(), ..asked }, of_record))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a time beyond all calendars becomes the last one"
)]
fn time(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1_000.0) as i64)
}

/// An attribute that no index has.
enum OfRecord {
    ReadOnly(bool),
    Username(String),
    EventSource(String),
    ResourceType(String),
}

impl OfRecord {
    fn holds(&self, record: &Value) -> bool {
        let text = |member: &str| record.get(member).and_then(Value::as_str);
        match self {
            Self::ReadOnly(wanted) => {
                record.get("readOnly").and_then(Value::as_bool) == Some(*wanted)
            }
            Self::Username(wanted) => username(record) == Some(wanted),
            Self::EventSource(wanted) => text("eventSource") == Some(wanted),
            Self::ResourceType(wanted) => resources(record).any(|(kind, _)| kind == wanted),
        }
    }
}

impl Attribute {
    fn narrow(&self, filter: &mut Filter) -> Result<Option<OfRecord>, KmsError> {
        let value = self.attribute_value.clone();
        match self.attribute_key.as_str() {
            "EventId" => filter.id = Some(value),
            "EventName" => filter.operation = Some(value),
            "ResourceName" => filter.key = Some(value),
            "AccessKeyId" => filter.principal = Some(value),
            "ReadOnly" => return Ok(Some(OfRecord::ReadOnly(value == "true"))),
            "Username" => return Ok(Some(OfRecord::Username(value))),
            "EventSource" => return Ok(Some(OfRecord::EventSource(value))),
            "ResourceType" => return Ok(Some(OfRecord::ResourceType(value))),
            _ => {
                return Err(KmsError::validation(
                    "AttributeKey must be one of EventId, EventName, ReadOnly, Username, ResourceType, ResourceName, EventSource, AccessKeyId.",
                ));
            }
        }
        Ok(None)
    }
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
    fn what_lookup_events_does_not_take_is_refused() {
        for bad in [
            r#"{"MaxResults":0}"#,
            r#"{"MaxResults":51}"#,
            r#"{"NextToken":"x"}"#,
            r#"{"StartTime":2,"EndTime":1}"#,
            r#"{"LookupAttributes":[{"AttributeKey":"Color","AttributeValue":"red"}]}"#,
            r#"{"LookupAttributes":[{"AttributeKey":"EventId","AttributeValue":"a"},{"AttributeKey":"EventId","AttributeValue":"b"}]}"#,
        ] {
            assert!(asked_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn attributes_that_no_index_has_are_read_from_the_record() {
        let record = json!({
            "readOnly": true, "eventSource": "kms.amazonaws.com",
            "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/App/worker"},
            "resources": [{"type": "AWS::KMS::Key", "ARN": "arn:aws:kms:us-east-1:111122223333:key/k"}],
        });
        for (key, holds, fails) in [
            ("ReadOnly", "true", "false"),
            ("Username", "worker", "App"),
            ("EventSource", "kms.amazonaws.com", "s3.amazonaws.com"),
            ("ResourceType", "AWS::KMS::Key", "AWS::S3::Object"),
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
