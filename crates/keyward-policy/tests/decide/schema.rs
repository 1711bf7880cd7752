//! What we hand to Cedar passes strict validation, and the schema files are those of the tables.

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};
use keyward_policy::{PolicyKind, actions_schema, cedar_text, facts_schema};
use serde_json::Value;

macro_rules! policies {
    ($name:literal) => {
        include_str!(concat!("../../../../policies/", $name))
    };
}

/// The schema with one action, which all actions are like.
pub(crate) fn schema() -> Schema {
    let action = actions_schema();
    let (_, applies) = action.split_once("\nappliesTo").expect("what actions apply to");
    let actions = format!("action \"kms:Decrypt\" appliesTo{applies}");
    let text =
        format!("{}\n{}\n{actions}", policies!("schema/entities.cedarschema"), facts_schema());
    Schema::from_cedarschema_str(&text).expect("the schema").0
}

/// Panics with Cedar's words when the text does not pass.
pub(crate) fn validate(validator: &Validator, text: &str) {
    let set: PolicySet = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let result = validator.validate(&set, ValidationMode::Strict);
    let errors: Vec<String> = result.validation_errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{text}");
}

#[test]
fn the_schema_files_are_those_of_the_tables() {
    assert_eq!(policies!("schema/facts.cedarschema"), facts_schema());
    assert_eq!(policies!("schema/actions.cedarschema"), actions_schema());
    let whole = [
        policies!("schema/entities.cedarschema"),
        policies!("schema/facts.cedarschema"),
        policies!("schema/actions.cedarschema"),
    ];
    assert!(Schema::from_cedarschema_str(&whole.join("\n")).is_ok());
}

#[test]
fn the_grant_policy_and_the_composition_are_valid() {
    for (schema, text) in [
        (policies!("schema/grant.cedarschema"), policies!("base/grant.cedar")),
        (policies!("schema/compose.cedarschema"), policies!("base/compose.cedar")),
    ] {
        let schema = format!("{}\n{schema}", policies!("schema/entities.cedarschema"));
        let schema = Schema::from_cedarschema_str(&schema).expect("the schema").0;
        validate(&Validator::new(schema), text);
    }
}

/// A text whose actions are all the schema's one, so that validation looks at every policy.
pub(crate) fn with_one_action(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("action in [") {
        let (_, after) = after.split_once(']').expect("the end of the actions");
        out.push_str(before);
        out.push_str("action");
        rest = after;
    }
    out + rest
}

#[test]
fn every_document_of_the_vectors_is_valid() {
    let validator = Validator::new(schema());
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/vectors/policy-vectors.json"))
            .expect("vectors");
    let mut seen = std::collections::BTreeSet::new();
    for vector in &vectors {
        let resource = vector
            .get("keyPolicy")
            .into_iter()
            .chain(vector["vpce"].as_array().into_iter().flatten());
        let rcps = vector["rcps"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|level| level.as_array().into_iter().flatten());
        let scps = vector["scps"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|level| level.as_array().into_iter().flatten());
        let of = |name: &str| vector[name].as_array().cloned().unwrap_or_default();
        let identity = [of("identity"), of("boundary"), of("session")].concat();
        let documents = resource.chain(rcps).map(|d| (PolicyKind::Resource, d));
        for (kind, document) in
            documents.chain(scps.chain(&identity).map(|d| (PolicyKind::Identity, d)))
        {
            let text = cedar_text(&document.to_string(), kind)
                .unwrap_or_else(|error| panic!("{}: {error}", vector["id"]));
            if seen.insert(text.clone()) {
                validate(&validator, &with_one_action(&text));
            }
        }
    }
    assert!(seen.len() > 50);
}

#[test]
fn a_unique_id_in_a_policy_is_valid() {
    let document = r#"{"Statement": {"Effect": "Deny", "Resource": "*", "Action": "kms:*",
        "NotPrincipal": {"AWS": ["AIDAEXAMPLEALICE00001", "AROAEXAMPLEAPPROLE001"]}}}"#;
    let text = cedar_text(document, PolicyKind::Resource).expect("a document");
    validate(&Validator::new(schema()), &with_one_action(&text));
}
