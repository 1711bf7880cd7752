//! Managed policies: their life, their versions, what attaches them, and what decisions make of them.

use crate::world::{ACCOUNT, OTHER, Scene, allow, session, text, trust};
use keyward_engine::Service;
use keyward_types::ErrorCode;
use serde_json::{Value, json};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn names(answer: &Value, list: &str, member: &str) -> Vec<String> {
    answer[list].as_array().unwrap().iter().map(|one| text(one, &format!("/{member}"))).collect()
}

#[test]
fn a_policy_lives_and_dies_in_order() {
    let scene = Scene::new();
    let root = scene.root();
    let made = scene.iam(
        &root,
        "CreatePolicy",
        json!({"PolicyName": "use", "Path": "/kms/", "PolicyDocument": allow(&["kms:Encrypt"]), "Description": "d", "Tags": [{"Key": "k", "Value": "v"}]}),
    );
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/kms/use");
    let id = text(&made, "/Policy/PolicyId");
    assert!(id.starts_with("ANPA") && id.len() == 21, "{id}");
    assert_eq!(
        made["Policy"],
        json!({
            "PolicyName": "use", "PolicyId": id, "Arn": arn, "Path": "/kms/", "DefaultVersionId": "v1",
            "AttachmentCount": 0, "PermissionsBoundaryUsageCount": 0, "IsAttachable": true, "Description": "d",
            "CreateDate": "2026-01-01T00:00:00Z", "UpdateDate": "2026-01-01T00:00:00Z",
            "Tags": [{"Key": "k", "Value": "v"}],
        })
    );
    let about = json!({"PolicyArn": arn});
    assert_eq!(scene.iam(&root, "GetPolicy", about.clone()), made);
    let taken = scene.refused_iam(
        &root,
        "CreatePolicy",
        json!({"PolicyName": "USE", "PolicyDocument": allow(&["kms:Encrypt"])}),
    );
    assert_eq!(
        taken,
        (
            ErrorCode::IamEntityAlreadyExists,
            "A policy called USE already exists. Duplicate names are not allowed.".to_owned()
        )
    );

    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g"}));
    scene.iam(&root, "AttachUserPolicy", json!({"UserName": "a", "PolicyArn": arn}));
    scene.iam(&root, "AttachUserPolicy", json!({"UserName": "a", "PolicyArn": arn}));
    scene.iam(&root, "AttachGroupPolicy", json!({"GroupName": "g", "PolicyArn": arn}));
    scene.iam(
        &root,
        "PutUserPermissionsBoundary",
        json!({"UserName": "a", "PermissionsBoundary": arn}),
    );
    let policy = scene.iam(&root, "GetPolicy", about.clone())["Policy"].clone();
    assert_eq!(
        (&policy["AttachmentCount"], &policy["PermissionsBoundaryUsageCount"]),
        (&json!(2), &json!(1))
    );
    let conflict = |words: &str| (ErrorCode::IamDeleteConflict, words.to_owned());
    let attached = conflict("Cannot delete a policy attached to entities.");
    assert_eq!(scene.refused_iam(&root, "DeletePolicy", about.clone()), attached);
    scene.iam(&root, "DetachUserPolicy", json!({"UserName": "a", "PolicyArn": arn}));
    scene.iam(&root, "DetachGroupPolicy", json!({"GroupName": "g", "PolicyArn": arn}));
    // A boundary holds it as well.
    assert_eq!(scene.refused_iam(&root, "DeletePolicy", about.clone()), attached);
    scene.iam(&root, "DeleteUserPermissionsBoundary", json!({"UserName": "a"}));
    scene.iam(
        &root,
        "CreatePolicyVersion",
        json!({"PolicyArn": arn, "PolicyDocument": allow(&["kms:Decrypt"])}),
    );
    let (code, message) = scene.refused_iam(&root, "DeletePolicy", about.clone());
    assert_eq!(code, ErrorCode::IamDeleteConflict);
    assert!(message.starts_with("This policy has more than one version."), "{message}");
    scene.iam(&root, "DeletePolicyVersion", json!({"PolicyArn": arn, "VersionId": "v2"}));
    assert_eq!(scene.iam(&root, "DeletePolicy", about.clone()), Value::Null);
    let gone = (ErrorCode::IamNoSuchEntity, format!("Policy {arn} was not found."));
    assert_eq!(scene.refused_iam(&root, "GetPolicy", about), gone);
    assert_eq!(
        scene.refused_iam(&root, "AttachUserPolicy", json!({"UserName": "a", "PolicyArn": arn})),
        (ErrorCode::IamNoSuchEntity, format!("Policy {arn} does not exist or is not attachable."))
    );
    assert_eq!(
        scene.refused_iam(&root, "DetachUserPolicy", json!({"UserName": "a", "PolicyArn": arn})),
        gone
    );
}

