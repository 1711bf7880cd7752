//! `POST /` with `X-Amz-Target`: AWS JSON 1.1, which every AWS SDK and CLI speaks to KMS.
//!
//! CloudTrail's `LookupEvents`, `DescribeTrails` and `ListPublicKeys` come in here too.
//! The target decides, whatever the path: an endpoint may have been given with a path.
//! Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use crate::{answer, doors::Doors, events::lookup, files, strangers};
use actix_web::{HttpRequest, HttpResponse, web::Payload};
use keyward_engine::{AnyOperation, Service};
use keyward_types::{ErrorCode, KmsError};
use uuid::Uuid;

/// The target prefix of KMS in AWS's service model.
const KMS: &str = "TrentService";

pub(crate) async fn serve(
    doors: &Doors,
    request: &HttpRequest,
    payload: Payload,
    target: &str,
    request_id: Uuid,
) -> HttpResponse {
    let called = match called(target, request) {
        Ok(called) => called,
        Err(error) => return answer::aws_json_error(&error, request_id),
    };
    let body = match doors.body(payload).await {
        Ok(body) => body,
        Err(error) => return error.answer(request_id),
    };
    let operation = match called {
        Called::Row(operation) => operation,
        Called::LookupEvents => return lookup::serve(doors, request, &body, request_id).await,
        Called::Trails(call) => return files::serve(doors, request, &body, call, request_id).await,
    };
    match doors.call(operation, request, &body, request_id).await {
        Ok(reply) => answer::aws_json(reply, request_id),
        Err(error) => answer::aws_json_error(&error, request_id),
    }
}

enum Called {
    Row(&'static dyn AnyOperation),
    LookupEvents,
    Trails(files::Call),
}

fn called(target: &str, request: &HttpRequest) -> Result<Called, KmsError> {
    let unknown = |message: String| KmsError::new(ErrorCode::UnknownOperation, message);
    match target.rsplit_once('.') {
        Some((KMS, name)) => keyward_engine::find(Service::Kms, name)
            .map(Called::Row)
            .ok_or_else(|| unknown(format!("KMS has no operation '{}'.", strangers::shown(name)))),
        Some(_) if target.ends_with(lookup::TARGET) => Ok(Called::LookupEvents),
        Some(_) if let Some(call) = files::call(target) => Ok(Called::Trails(call)),
        Some((other, _)) => {
            // Such as `dynamodb`, which says more than `DynamoDB_20120810`.
            let signed_for = strangers::scope_service(request).filter(|service| service != "kms");
            let other = signed_for.as_deref().unwrap_or(other.rsplit('.').next().unwrap_or(other));
            Err(unknown(strangers::sentence(other)))
        }
        None => Err(unknown(format!(
            "The X-Amz-Target '{}' names no operation.",
            strangers::shown(target)
        ))),
    }
}
