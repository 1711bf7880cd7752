//! The query protocol of IAM and STS: form parameters to an operation and its JSON body, JSON answers and
//! refusals to XML. Pure functions; the pipeline sees the same JSON that every other door sends.
//!
//! Names of parameters are read by the operation's table of members, never by their own shape, so that a
//! hostile name costs nothing: parameters that no member asks for are not looked at, as AWS does.
//! It does not wipe the text that serde takes out of an answer on the way to XML.
//! It does not validate: a number that is none goes on as text, and the engine says so.
//!
//! INVARIANT: a parameter that is given twice is refused; nothing is chosen for the client.
//! INVARIANT: text in XML is escaped, and characters that XML 1.0 cannot carry are replaced.
//! Source: <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use keyward_engine::{
    AnyOperation, Service, find,
    shape::{Kind, Member},
};
use keyward_types::{ErrorCode, Fault, KmsError};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Parameters of one request at most. The largest real one, AssumeRole with 50 tags, has about 160.
const PARAMETERS_MAX: usize = 1_000;

/// One of the two APIs that speak this protocol.
struct Api {
    service: Service,
    version: &'static str,
    namespace: &'static str,
}

const APIS: &[Api] = &[
    Api {
        service: Service::Iam,
        version: "2010-05-08",
        namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    },
    Api {
        service: Service::Sts,
        version: "2011-06-15",
        namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    },
];

/// A request, ready for the pipeline.
#[derive(Clone)]
pub struct Query {
    pub service: Service,
    pub operation: &'static dyn AnyOperation,
    /// The operation's JSON body.
    pub body: Zeroizing<Vec<u8>>,
}

/// Understands form parameters, from a body or from a query string. `signed_for` is the service of the
/// signing scope, and decides when `Version` does not.
///
/// # Errors
/// `ValidationError` for what is not a form, `InvalidAction` for an operation that is not served.
pub fn parse(form: &[u8], signed_for: Option<Service>) -> Result<Query, KmsError> {
    let form = Form::parse(form)?;
    let action = form.text("Action").unwrap_or_default();
    let version = form.text("Version").unwrap_or_default();
    let service = service_of(version)
        .or(signed_for.filter(|service| namespace(*service).is_some()))
        .unwrap_or(Service::Sts);
    let operation =
        find(service, action).ok_or_else(|| unknown_action(service, action, version))?;
    let members = operation.spec().members;
    let body: Map<String, Value> = members
        .iter()
        .filter_map(|member| Some((member.name.to_owned(), form.member(member)?)))
        .collect();
    let body = serde_json::to_vec(&body).map(Zeroizing::new).map_err(KmsError::internal)?;
    Ok(Query { service, operation, body })
}

fn service_of(version: &str) -> Option<Service> {
    APIS.iter().find(|api| api.version == version).map(|api| api.service)
}

fn namespace(service: Service) -> Option<&'static str> {
    APIS.iter().find(|api| api.service == service).map(|api| api.namespace)
}

fn unknown_action(service: Service, action: &str, version: &str) -> KmsError {
    if action.is_empty() {
        return KmsError::validation("The request has no Action parameter");
    }
    let served: Vec<&str> = keyward_engine::OPERATIONS
        .iter()
        .map(|operation| operation.spec())
        .filter(|spec| spec.service == service)
        .map(|spec| spec.name)
        .collect();
    KmsError::new(
        ErrorCode::UnknownOperation,
        format!(
            "Could not find operation {action} for version {version}. Of {}, this endpoint serves {}",
            service.name().to_uppercase(),
            served.join(", ")
        ),
    )
}

/// Parameters by name, decoded.
struct Form(BTreeMap<String, Zeroizing<String>>);

