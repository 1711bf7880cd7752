//! Groups: members, policies that reach them, and what stands in the way of deleting.

use crate::world::{ACCOUNT, Scene, allow, text};
use keyward_engine::Service;
use keyward_types::ErrorCode;
use serde_json::{Value, json};

#[test]
fn a_group_lives_and_dies_in_order() {
    let scene = Scene::new();
    let root = scene.root();
    let made = scene.iam(&root, "CreateGroup", json!({"GroupName": "Ops", "Path": "/it/"}));
    assert_eq!(text(&made, "/Group/Arn"), format!("arn:aws:iam::{ACCOUNT}:group/it/Ops"));
    assert!(text(&made, "/Group/GroupId").starts_with("AGPA"));
    assert_eq!(scene.last_event()["responseElements"]["group"]["groupName"], json!("Ops"));
    assert_eq!(
        scene.refused_iam(&root, "CreateGroup", json!({"GroupName": "OPS"})),
        (ErrorCode::IamEntityAlreadyExists, "Group with name OPS already exists.".to_owned())
    );
    let group = json!({"GroupName": "Ops"});
    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    let member = json!({"GroupName": "Ops", "UserName": "a"});
    scene.iam(&root, "AddUserToGroup", member.clone());
    scene.iam(&root, "AddUserToGroup", member.clone());
    let found = scene.iam(&root, "GetGroup", group.clone());
    assert_eq!((&found["Group"], &found["Users"][0]["UserName"]), (&made["Group"], &json!("a")));
    assert_eq!(found["IsTruncated"], json!(false));
    assert_eq!(
        scene.iam(&root, "ListGroupsForUser", json!({"UserName": "a"}))["Groups"],
        json!([made["Group"]])
    );
    let in_the_way = |words: &str| {
        (ErrorCode::IamDeleteConflict, format!("Cannot delete entity, must {words} first."))
    };
    assert_eq!(
        scene.refused_iam(&root, "DeleteUser", json!({"UserName": "a"})),
        in_the_way("remove users from group")
    );
    let arn = scene.policy(&root, "p", &["kms:Encrypt"]);
    scene.iam(&root, "AttachGroupPolicy", json!({"GroupName": "Ops", "PolicyArn": arn}));
    let inline =
        json!({"GroupName": "Ops", "PolicyName": "i", "PolicyDocument": allow(&["kms:Sign"])});
    scene.iam(&root, "PutGroupPolicy", inline);
    let named = json!({"GroupName": "Ops", "PolicyName": "i"});
    let policy = scene.iam(&root, "GetGroupPolicy", named.clone());
    assert!(text(&policy, "/PolicyDocument").contains("kms%3ASign"));
    assert_eq!(scene.iam(&root, "ListGroupPolicies", group.clone())["PolicyNames"], json!(["i"]));
    for (words, operation, body) in [
        ("remove users from group", "RemoveUserFromGroup", member.clone()),
        ("detach all policies", "DetachGroupPolicy", json!({"GroupName": "Ops", "PolicyArn": arn})),
        ("delete policies", "DeleteGroupPolicy", named.clone()),
    ] {
        assert_eq!(scene.refused_iam(&root, "DeleteGroup", group.clone()), in_the_way(words));
        scene.iam(&root, operation, body);
    }
    assert_eq!(
        scene.refused_iam(&root, "GetGroupPolicy", named).1,
        "The group policy with name i cannot be found."
    );
    assert_eq!(
        scene.refused_iam(&root, "RemoveUserFromGroup", member),
        (ErrorCode::IamNoSuchEntity, "User a not in group Ops".to_owned())
    );
    scene.iam(&root, "DeleteGroup", group.clone());
    assert_eq!(
        scene.refused_iam(&root, "GetGroup", group),
        (ErrorCode::IamNoSuchEntity, "The group with name Ops cannot be found.".to_owned())
    );
    scene.iam(&root, "DeleteUser", json!({"UserName": "a"}));
}

#[test]
fn what_a_group_may_its_members_may_as_long_as_they_are_members() {
    let scene = Scene::new();
    let root = scene.root();
    let (key, arn) = (scene.key(&root), scene.policy(&root, "p", &["kms:Encrypt"]));
    let ann = scene.user(&root, "ann", &[]);
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g"}));
    let member = json!({"GroupName": "g", "UserName": "ann"});
    scene.iam(&root, "AttachGroupPolicy", json!({"GroupName": "g", "PolicyArn": arn}));
    assert!(!scene.may_encrypt(&ann, &key));
    scene.iam(&root, "AddUserToGroup", member.clone());
    assert!(scene.may_encrypt(&ann, &key));
    assert_eq!(scene.sources("IdentityPolicy"), [arn.as_str()]);
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}]});
    scene.iam(
        &root,
        "PutGroupPolicy",
        json!({"GroupName": "g", "PolicyName": "no", "PolicyDocument": deny.to_string()}),
    );
    assert!(!scene.may_encrypt(&ann, &key));
    assert!(scene.sources("IdentityPolicy").contains(&"group g, inline policy no".to_owned()));
    scene.iam(&root, "DeleteGroupPolicy", json!({"GroupName": "g", "PolicyName": "no"}));
    assert!(scene.may_encrypt(&ann, &key));
    scene.iam(&root, "RemoveUserFromGroup", member);
    assert!(!scene.may_encrypt(&ann, &key));
}