#[test]
fn of_five_versions_one_is_in_force_and_numbers_do_not_come_again() {
    let scene = Scene::new();
    let root = scene.root();
    let arn = scene.policy(&root, "p", &["kms:Encrypt"]);
    let version = |document: &str, default: bool| json!({"PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": default});
    scene.advance_seconds(60);
    let made = scene.iam(&root, "CreatePolicyVersion", version(&allow(&["kms:Decrypt"]), true));
    assert_eq!(
        made["PolicyVersion"],
        json!({"VersionId": "v2", "IsDefaultVersion": true, "CreateDate": "2026-01-01T00:01:00Z"})
    );
    assert_eq!(scene.last_event()["responseElements"]["policyVersion"]["versionId"], json!("v2"));
    let policy = scene.iam(&root, "GetPolicy", json!({"PolicyArn": arn}))["Policy"].clone();
    assert_eq!(
        (&policy["DefaultVersionId"], &policy["UpdateDate"], &policy["CreateDate"]),
        (&json!("v2"), &json!("2026-01-01T00:01:00Z"), &json!("2026-01-01T00:00:00Z"))
    );
    for _ in 3..=5 {
        scene.iam(&root, "CreatePolicyVersion", version(&allow(&["kms:Sign"]), false));
    }
    assert_eq!(
        scene.refused_iam(&root, "CreatePolicyVersion", version(&allow(&["kms:Sign"]), false)),
        (
            ErrorCode::IamLimitExceeded,
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.".to_owned()
        )
    );
    let listed = scene.iam(&root, "ListPolicyVersions", json!({"PolicyArn": arn}));
    assert_eq!(names(&listed, "Versions", "VersionId"), ["v5", "v4", "v3", "v2", "v1"]);
    assert_eq!(listed["Versions"][3]["IsDefaultVersion"], json!(true));
    assert!(listed["Versions"][0].get("Document").is_none());
    let one = scene.iam(&root, "ListPolicyVersions", json!({"PolicyArn": arn, "MaxItems": 4}));
    let rest = scene.iam(
        &root,
        "ListPolicyVersions",
        json!({"PolicyArn": arn, "Marker": one["Marker"], "MaxItems": 4}),
    );
    assert_eq!(names(&rest, "Versions", "VersionId"), ["v1"]);

    let named = |id: &str| json!({"PolicyArn": arn, "VersionId": id});
    assert_eq!(
        scene.refused_iam(&root, "DeletePolicyVersion", named("v2")),
        (ErrorCode::IamDeleteConflict, "Cannot delete the default version of a policy.".to_owned())
    );
    scene.iam(&root, "DeletePolicyVersion", named("v5"));
    let again = scene.iam(&root, "CreatePolicyVersion", version(&allow(&["kms:Verify"]), false));
    assert_eq!(text(&again, "/PolicyVersion/VersionId"), "v6");
    let absent = (
        ErrorCode::IamNoSuchEntity,
        format!("Policy {arn} version v5 does not exist or is not attachable."),
    );
    for operation in ["GetPolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion"] {
        assert_eq!(scene.refused_iam(&root, operation, named("v5")), absent);
    }
    let found = scene.iam(&root, "GetPolicyVersion", named("v6"));
    assert!(text(&found, "/PolicyVersion/Document").contains("kms%3AVerify"));
    assert_eq!(scene.refused_iam(&root, "GetPolicyVersion", named("6")).0, ErrorCode::Validation);
}

