//! Property: under whatever guardrails, what is allowed is a part of what is allowed without them.

use crate::{
    cases::{self, ACTIONS, CALLERS, Luck, REQUESTS, SEED},
    world::{KEY, OWNER, account, caller, document, key, named},
};
use keyward_policy::{Facts, Guardrails, PolicyEngine, Question};
use keyward_types::{Decision, EncryptionContext, GrantRecord, Layer, LayerEffect, Reason};
use std::{collections::BTreeMap, sync::Arc};

const SCOPES: &[&str] = &[
    "principal, action, resource",
    "principal, action in Action::\"kms:Cryptographic\", resource",
    "principal, action in [Action::\"kms:Reading\", Action::\"kms:Encrypt\"], resource is Key",
    "principal, action == Action::\"kms:Decrypt\", resource",
    "principal in Account::\"444455556666\", action in Action::\"kms\", resource",
    "principal in Role::\"arn:aws:iam::111122223333:role/app\", action, resource",
];
const CONDITIONS: &[&str] = &[
    "",
    "unless { context.encryptionContext.hasTag(\"appname\") }",
    "when { context.encryptionContext.hasTag(\"appname\") && context.encryptionContext.getTag(\"appname\") == \"red\" }",
    "when { principal.hasTag(\"team\") && resource.hasTag(\"team\") && principal.getTag(\"team\") != resource.getTag(\"team\") }",
    "unless { context has \"kms:viaservice\" }",
    "when { context has \"aws:username\" && context[\"aws:username\"] like \"a*\" }",
    "when { context has \"aws:sourceip#ip\" && context[\"aws:sourceip#ip\"].isInRange(ip(\"192.0.2.0/25\")) }",
    "when { resource is Key && resource.multiRegion }",
    "when { context.hasBoundary }",
    // Overflows, where the request has the number.
    "when { context has \"kms:rotationperiodindays#number\" && context[\"kms:rotationperiodindays#number\"] * 9223372036854775807 > 1 }",
];

fn guardrails(luck: &mut Luck) -> String {
    let mut text = String::new();
    for _ in 0..1 + luck.below(3) {
        let (scope, condition) = (luck.pick(SCOPES), luck.pick(CONDITIONS));
        text.push_str(&format!("forbid ({scope}) {condition};\n"));
    }
    text
}

/// One random request, decided without guardrails and with them.
fn decide(luck: &mut Luck, engines: [&PolicyEngine; 2]) -> [Decision; 2] {
    let mut caller = caller(luck.pick(CALLERS));
    caller.tags = cases::pairs(luck, &["team", "Team", "key"], &["red", "blue"]);
    let names = ["AppName", "appname", "team"];
    let context = EncryptionContext(cases::pairs(luck, &names, &["red", "Red"]));
    let tags: BTreeMap<String, String> = cases::pairs(luck, &["Team", "other"], &["red", "blue"]);
    let stated = cases::facts(luck, &caller);
    let mut facts = Facts::new();
    facts.set_encryption_context(&context);
    for (name, values) in &stated {
        match values.as_slice() {
            [value] if !name.ends_with("keys") => facts.add(name, value.clone()),
            values => facts.add_many(name, values.iter().cloned()),
        };
    }
    let key_policy = document(&cases::policy(luck, true));
    let identity = named("identity", &cases::layer(luck));
    let boundary = luck.one_in(4).then(|| named("boundary", &cases::layer(luck)));
    let grants: Vec<GrantRecord> = (0..luck.below(3)).map(|_| cases::grant(luck)).collect();
    let grants: Vec<&GrantRecord> = grants.iter().collect();
    let owner = account(OWNER);
    let question = Question {
        cross_account_allowed: true,
        key_policy: Some(&key_policy),
        grants: &grants,
        identity: std::slice::from_ref(&identity),
        boundary: boundary.as_ref(),
        ..Question::new(&caller, luck.pick(ACTIONS), key(KEY, &owner, &tags), &facts)
    };
    engines.map(|engine| engine.decide(&question))
}

#[test]
fn guardrails_never_widen() {
    let seed = SEED ^ 0x6775_6172;
    println!("seed {seed:#x}");
    let mut luck = Luck(seed);
    let (free, guarded) = (PolicyEngine::new(), PolicyEngine::new());
    let (mut kept, mut taken, mut text) = (0, 0, String::new());
    for number in 0..REQUESTS {
        if number % 20 == 0 {
            text = guardrails(&mut luck);
            let set = Guardrails::compile(&[("g.cedar", &text)]);
            guarded.replace_guardrails(Arc::new(
                set.unwrap_or_else(|errors| panic!("{errors:#?}\n{text}")),
            ));
        }
        let [without, with] = decide(&mut luck, [&free, &guarded]);
        let place = || format!("request {number} under\n{text}\n{without:#?}\n{with:#?}");
        assert!(without.allowed() || !with.allowed(), "{}", place());
        kept += usize::from(with.allowed());
        taken += usize::from(without.allowed() && !with.allowed());
        let said = with.layers.iter().find(|layer| layer.layer == Layer::Guardrail);
        if said.is_some_and(|said| said.effect == LayerEffect::NoImpact) {
            // A set that is silent changes nothing else.
            let rest: Vec<_> =
                with.layers.iter().filter(|layer| layer.layer != Layer::Guardrail).collect();
            assert_eq!(rest, without.layers.iter().collect::<Vec<_>>(), "{}", place());
            assert_eq!((with.effect, with.rule), (without.effect, without.rule), "{}", place());
        } else {
            let refused = [Reason::Denied(Layer::Guardrail), Reason::EvaluationFailed];
            let before = without.effect == keyward_types::Effect::ExplicitDeny;
            assert!(before || refused.contains(&with.reason), "{}", place());
        }
    }
    assert!(kept > 50 && taken > 50, "kept {kept}, taken {taken}");
}
