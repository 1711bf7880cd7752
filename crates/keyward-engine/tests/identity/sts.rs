//! STS: who may become what, for how long, and what a session may still do.

use crate::world::{ACCOUNT, Login, OTHER, Scene, allow, session, text, trust};
use keyward_engine::Service;
use keyward_types::ErrorCode;
use serde_json::{Value, json};

/// A role that these principals may assume, and that may do these actions.
fn role(scene: &Scene, name: &str, principals: &[&str], actions: &[&str]) -> String {
    let root = scene.root();
    let made = scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": name, "AssumeRolePolicyDocument": trust(principals), "MaxSessionDuration": 7_200, "Tags": [{"Key": "team", "Value": "red"}]}),
    );
    if !actions.is_empty() {
        scene.iam(
            &root,
            "PutRolePolicy",
            json!({"RoleName": name, "PolicyName": "p", "PolicyDocument": allow(actions)}),
        );
    }
    text(&made, "/Role/Arn")
}

fn user_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

fn assume(scene: &Scene, login: &Login, role: &str) -> Login {
    session(&scene.sts(login, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s1"})))
}

fn refusal(login_arn: &str, action: &str, role: &str) -> String {
    format!(
        "User: {login_arn} is not authorized to perform: {action} on resource: {role} (request "
    )
}

#[test]
fn everyone_may_ask_who_they_are() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let said = scene.sts(&ann, "GetCallerIdentity", json!({}));
    assert_eq!(
        (text(&said, "/Arn"), text(&said, "/Account")),
        (user_arn("ann"), ACCOUNT.to_owned())
    );
    assert!(text(&said, "/UserId").starts_with("AIDA"));
    // Not even a Deny of everything changes that.
    let deny =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "ann", "PolicyName": "d", "PolicyDocument": deny}),
    );
    scene.sts(&ann, "GetCallerIdentity", json!({}));
}

#[test]
fn in_one_account_a_named_caller_needs_nothing_else() {
    let scene = Scene::new();
    let root = scene.root();
    let (ann, bob) = (scene.user(&root, "ann", &[]), scene.user(&root, "bob", &[]));
    let role = role(&scene, "R", &[&user_arn("ann")], &["kms:ListKeys"]);
    let said = scene.sts(&ann, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s1"}));
    assert_eq!(
        text(&said, "/AssumedRoleUser/Arn"),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/R/s1")
    );
    assert!(text(&said, "/AssumedRoleUser/AssumedRoleId").ends_with(":s1"));
    assert_eq!(text(&said, "/Credentials/Expiration"), "2026-01-01T01:00:00Z");
    assert!(said.get("PackedPolicySize").is_none());
    let login = session(&said);
    assert!(login.id.starts_with("ASIA") && login.id.len() == 20);
    assert_eq!(
        text(&scene.sts(&login, "GetCallerIdentity", json!({})), "/Arn"),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/R/s1")
    );
    scene.kms(&login, "ListKeys", json!({}));

    let (code, message) =
        scene.refused_sts(&bob, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s1"}));
    assert_eq!(code, ErrorCode::AccessDenied);
    assert!(message.starts_with(&refusal(&user_arn("bob"), "sts:AssumeRole", &role)), "{message}");
    // A role that is not there sounds the same.
    let absent = format!("arn:aws:iam::{ACCOUNT}:role/Absent");
    let (_, message) =
        scene.refused_sts(&bob, "AssumeRole", json!({"RoleArn": absent, "RoleSessionName": "s1"}));
    assert!(
        message.starts_with(&refusal(&user_arn("bob"), "sts:AssumeRole", &absent)),
        "{message}"
    );
    // Root users assume no roles, and a policy's Deny stops a named caller.
    assert_eq!(
        scene.refused_sts(&root, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s1"})).1,
        "Roles may not be assumed by root accounts."
    );
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}}"#;
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "ann", "PolicyName": "d", "PolicyDocument": deny}),
    );
    assert_eq!(
        scene.refused_sts(&ann, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s1"})).0,
        ErrorCode::AccessDenied
    );
}

