//! The arguments of `keyward events`.

use super::RootKeyArgs;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Which events.
#[derive(ClapArgs, Clone, Default)]
pub(crate) struct EventFilter {
    /// The query language: 'op:Decrypt,GenerateDataKey result:denied -key:alias/demo ctx.tenant:acme since:6h'
    pub(crate) query: Vec<String>,
    /// Such as Decrypt
    #[arg(long)]
    pub(crate) operation: Option<String>,
    /// An ARN, or a part of one
    #[arg(long)]
    pub(crate) principal: Option<String>,
    /// A key's ARN or id
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// success, denied, client_error or server_error
    #[arg(long)]
    pub(crate) outcome: Option<String>,
    /// Newer than this, RFC 3339
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Older than this, RFC 3339
    #[arg(long)]
    pub(crate) until: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Events {
    /// Newest first
    List {
        #[command(flatten)]
        filter: EventFilter,
        /// Events at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Go on where a list ended, as it said
        #[arg(long, value_name = "PLACE")]
        after: Option<String>,
    },
    /// What events add up to: by field how often, when first and last; and a time line
    Stats {
        #[command(flatten)]
        filter: EventFilter,
        /// Fields, such as principal,op,key,statement,grant,ip,ctx.NAME
        #[arg(long, value_name = "FIELDS")]
        by: Option<String>,
        /// Values of each field
        #[arg(long, default_value_t = 10)]
        limit: usize,
    },
    /// What is rare for a principal among what it did, and with --new what it never did before
    Rare {
        #[command(flatten)]
        filter: EventFilter,
        /// Fields, such as op,key,ip,agent,ctx.NAME
        #[arg(long, value_name = "FIELDS")]
        by: Option<String>,
        /// At most this share of the principal's events, in percent
        #[arg(long, value_name = "PERCENT", default_value = "1")]
        share: String,
        /// Of principals with at least this many events
        #[arg(long, value_name = "EVENTS", default_value_t = 100)]
        least: u64,
        /// Also what was first seen at this time or later: RFC 3339, or a span such as 2h
        #[arg(long, value_name = "TIME")]
        new: Option<String>,
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// As they come
    Tail {
        #[command(flatten)]
        filter: EventFilter,
    },
    /// One, by event id or request id
    Show { id: String },
    /// A question in SQL over events, event_keys and contexts: your own, or one of the pack
    Sql(EventsSql),
    /// Every event, or those of a query, oldest first: of the running service, or with --data of a stopped store
    Export(Export),
    /// Every event of sealed journal segments, such as an archive's, as JSON lines; it takes the store's root key
    Archived {
        /// The folder that they are in
        folder: PathBuf,
        /// The directory of the store that they are of
        #[arg(long)]
        data: PathBuf,
        #[command(flatten)]
        root: RootKeyArgs,
    },
}

/// The form of exported events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportForm {
    /// One JSON record a line
    Jsonl,
    /// One row an event, of the members that people look at
    Csv,
    /// The same rows as a Parquet file
    Parquet,
    /// Gzip files in AWS's folder layout, with signed digests; a second run goes on where the first ended
    Cloudtrail,
}

#[derive(ClapArgs)]
pub(crate) struct Export {
    /// Only of these events: the query language of `events list`, such as 'ctx.tenant:acme -op:DescribeKey'
    pub(crate) query: Vec<String>,
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: ExportForm,
    /// A file instead of stdout; for cloudtrail a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: Option<String>,
    /// The directory of a stopped store
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Not older than this, RFC 3339; for cloudtrail where a new destination begins
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Older than this, RFC 3339
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// Go on with events as they are written, from the running service
    #[arg(long, conflicts_with_all = ["data", "until"])]
    pub(crate) follow: bool,
    /// The trail's name, for cloudtrail
    #[arg(long, default_value = "keyward")]
    pub(crate) trail: String,
    /// An S3-compatible store instead of AWS's own
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3")]
    pub(crate) s3_endpoint: Option<String>,
    /// Seconds of log files and digests alike
    #[arg(long, hide = true)]
    pub(crate) period: Option<u32>,
    /// Write the events' hashes and a signed head here, with which `audit verify --export` names a wrong event; with --since
    /// or --until all events come along that stand between the first and the last of that time
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(crate) hashes: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
}

#[derive(ClapArgs)]
pub(crate) struct EventsSql {
    /// One SELECT, as SQLite understands it
    #[arg(required_unless_present_any = ["name", "list"], conflicts_with = "name")]
    pub(crate) query: Option<String>,
    /// A question of the pack; --list says which there are
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A value for :NAME in the question, as text, or as NAME:=json; again for more
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<String>,
    /// Rows at most
    #[arg(long, default_value_t = 1_000)]
    pub(crate) limit: usize,
    /// The tables' columns, and the questions of the pack with their parameters
    #[arg(long, conflicts_with_all = ["query", "name"])]
    pub(crate) list: bool,
    /// Comma-separated values, with the columns' names first
    #[arg(long)]
    pub(crate) csv: bool,
    /// Ask a stopped store instead of the service
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
}
