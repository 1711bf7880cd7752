//! Each claim, where it holds and where it does not, with a request that the engine decides.

use crate::solver;
use keyward_policy::{PolicyEngine, vectors::Vector};
use keyward_prove::{Counterexample, Holder, Prover, Repair, Surroundings, Use, Verdict};
use serde_json::{Value, json};

const APP: &str = "arn:aws:iam::111122223333:role/app";

fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn allow(principal: &str, actions: &Value, condition: &Value) -> Value {
    json!({
        "Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*",
        "Condition": condition,
    })
}

fn deny(action: &str, condition: &Value) -> Value {
    json!({
        "Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*", "Condition": condition,
    })
}

fn decrypt() -> Vec<String> {
    vec!["kms:Decrypt".to_owned()]
}

/// The request that was found, which the engine allows.
fn found(verdict: Verdict) -> Counterexample {
    let Verdict::Refuted(found) = verdict else { panic!("{verdict:?}") };
    let vector = Vector::read(&found.vector).unwrap();
    assert!(vector.decide(&PolicyEngine::new()).allowed(), "{}", found.vector);
    *found
}

#[test]
fn a_wider_condition_is_shown_by_a_request_that_needs_it() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, None);
    let with = |values: Value| {
        policy(&[allow(
            APP,
            &json!("kms:*"),
            &json!({"StringEquals": {"kms:EncryptionContext:App": values}}),
        )])
    };
    let (narrow, wide) = (with(json!("billing")), with(json!(["billing", "invoices"])));
    let narrower = prover.no_new_access(&wide, &narrow, None, Surroundings::Any).unwrap();
    assert!(narrower.is_proved(), "{narrower:?}");
    let only = decrypt();
    let wider =
        found(prover.no_new_access(&narrow, &wide, Some(&only), Surroundings::Any).unwrap());
    assert_eq!(wider.vector["encryptionContext"], json!({"App": "invoices"}));
    assert!(wider.caller.starts_with("arn:aws:sts::111122223333:assumed-role/app/"));
}

/// What every condition operator admits more, and what it does not.
#[test]
fn operators_are_compared_by_what_they_admit() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, None);
    let only = vec!["kms:EnableKeyRotation".to_owned(), "kms:Decrypt".to_owned()];
    for (narrow, wide) in [
        (
            json!({"StringEquals": {"kms:ViaService": "s3.eu.amazonaws.com"}}),
            json!({"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}),
        ),
        (
            json!({"StringLike": {"kms:EncryptionContext:a": "x?z"}}),
            json!({"StringLike": {"kms:EncryptionContext:a": "x*z"}}),
        ),
        (
            json!({"StringEquals": {"kms:EncryptionContext:a": "X"}}),
            json!({"StringEqualsIgnoreCase": {"kms:EncryptionContext:A": "x"}}),
        ),
        (
            json!({"StringEquals": {"kms:EncryptionContext:a": "x"}}),
            json!({"Null": {"kms:EncryptionContext:a": "false"}}),
        ),
        (
            json!({"StringEquals": {"aws:SourceVpce": "v"}}),
            json!({"StringEqualsIfExists": {"aws:SourceVpce": "v"}}),
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}),
            json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "2001:db8:1::/48"}}),
            json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        ),
        (
            json!({"NumericLessThan": {"kms:RotationPeriodInDays": "90.5"}}),
            json!({"NumericLessThanEquals": {"kms:RotationPeriodInDays": "90.75"}}),
        ),
        (
            json!({"DateLessThan": {"aws:CurrentTime": "2026-01-01"}}),
            json!({"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00.001Z"}}),
        ),
        (
            json!({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "a"}}),
            json!({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["a", "b"]}}),
        ),
        (
            json!({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "a"}}),
            json!({"ForAnyValue:StringEqualsIgnoreCase": {"kms:EncryptionContextKeys": "A"}}),
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
        ),
        (
            json!({"StringEquals": {"aws:PrincipalTag/team": ["red"]}}),
            json!({"StringLike": {"aws:PrincipalTag/team": ["r*", "${*}"]}}),
        ),
    ] {
        let of = |condition: &Value| policy(&[allow("*", &json!("kms:*"), condition)]);
        let ask = |old: &Value, new: &Value| {
            prover.no_new_access(&of(old), &of(new), Some(&only), Surroundings::Any).unwrap()
        };
        let less = ask(&wide, &narrow);
        assert!(less.is_proved(), "{narrow} within {wide}: {less:?}");
        found(ask(&narrow, &wide));
    }
}

