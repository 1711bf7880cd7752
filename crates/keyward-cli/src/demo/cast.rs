//! Who takes part: a small company with its keys, and those who will harm it.
//!
//! Names end in a word of this run's own, so that a second run meets nothing of the first.

use super::{
    actor::{Actor, element},
    stage::Stage,
};
use crate::{args::Common, exit::CliError};
use serde_json::{Value, json};

/// A key with ciphertexts that were made under it, and the tenant in their encryption context.
#[derive(Clone, Debug, Default)]
pub(super) struct Vault {
    pub(super) key: String,
    pub(super) kept: Vec<(String, String)>,
}

pub(super) struct Cast {
    pub(super) admin: Actor,
    pub(super) checkout: Actor,
    pub(super) backup: Actor,
    pub(super) release: Actor,
    pub(super) auditor: Actor,
    pub(super) contractor: Actor,
    scheduler: Actor,
    reports_role: String,
    /// A session of the reports' role; it is taken anew before it ends.
    session: Option<(Actor, f64)>,
    pub(super) payments: Vault,
    pub(super) customers: Vault,
    pub(super) archive: Vault,
    pub(super) releases: String,
    /// Keys that nothing happens to, for those who look around.
    pub(super) others: Vec<String>,
    /// The root user of another account, where the service knows it.
    pub(super) stranger: Option<Actor>,
    /// What was done to keys, to be put right: those that cannot be used, grants with their key, and key policies as
    /// they were.
    pub(super) harmed: Vec<String>,
    pub(super) granted: Vec<(String, String)>,
    pub(super) opened: Vec<(String, String)>,
    pub(super) word: String,
}

/// Another account, and the access key of its root user, as `dashboards/demo.yaml` states them for a service that is
/// asked. They open nothing that nobody gave them.
pub(super) const STRANGER: &str = "999988887777";
pub(super) const STRANGER_ACCESS_KEY: (&str, &str) =
    ("AKIASTRANGER00000000", "secret-of-a-stranger-for-demonstrations-only");
const STRANGER_ADDRESS: &str = "198.51.100.9";

/// Ciphertexts that a vault keeps at most.
pub(super) const KEPT_MAX: usize = 300;
const TENANTS: [&str; 6] = ["acme", "globex", "initech", "umbrella", "hooli", "stark"];
/// A session lasts an hour, and is taken anew before.
const SESSION_SECONDS: f64 = 2_700.0;
/// With the rest more than anybody asks after in an hour of work.
const OTHER_KEYS: usize = 22;

impl Cast {
    /// Makes everybody and every key.
    pub(super) fn gather(common: &Common, stage: &mut Stage) -> Result<Self, CliError> {
        let root = Actor::root(common, stage.clock(), stage.counted());
        let [a, b, c, d] = stage.bytes::<4>();
        let second = stage.clock().now().seconds().rem_euclid(0xffff);
        let word = format!("{second:x}{a:02x}{b:02x}{c:02x}{d:02x}");
        let new_key = |what: &str, more: Value| make_key(&root, &word, what, more);
        let payments = new_key("payments", json!({}))?;
        let customers = new_key("customers", json!({}))?;
        let archive = new_key("archive", json!({}))?;
        let releases =
            new_key("releases", json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}))?;
        let others: Result<Vec<String>, CliError> =
            (1..=OTHER_KEYS).map(|n| new_key(&format!("tenant-{n:02}"), json!({}))).collect();
        let user = |name: &str, statements: Value| make_user(&root, &word, name, &statements);
        let allow = |actions: &[&str], key: &str| json!({"Effect": "Allow", "Action": actions, "Resource": key});
        let reading = ["kms:List*", "kms:Describe*", "kms:Get*"];
        let scheduler = user("scheduler", json!([allow(&["sts:AssumeRole"], "*")]))?;
        let reports_role =
            make_role(&root, &word, &scheduler.arn, &json!([allow(&["kms:Decrypt"], &customers)]))?;
        let vault = |key: &str| Vault { key: key.to_owned(), kept: Vec::new() };
        Ok(Self {
            admin: user("admin", json!([allow(&["kms:*"], "*")]))?.from("10.0.4.7", CLI),
            checkout: user(
                "checkout",
                json!([{"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt"],
                    "Resource": payments, "Condition": {"StringLike": {"kms:EncryptionContext:tenant": "*"}}}]),
            )?
            .from("10.0.1.20", SDK),
            backup: user(
                "backup",
                json!([allow(&["kms:GenerateDataKeyWithoutPlaintext", "kms:Encrypt", "kms:Decrypt"], &archive),
                    allow(&["kms:Encrypt"], &customers)]),
            )?
            .from("10.0.2.9", SDK),
            release: user("release", json!([allow(&["kms:Sign", "kms:Verify", "kms:GetPublicKey"], &releases)]))?
                .from("10.0.3.3", CLI),
            auditor: user("auditor", json!([allow(&reading, "*")]))?.from("10.0.4.12", CLI),
            contractor: user("contractor", json!([allow(&reading, "*")]))?.from("10.0.4.77", CLI),
            scheduler: scheduler.from("10.0.2.30", SDK),
            reports_role,
            session: None,
            payments: vault(&payments),
            customers: vault(&customers),
            archive: vault(&archive),
            releases,
            others: others?,
            stranger: stranger(&root),
            harmed: Vec::new(),
            granted: Vec::new(),
            opened: Vec::new(),
            word,
        })
    }

    pub(super) fn introduction(&self) -> String {
        let word = &self.word;
        format!(
            "made {} keys (alias/demo-{word}-…), users checkout, backup, release, auditor, contractor, admin and scheduler, and the role reports (demo-{word}-…)",
            self.others.len() + 4
        )
    }

    pub(super) fn tenant(stage: &mut Stage) -> &'static str {
        TENANTS.get(stage.below(TENANTS.len())).copied().unwrap_or("acme")
    }

    /// A session of the reports' role that lasts its whole time.
    pub(super) fn fresh_reports(&mut self, now_seconds: f64) -> Result<Actor, CliError> {
        self.session = None;
        self.reports(now_seconds)
    }

    /// A session of the reports' role.
    pub(super) fn reports(&mut self, now_seconds: f64) -> Result<Actor, CliError> {
        if let Some((session, until)) = &self.session
            && now_seconds < *until
        {
            return Ok(session.clone());
        }
        let xml = self.scheduler.query(
            "sts",
            &[
                ("Action", "AssumeRole"),
                ("RoleArn", &self.reports_role),
                ("RoleSessionName", "nightly"),
            ],
        )?;
        let of = |name: &str| element(&xml, name).unwrap_or_default();
        let key = (of("AccessKeyId"), of("SecretAccessKey"));
        let session = self.scheduler.other(&of("Arn"), key, Some(of("SessionToken")));
        self.session = Some((session.clone(), now_seconds + SESSION_SECONDS));
        Ok(session)
    }
}

