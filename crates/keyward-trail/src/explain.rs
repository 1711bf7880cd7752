//! A record and its decision trace as text for a person: what `keyward explain` prints.
//!
//! It reads the record alone: what is told is what was decided then, under the policies of that moment.
//!
//! INVARIANT: text that a client chose cannot steer a terminal; control characters are shown escaped.

use crate::{Explained, caller_name, explained_of, filter, plain as safe};
use keyward_types::{
    CheckEffect, CheckKind, Clause, Decision, Effect, Layer, LayerEffect, LayerOutcome, Matched,
    NearMiss, PolicyChange, Reason, Remedy,
};
use serde_json::Value;
use std::fmt::Write;

/// Who did what to which key, how it ended, what each check and layer said, and what to change.
pub fn explain(record: &Value, color: bool) -> String {
    let mut page = Page { text: String::new(), color };
    head(&mut page, record);
    let decisions = explained_of(record);
    for explained in &decisions {
        decision_text(&mut page, explained);
    }
    let omitted =
        record.pointer("/additionalEventData/omitted").and_then(Value::as_bool) == Some(true);
    if omitted {
        page.line("Part of the trace was left out: it was larger than an event may be.");
    }
    if decisions.is_empty() {
        page.line("");
        page.line(
            "No decision is recorded: the request ended before authorization, or needed none.",
        );
    }
    let mut refused = decisions.iter().map(|explained| &explained.decision);
    if let Some(refused) = refused.find(|decision| !decision.allowed()) {
        page.line("");
        advice(&mut page, refused);
    }
    page.text
}

