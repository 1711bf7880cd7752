//! IAM: what exists, who may change it, and what is said when it cannot be.

use crate::world::{ACCOUNT, Scene, allow, text, trust};
use keyward_engine::{Service, find};
use keyward_types::ErrorCode;
use serde_json::{Value, json};

#[test]
fn a_user_lives_and_dies_in_order() {
    let scene = Scene::new();
    let root = scene.root();
    let made = scene.iam(
        &root,
        "CreateUser",
        json!({"UserName": "Ann", "Path": "/ops/", "Tags": [{"Key": "Team", "Value": "red"}]}),
    );
    assert_eq!(text(&made, "/User/Arn"), format!("arn:aws:iam::{ACCOUNT}:user/ops/Ann"));
    assert_eq!(text(&made, "/User/CreateDate"), "2026-01-01T00:00:00Z");
    let id = text(&made, "/User/UserId");
    assert!(
        id.len() == 21
            && id.starts_with("AIDA")
            && id.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)),
        "{id}"
    );
    assert_eq!(scene.iam(&root, "GetUser", json!({"UserName": "Ann"})), made);

    let key = scene.iam(&root, "CreateAccessKey", json!({"UserName": "Ann"}));
    assert_eq!(text(&key, "/AccessKey/SecretAccessKey").len(), 40);
    assert!(text(&key, "/AccessKey/AccessKeyId").starts_with("AKIA"));
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "Ann", "PolicyName": "p", "PolicyDocument": allow(&["kms:*"])}),
    );

    let conflict = |words: &str| {
        (ErrorCode::IamDeleteConflict, format!("Cannot delete entity, must {words} first."))
    };
    assert_eq!(
        scene.refused_iam(&root, "DeleteUser", json!({"UserName": "Ann"})),
        conflict("delete access keys")
    );
    scene.iam(
        &root,
        "DeleteAccessKey",
        json!({"UserName": "Ann", "AccessKeyId": text(&key, "/AccessKey/AccessKeyId")}),
    );
    assert_eq!(
        scene.refused_iam(&root, "DeleteUser", json!({"UserName": "Ann"})),
        conflict("delete policies")
    );
    scene.iam(&root, "DeleteUserPolicy", json!({"UserName": "Ann", "PolicyName": "p"}));
    assert_eq!(scene.iam(&root, "DeleteUser", json!({"UserName": "Ann"})), Value::Null);
    let gone = (ErrorCode::IamNoSuchEntity, "The user with name Ann cannot be found.".to_owned());
    assert_eq!(scene.refused_iam(&root, "GetUser", json!({"UserName": "Ann"})), gone);
    let again = scene.iam(&root, "CreateUser", json!({"UserName": "ANN"}));
    assert_ne!(text(&again, "/User/UserId"), id);
}

#[test]
fn names_are_one_in_any_case() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(&root, "CreateUser", json!({"UserName": "Ann"}));
    for name in ["Ann", "ann", "ANN"] {
        let refusal = scene.refused_iam(&root, "CreateUser", json!({"UserName": name}));
        assert_eq!(
            refusal,
            (ErrorCode::IamEntityAlreadyExists, format!("User with name {name} already exists."))
        );
    }
    scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": "Ann", "AssumeRolePolicyDocument": trust(&[ACCOUNT])}),
    );
    let refusal = scene.refused_iam(
        &root,
        "CreateRole",
        json!({"RoleName": "aNN", "AssumeRolePolicyDocument": trust(&[ACCOUNT])}),
    );
    assert_eq!(refusal.1, "Role with name aNN already exists.");
    // The other account has its own names.
    scene.iam(&scene.other_root(), "CreateUser", json!({"UserName": "ann"}));
}

#[test]
fn of_two_names_that_differ_by_case_alone_one_is_made_however_they_race() {
    let scene = Scene::new();
    let root = scene.root();
    for round in 0..40 {
        let attempts = ["Race", "RACE", "race"].map(|name| {
            scene.start(
                &root,
                Service::Iam,
                "CreateUser",
                &json!({"UserName": format!("{name}{round}")}),
            )
        });
        let made =
            attempts.into_iter().map(keyward_engine::InFlight::wait).filter(Result::is_ok).count();
        assert_eq!(made, 1, "round {round}");
    }
    assert_eq!(scene.iam(&root, "ListUsers", json!({}))["Users"].as_array().unwrap().len(), 40);
}

