//! What the random requests found, each as small as it can be.

use crate::{
    behaviour::{ALICE, With, decide, decide_with, statement},
    world::{KEY, OWNER, account, caller, document, key, named},
};
use keyward_policy::{Facts, PolicyEngine, Question, Resource};
use keyward_types::Reason;
use serde_json::json;
use std::collections::BTreeMap;

/// A number with a fraction has no Cedar form, and a text that is no number has none at all.
#[test]
fn a_value_without_the_form_that_an_operator_reads_is_no_match() {
    let alice = caller(ALICE);
    for (key, value, operator, wanted, holds) in [
        ("aws:MultiFactorAuthAge", "a while", "NumericLessThan", "60", false),
        ("aws:MultiFactorAuthAge", "a while", "NumericNotEquals", "60", true),
        ("aws:MultiFactorAuthAge", "a while", "NumericLessThanIfExists", "60", false),
        ("aws:MultiFactorAuthAge", "59.5", "NumericLessThan", "59.6", true),
        ("aws:MultiFactorAuthAge", "59.5", "NumericLessThan", "59.5", false),
        ("aws:CurrentTime", "soon", "DateLessThan", "2026-08-01", false),
        ("aws:CurrentTime", "soon", "DateNotEquals", "2026-08-01", true),
        ("aws:SourceIp", "here", "IpAddress", "0.0.0.0/0", false),
        ("aws:SourceIp", "here", "NotIpAddress", "0.0.0.0/0", true),
    ] {
        let mut facts = Facts::new();
        facts.add(key, value);
        let policy = statement(json!({"Condition": {operator: {key: wanted}}}));
        let decision = decide(&alice, &policy, &facts);
        assert_eq!(decision.allowed(), holds, "{operator} {wanted} of {value}");
        assert_ne!(decision.rule, 0);
    }
}

#[test]
fn an_action_with_spaces_around_it_or_commas_matches_nothing_and_spoils_nothing() {
    let alice = caller(ALICE);
    for idle in [" kms:Decrypt", "kms:Encrypt,kms:Decrypt"] {
        let alone = statement(json!({"Action": idle}));
        assert_eq!(decide(&alice, &alone, &Facts::new()).rule, 11);
        assert!(PolicyEngine::new().validate_key_policy(&alone.to_string()).is_err());
        let beside = statement(json!({"Action": [idle, "kms:Decrypt"]}));
        assert!(decide(&alice, &beside, &Facts::new()).allowed());
    }
}

/// KMS refuses it in key policies alone.
#[test]
fn for_all_values_of_a_context_pair_is_evaluated_where_it_may_stand() {
    let rest =
        json!({"Condition": {"ForAllValues:StringEquals": {"kms:EncryptionContext:A": "x"}}});
    let mut identity = statement(rest);
    identity["Statement"][0].as_object_mut().expect("an object").remove("Principal");
    assert!(PolicyEngine::new().validate_identity_policy(&identity.to_string()).is_ok());
    let delegating = statement(json!({"Principal": {"AWS": OWNER}}));
    let identity = [named("i", &identity)];
    let with = With { identity: &identity, ..With::default() };
    assert!(decide_with(&caller(ALICE), &delegating, &Facts::new(), with).allowed());
}

/// Another account's alias or user has no policy that could let a stranger in.
#[test]
fn what_has_no_policy_is_for_its_own_account() {
    let all = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let (identity, facts) = ([named("i", &all)], Facts::new());
    let alias = Resource::Alias { arn: "arn:aws:kms:us-west-2:444455556666:alias/x" };
    let decision = PolicyEngine::new().decide(&Question {
        identity: &identity,
        cross_account_allowed: true,
        ..Question::new(&caller(ALICE), "kms:DescribeKey", alias, &facts)
    });
    assert_eq!((decision.reason, decision.rule), (Reason::NotCrossAccount, 7));
}

#[test]
fn a_policy_that_ram_manages_speaks_beside_the_default_one() {
    let (silent, ram) = (statement(json!({"Action": "kms:Sign"})), statement(json!({})));
    let (silent, ram) = (document(&silent), document(&ram));
    let (owner, tags, facts, alice) =
        (account(OWNER), BTreeMap::new(), Facts::new(), caller(ALICE));
    let engine = PolicyEngine::new();
    let question = Question {
        key_policy: Some(&silent),
        ram_policy: Some(&ram),
        ..Question::new(&alice, "kms:Decrypt", key(KEY, &owner, &tags), &facts)
    };
    assert_eq!(engine.decide(&question).reason, Reason::NamesCaller);
    assert!(!engine.decide(&Question { ram_policy: None, ..question }).allowed());
    // It does not help against locking oneself out.
    assert!(!engine.keeps_caller_able(&question));
}
