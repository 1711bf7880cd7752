//! Faults: what a document may not hold, or what saving refuses.

use crate::{oracle::Documents, world::OWNER};
use proptest::{
    prelude::*,
    sample::{Index, select},
    strategy::BoxedStrategy,
};
use serde_json::{Value, json};

/// Puts the fault into one of the documents.
pub(super) fn spoil(world: &mut Documents, place: Index, fault: &Fault) {
    let Documents {
        key_policy, ram_policy, identity, boundary, session, scps, rcps, endpoint, ..
    } = world;
    let mut all: Vec<&mut Value> = key_policy.iter_mut().chain(ram_policy).collect();
    all.extend(identity.iter_mut().chain(boundary).chain(session).chain(endpoint));
    all.extend(scps.iter_mut().chain(rcps).flatten());
    if !all.is_empty() {
        let index = place.index(all.len());
        fault.put(all[index]);
    }
}

/// Something that a document may not hold, or that saving refuses.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// In the first statement rather than the document.
    in_statement: bool,
    name: &'static str,
    /// `None` takes the element away.
    value: Option<Value>,
}

impl Fault {
    pub(super) fn put(&self, document: &mut Value) {
        let target = match &mut document["Statement"] {
            _ if !self.in_statement => document,
            Value::Array(statements) => &mut statements[0],
            statement => statement,
        };
        let members = target.as_object_mut().expect("an object");
        match &self.value {
            Some(value) => members.insert(self.name.to_owned(), value.clone()),
            None => members.remove(self.name),
        };
    }
}

/// Each changes one element. Some are no fault in every kind of document; the grammar knows.
pub(super) fn fault() -> BoxedStrategy<Fault> {
    let whole = [
        ("Version", Some(json!("2020-01-01"))),
        ("Version", Some(json!(2012))),
        ("Id", Some(json!("key-default-1"))),
        ("Id", Some(json!(1))),
        ("Statements", Some(json!([]))),
        ("Statement", None),
        ("Statement", Some(json!([]))),
        ("Statement", Some(json!("Allow"))),
        ("Statement", Some(json!([[]]))),
    ];
    let in_statement = [
        ("Effect", None),
        ("Effect", Some(json!("allow"))),
        ("effect", Some(json!("Deny"))),
        ("Sid", Some(json!(1))),
        ("Sid", Some(json!("with space"))),
        ("Action", None),
        ("Action", Some(json!([]))),
        ("Action", Some(json!("Decrypt"))),
        ("Action", Some(json!("kms:De:crypt"))),
        ("Action", Some(json!("k*:Decrypt"))),
        ("Action", Some(json!("kms:Decrpyt"))),
        ("Action", Some(json!(["kms:Decrypt", 1]))),
        ("NotAction", Some(json!("kms:Sign"))),
        ("Resource", None),
        ("Resource", Some(json!([]))),
        ("Resource", Some(json!("key/1234"))),
        ("Resource", Some(json!("arn:aws:k*:us-west-2:111122223333:key/*"))),
        ("Resource", Some(json!("arn:aws:kms:${aws:RequestedRegion}:111122223333:key/*"))),
        ("Resource", Some(json!("arn:aws:kms:us-west-2:111122223333:key/${aws:username"))),
        ("NotResource", Some(json!("*"))),
        ("Principal", Some(json!({"AWS": "arn:aws:iam::111122223333:group/admins"}))),
        ("Principal", Some(json!({"AWS": "arn:aws:iam::111122223333:user/*"}))),
        ("Principal", Some(json!({"AWS": "alice"}))),
        ("Principal", Some(json!({"AWS": []}))),
        ("Principal", Some(json!({"CanonicalUser": "abc"}))),
        ("Principal", Some(json!({"Service": "*"}))),
        ("Principal", Some(json!({"Federated": "cognito-identity.amazonaws.com"}))),
        ("Principal", Some(json!({}))),
        ("Principal", Some(json!("alice"))),
        ("Principal", None),
        ("NotPrincipal", Some(json!({"AWS": OWNER}))),
        ("NotPrincipal", Some(json!("*"))),
        ("Condition", Some(json!([]))),
        ("Condition", Some(json!({"StringEquals": "x"}))),
    ];
    let conditions = [
        json!({"StringEqual": {"aws:username": "a"}}),
        json!({"ForSomeValues:StringEquals": {"aws:username": "a"}}),
        json!({"StringEquals": {"aws:usernam": "a"}}),
        json!({"StringEquals": {"kms:ViaServce": "a"}}),
        json!({"StringEquals": {"kms:EncryptionContext:": "a"}}),
        json!({"StringEquals": {"username": "a"}}),
        json!({"StringEquals": {"aws:username": {"a": 1}}}),
        json!({"StringEquals": {"aws:username": null}}),
        json!({"NumericLessThan": {"aws:EpochTime": "soon"}}),
        json!({"NumericLessThan": {"aws:EpochTime": "1e3"}}),
        json!({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}),
        json!({"IpAddress": {"aws:SourceIp": "10.0.0"}}),
        json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}),
        json!({"Bool": {"aws:SecureTransport": "yes"}}),
        json!({"BinaryEquals": {"s3:prefix": "?"}}),
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3"}}),
        json!({"NullIfExists": {"aws:username": "true"}}),
        json!({"ForAnyValue:Null": {"aws:username": "true"}}),
        json!({"Null": {"aws:username": ["true", "false"]}}),
        json!({"Null": {"aws:username": "absent"}}),
        json!({"StringEquals": {"kms:ViaService": "${aws:username"}}),
        json!({"StringEquals": {"kms:ViaService": "${aws:TagKeys}"}}),
        json!({"StringEquals": {"kms:ViaService": "${aws:username, bare}"}}),
        json!({"StringEquals": {"kms:ViaService": "${nokey}"}}),
        json!({"ForAllValues:StringEquals": {"kms:EncryptionContext:AppName": "red"}}),
        json!({"forallvalues:stringlike": {"aws:RequestTag/team": "red"}}),
    ];
    let with = |in_statement| move |(name, value)| Fault { in_statement, name, value };
    let mut all: Vec<Fault> = whole.into_iter().map(with(false)).collect();
    all.extend(in_statement.into_iter().map(with(true)));
    all.extend(conditions.into_iter().map(|value| with(true)(("Condition", Some(value)))));
    select(all).boxed()
}
