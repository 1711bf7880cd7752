//! `/v1`: the same operations as resources. One route for each row of the table, and none by hand. Rows of
//! Access Analyzer have AWS's own paths, outside of `/v1`.
//!
//! Path and query members are folded into the JSON body that the row describes; the path wins over the
//! query, and both over the body. A success is 200, or 201 when the operation's name begins with
//! `Create`, or 204 when there is nothing to say. Errors are HTTP's own status with
//! `{"error": {"code", "message", "requestId"}}`.
//!
//! What does not fit is not refused here: the engine refuses it, so that it leaves an event.

use crate::{answer, doors::Doors};
use actix_web::{
    HttpRequest, HttpResponse, Resource, guard,
    http::{Method, StatusCode, header},
    web::{self, Data, Payload, ServiceConfig},
};
use keyward_engine::{AnyOperation, OPERATIONS, Service, Spec, shape::Kind};
use keyward_types::{ErrorCode, KmsError};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeMap};
use zeroize::Zeroizing;

/// The rows that have a route, by path. `{` sorts after letters, so that fixed segments come first.
pub(crate) fn paths() -> BTreeMap<&'static str, Vec<&'static dyn AnyOperation>> {
    let mut paths: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for &operation in OPERATIONS {
        let (verb, path) = operation.spec().route;
        if !verb.is_empty() && !path.is_empty() {
            paths.entry(path).or_default().push(operation);
        }
    }
    paths
}

pub(crate) fn configure(config: &mut ServiceConfig) {
    for (path, operations) in paths() {
        config.service(resource(path, &operations));
    }
}

fn resource(path: &str, operations: &[&'static dyn AnyOperation]) -> Resource {
    let mut resource = web::resource(pattern(path));
    let mut allowed = Vec::new();
    for &operation in operations {
        let verb = operation.spec().route.0;
        allowed.push(verb);
        let method = Method::from_bytes(verb.as_bytes()).unwrap_or(Method::POST);
        let handler = move |request: HttpRequest, payload: Payload, doors: Data<Doors>| async move {
            doors.guarded(serve(operation, &request, payload, &doors), answer::rest_error).await
        };
        resource = resource.route(web::route().guard(guard::Method(method)).to(handler));
    }
    let allowed = allowed.join(", ");
    resource.default_service(web::to(move |doors: Data<Doors>| {
        let answer = wrong_verb(&doors, &allowed);
        async move { answer }
    }))
}

/// An alias name holds a slash, so that its member takes the rest of the path.
fn pattern(path: &str) -> String {
    path.replace("{AliasName}", "{AliasName:.*}")
}

async fn serve(
    operation: &'static dyn AnyOperation,
    request: &HttpRequest,
    payload: Payload,
    doors: &Doors,
) -> HttpResponse {
    let request_id = doors.engine.fresh_id();
    let _in_flight = doors.engine.metrics().in_flight();
    let body = match doors.body(payload).await {
        Ok(body) => body,
        Err(error) => return error.answer(request_id),
    };
    let spec = operation.spec();
    // Operations that AWS serves in this way have its paths, its signing name and its errors.
    let (signed_for, refuse): (_, fn(&KmsError, _) -> HttpResponse) = match spec.service {
        Service::AccessAnalyzer => (spec.service.signing_name(), answer::rest_json_error),
        _ => ("kms", answer::rest_error),
    };
    let caller = match doors.admit(request, &body, signed_for, request_id) {
        Ok(caller) => caller,
        Err(error) => return refuse(&error, request_id),
    };
    let input = fold(&body, &members(spec, request));
    match doors.lanes.attempt(&doors.engine, operation, &caller, &input).await {
        Ok(reply) => answer::rest(reply, spec.name.starts_with("Create"), request_id),
        Err(error) => refuse(&error, request_id),
    }
}

/// For paths under `/v1` that no row has.
pub(crate) async fn nothing_here(doors: Data<Doors>) -> HttpResponse {
    let error = KmsError::new(
        ErrorCode::UnknownOperation,
        "There is no such resource; the API is described at /openapi.json.",
    );
    answer::rest_error(&error, doors.engine.fresh_id())
}

fn wrong_verb(doors: &Doors, allowed: &str) -> HttpResponse {
    let request_id = doors.engine.fresh_id();
    let body = serde_json::json!({"error": {
        "code": "MethodNotAllowed",
        "message": format!("This resource answers to {allowed}."),
        "requestId": request_id.to_string(),
    }});
    answer::begin(StatusCode::METHOD_NOT_ALLOWED, answer::JSON, request_id)
        .insert_header((header::ALLOW, allowed))
        .body(body.to_string())
}

/// The input members that stand in the path and the query. Names that the row does not have are ignored.
fn members(spec: &Spec, request: &HttpRequest) -> Map<String, Value> {
    let mut members = Map::new();
    for pair in request.uri().query().unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(member) = spec.members.iter().find(|member| member.name == name) else { continue };
        add(&mut members, member.name, &member.kind, &decoded(value));
    }
    for (name, value) in request.match_info().iter() {
        // The router leaves %2F, %25 and %2B as they came; the rest is decoded already.
        members.insert(name.to_owned(), decoded(value).into());
    }
    members
}

