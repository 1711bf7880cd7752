//! An event as the columns of a table.
//!
//! The plain columns are read in one pass over the record's text; the record as a tree is made when a column
//! with JSON in it is asked for, and then once. A record that does not parse has its number and time alone.
//!
//! INVARIANT: policy text stands in `additionalEventData` alone, of which no plain column is made; where it is to
//! be withheld, the tree is made without it, and the text of the record is that of the tree.

use crate::source::SourceEvent;
use keyward_trail::{outcome_class, outsider_name, outsider_role, query::contexts, withhold};
use rusqlite::{Result, vtab::Context};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// The columns of `events`, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Seq,
    Time,
    TimeMs,
    EventId,
    RequestId,
    Source,
    Name,
    Region,
    Account,
    PrincipalAccount,
    PrincipalType,
    Principal,
    PrincipalId,
    Role,
    Session,
    Mfa,
    AccessKeyId,
    SourceIp,
    UserAgent,
    ReadOnly,
    ErrorCode,
    ErrorMessage,
    Outcome,
    Key,
    Keys,
    GrantId,
    UsedGrant,
    Statements,
    Reason,
    EncryptionContext,
    Parameters,
    Response,
    Record,
}

use Column as C;

/// Each column with its name, its type, and what it says.
pub(crate) const COLUMNS: &[(C, &str, &str, &str)] = &[
    (C::Seq, "seq", "INTEGER", "the event's number in the log"),
    (C::Time, "time", "TEXT", "when the request was completed, UTC, whole seconds"),
    (C::TimeMs, "time_ms", "INTEGER", "the same in milliseconds since 1970"),
    (C::EventId, "event_id", "TEXT", "eventID"),
    (C::RequestId, "request_id", "TEXT", "requestID"),
    (C::Source, "source", "TEXT", "such as kms.amazonaws.com"),
    (C::Name, "name", "TEXT", "the operation, such as Decrypt"),
    (C::Region, "region", "TEXT", "awsRegion"),
    (C::Account, "account", "TEXT", "whose log the event stands in"),
    (C::PrincipalAccount, "principal_account", "TEXT", "the caller's account"),
    (
        C::PrincipalType,
        "principal_type",
        "TEXT",
        "Root, IAMUser, AssumedRole, FederatedUser, AWSService, AWSAccount",
    ),
    (
        C::Principal,
        "principal",
        "TEXT",
        "the caller's ARN, the service's name, or ACCOUNT:ID of another account's",
    ),
    (C::PrincipalId, "principal_id", "TEXT", "principalId"),
    (
        C::Role,
        "role",
        "TEXT",
        "the ARN of the role behind a session, or ACCOUNT:ID of another account's",
    ),
    (C::Session, "session", "TEXT", "the role session's name"),
    (C::Mfa, "mfa", "INTEGER", "1 with MFA, 0 without; NULL for long-lived credentials"),
    (C::AccessKeyId, "access_key_id", "TEXT", "accessKeyId"),
    (C::SourceIp, "source_ip", "TEXT", "sourceIPAddress"),
    (C::UserAgent, "user_agent", "TEXT", "userAgent"),
    (C::ReadOnly, "read_only", "INTEGER", "1 when the operation changes nothing"),
    (C::ErrorCode, "error_code", "TEXT", "such as AccessDenied; NULL for a success"),
    (C::ErrorMessage, "error_message", "TEXT", "errorMessage"),
    (C::Outcome, "outcome", "TEXT", "success, denied, client_error or server_error"),
    (C::Key, "key", "TEXT", "the ARN of the first key concerned"),
    (C::Keys, "keys", "TEXT", "the ARNs of all, a JSON array"),
    (C::GrantId, "grant_id", "TEXT", "the grant that was made, revoked or retired"),
    (C::UsedGrant, "used_grant", "TEXT", "the grant that allowed the request"),
    (C::Statements, "statements", "TEXT", "the statements and grants that matched, a JSON array"),
    (C::Reason, "reason", "TEXT", "why it was decided so"),
    (
        C::EncryptionContext,
        "encryption_context",
        "TEXT",
        "a JSON object; of ReEncrypt the source's over the destination's",
    ),
    (C::Parameters, "parameters", "TEXT", "requestParameters, JSON"),
    (C::Response, "response", "TEXT", "responseElements, JSON"),
    (C::Record, "record", "TEXT", "the whole record, JSON"),
];

