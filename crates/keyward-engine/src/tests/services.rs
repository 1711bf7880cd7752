//! Services that call by themselves, and what fronts state of those that call for somebody.

use super::{
    organization::{ROOT, UNIT, fronted, organization},
    world::{ACCOUNT, OTHER, REGION, TestWorld},
};
use keyward_types::ErrorCode;
use serde_json::{Value, json};
use std::sync::Arc;

const SERVICE: &str = "backup.amazonaws.com";
const VAULT: &str = "arn:aws:backup:us-east-1:111122223333:vault/books";

#[test]
fn what_a_front_states_may_hold_several_values_and_nothing_of_the_callers() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let through = [
        ("aws:calledvia", "athena.amazonaws.com, glue.amazonaws.com"),
        ("kms:viaservice", "s3.us-east-1.amazonaws.com"),
        ("kms:grantisforawsresource", "true"),
        ("aws:principalarn", "arn:aws:iam::444455556666:root"),
        ("aws:principalorgid", "o-abcdef1234"),
        ("aws:principaltag/team", "blue"),
        ("aws:multifactorauthpresent", "true"),
        ("aws:sourceip", "10.0.0.1"),
        ("kms:encryptioncontext:project", "Snowy"),
        ("kms:requestalias", "alias/forged"),
    ];
    let caller = fronted(&world.root, &through);
    let list = json!({"KeyId": key});
    for (condition, denied) in [
        (json!({"ForAnyValue:StringEquals": {"aws:CalledVia": "glue.amazonaws.com"}}), true),
        (json!({"ForAnyValue:StringLike": {"aws:CalledVia": "*,*"}}), false),
        (json!({"StringEquals": {"aws:CalledViaFirst": "athena.amazonaws.com"}}), true),
        (json!({"StringEquals": {"aws:CalledViaLast": "glue.amazonaws.com"}}), true),
        (json!({"Bool": {"aws:ViaAWSService": "true"}}), true),
        (json!({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}), true),
        (json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}), true),
        (json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::444455556666:root"}}), false),
        (json!({"Null": {"aws:PrincipalOrgID": "false"}}), false),
        (json!({"Null": {"aws:PrincipalTag/team": "false"}}), false),
        (json!({"Null": {"aws:MultiFactorAuthPresent": "false"}}), false),
        (json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), false),
        (json!({"Null": {"kms:EncryptionContext:Project": "false"}}), false),
        (json!({"Null": {"kms:RequestAlias": "false"}}), false),
    ] {
        let root = json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"});
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:ListGrants", "Resource": "*", "Condition": condition});
        world.set_key_policy(&key, &json!({"Version": "2012-10-17", "Statement": [root, deny]}));
        assert_eq!(world.call(&caller, "ListGrants", &list).is_err(), denied, "{condition}");
        let plain = world.call(&world.root, "ListGrants", &list);
        assert!(plain.is_ok() || !denied, "{condition} without a front");
    }
}

