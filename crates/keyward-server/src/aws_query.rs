//! `/` with a form, or with an `Action` in the URL: the AWS query protocol, which STS and IAM speak.
//!
//! The translation is `query.rs`'s; who sent it, and how the answer travels, is settled here.
//! Source: <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use crate::{answer, doors::Doors, query, strangers};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Payload};
use keyward_engine::{Reply, Service};
use keyward_types::{ErrorCode, KmsError};
use uuid::Uuid;

pub(crate) async fn serve(
    doors: &Doors,
    request: &HttpRequest,
    payload: Payload,
    request_id: Uuid,
) -> HttpResponse {
    let signed_for = match strangers::scope_service(request).as_deref() {
        // What was signed for kms is refused by its scope, once the operation is known.
        None | Some("kms") => None,
        Some("iam") => Some(Service::Iam),
        Some("sts") => Some(Service::Sts),
        Some(other) => {
            let error = KmsError::new(ErrorCode::UnknownOperation, strangers::sentence(other));
            return refusal(&error, None, request_id);
        }
    };
    let body = match doors.body(payload).await {
        Ok(body) => body,
        Err(error) => return error.answer(request_id),
    };
    let form =
        if body.is_empty() { request.uri().query().unwrap_or_default().as_bytes() } else { &body };
    let query = match query::parse(form, signed_for) {
        Ok(query) => query,
        Err(error) => return refusal(&error, signed_for, request_id),
    };
    match call(doors, request, &body, &query, request_id).await {
        Ok(reply) => success(&query, &reply, request_id),
        Err(error) => refusal(&error, Some(query.service), request_id),
    }
}

async fn call(
    doors: &Doors,
    request: &HttpRequest,
    body: &[u8],
    query: &query::Query,
    request_id: Uuid,
) -> Result<Reply, KmsError> {
    let caller = doors.admit(request, body, query.service.name(), request_id)?;
    doors.lanes.attempt(&doors.engine, query.operation, &caller, &query.body).await
}

fn success(query: &query::Query, reply: &Reply, request_id: Uuid) -> HttpResponse {
    match query::answer(query.operation, &reply.body, request_id) {
        Ok(xml) => answer::begin(StatusCode::OK, answer::XML, request_id).body(answer::wiping(xml)),
        Err(error) => refusal(&error, Some(query.service), request_id),
    }
}

fn refusal(error: &KmsError, service: Option<Service>, request_id: Uuid) -> HttpResponse {
    let (status, xml) = query::refusal(error, service, request_id);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer::begin(status, answer::XML, request_id).body(xml)
}
