//! A signing HTTP client for the service's own doors.
//!
//! It blocks, keeps one connection alive, and knows nothing of operations.

use crate::{
    args::Common,
    exit::{CliError, Exit},
};
use keyward_sigv4::{Credentials, Request, Scope, sign};
use keyward_types::Clock;
use serde_json::Value;
use std::{io::Read, time::Duration};
use ureq::http::{Response, Uri};

pub(crate) struct Client<'c> {
    common: &'c Common,
    agent: ureq::Agent,
    /// What the service's time is, where that is not this machine's.
    clock: Option<&'c dyn Clock>,
}

/// An answer's status and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) request_id: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl<'c> Client<'c> {
    pub(crate) fn new(common: &'c Common) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .proxy(None)
            .build();
        Self { common, agent: config.into(), clock: None }
    }

    /// A client that signs by this clock.
    pub(crate) fn at(common: &'c Common, clock: &'c dyn Clock) -> Self {
        Self { clock: Some(clock), ..Self::new(common) }
    }

    pub(crate) fn region(&self) -> &str {
        self.common
            .region
            .as_deref()
            .or(self.common.default_region.as_deref())
            .unwrap_or("us-east-1")
    }

    /// Calls an operation of KMS through AWS JSON.
    pub(crate) fn call(&self, operation: &str, input: &Value) -> Result<Value, CliError> {
        self.call_with_id(operation, input)?.0
    }

    /// The same, with the request's id, whatever was answered. Fails when nothing was.
    pub(crate) fn call_with_id(
        &self,
        operation: &str,
        input: &Value,
    ) -> Result<(Result<Value, CliError>, Option<String>), CliError> {
        let target = format!("TrentService.{operation}");
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let answer = self.send("POST", "/", &headers, input.to_string().as_bytes())?;
        let body = answer.json()?;
        if answer.status == 200 {
            return Ok((Ok(body), answer.request_id));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let code = text("__type").unwrap_or("Unknown");
        let message = text("message").or(text("Message")).unwrap_or("");
        Ok((Err(CliError::of_answer(answer.status, code, message)), answer.request_id))
    }

    /// Reads a REST resource; `query` pairs are encoded here.
    pub(crate) fn read(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CliError> {
        self.rest("GET", &with_query(path, query), b"")
    }

    /// Reads a REST resource that is text.
    pub(crate) fn read_text(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<String, CliError> {
        let answer = self.send("GET", &with_query(path, query), &[], b"")?;
        if answer.status < 300 {
            return Ok(answer.text());
        }
        let body = answer.json()?;
        Err(of_rest(answer.status, &body))
    }

    /// Posts to a REST resource.
    pub(crate) fn post(&self, path: &str, input: &Value) -> Result<Value, CliError> {
        self.rest("POST", path, input.to_string().as_bytes())
    }

    /// Sends JSON, or nothing, to a REST resource.
    pub(crate) fn send_json(
        &self,
        method: &str,
        path: &str,
        input: Option<&Value>,
    ) -> Result<Value, CliError> {
        let body = input.map(Value::to_string).unwrap_or_default();
        self.rest(method, path, body.as_bytes())
    }

    fn rest(&self, method: &str, path: &str, body: &[u8]) -> Result<Value, CliError> {
        let answer = self.send(method, path, &[], body)?;
        let body = answer.json()?;
        if answer.status < 300 {
            return Ok(body);
        }
        Err(of_rest(answer.status, &body))
    }

    /// Opens a stream of server-sent events, behind the one with the id that was `seen` last.
    pub(crate) fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
        seen: Option<&str>,
    ) -> Result<impl Read + use<>, CliError> {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(seen.map(|seen| ("last-event-id", seen)));
        let response = self.exchange("GET", &with_query(path, query), &headers, b"")?;
        if response.status() == 200 {
            return Ok(response.into_body().into_reader());
        }
        let answer = Answer::of(response)?;
        Err(of_rest(answer.status, &answer.json()?))
    }

    /// Reads without a signature: health and metrics.
    pub(crate) fn plain(&self, path: &str) -> Result<Answer, CliError> {
        let url = format!("{}{path}", self.common.endpoint.trim_end_matches('/'));
        let response = self.agent.get(&url).call().map_err(|error| self.unreachable(&error))?;
        Answer::of(response)
    }

    /// Calls STS through the query protocol and gives the XML.
    pub(crate) fn query(&self, service: &str, body: &str) -> Result<Answer, CliError> {
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        self.exchange_for(service, "POST", "/", &headers, body.as_bytes()).and_then(Answer::of)
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, CliError> {
        self.exchange(method, path, headers, body).and_then(Answer::of)
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<ureq::Body>, CliError> {
        self.exchange_for("kms", method, path, headers, body)
    }

    fn exchange_for(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<ureq::Body>, CliError> {
        let url = format!("{}{path}", self.common.endpoint.trim_end_matches('/'));
        let uri: Uri =
            url.parse().map_err(|_| CliError::new(Exit::Usage, format!("{url} is not a URL")))?;
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let mut signed: Vec<(&str, &str)> = vec![("host", &host)];
        signed.extend_from_slice(headers);
        let request = Request {
            method,
            path: uri.path(),
            query: uri.query().unwrap_or(""),
            headers: &signed,
            body,
        };
        let Common { access_key_id, secret_access_key, session_token, .. } = self.common;
        let credentials = Credentials {
            access_key_id,
            secret_access_key,
            session_token: session_token.as_deref(),
        };
        let now = self.clock.map_or_else(now_seconds, |clock| clock.now().seconds());
        let added = sign(&request, &credentials, &Scope { region: self.region(), service }, now);
        let mut builder = ureq::http::Request::builder().method(method).uri(&url);
        for (name, value) in
            headers.iter().copied().chain(added.iter().map(|(name, value)| (*name, value.as_str())))
        {
            builder = builder.header(name, value);
        }
        let request = builder.body(body.to_vec()).map_err(CliError::failure)?;
        self.agent.run(request).map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &ureq::Error) -> CliError {
        CliError::new(
            Exit::Unreachable,
            format!("{} does not answer: {error}", self.common.endpoint),
        )
        .hint("start the service with `keyward dev`, or set KEYWARD_ENDPOINT")
    }
}

impl Answer {
    fn of(mut response: Response<ureq::Body>) -> Result<Self, CliError> {
        let status = response.status().as_u16();
        let request_id = response.headers().get("x-amzn-requestid");
        let request_id = request_id.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_vec()
            .map_err(CliError::failure)?;
        Ok(Self { status, request_id, body })
    }

    pub(crate) fn json(&self) -> Result<Value, CliError> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body).map_err(|_| {
            CliError::failure("the answer is not JSON").hint("is the endpoint a Keyward?")
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An error as REST answers it.
fn of_rest(status: u16, body: &Value) -> CliError {
    let error = body.get("error").cloned().unwrap_or_default();
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    CliError::of_answer(status, &text("code"), &text("message"))
}

fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Percent-encodes a query value or a path segment.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Wall time for signatures.
#[expect(
    clippy::disallowed_methods,
    reason = "a client signs with its own wall time; there is no clock port in the command line"
)]
pub(crate) fn now_seconds() -> i64 {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