impl Form {
    fn parse(form: &[u8]) -> Result<Self, KmsError> {
        let mut parameters = BTreeMap::new();
        for pair in form.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if parameters.len() == PARAMETERS_MAX {
                return Err(KmsError::validation(format!(
                    "The request has more than {PARAMETERS_MAX} parameters"
                )));
            }
            if parameters.contains_key(name.as_str()) {
                return Err(KmsError::validation("The request gives a parameter twice"));
            }
            parameters.insert(name.to_string(), value);
        }
        Ok(Self(parameters))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.as_str())
    }

    fn member(&self, member: &Member) -> Option<Value> {
        self.value(&member.kind, member.name)
    }

    /// The value under a name; `None` when no parameter speaks of it.
    fn value(&self, kind: &Kind, name: &str) -> Option<Value> {
        match kind {
            Kind::Text { .. } | Kind::Secret { .. } | Kind::Enum(_) | Kind::Blob { .. } => {
                Some(self.text(name)?.into())
            }
            Kind::Integer { .. } | Kind::Timestamp => {
                let text = self.text(name)?;
                Some(
                    serde_json::from_str::<serde_json::Number>(text)
                        .map_or_else(|_| text.into(), Value::Number),
                )
            }
            Kind::Boolean => Some(match self.text(name)? {
                "true" => true.into(),
                "false" => false.into(),
                other => other.into(),
            }),
            Kind::List { of, .. } => self.list(of, name),
            Kind::Map => self.map(name),
            Kind::Structure(members) => self.structure(members, name),
        }
    }

    /// `Name.member.1`, `Name.member.2`, … in the order of their numbers; `Name=` is the empty list.
    fn list(&self, of: &Kind, name: &str) -> Option<Value> {
        let prefix = format!("{name}.member");
        let items: Vec<Value> = self
            .numbers(&prefix)
            .into_iter()
            .map(|number| self.value(of, &format!("{prefix}.{number}")).unwrap_or(Value::Null))
            .collect();
        if items.is_empty() {
            self.text(name).filter(|text| text.is_empty()).map(|_| Value::Array(items))
        } else {
            Some(items.into())
        }
    }

    /// `Name.entry.1.key` and `Name.entry.1.value`.
    fn map(&self, name: &str) -> Option<Value> {
        let prefix = format!("{name}.entry");
        let entry = |number: u32| {
            let half = |half: &str| self.text(&format!("{prefix}.{number}.{half}"));
            Some((half("key")?.to_owned(), Value::from(half("value").unwrap_or_default())))
        };
        let entries: Map<String, Value> =
            self.numbers(&prefix).into_iter().filter_map(entry).collect();
        (!entries.is_empty()).then_some(Value::Object(entries))
    }

    fn structure(&self, members: &[Member], name: &str) -> Option<Value> {
        let value = |member: &Member| {
            Some((
                member.name.to_owned(),
                self.value(&member.kind, &format!("{name}.{}", member.name))?,
            ))
        };
        let found: Map<String, Value> = members.iter().filter_map(value).collect();
        (!found.is_empty()).then_some(Value::Object(found))
    }

    /// Numbers that follow `prefix.` in parameter names, in order, each once.
    fn numbers(&self, prefix: &str) -> Vec<u32> {
        let prefix = format!("{prefix}.");
        let names = self
            .0
            .range(prefix.clone()..)
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(&prefix));
        let number = |name: &String| {
            let digits = name.strip_prefix(&prefix)?.split('.').next()?;
            let number: u32 = digits.parse().ok()?;
            // `01` and `+1` are other names than `1`.
            (number.to_string() == digits).then_some(number)
        };
        let mut numbers: Vec<u32> = names.filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

fn decode(text: &[u8]) -> Result<Zeroizing<String>, KmsError> {
    let spaced = Zeroizing::new(
        text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect::<Vec<u8>>(),
    );
    let decoded: Vec<u8> = percent_decode(&spaced).collect();
    String::from_utf8(decoded)
        .map(Zeroizing::new)
        .map_err(|_| KmsError::validation("The request is not UTF-8"))
}

/// Members of answers that are maps, not structures.
const MAPS: &[&str] = &["SummaryMap"];

