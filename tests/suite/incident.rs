//! A written investigation with the real binary: a new role decrypts 700 times in an hour. Who it was and what it
//! did, through which statement, what else it could have opened; the key is frozen, its policy fixed, the key
//! rotated and thawed; the evidence is bundled, and somebody else checks it offline.

use super::crash::wall_seconds;
use keyward_sigv4::{Credentials, Request, Scope, sign};
use keyward_testkit::{
    Login,
    clients::{self, Dev},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const DECRYPTS: usize = 700;
const ACCOUNT: &str = "000000000000";
const ROLE: &str = "arn:aws:iam::000000000000:role/reporting";
const APP: &str = "arn:aws:iam::000000000000:user/app";

/// One principal and its connection to the service.
pub(super) struct Client {
    agent: ureq::Agent,
    address: String,
    login: Login,
}

impl Client {
    pub(super) fn of(dev: &Dev, login: Login) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let address = format!("127.0.0.1:{}", dev.port());
        Self { agent: config.build().into(), address, login }
    }

    fn send(&self, method: &str, path: &str, target: Option<&str>, input: &Value) -> (u16, Value) {
        let body = input.to_string();
        let mut headers =
            vec![("host", self.address.as_str()), ("content-type", "application/x-amz-json-1.1")];
        headers.extend(target.map(|target| ("x-amz-target", target)));
        let request = Request { method, path, query: "", headers: &headers, body: body.as_bytes() };
        let credentials = Credentials {
            access_key_id: &self.login.access_key_id,
            secret_access_key: &self.login.secret_access_key,
            session_token: self.login.session_token.as_deref(),
        };
        let scope = Scope { region: "us-east-1", service: "kms" };
        let added = sign(&request, &credentials, &scope, wall_seconds());
        let url = format!("http://{}{path}", self.address);
        let mut builder = if method == "PUT" { self.agent.put(url) } else { self.agent.post(url) };
        let added = added.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in headers.iter().skip(1).copied().chain(added) {
            builder = builder.header(name, value);
        }
        let mut response = builder.send(body.as_bytes()).expect("an answer");
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
    }

    pub(super) fn kms(&self, operation: &str, input: &Value) -> (u16, Value) {
        self.send("POST", "/", Some(&format!("TrentService.{operation}")), input)
    }

    pub(super) fn ok(&self, operation: &str, input: &Value) -> Value {
        let (status, value) = self.kms(operation, input);
        assert_eq!(status, 200, "{operation} {input}: {value}");
        value
    }

    pub(super) fn rest(&self, path: &str, input: &Value) -> Value {
        self.by("POST", path, input)
    }

    pub(super) fn by(&self, method: &str, path: &str, input: &Value) -> Value {
        let (status, value) = self.send(method, path, None, input);
        assert!(status < 300, "{path} {input}: {status} {value}");
        value
    }

    fn encrypt(&self, key: &str, tenant: &str) -> Value {
        let input =
            json!({"KeyId": key, "Plaintext": "AAAA", "EncryptionContext": {"tenant": tenant}});
        self.ok("Encrypt", &input)["CiphertextBlob"].clone()
    }

    fn decrypt(&self, sealed: &Value, tenant: &str) -> (u16, Value) {
        let input = json!({"CiphertextBlob": sealed, "EncryptionContext": {"tenant": tenant}});
        self.kms("Decrypt", &input)
    }
}

/// The service, and what the story is about.
struct Scene {
    dev: Dev,
    root: Client,
    app: Client,
    key: String,
}

