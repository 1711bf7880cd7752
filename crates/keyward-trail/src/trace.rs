//! The decision trace inside a record: `additionalEventData.policyDecision`, always a list, one
//! decision for each action and resource that was asked about.
//!
//! An allowed decision keeps the layers in which something matched; a refused one keeps every layer
//! with its near misses, and the remedies. Both read back as a [`Decision`]. Beside the layers stand the
//! checks in AWS's words, whole in every form.
//! When the field would outgrow its limit, refused decisions are cut in the steps of [`CUTS`], and
//! `omitted: true` stands beside them.
//! Readers who may not read explanations get the record without its policy text ([`withhold`]).

use crate::clean::{Clean, is_withheld};
use keyward_types::{Check, Clause, Decision, Layer, LayerEffect, LayerOutcome, Matched, NearMiss};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Bytes of `additionalEventData`.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
pub const ADDITIONAL_BYTES_MAX: usize = 28 * 1_024;

/// The member of `additionalEventData` that holds decisions.
const MEMBER: &str = "policyDecision";

/// How much of each decision stays when not all of it fits, tried in this order.
const CUTS: &[Cut] = &[
    Cut { remedies_max: 1, ..WHOLE },
    Cut { remedies_max: 0, ..WHOLE },
    Cut { remedies_max: 0, near_max: 16, chars_max: 256, matched_max: usize::MAX },
    Cut { remedies_max: 0, near_max: 4, chars_max: 128, matched_max: 64 },
    Cut { matched_max: 16, ..NOTHING },
    NOTHING,
];

const WHOLE: Cut = Cut {
    remedies_max: usize::MAX,
    near_max: usize::MAX,
    chars_max: usize::MAX,
    matched_max: usize::MAX,
};

const NOTHING: Cut = Cut { remedies_max: 0, near_max: 0, chars_max: 0, matched_max: 0 };

#[derive(Clone, Copy)]
struct Cut {
    /// Remedies of one decision, the smallest.
    remedies_max: usize,
    /// Near misses of one layer, those with the fewest failed clauses.
    near_max: usize,
    /// Characters of an expected or actual text.
    chars_max: usize,
    /// Statements and grants of one layer that matched.
    matched_max: usize,
}

/// A decision as a record keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Those of the decision before it was written; its layers may be fewer by now.
    pub checks: Vec<Check>,
    #[serde(flatten)]
    pub decision: Decision,
}

/// The decisions of a record, oldest form included; empty when there are none that can be read.
pub fn decisions_of(record: &Value) -> Vec<Decision> {
    explained_of(record).into_iter().map(|explained| explained.decision).collect()
}

/// The same, with their checks.
pub fn explained_of(record: &Value) -> Vec<Explained> {
    let decisions = record
        .get("additionalEventData")
        .and_then(|data| data.get(MEMBER))
        .and_then(Value::as_array);
    let read = |written: &Value| {
        let decision = Decision::deserialize(written).ok()?;
        let checks = written.get("checks").and_then(|checks| Vec::deserialize(checks).ok());
        Some(Explained { checks: checks.unwrap_or_else(|| decision.checks()), decision })
    };
    decisions.into_iter().flatten().filter_map(read).collect()
}

/// Takes from a record what only a reader of explanations may know: statements, grants and remedies.
/// What was decided, the effect of each check and of each layer stay.
pub fn withhold(record: &mut Value) {
    let decisions = record
        .get_mut("additionalEventData")
        .and_then(|data| data.get_mut(MEMBER))
        .and_then(Value::as_array_mut);
    for decision in decisions.into_iter().flatten() {
        let Some(members) = decision.as_object_mut() else {
            *decision = Value::Null;
            continue;
        };
        // What is not known here is not shown either.
        members.retain(|name, _| TOLD.contains(&name.as_str()));
        let layers = members.get_mut("layers").and_then(Value::as_array_mut);
        for layer in layers.into_iter().flatten().filter_map(Value::as_object_mut) {
            layer.retain(|name, _| matches!(name.as_str(), "layer" | "effect"));
        }
        members.insert("withheld".to_owned(), true.into());
    }
}

/// Members of a decision that hold no policy text.
const TOLD: &[&str] =
    &["effect", "reason", "rule", "action", "resource", "checks", "layers", "observed"];