#[test]
fn an_attached_policy_counts_at_once_and_so_does_another_version() {
    let scene = Scene::new();
    let root = scene.root();
    let (key, arn) = (scene.key(&root), scene.policy(&root, "p", &["kms:Encrypt"]));
    let ann = scene.user(&root, "ann", &[]);
    assert!(!scene.may_encrypt(&ann, &key));
    let attach = json!({"UserName": "ann", "PolicyArn": arn});
    scene.iam(&root, "AttachUserPolicy", attach.clone());
    assert!(scene.may_encrypt(&ann, &key));
    assert_eq!(scene.sources("IdentityPolicy"), [arn.as_str()]);

    let version = json!({"PolicyArn": arn, "PolicyDocument": allow(&["kms:Decrypt"])});
    scene.iam(&root, "CreatePolicyVersion", version);
    assert!(scene.may_encrypt(&ann, &key), "a version that is not the default counts for nothing");
    let default = |id: &str| json!({"PolicyArn": arn, "VersionId": id});
    scene.iam(&root, "SetDefaultPolicyVersion", default("v2"));
    assert!(!scene.may_encrypt(&ann, &key));
    scene.iam(&root, "SetDefaultPolicyVersion", default("v1"));
    assert!(scene.may_encrypt(&ann, &key));
    scene.iam(&root, "DetachUserPolicy", attach);
    assert!(!scene.may_encrypt(&ann, &key));
}

#[test]
fn a_session_has_what_its_role_attaches_now() {
    let scene = Scene::new();
    let root = scene.root();
    let (key, arn) = (scene.key(&root), scene.policy(&root, "p", &["kms:Encrypt"]));
    let ann = scene.user(&root, "ann", &["sts:AssumeRole"]);
    let role = json!({"RoleName": "R", "AssumeRolePolicyDocument": trust(&[ACCOUNT])});
    let role = text(&scene.iam(&root, "CreateRole", role), "/Role/Arn");
    let login =
        session(&scene.sts(&ann, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "day"})));
    assert!(!scene.may_encrypt(&login, &key));
    scene.iam(&root, "AttachRolePolicy", json!({"RoleName": "R", "PolicyArn": arn}));
    assert!(scene.may_encrypt(&login, &key));
    assert_eq!(scene.sources("IdentityPolicy"), [arn.as_str()]);
    assert_eq!(
        scene.refused_iam(&root, "DeleteRole", json!({"RoleName": "R"})),
        (
            ErrorCode::IamDeleteConflict,
            "Cannot delete entity, must detach all policies first.".to_owned()
        )
    );
    scene.iam(&root, "DetachRolePolicy", json!({"RoleName": "R", "PolicyArn": arn}));
    assert!(!scene.may_encrypt(&login, &key));
}

