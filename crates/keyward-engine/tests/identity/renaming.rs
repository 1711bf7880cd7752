//! Another name or path: what goes with it, and what keeps it from happening.

use crate::world::{ACCOUNT, OTHER, Scene, allow, text, trust};
use keyward_types::ErrorCode;
use serde_json::json;

#[test]
fn a_user_takes_everything_along_but_its_name() {
    let scene = Scene::new();
    let root = scene.root();
    let (key, arn) = (scene.key(&root), scene.policy(&root, "p", &["kms:Encrypt"]));
    let ann = scene.user(&root, "ann", &["kms:ListKeys"]);
    let before = scene.iam(&root, "GetUser", json!({"UserName": "ann"}));
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g"}));
    scene.iam(&root, "AddUserToGroup", json!({"UserName": "ann", "GroupName": "g"}));
    scene.iam(&root, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": arn}));
    scene.iam(
        &root,
        "UpdateUser",
        json!({"UserName": "ann", "NewUserName": "anna", "NewPath": "/ops/"}),
    );
    let event = scene.last_event();
    assert_eq!(
        event["requestParameters"],
        json!({"userName": "ann", "newUserName": "anna", "newPath": "/ops/"})
    );
    let after = scene.iam(&root, "GetUser", json!({"UserName": "anna"}));
    assert_eq!(text(&after, "/User/Arn"), format!("arn:aws:iam::{ACCOUNT}:user/ops/anna"));
    assert_eq!(after["User"]["UserId"], before["User"]["UserId"]);
    assert_eq!(
        scene.refused_iam(&root, "GetUser", json!({"UserName": "ann"})).0,
        ErrorCode::IamNoSuchEntity
    );
    // The same access key, and what it may.
    assert_eq!(
        text(&scene.sts(&ann, "GetCallerIdentity", json!({})), "/Arn"),
        format!("arn:aws:iam::{ACCOUNT}:user/ops/anna")
    );
    assert!(scene.may_encrypt(&ann, &key));
    scene.kms(&ann, "ListKeys", json!({}));
    let keys = scene.iam(&root, "ListAccessKeys", json!({"UserName": "anna"}));
    assert_eq!(text(&keys, "/AccessKeyMetadata/0/UserName"), "anna");
    let group = scene.iam(&root, "GetGroup", json!({"GroupName": "g"}));
    assert_eq!(group["Users"].as_array().unwrap().len(), 1);
    assert_eq!(group["Users"][0]["UserName"], json!("anna"));
    let users = scene.iam(&root, "ListEntitiesForPolicy", json!({"PolicyArn": arn}));
    assert_eq!(users["PolicyUsers"][0]["UserName"], json!("anna"));
    // The old name is free, and its next bearer has none of this.
    scene.iam(&root, "CreateUser", json!({"UserName": "Ann"}));
    let none = scene.iam(&root, "ListGroupsForUser", json!({"UserName": "Ann"}));
    assert_eq!(none["Groups"], json!([]));
}

#[test]
fn names_stay_one_in_any_case() {
    let scene = Scene::new();
    let root = scene.root();
    for name in ["ann", "bob"] {
        scene.iam(&root, "CreateUser", json!({"UserName": name}));
    }
    let rename = |old: &str, new: &str| json!({"UserName": old, "NewUserName": new});
    assert_eq!(
        scene.refused_iam(&root, "UpdateUser", rename("ann", "BOB")),
        (ErrorCode::IamEntityAlreadyExists, "User with name BOB already exists.".to_owned())
    );
    scene.iam(&root, "UpdateUser", rename("ann", "Ann"));
    scene.iam(&root, "GetUser", json!({"UserName": "Ann"}));
    let (code, _) = scene.refused_iam(&root, "CreateUser", json!({"UserName": "aNN"}));
    assert_eq!(code, ErrorCode::IamEntityAlreadyExists);
    // To be called what one is called already changes nothing.
    scene.iam(&root, "UpdateUser", rename("Ann", "Ann"));
    assert_eq!(scene.iam(&root, "ListUsers", json!({}))["Users"].as_array().unwrap().len(), 2);
}

#[test]
fn who_is_named_by_a_policy_or_grant_keeps_its_name() {
    let scene = Scene::new();
    let (root, other) = (scene.root(), scene.other_root());
    let rename = |user: &str| json!({"UserName": user, "NewPath": "/away/"});
    let arn = |user: &str| format!("arn:aws:iam::{ACCOUNT}:user/{user}");
    for user in ["denied", "granted", "trusted", "elsewhere", "free"] {
        scene.iam(&root, "CreateUser", json!({"UserName": user}));
    }
    let key = scene.key(&root);
    let policy = |effect: &str, user: &str, account: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": "kms:*", "Resource": "*"},
            {"Effect": effect, "Principal": {"AWS": arn(user)}, "Action": "kms:Decrypt", "Resource": "*"},
        ]})
        .to_string()
    };
    scene.kms(
        &root,
        "PutKeyPolicy",
        json!({"KeyId": key, "Policy": policy("Deny", "denied", ACCOUNT)}),
    );
    let grantee =
        json!({"KeyId": key, "GranteePrincipal": arn("granted"), "Operations": ["Encrypt"]});
    scene.kms(&root, "CreateGrant", grantee);
    let role = json!({"RoleName": "R", "AssumeRolePolicyDocument": trust(&[&arn("trusted")])});
    scene.iam(&root, "CreateRole", role);
    scene.kms(&other, "CreateKey", json!({"Policy": policy("Allow", "elsewhere", OTHER)}));
    for (user, place) in [
        ("denied", key.as_str()),
        ("granted", key.as_str()),
        ("trusted", "arn:aws:iam::111122223333:role/R"),
        ("elsewhere", "another account"),
    ] {
        assert_eq!(
            scene.refused_iam(&root, "UpdateUser", rename(user)),
            (
                ErrorCode::IamInvalidInput,
                format!(
                    "A policy or grant of {place} names the user {} by its ARN. Change that first.",
                    arn(user)
                )
            )
        );
    }
    scene.iam(&root, "UpdateUser", rename("free"));
}

