//! Repository chores: `cargo run -p xtask -- new-op Name` and `cargo run -p xtask -- bless`.
//!
//! `new-op` scaffolds an operation's file from AWS's service model, once; from then on the file is written
//! by hand and the model is only compared with it. `bless` rewrites the golden files for review.

use keyward_engine::{Service, find};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Command};

fn main() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["new-op", name] => new_op(name),
        ["bless"] => bless(),
        _ => Err("usage: xtask new-op NAME | xtask bless".to_owned()),
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn bless() -> Result<(), String> {
    let status = Command::new("cargo")
        .args(["test", "--workspace"])
        .env("BLESS", "1")
        .current_dir(root())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the tests ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}

fn new_op(name: &str) -> Result<(), String> {
    if find(Service::Kms, name).is_some() {
        return Err(format!("{name} is in the table already"));
    }
    let path = root().join("tests/vectors/aws-model/kms-2014-11-01.json");
    let model: Value = fs::read_to_string(path)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))?;
    let operation = model
        .pointer(&format!("/operations/{name}"))
        .ok_or_else(|| format!("the model has no operation {name}"))?;
    let input = operation.pointer("/input/shape").and_then(Value::as_str).unwrap_or("");
    let shape = model.pointer(&format!("/shapes/{input}")).cloned().unwrap_or_default();
    let file = root().join(format!("crates/keyward-engine/src/ops/{}.rs", snake(name)));
    if file.exists() {
        return Err(format!("{} is there already", file.display()));
    }
    fs::write(&file, scaffold(name, &model, &shape)).map_err(|error| error.to_string())?;
    note(&format!(
        "wrote {}; now add `{}::{name},` to operations! in ops/mod.rs",
        file.display(),
        snake(name)
    ));
    Ok(())
}

fn scaffold(name: &str, model: &Value, shape: &Value) -> String {
    let empty = serde_json::Map::new();
    let members = shape.get("members").and_then(Value::as_object).unwrap_or(&empty);
    let required: Vec<&str> = shape
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let row = |(member, target): (&String, &Value)| {
        let need = if required.contains(&member.as_str()) { "required" } else { "optional" };
        format!("                {need}(\"{member}\", {}),\n", kind(model, target))
    };
    let rows: String = members.iter().map(row).collect();
    let url = format!("https://docs.aws.amazon.com/kms/latest/APIReference/API_{name}.html");
    format!(
        "//! `{name}` <{url}>

use super::prelude::*;

pub(crate) struct {name};

#[derive(Deserialize)]
#[serde(rename_all = \"PascalCase\")]
pub(crate) struct Input {{
    key_id: KeyRef,
}}

impl Operation for {name} {{
    const SPEC: Spec = Spec {{
        states: USABLE,
        ..control(
            \"{name}\",
            \"POST\",
            \"/v1/keys/{{KeyId}}/{}\",
            &[
{rows}            ],
        )
    }};
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {{
        Ok(vec![Target::key(&input.key_id)])
    }}

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {{
        Err(KmsError::new(ErrorCode::UnsupportedOperation, \"{name} is not supported\"))
    }}
}}
",
        snake(name).replace('_', "-")
    )
}

/// A member's kind as the table spells it.
fn kind(model: &Value, member: &Value) -> String {
    let target = member.get("shape").and_then(Value::as_str).unwrap_or("");
    let shape = model.pointer(&format!("/shapes/{target}")).cloned().unwrap_or_default();
    let bound = |name: &str, otherwise: &str| {
        shape.get(name).map_or_else(|| otherwise.to_owned(), Value::to_string)
    };
    match shape.get("type").and_then(Value::as_str) {
        Some("string") if shape.get("enum").is_some() => {
            format!("Kind::Enum(&{})", shape.get("enum").unwrap_or(&Value::Null))
        }
        Some("string") => format!("text({}, {})", bound("min", "0"), bound("max", "usize::MAX")),
        Some("blob") => format!(
            "Kind::Blob {{ min: {}, max: {} }}",
            bound("min", "0"),
            bound("max", "usize::MAX")
        ),
        Some("integer") => format!(
            "Kind::Integer {{ min: {}, max: {} }}",
            bound("min", "0"),
            bound("max", "i64::MAX")
        ),
        Some("boolean") => "Kind::Boolean".to_owned(),
        Some("timestamp") => "Kind::Timestamp".to_owned(),
        Some("map") => "Kind::Map".to_owned(),
        Some("list") => {
            let item = shape.get("member").map(|item| kind(model, item)).unwrap_or_default();
            format!(
                "Kind::List {{ of: &{item}, min: {}, max: {} }}",
                bound("min", "0"),
                bound("max", "usize::MAX")
            )
        }
        other => format!("/* {target}: {} */ Kind::Structure(&[])", other.unwrap_or("unknown")),
    }
}

fn snake(name: &str) -> String {
    let word = |(i, c): (usize, char)| {
        let lower = c.to_lowercase().to_string();
        if 0 < i && c.is_uppercase() { format!("_{lower}") } else { lower }
    };
    name.chars().enumerate().map(word).collect()
}

fn note(text: &str) {
    // A closed pipe is the reader's choice.
    drop(std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes()));
}
