//! Whether a decision costs the same however many grants a key has and however many keys there are.
//!
//! `cargo run --release -p keyward-testkit --example flat [GRANTS [KEYS]]` prints the microseconds of one Encrypt
//! that a grant allows, engine and store included, at growing numbers, and the ratio of the largest to the
//! smallest, which is what counts. The thread's own time is measured, so the writer's is not in it. The defaults
//! are what AWS allows on one key, and 100,000 keys.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use keyward_testkit::{ACCOUNT, Login, TestService};
use serde_json::json;

const ROUNDS: u32 = 5;
const REQUESTS: u32 = 200;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse().unwrap_or(0));
    let grants: usize = numbers.next().unwrap_or(50_000);
    let keys: usize = numbers.next().unwrap_or(100_000);
    let service = TestService::start();
    let (root, alice) = (service.root(), service.user("alice", &json!({})));
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/KeyId");
    let grant = |grantee: &str| {
        let body = json!({"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Encrypt"],
            "Constraints": {"EncryptionContextSubset": {"tenant": "acme"}}});
        let answer = service.kms(&root, "CreateGrant", &body);
        assert_eq!(answer.code(), "200", "{answer:?}");
    };
    grant(&format!("arn:aws:iam::{ACCOUNT}:user/alice"));
    let mut there = 1;
    let rows = sizes(grants).map(|size| {
        while there < size {
            grant(&format!("arn:aws:iam::{there:012}:root"));
            there += 1;
        }
        (size, encrypt(&service, &alice, &key))
    });
    report("grants on the key", rows);
    let mut there = 1;
    let rows = sizes(keys).map(|size| {
        while there < size {
            assert_eq!(service.kms(&root, "CreateKey", &json!({})).code(), "200");
            there += 1;
        }
        (size, encrypt(&service, &alice, &key))
    });
    report("keys in the store", rows);
}

/// 1, some, all.
fn sizes(most: usize) -> impl Iterator<Item = usize> {
    let mut sizes = vec![1, most.div_ceil(10), most];
    sizes.dedup();
    sizes.into_iter()
}

fn report(what: &str, rows: impl Iterator<Item = (usize, f64)>) {
    let rows: Vec<(usize, f64)> = rows.collect();
    for (size, us) in &rows {
        println!("{us:8.2} µs  {size} {what}");
    }
    if let (Some((_, first)), Some((_, last))) = (rows.first(), rows.last()) {
        println!("{:8.2}     largest to smallest", last / first);
    }
}

/// Microseconds of one Encrypt, the least of several rounds.
fn encrypt(service: &TestService, login: &Login, key: &str) -> f64 {
    let body = json!({"KeyId": key, "Plaintext": "aGk=", "EncryptionContext": {"tenant": "acme"}});
    let round = |_| {
        let start = thread_us();
        for _ in 0..REQUESTS {
            assert_eq!(service.kms(login, "Encrypt", &body).code(), "200");
        }
        (thread_us() - start) / f64::from(REQUESTS)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// Microseconds that this thread has run.
fn thread_us() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or_default() / 1e3
}