#[test]
fn a_deny_that_goes_is_new_access_and_a_role_is_stronger_than_its_account() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, None);
    let role = allow(APP, &json!("kms:Decrypt"), &json!({}));
    let fenced = policy(&[
        role.clone(),
        deny("kms:Decrypt", &json!({"Bool": {"aws:SecureTransport": "false"}})),
    ]);
    let open = policy(&[role]);
    let request = found(prover.no_new_access(&fenced, &open, None, Surroundings::Any).unwrap());
    assert_eq!(request.vector["context"]["aws:SecureTransport"], "false");
    let delegated = policy(&[allow("111122223333", &json!("kms:Decrypt"), &json!({}))]);
    let ask = |surroundings| prover.no_new_access(&delegated, &open, None, surroundings).unwrap();
    // Named by the key policy, it needs no identity policy any more.
    assert_eq!(found(ask(Surroundings::Any)).vector.get("identity"), None);
    assert!(ask(Surroundings::Willing).is_proved());
}

/// What two spellings of one name do is part of every request.
#[test]
fn a_request_with_a_name_in_two_spellings_is_considered() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, None);
    let base = allow(APP, &json!("kms:Decrypt"), &json!({}));
    let on = |operator: &str| {
        deny("kms:Decrypt", &json!({operator: {"kms:EncryptionContext:App": "never"}}))
    };
    // Whichever value the key has, one of the two denies; only a name in two spellings makes both match.
    let either = policy(&[base.clone(), on("StringEquals"), on("StringNotEquals")]);
    let all = policy(&[base.clone(), deny("kms:Decrypt", &json!({}))]);
    let ask =
        |old: &str, new: &str| prover.no_new_access(old, new, None, Surroundings::Any).unwrap();
    assert!(ask(&either, &all).is_proved() && ask(&all, &either).is_proved());
    // Without the key this allows, as the next one does; with it in two spellings, only the next one.
    let absent = allow(
        APP,
        &json!("kms:Decrypt"),
        &json!({"StringNotEquals": {"kms:EncryptionContext:App": "x"}}),
    );
    let present = allow(
        APP,
        &json!("kms:Decrypt"),
        &json!({"StringEquals": {"kms:EncryptionContext:App": "x"}}),
    );
    let request = found(ask(&policy(&[absent, present]), &policy(&[base])));
    assert_eq!(
        request.vector["encryptionContext"].as_object().unwrap().len(),
        2,
        "{}",
        request.vector
    );
}

#[test]
fn who_can_and_under_which_condition() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, None);
    let text = policy(&[
        allow("111122223333", &json!("kms:Put*"), &json!({})),
        allow(APP, &json!("kms:Decrypt"), &json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}})),
    ]);
    let only = |who: &str, action: &str| {
        prover.only(&text, &[who.to_owned()], &[action.to_owned()]).unwrap()
    };
    assert!(
        only(APP, "kms:Decrypt").is_proved() && only("111122223333", "kms:Decrypt").is_proved()
    );
    assert!(
        only("arn:aws:iam::111122223333:user/bob", "kms:Encrypt").is_proved(),
        "nobody can encrypt"
    );
    found(only(APP, "kms:PutKeyPolicy"));
    let condition = json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}});
    assert!(prover.never_without(&text, &condition, &decrypt()).unwrap().is_proved());
    let other = json!({"StringEquals": {"aws:SourceVpce": "vpce-2"}});
    let request = found(prover.never_without(&text, &other, &decrypt()).unwrap());
    assert_eq!(request.vector["context"]["aws:SourceVpce"], "vpce-1");
    assert!(prover.only(&text, &["nobody".to_owned()], &decrypt()).is_err());
    assert!(
        prover
            .never_without(&text, &json!({"StringEqual": {"aws:SourceVpce": "v"}}), &decrypt())
            .is_err()
    );
}

#[test]
fn whether_a_policy_can_be_repaired() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, None);
    let ask = |statements: &[Value]| prover.repairable(&policy(statements)).unwrap();
    let whole = allow("111122223333", &json!("kms:*"), &json!({}));
    let repair = ask(std::slice::from_ref(&whole));
    assert!(
        matches!(&repair, Repair::Possible { by, always: true } if by.caller.ends_with(":root")),
        "{repair:?}"
    );
    let never = deny("kms:PutKeyPolicy", &json!({}));
    assert!(matches!(ask(&[whole.clone(), never]), Repair::Impossible));
    let fenced =
        deny("kms:PutKeyPolicy", &json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}));
    assert!(matches!(ask(&[whole, fenced]), Repair::Possible { always: false, .. }));
    // Requests of PutKeyPolicy carry no encryption context, so that nobody meets this.
    let odd =
        allow(APP, &json!("kms:*"), &json!({"StringEquals": {"kms:EncryptionContext:a": "b"}}));
    assert!(matches!(ask(&[odd]), Repair::Impossible));
}