#[test]
fn policies_are_checked_counted_and_answered_encoded() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    let put =
        |document: &str| json!({"UserName": "a", "PolicyName": "p", "PolicyDocument": document});
    for (document, words) in [
        ("{", ""),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrpyt","Resource":"*"}}"#,
            "kms:Decrpyt",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*","Principal":"*"}}"#,
            "Principal",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEqual":{"aws:username":"a"}}}}"#,
            "StringEqual",
        ),
    ] {
        let (code, message) = scene.refused_iam(&root, "PutUserPolicy", put(document));
        assert_eq!(code, ErrorCode::IamMalformedPolicyDocument, "{document}");
        assert!(message.contains(words), "{document} said {message}");
    }
    let document = allow(&["kms:Encrypt"]);
    scene.iam(&root, "PutUserPolicy", put(&document));
    let encoded = text(
        &scene.iam(&root, "GetUserPolicy", json!({"UserName": "a", "PolicyName": "p"})),
        "/PolicyDocument",
    );
    assert!(!encoded.contains('{') && encoded.contains("%7B%22"), "{encoded}");

    let large = format!("kms:{}*", "E".repeat(1_000));
    let large = json!({"Version": "2012-10-17", "Statement": [{"Sid": "s", "Effect": "Allow", "Action": ["s3:x", large.replace("kms", "s3")], "Resource": "*"}]}).to_string();
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "a", "PolicyName": "one", "PolicyDocument": large}),
    );
    let (code, message) = scene.refused_iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "a", "PolicyName": "two", "PolicyDocument": large}),
    );
    assert_eq!(
        (code, message.as_str()),
        (ErrorCode::IamLimitExceeded, "Maximum policy size of 2048 bytes exceeded for user a")
    );
    // Replacing one counts it once.
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "a", "PolicyName": "one", "PolicyDocument": large}),
    );
    assert_eq!(
        scene.refused_iam(&root, "GetUserPolicy", json!({"UserName": "a", "PolicyName": "two"})).1,
        "The user policy with name two cannot be found."
    );
}

