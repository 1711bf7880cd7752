//! `keyward incident bundle` and `verify-bundle`: events as evidence for somebody who trusts nobody here.
//!
//! Making one asks the service for the records, their proofs under one checkpoint, and the policies in force;
//! checking one asks nobody. The form of a bundle is that of `keyward_trail::bundle`.

use super::{
    audit::{Trusted, changed, growth, read, unusable},
    history::{each_event, only, text, who, words},
    identity_changes,
};
use crate::{
    args::{BundleArgs, Common, VerifyBundle},
    client::{Client, encoded, now_seconds},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::log::log_verifier;
use keyward_trail::{
    bundle::{Bundle, BundleError, Contents, Held},
    checkpoint::SignedCheckpoint,
    proof::Proof,
    query::Query,
};
use keyward_types::Timestamp;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

pub(super) fn make(common: &Common, asked: &BundleArgs) -> Result<Exit, CliError> {
    let client = Client::new(common);
    let kept = checkpoints(&asked.checkpoint)?;
    let found = found(&client, asked)?;
    if found.ids.is_empty() {
        return Err(CliError::new(Exit::NotFound, "the log has no such event"));
    }
    // Signed now, and so larger than any of them.
    let note = client.read_text("/v1/log/checkpoint", &[("new", "true".to_owned())])?;
    let checkpoint = SignedCheckpoint::parse(note.as_bytes()).map_err(CliError::failure)?;
    let size = checkpoint.unverified().size;
    let mut events = Vec::new();
    for id in &found.ids {
        events.push(proven(&client, id, size)?);
    }
    let mut consistency = Vec::new();
    for old in &kept {
        let old = old.unverified().size;
        consistency.push((old, growth(&client, old, size)?));
    }
    let contents = Contents {
        about: about(common, asked, &client)?,
        checkpoint,
        consistency,
        events,
        in_force: in_force(&client, &found)?,
    };
    write(common, &asked.out, &Bundle::new(contents), found.ids.len())
}

fn write(common: &Common, file: &Path, bundle: &Bundle, events: usize) -> Result<Exit, CliError> {
    let out = File::create_new(file).and_then(|mut out| {
        out.write_all(bundle.to_text().as_bytes())?;
        out.sync_all()
    });
    out.map_err(|error| unusable(file, &error))?;
    let digest = bundle.digest();
    match common.output {
        Format::Json => output::json(&json!({"Events": events, "Digest": digest})),
        Format::Text => {
            output::line(&digest);
            output::note(&format!(
                "{events} events; keep the digest elsewhere, and hand out the log's key (keyward audit key) another way than the file"
            ));
        }
    }
    Ok(Exit::Ok)
}

fn checkpoints(files: &[PathBuf]) -> Result<Vec<SignedCheckpoint>, CliError> {
    let parse = |file: &PathBuf| {
        SignedCheckpoint::parse(&read(file)?).map_err(|error| unusable(file, &error))
    };
    files.iter().map(parse).collect()
}

/// The events that were asked for, and what they name.
#[derive(Default)]
struct Found {
    ids: BTreeSet<String>,
    keys: BTreeSet<String>,
    principals: BTreeSet<String>,
}

impl Found {
    fn add(&mut self, event: &Value) {
        self.ids.insert(text(event, "eventID").to_owned());
        self.principals.insert(who(event));
        let named = super::history::keys(event).into_iter().filter(|key| !key.is_empty());
        self.keys.extend(named.map(str::to_owned));
    }
}

fn found(client: &Client<'_>, asked: &BundleArgs) -> Result<Found, CliError> {
    let mut found = Found::default();
    let BundleArgs { query, principal, key, since, until, id, .. } = asked;
    let given = [("principal", principal), ("key", key), ("since", since), ("until", until)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)));
    let filter: Vec<(&str, String)> = words(query).into_iter().chain(given).collect();
    if !filter.is_empty() {
        let query = principal.as_deref().map_or(Ok(Query::new()), only)?;
        each_event(client, &filter, |event| {
            if query.matches(event, Timestamp(0)) {
                found.add(event);
            }
        })?;
    }
    for id in id {
        found.add(&client.read(&format!("/v1/events/{}", encoded(id)), &[])?);
    }
    // What the policies of these principals and keys were is evidence too, whoever set them.
    found.ids.extend(identity_changes::of_principals(client, &found.principals)?);
    for key in found.keys.clone() {
        for operation in ["CreateKey", "PutKeyPolicy"] {
            let filter = [("key", key.clone()), ("operation", operation.to_owned())];
            each_event(client, &filter, |event| {
                found.ids.insert(text(event, "eventID").to_owned());
            })?;
        }
    }
    Ok(found)
}

/// A record as it stands in the log, and its proof under the checkpoint of this size.
fn proven(client: &Client<'_>, id: &str, size: u64) -> Result<(String, Proof), CliError> {
    let path = format!("/v1/log/proof/{}", encoded(id));
    let proof = client.read_text(&path, &[("checkpoint", size.to_string())])?;
    let proof = Proof::parse(proof.as_bytes()).map_err(CliError::failure)?;
    let record = match proof.extra() {
        [] => client.read_text(&format!("/v1/events/{}", encoded(id)), &[])?,
        extra => String::from_utf8(extra.to_vec()).map_err(CliError::failure)?,
    };
    let leaf = keyward_trail::merkle::leaf_hash(record.as_bytes());
    let checkpoint = proof.checkpoint().unverified();
    let held = keyward_trail::merkle::verify_inclusion(
        &leaf,
        proof.index(),
        checkpoint.size,
        proof.path(),
        &checkpoint.root,
    );
    held.map_err(|_| {
        CliError::new(
            Exit::Denied,
            format!("event {id} is not shown whole, so that it can't be proven"),
        )
        .hint("evidence needs keyward:ExplainDecision beside keyward:ListEvents")
    })?;
    Ok((record, proof))
}

