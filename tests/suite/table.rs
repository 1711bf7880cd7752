//! The operation table against AWS's service model, and printed for review.

use super::aws_model::{input_shape, model};
use keyward_engine::{OPERATIONS, Service, Spec, shape::Kind};
use keyward_testkit::golden::{self, tests_folder};
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _, fs};

fn kms() -> impl Iterator<Item = &'static Spec> {
    OPERATIONS.iter().map(|operation| operation.spec()).filter(|spec| spec.service == Service::Kms)
}

#[test]
fn names_are_those_of_the_model() {
    let model = model();
    let theirs: BTreeSet<&str> =
        model["operations"].as_object().unwrap().keys().map(String::as_str).collect();
    let ours: BTreeSet<&str> = kms().map(|spec| spec.name).collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 56);
}

#[test]
fn rows_are_in_order_and_routes_are_unique() {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.spec().name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
    let routes: BTreeSet<String> =
        OPERATIONS.iter().map(|operation| format!("{:?}", operation.spec().route)).collect();
    assert_eq!(routes.len(), names.len(), "two operations share a route");
}

/// A question of the pack that lists operations misses none that came later.
#[test]
fn questions_of_the_pack_list_every_operation_that_they_mean() {
    let listed = |name: &str| -> BTreeSet<String> {
        let file = tests_folder().join(format!("../crates/keyward-sql/pack/{name}.sql"));
        let sql = fs::read_to_string(file).unwrap();
        let (_, list) = sql.split_once("name IN (").unwrap();
        let (list, _) = list.split_once(')').unwrap();
        list.split(',').map(|word| word.trim().trim_matches('\'').to_owned()).collect()
    };
    let of_table = |is: &dyn Fn(&Spec) -> bool| -> BTreeSet<String> {
        let specs = OPERATIONS.iter().map(|operation| operation.spec());
        specs.filter(|spec| is(spec)).map(|spec| spec.name.to_owned()).collect()
    };
    assert_eq!(listed("last-use"), of_table(&|spec| spec.tracked));
    let looks = |spec: &Spec| {
        let (verb, route) = spec.route;
        spec.read_only && !spec.tracked && verb == "GET" && route.starts_with("/v1/keys/{KeyId}")
    };
    assert_eq!(listed("enumeration-sweep"), of_table(&looks));
    // Each literal name in a question is one of an operation.
    let names = of_table(&|_| true);
    let folder = tests_folder().join("../crates/keyward-sql/pack");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        for part in fs::read_to_string(&path).unwrap().split("name = '").skip(1) {
            let name = part.split('\'').next().unwrap();
            assert!(names.contains(name), "{}: {name}", path.display());
        }
    }
}

/// An action that is not listed is still in its service's group, but nobody can name it.
#[test]
fn guardrails_can_name_every_action() {
    let listed: BTreeSet<&str> = keyward_policy::guardrail_actions().collect();
    // Two actions stand for the first, ReEncryptFrom and ReEncryptTo; the others are never decided about.
    // Keyward's own views of keys are decided about as AWS's operations that show the same.
    let unnamed = [
        "keyward:CanI",
        "keyward:InspectCiphertext",
        "keyward:ListKeyVersions",
        "kms:ReEncrypt",
        "sts:GetCallerIdentity",
        "sts:GetSessionToken",
    ];
    for action in OPERATIONS.iter().map(|operation| operation.spec().action()) {
        let named = listed.contains(action.as_str());
        assert_ne!(named, unnamed.contains(&action.as_str()), "{action}");
    }
}

#[test]
fn path_members_exist() {
    for operation in OPERATIONS {
        let spec = operation.spec();
        for part in
            spec.route.1.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        {
            assert!(spec.has_member(part), "{}: the route names {part}", spec.name);
        }
        // Rows of IAM and STS share one list of what may be logged.
        for logged in spec.logged.iter().filter(|_| spec.service == Service::Kms) {
            assert!(spec.has_member(logged), "{}: logs {logged}, which it has not", spec.name);
        }
    }
}

#[test]
fn secrets_are_never_logged() {
    const SECRET: &[&str] = &[
        "Plaintext",
        "CiphertextBlob",
        "Message",
        "Signature",
        "Mac",
        "GrantTokens",
        "GrantToken",
        "Recipient",
        "PublicKey",
        "ImportToken",
        "EncryptedKeyMaterial",
        "SecretAccessKey",
        "TokenCode",
    ];
    for operation in OPERATIONS {
        for logged in operation.spec().logged {
            assert!(!SECRET.contains(logged), "{} logs {logged}", operation.spec().name);
        }
    }
}

