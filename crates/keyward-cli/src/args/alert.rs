//! The arguments of `keyward alert`.

use super::RootKeyArgs;
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Alert {
    /// Newest first
    List(AlertFilter),
    /// One, by its id
    Show { id: String },
    /// Say that you look after it
    Ack {
        id: String,
        /// In your words
        #[arg(long)]
        comment: Option<String>,
    },
    /// Do not tell alerts that fit, for a while; what still stands when it ends is told then
    Silence(AlertSilence),
    /// Silences that hold now
    Silences {
        /// End this one before its time
        #[arg(long, value_name = "ID")]
        expire: Option<String>,
    },
    /// The detectors' settings that hold
    Settings {
        /// State others, from a JSON file in the form in which they are shown
        #[arg(long, value_name = "FILE", conflicts_with = "reset")]
        put: Option<PathBuf>,
        /// Go back to those of the configuration
        #[arg(long)]
        reset: bool,
    },
    /// Play a log through the detectors, and say what they would have told
    Backtest(Backtest),
}

#[derive(ClapArgs)]
pub(crate) struct AlertFilter {
    /// firing or resolved
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Such as rate, canary or first_use_of_key
    #[arg(long)]
    pub(crate) detector: Option<String>,
    /// low, medium, high or critical
    #[arg(long)]
    pub(crate) severity: Option<String>,
    /// A part of an ARN
    #[arg(long)]
    pub(crate) principal: Option<String>,
    /// A part of a key's ARN
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Only what nobody looks after
    #[arg(long)]
    pub(crate) unacknowledged: bool,
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
}

#[derive(ClapArgs)]
pub(crate) struct AlertSilence {
    /// How long: 30m, 2h, 7d
    #[arg(long = "for", value_name = "SPAN", value_parser = minutes)]
    pub(crate) minutes: i64,
    #[arg(long)]
    pub(crate) reason: String,
    /// Such as rate, canary or first_use_of_key
    #[arg(long)]
    pub(crate) detector: Option<String>,
    /// A principal's ARN, in which * stands for any text
    #[arg(long)]
    pub(crate) principal: Option<String>,
    /// A key's ARN, in which * stands for any text
    #[arg(long)]
    pub(crate) key: Option<String>,
}

fn minutes(text: &str) -> Result<i64, String> {
    let wanted = || "write a span such as 30m, 2h or 7d".to_owned();
    let unit = text.chars().last().ok_or_else(wanted)?;
    let minutes = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 1_440,
        _ => return Err(wanted()),
    };
    let number: i64 = text.trim_end_matches(unit).parse().map_err(|_| wanted())?;
    number.checked_mul(minutes).ok_or_else(wanted)
}

#[derive(ClapArgs)]
pub(crate) struct Backtest {
    /// What would have been told from this time on; what is older only teaches. RFC 3339, seconds since 1970, or a
    /// span back from now such as 7d
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Up to this time
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// A configuration whose section [alerts] has the settings; without it those in force at the service hold, and
    /// elsewhere the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How long before --since the service's log is read
    #[arg(long, value_name = "SPAN", default_value = "28d", value_parser = minutes)]
    pub(crate) learn: i64,
    /// The directory of a stopped store
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// An export: a folder of CloudTrail's files, one of them, or a file with one record a line
    #[arg(long, value_name = "PATH", conflicts_with = "data")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) root: RootKeyArgs,
}
