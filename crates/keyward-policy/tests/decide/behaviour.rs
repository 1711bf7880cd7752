//! What a decision must do beyond the vectors: fail closed, explain, retire, keep its author in.

use crate::world::{FOREIGN, KEY, OWNER, account, caller, document, grant, key, named};
use keyward_policy::{
    Facts, INVALID_PRINCIPALS, OVERLY_PERMISSIVE, PolicyEngine, PolicyError, Question, Resource,
};
use keyward_types::{
    Caller, CallerKind, Clause, Decision, Effect, EncryptionContext, GrantRecord, IdentityDocument,
    Layer, LayerEffect, MatchKind, Reason, caller::Document,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const APP: &str = "arn:aws:sts::111122223333:assumed-role/app/s1";

pub(crate) fn statement(rest: Value) -> Value {
    let mut statement =
        json!({"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "kms:*", "Resource": "*"});
    for (name, value) in rest.as_object().expect("an object") {
        statement[name] = value.clone();
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    EncryptionContext(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

/// What a question has besides the key policy.
#[derive(Clone, Copy, Default)]
pub(crate) struct With<'a> {
    pub(crate) grants: &'a [&'a GrantRecord],
    pub(crate) identity: &'a [IdentityDocument],
    pub(crate) boundary: Option<&'a IdentityDocument>,
    pub(crate) ignores_arns: bool,
}

/// Decides kms:Decrypt on the key under a key policy.
pub(crate) fn decide_with(
    caller: &Caller,
    policy: &Value,
    facts: &Facts<'_>,
    with: With<'_>,
) -> Decision {
    let (policy, owner, tags) = (document(policy), account(OWNER), BTreeMap::new());
    PolicyEngine::new().decide(&Question {
        key_policy: Some(&policy),
        cross_account_allowed: true,
        grants: with.grants,
        identity: with.identity,
        boundary: with.boundary,
        key_policy_ignores_arns: with.ignores_arns,
        ..Question::new(caller, "kms:Decrypt", key(KEY, &owner, &tags), facts)
    })
}

pub(crate) fn decide(caller: &Caller, policy: &Value, facts: &Facts<'_>) -> Decision {
    decide_with(caller, policy, facts, With::default())
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let facts = Facts::new();
    let alice = caller(ALICE);
    let failed = |decision: Decision| {
        assert_eq!(
            (decision.reason, decision.rule, decision.allowed()),
            (Reason::EvaluationFailed, 0, false)
        )
    };
    // A document that is none, in any layer, though the key policy names the caller.
    let allow = statement(json!({}));
    let broken = IdentityDocument { source: "broken".to_owned(), document: Document::new("{") };
    failed(decide_with(
        &alice,
        &allow,
        &facts,
        With { boundary: Some(&broken), ..With::default() },
    ));
    failed(decide_with(
        &alice,
        &allow,
        &facts,
        With { identity: std::slice::from_ref(&broken), ..With::default() },
    ));
    // A key of one value that was stated with several.
    let mut several = Facts::new();
    several.add_many("kms:ViaService", ["a", "b"]);
    failed(decide(
        &alice,
        &statement(json!({"Condition": {"StringEquals": {"kms:ViaService": "a"}}})),
        &several,
    ));
    assert!(decide(&alice, &allow, &several).allowed());
}

#[test]
fn a_name_in_two_spellings_never_allows_and_always_denies() {
    let alice = caller(ALICE);
    let both = context(&[("AppName", "red"), ("appname", "blue")]);
    let mut facts = Facts::new();
    facts.set_encryption_context(&both);
    for (operator, values) in [
        ("StringEquals", json!("red")),
        ("StringNotEquals", json!("green")),
        ("StringEqualsIfExists", json!("red")),
        ("StringLike", json!("r?d")),
        ("Null", json!("true")),
        ("Null", json!("false")),
    ] {
        let condition = json!({"Condition": {operator: {"kms:EncryptionContext:APPNAME": values}}});
        assert_eq!(
            decide(&alice, &statement(condition.clone()), &facts).effect,
            Effect::ImplicitDeny,
            "{operator}"
        );
        let mut deny = condition;
        deny["Effect"] = json!("Deny");
        assert_eq!(
            decide(&alice, &statement(deny), &facts).effect,
            Effect::ExplicitDeny,
            "{operator}"
        );
    }
    let mut twice = Facts::new();
    twice.add("kms:ViaService", "red").add("KMS:viaservice", "red");
    let via = json!({"Condition": {"StringEquals": {"kms:ViaService": "red"}}});
    assert!(!decide(&alice, &statement(via), &twice).allowed());
    let mut tagged = caller(ALICE);
    tagged.tags = BTreeMap::from([
        ("Team".to_owned(), "red".to_owned()),
        ("team".to_owned(), "blue".to_owned()),
    ]);
    let variable =
        json!({"Condition": {"StringNotEquals": {"kms:ViaService": "${aws:PrincipalTag/team}"}}});
    let mut via = Facts::new();
    via.add("kms:ViaService", "s3");
    assert!(!decide(&tagged, &statement(variable), &via).allowed());
    // A grant's constraint is not met by a context of which nobody can say what it holds.
    let constrained = grant(
        &json!({"grantee": ALICE, "operations": ["Decrypt"], "constraints": {"EncryptionContextSubset": {"AppName": "red"}}}),
    );
    let nobody = statement(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}}));
    assert!(
        !decide_with(&alice, &nobody, &facts, With { grants: &[&constrained], ..With::default() })
            .allowed()
    );
}

#[test]
fn a_principal_made_again_is_not_the_one_that_was_named() {
    let facts = Facts::new();
    for (who, arn) in [(ALICE, ALICE), (APP, "arn:aws:iam::111122223333:role/app"), (APP, APP)] {
        let who = caller(who);
        let policy = statement(json!({"Principal": {"AWS": arn}}));
        assert!(decide(&who, &policy, &facts).allowed(), "{arn}");
        assert!(
            !decide_with(&who, &policy, &facts, With { ignores_arns: true, ..With::default() })
                .allowed(),
            "{arn}"
        );
        for still in [json!("*"), json!({"AWS": "*"})] {
            let policy = statement(json!({"Principal": still}));
            assert!(
                decide_with(&who, &policy, &facts, With { ignores_arns: true, ..With::default() })
                    .allowed()
            );
        }
    }
    // Exempted by name before, it is exempted no more.
    let mut policy = statement(json!({"Principal": "*"}));
    let exempt = json!({"Effect": "Deny", "NotPrincipal": {"AWS": ALICE}, "Action": "kms:*", "Resource": "*"});
    policy["Statement"].as_array_mut().expect("a list").push(exempt);
    assert!(decide(&caller(ALICE), &policy, &facts).allowed());
    let again = decide_with(
        &caller(ALICE),
        &policy,
        &facts,
        With { ignores_arns: true, ..With::default() },
    );
    assert_eq!(again.effect, Effect::ExplicitDeny);
}

#[test]
fn a_unique_id_names_one_user_or_role_and_no_later_one_of_its_name() {
    let facts = Facts::new();
    for (who, id, kind) in [
        (ALICE, "AIDAEXAMPLEALICE00001", MatchKind::Session),
        (APP, "AROAEXAMPLEAPPROLE001", MatchKind::Entity),
    ] {
        let mut named = caller(who);
        named.user_id = if who == APP { format!("{id}:s1") } else { id.to_owned() };
        let policy = statement(json!({"Principal": {"AWS": id}}));
        let decision = decide(&named, &policy, &facts);
        assert!(decision.allowed(), "{who}");
        assert_eq!(decision.layers[0].matched[0].kind, Some(kind));
        // The name was taken by another since: the id still means this one.
        let again = With { ignores_arns: true, ..With::default() };
        assert!(decide_with(&named, &policy, &facts, again).allowed(), "{who}");
        let mut other = caller(who);
        other.user_id = format!("{}9", named.user_id.replace(id, &format!("{id}9")));
        assert!(!decide(&other, &policy, &facts).allowed(), "{who}");
        let denied = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
            {"Effect": "Deny", "NotPrincipal": {"AWS": id}, "Action": "kms:*", "Resource": "*"},
        ]});
        assert!(decide(&named, &denied, &facts).allowed(), "{who}");
        assert_eq!(decide(&other, &denied, &facts).effect, Effect::ExplicitDeny, "{who}");
    }
    // A user is no role, whatever its id is.
    let mut alice = caller(ALICE);
    alice.user_id = "AROAEXAMPLEAPPROLE001:s1".to_owned();
    let policy = statement(json!({"Principal": {"AWS": "AROAEXAMPLEAPPROLE001"}}));
    assert!(!decide(&alice, &policy, &facts).allowed());
    let named = PolicyEngine::new().validate_key_policy(&policy.to_string());
    assert_eq!(named.map(|named| named.arns.len()), Ok(0));
}

