//! `keyward events sql`: questions in SQL, asked of the service or of a stopped store.
//!
//! The service answers what its caller may read, within its limits; a store in hand answers without either.

use super::offline;
use crate::{
    args::{Common, EventsSql},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_server::LogSource;
use keyward_sql::{Answer, Named, Question, SqlError};
use serde_json::{Map, Value, json};
use std::{path::Path, sync::Arc};

pub(super) fn sql(common: &Common, asked: &EventsSql) -> Result<Exit, CliError> {
    if asked.list {
        list(common.output);
        return Ok(Exit::Ok);
    }
    let parameters = parameters(&asked.parameters)?;
    let answer = match &asked.data {
        Some(data) => of_store(data, asked, &parameters)?,
        None => of_service(common, asked, &parameters)?,
    };
    match common.output {
        _ if asked.csv => csv(&answer).iter().for_each(|line| output::exact_line(line)),
        Format::Json => objects(&answer).iter().for_each(output::json_line),
        Format::Text => {
            let headings: Vec<&str> = answer.columns.iter().map(String::as_str).collect();
            let rows = answer.rows.iter().map(|row| row.iter().map(cell).collect());
            output::table(&headings, &rows.collect::<Vec<_>>());
        }
    }
    if answer.truncated {
        output::note("there are more rows than these; --limit takes more");
    }
    Ok(Exit::Ok)
}

fn of_service(
    common: &Common,
    asked: &EventsSql,
    parameters: &Map<String, Value>,
) -> Result<Answer, CliError> {
    let mut input = json!({"Parameters": parameters, "Limit": asked.limit});
    let (member, value) = match (&asked.query, &asked.name) {
        (Some(query), _) => ("Query", query),
        (None, Some(name)) => ("Name", name),
        (None, None) => return Err(nothing_asked()),
    };
    if let Some(members) = input.as_object_mut() {
        members.insert(member.to_owned(), value.as_str().into());
    }
    let answer = Client::new(common).post("/v1/events/sql", &input)?;
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let of = |name: &str| answer.get(name).map(array).unwrap_or_default();
    Ok(Answer {
        columns: of("Columns").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        rows: of("Rows").iter().map(array).collect(),
        truncated: answer.get("Truncated").and_then(Value::as_bool).unwrap_or_default(),
    })
}

fn of_store(
    data: &Path,
    asked: &EventsSql,
    parameters: &Map<String, Value>,
) -> Result<Answer, CliError> {
    let usage = |text: String| CliError::new(Exit::Usage, text);
    let named = asked.name.as_deref().map(|name| {
        let unknown = || usage(format!("there is no question {name}; --list says which there are"));
        keyward_sql::named(name).ok_or_else(unknown)
    });
    let named = named.transpose()?;
    let progress = offline::Bar::new();
    let opened = offline::open(&offline::config(data, &asked.root), &progress)?;
    progress.done();
    let now = opened.engine.now();
    let (sql, parameters) = match (&asked.query, &named) {
        (Some(query), _) => (query.as_str(), parameters.clone()),
        (None, Some(named)) => (named.sql, named.values(parameters, now).map_err(usage)?),
        (None, None) => return Err(nothing_asked()),
    };
    let question = Question { sql, parameters: &parameters, now, rows_max: asked.limit };
    let source = Arc::new(LogSource::whole(&opened.engine));
    // Who asks in person ends it in person.
    keyward_sql::ask(source, &question, Arc::new(|| false)).map_err(|error| match error {
        SqlError::Invalid(text) => usage(text),
        other => CliError::failure(other),
    })
}

fn nothing_asked() -> CliError {
    CliError::new(Exit::Usage, "give a SELECT, or --name")
}

/// `NAME=text` or `NAME:=json`.
fn parameters(given: &[String]) -> Result<Map<String, Value>, CliError> {
    let read = |pair: &String| {
        let bad = || CliError::new(Exit::Usage, format!("write --param NAME=VALUE, not {pair}"));
        let (name, text) = pair.split_once('=').ok_or_else(bad)?;
        let Some(name) = name.strip_suffix(':') else {
            return Ok((name.to_owned(), text.into()));
        };
        let value = serde_json::from_str(text).map_err(|_| bad())?;
        Ok((name.to_owned(), value))
    };
    given.iter().map(read).collect()
}

/// The rows as objects; of columns with one name the later ones are numbered.
fn objects(answer: &Answer) -> Vec<Value> {
    let object = |row: &Vec<Value>| {
        let mut members = Map::new();
        for ((number, name), value) in (1..).zip(&answer.columns).zip(row) {
            let taken = members.contains_key(name);
            let name = if taken { format!("{name}_{number}") } else { name.clone() };
            members.insert(name, value.clone());
        }
        Value::Object(members)
    };
    answer.rows.iter().map(object).collect()
}

/// A value for people.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The columns' names and the rows, a line each. <https://www.rfc-editor.org/rfc/rfc4180>
fn csv(answer: &Answer) -> Vec<String> {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    };
    let heading: Vec<String> = answer.columns.iter().map(|name| quoted(name)).collect();
    let rows = answer.rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join(","));
    core::iter::once(heading.join(",")).chain(rows).collect()
}