#[test]
fn aws_policies_are_attached_and_read_and_never_changed() {
    let scene = Scene::new();
    let root = scene.root();
    let key = scene.key(&root);
    let ann = scene.user(&root, "ann", &[]);
    scene.iam(&root, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": ADMINISTRATOR}));
    assert!(scene.may_encrypt(&ann, &key));
    assert_eq!(scene.sources("IdentityPolicy"), [ADMINISTRATOR]);
    // Counted and listed in one's own account alone.
    for (login, count) in [(root.clone(), 1), (scene.other_root(), 0)] {
        let about = json!({"PolicyArn": ADMINISTRATOR});
        let policy = scene.iam(&login, "GetPolicy", about.clone());
        assert_eq!(policy["Policy"]["AttachmentCount"], json!(count));
        let users = scene.iam(&login, "ListEntitiesForPolicy", about);
        assert_eq!(users["PolicyUsers"].as_array().unwrap().len(), count);
    }
    let document = scene.iam(
        &root,
        "GetPolicyVersion",
        json!({"PolicyArn": ADMINISTRATOR, "VersionId": "v1"}),
    );
    assert!(text(&document, "/PolicyVersion/Document").starts_with("%7B%22Version"));
    for (operation, more) in [
        ("DeletePolicy", json!({})),
        ("CreatePolicyVersion", json!({"PolicyDocument": allow(&["kms:*"])})),
        ("SetDefaultPolicyVersion", json!({"VersionId": "v1"})),
        ("DeletePolicyVersion", json!({"VersionId": "v1"})),
        ("TagPolicy", json!({"Tags": [{"Key": "k", "Value": "v"}]})),
        ("UntagPolicy", json!({"TagKeys": ["k"]})),
    ] {
        let mut body = more;
        body["PolicyArn"] = json!(ADMINISTRATOR);
        assert_eq!(
            scene.refused_iam(&root, operation, body),
            (ErrorCode::IamInvalidInput, "Policy is outside your own account.".to_owned()),
            "{operation}"
        );
    }
    for strange in
        ["arn:aws:iam::aws:policy/NoSuchAccess", "arn:aws:iam::aws:policy/job-function/X"]
    {
        let (code, _) = scene.refused_iam(
            &root,
            "AttachUserPolicy",
            json!({"UserName": "ann", "PolicyArn": strange}),
        );
        assert_eq!(code, ErrorCode::IamNoSuchEntity);
    }
}

/// A refusal's message without the request's id.
fn without_request(message: &str) -> String {
    message.split(" (request ").next().unwrap().to_owned()
}

#[test]
fn a_policy_of_another_account_sounds_absent() {
    let scene = Scene::new();
    let (root, other) = (scene.root(), scene.other_root());
    let theirs = scene.policy(&other, "theirs", &["kms:*"]);
    let nobodys = format!("arn:aws:iam::{OTHER}:policy/nobodys");
    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    for (operation, body) in [
        ("GetPolicy", json!({})),
        ("DeletePolicy", json!({})),
        ("AttachUserPolicy", json!({"UserName": "a"})),
        ("CreateUser", json!({"UserName": "b"})),
    ] {
        let refusal = |arn: &str| {
            let mut body = body.clone();
            let member =
                if operation == "CreateUser" { "PermissionsBoundary" } else { "PolicyArn" };
            body[member] = json!(arn);
            let (code, message) = scene.refused_iam(&root, operation, body);
            (code, without_request(&message.replace(arn, "ARN")))
        };
        assert_eq!(refusal(&theirs), refusal(&nobodys), "{operation}");
        let about_it = operation.ends_with("Policy") && !operation.starts_with("Attach");
        let code = if about_it { ErrorCode::AccessDenied } else { ErrorCode::IamNoSuchEntity };
        assert_eq!(refusal(&theirs).0, code, "{operation}");
    }
    // Who may nothing hears nothing, of one's own account's policies either.
    let ann = scene.user(&root, "ann", &[]);
    let own = scene.policy(&root, "own", &["kms:*"]);
    let about = |arn: &str| {
        let (code, message) = scene.refused_iam(&ann, "GetPolicy", json!({"PolicyArn": arn}));
        (code, without_request(&message.replace(arn, "ARN")))
    };
    assert_eq!(about(&own), about(&format!("{own}-not")));
    assert_eq!(about(&own).0, ErrorCode::AccessDenied);
}

#[test]
fn what_is_attached_is_limited_listed_and_named_right() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g"}));
    scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": "r", "AssumeRolePolicyDocument": trust(&[ACCOUNT])}),
    );
    let policies: Vec<String> =
        (0..11).map(|n| scene.policy(&root, &format!("p{n:02}"), &["kms:Encrypt"])).collect();
    for (kind, name) in [("User", "a"), ("Group", "g"), ("Role", "r")] {
        let member = format!("{kind}Name");
        let body = |arn: &str| json!({&member: name, "PolicyArn": arn});
        for arn in &policies[..10] {
            scene.iam(&root, &format!("Attach{kind}Policy"), body(arn));
        }
        assert_eq!(
            scene.refused_iam(&root, &format!("Attach{kind}Policy"), body(&policies[10])),
            (ErrorCode::IamLimitExceeded, format!("Cannot exceed quota for PoliciesPer{kind}: 10"))
        );
        let list = format!("ListAttached{kind}Policies");
        let page = scene.iam(&root, &list, json!({&member: name, "MaxItems": 8}));
        assert_eq!(page["IsTruncated"], json!(true));
        let rest = scene.iam(
            &root,
            &list,
            json!({&member: name, "Marker": page["Marker"], "MaxItems": 8}),
        );
        assert_eq!(names(&rest, "AttachedPolicies", "PolicyName"), ["p08", "p09"]);
        assert_eq!(text(&rest, "/AttachedPolicies/1/PolicyArn"), policies[9]);
        let none = scene.iam(&root, &list, json!({&member: name, "PathPrefix": "/kms/"}));
        assert_eq!(none["AttachedPolicies"], json!([]));
        let gone = scene.refused_iam(&root, &list, json!({&member: "nobody"}));
        assert_eq!(gone.0, ErrorCode::IamNoSuchEntity);
    }
    let entities = |more: Value| {
        let mut body = more;
        body["PolicyArn"] = json!(policies[0]);
        scene.iam(&root, "ListEntitiesForPolicy", body)
    };
    let all = entities(json!({}));
    assert_eq!(
        (
            names(&all, "PolicyUsers", "UserName"),
            names(&all, "PolicyGroups", "GroupName"),
            names(&all, "PolicyRoles", "RoleName"),
        ),
        (vec!["a".to_owned()], vec!["g".to_owned()], vec!["r".to_owned()])
    );
    let first = entities(json!({"MaxItems": 2}));
    assert_eq!(first["PolicyUsers"], json!([]));
    let last = entities(json!({"MaxItems": 2, "Marker": first["Marker"]}));
    assert_eq!(names(&last, "PolicyUsers", "UserName"), ["a"]);
    assert_eq!(last["IsTruncated"], json!(false));
    let roles = entities(json!({"EntityFilter": "Role"}));
    assert_eq!(
        (&roles["PolicyUsers"], roles["PolicyRoles"].as_array().unwrap().len()),
        (&json!([]), 1)
    );
    let bounded = entities(json!({"PolicyUsageFilter": "PermissionsBoundary"}));
    assert_eq!(bounded["PolicyUsers"], json!([]));
    scene.iam(
        &root,
        "PutUserPermissionsBoundary",
        json!({"UserName": "a", "PermissionsBoundary": policies[0]}),
    );
    let bounded = entities(json!({"PolicyUsageFilter": "PermissionsBoundary"}));
    assert_eq!(names(&bounded, "PolicyUsers", "UserName"), ["a"]);
    assert_eq!(bounded["PolicyRoles"], json!([]));
}

