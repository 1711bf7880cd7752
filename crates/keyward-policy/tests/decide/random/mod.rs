//! Random documents and requests: the engine against the oracle, slices against whole documents, a warm
//! engine against a cold one, and what may be saved against the grammar.
//!
//! A run takes its seed from `KEYWARD_SEED` (in hexadecimal, with or without `0x`), so that a failure can be
//! repeated; without it the seed is always the same. A failure prints the seed, the smallest documents and
//! request that proptest finds, and both answers.

mod documents;
mod faults;
mod requests;

use crate::{
    oracle::{Answer, Ask, Documents, Kind, Oracle, Target, grammar},
    schema,
    world::{account, document, key, named},
};
use cedar_policy::Validator;
use keyward_policy::{Facts, PolicyEngine, PolicyKind, Question, Resource, cedar_text};
use keyward_types::{Decision, Effect, EncryptionContext, GrantRecord, IdentityDocument, Reason};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Mutex, thread};

const SEED: u64 = 0x006b_6579_7761_7264;
const THREADS: u32 = 2;
/// Sets of documents, and requests under each.
const WORLDS: u32 = 1_000;
const REQUESTS: usize = 104;
/// One request in so many is also put to the engines that do not slice, and that are cold.
const SAMPLED: usize = 26;
const DOCUMENTS_VALIDATED: u32 = 60;
const DOCUMENTS_SAVED: u32 = 4_000;

#[expect(clippy::disallowed_methods, reason = "a failed run is repeated by its seed")]
fn seed() -> u64 {
    let Ok(text) = std::env::var("KEYWARD_SEED") else { return SEED };
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("KEYWARD_SEED is hexadecimal")
}

/// A runner of `cases` cases whose luck follows from the seed and `part`.
fn runner(cases: u32, part: u32) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    bytes[8..12].copy_from_slice(&part.to_le_bytes());
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 1_000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Runs a property; a failure names the seed and the smallest case.
fn check<S: Strategy>(
    (cases, part): (u32, u32),
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), String>,
) {
    let judged = |case| property(case).map_err(TestCaseError::fail);
    let (what, part) = match runner(cases, part).run(strategy, judged) {
        Ok(()) => return,
        Err(TestError::Fail(why, case)) => (property(case).err().unwrap_or(why.to_string()), part),
        Err(TestError::Abort(why)) => (why.to_string(), part),
    };
    panic!("KEYWARD_SEED={:#x}, part {part}\n{what}", seed());
}

/// The documents as the engine takes them.
struct Ready {
    policy: Option<keyward_types::caller::Document>,
    ram: Option<keyward_types::caller::Document>,
    trust: keyward_types::caller::Document,
    identity: Vec<IdentityDocument>,
    boundary: Option<IdentityDocument>,
    session: Vec<IdentityDocument>,
    scps: Vec<Vec<IdentityDocument>>,
    rcps: Vec<Vec<IdentityDocument>>,
    endpoint: Option<IdentityDocument>,
}

impl Ready {
    fn new(world: &Documents) -> Self {
        let several = |list: &[Value]| -> Vec<IdentityDocument> {
            list.iter().map(|one| named("d", one)).collect()
        };
        let levels =
            |levels: &[Vec<Value>]| levels.iter().map(|level| several(level)).collect::<Vec<_>>();
        Self {
            policy: world.key_policy.as_ref().map(document),
            ram: world.ram_policy.as_ref().map(document),
            trust: document(&world.trust),
            identity: several(&world.identity),
            boundary: world.boundary.as_ref().map(|one| named("boundary", one)),
            session: several(&world.session),
            scps: levels(&world.scps),
            rcps: levels(&world.rcps),
            endpoint: world.endpoint.as_ref().map(|one| named("endpoint", one)),
        }
    }
}

