//! Measures the record of an allowed Encrypt: `cargo run --release -p keyward-trail --example record`.

use keyward_trail::{Record, ResourceRef};
use keyward_types::{
    AccountId, Caller, CallerKind, Decision, Effect, Layer, LayerEffect, LayerOutcome, Matched,
    Origin, Reason, Region, Timestamp,
};
use serde_json::json;
use std::{hint::black_box, time::Instant};
use uuid::Uuid;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ROUNDS: u32 = 300_000;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement reads the clock, prints, and may stop"
)]
fn main() {
    let caller = Caller {
        kind: CallerKind::User { name: "Alice".to_owned() },
        account: AccountId::parse("111122223333").unwrap(),
        arn: "arn:aws:iam::111122223333:user/Alice".to_owned(),
        principal_arn: "arn:aws:iam::111122223333:user/Alice".to_owned(),
        user_id: "AIDACKCEVSQ6C2EXAMPLE".to_owned(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        tags: Default::default(),
        transitive_tags: Default::default(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: vec![],
        origin: Origin {
            request_id: Uuid::from_u128(2),
            source_ip: "192.0.2.7".to_owned(),
            user_agent: "Boto3/1.43 md/Botocore#1.43 ua/2.1 os/linux lang/python#3.11".to_owned(),
            region: Region::parse("us-east-1").unwrap(),
            secure_transport: false,
            host: "localhost:8480".to_owned(),
            trusted_facts: Default::default(),
        },
    };
    let parameters = json!({
        "keyId": "alias/app", "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"Tenant": "acme"},
    });
    let additional = json!({"keyMaterialId": "a".repeat(64)});
    let matched = Matched {
        source: "key policy".to_owned(),
        sid: Some("EnableIAM".to_owned()),
        index: 0,
        allow: true,
        kind: None,
    };
    let layer = |layer, effect, matched| LayerOutcome { layer, effect, matched, near: vec![] };
    let decisions = [Decision {
        effect: Effect::Allow,
        reason: Reason::DelegatedToIam,
        rule: 7,
        action: "kms:Encrypt".to_owned(),
        resource: KEY.to_owned(),
        layers: vec![
            layer(Layer::KeyPolicy, LayerEffect::Allow, vec![matched.clone()]),
            layer(Layer::Grant, LayerEffect::NoImpact, vec![]),
            layer(Layer::IdentityPolicy, LayerEffect::Allow, vec![matched]),
        ],
        remedies: vec![],
        observed: vec![],
    }];
    let record = Record {
        caller: &caller,
        service: "kms",
        operation: "Encrypt",
        time: Timestamp(1_795_426_867_512),
        event_id: Uuid::from_u128(1),
        request_parameters: parameters.as_object().unwrap(),
        response_elements: None,
        additional: additional.as_object().unwrap(),
        resources: &[ResourceRef { account: "111122223333", arn: KEY }],
        error: None,
        decisions: &decisions,
        read_only: true,
    };
    let start = Instant::now();
    let bytes: usize = (0..ROUNDS).map(|_| black_box(&record).to_json().len()).sum();
    println!("record: {} bytes in {:?}", bytes / ROUNDS as usize, start.elapsed() / ROUNDS);
}