#[test]
fn a_service_uses_a_grant_for_its_own_source_alone() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let retirer = world.user("retirer", &[]);
    let mut asked = json!({
        "KeyId": key, "GranteeServicePrincipal": SERVICE, "RetiringServicePrincipal": "vault.amazonaws.com",
        "Operations": ["Encrypt", "DescribeKey", "CreateGrant"], "Constraints": {"SourceArn": VAULT},
    });
    let grant = world.ok("CreateGrant", asked.clone());
    let listed = world.ok("ListGrants", json!({"KeyId": key}));
    assert_eq!(listed["Grants"][0]["GranteeServicePrincipal"], SERVICE);
    assert_eq!(listed["Grants"][0]["RetiringServicePrincipal"], "vault.amazonaws.com");
    let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}");
    let encrypt = json!({"KeyId": arn, "Plaintext": "aGk="});
    let service = |name: &str, source: &[(&str, &str)]| Arc::new(world.service(name, source));
    let right = service(SERVICE, &[("aws:sourcearn", VAULT), ("aws:sourceaccount", ACCOUNT)]);
    world.ok_as(&right, "Encrypt", encrypt.clone());
    let event = world.last_event();
    assert_eq!(event["userIdentity"], json!({"type": "AWSService", "invokedBy": SERVICE}));
    assert_eq!(
        (&event["sourceIPAddress"], &event["eventName"]),
        (&json!(SERVICE), &json!("Encrypt"))
    );
    for other in [
        service(SERVICE, &[]),
        service(SERVICE, &[("aws:sourcearn", "arn:aws:backup:us-east-1:444455556666:vault/books")]),
        service("vault.amazonaws.com", &[("aws:sourcearn", VAULT)]),
        service("backup.amazonaws.com.example.com", &[("aws:sourcearn", VAULT)]),
    ] {
        world.fails_as(&other, "Encrypt", encrypt.clone(), ErrorCode::AccessDenied);
    }
    world.fails_as(
        &right,
        "Decrypt",
        json!({"CiphertextBlob": "AAAA"}),
        ErrorCode::InvalidCiphertext,
    );
    world.fails_as(
        &right,
        "GenerateDataKey",
        json!({"KeyId": arn, "KeySpec": "AES_256"}),
        ErrorCode::AccessDenied,
    );
    // What it hands on is the key owner's to end, and no wider than what it has.
    asked["Operations"] = json!(["Encrypt"]);
    let child = world.ok_as(&right, "CreateGrant", asked.clone());
    asked["Constraints"] =
        json!({"SourceArn": "arn:aws:backup:us-east-1:111122223333:vault/other"});
    world.fails_as(&right, "CreateGrant", asked.clone(), ErrorCode::AccessDenied);
    let retire = |id: &Value| json!({"KeyId": arn, "GrantId": id});
    world.fails_as(&retirer, "RetireGrant", retire(&grant["GrantId"]), ErrorCode::AccessDenied);
    world.fails_as(&right, "RetireGrant", retire(&grant["GrantId"]), ErrorCode::AccessDenied);
    world.ok("RetireGrant", retire(&child["GrantId"]));
    let vault = service("vault.amazonaws.com", &[]);
    world.ok_as(&vault, "RetireGrant", retire(&grant["GrantId"]));
    world.fails_as(&right, "Encrypt", encrypt, ErrorCode::AccessDenied);

    for (member, value, words) in [
        ("Constraints", json!({}), "requires a SourceArn grant constraint"),
        ("RetiringServicePrincipal", Value::Null, "requires RetiringPrincipal or"),
        ("GranteePrincipal", json!(retirer.arn), "both GranteePrincipal and"),
        ("RetiringPrincipal", json!(retirer.arn), "both RetiringPrincipal and"),
        ("GranteeServicePrincipal", json!("backup"), "granteeServicePrincipal"),
    ] {
        let mut bad = asked.clone();
        bad[member] = value;
        let said = world.fails("CreateGrant", bad, ErrorCode::Validation);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_key_policy_names_a_service_and_its_source() {
    let world = TestWorld::new();
    world.own_ok("PutOrganization", &organization(&[], &json!([])));
    let key = world.symmetric();
    let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}");
    let encrypt = json!({"KeyId": arn, "Plaintext": "aGk="});
    let put = |condition: Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "kms:Encrypt", "Resource": "*", "Condition": condition},
        ]});
        world.ok("PutKeyPolicy", json!({"KeyId": key, "Policy": policy.to_string()}));
    };
    let of = |account: &'static str| {
        Arc::new(
            world.service(SERVICE, &[("aws:sourcearn", VAULT), ("aws:sourceaccount", account)]),
        )
    };
    let (own, member, stranger) = (of(ACCOUNT), of(OTHER), of("999999999999"));
    world.fails_as(&own, "Encrypt", encrypt.clone(), ErrorCode::AccessDenied);
    for (condition, allowed) in [
        (json!({"StringEquals": {"aws:SourceAccount": ACCOUNT}}), [true, false, false]),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:backup:*:111122223333:vault/*"}}), [true; 3]),
        (json!({"StringEquals": {"aws:SourceOrgID": "o-abcdef1234"}}), [true, true, false]),
        (
            json!({"ForAnyValue:StringLike": {"aws:SourceOrgPaths": format!("o-abcdef1234/{ROOT}/{UNIT}/*")}}),
            [false, true, false],
        ),
        (json!({"Null": {"aws:PrincipalOrgID": "false"}}), [false; 3]),
        (json!({"StringEquals": {"aws:ResourceOrgID": "o-abcdef1234"}}), [true; 3]),
    ] {
        put(condition.clone());
        for (caller, allowed) in [&own, &member, &stranger].into_iter().zip(allowed) {
            let answer = world.call(caller, "Encrypt", &encrypt);
            assert_eq!(answer.is_ok(), allowed, "{condition} {:?}", caller.origin.trusted_facts);
        }
    }
    // Its event stands in the log of the key's owner.
    let member = world.other_root();
    let theirs = world.ok_as(&member, "CreateKey", json!({}))["KeyMetadata"]["Arn"].clone();
    world.fails_as(
        &own,
        "Encrypt",
        json!({"KeyId": theirs, "Plaintext": "aGk="}),
        ErrorCode::AccessDenied,
    );
    assert_eq!(world.last_event()["recipientAccountId"], OTHER);
    // Not the account's users, even by the same name.
    put(json!({}));
    let user = world.user("backup", &[]);
    world.fails_as(&user, "Encrypt", encrypt, ErrorCode::AccessDenied);
}