fn near<'d>(decision: &'d Decision, layer: Layer, sid: &str) -> &'d [Clause] {
    let outcome = decision.layers.iter().find(|outcome| outcome.layer == layer).expect("the layer");
    &outcome
        .near
        .iter()
        .find(|miss| miss.sid.as_deref() == Some(sid))
        .expect("the statement")
        .failed
}

#[test]
fn a_refusal_names_the_clauses_that_failed() {
    let alice = caller(ALICE);
    let seen = context(&[("Project", "beta")]);
    let mut facts = Facts::new();
    facts.set_encryption_context(&seen);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Project", "Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringEquals": {"kms:EncryptionContext:Project": "alpha"}, "Bool": {"aws:SecureTransport": "true"},
                       "StringLike": {"kms:ViaService": "s?.amazonaws.com"}}},
        {"Sid": "Other", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}, "Action": "kms:Encrypt",
         "Resource": "arn:aws:kms:us-west-2:111122223333:key/other"},
    ]});
    let asked = grant(
        &json!({"grantId": "g1", "grantee": ALICE, "operations": ["Decrypt"], "constraints": {"EncryptionContextEquals": {"Project": "alpha"}}}),
    );
    let decision =
        decide_with(&alice, &policy, &facts, With { grants: &[&asked], ..With::default() });
    assert_eq!(
        (decision.effect, decision.reason),
        (Effect::ImplicitDeny, Reason::NotAllowed(Layer::KeyPolicy))
    );
    let clause = |clause: &str, expected: &str, actual: &str| Clause {
        clause: clause.to_owned(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    };
    let mut project = near(&decision, Layer::KeyPolicy, "Project").to_vec();
    project.sort_by(|a, b| a.clause.cmp(&b.clause));
    assert_eq!(
        project,
        [
            clause("Condition StringEquals kms:EncryptionContext:Project", "alpha", "beta"),
            clause("Condition StringLike kms:ViaService", "s?.amazonaws.com", "(absent)"),
        ]
    );
    let other: Vec<&str> = near(&decision, Layer::KeyPolicy, "Other")
        .iter()
        .map(|clause| clause.clause.as_str())
        .collect();
    assert_eq!(other, ["Action", "Principal", "Resource"]);
    assert_eq!(
        near(&decision, Layer::Grant, "g1"),
        [clause("Constraint EncryptionContextEquals", "Project=alpha", "Project=beta")]
    );
}