/// The answer of an operation as XML. `answer` is its JSON; nothing, or `{}`, is an operation that answers nothing.
///
/// # Errors
/// `ServiceFailure` when the answer is no JSON object, which is our mistake.
pub fn answer(
    operation: &dyn AnyOperation,
    answer: &[u8],
    request_id: Uuid,
) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let spec = operation.spec();
    let namespace = namespace(spec.service)
        .ok_or_else(|| KmsError::internal("the operation is not of the query protocol"))?;
    let mut xml = Xml::new();
    xml.open_in(&format!("{}Response", spec.name), namespace);
    if !answer.is_empty() {
        let members: Value = serde_json::from_slice(answer).map_err(KmsError::internal)?;
        let Value::Object(_) = &members else {
            return Err(KmsError::internal("the answer is no object"));
        };
        xml.element(&format!("{}Result", spec.name), &members);
    }
    xml.open("ResponseMetadata");
    xml.leaf("RequestId", &request_id.to_string());
    xml.close("ResponseMetadata");
    xml.close(&format!("{}Response", spec.name));
    Ok(xml.0)
}

/// A refusal as XML, and its HTTP status. `service` is `None` for requests of which nothing was understood.
pub fn refusal(error: &KmsError, service: Option<Service>, request_id: Uuid) -> (u16, Vec<u8>) {
    let namespace =
        service.and_then(namespace).unwrap_or("https://iam.amazonaws.com/doc/2010-05-08/");
    let mut xml = Xml::new();
    xml.open_in("ErrorResponse", namespace);
    xml.open("Error");
    xml.leaf("Type", if error.code.fault() == Fault::Client { "Sender" } else { "Receiver" });
    xml.leaf("Code", error.code.query_wire());
    xml.leaf("Message", error.message.as_deref().unwrap_or_default());
    xml.close("Error");
    xml.leaf("RequestId", &request_id.to_string());
    xml.close("ErrorResponse");
    (status(error.code), xml.0.to_vec())
}

/// The query protocol's statuses, where they differ from those of `/v1`.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>
const fn status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::Throttling | ErrorCode::UnknownOperation => 400,
        other => other.status(),
    }
}

/// XML under construction.
struct Xml(Zeroizing<Vec<u8>>);

impl Xml {
    fn new() -> Self {
        // Room for most answers, so that a secret is not left behind by growth.
        Self(Zeroizing::new(Vec::with_capacity(16 * 1_024)))
    }

    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn open_in(&mut self, name: &str, namespace: &str) {
        self.raw(&format!("<{name} xmlns=\"{namespace}\">"));
    }

    fn open(&mut self, name: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
    }

    fn close(&mut self, name: &str) {
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        self.text(text);
        self.close(name);
    }