#[test]
fn where_the_account_is_trusted_identity_policies_decide() {
    let scene = Scene::new();
    let root = scene.root();
    let role = role(&scene, "R", &[ACCOUNT], &[]);
    let with = scene.user(&root, "with", &["sts:AssumeRole"]);
    let without = scene.user(&root, "without", &["kms:*"]);
    assume(&scene, &with, &role);
    assert_eq!(
        scene
            .refused_sts(&without, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s1"}))
            .0,
        ErrorCode::AccessDenied
    );
}

#[test]
fn across_accounts_both_must_allow() {
    let scene = Scene::new();
    let other = scene.other_root();
    let with = scene.user(&other, "with", &["sts:*"]);
    let without = scene.user(&other, "without", &[]);
    let arn = |name: &str| format!("arn:aws:iam::{OTHER}:user/{name}");
    let trusting = role(&scene, "Trusting", &[&arn("with"), &arn("without")], &[]);
    let closed = role(&scene, "Closed", &[ACCOUNT], &[]);
    let wanted = |role: &str| json!({"RoleArn": role, "RoleSessionName": "s1"});
    assume(&scene, &with, &trusting);
    assert_eq!(
        scene.refused_sts(&without, "AssumeRole", wanted(&trusting)).0,
        ErrorCode::AccessDenied
    );
    assert_eq!(scene.refused_sts(&with, "AssumeRole", wanted(&closed)).0, ErrorCode::AccessDenied);
    let account_wide = role(&scene, "AccountWide", &[OTHER], &[]);
    assume(&scene, &with, &account_wide);
    assert_eq!(
        scene.refused_sts(&without, "AssumeRole", wanted(&account_wide)).0,
        ErrorCode::AccessDenied
    );
}

#[test]
fn conditions_of_a_trust_policy_see_the_request() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": user_arn("ann")},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "42-x", "sts:RoleSessionName": "${aws:username}"}},
    }]});
    scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust.to_string()}),
    );
    let wanted = |id: Option<&str>, name: &str| json!({"RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/R"), "RoleSessionName": name, "ExternalId": id});
    scene.sts(&ann, "AssumeRole", wanted(Some("42-x"), "ann"));
    for (id, name) in [(None, "ann"), (Some("42-y"), "ann"), (Some("42-x"), "bob")] {
        assert_eq!(
            scene.refused_sts(&ann, "AssumeRole", wanted(id, name)).0,
            ErrorCode::AccessDenied,
            "{id:?} {name}"
        );
    }
    let event = scene.last_event();
    assert_eq!(event["requestParameters"]["externalId"], json!("42-x"));
    // The event says which clause of the trust policy failed, what it expected and what it saw.
    let told = event["additionalEventData"].to_string();
    for words in
        ["trust policy", "Condition StringEquals sts:RoleSessionName", "${aws:username}", "bob"]
    {
        assert!(told.contains(words), "{words} is not in {told}");
    }
}

#[test]
fn who_was_deleted_and_made_again_is_somebody_else() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let role = role(&scene, "R", &[&user_arn("ann")], &[]);
    let old_session = assume(&scene, &ann, &role);
    scene.iam(&root, "DeleteAccessKey", json!({"UserName": "ann", "AccessKeyId": ann.id}));
    scene.iam(&root, "DeleteUser", json!({"UserName": "ann"}));
    let new_ann = scene.user(&root, "ann", &["sts:AssumeRole"]);
    assert_eq!(
        scene
            .refused_sts(&new_ann, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s1"}))
            .0,
        ErrorCode::AccessDenied
    );
    // Saving the trust policy again means whoever has the name now.
    scene.iam(
        &root,
        "UpdateAssumeRolePolicy",
        json!({"RoleName": "R", "PolicyDocument": trust(&[&user_arn("ann")])}),
    );
    assume(&scene, &new_ann, &role);

    // A session lives as long as the very role it was made of.
    scene.sts(&old_session, "GetCallerIdentity", json!({}));
    scene.iam(&root, "DeleteRole", json!({"RoleName": "R"}));
    assert_eq!(
        scene.refused_sts(&old_session, "GetCallerIdentity", json!({})).0,
        ErrorCode::UnrecognizedClient
    );
    scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust(&[ACCOUNT])}),
    );
    assert_eq!(
        scene.refused_sts(&old_session, "GetCallerIdentity", json!({})).0,
        ErrorCode::UnrecognizedClient
    );
}

#[test]
fn a_session_named_itself_is_not_narrowed_and_a_named_role_is() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let first = role(&scene, "First", &[&user_arn("ann")], &[]);
    let session_arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/First/s1");
    let (by_role, by_session) =
        (role(&scene, "ByRole", &[&first], &[]), role(&scene, "BySession", &[&session_arn], &[]));
    let narrow =
        json!({"RoleArn": first, "RoleSessionName": "s1", "Policy": allow(&["kms:ListKeys"])});
    let login = session(&scene.sts(&ann, "AssumeRole", narrow));
    assert_eq!(
        scene
            .refused_sts(&login, "AssumeRole", json!({"RoleArn": by_role, "RoleSessionName": "s2"}))
            .0,
        ErrorCode::AccessDenied
    );
    assume(&scene, &login, &by_session);
    assume(&scene, &assume(&scene, &ann, &first), &by_role);
}

