//! `keyward explain`: why a request was allowed or refused, check by check, and what would change it.

use crate::{
    args::Common,
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
};
use serde_json::Value;

pub(super) fn explain(common: &Common, id: &str) -> Result<Exit, CliError> {
    let client = Client::new(common);
    let id = if id == "last" { newest_refusal(&client)? } else { id.to_owned() };
    let explanation = client.read(&format!("/v1/explain/{}", encoded(&id)), &[])?;
    match common.output {
        Format::Json => output::json(&explanation),
        Format::Text => {
            let text = explanation.get("Text").and_then(Value::as_str).unwrap_or("");
            output::lines(text.trim_end());
        }
    }
    Ok(Exit::Ok)
}

fn newest_refusal(client: &Client<'_>) -> Result<String, CliError> {
    let query = [("outcome", "denied".to_owned()), ("limit", "1".to_owned())];
    let answer = client.read("/v1/events", &query)?;
    let id = answer.pointer("/Events/0/eventID").and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| CliError::new(Exit::NotFound, "nothing was refused yet"))
}