/// The key's policy: the account manages it, and `decrypting` is who else may decrypt.
fn policy(decrypting: &Value) -> String {
    let root = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
    let manage = json!({"Sid": "Manage", "Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"});
    let sealing = json!({"Sid": "AppSeals", "Effect": "Allow", "Principal": {"AWS": APP}, "Action": "kms:Encrypt", "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [manage, sealing, decrypting]}).to_string()
}

impl Scene {
    /// A key that everybody of the account may decrypt with, and the one user that it was meant for.
    fn new() -> Self {
        let dev = Dev::start(&[]);
        let root = Client::of(&dev, Login::new("test", "test"));
        root.rest("/v1/users", &json!({"UserName": "app"}));
        let made = root.rest("/v1/users/app/access-keys", &json!({}));
        let text = |pointer: &str| made.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let login =
            Login::new(&text("/AccessKey/AccessKeyId"), &text("/AccessKey/SecretAccessKey"));
        let app = Client::of(&dev, login);
        let broad = json!({
            "Sid": "EverybodyDecrypts", "Effect": "Allow", "Principal": "*",
            "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}},
        });
        let key = root.ok("CreateKey", &json!({"Policy": policy(&broad)}));
        let key = key["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
        Self { dev, root, app, key }
    }

    /// A session of a role that is new, and was given nothing.
    fn intruder(&self) -> Client {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": APP}, "Action": "sts:AssumeRole",
        }]});
        let role = json!({"RoleName": "reporting", "AssumeRolePolicyDocument": trust.to_string()});
        self.root.rest("/v1/roles", &role);
        let assume = json!({"RoleArn": ROLE, "RoleSessionName": "nightly"});
        let made = self.app.rest("/v1/assume-role", &assume);
        let text = |name: &str| made["Credentials"][name].as_str().unwrap().to_owned();
        let login = Login {
            session_token: Some(text("SessionToken")),
            ..Login::new(&text("AccessKeyId"), &text("SecretAccessKey"))
        };
        Client::of(&self.dev, login)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(clients::binary());
        clients::point_at(&mut command, &self.dev.endpoint());
        command.args(args).output().unwrap()
    }

    fn keyward(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let text = self.keyward(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }
}

