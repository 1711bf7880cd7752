//! The Cedar schema of requests, written from the tables, and documents as Cedar text for people to read.
//!
//! Nothing here runs in a decision. Tests validate every policy strictly against the schema, and compare the
//! files in `policies/schema` with what is written here.

use crate::{
    actions::KMS_ACTIONS,
    condition::emit::{Needs, View},
    document::{DocumentKind, Parsed},
    error::PolicyError,
    keys::{KEYS, Kind},
    translate::{self, Entry},
};
use cedar_policy::PolicySet;

/// What a document is, for [`cedar_text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A key policy, endpoint policy or resource control policy.
    Resource,
    /// A policy of an identity, a boundary, a session, or a service control policy.
    Identity,
    Trust,
}

impl From<PolicyKind> for DocumentKind {
    fn from(kind: PolicyKind) -> Self {
        match kind {
            PolicyKind::Resource => Self::Resource,
            PolicyKind::Identity => Self::Identity,
            PolicyKind::Trust => Self::Trust,
        }
    }
}

/// A document as Cedar text, each statement with the actions of KMS that it speaks of.
///
/// # Errors
/// The document cannot be translated.
pub fn cedar_text(document: &str, kind: PolicyKind) -> Result<String, PolicyError> {
    let kind = DocumentKind::from(kind);
    let parsed = Parsed::parse(document, kind)?;
    let mut set = PolicySet::new();
    for (index, statement) in parsed.statements.iter().enumerate() {
        if translate::is_dead(statement, kind) {
            continue;
        }
        let failed = |why: String| PolicyError::malformed(format!("Statement[{index}]"), why);
        let bodies = translate::policies(statement, kind, None, false, &mut Needs::default())
            .map_err(|error| failed(error.0))?;
        for (place, (kind, nodes)) in bodies.into_iter().enumerate() {
            let entry = Entry { statement: index, sid: statement.sid.clone(), kind };
            let actions = translate::action_constraint(statement, KMS_ACTIONS)
                .map_err(|error| failed(error.0))?;
            let policy = translate::policy(
                &format!("{index}.{place}"),
                statement.allow,
                nodes,
                Some(&entry),
                actions,
            )
            .map_err(|error| failed(error.0))?;
            set.add(policy).map_err(|error| failed(error.to_string()))?;
        }
    }
    Ok(set.to_cedar().unwrap_or_default())
}

/// The text of `policies/schema/facts.cedarschema`.
pub fn facts_schema() -> String {
    let mut text = String::from(
        "// What a request may carry: one attribute for each condition key and each form in which it is read.\n\
         // Written from the table in keyward-policy's keys.rs; a test compares.\n\
         // A request carries only what the policies in force read.\n\ntype Facts = {\n",
    );
    facts_rows(&mut text);
    text.push_str("  ambiguous: Set<String>,\n  atoms: Set<String>,\n  hasBoundary: Bool,\n};\n");
    text
}

/// Writes the attributes of condition keys, and the entities that carry names which clients choose.
pub(crate) fn facts_rows(text: &mut String) {
    for (name, ty) in fixed_attributes() {
        text.push_str(&format!("  \"{name}\"?: {ty},\n"));
    }
    for family in FAMILIES {
        text.push_str(&format!("  {family}: Tags,\n  {family}Lower: Tags,\n"));
    }
}

/// The context attributes that hold names which clients choose; each has a twin in lower case.
pub(crate) const FAMILIES: [&str; 5] =
    ["encryptionContext", "principalTags", "resourceTags", "requestTags", "otherFacts"];

/// The context attributes of condition keys, one for each form of a value, with Cedar's type.
pub(crate) fn fixed_attributes() -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    for row in KEYS {
        let ty = |ty: &str| if row.many { format!("Set<{ty}>") } else { ty.to_owned() };
        let mut add = |view: View, of: &str| {
            attributes.push((format!("{}{}", row.name, view.suffix()), ty(of)))
        };
        add(View::Text, "String");
        add(View::Lower, "String");
        if matches!(row.kind, Kind::Number | Kind::Epoch) {
            add(View::Number, "Long");
        }
        if matches!(row.kind, Kind::Time | Kind::Epoch) {
            add(View::Time, "Long");
        }
        if row.kind == Kind::Ip {
            add(View::Ip, "ipaddr");
        }
    }
    attributes
}

/// The text of `policies/schema/actions.cedarschema`.
pub fn actions_schema() -> String {
    let mut text = String::from(
        "// The actions of KMS. Written from the table in keyward-policy's actions.rs; a test compares.\n\naction\n",
    );
    let names: Vec<String> = KMS_ACTIONS.iter().map(|action| format!("  \"{action}\"")).collect();
    text.push_str(&names.join(",\n"));
    text.push_str(
        "\nappliesTo {\n  principal: [Root, User, Session, Federated, Service],\n  resource: [Key, Alias, Other, Any],\n  context: Facts,\n};\n",
    );
    text
}