#[test]
fn an_allowed_request_tells_what_matched() {
    let policy = statement(json!({"Sid": "Use it"}));
    let decision = decide(&caller(ALICE), &policy, &Facts::new());
    assert_eq!((decision.reason, decision.rule), (Reason::NamesCaller, 8));
    let key_policy = &decision.layers[0];
    assert_eq!((key_policy.layer, key_policy.effect), (Layer::KeyPolicy, LayerEffect::Allow));
    assert_eq!(
        (key_policy.matched[0].sid.as_deref(), key_policy.matched[0].kind),
        (Some("Use it"), Some(MatchKind::Session))
    );
    assert!(decision.layers.iter().all(|layer| layer.near.is_empty()));
}

#[test]
fn presence_of_condition_keys_follows_aws() {
    let facts = Facts::new();
    let present = |who: &Caller, name: &str| {
        let policy = statement(json!({"Principal": "*", "Condition": {"Null": {name: "false"}}}));
        decide(who, &policy, &facts).allowed()
    };
    let (alice, app, service) = (caller(ALICE), caller(APP), caller("s3.amazonaws.com"));
    for (name, user, session, by_service) in [
        ("aws:username", true, false, false),
        ("aws:userid", true, true, false),
        ("aws:PrincipalArn", true, true, false),
        ("aws:PrincipalAccount", true, true, false),
        ("aws:PrincipalServiceName", false, false, true),
        ("aws:PrincipalIsAWSService", true, true, true),
        ("aws:TokenIssueTime", false, true, false),
        ("aws:MultiFactorAuthPresent", false, false, false),
        ("aws:SourceIp", true, true, false),
        ("aws:SecureTransport", true, true, true),
        ("aws:RequestedRegion", true, true, true),
        ("aws:ResourceAccount", true, true, true),
        ("kms:CallerAccount", true, true, false),
        ("kms:KeySpec", true, true, true),
        ("kms:MultiRegion", true, true, true),
        ("kms:ResourceAliases", false, false, false),
        ("kms:EncryptionContextKeys", false, false, false),
        ("kms:ViaService", false, false, false),
    ] {
        let found = (present(&alice, name), present(&app, name), present(&service, name));
        assert_eq!(found, (user, session, by_service), "{name}");
    }
    let mut fronted = caller(ALICE);
    fronted.origin.trusted_facts.insert("aws:sourcevpce".to_owned(), "vpce-1".to_owned());
    assert!(present(&fronted, "aws:SourceVpce") && !present(&fronted, "aws:SourceIp"));
}