/// Checks a bundle as somebody who has no service: exit code and what was said.
fn check(file: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(clients::binary());
    clients::point_at(&mut command, "http://127.0.0.1:9");
    let output = command.args(["incident", "verify-bundle"]).arg(file).args(more).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn seven_hundred_decrypts_by_a_new_role_are_found_stopped_repaired_and_proven() {
    let scene = Scene::new();
    let Scene { root, app, key, .. } = &scene;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // What an auditor kept from better days.
    fs::write(file("kept"), scene.keyward(&["audit", "checkpoint"])).unwrap();
    let verifier = scene.keyward(&["audit", "key"]).trim().to_owned();
    let tenants = ["acme", "globex"];
    let sealed = tenants.map(|tenant| app.encrypt(key, tenant));
    assert_eq!(app.decrypt(&sealed[0], "acme").0, 200);
    let intruder = scene.intruder();
    for n in 0..DECRYPTS {
        // Six of seven are acme's.
        let place = usize::from(n % 7 == 6);
        let (status, answer) = intruder.decrypt(&sealed[place], tenants[place]);
        assert_eq!(status, 200, "{answer}");
    }

    // Who, and what.
    let did = scene.json(&["principal", "did", ROLE, "--since", "1h"]);
    assert_eq!((&did["Count"], &did["Refused"]), (&json!(DECRYPTS), &json!(0)));
    let uses = did["Uses"].as_array().unwrap();
    assert_eq!(uses.len(), 1);
    assert_eq!((&uses[0]["Operation"], &uses[0]["Key"]), (&json!("Decrypt"), &json!(key)));
    let new = did["New"].as_array().unwrap();
    assert!(new.iter().any(|one| one["Kind"] == "key" && one["Value"] == *key), "{did}");

    // The same of one tenant, in the language of the log.
    let globex = ["principal", "did", ROLE, "ctx.tenant:globex", "op:Decrypt", "--since", "1h"];
    assert_eq!(scene.json(&globex)["Count"], json!(DECRYPTS / 7));

    // Through which statement.
    let used = scene.keyward(&["key", "used-by", key, "--since", "1h", "-o", "json"]);
    let first: Value = serde_json::from_str(used.lines().next().unwrap()).unwrap();
    assert_eq!((&first["Principal"], &first["Count"]), (&json!(ROLE), &json!(DECRYPTS)));
    assert_eq!(
        first["Statements"],
        json!([{"Name": "key policy#EverybodyDecrypts", "Count": DECRYPTS}])
    );
    let used = ["key", "used-by", key, "ctx.tenant:globex", "--since", "1h", "-o", "json"];
    let first: Value = serde_json::from_str(scene.keyward(&used).lines().next().unwrap()).unwrap();
    assert_eq!((&first["Principal"], &first["Count"]), (&json!(ROLE), &json!(DECRYPTS / 7)));
    let listed = scene.json(&["events", "list", "--principal", ROLE, "--limit", "1"]);
    let event = listed["eventID"].as_str().unwrap().to_owned();
    let explained = scene.keyward(&["explain", &event]);
    assert!(explained.contains("allow by EverybodyDecrypts of key policy"), "{explained}");

    // What else it could have opened, and what it did.
    let radius = scene.json(&["principal", "blast-radius", ROLE, "--since", "1h"]);
    assert_eq!(radius["Could"][0]["KeyId"], *key);
    assert_eq!(radius["Could"][0]["Actions"][0]["Action"], "kms:Decrypt");
    assert_eq!(radius["Could"].as_array().unwrap().len(), 1);
    let did: Vec<(&Value, &Value)> = radius["Did"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["EncryptionContext"]["tenant"], &row["Count"]))
        .collect();
    assert_eq!(
        did,
        [(&json!("acme"), &json!(DECRYPTS / 7 * 6)), (&json!("globex"), &json!(DECRYPTS / 7))]
    );

    // Stopped at once, for everybody.
    scene.keyward(&["incident", "freeze", key, "--reason", "700 decrypts by a new role"]);
    for client in [&intruder, app, root] {
        let (status, answer) = client.decrypt(&sealed[0], "acme");
        assert_eq!(status, 400);
        let message = answer["Message"].as_str().or(answer["message"].as_str()).unwrap();
        assert!(message.contains("explicit deny in a freeze"), "{answer}");
        assert!(!message.contains("700"), "{answer}");
    }
    assert!(scene.keyward(&["explain", "last"]).contains("700 decrypts by a new role"));
    let radius = scene.json(&["principal", "blast-radius", ROLE]);
    assert_eq!(radius["Could"], json!([]), "nothing, while it is frozen");
    assert_eq!(radius["Frozen"][0]["Target"], *key, "and it is said why");
    let frozen = scene.json(&["incident", "frozen"]);
    assert_eq!((&frozen["Type"], &frozen["Target"]), (&json!("Key"), &json!(key)));

    // Repaired while it is frozen, then back in use.
    let narrow = json!({
        "Sid": "AppOpensItsTenant", "Effect": "Allow", "Principal": {"AWS": APP},
        "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:tenant": "acme"}},
    });
    root.ok("PutKeyPolicy", &json!({"KeyId": key, "Policy": policy(&narrow)}));
    root.ok("RotateKeyOnDemand", &json!({"KeyId": key}));
    scene.keyward(&["incident", "thaw", key, "--reason", "policy fixed, key rotated"]);
    assert_eq!(scene.keyward(&["incident", "frozen"]), "");
    assert_eq!(intruder.decrypt(&sealed[0], "acme").0, 400);
    assert_eq!(app.decrypt(&sealed[0], "acme").0, 200);
    assert_eq!(app.decrypt(&sealed[1], "globex").0, 400);
    let radius = scene.json(&["principal", "blast-radius", ROLE]);
    assert_eq!(radius["Could"], json!([]));
    let versions = scene.keyward(&["key", "versions", key, "-o", "json"]);
    assert_eq!(versions.lines().count(), 2, "{versions}");

    // Handed on, and checked by somebody who has the log's key alone.
    let bundle = file("bundle.json");
    let made = scene.json(&[
        "incident",
        "bundle",
        "--key",
        key,
        "--since",
        "1h",
        "--checkpoint",
        &file("kept"),
        "--out",
        &bundle,
    ]);
    let digest = made["Digest"].as_str().unwrap();
    // Or what a query finds, and the policies of its keys with it.
    let small = file("small.json");
    let query = ["op:Decrypt ctx.tenant:globex result:success", "principal:role/reporting"];
    let of_query = scene.json(&["incident", "bundle", query[0], query[1], "--out", &small]);
    let set_by =
        scene.keyward(&["events", "list", "op:CreateKey,PutKeyPolicy", "--key", key, "-o", "json"]);
    // And what made the role that they are by.
    assert_eq!(of_query["Events"], json!(DECRYPTS / 7 + set_by.lines().count() + 1));
    drop(scene);
    assert_eq!(check(Path::new(&small), &["--key", &verifier]).0, Some(0));
    let key_of_log = ["--key", verifier.as_str()];
    let kept = file("kept");
    let more =
        [&key_of_log[..], &["--checkpoint", &kept, "--digest", digest, "-o", "json"]].concat();
    let (code, said) = check(Path::new(&bundle), &more);
    assert_eq!(code, Some(0), "{said}");
    let told: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(told["Events"], made["Events"]);
    assert!(DECRYPTS < told["Events"].as_u64().unwrap() as usize, "{told}");
    tampered(Path::new(&bundle), &key_of_log);
}