#[test]
fn sessions_end_and_chains_are_short() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let first = role(&scene, "First", &[&user_arn("ann")], &[]);
    let second = role(&scene, "Second", &[&first], &[]);
    let long = |role: &str, seconds: i64| json!({"RoleArn": role, "RoleSessionName": "s1", "DurationSeconds": seconds});
    assert_eq!(
        scene.refused_sts(&ann, "AssumeRole", long(&first, 7_201)),
        (
            ErrorCode::Validation,
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                .to_owned()
        )
    );
    let login = session(&scene.sts(&ann, "AssumeRole", long(&first, 7_200)));
    assert!(
        scene.refused_sts(&login, "AssumeRole", long(&second, 3_601)).1.contains("role chaining")
    );
    let chained = session(&scene.sts(&login, "AssumeRole", long(&second, 3_600)));
    scene.advance_seconds(3_599);
    scene.sts(&chained, "GetCallerIdentity", json!({}));
    scene.advance_seconds(1);
    assert_eq!(
        scene.refused_sts(&chained, "GetCallerIdentity", json!({})).0,
        ErrorCode::ExpiredToken
    );
    scene.sts(&login, "GetCallerIdentity", json!({}));
    // A token belongs to its access key id, and a token that was touched is none.
    let token = login.token.clone().unwrap();
    let crossed = Login { id: chained.id.clone(), token: Some(token.clone()) };
    assert_eq!(
        scene.refused_sts(&crossed, "GetCallerIdentity", json!({})).0,
        ErrorCode::UnrecognizedClient
    );
    let flipped = if token.ends_with('A') { "B" } else { "A" };
    let touched = Login {
        id: login.id.clone(),
        token: Some(format!("{}{flipped}", &token[..token.len() - 1])),
    };
    assert_eq!(
        scene.refused_sts(&touched, "GetCallerIdentity", json!({})).0,
        ErrorCode::UnrecognizedClient
    );
    let bare = Login { id: login.id.clone(), token: None };
    assert_eq!(
        scene.refused_sts(&bare, "GetCallerIdentity", json!({})).0,
        ErrorCode::UnrecognizedClient
    );
}

#[test]
fn a_session_policy_narrows_and_never_widens() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let role = role(&scene, "R", &[&user_arn("ann")], &["kms:ListKeys", "kms:ListAliases"]);
    let narrowed = scene.sts(
        &ann,
        "AssumeRole",
        json!({"RoleArn": role, "RoleSessionName": "s1", "Policy": allow(&["kms:ListKeys", "kms:CreateKey"])}),
    );
    assert!(narrowed["PackedPolicySize"].as_u64().unwrap() >= 1);
    let login = session(&narrowed);
    scene.kms(&login, "ListKeys", json!({}));
    let (code, message) = scene.refused(&login, Service::Kms, "ListAliases", json!({}));
    assert!(code == ErrorCode::AccessDenied && message.contains("session policy"), "{message}");
    assert_eq!(
        scene.refused(&login, Service::Kms, "CreateKey", json!({})).0,
        ErrorCode::AccessDenied
    );
    let bad = json!({"RoleArn": role, "RoleSessionName": "s1", "Policy": "{}"});
    assert_eq!(scene.refused_sts(&ann, "AssumeRole", bad).0, ErrorCode::IamMalformedPolicyDocument);
    let long = json!({"RoleArn": role, "RoleSessionName": "s1", "Policy": format!("{}{}", allow(&["kms:*"]), " ".repeat(2_048))});
    assert!(scene.refused_sts(&ann, "AssumeRole", long).1.contains("at 'policy'"));
    let managed = json!({"RoleArn": role, "RoleSessionName": "s1", "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]});
    assert_eq!(
        scene.refused_sts(&ann, "AssumeRole", managed).1,
        "The session policy arn:aws:iam::aws:policy/ReadOnlyAccess does not exist or is not of the session's account"
    );
}

#[test]
fn session_tags_and_source_identity_have_permissions_of_their_own() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let plain = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": user_arn("ann")}, "Action": "sts:AssumeRole"}]});
    scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": "Plain", "AssumeRolePolicyDocument": plain.to_string()}),
    );
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let tagged = |role: &str| json!({"RoleArn": arn(role), "RoleSessionName": "s1", "Tags": [{"Key": "project", "Value": "x"}]});
    assert!(scene.refused_sts(&ann, "AssumeRole", tagged("Plain")).1.contains("sts:TagSession"));
    let named = |role: &str, source: Option<&str>| json!({"RoleArn": arn(role), "RoleSessionName": "s1", "SourceIdentity": source});
    assert!(
        scene
            .refused_sts(&ann, "AssumeRole", named("Plain", Some("ann.real")))
            .1
            .contains("sts:SetSourceIdentity")
    );

    role(&scene, "Tagged", &[&user_arn("ann")], &[]);
    let condition = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/project": "x", "aws:PrincipalTag/team": "red"}},
    }]});
    scene.iam(
        &root,
        "PutRolePolicy",
        json!({"RoleName": "Tagged", "PolicyName": "p", "PolicyDocument": condition.to_string()}),
    );
    let with = session(&scene.sts(&ann, "AssumeRole", tagged("Tagged")));
    scene.kms(&with, "ListKeys", json!({}));
    let without = assume(&scene, &ann, &arn("Tagged"));
    assert_eq!(
        scene.refused(&without, Service::Kms, "ListKeys", json!({})).0,
        ErrorCode::AccessDenied
    );

    role(&scene, "Chained", &[&arn("Tagged")], &[]);
    let said = scene.sts(&ann, "AssumeRole", named("Tagged", Some("ann.real")));
    assert_eq!(said["SourceIdentity"], json!("ann.real"));
    let login = session(&said);
    // It goes along the chain, unchanged.
    assert_eq!(
        scene.sts(&login, "AssumeRole", named("Chained", None))["SourceIdentity"],
        json!("ann.real")
    );
    assert!(
        scene
            .refused_sts(&login, "AssumeRole", named("Chained", Some("other")))
            .1
            .contains("sts:SetSourceIdentity")
    );
    assert!(scene.refused_sts(&ann, "AssumeRole", json!({"RoleArn": arn("Tagged"), "RoleSessionName": "s1", "Tags": [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]})).1.contains("Duplicate"));
}

