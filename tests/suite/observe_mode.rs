//! Observe mode through the public doors: what it lets through and what never, how that is marked, counted and
//! reported, and that it ends.

use super::{
    ask::keyward,
    crash::Service,
    usage::{complaint, json_of, told},
};
use keyward_policy::Guardrails;
use keyward_telemetry::Format;
use keyward_testkit::{ACCOUNT, Login, TestService, clients, doors::Answer};
use serde_json::{Value, json};
use std::{
    fs,
    process::{Command, Output},
    sync::Arc,
};

const HEADER: &str = "x-keyward-observe";
const DAY: i64 = 86_400;

fn policy(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(actions: Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": "*"})
}

fn deny(actions: Value) -> Value {
    json!({"Effect": "Deny", "Action": actions, "Resource": "*"})
}

fn key(service: &TestService) -> String {
    service.kms(&service.root(), "CreateKey", &json!({})).text("/KeyMetadata/Arn")
}

fn encrypt(service: &TestService, login: &Login, key: &str) -> String {
    service.kms(login, "Encrypt", &json!({"KeyId": key, "Plaintext": "aGk="})).code().to_owned()
}

fn start(service: &TestService, target: &str) -> Value {
    let input = json!({"Target": target, "Reason": "new policies"});
    told(service, &service.root(), "PutObserveMode", &input)
}

fn end(service: &TestService, target: &str) -> Value {
    told(service, &service.root(), "EndObserveMode", &json!({"Target": target}))
}

fn metric(service: &TestService, series: &str) -> String {
    service.engine.look_at_observed();
    let text = service.engine.metrics().exposition(Format::Text);
    let line = text.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("no {series} in {text}"));
    line.rsplit(' ').next().unwrap().to_owned()
}

/// The status of an Encrypt through AWS JSON and REST, and what the header says.
fn through_doors(service: &TestService, login: &Login, key: &str) -> Vec<(u16, Option<String>)> {
    let body = json!({"KeyId": key, "Plaintext": "aGk="}).to_string();
    let aws =
        [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "TrentService.Encrypt")];
    let rest = format!("/v1/keys/{}/encrypt", key.rsplit('/').next().unwrap());
    [("/", &aws[..]), (rest.as_str(), &[][..])]
        .into_iter()
        .map(|(path, headers)| {
            let (status, headers, text) =
                service.http_with_headers("POST", path, headers, body.as_bytes(), login);
            assert!(status == 200 || text.contains("AccessDenied"), "{path} {status} {text}");
            let header = headers.get(HEADER).map(|value| value.to_str().unwrap().to_owned());
            (status, header)
        })
        .collect()
}

