//! `/v1/events/stats`: what events add up to: how often each value of a field occurs, when first and last, and a time
//! line. So also how a key, a principal, a statement or a grant is used.
//!
//! It reads the newest events that match, so many at most; where it stopped early it says so. The reading is off the
//! threads that serve.

use super::{LIST, admitted, asked::Asked, each};
use crate::{answer, doors::Doors};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use keyward_trail::query::{
    Field,
    facets::{Facet, FacetValue, Facets, Limits, Report, Seen},
};
use keyward_types::{Caller, KmsError, Timestamp};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Events that one answer looks at.
pub(super) const LOOKED_MAX: usize = 200_000;

/// What is counted when nobody says by what.
const BY: [Field; 4] = [Field::Principal, Field::Operation, Field::Result, Field::Key];

pub(super) async fn serve(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    let request_id = doors.engine.fresh_id();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let answer = async {
        let caller = admitted(&request, &doors, LIST, request_id).await?;
        let asked = Asked::of(&query, doors.engine.now())?;
        let doors = Data::clone(&doors);
        let counted = actix_web::web::block(move || count(&doors, &caller, asked)).await;
        counted.map_err(KmsError::internal)?
    };
    match answer.await {
        Ok(body) => answer::begin(StatusCode::OK, answer::JSON, request_id).body(body.to_string()),
        Err(error) => answer::rest_error(&error, request_id),
    }
}

fn count(doors: &Doors, caller: &Arc<Caller>, mut asked: Asked) -> Result<Value, KmsError> {
    let by = if asked.by.is_empty() { BY.to_vec() } else { core::mem::take(&mut asked.by) };
    let limits = Limits { listed: asked.limit, ..Limits::default() };
    let window = asked.query.window(doors.engine.now());
    let mut facets = Facets::new(by, limits).over(window);
    asked.limit = 1_000;
    let looked = each(&doors.engine, caller, &asked, LOOKED_MAX, |_, record| {
        facets.add(record);
        true
    })?;
    let mut answer = report(&facets.report());
    answer.insert("Query".to_owned(), asked.query.to_string().into());
    answer.insert("Complete".to_owned(), looked.next.is_none().into());
    Ok(answer.into())
}

fn report(report: &Report) -> Map<String, Value> {
    let bucket = |bucket: &keyward_trail::query::facets::Bucket| {
        json!({
            "Start": bucket.start.wire(),
            "Success": bucket.success,
            "Denied": bucket.denied,
            "Failed": bucket.failed,
        })
    };
    let timeline = &report.timeline;
    let mut members = Map::new();
    members.insert("Records".to_owned(), report.records.into());
    members.insert("Facets".to_owned(), report.facets.iter().map(facet).collect());
    members.insert(
        "Timeline".to_owned(),
        json!({
            "BucketSeconds": timeline.bucket_seconds,
            "Buckets": timeline.buckets.iter().map(bucket).collect::<Vec<_>>(),
        }),
    );
    members
}

fn facet(facet: &Facet) -> Value {
    json!({
        "Field": name(&facet.field),
        "Values": facet.values.iter().map(value).collect::<Vec<_>>(),
        "OtherAtLeast": facet.other.0,
        "OtherAtMost": facet.other.1,
        "Distinct": facet.distinct,
        "Without": facet.without,
        "Exact": facet.exact,
    })
}

pub(super) fn name(field: &Field) -> String {
    match field {
        Field::Context(name) => format!("ctx.{name}"),
        other => other.name().to_owned(),
    }
}

fn value(value: &FacetValue) -> Value {
    let FacetValue { value, count, at_least, seen: Seen { first, last } } = value;
    json!({
        "Value": value,
        "Count": count,
        "AtLeast": at_least,
        "First": first.map(Timestamp::wire),
        "Last": last.map(Timestamp::wire),
    })
}
