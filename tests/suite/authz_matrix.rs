//! Who may do what: every operation by kinds of principals, a table that a person can review, and the proof that no
//! operation is without both an allowed and a refused cell.

use keyward_engine::{OPERATIONS, Service, Spec, shape::Kind};
use keyward_testkit::{Login, TestService, doors::through_engine, golden};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Operations that ask for no permission, and why.
const WITHOUT_PERMISSION: &[(&str, &str)] = &[
    ("CanI", "everybody may ask what they may do"),
    ("GetCallerIdentity", "everybody may ask who they are"),
    ("GetSessionToken", "a session of a user may what the user may"),
];

const PRINCIPALS: &[&str] =
    &["root", "everything", "this alone", "kms:Encrypt", "nothing", "grantee", "foreign-root"];

/// A service of its own, with what the requests are about.
struct Scene {
    service: TestService,
    logins: Vec<Login>,
    key: String,
    ciphertext: String,
    grant: String,
}

impl Scene {
    fn of(spec: &Spec) -> Self {
        let allow = |actions: Value| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        let service = TestService::start();
        let root = service.root();
        let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
        let alias = json!({"AliasName": "alias/matrix", "TargetKeyId": key});
        service.kms(&root, "CreateAlias", &alias);
        let sealed = service.kms(&root, "Encrypt", &json!({"KeyId": key, "Plaintext": "aGk="}));
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"},
        ]});
        let role = json!({"RoleName": "matrix", "AssumeRolePolicyDocument": trust.to_string()});
        service.iam(&root, "CreateRole", &role).text("/Role/Arn");
        // An alias of another account's own, so that its request is decided and not lost.
        let foreign = service.root_of("444455556666");
        let own = service.kms(&foreign, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
        service.kms(
            &foreign,
            "CreateAlias",
            &json!({"AliasName": "alias/matrix", "TargetKeyId": own}),
        );
        let actions = match spec.name {
            "ReEncrypt" => json!(["kms:ReEncryptFrom", "kms:ReEncryptTo"]),
            "ListKeyVersions" => json!("kms:ListKeyRotations"),
            "InspectCiphertext" => json!("kms:DescribeKey"),
            "ReplicateKey" => json!(["kms:ReplicateKey", "kms:CreateKey"]),
            _ => json!(spec.action()),
        };
        let logins = vec![
            root.clone(),
            service.user("admin", &allow(json!("*"))),
            service.user("alone", &allow(actions)),
            service.user("encrypter", &allow(json!("kms:Encrypt"))),
            service.user("nobody", &json!({})),
            service.user("grantee", &json!({})),
            foreign,
        ];
        let grant = json!({"KeyId": key, "GranteePrincipal": "arn:aws:iam::000000000000:user/grantee", "Operations": ["Encrypt", "Decrypt", "DescribeKey", "CreateGrant", "RetireGrant"]});
        let grant = service.kms(&root, "CreateGrant", &grant).text("/GrantId");
        Self { service, logins, key, ciphertext: sealed.text("/CiphertextBlob"), grant }
    }

    /// `-` for a refusal by policy, `A` when policy let it through whatever happened then, `?` when the
    /// request was refused before it was decided.
    fn cell(&self, place: usize, spec: &Spec) -> char {
        let body = self.body(spec).to_string();
        let answer =
            through_engine(&self.service, &self.logins[place], spec.service, spec.name, &body);
        match answer.code() {
            "AccessDeniedException" => '-',
            // Only a key that is not there is found out before the decision.
            "NotFoundException" if spec.service == Service::Keyward => 'A',
            "ValidationException"
            | "SerializationException"
            | "NotFoundException"
            | "ValidationError"
            | "InternalFailure"
            | "KMSInternalException" => '?',
            _ => 'A',
        }
    }

    /// A body that reaches the decision: what the operation needs, or every required member with a value
    /// of its kind. What it names need not exist, where that is found out after the decision.
    fn body(&self, spec: &Spec) -> Value {
        let mut body = Map::new();
        for member in spec.members.iter().filter(|member| member.required) {
            body.insert(member.name.to_owned(), self.value(member.name, &member.kind));
        }
        let more = self.more(spec.name);
        body.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(body)
    }

    fn value(&self, name: &str, kind: &Kind) -> Value {
        match (name, kind) {
            ("KeyId" | "TargetKeyId" | "SourceKeyId" | "DestinationKeyId", _) => json!(self.key),
            ("AliasName", _) => json!("alias/matrix"),
            ("GrantId", _) => json!(self.grant),
            ("PolicyArn" | "PermissionsBoundary", _) => {
                json!("arn:aws:iam::000000000000:policy/matrix")
            }
            ("SerialNumber", _) => json!("arn:aws:iam::000000000000:mfa/matrix"),
            ("RoleArn", _) => json!("arn:aws:iam::000000000000:role/matrix"),
            ("VersionId", _) => json!("v1"),
            ("AuthenticationCode1" | "AuthenticationCode2", _) => json!("123456"),
            ("VpcEndpointId", _) => json!("vpce-0123456789abcdef0"),
            ("Principal" | "PolicySourceArn", _) => {
                json!("arn:aws:iam::000000000000:user/encrypter")
            }
            (_, Kind::Enum(names)) => json!(names.first()),
            (_, Kind::Blob { .. }) => json!("aGk="),
            (_, Kind::Integer { min, .. }) => json!(min),
            (_, Kind::Boolean) => json!(false),
            (_, Kind::Timestamp) => json!(1_800_000_000),
            (_, Kind::Map) => json!({}),
            (_, Kind::List { .. }) => json!([]),
            (_, Kind::Structure(_)) => json!({}),
            (_, Kind::Text { min, .. } | Kind::Secret { min, .. }) => {
                json!("x".repeat((*min).max(1)))
            }
        }
    }

    fn more(&self, operation: &str) -> Value {
        let key = &self.key;
        match operation {
            "CanI" => json!({"Action": "kms:Encrypt", "KeyId": key}),
            "GetAccessKeyInfo" => json!({"AccessKeyId": self.logins[1].access_key_id}),
            "WhoCan" => json!({"Action": "kms:Encrypt"}),
            "Freeze" | "PutObserveMode" => json!({"Target": key, "Reason": "matrix"}),
            "Thaw" | "EndObserveMode" => json!({"Target": key}),
            "CreateAlertSilence" => json!({"Key": key}),
            "CreateAlias" => json!({"AliasName": "alias/new"}),
            "CreateCustomKeyStore" => json!({"CloudHsmClusterId": "cluster-abcdefghijk"}),
            "ImportKeyMaterial" => json!({"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}),
            "ReplicateKey" => json!({"ReplicaRegion": "us-west-2"}),
            "UpdatePrimaryRegion" => json!({"PrimaryRegion": "us-west-2"}),
            "CreateGrant" => {
                json!({"GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": ["Encrypt"]})
            }
            "Decrypt" | "InspectCiphertext" | "ReEncrypt" => {
                json!({"CiphertextBlob": self.ciphertext})
            }
            "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => json!({"KeySpec": "AES_256"}),
            "GenerateRandom" => json!({"NumberOfBytes": 8}),
            "ListRetirableGrants" => json!({"RetiringPrincipal": "arn:aws:iam::000000000000:root"}),
            "PutOrganization" => {
                json!({"Id": "o-abcdefghij", "ManagementAccount": "000000000000"})
            }
            "RetireGrant" => json!({"KeyId": key, "GrantId": self.grant}),
            "Simulate" => json!({"Actions": ["kms:Encrypt"], "KeyId": key}),
            "SimulatePrincipalPolicy" => json!({"ActionNames": ["kms:Encrypt"]}),
            "SimulateCustomPolicy" => {
                json!({"ActionNames": ["kms:Encrypt"], "PolicyInputList": ["{}"]})
            }
            "DeactivateMFADevice"
            | "GetUser"
            | "ListAccessKeys"
            | "ListMFADevices"
            | "CreateAccessKey"
            | "DeleteAccessKey"
            | "UpdateAccessKey" => {
                json!({"UserName": "encrypter"})
            }
            _ => json!({}),
        }
    }
}

/// One cell for each principal, in their order.
fn row(spec: &Spec) -> Vec<char> {
    let mut scene = Scene::of(spec);
    let mut cells = Vec::new();
    for place in 0..PRINCIPALS.len() {
        let cell = scene.cell(place, spec);
        // What was done may not show in the next cell.
        if cell != '-' && !spec.read_only {
            scene = Scene::of(spec);
        }
        cells.push(cell);
    }
    cells
}

#[test]
fn the_matrix_reads_as_blessed_and_covers_every_operation() {
    let mut text = String::from(
        "# A: policy lets it through; -: refused; ?: refused before it was decided. Key with the default key policy.\n",
    );
    writeln!(text, "# {}", PRINCIPALS.join(" · ")).unwrap();
    let mut uncovered = Vec::new();
    for operation in OPERATIONS {
        let spec = operation.spec();
        let cells = row(spec);
        if cells.contains(&'?') || !cells.contains(&'A') || !cells.contains(&'-') {
            uncovered.push(spec.name);
        }
        let cells: Vec<String> = cells.into_iter().map(String::from).collect();
        writeln!(text, "{:<8} {:<38} {}", spec.service.name(), spec.name, cells.join(" ")).unwrap();
    }
    let known: Vec<&str> = WITHOUT_PERMISSION.iter().map(|(name, _)| *name).collect();
    assert_eq!(uncovered, known, "operations that no cell tests both ways\n{text}");
    golden::check("authz_matrix.txt", &text);
}
