//! What narrows, tags and chains sessions: managed session policies, transitive tags, federated users.

use crate::world::{ACCOUNT, Login, Scene, allow, session, text, trust};
use keyward_engine::Service;
use keyward_types::ErrorCode;
use serde_json::{Value, json};

const POWER_USER: &str = "arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser";

fn user_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

fn role(scene: &Scene, name: &str, principals: &[&str], actions: &[&str]) -> String {
    let root = scene.root();
    let made = scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": name, "AssumeRolePolicyDocument": trust(principals)}),
    );
    let policy = json!({"RoleName": name, "PolicyName": "p", "PolicyDocument": allow(actions)});
    scene.iam(&root, "PutRolePolicy", policy);
    text(&made, "/Role/Arn")
}

fn may(scene: &Scene, login: &Login, operation: &str, body: Value) -> bool {
    match scene.call(login, Service::Kms, operation, &body) {
        Ok(_) => true,
        Err(error) if error.code == ErrorCode::AccessDenied => false,
        Err(error) => panic!("{operation}: {error}"),
    }
}

#[test]
fn a_managed_session_policy_narrows() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let role = role(&scene, "R", &[&user_arn("ann")], &["kms:*"]);
    let narrow =
        json!({"RoleArn": role, "RoleSessionName": "s1", "PolicyArns": [{"arn": POWER_USER}]});
    let said = scene.sts(&ann, "AssumeRole", narrow);
    assert!(said["PackedPolicySize"].as_u64().unwrap() > 0);
    let login = session(&said);
    // The power user's policy lists keys and does not disable them.
    assert!(may(&scene, &login, "ListKeys", json!({})));
    let key = text(&scene.kms(&root, "CreateKey", json!({})), "/KeyMetadata/KeyId");
    assert!(!may(&scene, &login, "DisableKey", json!({"KeyId": key})));
    let wide =
        session(&scene.sts(&ann, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s2"})));
    assert!(may(&scene, &wide, "DisableKey", json!({"KeyId": key})));

    let many: Vec<Value> = (0..11).map(|_| json!({"arn": POWER_USER})).collect();
    let many = json!({"RoleArn": role, "RoleSessionName": "s1", "PolicyArns": many});
    assert!(scene.refused_sts(&ann, "AssumeRole", many).1.contains("at 'policyArns'"));
}

#[test]
fn transitive_tags_go_along_the_chain() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let first = role(&scene, "First", &[&user_arn("ann")], &["sts:*"]);
    let second = role(&scene, "Second", &[&first], &["kms:*"]);
    let key = text(&scene.kms(&root, "CreateKey", json!({})), "/KeyMetadata/KeyId");
    let by_tag = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/project": "x"}},
    }]});
    let by_tag = by_tag.to_string();
    scene.iam(
        &root,
        "PutRolePolicy",
        json!({"RoleName": "Second", "PolicyName": "p", "PolicyDocument": by_tag}),
    );

    let tags = json!([{"Key": "project", "Value": "x"}, {"Key": "stays", "Value": "here"}]);
    let unknown = json!({"RoleArn": first, "RoleSessionName": "s1", "Tags": tags, "TransitiveTagKeys": ["other"]});
    assert_eq!(scene.refused_sts(&ann, "AssumeRole", unknown).0, ErrorCode::IamInvalidInput);
    let with = json!({"RoleArn": first, "RoleSessionName": "s1", "Tags": tags, "TransitiveTagKeys": ["project"]});
    let one = session(&scene.sts(&ann, "AssumeRole", with));
    let without = json!({"RoleArn": first, "RoleSessionName": "s1", "Tags": tags});
    let other = session(&scene.sts(&ann, "AssumeRole", without));

    let next = json!({"RoleArn": second, "RoleSessionName": "s2"});
    let two = session(&scene.sts(&one, "AssumeRole", next.clone()));
    assert!(may(&scene, &two, "DescribeKey", json!({"KeyId": key})));
    let two = session(&scene.sts(&other, "AssumeRole", next));
    assert!(!may(&scene, &two, "DescribeKey", json!({"KeyId": key})));
    let again = json!({"RoleArn": second, "RoleSessionName": "s2", "Tags": [{"Key": "Project", "Value": "y"}]});
    assert_eq!(scene.refused_sts(&one, "AssumeRole", again).0, ErrorCode::IamInvalidInput);
}