#[test]
fn a_group_takes_its_members_along() {
    let scene = Scene::new();
    let root = scene.root();
    let key = scene.key(&root);
    let ann = scene.user(&root, "ann", &[]);
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g"}));
    scene.iam(&root, "CreateGroup", json!({"GroupName": "taken"}));
    scene.iam(&root, "AddUserToGroup", json!({"UserName": "ann", "GroupName": "g"}));
    let policy =
        json!({"GroupName": "g", "PolicyName": "p", "PolicyDocument": allow(&["kms:Encrypt"])});
    scene.iam(&root, "PutGroupPolicy", policy);
    let (code, _) =
        scene.refused_iam(&root, "UpdateGroup", json!({"GroupName": "g", "NewGroupName": "Taken"}));
    assert_eq!(code, ErrorCode::IamEntityAlreadyExists);
    scene.iam(
        &root,
        "UpdateGroup",
        json!({"GroupName": "g", "NewGroupName": "h", "NewPath": "/x/"}),
    );
    assert!(scene.may_encrypt(&ann, &key));
    assert_eq!(scene.sources("IdentityPolicy"), ["group h, inline policy p"]);
    let group = scene.iam(&root, "GetGroup", json!({"GroupName": "h"}));
    assert_eq!(text(&group, "/Group/Arn"), format!("arn:aws:iam::{ACCOUNT}:group/x/h"));
    assert_eq!(text(&group, "/Users/0/UserName"), "ann");
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g"}));
    assert_eq!(scene.iam(&root, "GetGroup", json!({"GroupName": "g"}))["Users"], json!([]));
}

#[test]
fn a_role_may_be_described_anew() {
    let scene = Scene::new();
    let root = scene.root();
    let role = json!({"RoleName": "R", "AssumeRolePolicyDocument": trust(&[ACCOUNT]), "MaxSessionDuration": 7_200});
    scene.iam(&root, "CreateRole", role);
    let described =
        scene.iam(&root, "UpdateRoleDescription", json!({"RoleName": "R", "Description": "d"}));
    assert_eq!(
        (&described["Role"]["Description"], &described["Role"]["MaxSessionDuration"]),
        (&json!("d"), &json!(7_200))
    );
    assert_eq!(scene.iam(&root, "GetRole", json!({"RoleName": "R"})), described);
}
