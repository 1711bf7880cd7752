//! CloudTrail's DescribeTrails and ListPublicKeys: what `aws cloudtrail validate-logs` asks beside S3.
//!
//! Every account here has the one trail, which the operator configured; without it there is none.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html>,
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html>

use super::TrailFiles;
use crate::{
    answer,
    doors::Doors,
    events::permission::{self, Action},
};
use actix_web::{HttpRequest, HttpResponse};
use keyward_engine::Reply;
use keyward_export::SigningKey as _;
use keyward_types::{Caller, ErrorCode, KmsError};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    DescribeTrails,
    ListPublicKeys,
}

/// Days for which a key is said to be valid.
const VALID_DAYS: i64 = 3_650;

/// Which of them a target names.
pub(crate) fn call(target: &str) -> Option<Call> {
    match target.rsplit_once("CloudTrail_20131101.")?.1 {
        "DescribeTrails" => Some(Call::DescribeTrails),
        "ListPublicKeys" => Some(Call::ListPublicKeys),
        _ => None,
    }
}

pub(crate) async fn serve(
    doors: &Doors,
    request: &HttpRequest,
    body: &[u8],
    call: Call,
    request_id: Uuid,
) -> HttpResponse {
    match answer(doors, request, body, call, request_id).await {
        Ok(body) => {
            let body = Zeroizing::new(body.to_string().into_bytes());
            answer::aws_json(Reply { body, would_deny: false }, request_id)
        }
        Err(error) => answer::aws_json_error(&error, request_id),
    }
}

async fn answer(
    doors: &Doors,
    request: &HttpRequest,
    body: &[u8],
    call: Call,
    request_id: Uuid,
) -> Result<Value, KmsError> {
    let caller = doors.admit(request, body, "cloudtrail", request_id)?;
    let operation = match call {
        Call::DescribeTrails => "DescribeTrails",
        Call::ListPublicKeys => "ListPublicKeys",
    };
    let action = Action { service: "cloudtrail", operation };
    permission::check(&doors.engine, &caller, action).await?;
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let files = doors.files.as_deref();
    match call {
        Call::DescribeTrails => describe(files, &caller, &read(body, operation)?),
        Call::ListPublicKeys => list(files, &read(body, operation)?),
    }
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8], operation: &str) -> Result<T, KmsError> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let message = format!("The request body does not fit {operation}: {place}");
        KmsError::new(ErrorCode::Serialization, message)
    })
}

#[derive(Deserialize)]
struct Described {
    /// Names or ARNs; none is all.
    #[serde(rename = "trailNameList", default)]
    names: Vec<String>,
}

fn describe(
    files: Option<&TrailFiles>,
    caller: &Caller,
    asked: &Described,
) -> Result<Value, KmsError> {
    let Some(place) = files.map(TrailFiles::place) else { return Ok(json!({"trailList": []})) };
    let arn = place.trail_arn(caller.account.as_str());
    if !asked.names.is_empty()
        && !asked.names.iter().any(|name| *name == place.trail || *name == arn)
    {
        return Ok(json!({"trailList": []}));
    }
    let mut trail = json!({
        "Name": place.trail,
        "S3BucketName": place.bucket,
        "IncludeGlobalServiceEvents": true,
        "IsMultiRegionTrail": true,
        "HomeRegion": place.home_region,
        "TrailARN": arn,
        "LogFileValidationEnabled": true,
        "HasCustomEventSelectors": false,
        "HasInsightSelectors": false,
        "IsOrganizationTrail": false,
    });
    if let (Some(prefix), Some(members)) = (&place.prefix, trail.as_object_mut()) {
        members.insert("S3KeyPrefix".to_owned(), prefix.as_str().into());
    }
    Ok(json!({"trailList": [trail]}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    start_time: Option<f64>,
    end_time: Option<f64>,
}

fn list(files: Option<&TrailFiles>, asked: &Listed) -> Result<Value, KmsError> {
    if asked.start_time.zip(asked.end_time).is_some_and(|(start, end)| end < start) {
        return Err(KmsError::new(
            ErrorCode::TrailInvalidTimeRange,
            "The start time must not be after the end time.",
        ));
    }
    // The one key is that of every file, also of those about events that are older than it.
    let entry = |files: &TrailFiles| {
        json!({
            "Value": files.key.value(),
            "ValidityStartTime": files.key.created().seconds(),
            "ValidityEndTime": files.key.created().plus_days(VALID_DAYS).seconds(),
            "Fingerprint": files.key.fingerprint(),
        })
    };
    Ok(json!({"PublicKeyList": files.map(entry).into_iter().collect::<Vec<_>>()}))
}