#[test]
fn a_key_in_observe_lets_use_through_marked_and_counted_until_it_ends() {
    let service = TestService::start();
    let (root, ann) = (service.root(), service.user("ann", &json!({})));
    let (observed, other) = (key(&service), key(&service));
    // Off by default, and no word of it.
    let refused: Vec<u16> =
        through_doors(&service, &ann, &observed).into_iter().map(|(status, _)| status).collect();
    assert_eq!(refused, [400, 403]);
    assert!(through_doors(&service, &root, &observed).iter().all(|(_, header)| header.is_none()));
    assert_eq!(metric(&service, "kms_observe_targets{scope=\"key\"}"), "0");

    let started = start(&service, &observed);
    assert_eq!((&started["Type"], &started["Target"]), (&json!("Key"), &json!(observed)));
    let switched = service.events().pop().unwrap();
    assert_eq!(switched["eventName"], "PutObserveMode");
    assert_eq!(switched["requestParameters"]["reason"], "new policies");
    assert_eq!(switched["resources"][0]["ARN"], json!(observed));
    assert_eq!(switched["additionalEventData"]["observeId"], started["ObserveId"]);

    let marked = vec![(200, Some("would-deny".to_owned())); 2];
    assert_eq!(through_doors(&service, &ann, &observed), marked);
    let event = service.events().pop().unwrap();
    assert_eq!(event["errorCode"], Value::Null);
    assert_eq!(event["additionalEventData"]["observed"], json!([started["ObserveId"]]));
    let decision = &event["additionalEventData"]["policyDecision"][0];
    assert_eq!(decision["effect"], "ImplicitDeny", "the verdict stays what it is");
    assert_eq!(decision["reason"], json!({"NotAllowed": "IdentityPolicy"}));
    assert_eq!(decision["observed"], json!([started["ObserveId"]]));
    assert!(decision["layers"].as_array().is_some_and(|layers| !layers.is_empty()));
    assert!(keyward_trail::explain(&event, false).contains("let through by observe mode: obs-"));
    assert_eq!(metric(&service, "kms_let_through_total{source=\"identity_policy\"}"), "2");
    assert_eq!(metric(&service, "kms_observe_targets{scope=\"key\"}"), "1");
    // Every answer says that something is in observe: one that was allowed anyway, and a refusal.
    let on = Some("on".to_owned());
    assert_eq!(through_doors(&service, &root, &observed), [(200, on.clone()), (200, on.clone())]);
    assert_eq!(through_doors(&service, &ann, &other), [(400, on.clone()), (403, on)]);

    // What would outlast the observation is enforced, and so is who may switch it.
    let changes = [
        ("DisableKey", json!({})),
        ("ScheduleKeyDeletion", json!({})),
        ("PutKeyPolicy", json!({"Policy": policy(json!([allow(json!("kms:*"))])).to_string()})),
        (
            "CreateGrant",
            json!({"GranteePrincipal": format!("arn:aws:iam::{ACCOUNT}:user/ann"), "Operations": ["Decrypt"]}),
        ),
        ("TagResource", json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]})),
        ("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": observed})),
    ];
    for (operation, mut body) in changes {
        if operation != "CreateAlias" {
            body["KeyId"] = json!(observed);
        }
        let answer = service.kms(&ann, operation, &body);
        assert_eq!(answer.code(), "AccessDeniedException", "{operation} {answer:?}");
    }
    for operation in ["PutObserveMode", "EndObserveMode", "GetObserveReport"] {
        let input = json!({"Target": observed, "Reason": "mine"});
        let answer = keyward(&service, &ann, operation, &input);
        assert_eq!(answer.code(), "AccessDeniedException", "{operation} {answer:?}");
    }
    let read = service.kms(&ann, "GetKeyPolicy", &json!({"KeyId": observed}));
    assert_eq!(read.code(), "200", "reading outlasts nothing");

    assert_eq!(end(&service, &observed)["Ended"], started);
    assert_eq!(service.events().pop().unwrap()["eventName"], "EndObserveMode");
    assert_eq!(through_doors(&service, &ann, &observed), [(400, None), (403, None)]);
    assert_eq!(metric(&service, "kms_observe_targets{scope=\"key\"}"), "0");
    assert_eq!(end(&service, &observed), json!({}), "what is not in observe cannot end");
}

/// Only what is in observe counts as if it allowed everything.
#[test]
fn what_is_not_in_observe_refuses_all_the_same() {
    let service = TestService::start();
    let (root, key) = (service.root(), key(&service));
    let managed = |name: &str, document: Value| {
        let input = json!({"PolicyName": name, "PolicyDocument": document.to_string()});
        service.iam(&root, "CreatePolicy", &input).text("/Policy/Arn")
    };
    let attach = |name: &str, arn: &str| {
        let input = json!({"UserName": name, "PolicyArn": arn});
        assert_eq!(service.iam(&root, "AttachUserPolicy", &input).code(), "200");
    };
    let user_arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:user/{name}");
    let denied = "AccessDeniedException";

    // A managed policy that denies, and an inline one of the same user's that does.
    let (bob, carl) = (
        service.user("bob", &policy(json!([allow(json!("kms:*"))]))),
        service.user("carl", &policy(json!([allow(json!("kms:*")), deny(json!("kms:Encrypt"))]))),
    );
    let refusing = managed("refusing", policy(json!([deny(json!("kms:Encrypt"))])));
    attach("bob", &refusing);
    attach("carl", &refusing);
    assert_eq!(
        (encrypt(&service, &bob, &key).as_str(), encrypt(&service, &carl, &key).as_str()),
        (denied, denied)
    );
    start(&service, &refusing);
    assert_eq!(encrypt(&service, &bob, &key), "200");
    assert_eq!(encrypt(&service, &carl, &key), denied, "its inline policy is not in observe");
    start(&service, &user_arn("carl"));
    assert_eq!(encrypt(&service, &carl, &key), "200");
    end(&service, &user_arn("carl"));
    assert_eq!(encrypt(&service, &carl, &key), denied);
    // The key's own policy cannot overrule what denies elsewhere.
    start(&service, &key);
    assert_eq!(encrypt(&service, &carl, &key), denied);
    end(&service, &key);

    // A boundary.
    let bound = managed("bound", policy(json!([allow(json!("kms:DescribeKey"))])));
    let dora = service.user("dora", &policy(json!([allow(json!("kms:*"))])));
    let input = json!({"UserName": "dora", "PermissionsBoundary": bound});
    assert_eq!(service.iam(&root, "PutUserPermissionsBoundary", &input).code(), "200");
    assert_eq!(encrypt(&service, &dora, &key), denied);
    start(&service, &bound);
    assert_eq!(encrypt(&service, &dora, &key), "200");

    // A role, for its sessions.
    let job = service.role("job", &json!({}));
    assert_eq!(encrypt(&service, &job, &key), denied);
    start(&service, &format!("arn:aws:iam::{ACCOUNT}:role/job"));
    assert_eq!(encrypt(&service, &job, &key), "200");

    // A freeze, of the key and of who asks.
    for target in [key.as_str(), &user_arn("bob")] {
        told(&service, &root, "Freeze", &json!({"Target": target, "Reason": "incident"}));
        assert_eq!(encrypt(&service, &bob, &key), denied, "{target}");
        told(&service, &root, "Thaw", &json!({"Target": target}));
    }
    assert_eq!(encrypt(&service, &bob, &key), "200");

    // A guardrail.
    let file = "forbid (principal, action == Action::\"kms:Encrypt\", resource);";
    let rails = Guardrails::compile(&[("rails.cedar", file)]).unwrap();
    service.engine.replace_guardrails(rails, &[]).unwrap();
    assert_eq!(encrypt(&service, &bob, &key), denied);
    service.engine.replace_guardrails(Guardrails::default(), &[]).unwrap();

    // State and input are no policy's.
    service.kms(&root, "DisableKey", &json!({"KeyId": key}));
    assert_eq!(encrypt(&service, &bob, &key), "DisabledException");
    let wrong = service.kms(&bob, "Encrypt", &json!({"KeyId": key, "Plaintext": "not base64!"}));
    assert_ne!(wrong.code(), "200");
}

