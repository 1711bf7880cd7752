//! Virtual MFA devices, and what showing a code changes.

use crate::world::{ACCOUNT, Login, Scene, session, text};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_crypto::totp;
use keyward_engine::Service;
use keyward_types::ErrorCode;
use serde_json::{Value, json};

/// A device as its owner's app has it.
struct App {
    serial_number: String,
    seed: Vec<u8>,
}

impl App {
    fn new(scene: &Scene, root: &Login, name: &str) -> Self {
        let made = scene.iam(root, "CreateVirtualMFADevice", json!({"VirtualMFADeviceName": name}));
        let seed = STANDARD.decode(text(&made, "/VirtualMFADevice/Base32StringSeed")).unwrap();
        assert_eq!(seed.len(), 64);
        let serial_number = text(&made, "/VirtualMFADevice/SerialNumber");
        assert!(!scene.last_event().to_string().contains(core::str::from_utf8(&seed).unwrap()));
        Self { serial_number, seed: from_base32(&seed) }
    }

    fn code(&self, scene: &Scene, steps_ahead: i64) -> String {
        let step = scene.engine.now().seconds() / 30 + steps_ahead;
        format!("{:06}", totp::code(&self.seed, step.try_into().unwrap()))
    }

    fn enable(&self, scene: &Scene, root: &Login, user: &str) {
        scene.iam(root, "EnableMFADevice", self.enabling(scene, user));
        // The codes that were typed are used up.
        scene.advance_seconds(60);
    }

    fn enabling(&self, scene: &Scene, user: &str) -> Value {
        json!({
            "UserName": user,
            "SerialNumber": self.serial_number,
            "AuthenticationCode1": self.code(scene, 0),
            "AuthenticationCode2": self.code(scene, 1),
        })
    }

    fn shown(&self, scene: &Scene) -> Value {
        json!({"SerialNumber": self.serial_number, "TokenCode": self.code(scene, 0)})
    }
}

fn from_base32(text: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| match byte {
        b'A'..=b'Z' => u64::from(byte - b'A'),
        _ => u64::from(byte - b'2') + 26,
    };
    text.chunks(8)
        .flat_map(|chunk| {
            let word = chunk.iter().fold(0_u64, |word, byte| (word << 5) | digit(byte));
            word.to_be_bytes()[3..].to_vec()
        })
        .collect()
}

#[test]
fn with_mfa_a_session_may_what_a_policy_asks_mfa_for() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["kms:ListKeys", "iam:ListUsers"], "Resource": "*",
         "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}},
    ]});
    scene.iam(
        &root,
        "PutUserPolicy",
        json!({"UserName": "ann", "PolicyName": "p", "PolicyDocument": policy.to_string()}),
    );
    let app = App::new(&scene, &root, "ann-phone");
    app.enable(&scene, &root, "ann");

    let listed = scene.iam(&root, "ListMFADevices", json!({"UserName": "ann"}));
    assert_eq!(text(&listed, "/MFADevices/0/SerialNumber"), app.serial_number);
    let denied = |login: &Login| scene.refused(login, Service::Kms, "ListKeys", json!({})).0;
    assert_eq!(denied(&ann), ErrorCode::AccessDenied);
    let without = session(&scene.sts(&ann, "GetSessionToken", json!({})));
    assert_eq!(denied(&without), ErrorCode::AccessDenied);

    let shown = app.shown(&scene);
    let with = session(&scene.sts(&ann, "GetSessionToken", shown.clone()));
    scene.kms(&with, "ListKeys", json!({}));
    let event = scene.last_event();
    assert_eq!(event["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"], "true");
    // IAM opens too.
    scene.iam(&with, "ListUsers", json!({}));
    // A code counts once, and its age counts on.
    let (code, message) = scene.refused_sts(&ann, "GetSessionToken", shown);
    assert_eq!(code, ErrorCode::AccessDenied);
    assert!(message.contains("invalid MFA one time pass code"), "{message}");
    scene.advance_seconds(301);
    assert_eq!(denied(&with), ErrorCode::AccessDenied);
}

