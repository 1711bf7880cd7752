//! A door under test and a client of it that signs as AWS's clients do.

use crate::{
    authn::Front,
    config::{CloudTrailFiles, Config, TrustedFront},
    create_app,
    doors::Doors,
    wiring,
};
use actix_web::{
    http::{Method, StatusCode, header::HeaderMap},
    test::{TestRequest, call_service, init_service, read_body},
    web::Data,
};
use keyward_export::Until;
use keyward_sigv4::{Credentials, Request, Scope, presign, sign};
use serde_json::Value;
use std::sync::Arc;

pub(super) const TARGET: &str = "x-amz-target";

pub(super) struct Desk {
    doors: Data<Doors>,
    opened: wiring::Opened,
}

/// A request that is signed when it is sent.
#[derive(Clone)]
pub(super) struct Asked {
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    body: String,
    sent_body: Option<String>,
    login: Option<(String, String)>,
    token: Option<String>,
    scope: (String, String),
    seconds_ago: i64,
}

impl Asked {
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    /// Another body than the one that was signed.
    pub(super) fn replaced_body(mut self, body: &str) -> Self {
        self.sent_body = Some(body.to_owned());
        self
    }

    pub(super) fn unsigned(mut self) -> Self {
        self.login = None;
        self
    }

    pub(super) fn login(mut self, id: &str, secret: &str) -> Self {
        self.login = Some((id.to_owned(), secret.to_owned()));
        self
    }

    pub(super) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(super) fn scope(mut self, service: &str, region: &str) -> Self {
        self.scope = (service.to_owned(), region.to_owned());
        self
    }

    pub(super) fn signed_seconds_ago(mut self, seconds: i64) -> Self {
        self.seconds_ago = seconds;
        self
    }
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of either dialect of JSON; empty for a success.
    pub(super) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        let code = body.get("__type").or_else(|| body.pointer("/error/code"));
        code.and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

impl Desk {
    pub(super) fn open() -> Self {
        Self::behind(&TrustedFront::default())
    }

    /// A service whose questions in SQL may run this long.
    pub(super) fn with_question_nanos(nanos: u64) -> Self {
        Self::made(&TrustedFront::default(), |doors| doors.question_nanos_max = nanos)
    }

    /// A service that believes a front.
    pub(super) fn behind(front: &TrustedFront) -> Self {
        Self::made(front, |_| {})
    }

    fn made(front: &TrustedFront, change: impl FnOnce(&mut Doors)) -> Self {
        let opened = wiring::open(&Config::dev(), &keyward_store::Silent).unwrap();
        let front = Front::new(front).unwrap();
        let mut doors =
            Doors::new(Arc::clone(&opened.engine), front, crate::config::BODY_BYTES_MAX);
        change(&mut doors);
        Self { doors: Data::new(doors), opened }
    }

    /// A service that writes CloudTrail files into the folder, when it is told to.
    pub(super) fn with_trail() -> (Self, tempfile::TempDir) {
        let home = tempfile::Builder::new().prefix("trail").tempdir().unwrap();
        let config = Config::dev();
        let opened = wiring::open(&config, &keyward_store::Silent).unwrap();
        let settings = CloudTrailFiles::at(home.path().to_str().unwrap());
        let files = Arc::new(opened.trail_files_at(&config, &settings).unwrap());
        let front = Front::new(&TrustedFront::default()).unwrap();
        let doors = Doors::new(Arc::clone(&opened.engine), front, crate::config::BODY_BYTES_MAX);
        (Self { doors: Data::new(doors.with_files(Some(files))), opened }, home)
    }

    /// Writes all that is in the log.
    pub(super) fn export(&self) {
        let files = self.doors.files.as_ref().unwrap();
        files.export(&self.opened.engine, None, Until::End(None)).unwrap();
    }

    /// Makes what a seed file says.
    pub(super) fn seed(&self, yaml: &str) {
        let seed = serde_norway::from_str(yaml).unwrap();
        self.opened.engine.seed(&seed).unwrap();
    }

    pub(super) fn events(&self) -> u64 {
        self.opened.engine.store().events_total()
    }

    pub(super) fn monotonic_nanos(&self) -> u64 {
        self.opened.engine.monotonic_nanos()
    }

