//! Permissions boundaries: they cap, they allow nothing, and who may set them is for policies to say.

use crate::world::{ACCOUNT, Login, Scene, allow, session, text, trust};
use keyward_types::ErrorCode;
use serde_json::{Value, json};

#[test]
fn a_boundary_caps_what_other_policies_allow_and_allows_nothing() {
    let scene = Scene::new();
    let root = scene.root();
    let key = scene.key(&root);
    let narrow = scene.policy(&root, "narrow", &["kms:Decrypt"]);
    let wide = scene.policy(&root, "wide", &["kms:*"]);
    let ann = scene.user(&root, "ann", &["kms:Encrypt"]);
    let bob = scene.user(&root, "bob", &[]);
    let bound = |user: &str, arn: &str| {
        let body = json!({"UserName": user, "PermissionsBoundary": arn});
        scene.iam(&root, "PutUserPermissionsBoundary", body);
    };
    assert!(scene.may_encrypt(&ann, &key));
    bound("ann", &narrow);
    assert!(!scene.may_encrypt(&ann, &key));
    let event = scene.last_event();
    assert_eq!(
        event["additionalEventData"]["policyDecision"][0]["reason"],
        json!({"NotAllowed": "PermissionsBoundary"})
    );
    assert!(
        text(&event, "/errorMessage")
            .contains("no permissions boundary allows the kms:Encrypt action"),
        "{event}"
    );
    bound("ann", &wide);
    assert!(scene.may_encrypt(&ann, &key));
    assert_eq!(scene.sources("PermissionsBoundary"), [wide.as_str()]);
    assert_eq!(
        scene.iam(&root, "GetUser", json!({"UserName": "ann"}))["User"]["PermissionsBoundary"],
        json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": wide})
    );
    bound("bob", &wide);
    assert!(!scene.may_encrypt(&bob, &key), "a boundary gives nothing");
    // Another default version of the boundary counts at once.
    let version =
        json!({"PolicyArn": wide, "PolicyDocument": allow(&["kms:Sign"]), "SetAsDefault": true});
    scene.iam(&root, "CreatePolicyVersion", version);
    assert!(!scene.may_encrypt(&ann, &key));
    scene.iam(&root, "DeleteUserPermissionsBoundary", json!({"UserName": "ann"}));
    assert!(scene.may_encrypt(&ann, &key));
    let user = scene.iam(&root, "GetUser", json!({"UserName": "ann"}));
    assert!(user["User"].get("PermissionsBoundary").is_none());
    // Lists leave it out.
    let listed = scene.iam(&root, "ListUsers", json!({}));
    assert!(listed["Users"][1].get("PermissionsBoundary").is_none(), "{listed}");
}

#[test]
fn the_boundary_of_a_role_caps_its_sessions() {
    let scene = Scene::new();
    let root = scene.root();
    let key = scene.key(&root);
    let narrow = scene.policy(&root, "narrow", &["kms:Decrypt"]);
    let role = json!({"RoleName": "R", "AssumeRolePolicyDocument": trust(&[ACCOUNT]), "PermissionsBoundary": narrow});
    let role = scene.iam(&root, "CreateRole", role);
    assert_eq!(role["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"], json!(narrow));
    let policy = json!({"RoleName": "R", "PolicyName": "p", "PolicyDocument": allow(&["kms:*"])});
    scene.iam(&root, "PutRolePolicy", policy);
    let ann = scene.user(&root, "ann", &["sts:AssumeRole"]);
    let assume = json!({"RoleArn": text(&role, "/Role/Arn"), "RoleSessionName": "day"});
    let login = session(&scene.sts(&ann, "AssumeRole", assume));
    assert!(!scene.may_encrypt(&login, &key));
    scene.iam(&root, "DeleteRolePermissionsBoundary", json!({"RoleName": "R"}));
    assert!(scene.may_encrypt(&login, &key));
    scene.iam(
        &root,
        "PutRolePermissionsBoundary",
        json!({"RoleName": "R", "PermissionsBoundary": narrow}),
    );
    assert!(!scene.may_encrypt(&login, &key));
}

