//! The CloudTrail record of one request.
//!
//! `eventVersion` 1.11. Every operation of a key service is a management event, Decrypt and Sign too.
//!
//! INVARIANT: a failed request keeps its parameters and resources, and has no response elements.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use crate::{
    clean::{Clean, CleanMap},
    fit,
    identity::UserIdentity,
    trace::{self, Additional},
};
use keyward_types::{Arn, Caller, CallerKind, Decision, KmsError, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

pub const EVENT_VERSION: &str = "1.11";

/// The name of [`CallerKind::Service`] by which the service acts for itself: such a record is an
/// `AwsServiceEvent` without request id.
pub const INTERNAL: &str = "AWS Internal";

/// Bytes of `userAgent` and of `errorMessage`.
const TEXT_BYTES_MAX: usize = 1_024;
/// Bytes of `requestParameters`, and of `responseElements`.
const ELEMENTS_BYTES_MAX: usize = 100 * 1_024;

/// A key, alias, user or role that a request concerned.
#[derive(Clone, Copy, Debug)]
pub struct ResourceRef<'a> {
    pub account: &'a str,
    pub arn: &'a str,
}

/// What a record says.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub caller: &'a Caller,
    /// `kms`, `iam` or `sts`.
    pub service: &'a str,
    pub operation: &'a str,
    /// When the request was completed.
    pub time: Timestamp,
    pub event_id: Uuid,
    /// Names in lower camel case; only what may be logged.
    pub request_parameters: &'a Map<String, Value>,
    pub response_elements: Option<&'a Value>,
    /// `keyMaterialId`, `grantId` and their like.
    pub additional: &'a Map<String, Value>,
    pub resources: &'a [ResourceRef<'a>],
    pub error: Option<&'a KmsError>,
    pub decisions: &'a [Decision],
    pub read_only: bool,
}

/// What few records say.
#[derive(Clone, Copy, Default)]
pub struct Extra<'a> {
    pub tls: Option<TlsDetails<'a>>,
    /// The account that this copy is for, when it is not the caller's own.
    pub recipient_account: Option<&'a str>,
    /// Whether the record is the copy of a resource's owner, who is told the caller's account and id alone.
    pub outsider: bool,
    /// The same id in every copy of an event that several accounts receive.
    pub shared_event_id: Option<Uuid>,
    /// What an internal event did, such as the materials of RotateKey.
    pub service_event_details: Option<&'a Value>,
    /// Whether an internal event is told as a call, with a request id.
    pub is_call: bool,
}

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsDetails<'a> {
    /// Such as `TLSv1.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher_suite: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_provided_host_header: Option<&'a str>,
}

impl Record<'_> {
    /// The record as one JSON object, without a line break.
    pub fn to_json(&self) -> Vec<u8> {
        self.to_json_with(&Extra::default())
    }

    pub fn to_json_with(&self, extra: &Extra<'_>) -> Vec<u8> {
        let whole = to_vec(&self.wire(extra));
        if whole.len() <= trace::ADDITIONAL_BYTES_MAX {
            return whole; // No field can be over its own limit.
        }
        let mut wire = self.wire(extra);
        wire.request_parameters = wire.request_parameters.bounded();
        wire.response_elements = wire.response_elements.bounded();
        wire.additional_event_data = Additional::fitting(self.additional, self.decisions);
        to_vec(&wire)
    }

    /// The digests under which the written record is filed; see [`crate::query`].
    pub fn terms(&self, extra: &Extra<'_>) -> Vec<u64> {
        crate::query::terms(self, extra)
    }

    fn wire<'w>(&'w self, extra: &Extra<'w>) -> Wire<'w> {
        let Self { caller, .. } = self;
        let origin = &caller.origin;
        let service = match &caller.kind {
            CallerKind::Service { name } => Some(name.as_str()),
            _ => None,
        };
        let own = service == Some(INTERNAL) && !extra.is_call;
        let host = Some(origin.host.as_str()).filter(|host| !host.is_empty());
        let partial =
            TlsDetails { tls_version: None, cipher_suite: None, client_provided_host_header: host };
        Wire {
            event_version: EVENT_VERSION,
            user_identity: match extra.outsider {
                true => UserIdentity::outsider(caller),
                false => UserIdentity::of(caller),
            },
            event_time: iso_seconds(self.time),
            event_source: format!("{}.amazonaws.com", self.service),
            event_name: self.operation,
            aws_region: origin.region.as_str(),
            source_ip_address: service.unwrap_or(&origin.source_ip),
            user_agent: cut(service.unwrap_or(&origin.user_agent), TEXT_BYTES_MAX),
            error_code: self.error.map(|error| error.code.trail_name()),
            error_message: self
                .error
                .and_then(|e| e.message.as_deref())
                .map(|text| cut(text, TEXT_BYTES_MAX)),
            request_parameters: Elements::Members(CleanMap(self.request_parameters)),
            response_elements: match (self.error, self.response_elements) {
                (None, Some(elements)) => Elements::Value(Clean(elements)),
                _ => Elements::Null,
            },
            additional_event_data: Additional::whole(self.additional, self.decisions),
            request_id: (!own).then_some(origin.request_id),
            event_id: self.event_id,
            read_only: self.read_only,
            resources: self.resources,
            event_type: if own { "AwsServiceEvent" } else { "AwsApiCall" },
            management_event: true,
            recipient_account_id: extra.recipient_account.unwrap_or(caller.account.as_str()),
            shared_event_id: extra.shared_event_id,
            service_event_details: extra.service_event_details.map(Clean),
            vpc_endpoint_id: origin.trusted_facts.get("aws:sourcevpce").map(String::as_str),
            event_category: "Management",
            tls_details: extra
                .tls
                .or((origin.secure_transport && service.is_none()).then_some(partial)),
        }
    }
}

