//! `keyward alert`: what the detectors found, listed, acknowledged and silenced; their settings.

use super::{
    ask::{list, text},
    backtest,
    versions::date,
};
use crate::{
    args::{
        Common,
        alert::{Alert, AlertFilter, AlertSilence},
    },
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
};
use serde_json::{Value, json};
use std::path::Path;

pub(super) fn alert(common: &Common, command: &Alert) -> Result<Exit, CliError> {
    let client = Client::new(common);
    match command {
        Alert::List(filter) => listed(common, &client, filter),
        Alert::Show { id } => {
            output::json(&client.read(&format!("/v1/alerts/{}", encoded(id)), &[])?);
            Ok(Exit::Ok)
        }
        Alert::Ack { id, comment } => {
            let path = format!("/v1/alerts/{}/ack", encoded(id));
            let answer = client.post(&path, &json!({"Comment": comment}))?;
            match common.output {
                Format::Json => output::json(&answer),
                Format::Text => output::line(&format!(
                    "{} {} {}",
                    text(&answer, "AlertId"),
                    date(answer.get("At")),
                    text(&answer, "By")
                )),
            }
            Ok(Exit::Ok)
        }
        Alert::Silence(silence) => silenced(common, &client, silence),
        Alert::Silences { expire: Some(id) } => {
            client.send_json("DELETE", &format!("/v1/alerts/silences/{}", encoded(id)), None)?;
            output::note("the silence has ended");
            Ok(Exit::Ok)
        }
        Alert::Silences { expire: None } => silences(common, &client),
        Alert::Settings { put, reset } => settings(&client, put.as_deref(), *reset),
        Alert::Backtest(options) => backtest::backtest(common, options),
    }
}

fn listed(common: &Common, client: &Client<'_>, filter: &AlertFilter) -> Result<Exit, CliError> {
    let AlertFilter { state, detector, severity, principal, key, unacknowledged, limit } = filter;
    let given = [
        ("state", state),
        ("detector", detector),
        ("severity", severity),
        ("principal", principal),
        ("key", key),
    ];
    let mut query: Vec<(&str, String)> =
        given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
    query.push(("limit", limit.to_string()));
    if *unacknowledged {
        query.push(("acknowledged", "false".to_owned()));
    }
    let answer = client.read("/v1/alerts", &query)?;
    if answer.get("Behind").and_then(Value::as_bool) == Some(true) {
        output::warn("the detectors are behind the log; there may be more");
    }
    let alerts = list(&answer, "Alerts");
    match common.output {
        Format::Json => alerts.iter().for_each(output::json_line),
        Format::Text => {
            let row = |alert: &Value| {
                let by = alert.pointer("/Acknowledged/By").and_then(Value::as_str).unwrap_or("-");
                vec![
                    text(alert, "AlertId"),
                    text(alert, "State"),
                    text(alert, "Severity"),
                    date(alert.get("Noticed")),
                    text(alert, "Summary"),
                    by.to_owned(),
                ]
            };
            let rows: Vec<Vec<String>> = alerts.iter().map(row).collect();
            output::table(
                &["ALERT ID", "STATE", "SEVERITY", "NOTICED", "SUMMARY", "ACKNOWLEDGED BY"],
                &rows,
            );
        }
    }
    Ok(Exit::Ok)
}

fn silenced(
    common: &Common,
    client: &Client<'_>,
    silence: &AlertSilence,
) -> Result<Exit, CliError> {
    let AlertSilence { minutes, reason, detector, principal, key } = silence;
    let input = json!({
        "Minutes": minutes, "Reason": reason, "Detector": detector, "Principal": principal, "Key": key,
    });
    let answer = client.post("/v1/alerts/silences", &input)?;
    match common.output {
        Format::Json => output::json(&answer),
        Format::Text => {
            output::line(&text(&answer, "SilenceId"));
            output::note(&format!("until {}", date(answer.get("Until"))));
        }
    }
    Ok(Exit::Ok)
}

fn silences(common: &Common, client: &Client<'_>) -> Result<Exit, CliError> {
    let answer = client.read("/v1/alerts/silences", &[])?;
    let silences = list(&answer, "Silences");
    match common.output {
        Format::Json => silences.iter().for_each(output::json_line),
        Format::Text => {
            let row = |one: &Value| {
                let fits = ["Detector", "Principal", "Key"];
                let fits = fits.iter().filter_map(|name| one.get(*name)?.as_str());
                vec![
                    text(one, "SilenceId"),
                    date(one.get("Until")),
                    fits.collect::<Vec<_>>().join(" "),
                    text(one, "By"),
                    text(one, "Reason"),
                ]
            };
            let rows: Vec<Vec<String>> = silences.iter().map(row).collect();
            output::table(&["SILENCE ID", "UNTIL", "FITS", "BY", "REASON"], &rows);
        }
    }
    Ok(Exit::Ok)
}

fn settings(client: &Client<'_>, put: Option<&Path>, reset: bool) -> Result<Exit, CliError> {
    const PATH: &str = "/v1/alerts/settings";
    if let Some(path) = put {
        let stated = std::fs::read_to_string(path)
            .map_err(|error| CliError::new(Exit::Usage, format!("{}: {error}", path.display())))?;
        client.send_json("PUT", PATH, Some(&json!({"Settings": stated})))?;
        return Ok(Exit::Ok);
    }
    if reset {
        client.send_json("PUT", PATH, Some(&json!({})))?;
        return Ok(Exit::Ok);
    }
    let answer = client.read(PATH, &[])?;
    output::note(&format!("stated by {}", text(&answer, "Source")));
    output::json(answer.get("Settings").unwrap_or(&Value::Null));
    Ok(Exit::Ok)
}