#[test]
fn lists_are_by_scope_use_and_path() {
    let scene = Scene::new();
    let root = scene.root();
    let used = scene.policy(&root, "used", &["kms:Encrypt"]);
    scene.policy(&root, "idle", &["kms:Encrypt"]);
    scene.iam(
        &root,
        "CreatePolicy",
        json!({"PolicyName": "deep", "Path": "/a/b/", "PolicyDocument": allow(&["kms:Encrypt"]), "Description": "left out"}),
    );
    scene.iam(&root, "CreateUser", json!({"UserName": "a", "PermissionsBoundary": used}));
    let listed =
        |body: Value| names(&scene.iam(&root, "ListPolicies", body), "Policies", "PolicyName");
    assert_eq!(listed(json!({"Scope": "Local"})), ["deep", "idle", "used"]);
    let aws = listed(json!({"Scope": "AWS"}));
    assert!(aws.contains(&"AdministratorAccess".to_owned()) && !aws.contains(&"used".to_owned()));
    assert_eq!(listed(json!({})).len(), 3 + aws.len());
    assert_eq!(listed(json!({"OnlyAttached": true})), ["used"]);
    assert_eq!(listed(json!({"PolicyUsageFilter": "PermissionsBoundary"})), ["used"]);
    assert_eq!(listed(json!({"PolicyUsageFilter": "PermissionsPolicy"})), [""; 0]);
    assert_eq!(listed(json!({"PathPrefix": "/a/"})), ["deep"]);
    let one = scene.iam(&root, "ListPolicies", json!({"PathPrefix": "/a/"}));
    assert!(one["Policies"][0].get("Description").is_none());
    let page = scene.iam(&root, "ListPolicies", json!({"Scope": "Local", "MaxItems": 2}));
    let rest = json!({"Scope": "Local", "Marker": page["Marker"]});
    assert_eq!(listed(rest), ["used"]);
    // Another account sees none of these.
    let theirs = scene.iam(&scene.other_root(), "ListPolicies", json!({"Scope": "Local"}));
    assert_eq!(theirs["Policies"], json!([]));
}

