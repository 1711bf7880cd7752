//! Seeds: all or nothing, the same twice, and errors that name the place.

use crate::world::{ACCOUNT, Login, Scene, session};
use keyward_engine::{Seed, Seeded};
use keyward_types::ErrorCode;
use serde_json::json;

const DEMO: &str = include_str!("../../../../tests/seeds/demo.yaml");
const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

fn read(yaml: &str) -> Seed {
    serde_norway::from_str(yaml).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(scene: &Scene, yaml: &str) -> String {
    let before = (scene.engine.store().snapshot(), scene.events().len());
    let error = scene.engine.seed(&read(yaml)).expect_err("the seed is refused");
    assert_eq!(
        (scene.engine.store().snapshot(), scene.events().len()),
        before,
        "something was done"
    );
    error.to_string()
}

fn login(id: &str) -> Login {
    Login { id: id.to_owned(), token: None }
}

#[test]
fn the_demonstration_works_as_it_says() {
    let scene = Scene::new();
    let made = scene.engine.seed(&read(DEMO)).unwrap();
    assert_eq!(
        (made.users, made.roles, made.access_keys, made.keys, made.aliases, made.grants, made.kept),
        (3, 1, 4, 1, 1, 1, 0)
    );
    assert_eq!((made.managed_policies, made.groups), (1, 1));

    let app = login("AKIAAPP0000000000000");
    let sealed = scene.kms(&app, "Encrypt", json!({"KeyId": "alias/demo", "Plaintext": "aGk=", "EncryptionContext": {"app": "demo", "purpose": "reports"}}));
    assert_eq!(sealed["KeyId"], json!(format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{KEY}")));
    let without =
        json!({"KeyId": "alias/demo", "Plaintext": "aGk=", "EncryptionContext": {"app": "other"}});
    assert_eq!(
        scene.refused(&app, keyward_engine::Service::Kms, "Encrypt", without).0,
        ErrorCode::AccessDenied
    );

    let auditor = login("AKIAAUDITOR000000000");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/Analyst");
    let analyst = session(&scene.sts(
        &auditor,
        "AssumeRole",
        json!({"RoleArn": role, "RoleSessionName": "q3"}),
    ));
    let open = json!({"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": {"app": "demo", "purpose": "reports"}});
    assert_eq!(scene.kms(&analyst, "Decrypt", open.clone())["Plaintext"], json!("aGk="));
    assert_eq!(
        scene.refused(&auditor, keyward_engine::Service::Kms, "Decrypt", open).0,
        ErrorCode::AccessDenied
    );

    // What the auditor's group attaches.
    scene.kms(&auditor, "DescribeKey", json!({"KeyId": KEY}));
    let status =
        scene.kms(&login("AKIAALICE00000000000"), "GetKeyRotationStatus", json!({"KeyId": KEY}));
    assert_eq!(
        (&status["KeyRotationEnabled"], &status["RotationPeriodInDays"]),
        (&json!(true), &json!(365))
    );
}

#[test]
fn the_same_seed_twice_changes_nothing_and_another_is_refused() {
    let scene = Scene::new();
    scene.engine.seed(&read(DEMO)).unwrap();
    let events = scene.events().len();
    let again = scene.engine.seed(&read(DEMO)).unwrap();
    assert_eq!(again, Seeded { kept: 13, ..Seeded::default() });
    assert_eq!(scene.events().len(), events);

    for (from, to, words) in [
        (
            "{ team: platform }\n    policies",
            "{ team: data }\n    policies",
            "users[0]: arn:aws:iam::111122223333:user/alice exists and differs in tags",
        ),
        (
            "alice-secret",
            "other-secret",
            "users[0].accessKeys[0]: the access key AKIAALICE00000000000 exists and differs in its secret",
        ),
        (
            "maxSessionSeconds: 7200",
            "maxSessionSeconds: 3600",
            "roles[0]: arn:aws:iam::111122223333:role/Analyst exists and differs in maxSessionSeconds",
        ),
        (
            "Looks at keys and uses none",
            "Something else",
            "managedPolicies[0]: arn:aws:iam::111122223333:policy/ReadKeys exists and differs in description",
        ),
        ("groups: [auditors]\n", "groups: []\n", "exists and differs in groups"),
        ("rotationDays: 365", "rotationDays: 100", "differs in rotationDays"),
    ] {
        let changed = DEMO.replacen(from, to, 1);
        assert_ne!(changed, DEMO);
        let said = refused(&scene, &changed);
        assert!(said.contains(words) && !said.contains("other-secret"), "{said}");
        let kept = scene.engine.seed(&read(&format!("existing: keep\n{changed}"))).unwrap();
        assert_eq!(kept.made, Vec::<String>::new());
    }
}

#[test]
fn errors_name_their_place_and_leave_nothing() {
    let scene = Scene::new();
    let user = "users:\n  - name: a\n";
    for (yaml, words) in [
        (
            "users:\n  - name: a\n  - name: b c\n".to_owned(),
            "users[1]: 1 validation error detected: Value 'b c' at 'userName'",
        ),
        (
            "users:\n  - name: a\n  - name: A\n".to_owned(),
            "users[1]: User with name A already exists.",
        ),
        (
            format!(
                "{user}    policies:\n      app: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Action: 'kms:Nothing', Resource: '*'}}]}}\n"
            ),
            "users[0].policies.app: ",
        ),
        (
            format!("{user}    accessKeys: [{{id: X, secret: s}}, {{id: X, secret: s}}]\n"),
            "users[0].accessKeys[1]: the access key id X stands twice",
        ),
        (
            format!("{user}    groups: [nobody]\n"),
            "users[0].groups.nobody: The group with name nobody cannot be found.",
        ),
        (
            format!("{user}    attached: ['arn:aws:iam::{ACCOUNT}:policy/p']\n"),
            "users[0].attached.arn:aws:iam::111122223333:policy/p: Policy ",
        ),
        (
            format!("{user}    boundary: 'arn:aws:iam::{ACCOUNT}:policy/p'\n"),
            "users[0]: Scope ARN: ",
        ),
        ("managedPolicies:\n  - {name: p, document: '{}'}\n".to_owned(), "managedPolicies[0]: "),
        ("keys:\n  - id: abc\n".to_owned(), "keys[0].id: "),
        (
            format!("keys:\n  - id: {KEY}\n    spec: RSA_2048\n"),
            "keys[0]: You must specify a KeyUsage",
        ),
        (
            format!("keys:\n  - id: {KEY}\n    material: AAAA\n"),
            "keys[0]: The material is not that of a SYMMETRIC_DEFAULT key",
        ),
        (format!("keys:\n  - id: {KEY}\n    rotationDays: 12\n"), "keys[0].rotationDays: "),
        (format!("keys:\n  - id: {KEY}\n    aliases: [demo]\n"), "keys[0].aliases[0]: "),
        (
            "aliases:\n  - {name: alias/x, key: 1234abcd-12ab-34cd-56ef-1234567890ab}\n".to_owned(),
            "aliases[0]: Key ",
        ),
        (
            format!(
                "keys:\n  - id: {KEY}\ngrants:\n  - {{key: {KEY}, grantee: 'arn:aws:iam::{ACCOUNT}:user/nobody', operations: [Decrypt]}}\n"
            ),
            "grants[0]: ARN does not refer to a valid principal",
        ),
        (
            format!(
                "keys:\n  - id: {KEY}\n    spec: HMAC_256\n    usage: GENERATE_VERIFY_MAC\ngrants:\n  - {{key: {KEY}, grantee: 'arn:aws:iam::{ACCOUNT}:root', operations: [Decrypt]}}\n"
            ),
            "grants[0]: Grant operation Decrypt",
        ),
    ] {
        let said = refused(&scene, &yaml);
        assert!(said.starts_with(words), "{yaml}\nsaid: {said}");
    }
    for yaml in ["user: []", "users: [{name: a, pasword: x}]", "accounts: [{id: '12'}]"] {
        assert!(serde_norway::from_str::<Seed>(yaml).is_err(), "{yaml}");
    }
}

const ORGANIZATION: &str = include_str!("../../../../tests/seeds/organization.yaml");

#[test]
fn an_organization_endpoints_and_services_are_seeded_once() {
    let scene = Scene::new();
    let made = scene.engine.seed(&read(ORGANIZATION)).unwrap();
    assert_eq!((made.organizations, made.vpc_endpoints, made.access_keys), (1, 1, 5));
    let organization = scene.engine.store().organization().unwrap().unwrap();
    let member = keyward_types::AccountId::parse("111122223333").unwrap();
    let path = "o-keyward0stories/r-root/ou-root-workloads/";
    assert_eq!(organization.path(&member).as_deref(), Some(path));
    assert_eq!(organization.management_account, scene.engine.settings().account);
    assert!(scene.engine.credential("AKIABACKUPSERVICE001", None).unwrap().is_service());
    let again = scene.engine.seed(&read(ORGANIZATION)).unwrap();
    assert_eq!((again.made, again.kept), (Vec::new(), 12));

    for (from, to, words) in [
        (
            "name: workloads",
            "name: other",
            "organization: the organization o-keyward0stories exists and differs",
        ),
        (
            "vpc: vpc-0a1b2c3d",
            "vpc: vpc-2",
            "vpcEndpoints[0]: vpce-0a1b2c3d exists and differs in vpc",
        ),
        ("parent: ou-root-workloads", "parent: ou-root-elsewhere", "organization: Accounts[0]: "),
        ("rootId: r-root", "rootId: root", "organization: 2 validation errors detected"),
        ("backup-service", "another", "services[0].accessKeys[0]: the access key"),
        ("name: backup.amazonaws.com", "name: backup", "services[0].name: a service is named"),
    ] {
        let changed = ORGANIZATION.replacen(from, to, 1);
        assert_ne!(changed, ORGANIZATION, "{from}");
        let said = refused(&scene, &changed);
        assert!(said.starts_with(words), "{said}");
    }
    let attached = "organization: { id: o-keyward0other1, rootId: r-root, accounts: [{ id: 222233334444 }], policies: [{ name: p, type: SERVICE_CONTROL_POLICY, document: { Version: '2012-10-17', Statement: [{ Effect: Allow, Action: '*', Resource: '*' }] } }], attachments: [{ target: 222233334444, policies: [p] }], withoutFullAWSAccess: [222233334444] }";
    let empty = Scene::new();
    empty.engine.seed(&read(attached)).unwrap();
    let organization = empty.engine.store().organization().unwrap().unwrap();
    assert!(organization.attachments.contains_key("222233334444"));
}

#[test]
fn what_comes_later_in_the_file_may_be_named_before() {
    let scene = Scene::new();
    let yaml = format!(
        r#"
users:
  - name: app
    account: {ACCOUNT}
roles:
  - name: Second
    trust: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{ACCOUNT}:role/First"}}, Action: "sts:AssumeRole"}}]}}
  - name: First
    trust: '{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/app"}},"Action":"sts:AssumeRole"}}]}}'
keys:
  - id: {KEY}
    enabled: false
    material: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=
    policy: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{ACCOUNT}:role/First"}}, Action: "kms:*", Resource: "*"}}]}}
"#
    );
    let made = scene.engine.seed(&read(&yaml)).unwrap();
    assert_eq!((made.users, made.roles, made.keys), (1, 2, 1));
    let events: Vec<_> = scene
        .events()
        .iter()
        .map(|event| (event["eventName"].clone(), event["eventType"].clone()))
        .collect();
    for name in ["CreateUser", "CreateRole", "CreateKey", "DisableKey"] {
        assert!(events.contains(&(json!(name), json!("AwsServiceEvent"))), "{name} in {events:?}");
    }
}

#[test]
fn policies_groups_and_boundaries_of_the_file_count() {
    let scene = Scene::new();
    let yaml = format!(
        r#"
managedPolicies:
  - {{name: Use, path: /kms/, document: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: ["kms:*", "sts:*"], Resource: "*"}}]}}, tags: {{a: b}}}}
  - {{name: Cap, document: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: "kms:List*", Resource: "*"}}]}}}}
