//! `keyward policy simulate --request`: a request decided without a service, by nothing but what it says; and the
//! arguments that ask for it, for requests that other commands found.
//!
//! The request has the form of a decision vector. Options stand in the place of its members, so that one request
//! can be asked under one policy after the other.
//!
//! INVARIANT: what [`arguments`] writes, [`offline`] reads as the same request.

use super::{
    ask::{context, encryption_context, grants, yes_or_no},
    input,
};
use crate::{
    exit::{CliError, Exit},
    output::{self, Format},
    policy_args::Simulate,
};
use keyward_policy::{PolicyEngine, PolicyKind, cedar_text, vectors::Vector};
use keyward_types::{Decision, KeyRef, Reason};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

type Members = Map<String, Value>;

pub(super) fn offline(format: Format, request: &str, asked: &Simulate) -> Result<Exit, CliError> {
    let members = supposing(read(request)?, asked)?;
    let actions = if asked.actions.is_empty() {
        vec![members.get("action").and_then(Value::as_str).unwrap_or_default().to_owned()]
    } else {
        asked.actions.iter().map(|action| full(action)).collect()
    };
    let engine = PolicyEngine::new();
    let mut decided = Vec::new();
    for action in actions {
        let mut members = members.clone();
        members.insert("action".to_owned(), action.into());
        let vector = Vector::read(&members.into()).map_err(usage)?;
        let decision = vector.decide(&engine);
        if decision.reason == Reason::EvaluationFailed {
            let why = "the request cannot be decided: a policy of it is malformed";
            return Err(usage(why).hint("keyward policy lint says what is wrong with a policy"));
        }
        let missing = vector.put(|question| engine.missing_keys(question));
        decided.push((decision, missing));
    }
    match format {
        Format::Json => output::json(&json!({
            "Principal": members.get("caller"),
            "Results": decided.iter().map(|(decision, missing)| {
                let mut answer = answer(decision);
                if let Some(members) = answer.as_object_mut().filter(|_| !missing.is_empty()) {
                    members.insert("MissingContext".to_owned(), json!(missing));
                }
                answer
            }).collect::<Vec<_>>(),
        })),
        Format::Text => {
            let rows: Vec<Vec<String>> = decided
                .iter()
                .map(|(decision, _)| {
                    let word = if decision.allowed() { "yes" } else { "no" };
                    vec![decision.action.clone(), format!("{word}: {}", decision.because())]
                })
                .collect();
            output::table(&["ACTION", "DECISION"], &rows);
        }
    }
    Ok(yes_or_no(decided.iter().all(|(decision, _)| decision.allowed())))
}

fn usage(what: impl Into<String>) -> CliError {
    CliError::new(Exit::Usage, what)
}

/// As the service answers.
fn answer(decision: &Decision) -> Value {
    json!({
        "Action": decision.action,
        "Resource": decision.resource,
        "Allowed": decision.allowed(),
        "Effect": decision.effect,
        "Reason": decision.reason,
        "Because": decision.because(),
        "Decision": decision,
    })
}

/// `Decrypt` is `kms:Decrypt`.
fn full(action: &str) -> String {
    if action.contains(':') { action.to_owned() } else { format!("kms:{action}") }
}

/// An object as it stands, or the file that holds it.
fn read(request: &str) -> Result<Members, CliError> {
    let (name, text) = if request.trim_start().starts_with('{') {
        ("--request".to_owned(), request.to_owned())
    } else {
        let file = Path::new(request);
        (input::name(file), input::text(file)?)
    };
    let wrong = |error| usage(format!("{name}: {error}"));
    match serde_json::from_str(&text).map_err(wrong)? {
        Value::Object(members) => Ok(members),
        _ => Err(usage(format!("{name}: a request is one JSON object"))),
    }
}