/// What was changed is found, and the first event that is wrong is named.
fn tampered(bundle: &Path, key: &[&str]) {
    let whole: Value = serde_json::from_slice(&fs::read(bundle).unwrap()).unwrap();
    let parts = whole["Parts"].as_array().unwrap();
    let history = parts.iter().find(|part| part["Name"] == "policies/history.json").unwrap();
    let history = history["Text"].as_str().unwrap();
    assert!(history.contains("EverybodyDecrypts") && history.contains("AppOpensItsTenant"));
    let records: Vec<usize> = (0..parts.len())
        .filter(|place| parts[*place]["Name"].as_str().unwrap().ends_with("record.json"))
        .collect();
    let (first, second) = (records[3], records[4]);
    let file = bundle.with_extension("changed");
    let wrong = |what: &str, changed: &Value| {
        fs::write(&file, changed.to_string()).unwrap();
        let (code, said) = check(&file, key);
        assert_eq!(code, Some(9), "{what}: {said}");
        said
    };
    let mut changed = whole.clone();
    let text = changed["Parts"][first]["Text"].as_str().unwrap().replacen("0", "1", 1);
    changed["Parts"][first]["Text"] = json!(text);
    let name = parts[first]["Name"].as_str().unwrap();
    assert!(wrong("a changed byte", &changed).contains(name));
    let mut removed = whole.clone();
    removed["Parts"].as_array_mut().unwrap().drain(first..first + 3);
    assert!(wrong("a removed event", &removed).contains(name));
    let mut swapped = whole.clone();
    swapped["Parts"].as_array_mut().unwrap().swap(first, second);
    assert!(wrong("swapped events", &swapped).contains(name));
    let mut lent = whole.clone();
    lent["Parts"][first + 1]["Text"] = parts[second + 1]["Text"].clone();
    assert!(
        wrong("another event's proof", &lent).contains(parts[first + 1]["Name"].as_str().unwrap())
    );
    wrong("no bundle", &json!({}));
    // An explanation in other words, with its digest corrected, as another version's is: the events are proven as before,
    // and it is named.
    let place = first + 2;
    let (name, old) = (parts[place]["Name"].as_str().unwrap(), parts[place]["Text"].as_str());
    let words = "in other words";
    let sum = |text: &str| -> String {
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let line = |text: &str| format!("{}  {name}", sum(text));
    let manifest = whole["Manifest"].as_str().unwrap();
    let mut other = whole.clone();
    other["Parts"][place]["Text"] = json!(words);
    other["Manifest"] = json!(manifest.replace(&line(old.unwrap()), &line(words)));
    fs::write(&file, other.to_string()).unwrap();
    let (code, said) = check(&file, key);
    assert_eq!(code, Some(6), "{said}");
    assert!(said.starts_with("intact: "), "{said}");
    assert!(said.contains(&format!("{name} is not in the words of this version")), "{said}");
    let (_, said) = check(bundle, key);
    assert!(said.contains("left out of a bundle cannot be seen"), "{said}");
    let other = "keyward/other+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let (code, said) = check(bundle, &["--key", other]);
    assert!(matches!(code, Some(2 | 9)), "another key: {said}");
    let (code, said) = check(bundle, &[key, &["--digest", "00"]].concat());
    assert_eq!(code, Some(9), "{said}");
}

/// What a credential could open is asked of every Region and of every kind of key that opens, and of no other key.
#[test]
fn a_blast_radius_leaves_out_no_region_and_no_usage() {
    let scene = Scene::new();
    let Scene { root, app, .. } = &scene;
    let whole = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [format!("arn:aws:iam::{ACCOUNT}:root"), APP]}, "Action": "kms:*", "Resource": "*"},
    ]});
    let made = |more: &Value| {
        let mut input = json!({"Policy": whole.to_string()});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        root.ok("CreateKey", &input)["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    };
    let kem = made(&json!({"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}));
    let mac = made(&json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}));
    let primary = made(&json!({"MultiRegion": true}));
    let replicate =
        json!({"KeyId": primary, "ReplicaRegion": "eu-west-1", "Policy": whole.to_string()});
    root.ok("ReplicateKey", &replicate);
    let replica = primary.replace("us-east-1", "eu-west-1");
    app.ok("Encapsulate", &json!({"KeyId": kem, "EncapsulationAlgorithm": "ML_KEM"}));

    let access_key = app.login.access_key_id.as_str();
    for named in [APP, "user/app", access_key] {
        let radius = scene.json(&["principal", "blast-radius", named]);
        assert_eq!((&radius["Principal"], &radius["Asked"]), (&json!(APP), &json!(named)));
        let could = |key: &str| -> Vec<String> {
            let keys = radius["Could"].as_array().unwrap().iter();
            let of_key = keys.filter(|one| one["KeyId"] == key);
            let actions = of_key.flat_map(|one| one["Actions"].as_array().unwrap());
            actions.map(|action| action["Action"].as_str().unwrap().to_owned()).collect()
        };
        let always = ["kms:CreateGrant", "kms:PutKeyPolicy"];
        assert_eq!(could(&kem), [&["kms:Decapsulate"][..], &always].concat());
        assert_eq!(could(&mac), always, "a policy may allow to decrypt with it, and it cannot");
        for key in [&primary, &replica] {
            let opens = ["kms:Decrypt", "kms:ReEncryptFrom"];
            assert_eq!(could(key), [&opens[..], &always].concat(), "{key}");
        }
        let did = radius["Did"].as_array().unwrap();
        assert_eq!(did.len(), 1, "{did:?}");
        assert_eq!((&did[0]["Operation"], &did[0]["KeyId"]), (&json!("Encapsulate"), &json!(kem)));
    }
    let unknown = scene.run(&["principal", "blast-radius", "AKIAUNKNOWN000000000"]);
    assert_eq!(unknown.status.code(), Some(3));
}

/// Padding that is too large for a record does not take the rest of an encryption context with it.
#[test]
fn who_pads_a_request_hides_the_padding_alone() {
    let scene = Scene::new();
    let Scene { root, key, .. } = &scene;
    let context = json!({"tenant": "acme", "pad": "x".repeat(110_000)});
    let made = root.ok(
        "GenerateDataKey",
        &json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context}),
    );
    root.ok(
        "Decrypt",
        &json!({"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": context}),
    );
    let found = scene.keyward(&["events", "list", "ctx.tenant:acme", "-o", "json"]);
    assert_eq!(found.lines().count(), 2, "{found}");
    for line in found.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let said = &event["requestParameters"];
        assert_eq!(said["encryptionContext"], json!({"tenant": "acme"}));
        assert_eq!(said["omitted"], json!(true));
    }
    let radius =
        scene.json(&["principal", "blast-radius", &format!("arn:aws:iam::{ACCOUNT}:root")]);
    let did = &radius["Did"][0]["EncryptionContext"];
    assert_eq!(did, &json!({"(omitted)": "too large for the record", "tenant": "acme"}));
}

