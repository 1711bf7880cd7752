//! What was used: replays foretell what saving does, and proposals keep what was used and open nothing, over random
//! worlds and by hand.

use super::{
    ask::{Luck, REQUESTS, Scene, context, keyward, live, policy, scene},
    crash::Service,
};
use keyward_testkit::{
    Login, TestService, clients,
    doors::Answer,
    knobs::{rounds, seed},
};
use keyward_types::{AccountId, KeyId, KeyName, Region};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const ACCOUNT: &str = "000000000000";

/// A request of one of the scene's people, and whether it was allowed.
struct Asked {
    person: usize,
    action: &'static str,
    context: BTreeMap<String, String>,
    allowed: bool,
}

fn traffic(luck: &mut Luck, scene: &Scene, requests: usize) -> Vec<Asked> {
    (0..requests)
        .map(|_| {
            let person = luck.below(scene.people.len());
            let action = *luck.one(REQUESTS);
            let context = if action == "Encrypt" { context(luck) } else { BTreeMap::new() };
            let allowed = live(scene, &scene.people[person].login, action, &context);
            Asked { person, action, context, allowed }
        })
        .collect()
}

/// Makes every request again and says who is newly denied, and who newly allowed, what, how often.
fn again(scene: &Scene, asked: &[Asked]) -> BTreeMap<(String, String, String), u64> {
    let mut changes = BTreeMap::new();
    for one in asked {
        let person = &scene.people[one.person];
        let allowed = live(scene, &person.login, one.action, &one.context);
        let change = match (one.allowed, allowed) {
            (true, false) => "NewlyDenied",
            (false, true) => "NewlyAllowed",
            _ => continue,
        };
        let name = (change.to_owned(), person.listed.clone(), format!("kms:{}", one.action));
        *changes.entry(name).or_insert(0) += 1;
    }
    changes
}

/// The same as a replay tells it.
fn foretold(report: &Value) -> BTreeMap<(String, String, String), u64> {
    let mut changes = BTreeMap::new();
    for change in report["Changes"].as_array().unwrap() {
        let text = |name: &str| change[name].as_str().unwrap().to_owned();
        let name = (text("Change"), text("Principal"), text("Action"));
        let asked = REQUESTS.iter().any(|action| name.2 == format!("kms:{action}"));
        if asked && name.0 != "OtherReason" {
            *changes.entry(name).or_insert(0) += change["Count"].as_u64().unwrap();
        }
    }
    changes
}

pub(super) fn told(service: &TestService, login: &Login, operation: &str, body: &Value) -> Value {
    match keyward(service, login, operation, body) {
        Answer::Success(told) => told,
        refused => panic!("{operation} {body}: {refused:?}"),
    }
}

/// As many worlds as there are rounds, each with a seed of its own from the one that is printed.
fn seeds(in_ci: u32) -> Vec<u64> {
    let mut luck = Luck(seed(0x1ea57));
    (0..rounds(in_ci)).map(|_| luck.next()).collect()
}

fn put_key_policy(scene: &Scene, document: &Value) {
    let put = json!({"KeyId": scene.key, "PolicyName": "default", "Policy": document.to_string(), "BypassPolicyLockoutSafetyCheck": true});
    assert_eq!(scene.service.kms(&scene.root, "PutKeyPolicy", &put).code(), "200");
}

/// Puts one inline policy in the place of the one that the scene's people have.
fn put_identity(scene: &Scene, arn: &str, document: Option<&Value>) {
    let (kind, name) = arn.rsplit_once(':').unwrap().1.split_once('/').unwrap();
    let (title, member) = if kind == "user" { ("User", "UserName") } else { ("Role", "RoleName") };
    let (operation, mut body) = match document {
        Some(_) => (format!("Put{title}Policy"), json!({"PolicyName": "inline"})),
        None => (format!("Delete{title}Policy"), json!({"PolicyName": "inline"})),
    };
    body[member] = json!(name);
    if let Some(document) = document {
        body["PolicyDocument"] = json!(document.to_string());
    }
    let answer = scene.service.iam(&scene.root, &operation, &body);
    assert_eq!(answer.code(), "200", "{body}");
}

