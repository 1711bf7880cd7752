//! How long one full decision takes: a key policy of 4 statements, 10 identity statements, one grant.
//!
//! `cargo run --release -p keyward-policy --example decide` prints microseconds per decision, the least of
//! several rounds, for requests that end in different rows of the decision table. A refusal's time is with its
//! near misses and its remedies, each decided anew. It counts the thread's own
//! time where the system tells it, so that a busy machine does not blur it, and uses the product's allocator.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use keyward_policy::{Facts, Guardrails, PolicyEngine, Question, Resource};
use keyward_types::{
    AccountId, Caller, CallerKind, EncryptionContext, GrantConstraints, GrantId, GrantOperation,
    GrantRecord, Grantee, IdentityDocument, KeyName, KeyRef, KeySpec, KeyUsage, MaterialOrigin,
    Origin, Region, Timestamp, caller::Document,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    sync::Arc,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 15;
const DECISIONS: u32 = 2_000;
const KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ROLE: &str = "arn:aws:iam::111122223333:role/app";

const KEY_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
 {"Sid":"Iam","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
 {"Sid":"Admin","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/admin"},"Action":["kms:Create*","kms:Put*","kms:Describe*"],"Resource":"*"},
 {"Sid":"Use","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/other"},"Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*"],"Resource":"*",
  "Condition":{"StringEquals":{"kms:EncryptionContext:AppName":"billing"}}},
 {"Sid":"Outside","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringNotEquals":{"kms:CallerAccount":"111122223333"}}}]}"#;

/// The first decision again, under one guardrail that speaks of the action, or of another one.
const GUARDRAILS: &[(&str, &str)] = &[
    (
        "the first with a guardrail on the encryption context",
        r#"forbid (principal, action in Action::"kms:Cryptographic", resource) unless { context.encryptionContext.hasTag("department") };"#,
    ),
    (
        "the first with a guardrail on tags",
        r#"forbid (principal, action, resource is Key) when { resource.hasTag("team") } unless { principal.hasTag("team") && principal.getTag("team") == resource.getTag("team") };"#,
    ),
    (
        "the first with a guardrail on another action",
        r#"forbid (principal, action == Action::"kms:PutKeyPolicy", resource);"#,
    ),
];