#[test]
fn a_federated_user_has_what_session_and_user_both_allow() {
    let scene = Scene::new();
    let root = scene.root();
    let ann =
        scene.user(&root, "ann", &["kms:ListKeys", "kms:ListAliases", "sts:GetFederationToken"]);
    let bob = scene.user(&root, "bob", &["kms:*"]);
    assert_eq!(
        scene.refused_sts(&bob, "GetFederationToken", json!({"Name": "fed"})).0,
        ErrorCode::AccessDenied
    );
    let made = scene.sts(
        &ann,
        "GetFederationToken",
        json!({"Name": "fed", "Policy": allow(&["kms:ListKeys", "kms:CreateKey"])}),
    );
    assert_eq!(
        text(&made, "/FederatedUser/Arn"),
        format!("arn:aws:sts::{ACCOUNT}:federated-user/fed")
    );
    let fed = session(&made);
    assert!(may(&scene, &fed, "ListKeys", json!({})));
    assert!(!may(&scene, &fed, "ListAliases", json!({})), "not in the session policy");
    assert!(!may(&scene, &fed, "CreateKey", json!({})), "not in the user's policies");
    let who = scene.last_event();
    assert_eq!(who["userIdentity"]["type"], "FederatedUser");
    assert_eq!(who["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"], user_arn("ann"));

    // Without a session policy only what names the session itself.
    let bare = session(&scene.sts(&ann, "GetFederationToken", json!({"Name": "fed"})));
    assert!(!may(&scene, &bare, "ListKeys", json!({})));
    let key = text(&scene.kms(&root, "CreateKey", json!({})), "/KeyMetadata/KeyId");
    scene.kms(
        &root,
        "CreateGrant",
        json!({"KeyId": key, "GranteePrincipal": format!("arn:aws:sts::{ACCOUNT}:federated-user/fed"), "Operations": ["DescribeKey"]}),
    );
    assert!(may(&scene, &bare, "DescribeKey", json!({"KeyId": key})));

    // Temporary credentials make no federated ones, and a deleted user's end.
    let temporary = session(&scene.sts(&ann, "GetSessionToken", json!({})));
    assert_eq!(
        scene.refused_sts(&temporary, "GetFederationToken", json!({"Name": "fed"})).1,
        "Cannot call GetFederationToken with session credentials"
    );
}

#[test]
fn an_access_key_tells_its_account() {
    let scene = Scene::new();
    let root = scene.root();
    let said = scene.sts(&root, "GetAccessKeyInfo", json!({"AccessKeyId": root.id}));
    assert_eq!(text(&said, "/Account"), ACCOUNT);
    let absent = json!({"AccessKeyId": "AKIAABSENTABSENT"});
    assert_eq!(scene.refused_sts(&root, "GetAccessKeyInfo", absent).0, ErrorCode::Validation);
}

#[test]
fn a_federated_user_makes_no_more_of_its_credentials() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &["*"]);
    let fed = session(&scene.sts(
        &ann,
        "GetFederationToken",
        json!({"Name": "fed", "Policy": allow(&["*"])}),
    ));
    assert_eq!(
        scene.refused_iam(&fed, "CreateAccessKey", json!({"UserName": "ann"})).0,
        ErrorCode::UnrecognizedClient
    );
    let role = role(&scene, "R", &[ACCOUNT], &["kms:*"]);
    let body = json!({"RoleArn": role, "RoleSessionName": "s1"});
    assert_eq!(scene.refused_sts(&fed, "AssumeRole", body).0, ErrorCode::AccessDenied);
}

#[test]
fn a_user_made_again_is_not_whom_a_policy_names_through_a_federated_session_either() {
    let scene = Scene::new();
    let root = scene.root();
    scene.user(&root, "ann", &["sts:GetFederationToken"]);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "kms:PutKeyPolicy", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": user_arn("ann")}, "Action": "kms:DescribeKey", "Resource": "*"},
    ]});
    let key = scene.kms(&root, "CreateKey", json!({"Policy": policy.to_string()}));
    let body = json!({"KeyId": text(&key, "/KeyMetadata/KeyId")});
    let lend = |scene: &Scene, ann: &Login| {
        let narrow = json!({"Name": "fed", "Policy": allow(&["kms:DescribeKey"])});
        session(&scene.sts(ann, "GetFederationToken", narrow))
    };
    let ann = scene.login(&root, "ann");
    assert!(may(&scene, &lend(&scene, &ann), "DescribeKey", body.clone()));
    let keys = scene.iam(&root, "ListAccessKeys", json!({"UserName": "ann"}));
    for key in keys["AccessKeyMetadata"].as_array().unwrap() {
        scene.iam(
            &root,
            "DeleteAccessKey",
            json!({"UserName": "ann", "AccessKeyId": key["AccessKeyId"]}),
        );
    }
    scene.iam(&root, "DeleteUserPolicy", json!({"UserName": "ann", "PolicyName": "p"}));
    scene.iam(&root, "DeleteUser", json!({"UserName": "ann"}));
    let ann = scene.user(&root, "ann", &["sts:GetFederationToken"]);
    assert!(!may(&scene, &lend(&scene, &ann), "DescribeKey", body));
}

#[test]
fn a_session_tag_takes_the_place_of_the_roles_in_any_case() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let role = role(&scene, "R", &[&user_arn("ann")], &["sts:*"]);
    scene.iam(
        &root,
        "TagRole",
        json!({"RoleName": "R", "Tags": [{"Key": "Team", "Value": "red"}]}),
    );
    let by_tag = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue"}},
    }]});
    scene.iam(
        &root,
        "PutRolePolicy",
        json!({"RoleName": "R", "PolicyName": "p", "PolicyDocument": by_tag.to_string()}),
    );
    let tagged = json!({"RoleArn": role, "RoleSessionName": "s1", "Tags": [{"Key": "team", "Value": "blue"}]});
    assert!(may(&scene, &session(&scene.sts(&ann, "AssumeRole", tagged)), "ListKeys", json!({})));
    let nameless = json!({"RoleArn": role, "RoleSessionName": "s1", "PolicyArns": [{}]});
    assert_eq!(scene.refused_sts(&ann, "AssumeRole", nameless).0, ErrorCode::Validation);
}
