//! Guardrails: what they are checked for, what they forbid, and that they never widen.

use crate::world::{FOREIGN, KEY, OWNER, account, caller, document, key, named};
use keyward_policy::{
    Certainty, Facts, GuardrailError, Guardrails, PolicyEngine, Question, Resource, Standpoint,
    guardrails_schema,
};
use keyward_types::{
    Caller, Decision, Effect, EncryptionContext, IdentityDocument, Layer, LayerEffect, Reason,
    caller::Document,
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

macro_rules! example {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../policies/examples/guardrails/", $name)))
    };
}

pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    example!("deletion-window.cedar"),
    example!("encryption-context.cedar"),
    example!("freeze-account.cedar"),
    example!("key-admin.cedar"),
    example!("network.cedar"),
    example!("same-team.cedar"),
];

fn engine(files: &[(&str, &str)]) -> PolicyEngine {
    let engine = PolicyEngine::new();
    let compiled = Guardrails::compile(files);
    engine.replace_guardrails(Arc::new(compiled.unwrap_or_else(|errors| panic!("{errors:#?}"))));
    engine
}

fn errors(text: &str) -> Vec<GuardrailError> {
    Guardrails::compile(&[("a.cedar", text)]).expect_err("a refusal")
}

/// A request that everything else allows: the key trusts both accounts, and identities may do anything.
struct Ask {
    caller: Caller,
    action: &'static str,
    on_key: bool,
    tags: BTreeMap<String, String>,
    context: EncryptionContext,
    facts: Vec<(&'static str, &'static str)>,
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Ask {
    fn new(action: &'static str) -> Self {
        Self {
            caller: caller("arn:aws:sts::111122223333:assumed-role/app/s1"),
            action,
            on_key: action.starts_with("kms:"),
            tags: BTreeMap::new(),
            context: EncryptionContext(BTreeMap::new()),
            facts: Vec::new(),
        }
    }

    fn by(mut self, arn: &str) -> Self {
        self.caller = caller(arn);
        self
    }

    fn tagged(mut self, key: &[(&str, &str)], principal: &[(&str, &str)]) -> Self {
        self.tags = pairs(key);
        self.caller.tags = pairs(principal);
        self
    }

    fn in_context(mut self, context: &[(&str, &str)]) -> Self {
        self.context = EncryptionContext(pairs(context));
        self
    }

    fn fact(mut self, name: &'static str, value: &'static str) -> Self {
        self.facts.push((name, value));
        self
    }

    fn from(mut self, address: &str) -> Self {
        self.caller.origin.source_ip = address.to_owned();
        self
    }

    fn decide(&self, engine: &PolicyEngine) -> Decision {
        self.put(|question| engine.decide(question))
    }

    fn put<T>(&self, ask: impl FnOnce(&Question<'_>) -> T) -> T {
        let mut facts = Facts::new();
        facts.set_encryption_context(&self.context);
        for (name, value) in &self.facts {
            facts.add(name, *value);
        }
        let (owner, policy, identity) = (account(OWNER), open_policy(), open_identity());
        let resource = if self.on_key { key(KEY, &owner, &self.tags) } else { Resource::Any };
        ask(&Question {
            cross_account_allowed: true,
            key_policy: Some(&policy),
            identity: std::slice::from_ref(&identity),
            ..Question::new(&self.caller, self.action, resource, &facts)
        })
    }
}

#[test]
fn nothing_is_certain_where_a_guardrail_speaks() {
    let text = r#"@id("Tenant") forbid (principal, action == Action::"kms:Decrypt", resource)
        unless { context.encryptionContext.hasTag("tenant") };"#;
    let (open, guarded) = (PolicyEngine::new(), engine(&[("a.cedar", text)]));
    let survey = |engine: &PolicyEngine, action| {
        let ask = Ask::new(action);
        ask.put(|question| engine.surveyor().survey(question, Standpoint::Here))
    };
    assert_eq!(survey(&open, "kms:Decrypt").certainty, Certainty::Certain);
    assert_eq!(survey(&guarded, "kms:Encrypt").certainty, Certainty::Certain);
    let said = survey(&guarded, "kms:Decrypt");
    assert_eq!(said.certainty, Certainty::Conditional);
    assert_eq!(said.blockers[0].layer, Layer::Guardrail);
    assert_eq!(said.blockers[0].sid.as_deref(), Some("Tenant"));
}

fn open_policy() -> Document {
    document(&json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [OWNER, FOREIGN]}, "Action": "kms:*", "Resource": "*"},
    ]}))
}