#[test]
fn a_replay_foretells_what_saving_does() {
    let mut changed = 0;
    for seed in seeds(12) {
        let mut luck = Luck(seed);
        let scene = scene(&mut luck);
        let asked = traffic(&mut luck, &scene, 40);
        let same = told(&scene.service, &scene.root, "ReplayPolicies", &json!({}));
        let nothing = json!([]);
        let of_requests: Vec<&Value> = same["Changes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| REQUESTS.iter().any(|one| change["Action"] == format!("kms:{one}")))
            .collect();
        assert_eq!(json!(of_requests), nothing, "seed {seed:#x}\n{}", scene.told);
        let keep = json!({"Effect": "Allow", "Action": ["kms:PutKeyPolicy", "kms:CreateGrant"], "Resource": "*", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}});
        let principals = [
            json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}),
            json!({"AWS": scene.people[luck.below(3)].listed}),
        ];
        let key_policy = policy(&mut luck, Some(&principals), vec![keep]);
        let person = scene.people[luck.below(3)].listed.clone();
        let identity = policy(&mut luck, None, Vec::new());
        let supposed = json!({
            "KeyPolicies": [{"KeyId": scene.key, "Policy": key_policy.to_string()}],
            "IdentityPolicies": [{"Principal": person, "Policies": [identity.to_string()]}],
        });
        let report = told(&scene.service, &scene.root, "ReplayPolicies", &supposed);
        put_key_policy(&scene, &key_policy);
        put_identity(&scene, &person, Some(&identity));
        let now = again(&scene, &asked);
        assert_eq!(
            foretold(&report),
            now,
            "seed {seed:#x}\n{}\nthen {key_policy}\nand {person} {identity}",
            scene.told
        );
        changed += now.len();
    }
    assert!(0 < changed, "nothing ever changed");
}

/// What is proposed is put in force, and the same requests are made again.
#[test]
fn what_is_proposed_keeps_what_was_used_and_opens_nothing() {
    let mut smaller = 0;
    for kind in ["Identity", "KeyPolicy", "Grants"] {
        for seed in seeds(12) {
            let mut luck = Luck(seed);
            let scene = scene(&mut luck);
            let asked = traffic(&mut luck, &scene, 40);
            let wanted = json!({"As": kind, "MinEvents": 2 + luck.below(4)});
            let report = told(&scene.service, &scene.root, "GeneratePolicies", &wanted);
            // What nobody recorded: documents only narrow, so that it holds for any request.
            let fresh = traffic(&mut luck, &scene, 30);
            let why = || format!("{kind} seed {:#x}\n{}\n{report:#}", seed, scene.told);
            assert_eq!(report["Replay"]["NewlyDenied"], 0, "{}", why());
            assert_eq!(report["Replay"]["NewlyAllowed"], 0, "{}", why());
            // Grants first: a narrower key policy may no longer let anybody list them.
            let mut proposals: Vec<&Value> =
                report["Proposals"].as_array().unwrap().iter().collect();
            proposals.sort_by_key(|proposal| proposal["Kind"] != "Grants");
            for proposal in proposals {
                let on = proposal["On"].as_str().unwrap();
                match proposal["Kind"].as_str().unwrap() {
                    "KeyPolicy" => put_key_policy(&scene, &proposal["Policy"]),
                    "Grants" => put_grants(&scene, proposal["Grants"].as_array().unwrap()),
                    _ => put_identity(&scene, on, proposal.get("Policy")),
                }
                smaller += usize::from(!proposal["Evidence"].as_array().unwrap().is_empty());
            }
            let changes = again(&scene, &asked);
            assert!(changes.is_empty(), "{changes:?}\n{}", why());
            if kind != "Grants" {
                let mut opened = again(&scene, &fresh);
                opened.retain(|(change, _, _), _| change == "NewlyAllowed");
                assert!(opened.is_empty(), "{opened:?}\n{}", why());
            }
        }
    }
    assert!(0 < smaller, "nothing was ever proposed");
}

