//! The arguments of `keyward policy test`, `simulate`, `prove` and `diff`; a part of the table in `args.rs`.

use crate::args::{AskedFacts, RootKeyArgs};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The form of a test run's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestForm {
    /// Failures with their explanation, and counts
    Human,
    /// The Test Anything Protocol, version 14
    Tap,
    /// XML for build servers
    Junit,
    /// One JSON value
    Json,
}

#[derive(ClapArgs)]
pub(crate) struct PolicyTest {
    /// Files, or folders of *.policytest.yaml; - is stdin
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only cases whose name fits this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) run: Option<String>,
    /// Say which statements and grants decided no case
    #[arg(long)]
    pub(crate) coverage: bool,
    /// The form of the result; json with -o json
    #[arg(long, value_enum)]
    pub(crate) format: Option<TestForm>,
    /// Write what decided into each `by` that does not hold
    #[arg(long, conflicts_with = "record")]
    pub(crate) update: bool,
    /// Print cases made of recorded events instead, with the names of the one file: of the running service, of
    /// --data or of --events
    #[arg(long, conflicts_with_all = ["run", "coverage", "format"])]
    pub(crate) record: bool,
    /// With --record: events as `events export` writes them, one JSON record a line; - is stdin
    #[arg(long, value_name = "FILE", requires = "record", conflicts_with = "data")]
    pub(crate) events: Option<PathBuf>,
    /// With --record: the directory of a stopped store
    #[arg(long, requires = "record")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
    #[command(flatten)]
    pub(crate) solver: SolverArgs,
}

/// The SMT solver that proofs are asked of.
#[derive(ClapArgs, Clone)]
pub(crate) struct SolverArgs {
    /// The solver: a path, or a name on PATH; one that speaks SMT-LIB as cvc5 does
    #[arg(long, env = "KEYWARD_SOLVER", value_name = "PROGRAM", default_value = keyward_prove::DEFAULT_PROGRAM)]
    pub(crate) solver: PathBuf,
    /// Seconds that the solver may take for one question
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
}

#[derive(ClapArgs)]
pub(crate) struct Prove {
    #[command(subcommand)]
    pub(crate) claim: Claim,
}

/// The key that policies are of, what stands around it, and the solver.
#[derive(ClapArgs)]
pub(crate) struct ProofArgs {
    /// The ARN of the key that the policies are of; any key unless said
    #[arg(long, value_name = "ARN")]
    pub(crate) key_arn: Option<String>,
    /// Files with service control policies over callers, each a level of its own
    #[arg(long, value_name = "FILE")]
    pub(crate) service_control_policy: Vec<PathBuf>,
    /// Files with resource control policies over keys, each a level of its own
    #[arg(long, value_name = "FILE")]
    pub(crate) resource_control_policy: Vec<PathBuf>,
    /// The accounts that these policies are over; every account unless said
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) member_account: Vec<String>,
    /// Files with the grants on the key, each one JSON object as CreateGrant takes it, or a list: these, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) grant: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) solver: SolverArgs,
}