fn open_identity() -> IdentityDocument {
    named(
        "inline:all",
        &json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}),
    )
}

/// The source and sid of every guardrail that forbade; empty for an allowed request.
fn forbidden(decision: &Decision) -> Vec<String> {
    if decision.allowed() {
        return Vec::new();
    }
    assert_eq!(decision.effect, Effect::ExplicitDeny, "{decision:#?}");
    assert_eq!(decision.reason, Reason::Denied(Layer::Guardrail), "{decision:#?}");
    assert_eq!(decision.rule, 1);
    let last = decision.layers.last().expect("a layer");
    assert_eq!((last.layer, last.effect), (Layer::Guardrail, LayerEffect::ExplicitDeny));
    last.matched
        .iter()
        .map(|matched| format!("{} {}", matched.source, matched.sid.as_deref().unwrap_or("-")))
        .collect()
}

#[test]
fn the_schema_file_is_that_of_the_tables() {
    let file = include_str!("../../../../policies/schema/guardrails.cedarschema");
    assert_eq!(file, guardrails_schema());
    assert!(cedar_policy::Schema::from_cedarschema_str(file).is_ok());
}

#[test]
fn without_guardrails_the_layer_is_absent_and_with_them_it_is_told() {
    let has_layer = |decision: &Decision| {
        decision.layers.iter().find(|layer| layer.layer == Layer::Guardrail).map(|one| one.effect)
    };
    let ask = Ask::new("kms:Decrypt");
    let decision = ask.decide(&PolicyEngine::new());
    assert!(decision.allowed());
    assert_eq!(has_layer(&decision), None);
    assert_eq!(has_layer(&ask.decide(&engine(&[("empty.cedar", "// nothing yet")]))), None);
    let other =
        engine(&[("a.cedar", "forbid (principal, action == Action::\"kms:Sign\", resource);")]);
    let decision = ask.decide(&other);
    assert!(decision.allowed());
    assert_eq!(has_layer(&decision), Some(LayerEffect::NoImpact));
    let decision = Ask::new("kms:Sign").decide(&other);
    assert_eq!(forbidden(&decision), ["a.cedar -"]);
    assert!(decision.because().ends_with("with an explicit deny in a guardrail policy"));
}

#[test]
fn a_deny_of_aws_is_named_before_a_guardrail() {
    let engine = engine(&[("a.cedar", "forbid (principal, action, resource);")]);
    let ask = Ask::new("kms:Decrypt");
    let (owner, facts) = (account(OWNER), Facts::new());
    let deny = document(&json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}));
    let decision = engine.decide(&Question {
        key_policy: Some(&deny),
        ..Question::new(&ask.caller, ask.action, key(KEY, &owner, &ask.tags), &facts)
    });
    assert_eq!(decision.reason, Reason::Denied(Layer::KeyPolicy));
    let guardrail = decision.layers.last().expect("a layer");
    assert_eq!((guardrail.layer, guardrail.effect), (Layer::Guardrail, LayerEffect::ExplicitDeny));
}

#[test]
fn the_lockout_check_hears_guardrails() {
    let ask = Ask::new("kms:CreateKey");
    let (owner, facts, policy, identity) =
        (account(OWNER), Facts::new(), open_policy(), open_identity());
    let question = Question {
        key_policy: Some(&policy),
        identity: std::slice::from_ref(&identity),
        ..Question::new(&ask.caller, ask.action, key(KEY, &owner, &ask.tags), &facts)
    };
    assert!(PolicyEngine::new().keeps_caller_able(&question));
    assert!(!engine(&[example!("key-admin.cedar")]).keeps_caller_able(&question));
}