#[test]
fn a_users_own_session_uses_keys_but_not_iam() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &["*"]);
    let login = session(&scene.sts(&ann, "GetSessionToken", json!({"DurationSeconds": 900})));
    scene.kms(&login, "ListKeys", json!({}));
    assert_eq!(text(&scene.sts(&login, "GetCallerIdentity", json!({})), "/Arn"), user_arn("ann"));
    assert_eq!(scene.refused_iam(&login, "ListUsers", json!({})).0, ErrorCode::UnrecognizedClient);
    assert_eq!(scene.refused_iam(&login, "GetUser", json!({})).0, ErrorCode::UnrecognizedClient);
    assert_eq!(
        scene.refused_sts(&login, "GetSessionToken", json!({})),
        (
            ErrorCode::AccessDenied,
            "Cannot call GetSessionToken with session credentials".to_owned()
        )
    );
    let root_session = scene.sts(&root, "GetSessionToken", json!({}));
    assert_eq!(text(&root_session, "/Credentials/Expiration"), "2026-01-01T01:00:00Z");
    scene.advance_seconds(900);
    assert_eq!(
        scene.refused(&login, Service::Kms, "ListKeys", json!({})).0,
        ErrorCode::ExpiredToken
    );
}

#[test]
fn the_event_of_an_assumed_role_names_both_sides_and_no_secret() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let role = role(&scene, "R", &[&user_arn("ann")], &["kms:ListKeys"]);
    let said = scene.sts(&ann, "AssumeRole", json!({"RoleArn": role, "RoleSessionName": "s1"}));
    let event = scene.last_event();
    assert_eq!(
        (&event["eventName"], &event["eventSource"]),
        (&json!("AssumeRole"), &json!("sts.amazonaws.com"))
    );
    assert_eq!(event["resources"][0]["ARN"], json!(role));
    assert_eq!(event["requestParameters"], json!({"roleArn": role, "roleSessionName": "s1"}));
    assert_eq!(
        event["responseElements"]["credentials"]["accessKeyId"],
        said["Credentials"]["AccessKeyId"]
    );
    for secret in ["/Credentials/SecretAccessKey", "/Credentials/SessionToken"] {
        assert!(!event.to_string().contains(&text(&said, secret)));
    }
    scene.kms(&session(&said), "ListKeys", json!({}));
    let event: Value = scene.last_event();
    assert_eq!(event["userIdentity"]["type"], json!("AssumedRole"));
    assert_eq!(event["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"], json!(role));
}
