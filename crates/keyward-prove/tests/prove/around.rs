//! An organization's policies and grants around what is claimed: by hand, and compared with what the policy engine
//! decides of random requests.

use crate::{
    samples::{self, KEY, Luck},
    solver,
};
use keyward_policy::{PolicyEngine, vectors::Vector};
use keyward_prove::{Holder, Organization, Prover, Surroundings, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

const APP: &str = "arn:aws:iam::111122223333:role/app";
const CAROL: &str = "arn:aws:iam::444455556666:user/carol";

fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn allow(principal: &str) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"})
}

fn says(effect: &str, action: &str) -> String {
    policy(&[json!({"Effect": effect, "Action": action, "Resource": "*"})])
}

fn refuses(action: &str) -> String {
    policy(&[json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"})])
}

fn one(action: &str) -> Vec<String> {
    vec![action.to_owned()]
}

/// The request that was found, which the engine allows.
fn found(verdict: &Verdict) -> Value {
    let Verdict::Refuted(found) = verdict else { panic!("{verdict:?}") };
    let vector = Vector::read(&found.vector).unwrap();
    assert!(vector.decide(&PolicyEngine::new()).allowed(), "{}", found.vector);
    found.vector.clone()
}

#[test]
fn what_an_organization_forbids_is_no_new_access() {
    let Some(solver) = solver() else { return };
    let (old, new) = (policy(&[allow(APP)]), policy(&[allow(APP), allow("*")]));
    let ask = |organization: &Organization, action: &str| {
        let prover = Prover::new(&solver, None).within(organization).unwrap();
        prover.no_new_access(&old, &new, Some(&one(action)), Surroundings::Any).unwrap()
    };
    let full = says("Allow", "*");
    // Nothing is over services and sessions of service-linked roles.
    let scps = Organization {
        scps: vec![vec![full.clone()], vec![full.clone(), says("Deny", "kms:Decrypt")]],
        ..Organization::default()
    };
    let request = found(&ask(&scps, "kms:Decrypt"));
    let linked = request["roleArn"].as_str().is_some_and(|arn| arn.contains("/aws-service-role/"));
    assert!(
        linked || request["caller"] == "s3.amazonaws.com" || request.get("scps").is_none(),
        "{request}"
    );
    assert!(found(&ask(&scps, "kms:Encrypt"))["scps"].is_array());
    // A level that is silent refuses as well.
    let silent =
        Organization { scps: vec![vec![full.clone()], vec![says("Allow", "s3:*")]], ..scps };
    let request = found(&ask(&silent, "kms:Encrypt"));
    assert!(request.get("scps").is_none() || request["roleArn"].is_string(), "{request}");
    let rcps = Organization { rcps: vec![vec![refuses("kms:Decrypt")]], ..Organization::default() };
    let request = found(&ask(&rcps, "kms:Decrypt"));
    assert!(request["roleArn"].as_str().unwrap().contains("/aws-service-role/"), "{request}");
    found(&ask(&rcps, "kms:Encrypt"));
}

#[test]
fn who_is_outside_an_organization_is_not_limited() {
    let Some(solver) = solver() else { return };
    // Two users alone, so that no role is service-linked.
    let user = "arn:aws:iam::111122223333:user/alice";
    let (old, new) = (refuses("kms:*"), policy(&[allow(user), allow(CAROL)]));
    let ask = |organization: &Organization, key: &str| {
        let prover = Prover::new(&solver, Some(key)).within(organization).unwrap();
        let only = one("kms:Decrypt");
        prover.no_new_access(&old, &new, Some(&only), Surroundings::Willing).unwrap()
    };
    let all = Organization { scps: vec![vec![says("Deny", "kms:*")]], ..Organization::default() };
    assert!(ask(&all, KEY).is_proved());
    let some = |accounts: &[&str]| Organization {
        accounts: Some(accounts.iter().map(|one| (*one).to_owned()).collect()),
        ..all.clone()
    };
    assert_eq!(found(&ask(&some(&["111122223333"]), KEY))["caller"], CAROL);
    assert_eq!(found(&ask(&some(&["444455556666"]), KEY))["caller"], user);
    assert!(ask(&some(&["111122223333", "444455556666"]), KEY).is_proved());
    let managed = Organization { management: Some("444455556666".to_owned()), ..all.clone() };
    assert_eq!(found(&ask(&managed, KEY))["caller"], CAROL);
    // Over the key's account, whoever calls.
    let rcps = |accounts: &[&str]| Organization {
        scps: Vec::new(),
        rcps: vec![vec![refuses("kms:*")]],
        ..some(accounts)
    };
    assert!(ask(&rcps(&["111122223333"]), KEY).is_proved());
    found(&ask(&rcps(&["444455556666"]), KEY));
    assert!(
        Prover::new(&solver, None)
            .within(&Organization { scps: vec![vec!["{".to_owned()]], ..all })
            .is_err()
    );
}

fn grant(grantee: &str, operations: &[&str], constraints: Value) -> Value {
    json!({"grantId": format!("to {grantee}"), "grantee": grantee, "operations": operations, "constraints": constraints})
}

#[test]
fn grants_are_a_way_to_a_key() {
    let Some(solver) = solver() else { return };
    let key = policy(&[allow(APP)]);
    let only = |grants: &[Value], action: &str| {
        let prover = Prover::new(&solver, Some(KEY)).granting(grants).unwrap();
        prover.only(&key, &[APP.to_owned()], &one(action)).unwrap()
    };
    let carol = [grant(CAROL, &["Decrypt"], json!({"EncryptionContextSubset": {"App": "x"}}))];
    assert!(only(&[], "kms:Decrypt").is_proved());
    assert!(only(&carol, "kms:Encrypt").is_proved());
    let request = found(&only(&carol, "kms:Decrypt"));
    assert_eq!(
        (&request["caller"], &request["encryptionContext"]["App"]),
        (&json!(CAROL), &json!("x"))
    );
    assert_eq!(request["grants"], json!(carol));
    // To the principal that may anyhow, and on another key.
    assert!(only(&[grant(APP, &["Decrypt"], json!({}))], "kms:Decrypt").is_proved());
    let mut elsewhere = carol[0].clone();
    elsewhere["key"] =
        json!("arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000");
    assert!(only(&[elsewhere], "kms:Decrypt").is_proved());
    for (grantee, caller) in [
        ("444455556666", ":444455556666:"),
        ("arn:aws:iam::111122223333:role/other", ":assumed-role/other/"),
        ("arn:aws:sts::111122223333:assumed-role/job/one", ":assumed-role/job/one"),
        ("arn:aws:sts::111122223333:federated-user/fed", ":federated-user/fed"),
    ] {
        let request = found(&only(&[grant(grantee, &["Decrypt"], json!({}))], "kms:Decrypt"));
        assert!(request["caller"].as_str().unwrap().contains(caller), "{request}");
    }
    let service = json!({"granteeService": "s3.amazonaws.com", "operations": ["Decrypt"]});
    assert_eq!(found(&only(&[service], "kms:Decrypt"))["caller"], "s3.amazonaws.com");
    let any = Prover::new(&solver, None).granting(&carol);
    assert!(any.is_err() && Prover::new(&solver, Some(KEY)).granting(&[json!({"x": 1})]).is_err());
}

/// What constraints keep, shown by conditions that every request of the grant meets.
#[test]
fn constraints_of_grants_bind_requests() {
    let Some(solver) = solver() else { return };
    let key = refuses("kms:PutKeyPolicy");
    let holds = |constraints: Value, action: &str, condition: Value| {
        let operation = action.strip_prefix("kms:").unwrap();
        let grants = [grant(CAROL, &[operation, "Sign"], constraints)];
        let prover = Prover::new(&solver, Some(KEY)).granting(&grants).unwrap();
        let verdict = prover.never_without(&key, &condition, &one(action)).unwrap();
        verdict.is_proved() || {
            found(&verdict);
            false
        }
    };
    let app = json!({"StringEquals": {"kms:EncryptionContext:app": "x"}});
    let nobody =
        json!({"Null": {"aws:SourceVpce": ["true"]}, "StringEquals": {"aws:SourceVpce": "x"}});
    let alone =
        json!({"ForAllValues:StringEqualsIgnoreCase": {"kms:EncryptionContextKeys": "app"}});
    let (subset, equals) = (
        || json!({"EncryptionContextSubset": {"App": "x"}}),
        || json!({"EncryptionContextEquals": {"App": "x"}}),
    );
    assert!(holds(subset(), "kms:Decrypt", app.clone()));
    assert!(holds(equals(), "kms:Decrypt", app.clone()));
    assert!(!holds(subset(), "kms:Decrypt", alone.clone()));
    assert!(holds(equals(), "kms:Decrypt", alone.clone()));
    // They bind what carries an encryption context alone.
    assert!(!holds(equals(), "kms:DescribeKey", app.clone()));
    assert!(!holds(json!({}), "kms:Decrypt", app));
    let empty = json!({"Null": {"kms:EncryptionContextKeys": "true"}});
    assert!(holds(json!({"EncryptionContextEquals": {}}), "kms:Decrypt", empty.clone()));
    assert!(!holds(json!({"EncryptionContextSubset": {}}), "kms:Decrypt", empty));
    let both = json!({"EncryptionContextSubset": {"App": "x", "app": "y"}});
    assert!(holds(both, "kms:Decrypt", nobody.clone()));
    let source = "arn:aws:s3:::data";
    let from = json!({"StringEquals": {"aws:SourceArn": source}});
    assert!(holds(json!({"SourceArn": source}), "kms:Decrypt", from.clone()));
    assert!(!holds(json!({"SourceArn": "arn:aws:s3:::other"}), "kms:Decrypt", from));
    // A grant is made through another one only within it.
    assert!(!holds(equals(), "kms:CreateGrant", nobody.clone()));
}

#[test]
fn in_a_closed_world_a_grantee_may() {
    let Some(solver) = solver() else { return };
    let key = policy(&[allow("arn:aws:iam::111122223333:user/alice")]);
    let grants = [grant(APP, &["Decrypt"], json!({}))];
    let holders = [Holder { arn: APP.to_owned(), identity: Vec::new(), boundary: None }];
    let never = |except: &[&str]| {
        let except: Vec<String> = except.iter().map(|one| (*one).to_owned()).collect();
        let prover = Prover::new(&solver, Some(KEY)).granting(&grants).unwrap();
        prover.never(&key, "kms:Decrypt", &except, &holders).unwrap()
    };
    let alice = "arn:aws:iam::111122223333:user/alice";
    assert!(never(&[alice, APP]).is_proved());
    let caller = found(&never(&[alice]))["caller"].clone();
    assert!(caller.as_str().unwrap().contains(":assumed-role/app/"), "{caller}");
}

/// Requests that a proof has to survive.
const REQUESTS: usize = 300;

/// Whether the engine allows a request under a policy, with what stands around it.
fn allows(
    engine: &PolicyEngine,
    request: &Value,
    policy: &Value,
    grants: Option<&[Value]>,
) -> bool {
    let mut vector = request.clone();
    vector["keyPolicy"] = policy.clone();
    vector["grants"] = json!(grants.unwrap_or_default());
    let vector = Vector::read(&vector).unwrap_or_else(|why| panic!("{why}: {vector}"));
    vector.put(|question| engine.decide_tersely(question)).allowed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The seed is what a failure prints.
    #[test]
    fn what_is_proved_holds_with_what_stands_around(seed in any::<u64>()) {
        let mut luck = Luck::new(seed);
        let engine = PolicyEngine::new();
        let Some(solver) = solver() else { return Ok(()) };
        let around = samples::around(&mut luck);
        let prover = Prover::new(&solver, Some(KEY))
            .within(&around.organization)
            .unwrap()
            .granting(&around.grants)
            .unwrap();
        let old = samples::policy(&mut luck);
        let new = samples::changed(&mut luck, &old);
        let grants = Some(around.grants.as_slice());
        let verdict = prover
            .no_new_access(&old.to_string(), &new.to_string(), None, Surroundings::Any)
            .unwrap();
        let difference = (0..REQUESTS).map(|_| around.request(&mut luck, false)).find(|request| {
            allows(&engine, request, &new, grants) && !allows(&engine, request, &old, grants)
        });
        let place = || format!("{:?}\nold {old}\nnew {new}", around);
        match (&verdict, difference) {
            (Verdict::Proved, Some(request)) => {
                prop_assert!(false, "proved, but {request}\n{}", place());
            }
            (Verdict::Refuted(found), _) => {
                prop_assert!(allows(&engine, &found.vector, &new, grants), "{} {}", found.vector, place());
                prop_assert!(!allows(&engine, &found.vector, &old, grants), "{} {}", found.vector, place());
            }
            _ => {}
        }
    }

    #[test]
    fn only_these_may_and_those_to_whom_it_is_granted(seed in any::<u64>()) {
        let mut luck = Luck::new(seed);
        let engine = PolicyEngine::new();
        let Some(solver) = solver() else { return Ok(()) };
        let around = samples::around(&mut luck);
        let prover = Prover::new(&solver, Some(KEY))
            .within(&around.organization)
            .unwrap()
            .granting(&around.grants)
            .unwrap();
        let policy = samples::policy(&mut luck);
        let who = vec![
            luck.pick(&["111122223333", APP, CAROL]).to_owned(),
            luck.pick(&["444455556666", "arn:aws:iam::111122223333:user/alice"]).to_owned(),
        ];
        let bound = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": &who}, "Action": "*", "Resource": "*",
        }]});
        let action = luck.pick(&["kms:Decrypt", "kms:CreateGrant", "kms:DescribeKey"]);
        let verdict = prover.only(&policy.to_string(), &who, &one(action)).unwrap();
        let grants = Some(around.grants.as_slice());
        let outside = |request: &Value| {
            allows(&engine, request, &policy, grants) && !allows(&engine, request, &bound, None)
        };
        let mut requests = (0..REQUESTS).map(|_| {
            let mut request = around.request(&mut luck, true);
            request["action"] = json!(action);
            request
        });
        let difference = requests.find(outside);
        let place = || format!("{action} {:?} {who:?}\n{policy}", around);
        match (&verdict, difference) {
            (Verdict::Proved, Some(request)) => prop_assert!(false, "proved, but {request}\n{}", place()),
            (Verdict::Refuted(found), _) => prop_assert!(outside(&found.vector), "{} {}", found.vector, place()),
            _ => {}
        }
    }
}

/// The model is exact enough to be of use here too.
#[test]
fn little_is_undecided() {
    let Some(solver) = solver() else { return };
    let (mut counts, mut unknown) = ([0_usize; 2], Vec::new());
    for seed in 0..30 {
        let mut luck = Luck::new(seed);
        let around = samples::around(&mut luck);
        let prover = Prover::new(&solver, Some(KEY));
        let prover = prover.within(&around.organization).unwrap().granting(&around.grants).unwrap();
        let old = samples::policy(&mut luck);
        let new = samples::changed(&mut luck, &old);
        let asked =
            prover.no_new_access(&old.to_string(), &new.to_string(), None, Surroundings::Any);
        match asked.unwrap() {
            Verdict::Proved => counts[0] += 1,
            Verdict::Refuted(_) => counts[1] += 1,
            Verdict::Unknown(why) => unknown.push((seed, why)),
        }
    }
    println!("{counts:?} {unknown:#?}");
    assert!(unknown.len() <= 4, "{unknown:#?}");
    assert!(4 < counts[0] && 4 < counts[1], "{counts:?}");
}
