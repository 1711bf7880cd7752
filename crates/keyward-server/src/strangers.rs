//! What a client hears that asked for a service that is not here.
//!
//! `AWS_ENDPOINT_URL` sends every service's calls to one address, so that S3 and DynamoDB clients come
//! here by mistake. SDKs show the sentence only when it comes in their own dialect.

use crate::answer;
use actix_web::{HttpRequest, HttpResponse, http::header};
use keyward_types::{ErrorCode, KmsError};
use uuid::Uuid;

/// How a request to `/` wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect<'a> {
    /// AWS JSON, with its target.
    Target(&'a str),
    /// AWS query: a form, or an `Action` in the URL.
    Query,
    /// S3's XML.
    S3,
    /// Anything else hears JSON.
    Other,
}

impl<'a> Dialect<'a> {
    pub(crate) fn of(request: &'a HttpRequest) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let query = request.uri().query().unwrap_or_default();
        let is_form = || {
            header("content-type")
                .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        };
        let is_s3 = || {
            header(header::AUTHORIZATION.as_str())
                .is_some_and(|text| text.contains("/s3/aws4_request"))
                || query.contains("%2Fs3%2Faws4_request")
        };
        match header("x-amz-target") {
            Some(target) => Self::Target(target),
            None if is_form() || query.split('&').any(|pair| pair.starts_with("Action=")) => {
                Self::Query
            }
            None if is_s3() => Self::S3,
            None => Self::Other,
        }
    }
}

/// What this endpoint serves, for a client of `other`.
pub(crate) fn sentence(other: &str) -> String {
    format!(
        "This endpoint serves kms, sts, iam, access-analyzer's policy checks and cloudtrail's LookupEvents, not {}. Set AWS_ENDPOINT_URL_KMS instead of AWS_ENDPOINT_URL, so that other services keep their own endpoints.",
        shown(other)
    )
}

pub(crate) fn s3(request_id: Uuid) -> HttpResponse {
    answer::s3_error("NotImplemented", &sentence("s3"), request_id)
}

pub(crate) fn json(request: &HttpRequest, request_id: Uuid) -> HttpResponse {
    let message = match scope_service(request) {
        Some(service) if service != "kms" => sentence(&service),
        _ => "There is nothing here. KMS requests are a POST with an X-Amz-Target; the REST API is described at /openapi.json.".to_owned(),
    };
    answer::aws_json_error(&KmsError::new(ErrorCode::UnknownOperation, message), request_id)
}

/// The service that a request was signed for, as it claims.
pub(crate) fn scope_service(request: &HttpRequest) -> Option<String> {
    let text = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let credential = text.split_once("Credential=")?.1;
    Some(credential.split('/').nth(3)?.to_owned())
}

/// A stranger's text, short and harmless in JSON and XML.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "._-:".contains(*c)).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn dialects_are_told_apart() {
        let with = |name, value| {
            TestRequest::post().uri("/").insert_header((name, value)).to_http_request()
        };
        let s3 = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(
            Dialect::of(&with("x-amz-target", "TrentService.Encrypt")),
            Dialect::Target("TrentService.Encrypt")
        );
        assert_eq!(
            Dialect::of(&with("content-type", "application/x-www-form-urlencoded; charset=utf-8")),
            Dialect::Query
        );
        assert_eq!(Dialect::of(&with("authorization", s3)), Dialect::S3);
        assert_eq!(Dialect::of(&with("accept", "*/*")), Dialect::Other);
        let get = TestRequest::get()
            .uri("/?Action=GetCallerIdentity&Version=2011-06-15")
            .to_http_request();
        assert_eq!(Dialect::of(&get), Dialect::Query);
    }

    #[test]
    fn what_a_stranger_sends_is_not_repeated_raw() {
        assert_eq!(shown("<b>&\"x\u{7f}"), "bx");
        assert_eq!(shown(&"a".repeat(100)).len(), 64);
    }
}
