//! A bare actix-web echo in a process of its own, as the service is.

use super::load;
use crate::exit::CliError;
use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};

/// Dropping it ends the process.
pub(super) struct Echo {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Echo {
    pub(super) fn start(answer_bytes: usize) -> Result<Self, CliError> {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(CliError::failure)?;
        let program = std::env::current_exe().map_err(CliError::failure)?;
        let child = Command::new(program)
            .args([
                "bench-echo",
                "--listen",
                &address.to_string(),
                "--answer-bytes",
                &answer_bytes.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(CliError::failure)?;
        let echo = Self { child, address };
        load::await_listener(address)?;
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It ends with us; whether it had ended already does not matter.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
