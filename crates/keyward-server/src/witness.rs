//! `POST /add-checkpoint`: this service as a witness of other logs.
//!
//! Not signed by Signature Version 4, as the specification has it: what is asked stands under a log's own signature.
//! It says nothing of this service, and refuses all unless logs are configured.
//! Source: <https://c2sp.org/tlog-witness> (add-checkpoint)

use crate::{answer, doors::Doors};
use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use keyward_engine::witness::Uncosigned;
use keyward_trail::witness::{REQUEST_BYTES_MAX, Refusal, SIZE_MEDIA_TYPE};

pub(crate) async fn add_checkpoint(doors: Data<Doors>, payload: Payload) -> HttpResponse {
    let request_id = doors.engine.fresh_id();
    if doors.witnessed.is_empty() {
        return answer::begin(StatusCode::NOT_FOUND, answer::TEXT, request_id)
            .force_close()
            .body("this service is no witness\n");
    }
    let body = match doors.body_within(payload, REQUEST_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return error.answer(request_id),
    };
    let judging = doors.clone();
    let judged =
        tokio::task::spawn_blocking(move || judging.engine.cosign(&body, &judging.witnessed));
    match judged.await {
        Ok(Ok(line)) => answer::begin(StatusCode::OK, answer::TEXT, request_id).body(line),
        Ok(Err(Uncosigned::Refused(refusal))) => {
            if matches!(refusal, Refusal::Forked(_) | Refusal::BadProof) {
                tracing::warn!(%refusal, "a log that this service witnesses told another story");
            }
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            match refusal.size_body() {
                Some(size) => answer::begin(status, SIZE_MEDIA_TYPE, request_id).body(size),
                None => {
                    answer::begin(status, answer::TEXT, request_id).body(format!("{refusal}\n"))
                }
            }
        }
        Ok(Err(Uncosigned::Failed(error))) => {
            tracing::error!(%error, "this witness cannot cosign");
            answer::begin(StatusCode::INTERNAL_SERVER_ERROR, answer::TEXT, request_id).finish()
        }
        Err(_) => {
            doors.engine.metrics().panicked();
            answer::begin(StatusCode::INTERNAL_SERVER_ERROR, answer::TEXT, request_id).finish()
        }
    }
}