/// Puts grants in the place of those that the key has, whatever its policy says of who may.
fn put_grants(scene: &Scene, grants: &[Value]) {
    let store = scene.service.engine.store();
    let id = scene.key.rsplit('/').next().unwrap();
    let name = KeyName {
        account: AccountId::parse(ACCOUNT).unwrap(),
        region: Region::parse("us-east-1").unwrap(),
        key_id: KeyId::parse(id).unwrap(),
    };
    let before = store.key(&name).unwrap().unwrap().policy.text().to_owned();
    let owner = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
    let all = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": owner});
    put_key_policy(scene, &json!({"Version": "2012-10-17", "Statement": [all]}));
    let key = json!({"KeyId": scene.key, "Limit": 100});
    let list = match scene.service.kms(&scene.root, "ListGrants", &key) {
        Answer::Success(list) => list,
        refused => panic!("ListGrants: {refused:?}"),
    };
    for grant in list["Grants"].as_array().unwrap() {
        let revoke = json!({"KeyId": scene.key, "GrantId": grant["GrantId"]});
        assert_eq!(scene.service.kms(&scene.root, "RevokeGrant", &revoke).code(), "200");
    }
    for grant in grants {
        let answer = scene.service.kms(&scene.root, "CreateGrant", grant);
        assert_eq!(answer.code(), "200", "{grant}");
    }
    put_key_policy(scene, &serde_json::from_str(&before).unwrap());
}