#[test]
fn resource_aliases_are_seen_by_identity_policies_alone() {
    let (alice, facts, owner, tags) =
        (caller(ALICE), Facts::new(), account(OWNER), BTreeMap::new());
    let aliases = ["alias/app".to_owned()];
    let Resource::Key { arn, spec, usage, origin, multi_region, .. } = key(KEY, &owner, &tags)
    else {
        panic!("a key")
    };
    let resource = Resource::Key {
        arn,
        owner: &owner,
        tags: &tags,
        aliases: &aliases,
        spec,
        usage,
        origin,
        multi_region,
    };
    let condition = json!({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/a*"}});
    let delegating = document(&statement(json!({"Principal": {"AWS": OWNER}})));
    let identity = [named(
        "i",
        &json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": condition}}),
    )];
    let question = Question {
        key_policy: Some(&delegating),
        identity: &identity,
        ..Question::new(&alice, "kms:Decrypt", resource, &facts)
    };
    assert!(PolicyEngine::new().decide(&question).allowed());
    let direct = document(&statement(json!({"Condition": condition})));
    assert!(
        !PolicyEngine::new()
            .decide(&Question { key_policy: Some(&direct), identity: &[], ..question })
            .allowed()
    );
}

#[test]
fn a_grant_is_bound_to_the_principal_it_was_made_for() {
    let nobody = statement(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}}));
    let with = |id: &str, who: &str| {
        let grant = grant(&json!({"grantee": who, "granteeId": id, "operations": ["Decrypt"]}));
        decide_with(
            &caller(ALICE),
            &nobody,
            &Facts::new(),
            With { grants: &[&grant], ..With::default() },
        )
        .allowed()
    };
    assert!(with("AIDAALICE", ALICE));
    assert!(!with("AIDAOLDALICE", ALICE));
    assert!(!with("AIDAALICE", "arn:aws:iam::111122223333:user/alicia"));
}

fn retire(who: &str, identity: Option<Value>, grant: &GrantRecord) -> Decision {
    let (who, facts, owner, tags) = (caller(who), Facts::new(), account(OWNER), BTreeMap::new());
    let identity: Vec<_> = identity
        .iter()
        .map(|d| named("i", &json!({"Version": "2012-10-17", "Statement": d})))
        .collect();
    let question = Question {
        identity: &identity,
        ..Question::new(&who, "kms:RetireGrant", key(KEY, &owner, &tags), &facts)
    };
    PolicyEngine::new().decide_retire(&question, grant)
}