#[derive(Subcommand)]
pub(crate) enum Claim {
    /// A policy allows nothing that another does not: of a key, whatever policies of principals and grants there are
    /// unless --grant says which
    NoNewAccess {
        /// A file with the policy before; - is stdin
        old: PathBuf,
        /// A file with the policy after
        new: PathBuf,
        /// Both are identity policies: all actions and resources that each allows by itself
        #[arg(long, conflicts_with_all = ["action", "willing", "key_arn", "service_control_policy", "resource_control_policy", "member_account", "grant"])]
        identity: bool,
        /// Only these actions, such as kms:Decrypt; all those of KMS on a key unless said
        #[arg(long, value_delimiter = ',', value_name = "ACTION")]
        action: Vec<String>,
        /// Take it that policies of principals allow everything, and that there are no grants but those of --grant
        #[arg(long)]
        willing: bool,
        #[command(flatten)]
        args: ProofArgs,
    },
    /// Nobody but these principals can ever perform the actions, whatever policies of principals say; grants aside
    /// that are not given
    Only {
        /// A file with the key policy; - is stdin
        policy: PathBuf,
        /// An ARN or account as a policy's Principal names it, or a service
        #[arg(long, required = true, value_delimiter = ',', value_name = "PRINCIPAL")]
        principal: Vec<String>,
        /// Such as kms:Decrypt
        #[arg(long, required = true, value_delimiter = ',', value_name = "ACTION")]
        action: Vec<String>,
        #[command(flatten)]
        args: ProofArgs,
    },
    /// The actions are never allowed to a request that does not meet a condition; grants aside that are not given
    NeverWithout {
        /// A file with the key policy; - is stdin
        policy: PathBuf,
        /// As the Condition of a statement, such as {"StringEquals":{"aws:SourceVpce":"vpce-1"}}
        #[arg(long, value_name = "JSON")]
        condition: String,
        /// Such as kms:Decrypt
        #[arg(long, required = true, value_delimiter = ',', value_name = "ACTION")]
        action: Vec<String>,
        #[command(flatten)]
        args: ProofArgs,
    },
    /// Somebody can still change the key's policy
    Repairable {
        /// A file with the key policy; - is stdin
        policy: PathBuf,
        #[command(flatten)]
        args: ProofArgs,
    },
    /// Statements that match nothing, and statements without which all is decided the same; 6 when there are any
    Statements {
        /// A file with the key policy; - is stdin
        policy: PathBuf,
        #[command(flatten)]
        args: ProofArgs,
    },
}

#[derive(ClapArgs)]
pub(crate) struct PolicyDiff {
    /// A file with the policy before; - is stdin
    pub(crate) old: PathBuf,
    /// A file with the policy after
    pub(crate) new: PathBuf,
    /// The policies are of an identity, not of a key
    #[arg(long, conflicts_with_all = ["key_arn", "service_control_policy", "resource_control_policy", "member_account", "grant"])]
    pub(crate) identity: bool,
    #[command(flatten)]
    pub(crate) args: ProofArgs,
}

#[derive(ClapArgs)]
pub(crate) struct Simulate {
    /// Such as kms:Decrypt
    #[arg(required_unless_present = "request")]
    pub(crate) actions: Vec<String>,
    /// Decide this request without a service, by nothing but what it says: a JSON object as `policy vectors` reads
    /// and `policy prove` prints, a file with one, or - for stdin; other options stand in the place of its members
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) request: Option<String>,
    /// The ARN of a user, a role, a role session or the root user, or a service's name
    #[arg(long, required_unless_present = "request")]
    pub(crate) principal: Option<String>,
    /// A key's id, ARN or alias
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// The ARN of what is no key, such as an alias
    #[arg(long, value_name = "ARN", conflicts_with = "key")]
    pub(crate) resource: Option<String>,
    #[command(flatten)]
    pub(crate) facts: AskedFacts,
    /// A file with a key policy in the place of the key's own
    #[arg(long, value_name = "FILE")]
    pub(crate) key_policy: Option<PathBuf>,
    /// Files with identity policies in the place of the principal's own
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_policy: Vec<PathBuf>,
    /// A file with a permissions boundary in the place of the principal's own
    #[arg(long, value_name = "FILE")]
    pub(crate) boundary: Option<PathBuf>,
    /// Files with the session's policies
    #[arg(long, value_name = "FILE")]
    pub(crate) session_policy: Vec<PathBuf>,
    /// Files with service control policies, each a level of its own, in the place of the organization's
    #[arg(long, value_name = "FILE")]
    pub(crate) service_control_policy: Vec<PathBuf>,
    /// Files with resource control policies, each a level of its own
    #[arg(long, value_name = "FILE", requires = "request")]
    pub(crate) resource_control_policy: Vec<PathBuf>,
    /// Files with grants in the place of the key's own, each one JSON object as CreateGrant takes it, or a list
    #[arg(long, value_name = "FILE")]
    pub(crate) grant: Vec<PathBuf>,
}