#[test]
fn every_example_allows_and_denies() {
    let all = |name: &str| {
        let (file, text) = EXAMPLES.iter().find(|(file, _)| *file == name).expect("an example");
        engine(&[(*file, *text)])
    };
    let check = |engine: &PolicyEngine, ask: Ask, expected: &[&str]| {
        assert_eq!(forbidden(&ask.decide(engine)), expected, "{} {}", ask.action, ask.caller.arn);
    };
    let ask = Ask::new;

    let context = all("encryption-context.cedar");
    check(&context, ask("kms:Decrypt").in_context(&[("Tenant", "a")]), &[]);
    check(
        &context,
        ask("kms:Decrypt").tagged(&[], &[("tenant", "a")]).in_context(&[("tenant", "a")]),
        &[],
    );
    check(&context, ask("kms:Encrypt"), &[]);
    check(&context, ask("kms:Decrypt"), &["encryption-context.cedar DecryptNamesTenant"]);
    check(
        &context,
        ask("kms:ReEncryptFrom").tagged(&[], &[("Tenant", "a")]).in_context(&[("tenant", "b")]),
        &["encryption-context.cedar DecryptForOwnTenantOnly"],
    );

    let window = all("deletion-window.cedar");
    let days = "kms:ScheduleKeyDeletionPendingWindowInDays";
    check(&window, ask("kms:ScheduleKeyDeletion").fact(days, "14"), &[]);
    let waits = ["deletion-window.cedar DeletionWaitsTwoWeeks"];
    check(&window, ask("kms:ScheduleKeyDeletion").fact(days, "13"), &waits);
    check(&window, ask("kms:ScheduleKeyDeletion"), &waits);

    let network = all("network.cedar");
    check(&network, ask("kms:Sign").from("10.200.0.1"), &[]);
    check(&network, ask("kms:DescribeKey").from("192.0.2.1"), &[]);
    let outside = ["network.cedar OnlyFromOurNetworks"];
    check(&network, ask("kms:Sign").from("192.0.2.1"), &outside);
    check(&network, ask("kms:Sign").from(""), &outside);

    let team = all("same-team.cedar");
    check(&team, ask("kms:Encrypt").tagged(&[("Team", "red")], &[("team", "red")]), &[]);
    check(&team, ask("kms:Encrypt").tagged(&[], &[]), &[]);
    let theirs = ["same-team.cedar TeamKeysForTheirTeam"];
    check(&team, ask("kms:CreateGrant").tagged(&[("Team", "red")], &[("team", "Red")]), &theirs);
    check(&team, ask("kms:Encrypt").tagged(&[("Team", "red")], &[]), &theirs);
    let root = format!("arn:aws:iam::{OWNER}:root");
    check(&team, ask("kms:Encrypt").by(&root).tagged(&[("Team", "red")], &[]), &theirs);

    let admin = all("key-admin.cedar");
    let session = "arn:aws:sts::111122223333:assumed-role/KeyAdmin/ann";
    check(&admin, ask("kms:PutKeyPolicy").by(session), &[]);
    check(&admin, ask("kms:PutKeyPolicy").by(&root), &["key-admin.cedar KeyPoliciesByKeyAdmin"]);

    let freeze = all("freeze-account.cedar");
    let frozen = ["freeze-account.cedar FrozenPrincipals"];
    let user = format!("arn:aws:iam::{FOREIGN}:user/mallory");
    check(&freeze, ask("kms:Decrypt"), &[]);
    check(&freeze, ask("kms:DescribeKey").by(&user), &[]);
    check(&freeze, ask("iam:ListUsers").by(&user), &[]);
    check(&freeze, ask("kms:Decrypt").by(&user), &frozen);
    check(&freeze, ask("iam:CreateAccessKey").by(&user), &frozen);
    check(&freeze, ask("iam:NotYetThought").by(&user), &frozen);
    check(&freeze, ask("keyward:ListEvents").by(&user), &frozen);
}