fn list(format: Format) {
    match format {
        Format::Json => keyward_sql::pack().for_each(|named| output::json_line(&described(&named))),
        Format::Text => {
            output::line("event_keys(seq, time_ms, key): a row for each key of an event");
            output::line(
                "contexts(seq, time_ms, name, value): a row for each pair of its encryption context",
            );
            output::line("events:");
            for (name, kind, about) in keyward_sql::columns() {
                output::line(&format!("  {name:<20}{kind:<9}{about}"));
            }
            for named in keyward_sql::pack() {
                output::lines(&format!("\n--name {}\n  {}", named.name, named.answers));
                if let Some(why) = named.whole_log {
                    output::line(&format!("  with --data alone: {why}"));
                }
                for parameter in &named.parameters {
                    let default =
                        parameter.default.map_or(String::new(), |text| format!(" = {text}"));
                    let (name, kind) = (parameter.name, parameter.kind.as_str());
                    let said = format!("{name} {kind}{default}");
                    output::line(&format!("  --param {said:<26}{}", parameter.about));
                }
            }
        }
    }
}

fn described(named: &Named) -> Value {
    let parameters = named.parameters.iter().map(|parameter| {
        json!({
            "Name": parameter.name,
            "Kind": parameter.kind.as_str(),
            "Default": parameter.default,
            "About": parameter.about,
        })
    });
    json!({
        "Name": named.name,
        "Answers": named.answers,
        "WholeLogOnly": named.whole_log.is_some(),
        "Parameters": parameters.collect::<Vec<_>>(),
        "Query": named.sql,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            columns: ["a", "b,c", "a"].map(str::to_owned).into(),
            rows: vec![
                vec![json!(1), json!("x"), Value::Null],
                vec![json!(1.5), json!("say \"no\",\nplease"), json!("")],
            ],
            truncated: false,
        }
    }

    #[test]
    fn every_form_tells_values_apart() {
        assert_eq!(csv(&answer()), ["a,\"b,c\",a", "1,x,", "1.5,\"say \"\"no\"\",\nplease\","]);
        let first = json!({"a": 1, "b,c": "x", "a_3": null});
        assert_eq!(objects(&answer()).first(), Some(&first));
        assert_eq!((cell(&Value::Null), cell(&json!(7))), ("-".to_owned(), "7".to_owned()));
    }

    #[test]
    fn parameters_are_texts_or_json() {
        let read = |text: &str| parameters(&[text.to_owned()]);
        assert_eq!(read("key=a=b").unwrap(), *json!({"key": "a=b"}).as_object().unwrap());
        assert_eq!(read("n:=5").unwrap(), *json!({"n": 5}).as_object().unwrap());
        assert_eq!(read("n=5").unwrap(), *json!({"n": "5"}).as_object().unwrap());
        for bad in ["key", "n:=five"] {
            assert_eq!(read(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
