//! Who may do what on a key with the default policy: a table that a person can review.

use keyward_engine::{OPERATIONS, Service, Spec, shape::Kind};
use keyward_testkit::{Login, TestService, doors::through_engine, golden};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// What the requests are about.
struct Scene {
    key: String,
    ciphertext: String,
    grant: String,
}

/// A body that reaches the decision: what the operation needs, or every required member with a value of its kind.
fn body(spec: &Spec, scene: &Scene) -> Value {
    let Scene { key, ciphertext, grant } = scene;
    let mut body = Map::new();
    for member in spec.members.iter().filter(|member| member.required) {
        let value = match (member.name, &member.kind) {
            ("KeyId" | "TargetKeyId" | "SourceKeyId" | "DestinationKeyId", _) => json!(key),
            ("AliasName", _) => json!("alias/matrix"),
            ("GrantId", _) => json!(grant),
            (_, Kind::Enum(names)) => json!(names.first()),
            (_, Kind::Blob { .. }) => json!("aGk="),
            (_, Kind::Integer { min, .. }) => json!(min),
            (_, Kind::Boolean) => json!(false),
            (_, Kind::Timestamp) => json!(1_800_000_000),
            (_, Kind::Map) => json!({}),
            (_, Kind::List { .. }) => json!([]),
            (_, Kind::Structure(_)) => json!({}),
            (_, Kind::Text { min, .. }) => json!("x".repeat((*min).max(1))),
        };
        body.insert(member.name.to_owned(), value);
    }
    let more = match spec.name {
        "CreateAlias" => json!({"AliasName": "alias/new"}),
        "CreateGrant" => {
            json!({"GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": ["Encrypt"]})
        }
        "Decrypt" => json!({"CiphertextBlob": ciphertext}),
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => json!({"KeySpec": "AES_256"}),
        "GenerateRandom" => json!({"NumberOfBytes": 8}),
        "ListRetirableGrants" => json!({"RetiringPrincipal": "arn:aws:iam::000000000000:root"}),
        "ReEncrypt" => json!({"CiphertextBlob": ciphertext}),
        "RetireGrant" => json!({"KeyId": key, "GrantId": grant}),
        _ => json!({}),
    };
    body.extend(more.as_object().cloned().unwrap_or_default());
    Value::Object(body)
}

/// `-` for a refusal by policy, `A` when policy let it through whatever happened then, `?` when the request
/// was refused before it was decided.
fn cell(service: &TestService, login: &Login, spec: &Spec, scene: &Scene) -> char {
    match through_engine(service, login, spec.service, spec.name, &body(spec, scene).to_string())
        .code()
    {
        "AccessDeniedException" => '-',
        "ValidationException" | "SerializationException" | "NotFoundException" => '?',
        _ => 'A',
    }
}

#[test]
fn the_matrix_reads_as_blessed() {
    let allow = |action: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
    let mut text = String::from(
        "# A: policy lets it through; -: refused; ?: refused before it was decided. Key with the default key policy.\n",
    );
    let names = ["root", "kms:*", "kms:Encrypt", "nothing", "grantee", "foreign-root"];
    writeln!(text, "# {}", names.join(" · ")).unwrap();
    for operation in OPERATIONS.iter().filter(|operation| operation.spec().service == Service::Kms)
    {
        let spec = operation.spec();
        // A service of its own, so that what one operation did does not show in the next.
        let service = TestService::start();
        let root = service.root();
        let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
        service.kms(
            &root,
            "CreateAlias",
            &json!({"AliasName": "alias/matrix", "TargetKeyId": key}),
        );
        let sealed = service.kms(&root, "Encrypt", &json!({"KeyId": key, "Plaintext": "aGk="}));
        let logins = [
            root.clone(),
            service.user("admin", &allow("kms:*")),
            service.user("encrypter", &allow("kms:Encrypt")),
            service.user("nobody", &json!({})),
            service.user("grantee", &json!({})),
            service.root_of("444455556666"),
        ];
        let grant = json!({"KeyId": key, "GranteePrincipal": "arn:aws:iam::000000000000:user/grantee", "Operations": ["Encrypt", "Decrypt", "DescribeKey", "CreateGrant", "RetireGrant"]});
        let grant = service.kms(&root, "CreateGrant", &grant).text("/GrantId");
        let scene = Scene { key, ciphertext: sealed.text("/CiphertextBlob"), grant };
        // The owner last: it may change the key.
        let mut cells: Vec<char> =
            logins.iter().rev().map(|login| cell(&service, login, spec, &scene)).collect();
        cells.reverse();
        let cells: Vec<String> = cells.into_iter().map(String::from).collect();
        writeln!(text, "{:<38} {}", spec.name, cells.join(" ")).unwrap();
    }
    golden::check("authz_matrix.txt", &text);
}
