//! The statements and grants that made a decision what it is, and how a test file names them: `LAYER/SID`,
//! `LAYER/[INDEX]` for a statement without Sid, `LAYER/DOCUMENT/SID` where two documents share a Sid, `grant/ID`.
//!
//! An allow rests on what had to allow, narrowing layers included; an explicit deny on every statement that
//! denies; a refusal for want of an allow on nothing.

use keyward_types::{Decision, Effect, Layer, LayerOutcome, MatchKind, Matched, Reason};

const LAYERS: &[(Layer, &str)] = &[
    (Layer::ResourceControlPolicy, "rcp"),
    (Layer::ServiceControlPolicy, "scp"),
    (Layer::VpcEndpointPolicy, "vpc-endpoint"),
    (Layer::KeyPolicy, "key-policy"),
    (Layer::Grant, "grant"),
    (Layer::IdentityPolicy, "identity"),
    (Layer::PermissionsBoundary, "boundary"),
    (Layer::SessionPolicy, "session"),
];

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ground {
    pub(crate) layer: Layer,
    /// The document as the test file calls it.
    pub(crate) document: String,
    /// The Sid, the grant's id, or the statement's place in brackets.
    pub(crate) name: String,
    pub(crate) index: usize,
}

impl Ground {
    /// The short form.
    pub(crate) fn short(&self) -> String {
        format!("{}/{}", layer_name(self.layer), self.name)
    }

    fn long(&self) -> String {
        format!("{}/{}/{}", layer_name(self.layer), self.document, self.name)
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.short() == name || self.long() == name
    }
}

fn layer_name(layer: Layer) -> &'static str {
    LAYERS.iter().find(|(known, _)| *known == layer).map_or("other", |(_, name)| name)
}

/// Says what is wrong with a name that no ground can have.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let layer = name.split_once('/').map(|(layer, _)| layer);
    if LAYERS.iter().any(|(_, known)| layer == Some(*known)) {
        return Ok(());
    }
    let names: Vec<&str> = LAYERS.iter().map(|(_, name)| *name).collect();
    Err(format!("by names LAYER/SID, not {name}; layers are {}", names.join(", ")))
}

/// What a decision rests on. `key_policy`: what the file calls the key's policy.
pub(crate) fn of(decision: &Decision, key_policy: &str) -> Vec<Ground> {
    let mut grounds = Vec::new();
    for LayerOutcome { layer, matched, .. } in &decision.layers {
        for matched in matched.iter().filter(|matched| counts(decision, *layer, matched)) {
            let Matched { source, sid, index, .. } = matched;
            let document = if *layer == Layer::KeyPolicy { key_policy } else { source };
            let ground = Ground {
                layer: *layer,
                document: document.to_owned(),
                name: sid.clone().unwrap_or_else(|| format!("[{index}]")),
                index: *index,
            };
            // One statement may name a caller in two ways.
            if !grounds.contains(&ground) {
                grounds.push(ground);
            }
        }
    }
    grounds
}

fn counts(decision: &Decision, layer: Layer, matched: &Matched) -> bool {
    match decision.effect {
        Effect::ImplicitDeny => false,
        Effect::ExplicitDeny => !matched.allow,
        Effect::Allow => matched.allow && needed(decision.reason, layer, matched.kind),
    }
}

/// Whether the way by which a request was allowed went through an allow.
fn needed(reason: Reason, layer: Layer, kind: Option<MatchKind>) -> bool {
    match layer {
        Layer::KeyPolicy | Layer::Grant => match reason {
            Reason::NamesCaller | Reason::NamesService => kind == Some(MatchKind::Session),
            Reason::NamesEntity => kind == Some(MatchKind::Entity),
            Reason::DelegatedToIam => kind == Some(MatchKind::Account),
            _ => true,
        },
        Layer::IdentityPolicy => matches!(
            reason,
            Reason::DelegatedToIam | Reason::CrossAccount | Reason::AccountOperation
        ),
        // What names the caller itself is not narrowed by these.
        Layer::PermissionsBoundary | Layer::SessionPolicy => {
            !matches!(reason, Reason::NamesCaller | Reason::NamesService)
        }
        _ => true,
    }
}