/// The record's members in CloudTrail's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    event_version: &'static str,
    user_identity: UserIdentity<'a>,
    event_time: String,
    event_source: String,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'a str,
    user_agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    request_parameters: Elements<'a>,
    response_elements: Elements<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_event_data: Option<Additional<'a>>,
    #[serde(rename = "requestID", skip_serializing_if = "Option::is_none")]
    request_id: Option<Uuid>,
    #[serde(rename = "eventID")]
    event_id: Uuid,
    read_only: bool,
    #[serde(serialize_with = "resources")]
    resources: &'a [ResourceRef<'a>],
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: &'a str,
    #[serde(rename = "sharedEventID", skip_serializing_if = "Option::is_none")]
    shared_event_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_event_details: Option<Clean<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_endpoint_id: Option<&'a str>,
    event_category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_details: Option<TlsDetails<'a>>,
}

fn resources<S: Serializer>(
    resources: &&[ResourceRef<'_>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Resource<'a> {
        #[serde(rename = "accountId")]
        account_id: &'a str,
        #[serde(rename = "type")]
        kind: &'static str,
        #[serde(rename = "ARN")]
        arn: &'a str,
    }
    serializer.collect_seq(resources.iter().map(|&ResourceRef { account, arn }| Resource {
        account_id: account,
        kind: resource_type(arn),
        arn,
    }))
}

/// CloudTrail calls an alias a key too.
fn resource_type(arn: &str) -> &'static str {
    match Arn::parse(arn) {
        Some(arn) if arn.service == "iam" && arn.resource.starts_with("role/") => "AWS::IAM::Role",
        Some(arn) if arn.service == "iam" && arn.resource.starts_with("policy/") => {
            "AWS::IAM::Policy"
        }
        Some(arn) if arn.service == "iam" => "AWS::IAM::User",
        _ => "AWS::KMS::Key",
    }
}

/// Request parameters or response elements.
#[derive(Serialize)]
#[serde(untagged)]
enum Elements<'a> {
    Null,
    Members(CleanMap<'a>),
    Value(Clean<'a>),
    /// What is kept of what is too large for the field.
    Kept(Map<String, Value>),
}

impl Elements<'_> {
    fn bounded(self) -> Self {
        if to_vec(&self).len() <= ELEMENTS_BYTES_MAX {
            return self;
        }
        let members = match serde_json::to_value(&self) {
            Ok(Value::Object(members)) => members,
            // Elements are objects; of anything else nothing can be kept.
            _ => Map::from_iter([(fit::OMITTED.to_owned(), true.into())]),
        };
        Self::Kept(fit::fitting(members, ELEMENTS_BYTES_MAX))
    }
}

#[expect(clippy::expect_used, reason = "INVARIANT: text keys and plain values always serialize")]
fn to_vec(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2_048);
    serde_json::to_writer(&mut bytes, value).expect("plain values serialize");
    bytes
}

/// At most `bytes_max` bytes, ending at a character.
fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// `2025-05-20T20:46:16Z`.
pub fn iso_seconds(time: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp(time.seconds(), 0).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
