//! One file a command; the table of them.

mod ask;
mod audit;
mod call;
mod doctor;
mod events;
mod explain;
mod exported;
mod lint;
mod lists;
mod offline;
mod policy;
mod service;
mod versions;

use crate::{
    args::{Args, Command, Form, Policy},
    bench,
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
        Command::Dev(dev) => service::dev(&common, dev),
        Command::Serve(serve) => service::serve(serve),
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
        Command::Principal(command) => ask::principal(&common, &command),
        Command::Audit(command) => audit::audit(&common, &command),
        Command::Bench(options) => bench::run(&common, &options),
        Command::BenchEcho(echo) => bench::echo(&echo),
    }
}
