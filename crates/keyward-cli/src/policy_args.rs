//! The arguments of `keyward policy test` and `keyward policy simulate`; a part of the table in `args.rs`.

use crate::args::{AskedFacts, RootKeyArgs};
use clap::{Args as ClapArgs, ValueEnum};
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
}

#[derive(ClapArgs)]
pub(crate) struct Simulate {
    /// Such as kms:Decrypt
    #[arg(required = true)]
    pub(crate) actions: Vec<String>,
    /// The ARN of a user, a role, a role session or the root user, or a service's name
    #[arg(long)]
    pub(crate) principal: String,
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
    /// Files with grants in the place of the key's own, each one JSON object as CreateGrant takes it, or a list
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) grant: Vec<PathBuf>,
}