#[test]
fn permission_is_by_the_arn_and_the_tags_of_who_is_changed() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(
        &root,
        "CreateUser",
        json!({"UserName": "red", "Path": "/team/", "Tags": [{"Key": "team", "Value": "red"}]}),
    );
    scene.iam(
        &root,
        "CreateUser",
        json!({"UserName": "blue", "Tags": [{"Key": "team", "Value": "blue"}]}),
    );
    let lead = scene.user(&root, "lead", &[]);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iam:GetUser", "Resource": format!("arn:aws:iam::{ACCOUNT}:user/team/*")},
        {"Effect": "Allow", "Action": "iam:TagUser", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}},
        {"Effect": "Allow", "Action": "iam:CreateUser", "Resource": format!("arn:aws:iam::{ACCOUNT}:user/team/*")},
    ]});
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "lead", "PolicyName": "p", "PolicyDocument": policy.to_string()}),
    );

    scene.iam(&lead, "GetUser", json!({"UserName": "red"}));
    let (code, message) = scene.refused_iam(&lead, "GetUser", json!({"UserName": "blue"}));
    assert_eq!(code, ErrorCode::AccessDenied);
    assert!(
        message.starts_with(&format!(
            "User: arn:aws:iam::{ACCOUNT}:user/lead is not authorized to perform: iam:GetUser on resource: \
             arn:aws:iam::{ACCOUNT}:user/blue because no identity-based policy allows the iam:GetUser action"
        )),
        "{message}"
    );
    // Whether somebody exists is for those to know who may ask.
    assert_eq!(
        scene.refused_iam(&lead, "GetUser", json!({"UserName": "nobody"})).0,
        ErrorCode::AccessDenied
    );
    scene.iam(&lead, "TagUser", json!({"UserName": "blue", "Tags": [{"Key": "a", "Value": "b"}]}));
    assert_eq!(
        scene.refused_iam(&lead, "TagUser", json!({"UserName": "red", "Tags": []})).0,
        ErrorCode::AccessDenied
    );
    scene.iam(&lead, "CreateUser", json!({"UserName": "new", "Path": "/team/"}));
    assert_eq!(
        scene.refused_iam(&lead, "CreateUser", json!({"UserName": "new2"})).0,
        ErrorCode::AccessDenied
    );
    // Tagging at creation is a permission of its own.
    let tagged =
        json!({"UserName": "new3", "Path": "/team/", "Tags": [{"Key": "team", "Value": "red"}]});
    assert!(scene.refused_iam(&lead, "CreateUser", tagged).1.contains("iam:TagUser"));
    assert_eq!(scene.refused_iam(&lead, "ListUsers", json!({})).0, ErrorCode::AccessDenied);
}

#[test]
fn a_user_without_a_name_means_itself() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &["iam:GetUser", "iam:*AccessKey*"]);
    assert_eq!(text(&scene.iam(&ann, "GetUser", json!({})), "/User/UserName"), "ann");
    let second = scene.iam(&ann, "CreateAccessKey", json!({}));
    assert_eq!(text(&second, "/AccessKey/UserName"), "ann");
    assert_eq!(
        scene.refused_iam(&ann, "CreateAccessKey", json!({})),
        (ErrorCode::IamLimitExceeded, "Cannot exceed quota for AccessKeysPerUser: 2".into())
    );
    let listed = scene.iam(&ann, "ListAccessKeys", json!({"MaxItems": 1}));
    assert_eq!(listed["IsTruncated"], json!(true));
    let rest =
        scene.iam(&ann, "ListAccessKeys", json!({"MaxItems": 1, "Marker": listed["Marker"]}));
    assert_eq!(rest["IsTruncated"], json!(false));
    assert_ne!(listed["AccessKeyMetadata"], rest["AccessKeyMetadata"]);
    // A key of somebody else is not there for this user.
    let (code, message) =
        scene.refused_iam(&ann, "DeleteAccessKey", json!({"AccessKeyId": root.id}));
    assert_eq!(
        (code, message),
        (
            ErrorCode::IamNoSuchEntity,
            format!("The Access Key with id {} cannot be found.", root.id)
        )
    );

    let own = scene.iam(&root, "GetUser", json!({}));
    assert_eq!(text(&own, "/User/Arn"), format!("arn:aws:iam::{ACCOUNT}:root"));
    assert!(own.pointer("/User/UserName").is_none());
}

#[test]
fn an_inactive_key_opens_nothing_and_an_active_one_opens_again() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let set = |status: &str| json!({"UserName": "ann", "AccessKeyId": ann.id, "Status": status});
    scene.iam(&root, "UpdateAccessKey", set("Inactive"));
    assert_eq!(
        scene.refused_sts(&ann, "GetCallerIdentity", json!({})).0,
        ErrorCode::UnrecognizedClient
    );
    scene.iam(&root, "UpdateAccessKey", set("Active"));
    scene.sts(&ann, "GetCallerIdentity", json!({}));
    assert_eq!(
        scene.refused_iam(&root, "UpdateAccessKey", set("Expired")).0,
        ErrorCode::IamInvalidInput
    );
}

#[test]
fn lists_go_on_where_they_stopped_and_markers_are_not_interchangeable() {
    let scene = Scene::new();
    let root = scene.root();
    for n in 0..7 {
        scene.iam(&root, "CreateUser", json!({"UserName": format!("u{n}"), "Path": if n % 2 == 0 { "/even/" } else { "/odd/" }}));
    }
    let mut names = Vec::new();
    let mut marker = Value::Null;
    loop {
        let page = scene.iam(
            &root,
            "ListUsers",
            json!({"MaxItems": 2, "Marker": marker, "PathPrefix": "/even/"}),
        );
        names.extend(
            page["Users"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| user["UserName"].as_str().unwrap().to_owned()),
        );
        if page["IsTruncated"] == json!(false) {
            break;
        }
        marker = page["Marker"].clone();
    }
    assert_eq!(names, ["u0", "u2", "u4", "u6"]);
    let page = scene.iam(&root, "ListUsers", json!({"MaxItems": 1}));
    let (code, _) = scene.refused_iam(&root, "ListRoles", json!({"Marker": page["Marker"]}));
    assert_eq!(code, ErrorCode::IamValidationError);
}

#[test]
fn roles_keep_who_they_trust_by_id_and_refuse_who_is_not_there() {
    let scene = Scene::new();
    let root = scene.root();
    let stranger = format!("arn:aws:iam::{ACCOUNT}:user/stranger");
    let (code, message) = scene.refused_iam(
        &root,
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust(&[&stranger])}),
    );
    assert_eq!(
        (code, message),
        (
            ErrorCode::IamMalformedPolicyDocument,
            format!("Invalid principal in policy: \"AWS\":\"{stranger}\"")
        )
    );
    let role = scene.iam(&root, "CreateRole", json!({"RoleName": "R", "AssumeRolePolicyDocument": trust(&[ACCOUNT]), "MaxSessionDuration": 7_200}));
    assert!(text(&role, "/Role/RoleId").starts_with("AROA"));
    assert!(text(&role, "/Role/AssumeRolePolicyDocument").starts_with("%7B"));
    scene.iam(
        &root,
        "UpdateRole",
        json!({"RoleName": "R", "Description": "d", "MaxSessionDuration": 3_600}),
    );
    assert_eq!(
        scene.iam(&root, "GetRole", json!({"RoleName": "R"}))["Role"]["Description"],
        json!("d")
    );
    scene.iam(&root, "TagRole", json!({"RoleName": "R", "Tags": [{"Key": "Team", "Value": "1"}]}));
    scene.iam(&root, "TagRole", json!({"RoleName": "R", "Tags": [{"Key": "team", "Value": "2"}]}));
    assert_eq!(
        scene.iam(&root, "ListRoleTags", json!({"RoleName": "R"}))["Tags"],
        json!([{"Key": "team", "Value": "2"}])
    );
    scene.iam(&root, "UntagRole", json!({"RoleName": "R", "TagKeys": ["TEAM"]}));
    assert_eq!(scene.iam(&root, "ListRoleTags", json!({"RoleName": "R"}))["Tags"], json!([]));
    scene.iam(
        &root,
        "PutRolePolicy",
        json!({"RoleName": "R", "PolicyName": "b", "PolicyDocument": allow(&["kms:*"])}),
    );
    assert_eq!(
        scene.iam(&root, "ListRolePolicies", json!({"RoleName": "R"}))["PolicyNames"],
        json!(["b"])
    );
    assert_eq!(
        scene.refused_iam(&root, "DeleteRole", json!({"RoleName": "R"})).0,
        ErrorCode::IamDeleteConflict
    );
    for empty in ["ListAttachedRolePolicies", "ListInstanceProfilesForRole"] {
        assert_eq!(scene.iam(&root, empty, json!({"RoleName": "R"}))["IsTruncated"], json!(false));
    }
    scene.iam(&root, "DeleteRolePolicy", json!({"RoleName": "R", "PolicyName": "b"}));
    scene.iam(&root, "DeleteRole", json!({"RoleName": "R"}));
}

#[test]
fn every_violated_constraint_is_named() {
    let scene = Scene::new();
    let (code, message) =
        scene.refused_iam(&scene.root(), "CreateUser", json!({"UserName": "a b", "Path": "x"}));
    assert_eq!(code, ErrorCode::Validation);
    assert!(message.starts_with("2 validation errors detected: Value 'x' at 'path'"), "{message}");
}

#[test]
fn events_say_what_was_done_and_no_secret() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(
        &root,
        "CreateUser",
        json!({"UserName": "ann", "Tags": [{"Key": "k", "Value": "v"}]}),
    );
    let event = scene.last_event();
    assert_eq!(
        (&event["eventName"], &event["eventSource"]),
        (&json!("CreateUser"), &json!("iam.amazonaws.com"))
    );
    assert_eq!(
        event["requestParameters"],
        json!({"userName": "ann", "tags": [{"key": "k", "value": "v"}]})
    );
    assert_eq!(event["responseElements"]["user"]["userName"], json!("ann"));
    let key = scene.iam(&root, "CreateAccessKey", json!({"UserName": "ann"}));
    let event = scene.last_event();
    assert_eq!(
        event["responseElements"]["accessKey"]["accessKeyId"],
        key["AccessKey"]["AccessKeyId"]
    );
    let secret = text(&key, "/AccessKey/SecretAccessKey");
    assert!(scene.events().iter().all(|event| !event.to_string().contains(&secret)));
    scene.refused_iam(&root, "GetUser", json!({"UserName": "bob"}));
    let event = scene.last_event();
    assert_eq!((&event["errorCode"], &event["readOnly"]), (&json!("NoSuchEntity"), &json!(true)));
}

#[test]
fn every_row_of_both_apis_is_found_by_its_name() {
    for operation in keyward_engine::OPERATIONS {
        let spec = operation.spec();
        assert_eq!(find(spec.service, spec.name).unwrap().spec().name, spec.name);
        if spec.service != Service::Kms {
            assert!(spec.logged.iter().all(|member| *member != "TokenCode"), "{}", spec.name);
        }
    }
}
