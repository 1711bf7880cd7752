//! The argument table.
//!
//! Environment variables are named here and nowhere else; the AWS ones are those of the AWS SDKs.

pub(crate) mod alert;
mod events;
mod usage;
mod words;

pub(crate) use events::{EventFilter, Events, EventsSql, Export, ExportForm};
pub(crate) use usage::{
    FailOn, Generate, Observe, ObserveReportArgs, ProposalForm, ProposeAs, Replay, Unused,
    UsedEvents, UsedLevel,
};

use crate::{
    output::Format,
    policy_args::{PolicyDiff, PolicyTest, Prove, Simulate},
};
use clap::{Args as ClapArgs, CommandFactory as _, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

/// A key service that speaks the AWS KMS API: it enforces, explains and remembers.
#[derive(Parser)]
#[command(name = "keyward", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not authenticated, 5 denied or \"no\", \
6 ran and found problems, 7 conflict or wrong state, 8 unreachable, 9 integrity failure"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// The arguments of this process.
    pub(crate) fn given() -> Result<Self, clap::Error> {
        Self::try_parse_from(words::in_order(&Self::command(), std::env::args_os().collect()))
    }
}

/// The form of the result, as it can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people
    Text,
    /// One JSON value, or one a line
    Json,
    /// A SARIF log: `policy lint` alone
    Sarif,
}

/// What every command understands.
#[derive(ClapArgs, Clone)]
pub(crate) struct Common {
    /// The form of the result
    #[arg(short = 'o', long = "output", global = true, value_enum, default_value = "text")]
    pub(crate) form: Form,
    /// The same, for commands that have but the two usual ones; filled in before a command runs.
    #[arg(skip)]
    pub(crate) output: Format,
    /// Where the service listens
    #[arg(long, global = true, env = "KEYWARD_ENDPOINT", default_value = "http://127.0.0.1:8480")]
    pub(crate) endpoint: String,
    /// The Region to sign for
    #[arg(long, global = true, env = "AWS_REGION")]
    pub(crate) region: Option<String>,
    #[arg(long, global = true, env = "AWS_DEFAULT_REGION", hide = true)]
    pub(crate) default_region: Option<String>,
    #[arg(long, global = true, env = "AWS_ACCESS_KEY_ID", hide = true, default_value = "test")]
    pub(crate) access_key_id: String,
    #[arg(
        long,
        global = true,
        env = "AWS_SECRET_ACCESS_KEY",
        hide = true,
        hide_env_values = true,
        default_value = "test"
    )]
    pub(crate) secret_access_key: String,
    #[arg(long, global = true, env = "AWS_SESSION_TOKEN", hide = true, hide_env_values = true)]
    pub(crate) session_token: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the service for development: no configuration, loopback only, fixed credentials
    Dev(Box<Dev>),
    /// Run the service
    Serve(Serve),
    /// Make a store, its root key and the first root credentials
    Init(Init),
    /// Print the variables that point AWS clients at this service: eval "$(keyward env)"
    Env(Env),
    /// Say who the credentials are
    Whoami,
    /// Say whether the service is ready
    Status,
    /// Check what commonly goes wrong
    Doctor,
    /// Call any operation: keyward call Encrypt KeyId=alias/demo Plaintext=@message.txt
    Call(Call),
    /// Keys
    #[command(subcommand)]
    Key(Key),
    /// Grants
    #[command(subcommand)]
    Grant(Grant),
    /// Events of the log
    #[command(subcommand)]
    Events(Events),
    /// Why a request was allowed or refused
    Explain(Explain),
    /// Policies
    #[command(subcommand)]
    Policy(Policy),
    /// Principals
    #[command(subcommand)]
    Principal(Principal),
    /// The log's integrity
    #[command(subcommand)]
    Audit(Audit),
    /// What the detectors found in the log
    #[command(subcommand)]
    Alert(alert::Alert),
    /// What to do when a credential or a key is in wrong hands
    #[command(subcommand)]
    Incident(Incident),
    /// Everyday traffic and incidents by real requests, to see boards and alerts at work
    Demo(crate::demo::Demo),
    /// Measure a running service beside a bare HTTP echo
    Bench(Bench),
    /// Measure the event log alone: appends beside bare disk flushes, lookups, verification, and what an event costs
    BenchLog(BenchLog),
    /// Measure the detectors alone: events a second on one core, and memory of a series
    BenchWatch(BenchWatch),
    /// The echo that `bench` measures beside the service
    #[command(hide = true)]
    BenchEcho(BenchEcho),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// An answer leaves only after its event and change are on disk
    Commit,
    /// They are handed to the operating system first; a power cut can lose the last moments
    Relaxed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Crypto {
    /// For each algorithm the provider that measures best and is constant-time
    Default,
    /// Pure Rust alone; its RSA is under RUSTSEC-2023-0071 (timing) and several times slower
    Rustcrypto,
}