/// An identity policy that allowed, and was taken back before anybody looked.
#[test]
fn a_bundle_holds_the_identity_policies_that_were() {
    let scene = Scene::new();
    let Scene { root, app, key, .. } = &scene;
    let broad = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "TooBroad", "Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": "*"},
    ]});
    let path = "/v1/users/app/policies/use";
    root.by("PUT", path, &json!({"PolicyDocument": broad.to_string()}));
    app.ok("GenerateDataKey", &json!({"KeyId": key, "KeySpec": "AES_256"}));
    let narrow =
        broad.to_string().replace("TooBroad", "Narrow").replace("GenerateDataKey", "Encrypt");
    root.by("PUT", path, &json!({"PolicyDocument": narrow}));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.json");
    scene.keyward(&["incident", "bundle", "--principal", APP, "--out", file.to_str().unwrap()]);
    let verifier = scene.keyward(&["audit", "key"]).trim().to_owned();
    assert_eq!(check(&file, &["--key", &verifier]).0, Some(0));
    let bundle: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let parts = bundle["Parts"].as_array().unwrap();
    let text = |part: &Value, name: &str| part[name].as_str().unwrap().to_owned();
    let records = parts.iter().filter(|part| text(part, "Name").ends_with("record.json"));
    let policies: Vec<Value> = records
        .map(|part| serde_json::from_str(&text(part, "Text")).unwrap())
        .filter(|record: &Value| record["eventName"] == "PutUserPolicy")
        .map(|record| record["requestParameters"]["policyDocument"].clone())
        .collect();
    assert_eq!(policies, [json!(broad.to_string()), json!(narrow)]);
}