groups:
  - name: G
    attached: ["arn:aws:iam::{ACCOUNT}:policy/kms/Use"]
    policies:
      no: {{Version: "2012-10-17", Statement: [{{Effect: Deny, Action: "kms:ListAliases", Resource: "*"}}]}}
users:
  - name: member
    groups: [G]
    boundary: "arn:aws:iam::{ACCOUNT}:policy/Cap"
    accessKeys: [{{id: MEMBER, secret: s}}]
  - name: administrator
    attached: ["arn:aws:iam::aws:policy/AdministratorAccess"]
    accessKeys: [{{id: ADMINISTRATOR, secret: s}}]
roles:
  - name: R
    trust: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Principal: {{AWS: "{ACCOUNT}"}}, Action: "sts:AssumeRole"}}]}}
    attached: ["arn:aws:iam::{ACCOUNT}:policy/kms/Use"]
    boundary: "arn:aws:iam::{ACCOUNT}:policy/Cap"
"#
    );
    let made = scene.engine.seed(&read(&yaml)).unwrap();
    assert_eq!((made.managed_policies, made.groups, made.users, made.roles), (2, 1, 2, 1));
    let again = scene.engine.seed(&read(&yaml)).unwrap();
    assert_eq!((again.made.len(), again.kept), (0, 8));

    let denied = |who: &Login, operation: &str| {
        scene.refused(who, keyward_engine::Service::Kms, operation, json!({})).0
    };
    let role = format!("arn:aws:iam::{ACCOUNT}:role/R");
    let administrator = login("ADMINISTRATOR");
    let assume = json!({"RoleArn": role, "RoleSessionName": "day"});
    let role = session(&scene.sts(&administrator, "AssumeRole", assume));
    for who in [&login("MEMBER"), &role] {
        scene.kms(who, "ListKeys", json!({}));
        assert_eq!(denied(who, "CreateKey"), ErrorCode::AccessDenied);
    }
    assert_eq!(denied(&login("MEMBER"), "ListAliases"), ErrorCode::AccessDenied);
    scene.kms(&role, "ListAliases", json!({}));
    scene.kms(&administrator, "CreateKey", json!({}));
}