#[test]
fn documents_and_arns_that_are_none_are_refused() {
    let scene = Scene::new();
    let root = scene.root();
    let (code, message) = scene.refused_iam(
        &root,
        "CreatePolicy",
        json!({"PolicyName": "p", "PolicyDocument": "{}"}),
    );
    assert_eq!(code, ErrorCode::IamMalformedPolicyDocument, "{message}");
    let actions: Vec<String> = (0..70).map(|n| format!("s3:{}{n}", "x".repeat(90))).collect();
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    let large = json!({"PolicyName": "p", "PolicyDocument": allow(&actions)});
    assert_eq!(
        scene.refused_iam(&root, "CreatePolicy", large),
        (ErrorCode::IamLimitExceeded, "Cannot exceed quota for PolicySize: 6144".to_owned())
    );
    // White space does not count.
    let spaced = allow(&["kms:Encrypt"]).replace(',', &format!(",{}", " ".repeat(3_000)));
    scene.iam(&root, "CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": spaced}));
    for arn in [
        "no-arn-but-long-enough",
        "arn:aws:iam::111122223333:user/ann",
        "arn:aws:kms::111122223333:policy/p",
        "arn:aws:iam::1111:policy/p-and-more",
    ] {
        assert_eq!(
            scene.refused_iam(&root, "GetPolicy", json!({"PolicyArn": arn})),
            (ErrorCode::IamInvalidInput, format!("ARN {arn} is not valid."))
        );
    }
    // The path is part of the name by which it is asked for.
    let (code, _) = scene.refused_iam(
        &root,
        "GetPolicy",
        json!({"PolicyArn": format!("arn:aws:iam::{ACCOUNT}:policy/else/p")}),
    );
    assert_eq!(code, ErrorCode::IamNoSuchEntity);
}

