//! How fast a log is replayed: `cargo run --release -p keyward-testkit --example replay [EVENTS]`.
//!
//! Some hundred real requests of several users, keys and encryption contexts are made, and their records taken again
//! and again until there are as many as wanted. What is supposed reads one pair of the context. Reading the store is
//! not part of it; `keyward bench-log` measures that.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::expect_used,
    reason = "a program that measures and prints"
)]

use keyward_engine::usage::{With, WithIdentity};
use keyward_testkit::{ACCOUNT, TestService};
use keyward_types::AccountId;
use serde_json::json;

const USERS: usize = 4;
const KEYS: usize = 4;
const TENANTS: usize = 25;

fn main() {
    let wanted: usize =
        std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("a number"));
    let service = TestService::start();
    let root = service.root();
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]});
    let keys: Vec<String> = (0..KEYS)
        .map(|_| service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn"))
        .collect();
    for user in 0..USERS {
        let login = service.user(&format!("user{user}"), &policy);
        for key in &keys {
            for tenant in 0..TENANTS {
                let context = json!({"App": "billing", "Tenant": format!("tenant-{tenant}")});
                let body = json!({"KeyId": key, "Plaintext": "aGk=", "EncryptionContext": context});
                assert_eq!(service.kms(&login, "Encrypt", &body).code(), "200");
            }
        }
    }
    let records: Vec<Vec<u8>> = service
        .events()
        .iter()
        .filter(|record| record["eventName"] == "Encrypt")
        .map(|record| record.to_string().into_bytes())
        .collect();
    let narrow = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringLike": {"kms:EncryptionContext:Tenant": "tenant-1*"}}}]});
    let with = With {
        identity_policies: vec![WithIdentity {
            principal: "user/user0".to_owned(),
            policies: vec![narrow.to_string()],
        }],
        ..With::default()
    };
    let account = AccountId::parse(ACCOUNT).expect("twelve digits");
    let mut all = records.iter().cycle().take(wanted).map(|record| Ok(record.clone()));
    let begun = std::time::Instant::now();
    let report =
        service.engine.replay(&account, &with, None, Some(&mut all)).expect("the replay ends");
    let seconds = begun.elapsed().as_secs_f64();
    let a_minute = wanted as f64 / seconds * 60.0;
    println!(
        "{wanted} events in {seconds:.2} s on one core: {a_minute:.0} a minute; {} distinct, {} newly denied",
        report.distinct, report.newly_denied
    );
}