/// What is read without building a tree.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Facts {
    user_identity: Option<Identity>,
    event_time: Option<String>,
    event_source: Option<String>,
    event_name: Option<String>,
    aws_region: Option<String>,
    #[serde(rename = "sourceIPAddress")]
    source_ip: Option<String>,
    user_agent: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    #[serde(rename = "requestID")]
    request_id: Option<String>,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
    read_only: Option<bool>,
    resources: Option<Vec<Resource>>,
    recipient_account_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    #[serde(rename = "type")]
    kind: Option<String>,
    principal_id: Option<String>,
    arn: Option<String>,
    account_id: Option<String>,
    access_key_id: Option<String>,
    invoked_by: Option<String>,
    session_context: Option<Session>,
}

impl Identity {
    /// Account and id of another account's caller, who has no ARN in the copy of the key's owner.
    fn outsider(&self) -> Option<(&str, &str)> {
        let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        if said(&self.arn) || !said(&self.account_id) || !said(&self.principal_id) {
            return None;
        }
        Some((self.account_id.as_deref()?, self.principal_id.as_deref()?))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Session {
    session_issuer: Option<Issuer>,
    attributes: Option<Attributes>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Issuer {
    #[serde(rename = "type")]
    kind: Option<String>,
    arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Attributes {
    mfa_authenticated: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    #[serde(rename = "ARN")]
    arn: Option<String>,
}

pub(crate) struct Row {
    pub(crate) seq: u64,
    time_ms: i64,
    text: String,
    is_withheld: bool,
    facts: Facts,
    tree: OnceLock<Value>,
}

impl Row {
    pub(crate) fn new(event: SourceEvent) -> Self {
        let facts = serde_json::from_slice(&event.record).unwrap_or_default();
        let SourceEvent { seq, time, record, is_withheld } = event;
        let text = String::from_utf8(record).unwrap_or_default();
        Self { seq, time_ms: time.0, text, is_withheld, facts, tree: OnceLock::new() }
    }

    pub(crate) fn seq_value(&self) -> i64 {
        i64::try_from(self.seq).unwrap_or(i64::MAX)
    }

    pub(crate) fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// The ARNs of the keys concerned; an alias is a resource too, and no key.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let resources = self.facts.resources.iter().flatten();
        resources.filter_map(|resource| resource.arn.as_deref()).filter(|arn| arn.contains(":key/"))
    }

    /// The pairs of the encryption context, each once: ReEncrypt has two contexts, one to open with and one to seal
    /// with.
    pub(crate) fn context(&self) -> Vec<(&str, &str)> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for (name, value) in contexts(self.tree()).flatten() {
            let pair = value.as_str().map(|value| (name.as_str(), value));
            pairs.extend(pair.filter(|pair| !pairs.contains(pair)));
        }
        pairs
    }

    /// The context as one object: where ReEncrypt's two differ, with what was opened with.
    fn whole_context(&self) -> Option<String> {
        let mut whole = Map::new();
        for (name, value) in contexts(self.tree()).flatten() {
            whole.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let any = contexts(self.tree()).next().is_some();
        any.then(|| Value::Object(whole).to_string())
    }

    fn tree(&self) -> &Value {
        self.tree.get_or_init(|| {
            let mut tree = serde_json::from_str(&self.text).unwrap_or_default();
            if self.is_withheld {
                withhold(&mut tree);
            }
            tree
        })
    }

    fn member(&self, pointer: &str) -> Option<&Value> {
        self.tree().pointer(pointer).filter(|value| !value.is_null())
    }

    fn json(&self, pointer: &str) -> Option<String> {
        self.member(pointer).map(Value::to_string)
    }

    fn decisions(&self) -> impl Iterator<Item = &Value> {
        let decisions = self.member("/additionalEventData/policyDecision");
        decisions.and_then(Value::as_array).into_iter().flatten()
    }

    /// Each layer's name with one thing that matched in it.
    fn matched(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.decisions()
            .flat_map(|decision| items(decision, "layers"))
            .flat_map(|layer| items(layer, "matched").map(move |one| (text(layer, "layer"), one)))
            .filter_map(|(layer, one)| Some((layer?, one)))
    }

    fn grant_id(&self) -> Option<&str> {
        ["/responseElements/grantId", "/requestParameters/grantId", "/additionalEventData/grantId"]
            .iter()
            .find_map(|pointer| self.member(pointer)?.as_str())
    }

    fn used_grant(&self) -> Option<&str> {
        let is_allow = |one: &Value| one.get("allow").and_then(Value::as_bool) == Some(true);
        self.matched()
            .find(|(layer, one)| *layer == "Grant" && is_allow(one))
            .and_then(|(_, one)| text(one, "sid"))
    }

    fn statements(&self) -> Option<String> {
        let shown = |(layer, one): (&str, &Value)| {
            let mut shown = json!({"layer": layer});
            let members = shown.as_object_mut()?;
            for name in ["source", "sid", "index", "allow"] {
                if let Some(value) = one.get(name) {
                    members.insert(name.to_owned(), value.clone());
                }
            }
            Some(shown)
        };
        let statements: Vec<Value> = self.matched().filter_map(shown).collect();
        (!statements.is_empty()).then(|| Value::from(statements).to_string())
    }

    /// Of the decision that refused, or else of the first: `NamesCaller`, `NotAllowed KeyPolicy`.
    fn reason(&self) -> Option<String> {
        let refused = self.decisions().find(|one| text(one, "effect") != Some("Allow"));
        match refused.or_else(|| self.decisions().next())?.get("reason")? {
            Value::String(reason) => Some(reason.clone()),
            Value::Object(of) => {
                let (reason, layer) = of.iter().next()?;
                Some(format!("{reason} {}", layer.as_str().unwrap_or_default()))
            }
            _ => None,
        }
    }

    pub(crate) fn put(&self, column: Column, context: &mut Context) -> Result<()> {
        let facts = &self.facts;
        let identity = facts.user_identity.as_ref();
        let session = identity.and_then(|identity| identity.session_context.as_ref());
        let of_identity = |part: fn(&Identity) -> &Option<String>| {
            identity.and_then(|identity| part(identity).as_deref())
        };
        let text: Option<&str> = match column {
            C::Seq => return context.set_result(self.seq_value()),
            C::TimeMs => return context.set_result(self.time_ms),
            C::ReadOnly => return context.set_result(facts.read_only),
            C::Mfa => {
                let attributes = session.and_then(|session| session.attributes.as_ref());
                let mfa = attributes.and_then(|attributes| attributes.mfa_authenticated.as_deref());
                return context.set_result(mfa.map(|mfa| mfa == "true"));
            }
            C::Keys => {
                let keys: Vec<&str> = self.keys().collect();
                return context.set_result(Value::from(keys).to_string());
            }
            C::Statements => return context.set_result(self.statements()),
            C::Reason => return context.set_result(self.reason()),
            C::EncryptionContext => return context.set_result(self.whole_context()),
            C::Parameters => return context.set_result(self.json("/requestParameters")),
            C::Response => return context.set_result(self.json("/responseElements")),
            C::Time => facts.event_time.as_deref(),
            C::EventId => facts.event_id.as_deref(),
            C::RequestId => facts.request_id.as_deref(),
            C::Source => facts.event_source.as_deref(),
            C::Name => facts.event_name.as_deref(),
            C::Region => facts.aws_region.as_deref(),
            C::Account => facts.recipient_account_id.as_deref(),
            C::PrincipalAccount => of_identity(|identity| &identity.account_id),
            C::PrincipalType => of_identity(|identity| &identity.kind),
            C::Principal => {
                if let Some((account, id)) = identity.and_then(Identity::outsider) {
                    return context.set_result(outsider_name(account, id));
                }
                let arn = of_identity(|identity| &identity.arn);
                arn.or_else(|| of_identity(|identity| &identity.invoked_by))
            }
            C::PrincipalId => of_identity(|identity| &identity.principal_id),
            C::Role => {
                if let Some((account, id)) = identity.and_then(Identity::outsider) {
                    return context.set_result(outsider_role(account, id));
                }
                session
                    .and_then(|session| session.session_issuer.as_ref())
                    .filter(|issuer| issuer.kind.as_deref() == Some("Role"))
                    .and_then(|issuer| issuer.arn.as_deref())
            }
            C::Session => match identity.and_then(Identity::outsider) {
                Some((account, id)) => {
                    let session =
                        id.split_once(':').filter(|_| outsider_role(account, id).is_some());
                    session.map(|(_, session)| session)
                }
                None => of_identity(|identity| &identity.arn)
                    .filter(|arn| arn.contains(":assumed-role/"))
                    .and_then(|arn| arn.rsplit('/').next()),
            },
            C::AccessKeyId => of_identity(|identity| &identity.access_key_id),
            C::SourceIp => facts.source_ip.as_deref(),
            C::UserAgent => facts.user_agent.as_deref(),
            C::ErrorCode => facts.error_code.as_deref(),
            C::ErrorMessage => facts.error_message.as_deref(),
            C::Outcome => {
                facts.event_name.as_ref().map(|_| outcome_class(facts.error_code.as_deref()))
            }
            C::Key => self.keys().next(),
            C::GrantId => self.grant_id(),
            C::UsedGrant => self.used_grant(),
            C::Record if self.is_withheld => return context.set_result(self.tree().to_string()),
            C::Record => Some(self.text.as_str()),
        };
        context.set_result(text)
    }
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}