#[test]
fn members_are_those_of_the_model() {
    let model = model();
    for spec in kms() {
        let shape = input_shape(spec.name);
        let required: BTreeSet<&str> =
            shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let theirs: BTreeSet<&str> =
            shape["members"].as_object().unwrap().keys().map(String::as_str).collect();
        let ours: BTreeSet<&str> = spec.members.iter().map(|member| member.name).collect();
        assert_eq!(ours, theirs, "{}: members", spec.name);
        let needed: BTreeSet<&str> = spec
            .members
            .iter()
            .filter(|member| member.required)
            .map(|member| member.name)
            .collect();
        assert_eq!(needed, required, "{}: required members", spec.name);
        for member in spec.members {
            let target = shape["members"][member.name]["shape"].as_str().unwrap();
            compare_kind(model, &member.kind, target, &format!("{}.{}", spec.name, member.name));
        }
    }
}

fn compare_kind(model: &Value, kind: &Kind, target: &str, place: &str) {
    let shape = &model["shapes"][target];
    let theirs = shape["type"].as_str().unwrap();
    let bound = |name: &str| shape[name].as_i64();
    match kind {
        Kind::Enum(names) => {
            let expected: Vec<&str> = shape["enum"]
                .as_array()
                .unwrap_or_else(|| panic!("{place} is no enum"))
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(*names, expected, "{place}");
        }
        Kind::Text { min, max, pattern } | Kind::Secret { min, max, pattern } => {
            assert_eq!(theirs, "string", "{place}");
            let secret = matches!(kind, Kind::Secret { .. });
            // The model leaves grant tokens unmarked; no answer of ours repeats one.
            let marked =
                shape["sensitive"].as_bool().unwrap_or(false) || target == "GrantTokenType";
            assert_eq!(secret, marked, "{place}: secret");
            assert!(shape["enum"].is_null(), "{place} is an enum in the model");
            assert_eq!(i64::try_from(*min).unwrap(), bound("min").unwrap_or(0), "{place}: min");
            assert_eq!(
                i64::try_from(*max).ok(),
                bound("max").or(i64::try_from(*max).ok()),
                "{place}: max"
            );
            assert_eq!(pattern.map(|p| p.shown), shape["pattern"].as_str(), "{place}: pattern");
        }
        Kind::Blob { min, max } => {
            assert_eq!(theirs, "blob", "{place}");
            assert_eq!(
                (Some(*min as i64), Some(*max as i64)),
                (bound("min"), bound("max")),
                "{place}"
            );
        }
        Kind::Integer { min, max } => {
            assert_eq!(theirs, "integer", "{place}");
            assert_eq!((Some(*min), Some(*max)), (bound("min"), bound("max")), "{place}");
        }
        Kind::Boolean => assert_eq!(theirs, "boolean", "{place}"),
        Kind::Timestamp => assert_eq!(theirs, "timestamp", "{place}"),
        Kind::Map => assert_eq!(theirs, "map", "{place}"),
        Kind::List { of, .. } => {
            assert_eq!(theirs, "list", "{place}");
            compare_kind(
                model,
                of,
                shape["member"]["shape"].as_str().unwrap(),
                &format!("{place}[]"),
            );
        }
        Kind::Structure(members) => {
            assert_eq!(theirs, "structure", "{place}");
            let expected: BTreeSet<&str> =
                shape["members"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(
                members.iter().map(|member| member.name).collect::<BTreeSet<_>>(),
                expected,
                "{place}"
            );
        }
    }
}

#[test]
fn errors_are_those_of_the_model() {
    let model = model();
    for spec in kms() {
        let errors = model["operations"][spec.name]["errors"].as_array();
        let theirs: BTreeSet<&str> =
            errors.into_iter().flatten().filter_map(|error| error["shape"].as_str()).collect();
        let ours: BTreeSet<&str> = spec.errors.iter().map(|code| code.wire()).collect();
        assert_eq!(ours, theirs, "{}: errors", spec.name);
    }
    let modelled = model["shapes"].as_object().unwrap().iter();
    let modelled: Vec<&str> = modelled
        .filter(|(_, shape)| shape["exception"] == true)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(modelled.len(), 48);
    for name in modelled {
        assert!(keyward_types::ErrorCode::ALL.iter().any(|code| code.wire() == name), "{name}");
    }
}

#[test]
fn the_table_reads_as_blessed() {
    let mut text = String::from(
        "# service operation · verb route · plane · cross-account · aliases · tracked · read-only · states\n",
    );
    for operation in OPERATIONS {
        let spec = operation.spec();
        let flag = |set: bool, name: &'static str| if set { name } else { "-" };
        let states: Vec<&str> = spec.states.iter().map(|state| state.as_str()).collect();
        writeln!(
            text,
            "{} {} · {} {} · {:?} · {} · {} · {} · {} · {}",
            spec.service.name(),
            spec.name,
            spec.route.0,
            spec.route.1,
            spec.plane,
            flag(spec.cross_account, "cross-account"),
            flag(spec.aliases, "aliases"),
            flag(spec.tracked, "tracked"),
            flag(spec.read_only, "read-only"),
            if spec.states.len() == keyward_types::KeyState::ALL.len() {
                "any".to_owned()
            } else {
                states.join(",")
            },
        )
        .unwrap();
    }
    golden::check("operations.txt", &text);
}
