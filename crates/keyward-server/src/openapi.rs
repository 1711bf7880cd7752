//! `/openapi.json`: OpenAPI 3.1, generated from the operation table when it is first asked for.
//!
//! It describes inputs exactly, with every constraint of the row; outputs are described as objects,
//! because their shapes are types of the engine and are no table.

use crate::{alerts, answer, doors::Doors, events, rest};
use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Bytes, Data},
};
use keyward_engine::{
    Service, Spec,
    shape::{Kind, Member},
};
use keyward_types::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::{
    Components, ContentBuilder, HttpMethod, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
    PathItem, Paths, PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Responses,
    ResponsesBuilder, Schema,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::{AdditionalProperties, ArrayBuilder, Type},
    security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
};

/// Errors that every operation may answer beside its row's.
const COMMON: &[ErrorCode] = &[
    ErrorCode::AccessDenied,
    ErrorCode::ExpiredToken,
    ErrorCode::IncompleteSignature,
    ErrorCode::Internal,
    ErrorCode::InvalidSignature,
    ErrorCode::MissingAuthenticationToken,
    ErrorCode::Serialization,
    ErrorCode::ServiceUnavailable,
    ErrorCode::Throttling,
    ErrorCode::UnrecognizedClient,
    ErrorCode::Validation,
];

pub(crate) async fn serve(doors: Data<Doors>) -> HttpResponse {
    let body =
        doors.openapi.get_or_init(|| Bytes::from(document().to_json().unwrap_or_default())).clone();
    answer::begin(StatusCode::OK, answer::JSON, doors.engine.fresh_id()).body(body)
}

/// The whole document.
pub fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for (path, operations) in rest::paths() {
        for operation in operations {
            let spec = operation.spec();
            paths = paths.path(path, PathItem::new(method(spec.route.0), row(spec)));
        }
    }
    let mut paths: Paths = paths.build();
    for route in events::ROUTES {
        paths.add_path_operation(route.path, vec![HttpMethod::Get], read_route(route, "events"));
    }
    for route in alerts::ROUTES {
        paths.add_path_operation(route.path, vec![HttpMethod::Get], read_route(route, "alerts"));
    }
    let question = &events::sql::ROUTE;
    let posted = read_route(question, "events").request_body(Some(question_body()));
    paths.add_path_operation(question.path, vec![HttpMethod::Post], posted);
    let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "Authorization",
        "AWS Signature Version 4 with service kms; the Region of the scope is the Region of the keys.",
    )));
    let components = Components::builder()
        .security_scheme("sigv4", scheme)
        .schema("Error", error_schema())
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Keyward")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some("A key service that enforces, explains and remembers. The same operations are served as AWS JSON 1.1 at POST /.")),
        )
        .paths(paths)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("sigv4", Vec::<String>::new())]))
        .build()
}

fn method(verb: &str) -> HttpMethod {
    match verb {
        "GET" => HttpMethod::Get,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        "PATCH" => HttpMethod::Patch,
        _ => HttpMethod::Post,
    }
}

fn row(spec: &Spec) -> OperationBuilder {
    let (verb, path) = spec.route;
    let in_path = |member: &&Member| path.contains(&format!("{{{}}}", member.name));
    let mut operation = OperationBuilder::new()
        .operation_id(Some(spec.name))
        .summary(Some(format!("{} ({})", spec.name, spec.action())))
        .description(Some(documentation(spec)))
        .tag(path.split('/').nth(2).unwrap_or("keys"))
        .responses(responses(spec));
    for member in spec.members.iter().filter(in_path) {
        operation = operation.parameter(parameter(
            member.name,
            ParameterIn::Path,
            true,
            schema(&member.kind),
        ));
    }
    let rest: Vec<&Member> = spec.members.iter().filter(|member| !in_path(member)).collect();
    if matches!(verb, "GET" | "DELETE") {
        for member in rest {
            operation = operation.parameter(parameter(
                member.name,
                ParameterIn::Query,
                member.required,
                schema(&member.kind),
            ));
        }
    } else if !rest.is_empty() {
        let required = if rest.iter().any(|member| member.required) {
            Required::True
        } else {
            Required::False
        };
        let content = ContentBuilder::new().schema(Some(structure(rest))).build();
        operation = operation.request_body(Some(
            RequestBodyBuilder::new()
                .content(answer::JSON, content)
                .required(Some(required))
                .build(),
        ));
    }
    operation
}

/// AWS's page of the operation, where there is one.
fn documentation(spec: &Spec) -> String {
    let book = match spec.service {
        Service::Kms => "kms/latest",
        Service::Iam => "IAM/latest",
        Service::Sts => "STS/latest",
        Service::AccessAnalyzer => "access-analyzer/latest",
        Service::Keyward => return "Keyward's own; AWS has no such operation.".to_owned(),
    };
    format!("<https://docs.aws.amazon.com/{book}/APIReference/API_{}.html>", spec.name)
}

fn parameter(
    name: &str,
    place: ParameterIn,
    required: bool,
    schema: RefOr<Schema>,
) -> ParameterBuilder {
    let required = if required { Required::True } else { Required::False };
    ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(schema))
}