    /// A member; one that is null is left out.
    fn element(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => self.leaf(name, text),
            Value::Bool(flag) => self.leaf(name, if *flag { "true" } else { "false" }),
            Value::Number(number) => self.leaf(name, &number.to_string()),
            Value::Array(items) => {
                self.open(name);
                items.iter().for_each(|item| self.element("member", item));
                self.close(name);
            }
            Value::Object(entries) if MAPS.contains(&name) => {
                self.open(name);
                entries.iter().for_each(|(key, value)| self.entry(key, value));
                self.close(name);
            }
            Value::Object(members) => {
                self.open(name);
                members.iter().for_each(|(name, value)| self.element(name, value));
                self.close(name);
            }
        }
    }

    fn entry(&mut self, key: &str, value: &Value) {
        self.open("entry");
        self.leaf("key", key);
        self.element("value", value);
        self.close("entry");
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                // A parser would turn a bare one into a line feed.
                '\r' => self.raw("&#xD;"),
                '\t' | '\n' | '\u{20}'..='\u{fffd}' | '\u{10000}'.. => {
                    self.raw(c.encode_utf8(&mut [0; 4]))
                }
                _ => self.raw("\u{fffd}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STS: &str = "Version=2011-06-15";
    const IAM: &str = "Version=2010-05-08";

    fn body(form: &str) -> Value {
        let query = parse(form.as_bytes(), None).unwrap_or_else(|error| panic!("{error}"));
        serde_json::from_slice(&query.body).unwrap()
    }

    fn refused(form: &str) -> KmsError {
        parse(form.as_bytes(), None).err().unwrap()
    }

    #[test]
    fn kinds_decide_what_text_becomes() {
        assert_eq!(
            body(&format!(
                "Action=AssumeRole&{STS}&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2FA&RoleSessionName=s+1&DurationSeconds=900"
            )),
            json!({"RoleArn": "arn:aws:iam::1:role/A", "RoleSessionName": "s 1", "DurationSeconds": 900})
        );
        assert_eq!(
            body(&format!("Action=GetSessionToken&{STS}&DurationSeconds=soon")),
            json!({"DurationSeconds": "soon"})
        );
        assert_eq!(
            body(&format!("Action=GetUser&{IAM}&UserName=007&Unknown.member.1=x")),
            json!({"UserName": "007"})
        );
    }

    #[test]
    fn lists_follow_their_numbers_not_the_order_of_text() {
        let mut form = format!("Action=TagUser&{IAM}&UserName=a");
        for n in (1..=11).rev() {
            form.push_str(&format!("&Tags.member.{n}.Key=k{n}&Tags.member.{n}.Value="));
        }
        let keys: Vec<Value> =
            body(&form)["Tags"].as_array().unwrap().iter().map(|tag| tag["Key"].clone()).collect();
        assert_eq!(keys, (1..=11).map(|n| json!(format!("k{n}"))).collect::<Vec<_>>());
        assert_eq!(
            body(&format!("Action=UntagUser&{IAM}&UserName=a&TagKeys="))["TagKeys"],
            json!([])
        );
        let strange = format!(
            "Action=UntagUser&{IAM}&UserName=a&TagKeys.member.4294967295=z&TagKeys.member.01=y&TagKeys.member.x=w"
        );
        assert_eq!(body(&strange)["TagKeys"], json!(["z"]));
    }

    #[test]
    fn maps_are_written_as_entries() {
        let summary = find(Service::Iam, "GetAccountSummary").unwrap();
        let answer = answer(summary, br#"{"SummaryMap":{"Roles":0,"Users":2}}"#, Uuid::nil());
        let xml = String::from_utf8(answer.unwrap().to_vec()).unwrap();
        let map = "<SummaryMap><entry><key>Roles</key><value>0</value></entry><entry><key>Users</key><value>2</value></entry></SummaryMap>";
        assert!(xml.contains(map), "{xml}");
    }

    #[test]
    fn what_cannot_be_served_is_refused_by_name() {
        assert_eq!(
            refused(&format!("Action=CreateLoginProfile&{IAM}")).code,
            ErrorCode::UnknownOperation
        );
        assert!(
            refused(&format!("Action=CreateLoginProfile&{IAM}"))
                .message
                .unwrap()
                .contains("CreateUser")
        );
        assert_eq!(refused(&format!("Action=Encrypt&{IAM}")).code, ErrorCode::UnknownOperation);
        assert!(refused("").message.unwrap().contains("Action"));
        assert!(
            refused(&format!("Action=GetUser&{IAM}&UserName=a&UserName=b"))
                .message
                .unwrap()
                .contains("twice")
        );
        assert!(
            refused(&format!("Action=GetUser&{IAM}&UserName=%ff"))
                .message
                .unwrap()
                .contains("UTF-8")
        );
        let many = format!(
            "Action=GetUser&{IAM}{}",
            (0..PARAMETERS_MAX).map(|n| format!("&a{n}=")).collect::<String>()
        );
        assert!(refused(&many).message.unwrap().contains("parameters"));
    }

    #[test]
    fn the_signing_scope_decides_when_the_version_does_not() {
        let parsed = parse(b"Action=GetUser", Some(Service::Iam)).ok().unwrap();
        assert_eq!((parsed.service, parsed.operation.spec().name), (Service::Iam, "GetUser"));
        assert!(parse(b"Action=Encrypt", Some(Service::Kms)).is_err());
    }

    #[test]
    fn answers_are_escaped_and_nested() {
        let operation = find(Service::Iam, "ListUsers").unwrap();
        let json = json!({"IsTruncated": false, "N": 1, "Users": [{"Gone": null, "UserName": "a&<b>\"\u{1}\r"}]}).to_string();
        let xml = answer(operation, json.as_bytes(), Uuid::nil()).unwrap();
        assert_eq!(
            core::str::from_utf8(&xml).unwrap(),
            "<ListUsersResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListUsersResult>\
             <IsTruncated>false</IsTruncated><N>1</N><Users><member><UserName>a&amp;&lt;b&gt;&quot;\u{fffd}&#xD;</UserName>\
             </member></Users></ListUsersResult><ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000\
             </RequestId></ResponseMetadata></ListUsersResponse>"
        );
        let empty = answer(find(Service::Iam, "DeleteUser").unwrap(), b"", Uuid::nil()).unwrap();
        assert!(!core::str::from_utf8(&empty).unwrap().contains("Result"));
    }

    #[test]
    fn refusals_have_the_protocols_names_and_statuses() {
        let error = KmsError::new(ErrorCode::AccessDenied, "no <way>");
        let (status, xml) = refusal(&error, Some(Service::Sts), Uuid::nil());
        let xml = String::from_utf8(xml).unwrap();
        assert_eq!(status, 403);
        assert!(
            xml.contains(
                "<Type>Sender</Type><Code>AccessDenied</Code><Message>no &lt;way&gt;</Message>"
            ),
            "{xml}"
        );
        assert!(
            xml.starts_with("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">")
        );
        assert_eq!(refusal(&KmsError::internal("secret cause"), None, Uuid::nil()).0, 500);
        assert!(
            !String::from_utf8(refusal(&KmsError::internal("secret cause"), None, Uuid::nil()).1)
                .unwrap()
                .contains("secret")
        );
    }

    /// Requests as botocore writes them, which is how they arrive.
    #[test]
    fn requests_of_botocore_mean_what_they_say() {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/vectors/query/requests.json"))
                .unwrap();
        assert!(10 < vectors.len());
        for vector in vectors {
            let form = vector["form"].as_str().unwrap();
            let query =
                parse(form.as_bytes(), None).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(query.service.name(), vector["service"].as_str().unwrap());
            assert_eq!(query.operation.spec().name, vector["operation"].as_str().unwrap());
            let body: Value = serde_json::from_slice(&query.body).unwrap();
            assert_eq!(body, vector["body"], "{form}");
        }
    }

    /// Answers whose XML botocore was seen to read as the JSON they were made of.
    #[test]
    fn answers_are_what_botocore_reads() {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/vectors/query/answers.json"))
                .unwrap();
        let request_id = Uuid::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        let mut wrong = Vec::new();
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let service = if text("service") == "iam" { Service::Iam } else { Service::Sts };
            let xml = match vector.get("json") {
                Some(json) => {
                    let operation = find(service, text("operation")).unwrap();
                    let body = if json.is_null() { String::new() } else { json.to_string() };
                    answer(operation, body.as_bytes(), request_id).unwrap().to_vec()
                }
                None => {
                    let code = ErrorCode::ALL
                        .iter()
                        .find(|code| code.query_wire() == text("code"))
                        .unwrap();
                    let (status, xml) =
                        refusal(&KmsError::new(*code, text("message")), Some(service), request_id);
                    assert_eq!(u64::from(status), vector["status"].as_u64().unwrap());
                    xml
                }
            };
            let xml = String::from_utf8(xml).unwrap();
            if xml != text("xml") {
                wrong.push(xml);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
