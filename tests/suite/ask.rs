//! Asking without doing: what the questions answer is what requests get, over random worlds and by hand.

use keyward_engine::Service;
use keyward_testkit::{
    Login, TestService,
    doors::{Answer, through_engine},
    knobs,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ACCOUNT: &str = "000000000000";

/// A small generator; a failure names its seed.
pub(super) struct Luck(pub(super) u64);

impl Luck {
    pub(super) fn next(&mut self) -> u64 {
        // <https://prng.di.unimi.it/splitmix64.c>
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const ACTIONS: &[&str] =
    &["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:*", "kms:GetKeyPolicy"];
const ASKED: &[&str] = &["Encrypt", "Decrypt", "DescribeKey", "GetKeyPolicy"];
const NAMES: &[&str] = &["App", "Stage"];
const VALUES: &[&str] = &["a", "b", "ab"];

fn condition(luck: &mut Luck) -> Value {
    let key = format!("kms:EncryptionContext:{}", luck.one(NAMES));
    let value = *luck.one(VALUES);
    match luck.below(9) {
        0 => json!({"StringEquals": {key: value}}),
        1 => json!({"StringNotEquals": {key: value}}),
        2 => json!({"StringLike": {key: format!("{value}*")}}),
        3 => json!({"Null": {key: luck.chance(50).to_string()}}),
        4 => json!({"StringEqualsIfExists": {key: value}}),
        5 => json!({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": NAMES[0]}}),
        6 => json!({"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}),
        7 => {
            json!({"IpAddress": {"aws:SourceIp": if luck.chance(50) { "127.0.0.0/8" } else { "10.0.0.0/8" }}})
        }
        _ => json!({"StringEquals": {"aws:PrincipalTag/team": "red"}}),
    }
}

fn statement(luck: &mut Luck, principals: Option<&[Value]>) -> Value {
    let deny = luck.chance(20);
    let mut statement = json!({
        "Effect": if deny { "Deny" } else { "Allow" },
        "Action": *luck.one(ACTIONS),
        "Resource": "*",
    });
    if let Some(principals) = principals {
        statement["Principal"] = luck.one(principals).clone();
    }
    if luck.chance(if deny { 90 } else { 60 }) {
        statement["Condition"] = condition(luck);
    }
    statement
}

pub(super) fn policy(luck: &mut Luck, principals: Option<&[Value]>, first: Vec<Value>) -> Value {
    let mut statements = first;
    for _ in 0..=luck.below(3) {
        statements.push(statement(luck, principals));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A principal with credentials, and the ARNs by which questions name it.
pub(super) struct Person {
    pub(super) login: Login,
    /// What `Simulate` is asked about: for roles, the very session.
    pub(super) arn: String,
    /// What `WhoCan` lists.
    pub(super) listed: String,
    /// Its one policy; none for the root user.
    pub(super) identity: Option<Value>,
}

pub(super) struct Scene {
    pub(super) service: TestService,
    pub(super) root: Login,
    pub(super) key: String,
    pub(super) people: Vec<Person>,
    /// The key's policy.
    pub(super) document: Value,
    pub(super) told: String,
}

/// Users, a role, a key and grants, with policies at random.
pub(super) fn scene(luck: &mut Luck) -> Scene {
    let service = TestService::start();
    let root = service.root();
    let mut people = Vec::new();
    let mut told = String::new();
    for name in ["ann", "bob"] {
        let identity = policy(luck, None, Vec::new());
        told.push_str(&format!("{name} {identity}\n"));
        let login = service.user(name, &identity);
        if luck.chance(40) {
            let tags = json!({"UserName": name, "Tags": [{"Key": "team", "Value": "red"}]});
            assert_eq!(service.iam(&root, "TagUser", &tags).code(), "200");
            told.push_str("  red\n");
        }
        let arn = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
        people.push(Person { login, listed: arn.clone(), arn, identity: Some(identity) });
    }
    let identity = policy(luck, None, Vec::new());
    told.push_str(&format!("job {identity}\n"));
    people.push(Person {
        login: service.role("job", &identity),
        arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/job/test"),
        listed: format!("arn:aws:iam::{ACCOUNT}:role/job"),
        identity: Some(identity),
    });
    people.push(Person {
        login: root.clone(),
        arn: format!("arn:aws:iam::{ACCOUNT}:root"),
        listed: format!("arn:aws:iam::{ACCOUNT}:root"),
        identity: None,
    });
    let principals = [
        json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}),
        json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:user/ann")}),
        json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:role/job")}),
        json!({"AWS": format!("arn:aws:sts::{ACCOUNT}:assumed-role/job/test")}),
        json!("*"),
    ];
    // So that the key stays changeable, whatever else its policy says of it.
    let keep = json!({"Effect": "Allow", "Action": ["kms:PutKeyPolicy", "kms:CreateGrant"], "Resource": "*", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}});
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    let document = policy(luck, Some(&principals), vec![keep]);
    told.push_str(&format!("key {document}\n"));
    for _ in 0..luck.below(3) {
        let grantee = luck.one(&people[..3]).listed.clone();
        let constraints = match luck.below(3) {
            0 => json!({}),
            1 => json!({"EncryptionContextEquals": {*luck.one(NAMES): *luck.one(VALUES)}}),
            _ => json!({"EncryptionContextSubset": {*luck.one(NAMES): *luck.one(VALUES)}}),
        };
        let grant = json!({"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Encrypt", "DescribeKey"], "Constraints": constraints});
        told.push_str(&format!("grant {grant}\n"));
        assert_eq!(service.kms(&root, "CreateGrant", &grant).code(), "200");
    }
    let put = json!({"KeyId": key, "PolicyName": "default", "Policy": document.to_string(), "BypassPolicyLockoutSafetyCheck": true});
    assert_eq!(service.kms(&root, "PutKeyPolicy", &put).code(), "200");
    Scene { service, root, key, people, document, told }
}

pub(super) fn context(luck: &mut Luck) -> BTreeMap<String, String> {
    let mut context = BTreeMap::new();
    for name in NAMES {
        if luck.chance(50) {
            context.insert((*name).to_owned(), (*luck.one(VALUES)).to_owned());
        }
    }
    context
}

pub(super) fn keyward(
    service: &TestService,
    login: &Login,
    operation: &str,
    body: &Value,
) -> Answer {
    through_engine(service, login, Service::Keyward, operation, &body.to_string())
}

/// What a request is told: allowed, whatever became of it then, or refused.
pub(super) fn live(
    scene: &Scene,
    login: &Login,
    action: &str,
    context: &BTreeMap<String, String>,
) -> bool {
    let mut body = json!({"KeyId": scene.key});
    if action == "Encrypt" {
        body["Plaintext"] = json!("aGk=");
        body["EncryptionContext"] = json!(context);
    }
    let answer = scene.service.kms(login, action, &body);
    match answer.code() {
        "200" => true,
        "AccessDeniedException" => false,
        other => panic!("{action} answered {other}: {answer:?}"),
    }
}

/// Facts that every live request of this test has.
fn facts(action: &str) -> Value {
    let mut facts = vec![json!({"Name": "aws:SourceIp", "Values": ["127.0.0.1"]})];
    if action == "Encrypt" {
        facts.push(json!({"Name": "kms:EncryptionAlgorithm", "Values": ["SYMMETRIC_DEFAULT"]}));
    }
    json!(facts)
}

pub(super) const REQUESTS: &[&str] = &["Encrypt", "DescribeKey", "GetKeyPolicy"];

#[test]
fn a_question_answers_what_the_request_gets() {
    let seed = knobs::seed(1_592_832);
    let mut luck = Luck(seed);
    let mut seen = [0_u32; 2];
    for _ in 0..30 {
        let scene = scene(&mut luck);
        for _ in 0..24 {
            let person = luck.below(scene.people.len());
            let person = &scene.people[person];
            let action = *luck.one(REQUESTS);
            let context = if action == "Encrypt" { context(&mut luck) } else { BTreeMap::new() };
            let mut question = json!({"Principal": person.arn, "Actions": [action], "KeyId": scene.key, "Context": facts(action)});
            if action == "Encrypt" {
                question["EncryptionContext"] = json!(context);
            }
            let asked = keyward(&scene.service, &scene.root, "Simulate", &question);
            let said = asked.text("/Results/0/Allowed") == "true";
            question["Action"] = json!(action);
            let itself = keyward(&scene.service, &person.login, "CanI", &question);
            let got = live(&scene, &person.login, action, &context);
            let place =
                format!("seed {seed}: {action} {context:?} by {}\n{}", person.arn, scene.told);
            assert_eq!(said, got, "{place}{asked:?}");
            assert_eq!(itself.text("/Allowed") == "true", got, "{place}{itself:?}");
            seen[usize::from(got)] += 1;
        }
    }
    assert!(seen.iter().all(|count| 50 < *count), "one-sided: {seen:?}");
}

/// Nobody who is allowed under some facts is missing, nobody is certain who is refused under some, and an example
/// is one.
#[test]
fn who_can_misses_nobody_and_promises_nothing_false() {
    let seed = knobs::seed(1_592_832);
    let mut luck = Luck(seed);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..40 {
        let scene = scene(&mut luck);
        for action in ASKED {
            let question = json!({"KeyId": scene.key, "Action": action, "Limit": 1_000});
            let told = keyward(&scene.service, &scene.root, "WhoCan", &question);
            let Answer::Success(told) = told else { panic!("{told:?}") };
            let who: BTreeMap<&str, &Value> = told["Principals"]
                .as_array()
                .unwrap()
                .iter()
                .map(|who| (who["Principal"].as_str().unwrap(), who))
                .collect();
            for person in &scene.people {
                let place = |facts: &Value| {
                    format!(
                        "seed {seed}: {action} by {} with {facts}\n{}{told:#}",
                        person.arn, scene.told
                    )
                };
                // The session that a policy names is listed beside its role.
                let entries: Vec<&&Value> = [person.listed.as_str(), person.arn.as_str()]
                    .iter()
                    .filter_map(|name| who.get(name))
                    .collect();
                let certain = entries.iter().any(|who| who["Certainty"] == "Certain");
                for _ in 0..12 {
                    let address = *luck.one(&["127.0.0.1", "10.1.1.1", "192.0.2.1"]);
                    let mut context_entries =
                        vec![json!({"Name": "aws:SourceIp", "Values": [address]})];
                    if luck.chance(50) {
                        context_entries.push(json!({"Name": "kms:EncryptionAlgorithm", "Values": ["SYMMETRIC_DEFAULT"]}));
                    }
                    if person.arn.contains("assumed-role") && luck.chance(50) {
                        context_entries
                            .push(json!({"Name": "aws:PrincipalTag/team", "Values": ["red"]}));
                    }
                    let facts = json!({"Principal": person.arn, "Actions": [action], "KeyId": scene.key,
                        "EncryptionContext": context(&mut luck), "Context": context_entries});
                    let allowed = keyward(&scene.service, &scene.root, "Simulate", &facts)
                        .text("/Results/0/Allowed")
                        == "true";
                    assert!(!allowed || !entries.is_empty(), "missing: {}", place(&facts));
                    assert!(allowed || !certain, "not certain: {}", place(&facts));
                }
                for entry in entries {
                    let certainty = entry["Certainty"].as_str().unwrap().to_owned();
                    let Some(example) = entry.get("Example") else {
                        *seen.entry(certainty).or_default() += 1;
                        continue;
                    };
                    let entries: Vec<Value> = example["Context"]
                        .as_object()
                        .unwrap()
                        .iter()
                        .map(|(name, values)| json!({"Name": name, "Values": values}))
                        .collect();
                    // A role stands for any of its sessions; the one of this test may be named by itself.
                    let principal = if entry["Type"] == "Role" {
                        person.arn.replace("assumed-role/job/test", "assumed-role/job/another")
                    } else {
                        person.arn.clone()
                    };
                    let facts = json!({"Principal": principal, "Actions": [action], "KeyId": scene.key,
                        "EncryptionContext": example["EncryptionContext"], "Context": entries});
                    let answer = keyward(&scene.service, &scene.root, "Simulate", &facts);
                    assert_eq!(
                        answer.text("/Results/0/Allowed"),
                        "true",
                        "example: {}",
                        place(&facts)
                    );
                    *seen.entry("Example".to_owned()).or_default() += 1;
                }
            }
        }
    }
    println!("{seen:?}");
    assert!(20 < seen["Example"] && 20 < seen["Certain"], "{seen:?}");
}

/// Statements that a test of its own words understands.
#[test]
fn conditions_and_blockers_are_told_in_words() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    let allow = |condition: Value| json!({"Version": "2012-10-17", "Statement": [{"Sid": "Use", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": condition}]});
    service.user(
        "billing",
        &allow(json!({"StringEquals": {"kms:EncryptionContext:AppName": "billing"}})),
    );
    service.user("nobody", &json!({}));
    let mut fenced = allow(json!({"StringLike": {"aws:PrincipalArn": "*"}}));
    fenced["Statement"].as_array_mut().unwrap().push(json!({"Sid": "Home", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}}));
    service.user("fenced", &fenced);
    let grantee = format!("arn:aws:iam::{ACCOUNT}:user/nobody");
    let grant = json!({"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"Team": "red"}}});
    let grant = service.kms(&root, "CreateGrant", &grant).text("/GrantId");
    let ask = |more: Value| {
        let mut question = json!({"KeyId": key, "Action": "kms:Decrypt"});
        question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match keyward(&service, &root, "WhoCan", &question) {
            Answer::Success(told) => told["Principals"].as_array().unwrap().clone(),
            refused => panic!("{refused:?}"),
        }
    };
    let of = |found: &[Value], name: &str| {
        let arn = format!("arn:aws:iam::{ACCOUNT}:{name}");
        found.iter().find(|who| who["Principal"] == json!(arn)).cloned().unwrap_or_default()
    };
    let found = ask(json!({}));
    assert_eq!(of(&found, "root")["Certainty"], "Certain");
    let billing = of(&found, "user/billing");
    assert_eq!(billing["Certainty"], "Conditional");
    let words = "StringEquals kms:EncryptionContext:AppName = billing";
    let way =
        billing["Through"].as_array().unwrap().iter().find(|way| way["Sid"] == "Use").unwrap();
    assert_eq!(
        (&way["Source"], &way["Conditions"]),
        (&json!("inline policy inline"), &json!([words]))
    );
    assert_eq!(billing["Example"]["EncryptionContext"], json!({"AppName": "billing"}));
    let granted = of(&found, "user/nobody");
    assert_eq!(granted["Through"][0]["Sid"], json!(grant));
    assert_eq!(granted["Through"][0]["Conditions"], json!(["EncryptionContextSubset Team=red"]));
    let fenced = of(&found, "user/fenced");
    assert_eq!(fenced["Certainty"], "Conditional", "a Deny that may match is no certainty");
    assert_eq!(
        fenced["Blockers"][0]["Conditions"],
        json!(["StringNotEquals aws:SourceVpc = vpc-1"])
    );
    assert_eq!(fenced["Example"]["Context"], json!({"aws:SourceVpc": ["vpc-1"]}));

    // What is stated is known, and what does not fit is out.
    let found = ask(json!({"EncryptionContext": {"AppName": "billing"}}));
    assert_eq!(of(&found, "user/billing")["Certainty"], "Certain");
    assert_eq!(of(&found, "user/nobody"), Value::Null);
    let found = ask(json!({"Context": [{"Name": "aws:SourceVpc", "Values": ["vpc-1"]}]}));
    assert_eq!(of(&found, "user/fenced")["Certainty"], "Certain");

    // From the other side.
    let can = |name: &str| match keyward(
        &service,
        &root,
        "PrincipalCan",
        &json!({"Principal": format!("arn:aws:iam::{ACCOUNT}:user/{name}")}),
    ) {
        Answer::Success(told) => told["Keys"].clone(),
        refused => panic!("{refused:?}"),
    };
    assert_eq!(can("nobody")[0]["KeyId"], json!(key));
    assert_eq!(can("nobody")[0]["Actions"].as_array().unwrap().len(), 1);
    assert_eq!(can("nobody")[0]["Actions"][0]["Action"], "kms:Decrypt");
    // Asking left its event, and no decision that was only supposed.
    let newest = service.events().pop().unwrap();
    assert_eq!(
        (&newest["eventName"], &newest["eventSource"]),
        (&json!("PrincipalCan"), &json!("keyward.amazonaws.com"))
    );
}

/// Who may ask, and what nobody may be told (P6).
#[test]
fn what_is_of_another_account_is_not_told() {
    let service = TestService::start();
    let (root, other) = (service.root(), service.root_of("444455556666"));
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    let (start, _) = key.rsplit_once('/').unwrap();
    let absent = format!("{start}/00000000-0000-4000-8000-000000000000");
    let hushed = |answer: &Answer, arn: &str| format!("{answer:?}").replace(arn, "KEY");
    for (operation, body) in [
        ("CanI", json!({"Action": "kms:Decrypt"})),
        (
            "CanI",
            json!({"Action": "kms:Decrypt", "Context": [{"Name": "aws:SourceVpc", "Values": ["vpc-1"]}]}),
        ),
        ("WhoCan", json!({"Action": "kms:Decrypt"})),
        ("PrincipalCan", json!({"Principal": "arn:aws:iam::444455556666:root"})),
        (
            "Simulate",
            json!({"Actions": ["kms:Decrypt"], "Principal": "arn:aws:iam::444455556666:root"}),
        ),
        (
            "Simulate",
            json!({"Actions": ["kms:Decrypt"], "Principal": "arn:aws:iam::444455556666:root", "Grants": []}),
        ),
    ] {
        let ask = |arn: &str| {
            let mut body = body.clone();
            body["KeyId"] = json!(arn);
            hushed(&keyward(&service, &other, operation, &body), arn)
        };
        assert_eq!(ask(&key), ask(&absent), "{operation} {body}");
        assert!(!ask(&key).contains("true"), "{operation} {body}");
    }
    // A principal of another account is not asked about, there or not.
    for name in ["root", "user/none"] {
        let question = json!({"Principal": format!("arn:aws:iam::{ACCOUNT}:{name}"), "Actions": ["kms:ListKeys"]});
        assert_eq!(
            keyward(&service, &other, "Simulate", &question).code(),
            "AccessDeniedException"
        );
    }
    // Who has no permission asks about itself alone, and is not told layer by layer.
    let clerk = service.user("clerk", &json!({}));
    let itself = keyward(&service, &clerk, "CanI", &json!({"Action": "Decrypt", "KeyId": key}));
    assert_eq!(
        (itself.text("/Allowed"), itself.text("/Effect")),
        ("false".to_owned(), "ImplicitDeny".to_owned())
    );
    assert!(!format!("{itself:?}").contains("layers"), "{itself:?}");
    for (operation, body) in [
        ("WhoCan", json!({"Action": "kms:Decrypt", "KeyId": key})),
        ("PrincipalCan", json!({"Principal": format!("arn:aws:iam::{ACCOUNT}:user/clerk")})),
        (
            "Simulate",
            json!({"Actions": ["kms:Decrypt"], "Principal": format!("arn:aws:iam::{ACCOUNT}:user/clerk"), "KeyId": key}),
        ),
    ] {
        assert_eq!(
            keyward(&service, &clerk, operation, &body).code(),
            "AccessDeniedException",
            "{operation}"
        );
    }
    assert!(
        format!(
            "{:?}",
            keyward(&service, &root, "CanI", &json!({"Action": "Decrypt", "KeyId": key}))
        )
        .contains("layers")
    );
}

/// Foreign principals and services that the key names are listed, and never for certain but services.
#[test]
fn whom_the_key_names_is_listed() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    let statement = |principal: Value| json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": principal});
    let document = json!({"Version": "2012-10-17", "Statement": [
        statement(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")})),
        statement(json!({"AWS": "arn:aws:iam::444455556666:role/Partner"})),
        statement(json!({"Service": "backup.amazonaws.com"})),
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Principal": "*", "Condition": {"StringEquals": {"kms:CallerAccount": "777788889999"}}},
    ]});
    let put = json!({"KeyId": key, "PolicyName": "default", "Policy": document.to_string()});
    assert_eq!(service.kms(&root, "PutKeyPolicy", &put).code(), "200");
    let mut found = Vec::new();
    let mut marker = Value::Null;
    loop {
        let question = json!({"KeyId": key, "Action": "kms:Decrypt", "Limit": 1, "Marker": marker});
        let Answer::Success(told) = keyward(&service, &root, "WhoCan", &question) else { panic!() };
        found.extend(told["Principals"].as_array().unwrap().iter().map(|who| {
            (
                who["Principal"].as_str().unwrap().to_owned(),
                who["Type"].as_str().unwrap().to_owned(),
                who["Certainty"].as_str().unwrap().to_owned(),
            )
        }));
        marker = told["NextMarker"].clone();
        if marker.is_null() {
            break;
        }
    }
    let expected = [
        (format!("arn:aws:iam::{ACCOUNT}:root"), "Root", "Certain"),
        ("*".to_owned(), "Anyone", "Conditional"),
        ("arn:aws:iam::444455556666:role/Partner".to_owned(), "Role", "Conditional"),
        ("backup.amazonaws.com".to_owned(), "Service", "Certain"),
    ];
    assert_eq!(found, expected.map(|(who, kind, how)| (who, kind.to_owned(), how.to_owned())));
    // What AWS keeps inside an account is not for the others.
    let Answer::Success(told) =
        keyward(&service, &root, "WhoCan", &json!({"KeyId": key, "Action": "kms:DisableKey"}))
    else {
        panic!()
    };
    assert_eq!(told["Principals"].as_array().unwrap().len(), 2, "{told}");
}

#[test]
fn what_is_supposed_takes_the_place_of_what_is() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    service.user("ann", &json!({}));
    let ann = format!("arn:aws:iam::{ACCOUNT}:user/ann");
    let document = |effect: &str, action: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]}).to_string()
    };
    let key_policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ann}, "Action": "kms:Sign", "Resource": "*"}]}).to_string();
    let may = |action: &str, more: Value| {
        let mut question = json!({"Principal": ann, "Actions": [action], "KeyId": key});
        question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        keyward(&service, &root, "Simulate", &question).text("/Results/0/Allowed") == "true"
    };
    assert!(!may("kms:Decrypt", json!({})));
    assert!(may("kms:Decrypt", json!({"IdentityPolicies": [document("Allow", "kms:Decrypt")]})));
    assert!(!may(
        "kms:Decrypt",
        json!({"IdentityPolicies": [document("Allow", "kms:*")], "PermissionsBoundary": document("Allow", "kms:Sign")})
    ));
    assert!(!may(
        "kms:Decrypt",
        json!({"IdentityPolicies": [document("Allow", "kms:*")], "ServiceControlPolicies": [[document("Allow", "*")], [document("Allow", "kms:Sign")]]})
    ));
    assert!(!may(
        "kms:Decrypt",
        json!({"IdentityPolicies": [document("Allow", "kms:*")], "SessionPolicies": [document("Allow", "kms:Sign")]})
    ));
    assert!(may("kms:Sign", json!({"KeyPolicy": key_policy})));
    assert!(!may(
        "kms:Decrypt",
        json!({"KeyPolicy": key_policy, "IdentityPolicies": [document("Allow", "kms:*")]})
    ));
    let grants = json!({"Grants": [{"GranteePrincipal": ann, "Operations": ["Decrypt"], "Constraints": {"EncryptionContextEquals": {"A": "1"}}}]});
    assert!(!may("kms:Decrypt", grants.clone()));
    let mut in_context = grants;
    in_context["EncryptionContext"] = json!({"A": "1"});
    assert!(may("kms:Decrypt", in_context));
    // Nothing of it stays.
    assert!(!may("kms:Decrypt", json!({})));
    let bad = json!({"Principal": ann, "Actions": ["kms:Sign"], "KeyId": key, "KeyPolicy": "{}"});
    assert_eq!(
        keyward(&service, &root, "Simulate", &bad).code(),
        "MalformedPolicyDocumentException"
    );
}