/// One success, and one response for each status that an error may have, naming its codes.
fn responses(spec: &Spec) -> Responses {
    let mut by_status: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for code in spec.errors.iter().chain(COMMON) {
        by_status.entry(code.status()).or_default().insert(code.wire());
    }
    let success = if spec.name.starts_with("Create") { "201" } else { "200" };
    let object = ContentBuilder::new().schema(Some(ObjectBuilder::new())).build();
    let mut responses = ResponsesBuilder::new().response(
        success,
        ResponseBuilder::new()
            .description("Success; 204 when there is nothing to say")
            .content(answer::JSON, object),
    );
    for (status, codes) in by_status {
        let codes: Vec<&str> = codes.into_iter().collect();
        responses = responses.response(status.to_string(), error_response(&codes.join(", ")));
    }
    responses.build()
}

fn error_response(description: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Error"))).build();
    ResponseBuilder::new().description(description).content(answer::JSON, content)
}

fn error_schema() -> ObjectBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let error = ObjectBuilder::new()
        .property("code", text())
        .property("message", text())
        .property("requestId", text())
        .required("code")
        .required("requestId");
    ObjectBuilder::new().property("error", error).required("error")
}

fn read_route(route: &events::Route, tag: &'static str) -> OperationBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let content = ContentBuilder::new().schema(Some(ObjectBuilder::new())).build();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(route.name))
        .summary(Some(route.summary))
        .tag(tag)
        .response(
            "200",
            ResponseBuilder::new().description("Success").content(route.content_type, content),
        );
    for status in ["400", "403", "404", "500"] {
        operation = operation.response(status, error_response("Refused"));
    }
    if route.path.contains("{id}") {
        operation = operation.parameter(parameter("id", ParameterIn::Path, true, text().into()));
    }
    for name in route.query {
        operation = operation.parameter(parameter(name, ParameterIn::Query, false, text().into()));
    }
    operation
}

/// A statement or the name of one, and its parameters.
fn question_body() -> utoipa::openapi::request_body::RequestBody {
    let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
    let body = ObjectBuilder::new()
        .property("Query", of(Type::String))
        .property("Name", of(Type::String).enum_values(Some(keyward_sql::pack().map(|q| q.name))))
        .property("Parameters", of(Type::Object))
        .property("Limit", of(Type::Integer).minimum(Some(1)).maximum(Some(10_000)));
    let content = ContentBuilder::new().schema(Some(body)).build();
    RequestBodyBuilder::new().content(answer::JSON, content).required(Some(Required::True)).build()
}

fn schema(kind: &Kind) -> RefOr<Schema> {
    let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
    let most = |max: usize| (max != usize::MAX).then_some(max);
    match kind {
        Kind::Text { min, max, pattern } | Kind::Secret { min, max, pattern } => of(Type::String)
            .min_length(Some(*min))
            .max_length(most(*max))
            .pattern(pattern.map(|pattern| pattern.shown))
            .into(),
        Kind::Blob { min, max } => of(Type::String)
            .content_encoding("base64")
            .description(Some(format!("{min} to {max} bytes, in base64")))
            .into(),
        Kind::Integer { min, max } => {
            of(Type::Integer).minimum(Some(number(*min))).maximum(Some(number(*max))).into()
        }
        Kind::Boolean => of(Type::Boolean).into(),
        Kind::Timestamp => {
            of(Type::Number).description(Some("Seconds since 1970, whole or fractional")).into()
        }
        Kind::Enum(names) => of(Type::String).enum_values(Some(names.iter().copied())).into(),
        Kind::List { of, min, max } => {
            ArrayBuilder::new().items(schema(of)).min_items(Some(*min)).max_items(most(*max)).into()
        }
        Kind::Map => {
            let text = Schema::from(of(Type::String).build());
            of(Type::Object)
                .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(text))))
                .into()
        }
        Kind::Structure(members) => structure(members.iter()).into(),
    }
}

fn structure<'m>(members: impl IntoIterator<Item = &'m Member>) -> ObjectBuilder {
    members.into_iter().fold(ObjectBuilder::new(), |object, member| {
        let object = object.property(member.name, schema(&member.kind));
        if member.required { object.required(member.name) } else { object }
    })
}

fn number(value: i64) -> isize {
    isize::try_from(value).unwrap_or(if value < 0 { isize::MIN } else { isize::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_row_is_there_once_with_its_members() {
        let document: Value = serde_json::from_str(&document().to_json().unwrap()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (verb, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} stands there twice ({verb} {path})");
            }
        }
        for (path, operations) in rest::paths() {
            for operation in operations {
                let spec = operation.spec();
                let item = &document["paths"][path][spec.route.0.to_lowercase()];
                assert_eq!(item["operationId"], spec.name);
                let text = item.to_string();
                for member in spec.members {
                    assert!(
                        text.contains(&format!("\"{}\"", member.name)),
                        "{} lacks {}",
                        spec.name,
                        member.name
                    );
                }
            }
        }
        let routes = events::ROUTES.iter().chain(alerts::ROUTES);
        assert!(routes.into_iter().all(|route| ids.contains(route.name)));
    }
}