#[test]
fn the_grant_decides_who_retires_it() {
    let role = "arn:aws:iam::444455556666:role/eng";
    let retiring = grant(&json!({"grantee": role, "retiring": ALICE, "operations": ["Decrypt"]}));
    let allow = json!({"Effect": "Allow", "Action": "kms:RetireGrant", "Resource": "*"});
    let deny = json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*"});
    let eng = "arn:aws:sts::444455556666:assumed-role/eng/bob";
    assert!(retire(ALICE, None, &retiring).allowed(), "the retiring principal");
    assert_eq!(retire(ALICE, Some(deny), &retiring).effect, Effect::ExplicitDeny);
    assert!(!retire(eng, None, &retiring).allowed(), "a grantee without RetireGrant");
    assert!(!retire(eng, Some(allow.clone()), &retiring).allowed(), "an identity policy alone");
    let by_grantee = grant(&json!({"grantee": role, "operations": ["Decrypt", "RetireGrant"]}));
    assert!(retire(eng, None, &by_grantee).allowed(), "a grantee with RetireGrant");
    // The issuing account: its root user, and whom it tells.
    let bob = "arn:aws:iam::111122223333:user/bob";
    assert!(retire("arn:aws:iam::111122223333:root", None, &retiring).allowed());
    assert!(!retire(bob, None, &retiring).allowed());
    assert!(retire(bob, Some(allow), &retiring).allowed());
}

#[test]
fn a_policy_that_shuts_its_author_out_is_noticed() {
    let (alice, facts, owner, tags) =
        (caller(ALICE), Facts::new(), account(OWNER), BTreeMap::new());
    let engine = PolicyEngine::new();
    let able = |candidate: &Value, identity: &[IdentityDocument]| {
        let candidate = document(candidate);
        let question = Question {
            key_policy: Some(&candidate),
            identity,
            ..Question::new(&alice, "kms:CreateKey", key(KEY, &owner, &tags), &facts)
        };
        engine.keeps_caller_able(&question)
    };
    let delegating = statement(json!({"Principal": {"AWS": OWNER}}));
    let admin = [named(
        "i",
        &json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}),
    )];
    assert!(able(&statement(json!({})), &[]));
    assert!(able(&delegating, &admin));
    assert!(!able(&delegating, &[]));
    assert!(!able(&statement(json!({"Action": "kms:Decrypt"})), &admin));
    assert_eq!(
        PolicyEngine::lockout_error().to_string(),
        "The new key policy will not allow you to update the key policy in the future."
    );
}

#[test]
fn a_trust_policy_decides_as_a_key_policy_does() {
    let engine = PolicyEngine::new();
    let allow = [named(
        "i",
        &json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}),
    )];
    let ask = |trust: &Document, who: &str, identity: &[IdentityDocument]| {
        let (who, mut facts) = (caller(who), Facts::new());
        facts.add("sts:ExternalId", "x");
        let role = Resource::Role { arn: "arn:aws:iam::111122223333:role/app", trust };
        let question = Question {
            identity,
            cross_account_allowed: true,
            ..Question::new(&who, "sts:AssumeRole", role, &facts)
        };
        engine.decide(&question).rule
    };
    let trust = |principal: Value, who: &str, identity: &[IdentityDocument]| {
        let text = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}]});
        engine.validate_trust_policy(&text.to_string()).expect("a valid trust policy");
        ask(&document(&text), who, identity)
    };
    let eng = "arn:aws:sts::444455556666:assumed-role/eng/bob";
    assert_eq!(trust(json!({"AWS": ALICE}), ALICE, &[]), 8);
    assert_eq!(trust(json!({"AWS": OWNER}), ALICE, &[]), 12);
    assert_eq!(trust(json!({"AWS": OWNER}), ALICE, &allow), 10);
    assert_eq!(trust(json!({"AWS": FOREIGN}), ALICE, &allow), 11);
    assert_eq!(trust(json!({"AWS": FOREIGN}), eng, &[]), 14);
    assert_eq!(trust(json!({"AWS": FOREIGN}), eng, &allow), 16);
    assert_eq!(trust(json!({"Service": "s3.amazonaws.com"}), "s3.amazonaws.com", &[]), 6);
    assert_eq!(ask(&Document::new("{"), ALICE, &allow), 0);
}