/// A thousand principals in one answer.
#[test]
fn a_thousand_principals_are_asked_about_in_pages() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    for number in 0..1_000 {
        let name = format!("user-{number:04}");
        service.iam(&root, "CreateUser", &json!({"UserName": name})).text("/User/Arn");
        if number % 10 == 0 {
            let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:App": name}}}]});
            let put = json!({"UserName": name, "PolicyName": "use", "PolicyDocument": document.to_string()});
            assert_eq!(service.iam(&root, "PutUserPolicy", &put).code(), "200");
        }
    }
    let question = json!({"KeyId": key, "Action": "Decrypt", "Limit": 1_000});
    #[expect(clippy::disallowed_methods, reason = "a duration that a person reads")]
    let start = std::time::Instant::now();
    let Answer::Success(told) = keyward(&service, &root, "WhoCan", &question) else { panic!() };
    println!("1,001 principals: {:?}", start.elapsed());
    assert_eq!(told["Principals"].as_array().unwrap().len(), 101);
    assert_eq!(told["Truncated"], false);
}

/// What would be ignored in silence is refused.
#[test]
fn facts_that_no_policy_reads_are_refused() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    let entry = |name: &str| json!({"Name": name, "Values": ["x"]});
    for context in [
        json!([entry("aws:SourceIpp")]),
        json!([entry("kms:EncryptionContext:App")]),
        json!([entry("aws:SourceVpc"), entry("AWS:sourcevpc")]),
    ] {
        let question = json!({"KeyId": key, "Action": "kms:Decrypt", "Context": context});
        for operation in ["CanI", "WhoCan"] {
            let answer = keyward(&service, &root, operation, &question);
            assert_eq!(answer.code(), "ValidationException", "{operation} {context}");
        }
    }
    for action in ["kms:Decrpyt", "kms:RetireGrant", "kms:ListKeys"] {
        let question = json!({"KeyId": key, "Action": action});
        assert_eq!(keyward(&service, &root, "WhoCan", &question).code(), "ValidationException");
    }
}

/// A condition on time is about now, or about the time that is asked about.
#[test]
fn time_is_now_unless_it_is_stated() {
    let service = TestService::start();
    let root = service.root();
    let key = service.kms(&root, "CreateKey", &json!({})).text("/KeyMetadata/Arn");
    let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:Sign", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}, "NumericLessThan": {"aws:EpochTime": "1893456000"}}}]});
    service.user("ann", &document);
    let certain = |context: Value| {
        let question = json!({"KeyId": key, "Action": "kms:Sign", "Context": context});
        format!("{:?}", keyward(&service, &root, "WhoCan", &question)).contains("user/ann")
    };
    assert!(certain(json!([])));
    let at = |time: &str| json!([{"Name": "aws:CurrentTime", "Values": [time]}]);
    assert!(certain(at("2029-12-31T00:00:00Z")));
    assert!(!certain(at("2030-01-02T00:00:00Z")));
}
