//! Three read-only calls of S3, path-style, over the folder of CloudTrail files: GetBucketLocation, ListObjects
//! (the first version of it) and GetObject.
//!
//! Who may: the root user, and whoever an identity policy allows `s3:GetBucketLocation`, `s3:ListBucket` or
//! `s3:GetObject` on `*`. A caller sees the files of its own account alone. Records stand in a file as they were
//! committed, so that a log file is for those who may also `keyward:ExplainDecision`.
//!
//! INVARIANT: a key is looked up as it stands and is never decoded; what is no plain key has no object.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>

use super::TrailFiles;
use crate::{
    answer,
    doors::Doors,
    events::{
        EXPLAIN,
        permission::{self, Action},
    },
    rest::decoded,
    strangers,
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web::Payload,
};
use keyward_export::Folder;
use keyward_trail::files::{Named, Object, Objects as _, ObjectsError, is_plain_key};
use keyward_types::{Caller, ErrorCode, KmsError};
use std::sync::Arc;
use uuid::Uuid;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const PAGE_MAX: usize = 1_000;
const GZIP: &str = "application/x-gzip";

/// The header by which an answer with metadata is known.
pub(crate) const SIGNATURE_HEADER: &str = "x-amz-meta-signature";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    Location,
    List { prefix: String, marker: String, limit: usize },
    Get(&'a str),
}

/// An S3 error: status, code and message.
struct Refusal(StatusCode, &'static str, String);

impl From<KmsError> for Refusal {
    fn from(error: KmsError) -> Self {
        let message = error.message.clone().unwrap_or_default();
        let (status, code) = match error.code {
            ErrorCode::AccessDenied | ErrorCode::NotAuthorized => {
                (StatusCode::FORBIDDEN, "AccessDenied")
            }
            ErrorCode::UnrecognizedClient => (StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
            ErrorCode::ExpiredToken => (StatusCode::BAD_REQUEST, "ExpiredToken"),
            code if code.fault() == keyward_types::Fault::Client => {
                (StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        };
        Self(status, code, message)
    }
}

impl From<ObjectsError> for Refusal {
    fn from(error: ObjectsError) -> Self {
        tracing::error!(%error, "the folder of CloudTrail files cannot be read");
        KmsError::internal("the folder cannot be read").into()
    }
}

pub(crate) async fn serve(
    doors: &Doors,
    request: &HttpRequest,
    payload: Payload,
    request_id: Uuid,
) -> HttpResponse {
    let Some(files) = &doors.files else { return strangers::s3(request_id) };
    let Some(folder) = &files.folder else { return strangers::s3(request_id) };
    let body = match doors.body(payload).await {
        Ok(body) => body,
        Err(error) => return error.answer(request_id),
    };
    let answered = answer(doors, files, folder, request, &body, request_id).await;
    answered.unwrap_or_else(|Refusal(status, code, message)| {
        answer::s3_refusal(status, code, &message, request_id)
    })
}

async fn answer(
    doors: &Doors,
    files: &TrailFiles,
    folder: &Folder,
    request: &HttpRequest,
    body: &[u8],
    request_id: Uuid,
) -> Result<HttpResponse, Refusal> {
    let caller = doors.admit(request, body, "s3", request_id)?;
    let (bucket, asked) = asked(request)?;
    let operation = match asked {
        Asked::Location => "GetBucketLocation",
        Asked::List { .. } => "ListBucket",
        Asked::Get(_) => "GetObject",
    };
    permission::check(&doors.engine, &caller, Action { service: "s3", operation }).await?;
    if bucket != files.place.bucket {
        let message = "The specified bucket does not exist".to_owned();
        return Err(Refusal(StatusCode::NOT_FOUND, "NoSuchBucket", message));
    }
    let folder = folder.clone();
    match asked {
        Asked::Location => Ok(xml(&location(&files.place.home_region), request_id)),
        Asked::List { prefix, marker, limit } => {
            let own = files.place.account_root(caller.account.as_str());
            // Only what begins with both is shown.
            let narrow = if own.starts_with(&prefix) { own.clone() } else { prefix.clone() };
            let keys = blocking(move || folder.list(&narrow)).await?;
            let keys = keys.into_iter().filter(|key| key.starts_with(&own) && marker < *key);
            Ok(xml(&list(bucket, &prefix, &marker, limit, keys), request_id))
        }
        Asked::Get(key) => get(doors, files, folder, &caller, key, request_id).await,
    }
}

async fn get(
    doors: &Doors,
    files: &TrailFiles,
    folder: Folder,
    caller: &Arc<Caller>,
    key: &str,
    request_id: Uuid,
) -> Result<HttpResponse, Refusal> {
    let own = files.place.account_root(caller.account.as_str());
    let missing = || {
        let message = "The specified key does not exist.".to_owned();
        Refusal(StatusCode::NOT_FOUND, "NoSuchKey", message)
    };
    if !is_plain_key(key) || !key.starts_with(&own) {
        return Err(missing());
    }
    if matches!(Named::parse(key), Some(Named::Log { .. })) {
        permission::check(&doors.engine, caller, EXPLAIN).await?;
    }
    let wanted = key.to_owned();
    let object = blocking(move || folder.get(&wanted)).await?.ok_or_else(missing)?;
    let Object { bytes, metadata } = object;
    let mut response = answer::begin(StatusCode::OK, GZIP, request_id);
    for (name, value) in metadata {
        response.insert_header((format!("x-amz-meta-{name}"), value));
    }
    Ok(response.body(bytes))
}

/// Reading files, off the threads that serve.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectsError> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(KmsError::internal)??)
}

fn asked(request: &HttpRequest) -> Result<(&str, Asked<'_>), Refusal> {
    let refused = |what: &str| {
        let message = format!(
            "This endpoint serves GetBucketLocation, ListObjects and GetObject of CloudTrail files, not {what}."
        );
        Err(Refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message))
    };
    if request.method() != Method::GET {
        return refused("what is written or asked by another method than GET");
    }
    let path = request.uri().path().trim_start_matches('/');
    let query = request.uri().query().unwrap_or_default();
    if let Some((bucket, key)) = path.split_once('/').filter(|(_, key)| !key.is_empty()) {
        return Ok((bucket, Asked::Get(key)));
    }
    let bucket = path.trim_end_matches('/');
    let (mut prefix, mut marker, mut limit) = (String::new(), String::new(), PAGE_MAX);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).into_owned();
        match name {
            "location" => return Ok((bucket, Asked::Location)),
            "prefix" => prefix = value,
            "marker" => marker = value,
            "max-keys" => limit = value.parse().unwrap_or(PAGE_MAX).min(PAGE_MAX),
            // Plain keys are the same in every encoding.
            "encoding-type" => {}
            "delimiter" if value.is_empty() => {}
            _ => return refused("this"),
        }
    }
    if bucket.is_empty() {
        return refused("a list of buckets");
    }
    Ok((bucket, Asked::List { prefix, marker, limit }))
}