const CLI: &str = "aws-cli/2.27.1 md/prompt#off";
pub(super) const SCRIPT: &str = "python-requests/2.32.3";
const SDK: &str = "aws-sdk-rust/1.3.7 os/linux lang/rust";

/// The other account, where its access key is known.
fn stranger(root: &Actor) -> Option<Actor> {
    let (id, secret) = STRANGER_ACCESS_KEY;
    let key = (id.to_owned(), secret.to_owned());
    let stranger = root.other(&root_arn(STRANGER), key, None).from(STRANGER_ADDRESS, SCRIPT);
    stranger.query("sts", &[("Action", "GetCallerIdentity")]).is_ok().then_some(stranger)
}

/// The root user of an account.
pub(super) fn root_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

fn make_key(root: &Actor, word: &str, what: &str, more: Value) -> Result<String, CliError> {
    let mut input = json!({"Description": format!("{what}, of a demonstration")});
    if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
        input.extend(more.clone());
    }
    let made = root.kms("CreateKey", &input)?;
    let arn = text(&made, "/KeyMetadata/Arn");
    let alias = format!("alias/demo-{word}-{what}");
    root.kms("CreateAlias", &json!({"AliasName": alias, "TargetKeyId": arn}))?;
    Ok(arn)
}

fn policy(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn make_user(root: &Actor, word: &str, name: &str, allowed: &Value) -> Result<Actor, CliError> {
    let user = format!("demo-{word}-{name}");
    let made = root.query("iam", &[("Action", "CreateUser"), ("UserName", &user)])?;
    let document = policy(allowed);
    root.query(
        "iam",
        &[
            ("Action", "PutUserPolicy"),
            ("UserName", &user),
            ("PolicyName", "work"),
            ("PolicyDocument", &document),
        ],
    )?;
    let keys = root.query("iam", &[("Action", "CreateAccessKey"), ("UserName", &user)])?;
    let of = |xml: &str, name: &str| element(xml, name).unwrap_or_default();
    let key = (of(&keys, "AccessKeyId"), of(&keys, "SecretAccessKey"));
    Ok(root.other(&of(&made, "Arn"), key, None))
}

fn make_role(root: &Actor, word: &str, trusted: &str, allowed: &Value) -> Result<String, CliError> {
    let role = format!("demo-{word}-reports");
    let trust = policy(&json!([
        {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
    ]));
    let made = root.query(
        "iam",
        &[("Action", "CreateRole"), ("RoleName", &role), ("AssumeRolePolicyDocument", &trust)],
    )?;
    let document = policy(allowed);
    root.query(
        "iam",
        &[
            ("Action", "PutRolePolicy"),
            ("RoleName", &role),
            ("PolicyName", "work"),
            ("PolicyDocument", &document),
        ],
    )?;
    Ok(element(&made, "Arn").unwrap_or_default())
}

/// A member of an answer as text.
pub(super) fn text(answer: &Value, pointer: &str) -> String {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
