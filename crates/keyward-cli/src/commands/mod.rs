//! One file a command; the table of them.

mod alert;
mod ask;
mod audit;
mod backtest;
mod blast;
mod bundle;
mod call;
mod doctor;
mod events;
mod explain;
mod export;
mod exported;
mod freeze;
mod generate;
mod history;
mod identity_changes;
mod input;
mod lint;
mod lists;
mod observe;
mod offline;
mod policy;
mod policy_diff;
mod policy_test;
mod prove;
mod records;
mod replay;
mod segments;
mod service;
mod simulate;
mod sql;
mod terraform;
mod unused;
mod verify_files;
mod versions;

use crate::{
    args::{Args, Command, Common, Form, Incident, Policy, Principal},
    bench, demo,
    exit::{CliError, Exit},
    output::Format,
};

pub(crate) fn run(args: Args) -> Result<Exit, CliError> {
    let mut common = args.common;
    common.output = match common.form {
        Form::Text => Format::Text,
        Form::Json => Format::Json,
        Form::Sarif if matches!(args.command, Command::Policy(Policy::Lint(_))) => Format::Json,
        Form::Sarif => return Err(CliError::new(Exit::Usage, "only policy lint has -o sarif")),
    };
    match args.command {
        Command::Dev(dev) => service::dev(&common, *dev),
        Command::Serve(serve) => service::serve(&common, serve),
        Command::Init(init) => service::init(&common, init),
        Command::Env(env) => service::env(&common, env.shell),
        Command::Whoami => lists::whoami(&common),
        Command::Status => doctor::status(&common),
        Command::Doctor => doctor::doctor(&common),
        Command::Call(call) => call::call(&common, &call),
        Command::Key(key) => lists::key(&common, &key),
        Command::Grant(grant) => lists::grant(&common, &grant),
        Command::Events(command) => events::events(&common, &command),
        Command::Explain(explain) => explain::explain(&common, &explain.id),
        Command::Policy(command) => policy::policy(&common, &command),
        Command::Principal(command) => principal(&common, &command),
        Command::Audit(command) => audit::audit(&common, &command),
        Command::Alert(command) => alert::alert(&common, &command),
        Command::Incident(command) => incident(&common, &command),
        Command::Demo(demo) => demo::run(&common, &demo),
        Command::Bench(options) => bench::run(&common, &options),
        Command::BenchLog(options) => bench::log::run(&common, &options),
        Command::BenchWatch(options) => bench::watch::run(&common, &options),
        Command::BenchEcho(echo) => bench::echo(&echo),
    }
}

fn principal(common: &Common, command: &Principal) -> Result<Exit, CliError> {
    match command {
        Principal::Can { principal, key, action, facts } => {
            ask::principal_can(common, principal, key.as_deref(), action, facts)
        }
        Principal::Did { principal, query, since, history } => {
            history::did(common, principal, query, since.as_deref(), history)
        }
        Principal::BlastRadius { principal, since } => {
            blast::radius(common, principal, since.as_deref())
        }
    }
}

fn incident(common: &Common, command: &Incident) -> Result<Exit, CliError> {
    match command {
        Incident::Freeze { target, reason } => freeze::freeze(common, target, reason),
        Incident::Thaw { target, reason } => freeze::thaw(common, target, reason.as_deref()),
        Incident::Frozen => freeze::frozen(common),
        Incident::Bundle(asked) => bundle::make(common, asked),
        Incident::VerifyBundle(asked) => bundle::verify(common, asked),
    }
}