/// The request, with what the options say in the place of its members.
fn supposing(mut members: Members, asked: &Simulate) -> Result<Members, CliError> {
    if let Some(principal) = &asked.principal {
        for name in ["roleArn", "userArn", "userId"] {
            members.remove(name);
        }
        members.insert("caller".to_owned(), principal.as_str().into());
    }
    if let Some(key) = &asked.key {
        if !matches!(KeyRef::parse(key), KeyRef::Arn(_)) {
            let why = format!("--key {key}: without a service, a key is named by its ARN");
            return Err(usage(why));
        }
        members.insert("resource".to_owned(), key.as_str().into());
    }
    if let Some(resource) = &asked.resource {
        members.insert("resource".to_owned(), resource.as_str().into());
    }
    if let Some(pairs) = encryption_context(&asked.facts)? {
        members.insert("encryptionContext".to_owned(), pairs);
    }
    for entry in context(&asked.facts)? {
        let name = entry.get("Name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let known = members.entry("context").or_insert_with(|| json!({}));
        let known = known.as_object_mut().ok_or_else(|| usage("context is no object"))?;
        known.retain(|one, _| !one.eq_ignore_ascii_case(&name));
        known.insert(name, entry.get("Values").cloned().unwrap_or_default());
    }
    documents(&mut members, asked)?;
    if let Some(grants) = grants(&asked.grant)? {
        members.insert("grants".to_owned(), grants.iter().map(grant).collect::<Result<_, _>>()?);
    }
    Ok(members)
}

fn documents(members: &mut Members, asked: &Simulate) -> Result<(), CliError> {
    let (one, many) = (PolicyKind::Resource, PolicyKind::Identity);
    let given = [
        ("keyPolicy", one, asked.key_policy.as_slice()),
        ("identity", many, &asked.identity_policy),
        ("boundary", many, asked.boundary.as_slice()),
        ("session", many, &asked.session_policy),
        ("scps", many, &asked.service_control_policy),
        ("rcps", one, &asked.resource_control_policy),
    ];
    for (member, kind, files) in given.into_iter().filter(|(_, _, files)| !files.is_empty()) {
        let texts = files.iter().map(|file| document(file, kind)).collect::<Result<Vec<_>, _>>()?;
        let value = if member == "keyPolicy" { texts.concat().into() } else { json!(texts) };
        members.insert(member.to_owned(), value);
    }
    Ok(())
}

fn document(file: &Path, kind: PolicyKind) -> Result<String, CliError> {
    let text = input::text(file)?;
    cedar_text(&text, kind).map_err(|error| usage(format!("{}: {error}", input::name(file))))?;
    Ok(text)
}

/// Members of a grant as CreateGrant takes it and ListGrants answers it, and as a vector has them.
const GRANT_MEMBERS: &[(&str, &str)] = &[
    ("KeyId", "key"),
    ("GrantId", "grantId"),
    ("Name", "name"),
    ("GranteePrincipal", "grantee"),
    ("GranteeServicePrincipal", "granteeService"),
    ("RetiringPrincipal", "retiring"),
    ("Operations", "operations"),
    ("Constraints", "constraints"),
];

/// A grant as KMS writes it, or as vectors do, in the form of the latter.
pub(super) fn grant(written: &Value) -> Result<Value, CliError> {
    let written = written.as_object().ok_or_else(|| usage("a grant is a JSON object"))?;
    let mut grant = Members::new();
    for (name, value) in written {
        let known = GRANT_MEMBERS.iter().find(|(of_kms, _)| of_kms == name);
        match (known, name.as_str(), value.as_str()) {
            (Some((_, own)), ..) => drop(grant.insert((*own).to_owned(), value.clone())),
            (None, "IssuingAccount", Some(issuer)) => {
                let account = issuer.split(':').nth(4).unwrap_or(issuer);
                grant.insert("issuer".to_owned(), account.into());
            }
            // It decides nothing.
            (None, "CreationDate", _) => {}
            _ => drop(grant.insert(name.clone(), value.clone())),
        }
    }
    Ok(grant.into())
}

/// Files that a command was given, which `simulate` is to be given again.
pub(super) struct Given<'g> {
    /// The request's member that they stand for.
    pub(super) member: &'static str,
    pub(super) option: &'static str,
    pub(super) files: &'g [PathBuf],
    /// What is in them, where the request has something else there.
    pub(super) text: Option<&'g str>,
}

/// The arguments of `keyward` that ask for a decision vector. Files that can be read again are named; what came by
/// stdin is a part of the request.
pub(super) fn arguments(vector: &Value, given: &[Given<'_>]) -> Vec<String> {
    let mut request = vector.as_object().cloned().unwrap_or_default();
    let mut options = Vec::new();
    // What does not count for this request is not named, and what no file was given of is the request's own.
    let counts = |one: &&Given<'_>| !one.files.is_empty() && vector.get(one.member).is_some();
    for one in given.iter().filter(counts) {
        let named: Option<Vec<String>> = one.files.iter().map(|file| again(file)).collect();
        match (named, one.text) {
            (Some(names), _) => {
                request.remove(one.member);
                options.extend(names.into_iter().flat_map(|name| [one.option.to_owned(), name]));
            }
            (None, Some(text)) => drop(request.insert(one.member.to_owned(), text.into())),
            (None, None) => {}
        }
    }
    let words = ["policy", "simulate", "--request"].map(str::to_owned);
    let request = ascii(&Value::from(request).to_string());
    words.into_iter().chain([request]).chain(options).collect()
}

/// By which name a file can be given; `None` for stdin, and for names that are no text.
fn again(file: &Path) -> Option<String> {
    match file.to_str()? {
        "-" => None,
        name if name.starts_with('-') => Some(format!("./{name}")),
        name => Some(name.to_owned()),
    }
}

/// JSON that survives every terminal: what is not printable ASCII is escaped.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            out.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|u| out.push_str(&format!("\\u{u:04x}")));
        }
    }
    out
}