#[test]
fn material_of_the_file_opens_ciphertexts_of_another_store() {
    let yaml = format!(
        "keys:\n  - id: {KEY}\n    material: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=\n"
    );
    let (one, other) = (Scene::new(), Scene::new());
    let seal = |scene: &Scene| {
        scene.engine.seed(&read(&yaml)).unwrap();
        scene.kms(&scene.root(), "Encrypt", json!({"KeyId": KEY, "Plaintext": "aGk="}))
    };
    let (sealed, _) = (seal(&one), seal(&other));
    assert_eq!(
        other.kms(&other.root(), "Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}))["Plaintext"],
        json!("aGk=")
    );
}

#[test]
fn root_credentials_are_made_once() {
    let scene = Scene::new();
    let account = crate::world::account(ACCOUNT);
    assert!(scene.engine.ensure_root(&account, "test", "test").unwrap());
    assert!(!scene.engine.ensure_root(&account, "test", "test").unwrap());
    assert_eq!(
        scene.engine.ensure_root(&account, "test", "other").unwrap_err().code,
        ErrorCode::Conflict
    );
    let elsewhere = crate::world::account("999999999999");
    assert_eq!(
        scene.engine.ensure_root(&elsewhere, "test", "test").unwrap_err().code,
        ErrorCode::Conflict
    );
    scene.sts(&login("test"), "GetCallerIdentity", json!({}));
}