#[test]
fn validation_refuses_what_would_be_stored_and_ignored() {
    let engine = PolicyEngine::new();
    let refused = |rest: Value| {
        engine.validate_key_policy(&statement(rest).to_string()).expect_err("refused").to_string()
    };
    assert!(refused(json!({"Action": "kms:Decrpyt"})).contains("kms:Decrpyt"));
    assert!(
        refused(json!({"Condition": {"StringEquals": {"kms:ViaServce": "x"}}}))
            .contains("kms:ViaServce")
    );
    assert!(refused(json!({"Effect": "Allow", "Sids": "x"})).contains("Sids"));
    assert_eq!(
        refused(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:group/g"}})),
        format!("{INVALID_PRINCIPALS} Statement[0].Principal: arn:aws:iam::111122223333:group/g")
    );
    assert_eq!(
        refused(
            json!({"Condition": {"ForAllValues:StringEquals": {"kms:EncryptionContext:A": "x"}}})
        ),
        format!(
            "{OVERLY_PERMISSIVE} Statement[0].Condition.ForAllValues:StringEquals.kms:EncryptionContext:A"
        )
    );
    assert!(refused(json!({"Sid": "snow \u{2603}"})).contains("U+2603"));
    let bad_arn = engine.validate_key_policy(&statement(json!({"Resource": "key/x"})).to_string());
    assert!(matches!(bad_arn, Err(PolicyError::InvalidArn { .. })));
    let no_principal =
        json!({"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}).to_string();
    assert!(engine.validate_key_policy(&no_principal).is_err());

    let named = statement(
        json!({"Principal": {"AWS": [ALICE, OWNER], "Service": "s3.amazonaws.com"}, "Resource": "*"}),
    );
    let principals = engine.validate_key_policy(&named.to_string()).expect("a valid policy");
    assert!(
        principals.arns.contains(ALICE)
            && principals.accounts.contains(&account(OWNER))
            && principals.services.len() == 1
    );
    let default =
        include_str!("../../../../policies/default-key-policy.json").replace("${ACCOUNT}", OWNER);
    assert!(engine.validate_key_policy(&default).is_ok());
    // Actions of other services are none of our business.
    let identity = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["s3:GetObject", "made:Up"], "Resource": "*"}});
    assert!(engine.validate_identity_policy(&identity.to_string()).is_ok());
}

#[test]
fn operations_on_no_key_are_the_accounts_own() {
    let facts = Facts::new();
    let allow = [named(
        "i",
        &json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}),
    )];
    let decide = |who: &str, action: &str, resource: Resource<'_>, identity| {
        let who = caller(who);
        let decision = PolicyEngine::new()
            .decide(&Question { identity, ..Question::new(&who, action, resource, &facts) });
        (decision.effect, decision.reason, decision.rule)
    };
    let silent = (Effect::ImplicitDeny, Reason::NotAllowed(Layer::IdentityPolicy), 17);
    let allowed = (Effect::Allow, Reason::AccountOperation, 17);
    assert_eq!(decide(ALICE, "kms:ListKeys", Resource::Any, &allow[..]), allowed);
    assert_eq!(decide(ALICE, "kms:ListKeys", Resource::Any, &[]), silent);
    assert_eq!(
        decide(
            "arn:aws:iam::111122223333:root",
            "iam:CreateUser",
            Resource::Other { arn: "arn:aws:iam::111122223333:user/x" },
            &[]
        ),
        allowed
    );
    let foreign = Resource::Alias { arn: "arn:aws:kms:us-west-2:444455556666:alias/x" };
    assert_eq!(
        decide(ALICE, "kms:CreateAlias", foreign, &allow[..]),
        (Effect::ImplicitDeny, Reason::NotCrossAccount, 7)
    );
    let reserved = Resource::Alias { arn: "arn:aws:kms:us-west-2:111122223333:alias/aws/x" };
    assert_eq!(
        decide(ALICE, "kms:DeleteAlias", reserved, &allow[..]),
        (Effect::ImplicitDeny, Reason::ReservedAlias, 18)
    );
}

#[test]
fn a_federated_session_has_what_its_session_policies_allow() {
    let mut fed = caller("arn:aws:sts::111122223333:federated-user/fed");
    assert!(matches!(fed.kind, CallerKind::Federated { .. }));
    let by_user = statement(json!({}));
    let by_session = statement(json!({"Principal": {"AWS": fed.arn.clone()}}));
    let none = decide(&fed, &by_user, &Facts::new());
    assert_eq!((none.reason, none.rule), (Reason::NotAllowed(Layer::SessionPolicy), 12));
    assert_eq!(decide(&fed, &by_session, &Facts::new()).rule, 8);
    let allow = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}});
    fed.session_policies = vec![named("session", &allow)];
    let decision = decide(&fed, &by_user, &Facts::new());
    assert_eq!((decision.reason, decision.rule), (Reason::NamesEntity, 9));
}