#[test]
fn permission_is_by_the_policys_arn_its_tags_and_what_is_attached() {
    let scene = Scene::new();
    let root = scene.root();
    let arn = scene.policy(&root, "p", &["kms:Encrypt"]);
    let other = scene.policy(&root, "q", &["kms:Encrypt"]);
    scene.iam(
        &root,
        "TagPolicy",
        json!({"PolicyArn": arn, "Tags": [{"Key": "team", "Value": "red"}]}),
    );
    assert_eq!(
        scene.iam(&root, "ListPolicyTags", json!({"PolicyArn": arn}))["Tags"],
        json!([{"Key": "team", "Value": "red"}])
    );
    let ann = scene.user(&root, "ann", &[]);
    scene.iam(&root, "CreateUser", json!({"UserName": "bob"}));
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iam:AttachUserPolicy", "Resource": format!("arn:aws:iam::{ACCOUNT}:user/bob"),
         "Condition": {"ArnEquals": {"iam:PolicyARN": arn}}},
        {"Effect": "Allow", "Action": "iam:*Policy*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}},
    ]});
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "ann", "PolicyName": "p", "PolicyDocument": document.to_string()}),
    );
    scene.iam(&ann, "AttachUserPolicy", json!({"UserName": "bob", "PolicyArn": arn}));
    let denied = |operation: &str, body: Value| {
        assert_eq!(
            scene.refused_iam(&ann, operation, body).0,
            ErrorCode::AccessDenied,
            "{operation}"
        );
    };
    denied("AttachUserPolicy", json!({"UserName": "bob", "PolicyArn": other}));
    denied("AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": arn}));
    denied("DetachUserPolicy", json!({"UserName": "bob", "PolicyArn": arn}));
    scene.iam(&ann, "GetPolicy", json!({"PolicyArn": arn}));
    denied("GetPolicy", json!({"PolicyArn": other}));
    scene.iam(&root, "UntagPolicy", json!({"PolicyArn": arn, "TagKeys": ["TEAM"]}));
    denied("GetPolicy", json!({"PolicyArn": arn}));
}

#[test]
fn a_policy_is_never_deleted_while_it_is_being_attached() {
    let scene = Scene::new();
    let root = scene.root();
    scene.iam(&root, "CreateUser", json!({"UserName": "a"}));
    let (mut attached, mut deleted) = (0, 0);
    for round in 0..60 {
        let arn = scene.policy(&root, &format!("p{round}"), &["kms:Encrypt"]);
        let (attach, boundary) = if round % 2 == 0 {
            (("AttachUserPolicy", "PolicyArn"), "DetachUserPolicy")
        } else {
            (("PutUserPermissionsBoundary", "PermissionsBoundary"), "DeleteUserPermissionsBoundary")
        };
        let about = json!({"UserName": "a", attach.1: arn});
        let attach = || scene.start(&root, Service::Iam, attach.0, &about);
        let delete =
            || scene.start(&root, Service::Iam, "DeletePolicy", &json!({"PolicyArn": arn}));
        // Either may be first in the one writer's queue.
        let (attach, delete) = if round % 4 < 2 {
            let (attach, delete) = (attach(), delete());
            (attach.wait(), delete.wait())
        } else {
            let (delete, attach) = (delete(), attach());
            (attach.wait(), delete.wait())
        };
        assert_ne!(attach.is_ok(), delete.is_ok(), "round {round}");
        attached += usize::from(attach.is_ok());
        deleted += usize::from(delete.is_ok());
        if attach.is_ok() {
            scene.iam(&root, boundary, json!({"UserName": "a", "PolicyArn": arn}));
        }
    }
    assert!(0 < attached && 0 < deleted, "{attached} and {deleted}");
}