#[test]
fn nobody_of_another_account_is_let_through_or_hears_of_it() {
    let service = TestService::start();
    let (stranger, key) = (service.root_of("111111111111"), key(&service));
    let message = |answer: Answer| match answer {
        Answer::Refusal { code, message } => {
            (code, message.unwrap().split("(request").next().unwrap().to_owned())
        }
        Answer::Success(body) => panic!("{body}"),
    };
    let asked = || {
        let body = json!({"KeyId": key, "Plaintext": "aGk="});
        message(service.kms(&stranger, "Encrypt", &body))
    };
    let before = asked();
    start(&service, &key);
    assert_eq!(asked(), before);
    let switch = |target: &str| {
        keyward(&service, &stranger, "PutObserveMode", &json!({"Target": target, "Reason": "x"}))
    };
    let absent = format!("{}0", &key[..key.len() - 1]);
    let of = |target: &str| {
        let (code, message) = message(switch(target));
        (code, message.replace(target, "TARGET"))
    };
    assert_eq!(of(&key), of(&absent), "whether it exists is not told");
    assert_eq!(of(&key).0, "AccessDeniedException");
}

#[test]
fn it_ends_by_itself_and_what_is_in_flight_is_decided_again() {
    let service = TestService::start();
    let (root, ann, key) = (service.root(), service.user("ann", &json!({})), key(&service));
    let input = json!({"Target": key, "Reason": "trial", "Days": 2});
    let first = told(&service, &root, "PutObserveMode", &input);
    service.clock.advance_seconds(DAY);
    let again = json!({"Target": key, "Reason": "longer", "Days": 2});
    let again = told(&service, &root, "PutObserveMode", &again);
    assert_eq!((&again["ObserveId"], &again["Since"]), (&first["ObserveId"], &first["Since"]));
    service.clock.advance_seconds(DAY + 60);
    assert_eq!(encrypt(&service, &ann, &key), "200");
    service.clock.advance_seconds(DAY);
    assert_eq!(encrypt(&service, &ann, &key), "AccessDeniedException");
    assert!(!service.engine.is_observing());

    start(&service, &key);
    let caller = Arc::new(service.caller(&ann).unwrap());
    let row = keyward_engine::find(keyward_engine::Service::Kms, "Encrypt").unwrap();
    let body = json!({"KeyId": key, "Plaintext": "aGk="}).to_string();
    let (stays, ended) = (
        service.engine.prepare(row, &caller, body.as_bytes()),
        service.engine.prepare(row, &caller, body.as_bytes()),
    );
    assert!(stays.run().wait().unwrap().would_deny);
    end(&service, &key);
    let error = ended.run().wait().unwrap_err();
    assert_eq!(error.code, keyward_types::ErrorCode::AccessDenied);
}