/// `additionalEventData`.
pub(crate) struct Additional<'a> {
    members: Option<&'a Map<String, Value>>,
    decisions: Cow<'a, [Decision]>,
    omitted: bool,
}

impl<'a> Additional<'a> {
    /// Everything; `None` when there is nothing to say.
    pub(crate) fn whole(
        members: &'a Map<String, Value>,
        decisions: &'a [Decision],
    ) -> Option<Self> {
        let any = !members.is_empty() || !decisions.is_empty();
        any.then_some(Self { members: Some(members), decisions: decisions.into(), omitted: false })
    }

    /// As much as the field holds.
    pub(crate) fn fitting(
        members: &'a Map<String, Value>,
        decisions: &'a [Decision],
    ) -> Option<Self> {
        let whole = Self::whole(members, decisions)?;
        if whole.fits() {
            return Some(whole);
        }
        let cut = |members, cut: Cut| Self {
            members,
            decisions: decisions.iter().map(|decision| shorten(decision, cut)).collect(),
            omitted: true,
        };
        let written = CUTS.iter().map(|&one| cut(Some(members), one)).find(Self::fits);
        // The engine's own members are a few ids; were they ever larger, they go and the trace stays.
        Some(written.unwrap_or_else(|| cut(None, NOTHING)))
    }

    fn fits(&self) -> bool {
        serde_json::to_vec(self).is_ok_and(|bytes| bytes.len() <= ADDITIONAL_BYTES_MAX)
    }
}

impl Serialize for Additional<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let members = self.members.into_iter().flatten().filter(|(name, _)| !is_withheld(name));
        for (name, value) in members.filter(|(name, _)| *name != MEMBER && *name != "omitted") {
            map.serialize_entry(name, &Clean(value))?;
        }
        if !self.decisions.is_empty() {
            map.serialize_entry(MEMBER, &Decisions(&self.decisions))?;
        }
        if self.omitted {
            map.serialize_entry("omitted", &true)?;
        }
        map.end()
    }
}

struct Decisions<'a>(&'a [Decision]);

impl Serialize for Decisions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Shape))
    }
}

/// A decision, without the layers of an allowed one that had no part in it.
struct Shape<'a>(&'a Decision);

impl Serialize for Shape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Decision { effect, reason, rule, action, resource, layers, remedies, observed } =
            self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("effect", effect)?;
        map.serialize_entry("reason", reason)?;
        map.serialize_entry("rule", rule)?;
        map.serialize_entry("action", action)?;
        map.serialize_entry("resource", resource)?;
        map.serialize_entry("checks", &self.0.checks())?;
        if self.0.allowed() {
            map.serialize_entry("layers", &Matching(layers))?;
        } else {
            map.serialize_entry("layers", layers)?;
        }
        if !remedies.is_empty() {
            map.serialize_entry("remedies", remedies)?;
        }
        if !observed.is_empty() {
            map.serialize_entry("observed", observed)?;
        }
        map.end()
    }
}

struct Matching<'a>(&'a [LayerOutcome]);

impl Serialize for Matching<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Short<'a> {
            layer: Layer,
            effect: LayerEffect,
            matched: &'a [Matched],
        }
        let layers = self.0.iter().filter(|layer| !layer.matched.is_empty());
        serializer.collect_seq(layers.map(|l| Short {
            layer: l.layer,
            effect: l.effect,
            matched: &l.matched,
        }))
    }
}

fn shorten(decision: &Decision, cut: Cut) -> Decision {
    let mut decision = decision.clone();
    decision.remedies.truncate(cut.remedies_max);
    for layer in &mut decision.layers {
        layer.matched.truncate(cut.matched_max);
        if cut.near_max < layer.near.len() {
            layer.near.sort_by_key(|near| near.failed.len());
            layer.near.truncate(cut.near_max);
        }
        for near in &mut layer.near {
            shorten_near(near, cut.chars_max);
        }
    }
    decision
}

fn shorten_near(near: &mut NearMiss, chars_max: usize) {
    for Clause { expected, actual, .. } in &mut near.failed {
        for text in [expected, actual] {
            if let Some((end, _)) = text.char_indices().nth(chars_max) {
                text.truncate(end);
                text.push('…');
            }
        }
    }
}