#[test]
fn a_trust_policy_can_ask_for_mfa() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &["sts:AssumeRole"]);
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole",
         "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
    ]});
    let made = scene.iam(
        &root,
        "CreateRole",
        json!({"RoleName": "Careful", "AssumeRolePolicyDocument": trust.to_string()}),
    );
    let app = App::new(&scene, &root, "ann-phone");
    app.enable(&scene, &root, "ann");
    let mut body = json!({"RoleArn": text(&made, "/Role/Arn"), "RoleSessionName": "s1"});
    assert_eq!(scene.refused_sts(&ann, "AssumeRole", body.clone()).0, ErrorCode::AccessDenied);
    body.as_object_mut().unwrap().extend(app.shown(&scene).as_object().unwrap().clone());
    scene.sts(&ann, "AssumeRole", body.clone());
    assert!(scene.last_event()["requestParameters"].get("tokenCode").is_none());
    // A right code with a refused request is not used up; a wrong one is refused.
    body["TokenCode"] = json!("000000");
    assert_eq!(scene.refused_sts(&ann, "AssumeRole", body).0, ErrorCode::AccessDenied);
}

#[test]
fn devices_belong_to_one_user_and_go_only_when_nobody_uses_them() {
    let scene = Scene::new();
    let root = scene.root();
    let (ann, _bob) = (scene.user(&root, "ann", &[]), scene.user(&root, "bob", &[]));
    let app = App::new(&scene, &root, "phone");
    let taken = json!({"VirtualMFADeviceName": "phone"});
    assert_eq!(
        scene.refused_iam(&root, "CreateVirtualMFADevice", taken).0,
        ErrorCode::IamEntityAlreadyExists
    );
    let mut wrong = app.enabling(&scene, "ann");
    wrong["AuthenticationCode2"] = json!("000000");
    assert_eq!(
        scene.refused_iam(&root, "EnableMFADevice", wrong).0,
        ErrorCode::IamInvalidAuthenticationCode
    );
    app.enable(&scene, &root, "ann");
    assert_eq!(
        scene.refused_iam(&root, "EnableMFADevice", app.enabling(&scene, "bob")).0,
        ErrorCode::IamEntityAlreadyExists
    );
    let serial = json!({"SerialNumber": app.serial_number});
    assert_eq!(
        scene.refused_iam(&root, "DeleteVirtualMFADevice", serial.clone()).0,
        ErrorCode::IamDeleteConflict
    );
    // Another user's device proves nothing.
    let bob = scene.login(&root, "bob");
    assert_eq!(
        scene.refused_sts(&bob, "GetSessionToken", app.shown(&scene)).0,
        ErrorCode::AccessDenied
    );
    let both = json!({"UserName": "ann", "SerialNumber": app.serial_number});
    let mut resync = app.enabling(&scene, "ann");
    scene.iam(&root, "ResyncMFADevice", resync.clone());
    resync["UserName"] = json!("bob");
    assert_eq!(scene.refused_iam(&root, "ResyncMFADevice", resync).0, ErrorCode::IamNoSuchEntity);
    assert_eq!(
        scene.refused_iam(&root, "DeleteUser", json!({"UserName": "ann"})).0,
        ErrorCode::IamDeleteConflict
    );
    scene.iam(&root, "DeactivateMFADevice", both);
    let unassigned =
        scene.iam(&root, "ListVirtualMFADevices", json!({"AssignmentStatus": "Unassigned"}));
    assert_eq!(text(&unassigned, "/VirtualMFADevices/0/SerialNumber"), app.serial_number);
    assert_eq!(
        scene.refused_sts(&ann, "GetSessionToken", app.shown(&scene)).0,
        ErrorCode::AccessDenied
    );
    scene.iam(&root, "DeleteVirtualMFADevice", serial.clone());
    assert_eq!(
        scene.refused_iam(&root, "DeleteVirtualMFADevice", serial).0,
        ErrorCode::IamNoSuchEntity
    );
}

#[test]
fn codes_cannot_be_guessed() {
    let scene = Scene::new();
    let root = scene.root();
    let ann = scene.user(&root, "ann", &[]);
    let app = App::new(&scene, &root, "ann-phone");
    app.enable(&scene, &root, "ann");
    let right = app.shown(&scene);
    let wrong = json!({"SerialNumber": app.serial_number, "TokenCode": "000000"});
    for _ in 0..5 {
        scene.refused_sts(&ann, "GetSessionToken", wrong.clone());
    }
    // Not even the right one is taken until the next step.
    assert_eq!(scene.refused_sts(&ann, "GetSessionToken", right).0, ErrorCode::AccessDenied);
    scene.advance_seconds(30);
    scene.sts(&ann, "GetSessionToken", app.shown(&scene));
}