/// What a solver says of "this policy allows nothing that the other does not". `None` without a solver, which is said:
/// then the replay stands alone.
fn compared(test: &str, before: &Value, after: &Value, identity: bool) -> Option<Value> {
    let solver = match clients::solver() {
        Ok(solver) => solver,
        Err(why) => {
            clients::skip(test, &why);
            return None;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, policy) in [("before", before), ("after", after)] {
        fs::write(folder.path().join(name), policy.to_string()).unwrap();
    }
    let proved = Command::new(clients::binary())
        .args(["policy", "prove", "no-new-access", "before", "after", "-o", "json", "--solver"])
        .arg(solver)
        .args(identity.then_some("--identity"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    Some(json_of(&proved))
}

/// Whether an identity policy is proved to allow nothing that another does not.
fn opens_nothing(test: &str, before: &Value, after: &Value) -> Option<bool> {
    compared(test, before, after, true).map(|told| match told["Verdict"].as_str() {
        Some("Proved") => true,
        Some("Refuted") => false,
        _ => panic!("{told:#}"),
    })
}

/// The round trip, proved of every request and not only of those that were made.
#[test]
fn what_is_proposed_is_proved_to_open_nothing() {
    let test = "usage::what_is_proposed_is_proved_to_open_nothing";
    let mut proved = 0;
    for kind in ["Identity", "KeyPolicy"] {
        for seed in seeds(5) {
            let mut luck = Luck(seed);
            let scene = scene(&mut luck);
            traffic(&mut luck, &scene, 40);
            let wanted = json!({"As": kind, "MinEvents": 2 + luck.below(4)});
            let report = told(&scene.service, &scene.root, "GeneratePolicies", &wanted);
            for proposal in report["Proposals"].as_array().unwrap() {
                // None at all allows nothing.
                let Some(after) = proposal.get("Policy") else { continue };
                let identity = proposal["Kind"] != "KeyPolicy";
                let person = scene.people.iter().find(|person| proposal["On"] == person.listed);
                let before = person.and_then(|person| person.identity.as_ref());
                let before = before.filter(|_| identity).unwrap_or(&scene.document);
                let Some(told) = compared(test, before, after, identity) else { return };
                assert_eq!(
                    told["Verdict"], "Proved",
                    "{kind} seed {seed:#x}\nbefore {before}\nafter {after}\n{told:#}"
                );
                proved += 1;
            }
        }
    }
    assert!(0 < proved, "nothing was ever proved");
}

/// An application whose role may do everything: what it uses, what that leaves unused, what would be enough, and
/// that it is.

#[test]
fn an_over_broad_role_becomes_a_narrow_one() {
    let service = TestService::start();
    let root = service.root();
    let key = |name: &str| {
        let key = service.kms(&root, "CreateKey", &json!({"Description": name}));
        key.text("/KeyMetadata/Arn")
    };
    let (data, other) = (key("data"), key("other"));
    let broad = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Everything", "Effect": "Allow", "Action": "kms:*", "Resource": "*"}]});
    let app = service.role("app", &broad);
    let role = format!("arn:aws:iam::{ACCOUNT}:role/app");
    let in_context = json!({"App": "billing"});
    let run = |number: usize| -> Vec<String> {
        let message = json!({"KeyId": data, "Plaintext": "aGk=", "EncryptionContext": {"App": "billing", "Tenant": format!("t{}", number % 7)}});
        let sealed = service.kms(&app, "Encrypt", &message);
        let Answer::Success(body) = &sealed else { return vec![sealed.code().to_owned()] };
        let open = json!({"CiphertextBlob": body["CiphertextBlob"], "EncryptionContext": message["EncryptionContext"]});
        [
            service.kms(&app, "Decrypt", &open).code().to_owned(),
            service.kms(&app, "DescribeKey", &json!({"KeyId": data})).code().to_owned(),
            service.kms(&app, "ListKeys", &json!({})).code().to_owned(),
        ]
        .into()
    };
    let fine = vec!["200".to_owned(); 3];
    for number in 0..25 {
        assert_eq!(run(number), fine);
    }

    let unused = told(&service, &root, "FindUnused", &json!({}));
    let found = |level: &str, on: &str| {
        let uses = unused["Uses"].as_array().unwrap();
        let one = uses.iter().find(|one| one["Level"] == level && one["On"] == on);
        one.unwrap_or_else(|| panic!("no {level} {on} in {unused:#}")).clone()
    };
    let statement = found("Statement", &role);
    assert_eq!(statement["Findings"], json!(["OverBroad"]), "{statement:#}");
    assert_eq!(statement["Actions"][1], 4, "{statement:#}");
    assert_eq!(statement["UnusedActions"][0], "kms:ReEncryptFrom", "the worst comes first");
    assert_eq!(found("Key", &other)["Findings"], json!(["NeverUsed"]));
    assert_eq!(found("Key", &data)["Findings"], json!([]));
    assert_eq!(found("Principal", &role)["Uses"], 100);

    let wanted = json!({"As": "Identity", "Principals": ["role/app"]});
    let report = told(&service, &root, "GeneratePolicies", &wanted);
    let proposal = &report["Proposals"][0];
    assert_eq!(proposal["On"], json!(role));
    let statements = proposal["Policy"]["Statement"].as_array().unwrap();
    let about = |action: &str| {
        statements
            .iter()
            .find(|one| {
                one["Action"] == action
                    || one["Action"].as_array().is_some_and(|all| all.contains(&json!(action)))
            })
            .unwrap_or_else(|| panic!("{action} is not in {proposal:#}"))
    };
    let encrypt = about("kms:Encrypt");
    assert_eq!(encrypt["Action"], json!(["kms:Decrypt", "kms:Encrypt"]));
    assert_eq!(encrypt["Resource"], json!(data));
    assert_eq!(
        encrypt["Condition"],
        json!({
            "StringEquals": {"kms:EncryptionContext:App": "billing"},
            "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["App", "Tenant"]},
        })
    );
    assert_eq!(about("kms:DescribeKey")["Condition"], Value::Null);
    assert_eq!(about("kms:ListKeys")["Resource"], "*");
    let evidence = proposal["Evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), statements.len());
    let of_encrypt = evidence.iter().find(|one| one["Name"] == encrypt["Sid"]).unwrap();
    assert_eq!(
        (&of_encrypt["Count"], &of_encrypt["From"]),
        (&json!(50), &json!("inline policy inline Everything"))
    );
    assert!(of_encrypt["Remarks"].to_string().contains("Tenant varied"), "{of_encrypt}");

    let supposed = json!({"IdentityPolicies": [{"Principal": "role/app", "Policies": [proposal["Policy"].to_string()]}]});
    let replay = told(&service, &root, "ReplayPolicies", &supposed);
    assert_eq!(
        (&replay["NewlyDenied"], &replay["NewlyAllowed"]),
        (&json!(0), &json!(0)),
        "{replay:#}"
    );

    let test = concat!(module_path!(), "::an_over_broad_role_becomes_a_narrow_one");
    assert_ne!(opens_nothing(test, &broad, &proposal["Policy"]), Some(false));
    assert_ne!(
        opens_nothing(test, &proposal["Policy"], &broad),
        Some(true),
        "the broad allows more"
    );

    let put = json!({"RoleName": "app", "PolicyName": "inline", "PolicyDocument": proposal["Policy"].to_string()});
    assert_eq!(service.iam(&root, "PutRolePolicy", &put).code(), "200");
    for number in 0..25 {
        assert_eq!(run(number), fine);
    }
    let outside = [
        ("Encrypt", json!({"KeyId": other, "Plaintext": "aGk=", "EncryptionContext": in_context})),
        ("Encrypt", json!({"KeyId": data, "Plaintext": "aGk="})),
        (
            "Encrypt",
            json!({"KeyId": data, "Plaintext": "aGk=", "EncryptionContext": {"App": "billing", "Evil": "x"}}),
        ),
        ("ScheduleKeyDeletion", json!({"KeyId": data})),
        ("CreateKey", json!({})),
    ];
    for (operation, body) in &outside {
        assert_eq!(
            service.kms(&app, operation, body).code(),
            "AccessDeniedException",
            "{operation} {body}"
        );
    }
    let unused = told(&service, &root, "FindUnused", &json!({}));
    let of_role = unused["Uses"].as_array().unwrap().iter().filter(|one| one["On"] == json!(role));
    let found: Vec<&Value> = of_role.filter(|one| one["Findings"] != json!([])).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn statements_that_add_nothing_are_told_apart() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    let user = format!("arn:aws:iam::{ACCOUNT}:user/ann");
    let gone = format!("{key}0");
    let ann = service.user(
        "ann",
        &json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "Wide", "Effect": "Allow", "Action": ["kms:Encrypt", "kms:DescribeKey"], "Resource": "*"},
            {"Sid": "Inside", "Effect": "Allow", "Action": "kms:DescribeKey", "Resource": key},
            {"Sid": "Elsewhere", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": gone},
            {"Sid": "Spare", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": key},
            {"Sid": "Never", "Effect": "Deny", "Action": "kms:PutKeyPolicy", "Resource": "*"},
        ]}),
    );
    let grantee =
        json!({"KeyId": key, "GranteePrincipal": user, "Operations": ["GenerateDataKey"]});
    let used = service.kms(&root, "CreateGrant", &grantee).text("/GrantId");
    let idle = json!({"KeyId": key, "GranteePrincipal": user, "Operations": ["ReEncryptFrom"]});
    let idle = service.kms(&root, "CreateGrant", &idle).text("/GrantId");
    let data_key = json!({"KeyId": key, "KeySpec": "AES_256"});
    assert_eq!(service.kms(&ann, "GenerateDataKey", &data_key).code(), "200");
    assert_eq!(service.kms(&ann, "DescribeKey", &json!({"KeyId": key})).code(), "200");
    let report = told(&service, &root, "FindUnused", &json!({}));
    let of = |level: &str, name: &str| {
        let uses = report["Uses"].as_array().unwrap();
        let one = uses.iter().find(|one| one["Level"] == level && one["Name"] == name);
        one.unwrap_or_else(|| panic!("no {name} in {report:#}"))["Findings"].clone()
    };
    assert_eq!(of("Statement", "Wide"), json!(["Shadowed"]));
    assert_eq!(of("Statement", "Inside"), json!(["Shadowed"]));
    assert_eq!(of("Statement", "Elsewhere"), json!(["NeverUsed", "Dead"]));
    assert_eq!(of("Statement", "Spare"), json!(["NeverUsed"]));
    assert_eq!(of("Statement", "Never"), json!([]));
    let uses = report["Uses"].as_array().unwrap();
    let one_by_one: Vec<(&Value, &Value)> = uses
        .iter()
        .filter(|one| one["Level"] == "Action" && one["Name"] == "Wide")
        .map(|one| (&one["Action"], &one["Findings"]))
        .collect();
    let expected =
        [(&json!("kms:DescribeKey"), &json!([])), (&json!("kms:Encrypt"), &json!(["NeverUsed"]))];
    assert_eq!(one_by_one, expected);
    assert_eq!((of("Grant", &used), of("Grant", &idle)), (json!([]), json!(["NeverUsed"])));
}

/// A service with the real binary, and what a command says to it.
struct Shop {
    service: Service,
    data: PathBuf,
}

const SHOP: &str = r#"
accounts:
  - id: "000000000000"
users:
  - name: app
    account: "000000000000"
    policies:
      use:
        Version: "2012-10-17"
        Statement: [{ Sid: All, Effect: Allow, Action: "kms:*", Resource: "*" }]
    accessKeys:
      - id: AKIAAPP0000000000000
        secret: app-secret-for-trials-only
keys:
  - id: 1234abcd-12ab-34cd-56ef-1234567890ab
    account: "000000000000"
    aliases: [alias/data]
"#;

/// What the application's own tests do.
const APPLICATION: &str = r#"#!/bin/sh
export AWS_ACCESS_KEY_ID=AKIAAPP0000000000000 AWS_SECRET_ACCESS_KEY=app-secret-for-trials-only
for number in 1 2 3; do
    keyward call GenerateDataKey KeyId=alias/data KeySpec=AES_256 EncryptionContext:='{"App":"billing"}' > data-key.json || exit 1
done
"#;

impl Shop {
    fn start(folder: &Path) -> Self {
        let seed = folder.join("seed.yaml");
        fs::write(&seed, SHOP).unwrap();
        let data = folder.join("data");
        let service = Service::start_with(&data, &["--seed", seed.to_str().unwrap()]);
        Self { service, data }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.service.address)
    }

    fn keyward(&self, args: &[&str]) -> Output {
        let mut command = Command::new(clients::binary());
        command.env("KEYWARD_ENDPOINT", self.endpoint()).args(args);
        command.output().unwrap()
    }

    fn run_application(&self) {
        let output = Command::new("sh")
            .args(["-c", APPLICATION])
            .env("PATH", path())
            .env("KEYWARD_ENDPOINT", self.endpoint())
            .current_dir(self.data.parent().unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

/// The binary first.
pub(super) fn path() -> std::ffi::OsString {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let own = clients::binary().parent().unwrap().to_owned();
    std::env::join_paths([own].into_iter().chain(std::env::split_paths(&inherited))).unwrap()
}

pub(super) fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

pub(super) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_recipe_for_a_pipeline_runs_as_written() {
    let page = keyward_testkit::golden::tests_folder().join("../policies/least-privilege.md");
    let page = fs::read_to_string(page).unwrap();
    let recipe = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("seed.yaml"), SHOP).unwrap();
    let tests = home.path().join("integration-tests.sh");
    fs::write(&tests, APPLICATION).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&tests, executable).unwrap();
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let here = recipe.replace("keyward dev ", &format!("keyward dev --listen {address} "));
    assert_ne!(here, recipe, "the recipe starts a service");
    let output = Command::new("bash")
        .args(["-c", &here])
        .env("PATH", path())
        .env("KEYWARD_ENDPOINT", format!("http://{address}"))
        .current_dir(home.path())
        .output()
        .unwrap();
    // The policy is over-broad, and that is what it says.
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let read = |name: &str| fs::read_to_string(home.path().join(name)).unwrap();
    assert!(read("unused.txt").contains("inline policy use All"), "{}", read("unused.txt"));
    let proposal: Value = serde_json::from_str(&read("proposal.json")).unwrap();
    let statement = &proposal["Proposals"][0]["Policy"]["Statement"][0];
    assert_eq!(statement["Action"], "kms:GenerateDataKey", "{proposal:#}");
    let difference = read("proposal.diff");
    assert!(difference.contains("\n-      \"Action\": \"kms:*\""), "{difference}");
    assert!(difference.contains("\n+      \"Action\": \"kms:GenerateDataKey\""), "{difference}");
}

/// The same log from every place that it can be read from.
#[test]
fn service_store_and_export_say_the_same() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::start(home.path());
    shop.run_application();
    let narrow = home.path().join("narrow.json");
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:App": "other"}}}});
    fs::write(&narrow, document.to_string()).unwrap();
    let with = format!("identity:user/app={}", narrow.display());
    let asked = ["policy", "replay", "--with", &with, "--fail-on", "newly-denied", "-o", "json"];
    let of_service = shop.keyward(&asked);
    assert_eq!(of_service.status.code(), Some(6), "{of_service:?}");
    let told = json_of(&of_service);
    assert_eq!((&told["NewlyDenied"], &told["NewlyAllowed"]), (&json!(3), &json!(0)));
    let change = &told["Changes"][0];
    assert_eq!(change["Action"], "kms:GenerateDataKey");
    assert_eq!(change["Samples"].as_array().unwrap().len(), 3);
    assert_eq!(change["AlreadyInForce"], false);
    assert!(change["Was"].as_str().unwrap().contains("inline policy use All"), "{change}");

    // As AWS exports it: no decisions in the records.
    let list = shop.keyward(&["events", "export"]);
    let records: Vec<Value> = String::from_utf8(list.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            record.as_object_mut().unwrap().remove("additionalEventData");
            record
        })
        .filter(|record| record["eventSource"] == "kms.amazonaws.com")
        .collect();
    let export = home.path().join("export.json");
    fs::write(&export, json!({"Records": records}).to_string()).unwrap();
    let events = export.to_str().unwrap();
    let imported = shop.keyward(&[&asked[..], &["--events", events]].concat());
    assert_eq!(json_of(&imported)["NewlyDenied"], 3, "{imported:?}");

    let unused = json_of(&shop.keyward(&["policy", "unused", "-o", "json"]));
    let proposed = json_of(&shop.keyward(&["policy", "generate", "-o", "json"]));
    let Shop { service, data } = shop;
    service.stop();
    let stopped = |args: &[&str]| {
        let data = data.to_str().unwrap();
        Command::new(clients::binary()).args(args).args(["--data", data]).output().unwrap()
    };
    let of_store = stopped(&asked);
    assert_eq!(of_store.status.code(), Some(6), "{of_store:?}");
    assert_eq!(json_of(&of_store)["Changes"], told["Changes"]);
    assert_eq!(json_of(&stopped(&["policy", "unused", "-o", "json"]))["Uses"], unused["Uses"]);
    let again = json_of(&stopped(&["policy", "generate", "-o", "json"]));
    assert_eq!(again["Proposals"], proposed["Proposals"]);
}