fn about(common: &Common, asked: &BundleArgs, client: &Client<'_>) -> Result<Value, CliError> {
    let BundleArgs { query, principal, key, since, until, id, .. } = asked;
    let made = chrono::DateTime::from_timestamp(now_seconds(), 0);
    Ok(json!({
        "Made": made.map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        "By": common.access_key_id,
        "Version": env!("CARGO_PKG_VERSION"),
        "Asked": {
            "Query": query.join(" "), "Principal": principal, "Key": key, "Since": since, "Until": until, "Ids": id,
        },
        "VerifierKey": client.read("/v1/log/key", &[])?.get("VerifierKey"),
    }))
}

/// Key policies and identity policies as they stand. What may not be read is said so.
fn in_force(client: &Client<'_>, found: &Found) -> Result<Value, CliError> {
    let or_why = |answer: Result<Value, CliError>| match answer {
        Err(CliError { exit: Exit::Unreachable, message, .. }) => {
            Err(CliError::new(Exit::Unreachable, message))
        }
        answer => Ok(answer.unwrap_or_else(|error| json!({"Error": error.message}))),
    };
    let mut keys = Map::new();
    for key in &found.keys {
        let policy = or_why(client.call("GetKeyPolicy", &json!({"KeyId": key})))?;
        keys.insert(key.clone(), policy);
    }
    let details = or_why(details(client, &found.principals))?;
    Ok(json!({"Keys": keys, "Identities": details}))
}

/// Users and roles that acted, with all groups and customer managed policies.
fn details(client: &Client<'_>, principals: &BTreeSet<String>) -> Result<Value, CliError> {
    let mut all = Map::new();
    let mut query: Vec<(&str, String)> = Vec::new();
    loop {
        let page = client.read("/v1/account/authorization-details", &query)?;
        for list in ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"] {
            let of_page = page.get(list).and_then(Value::as_array).into_iter().flatten();
            let acted = |one: &&Value| {
                !matches!(list, "UserDetailList" | "RoleDetailList")
                    || principals.contains(text(one, "Arn"))
            };
            let kept = of_page.filter(acted).cloned();
            if let Value::Array(known) = all.entry(list).or_insert_with(|| json!([])) {
                known.extend(kept);
            }
        }
        let Some(marker) = page.get("Marker").and_then(Value::as_str) else {
            return Ok(Value::Object(all));
        };
        query = vec![("Marker", marker.to_owned())];
    }
}

pub(super) fn verify(common: &Common, asked: &VerifyBundle) -> Result<Exit, CliError> {
    let trusted = Trusted::new(&asked.key, &asked.witnesses)?;
    let old = checkpoints(&asked.checkpoint)?;
    let bundle = match Bundle::parse(&read(&asked.file)?) {
        Ok(bundle) => bundle,
        Err(error) => return Ok(changed(common, &error.to_string())),
    };
    let found = bundle.digest();
    if asked.digest.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&found)) {
        return Ok(changed(common, &format!("the bundle's digest is {found}")));
    }
    match bundle.verify(&trusted.trust(), &old, &log_verifier) {
        // It is the bundle that lacks something, not the log.
        Err(error @ BundleError::NotShown { .. }) => {
            Err(CliError::new(Exit::Usage, error.to_string())
                .hint("make the bundle with --checkpoint FILE"))
        }
        Err(error) => {
            if old.is_empty() && !asked.witnesses.witness.is_empty() {
                output::note(
                    "no witness has seen a bundle's own checkpoint when it is made: bring a cosigned one of before with --checkpoint",
                );
            }
            Ok(changed(common, &error.to_string()))
        }
        Ok(held) => {
            report(common.output, &held, &found);
            Ok(if held.derived.is_empty() { Exit::Ok } else { Exit::Problems })
        }
    }
}

fn report(format: Format, held: &Held, digest: &str) {
    let Held { checkpoint, events, unproven, derived } = held;
    let (count, size) = (events.len(), checkpoint.size);
    match format {
        Format::Json => output::json(&json!({
            "Intact": true, "Events": count, "Numbers": events, "Size": size,
            "Digest": digest, "Unproven": unproven, "Derived": derived,
        })),
        Format::Text => {
            output::line(&format!("intact: {count} events of a log of {size}"));
            for part in derived {
                output::line(&format!("{part} is not in the words of this version"));
            }
            if !derived.is_empty() {
                output::note(
                    "the events are proven; what is only derived from them another version said in other words, or somebody put others in: read the records",
                );
            }
            output::note(&format!("digest {digest}"));
            output::note(&format!("only its maker vouches for {}", unproven.join(" and ")));
            output::note("events that were left out of a bundle cannot be seen in it");
        }
    }
}
