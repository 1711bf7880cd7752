//! Arguments of `policy replay`, `unused`, `generate` and `observe`: what was used, and what would be enough.

use super::RootKeyArgs;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Whose events.
#[derive(ClapArgs, Clone, Default)]
pub(crate) struct UsedEvents {
    /// From this time on: RFC 3339, a date, or a span back from now such as 14d; everything without it
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Events of AWS in the place of the log's own: a folder of CloudTrail files (.json.gz or .json), or one file
    #[arg(long, value_name = "PLACE", conflicts_with = "since")]
    pub(crate) events: Option<PathBuf>,
    /// Ask a stopped store instead of the service
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// The account, where a stopped store has several
    #[arg(long, value_name = "ID", requires = "data")]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
}

/// A change of decisions on which a replay can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    NewlyDenied,
    NewlyAllowed,
    OtherReason,
}

#[derive(ClapArgs)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) events: UsedEvents,
    /// A file to suppose: key:KEY=FILE, identity:role/NAME=FILE (all its policies; again for more), grant:KEY=FILE
    /// (a JSON list of GranteePrincipal, Operations, Constraints: all grants on the key)
    #[arg(long, value_name = "WHAT=FILE")]
    pub(crate) with: Vec<String>,
    /// Exit with 6 when a decision changes so
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) fail_on: Vec<FailOn>,
}

/// What a finding can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsedLevel {
    Statement,
    Action,
    Principal,
    Key,
    Grant,
}

#[derive(ClapArgs)]
pub(crate) struct Unused {
    #[command(flatten)]
    pub(crate) events: UsedEvents,
    /// Only these levels
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) level: Vec<UsedLevel>,
    /// What is used, too
    #[arg(long)]
    pub(crate) all: bool,
    /// Exit with 6 when anything is found
    #[arg(long)]
    pub(crate) fail: bool,
}

/// What is to be proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProposeAs {
    Identity,
    KeyPolicy,
    Grants,
}

/// How a proposal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProposalForm {
    /// With the evidence for each statement
    Text,
    /// Terraform, one resource a document or grant
    Hcl,
    /// What changes in the documents in force
    Diff,
}

#[derive(ClapArgs)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) events: UsedEvents,
    /// For this user or role, as role/NAME or an ARN; again for more, all without it
    #[arg(long)]
    pub(crate) principal: Vec<String>,
    /// A key's id, ARN or alias; all without it
    #[arg(long)]
    pub(crate) key: Option<String>,
    #[arg(long, value_enum, default_value = "identity")]
    pub(crate) r#as: ProposeAs,
    /// Events over which a fact must have been constant to become a condition
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub(crate) min_events: u64,
    /// How it is written; -o json has everything
    #[arg(long = "write", value_name = "FORM", value_enum, default_value = "text")]
    pub(crate) written: ProposalForm,
    /// Write each proposed document to a file of its own in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Observe {
    /// Put policies in observe: what they refuse of the use of keys is let through, marked and counted
    Start {
        /// A key's id, ARN or alias, or the ARN of a user, a role or a customer managed policy
        #[arg(value_name = "KEY|PRINCIPAL|POLICY")]
        target: String,
        /// Why; it stands in the log
        #[arg(long)]
        reason: String,
        /// After so many days it ends by itself
        #[arg(long, default_value_t = 14)]
        days: u32,
    },
    /// Enforce the policies again
    End {
        /// What was put in observe
        #[arg(value_name = "KEY|PRINCIPAL|POLICY")]
        target: String,
    },
    /// What would have been refused since, of whom, and whether it is safe to enforce
    Report(ObserveReportArgs),
}

#[derive(ClapArgs)]
pub(crate) struct ObserveReportArgs {
    /// From this time on: RFC 3339, a date, or a span back from now such as 14d
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Days for which nothing may have been refused before it is safe
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub(crate) quiet_days: u32,
    /// Exit with 6 unless everything in observe is safe to enforce
    #[arg(long)]
    pub(crate) fail: bool,
}