/// Whether a grant with `child`'s constraints gives away no more than one with `parent`'s.
fn narrower(parent: &Value, child: &Value) -> bool {
    let pairs = |of: &Value, name: &str| -> Option<Vec<(String, String)>> {
        let pairs = of.get(name)?.as_object()?;
        Some(pairs.iter().map(|(name, value)| (name.to_lowercase(), value.to_string())).collect())
    };
    let within = |want: &[(String, String)], have: &[(String, String)]| {
        want.iter().all(|pair| have.contains(pair))
    };
    let (equals, subset) =
        (pairs(child, "EncryptionContextEquals"), pairs(child, "EncryptionContextSubset"));
    if let Some(want) = pairs(parent, "EncryptionContextEquals")
        && !equals.as_ref().is_some_and(|have| within(&want, have) && within(have, &want))
    {
        return false;
    }
    if let Some(want) = pairs(parent, "EncryptionContextSubset")
        && ![&equals, &subset].into_iter().flatten().any(|have| within(&want, have))
    {
        return false;
    }
    parent.get("SourceArn").is_none_or(|arn| child.get("SourceArn") == Some(arn))
}

#[test]
fn a_grant_made_through_a_grant_is_no_wider() {
    let source = "arn:aws:s3:::data";
    let constraints = [
        json!({}),
        json!({"EncryptionContextEquals": {}}),
        json!({"EncryptionContextEquals": {"A": "1"}}),
        json!({"EncryptionContextEquals": {"a": "1", "b": "2"}}),
        json!({"EncryptionContextSubset": {}}),
        json!({"EncryptionContextSubset": {"a": "1"}}),
        json!({"EncryptionContextSubset": {"a": "1", "B": "2"}}),
        json!({"EncryptionContextSubset": {"a": "2"}}),
        json!({"SourceArn": source}),
        json!({"SourceArn": "arn:aws:s3:::other", "EncryptionContextSubset": {"a": "1"}}),
        json!({"SourceArn": source, "EncryptionContextSubset": {"a": "1"}}),
        json!({"EncryptionContextEquals": {"a": "1"}, "EncryptionContextSubset": {"a": "1"}}),
    ];
    let operations = [
        json!(["CreateGrant", "Decrypt"]),
        json!(["CreateGrant", "Decrypt", "Encrypt"]),
        json!(["Decrypt"]),
    ];
    let (alice, owner, tags) = (caller(ALICE), account(OWNER), BTreeMap::new());
    let nobody =
        document(&statement(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}})));
    let engine = PolicyEngine::new();
    let mut allowed = 0;
    for (parent_constraints, child_constraints) in
        constraints.iter().flat_map(|p| constraints.iter().map(move |c| (p, c)))
    {
        for (parent_operations, child_operations) in
            operations.iter().flat_map(|p| operations.iter().map(move |c| (p, c)))
        {
            let parent = grant(
                &json!({"grantee": ALICE, "operations": parent_operations, "constraints": parent_constraints}),
            );
            let child = grant(
                &json!({"grantee": "arn:aws:iam::111122223333:user/bob", "operations": child_operations, "constraints": child_constraints}),
            );
            let mut facts = Facts::new();
            facts.add("aws:SourceArn", source);
            let question = Question {
                key_policy: Some(&nobody),
                grants: &[&parent],
                child_grant: Some(&child),
                ..Question::new(&alice, "kms:CreateGrant", key(KEY, &owner, &tags), &facts)
            };
            let may = parent_operations[0] == "CreateGrant"
                && child.operations.is_subset(&parent.operations)
                && parent_constraints.get("SourceArn").is_none_or(|arn| arn == source)
                && narrower(parent_constraints, child_constraints);
            assert_eq!(
                engine.decide(&question).allowed(),
                may,
                "{parent_operations} {parent_constraints} gives {child_operations} {child_constraints}"
            );
            assert!(
                !engine.decide(&Question { child_grant: None, ..question }).allowed(),
                "a child that is not known"
            );
            allowed += usize::from(may);
        }
    }
    assert!(allowed > 50);
}