/// Puts one request to whatever decides.
fn put<T>(
    world: &Documents,
    ready: &Ready,
    ask: &Ask,
    decide: impl FnOnce(&Question<'_>) -> T,
) -> T {
    let mut caller = ask.caller.clone();
    caller.session_policies.clone_from(&ready.session);
    let context = EncryptionContext(ask.context.clone());
    let mut facts = Facts::new();
    facts.set_encryption_context(&context);
    for (name, values) in &ask.facts {
        match values.as_slice() {
            [one] => facts.add(name, one.clone()),
            many => facts.add_many(name, many.iter().cloned()),
        };
    }
    let owner = account(&world.owner);
    let resource = match &ask.target {
        Target::Key => match key(&world.key_arn, &owner, &world.tags) {
            Resource::Key { arn, owner, tags, spec, usage, origin, multi_region, .. } => {
                let aliases = &world.aliases;
                Resource::Key { arn, owner, tags, aliases, spec, usage, origin, multi_region }
            }
            other => other,
        },
        Target::Role(arn) => Resource::Role { arn, trust: &ready.trust },
        Target::Alias(arn) => Resource::Alias { arn },
        Target::Other(arn) => Resource::Other { arn },
        Target::Any => Resource::Any,
    };
    let grants: Vec<&GrantRecord> = world.grants.iter().collect();
    let question = Question {
        cross_account_allowed: ask.cross_account_allowed,
        key_policy: ready.policy.as_ref(),
        ram_policy: ready.ram.as_ref(),
        key_policy_ignores_arns: ask.ignores_arns,
        grants: &grants,
        child_grant: ask.child.as_ref(),
        identity: &ready.identity,
        boundary: ready.boundary.as_ref(),
        scps: &ready.scps,
        rcps: &ready.rcps,
        vpc_endpoint: ready.endpoint.as_ref(),
        ..Question::new(&caller, &ask.action, resource, &facts)
    };
    decide(&question)
}

fn told(world: &Documents, ask: &Ask, expected: Answer, decision: &Decision) -> String {
    let shown = |name: &str, value: &Value| format!("{name}: {value:#}\n");
    let mut text = String::new();
    text.extend(world.key_policy.iter().map(|one| shown("key policy", one)));
    text.extend(world.ram_policy.iter().map(|one| shown("RAM policy", one)));
    if matches!(ask.target, Target::Role(_)) {
        text.push_str(&shown("trust policy", &world.trust));
    }
    text.extend(world.identity.iter().map(|one| shown("identity policy", one)));
    text.extend(world.boundary.iter().map(|one| shown("boundary", one)));
    text.extend(world.session.iter().map(|one| shown("session policy", one)));
    text.extend(world.scps.iter().map(|one| shown("SCP level", &Value::from(one.clone()))));
    text.extend(world.rcps.iter().map(|one| shown("RCP level", &Value::from(one.clone()))));
    text.extend(world.endpoint.iter().map(|one| shown("endpoint policy", one)));
    text.extend(world.grants.iter().map(|one| format!("grant: {one:?}\n")));
    format!(
        "{text}key tags {:?}, aliases {:?}\nrequest: {ask:#?}\nthe oracle says {expected:?}\nthe engine says {:?}\n{decision:#?}",
        world.tags,
        world.aliases,
        (decision.effect, decision.reason, decision.rule)
    )
}

/// How often each row decided, and each effect.
type Tally = BTreeMap<String, usize>;

fn compare(part: u32) -> Tally {
    let (engine, whole) = (PolicyEngine::new(), PolicyEngine::unsliced());
    let tally = Mutex::new(Tally::new());
    let worlds = (documents::world(), proptest::collection::vec(requests::ask(), REQUESTS));
    check((WORLDS / THREADS, part), &worlds, |(world, asks)| {
        let ready = Ready::new(&world);
        let mut tally = tally.lock().expect("the tally");
        for (number, ask) in asks.iter().enumerate() {
            let expected = Oracle { documents: &world, ask }.decide();
            // Reasons are most of the work of a refusal; the sample below has them.
            let decision = &put(&world, &ready, ask, |question| engine.decide_tersely(question));
            let answer = (decision.effect, decision.reason, decision.rule);
            if answer != expected {
                return Err(told(&world, ask, expected, decision));
            }
            if number % SAMPLED == 0 {
                let engines = [&engine, &whole, &PolicyEngine::new()];
                let others = put(&world, &ready, ask, |question| {
                    engines.map(|engine| engine.decide(question))
                });
                let other = |one: &Decision| (one.effect, one.reason, one.rule) != answer;
                if others.iter().any(|one| other(one) || *one != others[0]) {
                    let told = told(&world, ask, expected, decision);
                    return Err(format!("warm, unsliced and cold: {others:#?}\n{told}"));
                }
            }
            *tally.entry(format!("row {:02}", answer.2)).or_default() += 1;
            *tally.entry(format!("{:?}", answer.0)).or_default() += 1;
            if let Reason::Denied(layer) = answer.1 {
                *tally.entry(format!("denied by {layer:?}")).or_default() += 1;
            }
        }
        Ok(())
    });
    tally.into_inner().expect("the tally")
}

/// Rows 2 (RCPs are never silent) and 0 apart, every row decides at least this many of 100,000 requests.
const ROW_MIN: usize = 100;

#[test]
fn the_engine_decides_as_the_oracle() {
    let mut tally = Tally::new();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS).map(|part| scope.spawn(move || compare(part))).collect();
        for part in parts {
            let part = part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            for (name, count) in part {
                *tally.entry(name).or_default() += count;
            }
        }
    });
    println!("KEYWARD_SEED={:#x} {tally:#?}", seed());
    let count = |name: String| tally.get(&name).copied().unwrap_or_default();
    let total: usize = [Effect::Allow, Effect::ExplicitDeny, Effect::ImplicitDeny]
        .iter()
        .map(|effect| count(format!("{effect:?}")))
        .sum();
    assert!(total >= 100_000, "{total} requests");
    for effect in [Effect::Allow, Effect::ExplicitDeny, Effect::ImplicitDeny] {
        assert!(count(format!("{effect:?}")) * 10 > total, "{effect:?} is too rare: {tally:#?}");
    }
    for row in [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18] {
        assert!(count(format!("row {row:02}")) >= ROW_MIN, "row {row} is too rare: {tally:#?}");
    }
}

