//! The `keyward` command: the service (`dev`, `serve`, `init`) and what one asks of it.
//!
//! stdout carries the result alone; progress, hints and warnings go to stderr; `-o json` works everywhere.
//! Only this crate reads the environment, and only through the argument table.
//!
//! Exit codes are a contract: [`exit::Exit`].

mod args;
mod bench;
mod client;
mod commands;
mod demo;
mod exit;
mod output;
mod policy_args;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First of all, before any thread: sled must not take a flush for a sync.
    if let Err(error) = keyward_store::harden::make_sync_real() {
        output::warn(&format!("sled's own sync could not be made real: {error}"));
    }
    let args = match args::Args::given() {
        Ok(args) => args,
        Err(error) => {
            let exit = if error.use_stderr() { exit::Exit::Usage } else { exit::Exit::Ok };
            // A closed pipe is the reader's choice.
            drop(error.print());
            return exit.into();
        }
    };
    match commands::run(args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::fail(&error);
            error.exit.into()
        }
    }
}
