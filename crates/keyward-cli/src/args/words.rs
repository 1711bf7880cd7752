//! Words of a query that begin with `-`, which is "not" there and an option everywhere else.
//!
//! They are put behind `--` before the arguments are read, so that options stand before and after a query as they
//! like. It looks at commands that end in a query alone, and touches nothing else.
//!
//! INVARIANT: what is an option of the command stays one.

use clap::{ArgAction, Command};
use keyward_trail::query::Field;
use std::ffi::OsString;

/// The arguments, those that deny something in a query last.
pub(crate) fn in_order(command: &Command, given: Vec<OsString>) -> Vec<OsString> {
    let end = given.iter().position(|word| word == "--").unwrap_or(given.len());
    let (options, rest) = given.split_at_checked(end).unwrap_or((&given, &[]));
    let Some(asking) = asking(command, options) else { return given };
    let denies =
        |word: &OsString| word.to_str().is_some_and(|word| is_denial(command, asking, word));
    let (denied, others): (Vec<&OsString>, Vec<&OsString>) =
        options.iter().partition(|word| denies(word));
    if denied.is_empty() {
        return given;
    }
    let dashes = OsString::from("--");
    let behind = rest.iter().skip(1);
    others.into_iter().chain([&dashes]).chain(denied).chain(behind).cloned().collect()
}

/// The command that is called, when it takes a query.
fn asking<'c>(command: &'c Command, words: &[OsString]) -> Option<&'c Command> {
    let mut called = command;
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        called = called.find_subcommand(word).unwrap_or(called);
    }
    let is_query =
        |arg: &clap::Arg| arg.get_id() == "query" && matches!(arg.get_action(), ArgAction::Append);
    called.get_positionals().any(is_query).then_some(called)
}

/// `-FIELD:VALUE`, or `-WORD` where no option has that letter.
fn is_denial(command: &Command, asking: &Command, word: &str) -> bool {
    let Some(denied) = word.strip_prefix('-').filter(|denied| !denied.starts_with('-')) else {
        return false;
    };
    let Some(first) = denied.chars().next() else { return false };
    let is_term = denied.split_once(':').is_some_and(|(name, _)| Field::parse(name).is_some());
    let shorts = command.get_arguments().chain(asking.get_arguments());
    let is_option = matches!(first, 'h' | 'V')
        || shorts.filter_map(clap::Arg::get_short).any(|short| short == first);
    is_term || !is_option
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::CommandFactory as _;

    #[test]
    fn a_denial_goes_behind_and_options_stay() {
        for (given, put) in [
            ("events list -key:alias/demo op:Decrypt", "events list op:Decrypt -- -key:alias/demo"),
            (
                "-o json events list op:Decrypt -ctx.t:a --limit 5",
                "-o json events list op:Decrypt --limit 5 -- -ctx.t:a",
            ),
            ("events list -op:Decrypt -o json", "events list -o json -- -op:Decrypt"),
            ("events list -word -- -other", "events list -- -word -other"),
            ("events stats -readonly:true --by op", "events stats --by op -- -readonly:true"),
            ("key used-by alias/a -op:Encrypt", "key used-by alias/a -- -op:Encrypt"),
            ("principal did role/a -op:Encrypt", "principal did role/a -- -op:Encrypt"),
            ("incident bundle -op:Encrypt --out f", "incident bundle --out f -- -op:Encrypt"),
            ("events export -op:Encrypt", "events export -- -op:Encrypt"),
        ] {
            let words = |text: &str| -> Vec<OsString> {
                ["keyward"].into_iter().chain(text.split(' ')).map(OsString::from).collect()
            };
            assert_eq!(in_order(&Args::command(), words(given)), words(put), "{given}");
        }
        for same in
            ["events list -ojson", "events list -h", "events sql -key:x", "events show -key:x", ""]
        {
            let words: Vec<OsString> = same.split(' ').map(OsString::from).collect();
            assert_eq!(in_order(&Args::command(), words.clone()), words, "{same}");
        }
    }
}