#[test]
fn what_statements_are_good_for() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, Some("arn:aws:kms:us-east-1:111122223333:key/a"));
    let mut elsewhere = allow(APP, &json!("kms:Sign"), &json!({}));
    elsewhere["Resource"] = json!("arn:aws:kms:us-east-1:111122223333:key/b");
    let used = prover.statements(&policy(&[
        allow(APP, &json!("kms:*"), &json!({})),
        allow(APP, &json!("kms:Decrypt"), &json!({"Bool": {"aws:SecureTransport": "true"}})),
        allow(APP, &json!("kms:Decrypt"), &json!({"StringEquals": {"kms:ViaService": "a"}, "StringNotEquals": {"kms:ViaService": "a"}})),
        elsewhere,
        deny("kms:Decrypt", &json!({"StringEquals": {"aws:SourceVpce": "v"}})),
    ]));
    let used: Vec<Use> = used.unwrap().into_iter().map(|one| one.used.unwrap()).collect();
    assert_eq!(used, [Use::Needed, Use::Redundant, Use::Dead, Use::Dead, Use::Needed]);
}

#[test]
fn identity_policies_are_compared_over_all_actions_and_resources() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, None);
    let of = |action: &str, resource: &str| {
        policy(&[json!({"Effect": "Allow", "Action": action, "Resource": resource})])
    };
    let ask = |old: &str, new: &str| prover.no_new_access_of_identity(old, new).unwrap();
    let (narrow, wide) = (of("s3:Get*", "arn:aws:s3:::data/*"), of("s3:*", "arn:aws:s3:::data*"));
    assert!(ask(&wide, &narrow).is_proved() && ask(&of("*", "*"), &wide).is_proved());
    let request = found(ask(&narrow, &wide));
    assert!(request.action.starts_with("s3:"), "{}", request.action);
    let key = of("kms:Decrypt", "arn:aws:kms:*:111122223333:key/*");
    assert_eq!(found(ask(&narrow, &key)).action, "kms:Decrypt");
}

/// A closed world, as a policy test has it: nobody has policies but who is named.
#[test]
fn who_can_where_every_policy_is_known() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, Some("arn:aws:kms:us-east-1:111122223333:key/a"));
    let key = policy(&[allow("111122223333", &json!("kms:*"), &json!({}))]);
    let root = "arn:aws:iam::111122223333:root".to_owned();
    let of =
        |action: &str| policy(&[json!({"Effect": "Allow", "Action": action, "Resource": "*"})]);
    let holder = |arn: &str, action: &str| Holder {
        arn: arn.to_owned(),
        identity: vec![of(action)],
        boundary: None,
    };
    let other = "arn:aws:iam::111122223333:user/bob";
    let holders = [holder(APP, "kms:*"), holder(other, "kms:Encrypt")];
    let ask =
        |except: &[String], action: &str| prover.never(&key, action, except, &holders).unwrap();
    let both = [APP.to_owned(), root.clone()];
    let decrypted = ask(&both, "kms:Decrypt");
    assert!(decrypted.is_proved(), "{decrypted:?}");
    assert_eq!(found(ask(&both, "kms:Encrypt")).caller, other);
    assert_eq!(found(ask(&[APP.to_owned()], "kms:Decrypt")).caller, root);
    assert!(found(ask(&[root], "kms:Decrypt")).caller.contains(":assumed-role/app/"));
}

#[test]
fn what_is_granted_and_what_is_public() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, None);
    let key = policy(&[
        allow("111122223333", &json!("kms:*"), &json!({})),
        deny("kms:ScheduleKeyDeletion", &json!({})),
    ]);
    let ask = |action: &str| prover.not_granted(&key, &[action.to_owned()], &[]).unwrap();
    assert!(ask("kms:ScheduleKeyDeletion").is_proved());
    found(ask("kms:Decrypt"));
    let public = |condition: Value| {
        prover.no_public_access(&policy(&[allow("*", &json!("kms:Decrypt"), &condition)])).unwrap()
    };
    found(public(json!({})));
    found(public(json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})));
    found(public(json!({"StringEquals": {"kms:EncryptionContext:a": "b"}})));
    for tied in [
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        json!({"StringEquals": {"kms:CallerAccount": "444455556666"}}),
        json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
        json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    ] {
        assert!(public(tied.clone()).is_proved(), "{tied}");
    }
    assert!(prover.no_public_access(&key).unwrap().is_proved());
}