#[test]
fn a_user_is_in_ten_groups_and_a_group_has_its_room() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    for n in 0..11 {
        scene.iam(&root, "CreateGroup", json!({"GroupName": format!("g{n:02}")}));
    }
    let member = |n: usize| json!({"GroupName": format!("g{n:02}"), "UserName": "a"});
    for n in 0..10 {
        scene.iam(&root, "AddUserToGroup", member(n));
    }
    assert_eq!(
        scene.refused_iam(&root, "AddUserToGroup", member(10)),
        (ErrorCode::IamLimitExceeded, "Cannot exceed quota for GroupsPerUser: 10".to_owned())
    );
    let page = scene.iam(&root, "ListGroupsForUser", json!({"UserName": "a", "MaxItems": 9}));
    let rest = json!({"UserName": "a", "Marker": page["Marker"]});
    let rest = scene.iam(&root, "ListGroupsForUser", rest);
    assert_eq!(rest["Groups"].as_array().unwrap().len(), 1);
    assert_eq!(scene.iam(&root, "ListGroups", json!({}))["Groups"].as_array().unwrap().len(), 11);
    let large = allow(&["s3:x", &format!("s3:{}", "y".repeat(5_100))]);
    assert_eq!(
        scene.refused_iam(
            &root,
            "PutGroupPolicy",
            json!({"GroupName": "g00", "PolicyName": "i", "PolicyDocument": large}),
        ),
        (
            ErrorCode::IamLimitExceeded,
            "Maximum policy size of 5120 bytes exceeded for group g00".to_owned()
        )
    );
    for (group, user) in [("nobody", "a"), ("g10", "nobody")] {
        let (code, _) = scene.refused_iam(
            &root,
            "AddUserToGroup",
            json!({"GroupName": group, "UserName": user}),
        );
        assert_eq!(code, ErrorCode::IamNoSuchEntity);
    }
}

#[test]
fn members_come_in_pages() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g"}));
    // A group whose name goes on where the other's ends is another one.
    scene.iam(&root, "CreateGroup", json!({"GroupName": "ga"}));
    for n in 0..5 {
        let name = format!("u{n}");
        scene.iam(&root, "CreateUser", json!({"UserName": name}));
        let group = if n == 2 { "ga" } else { "g" };
        scene.iam(&root, "AddUserToGroup", json!({"GroupName": group, "UserName": name}));
    }
    let mut names = Vec::new();
    let mut marker = Value::Null;
    loop {
        let page = json!({"GroupName": "g", "MaxItems": 3, "Marker": marker});
        let page = scene.iam(&root, "GetGroup", page);
        names.extend(page["Users"].as_array().unwrap().iter().map(|user| text(user, "/UserName")));
        if page["IsTruncated"] == json!(false) {
            break;
        }
        marker = page["Marker"].clone();
    }
    assert_eq!(names, ["u0", "u1", "u3", "u4"]);
}

#[test]
fn a_group_is_never_deleted_under_a_user_that_joins_it() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &["kms:ListKeys"]);
    for round in 0..60 {
        let group = json!({"GroupName": format!("g{round}")});
        scene.iam(&root, "CreateGroup", group.clone());
        let member = json!({"GroupName": format!("g{round}"), "UserName": "ann"});
        let join = || scene.start(&root, Service::Iam, "AddUserToGroup", &member);
        let delete = || scene.start(&root, Service::Iam, "DeleteGroup", &group);
        // Either may be first in the one writer's queue.
        let (join, delete) = if round % 2 == 0 {
            let (join, delete) = (join(), delete());
            (join.wait(), delete.wait())
        } else {
            let (delete, join) = (delete(), join());
            (join.wait(), delete.wait())
        };
        assert_ne!(join.is_ok(), delete.is_ok(), "round {round}");
        if join.is_ok() {
            scene.iam(&root, "RemoveUserFromGroup", member);
        }
    }
    // Nothing that the user's decisions need is missing.
    scene.kms(&ann, "ListKeys", json!({}));
}

#[test]
fn permission_is_by_the_groups_arn() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g", "Path": "/team/"}));
    scene.iam(&root, "CreateGroup", json!({"GroupName": "h"}));
    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    let ann = scene.user(&root, "ann", &[]);
    let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": format!("arn:aws:iam::{ACCOUNT}:group/team/*")}]});
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "ann", "PolicyName": "p", "PolicyDocument": document.to_string()}),
    );
    scene.iam(&ann, "AddUserToGroup", json!({"GroupName": "g", "UserName": "a"}));
    scene.iam(&ann, "CreateGroup", json!({"GroupName": "new", "Path": "/team/"}));
    for (operation, body) in [
        ("AddUserToGroup", json!({"GroupName": "h", "UserName": "a"})),
        ("CreateGroup", json!({"GroupName": "other"})),
        ("GetGroup", json!({"GroupName": "nobody"})),
        // What it becomes counts as what it is.
        ("UpdateGroup", json!({"GroupName": "g", "NewPath": "/"})),
    ] {
        assert_eq!(
            scene.refused_iam(&ann, operation, body).0,
            ErrorCode::AccessDenied,
            "{operation}"
        );
    }
    scene.iam(&ann, "UpdateGroup", json!({"GroupName": "g", "NewGroupName": "gg"}));
}