    pub(super) fn drain(&self) {
        self.doors.drain();
    }

    /// A request that the root user signs for KMS in us-east-1, unless it is told otherwise.
    pub(super) fn request(&self, method: &str, uri: &str) -> Asked {
        Asked {
            method: method.to_owned(),
            uri: uri.to_owned(),
            headers: vec![("host".to_owned(), "localhost:8480".to_owned())],
            body: String::new(),
            sent_body: None,
            login: Some(("test".to_owned(), "test".to_owned())),
            token: None,
            scope: ("kms".to_owned(), "us-east-1".to_owned()),
            seconds_ago: 0,
        }
    }

    /// A URL that the root user signed for a POST without a body, good for a minute.
    pub(super) fn presigned(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let request = Request { method: "POST", path, query: "", headers, body: b"" };
        let credentials =
            Credentials { access_key_id: "test", secret_access_key: "test", session_token: None };
        let scope = Scope { service: "kms", region: "us-east-1" };
        let now = self.opened.engine.now().seconds();
        format!("{path}?{}", presign(&request, &credentials, &scope, now, 60))
    }

    pub(super) async fn kms(&self, operation: &str, body: &str) -> Answer {
        self.send(
            self.request("POST", "/")
                .header(TARGET, &format!("TrentService.{operation}"))
                .body(body),
        )
        .await
    }

    pub(super) async fn iam(&self, form: &str) -> Answer {
        let answer = self
            .send(
                self.request("POST", "/")
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(form)
                    .scope("iam", "us-east-1"),
            )
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer
    }

    /// A user that may do nothing, and its access key.
    pub(super) async fn user(&self, name: &str) -> (String, String) {
        self.iam(&format!("Action=CreateUser&Version=2010-05-08&UserName={name}")).await;
        let key = self
            .iam(&format!("Action=CreateAccessKey&Version=2010-05-08&UserName={name}"))
            .await
            .text;
        let part = |tag: &str| {
            key.split(&format!("<{tag}>")).nth(1).unwrap().split('<').next().unwrap().to_owned()
        };
        (part("AccessKeyId"), part("SecretAccessKey"))
    }

    pub(super) async fn policy(&self, user: &str, document: &Value) {
        let encoded = percent_encoding::utf8_percent_encode(
            &document.to_string(),
            percent_encoding::NON_ALPHANUMERIC,
        )
        .to_string();
        self.iam(&format!("Action=PutUserPolicy&Version=2010-05-08&UserName={user}&PolicyName=p&PolicyDocument={encoded}")).await;
    }

    pub(super) async fn send(&self, asked: Asked) -> Answer {
        self.send_with(asked, &[]).await
    }

    /// With headers that somebody added after it was signed.
    pub(super) async fn send_with(&self, asked: Asked, added: &[(&str, &str)]) -> Answer {
        let app = init_service(create_app(self.doors.clone())).await;
        let mut request = TestRequest::default()
            .method(Method::from_bytes(asked.method.as_bytes()).unwrap())
            .uri(&asked.uri)
            .peer_addr("127.0.0.1:1".parse().unwrap());
        for (name, value) in asked.headers.iter().cloned().chain(self.signature(&asked)) {
            request = request.append_header((name, value));
        }
        for (name, value) in added {
            request = request.append_header((*name, *value));
        }
        let body = asked.sent_body.unwrap_or(asked.body);
        let response = call_service(&app, request.set_payload(body).to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = String::from_utf8_lossy(&read_body(response).await).into_owned();
        Answer { status, headers, text }
    }

    fn signature(&self, asked: &Asked) -> Vec<(String, String)> {
        let Some((id, secret)) = &asked.login else { return Vec::new() };
        let headers: Vec<_> =
            asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (path, query) = asked.uri.split_once('?').unwrap_or((&asked.uri, ""));
        let request = Request {
            method: &asked.method,
            path,
            query,
            headers: &headers,
            body: asked.body.as_bytes(),
        };
        let credentials = Credentials {
            access_key_id: id,
            secret_access_key: secret,
            session_token: asked.token.as_deref(),
        };
        let scope = Scope { service: &asked.scope.0, region: &asked.scope.1 };
        let now = self.opened.engine.now().seconds() - asked.seconds_ago;
        sign(&request, &credentials, &scope, now)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