#[test]
fn what_is_saved_and_what_is_refused_is_as_the_grammar_says() {
    let engine = PolicyEngine::new();
    let counts = Mutex::new([0_u32; 2]);
    check((DOCUMENTS_SAVED, THREADS), &documents::perhaps_malformed(), |(kind, document)| {
        let text = document.to_string();
        let saved = match kind {
            Kind::Resource => engine.validate_key_policy(&text).map(drop),
            Kind::Identity => engine.validate_identity_policy(&text),
            Kind::Trust => engine.validate_trust_policy(&text).map(drop),
        };
        let refused = grammar::is_unsaveable(&document, kind);
        counts.lock().expect("the counts")[usize::from(refused)] += 1;
        if saved.is_err() == refused {
            return Ok(());
        }
        Err(format!(
            "{kind:?} {document:#}\nthe grammar refuses: {refused}\nthe engine says {saved:?}"
        ))
    });
    let counts = counts.into_inner().expect("the counts");
    assert!(counts.iter().all(|count| *count * 5 > DOCUMENTS_SAVED), "{counts:?}");
}

/// A map type would keep one of the two and forget the other.
#[test]
fn a_document_with_a_doubled_name_is_refused() {
    let engine = PolicyEngine::new();
    check((200, THREADS + 1), &documents::policy(Kind::Identity), |document| {
        let text = document.to_string();
        for name in ["Effect", "Action", "Version"] {
            let value =
                if name == "Version" { &document[name] } else { &document["Statement"][0][name] };
            let member = format!("\"{name}\":{value}");
            if value.is_null() || !text.contains(&member) {
                continue;
            }
            let doubled = text.replacen(&member, &format!("{member},{member}"), 1);
            if engine.validate_identity_policy(&doubled).is_ok() {
                return Err(doubled);
            }
        }
        Ok(())
    });
}

#[test]
fn every_random_document_passes_strict_validation() {
    let validator = Validator::new(schema::schema());
    let mut runner = runner(1, THREADS + 2);
    let mut validated = 0;
    for number in 0..DOCUMENTS_VALIDATED * 2 {
        let (kind, named) = if number % 2 == 0 {
            (Kind::Resource, PolicyKind::Resource)
        } else {
            (Kind::Identity, PolicyKind::Identity)
        };
        let tree = documents::policy(kind).new_tree(&mut runner).expect("a document");
        let document = tree.current();
        if grammar::is_refused(&document, kind) {
            continue;
        }
        validated += 1;
        let text = cedar_text(&document.to_string(), named)
            .unwrap_or_else(|error| panic!("KEYWARD_SEED={:#x} {error}\n{document:#}", seed()));
        schema::validate(&validator, &schema::with_one_action(&text));
    }
    assert!(validated > DOCUMENTS_VALIDATED, "{validated} valid documents");
}