/// `+` is a plus, as it is in what was signed.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// A list takes one item from each time that its name stands in the query.
fn add(members: &mut Map<String, Value>, name: &str, kind: &Kind, text: &str) {
    match kind {
        Kind::List { of, .. } => {
            let list = members.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(items) = list {
                items.push(typed(of, text));
            }
        }
        kind => drop(members.insert(name.to_owned(), typed(kind, text))),
    }
}

/// The JSON that a text stands for; what does not fit stays text, and the engine says what is wrong with it.
fn typed(kind: &Kind, text: &str) -> Value {
    let fits = |value: &Value| match kind {
        Kind::Integer { .. } | Kind::Timestamp => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::Map | Kind::Structure(_) => value.is_object(),
        Kind::List { .. } => value.is_array(),
        Kind::Text { .. } | Kind::Secret { .. } | Kind::Blob { .. } | Kind::Enum(_) => false,
    };
    serde_json::from_str(text).ok().filter(fits).unwrap_or_else(|| text.into())
}

/// Appends members to a JSON object without parsing it: of two members of one name the last one counts,
/// and what was no object before is none afterwards, which the engine finds out.
fn fold(body: &[u8], members: &Map<String, Value>) -> Zeroizing<Vec<u8>> {
    let object = body.trim_ascii();
    if members.is_empty() {
        return Zeroizing::new(object.to_vec());
    }
    let appended = Value::Object(members.clone()).to_string();
    if object.is_empty() {
        return Zeroizing::new(appended.into_bytes());
    }
    let Some(open) = object.strip_suffix(b"}").filter(|open| open.starts_with(b"{")) else {
        return Zeroizing::new(object.to_vec());
    };
    let mut folded = Zeroizing::new(Vec::with_capacity(object.len() + appended.len()));
    folded.extend_from_slice(open);
    if open.trim_ascii_end() != b"{" {
        folded.push(b',');
    }
    folded.extend_from_slice(appended.as_bytes().get(1..).unwrap_or_default());
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn folding_equals_inserting() {
        let members = json!({"KeyId": "a\"b\\c"});
        let members = members.as_object().unwrap();
        for (body, expected) in [
            ("", json!({"KeyId": "a\"b\\c"})),
            ("  ", json!({"KeyId": "a\"b\\c"})),
            ("{}", json!({"KeyId": "a\"b\\c"})),
            (" { } ", json!({"KeyId": "a\"b\\c"})),
            ("{\"P\":\"AA==\"}\n", json!({"P": "AA==", "KeyId": "a\"b\\c"})),
            ("{\"KeyId\":\"other\"}", json!({"KeyId": "a\"b\\c"})),
            ("{\"O\":{\"KeyId\":\"other\"}}", json!({"O": {"KeyId": "other"}, "KeyId": "a\"b\\c"})),
        ] {
            let folded: Value = serde_json::from_slice(&fold(body.as_bytes(), members)).unwrap();
            assert_eq!(folded, expected, "{body}");
        }
    }

    #[test]
    fn what_is_no_object_does_not_become_one() {
        let members = json!({"KeyId": "k"});
        for body in [
            "[]",
            "1",
            "{",
            "}",
            "{\"a\":1,}",
            "{\"a\":1",
            "{\"a\":\"}",
            "{\"a\":{\"b\":1}",
            "{}}",
            "{}{}",
            "{,}",
            "null",
        ] {
            let folded = fold(body.as_bytes(), members.as_object().unwrap());
            assert!(serde_json::from_slice::<Map<String, Value>>(&folded).is_err(), "{body}");
        }
    }

    #[test]
    fn query_texts_become_what_their_member_holds() {
        let integer = Kind::Integer { min: 1, max: 1_000 };
        assert_eq!(typed(&integer, "10"), json!(10));
        assert_eq!(typed(&integer, "ten"), json!("ten"));
        assert_eq!(typed(&integer, "true"), json!("true"));
        assert_eq!(typed(&Kind::Boolean, "true"), json!(true));
        assert_eq!(typed(&Kind::Text { min: 0, max: 9, pattern: None }, "10"), json!("10"));
        let mut members = Map::new();
        let list = Kind::List { of: &Kind::Enum(&["A", "B"]), min: 0, max: 2 };
        add(&mut members, "L", &list, "A");
        add(&mut members, "L", &list, "B");
        assert_eq!(Value::Object(members), json!({"L": ["A", "B"]}));
    }

    #[test]
    fn every_row_of_kms_and_keyward_has_a_route_of_its_own() {
        use keyward_engine::Service::{Keyward, Kms};
        let mut seen = std::collections::BTreeSet::new();
        for operation in
            OPERATIONS.iter().filter(|operation| matches!(operation.spec().service, Kms | Keyward))
        {
            let spec = operation.spec();
            assert!(seen.insert(spec.route), "{} shares its route", spec.name);
            for member in spec.route.1.split(['{', '}']).skip(1).step_by(2) {
                assert!(spec.has_member(member), "{} has no {member}", spec.name);
            }
        }
    }
}
