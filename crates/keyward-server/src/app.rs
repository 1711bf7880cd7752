//! Which path leads to which door. One port has them all.
//!
//! | path | door |
//! |---|---|
//! | `/livez`, `/readyz`, `/metrics`, `/openapi.json` | `operator.rs`, `openapi.rs`: no signature |
//! | `/add-checkpoint` | `witness.rs`: cosigns for other logs; no signature, and nothing unless it is configured |
//! | `/v1/events…`, `/v1/explain/…` | `events.rs` |
//! | `/v1/alerts…` | `alerts/`, what is read of it |
//! | `/v1/…` | `rest.rs`: the operation table as resources |
//! | everything else | AWS JSON, AWS query, S3's reads of CloudTrail files (`files/`), or a sentence for those who came here by mistake |

use crate::{
    alerts, answer, aws_json, aws_query, doors::Doors, events, files, openapi, operator, rest,
    strangers, strangers::Dialect, witness,
};
use actix_web::{
    App, Error, HttpRequest, HttpResponse, Route,
    body::{BodySize, BoxBody, MessageBody as _},
    dev::{Service as _, ServiceFactory, ServiceRequest, ServiceResponse},
    guard,
    http::header,
    web::{self, Data, Payload, ServiceConfig},
};

/// The application behind the port, for the server and for tests.
pub fn create_app(
    doors: Data<Doors>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new().app_data(doors).configure(configure).wrap_fn(|request, service| {
        let counted = Counted::of(&request);
        let doors = request.app_data::<Data<Doors>>().cloned();
        let answer = service.call(request);
        async move {
            let mut answer = answer.await?;
            counted.answered(&answer);
            if doors.is_some_and(|doors| doors.engine.is_observing())
                && !answer.headers().contains_key(answer::OBSERVE)
            {
                let on = header::HeaderValue::from_static("on");
                answer.headers_mut().insert(answer::OBSERVE, on);
            }
            // `Content-Length` as AWS writes it: a client that reads HTTP by itself may know no other spelling.
            // A name of an S3 object's metadata is the client's own text, and stays as it is.
            let plain = answer.headers().contains_key(files::SIGNATURE_HEADER);
            answer.response_mut().head_mut().set_camel_case_headers(!plain);
            Ok(answer)
        }
    })
}

/// The bytes of a request's body, and the metrics that hear of its answer's; `None` of what operators' tools ask.
struct Counted(Option<(Data<Doors>, u64)>);

impl Counted {
    fn of(request: &ServiceRequest) -> Self {
        let operators = matches!(request.path(), "/livez" | "/readyz" | "/metrics");
        let doors = request.app_data::<Data<Doors>>().filter(|_| !operators);
        let length = request.headers().get(header::CONTENT_LENGTH);
        let received = length.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
        Self(doors.map(|doors| (Data::clone(doors), received)))
    }

    fn answered(&self, answer: &ServiceResponse<BoxBody>) {
        let Some((doors, received)) = &self.0 else { return };
        let sent = match answer.response().body().size() {
            BodySize::Sized(bytes) => bytes,
            // A stream has no size before it ends.
            BodySize::None | BodySize::Stream => 0,
        };
        doors.engine.metrics().bytes(*received, sent);
    }
}

fn configure(config: &mut ServiceConfig) {
    config
        // First, because routes are tried in order and this one is hot.
        .service(web::resource("/").default_service(web::to(front_door)))
        .route("/livez", read().to(operator::live))
        .route("/readyz", read().to(operator::ready))
        .route("/metrics", read().to(operator::metrics))
        .route("/openapi.json", read().to(openapi::serve))
        .route("/add-checkpoint", web::post().to(witness::add_checkpoint))
        .configure(events::configure)
        .configure(alerts::configure)
        .configure(rest::configure)
        .service(
            web::resource(["/v1", "/v1/{tail:.*}"]).default_service(web::to(rest::nothing_here)),
        )
        .default_service(web::to(front_door));
}

/// GET, or HEAD for load balancers that ask so.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// `/`, and any other path, since an endpoint may have been given with one.
async fn front_door(request: HttpRequest, payload: Payload, doors: Data<Doors>) -> HttpResponse {
    doors.guarded(by_dialect(&request, payload, &doors), answer::aws_json_error).await
}

async fn by_dialect(request: &HttpRequest, payload: Payload, doors: &Doors) -> HttpResponse {
    let request_id = doors.engine.fresh_id();
    let _in_flight = doors.engine.metrics().in_flight();
    match Dialect::of(request) {
        Dialect::Target(target) => {
            aws_json::serve(doors, request, payload, target, request_id).await
        }
        Dialect::Query => aws_query::serve(doors, request, payload, request_id).await,
        Dialect::S3 => files::serve_s3(doors, request, payload, request_id).await,
        Dialect::Other => strangers::json(request, request_id),
    }
}
