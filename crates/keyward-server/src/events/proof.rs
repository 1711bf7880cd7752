//! `/v1/log`: the log's key, its checkpoints, and proofs, in C2SP's own text forms.
//!
//! Who may read events may read these; a proof is given of the caller's own account's events.
//! Sources: <https://c2sp.org/tlog-checkpoint>, <https://c2sp.org/tlog-proof>

use super::{LIST, answered, found};
use crate::{answer, doors::Doors, rest::decoded};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, ServiceConfig},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_trail::checkpoint::SignedCheckpoint;
use keyward_types::{ErrorCode, KmsError};
use serde_json::json;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/v1/log/key", web::get().to(key))
        .route("/v1/log/witness-key", web::get().to(witness_key))
        .route("/v1/log/checkpoint", web::get().to(checkpoint))
        .route("/v1/log/consistency", web::get().to(consistency))
        .route("/v1/log/proof/{id}", web::get().to(proof));
}

async fn key(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, LIST, |_, _| {
        let key = doors.engine.log_key()?;
        let body = json!({"Origin": key.name(), "VerifierKey": key.to_string()});
        Ok((answer::JSON, body.to_string().into_bytes()))
    })
    .await
}

/// The key under which this service cosigns for other logs, whether it is set up to or not.
async fn witness_key(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, LIST, |_, _| {
        let key = doors.engine.witness_key()?;
        let body = json!({"Name": key.name(), "VerifierKey": key.to_string()});
        Ok((answer::JSON, body.to_string().into_bytes()))
    })
    .await
}

/// The newest checkpoint; one is signed now when there is none, or when `new` asks for it. With `cosigned`, the newest
/// that so many witnesses have signed.
async fn checkpoint(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, LIST, |_, _| {
        if let Some(text) = value(&request, "cosigned") {
            let words = "cosigned must be a number of witnesses";
            let witnesses = text.parse().map_err(|_| KmsError::validation(words))?;
            let cosigned = doors.engine.last_cosigned(witnesses)?.ok_or_else(|| {
                let words = format!("No checkpoint is cosigned by {witnesses} witnesses yet");
                KmsError::new(ErrorCode::NotFound, words)
            })?;
            return Ok((answer::TEXT, cosigned.to_string().into_bytes()));
        }
        let asked = value(&request, "new").is_some_and(|value| value != "false");
        let last = if asked { None } else { doors.engine.last_checkpoint()? };
        let note = match last {
            Some(last) => last,
            None => {
                let signed = doors.engine.checkpoint()?;
                doors.publisher.iter().for_each(|publisher| publisher.wake());
                signed
            }
        };
        Ok((answer::TEXT, note.to_string().into_bytes()))
    })
    .await
}

async fn consistency(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, LIST, |_, _| {
        let size = |name: &str| {
            let size = value(&request, name).and_then(|text| text.parse().ok());
            size.ok_or_else(|| KmsError::validation(format!("{name} must be a size of the log")))
        };
        let (from, to) = (size("from")?, size("to")?);
        let path = doors.engine.prove_consistency(from, to)?.ok_or_else(|| {
            let words = format!("The log was never of size {to}, or {from} is larger");
            KmsError::new(ErrorCode::NotFound, words)
        })?;
        let hashes: Vec<String> = path.iter().map(|hash| STANDARD.encode(hash)).collect();
        let body = json!({"From": from, "To": to, "Hashes": hashes});
        Ok((answer::JSON, body.to_string().into_bytes()))
    })
    .await
}

async fn proof(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    answered(&request, &doors, LIST, |caller, id| {
        let (event, _) = found(&doors, caller, id)?;
        let mut proof = match value(&request, "checkpoint") {
            Some(size) => {
                let signed = kept(&doors, &size, event.seq)?;
                doors.engine.prove_under(&event, signed)?
            }
            None => doors.engine.prove(&event)?,
        };
        if !super::permission::may_explain(&doors.engine, caller)? {
            // The leaf holds policy text, which is not for this reader: the proof goes without it.
            proof = proof.without_extra();
        }
        Ok((answer::TEXT, proof.to_string().into_bytes()))
    })
    .await
}

/// The checkpoint of this size, which must reach the event.
fn kept(doors: &Doors, size: &str, seq: u64) -> Result<SignedCheckpoint, KmsError> {
    let reaching = size.parse().ok().filter(|size| seq < *size);
    let found = reaching.map(|size| doors.engine.checkpoint_at(size)).transpose()?.flatten();
    found.ok_or_else(|| {
        let words = "There is no checkpoint of that size that speaks of the event";
        KmsError::new(ErrorCode::NotFound, words)
    })
}

/// A parameter of the query.
fn value(request: &HttpRequest, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value).into_owned())
}