#[derive(ClapArgs)]
pub(crate) struct Dev {
    #[arg(long, default_value = "127.0.0.1:8480")]
    pub(crate) listen: SocketAddr,
    /// Keep the store here, and go on with it next time; without it everything is lost at exit
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Users, roles, keys, grants and what is around them to start with (YAML)
    #[arg(long)]
    pub(crate) seed: Option<PathBuf>,
    /// A folder of Cedar policies that forbid; read again when it changes, and on SIGHUP
    #[arg(long)]
    pub(crate) guardrails: Option<PathBuf>,
    /// Start in observe mode: what policies refuse of the use of keys is let through, marked and counted
    #[arg(long)]
    pub(crate) observe: bool,
    /// The SMT solver of Access Analyzer's checks: a path, or a name on PATH; without one they answer an error
    #[arg(long, env = "KEYWARD_SOLVER", value_name = "PROGRAM")]
    pub(crate) solver: Option<PathBuf>,
    /// Write CloudTrail files with signed digests into this folder, for aws cloudtrail validate-logs; with --data,
    /// or the next run cannot go on there
    #[arg(long, value_name = "DIR")]
    pub(crate) cloudtrail_files: Option<String>,
    /// Seconds of log files and digests alike
    #[arg(long, hide = true, requires = "cloudtrail_files")]
    pub(crate) cloudtrail_files_period: Option<u32>,
    #[arg(long, default_value = "000000000000")]
    pub(crate) account: String,
    #[arg(long, value_enum, default_value = "relaxed")]
    pub(crate) durability: Durability,
    #[arg(long, default_value = "test")]
    pub(crate) root_access_key: String,
    #[arg(long, default_value = "test")]
    pub(crate) root_secret_key: String,
    #[arg(long, value_enum, default_value = "default")]
    pub(crate) crypto: Crypto,
    /// Let a new grant count for these seconds only with its token, as it can be at AWS
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    pub(crate) grant_delay: u32,
    /// Answer ThrottlingException beyond AWS's request quotas
    #[arg(long)]
    pub(crate) request_quotas: bool,
    /// A request quota of your own, in requests a second: CreateKey=1, Symmetric=50
    #[arg(long, value_name = "QUOTA=NUMBER", value_parser = request_quota)]
    pub(crate) request_quota: Vec<(String, u32)>,
    /// Believe this header from clients on this machine, as one of a front: x-via=kms:ViaService
    #[arg(long, value_name = "HEADER=CONDITION_KEY", value_parser = front_header)]
    pub(crate) front_header: Vec<(String, String)>,
    /// Trust the root certificates of this PEM file for external key store proxies
    #[arg(long, value_name = "FILE")]
    pub(crate) xks_ca: Option<PathBuf>,
    /// Connect to an external key store proxy at this address: xks.example.com=127.0.0.1:8443
    #[arg(long, value_name = "HOST=ADDRESS:PORT", value_parser = xks_connect)]
    pub(crate) xks_connect: Vec<(String, SocketAddr)>,
    /// Wait this long for an external key store proxy, as AWS does unless said
    #[arg(long, value_name = "MILLISECONDS", default_value = "250")]
    pub(crate) xks_timeout: u64,
    /// Cosign checkpoints of the log with this public key, as `audit key` prints it there; again for more
    #[arg(long, value_name = "KEY")]
    pub(crate) witness_log: Vec<String>,
    /// Have each checkpoint cosigned: the witness's URL and its key, as `audit witness-key` prints it there
    #[arg(long, value_name = "URL=KEY", value_parser = witness)]
    pub(crate) witness: Vec<(String, String)>,
    /// Publish a checkpoint only when so many witnesses have cosigned it
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub(crate) witness_quorum: usize,
    /// Seconds between two checkpoints
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub(crate) checkpoint_seconds: u64,
    /// Keep the newest checkpoint in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint_file: Option<PathBuf>,
    /// Post the newest checkpoint here
    #[arg(long, value_name = "URL")]
    pub(crate) checkpoint_webhook: Option<String>,
    /// Take the section [alerts] of this configuration: what detectors look for, and who is told
    #[arg(long, value_name = "FILE")]
    pub(crate) alerts: Option<PathBuf>,
    /// Let /metrics name the ten keys and principals that are used most; it asks for no signature
    #[arg(long)]
    pub(crate) metrics_names: bool,
    /// Threads that serve requests; as many as cores unless said
    #[arg(long)]
    pub(crate) workers: Option<usize>,
}