#[test]
fn a_boundary_must_be_there() {
    let scene = Scene::new();
    let root = scene.root();
    let absent = format!("arn:aws:iam::{ACCOUNT}:policy/absent");
    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    let trusting = trust(&[ACCOUNT]);
    for (operation, body) in [
        ("PutUserPermissionsBoundary", json!({"UserName": "a"})),
        ("CreateUser", json!({"UserName": "b"})),
        ("CreateRole", json!({"RoleName": "b", "AssumeRolePolicyDocument": trusting})),
    ] {
        let with = |arn: &str| {
            let mut body = body.clone();
            body["PermissionsBoundary"] = json!(arn);
            body
        };
        assert_eq!(
            scene.refused_iam(&root, operation, with(&absent)),
            (
                ErrorCode::IamNoSuchEntity,
                format!("Scope ARN: {absent} does not exist or is not attachable.")
            )
        );
        let (code, _) =
            scene.refused_iam(&root, operation, with("arn:aws:iam::111122223333:user/ann"));
        assert_eq!(code, ErrorCode::IamInvalidInput);
    }
    assert_eq!(
        scene.refused_iam(&root, "GetUser", json!({"UserName": "b"})).0,
        ErrorCode::IamNoSuchEntity
    );
}

/// AWS's own example of a delegate who may make users, and only within a boundary.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate>
#[test]
fn a_delegate_may_act_only_within_the_boundary() {
    let scene = Scene::new();
    let root = scene.root();
    let boundary = scene.policy(&root, "boundary", &["kms:*"]);
    let other = scene.policy(&root, "other", &["*"]);
    let mia = scene.user(&root, "mia", &[]);
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": [
            "iam:AttachUserPolicy", "iam:CreateUser", "iam:DeleteUserPolicy", "iam:DetachUserPolicy",
            "iam:PutUserPermissionsBoundary", "iam:PutUserPolicy", "iam:DeleteUserPermissionsBoundary",
        ],
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}},
    }, {
        "Effect": "Deny", "Action": "iam:DeleteUserPermissionsBoundary", "Resource": "*",
    }]});
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "mia", "PolicyName": "p", "PolicyDocument": document.to_string()}),
    );
    let denied = |login: &Login, operation: &str, body: Value| {
        let (code, message) = scene.refused_iam(login, operation, body);
        assert_eq!(code, ErrorCode::AccessDenied, "{operation}: {message}");
    };
    denied(&mia, "CreateUser", json!({"UserName": "zed"}));
    denied(&mia, "CreateUser", json!({"UserName": "zed", "PermissionsBoundary": other}));
    scene.iam(&mia, "CreateUser", json!({"UserName": "zed", "PermissionsBoundary": boundary}));
    let attach = |user: &str| json!({"UserName": user, "PolicyArn": other});
    scene.iam(&mia, "AttachUserPolicy", attach("zed"));
    scene.iam(&mia, "DetachUserPolicy", attach("zed"));
    let inline = |user: &str| json!({"UserName": user, "PolicyName": "i", "PolicyDocument": allow(&["kms:*"])});
    scene.iam(&mia, "PutUserPolicy", inline("zed"));
    // Somebody without the boundary is out of reach, and so is mia.
    denied(&mia, "AttachUserPolicy", attach("mia"));
    denied(&mia, "PutUserPolicy", inline("mia"));
    // The boundary is that of the request where one is set.
    let set = |arn: &str| json!({"UserName": "zed", "PermissionsBoundary": arn});
    denied(&mia, "PutUserPermissionsBoundary", set(&other));
    scene.iam(&mia, "PutUserPermissionsBoundary", set(&boundary));
    denied(&mia, "DeleteUserPermissionsBoundary", json!({"UserName": "zed"}));
    scene.iam(&root, "PutUserPermissionsBoundary", set(&other));
    denied(&mia, "DeleteUserPolicy", json!({"UserName": "zed", "PolicyName": "i"}));
}