#[test]
fn the_report_says_of_whom_and_when_it_is_safe() {
    let service = TestService::start();
    let (root, ann, key) = (service.root(), service.user("ann", &json!({})), key(&service));
    let report = |quiet_days: u32| {
        told(&service, &root, "GetObserveReport", &json!({"QuietDays": quiet_days}))
    };
    assert_eq!(report(7), json!({"Service": false, "QuietDays": 7, "Observed": []}));
    let started = start(&service, &key);
    let idle = &report(0)["Observed"][0];
    assert_eq!(idle["SafeToEnforce"], false, "nothing was seen: {idle:#}");
    for _ in 0..3 {
        assert_eq!(encrypt(&service, &ann, &key), "200");
    }
    assert_eq!(encrypt(&service, &root, &key), "200");
    let told_of = report(0);
    let one = &told_of["Observed"][0];
    assert_eq!(one["ObserveId"], started["ObserveId"]);
    assert_eq!(
        (&one["Requests"], &one["WouldDeny"], &one["StillRefused"]),
        (&json!(4), &json!(3), &json!(3)),
        "{one:#}"
    );
    let group = &one["Groups"][0];
    assert_eq!(group["Principal"], format!("arn:aws:iam::{ACCOUNT}:user/ann"));
    assert_eq!((&group["Action"], &group["Resource"]), (&json!("kms:Encrypt"), &json!(key)));
    assert_eq!((&group["Count"], &group["StillRefused"]), (&json!(3), &json!(true)));
    assert_eq!(group["Why"], "no identity-based policy allows it");
    assert_eq!(group["Samples"].as_array().unwrap().len(), 3);
    assert_eq!(one["SafeToEnforce"], false);

    // The policy is mended: what was refused would not be any more.
    let mended = policy(json!([allow(json!("kms:Encrypt"))])).to_string();
    let put = json!({"UserName": "ann", "PolicyName": "use", "PolicyDocument": mended});
    assert_eq!(service.iam(&root, "PutUserPolicy", &put).code(), "200");
    assert_eq!(encrypt(&service, &ann, &key), "200");
    let one = report(7)["Observed"][0].clone();
    assert_eq!((&one["WouldDeny"], &one["StillRefused"]), (&json!(3), &json!(0)), "{one:#}");
    assert_eq!(one["SafeToEnforce"], false, "it is not quiet for long enough: {one:#}");
    assert!(one["Advice"].as_str().unwrap().starts_with("not before 2026-01-08T"), "{one:#}");
    service.clock.advance_seconds(7 * DAY);
    let one = report(7)["Observed"][0].clone();
    assert_eq!(one["SafeToEnforce"], true, "{one:#}");
    end(&service, &key);
    assert_eq!(encrypt(&service, &ann, &key), "200", "what was called safe is");

    // What was only let through is no use that a policy is made for.
    let other = json!({"As": "Identity", "Principals": ["user/ann"]});
    let proposal = told(&service, &root, "GeneratePolicies", &other);
    let statement = &proposal["Proposals"][0]["Policy"]["Statement"][0];
    assert_eq!(statement["Action"], "kms:Encrypt", "{proposal:#}");
    assert_eq!(proposal["Proposals"][0]["Evidence"][0]["Count"], 2, "{proposal:#}");
}

const SHOP: &str = r#"
accounts:
  - id: "000000000000"
users:
  - name: app
    account: "000000000000"
    policies: {}
    accessKeys:
      - id: AKIAAPP0000000000000
        secret: app-secret-for-trials-only
keys:
  - id: 1234abcd-12ab-34cd-56ef-1234567890ab
    account: "000000000000"
    aliases: [alias/data]
"#;

fn run(service: &Service, as_app: bool, args: &[&str]) -> Output {
    let mut command = Command::new(clients::binary());
    command.env("KEYWARD_ENDPOINT", format!("http://{}", service.address)).args(args);
    if as_app {
        command
            .env("AWS_ACCESS_KEY_ID", "AKIAAPP0000000000000")
            .env("AWS_SECRET_ACCESS_KEY", "app-secret-for-trials-only");
    }
    command.output().unwrap()
}

