//! The doors that a scenario goes through: the engine itself, AWS JSON over HTTP, and REST.

use crate::world::{Login, TestService};
use keyward_engine::{Service, find};
use keyward_types::KmsError;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What came back, whichever door it came through.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Success(Value),
    Refusal { code: String, message: Option<String> },
}

impl Answer {
    /// A member of a success by JSON pointer, as text.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        match self {
            Self::Success(body) => match body.pointer(pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => panic!("no {pointer} in {body}"),
            },
            Self::Refusal { .. } => panic!("expected success, got {self:?}"),
        }
    }

    pub fn code(&self) -> &str {
        match self {
            Self::Success(_) => "200",
            Self::Refusal { code, .. } => code,
        }
    }
}

/// Which way a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `Engine::prepare`, no HTTP.
    Engine,
    /// `POST /` with `X-Amz-Target`.
    AwsJson,
    /// `/v1/…`
    Rest,
}

impl Door {
    pub const ALL: [Self; 3] = [Self::Engine, Self::AwsJson, Self::Rest];
}

/// Calls an operation of KMS through a door.
pub fn call(
    service: &TestService,
    door: Door,
    login: &Login,
    operation: &str,
    body: &str,
) -> Answer {
    match door {
        Door::Engine => through_engine(service, login, Service::Kms, operation, body),
        Door::AwsJson => {
            let target = format!("TrentService.{operation}");
            let headers =
                [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
            let (status, text) = service.http("POST", "/", &headers, body.as_bytes(), login);
            of_http(status, &text, |body| {
                let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
                (text("__type").unwrap_or_default(), text("message").or_else(|| text("Message")))
            })
        }
        Door::Rest => through_rest(service, login, operation, body),
    }
}

/// Calls any operation without HTTP.
pub fn through_engine(
    service: &TestService,
    login: &Login,
    api: Service,
    operation: &str,
    body: &str,
) -> Answer {
    let Some(row) = find(api, operation) else {
        return Answer::Refusal { code: "UnknownOperationException".to_owned(), message: None };
    };
    let caller = match service.caller(login) {
        Ok(caller) => Arc::new(caller),
        Err(error) => return refusal(&error),
    };
    match service.engine.prepare(row, &caller, body.as_bytes()).run().wait() {
        Ok(reply) if reply.body.is_empty() => Answer::Success(Value::Object(Map::new())),
        Ok(reply) => {
            Answer::Success(serde_json::from_slice(&reply.body).expect("an answer is JSON"))
        }
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &KmsError) -> Answer {
    Answer::Refusal { code: error.code.wire().to_owned(), message: error.message.clone() }
}

fn through_rest(service: &TestService, login: &Login, operation: &str, body: &str) -> Answer {
    let Some(row) = find(Service::Kms, operation) else {
        return Answer::Refusal { code: "UnknownOperationException".to_owned(), message: None };
    };
    let (verb, route) = row.spec().route;
    let Ok(Value::Object(mut members)) = serde_json::from_str::<Value>(body) else {
        let (status, text) = service.http(verb, route, &[], body.as_bytes(), login);
        return of_rest(status, &text);
    };
    let mut path = String::new();
    for part in route.split('/').skip(1) {
        let named = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let value = match named {
            None => part.to_owned(),
            Some(name) => match members.remove(name) {
                Some(Value::String(text)) if !text.is_empty() => text,
                // A path without its member is another path; leave that to the other doors.
                _ => return through_engine(service, login, Service::Kms, operation, body),
            },
        };
        path.push('/');
        path.push_str(&encoded(&value));
    }
    let (path, body) = match verb {
        "GET" | "DELETE" => (with_query(&path, &members), Vec::new()),
        _ => (path, Value::Object(members).to_string().into_bytes()),
    };
    let (status, text) = service.http(verb, &path, &[], &body, login);
    of_rest(status, &text)
}

fn with_query(path: &str, members: &Map<String, Value>) -> String {
    let one = |name: &str, value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={}", encoded(&text))
    };
    let pairs: Vec<String> = members
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Array(items) => items.iter().map(|item| one(name, item)).collect(),
            value => vec![one(name, value)],
        })
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn of_rest(status: u16, text: &str) -> Answer {
    of_http(status, text, |body| {
        let text = |name: &str| {
            body.pointer(&format!("/error/{name}")).and_then(Value::as_str).map(str::to_owned)
        };
        (text("code").unwrap_or_default(), text("message"))
    })
}

fn of_http(status: u16, text: &str, error: impl Fn(&Value) -> (String, Option<String>)) -> Answer {
    let body = if text.is_empty() {
        Value::Object(Map::new())
    } else {
        serde_json::from_str(text).unwrap_or(Value::Null)
    };
    if status < 300 {
        return Answer::Success(body);
    }
    let (code, message) = error(&body);
    Answer::Refusal { code, message }
}
