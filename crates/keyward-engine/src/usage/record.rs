//! A record of the log, or of an imported CloudTrail export, as the questions that it once put.
//!
//! Own records name the decisions that were made; of others, action and key follow from the event's name, its
//! parameters and resources. Facts that no record keeps (tags of a session, session policies) are not guessed.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use super::facts;
use crate::ask::Entry;
use keyward_types::{Effect, EncryptionContext, Layer, LayerEffect, Matched, Reason, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record<'r> {
    #[serde(rename = "eventID", default, borrow)]
    pub(crate) id: Cow<'r, str>,
    #[serde(rename = "eventTime", default, borrow)]
    pub(crate) time: Cow<'r, str>,
    #[serde(default, borrow)]
    event_source: Cow<'r, str>,
    #[serde(default, borrow)]
    pub(crate) event_name: Cow<'r, str>,
    #[serde(default, borrow)]
    pub(crate) aws_region: Cow<'r, str>,
    #[serde(rename = "sourceIPAddress", default, borrow)]
    pub(crate) source_ip: Cow<'r, str>,
    #[serde(default)]
    pub(crate) user_agent: Option<Cow<'r, str>>,
    #[serde(default)]
    error_code: Option<Cow<'r, str>>,
    #[serde(default)]
    pub(crate) user_identity: Identity<'r>,
    #[serde(default)]
    request_parameters: Option<Map<String, Value>>,
    #[serde(default)]
    additional_event_data: Option<Additional>,
    #[serde(default)]
    resources: Option<Vec<Resource>>,
    #[serde(default)]
    pub(crate) vpc_endpoint_id: Option<Cow<'r, str>>,
    #[serde(default)]
    tls_details: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    pub(crate) recipient_account_id: Option<Cow<'r, str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity<'r> {
    #[serde(rename = "type", default)]
    pub(crate) kind: Option<Cow<'r, str>>,
    #[serde(default)]
    pub(crate) arn: Option<Cow<'r, str>>,
    #[serde(default)]
    pub(crate) invoked_by: Option<Cow<'r, str>>,
    #[serde(default)]
    session_context: Option<SessionContext>,
}

#[derive(Debug, Deserialize)]
struct SessionContext {
    #[serde(default)]
    attributes: Option<Attributes>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    #[serde(default)]
    creation_date: Option<String>,
    #[serde(default)]
    mfa_authenticated: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Additional {
    #[serde(default)]
    policy_decision: Vec<Told>,
}

/// A decision as a record keeps it.
#[derive(Debug, Deserialize)]
struct Told {
    effect: Effect,
    reason: Reason,
    action: String,
    resource: String,
    #[serde(default)]
    layers: Vec<ToldLayer>,
    #[serde(default)]
    observed: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ToldLayer {
    layer: Layer,
    effect: LayerEffect,
    #[serde(default)]
    matched: Vec<Matched>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    #[serde(rename = "ARN", default)]
    arn: String,
}

/// What a record says became of a question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Recorded {
    pub(crate) allowed: bool,
    /// Why, where the record tells.
    pub(crate) why: Option<String>,
    /// Whether policies that were passed to a session had a say; the log does not keep them.
    pub(crate) session_policies: bool,
    /// What let it through although it was refused.
    pub(crate) observed: Vec<String>,
}

/// A question that a record put.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Such as `kms:Decrypt`.
    pub(crate) action: String,
    /// The resource's ARN, or `*`.
    pub(crate) resource: String,
    pub(crate) recorded: Recorded,
}

/// Why a record puts no question that can be asked again.
pub(crate) type Why = &'static str;

impl<'r> Record<'r> {
    pub(crate) fn parse(bytes: &'r [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    pub(crate) fn when(&self) -> Timestamp {
        let time = chrono::DateTime::parse_from_rfc3339(&self.time);
        time.map_or(Timestamp(0), |time| Timestamp(time.timestamp_millis()))
    }

    /// Who asked: an ARN, or a service's name.
    pub(crate) fn principal(&self) -> Result<&str, Why> {
        let identity = &self.user_identity;
        match (identity.kind.as_deref(), &identity.arn, &identity.invoked_by) {
            (Some("AWSAccount"), _, _) => Err("the caller is of another account"),
            (None, ..) => Err("the service did it by itself"),
            (Some("AWSService"), _, Some(name)) => Ok(name),
            (_, Some(arn), _) => Ok(arn),
            _ => Err("the record does not name the caller"),
        }
    }

    /// The questions that it put, in the order in which they were decided.
    pub(crate) fn asked(&self) -> Result<Vec<Asked>, Why> {
        match &self.additional_event_data {
            Some(data) if !data.policy_decision.is_empty() => {
                Ok(data.policy_decision.iter().map(Told::asked).collect())
            }
            _ => self.inferred(),
        }
    }

    /// The same of a record that tells no decisions, as AWS's own are.
    fn inferred(&self) -> Result<Vec<Asked>, Why> {
        if self.event_source != "kms.amazonaws.com" {
            return Err("nothing was decided about a key");
        }
        let allowed = match self.error_code.as_deref() {
            None => true,
            Some("AccessDenied" | "AccessDeniedException") => false,
            Some(_) => return Err("it failed for another reason than permission"),
        };
        let recorded =
            Recorded { allowed, why: None, session_policies: false, observed: Vec::new() };
        let name = self.event_name.as_ref();
        let actions: &[&str] = match name {
            "ReEncrypt" => &["ReEncryptFrom", "ReEncryptTo"],
            other => &[other],
        };
        let arns: Vec<&str> = self.resources.iter().flatten().map(|one| one.arn.as_str()).collect();
        let of = |action: &str| {
            let full = format!("kms:{action}");
            let resource = match () {
                () if facts::is_on_no_key(&full) => Some("*".to_owned()),
                () => self.key_of(action, &arns),
            };
            resource.map(|resource| Asked { action: full, resource, recorded: recorded.clone() })
        };
        let asked: Option<Vec<Asked>> = actions.iter().map(|action| of(action)).collect();
        asked.ok_or("the record does not name the key")
    }

    fn key_of(&self, action: &str, arns: &[&str]) -> Option<String> {
        let named = match action {
            "ReEncryptFrom" => self.text("sourceKeyId"),
            "ReEncryptTo" => self.text("destinationKeyId"),
            _ => None,
        };
        let fits = |arn: &&&str| named.is_some_and(|named| arn.ends_with(named));
        let keys = || arns.iter().filter(|arn| arn.contains(":key/"));
        let one = keys().find(fits).or_else(|| match action {
            "ReEncryptTo" => keys().next_back(),
            _ => keys().next(),
        });
        one.map(|arn| (*arn).to_owned())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&Value> {
        self.request_parameters.as_ref()?.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.parameter(name)?.as_str()
    }

    /// Keys that it was about.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let arns = self.resources.iter().flatten().map(|one| one.arn.as_str());
        arns.filter(|arn| arn.contains(":key/"))
    }

    pub(crate) fn is_over_tls(&self) -> bool {
        self.tls_details.is_some()
    }

    /// When the session began, and whether MFA was shown for it.
    pub(crate) fn session(&self) -> (Option<&str>, Option<&str>) {
        let context = self.user_identity.session_context.as_ref();
        let attributes = context.and_then(|context| context.attributes.as_ref());
        (
            attributes.and_then(|one| one.creation_date.as_deref()),
            attributes.and_then(|one| one.mfa_authenticated.as_deref()),
        )
    }

    /// The encryption context that conditions on an action saw.
    pub(crate) fn encryption_context(&self, action: &str) -> Option<EncryptionContext> {
        let member = match action {
            "kms:ReEncryptFrom" => "sourceEncryptionContext",
            "kms:ReEncryptTo" => "destinationEncryptionContext",
            _ => "encryptionContext",
        };
        let constraints = || {
            let constraints = self.parameter("constraints")?;
            let named = ["encryptionContextEquals", "encryptionContextSubset"];
            named.iter().find_map(|name| constraints.get(*name))
        };
        let value = match action {
            "kms:CreateGrant" => constraints()?,
            _ => self.parameter(member)?,
        };
        let pairs = value.as_object()?.iter();
        let pair =
            |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        Some(EncryptionContext(pairs.filter_map(pair).collect()))
    }

    /// The condition keys that the request brought, beside its encryption context.
    pub(crate) fn facts(&self, action: &str) -> Vec<Entry> {
        facts::of(self, action)
    }
}

impl Told {
    fn asked(&self) -> Asked {
        let session = |layer: &ToldLayer| {
            layer.layer == Layer::SessionPolicy && layer.effect != LayerEffect::Absent
        };
        let allowed = self.effect == Effect::Allow;
        let matched = self
            .layers
            .iter()
            .flat_map(|layer| layer.matched.iter().map(|matched| (layer.layer, matched)));
        Asked {
            action: self.action.clone(),
            resource: self.resource.clone(),
            recorded: Recorded {
                allowed,
                why: Some(why(self.reason, allowed, matched)),
                session_policies: self.layers.iter().any(session),
                observed: self.observed.clone(),
            },
        }
    }
}

/// A decision's reason and the statements that made it, in one line.
pub(crate) fn why<'m>(
    reason: Reason,
    allowed: bool,
    matched: impl Iterator<Item = (Layer, &'m Matched)>,
) -> String {
    let mut by: Vec<String> = matched
        .filter(|(_, matched)| matched.allow == allowed)
        .map(|(_, Matched { source, sid, index, .. })| match sid {
            Some(sid) => format!("{source} {sid}"),
            None => format!("{source} statement {}", index + 1),
        })
        .collect();
    by.sort();
    by.dedup();
    let reason = match reason {
        Reason::Denied(layer) => format!("denied by a {}", layer.words()),
        Reason::NotAllowed(layer) => format!("no {} allows it", layer.words()),
        other => format!("{other:?}"),
    };
    if by.is_empty() { reason } else { format!("{reason}: {}", by.join(", ")) }
}