fn location(region: &str) -> String {
    let region = if region == "us-east-1" { "" } else { region };
    format!("<LocationConstraint xmlns=\"{NAMESPACE}\">{region}</LocationConstraint>")
}

fn list(
    bucket: &str,
    prefix: &str,
    marker: &str,
    limit: usize,
    keys: impl Iterator<Item = String>,
) -> String {
    let mut page: Vec<String> = keys.take(limit.saturating_add(1)).collect();
    let is_truncated = limit < page.len();
    page.truncate(limit);
    let contents: String = page
        .iter()
        .map(|key| {
            format!("<Contents><Key>{key}</Key><StorageClass>STANDARD</StorageClass></Contents>")
        })
        .collect();
    format!(
        "<ListBucketResult xmlns=\"{NAMESPACE}\"><Name>{bucket}</Name><Prefix>{}</Prefix><Marker>{}</Marker><MaxKeys>{limit}</MaxKeys><IsTruncated>{is_truncated}</IsTruncated>{contents}</ListBucketResult>",
        escaped(prefix),
        escaped(marker)
    )
}

/// What the caller sent, harmless in XML.
fn escaped(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "_-./".contains(*c)).collect()
}

fn xml(body: &str, request_id: Uuid) -> HttpResponse {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    answer::begin(StatusCode::OK, "application/xml", request_id)
        .insert_header((header::SERVER, "keyward"))
        .body(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn requests_are_told_apart() {
        let asked = |uri: &str| {
            let request = TestRequest::get().uri(uri).to_http_request();
            super::asked(&request)
                .map(|(bucket, asked)| format!("{bucket} {asked:?}"))
                .map_err(|Refusal(status, _, _)| status.as_u16())
        };
        let list = |prefix: &str, marker: &str, limit: usize| {
            let (prefix, marker) = (prefix.to_owned(), marker.to_owned());
            Ok(format!("b {:?}", Asked::List { prefix, marker, limit }))
        };
        assert_eq!(asked("/b?location"), Ok("b Location".to_owned()));
        assert_eq!(asked("/b/a/b.gz"), Ok("b Get(\"a/b.gz\")".to_owned()));
        assert_eq!(asked("/b"), list("", "", 1_000));
        assert_eq!(
            asked("/b?prefix=AWSLogs%2F1&marker=m&encoding-type=url&max-keys=2"),
            list("AWSLogs/1", "m", 2)
        );
        assert_eq!(asked("/"), Err(501));
        assert_eq!(asked("/b?list-type=2"), Err(501));
        assert_eq!(asked("/b?acl"), Err(501));
    }

    #[test]
    fn a_page_says_that_it_is_not_the_last() {
        let keys = || ["a", "b", "c"].into_iter().map(str::to_owned);
        assert!(list("b", "", "", 3, keys()).contains("<IsTruncated>false</IsTruncated>"));
        let page = list("b", "<x>", "", 2, keys());
        assert!(
            page.contains("<IsTruncated>true</IsTruncated>") && page.contains("<Prefix>x</Prefix>")
        );
        assert!(page.contains("<Key>b</Key>") && !page.contains("<Key>c</Key>"));
    }
}