/// Which condition key a header stands for; whether it may is the configuration's to say.
fn front_header(text: &str) -> Result<(String, String), String> {
    let (header, key) = text.split_once('=').ok_or("write HEADER=CONDITION_KEY")?;
    Ok((header.to_owned(), key.to_owned()))
}

/// Which quotas there are is the configuration's to say.
fn request_quota(text: &str) -> Result<(String, u32), String> {
    let wanted = || "write QUOTA=NUMBER".to_owned();
    let (quota, number) = text.split_once('=').ok_or_else(wanted)?;
    Ok((quota.to_owned(), number.parse().map_err(|_| wanted())?))
}

/// Whether they are a URL and a key is the configuration's to say.
fn witness(text: &str) -> Result<(String, String), String> {
    let wanted = || "write URL=KEY".to_owned();
    let (url, key) = text.split_once('=').ok_or_else(wanted)?;
    Ok((url.to_owned(), key.to_owned()))
}

/// Where a host is, whatever its name leads to.
fn xks_connect(text: &str) -> Result<(String, SocketAddr), String> {
    let wanted = || "write HOST=ADDRESS:PORT".to_owned();
    let (host, address) = text.split_once('=').ok_or_else(wanted)?;
    Ok((host.to_owned(), address.parse().map_err(|_| wanted())?))
}

/// Where the root key comes from.
#[derive(ClapArgs, Clone, Default)]
pub(crate) struct RootKeyArgs {
    /// A file of 64 hexadecimal digits, readable by its owner alone
    #[arg(long)]
    pub(crate) root_key_file: Option<PathBuf>,
    /// 64 hexadecimal digits
    #[arg(long, env = "KEYWARD_ROOT_KEY", hide = true, hide_env_values = true)]
    pub(crate) root_key: Option<String>,
    /// Derives the root key (Argon2id)
    #[arg(long, env = "KEYWARD_ROOT_PASSPHRASE", hide = true, hide_env_values = true)]
    pub(crate) root_passphrase: Option<String>,
}

#[derive(ClapArgs)]
pub(crate) struct Serve {
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// A folder of Cedar policies that forbid; read again when it changes, and on SIGHUP
    #[arg(long)]
    pub(crate) guardrails: Option<PathBuf>,
    /// The SMT solver of Access Analyzer's checks: a path, or a name on PATH; without one they answer an error
    #[arg(long, env = "KEYWARD_SOLVER", value_name = "PROGRAM")]
    pub(crate) solver: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
}

#[derive(ClapArgs)]
pub(crate) struct Init {
    /// The directory of the new store
    #[arg(long)]
    pub(crate) data: PathBuf,
    #[arg(long, default_value = "000000000000")]
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Sh,
    Fish,
    Powershell,
    Dotenv,
}

#[derive(ClapArgs)]
pub(crate) struct Env {
    #[arg(long, value_enum, default_value = "sh")]
    pub(crate) shell: Shell,
}