fn exit(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// Whether the application, which no policy allows anything, is served.
fn is_served(service: &Service) -> bool {
    let call = ["call", "GenerateDataKey", "KeyId=alias/data", "KeySpec=AES_256"];
    let output = run(service, true, &call);
    assert!(matches!(exit(&output), 0 | 5), "{output:?}");
    exit(&output) == 0
}

fn enforcement(service: &Service) -> (i32, String) {
    let output = run(service, false, &["doctor"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = text.lines().find(|line| line.contains("enforcement")).unwrap().to_owned();
    (exit(&output), line)
}

#[test]
fn the_whole_service_and_the_commands() {
    let home = tempfile::tempdir().unwrap();
    let (seed, data) = (home.path().join("seed.yaml"), home.path().join("data"));
    fs::write(&seed, SHOP).unwrap();
    let seed = ["--seed", seed.to_str().unwrap()];

    let service = Service::start_with(&data, &[&seed[..], &["--observe"]].concat());
    assert!(is_served(&service));
    let (code, line) = enforcement(&service);
    assert_eq!(code, 6, "{line}");
    assert!(line.starts_with("[!!]") && line.contains("observe mode"), "{line}");
    let status = run(&service, false, &["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("[!]observe"), "{status:?}");
    let told = run(&service, false, &["events", "list", "op:ObserveService", "-o", "json"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("ObserveService"), "{told:?}");
    let report = json_of(&run(&service, false, &["policy", "observe", "report", "-o", "json"]));
    assert_eq!(report["Service"], true);
    let whole = &report["Observed"][0];
    assert_eq!((&whole["Type"], &whole["WouldDeny"]), (&json!("Service"), &json!(1)), "{report:#}");
    service.stop();

    // A start without the switch enforces.
    let service = Service::start(&data);
    assert!(!is_served(&service));
    let (_, line) = enforcement(&service);
    assert!(line.starts_with("[ok]"), "{line}");
    let empty = run(&service, false, &["policy", "observe", "report", "--fail"]);
    assert_eq!(exit(&empty), 0, "{empty:?}");
    let user = "arn:aws:iam::000000000000:user/app";
    let observe = ["policy", "observe", "start", user, "--reason", "trial"];
    assert_eq!(exit(&run(&service, true, &observe)), 5, "the application may not");
    let started = run(&service, false, &observe);
    assert!(started.status.success(), "{started:?}");
    assert!(String::from_utf8_lossy(&started.stdout).starts_with("obs-"), "{started:?}");
    assert!(is_served(&service));
    service.stop();

    // What the record says outlasts a restart.
    let service = Service::start(&data);
    assert!(is_served(&service));
    assert_eq!(enforcement(&service).0, 6);
    let report = run(&service, false, &["policy", "observe", "report", "--fail"]);
    assert_eq!(exit(&report), 6, "{report:?}");
    let text = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(text.contains("2 would be refused, 2 of them still"), "{text}");
    assert!(text.contains("kms:GenerateDataKey") && text.contains(user), "{text}");
    let ended = run(&service, false, &["policy", "observe", "end", user]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(!is_served(&service));

    let cases: &[(&[&str], i32, &str)] = &[
        (&["start", "alias/none", "--reason", "x"], 3, "alias/none"),
        (&["start", "arn:aws:iam::000000000000:role/none", "--reason", "x"], 3, "role/none"),
        (&["start", "arn:aws:iam::000000000000:policy/none", "--reason", "x"], 3, "policy/none"),
        (&["start", "arn:aws:iam::000000000000:root", "--reason", "x"], 1, "Only keys, users"),
        (
            &["start", "arn:aws:iam::aws:policy/AdministratorAccess", "--reason", "x"],
            1,
            "Only keys",
        ),
        (&["start", "alias/data"], 2, "--reason"),
        (&["start", "alias/data", "--reason", "x", "--days", "91"], 1, "at 'days'"),
        (&["report", "--since", "yesterday"], 1, "yesterday"),
    ];
    for (args, code, says) in cases {
        let output = run(&service, false, &[&["policy", "observe"], *args].concat());
        assert_eq!(exit(&output), *code, "{args:?}: {output:?}");
        assert!(complaint(&output).contains(says), "{args:?}: {}", complaint(&output));
    }
    let nothing = run(&service, false, &["policy", "observe", "end", user]);
    assert!(complaint(&nothing).contains("it was not in observe"), "{nothing:?}");
    service.stop();
}

#[test]
fn a_configuration_says_so_or_it_is_off() {
    let config = |text: &str| keyward_server::Config::from_toml(text).unwrap();
    assert!(!config("").observe && !keyward_server::Config::dev().observe);
    assert!(config("observe = true").observe);
}