/// The same as one line of a shell.
pub(super) fn line(arguments: &[String]) -> String {
    let words = arguments.iter().map(|word| output::quoted(word));
    std::iter::once("keyward".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command, Policy};
    use clap::Parser as _;

    fn parsed(arguments: &[String]) -> Simulate {
        let words = std::iter::once("keyward".to_owned()).chain(arguments.iter().cloned());
        match Args::parse_from(words).command {
            Command::Policy(Policy::Simulate(asked)) => asked,
            _ => panic!("{arguments:?}"),
        }
    }

    fn again(vector: &Value, given: &[Given<'_>]) -> Value {
        let asked = parsed(&arguments(vector, given));
        let members = read(asked.request.as_deref().unwrap()).unwrap();
        supposing(members, &asked).unwrap().into()
    }

    #[test]
    fn what_is_written_is_read_as_the_same_request() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it's a policy.json");
        let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#;
        std::fs::write(&file, policy).unwrap();
        let vector = json!({
            "caller": "s3.amazonaws.com", "action": "kms:Decrypt", "keyPolicy": {}, "scps": ["a"],
            "encryptionContext": {"it's": "é\n\u{1f600}\u{7f}\u{0}\"\\", "-o": "$(x) `y`"},
        });
        let given = |files: &'static str, text| Given {
            member: "keyPolicy",
            option: "--key-policy",
            files: Box::leak(Box::new([PathBuf::from(files)])),
            text,
        };
        let name: &'static str = file.to_str().unwrap().to_owned().leak();
        let mut expected = vector.clone();
        assert_eq!(again(&vector, &[]), vector);
        assert_eq!(again(&vector, &[given("-", None)]), vector);
        assert_eq!(again(&vector, &[Given { files: &[], ..given("-", None) }]), vector);
        expected["keyPolicy"] = policy.into();
        assert_eq!(again(&vector, &[given(name, None)]), expected);
        assert_eq!(again(&vector, &[given("-", Some(policy))]), expected);
        let words = arguments(&vector, &[given("-x", None)]);
        assert_eq!(words.last().map(String::as_str), Some("./-x"));
        assert!(words.iter().all(|word| word.chars().all(|c| matches!(c, ' '..='~'))), "{words:?}");
    }

    #[test]
    fn options_stand_in_the_place_of_members() {
        let words = |rest: &[&str]| {
            let request = r#"{"caller":"x","roleArn":"y","action":"kms:Sign","context":{"AWS:sourceip":"10.0.0.1","b":"c"}}"#;
            let all = ["policy", "simulate", "--request", request]
                .into_iter()
                .chain(rest.iter().copied());
            let asked = parsed(&all.map(str::to_owned).collect::<Vec<_>>());
            supposing(read(asked.request.as_deref().unwrap()).unwrap(), &asked)
        };
        let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let request = words(&[
            "--principal",
            "z",
            "--key",
            key,
            "--encryption-context",
            "App=x",
            "--context",
            "aws:SourceIp=10.0.0.2",
        ]);
        assert_eq!(
            Value::from(request.unwrap()),
            json!({
                "caller": "z", "action": "kms:Sign", "resource": key, "encryptionContext": {"App": "x"},
                "context": {"aws:SourceIp": ["10.0.0.2"], "b": "c"},
            })
        );
        for (rest, says) in [
            (["--key", "alias/a"], "its ARN"),
            (["--key-policy", "/nowhere"], "/nowhere"),
            (["--context", "x"], "NAME=VALUE"),
        ] {
            let error = words(&rest).unwrap_err();
            assert!(error.exit == Exit::Usage && error.message.contains(says), "{error:?}");
        }
        for wrong in ["[]", "{", "/nowhere"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn grants_are_read_as_kms_writes_them() {
        let listed = json!({
            "KeyId": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "GrantId": "g", "CreationDate": 1,
            "GranteePrincipal": "arn:aws:iam::111122223333:role/app", "Operations": ["Decrypt"],
            "IssuingAccount": "arn:aws:iam::111122223333:root",
            "Constraints": {"EncryptionContextSubset": {"App": "x"}},
        });
        let own = json!({
            "key": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "grantId": "g",
            "grantee": "arn:aws:iam::111122223333:role/app", "operations": ["Decrypt"],
            "issuer": "111122223333", "constraints": {"EncryptionContextSubset": {"App": "x"}},
        });
        assert_eq!(grant(&listed).unwrap(), own);
        assert_eq!(grant(&own).unwrap(), own);
    }
}