#[test]
fn what_is_not_a_guardrail_is_refused_with_its_place() {
    let told =
        |text: &str| errors(text).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let permit = "// open\n\n  @id(\"Open\")\n  permit (principal, action, resource);";
    let text = told(permit);
    assert!(text.starts_with("a.cedar:3:3: ") && text.contains("Open is a permit"), "{text}");
    let template = told("forbid (principal == ?principal, action, resource);");
    assert!(template.starts_with("a.cedar:1:1: ") && template.contains("template"), "{template}");
    let syntax = told("forbid (principal, action, resource);\nforbid (principal, action");
    assert!(syntax.starts_with("a.cedar:2:"), "{syntax}");
    for (condition, part) in [
        ("context.nope == \"x\"", "nope"),
        ("context[\"kms:viaservice\"] == \"x\"", "kms:viaservice"),
        ("context.hasBoundary || context has \"kms:viaservices\"", "kms:viaservices"),
        ("context.hasBoundary || context has \"aws:sourceip#number\"", "aws:sourceip#number"),
        ("context.hasBoundary || context has \"kms:ViaService\"", "kms:ViaService"),
        ("resource.spec == \"RSA_2048\"", "spec"),
        ("principal.account == \"111122223333\"", "account"),
        ("context.encryptionContext.hasTag(\"Tenant\")", "lower case"),
        ("context.encryptionContext.getTag(\"tenant\") == \"x\"", "tenant"),
        ("principal in Group::\"x\"", "Group"),
        ("action == Action::\"kms:Decrpyt\"", "kms:Decrpyt"),
        ("context == {}", "whole"),
    ] {
        let text = told(&format!(
            "// first line\nforbid (principal, action, resource)\nwhen {{\n  {condition} }};"
        ));
        assert!(text.contains(part), "{condition}: {text}");
        assert!(text.starts_with("a.cedar:"), "{condition}: {text}");
        let line = text.split(':').nth(1).expect("a line");
        assert!(["2", "4"].contains(&line), "{condition}: {text}");
    }
    // A policy that can never match protects nothing.
    let never = "forbid (principal, action, resource) when { principal is Key };";
    assert!(told(never).starts_with("a.cedar:1:"));
    // One error for all actions.
    let all = errors("forbid (principal, action, resource) when { context.nope };");
    assert_eq!(all.len(), 1, "{all:#?}");
    // All errors of all files at once.
    let both = Guardrails::compile(&[("a.cedar", permit), ("b.cedar", "forbid"), ("c.cedar", "")]);
    let files: Vec<String> =
        both.expect_err("errors").into_iter().map(|error| error.file).collect();
    assert_eq!(files, ["a.cedar", "b.cedar"]);
}

#[test]
fn every_action_is_covered_by_its_group_and_by_none_at_all() {
    for (scope, covered, free) in [
        ("action", &["kms:Decrypt", "iam:CreateUser", "s3:GetObject"] as &[&str], &[] as &[&str]),
        ("action in Action::\"kms\"", &["kms:Decrypt", "kms:ListKeys"], &["iam:CreateUser"]),
        ("action in Action::\"iam\"", &["iam:CreateUser", "iam:New"], &["kms:Decrypt", "sts:New"]),
        ("action in Action::\"kms:Grants\"", &["kms:CreateGrant"], &["kms:ListGrants"]),
        (
            "action in [Action::\"sts\", Action::\"keyward\"]",
            &["sts:AssumeRole", "keyward:ListEvents"],
            &["cloudtrail:LookupEvents"],
        ),
    ] {
        let engine = engine(&[("a.cedar", &format!("forbid (principal, {scope}, resource);"))]);
        for (actions, expected) in [(covered, false), (free, true)] {
            for action in actions {
                let mut ask = Ask::new("iam:GetUser");
                ask.action = Box::leak((*action).to_owned().into_boxed_str());
                ask.on_key = action.starts_with("kms:");
                assert_eq!(ask.decide(&engine).allowed(), expected, "{scope} {action}");
            }
        }
    }
}