#[test]
fn events_name_the_policy_and_what_was_done_with_it() {
    let scene = Scene::new();
    let root = scene.root();
    let arn = scene.policy(&root, "p", &["kms:Encrypt"]);
    let event = scene.last_event();
    assert_eq!(event["requestParameters"]["policyName"], json!("p"));
    assert_eq!(event["responseElements"]["policy"]["arn"], json!(arn));
    scene.iam(&root, "CreateUser", json!({"UserName": "a", "PermissionsBoundary": arn}));
    let event = scene.last_event();
    assert_eq!(event["requestParameters"], json!({"userName": "a", "permissionsBoundary": arn}));
    assert_eq!(
        event["responseElements"]["user"]["permissionsBoundary"],
        json!({"permissionsBoundaryType": "Policy", "permissionsBoundaryArn": arn})
    );
    for (operation, body, parameters) in [
        (
            "AttachUserPolicy",
            json!({"UserName": "a", "PolicyArn": arn}),
            json!({"userName": "a", "policyArn": arn}),
        ),
        (
            "SetDefaultPolicyVersion",
            json!({"PolicyArn": arn, "VersionId": "v1"}),
            json!({"policyArn": arn, "versionId": "v1"}),
        ),
        (
            "ListPolicies",
            json!({"Scope": "Local", "OnlyAttached": true}),
            json!({"scope": "Local", "onlyAttached": true}),
        ),
    ] {
        scene.iam(&root, operation, body);
        let event = scene.last_event();
        assert_eq!(
            (&event["eventName"], &event["requestParameters"]),
            (&json!(operation), &parameters)
        );
        assert_eq!(event["readOnly"], json!(operation.starts_with("List")));
    }
}

#[test]
fn the_account_is_told_as_a_whole() {
    let scene = Scene::new();
    let root = scene.root();
    let arn = scene.policy(&root, "p", &["kms:Encrypt"]);
    scene.iam(&root, "CreateGroup", json!({"GroupName": "g"}));
    scene.iam(
        &root,
        "PutGroupPolicy",
        json!({"GroupName": "g", "PolicyName": "i", "PolicyDocument": allow(&["kms:Sign"])}),
    );
    scene.user(&root, "ann", &["kms:Encrypt"]);
    scene.iam(&root, "AddUserToGroup", json!({"UserName": "ann", "GroupName": "g"}));
    scene.iam(&root, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": ADMINISTRATOR}));
    scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": "r", "AssumeRolePolicyDocument": trust(&[ACCOUNT]), "PermissionsBoundary": arn}),
    );
    let map = scene.iam(&root, "GetAccountSummary", json!({}))["SummaryMap"].clone();
    for (name, value) in [
        ("Users", 1),
        ("Groups", 1),
        ("Roles", 1),
        ("Policies", 1),
        ("PolicyVersionsInUse", 1),
        ("AccountAccessKeysPresent", 1),
        ("AccountMFAEnabled", 0),
        ("VersionsPerPolicyQuota", 5),
        ("PolicySizeQuota", 6_144),
    ] {
        assert_eq!(map[name], json!(value), "{name}");
    }
    let all = scene.iam(&root, "GetAccountAuthorizationDetails", json!({}));
    let user = &all["UserDetailList"][0];
    assert_eq!(
        (&user["UserName"], &user["GroupList"], &user["UserPolicyList"][0]["PolicyName"]),
        (&json!("ann"), &json!(["g"]), &json!("p"))
    );
    assert_eq!(user["AttachedManagedPolicies"][0]["PolicyArn"], json!(ADMINISTRATOR));
    assert_eq!(all["GroupDetailList"][0]["GroupPolicyList"][0]["PolicyName"], json!("i"));
    assert_eq!(
        all["RoleDetailList"][0]["PermissionsBoundary"]["PermissionsBoundaryArn"],
        json!(arn)
    );
    // Of AWS's policies the one that is attached.
    assert_eq!(names(&all, "Policies", "PolicyName"), ["p", "AdministratorAccess"]);
    assert_eq!(all["Policies"][0]["PolicyVersionList"][0]["VersionId"], json!("v1"));
    let roles = scene.iam(&root, "GetAccountAuthorizationDetails", json!({"Filter": ["Role"]}));
    assert_eq!((&roles["UserDetailList"], &roles["Policies"]), (&json!([]), &json!([])));
    assert_eq!(roles["RoleDetailList"].as_array().unwrap().len(), 1);
}