#[test]
fn what_cannot_be_read_or_is_not_there_is_said() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::start(home.path());
    let file = |name: &str, content: &[u8]| -> String {
        let path = home.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // An empty log: nothing is used, and nothing can be proposed.
    let replayed = shop.keyward(&["policy", "replay", "--since", "1s", "-o", "json"]);
    assert!(replayed.status.success(), "{replayed:?}");
    let empty = file("empty.json", br#"{"Records": []}"#);
    let unused = shop.keyward(&["policy", "unused", "--events", &empty, "--fail"]);
    assert_eq!(unused.status.code(), Some(6));
    assert!(complaint(&unused).contains("there are no events"), "{unused:?}");
    let generated = shop.keyward(&["policy", "generate", "--events", &empty, "-o", "json"]);
    assert_eq!(json_of(&generated)["Proposals"], json!([]));

    let policy = file("policy.json", br#"{"Version": "2012-10-17", "Statement": []}"#);
    let whole = json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "kms:*", "Resource": "*"});
    let whole = json!({"Version": "2012-10-17", "Statement": [whole]}).to_string();
    let other_policy = file("other-policy.json", whole.as_bytes());
    let broken = file("broken.json", b"{\"Records\": [");
    let other = file("other.json", b"[]");
    let gzip = file("bad.json.gz", &[0x1f, 0x8b, 0, 1, 2]);
    let odd = file("odd.json", br#"{"Records": [[7]]}"#);
    let folder = home.path().join("nothing");
    fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap().to_owned();
    let gone = home.path().join("gone");
    let gone = gone.to_str().unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["policy", "replay", "--with", "key:alias/data=/nowhere"], 2, "/nowhere"),
        (&["policy", "replay", "--with", "alias/data"], 2, "key:KEY=FILE"),
        (&["policy", "replay", "--with", &format!("key:alias/none={policy}")], 3, "alias/none"),
        (&["policy", "replay", "--with", &format!("identity:role/none={policy}")], 3, "role/none"),
        (
            &["policy", "replay", "--with", &format!("key:alias/data={policy}")],
            1,
            "MalformedPolicyDocument",
        ),
        (&["policy", "replay", "--with", &format!("grant:alias/data={policy}")], 2, "does not fit"),
        // One key by two names: neither document is the one that is meant.
        (
            &[
                "policy",
                "replay",
                "--with",
                &format!("key:alias/data={other_policy}"),
                "--with",
                &format!("key:1234abcd-12ab-34cd-56ef-1234567890ab={other_policy}"),
            ],
            1,
            "Supposed twice",
        ),
        (&["policy", "replay", "--since", "yesterday"], 1, "yesterday"),
        (&["policy", "unused", "--events", &empty, "--since", "1d"], 2, "--since"),
        (&["policy", "generate", "--data", gone], 3, gone),
        (&["events", "export", "--data", gone], 3, gone),
        (&["policy", "replay", "--fail-on", "never"], 2, "never"),
        (&["policy", "generate", "--principal", "user/none"], 3, "user/none"),
        (&["policy", "generate", "--key", "alias/none"], 3, "alias/none"),
        (&["policy", "unused", "--events", "/nowhere"], 2, "/nowhere"),
        (&["policy", "unused", "--events", &broken], 2, "broken.json"),
        (&["policy", "generate", "--events", &other], 2, "Records"),
        (&["policy", "replay", "--events", &gzip], 2, "bad.json.gz"),
        (&["policy", "replay", "--events", &folder], 2, "no CloudTrail file"),
        (&["policy", "replay", "--events", &odd], 1, "Record 1"),
    ];
    for (args, exit, says) in cases {
        let output = shop.keyward(args);
        assert_eq!(output.status.code(), Some(*exit), "{args:?}: {output:?}");
        assert!(complaint(&output).contains(says), "{args:?}: {}", complaint(&output));
    }
    assert!(!Path::new(gone).exists(), "what only reads makes no store");
    // Who may not is told nothing.
    for operation in ["replay", "unused", "generate"] {
        let mut command = Command::new(clients::binary());
        command
            .env("KEYWARD_ENDPOINT", shop.endpoint())
            .env("AWS_ACCESS_KEY_ID", "AKIAAPP0000000000000")
            .env("AWS_SECRET_ACCESS_KEY", "app-secret-for-trials-only");
        let output = command.args(["policy", operation]).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{output:?}");
    }
}