#[derive(ClapArgs)]
pub(crate) struct Call {
    /// Such as Encrypt or ListKeys
    pub(crate) operation: String,
    /// Members as Name=value, Name=@file (bytes, as base64) or Name:=json
    pub(crate) members: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Keys with their aliases and states
    List,
    /// One key: metadata, policy, rotation, last use
    Show { key: String },
    /// The versions of a key: its materials, oldest first
    Versions { key: String },
    /// Which key, and which version of it, made a ciphertext, by what it says of itself
    InspectCiphertext {
        /// A file with the ciphertext, as bytes or as base64 text; - is stdin
        file: PathBuf,
    },
    /// Who used a key: how often, when, with which encryption contexts, and what let them
    UsedBy {
        /// Its id, ARN or alias
        key: String,
        /// Only of these events: the query language of `events list`, such as 'op:Decrypt result:success'
        query: Vec<String>,
        /// From this time on: RFC 3339, seconds since 1970, or a span back from now such as 24h
        #[arg(long)]
        since: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Grant {
    /// Grants on a key
    List { key: String },
}

#[derive(ClapArgs)]
pub(crate) struct Explain {
    /// An event id or a request id; `last` is the newest refusal
    pub(crate) id: String,
}

#[derive(Subcommand)]
pub(crate) enum Policy {
    /// Decide every vector of a file and compare with what it expects
    Vectors { file: PathBuf },
    /// Say what is wrong with policies, where, and what to write instead; 6 when there is an error or a security warning
    Lint(Lint),
    /// Say what is wrong with a key policy or, with --identity, an identity policy
    Check {
        file: PathBuf,
        #[arg(long)]
        identity: bool,
    },
    /// Run *.policytest.yaml files: what must be allowed and refused, without a service; 6 when a case fails
    Test(PolicyTest),
    /// Compile guardrails, and say what is wrong with file, line and column
    Guardrails {
        /// Files, or folders of *.cedar
        #[arg(required = true)]
        places: Vec<PathBuf>,
    },
    /// Say whether the credentials may, without doing it; 0 for yes, 5 for no
    CanI {
        /// Such as kms:Decrypt
        action: String,
        /// A key's id, ARN or alias
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        facts: AskedFacts,
    },
    /// Everybody who could perform an action on a key: for certain, or under which conditions
    WhoCan {
        /// Such as kms:Decrypt
        action: String,
        /// A key's id, ARN or alias
        #[arg(long)]
        key: String,
        #[command(flatten)]
        facts: AskedFacts,
    },
    /// What would be decided for a principal, with other documents supposed in the place of those in force
    Simulate(Simulate),
    /// What would have been decided of past requests, were other policies or grants in force
    Replay(Replay),
    /// What of statements, actions, principals, keys and grants the log does not show in use
    Unused(Unused),
    /// The smallest identity policies, key policies or grants that cover the log, with evidence, and replayed
    Generate(Generate),
    /// Let through what policies refuse of the use of keys, marked and counted, until it is safe to enforce them
    #[command(subcommand)]
    Observe(Observe),
    /// Prove a claim about every request with an SMT solver, or show a request that it does not hold of; 6 for that
    Prove(Prove),
    /// What a change of a policy changes: its statements and, with a solver, requests that are decided otherwise
    Diff(PolicyDiff),
}

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyFor {
    KeyPolicy,
    Identity,
    Trust,
    Scp,
    Rcp,
    VpcEndpoint,
    Session,
    Boundary,
}

#[derive(ClapArgs)]
pub(crate) struct Lint {
    /// Files with one document each; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What the policies are
    #[arg(long, value_enum, default_value = "key-policy")]
    pub(crate) kind: PolicyFor,
    /// The account that owns the key or the identity
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// The key that the policy is attached to
    #[arg(long, value_name = "ARN")]
    pub(crate) key_arn: Option<String>,
    /// Fail on every finding, suggestions included
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What the asker says of the request; what is not said is open, or absent where one request is asked about.
#[derive(ClapArgs, Clone, Default)]
pub(crate) struct AskedFacts {
    /// Pairs of the encryption context, name=value
    #[arg(long, num_args = 1.., value_name = "NAME=VALUE")]
    pub(crate) encryption_context: Vec<String>,
    /// A condition key, such as aws:SourceIp=203.0.113.7; again for more values of one key
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Principal {
    /// Everything a principal could do with a key, or with every key: for certain, or under which conditions
    Can {
        /// The ARN of a user, a role, a role session or the root user, or a service's name
        principal: String,
        /// A key's id, ARN or alias; every key without it
        #[arg(long)]
        key: Option<String>,
        /// Only this action; again for more
        #[arg(long)]
        action: Vec<String>,
        #[command(flatten)]
        facts: AskedFacts,
    },
    /// What a principal did: operations and keys with counts, what was refused, and what it never did before
    Did {
        /// The ARN of a user, a role (all its sessions), a role session or the root user
        principal: String,
        /// Only of these events: the query language of `events list`, such as 'ctx.tenant:acme -op:DescribeKey'
        query: Vec<String>,
        /// From this time on: RFC 3339, seconds since 1970, or a span back from now such as 24h
        #[arg(long)]
        since: Option<String>,
        /// How far back to look for what is not new; it matters with --since alone
        #[arg(long, default_value = "30d")]
        history: String,
    },
    /// What a credential could have opened, and what it did open, by key and encryption context
    BlastRadius {
        /// The ARN of a user, a role (all its sessions), a role session or the root user; user/NAME, role/NAME; or the
        /// id of an access key
        principal: String,
        /// Of what it did, from this time on: RFC 3339, seconds since 1970, or a span back from now such as 24h
        #[arg(long)]
        since: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Check a log, of a stopped store or of an export; 0 when all holds, 9 when anything was changed, 6 when an export's
    /// last events are newer than everything that was signed
    Verify(Verify),
    /// Check a folder of CloudTrail files and digests, without a service; 0 when all holds, 9 when anything was changed
    VerifyFiles {
        folder: PathBuf,
        /// The key that signed the digests: PKCS#1, as PEM or DER; the one in the folder unless said
        #[arg(long, value_name = "FILE")]
        public_key: Vec<PathBuf>,
        /// Digests must reach until this time, RFC 3339
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Check sealed journal segments, such as an archive's, with the log's public key alone; 9 when anything is not as it
    /// was signed, 6 when events before a checkpoint are not in them
    VerifySegments {
        /// The folder that they are in
        folder: PathBuf,
        /// The log's public key, as `audit key` prints it
        #[arg(long)]
        key: String,
        /// The number of the event that the first segment must begin with: 0 for a whole log
        #[arg(long, value_name = "NUMBER")]
        from: Option<u64>,
        /// A checkpoint that was kept elsewhere, whose events the segments must hold; again for more
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        #[command(flatten)]
        witnesses: WitnessArgs,
    },
    /// The public key by which the log's checkpoints are checked
    Key,
    /// The public key under which this service cosigns checkpoints of other logs
    WitnessKey,
    /// The log's newest checkpoint, signed now: keep it elsewhere
    Checkpoint,
    /// The proof that an event is in the log, by its id or its request's
    Prove { id: String },
    /// Check a proof offline, and print the event; 9 when it does not hold
    CheckProof {
        file: PathBuf,
        /// The log's public key, as `audit key` prints it
        #[arg(long)]
        key: String,
        /// The event's record, where the proof does not bring it along
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
        #[command(flatten)]
        witnesses: WitnessArgs,
    },
    /// Check that the running log continues a checkpoint that was kept; 9 when it does not
    Consistent {
        /// The checkpoint
        file: PathBuf,
        /// The log's public key, as `audit key` printed it when the checkpoint was kept
        #[arg(long)]
        key: String,
        #[command(flatten)]
        witnesses: WitnessArgs,
    },
}

#[derive(Subcommand)]
pub(crate) enum Incident {
    /// Put a key, a user or role, or a grant out of use, until it is thawed
    Freeze {
        #[command(flatten)]
        target: Frozen,
        /// Why; it stands in the log
        #[arg(long)]
        reason: String,
    },
    /// Take a freeze away: everything is as it was
    Thaw {
        #[command(flatten)]
        target: Frozen,
        /// Why; it stands in the log
        #[arg(long)]
        reason: Option<String>,
    },
    /// What is frozen now, by whom and why
    Frozen,
    /// Write events with their proofs, explanations and policies into one file that anybody can check
    Bundle(BundleArgs),
    /// Check a bundle offline; 9 when anything in it does not hold, 6 when only what follows from its events is said in
    /// other words than this version's
    VerifyBundle(VerifyBundle),
}

#[derive(ClapArgs)]
pub(crate) struct VerifyBundle {
    pub(crate) file: PathBuf,
    /// The log's public key, as `audit key` prints it
    #[arg(long)]
    pub(crate) key: String,
    /// A checkpoint that was kept elsewhere, which the bundle's log must continue; again for more
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
    /// The bundle's digest, as `incident bundle` printed it
    #[arg(long, value_name = "SHA-256")]
    pub(crate) digest: Option<String>,
    #[command(flatten)]
    pub(crate) witnesses: WitnessArgs,
}

/// What to freeze.
#[derive(ClapArgs)]
pub(crate) struct Frozen {
    /// A key's id, ARN or alias, or the ARN of a user or of a role (all its sessions)
    #[arg(value_name = "KEY|PRINCIPAL")]
    pub(crate) target: String,
    /// Only this grant on the key
    #[arg(long, value_name = "ID")]
    pub(crate) grant: Option<String>,
}

/// Which events, and where to.
#[derive(ClapArgs)]
#[group(id = "which", required = true, multiple = true, args = ["query", "principal", "key", "since", "until", "id"])]
pub(crate) struct BundleArgs {
    /// Events of this query, in the language of `events list`
    pub(crate) query: Vec<String>,
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The ARN of a user, a role (all its sessions), a role session or the root user
    #[arg(long)]
    pub(crate) principal: Option<String>,
    /// A key's ARN or id
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// From this time on: RFC 3339, seconds since 1970, or a span back from now such as 24h
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Up to this time
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// An event id or request id, beside what the others find; again for more
    #[arg(long)]
    pub(crate) id: Vec<String>,
    /// A checkpoint that was kept elsewhere: the bundle shows that the log continues it; again for more
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
}

#[derive(ClapArgs)]
#[command(group = clap::ArgGroup::new("log").required(true).args(["data", "export"]))]
pub(crate) struct Verify {
    /// The directory of a stopped store
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Only the journal: every event, the log's tree and its checkpoints, and nothing that is derived from it
    #[arg(long, conflicts_with = "export")]
    pub(crate) journal: bool,
    /// Where a copy of what is derived from the journal is made, and removed; the system's temporary folder unless said
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["export", "journal"])]
    pub(crate) scratch: Option<PathBuf>,
    /// A file that `events export` wrote; nothing but the log's public key is needed
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) export: Option<PathBuf>,
    /// The log's public key, as `audit key` prints it
    #[arg(long, conflicts_with = "data")]
    pub(crate) key: Option<String>,
    /// A checkpoint that was kept elsewhere, to hold the log against; again for more
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
    /// What `events export --hashes` wrote, now or before: with it the first wrong event is named; again for more
    #[arg(long, value_name = "FILE")]
    pub(crate) hashes: Vec<PathBuf>,
    /// The number of the export's first event, where it is not the one that the hashes begin with
    #[arg(long, value_name = "NUMBER", requires = "export")]
    pub(crate) first: Option<u64>,
    /// Take an export that is a part of its log on purpose, written with --since or --until; it is exit 6 otherwise, and 9
    /// where a --checkpoint speaks of more
    #[arg(long, requires = "export")]
    pub(crate) part: bool,
    /// Take events at the export's end that are newer than everything that was signed; they are exit 6 otherwise
    #[arg(long, requires = "export")]
    pub(crate) allow_unsigned_tail: bool,
    #[command(flatten)]
    pub(crate) witnesses: WitnessArgs,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
}

/// Who else must have signed a checkpoint.
#[derive(ClapArgs, Clone, Default)]
pub(crate) struct WitnessArgs {
    /// The public key of a witness that must have cosigned; again for more
    #[arg(long, value_name = "KEY")]
    pub(crate) witness: Vec<String>,
    /// How many of the witnesses must have; all of them unless said
    #[arg(long, value_name = "NUMBER", requires = "witness")]
    pub(crate) quorum: Option<usize>,
}

#[derive(ClapArgs)]
pub(crate) struct Bench {
    /// Seconds per measurement
    #[arg(long, default_value_t = 5)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Stop a measurement after that many requests a connection, without a warm-up
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) requests: Option<u64>,
    /// Only these rows or groups, such as `rsa,ecdsa`; `all` for every one
    #[arg(long, value_delimiter = ',', value_parser = crate::bench::parse_choice)]
    pub(crate) only: Vec<String>,
    /// What the library alone is measured with: say what the service runs with
    #[arg(long, value_enum, default_value_t = Crypto::Default)]
    pub(crate) crypto: Crypto,
    /// Another service with the same credentials, asked the same in turns: what a setting costs
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) beside: Option<String>,
}

#[derive(ClapArgs)]
pub(crate) struct BenchLog {
    /// Events of the log that is searched and verified
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) events: u64,
    /// Seconds per measurement of appends; 0 leaves them out
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u64,
    /// Where logs are made, and removed at the end: on the disk that is to be measured
    #[arg(long, value_name = "FOLDER")]
    pub(crate) at: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub(crate) struct BenchWatch {
    /// Events that the detectors see
    #[arg(long, default_value_t = 2_000_000)]
    pub(crate) events: usize,
    /// Series that they may learn
    #[arg(long, default_value_t = 10_000)]
    pub(crate) series: usize,
}

#[derive(ClapArgs)]
pub(crate) struct BenchEcho {
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// Bytes of every answer
    #[arg(long)]
    pub(crate) answer_bytes: usize,
}
