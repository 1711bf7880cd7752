//! Answers in the dialect of whoever asks: AWS JSON 1.1, S3's XML, and REST.
//!
//! The query protocol's XML is made in `query.rs`; its envelope and headers are made here.
//!
//! INVARIANT: the cause of an error never crosses this file.
//! INVARIANT: a successful body is wiped when the last reference to it goes.
//! Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html> and recorded answers.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
    web::Bytes,
};
use keyward_engine::Reply;
use keyward_types::{ErrorCode, Fault, KmsError};
use serde_json::json;
use uuid::{Uuid, fmt::Hyphenated};
use zeroize::Zeroizing;

pub(crate) const AWS_JSON: &str = "application/x-amz-json-1.1";
pub(crate) const JSON: &str = "application/json";
pub(crate) const XML: &str = "text/xml";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

const REQUEST_ID: header::HeaderName = header::HeaderName::from_static("x-amzn-requestid");
/// `on` while anything is in observe mode, `would-deny` on what it let through.
pub(crate) const OBSERVE: header::HeaderName = header::HeaderName::from_static("x-keyward-observe");
const ERROR_TYPE: header::HeaderName = header::HeaderName::from_static("x-amzn-errortype");

/// 200 with an operation's answer, or with nothing.
pub(crate) fn aws_json(reply: Reply, request_id: Uuid) -> HttpResponse {
    let mut response = begin(StatusCode::OK, AWS_JSON, request_id);
    mark(&mut response, reply.would_deny);
    response.body(wiping(reply.body))
}

/// Says that policies refused what observe mode let through.
fn mark(response: &mut HttpResponseBuilder, would_deny: bool) {
    if would_deny {
        response.insert_header((OBSERVE, header::HeaderValue::from_static("would-deny")));
    }
}

/// 400 for the client's fault and 500 for the server's, and nothing else.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html>
pub(crate) fn aws_json_error(error: &KmsError, request_id: Uuid) -> HttpResponse {
    let status = match error.code.fault() {
        Fault::Client => StatusCode::BAD_REQUEST,
        Fault::Server => StatusCode::INTERNAL_SERVER_ERROR,
    };
    begin(status, AWS_JSON, request_id)
        .insert_header((ERROR_TYPE, error.code.wire()))
        .body(aws_json_error_body(error))
}

fn aws_json_error_body(error: &KmsError) -> String {
    let code = error.code.wire();
    let Some(message) = &error.message else { return format!(r#"{{"__type":"{code}"}}"#) };
    // AWS spells this member "Message" here and "message" everywhere else.
    let member = if error.code == ErrorCode::AccessDenied { "Message" } else { "message" };
    format!(r#"{{"__type":"{code}","{member}":{}}}"#, json!(message))
}

/// 201 for what was created, 204 when there is nothing to say, else 200.
pub(crate) fn rest(reply: Reply, creates: bool, request_id: Uuid) -> HttpResponse {
    if reply.body.is_empty() {
        let mut response = common(StatusCode::NO_CONTENT, request_id);
        mark(&mut response, reply.would_deny);
        return response.finish();
    }
    let status = if creates { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = begin(status, JSON, request_id);
    mark(&mut response, reply.would_deny);
    response.body(wiping(reply.body))
}

/// HTTP's own status, and `{"error": {"code", "message", "requestId"}}`.
pub(crate) fn rest_error(error: &KmsError, request_id: Uuid) -> HttpResponse {
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = begin(status, JSON, request_id);
    if matches!(error.code, ErrorCode::Throttling | ErrorCode::ServiceUnavailable) {
        response.insert_header((header::RETRY_AFTER, "1"));
    }
    let mut body = json!({"code": error.code.wire(), "requestId": request_id.to_string()});
    if let (Some(message), Some(members)) = (&error.message, body.as_object_mut()) {
        members.insert("message".to_owned(), message.as_str().into());
    }
    response.body(json!({ "error": body }).to_string())
}

/// HTTP's own status, the code in a header and the message in the body: AWS's REST services.
/// <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization>
pub(crate) fn rest_json_error(error: &KmsError, request_id: Uuid) -> HttpResponse {
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = match error.code {
        ErrorCode::Internal => "InternalServerException",
        code => code.wire(),
    };
    let mut body = json!({"message": error.message.as_deref().unwrap_or(code)});
    if let (ErrorCode::Validation, Some(members)) = (error.code, body.as_object_mut()) {
        members.insert("reason".to_owned(), "fieldValidationFailed".into());
    }
    let mut response = begin(status, JSON, request_id);
    response.insert_header((ERROR_TYPE, code));
    response.body(body.to_string())
}

/// S3's error document; S3 clients show its message.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
pub(crate) fn s3_error(code: &str, message: &str, request_id: Uuid) -> HttpResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
    );
    begin(StatusCode::NOT_IMPLEMENTED, "application/xml", request_id).body(body)
}

/// An error of S3's own, for a client of the files that are here.
pub(crate) fn s3_refusal(
    status: StatusCode,
    code: &str,
    message: &str,
    request_id: Uuid,
) -> HttpResponse {
    let plain: String = message.chars().filter(|c| !"<>&\"'".contains(*c)).collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{plain}</Message><RequestId>{request_id}</RequestId></Error>"
    );
    begin(status, "application/xml", request_id).body(body)
}

/// A response with the headers that every answer carries.
pub(crate) fn begin(
    status: StatusCode,
    content_type: &'static str,
    request_id: Uuid,
) -> HttpResponseBuilder {
    let mut response = common(status, request_id);
    response.insert_header((header::CONTENT_TYPE, header::HeaderValue::from_static(content_type)));
    response
}

fn common(status: StatusCode, request_id: Uuid) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    let mut buffer = Uuid::encode_buffer();
    let id: &str = Hyphenated::from_uuid(request_id).encode_lower(&mut buffer);
    if let Ok(id) = header::HeaderValue::from_str(id) {
        response.insert_header((REQUEST_ID, id));
    }
    response.insert_header((
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-cache, no-store, must-revalidate, private"),
    ));
    response
}

/// Body bytes that are wiped after the HTTP library has copied them to the socket's buffer.
pub(crate) fn wiping(body: Zeroizing<Vec<u8>>) -> Bytes {
    if body.is_empty() { Bytes::new() } else { Bytes::from_owner(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_bodies_are_awss() {
        let error = |code, message: Option<&str>| {
            aws_json_error_body(&KmsError {
                code,
                message: message.map(str::to_owned),
                cause: Some("secret".to_owned()),
            })
        };
        assert_eq!(
            error(ErrorCode::NotFound, Some("Key \"x\"")),
            r#"{"__type":"NotFoundException","message":"Key \"x\""}"#
        );
        assert_eq!(
            error(ErrorCode::AccessDenied, Some("no")),
            r#"{"__type":"AccessDeniedException","Message":"no"}"#
        );
        assert_eq!(
            error(ErrorCode::InvalidCiphertext, None),
            r#"{"__type":"InvalidCiphertextException"}"#
        );
    }
}
