//! How long decisions take: the full one (a key policy of 4 statements, 10 identity statements, one grant), one
//! under a key policy of 100 statements, and those under the worst documents that may be stored.
//!
//! `cargo run --release -p keyward-policy --example decide [WORD]` prints microseconds per decision, the least
//! of several rounds, and the ratio to a reference of the same run: Cedar alone, asked about as many policies as
//! the full decision evaluates, with everything around them made beforehand. Machines differ; read the ratios.
//! It counts the thread's own time where the system tells it, so that a busy machine does not blur it, and uses
//! the product's allocator. WORD limits it to the rows whose name contains it.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

#[path = "../tests/decide/monsters.rs"]
mod monsters;

use cedar_policy::{Authorizer, Context, Entities, PolicySet, Request};
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

const ROUNDS: u32 = 15;
const DECISIONS: u32 = 2_000;
/// One decision under the worst documents may take milliseconds.
const WORST_ROUNDS: u32 = 3;
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
    let report = Report { word: std::env::args().nth(1).unwrap_or_default(), reference: bare()? };
    println!("{:8.2} µs  {:6.2}  Cedar alone, 7 policies in 3 sets", report.reference, 1.0);
    report.row("full: key policy 4, identity 10, one grant", ROUNDS, DECISIONS, &full);
    report.row("full without the grant", ROUNDS, DECISIONS, &Question { grants: &[], ..full });
    let nobody = Question { grants: &[], identity: &[], ..full };
    report.row("refused and explained: key policy alone", ROUNDS, DECISIONS, &nobody);
    let sign = Question { action: "kms:Sign", ..full };
    report.row("refused among all of them", ROUNDS, DECISIONS, &sign);
    let no_one = Question { identity: &[], grants: &[], action: "kms:GenerateDataKey", ..full };
    let boundary = IdentityDocument {
        source: "limits".to_owned(),
        document: Document::new(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
        ),
    };
    let two = Question { boundary: Some(&boundary), ..no_one };
    report.row("refused by two layers", ROUNDS, DECISIONS, &two);
    for (what, text) in GUARDRAILS {
        let engine = PolicyEngine::new();
        let guardrails = Guardrails::compile(&[("example.cedar", text)]);
        engine.replace_guardrails(Arc::new(guardrails.map_err(|_| "guardrail")?));
        report.row_with(&engine, what, ROUNDS, DECISIONS, &full);
    }
    for (name, text) in [
        (
            "100 statements about as many roles",
            hundred(|n| format!("arn:aws:iam::111122223333:role/r{n}"), ""),
        ),
        ("100 statements about the account", hundred(|_| "111122223333".to_owned(), "")),
        (
            "100 statements about the account, each with a condition",
            hundred(
                |_| "111122223333".to_owned(),
                r#","Condition":{"StringLike":{"kms:EncryptionContext:AppName":"app*"}}"#,
            ),
        ),
    ] {
        let document = Document::new(text);
        report.row(name, ROUNDS, DECISIONS, &Question { key_policy: Some(&document), ..full });
    }
    let long = EncryptionContext(BTreeMap::from([("a".to_owned(), "a".repeat(8_191))]));
    let mut facts = Facts::new();
    facts.set_encryption_context(&long);
    for (name, text) in monsters::all() {
        let document = Document::new(text);
        let question = Question { key_policy: Some(&document), facts: &facts, ..full };
        report.row(&format!("worst: {name}"), WORST_ROUNDS, 1, &question);
    }
    Ok(())
}

/// A key policy of 100 statements that all speak of Decrypt. The last lets the caller in.
fn hundred(principal: impl Fn(usize) -> String, condition: &str) -> String {
    let mut statements: Vec<String> = (0..99)
        .map(|n| {
            let principal = principal(n);
            format!(r#"{{"Sid":"S{n}","Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"{condition}}}"#)
        })
        .collect();
    statements.push(format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},"Action":"kms:*","Resource":"*"}}"#
    ));
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

/// Cedar alone: 3 policies for the key, 3 for the identity, 1 for the grant.
fn bare() -> Result<f64, &'static str> {
    let set = |count: usize| -> Result<PolicySet, &'static str> {
        let policies: String = (0..count)
            .map(|n| format!("permit (principal in Account::\"{n}\", action, resource) when {{ context.app == \"a{n}\" }};"))
            .collect();
        policies.parse().map_err(|_| "a policy")
    };
    let sets = [set(3)?, set(3)?, set(1)?];
    let pairs =
        [("app".to_owned(), cedar_policy::RestrictedExpression::new_string("b".to_owned()))];
    let context = Context::from_pairs(pairs).map_err(|_| "a context")?;
    let uid = |text: &str| text.parse().map_err(|_| "an entity");
    let request =
        Request::new(uid("User::\"a\"")?, uid("Action::\"b\"")?, uid("Key::\"c\"")?, context, None)
            .map_err(|_| "a request")?;
    let (authorizer, entities) = (Authorizer::new(), Entities::empty());
    Ok(least(ROUNDS, DECISIONS, || {
        for set in &sets {
            black_box(authorizer.is_authorized(black_box(&request), set, &entities));
        }
    }))
}

struct Report {
    word: String,
    reference: f64,
}

impl Report {
    fn row(&self, what: &str, rounds: u32, decisions: u32, question: &Question<'_>) {
        self.row_with(&PolicyEngine::new(), what, rounds, decisions, question);
    }

    fn row_with(
        &self,
        engine: &PolicyEngine,
        what: &str,
        rounds: u32,
        decisions: u32,
        question: &Question<'_>,
    ) {
        if !what.contains(&self.word) {
            return;
        }
        let decision = engine.decide(question);
        let best = least(rounds, decisions, || {
            black_box(engine.decide(black_box(question)));
        });
        let (ratio, effect) = (best / self.reference, decision.effect);
        println!("{best:8.2} µs  {ratio:6.2}  {what}: {effect:?}, row {}", decision.rule);
    }
}

/// The system counts a thread's time in steps of a few milliseconds.
const ROUND_US_MIN: f64 = 40_000.0;

/// Microseconds of one piece of work: the least of several rounds.
fn least(rounds: u32, times: u32, mut work: impl FnMut()) -> f64 {
    let mut round = || {
        let (start, mut done) = (thread_us(), 0.0);
        loop {
            for _ in 0..times {
                work();
            }
            done += f64::from(times);
            let run = thread_us() - start;
            if ROUND_US_MIN <= run {
                return run / done;
            }
        }
    };
    (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
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