fn identity() -> IdentityDocument {
    let mut statements = vec![
        r#"{"Sid":"Use","Effect":"Allow","Action":["kms:Decrypt","kms:Encrypt"],"Resource":"arn:aws:kms:us-west-2:111122223333:key/*"}"#.to_owned(),
        r#"{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"root"}}}"#.to_owned(),
        r#"{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#.to_owned(),
    ];
    let services = ["s3", "ec2", "sqs", "sns", "rds", "lambda", "dynamodb"];
    statements.extend(
        services.iter().map(|s| format!(r#"{{"Effect":"Allow","Action":"{s}:*","Resource":"*"}}"#)),
    );
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    IdentityDocument { source: "inline:app".to_owned(), document: Document::new(text) }
}

fn caller(account: &AccountId, region: Region) -> Caller {
    Caller {
        kind: CallerKind::RoleSession {
            role_name: "app".to_owned(),
            role_arn: ROLE.to_owned(),
            role_id: "AROAAPP".to_owned(),
            session_name: "s1".to_owned(),
        },
        account: account.clone(),
        arn: "arn:aws:sts::111122223333:assumed-role/app/s1".to_owned(),
        principal_arn: ROLE.to_owned(),
        user_id: "AROAAPP:s1".to_owned(),
        access_key_id: "ASIAEXAMPLE".to_owned(),
        tags: BTreeMap::from([("team".to_owned(), "red".to_owned())]),
        transitive_tags: Default::default(),
        issued: Some(Timestamp::from_seconds(1_700_000_000)),
        mfa: Some(false),
        source_identity: None,
        session_policies: Vec::new(),
        origin: Origin {
            request_id: uuid::Uuid::nil(),
            source_ip: "192.0.2.1".to_owned(),
            user_agent: "example".to_owned(),
            region,
            secure_transport: true,
            host: "localhost".to_owned(),
            trusted_facts: BTreeMap::new(),
        },
    }
}

fn grant(key: KeyName, issuer: AccountId) -> GrantRecord {
    GrantRecord {
        grant_id: GrantId::new("g1"),
        key,
        name: None,
        created: Timestamp(0),
        grantee: Grantee::Principal(ROLE.to_owned()),
        grantee_id: Some("AROAAPP".to_owned()),
        retiring: None,
        issuing_account: issuer,
        operations: BTreeSet::from([GrantOperation::Decrypt, GrantOperation::DescribeKey]),
        constraints: GrantConstraints {
            encryption_context_subset: Some(BTreeMap::from([(
                "Department".to_owned(),
                "IT".to_owned(),
            )])),
            ..GrantConstraints::default()
        },
    }
}

fn main() -> Result<(), &'static str> {
    let (account, region) = (
        AccountId::parse("111122223333").ok_or("account")?,
        Region::parse("us-west-2").ok_or("Region")?,
    );
    let KeyRef::Arn(name) = KeyRef::parse(KEY) else { return Err("key") };
    let (caller, grant) = (caller(&account, region), grant(name, account.clone()));
    let (key_policy, identity, tags) = (Document::new(KEY_POLICY), [identity()], BTreeMap::new());
    let context = EncryptionContext(BTreeMap::from([
        ("AppName".to_owned(), "billing".to_owned()),
        ("Department".to_owned(), "IT".to_owned()),
    ]));
    let mut facts = Facts::new();
    facts.set_encryption_context(&context).add("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    let resource = Resource::Key {
        arn: KEY,
        owner: &account,
        tags: &tags,
        aliases: &[],
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        origin: MaterialOrigin::AwsKms,
        multi_region: false,
    };
    let full = Question {
        cross_account_allowed: true,
        key_policy: Some(&key_policy),
        grants: &[&grant],
        identity: &identity,
        ..Question::new(&caller, "kms:Decrypt", resource, &facts)
    };
    measure("key policy 4, identity 10, one grant", &full);
    measure("the same without the grant", &Question { grants: &[], ..full });
    measure("key policy alone, nobody named", &Question { grants: &[], identity: &[], ..full });
    let sign = Question { action: "kms:Sign", ..full };
    measure("refused among all of them", &sign);
    let no_one = Question { identity: &[], grants: &[], action: "kms:GenerateDataKey", ..full };
    let boundary = IdentityDocument {
        source: "limits".to_owned(),
        document: Document::new(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
        ),
    };
    measure("refused by two layers", &Question { boundary: Some(&boundary), ..no_one });
    for (what, text) in GUARDRAILS {
        let engine = PolicyEngine::new();
        let guardrails = Guardrails::compile(&[("example.cedar", text)]);
        engine.replace_guardrails(Arc::new(guardrails.map_err(|_| "guardrail")?));
        measure_with(&engine, what, &full);
    }
    Ok(())
}

fn measure(what: &str, question: &Question<'_>) {
    measure_with(&PolicyEngine::new(), what, question);
}

fn measure_with(engine: &PolicyEngine, what: &str, question: &Question<'_>) {
    let decision = engine.decide(question);
    let best = (0..ROUNDS)
        .map(|_| {
            let start = thread_us();
            for _ in 0..DECISIONS {
                black_box(engine.decide(black_box(question)));
            }
            (thread_us() - start) / f64::from(DECISIONS)
        })
        .fold(f64::INFINITY, f64::min);
    println!("{best:8.2} µs  {what}: {:?}, row {}", decision.effect, decision.rule);
}

/// Microseconds that this thread has run; of the clock where the system does not tell.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn thread_us() -> f64 {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let run = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    run.map_or_else(|| START.elapsed().as_secs_f64() * 1e6, |ns| ns / 1e3)
}