/// One decision in the same words, without a request around it: what each check and layer said, and after a
/// refusal what to change.
pub fn explain_decision(decision: &Decision, color: bool) -> String {
    let mut page = Page { text: String::new(), color };
    decision_text(&mut page, &Explained { checks: decision.checks(), decision: decision.clone() });
    if !decision.allowed() {
        page.line("");
        advice(&mut page, decision);
    }
    page.text.trim_start().to_owned()
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

struct Page {
    text: String,
    color: bool,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn field(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let line = format!("  {} {}", self.paint(DIM, &format!("{name:<9}")), safe(value));
            self.line(&line);
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn head(page: &mut Page, record: &Value) {
    let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (operation, code) = (safe(at("/eventName")), safe(at("/errorCode")));
    let outcome = match filter::class(record) {
        "success" => page.paint(GREEN, "succeeded"),
        "denied" => page.paint(RED, "was refused"),
        _ => page.paint(YELLOW, &format!("failed with {code}")),
    };
    page.line(&format!("{} {outcome}", page.paint(BOLD, &operation)));
    let kind = at("/userIdentity/type");
    let who = caller_name(record).unwrap_or_default();
    page.field("who", &if kind.is_empty() { who.into_owned() } else { format!("{who} ({kind})") });
    page.field("from", &joined(&[at("/sourceIPAddress"), at("/userAgent")]));
    page.field("when", &joined(&[at("/eventTime"), at("/awsRegion")]));
    page.field("event", at("/eventID"));
    page.field("request", at("/requestID"));
    let resources = record.get("resources").and_then(Value::as_array);
    for resource in resources.into_iter().flatten() {
        page.field("resource", filter::text(resource, "ARN"));
    }
    let parameters = record.get("requestParameters").and_then(Value::as_object);
    for (name, value) in parameters.into_iter().flatten() {
        parameter(page, name, value);
    }
    page.field("message", at("/errorMessage"));
}

fn parameter(page: &mut Page, name: &str, value: &Value) {
    match value {
        Value::Object(pairs) if name.to_ascii_lowercase().ends_with("encryptioncontext") => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
                .collect();
            page.field(
                if name == "encryptionContext" { "context" } else { name },
                &pairs.join(", "),
            );
        }
        Value::String(text) if name == "keyId" => page.field("asked for", text),
        _ => {}
    }
}

fn decision_text(page: &mut Page, Explained { decision, checks }: &Explained) {
    let verdict = match decision.effect {
        Effect::Allow => page.paint(GREEN, "allowed"),
        Effect::ExplicitDeny => page.paint(RED, "denied"),
        Effect::ImplicitDeny => page.paint(RED, "not allowed"),
    };
    page.line("");
    page.line(&format!(
        "{} on {}: {verdict} {} {}",
        page.paint(BOLD, &safe(&decision.action)),
        safe(&decision.resource),
        safe(&decision.because()),
        page.paint(DIM, &format!("(rule {})", decision.rule))
    ));
    if !decision.observed.is_empty() {
        let by = decision.observed.join(", ");
        page.line(&format!(
            "  {}",
            page.paint(YELLOW, &format!("let through by observe mode: {}", safe(&by)))
        ));
    }
    let mut layers: Vec<&LayerOutcome> = decision.layers.iter().collect();
    layers.sort_by_key(|outcome| outcome.layer);
    for check in checks {
        let effect = check.evaluated_effect;
        let code = match effect {
            CheckEffect::Allow => GREEN,
            CheckEffect::ImplicitDeny | CheckEffect::ExplicitDeny => RED,
            CheckEffect::NoImpact => DIM,
        };
        page.line(&format!(
            "  {:<21} {}",
            check.check_type.as_str(),
            page.paint(code, effect.as_str())
        ));
        let own = |outcome: &&&LayerOutcome| CheckKind::of(outcome.layer) == check.check_type;
        for outcome in layers.iter().filter(own) {
            layer_text(page, outcome, &decision.action);
        }
    }
    let absent: Vec<&str> =
        layers.iter().filter(|o| o.effect == LayerEffect::Absent).map(|o| name(o.layer)).collect();
    if !absent.is_empty() {
        page.line(&format!(
            "  {}",
            page.paint(DIM, &format!("none in play: {}", absent.join(", ")))
        ));
    }
}

fn layer_text(page: &mut Page, outcome: &LayerOutcome, action: &str) {
    let verdict = match outcome.effect {
        LayerEffect::Allow => page.paint(GREEN, "allows"),
        LayerEffect::ExplicitDeny => page.paint(RED, "denies"),
        LayerEffect::ImplicitDeny => page.paint(RED, &format!("has no allow for {}", safe(action))),
        LayerEffect::NoImpact => page.paint(DIM, "says nothing, and need not"),
        LayerEffect::Absent => page.paint(DIM, "is not there"),
    };
    page.line(&format!("    {:<24} {verdict}", name(outcome.layer)));
    for Matched { source, sid, index, allow, .. } in &outcome.matched {
        let verb = if *allow { "allow" } else { "deny" };
        page.line(&format!(
            "        {verb} by {}",
            statement(outcome.layer, source, sid.as_deref(), *index)
        ));
    }
    for NearMiss { source, sid, index, allow, failed } in &outcome.near {
        let verb = if *allow { "allow" } else { "deny" };
        let place = statement(outcome.layer, source, sid.as_deref(), *index);
        page.line(&format!("        {verb} in {place} did not match:"));
        for Clause { clause, expected, actual } in failed {
            page.line(&format!("          {}", page.paint(YELLOW, &safe(clause))));
            page.line(&format!("            wants     {}", safe(expected)));
            page.line(&format!("            there was {}", safe(actual)));
        }
    }
}

/// What a person calls the layer; AWS's message has one name for two of them.
fn name(layer: Layer) -> &'static str {
    match layer {
        Layer::KeyPolicy => "key policy",
        Layer::Grant => "grants",
        other => other.words(),
    }
}

fn statement(layer: Layer, source: &str, sid: Option<&str>, index: usize) -> String {
    match (layer, sid) {
        (Layer::Grant, Some(id)) => format!("grant {}", safe(id)),
        (Layer::Freeze, Some(target)) => format!("{}, of {}", safe(source), safe(target)),
        (_, Some(sid)) => format!("{} of {}", safe(sid), safe(source)),
        (_, None) => format!("Statement[{index}] of {}", safe(source)),
    }
}

/// The changes that would have made this an allow; where none was found, what may help.
fn advice(page: &mut Page, decision: &Decision) {
    let Some((first, others)) = decision.remedies.split_first() else {
        page.line(&format!("{} {}", page.paint(BOLD, "To change this:"), hint(decision)));
        return;
    };
    page.line(&page.paint(BOLD, "Smallest change:"));
    remedy(page, first);
    if !others.is_empty() {
        page.line("");
        page.line(&page.paint(BOLD, "Or:"));
    }
    for other in others {
        remedy(page, other);
    }
}

fn remedy(page: &mut Page, Remedy { changes, verified }: &Remedy) {
    for (i, change) in changes.iter().enumerate() {
        let PolicyChange { text, body, blast, .. } = change;
        page.line(&format!("  {} {}", if i == 0 { "-" } else { "  and" }, safe(text)));
        if let Some(body) = body {
            page.line(&format!("      {}", safe(&body.to_string())));
        }
        page.line(&format!("      {}", page.paint(DIM, &format!("opens: {}", safe(&blast.words)))));
    }
    if !verified {
        page.line("      not verified: the other account's side cannot be seen from here");
    }
}

/// One sentence, or two: what would have made this an allow.
fn hint(decision: &Decision) -> String {
    let action = safe(&decision.action);
    let advice = match decision.reason {
        Reason::Denied(layer) => {
            let matched = decision.layers.iter().find(|o| o.layer == layer).and_then(|o| o.matched.iter().find(|m| !m.allow));
            let which = matched.map_or_else(String::new, |m| {
                format!(": {}", statement(layer, &m.source, m.sid.as_deref(), m.index))
            });
            return format!("remove or narrow the deny in the {}{which}. No allow can override it.", name(layer));
        }
        Reason::NotAllowed(Layer::KeyPolicy | Layer::Grant) => {
            format!("let the key policy name the caller or delegate to its account, or create a grant for {action}.")
        }
        Reason::NotAllowed(Layer::IdentityPolicy) => {
            format!("allow {action} on {} in a policy of the caller, or name the caller in the key policy or a grant.", safe(&decision.resource))
        }
        Reason::NotAllowed(layer) => format!("let the {} allow {action}: it only narrows, and must allow what others give.", name(layer)),
        Reason::NotCrossAccount => "call it as a principal of the key's own account.".to_owned(),
        Reason::ReservedAlias => "choose an alias that does not begin with alias/aws/.".to_owned(),
        Reason::EvaluationFailed => "correct the policy that could not be evaluated; until then nothing it could forbid is allowed.".to_owned(),
        Reason::NamesCaller | Reason::NamesEntity | Reason::DelegatedToIam | Reason::CrossAccount | Reason::NamesService | Reason::AccountOperation => {
            "read the layers above.".to_owned()
        }
    };
    closest(decision).map_or(advice.clone(), |closest| format!("{advice}\n  {closest}"))
}

/// The allow that failed by the fewest clauses.
fn closest(decision: &Decision) -> Option<String> {
    let near = |outcome: &'_ LayerOutcome| {
        outcome.near.iter().map(|n| (outcome.layer, n.clone())).collect::<Vec<_>>()
    };
    let (layer, miss) = decision
        .layers
        .iter()
        .flat_map(near)
        .filter(|(_, miss)| miss.allow && !miss.failed.is_empty())
        .min_by_key(|(_, miss)| miss.failed.len())?;
    let place = statement(layer, &miss.source, miss.sid.as_deref(), miss.index);
    let mut text = format!("Closest was {place}: it would allow with");
    for (i, Clause { clause, expected, actual }) in miss.failed.iter().enumerate() {
        let and = if i == 0 { "" } else { ", and" };
        let _ =
            write!(text, "{and} {} {} instead of {}", safe(clause), safe(expected), safe(actual));
    }
    text.push('.');
    Some(text)
}

fn joined(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(", ")
}
