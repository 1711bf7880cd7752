//! The documents of a file: read once each, checked as the service would check them, and known by statement.

use crate::{
    fault::Wrong,
    yaml::{Kind, Node},
};
use keyward_policy::{Place, PolicyEngine, PolicyError, statement_places};
use keyward_types::Layer;
use serde_json::{Value, json};

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Key,
    Identity,
    Scp,
    Rcp,
    Endpoint,
}

/// A document's number within its file.
pub(crate) type DocumentId = usize;

#[derive(Clone, Debug)]
pub(crate) struct TestedDocument {
    /// What the test file calls it: the path as written, or where it stands.
    pub(crate) label: String,
    pub(crate) text: String,
    pub(crate) statements: Vec<TestedStatement>,
    used_as: Use,
}

#[derive(Clone, Debug)]
pub(crate) struct TestedStatement {
    pub(crate) sid: Option<String>,
    pub(crate) denies: bool,
    pub(crate) at: Place,
}

impl TestedDocument {
    /// Whether a layer's documents are of its kind.
    pub(crate) fn is_of(&self, layer: Layer) -> bool {
        match self.used_as {
            Use::Key => layer == Layer::KeyPolicy,
            Use::Scp => layer == Layer::ServiceControlPolicy,
            Use::Rcp => layer == Layer::ResourceControlPolicy,
            Use::Endpoint => layer == Layer::VpcEndpointPolicy,
            Use::Identity => matches!(
                layer,
                Layer::IdentityPolicy | Layer::PermissionsBoundary | Layer::SessionPolicy
            ),
        }
    }

    /// As a vector holds it in a list.
    pub(crate) fn in_vector(&self) -> Value {
        json!({"source": self.label, "document": self.text})
    }
}

/// Reads a file that a test names by its path, as written; says why not.
pub type ReadFile<'f> = dyn Fn(&str) -> Result<String, String> + 'f;

pub(crate) struct Documents<'f> {
    engine: &'f PolicyEngine,
    read: &'f ReadFile<'f>,
    pub(crate) all: Vec<TestedDocument>,
}

impl<'f> Documents<'f> {
    pub(crate) fn new(engine: &'f PolicyEngine, read: &'f ReadFile<'f>) -> Self {
        Self { engine, read, all: Vec::new() }
    }

    /// A document: the path of a file, or a mapping that is one. `label` is what the latter is called.
    pub(crate) fn of(
        &mut self,
        node: &Node,
        used_as: Use,
        label: &str,
    ) -> Result<DocumentId, Wrong> {
        let (text, places, label) = match &node.kind {
            Kind::Map(_) => (node.json().to_string(), inline_places(node), label.to_owned()),
            Kind::Scalar { .. } if !node.is_null() => {
                let path = node.text().unwrap_or_default();
                let known =
                    |known: &TestedDocument| known.label == path && known.used_as == used_as;
                if let Some(known) = self.all.iter().position(known) {
                    return Ok(known);
                }
                let text = (self.read)(path)
                    .map_err(|why| Wrong::new(node.at, format!("{path}: {why}")))?;
                let places: Vec<Place> =
                    statement_places(&text).iter().map(|(start, _)| *start).collect();
                (text, places, path.to_owned())
            }
            _ => {
                return Err(Wrong::new(
                    node.at,
                    format!("a policy is a file's path or a mapping, not {}", node.what()),
                ));
            }
        };
        self.check(&text, used_as).map_err(|error| {
            let line = line_of(&error, &places).filter(|_| !matches!(node.kind, Kind::Map(_)));
            let line = line.map_or_else(String::new, |line| format!(":{line}"));
            Wrong::new(node.at, format!("{label}{line}: {error}"))
        })?;
        let statements = statements(&text, &places);
        self.all.push(TestedDocument { label, text, statements, used_as });
        Ok(self.all.len() - 1)
    }

    /// A document that is only tried: its text, unchecked.
    pub(crate) fn candidate(&self, node: &Node) -> Result<String, Wrong> {
        match node.text() {
            Some(path) => {
                (self.read)(path).map_err(|why| Wrong::new(node.at, format!("{path}: {why}")))
            }
            None => Ok(node.json().to_string()),
        }
    }

    fn check(&self, text: &str, used_as: Use) -> Result<(), PolicyError> {
        match used_as {
            Use::Key => self.engine.validate_key_policy(text).map(drop),
            Use::Identity => self.engine.validate_identity_policy(text),
            Use::Scp => self.engine.validate_service_control_policy(text),
            Use::Rcp => self.engine.validate_resource_control_policy(text),
            Use::Endpoint => self.engine.validate_endpoint_policy(text),
        }
    }
}

/// The line of the statement in which an error is.
fn line_of(error: &PolicyError, places: &[Place]) -> Option<usize> {
    let place = error.at().strip_prefix("Statement[")?.split(']').next()?.parse::<usize>().ok()?;
    places.get(place).map(|place| place.line)
}

/// Where the statements of a document stand that is written in the test file itself.
fn inline_places(node: &Node) -> Vec<Place> {
    let Kind::Map(members) = &node.kind else { return Vec::new() };
    let statement = members.iter().find(|(name, _)| name.text() == Some("Statement"));
    statement.map(|(_, list)| list.items().iter().map(|one| one.at).collect()).unwrap_or_default()
}

fn statements(text: &str, places: &[Place]) -> Vec<TestedStatement> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let list = match document.get("Statement") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => core::slice::from_ref(one),
        None => &[],
    };
    let read = |(index, statement): (usize, &Value)| TestedStatement {
        sid: statement.get("Sid").and_then(Value::as_str).map(str::to_owned),
        denies: statement.get("Effect").and_then(Value::as_str) == Some("Deny"),
        at: places.get(index).copied().unwrap_or(Place { line: 1, column: 1 }),
    };
    list.iter().enumerate().map(read).collect()
}