/// Every attribute of every entity and of the context, as the request carries it.
#[test]
fn what_a_guardrail_reads_is_there() {
    let holds = |condition: &str, ask: &Ask| {
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        !ask.decide(&engine(&[("a.cedar", &text)])).allowed()
    };
    let ask = Ask::new("kms:Decrypt")
        .tagged(&[("Team", "Red")], &[("Dept", "IT")])
        .in_context(&[("App", "Billing")])
        .fact("aws:RequestTag/Stage", "Prod")
        .fact("s3:prefix", "home")
        .fact("kms:ViaService", "S3.example");
    for (condition, expected) in [
        ("principal is Session && principal.role == \"arn:aws:iam::111122223333:role/app\"", true),
        ("principal is Session && principal.name == \"s1\"", true),
        ("principal has account && principal.account == \"111122223333\"", true),
        ("principal has arn && principal.arn like \"*assumed-role/app/s1\"", true),
        ("principal in Role::\"arn:aws:iam::111122223333:role/app\"", true),
        ("principal in Account::\"111122223333\" && resource in Account::\"111122223333\"", true),
        ("resource is Key && resource.spec == \"SYMMETRIC_DEFAULT\"", true),
        ("resource is Key && resource.usage == \"ENCRYPT_DECRYPT\"", true),
        ("resource is Key && resource.origin == \"AWS_KMS\" && !resource.multiRegion", true),
        ("resource is Key && resource.aliases.isEmpty()", true),
        ("resource.region == \"us-west-2\" && resource.account == \"111122223333\"", true),
        ("resource.service == \"kms\" && resource.partition == \"aws\"", true),
        ("resource.name like \"key/1234*\"", true),
        ("principal.hasTag(\"dept\") && principal.getTag(\"dept\") == \"IT\"", true),
        ("resource.hasTag(\"team\") && resource.getTag(\"team\") == \"Red\"", true),
        (
            "context.resourceTagsLower.hasTag(\"team\") && context.resourceTagsLower.getTag(\"team\") == \"red\"",
            true,
        ),
        ("context.principalTags.hasTag(\"dept\")", true),
        (
            "context.requestTags.hasTag(\"stage\") && context.requestTags.getTag(\"stage\") == \"Prod\"",
            true,
        ),
        ("context.otherFacts.hasTag(\"s3:prefix\")", true),
        (
            "context.encryptionContextLower.hasTag(\"app\") && context.encryptionContextLower.getTag(\"app\") == \"billing\"",
            true,
        ),
        (
            "context has \"kms:viaservice#lower\" && context[\"kms:viaservice#lower\"] == \"s3.example\"",
            true,
        ),
        (
            "context has \"kms:encryptioncontextkeys\" && context[\"kms:encryptioncontextkeys\"].contains(\"App\")",
            true,
        ),
        (
            "context has \"aws:tokenissuetime#time\" && context[\"aws:tokenissuetime#time\"] > 0",
            true,
        ),
        ("context.action == \"kms:Decrypt\"", true),
        ("context.hasBoundary", false),
        ("if context has \"aws:username\" then context[\"aws:username\"] == \"x\" else true", true),
        ("principal is User", false),
        ("resource is Alias", false),
    ] {
        assert_eq!(holds(condition, &ask), expected, "{condition}");
    }
    let user = Ask::new("kms:Decrypt").by("arn:aws:iam::111122223333:user/alice");
    assert!(holds("principal is User && principal.name == \"alice\"", &user));
    let root = Ask::new("iam:ListUsers").by("arn:aws:iam::111122223333:root");
    assert!(holds("principal is Root && resource is Any && resource.arn == \"*\"", &root));
    assert!(!holds("principal.hasTag(\"dept\")", &root));
}

#[test]
fn what_is_not_certain_or_fails_is_refused() {
    let reads = engine(&[(
        "a.cedar",
        "forbid (principal, action, resource) when { context.encryptionContext.hasTag(\"nobody\") };\n\
         forbid (principal, action, resource) when { principal.hasTag(\"nobody\") };",
    )]);
    let twice = [("App", "a"), ("app", "b")];
    assert!(Ask::new("kms:Decrypt").in_context(&[("App", "a")]).decide(&reads).allowed());
    let decision = Ask::new("kms:Decrypt").in_context(&twice).decide(&reads);
    assert_eq!(forbidden(&decision), ["a.cedar -"]);
    assert_eq!(decision.layers.last().map(|layer| layer.matched[0].index), Some(0));
    let decision = Ask::new("kms:Decrypt").tagged(&[], &twice).decide(&reads);
    assert_eq!(decision.layers.last().map(|layer| layer.matched[0].index), Some(1));
    let other = engine(&[(
        "a.cedar",
        "forbid (principal, action, resource) when { context.hasBoundary };",
    )]);
    assert!(Ask::new("kms:Decrypt").in_context(&twice).decide(&other).allowed());

    let number = "kms:ScheduleKeyDeletionPendingWindowInDays";
    let window = engine(&[example!("deletion-window.cedar")]);
    let decision = Ask::new("kms:ScheduleKeyDeletion").fact(number, "soon").decide(&window);
    assert_eq!(decision.reason, Reason::EvaluationFailed);
    assert!(!decision.allowed());
    // Arithmetic is the one thing that validation cannot rule out.
    let overflow = engine(&[(
        "a.cedar",
        "forbid (principal, action, resource) when { context has \"kms:rotationperiodindays#number\" && context[\"kms:rotationperiodindays#number\"] * 9223372036854775807 == 1 };",
    )]);
    let ask = Ask::new("kms:EnableKeyRotation");
    assert!(ask.decide(&overflow).allowed());
    let decision = ask.fact("kms:RotationPeriodInDays", "365").decide(&overflow);
    assert_eq!(decision.reason, Reason::EvaluationFailed);
}
